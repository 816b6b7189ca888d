"""Lu, Shin, Su & Karniadakis 2019, Dying ReLU and initialization: theory and numerical examples.

A network is born dead if before training a hidden layer gives 0 for all inputs: its output is constant, and
no gradient passes. ReLU networks with one input have He's weights, which are symmetric around 0, and no
biases. Such a network is linear on either side of 0, so that two inputs decide; for networks with biases
{points} inputs from -{bound} to {bound} stand for all. {networks} networks for each of the widths {widths}
with {depth} hidden layers, in {groups} groups, {few} of them for other depths. The randomized asymmetric
initialization (RAI) draws weights and bias of a unit from N(0, {rai_std}^2 / n_in), and then replaces one of
them, chosen at random, by a positive number from Beta(2, 1). No network is trained.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, initialize
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Networks that are born dead",
    question="depth",
    finding="Deep and narrow ReLU networks with symmetric weights are often born dead, the more the deeper "
    "and narrower they are; asymmetric weights make it rarer.",
    source="Lu et al. 2019",
    network={"depth": 10, "widths": (2, 3, 5), "deepest": 100, "wide": 20},
    measuring={"networks": 4000, "few": 500, "groups": 20, "points": 41, "bound": 1.7, "rai_std": 0.6},
    quick={"networks": 400, "few": 100},
)
HE, RAI = "he", "RAI"
LOOKS = (Look("#D55E00", "D", "-"), Look("#0072B2", "o", "--"), Look("#009E73", "s", ":"))


@exhibit.kept
def dead(s, width, depth, networks, scheme=HE):
    """Whether a network's layers up to each one include a dead one, (depth, networks)."""
    draw = randomized_asymmetric if scheme == RAI else symmetric
    ensemble = draw(s, [1] + [width] * depth + [1], networks)
    ensemble.forward(np.linspace(-s.bound, s.bound, s.points)[:, None])
    silent = [(a == 0).all(axis=(1, 2)) for a in ensemble.activations]
    return {"dead": np.maximum.accumulate(silent)}


def symmetric(_s, sizes, networks):
    """Networks with He's weights."""
    return initialize(sizes, [HE] * networks, range(networks), "relu", "float64")


def randomized_asymmetric(s, sizes, networks):
    """Networks whose units each have one positive number among their weights and bias."""
    ensemble = Ensemble.zeros(networks, sizes, "relu", "float64")
    for layer, (W, b) in enumerate(zip(ensemble.weights, ensemble.biases, strict=True)):
        rng = stream(0, Purpose.WEIGHTS, layer)
        n_in, n_out = W.shape[1:]
        numbers = rng.normal(0, s.rai_std / n_in**0.5, (networks, n_in + 1, n_out))
        chosen = rng.integers(n_in + 1, size=(networks, 1, n_out))
        np.put_along_axis(numbers, chosen, rng.beta(2, 1, chosen.shape), axis=1)
        W[...], b[...] = numbers[:, :-1], numbers[:, -1]
    return ensemble


def are_dead(s, width, scheme=HE):
    """Of the networks with the usual depth, (networks,)."""
    return dead(s, width, s.depth, s.networks, scheme)["dead"][-1]


def shares(s, width, scheme=HE):
    """The share of dead networks in each group, (groups,)."""
    return are_dead(s, width, scheme).reshape(s.groups, -1).mean(axis=1)


def upper_bound(width, depth):
    """The paper's: a layer that receives something dies with a probability of at most 2^-width."""
    return 1 - (1 - 0.5**width) ** depth


def lower_bound(width, depth):
    """As if the layers died on either side of 0 independently; behind the first layer one side may be silent.

    What the two sides bring to a unit has no negative correlation, so they die together more often.
    """
    dies = 1 - (1 - 0.5**width) ** (depth - 1)
    one_side = 2 * 0.5**width if width > 1 else 1.0
    return one_side * dies + (1 - one_side) * dies**2


def at_each_width(s, number):
    """A number for each width."""
    return {f"width {width}": number(width) for width in s.widths}


@exhibit.claim("the upper bound", unit="groups", high=1.0, reason="below the bound: a ratio of at most 1")
def rarer_than_upper_bound(s):
    """A network is born dead with a probability of at most 1 - (1 - 2^-width)^depth.

    Measured: the share of dead networks of {depth} layers over this bound, in {groups} groups.
    """
    bounds = at_each_width(s, lambda width: upper_bound(width, s.depth))
    return at_each_width(s, lambda width: shares(s, width) / bounds[f"width {width}"])


