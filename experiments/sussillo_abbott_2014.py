"""Sussillo & Abbott 2014, Random walk initialization for training very deep feedforward networks.

On its way back through a network, the logarithm of a gradient's squared length takes a random walk from layer
to layer. A gain g of the weights, drawn from N(0, g^2 / n), is right where the walk does not drift. Networks
of {depth} layers of width {width} are linear or ReLU, without biases; their inputs, and the gradients at
their ends, are drawn from N(0, 1), others for each of {networks} networks. A network whose gradient dies has
no logarithm and is left out. tanh layers have no formula: of widths {tanh_widths}, {groups} times
{group_size} networks are multiplied by gains from {least} to {greatest}, and the gain of no drift is found
between them; only the upper half of the layers counts, where the signal has settled. The paper also trains.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Random walks of gradients",
    question="signal",
    finding="The paper's gains, a little above 1 for linear and tanh layers and above He's for ReLU, remove "
    "the drift of the typical gradient; the spread still grows with depth.",
    source="Sussillo & Abbott 2014",
    network={"width": 30, "depth": 200},
    measuring={"networks": 2000, "span": 100},
    of_tanh={"tanh_widths": (30, 100), "groups": 20, "group_size": 20, "published": (1.1, 1.3)},
    tanh_gains={"least": 1.0, "greatest": 1.4, "gains": 9},
    quick={"depth": 60, "networks": 400, "groups": 5, "group_size": 5},
)
WALKS = {
    "linear, g = 1": ("identity", "lecun", Look("#0072B2", "o", "--")),
    "linear, the paper's g": ("identity", "random_walk(activation=identity)", Look("#0072B2", "s", "-")),
    "ReLU, g = √2 (He)": ("relu", "he", Look("#D55E00", "D", "--")),
    "ReLU, the paper's g": ("relu", "random_walk", Look("#D55E00", "^", "-")),
}
TANH_LOOKS = (Look("#009E73", "P", "-"), Look("#000000", "v", "--"))
DRIFT = {"quantity": "change of ln(squared length of the gradient) over {span} layers", "unit": "networks"}
NONE = {"low": -0.5, "high": 0.5, "reason": "no drift: less than a factor e^0.5 = 1.6 in {span} layers"}
CHUNK = 100  # networks that fit into memory together


def ends(seeds, purpose, width):
    """Inputs, or gradients at the other end, one of each network, (networks, 1, width)."""
    return np.array([stream(seed, purpose).standard_normal((1, width)) for seed in seeds])


def walk(ensemble, seeds):
    """`ln |d_l|^2` from the last hidden layer back to the first, (networks, depth); nan where it dies."""
    width = ensemble.sizes[0]
    ensemble.forward(ends(seeds, Purpose.INPUTS, width))
    ensemble.backward(ends(seeds, Purpose.SAMPLES, width))
    squares = [(d**2).sum(axis=(1, 2)) for d in reversed(ensemble.pre_activation_gradients)]
    return np.log(np.where(np.all(squares, axis=0), squares, np.nan)).T


@exhibit.kept
def logarithms(s, name):
    """`ln |d_l|^2 / |d_L|^2` from the last hidden layer L back to the first, (networks, depth)."""
    activation, scheme, _ = WALKS[name]
    walks, sizes = [], [s.width] * (s.depth + 2)
    for first in range(0, s.networks, CHUNK):
        seeds = range(first, first + CHUNK)
        walks.append(walk(initialize(sizes, [scheme] * CHUNK, seeds, activation, "float64"), seeds))
    logs = np.concatenate(walks)
    return {"walks": logs - logs[:, :1]}


def changes(s, name, layers):
    """Of ln(squared length) over so many layers, of each network that lives."""
    walks = logarithms(s, name)["walks"]
    return walks[np.isfinite(walks[:, -1]), layers]


def drift(s, name):
    """Over `span` layers, of each network that lives."""
    return changes(s, name, s.depth - 1) * s.span / (s.depth - 1)


@exhibit.claim("the scaling for linear layers", **DRIFT, **NONE)
def linear_gain(s):
    """For linear layers the gain exp(1/(2n)) takes the drift away."""
    return drift(s, "linear, the paper's g")


@exhibit.claim("the scaling for ReLU", **DRIFT, **NONE)
def relu_gain(s):
    """For ReLU the gain sqrt(2) exp(1.2 / (max(n, 6) - 2.4)) takes it away."""
    return drift(s, "ReLU, the paper's g")


@exhibit.claim("the scaling for ReLU", **DRIFT, high=-0.5, reason="a drift below -0.5")
def he_drifts(s):
    """At width {width} He's gain lets gradients drift towards 0.

    He's gain keeps the mean of the squared gradient, which a few networks with large gradients dominate; in
    the typical network gradients shrink. The gap closes like 1/width.
    """
    return drift(s, "ReLU, g = √2 (He)")


@exhibit.claim(
    "abstract",
    low=-0.25,
    high=0.25,
    unit="networks",
    reason="linear: 0, give or take a quarter",
    tried=("the ratio in groups of 100 networks, 1.5 to 2.5: confirmed, but not firm",),
)
def spread_grows(s):
    """The logarithm spreads with depth as a random walk does: its variance is linear in depth.

    Measured: Var(ln squared length) at full depth less twice that at half of it, over the former; ReLU with
    the paper's gain; from each network's squared distances from the means.
    """
    full, half = (
        (logs - logs.mean()) ** 2
        for logs in (changes(s, "ReLU, the paper's g", layers) for layers in (s.depth - 1, s.depth // 2))
    )
    return (full - (s.depth - 1) / (s.depth // 2) * half) / full.mean()


def tanh_gains(s):
    """Those that are tried, (gains,)."""
    return np.linspace(s.least, s.greatest, s.gains)


@exhibit.kept
def tanh_drifts(s, width):
    """Over `span` layers, of the upper half, mean of each group's networks, (groups, gains)."""
    sizes, layers, drifts = [width] * (s.depth + 2), s.depth // 2, []
    for group in range(s.groups):
        seeds = range(group * s.group_size, (group + 1) * s.group_size)
        networks = initialize(sizes, ["lecun"] * s.group_size, seeds, "tanh", "float64")
        walks, before = [], 1.0
        for gain in tanh_gains(s):
            for W in networks.weights:
                W *= gain / before
            walks.append(walk(networks, seeds))
            before = gain
        drifts.append([np.mean(logs[:, layers] - logs[:, 0]) * s.span / layers for logs in walks])
    return {"drifts": drifts}


