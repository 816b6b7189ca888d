"""Zhao, Schaefer & Anandkumar 2022, ZerO initialization: networks with only zeros and ones.

ReLU networks of width {width} learn MNIST, whose images are averaged down to {features} pixels so that the
first hidden layer widens, as theorem 1 of the paper supposes. Nothing of ZerO's weights, nor of the partial
identity's, is random: a seed sets their batches alone. Accuracy: {deep} hidden layers, {steps} steps,
batches of {batch_size}, {seeds} seeds; at each budget every start has the rate of {rates} that is best on
{held_out} held-out training images (the paper: residual networks on CIFAR-10 and ImageNet). Ranks: {shallow}
hidden layers in float64, rate {rank_rate}, the rank of W - I in the middle one, counting singular values
above {tolerance}. ConstNet (Blumenfeld, Gilboa & Soudry 2020), whose features are all equal at first, is left
out: it passes the signal on by skip connections, which these networks do not have.
"""

from functools import cache

import numpy as np
from matplotlib.figure import Figure

from initlab import open_dataset, train, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Weights that are not random",
    question="symmetry",
    finding="Networks learn from weights of which none is random, but the partial identity wastes the units "
    "beyond its inputs.",
    source="Zhao, Schaefer & Anandkumar 2022",
    network={"features": 49, "width": 100, "deep": 20, "shallow": 5},
    training={"steps": (100, 300), "batch_size": 50, "rates": (0.01, 0.03, 0.1), "held_out": 2000},
    ranks={"rank_steps": (100, 300), "rank_rate": 0.1, "every": 10, "tolerance": 1e-4},
    measuring={"seeds": 10},
    quick={"seeds": 5, "steps": (5, 15), "rates": (0.03,), "rank_steps": (20, 60)},
)
SCHEMES = ZERO, IDENTITY, HE = ("zero", "identity", "he")
NAMES = {ZERO: "ZerO", IDENTITY: "partial identity", HE: "He"}
SIDE, BLOCK = 28, 4
RANK = "the rank of W - I in the middle hidden layer"


@cache
def images():
    """Training and test images, averaged over square blocks of pixels, with their labels."""
    examples = prepared_examples(open_dataset("mnist"))
    parts = (examples.train_inputs, examples.train_labels), (examples.test_inputs, examples.test_labels)
    return [array for part in parts for array in averaged(*part)]


def averaged(inputs, labels):
    blocks = (-1, SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK)
    return inputs[:].reshape(blocks).mean(axis=(2, 4)).reshape(len(labels), -1), labels


@exhibit.kept
def reached(s, steps):
    """The test accuracy and the rate of each seed, by scheme, at the best rate."""
    histories = train_at_best_rate(
        SCHEMES,
        images(),
        hidden=[s.width] * s.deep,
        steps=steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        seeds=range(s.seeds),
    )
    shape = (len(SCHEMES), s.seeds)
    return {
        "accuracy": histories.numbers("test_accuracy", missing=0.1).reshape(shape),
        "rate": histories.numbers("learning_rate").reshape(shape),
    }


def accuracy_of(s, scheme, steps):
    """Of each seed."""
    return reached(s, steps)["accuracy"][SCHEMES.index(scheme)]


@exhibit.kept
def ranks(s, scheme):
    """Of each seed every few steps, (seeds, times)."""

    def residual_rank(networks):
        residuals = networks.weights[s.shallow // 2] - np.eye(s.width)
        return [{"rank": int(rank)} for rank in np.linalg.matrix_rank(residuals, tol=s.tolerance)]

    histories = train(
        [scheme],
        images(),
        hidden=[s.width] * s.shallow,
        dtype="float64",
        steps=max(s.rank_steps),
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rank_rate})",
        seeds=range(s.seeds),
        track=residual_rank,
        track_every=s.every,
    )
    return {"ranks": [[entry["rank"] for entry in history.tracked] for history in histories]}


