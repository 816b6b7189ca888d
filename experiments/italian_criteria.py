"""Semih Gülüm, Inizializzazione dei pesi: an Italian article's criteria for a valid initialization.

The article asks how one can tell that an initialization is valid: smaller losses on the training and the test
set, most sigmoid or tanh units not saturated, no explosion with ReLU, gradients of similar size in all
layers; and to find one, activations of mean zero and of a variance that is level through the layers. It names
no depth and tests no network. Here its own recommendations are held against the criteria: networks of {width}
units on MNIST, pixels / 255, untrained, {networks} seeds, {images} images.

Its words have one meaning each in all claims. Similar, the same, kept: the largest mean square of a layer is
at most {similar} times the smallest; what is more has exploded. Zero: a root mean square of less than a
hundredth of what it was. `RandomNormal` is N(0, 0.05^2) in Keras, whose initializers the article uses, not
the 0.01 of its text; both are measured. Losses are those of networks of {flat} layers after {steps} steps of
gradient descent, batches of {batch_size}, {seeds} seeds; each start has the rate of {rates} with the lowest
mean loss of {rate_seeds} seeds on {held_out} held-out training images. What `initlab diagnose` answers for
the same networks, with limits of its own, is in `answers.csv`.
"""

import math
from functools import lru_cache

import numpy as np
from matplotlib.figure import Figure

from initlab import Initialization, diagnose, initialize, measure_layers, open_dataset, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.init.scheme import Scheme
from initlab.plotting.elements import headline, label_ends
from initlab.plotting.style import distinct_looks

exhibit = Exhibit(
    __file__,
    __doc__,
    title="The criteria of an Italian article",
    question="signal",
    finding="He and Xavier keep gradients similar, but not with the sigmoid, and lead to smaller losses than "
    "small random weights; only tanh keeps its mean near zero.",
    source="Semih Gülüm, Inizializzazione dei pesi",
    untrained={"width": 128, "flat": 5, "deep": 10, "networks": 10, "images": 500, "similar": 10},
    trained={
        "steps": (300, 1000),
        "rates": (0.1, 0.3),
        "batch_size": 50,
        "held_out": 2000,
        "seeds": 10,
        "rate_seeds": 3,
    },
    quick={"networks": 5, "images": 100, "steps": (10, 30), "held_out": 500, "seeds": 5, "rates": (0.1,)},
)
NOTHING = 0.01
RECOMMENDED = (("he", "relu"), ("xavier", "tanh"), ("xavier", "sigmoid"))
RANDOM = (("std=0.01", "relu"), ("std=0.01", "tanh"), ("std=0.05", "relu"), ("std=0.05", "tanh"))
NETWORKS = (*RECOMMENDED, *RANDOM)
WRITTEN = "lecun by the variance"
ZERO = {"high": NOTHING, "reason": "zero: less than a hundredth", "is_ratio": True}
SIMILAR = {"high": exhibit.settings.similar, "is_ratio": True}


def start_of(s, scheme):
    """The weights; those that the article's text describes have 1/n as their standard deviation."""
    if scheme != WRITTEN:
        return Initialization.of(scheme)
    hidden, first = (Scheme("normal", {"std": 1 / n}) for n in (s.width, 784))
    return Initialization(hidden, first=first)


@lru_cache
def layers(s, scheme, activation, depth):
    """The layers of each untrained network."""
    images, labels = shown(s)
    sizes, start = [images.shape[1], *[s.width] * depth, 10], start_of(s, scheme)
    networks = initialize(sizes, [start] * s.networks, range(s.networks), activation, "float64")
    return measure_layers(networks, images, labels)


def shown(s):
    """The images that untrained networks are shown, and their labels."""
    examples = prepared_examples(open_dataset("mnist"), dtype="float64")
    return examples.train_inputs[: s.images], examples.train_labels[: s.images]


def numbers(s, number, networks, *depths):
    """A number of the layers of each of these networks."""
    return {
        f"{scheme}, {activation}, {depth} layers": [
            number(own) for own in layers(s, scheme, activation, depth)
        ]
        for scheme, activation in networks
        for depth in depths
    }


def ratio(values):
    """Largest over smallest."""
    return max(values) / min(values)


def gradient_ratio(own):
    """Of mean squares, over the layers."""
    return ratio([layer.gradient_std**2 for layer in own])


def worst(own, similar):
    """Saturation, growth and inequality of gradients, each over its limit: the largest of them."""
    bounded = math.isfinite(own[0].activation.bounds[1])
    saturated = max(layer.saturated for layer in own) / 0.5 if bounded else 0.0
    growth = max(layer.length for layer in own) / own[0].length / similar
    return max(saturated, growth, gradient_ratio(own) / similar)


