"""Pennington, Schoenholz & Ganguli 2017, Resurrecting the sigmoid in deep learning through dynamical
isometry.

How far does a random network stretch space? J is the Jacobian of the last hidden layer with respect to the
input, at one random input, another for each network. Its singular values are measured in {seeds} networks of
each kind, with L = {depths} layers of {width} units, all critical. tanh layers are critical where the factor
chi of squared gradients is 1 and the signal has the length q* from the first layer on: mean-field theory
gives sigma_w^2 and sigma_b^2 for q*, and the input is as long as q* needs. q* is {q_by_depth}/L, or stays at
{q_fixed}. The other layers have no biases. The paper's theory is that of infinitely wide networks; Gaussian
layers of n units deviate from it by about L / n.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Initialization, Scheme, initialize
from initlab.gallery import Exhibit
from initlab.measure.jacobian import jacobian_singular_values
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline
from initlab.plotting.style import Look
from initlab.theory.mean_field import moments

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Dynamical isometry",
    question="signal",
    finding="Orthogonal weights keep all directions alike in linear layers, and in tanh layers whose signals "
    "are small enough for their depth; ReLU layers never do.",
    source="Pennington, Schoenholz & Ganguli 2017",
    network={"width": 200, "depths": (2, 4, 8, 16, 32), "q_by_depth": 0.125, "q_fixed": 0.0625},
    measuring={"seeds": 40},
    quick={"width": 100, "depths": (2, 4, 8), "seeds": 20},
)
NETWORKS = {
    "linear, Gaussian": ("identity", "lecun", Look("#0072B2", "o", "-")),
    "linear, orthogonal": ("identity", "orthogonal", Look("#56B4E9", "s", "--")),
    "ReLU, Gaussian": ("relu", "he", Look("#D55E00", "D", "-")),
    "ReLU, orthogonal": ("relu", "orthogonal(gain=relu)", Look("#E69F00", "^", "--")),
    "tanh, Gaussian, q* = c/L": ("tanh", "variance_scaling(scale={w2})", Look("#CC79A7", "X", "--")),
    "tanh, orthogonal, q* fixed": ("tanh", "orthogonal(gain={w})", Look("#000000", "v", ":")),
    "tanh, orthogonal, q* = c/L": ("tanh", "orthogonal(gain={w})", Look("#009E73", "P", "-.")),
}
SMALLEST = 1e-3  # that is drawn: a logarithmic axis has no 0


def critical(q):
    """sigma_w^2 and sigma_b^2 of tanh layers with chi = 1 and signals of length q."""
    of_tanh = moments("tanh", q)
    w2 = 1 / of_tanh.slope_square
    return w2, q - w2 * of_tanh.square


def length(s, kind, depth):
    """The length q* of the signals in a tanh network."""
    return s.q_fixed if "fixed" in kind else s.q_by_depth / depth


def start(s, kind, depth):
    """The weights and biases of a network, and the mean square of its input."""
    activation, scheme, _ = NETWORKS[kind]
    if activation != "tanh":
        return Initialization.of(scheme), 1.0
    q = length(s, kind, depth)
    w2, b2 = critical(q)
    weights = Scheme.parse(scheme.format(w=w2**0.5, w2=w2))
    return Initialization(weights, bias=Scheme("normal", {"std": b2**0.5})), (q - b2) / w2


@exhibit.kept
def singular_values(s, kind, depth):
    """Of each network's Jacobian, from the largest down, (seeds, width)."""
    scheme, square = start(s, kind, depth)
    sizes = [s.width] * (depth + 1) + [1]
    networks = initialize(sizes, [scheme] * s.seeds, range(s.seeds), NETWORKS[kind][0], "float64")
    inputs = [stream(seed, Purpose.INPUTS).standard_normal((1, s.width)) for seed in range(s.seeds)]
    return {"values": jacobian_singular_values(networks, square**0.5 * np.array(inputs))[:, 0]}


def relative_variance(s, kind, depth):
    """`Var(s^2) / mean(s^2)^2` over the singular values s of each network, (seeds,)."""
    squares = singular_values(s, kind, depth)["values"] ** 2
    return squares.var(axis=1) / squares.mean(axis=1) ** 2


def slope(s, kind):
    """Of each network's relative variance over depth, by least squares, (seeds,)."""
    return np.polyfit(s.depths, [relative_variance(s, kind, depth) for depth in s.depths], 1)[0]


SLOPE = "slope of Var(s^2) / mean(s^2)^2 over depth L, s the singular values of J"
BY_L = {
    "quantity": SLOPE,
    "low": 0.75,
    "high": 1.25,
    "reason": "theory of wide networks, give or take a quarter",
}
BY_2L = BY_L | {"low": 1.5, "high": 2.5}
BY_0 = {"quantity": SLOPE, "low": -0.02, "high": 0.02, "reason": "theory: none; a fiftieth per layer"}
NEAR_1 = {"high": 0.1, "reason": "near 1: a variance of at most a tenth"}
FEWER = ("10 networks, all at one input: undecided",)


