"""Does initialization still matter with Batch Normalization, or with another algorithm than gradient descent?

Texts on initial weights date from the time of plain gradient descent; Ioffe & Szegedy 2015 promise that Batch
Normalization lets one be less careful, and a Chinese question lists another algorithm among the remedies.
Here networks of {depths} layers of {width} units, tanh and ReLU, learn MNIST from std=0.01, from 1/sqrt(n)
(`lecun`), from He's weights, and from the still wider 2/sqrt(n) of Japanese slides (`slide:he`): {steps}
steps of gradient descent, batches of {batch_size}, {seeds} seeds, without and with Batch Normalization before
the activation function. All these have the same rate, {rate}: being careful would include its choice. From
std=0.01, {deep} layers also learn by other algorithms; there each has the best of its rates, {sgd_rates} for
gradient descent and {other_rates} for the others, by the accuracy on {held_out} held-out training images.
What counts is the accuracy on test images. A network that diverges counts as one that gives every image the
first class, which is right for {diverged} of the test images.
"""

from itertools import product

import numpy as np
from matplotlib.figure import Figure

from initlab import train, train_at_best_rate
from initlab.gallery import Exhibit
from initlab.nn.normalization import BatchNorm
from initlab.plotting.elements import headline
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Does initialization still matter?",
    question="remedy",
    finding="Batch Normalization evens out the schemes in three layers, but not in deep tanh networks; "
    "without it, weights of std=0.01 stop all but the shallowest.",
    network={"depths": (1, 3, 12), "shallow": (1, 3), "deep": 12, "width": 50},
    training={"steps": (200, 600), "batch_size": 50, "rate": 0.1},
    algorithms={"sgd_rates": (0.1, 1.0), "other_rates": (0.001, 0.01), "held_out": 5000},
    measuring={"seeds": 5, "diverged": 0.098},
    quick={"depths": (1, 6), "shallow": (1,), "deep": 6, "width": 20, "steps": (10, 30), "held_out": 500},
)
SCHEMES = SMALL, _, HE, _ = ("std=0.01", "lecun", "he", "slide:he")
LOOKS = {scheme: look("normal(std=0.01)" if scheme == SMALL else scheme) for scheme in SCHEMES}
ACTIVATIONS = ("tanh", "relu")
BEFORE = "100 units, batches of 100, 300 steps: "


@exhibit.kept
def trained(s, depth, activation, normalized, steps):
    """On the test images, of each scheme, (seeds,)."""
    histories = train(
        SCHEMES,
        hidden=[s.width] * depth,
        activation=activation,
        norm=BatchNorm("before") if normalized else None,
        steps=steps,
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rate})",
        seeds=range(s.seeds),
    )
    return {scheme: histories.of(scheme).numbers("test_accuracy", missing=s.diverged) for scheme in SCHEMES}


@exhibit.kept
def from_small(s, activation, optimizer, steps):
    """On the test images, of {deep} layers from std=0.01 at the best rate, (seeds,)."""
    histories = train_at_best_rate(
        SMALL,
        hidden=[s.width] * s.deep,
        activation=activation,
        steps=steps,
        batch_size=s.batch_size,
        optimizer=optimizer,
        rates=s.sgd_rates if optimizer == "sgd" else s.other_rates,
        validation=s.held_out,
        seeds=range(s.seeds),
    )
    return {"accuracy": histories.numbers("test_accuracy", missing=s.diverged)}


def layers(depth, activation):
    """What a network is called."""
    return f"{depth} {activation} {'layer' if depth == 1 else 'layers'}"


def spread(by_scheme):
    """Best minus worst scheme, seed by seed."""
    return np.ptp(list(by_scheme.values()), axis=0)


@exhibit.claim(
    source="Ioffe & Szegedy 2015, Batch Normalization, abstract",
    budgets="steps",
    high=0.5,
    is_ratio=True,
    reason="less careful: at most half as far from each other",
    tried=(f"{BEFORE}3 layers hold, 0.01 and 0.02; 12 tanh layers fail, 0.73; 12 ReLU layers hold, 0.09",),
)
def bn_less_careful(s, steps):
    """With Batch Normalization one may be less careful about initialization.

    Measured: the test accuracy of the best scheme minus that of the worst: with Batch Normalization, divided
    by that without.

    Normalized pre-activations do not depend on the scale of the weights. But a step still turns small weights
    further than large ones, which probably explains what is left.
    """
    return {
        layers(depth, name): spread(trained(s, depth, name, True, steps))
        / spread(trained(s, depth, name, False, steps))
        for depth, name in product(s.depths, ACTIVATIONS)
    }


