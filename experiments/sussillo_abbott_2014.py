"""Sussillo & Abbott 2014, Random walk initialization for training very deep feedforward networks.

On its way back through a network, the logarithm of a gradient's squared length takes a random walk from layer
to layer. A gain g of the weights, drawn from N(0, g^2 / n), is right where the walk does not drift. Networks
of {depth} layers of width {width} are linear or ReLU, without biases; their inputs, and the gradients at
their ends, are drawn from N(0, 1). {groups} groups of {networks} networks give {groups} measurements. A
network whose gradient dies has no logarithm and is left out. The paper also trains.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize
from initlab.gallery import Exhibit
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Random walks of gradients",
    question="signal",
    finding="The paper's gains, a little above 1 for linear layers and above He's for ReLU, remove the drift "
    "of the typical gradient; the spread still grows with depth.",
    network={"width": 30, "depth": 200},
    measuring={"groups": 10, "networks": 100, "span": 100},
    quick={"depth": 60, "networks": 20},
)
WALKS = {
    "linear, g = 1": ("identity", "lecun", Look("#0072B2", "o", "--")),
    "linear, the paper's g": ("identity", "random_walk(activation=identity)", Look("#0072B2", "s", "-")),
    "ReLU, g = √2 (He)": ("relu", "he", Look("#D55E00", "D", "--")),
    "ReLU, the paper's g": ("relu", "random_walk", Look("#D55E00", "^", "-")),
}
SECTION = "Sussillo & Abbott 2014, section"
DRIFT = {
    "source": f"{SECTION} 3",
    "quantity": "change of ln(squared length of the gradient) over {span} layers, mean over networks",
}
NONE = {"low": -0.5, "high": 0.5, "reason": "no drift: less than a factor e^0.5 = 1.6 in {span} layers"}


@exhibit.kept
def logarithms(s, name):
    """`ln |d_l|^2 / |d_L|^2` from the last hidden layer L back to the first, (groups, networks, depth).

    It is nan for a network whose gradient dies.
    """
    activation, scheme, _ = WALKS[name]
    shape, sizes = (s.networks, 1, s.width), [s.width] * (s.depth + 2)
    logs = np.empty((s.groups, s.networks, s.depth))
    for group in range(s.groups):
        seeds, rng = range(group * s.networks, (group + 1) * s.networks), np.random.default_rng(group)
        ensemble = initialize(sizes, [scheme] * s.networks, seeds, activation, "float64")
        ensemble.forward(rng.standard_normal(shape))
        ensemble.backward(rng.standard_normal(shape))
        squares = [(d**2).sum(axis=(1, 2)) for d in reversed(ensemble.pre_activation_gradients)]
        logs[group] = np.log(np.where(np.all(squares, axis=0), squares, np.nan)).T
    return {"walks": logs - logs[:, :, :1]}


def drift(s, name):
    """Over `span` layers, the mean of each group, (groups,)."""
    return np.nanmean(logarithms(s, name)["walks"][:, :, -1], axis=1) * s.span / (s.depth - 1)


@exhibit.claim(**DRIFT, **NONE)
def linear_gain(s):
    """For linear layers the gain exp(1/(2n)) takes the drift away."""
    return drift(s, "linear, the paper's g")


@exhibit.claim(**DRIFT, **NONE)
def relu_gain(s):
    """For ReLU the gain sqrt(2) exp(1.2 / (max(n, 6) - 2.4)) takes it away."""
    return drift(s, "ReLU, the paper's g")


@exhibit.claim(**DRIFT, high=-0.5, reason="a drift below -0.5")
def he_drifts(s):
    """At width {width} He's gain lets gradients drift towards 0.

    He's gain keeps the mean of the squared gradient, which a few networks with large gradients dominate; in
    the typical network gradients shrink. The gap closes like 1/width.
    """
    return drift(s, "ReLU, g = √2 (He)")


@exhibit.claim(source=f"{SECTION} 2", low=1.5, high=2.5, reason="linear: 2, give or take a quarter")
def spread_grows(s):
    """The logarithm spreads with depth as a random walk does: its variance is linear in depth.

    Measured: Var(ln squared length) at full depth over that at half of it, ReLU with the paper's gain.
    """
    variances = np.nanvar(logarithms(s, "ReLU, the paper's g")["walks"], axis=1)
    return variances[:, -1] / variances[:, s.depth // 2]


@exhibit.figure("Means over all networks for each gain; band: the middle two thirds for ReLU, the paper's g.")
def walks(s):
    figure = Figure(figsize=(7.6, 4.2))
    axes = figure.add_subplot()
    for name, (_, _, style) in WALKS.items():
        logs = logarithms(s, name)["walks"].reshape(-1, s.depth)
        line = {"color": style.color, "marker": style.marker, "markevery": s.depth // 10}
        axes.plot(np.nanmean(logs, axis=0), style.dash, label=name, **line)
    low, high = np.nanquantile(logs, [1 / 6, 5 / 6], axis=0)
    axes.fill_between(range(s.depth), low, high, color=style.color, alpha=0.15, linewidth=0)
    axes.set(xlabel="layers that the gradient has passed", ylabel="ln(squared length), mean over networks")
    axes.set_title("A little more than He's gain keeps the typical gradient")
    axes.legend(loc="lower left")
    return figure


@exhibit.table()
def drifts(s):
    living = {name: np.isfinite(logarithms(s, name)["walks"][:, :, -1]) for name in WALKS}
    return [
        {"walk": name, "networks": int(living[name].sum()), "drift": float(drift(s, name).mean())}
        for name in WALKS
    ]
