"""Ioffe & Szegedy 2015, Batch Normalization, and Kingma & Ba 2015, Adam: does initialization still matter?

Texts on initial weights date from the time of plain gradient descent. Here networks of {shallow} and {deep}
layers of {width} units, tanh and ReLU, learn MNIST from std=0.01, from 1/sqrt(n) (`lecun`), from He's
weights, and from the still wider 2/sqrt(n) of Japanese slides (`slide:he`): {steps} steps, batches of
{batch_size}, {seeds} seeds, without and with Batch Normalization before the activation function. All networks
have the same rate, {sgd_rate} for gradient descent and {adam_rate} for Adam: as most networks are trained, it
is not tuned to the scheme. What counts is the accuracy on test images. A network that diverges counts as one
that gives every image the first class, which is right for {diverged} of the test images.
"""

from itertools import product

import numpy as np
from matplotlib.figure import Figure

from initlab import train
from initlab.gallery import Exhibit
from initlab.nn.normalization import BatchNorm
from initlab.plotting.elements import headline
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Does initialization still matter?",
    question="remedy",
    finding="With Batch Normalization {shallow} layers learn equally well from all schemes, {deep} layers do "
    "not always; Adam alone does not make up for weights that are too small.",
    network={"shallow": 3, "deep": 12, "width": 100},
    training={"steps": 300, "batch_size": 100},
    measuring={"sgd_rate": 0.1, "adam_rate": 0.001, "seeds": 5, "diverged": 0.098},
    quick={"deep": 6, "steps": 40},
)
SCHEMES = ("std=0.01", "lecun", "he", "slide:he")
LOOKS = {scheme: look("normal(std=0.01)" if scheme == "std=0.01" else scheme) for scheme in SCHEMES}
PAPER = "Ioffe & Szegedy 2015, Batch Normalization, abstract"
RANGE = "the test accuracy of the best scheme minus that of the worst, after {steps} steps"
DESCENT = f"{RANGE}, with gradient descent and without Batch Normalization"


def networks(s, optimizers=("SGD", "Adam"), depths=("deep", "shallow")):
    """Depth, activation and optimizer of each, by a name for it."""
    each = product([getattr(s, depth) for depth in depths], ("tanh", "relu"), optimizers)
    return {"{} {} layers with {}".format(*network): network for network in each}


@exhibit.kept
def trained(s, depth, activation, optimizer, normalized):
    """On the test images, of each scheme, (seeds,)."""
    histories = train(
        SCHEMES,
        hidden=[s.width] * depth,
        activation=activation,
        batch_norm=BatchNorm("before") if normalized else None,
        steps=s.steps,
        batch_size=s.batch_size,
        optimizer={"SGD": f"sgd(lr={s.sgd_rate})", "Adam": f"adam(lr={s.adam_rate})"}[optimizer],
        seeds=range(s.seeds),
    )
    return {scheme: histories.of(scheme).numbers("test_accuracy", missing=s.diverged) for scheme in SCHEMES}


def spread(by_scheme):
    """Best minus worst scheme, seed by seed."""
    return np.ptp(list(by_scheme.values()), axis=0)


def behind(by_scheme, scheme):
    """Best scheme minus the given one, seed by seed."""
    return np.max(list(by_scheme.values()), axis=0) - by_scheme[scheme]


def spreads(s, normalized, **chosen):
    """Of the chosen networks, by name."""
    chosen = networks(s, **chosen)
    return {name: spread(trained(s, *network, normalized)) for name, network in chosen.items()}


@exhibit.claim(
    source=f'a common reading of {PAPER}: "less careful"',
    quantity=RANGE,
    high=0.05,
    reason="five per cent of the images between best and worst",
)
def bn_levels(s):
    """With Batch Normalization the initial weights do not matter.

    Normalized pre-activations do not depend on the scale of the weights. But a step still turns small weights
    further than large ones, which probably explains the rest: most of it in {deep} layers.
    """
    return spreads(s, normalized=True)


