"""Pennington, Schoenholz & Ganguli 2017, Resurrecting the sigmoid in deep learning through dynamical
isometry.

How far does a random network stretch space? J is the Jacobian of the last hidden layer with respect to the
input, at one random input. Its singular values are measured in {seeds} networks of each kind, with L =
{depths} layers of {width} units without biases, all critical; tanh with sigma_w^2 a little above 1. The
paper's theory is that of infinitely wide networks; Gaussian layers of n units deviate from it by about L / n.
"""

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize
from initlab.gallery import Exhibit
from initlab.measure.jacobian import jacobian_singular_values
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Dynamical isometry",
    question="signal",
    finding="Orthogonal weights keep all directions alike in linear layers, and in tanh layers while signals "
    "are small; ReLU layers flatten most directions, whatever their weights.",
    source="Pennington, Schoenholz & Ganguli 2017",
    network={"width": 200, "depths": (2, 4, 8, 16, 32), "size": 0.3, "small_size": 0.05},
    measuring={"seeds": 10},
    quick={"width": 100, "depths": (2, 4, 8)},
)
NETWORKS = {
    "linear, Gaussian": ("identity", "lecun", Look("#0072B2", "o", "-")),
    "linear, orthogonal": ("identity", "orthogonal", Look("#56B4E9", "s", "--")),
    "ReLU, Gaussian": ("relu", "he", Look("#D55E00", "D", "-")),
    "ReLU, orthogonal": ("relu", "orthogonal(gain=relu)", Look("#E69F00", "^", "--")),
    "tanh, orthogonal": ("tanh", "orthogonal(gain=1.01)", Look("#009E73", "P", "-.")),
}
FLOOR = 2e-3  # of what is drawn, for a logarithmic axis has no 0


@exhibit.kept
def singular_values(s, kind, depth, size):
    """Of each network's Jacobian at an input from N(0, size^2), from the largest down, (seeds, width)."""
    activation, scheme, _ = NETWORKS[kind]
    sizes = [s.width] * (depth + 1) + [1]
    networks = initialize(sizes, [scheme] * s.seeds, range(s.seeds), activation, "float64")
    inputs = size * np.random.default_rng(0).standard_normal((1, s.width))
    return {"values": jacobian_singular_values(networks, inputs)[:, 0]}


def relative_variance(s, kind, depth, size):
    """`Var(s^2) / mean(s^2)^2` over the singular values s of each network, (seeds,)."""
    squares = singular_values(s, kind, depth, size)["values"] ** 2
    return squares.var(axis=1) / squares.mean(axis=1) ** 2


def slope(s, kind):
    """Of each network's relative variance over depth, by least squares, (seeds,)."""
    return np.polyfit(s.depths, [relative_variance(s, kind, depth, s.size) for depth in s.depths], 1)[0]


SLOPE = "slope of Var(s^2) / mean(s^2)^2 over depth L, s the singular values of J"
BY_L = {
    "quantity": SLOPE,
    "low": 0.75,
    "high": 1.25,
    "reason": "theory of wide networks, give or take a quarter",
}
BY_2L = BY_L | {"low": 1.5, "high": 2.5}
BY_0 = {"quantity": SLOPE, "low": -0.02, "high": 0.02, "reason": "theory: none; a fiftieth per layer"}


@exhibit.claim("section 2.5", **BY_L)
def linear_gaussian(s):
    """Linear, Gaussian weights: at criticality the variance of the squared singular values is L."""
    return slope(s, "linear, Gaussian")


@exhibit.claim("section 2.5", **BY_0, is_identity=True)
def linear_orthogonal(s):
    """Linear, orthogonal weights: at criticality the variance of the squared singular values is 0."""
    return slope(s, "linear, orthogonal")


@exhibit.claim("section 2.5", **BY_2L)
def relu_gaussian(s):
    """ReLU, Gaussian weights: at criticality the variance of the squared singular values is 2 L."""
    return slope(s, "ReLU, Gaussian")


@exhibit.claim("section 2.5", **BY_L)
def relu_orthogonal(s):
    """ReLU, orthogonal weights: at criticality the variance of the squared singular values is L."""
    return slope(s, "ReLU, orthogonal")


@exhibit.claim("section 3", high=0.1, reason="near 1: a variance of at most a tenth")
def tanh_isometry(s):
    """Orthogonal tanh networks near criticality are isometric at any depth: singular values are near 1.

    Measured: Var(s^2) / mean(s^2)^2 at the greatest depth, for inputs of two sizes.

    The signal must be small: slopes of tanh differ from 1 by z^2, and the layers multiply them. The paper
    takes sigma_w^2 so near 1 that q* falls like 1/L; a signal that begins at {size} is too large for the
    greatest depth, a signal that begins at {small_size} is not.
    """
    variance = partial(relative_variance, s, "tanh, orthogonal", s.depths[-1])
    return {f"for inputs of size {size:g}": variance(size) for size in (s.small_size, s.size)}


@exhibit.claim(
    "section 2.5",
    low=0.5,
    reason="at least half: each layer switches half of its units off",
    is_identity=True,
)
def relu_never(s):
    """ReLU networks are never isometric, orthogonal or not.

    Measured: fraction of singular values below a tenth of the largest, orthogonal weights, greatest depth.
    """
    values = singular_values(s, "ReLU, orthogonal", s.depths[-1], s.size)["values"]
    return (values < 0.1 * values.max(axis=1, keepdims=True)).mean(axis=1)


@exhibit.figure("Means of {seeds} networks of width {width}; values below 0.002 are drawn there.")
def spectra(s):
    figure = Figure(figsize=(9.4, 4.0))
    left, right = figure.subplots(1, 2)
    for kind, (_, _, style) in NETWORKS.items():
        means = [relative_variance(s, kind, depth, s.size).mean() for depth in s.depths]
        values = singular_values(s, kind, s.depths[-1], s.size)["values"].mean(axis=0)
        line = {"color": style.color, "linestyle": style.dash, "marker": style.marker}
        left.plot(s.depths, np.maximum(means, FLOOR), label=kind, **line)
        share = np.arange(s.width) / s.width
        right.plot(share, np.maximum(values, FLOOR), markevery=s.width // 12, **line)
    left.set(xlabel="depth L", ylabel="Var(s²) / mean(s²)²", xscale="log", yscale="log", ylim=(1e-3, 200))
    left.set_xticks(s.depths, map(str, s.depths))
    left.minorticks_off()
    left.set_title("Only linear orthogonal layers do not spread")
    right.set(xlabel="rank of the singular value, as a share", yscale="log")
    right.set_ylabel(f"singular value s at L = {s.depths[-1]}")
    right.set_title("ReLU and Gaussian: most values near 0")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right upper")
    return figure


@exhibit.table()
def variances(s):
    return [
        {"network": kind, "depth": depth, "relative_variance": float(variance.mean())}
        for kind in NETWORKS
        for depth in s.depths
        for variance in [relative_variance(s, kind, depth, s.size)]
    ]
