"""Ioffe & Szegedy 2015, Batch Normalization, section 4.1: a sigmoid network with and without it.

Three hidden layers of 100 sigmoid units on MNIST, batches of 60, as in the paper, whose figure 1 shows the
test accuracy, and the 15th, 50th and 85th percentiles of the inputs of one sigmoid of the last hidden layer.
The paper trains for 50000 steps from "small random Gaussian values" at a rate it does not tell; here it is
3000 steps of gradient descent, rate 0.1, from a standard deviation of 1/sqrt(n_in), five seeds, and
percentiles are those of all 100 units, on 1000 test images, every 50 steps from the 50th on. Both networks of
a seed have the same weights and batches. Without Batch Normalization a sigmoid's inputs hardly vary between
images at first: so how much the percentiles drift is told twice, as it is, and relative to how far the 15th
and the 85th lie apart on average.

    python experiments/ioffe_2015.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from initlab import Ensemble, Optimizer, Purpose, open_dataset, stream
from initlab.analysis.claims import Claim
from initlab.data.inputs import prepare_inputs
from initlab.nn.normalization import BatchNorm
from initlab.plotting.marks import headline, pictures
from initlab.plotting.style import styled
from initlab.runner.exhibits import Exhibit, run_script

SEEDS = range(5)
RULES = {"without": None, "with": BatchNorm("before")}
COLORS = ("#888888", "#000000")
PERCENTILES, BATCH, RATE, EVERY = (15, 50, 85), 60, 0.1, 50
TITLE = "Batch Normalization: a sigmoid network learns at once; for their spread, its inputs are steadier"

SOONER = Claim(
    "fewer_steps",
    "With Batch Normalization the network reaches a given accuracy in fewer steps",
    "Ioffe & Szegedy 2015, Batch Normalization, section 4.1, figure 1a",
    "steps to 80 % of the test images with Batch Normalization, over those without; "
    "whoever does not reach it counts as having done so at the last step",
    "half as many steps or less",
    high=0.5,
    lesson="Sigmoid layers pass on little of what differs between images, and less of the gradient; "
    "normalizing restores both. At another rate the plateau of the plain network has another length.",
)
STEADY = Claim(
    "steadier_inputs",
    "With Batch Normalization the distribution of a sigmoid's inputs is more stable throughout the training",
    "Ioffe & Szegedy 2015, Batch Normalization, section 4.1, figures 1b and 1c",
    "standard deviation over time of percentiles 15, 50 and 85, mean over units, with over without",
    "smaller: below 1",
    high=1,
    lesson="What is normalized is mean and variance over a batch; the learned scale and shift move, and so "
    "does the shape. The plain network's inputs are so much alike at first that little of them can move: "
    "how steady they are depends on the yardstick.",
)


def train(name: str, steps: int) -> dict[str, np.ndarray]:
    """Test accuracies (times, seeds), and percentiles (times, seeds, 3, units), every 50 steps."""
    dataset = open_dataset("mnist")
    prepare = prepare_inputs("unit", dataset)
    probe, labels = prepare(dataset.test_images[:1000], "float32"), dataset.test_labels[:1000]
    sizes = [784, 100, 100, 100, 10]
    schemes = ["lecun"] * len(SEEDS)
    ensemble = Ensemble.from_schemes(sizes, schemes, SEEDS, "sigmoid", batch_norm=RULES[name])
    sgd, batches = Optimizer("sgd", lr=RATE), [stream(seed, Purpose.BATCHES) for seed in SEEDS]
    accuracies, percentiles = [], []
    for step in range(steps + 1):
        if step % EVERY == 0:
            accuracies.append(ensemble.accuracy(probe, labels))
            inputs = ensemble.pre_activations[-2]
            percentiles.append(np.percentile(inputs, PERCENTILES, axis=1).swapaxes(0, 1))
        chosen = np.stack([rng.integers(len(dataset.train_labels), size=BATCH) for rng in batches])
        images = prepare(dataset.train_images[chosen], "float32")
        ensemble.train_step(images, dataset.train_labels[chosen], sgd)
    return {"accuracies": np.array(accuracies), "percentiles": np.array(percentiles)}


def steps_to(accuracies: np.ndarray, level: float) -> np.ndarray:
    """For each seed, the first step at which the accuracy is reached; the last one, where it never is."""
    reached = accuracies >= level
    first = np.where(reached.any(axis=0), reached.argmax(axis=0), len(reached) - 1)
    return first * EVERY


def drift(percentiles: np.ndarray) -> np.ndarray:
    """For each seed, how far percentiles move: the standard deviation over time, mean over units."""
    return percentiles.std(axis=0).mean(axis=(1, 2))


def relative_drift(percentiles: np.ndarray) -> np.ndarray:
    """The drift over the mean distance of the outer percentiles."""
    return drift(percentiles) / (percentiles[:, :, 2] - percentiles[:, :, 0]).mean(axis=(0, 2))


@styled
def training_figure(seen: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """The accuracy of both networks, and the percentiles of one unit of each."""
    figure = Figure(figsize=(11, 3.8))
    headline(figure, TITLE)
    first, *others = figure.subplots(1, 3)
    for (name, (accuracies, _)), color, dash in zip(
        seen.items(), ("#888888", "#000000"), ("--", "-"), strict=True
    ):
        steps = np.arange(len(accuracies)) * EVERY
        first.plot(steps, accuracies.mean(axis=1), dash, color=color, label=f"{name} Batch Normalization")
        first.fill_between(steps, accuracies.min(axis=1), accuracies.max(axis=1), color=color, alpha=0.2)
    first.set(xlabel="steps", ylabel="accuracy on 1000 test images", ylim=(0, 1))
    first.legend(loc="lower right")
    for axes, (name, (_, percentiles)) in zip(others, seen.items(), strict=True):
        for i, (percent, dash) in enumerate(zip(PERCENTILES, ("--", "-", ":"), strict=True)):
            axes.plot(steps, percentiles[:, 0, i, 0], dash, color="#000000", label=f"{percent} %")
        axes.set(xlabel="steps", ylabel="percentiles of a unit's inputs")
        axes.set_title(f"{name} Batch Normalization", fontsize=9)
    axes.legend(loc="upper right", ncols=3)
    both = [limit for axes in others for limit in axes.get_ylim()]
    for axes in others:
        axes.set_ylim(min(both), max(both) + 0.5)
    return figure


@threadpool_limits.wrap(limits=1)
def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "ioffe_2015", "Batch Normalization in a sigmoid network", __doc__, quick)
    trained = {name: exhibit.kept(train, name, 300 if quick else 3000) for name in RULES}
    seen = {name: (one["accuracies"], one["percentiles"]) for name, one in trained.items()}
    figure = training_figure(seen)
    caption = f"{TITLE}. Left: mean over five seeds, from the worst to the best; right: one unit."
    exhibit.figure("training", pictures(figure), caption)
    (plain, without), (normalized, within) = seen.values()
    without, within = without[1:], within[1:]
    exhibit.claim(SOONER, (steps_to(normalized, 0.8) / steps_to(plain, 0.8)).tolist())
    drifts = {"as it is": drift, "relative to the spread": relative_drift}
    exhibit.claim(STEADY, {name: (of(within) / of(without)).tolist() for name, of in drifts.items()})
    exhibit.table(
        "accuracy",
        [_row(name, step, own) for name, (all_, _) in seen.items() for step, own in enumerate(all_)],
    )
    exhibit.table("drift", [_drifts(name, percentiles[1:]) for name, (_, percentiles) in seen.items()])
    exhibit.close()


def _row(name: str, index: int, accuracies: np.ndarray) -> dict:
    return {"batch_norm": name, "step": index * EVERY, "test_accuracy": float(accuracies.mean())}


def _drifts(name: str, percentiles: np.ndarray) -> dict:
    own, relative = (float(of(percentiles).mean()) for of in (drift, relative_drift))
    return {"batch_norm": name, "drift": own, "relative_drift": relative}


if __name__ == "__main__":
    run_script(main)