@exhibit.claim("section 2", **BY_L)
def linear_gaussian(s):
    """Linear, Gaussian weights: at criticality the variance of the squared singular values is L."""
    return slope(s, "linear, Gaussian")


@exhibit.claim("section 2", **BY_0, is_identity=True)
def linear_orthogonal(s):
    """Linear, orthogonal weights: at criticality the variance of the squared singular values is 0."""
    return slope(s, "linear, orthogonal")


@exhibit.claim("section 2", **BY_2L, tried=FEWER)
def relu_gaussian(s):
    """ReLU, Gaussian weights: at criticality the variance of the squared singular values is 2 L."""
    return slope(s, "ReLU, Gaussian")


@exhibit.claim("section 2", **BY_L)
def relu_orthogonal(s):
    """ReLU, orthogonal weights: at criticality the variance of the squared singular values is L."""
    return slope(s, "ReLU, orthogonal")


@exhibit.claim(
    "sections 2 and 3",
    **NEAR_1,
    tried=("sigma_w = 1.01 without biases at all depths: held for inputs of size 0.05, failed for 0.3",),
)
def tanh_isometry(s):
    """Orthogonal tanh networks are isometric at any depth, if sigma_w^2 is so near 1 that q* falls like 1/L.

    Measured: Var(s^2) / mean(s^2)^2 where q* = {q_by_depth}/L.

    A slope of tanh is 1 - z^2 for a small z. The variance of its square over the units goes with q*^2, and L
    layers add up to L times as much, which falls where q* falls like 1/L.
    """
    kind = "tanh, orthogonal, q* = c/L"
    return {f"with {depth} layers": relative_variance(s, kind, depth) for depth in s.depths}


@exhibit.claim("section 2", low=0.75, high=1.25, is_ratio=True, reason="theory, give or take a quarter")
def tanh_fixed_length(s):
    """At a fixed q* the variance of orthogonal tanh networks grows with L, by E[phi'^4] / E[phi'^2]^2 - 1 a
    layer.

    Measured: slope of Var(s^2) / mean(s^2)^2 over depth, over that of theory; q* = {q_fixed}.

    So weights that are isometric in a shallow network need not be so in a deep one.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    square = (1 - np.tanh(s.q_fixed**0.5 * z) ** 2) ** 2
    mean = np.average(square, weights=weight)
    return slope(s, "tanh, orthogonal, q* fixed") / (np.average(square**2, weights=weight) / mean**2 - 1)


@exhibit.claim("section 2", **BY_L)
def tanh_gaussian(s):
    """Gaussian tanh networks are never isometric: however small q* is, the variance grows like L.

    The matrices spread the singular values, as they do in linear networks. Small signals do not help.
    """
    return slope(s, "tanh, Gaussian, q* = c/L")


@exhibit.claim(
    "abstract",
    low=0.5,
    reason="at least half: each layer switches half of its units off",
    is_identity=True,
)
def relu_never(s):
    """ReLU networks are never isometric, orthogonal or not.

    Measured: fraction of singular values below a tenth of the largest, orthogonal weights, greatest depth.
    """
    values = singular_values(s, "ReLU, orthogonal", s.depths[-1])["values"]
    return (values < 0.1 * values.max(axis=1, keepdims=True)).mean(axis=1)


@exhibit.figure(
    "Means of {seeds} networks of width {width}. Lines end where they leave the axes: the variance of linear "
    "orthogonal networks is 0 up to rounding, and most singular values of ReLU networks are 0."
)
def spectra(s):
    figure = Figure(figsize=(9.8, 4.2))
    headline(figure, "Orthogonal linear layers, and tanh layers with q* = c/L, do not spread")
    left, right = figure.subplots(1, 2)
    share = (np.arange(s.width) + 0.5) / s.width
    for kind, (_, _, style) in NETWORKS.items():
        means = np.array([relative_variance(s, kind, depth).mean() for depth in s.depths])
        values = singular_values(s, kind, s.depths[-1])["values"].mean(axis=0)
        line = {"color": style.color, "linestyle": style.dash, "marker": style.marker}
        left.plot(s.depths, np.where(means < SMALLEST, np.nan, means), label=kind, **line)
        shown = np.where(values < SMALLEST, np.nan, values)
        right.plot(share, shown, markevery=s.width // 12, **line)
    left.set(xlabel="depth L", ylabel="Var(s²) / mean(s²)²", xscale="log", yscale="log", ylim=(SMALLEST, 200))
    left.set_xticks(s.depths, map(str, s.depths))
    left.minorticks_off()
    left.set_title("Variance of squared singular values")
    right.set(xlabel="rank of the singular value, as a share", yscale="log", ylim=(SMALLEST, 20))
    right.set(ylabel="singular value s", title=f"Singular values at L = {s.depths[-1]}")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right upper")
    return figure


@exhibit.table()
def variances(s):
    return [
        {"network": kind, "depth": depth, "relative_variance": float(variance.mean())}
        for kind in NETWORKS
        for depth in s.depths
        for variance in [relative_variance(s, kind, depth)]
    ]
