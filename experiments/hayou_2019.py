"""Hayou, Doucet & Rousseau 2019, On the impact of the activation function on deep neural networks training.

c_l is the correlation of two inputs in layer l. On the edge of chaos (EOC) no layer stretches or shrinks
small differences to first order, yet 1 - c_l falls: like 1/l^2 for ReLU, like 1/l for smooth functions as
tanh. In theory c_l follows the correlation map of mean-field theory, from correlations {starts} of the inputs
through {far} layers. In networks c_l is the cosine between the pre-activations of two inputs from N(0, 1),
and 1 - c_l is averaged over all pairs of {probe} inputs, in {networks} untrained networks of each of the
widths {widths}; growth is that from layer {first} to layer {final}. ReLU has sigma_w^2 = 2 and no biases;
tanh has sigma_b^2 = {sigma_b2} and the critical sigma_w^2, or {ordered} in the ordered phase.
"""

import math

import numpy as np
from matplotlib.figure import Figure

from initlab import Initialization, Scheme, critical_sigma_w2, initialize, phase
from initlab.gallery import Exhibit
from initlab.init.quadrature import expectation
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look
from initlab.theory.mean_field import correlation_map

exhibit = Exhibit(
    __file__,
    __doc__,
    title="How fast inputs become alike",
    question="signal",
    finding="On the edge of chaos, differences of inputs fade like 1/l^2 through ReLU layers and like 1/l "
    "through tanh layers; in the ordered phase they fade exponentially.",
    source="Hayou et al. 2019",
    theory={"starts": (0.0, 0.2, 0.4, 0.6, 0.8), "far": 20000, "far_tanh": 4000},
    untrained={"widths": (100, 300, 800), "networks": 30, "probe": 10, "first": 10, "final": 50},
    tanh={"sigma_b2": 0.05, "ordered": 1.2, "early": 20, "late": 50},
    quick={"widths": (100, 200), "networks": 10, "far": 2000},
)
RELU, TANH, ORDERED = "ReLU, EOC", "tanh, EOC", "tanh, ordered phase"
RELU_CONSTANT = 9 * math.pi**2 / 2
LOOKS = {
    RELU: Look("#D55E00", "D", "-"),
    TANH: Look("#0072B2", "o", "--"),
    ORDERED: Look("#009E73", "s", ":"),
}


def relu_map(c):
    """The correlation one ReLU layer on, on the EOC."""
    return (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi


def sigma_w2_of(s, case):
    """n_in Var W."""
    return {RELU: 2.0, TANH: critical_sigma_w2("tanh", s.sigma_b2), ORDERED: s.ordered}[case]


def beta(s):
    """The constant of tanh: 2 E[phi'^2] / (q E[phi''^2]), with u from N(0, q)."""
    q = phase("tanh", sigma_w2_of(s, TANH), s.sigma_b2).q
    slope = expectation(lambda u: (1 - np.tanh(u) ** 2) ** 2, q)
    curvature = expectation(lambda u: (2 * np.tanh(u) * (1 - np.tanh(u) ** 2)) ** 2, q)
    return 2 * slope / (q * curvature)


@exhibit.claim(
    "ReLU on the EOC",
    low=0.97,
    high=1.03,
    reason="the same, but for terms that fade with depth: within 3 %",
    is_identity=True,
)
def relu_theory_is_quadratic(s):
    """For ReLU on the edge of chaos, (1 - c_l) l^2 goes to 9 pi^2 / 2 = 44.4.

    Measured: (1 - c_l) l^2 after {far} layers by the correlation map, over 9 pi^2 / 2, for each start.

    The limit is slow: a hundred layers are still a fifth away from it.
    """
    ends = list(s.starts)
    for _ in range(s.far):
        ends = [relu_map(c) for c in ends]
    return [(1 - c) * s.far**2 / RELU_CONSTANT for c in ends]


@exhibit.claim(
    "smooth activation functions on the EOC",
    low=0.95,
    high=1.05,
    reason="the same, but for terms that fade with depth: within 5 %",
    is_identity=True,
)
def tanh_theory_is_inverse(s):
    """For tanh on the edge of chaos, (1 - c_l) l goes to beta = 2 E[phi'^2] / (q E[phi''^2]).

    Measured: (1 - c_l) l after {far_tanh} layers by the correlation map, over beta, for each start.
    """
    return tanh_ends(s)["ends"] / beta(s)


@exhibit.kept
def tanh_ends(s):
    """(1 - c_l) l far down, (starts,), by linear interpolation in a table of the correlation map."""
    sigma_w2 = sigma_w2_of(s, TANH)
    q = phase("tanh", sigma_w2, s.sigma_b2).q
    gaps = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 120)])
    after = [1 - correlation_map("tanh", 1 - gap, q, sigma_w2, s.sigma_b2) if gap else 0.0 for gap in gaps]
    left = 1 - np.array(s.starts)
    for _ in range(s.far_tanh):
        left = np.interp(left, gaps, after)
    return {"ends": left * s.far_tanh}


