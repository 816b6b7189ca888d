"""Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli 2016, Exponential expressivity in deep neural networks
through transient chaos.

Inputs of several lengths, and pairs of inputs of several correlations, go through {depth} tanh layers of
{width} units, with biases of standard deviation {sigma_b} and weights of variance sigma_w^2 / n, for sigma_w
= {sigma_w}; {seeds} networks each. The paper's layers have 1000 units. Near the border of the ordered phase
signals converge slowly: to see where they end, {long_depth} layers of {long_width} units are added. Mean-
field theory predicts all curves, by quadrature.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Initialization, Scheme, initialize, phase
from initlab.gallery import Exhibit
from initlab.plotting.style import Look
from initlab.theory.mean_field import correlation_map, length_map

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Order and chaos of random signals",
    question="signal",
    finding="After a few layers the length of an input no longer matters; small weights make all inputs "
    "alike, and large ones separate even the most similar, as mean-field theory predicts.",
    source="Poole et al. 2016",
    network={"width": 1000, "depth": 30},
    training={"early": 8},
    measuring={
        "sigma_w": (1.3, 2.5, 4.0),
        "sigma_b": 0.3,
        "lengths": (0.1, 1.0, 4.0, 16.0),
        "correlations": (0.1, 0.5, 0.9, 0.99),
        "long_width": 300,
        "long_depth": 150,
        "seeds": 5,
    },
    quick={"width": 400},
)
LOOKS = (Look("#0072B2", "o", "-"), Look("#E69F00", "s", "--"), Look("#D55E00", "^", "-."))


def end(s, sigma_w):
    """Where infinitely deep networks end: q* and c*."""
    return phase("tanh", sigma_w**2, s.sigma_b**2)


@exhibit.kept
def signals(s, sigma_w, width, depth):
    """In each layer, lengths of the inputs and correlations of the pairs, (seeds, depth, inputs or pairs)."""
    bias, weights = Scheme("normal", {"std": s.sigma_b}), Scheme("variance_scaling", {"scale": sigma_w**2})
    sizes, lengths, correlations = [width] * (depth + 1) + [1], [], []
    for seed in range(s.seeds):
        rng = np.random.default_rng(seed)
        network = initialize(sizes, [Initialization(weights, bias=bias)], seed, "tanh", "float64")
        network.forward(rng.standard_normal((len(s.lengths), width)) * np.sqrt(s.lengths)[:, None])
        lengths.append([(z[0] ** 2).mean(axis=1) for z in network.pre_activations[:-1]])
        network.forward(pairs(s, sigma_w, width, rng))
        correlations.append([cosines(z[0]) for z in network.pre_activations[:-1]])
    return {"lengths": lengths, "correlations": correlations}


def pairs(s, sigma_w, width, rng):
    """The first inputs of all pairs, then the second, (2 pairs, width); their first layer's length is q*."""
    square = (end(s, sigma_w).q - s.sigma_b**2) / sigma_w**2
    first, orthogonal = np.linalg.qr(rng.standard_normal((width, 2)))[0].T * np.sqrt(width * square)
    c = np.array(s.correlations)[:, None]
    return np.concatenate([0 * c + first, c * first + np.sqrt(1 - c**2) * orthogonal])


def cosines(z):
    """Of each pair, (pairs,)."""
    first, second = np.split(z / np.linalg.norm(z, axis=1, keepdims=True), 2)
    return (first * second).sum(axis=1)


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
    high=0.1,
    reason="the same: within a tenth; single networks of width 1000 scatter by some percent",
)
def length_forgotten(s):
    """Whatever the length of the input, after a few layers the signal has one and the same length q*.

    Measured: largest |q / q* - 1| among the input lengths {lengths}, after {early} layers.

    On average the length is that of theory; but it scatters from network to network, and for the worst of the
    inputs it is sometimes off by more than a tenth.
    """
    return {
        f"for sigma_w = {sigma_w:g}": np.abs(lengths[:, s.early - 1] / end(s, sigma_w).q - 1).max(axis=1)
        for sigma_w in s.sigma_w
        for lengths in [measured(s, sigma_w)["lengths"]]
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
    "section 3", high=0.1, reason="three times 1/sqrt(1000) = 0.03, which 1000 units leave to chance"
)
def chaos_has_one_end(s):
    """In the chaotic phase all pairs of inputs come to the same correlation, which theory predicts.

    Measured: largest |c - c*| among the pairs, after {depth} layers, sigma_w = {sigma_w[2]}.

    They come near to the predicted correlation, up to what chance leaves in single networks.
    """
    ends = measured(s, s.sigma_w[2])["correlations"][:, -1]
    return np.abs(ends - end(s, s.sigma_w[2]).c).max(axis=1)


@exhibit.claim("figure 2A", high=0.03, reason="1/sqrt(1000) = 0.03")
def map_is_exact(s):
    """The correlation map of mean-field theory describes networks of {width} units.

    Measured: root mean square of measured minus predicted c in the second layer, over pairs and sigma_w.
    """
    errors = []
    for sigma_w in s.sigma_w:
        c = measured(s, sigma_w)["correlations"]
        errors.append([second - next_correlations(s, sigma_w, first) for first, second in c[:, :2]])
    return np.sqrt(np.square(errors).mean(axis=(0, 2)))


@exhibit.figure("Lines: mean-field theory; points: the mean of {seeds} networks of {width} units.")
def maps(s):
    figure = Figure(figsize=(9, 3.9))
    left, right = figure.subplots(1, 2)
    for sigma_w, style in zip(s.sigma_w, LOOKS, strict=True):
        for axes, name in ((left, "lengths"), (right, "correlations")):
            layer = np.arange(1, s.depth + 1)
            axes.plot(layer, predictions(s, sigma_w)[name], style.dash, color=style.color, linewidth=1)
            points = measured(s, sigma_w)[name].mean(axis=0)[::2]
            axes.plot(layer[::2], points, style.marker, color=style.color, markersize=4)
        label = f"$\\sigma_w$ = {sigma_w:g} ({'order' if end(s, sigma_w).chi < 1 else 'chaos'})"
        left.plot([], [], style.dash, marker=style.marker, color=style.color, label=label)
    left.set(yscale="log", xlabel="layer", ylabel="length q of the signal", xlim=(0.5, 12.5))
    left.set_title("The length of the input is forgotten")
    right.set(xlabel="layer", ylabel="correlation c of two inputs", ylim=(-0.06, 1.03))
    right.set_title("Order aligns inputs, chaos separates them")
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