@exhibit.claim(
    source="He et al. 2015, Delving deep into rectifiers, section 2.2, discussions: from std=0.01, "
    "the gradient at the second of ten convolutional layers is 17,000 times too small",
    budgets="steps",
    low=0.5,
    reason="a network that has learnt classifies at least half of the images more than one that has not",
    tried=(f"{BEFORE}confirmed, 0.81 and 0.79 between the best and the worst scheme",),
)
def deep_needs_scheme(s, steps):
    """Weights of std=0.01 let the gradients of a deep network vanish; with He's weights it learns.

    Measured: test accuracy of {deep} layers from He's weights, minus that from std=0.01, without Batch
    Normalization.

    A layer's gain is multiplied {deep} times.
    """
    own = {name: trained(s, s.deep, name, False, steps) for name in ACTIVATIONS}
    return {name: accuracies[HE] - accuracies[SMALL] for name, accuracies in own.items()}


@exhibit.claim(
    source="German answer on initial weights near 0, second and third paragraph",
    budgets="steps",
    low=0.5,
    reason="works: more than half of the images",
    otherwise="From std=0.01, networks of few layers hardly learn by gradient descent",
    tried=(f"{BEFORE}3 layers lag 0.82 behind the best scheme, refuted",),
)
def shallow_learns_from_small(s, steps):
    """Where a network is not deep, weights very near 0 that differ let the algorithm work.

    Measured: test accuracy from std=0.01, without Batch Normalization.

    With std=0.01 a layer of {width} units passes on less than a tenth of its signal and of its gradient: a
    few layers are already deep.
    """
    cases = product(s.shallow, ACTIVATIONS)
    return {layers(depth, name): trained(s, depth, name, False, steps)[SMALL] for depth, name in cases}


@exhibit.claim(
    source="Chinese question on the initialization of deep networks, its list of remedies",
    budgets="steps",
    low=0.5,
    reason="a network that has learnt classifies at least half of the images more than one that has not",
    otherwise="RMSProp and Adam do not train a deep network from std=0.01 either",
    tried=(f"{BEFORE}Adam at rate .001 lags 0.82 and 0.81 behind the best scheme",),
)
def other_algorithm_rescues(s, steps):
    """Where a deep network is hard to train, another algorithm than gradient descent is a remedy.

    Measured: test accuracy of {deep} layers from std=0.01 with the other algorithm, minus that with gradient
    descent, each at its best rate.

    The steps of these algorithms do not depend on the size of the gradients, as long as that exceeds their
    epsilon of 1e-8. The gradients of {deep} layers from std=0.01 probably lie below.
    """
    return {
        f"{name} layers with {text}": from_small(s, name, optimizer, steps)["accuracy"]
        - from_small(s, name, "sgd", steps)["accuracy"]
        for text, optimizer in (("RMSProp", "rmsprop"), ("Adam", "adam"))
        for name in ACTIVATIONS
    }


def rows(s):
    """Depth, activation and whether normalized, by a name for each, in the order of the figure."""
    networks = product((False, True), s.depths, ACTIVATIONS)
    return {
        f"{n} {name} {'layer' if n == 1 else 'layers'}{', BN' * bn}": (n, name, bn)
        for bn, n, name in networks
    }


@exhibit.figure(
    "Gradient descent, after the longer training. Marks: means over {seeds} seeds; bars: from the worst seed "
    "to the best. BN: Batch Normalization. The dotted line is chance."
)
def accuracy(s):
    figure = Figure(figsize=(9, 5.4))
    headline(figure, f"Four schemes after {s.steps[-1]} steps, without and with Batch Normalization")
    axes, each = figure.subplots(), rows(s)
    for i, (scheme, style) in enumerate(LOOKS.items()):
        values = np.array([trained(s, *network, s.steps[-1])[scheme] for network in each.values()])
        means = values.mean(axis=1)
        bars = np.abs([means - values.min(axis=1), values.max(axis=1) - means])
        marks = {"color": style.color, "marker": style.marker, "linestyle": "none", "elinewidth": 0.8}
        axes.errorbar(means, np.arange(len(each)) + (i - 1.5) / 6, xerr=bars, label=scheme, **marks)
    axes.axvline(0.1, color="#555555", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(each)), each)
    axes.set(xlabel="accuracy on test images", xlim=(0, 1), ylim=(len(each) - 0.4, -0.6))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@exhibit.table(tolerance=0.05)
def accuracies(s):
    return [
        {"depth": depth, "activation": name, "batch_norm": normalized, "steps": steps}
        | {scheme: float(own.mean()) for scheme, own in trained(s, depth, name, normalized, steps).items()}
        | {"range": float(spread(trained(s, depth, name, normalized, steps)).mean())}
        for depth, name, normalized in rows(s).values()
        for steps in s.steps
    ]


@exhibit.table(tolerance=0.05)
def algorithms(s):
    return [
        {"activation": name, "optimizer": optimizer, "steps": steps}
        | {"test_accuracy": float(from_small(s, name, optimizer, steps)["accuracy"].mean())}
        for name, optimizer, steps in product(ACTIVATIONS, ("sgd", "rmsprop", "adam"), s.steps)
    ]
