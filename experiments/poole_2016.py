"""Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli 2016, Exponential expressivity in deep neural networks
through transient chaos.

Inputs of several lengths, pairs of inputs of several correlations, and a circle of inputs go through {depth}
tanh layers of {width} units, with biases of standard deviation {sigma_b} and weights of variance sigma_w^2 /
n, for sigma_w = {sigma_w}; {seeds} networks each, with inputs of their own. The paper's layers have 1000
units. Near the border of the ordered phase signals converge slowly: to see where they end, {long_depth}
layers of {long_width} units are added. The length of a circle's image is that of its tangents, which the
chain rule gives exactly, averaged over {points} points. Mean-field theory predicts all curves, by quadrature.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Initialization, Scheme, initialize, phase
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
from initlab.plotting.style import Look
from initlab.theory.mean_field import correlation_map, length_map

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Order and chaos of random signals",
    question="signal",
    finding="After a few layers the length of an input no longer matters; small weights make all inputs "
    "alike, and large ones separate them and stretch curves, as mean-field theory predicts.",
    source="Poole et al. 2016",
    network={"width": 1000, "depth": 30, "early": 8},
    measuring={
        "sigma_w": (1.3, 2.5, 4.0),
        "sigma_b": 0.3,
        "lengths": (0.1, 1.0, 4.0, 16.0),
        "correlations": (0.1, 0.5, 0.9, 0.99),
        "points": 60,
        "long_width": 300,
        "long_depth": 150,
        "seeds": 20,
    },
    quick={"width": 200, "depth": 10, "seeds": 5, "long_depth": 50},
)
LOOKS = (Look("#0072B2", "o", "-"), Look("#E69F00", "s", "--"), Look("#D55E00", "^", "-."))
SIGNALS = ("lengths", "correlations")


def end(s, sigma_w):
    """Where infinitely deep networks end: q* and c*."""
    return phase("tanh", sigma_w**2, s.sigma_b**2)


@exhibit.kept
def signals(s, sigma_w, width, depth):
    """In each layer lengths of the inputs, correlations of the pairs, and the length of the circle's image.

    They are (seeds, depth, inputs or pairs), and (seeds, depth) for the circle.
    """
    bias, weights = Scheme("normal", {"std": s.sigma_b}), Scheme("variance_scaling", {"scale": sigma_w**2})
    sizes, lengths, correlations, circles = [width] * (depth + 1) + [1], [], [], []
    for seed in range(s.seeds):
        rng = stream(seed, Purpose.INPUTS)
        network = initialize(sizes, [Initialization(weights, bias=bias)], seed, "tanh", "float64")
        network.forward(rng.standard_normal((len(s.lengths), width)) * np.sqrt(s.lengths)[:, None])
        lengths.append([(z[0] ** 2).mean(axis=1) for z in network.pre_activations[:-1]])
        axes = orthogonal_inputs(s, sigma_w, width, rng)
        network.forward(pairs(s, axes))
        correlations.append([cosines(z[0]) for z in network.pre_activations[:-1]])
        circles.append(circle_lengths(s, network, axes))
    return {"lengths": lengths, "correlations": correlations, "circles": circles}


def orthogonal_inputs(s, sigma_w, width, rng):
    """Two orthogonal inputs, (2, width), whose pre-activations in the first layer have the length q*."""
    square = (end(s, sigma_w).q - s.sigma_b**2) / sigma_w**2
    return np.linalg.qr(rng.standard_normal((width, 2)))[0].T * np.sqrt(width * square)


def pairs(s, axes):
    """The first inputs of all pairs, then the second, (2 pairs, width)."""
    first, orthogonal = axes
    c = np.array(s.correlations)[:, None]
    return np.concatenate([0 * c + first, c * first + np.sqrt(1 - c**2) * orthogonal])


def cosines(z):
    """Of each pair, (pairs,)."""
    first, second = np.split(z / np.linalg.norm(z, axis=1, keepdims=True), 2)
    return (first * second).sum(axis=1)


def circle_lengths(s, network, axes):
    """The length of a circle's image among the pre-activations of each layer, (depth,).

    The tangent dz/d(angle) passes through a layer as `dz' = (phi'(z) dz) W`.
    """
    angles = 2 * np.pi * np.arange(s.points) / s.points
    network.forward(np.transpose([np.cos(angles), np.sin(angles)]) @ axes)
    tangents, lengths = np.transpose([-np.sin(angles), np.cos(angles)]) @ axes, []
    for W, z in zip(network.weights, network.pre_activations[:-1], strict=False):
        tangents = tangents @ W[0]
        lengths.append(2 * np.pi * np.linalg.norm(tangents, axis=1).mean())
        tangents *= 1 - np.tanh(z[0]) ** 2
    return lengths


def next_correlations(s, sigma_w, correlations):
    """One layer on, by theory, of signals of length q*; rounding errors must not take them beyond 1."""
    q = end(s, sigma_w).q
    return [correlation_map("tanh", min(c, 1.0), q, sigma_w**2, s.sigma_b**2) for c in correlations]


@exhibit.kept
def predictions(s, sigma_w):
    """The same by theory, (depth, inputs or pairs); the first layer is linear in the inputs."""
    w2, b2 = sigma_w**2, s.sigma_b**2
    q, lengths = end(s, sigma_w).q, [np.array(s.lengths) * w2 + b2]
    correlations = [(np.array(s.correlations) * (q - b2) + b2) / q]
    for _ in range(s.depth - 1):
        lengths.append([length_map("tanh", length, w2, b2) for length in lengths[-1]])
        correlations.append(next_correlations(s, sigma_w, correlations[-1]))
    return {"lengths": lengths, "correlations": correlations}


def measured(s, sigma_w):
    """Lengths and correlations in the networks of the paper's size."""
    return signals(s, sigma_w, s.width, s.depth)