@exhibit.claim(
    source="initlab, as if the sides were independent; Lu et al. 2019 have a lower bound, too",
    unit="groups",
    low=1.0,
    reason="above the bound: a ratio of at least 1",
)
def more_often_than_lower_bound(s):
    """With one input and no biases, it is at least what two independent sides of 0 would give.

    Measured: the share of dead networks of {depth} layers over this bound, in {groups} groups.

    Each layer silences either side of 0 with a probability of 2^-width. The two sides share their weights, so
    they fall silent together more often than independent ones would.
    """
    bounds = at_each_width(s, lambda width: lower_bound(width, s.depth))
    return at_each_width(s, lambda width: shares(s, width) / bounds[f"width {width}"])


@exhibit.claim("the limit of depth", unit="networks", low=0.8, reason="goes to 1: at least four fifths")
def deep_networks_are_born_dead(s):
    """The probability that a network is born dead goes to 1 with its depth.

    Measured: the share of dead networks of {deepest} layers.
    """
    return at_each_width(s, lambda width: dead(s, width, s.deepest, s.few)["dead"][-1])


@exhibit.claim("the limit of width", unit="networks", high=0.05, reason="goes to 0: at most a twentieth")
def wide_networks_are_not(s):
    """The probability goes to 0 with the width.

    Measured: the share of dead networks of {depth} layers of width {wide}.

    This is why nobody meets the problem in networks of the usual widths.
    """
    return dead(s, s.wide, s.depth, s.few)["dead"][-1]


@exhibit.claim("theorem 3.4", unit="networks", high=1e-12, reason="0, but for rounding", is_identity=True)
def dead_networks_have_no_gradient(s):
    """Gradient descent cannot revive a network that is born dead: it learns a constant.

    Measured: the largest gradient on a weight, of those among {few} networks of the smallest width that are
    born dead.
    """
    width = s.widths[0]
    ensemble = symmetric(s, [1] + [width] * s.depth + [2], s.few)
    x = np.linspace(-s.bound, s.bound, s.points)[:, None]
    ensemble.loss(x, (x[:, 0] > 0).astype(int))
    largest = np.max([np.abs(g).max(axis=(1, 2)) for g in ensemble.weight_gradients], axis=0)
    return largest[(ensemble.activations[-1] == 0).all(axis=(1, 2))]


@exhibit.claim("abstract", unit="groups", low=0.05, reason="rarer: by at least 5 percentage points")
def asymmetric_weights_help(s):
    """With the randomized asymmetric initialization fewer networks are born dead.

    Measured: the share of dead networks of {depth} layers from He's weights less that from RAI, in {groups}
    groups.
    """
    return at_each_width(s, lambda width: shares(s, width) - shares(s, width, RAI))


@exhibit.claim(
    "abstract",
    high=0.05,
    unit="networks",
    reason="prevent: at most a twentieth",
    otherwise="The randomized asymmetric initialization makes dead networks rarer, but does not prevent them",
)
def asymmetric_weights_prevent_death(s):
    """The randomized asymmetric initialization effectively prevents networks from being born dead.

    Measured: the share of dead networks of {depth} layers from RAI.

    The numbers depend on the range of inputs that count, here from -{bound} to {bound}.
    """
    return at_each_width(s, lambda width: are_dead(s, width, RAI))


@exhibit.figure(
    "The share of dead networks by depth; lines: {few} networks from He's weights; bands: between the lower "
    "and the upper bound; crosses: {networks} networks from RAI, in the colour of their width."
)
def dead_networks(s):
    figure = Figure(figsize=(6.8, 4.2))
    axes = figure.add_subplot(xlabel="hidden layers", ylabel="share of networks born dead")
    depths = np.arange(1, s.deepest + 1)
    for width, style in zip(s.widths, LOOKS, strict=True):
        low, high = lower_bound(width, depths), upper_bound(width, depths)
        axes.fill_between(depths, low, high, color=style.color, alpha=0.2, linewidth=0)
        share = dead(s, width, s.deepest, s.few)["dead"].mean(axis=1)
        drawn = {"color": style.color, "marker": style.marker, "linestyle": style.dash}
        axes.plot(depths, share, **drawn, markevery=0.1, label=f"width {width}, He")
        axes.plot(s.depth, are_dead(s, width, RAI).mean(), "X", color=style.color, markersize=9)
        axes.annotate(f" RAI, {width}", (s.depth, are_dead(s, width, RAI).mean()), fontsize=8)
    axes.set(xscale="log", ylim=(-0.02, 1.02))
    axes.set_title("The deeper and narrower, the more ReLU networks are born dead")
    axes.legend(loc="upper left")
    return figure


@exhibit.table()
def dead_shares(s):
    return [
        {
            "width": width,
            "depth": s.depth,
            "lower_bound": lower_bound(width, s.depth),
            "he": float(are_dead(s, width).mean()),
            "upper_bound": upper_bound(width, s.depth),
            "rai": float(are_dead(s, width, RAI).mean()),
        }
        for width in s.widths
    ]
