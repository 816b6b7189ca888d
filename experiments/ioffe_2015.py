"""Ioffe & Szegedy 2015, Batch Normalization, section 4.1: a sigmoid network with and without it.

Three hidden layers of {width} sigmoid units learn MNIST in batches of {batch_size}, as in the paper, whose
figure 1 shows the test accuracy, and percentiles {percentiles} of the inputs of one of the last sigmoids. The
paper trains for 50,000 steps from "small random Gaussian values" at a rate that it does not give; here it is
{steps} steps of gradient descent, rate {rate}, from a standard deviation of 1/sqrt(n_in), {seeds} seeds.
Percentiles are those of all units of the layer, over {images} test images, every {every} steps, without those
of the untrained network. Both networks of a seed have the same weights and batches. Without Batch
Normalization a sigmoid's inputs hardly vary between images at first. So the page gives the drift of the
percentiles twice: as it is, and relative to the mean distance between the outer percentiles.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import train
from initlab.data.datasets import open_dataset
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.nn.normalization import BatchNorm
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Batch Normalization in a sigmoid network",
    question="remedy",
    finding="With Batch Normalization a sigmoid network learns at once, and without it only after a plateau; "
    "for their spread, the inputs of its sigmoids are steadier.",
    network={"width": 100},
    training={"steps": 3000, "every": 50, "batch_size": 60, "rate": 0.1, "images": 1000},
    measuring={"percentiles": (15, 50, 85), "level": 0.8, "seeds": 5},
    quick={"steps": 300},
)
RULES = {"without": None, "with": BatchNorm("before")}
DASHES = ("--", "-", ":")
LOOKS = {"without": Look("#888888", "", "--"), "with": Look("#000000", "", "-")}
PAPER = "Ioffe & Szegedy 2015, Batch Normalization, section 4.1, figure"


@exhibit.kept
def trained(s, name):
    """Accuracies (seeds, times), and percentiles of the last sigmoids' inputs (seeds, times, 3, units)."""
    examples = prepared_examples(open_dataset("mnist"))
    images, labels = examples.test_inputs[: s.images], examples.test_labels[: s.images]

    def track(ensemble):
        accuracies = ensemble.accuracy(images, labels)
        percentiles = np.percentile(ensemble.pre_activations[-2], s.percentiles, axis=1).swapaxes(0, 1)
        pairs = zip(accuracies, percentiles, strict=True)
        return [{"accuracy": accuracy, "percentiles": own} for accuracy, own in pairs]

    histories = train(
        "lecun",
        examples,
        hidden=[s.width] * 3,
        activation="sigmoid",
        batch_norm=RULES[name],
        steps=s.steps,
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rate})",
        seeds=range(s.seeds),
        track=track,
        track_every=s.every,
    )
    return {
        number: [[entry[number] for entry in history.tracked] for history in histories]
        for number in ("accuracy", "percentiles")
    }


def steps_to(accuracies, level, every):
    """The first step at which each seed reaches the accuracy; the last step, where it never does."""
    reached = accuracies >= level
    reached[:, -1] = True
    return reached.argmax(axis=1) * every


def moving(s, name):
    """The percentiles without those of the untrained network."""
    return trained(s, name)["percentiles"][:, 1:]


def drift_of(percentiles):
    """How far the percentiles of each seed move: the standard deviation over time, mean over units."""
    return percentiles.std(axis=1).mean(axis=(1, 2))


def relative_drift_of(percentiles):
    """The movement divided by the mean distance between the outer percentiles."""
    return drift_of(percentiles) / (percentiles[:, :, -1] - percentiles[:, :, 0]).mean(axis=(1, 2))


@exhibit.claim(source=f"{PAPER} 1a", high=0.5, reason="half as many steps or fewer")
def fewer_steps(s):
    """With Batch Normalization the network reaches a given accuracy in fewer steps.

    Measured: steps to an accuracy of {level} with Batch Normalization, divided by those without; a network
    that never reaches it counts as reaching it at the last step.

    Sigmoid layers pass on little of what differs between images, and less of the gradient; normalization
    restores both. At another rate the plateau of the plain network has another length.
    """
    plain, normalized = (steps_to(trained(s, name)["accuracy"], s.level, s.every) for name in RULES)
    return normalized / plain


@exhibit.claim(source=f"{PAPER}s 1b and 1c", high=1, reason="smaller: below 1")
def steadier_inputs(s):
    """With Batch Normalization the distribution of a sigmoid's inputs is more stable throughout the training.

    Measured: standard deviation over time of percentiles {percentiles}, mean over units, with Batch
    Normalization divided by that without.

    Batch Normalization fixes mean and variance over a batch; the learned scale and shift move. The plain
    network's inputs hardly vary at first, so they hardly move: the yardstick decides.
    """
    plain, normalized = (moving(s, name) for name in RULES)
    texts = {"as it is": drift_of, "relative to the spread": relative_drift_of}
    return {f"the drift {text}": number(normalized) / number(plain) for text, number in texts.items()}


@exhibit.figure("Left: the mean of {seeds} seeds, and their range. Right: one unit of the last hidden layer.")
def training(s):
    figure = Figure(figsize=(11, 3.8))
    headline(figure, "A sigmoid network learns at once with Batch Normalization, and waits without it")
    steps, (left, *others) = np.arange(0, s.steps + 1, s.every), figure.subplots(1, 3)
    for axes, name in zip(others, RULES, strict=True):
        label, arrays = f"{name} Batch Normalization", trained(s, name)
        mean_and_range(left, steps, arrays["accuracy"], LOOKS[name], label)
        for curve, percent, dash in zip(
            arrays["percentiles"][0, :, :, 0].T, s.percentiles, DASHES, strict=True
        ):
            axes.plot(steps, curve, dash, color="#000000", label=f"{percent} %")
        axes.set(xlabel="training step", ylabel="percentiles of a unit's inputs", title=label)
    others[0].sharey(others[1])
    others[0].legend(loc="upper left")
    left.set(xlabel="training step", ylabel="accuracy on test images", ylim=(0, 1))
    left.legend(loc="lower right")
    return figure


@exhibit.table(tolerance=0.02)
def accuracy(s):
    return [
        {"batch_norm": name, "step": i * s.every, "test_accuracy": float(mean)}
        for name in RULES
        for i, mean in enumerate(trained(s, name)["accuracy"].mean(axis=0))
    ]


@exhibit.table(tolerance=0.02)
def drift(s):
    numbers = {"drift": drift_of, "relative_drift": relative_drift_of}
    return [
        {"batch_norm": name}
        | {text: float(number(moving(s, name)).mean()) for text, number in numbers.items()}
        for name in RULES
    ]