@exhibit.claim(
    "sections 3 and 4, and its questions", high=1, is_ratio=True, reason="all three limits are kept"
)
def recommended_are_valid(s):
    """Xavier's weights with tanh or sigmoid, and He's with ReLU, saturate few units, do not explode, and have
    gradients of similar size in all layers.

    Measured: the worst of three numbers, each over its limit: the share of saturated units over a half; the
    growth of mean square pre-activations from the first layer, and the largest over the smallest mean square
    gradient of a layer's pre-activations, both over {similar}.

    He's rule was derived for ReLU and Xavier's for slopes of 1. The sigmoid's slope is at most 1/4: each
    layer keeps a sixteenth of the squared gradient, and a few layers are too many.
    """
    return numbers(s, lambda own: worst(own, s.similar), RECOMMENDED, s.flat, s.deep)


def last_gradient_kept(own):
    """The first layer's root mean square gradient over the last's."""
    return own[0].gradient_std / own[-1].gradient_std


@exhibit.claim("section 3", **ZERO, tried=("more than a factor e^6 in mean squares: confirmed",))
def random_breaks_down(s):
    """Random normal weights of a small standard deviation break down in deep networks: gradients drop to
    zero.

    Measured: the first layer's root mean square gradient over the last's, {deep} layers.

    Not any small number is too small: what counts is its square times the width. A layer of {width} with
    0.05, Keras' default, has sigma_w^2 = 0.32, with 0.01 it has 0.013.
    """
    return numbers(s, last_gradient_kept, RANDOM, s.deep)


def activations_kept(own):
    """The last layer's root mean square activation over the first's."""
    first, last = (np.sqrt((layer.activations**2).mean()) for layer in (own[0], own[-1]))
    return float(last / first)


@exhibit.claim("section 3", **ZERO)
def activations_fall_to_zero(s):
    """With random normal weights of a small standard deviation, activations fall to zero in a few layers.

    Measured: the root mean square activation of layer {flat} over that of the first.

    With 0.01 they do. With Keras' 0.05 they fall, but it takes more layers. A sigmoid's activations cannot:
    they come to 1/2 for every image.
    """
    return numbers(s, activations_kept, (*RANDOM, ("std=0.01", "sigmoid")), s.flat)


def mean_size(own):
    """`|mean| / std`, the mean over layers."""
    return float(np.mean([abs(layer.mean) / layer.std for layer in own]))


@exhibit.claim(
    "its questions",
    high=0.25,
    reason="near: within a quarter of a standard deviation, somewhat more than chance leaves",
)
def mean_activation_zero(s):
    """The mean of the activations is near zero, as a good initialization should have it.

    Measured: |mean| over standard deviation of a layer's activations, mean over {flat} layers.

    No initial weights give it to ReLU or sigmoid, whose activations are positive. Test the pre-activations
    instead, as `initlab diagnose` does.
    """
    return numbers(s, mean_size, RECOMMENDED, s.flat)


def over_inputs(layer):
    """The variance of a unit's activation over the inputs, mean over units."""
    return float(layer.activations.var(axis=0).mean())


def variance_ratio(own):
    """Of the activations over inputs."""
    return ratio([over_inputs(layer) for layer in own])


VARIANCES = "the largest variance over inputs of a layer's activations over the smallest"


@exhibit.claim(
    "its questions",
    **SIMILAR,
    quantity=f"{VARIANCES}, {{flat}} layers",
    reason="the same: within a factor of {similar}",
    tried=("within a factor of 3: the same verdicts",),
)
def variance_level(s):
    """The variance of the activations stays the same from layer to layer, as it should.

    Xavier counts on slopes of 1, and tanh flattens what is large. He keeps mean squares level, on the average
    over draws. Sigmoids lose what differs between inputs.
    """
    return numbers(s, variance_ratio, RECOMMENDED, s.flat)


@exhibit.claim("section 5", **SIMILAR, quantity=VARIANCES, reason="keeps: within a factor of {similar}")
def lecun_keeps_tanh(s):
    """LeCun's rule suits tanh: it keeps the variance of the activations.

    The article multiplies random numbers by the variance, 1/n. LeCun's rule multiplies them by its root. The
    article also says that the rule looks at fan-in and fan-out, and that tanh is not symmetric; the rule
    looks at fan-in, and tanh is odd.
    """
    return numbers(s, variance_ratio, (("lecun", "tanh"), (WRITTEN, "tanh")), s.flat, s.deep)


@exhibit.kept
def losses(s, activation, depth, schemes, steps):
    """Of each start at its best rate, in training and on test images, (starts, seeds)."""
    histories = train_at_best_rate(
        list(schemes),
        hidden=[s.width] * depth,
        activation=activation,
        steps=steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        choosing={"seeds": range(s.rate_seeds)},
    )
    own = [histories.of(scheme) for scheme in schemes]
    return {
        "training": [each.numbers("final_loss", missing=10.0) for each in own],
        "test": [each.numbers("test_loss", missing=10.0) for each in own],
    }


