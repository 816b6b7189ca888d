"""Convolutions instead of dense layers, from four initial weight distributions.

The Chinese question has convolutional layers, instead of fully connected ones, among its remedies for deep
networks that are hard to train; its other remedy is better initial weights. Both are tried on MNIST, pixels /
255, with ReLU networks of two depths and equal numbers of weights and biases, within {tolerance} %: two
convolutions of stride 2 with {narrow} and {wide} channels and kernels of {kernel}, followed by a dense layer
of {units} units, or by {more} convolutions of kernel 3; and dense networks as deep, of one width. Plain
gradient descent, {steps} steps, batches of {batch_size}, {seeds} seeds; a seed gives all networks the same
batches. Each network and start has the rate of {rates} whose loss on {held_out} held-out training images is
lowest after the most steps, of {rate_seeds} seed. PyTorch's default draws weights and biases from
U(-1/sqrt(n_in), 1/sqrt(n_in)); n_in of a convolution counts the pixels that a kernel sees, in all channels.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Scheme, train_at_best_rate
from initlab.gallery import Exhibit
from initlab.nn.architecture import count, hidden_sizes
from initlab.plotting.elements import headline, label_ends, mean_and_range
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Convolutions instead of dense layers",
    question="remedy",
    finding="At equal parameters, convolutional networks learn more than dense ones from He's and Xavier's "
    "weights; from weights that are too small, they stand still like dense ones.",
    networks={"kernel": 5, "narrow": 8, "wide": 16, "units": 30, "more": 5, "tolerance": 2},
    dense={"width_shallow": 14, "width_deep": 19},
    training={
        "steps": (300, 1000),
        "batch_size": 50,
        "rates": (0.03, 0.1, 0.3),
        "rate_seeds": 1,
        "held_out": 2000,
    },
    measuring={"seeds": 5, "last": 50, "span": 20},
    quick={
        "steps": (20, 60),
        "batch_size": 20,
        "rates": (0.1,),
        "held_out": 300,
        "more": 2,
        "narrow": 4,
        "wide": 8,
        "units": 11,
        "width_shallow": 3,
        "width_deep": 4,
        "tolerance": 4,
        "last": 10,
    },
)
CHINESE = "Chinese question on the initialization of deep networks, its list of remedies"
STARTS = {"std=0.01": "std=0.01", "torch:linear": "PyTorch", "xavier": "Xavier", "he": "He"}
SMALL, SENSIBLE = "std=0.01", ("torch:linear", "xavier", "he")
KINDS = ("dense", "convolutional")
DEPTHS = ("shallow", "deep")


def hidden_layers(s, kind, depth):
    """The hidden layers of a network, for `train`."""
    extra = s.more if depth == "deep" else 1
    if kind == "dense":
        return [s.width_deep if depth == "deep" else s.width_shallow] * (2 + extra)
    strided = [f"conv({channels}, kernel={s.kernel}, stride=2)" for channels in (s.narrow, s.wide)]
    body = [f"conv({s.wide}, kernel=3, padding=same)"] * extra
    return strided + (body if depth == "deep" else [s.units])


def layers(s, depth):
    """How many hidden layers a network has."""
    return len(hidden_layers(s, "dense", depth))


def parameters(s, kind, depth):
    """Weights and biases of a network on MNIST."""
    return count((784, *hidden_sizes(hidden_layers(s, kind, depth)), 10)).parameters


@exhibit.kept
def trained(s, kind, depth):
    """Of each start at its best rate the losses (seeds, steps), the test accuracy (seeds,), and the rate."""
    histories = train_at_best_rate(
        list(STARTS),
        hidden=hidden_layers(s, kind, depth),
        steps=max(s.steps),
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        choosing={"seeds": range(s.rate_seeds)},
    )
    measured = {}
    for start in STARTS:
        own = histories.of(start)
        measured[start] = np.nan_to_num(own.losses, nan=10.0)
        measured[f"accuracy of {start}"] = own.numbers("test_accuracy")
        measured[f"rate of {start}"] = own[0].learning_rate
    return measured


def final_loss(s, kind, depth, start, steps):
    """Of each seed, (seeds,)."""
    return trained(s, kind, depth)[start][:, steps - s.last : steps].mean(axis=1)


def gains(s, starts, steps):
    """By how much convolutional networks end lower than dense ones, by start and depth."""
    return {
        f"from {STARTS[start]}, {layers(s, depth)} layers": final_loss(s, "dense", depth, start, steps)
        - final_loss(s, "convolutional", depth, start, steps)
        for start in starts
        for depth in DEPTHS
    }


HELPS = {
    "source": CHINESE,
    "budgets": "steps",
    "low": 0.05,
    "reason": "helps: a loss at least 0.05 nats lower",
    "quantity": "mean loss of the last {last} steps of dense networks, less that of convolutional ones, nats",
}


@exhibit.claim(**HELPS)
def convolution_helps(s, steps):
    """Convolutional layers instead of fully connected ones help.

    They do from each start from which networks learn. Through more layers PyTorch's default shrinks the
    signal so far that networks of either kind begin late or not at all.
    """
    return gains(s, SENSIBLE, steps)


@exhibit.claim(**HELPS, otherwise="From weights that are too small, convolutional networks learn as little")
def convolution_helps_where_hard(s, steps):
    """Convolutional layers help where training is hard, from weights that are too small.

    A unit of a convolution has few inputs, and so needs weights still larger than a unit of a dense layer
    on the same images.
    """
    return gains(s, (SMALL,), steps)


def later(s, kind, start, other, steps):
    """By how much a start ends above another one, by depth."""
    return {
        f"{layers(s, depth)} layers": final_loss(s, kind, depth, start, steps)
        - final_loss(s, kind, depth, other, steps)
        for depth in DEPTHS
    }


@exhibit.claim(
    f"{CHINESE}: better initial weights",
    budgets="steps",
    low=0.05,
    reason="helps: a loss at least 0.05 nats lower",
)
def better_weights_help(s, steps):
    """Better initial weights, of a size as in Glorot & Bengio 2010, help convolutional networks.

    Measured: mean loss of the last {last} steps from std=0.01, less that from Xavier's weights, in nats.

    Xavier's fan-out counts the units that a pixel reaches: channels times the pixels of a kernel.
    """
    return later(s, "convolutional", SMALL, "xavier", steps)


@exhibit.claim(
    "He et al. 2015, section 2.2",
    budgets="steps",
    low=0.0,
    reason="lower: a difference above 0",
    tried=(
        "with OpenBLAS's kernels for AVX-512, whose last bits led to another rate: confirmed, 0.03 to 0.65",
    ),
)
def he_before_xavier(s, steps):
    """In convolutional ReLU networks, learning is faster from He's weights than from Xavier's.

    Measured: mean loss of all steps from Xavier's weights, less that from He's, in nats.
    """
    return {
        f"{layers(s, depth)} layers": (own["xavier"] - own["he"])[:, :steps].mean(axis=1)
        for depth in DEPTHS
        for own in [trained(s, "convolutional", depth)]
    }


@exhibit.figure(
    "Each start at its best rate; the mean of {seeds} seeds, averaged over {span} steps, and the range of "
    "seeds. Networks in one row have equal numbers of weights and biases."
)
def loss(s):
    figure = Figure(figsize=(8.6, 6.4))
    headline(figure, "Convolutional networks learn more from good starts, and nothing from weights too small")
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    for row, depth in zip(grid, DEPTHS, strict=True):
        for axes, kind in zip(row, KINDS, strict=True):
            draw_losses(s, axes, kind, depth)
        row[0].set_ylabel("training loss (nats)")
    for axes in grid[-1]:
        axes.set_xlabel("training step")
    return figure


def draw_losses(s, axes, kind, depth):
    steps, measured = max(s.steps), trained(s, kind, depth)
    for start, name in STARTS.items():
        means = measured[start].reshape(s.seeds, -1, s.span).mean(axis=2)
        mean_and_range(axes, np.arange(s.span, steps + 1, s.span), means, appearance(start), name)
    axes.axhline(np.log(10), color="#555555", linewidth=0.8, linestyle=":")
    size = f"{parameters(s, kind, depth):,} parameters"
    axes.set(ylim=(0, 2.5), title=f"{kind}, {layers(s, depth)} layers, {size}")
    label_ends(axes)


def appearance(start):
    """The look of what a start draws, under whatever name."""
    return look(str(Scheme.parse(start)))


@exhibit.table(tolerance=0.1)
def reached(s):
    return [
        {"network": kind, "layers": layers(s, depth)}
        | {"parameters": parameters(s, kind, depth), "start": start}
        | {"rate": float(measured[f"rate of {start}"])}
        | {f"loss_{steps}": float(final_loss(s, kind, depth, start, steps).mean()) for steps in s.steps}
        | {"test_accuracy": float(measured[f"accuracy of {start}"].mean())}
        for depth in DEPTHS
        for kind in KINDS
        for start in STARTS
        for measured in [trained(s, kind, depth)]
    ]
