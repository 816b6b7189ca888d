"""A steeper loss, or another optimizer, instead of better weights: advice from a Chinese question, measured.

The question lists what helps where deep networks are hard to train, besides initial weights: a cost function
of steeper gradient, "cross-entropy rather than MSE", and another algorithm, "RMSprop rather than gradient
descent". Here 784-100-100-10 tanh networks learn MNIST for 200 steps, batches of 100, five seeds, from
Xavier's weights and from std=1, which make a network sure and wrong at first. Squared error is that of the
softmax probabilities, or of the logits themselves. Losses and optimizers differ in the size of their steps,
so each is tried at twelve rates, 0.0001 to 300, of which the best in the mean over seeds counts: by accuracy
on 2000 test images, which is the same yardstick for all.

    python experiments/squared_error.py [RESULTS] [--quick]
"""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from initlab import Ensemble, Optimizer, Purpose, open_dataset, stream
from initlab.analysis.claims import Claim
from initlab.data.inputs import prepare_inputs
from initlab.nn.losses import LOSSES
from initlab.nn.network import StepRule
from initlab.plotting.marks import headline, pictures
from initlab.plotting.style import styled
from initlab.runner.exhibits import Exhibit, run_script

SEEDS = range(5)
RATES = (0.0001, 0.001, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
SIZES = [784, 100, 100, 10]
STARTS = {"Xavier": "xavier", "std=1": "std=1"}
METHODS = {
    "cross-entropy, SGD": ("cross_entropy", "sgd"),
    "cross-entropy, RMSProp": ("cross_entropy", "rmsprop"),
    "squared error of probabilities, SGD": ("squared_error", "sgd"),
    "squared error of logits, SGD": ("squared_error_logits", "sgd"),
}
BEST, RMSPROP, PROBABILITIES, LOGITS = METHODS
Average = Callable[[np.ndarray], float]
QUESTION = "Chinese question on the initialization of deep networks, its list of remedies"
TITLE = "At its best rate each loss learns from Xavier's weights; from std=1 squared error falls behind"

FASTER = Claim(
    "cross_entropy_faster",
    "Cross-entropy learns faster than squared error",
    QUESTION,
    "test accuracy after 200 steps with cross-entropy, less that with squared error, each at its best rate",
    "at least one per cent of the images",
    low=0.01,
    lesson="A part of its reputation is the size of its gradient: squared error, averaged over ten classes, "
    "needs a rate ten times as large.",
)
OPTIMIZER = Claim(
    "rmsprop_faster",
    "RMSProp learns faster than gradient descent",
    QUESTION,
    "test accuracy after 200 steps with RMSProp, less that with gradient descent, each at its best rate",
    "at least one per cent of the images",
    low=0.01,
    lesson="So shallow a network learns by both, RMSProp at a rate a hundred times smaller or more.",
)
FADES = Claim(
    "fades_where_wrong",
    "The gradient of squared error on probabilities fades where the network is sure and wrong",
    "Nielsen, Neural Networks and Deep Learning, chapter 3, there for sigmoid outputs",
    "size of the gradient on the logits of wrongly classified images, from std=1 over that from Xavier",
    "fades: less than half",
    high=0.5,
    lesson="The softmax's slope p (1 - p) goes to 0 at both ends; cross-entropy divides it out. What is left "
    "in the mean comes from the images on which the network is undecided.",
)


@np.errstate(all="ignore")
def train(start: str, method: str, steps: int) -> dict[str, np.ndarray]:
    """Test accuracies (rates, seeds); a network that diverges stays at one class."""
    loss, optimizer = METHODS[method]
    dataset = open_dataset("mnist")
    prepare = prepare_inputs("unit", dataset)
    networks = len(RATES) * len(SEEDS)
    ensemble = Ensemble.from_schemes(SIZES, [STARTS[start]] * networks, [*SEEDS] * len(RATES), "tanh")
    update = Optimizer(optimizer, lr=np.repeat(RATES, len(SEEDS)))
    rule, batches = StepRule(loss=loss), [stream(seed, Purpose.BATCHES) for seed in SEEDS]
    for _ in range(steps):
        chosen = np.stack([rng.integers(len(dataset.train_labels), size=100) for rng in batches])
        images, labels = prepare(dataset.train_images[chosen], "float32"), dataset.train_labels[chosen]
        all_rates = np.tile(images, (len(RATES), 1, 1)), np.tile(labels, (len(RATES), 1))
        ensemble.train_step(*all_rates, update, rule)
    accuracies = ensemble.accuracy(prepare(dataset.test_images[:2000], "float32"), dataset.test_labels[:2000])
    return {"reached": accuracies.reshape(len(RATES), len(SEEDS))}


def best(accuracies: np.ndarray) -> np.ndarray:
    """Those over seeds, at the rate that is best in their mean."""
    return accuracies[accuracies.mean(axis=1).argmax()]


def faded(loss: str, seed: int, average: Average) -> float:
    """The average gradient on the logits of wrongly classified images, from std=1 over that from Xavier."""
    dataset = open_dataset("mnist")
    images = prepare_inputs("unit", dataset)(dataset.train_images[:1000], "float64")
    labels = dataset.train_labels[:1000]
    pair = Ensemble.from_schemes(SIZES, ["std=1", "xavier"], seed, "tanh", "float64")
    logits = pair.forward(images)
    wrong = (logits.argmax(axis=2) != labels).all(axis=0)
    _, gradient = LOSSES[loss](logits[:, wrong], labels[wrong])
    sure, unsure = np.linalg.norm(gradient, axis=2)
    return float(average(sure) / average(unsure))


def root_mean_square(values: np.ndarray) -> float:
    """Of the given values."""
    return float(np.sqrt((values**2).mean()))


AVERAGES: dict[str, Average] = {"root mean square": root_mean_square, "median image": np.median}


@styled
def rate_figure(trained: dict[tuple[str, str], np.ndarray]) -> Figure:
    """Accuracy against rate, a panel for each start, a line for each method; bands: worst to best."""
    figure = Figure(figsize=(10, 4.4))
    headline(figure, TITLE)
    looks = (("#0072B2", "o-"), ("#009E73", "s--"), ("#D55E00", "D-."), ("#CC79A7", "^:"))
    for axes, start in zip(figure.subplots(1, 2, sharey=True), STARTS, strict=True):
        for method, (color, mark) in zip(METHODS, looks, strict=True):
            values = trained[start, method]
            axes.plot(RATES, values.mean(axis=1), mark, color=color, markersize=4, label=method)
            axes.fill_between(RATES, values.min(axis=1), values.max(axis=1), color=color, alpha=0.15)
        axes.set(xscale="log", xlabel="learning rate", ylim=(0, 1))
        axes.set_title(f"from {start}", fontsize=10)
    figure.axes[0].set_ylabel("accuracy on test images")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@threadpool_limits.wrap(limits=1)
def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "squared_error", "Cross-entropy, squared error, RMSProp", __doc__, quick)
    steps = 20 if quick else 200
    trained = {
        (start, method): exhibit.kept(train, start, method, steps)["reached"]
        for start in STARTS
        for method in METHODS
    }
    figure = rate_figure(trained)
    exhibit.figure(
        "rates", pictures(figure), f"{TITLE}. Lines: means over five seeds; bands: worst to best seed."
    )

    def lead(start: str, one: str, other: str) -> list[float]:
        return (best(trained[start, one]) - best(trained[start, other])).tolist()

    squared = (PROBABILITIES, LOGITS)
    exhibit.claim(
        FASTER, {f"{name}, from {start}": lead(start, BEST, name) for name in squared for start in STARTS}
    )
    exhibit.claim(OPTIMIZER, {f"from {start}": lead(start, RMSPROP, BEST) for start in STARTS})
    exhibit.claim(
        FADES, {name: [faded("squared_error", seed, one) for seed in SEEDS] for name, one in AVERAGES.items()}
    )
    exhibit.table("accuracy", [row for key, values in trained.items() for row in _rows(*key, values)])
    exhibit.close()


def _rows(start: str, method: str, accuracies: np.ndarray) -> list[dict]:
    network = {"start": start, "method": method}
    return [
        network | {"lr": lr, "test_accuracy": float(own.mean())}
        for lr, own in zip(RATES, accuracies, strict=True)
    ]


if __name__ == "__main__":
    run_script(main)
