"""Semih Gülüm, Inizializzazione dei pesi: an Italian article's criteria for a valid initialization.

The article asks how one can tell that an initialization is valid: smaller losses, most sigmoid or tanh units
not saturated, no explosion with ReLU, gradients of similar size in all layers; and to find one, activations
of mean zero and of a variance that is level through the layers. Its networks have ReLU layers of {width}, and
Keras' initializers; `RandomNormal` is N(0, 0.05^2) there, not the 0.01 of its text. Here its own
recommendations are held against the criteria: networks of {width} units on MNIST, untrained, {networks}
seeds, {images} images. For the last claim networks are trained by {steps} steps of gradient descent, rate
{rate}, batches of {batch_size}, {seeds} seeds, without a choice of the rate. "Similar" and "explode" are a
factor e^{scales} in mean squares, as in `initlab diagnose`, whose answers for the same networks are in
`answers.csv`. The article tests no network, and names no depth.
"""

import math
from functools import lru_cache

import numpy as np
from matplotlib.figure import Figure

from initlab import diagnose, initialize, measure_layers, open_dataset, train
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.init.scheme import Scheme
from initlab.plotting.elements import headline
from initlab.plotting.style import distinct_looks

exhibit = Exhibit(
    __file__,
    __doc__,
    title="The criteria of an Italian article",
    question="signal",
    finding="He and Xavier keep gradients level, but not with the sigmoid; only tanh keeps its mean near "
    "zero.",
    untrained={"width": 128, "flat": 5, "deep": 10, "networks": 10, "images": 500, "scales": 6},
    trained={"steps": 300, "rate": 0.1, "batch_size": 100, "seeds": 5, "depths": (1, 5)},
    quick={"networks": 5, "steps": 50},
)
ARTICLE = "Semih Gülüm, Inizializzazione dei pesi"
FAR = math.exp(exhibit.settings.scales)
RECOMMENDED = (("he", "relu"), ("xavier", "tanh"), ("xavier", "sigmoid"))
RANDOM = (("std=0.01", "relu"), ("std=0.01", "tanh"), ("std=0.05", "relu"), ("std=0.05", "tanh"))
NETWORKS = (*RECOMMENDED, *RANDOM)


@lru_cache
def layers(s, scheme, activation, depth):
    """The layers of each untrained network."""
    images, labels = shown(s)
    sizes = [images.shape[1], *[s.width] * depth, 10]
    networks = initialize(sizes, [scheme] * s.networks, range(s.networks), activation, "float64")
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


def worst(own):
    """Saturation, growth and inequality of gradients, each over its limit: the largest of them."""
    bounded = math.isfinite(own[0].activation.bounds[1])
    saturated = max(layer.saturated for layer in own) / 0.5 if bounded else 0.0
    growth = max(layer.length for layer in own) / own[0].length / FAR
    return max(saturated, growth, gradient_ratio(own) / FAR)


@exhibit.claim(
    source=f"{ARTICLE}, sections 3 and 4, and its questions", high=1, reason="all three limits are kept"
)
def recommended_are_valid(s):
    """Xavier's weights with tanh or sigmoid, and He's with ReLU, saturate few units, do not explode, and have
    gradients of similar size in all layers.

    Measured: the worst of: half the units saturated, signals and gradients differing by e^{scales}; as a
    fraction of that limit.

    He's rule was derived for ReLU and Xavier's for slopes of 1. The sigmoid's slope is at most 1/4: each
    layer keeps a sixteenth of the squared gradient, and a few layers are too many.
    """
    return numbers(s, worst, RECOMMENDED, s.flat, s.deep)


@exhibit.claim(
    source=f"{ARTICLE}, section 3", low=FAR, reason="more than a factor e^{scales}, {scales} depth scales"
)
def random_breaks_down(s):
    """Random normal weights of a small standard deviation break down in deep networks: gradients drop to
    zero.

    Measured: the largest mean square gradient of a layer over the smallest, {deep} layers.

    Not any small number is too small: what counts is its square times the width. A layer of {width} with
    0.05, Keras' default, has sigma_w^2 = 0.32, with 0.01 it has 0.013.
    """
    return numbers(s, gradient_ratio, RANDOM, s.deep)