@exhibit.claim(
    source=PAPER,
    quantity=f"{RANGE}: with Batch Normalization, divided by that without",
    high=0.5,
    reason="less careful: at most half as far from each other",
)
def bn_less_careful(s):
    """With Batch Normalization one may be less careful about initialization.

    The smallest weights still lag behind in {deep} tanh layers, with gradient descent.
    """
    plain = spreads(s, normalized=False)
    return {name: values / plain[name] for name, values in spreads(s, normalized=True).items()}


@exhibit.claim(
    source="a common reading of Kingma & Ba 2015, Adam, section 2.1",
    high=0.05,
    reason="within five per cent of the images of the best",
)
def adam_makes_up(s):
    """Adam, whose steps do not depend on the gradients' size, makes up for weights of std=0.01.

    Measured: the test accuracy of the best scheme minus that of std=0.01, without Batch Normalization.

    Adam scales up gradients above its epsilon of 1e-8; those of {deep} layers probably lie below.
    """
    chosen = networks(s, optimizers=["Adam"])
    return {name: behind(trained(s, *network, False), "std=0.01") for name, network in chosen.items()}


@exhibit.claim(
    source="He et al. 2015, Delving deep into rectifiers, section 2.2; there convolutional, 22 and 30 layers",
    quantity=DESCENT,
    low=0.5,
    reason="a network that has learnt classifies at least half of the images more than one that has not",
)
def deep_needs_scheme(s):
    """A network of {deep} layers learns or does not, depending on the scheme.

    A layer's gain is multiplied {deep} times.
    """
    return spreads(s, False, optimizers=["SGD"], depths=["deep"])


@exhibit.claim(
    source="the use of std=0.01 in texts before 2010; the contrary of Saito, Deep Learning from Scratch, 6.2",
    quantity=DESCENT,
    high=0.1,
    reason="ten per cent of the images between best and worst",
    otherwise="A network of {shallow} layers hardly learns from std=0.01 by gradient descent",
)
def shallow_forgives(s):
    """A network of {shallow} layers learns from any of the schemes.

    With std=0.01 a layer of {width} units passes on a tenth of its signal and its gradient.
    """
    return spreads(s, False, optimizers=["SGD"], depths=["shallow"])


def rows(s):
    """The arguments of `trained`, by a name for each, in the order of the figure."""
    pairs = product((False, True), networks(s).items())
    return {f"{name}{', BN' * normalized}": (*network, normalized) for normalized, (name, network) in pairs}


@exhibit.figure(
    "Marks: means over {seeds} seeds; bars: from the worst seed to the best. BN: Batch Normalization."
)
def accuracy(s):
    figure = Figure(figsize=(9, 6))
    headline(figure, f"Batch Normalization levels the schemes in {s.shallow} layers, less in {s.deep}")
    axes, each = figure.subplots(), rows(s)
    for i, (scheme, style) in enumerate(LOOKS.items()):
        values = np.array([trained(s, *network)[scheme] for network in each.values()])
        means = values.mean(axis=1)
        bars = np.abs([means - values.min(axis=1), values.max(axis=1) - means])
        marks = {"color": style.color, "marker": style.marker, "linestyle": "none", "elinewidth": 0.8}
        axes.errorbar(means, np.arange(len(each)) + (i - 1.5) / 6, xerr=bars, label=scheme, **marks)
    axes.set_yticks(range(len(each)), each)
    axes.set(xlabel="accuracy on test images (chance: 0.1)", xlim=(0, 1), ylim=(len(each) - 0.4, -0.6))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@exhibit.table(tolerance=0.02)
def accuracies(s):
    columns = ("depth", "activation", "optimizer", "batch_norm")
    return [
        dict(zip(columns, network, strict=True))
        | {scheme: float(own.mean()) for scheme, own in trained(s, *network).items()}
        | {"range": float(spread(trained(s, *network)).mean())}
        for network in rows(s).values()
    ]
