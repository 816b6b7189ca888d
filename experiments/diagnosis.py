"""This project's own claim: `initlab diagnose` predicts, before training, whether a network will train.

Networks of {depths} hidden layers of {width} units start from {schemes}, with {activations} as activation
function. Each is diagnosed before training, then learns MNIST by {steps} steps of plain gradient descent in
batches of {batch_size}. Of the learning rates {rates}, a network has the one with the highest accuracy on
{held_out} held-out training images. It has trained if it then classifies more than {success} of the test
images. There is one seed: this measures verdicts over many combinations, not accuracies, and {parts} parts of
the combinations take the place of seeds.

`networks.csv` holds all combinations, `confusion.csv` the count of each verdict and outcome, and `cures.csv`
how networks train from the scheme that theory recommends for their activation and depth.
"""

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from initlab import Scheme, diagnose, load_experiment, train_at_best_rate
from initlab.data.examples import examples_of
from initlab.diagnosis.verdict import find_cure
from initlab.gallery import Exhibit
from initlab.plotting.verdicts import Verdict, verdict_figure

CONFIG = Path(__file__).parents[1] / "configs" / "trainability.yaml"
RUNS = [run for _, run in load_experiment(CONFIG).points()]


def swept(setting):
    return tuple(dict.fromkeys(map(setting, RUNS)))


exhibit = Exhibit(
    __file__,
    __doc__,
    title="Is the verdict before training right?",
    question="verdict",
    finding="The verdict before training is right for most networks.",
    source="this project's own claim",
    network={"depths": swept(lambda run: len(run.network.hidden)), "width": RUNS[0].network.hidden[0]},
    training={
        "steps": RUNS[0].train.steps,
        "batch_size": RUNS[0].train.batch_size,
        "rates": swept(lambda run: run.train.optimizer.arguments["lr"]),
        "held_out": 5000,
        "images": 300,
    },
    measuring={
        "schemes": swept(lambda run: str(run.init)),
        "activations": swept(lambda run: run.network.activation),
        "success": 0.5,
        "drawn": 3,
        "parts": 5,
    },
    quick={"depths": (5,), "steps": 100},
)
EACH = "in each of {parts} parts of the combinations"
VERDICTS = ("trains", "trains slowly", "does not train")


def cure(activation, depth):
    return str(find_cure(activation, depth).scheme)


@exhibit.kept
def accuracies(s, activation, depth, recommended):
    """On the test images, of each scheme and of the recommended one; 0 where a network diverges."""
    histories = train_at_best_rate(
        [*s.schemes, recommended],
        hidden=[s.width] * depth,
        activation=activation,
        steps=s.steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
    )
    return {"test": histories.numbers("test_accuracy", missing=0.0)}


def reached(s, activation, depth):
    return accuracies(s, activation, depth, cure(activation, depth))["test"]


@cache  # and not kept in a file: it must follow every change of the diagnosis
def predictions(s):
    """The verdict on each network before training, and the accuracy that training reaches."""
    examples = examples_of("mnist", "unit", "float64")
    probe = examples.train_inputs[: s.images], examples.train_labels[: s.images]
    return [
        predicted(Scheme.parse(scheme), activation, depth, s, probe, reached(s, activation, depth)[i])
        for i, scheme in enumerate(s.schemes)
        for activation in s.activations
        for depth in s.depths
    ]


def predicted(scheme, activation, depth, s, probe, accuracy):
    diagnosis = diagnose(scheme, activation, [s.width] * depth, *probe, seeds=s.drawn)
    return Verdict(
        scheme=scheme,
        activation=activation,
        depth=depth,
        verdict=diagnosis.verdict,
        words=", ".join(diagnosis.words),
        accuracy=float(accuracy),
    )


def share(s, verdicts, trained):
    """In each part, of the networks with these verdicts, the fraction that trained, or did not."""
    parts = [predictions(s)[i :: s.parts] for i in range(s.parts)]
    chosen = [[network for network in part if network.verdict in verdicts] for part in parts]
    return [np.mean([(network.accuracy > s.success) == trained for network in part]) for part in chosen]


@exhibit.claim(
    quantity=f"the fraction whose test accuracy is at most {{success}}, {EACH}",
    low=0.8,
    reason="almost all: at least 0.8",
    unit="parts",
)
def does_not_train_is_right(s):
    """Of networks that diagnose says do not train, almost all do not.

    The limits are set for wide networks and a few hundred steps; the framed squares of the figure are those
    that train nevertheless.
    """
    return share(s, {"does not train"}, trained=False)


@exhibit.claim(
    quantity=f"the fraction whose test accuracy is above {{success}}, {EACH}",
    low=0.8,
    reason="almost all: at least 0.8",
    unit="parts",
)
def trains_is_right(s):
    """Of networks that diagnose says train, almost all do.

    "Trains slowly" counts as a prediction that the network trains. The exceptions are deep saturated sigmoid
    networks, which pass gradients and still learn little, a very deep ReLU network, and a linear network that
    diverges.
    """
    return share(s, {"trains", "trains slowly"}, trained=True)


@exhibit.figure("Test accuracy after {steps} steps at the best rate, and the verdict before training.")
def verdicts(s):
    right = sum((n.accuracy > s.success) == (n.verdict != "does not train") for n in predictions(s))
    title = f"The verdict before training is right for {right} of {len(predictions(s))} networks"
    return verdict_figure(predictions(s), s.success, title)


@exhibit.table(tolerance=0.1)  # some networks train at the edge of stability
def networks(s):
    return [vars(network) | {"scheme": str(network.scheme)} for network in predictions(s)]


@exhibit.table(tolerance=2)  # networks, of those near the limit of success
def confusion(s):
    counts = Counter((network.verdict, network.accuracy > s.success) for network in predictions(s))
    return [
        {"verdict": verdict, "trained": counts[verdict, True], "did_not": counts[verdict, False]}
        for verdict in VERDICTS
    ]


@exhibit.table(tolerance=0.1)
def cures(s):
    return [
        {
            "activation": activation,
            "depth": depth,
            "scheme": cure(activation, depth),
            "test_accuracy": float(reached(s, activation, depth)[-1]),
        }
        for activation in s.activations
        for depth in s.depths
    ]