def mean_size(own):
    """`|mean| / std`, the mean over layers."""
    return float(np.mean([abs(layer.mean) / layer.std for layer in own]))


@exhibit.claim(
    source=f"{ARTICLE}, its questions",
    high=0.25,
    reason="near: within a quarter of a standard deviation, somewhat more than chance leaves",
)
def mean_activation_zero(s):
    """The mean of the activations is near zero, as a good initialization should have it.

    Measured: |mean| over standard deviation of a layer's activations, mean over {flat} layers.

    No initial weights give it to ReLU or sigmoid, whose activations are positive. Test the pre- activations
    instead, as `initlab diagnose` does.
    """
    return numbers(s, mean_size, RECOMMENDED, s.flat)


def over_inputs(layer):
    """The variance of a unit's activation over the inputs, mean over units."""
    return float(layer.activations.var(axis=0).mean())


def variance_ratio(own):
    """Of the activations over inputs."""
    return ratio([over_inputs(layer) for layer in own])


@exhibit.claim(source=f"{ARTICLE}, its questions", high=3, reason="the same within a factor of 3")
def variance_level(s):
    """The variance of the activations stays the same from layer to layer, as it should.

    Measured: the largest variance over inputs of a layer's activations over the smallest, {flat} layers.

    Xavier counts on slopes of 1, and tanh flattens what is large. He keeps mean squares level, on the average
    over draws. Sigmoids lose what differs between inputs.
    """
    return numbers(s, variance_ratio, RECOMMENDED, s.flat)


@exhibit.kept
def test_losses(s, depth):
    """From He's weights and from std=0.05, (seeds,), on the same batches."""
    histories = train(
        ["he", "std=0.05"],
        hidden=[s.width] * depth,
        steps=s.steps,
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rate})",
        seeds=range(s.seeds),
    )
    return {label: histories.of(label).numbers("test_loss") for label in ("he", "std=0.05")}


@exhibit.claim(
    source=f"{ARTICLE}, its questions; for Keras' default of 0.05", high=1, reason="smaller: below 1"
)
def he_smaller_losses(s):
    """With ReLU, He's weights lead to a smaller loss on test images than RandomNormal's.

    Measured: the test loss from He's weights over that from std=0.05.

    In a network of one hidden layer on 784 pixels He's standard deviation is 0.0505, the same; the output
    weights alone differ. More layers make the difference larger.
    """
    losses = {depth: test_losses(s, depth) for depth in s.depths}
    return {f"with {depth} layers": both["he"] / both["std=0.05"] for depth, both in losses.items()}


PANELS = {
    "rms gradient, relative to the last layer's": lambda own, i: own[i].gradient_std / own[-1].gradient_std,
    "|mean| / std of activations": lambda own, i: abs(own[i].mean) / own[i].std,
    "std of activations over inputs": lambda own, i: over_inputs(own[i]) ** 0.5,
}


@exhibit.figure("{deep} layers of {width}; means over {networks} networks.")
def criteria(s):
    figure = Figure(figsize=(11, 4.4))
    headline(figure, "He and Xavier keep gradients level, except in sigmoids; tanh alone has means near 0")
    looks = distinct_looks([str(Scheme.parse(scheme)) for scheme, _ in NETWORKS])
    for axes, (label, number) in zip(figure.subplots(1, 3), PANELS.items(), strict=True):
        for (scheme, activation), look in zip(NETWORKS, looks, strict=True):
            own = layers(s, scheme, activation, s.deep)
            means = [np.mean([number(network, i) for network in own]) for i in range(s.deep)]
            style = {"color": look.color, "linestyle": look.dash, "marker": look.marker, "markersize": 4}
            axes.plot(range(1, s.deep + 1), means, label=f"{scheme}, {activation}", **style)
        axes.set(xlabel="layer", ylabel=label, yscale="log")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
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