@exhibit.claim(
    "section 2, figure 1",
    low=0.9,
    high=1.1,
    is_ratio=True,
    reason="q*: within a tenth of it",
    tried=("the worst of the inputs in each of 5 networks, which also scatter by chance: undecided",),
)
def length_forgotten(s):
    """Whatever the length of the input, after a few layers the signal has one and the same length q*.

    Measured: q / q* after {early} layers, for inputs of the lengths {lengths}.

    On average the length is that of theory; single networks scatter around it by some percent.
    """
    return {
        f"for sigma_w = {sigma_w:g}, input {length:g}": of_input / end(s, sigma_w).q
        for sigma_w in s.sigma_w
        for length, of_input in zip(s.lengths, measured(s, sigma_w)["lengths"][:, s.early - 1].T, strict=True)
    }


@exhibit.claim("section 3, figure 2", high=0.01, reason="alike: less than a hundredth")
def order_converges(s):
    """In the ordered phase, here sigma_w = {sigma_w[0]}, all inputs become alike: c* = 1.

    Measured: 1 - c of two inputs of c = {correlations[0]}, after {long_depth} layers of {long_width}.
    """
    return 1 - signals(s, s.sigma_w[0], s.long_width, s.long_depth)["correlations"][:, -1, 0]


@exhibit.claim("section 3, figure 2", high=0.5, reason="driven apart: below 0.5")
def chaos_separates(s):
    """In the chaotic phase, here sigma_w = {sigma_w[2]}, almost equal inputs are driven apart, to c* < 1.

    Measured: c of two inputs of c = {correlations[3]}, after {depth} layers.
    """
    return measured(s, s.sigma_w[2])["correlations"][:, -1, -1]


@exhibit.claim(
    "section 3",
    low=-0.1,
    high=0.1,
    reason="the same: within a tenth of the predicted c*",
    tried=("the worst of the pairs in each of 5 networks, which also scatter by chance: undecided",),
)
def chaos_has_one_end(s):
    """In the chaotic phase all pairs of inputs come to the same correlation, which theory predicts.

    Measured: c - c* after {depth} layers, sigma_w = {sigma_w[2]}, for pairs of the correlations
    {correlations}.

    The mean over networks comes to the predicted correlation; chance leaves a few hundredths in single ones.
    """
    ends = measured(s, s.sigma_w[2])["correlations"][:, -1] - end(s, s.sigma_w[2]).c
    return {f"for a pair of c = {c:g}": of_pair for c, of_pair in zip(s.correlations, ends.T, strict=True)}


