"""Batch Normalization against the initial weights, in Saito, "Deep Learning from Scratch", section 6.3.

A 784-100x5-10 ReLU network learns the first 1000 images of MNIST for 20 epochs of plain SGD with rate 0.01,
from 16 standard deviations of the initial weights between 1 and 1e-4, without and with Batch Normalization;
five seeds (the book shows one, unseeded). The numbers claimed are the training accuracies of the book's own
program, run once.

    python experiments/book_batch_norm.py [RESULTS] [--quick]
"""

from pathlib import Path

from initlab import load_experiment, run_experiment
from initlab.analysis.claims import Claim
from initlab.plotting.marks import headline, pictures
from initlab.plotting.tracked import accuracy_panels
from initlab.runner.exhibits import Exhibit, run_script

CONFIG = Path(__file__).parents[1] / "configs" / "book_batch_norm.yaml"
SOURCE = "Saito, Deep Learning from Scratch, 6.3.2; the book's program, one run"
ACCURACY = "accuracy on the 1000 training images after 20 epochs"
ONE_RUN = "one unseeded run of the book's program, give or take 0.05"
PLAIN, NORMALIZED = "without Batch Normalization", "with Batch Normalization"


def near(name: str, statement: str, published: float) -> Claim:
    """A claim that an accuracy is the published one."""
    low, high = published - 0.05, published + 0.05
    return Claim(name, statement, SOURCE, ACCURACY, ONE_RUN, low=low, high=high)


FASTER = Claim(
    "bn_faster",
    "With Batch Normalization learning is faster for almost all initial standard deviations",
    SOURCE,
    "the fraction of the 16 standard deviations in which the normalized network ends more accurate",
    "almost all: at least 13 of 16",
    low=13 / 16,
    lesson="The exceptions are the two standard deviations that suit ReLU, near He's 0.14: there the plain "
    "network is ahead. Batch Normalization makes a start unimportant; it does not beat a good one here.",
)
BEST_WITHOUT = near("plain_0.293", "Without it, std=0.293 reaches .98", 0.98)
SAME_WITH = near("bn_0.293", "With it, std=0.293 reaches .63", 0.63)
STUCK = Claim(
    "plain_small_stuck",
    "Without it, no standard deviation from 0.025 down learns anything: one class for every image",
    SOURCE,
    "the largest training accuracy among those nine standard deviations",
    "the most frequent class is 11.7 % of the images",
    high=0.13,
)
PERFECT = Claim(
    "bn_small_perfect",
    "With it, standard deviations from 0.025 to 0.004 learn all images",
    SOURCE,
    "the smallest training accuracy among those four standard deviations",
    "the book's program reached .99 to 1",
    low=0.97,
)
TINY = near("bn_1e-4", "With it, even std=0.0001 reaches about .5", 0.5)
LARGE = near("bn_1", "With it, std=1 reaches .42", 0.42)


def final_accuracies(groups) -> dict[tuple[str, str], list[float]]:
    """For each scheme, without and with it, the accuracies of the seeds; chance where training diverged."""
    found = {}
    for group in groups:
        told = dict(group.condition)
        kind = PLAIN if told["network.batch_norm"] == "None" else NORMALIZED
        ends = [record.tracked()[-1]["train_accuracy"] for record in group.records]
        found[told["init"], kind] = ends
    return found


def decide_all(exhibit: Exhibit, found: dict[tuple[str, str], list[float]]) -> None:
    """Hold all claims against the accuracies."""
    stds = list(dict.fromkeys(scheme for scheme, _ in found))
    seeds = range(len(found[stds[0], PLAIN]))
    wins = [[found[s, NORMALIZED][seed] > found[s, PLAIN][seed] for s in stds] for seed in seeds]
    exhibit.claim(FASTER, [sum(row) / len(stds) for row in wins])
    exhibit.claim(BEST_WITHOUT, found["std=0.293", PLAIN])
    exhibit.claim(SAME_WITH, found["std=0.293", NORMALIZED])
    small = stds[stds.index("std=0.0251") :]
    exhibit.claim(STUCK, [max(found[s, PLAIN][seed] for s in small) for seed in seeds])
    exhibit.claim(PERFECT, [min(found[s, NORMALIZED][seed] for s in small[:4]) for seed in seeds])
    exhibit.claim(TINY, found["std=0.0001", NORMALIZED])
    exhibit.claim(LARGE, found["std=1", NORMALIZED])


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "book_batch_norm", "Batch Normalization and the start", __doc__, quick)
    outcome = run_experiment(load_experiment(CONFIG), exhibit.training)
    figure = accuracy_panels(outcome.groups)
    headline(
        figure,
        "Batch Normalization: learning from almost any std; only near 0.2 does it not help",
    )
    caption = (
        "Training accuracy from 16 initial standard deviations: the mean of five seeds, and their range."
    )
    exhibit.figure("accuracy", pictures(figure), caption)
    found = final_accuracies(outcome.groups)
    rows = [
        {"scheme": scheme, "network": kind, "seed": seed, "train_accuracy": value}
        for (scheme, kind), values in found.items()
        for seed, value in enumerate(values)
    ]
    exhibit.table("final_accuracies", rows)
    decide_all(exhibit, found)
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
