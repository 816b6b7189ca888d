"""Hanin & Rolnick 2018, How to start training: the effect of initialization and architecture.

ReLU networks without biases receive a random input of length 1 per unit. Weights of variance 2/n keep the
mean squared length of the activations, per unit, through all layers; its logarithm scatters from network to
network with the sum of 1/width over the layers, so that one narrow layer harms as much as many wide ones.
{groups} groups of {networks} networks give {groups} measurements. Unlike the paper's, no network is trained.
"""

from fractions import Fraction

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from initlab import initialize
from initlab.gallery import Exhibit
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Lengths of activations and their scatter",
    question="signal",
    finding="Variance 2/n keeps the mean squared length of activations; single networks scatter around it, "
    "the more the larger the sum of 1/width is.",
    source="Hanin & Rolnick 2018",
    network={"depth": 20, "width": 80},
    measuring={"groups": 10, "networks": 200},
    quick={"networks": 20},
)
LAYERS_AND_WIDTHS = ((20, 20), (16, 15), (10, 20), (10, 80), (20, 80), (5, 10))
SHAPES = {f"{depth} of width {width}": (width,) * depth for depth, width in LAYERS_AND_WIDTHS}
SHAPES["30 and 10 in turn"] = (30, 10) * 8
# As fractions: rounding would hide that two shapes have the same sum.
SUMS = {shape: float(sum(Fraction(1, width) for width in hidden)) for shape, hidden in SHAPES.items()}


@exhibit.kept
def squared_lengths(s, scheme, hidden):
    """Of the last hidden layer's activations over that of the input, (groups, networks)."""
    lengths, sizes = np.empty((s.groups, s.networks)), [hidden[0], *hidden, 1]
    for group in range(s.groups):
        seeds = range(group * s.networks, (group + 1) * s.networks)
        ensemble = initialize(sizes, [scheme] * s.networks, seeds, "relu", "float64")
        x = np.random.default_rng(group).standard_normal((1, hidden[0]))
        ensemble.forward(x / np.sqrt((x**2).mean()))
        lengths[group] = (ensemble.activations[-1] ** 2).mean(axis=(1, 2))
    return {"lengths": lengths}


def log_variance(s, shape):
    """Over the networks of each group, (groups,); a dead network has no logarithm and is left out."""
    lengths = squared_lengths(s, "he", SHAPES[shape])["lengths"]
    return np.array([np.log(group[group > 0]).var(ddof=1) for group in lengths])


@exhibit.claim("theorem 5 and corollary 6", low=0.75, high=1.25, reason="the same: within a quarter")
def mean_length_kept(s, scheme="he"):
    """With weights of variance 2/n the mean squared length of activations is the same in all layers.

    Measured: mean squared length of {networks} networks after {depth} layers of {width}, over the input's.

    Single networks are another matter: their squared lengths are typically off by a factor of 3.
    """
    return squared_lengths(s, scheme, (s.width,) * s.depth)["lengths"].mean(axis=1)


@exhibit.claim(
    "section 3.1", low=0.45, high=0.55, reason="theory: 1/2, give or take a tenth", is_identity=True
)
def half_variance_fades(s):
    """With a smaller variance, here 1/n, the mean squared length vanishes exponentially with depth.

    Measured: factor per layer: geometric mean over {depth} layers of width {width}.
    """
    return mean_length_kept(s, "lecun") ** (1 / s.depth)


@exhibit.claim("theorem 5", low=0.8, reason="grows with it: at least 0.8")
def scatter_grows_with_inverse_widths(s):
    """The scatter from network to network grows with the sum of 1/width over the layers.

    Measured: rank correlation of Var(ln squared length) with the sum of 1/width, over all shapes.
    """
    variances = np.transpose([log_variance(s, shape) for shape in SHAPES])
    return [spearmanr(list(SUMS.values()), of_group).statistic for of_group in variances]


@exhibit.claim(
    "theorem 5: E[length^4] grows like exp(5 sum 1/n) for Gaussian weights",
    low=4.0,
    high=6.0,
    reason="5, give or take a fifth",
)
def scatter_is_five_per_inverse_width(s):
    """The variance of the logarithm is about five times the sum of 1/width.

    Measured: Var(ln squared length) over the sum of 1/width, mean over shapes.

    The theory is that of wide layers. In narrow ones terms of higher order in 1/width count: the narrowest
    layers scatter almost twice as much, and now and then a network dies.
    """
    ratios = {shape: log_variance(s, shape) / SUMS[shape] for shape in SHAPES}
    wide = [ratios.pop(shape) for shape in SHAPES if min(SHAPES[shape]) >= s.width]
    narrow = list(ratios.values())
    return {f"at width {s.width}": np.mean(wide, axis=0), "at smaller widths": np.mean(narrow, axis=0)}


@exhibit.claim("section 4.2", low=0.75, high=1.25, reason="like it: within a quarter")
def alternating_like_constant(s):
    """Alternating widths 30 and 10 scatter like a constant width with the same sum of 1/width.

    Measured: Var(ln squared length): 30 and 10 in turn, over 16 of width 15.
    """
    return log_variance(s, "30 and 10 in turn") / log_variance(s, "16 of width 15")


@exhibit.figure("Shapes (layers and width) under He's weights; bars: standard error over {groups} groups.")
def scatter(s):
    figure = Figure(figsize=(6.4, 4.2))
    axes, style = figure.add_subplot(), look("he")
    axes.axline((0, 0), slope=5, linestyle="--", color="#7F7F7F")
    axes.annotate("theory of wide layers: 5 x sum", (0.65, 2.6))
    for shape, x in SUMS.items():
        y = log_variance(s, shape)
        error = y.std(ddof=1) / np.sqrt(s.groups)
        axes.errorbar(x, y.mean(), error, fmt=style.marker, color=style.color, capsize=2)
        side = {"xytext": (-8, -3), "ha": "right"} if "of width 20" in shape else {"xytext": (8, -9)}
        axes.annotate(shape, (x, y.mean()), textcoords="offset points", fontsize=8, **side)
    axes.set(xlabel="sum of 1/width over the hidden layers", xlim=(0, 1.33), ylim=(0, None))
    axes.set_ylabel("variance over networks of ln(squared length)")
    axes.set_title("Scatter grows with the sum of 1/width, more steeply in narrow layers")
    return figure


@exhibit.table()
def log_variances(s):
    return [
        {"shape": shape, "sum_inverse_width": x, "log_variance": float(log_variance(s, shape).mean())}
        for shape, x in SUMS.items()
    ]
