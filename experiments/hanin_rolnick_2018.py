"""Hanin & Rolnick 2018, How to start training: the effect of initialization and architecture.

ReLU networks without biases receive a random input of length 1 per unit. Weights of variance 2/n keep the
mean squared length of the activations, per unit, through all layers; its logarithm scatters from network to
network with the sum of 1/width over the layers, so that one narrow layer harms as much as many wide ones. Of
each shape {networks} networks are drawn, with {networks} inputs, and no two shapes share draws. The variance
of the logarithm is the mean of the squared distances from its mean, one number a network. A dead network,
whose length is 0, has no logarithm and is left out. No network is trained here; `width_depth` trains some.
"""

from fractions import Fraction
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
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
    measuring={"networks": 2000},
    quick={"networks": 200},
)
LAYERS_AND_WIDTHS = ((10, 80), (20, 80), (10, 20), (20, 20), (5, 10), (16, 15))
SHAPES = {f"{depth} of width {width}": (width,) * depth for depth, width in LAYERS_AND_WIDTHS}
SHAPES["30 and 10 in turn"] = (30, 10) * 8
# As fractions: rounding would hide that two shapes have the same sum.
SUMS = {shape: float(sum(Fraction(1, width) for width in hidden)) for shape, hidden in SHAPES.items()}
DOUBLINGS = list(pairwise(list(SHAPES)[:4]))  # the second shape has twice the sum of the first
CHUNK = 50  # networks that fit into memory together


@exhibit.kept
def squared_lengths(s, scheme, shape):
    """Of the last hidden layer's activations over that of the input, (networks,)."""
    hidden, lengths = SHAPES[shape], []
    first = list(SHAPES).index(shape) * s.networks
    for begin in range(first, first + s.networks, CHUNK):
        seeds = range(begin, begin + CHUNK)
        ensemble = initialize([hidden[0], *hidden, 1], [scheme] * CHUNK, seeds, "relu", "float64")
        x = np.array([stream(seed, Purpose.INPUTS).standard_normal((1, hidden[0])) for seed in seeds])
        ensemble.forward(x / np.sqrt((x**2).mean(axis=2, keepdims=True)))
        lengths.append((ensemble.activations[-1] ** 2).mean(axis=(1, 2)))
    return {"lengths": np.concatenate(lengths)}


def deviations(s, shape):
    """Squared distances of ln(squared length) from its mean, one for each network that lives."""
    lengths = squared_lengths(s, "he", shape)["lengths"]
    logs = np.log(lengths[lengths > 0])
    return (logs - logs.mean()) ** 2 * len(logs) / (len(logs) - 1)


def longest(s):
    """The shape whose mean length is measured."""
    return f"{s.depth} of width {s.width}"


def difference(larger, smaller):
    """Of the two variances; a network that lives stands against one of the other shape."""
    count = min(len(larger), len(smaller))
    return larger[:count] - smaller[:count]


@exhibit.claim(
    "theorem 5 and corollary 6", low=0.75, high=1.25, unit="networks", reason="the same: within a quarter"
)
def mean_length_kept(s, scheme="he"):
    """With weights of variance 2/n the mean squared length of activations is the same in all layers.

    Measured: squared length after {depth} layers of {width}, over the input's; the arithmetic mean, of which
    the theorem speaks.

    Single networks are another matter: their squared lengths are typically off by a factor of 3.
    """
    return squared_lengths(s, scheme, longest(s))["lengths"]


@exhibit.claim(
    "failure mode 1",
    low=0.75,
    high=1.25,
    unit="networks",
    reason="theory: 1, give or take a quarter",
    is_identity=True,
)
def half_variance_fades(s):
    """With a smaller variance, here 1/n, the mean squared length vanishes exponentially: it halves in each
    layer.

    Measured: squared length after {depth} layers of {width} over the input's, times 2^{depth}; the mean.

    ReLU layers are homogeneous: weights of half the variance give half the squared length.
    """
    return mean_length_kept(s, "lecun") * 2**s.depth


@exhibit.claim("theorem 5", low=0.0, unit="networks", reason="grows: the difference is above 0")
def scatter_grows_with_inverse_widths(s):
    """The scatter from network to network grows with the sum of 1/width over the layers.

    Measured: Var(ln squared length) less that of the shape with half the sum.
    """
    return {
        f"from {smaller} to {larger}": difference(deviations(s, larger), deviations(s, smaller))
        for smaller, larger in DOUBLINGS
    }


@exhibit.claim(
    "theorem 5: E[length^4] grows like exp(5 sum 1/n) for Gaussian weights",
    low=4.0,
    high=6.0,
    unit="networks",
    reason="5, give or take a fifth",
    tried=("the mean over groups of networks, all of a group at one input: undecided at width 80",),
)
def scatter_is_five_per_inverse_width(s):
    """The variance of the logarithm is about five times the sum of 1/width.

    Measured: Var(ln squared length) over the sum of 1/width, over the networks of all such shapes.

    The theory is that of wide layers. In narrow ones terms of higher order in 1/width count, and now and then
    a network dies.
    """
    widths = {shape: min(hidden) for shape, hidden in SHAPES.items()}
    return {
        f"at width {width}": np.concatenate(
            [deviations(s, shape) / SUMS[shape] for shape, least in widths.items() if least == width]
        )
        for width in (s.width, 20)
    } | {
        "at widths 15, 10, and 30 with 10": np.concatenate(
            [deviations(s, x) / SUMS[x] for x in list(SHAPES)[4:]]
        )
    }


@exhibit.claim(
    "failure mode 2",
    low=-0.25,
    high=0.25,
    unit="networks",
    reason="like it: within a quarter",
    tried=("the ratio of groups' variances, all of a group at one input: undecided",),
)
def alternating_like_constant(s):
    """Alternating widths 30 and 10 scatter like a constant width with the same sum of 1/width.

    Measured: Var(ln squared length) of 30 and 10 in turn, less that of 16 layers of width 15, over the
    latter.
    """
    constant = deviations(s, "16 of width 15")
    return difference(deviations(s, "30 and 10 in turn"), constant) / constant.mean()


@exhibit.figure(
    "Shapes (layers and width) under He's weights; bars: two standard errors over {networks} networks."
)
def scatter(s):
    figure = Figure(figsize=(6.4, 4.2))
    axes, style = figure.add_subplot(), look("he")
    axes.axline((0, 0), slope=5, linestyle="--", color="#7F7F7F")
    axes.annotate("theory of wide layers: 5 x sum", (0.65, 2.6))
    for shape, x in SUMS.items():
        y = deviations(s, shape)
        error = 2 * y.std(ddof=1) / np.sqrt(len(y))
        axes.errorbar(x, y.mean(), error, fmt=style.marker, color=style.color, capsize=2)
        side = {"xytext": (-8, -3), "ha": "right"} if "of width 20" in shape else {"xytext": (8, -9)}
        axes.annotate(shape, (x, y.mean()), textcoords="offset points", fontsize=8, **side)
    axes.set(xlabel="sum of 1/width over the hidden layers", xlim=(0, 1.33), ylim=(0, None))
    axes.set_ylabel("variance over networks of ln(squared length)")
    axes.set_title("The scatter of lengths grows with the sum of 1/width")
    return figure


@exhibit.table()
def log_variances(s):
    return [
        {"shape": shape, "sum_inverse_width": x, "log_variance": float(squares.mean())}
        | {"dead": s.networks - len(squares)}
        for shape, x in SUMS.items()
        for squares in [deviations(s, shape)]
    ]