def gain_without_drift(s, width):
    """Where the drift of each group passes 0, (groups,)."""
    drifts = tanh_drifts(s, width)["drifts"]
    return np.array([np.interp(0, of_group, tanh_gains(s)) for of_group in drifts])


WITHOUT_DRIFT = {
    "quantity": "the g between {least} and {greatest} at which the mean drift of {group_size} networks is 0",
    "unit": "groups",
}


@exhibit.claim(
    "on tanh",
    **WITHOUT_DRIFT,
    low=1.02,
    high=1.35,
    reason="above 1 by a fiftieth or more, and by a third at most; without such a g it is an end of the grid",
)
def tanh_gain_above_1(s):
    """For tanh layers a gain g slightly above 1 takes the drift away."""
    return {f"at width {width}": gain_without_drift(s, width) for width in s.tanh_widths}


@exhibit.claim(
    "on tanh",
    **WITHOUT_DRIFT,
    low=exhibit.settings.published[0],
    high=exhibit.settings.published[1],
    reason="the published range",
)
def tanh_gain_is_the_published(s):
    """For tanh layers the gain that takes the drift away lies between {published[0]} and {published[1]}.

    The wider the layers, the smaller it is: signals at g above 1 settle where chi is a little above 1, and
    what a finite width takes away falls like 1/width. In very wide layers the gain must be below the range.
    """
    return tanh_gain_above_1(s)


@exhibit.figure(
    "Left: means over {networks} networks; band: the middle two thirds for ReLU, the paper's g. Right: the "
    "mean of {groups} groups, and their range; grey: the gains that the paper recommends."
)
def walks(s):
    figure = Figure(figsize=(10.4, 4.2))
    headline(figure, "A little more than the critical gain keeps the typical gradient")
    left, right = figure.subplots(1, 2)
    for name, (_, _, style) in WALKS.items():
        logs = logarithms(s, name)["walks"]
        line = {"color": style.color, "marker": style.marker, "markevery": s.depth // 10}
        left.plot(np.nanmean(logs, axis=0), style.dash, label=name, **line)
    low, high = np.nanquantile(logs, [1 / 6, 5 / 6], axis=0)
    left.fill_between(range(s.depth), low, high, color=style.color, alpha=0.15, linewidth=0)
    left.set(xlabel="layers that the gradient has passed", ylabel="ln(squared length), mean over networks")
    left.set_title(f"Linear and ReLU layers of width {s.width}")
    left.legend(loc="lower left")
    right.axvspan(*s.published, color="#999999", alpha=0.25, linewidth=0)
    right.axhline(0, color="#555555", linewidth=0.8)
    for width, style in zip(s.tanh_widths, TANH_LOOKS, strict=True):
        drifts = tanh_drifts(s, width)["drifts"]
        mean_and_range(right, tanh_gains(s), drifts, style, f"width {width}")
    right.set(xlabel="gain g", ylabel=f"drift over {s.span} layers", title="tanh layers")
    right.legend(loc="upper left")
    return figure


@exhibit.table()
def drifts(s):
    return [
        {"walk": name, "networks": len(drift(s, name)), "drift": float(drift(s, name).mean())}
        for name in WALKS
    ]


@exhibit.table()
def gains_of_tanh(s):
    return [
        {"width": width, "gain": float(gain), "drift": float(value)}
        for width in s.tanh_widths
        for gain, value in zip(tanh_gains(s), tanh_drifts(s, width)["drifts"].mean(axis=0), strict=True)
    ]
