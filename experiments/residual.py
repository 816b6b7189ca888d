"""Zhang, Dauphin & Ma 2019, Fixup initialization; De & Smith 2020, Batch normalization biases residual blocks
towards the identity.

ReLU networks of {width} units have a first layer and then residual blocks of two layers, `x + branch(x)`;
the branch begins with the activation function. {networks} untrained networks show how the stream's mean
square grows from block to block on inputs from N(0, 1). Then networks of {shallow} and {deep} blocks learn
MNIST: from He's weights with branches as they are, divided by the root of their number, or with Batch
Normalization before the activation functions; from Fixup and from SkipInit, with a learned scale of each
branch. All take {steps} steps of gradient descent in batches of {batch_size}, at the rate of {rates} with the
lowest mean loss on {held_out} held-out training images after the fewer steps with {choosing} seeds. {seeds}
seeds are trained, and shown the first {images} training and {shown} test images.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, open_dataset, train, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.nn.architecture import Skip, residuals
from initlab.nn.normalization import BatchNorm
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Residual blocks",
    question="depth",
    finding="He's weights double the signal's square in each residual block. Branches that begin at zero, or "
    "small, train a hundred blocks without normalization.",
    source="Zhang, Dauphin & Ma 2019",
    shape={"width": 50, "shallow": 10, "deep": 100},
    untrained={"networks": 20, "samples": 100},
    training={
        "steps": (150, 450),
        "batch_size": 50,
        "rates": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
        "images": 20_000,
        "shown": 2000,
        "held_out": 1000,
        "choosing": 2,
        "seeds": 5,
    },
    quick={"steps": (4, 12), "networks": 5, "shallow": 4, "deep": 12, "choosing": 1}
    | {"images": 2000, "shown": 500, "held_out": 500},
)
PLAIN, SCALED, NORMALIZED, FIXUP, SKIPINIT = "He", "He / sqrt(L)", "He, Batch Norm.", "Fixup", "SkipInit"
# Of each network the scheme, the scale of its branches, and its normalization.
STARTS = {
    PLAIN: ("he", 1.0, None),
    SCALED: ("he", "1/sqrt(blocks)", None),
    NORMALIZED: ("he", 1.0, BatchNorm()),
    FIXUP: ("fixup", "learned", None),
    SKIPINIT: ("skipinit", "learned", None),
}
DE_SMITH = "De & Smith 2020"


def hidden(s, blocks):
    """The layers of a network with so many blocks of two."""
    return [s.width] * (2 * blocks + 1)


@exhibit.kept
def streams(s, start, blocks):
    """The mean square of the stream after each block, (networks, blocks)."""
    scheme, scale, norm = STARTS[start]
    networks = initialize(
        [s.width, *hidden(s, blocks), 10],
        [scheme] * s.networks,
        range(s.networks),
        "relu",
        "float64",
        norm=norm,
        skip=Skip(2, scale),
    )
    x = stream(0, Purpose.INPUTS).standard_normal((s.samples, s.width))
    networks.forward(x, training=True)
    sums = [block.outputs for block in residuals(networks.layers)]
    return {"squares": np.array([(z**2).mean(axis=(1, 2)) for z in sums]).T}


def growth(s, start, blocks):
    """The factor from one block to the next, the geometric mean over those of a network, (networks,)."""
    squares = streams(s, start, blocks)["squares"]
    return (squares[:, -1] / squares[:, 0]) ** (1 / (blocks - 1))


UNTRAINED = {"unit": "networks", "is_ratio": True}


@exhibit.claim(
    "section 2",
    **UNTRAINED,
    low=1.8,
    high=2.2,
    reason="about doubles: within 10 %",
    tried=("within 5 %: undecided, since the geometric mean lies below the mean in narrow layers",),
)
def he_doubles(s):
    """From He's weights, each residual block doubles the mean square of the signal.

    Measured: the factor from block to block, the geometric mean over {shallow} and over {deep} blocks.

    A branch of He's weights gives outputs of as large a square as its inputs, and the two are uncorrelated.
    """
    return {f"{blocks} blocks": growth(s, PLAIN, blocks) for blocks in (s.shallow, s.deep)}


@exhibit.claim(
    "section 2",
    **UNTRAINED,
    low=2.0,
    high=3.5,
    reason="about e: from 2 to 3.5",
)
def root_of_blocks_leaves_e(s):
    """Branches that are divided by the root of their number let the square grow by about e, however many.

    Measured: the mean square after the last block over that before the first, from (1 + 1/L)^L.

    The square before the first block is that after it, divided by 1 + 1/L.
    """
    squares = {blocks: streams(s, SCALED, blocks)["squares"] for blocks in (s.shallow, s.deep)}
    return {f"{n} blocks": own[:, -1] / own[:, 0] * (1 + 1 / n) for n, own in squares.items()}


@exhibit.claim(
    "section 3", unit="networks", high=1e-12, is_identity=True, reason="a branch that ends in 0 adds 0"
)
def fixup_is_the_identity(s):
    """From Fixup and from SkipInit, every block is the identity before training.

    Measured: the largest difference between the mean squares after two blocks.
    """
    return {start: np.ptp(streams(s, start, s.deep)["squares"], axis=1) for start in (FIXUP, SKIPINIT)}


@exhibit.claim(
    source=f"{DE_SMITH}, section 3",
    **UNTRAINED,
    high=1.05,
    reason="hardly: by less than 5 % a block",
)
def normalized_branches_add_little(s):
    """With Batch Normalization in the branches, a block of a deep network adds little to what it gets.

    Measured: the factor from block to block, the geometric mean over {deep} blocks.

    A normalized branch gives the same square whatever it gets, so the sum grows by steps, not by factors:
    after k blocks, the next one adds 1 / k of it. This is what De & Smith call biased to the identity.
    """
    return growth(s, NORMALIZED, s.deep)


def mnist(count, shown):
    """The first training and test images, with their labels."""
    examples = prepared_examples(open_dataset("mnist"), "unit", "float32")
    first, last = slice(count), slice(shown)
    return (
        *(examples.train_inputs[first], examples.train_labels[first]),
        *(examples.test_inputs[last], examples.test_labels[last]),
    )


@exhibit.kept
def trained(s, start, blocks):
    """Test accuracies after the fewer and after all steps, (seeds,), 0.1 for networks that diverged; and the
    rate.
    """
    scheme, scale, norm = STARTS[start]
    how = {"hidden": hidden(s, blocks), "batch_size": s.batch_size, "norm": norm}
    how |= {"skip": Skip(2, scale), "activation": "relu"}
    images = mnist(s.images, s.shown)
    chosen = train_at_best_rate(
        scheme,
        images,
        steps=min(s.steps),
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.choosing),
        **how,
    )
    rate = chosen[0].learning_rate
    kept = {"rate": rate}
    for steps in s.steps:
        rule = f"sgd(lr={rate!r})"
        histories = train(scheme, images, steps=steps, optimizer=rule, seeds=range(s.seeds), **how)
        kept[f"accuracy {steps}"] = np.nan_to_num(histories.numbers("test_accuracy"), nan=0.1)
    return kept


def accuracy(s, start, blocks, steps):
    """On the test set, (seeds,)."""
    return trained(s, start, blocks)[f"accuracy {steps}"]


TRAINED = {"budgets": "steps"}


@exhibit.claim("abstract", **TRAINED, low=0.02, reason="worse: by more than 0.02")
def he_fails_when_deep(s, steps):
    """Without normalization, a residual network of a hundred blocks learns worse from He's weights than from
    Fixup.

    Measured: test accuracy at {deep} blocks, Fixup less He.
    """
    return accuracy(s, FIXUP, s.deep, steps) - accuracy(s, PLAIN, s.deep, steps)


@exhibit.claim("abstract", **TRAINED, low=-0.02, reason="as well: not worse by more than 0.02")
def fixup_matches_batch_norm(s, steps):
    """Residual networks without normalization learn as well from Fixup as those with Batch Normalization.

    Measured: test accuracy, Fixup less Batch Normalization.
    """
    return {
        f"{blocks} blocks": accuracy(s, FIXUP, blocks, steps) - accuracy(s, NORMALIZED, blocks, steps)
        for blocks in (s.shallow, s.deep)
    }


@exhibit.claim(
    "section 4.1",
    **TRAINED,
    low=-0.02,
    reason="as well: not worse by more than 0.02",
    otherwise="From Fixup, a network of a hundred blocks learns somewhat more slowly than one of ten",
)
def depth_costs_fixup_little(s, steps):
    """From Fixup, a network of a hundred blocks learns as well as one of ten.

    Measured: test accuracy from Fixup, {deep} blocks less {shallow}.
    """
    return accuracy(s, FIXUP, s.deep, steps) - accuracy(s, FIXUP, s.shallow, steps)


@exhibit.claim(
    source=f"{DE_SMITH}, section 4", **TRAINED, low=-0.02, reason="as well: not worse by more than 0.02"
)
def skipinit_matches_batch_norm(s, steps):
    """A learned scale that begins at 0 serves as well as Batch Normalization in residual networks.

    Measured: test accuracy, SkipInit less Batch Normalization.
    """
    return {
        f"{blocks} blocks": accuracy(s, SKIPINIT, blocks, steps) - accuracy(s, NORMALIZED, blocks, steps)
        for blocks in (s.shallow, s.deep)
    }


@exhibit.claim("section 2", **TRAINED, low=0.02, reason="better: by more than 0.02")
def a_smaller_scale_is_enough(s, steps):
    """Branches divided by the root of their number train a hundred blocks better than He's as they are.

    Measured: test accuracy at {deep} blocks, He divided by sqrt(L) less He.
    """
    return accuracy(s, SCALED, s.deep, steps) - accuracy(s, PLAIN, s.deep, steps)


DRAWN = {PLAIN: "he", SCALED: "he_uniform", NORMALIZED: "xavier", FIXUP: "orthogonal", SKIPINIT: "lecun"}


@exhibit.figure(
    "Left: untrained networks of {deep} blocks, the mean over {networks}; Fixup and SkipInit lie on each "
    "other. Right: test accuracy after the most steps; bars are two standard errors over seeds."
)
def blocks(s):
    figure = Figure(figsize=(10.4, 4.0))
    headline(figure, "A branch must begin small: He's doubles the signal in each block")
    left, right = figure.subplots(1, 2)
    for i, (start, scheme) in enumerate(DRAWN.items()):
        style = look(scheme)
        squares = streams(s, start, s.deep)["squares"].mean(axis=0)
        line = {"color": style.color, "linestyle": style.dash, "marker": style.marker}
        line |= {"markevery": max(s.deep // 8, 1)}
        left.plot(range(1, s.deep + 1), squares / squares[0], label=start, **line)
        for x, depth in enumerate((s.shallow, s.deep)):
            own = accuracy(s, start, depth, max(s.steps))
            place = x + 0.08 * (i - 2)
            bar = {"fmt": style.marker, "color": style.color, "capsize": 2}
            right.errorbar(place, own.mean(), 2 * own.std(ddof=1) / len(own) ** 0.5, **bar)
    left.set(xlabel="block", ylabel="mean square over that of block 1", yscale="log", title="Before training")
    left.legend(loc="upper left")
    right.set_xticks(range(2), [f"{depth} blocks" for depth in (s.shallow, s.deep)])
    right.set(xlim=(-0.5, 1.5), ylim=(0, 1), ylabel="test accuracy", title=f"After {max(s.steps)} steps")
    return figure


@exhibit.table()
def accuracies(s):
    return [
        {"start": start, "blocks": depth, "steps": steps}
        | {"accuracy": float(accuracy(s, start, depth, steps).mean())}
        | {"lowest": float(accuracy(s, start, depth, steps).min())}
        | {"rate": float(trained(s, start, depth)["rate"])}
        for start in STARTS
        for depth in (s.shallow, s.deep)
        for steps in s.steps
    ]