@exhibit.kept
def differences(s, case, width):
    """1 - c of each layer, the mean over pairs of inputs, (networks, layers)."""
    scheme = Scheme("variance_scaling", {"scale": sigma_w2_of(s, case)})
    bias = None if case == RELU else Scheme("normal", {"std": s.sigma_b2**0.5})
    activation, pairs, measured = case.partition(",")[0].lower(), np.triu_indices(s.probe, 1), []
    for seed in range(s.networks):
        start = Initialization(scheme, bias=bias)
        network = initialize([width] * (s.final + 1) + [1], [start], seed, activation, "float64")
        network.forward(stream(seed, Purpose.INPUTS).standard_normal((s.probe, width)))
        directions = [z[0] / np.linalg.norm(z[0], axis=1, keepdims=True) for z in network.pre_activations]
        measured.append([1 - (d @ d.T)[pairs].mean() for d in directions[:-1]])
    return {"differences": measured}


def growth(s, case, width, power, constant):
    """Of (1 - c)^-power per layer, over constant^-power, the growth that theory predicts, (networks,)."""
    risen = differences(s, case, width)["differences"] ** -power * constant**power
    return (risen[:, s.final - 1] - risen[:, s.first - 1]) / (s.final - s.first)


def at_each_width(s, number):
    """A number of each network, by width."""
    return {f"width {width}": number(width) for width in s.widths}


GROWTH = {"low": 0.8, "high": 1.2, "reason": "the limit, give or take a fifth"}


@exhibit.claim("ReLU on the EOC", **GROWTH)
def relu_networks_follow(s):
    """In ReLU networks, too, the inverse square root of 1 - c_l grows linearly, at the predicted rate.

    Measured: the growth of (1 - c_l)^(-1/2) per layer, from layer {first} to {final}, over that of theory.

    We compare the growth, because (1 - c_l) l^2 itself depends on the first layers for long. Single networks
    scatter widely around theory, the more the narrower they are.
    """
    return at_each_width(s, lambda width: growth(s, RELU, width, 0.5, RELU_CONSTANT))


@exhibit.claim("smooth activation functions on the EOC", **GROWTH)
def tanh_networks_follow(s):
    """In tanh networks, too, the inverse of 1 - c_l grows linearly, at the predicted rate.

    Measured: the growth of 1 / (1 - c_l) per layer, from layer {first} to {final}, over that of theory.
    """
    return at_each_width(s, lambda width: growth(s, TANH, width, 1, beta(s)))


@exhibit.claim(
    "ordered phase",
    low=0.9,
    high=1.1,
    reason="theory, give or take a tenth",
    tried=("layers 5 to 20, where 1 - c is not small yet: undecided, 6 to 10 % above theory",),
)
def ordered_phase_is_exponential(s):
    """In the ordered phase 1 - c_l falls exponentially, by the factor chi a layer.

    Measured: the logarithm of the fall of 1 - c_l from layer {early} to layer {late}, over that of theory.
    """
    expected = (s.late - s.early) * math.log(phase("tanh", s.ordered, s.sigma_b2).chi)

    def fall(width):
        left = differences(s, ORDERED, width)["differences"]
        return np.log(left[:, s.late - 1] / left[:, s.early - 1]) / expected

    return at_each_width(s, fall)


@exhibit.claim(
    "smooth activation functions against ReLU",
    low=2.0,
    reason="deeper: at least twice the difference is left",
    is_ratio=True,
)
def tanh_carries_differences_deeper(s):
    """On the edge of chaos, differences of inputs reach deeper through smooth functions than through ReLU.

    Measured: 1 - c_l of layer {final} of tanh networks over that of ReLU networks.
    """

    def last(case, width):
        return differences(s, case, width)["differences"][:, s.final - 1]

    return at_each_width(s, lambda width: last(TANH, width) / last(RELU, width))


@exhibit.figure(
    "Networks of the greatest width: the mean of {networks} and their range. In the left panel a line of the "
    "slope -1 or -2 is a power of the layer; in the right one a straight line is exponential."
)
def correlations(s):
    figure = Figure(figsize=(9.4, 3.7))
    headline(figure, "Differences fade like powers of depth on the edge of chaos, exponentially in order")
    left, right = figure.subplots(1, 2, sharey=True)
    numbers = np.arange(1, s.final + 1)
    for case, style in LOOKS.items():
        for axes in (left, right):
            mean_and_range(axes, numbers, differences(s, case, s.widths[-1])["differences"], style, case)
    tail = numbers[s.first - 1 :]
    left.plot(tail, RELU_CONSTANT / tail**2, color="#000000", linestyle="-.", label="9 pi^2 / (2 l^2)")
    left.plot(tail, beta(s) / tail, color="#000000", linestyle=(0, (1, 3)), label="beta / l")
    left.set(xlabel="layer l", ylabel="1 - c", xscale="log", yscale="log", ylim=(1e-4, 2))
    right.set(xlabel="layer l", yscale="log")
    left.legend(loc="lower left", fontsize=8)
    return figure


@exhibit.table()
def growths(s):
    cases = ((RELU, 0.5, RELU_CONSTANT), (TANH, 1, beta(s)))
    return [
        {
            "network": case,
            "width": width,
            "over_theory": float(growth(s, case, width, power, constant).mean()),
        }
        for case, power, constant in cases
        for width in s.widths
    ]