@exhibit.claim(
    "figure 2, A and B",
    low=-0.03,
    high=0.03,
    reason="the same: within 0.03 of the predicted c",
    tried=("root mean square of 5 networks against 0.03, which 1000 units leave to chance: confirmed",),
)
def map_is_exact(s):
    """The correlation map of mean-field theory describes networks of {width} units.

    Measured: measured minus predicted c in the second layer, mean over pairs.
    """
    return {
        f"for sigma_w = {sigma_w:g}": [
            np.mean(second - next_correlations(s, sigma_w, first))
            for first, second in measured(s, sigma_w)["correlations"][:, :2]
        ]
        for sigma_w in s.sigma_w
    }


def log_growth(s, sigma_w, first, last):
    """Of the circle's image, in a layer: the mean from one layer to another, (seeds,)."""
    logs = np.log(measured(s, sigma_w)["circles"])
    return (logs[:, last - 1] - logs[:, first - 1]) / (last - first)


@exhibit.claim(
    "section 4", low=0.9, high=1.1, is_ratio=True, reason="the rate of theory, give or take a tenth"
)
def chaos_stretches_curves(s):
    """In the chaotic phase the length of a circle's image grows exponentially with depth: by sqrt(chi) in
    each layer.

    Measured: the mean growth of its logarithm in a layer, over (ln chi) / 2, in two parts of the network.

    An exponential has the same rate in both parts. chi is the factor of squared gradients too.
    """
    half = s.depth // 2
    return {
        f"for sigma_w = {sigma_w:g}, layers {first} to {last}": 2
        * log_growth(s, sigma_w, first, last)
        / np.log(end(s, sigma_w).chi)
        for sigma_w in s.sigma_w[1:]
        for first, last in ((1, half), (half, s.depth))
    }


@exhibit.claim("section 4", high=0.0, reason="shrinks: below 0")
def order_shrinks_curves(s):
    """In the ordered phase, here sigma_w = {sigma_w[0]}, the image of a circle shrinks.

    Measured: the mean growth of the logarithm of its length in a layer.
    """
    return log_growth(s, s.sigma_w[0], 1, s.depth)


@exhibit.figure("Lines: mean-field theory; points: the mean of {seeds} networks of {width} units.")
def maps(s):
    figure = Figure(figsize=(12, 3.9))
    left, middle, right = figure.subplots(1, 3)
    layer = np.arange(1, s.depth + 1)
    for sigma_w, style in zip(s.sigma_w, LOOKS, strict=True):
        signal, chi = measured(s, sigma_w), end(s, sigma_w).chi
        curves = {name: (predictions(s, sigma_w)[name], signal[name].mean(axis=0)) for name in SIGNALS}
        curves["circles"] = (
            chi ** ((layer - 1) / 2),
            np.mean(signal["circles"].T / signal["circles"][:, 0], 1),
        )
        for axes, (theory, means) in zip((left, middle, right), curves.values(), strict=True):
            axes.plot(layer, theory, style.dash, color=style.color, linewidth=1)
            axes.plot(layer[::2], means[::2], style.marker, color=style.color, markersize=4)
        label = f"$\\sigma_w$ = {sigma_w:g} ({'order' if chi < 1 else 'chaos'})"
        left.plot([], [], style.dash, marker=style.marker, color=style.color, label=label)
    left.set(yscale="log", xlabel="layer", ylabel="length q of the signal", xlim=(0.5, 12.5))
    left.set_title("Lengths of inputs are forgotten")
    middle.set(xlabel="layer", ylabel="correlation c of two inputs", ylim=(-0.06, 1.03))
    middle.set_title("Order aligns, chaos separates")
    right.set(xlabel="layer", yscale="log", ylabel="length of a circle's image, layer 1 = 1")
    right.set_title("Chaos stretches curves")
    left.legend(loc="upper right")
    return figure


@exhibit.table()
def correlations(s):
    return [
        {"sigma_w": sigma_w, "layer": layer + 1, "first_correlation": c, "measured": float(mean[layer, i])}
        | {"predicted": float(predictions(s, sigma_w)["correlations"][layer, i])}
        for sigma_w in s.sigma_w
        for mean in [measured(s, sigma_w)["correlations"].mean(axis=0)]
        for layer in range(s.depth)
        for i, c in enumerate(s.correlations)
    ]


@exhibit.table()
def circle_growth(s):
    return [
        {"sigma_w": sigma_w, "growth": float(np.exp(log_growth(s, sigma_w, 1, s.depth).mean()))}
        | {"predicted": end(s, sigma_w).chi ** 0.5}
        for sigma_w in s.sigma_w
    ]