def rank_after(s, scheme, steps):
    """Of each seed."""
    return ranks(s, scheme)["ranks"][:, steps // s.every]


@exhibit.claim(
    "abstract",
    budgets="steps",
    low=-0.02,
    reason="unnecessary: no worse than He's by more than 0.02",
    tried=(
        "5 seeds: confirmed, 0.30 +- 0.09 after 100 steps and 0.14 +- 0.14 after 300, the latter not firmly",
    ),
    otherwise="Through {deep} layers random weights still do better than ZerO's",
)
def random_weights_are_unnecessary(s, steps):
    """Random weights may be unnecessary: a network learns as well from ZerO.

    Measured: the test accuracy from ZerO minus that from He's weights.

    The paper compares final accuracies of residual networks; this compares plain networks early on.
    """
    return accuracy_of(s, ZERO, steps) - accuracy_of(s, HE, steps)


@exhibit.claim(
    "theorem 1, and figure 3, the authors' example on MNIST",
    budgets="steps",
    low=0.0,
    reason="worse: a difference above 0",
    tried=("5 seeds: confirmed after 100 steps, 0.144 +- 0.077; undecided after 300, 0.038 +- 0.073",),
    otherwise="Through {deep} layers the partial identity does no worse than ZerO at these budgets",
)
def identity_is_worse(s, steps):
    """Where layers widen, the partial identity trains worse than ZerO.

    Measured: the test accuracy from ZerO minus that from the partial identity.
    """
    return accuracy_of(s, ZERO, steps) - accuracy_of(s, IDENTITY, steps)


@exhibit.claim(
    "theorem 1",
    budgets="rank_steps",
    quantity=RANK,
    high=49,
    is_identity=True,
    reason="at most the number of inputs, {features}",
)
def identity_keeps_the_rank_low(s, steps):
    """From the partial identity W - I never gets a rank above the number of inputs.

    The units beyond the inputs receive nothing, so with ReLU they are dead and stay so.
    """
    return rank_after(s, IDENTITY, steps)


@exhibit.claim(
    "theorem 1, and figure 3, the authors' example on MNIST",
    budgets="rank_steps",
    quantity=RANK,
    low=50,
    reason="breaks it: above the number of inputs, {features}",
)
def zero_breaks_the_limit(s, steps):
    """From ZerO, whose first layer is a Hadamard matrix, the rank goes beyond the number of inputs."""
    return rank_after(s, ZERO, steps)


@exhibit.claim(
    "abstract: low-rank learning trajectories",
    budgets="rank_steps",
    low=1,
    reason="grows: by one or more",
)
def rank_grows_in_training(s, steps):
    """From ZerO the rank of W - I begins low and grows while the network learns.

    Measured: the rank at the end less that after the first {every} steps.

    Each step adds at most {batch_size} to the rank, one for each image of its batch.
    """
    return rank_after(s, ZERO, steps) - rank_after(s, ZERO, s.every)


@exhibit.figure(
    "Left: accuracy on test images, {deep} layers; right: the rank of W - I in the middle of {shallow} "
    "layers. Means of {seeds} seeds and their range."
)
def accuracy_and_rank(s):
    figure = Figure(figsize=(9, 3.6))
    headline(figure, "Three starts side by side, and how the rank of what is learnt grows")
    left, right = figure.subplots(1, 2)
    for scheme in SCHEMES:
        accuracies = np.transpose([accuracy_of(s, scheme, steps) for steps in s.steps])
        mean_and_range(left, s.steps, accuracies, look(scheme), NAMES[scheme])
    for scheme in (ZERO, IDENTITY):
        values = ranks(s, scheme)["ranks"]
        mean_and_range(right, s.every * np.arange(values.shape[1]), values, look(scheme), NAMES[scheme])
    right.axhline(s.features, color="#555555", linewidth=0.8, linestyle=":")
    right.text(max(s.rank_steps), s.features + 1, "number of inputs", ha="right", fontsize=8)
    left.set(xlabel="training steps", ylabel="test accuracy", ylim=(0, 1), xticks=s.steps)
    right.set(xlabel="training step", ylabel="rank of W - I", ylim=(0, s.width + 5))
    left.legend(loc="lower right")
    right.legend(loc="lower right")
    return figure


@exhibit.table()
def accuracies(s):
    return [
        {"scheme": scheme, "steps": steps, "seed": seed, "rate": float(rate), "accuracy": float(accuracy)}
        for steps in s.steps
        for scheme, *columns in zip(SCHEMES, *reached(s, steps).values(), strict=True)
        for seed, (accuracy, rate) in enumerate(zip(*columns, strict=True))
    ]


@exhibit.table()
def mean_ranks(s):
    zero, identity = (ranks(s, scheme)["ranks"].mean(axis=0) for scheme in (ZERO, IDENTITY))
    return [
        {"step": i * s.every, "zero": float(a), "identity": float(b)}
        for i, (a, b) in enumerate(zip(zero, identity, strict=True))
    ]
