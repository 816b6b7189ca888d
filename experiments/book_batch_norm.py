"""Saito, "Deep Learning from Scratch", section 6.3.2: Batch Normalization and the initial weights.

A ReLU network of {layers} hidden layers of {width} units learns the first {images} images of MNIST for
{epochs} epochs of plain gradient descent at rate {rate}, without and with Batch Normalization, from each of
the initial standard deviations in the table of settings. There are {seeds} seeds; the book shows one. The
published numbers are training accuracies of the book's own program, which we ran once.
"""

from pathlib import Path

import numpy as np

from initlab import load_experiment
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline
from initlab.plotting.tracking import accuracy_panels

CONFIG = Path(__file__).parents[1] / "configs" / "book_batch_norm.yaml"
RUNS = [run for _, run in load_experiment(CONFIG).points()]
exhibit = Exhibit(
    __file__,
    __doc__,
    title="Batch Normalization and the start",
    question="book",
    finding="With Batch Normalization the network learns from almost any start; from a good one the plain "
    "network is ahead.",
    source="Saito, Deep Learning from Scratch, 6.3.2; the book's program, one run",
    network={"layers": len(RUNS[0].network.hidden), "width": RUNS[0].network.hidden[0]},
    training={
        "images": RUNS[0].data.train_size,
        "epochs": RUNS[0].train.steps * RUNS[0].train.batch_size // RUNS[0].data.train_size,
        "rate": RUNS[0].train.optimizer.arguments["lr"],
    },
    measuring={
        "stds": tuple(dict.fromkeys(run.init.scheme.arguments["std"] for run in RUNS)),
        "seeds": len({run.seed for run in RUNS}),
    },
)
KINDS = PLAIN, NORMALIZED = "without Batch Normalization", "with Batch Normalization"
ACCURACY = "training accuracy after {epochs} epochs"
MARGIN = 0.05


def conditions(s):
    return exhibit.train(load_experiment(CONFIG, [f"data.train_size={s.images}"])).conditions


def accuracies(s, kind):
    """(stds, seeds); where a network diverges, its accuracy when it was last tracked before."""
    same = conditions(s)[KINDS.index(kind) :: len(KINDS)]
    return np.array([[h.tracked[-1]["train_accuracy"] for h in start.histories] for start in same])


@exhibit.claim(low=13 / 16, reason="almost all: at least 13 of 16")
def bn_faster(s):
    """With Batch Normalization learning is faster from almost all initial standard deviations.

    Measured: the fraction of standard deviations from which the normalized network ends more accurate.

    The exceptions are the standard deviations that suit ReLU, near He's 0.14: there the plain network is
    ahead. Batch Normalization makes the start unimportant; here it does not beat a good one.
    """
    return (accuracies(s, NORMALIZED) > accuracies(s, PLAIN)).mean(axis=0)


def near(published):
    """Declare the claim that an accuracy is the published one."""
    reason = f"one unseeded run of the book's program, give or take {MARGIN}"
    low, high = published - MARGIN, min(1.0, published + MARGIN)
    return exhibit.claim(quantity=ACCURACY, low=low, high=high, reason=reason)


@near(0.98)
def plain_0_293(s):
    """Without Batch Normalization, std=0.293 reaches .98."""
    return accuracies(s, PLAIN)[s.stds.index(0.293)]


@near(0.63)
def bn_0_293(s):
    """With Batch Normalization, std=0.293 reaches .63."""
    return accuracies(s, NORMALIZED)[s.stds.index(0.293)]


@exhibit.claim(
    quantity=f"the largest {ACCURACY} from these standard deviations",
    high=0.13,
    reason="the most frequent class is 11.7 % of the images",
)
def plain_small_stuck(s):
    """Without Batch Normalization, std=0.025 and below learn nothing: every image gets the same class."""
    small = np.array(s.stds) <= 0.0251
    return accuracies(s, PLAIN)[small].max(axis=0)


@exhibit.claim(
    quantity=f"the smallest {ACCURACY} from these standard deviations",
    low=0.97,
    reason="the book's program reaches .99 to 1",
)
def bn_small_perfect(s):
    """With Batch Normalization, std=0.025 to 0.004 learn all images."""
    moderate = [0.00398 <= std <= 0.0251 for std in s.stds]
    return accuracies(s, NORMALIZED)[moderate].min(axis=0)


@near(0.5)
def bn_1e_4(s):
    """With Batch Normalization, even std=0.0001 reaches about .5."""
    return accuracies(s, NORMALIZED)[s.stds.index(0.0001)]


@near(0.42)
def bn_1(s):
    """With Batch Normalization, std=1 reaches .42."""
    return accuracies(s, NORMALIZED)[s.stds.index(1)]


@exhibit.figure("Training accuracy from each start: the mean of {seeds} seeds, and their range.")
def accuracy(s):
    figure = accuracy_panels(conditions(s))
    headline(figure, "Batch Normalization: learning from almost any std; only near 0.2 does it not help")
    return figure


@exhibit.table(tolerance=0.1)  # some starts train at the edge of stability
def final_accuracies(s):
    return [
        {"scheme": f"std={std:g}", "network": kind, "seed": seed, "train_accuracy": float(value)}
        for i, std in enumerate(s.stds)
        for kind in KINDS
        for seed, value in enumerate(accuracies(s, kind)[i])
    ]