def against_random(s, part, steps):
    """The loss from what the criteria accept over that from what they refuse."""
    measured = {}
    for good, activation in RECOMMENDED[:2]:
        schemes = (good, *(scheme for scheme, own in RANDOM if own == activation))
        accepted, *refused = losses(s, activation, s.flat, schemes, steps)[part]
        measured |= {
            f"{activation}, {good} over {scheme}": accepted / loss
            for scheme, loss in zip(schemes[1:], refused, strict=True)
        }
    return measured


FEWER = ("5 seeds: undecided against 0.05 after 1000 steps",)
LOWER = {"high": 1, "is_ratio": True, "budgets": "steps", "reason": "smaller: below 1"}


@exhibit.claim("its questions", **LOWER, tried=FEWER)
def training_losses_are_smaller(s, steps):
    """An initialization that is valid by the criteria leads to a smaller loss on the training set.

    Measured: the mean training loss of the last steps (at most a hundred, at most a quarter of them), from
    the recommended weights, over that from small random weights, which lose gradients.
    """
    return against_random(s, "training", steps)


@exhibit.claim("its questions", **LOWER, tried=FEWER)
def test_losses_are_smaller(s, steps):
    """An initialization that is valid by the criteria leads to a smaller loss on the test set.

    Measured: the test loss from the recommended weights, over that from small random weights.
    """
    return against_random(s, "test", steps)


@exhibit.claim(
    "its model of one layer, and Keras' default of 0.05",
    **LOWER,
    tried=("300 steps at the rate 0.1: confirmed, 0.908 of the loss",),
)
def he_is_better_in_one_layer(s, steps):
    """In a network of one ReLU layer, too, He's weights lead to a smaller test loss than RandomNormal's.

    Measured: the test loss from He's weights over that from std=0.05.

    On 784 pixels He's standard deviation is 0.0505, the same as RandomNormal's; the output weights alone
    differ. The criteria do not tell the two apart.
    """
    he, random = losses(s, "relu", 1, ("he", "std=0.05"), steps)["test"]
    return he / random


PANELS = {
    "rms gradient, last layer = 1": lambda own: [layer.gradient_std / own[-1].gradient_std for layer in own],
    "std of activations over inputs": lambda own: [over_inputs(layer) ** 0.5 for layer in own],
}


def name_of(scheme, activation):
    """As it is written in the figure."""
    return f"{scheme}, {activation}"


@exhibit.figure(
    "{deep} layers of {width}, untrained; means over {networks} networks, on the right over layers too."
)
def criteria(s):
    figure = Figure(figsize=(12.4, 4.0))
    headline(figure, "He and Xavier keep gradients similar, except in sigmoids; tanh alone has means near 0")
    looks = distinct_looks([str(Scheme.parse(scheme)) for scheme, _ in NETWORKS])
    *curves, right = figure.subplots(1, 3)
    # In the direction in which each signal runs: the names stand where the lines have parted.
    for axes, (label, number), way in zip(curves, PANELS.items(), (-1, 1), strict=True):
        x = np.arange(1, s.deep + 1)[::way]
        for (scheme, activation), look in zip(NETWORKS, looks, strict=True):
            means = np.mean([number(own) for own in layers(s, scheme, activation, s.deep)], axis=0)[::way]
            style = {"color": look.color, "linestyle": look.dash, "marker": look.marker, "markersize": 4}
            axes.plot(x, means, label=name_of(scheme, activation), **style)
        axes.set(xlabel="layer", ylabel=label, yscale="log", xlim=(x[0] - 0.3 * way, x[-1] + 0.3 * way))
        axes.set_xticks(x[::3])
        label_ends(axes)
    for row, ((scheme, activation), look) in enumerate(zip(NETWORKS, looks, strict=True)):
        size = np.mean([mean_size(own) for own in layers(s, scheme, activation, s.deep)])
        right.plot(size, -row, look.marker, color=look.color)
    right.axvline(0.25, color="#555555", linewidth=0.8, linestyle=":")
    right.set_yticks([-row for row in range(len(NETWORKS))], [name_of(*network) for network in NETWORKS])
    right.set(xlabel="|mean| / std of activations (dotted: near 0)", xscale="log", xlim=(0.02, 10))
    return figure


@exhibit.table()
def answers(s):
    images, labels = shown(s)
    rows = []
    for scheme, activation in NETWORKS:
        for depth in (s.flat, s.deep):
            verdict = diagnose(scheme, activation, [s.width] * depth, images, labels)
            network = {"scheme": scheme, "activation": activation, "depth": depth, "verdict": verdict.verdict}
            rows += [
                network | {"question": answer.criterion.question, "number": answer.number, "met": answer.met}
                for answer in verdict.answers
            ]
    return rows


@exhibit.table()
def final_losses(s):
    return [
        {"budget": steps, "compared": name, "part": part, "ratio": float(np.exp(np.log(ratios).mean()))}
        for steps in s.steps
        for part in ("training", "test")
        for name, ratios in against_random(s, part, steps).items()
    ]
