"""This project's own claim: `initlab diagnose` predicts, before training, whether a network will train.

Networks of {depths} hidden layers of {width} units start from {schemes}, with {activations} as activation
function. Each is diagnosed before training, then learns MNIST by {steps} steps of plain gradient descent in
batches of {batch_size}. For each budget, a network has that of the learning rates {rates} with the highest
accuracy on {held_out} held-out training images. It has trained if it then classifies more than {success} of
the test images. Each combination is one trial with one network; each activation and depth has a seed of its
own. The limits of the diagnosis come from theory, but they were tried out on networks like these: this is a
check on another width and other seeds, not on another kind of network.

`networks.csv` holds all combinations, `confusion.csv` the count of each verdict and outcome, and `cures.csv`
how networks train from the scheme that theory recommends for their activation and depth.
"""

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from initlab import Scheme, diagnose, load_experiment, train_at_best_rate
from initlab.data.examples import examples_of
from initlab.diagnosis.cures import best_variance
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
    network={"depths": (2, 12), "width": 50},
    training={
        "steps": (200, 600),
        "batch_size": 50,
        "rates": swept(lambda run: run.train.optimizer.arguments["lr"]),
        "held_out": 5000,
        "images": 300,
    },
    measuring={
        "schemes": swept(lambda run: str(run.init)),
        "activations": swept(lambda run: run.network.activation),
        "success": 0.5,
        "drawn": 3,
    },
    quick={
        "schemes": ("std=0.01", "std=1", "xavier", "he"),
        "activations": ("tanh", "relu"),
        "depths": (2, 5),
        "width": 20,
        "steps": (20, 60),
        "rates": (0.1,),
        "held_out": 500,
    },
)
BEFORE = (
    "depths 2, 5, 12 and 30, width and batches of 100, 300 steps, intervals over five slices of the grid: "
    "confirmed, "
)
VERDICTS = ("trains", "in doubt", "does not train")


def cure(activation, depth):
    """The scheme that theory recommends."""
    return str(best_variance(activation, depth).scheme)


@exhibit.kept
def accuracies(s, activation, depth, recommended, steps):
    """On the test images, of each scheme and of the recommended one; 0 where a network diverges."""
    histories = train_at_best_rate(
        [*s.schemes, recommended],
        hidden=[s.width] * depth,
        activation=activation,
        steps=steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        seeds=s.depths.index(depth) + len(s.depths) * s.activations.index(activation),
    )
    return {"test": histories.numbers("test_accuracy", missing=0.0)}


def reached(s, activation, depth, steps):
    return accuracies(s, activation, depth, cure(activation, depth), steps)["test"]


@cache  # and not kept in a file: it must follow every change of the diagnosis
def diagnoses(s):
    """Verdict and words on each network before training, by scheme, activation and depth."""
    examples = examples_of("mnist", "unit", "float64")
    probe = examples.train_inputs[: s.images], examples.train_labels[: s.images]
    combinations = [
        (scheme, activation, depth)
        for scheme in s.schemes
        for activation in s.activations
        for depth in s.depths
    ]
    return {
        (scheme, activation, depth): diagnose(scheme, activation, [s.width] * depth, *probe, seeds=s.drawn)
        for scheme, activation, depth in combinations
    }


def predictions(s, steps):
    """The verdict on each network before training, and the accuracy that training reaches."""
    return [
        Verdict(
            scheme=Scheme.parse(scheme),
            activation=activation,
            depth=depth,
            verdict=diagnosis.verdict,
            words=", ".join(diagnosis.words),
            accuracy=float(reached(s, activation, depth, steps)[s.schemes.index(scheme)]),
        )
        for (scheme, activation, depth), diagnosis in diagnoses(s).items()
    ]


def are_right(s, verdicts, steps):
    """Of the networks with these verdicts, whether each trained, or did not, as predicted."""
    chosen = [network for network in predictions(s, steps) if network.verdict in verdicts]
    return np.array([not network.is_wrong(s.success) for network in chosen])


@exhibit.claim(
    quantity="the fraction whose test accuracy is at most {success}",
    budgets="steps",
    low=0.8,
    reason="almost all: at least 0.8",
    unit="networks",
    tried=(f"{BEFORE}0.94 +- 0.05",),
)
def does_not_train_is_right(s, steps):
    """Of networks that diagnose says do not train, almost all do not.

    The verdict is about a few hundred steps. A longer training gives more networks the time to prove it
    wrong; the framed squares of the figure are those that train nevertheless.
    """
    return are_right(s, {"does not train"}, steps)


@exhibit.claim(
    quantity="the fraction whose test accuracy is above {success}",
    budgets="steps",
    low=0.8,
    reason="almost all: at least 0.8",
    unit="networks",
    tried=(f"{BEFORE}0.94 +- 0.07",),
)
def trains_is_right(s, steps):
    """Of networks that diagnose says train, almost all do.

    "In doubt" counts as a prediction that the network trains. `networks.csv` lists the exceptions.
    """
    return are_right(s, {"trains", "in doubt"}, steps)


@exhibit.figure(
    "Test accuracy after the longer training at the best rate, and the verdict before training. The line "
    "in the colour bar is the limit of success."
)
def verdicts(s):
    networks = predictions(s, s.steps[-1])
    right = sum(not network.is_wrong(s.success) for network in networks)
    title = f"The verdict before training is right for {right} of {len(networks)} networks"
    return verdict_figure(networks, s.success, f"{title}, {s.steps[-1]} steps")


@exhibit.table(tolerance=0.1)  # some networks train at the edge of stability
def networks(s):
    return [
        {"steps": steps} | vars(network) | {"scheme": str(network.scheme)}
        for steps in s.steps
        for network in predictions(s, steps)
    ]


@exhibit.table(tolerance=3)  # networks, of those near the limit of success
def confusion(s):
    counts = {
        steps: Counter((network.verdict, network.accuracy > s.success) for network in predictions(s, steps))
        for steps in s.steps
    }
    return [
        {"steps": steps, "verdict": verdict, "trained": own[verdict, True], "did_not": own[verdict, False]}
        for steps, own in counts.items()
        for verdict in VERDICTS
    ]


@exhibit.table(tolerance=0.1)
def cures(s):
    return [
        {
            "activation": activation,
            "depth": depth,
            "scheme": cure(activation, depth),
            "steps": steps,
            "test_accuracy": float(reached(s, activation, depth, steps)[-1]),
        }
        for activation in s.activations
        for depth in s.depths
        for steps in s.steps
    ]
