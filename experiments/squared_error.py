"""Two remedies from a Chinese question on the initialization of deep networks: the loss and the optimizer.

The question lists what helps where deep networks are hard to train: besides other initial weights a cost
function of steeper gradient, "cross-entropy rather than MSE", and another algorithm, "RMSprop rather than
gradient descent". Here tanh networks of two layers of {width} units learn MNIST for {steps} steps, batches of
{batch_size}, {seeds} seeds, from Xavier's weights and from std=1, which makes a network sure and wrong at
first. The squared error is that of the softmax probabilities, or of the logits themselves. Losses and
optimizers differ in the size of their steps, so each has the rate of {rates} with the highest mean accuracy
over seeds on {held_out} held-out training images. A network that diverges counts as one that gives every
image the first class, which is right for {diverged} of the test images.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Optimizer, initialize, train, train_at_best_rate
from initlab.data.datasets import open_dataset
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.nn.losses import LOSSES
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Cross-entropy, squared error, RMSProp",
    question="remedy",
    finding="From Xavier's weights every loss learns at its best rate; from weights that are too large, both "
    "squared errors fall behind cross-entropy.",
    network={"width": 100},
    training={
        "steps": 200,
        "batch_size": 100,
        "rates": (0.0001, 0.001, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
        "held_out": 5000,
        "images": 1000,
    },
    measuring={"seeds": 5, "diverged": 0.098},
    quick={"steps": 20},
)
STARTS = {"Xavier": "xavier", "std=1": "std=1"}
METHODS = {
    "cross-entropy, SGD": ("cross_entropy", "sgd"),
    "cross-entropy, RMSProp": ("cross_entropy", "rmsprop"),
    "squared error of probabilities, SGD": ("squared_error", "sgd"),
    "squared error of logits, SGD": ("squared_error_logits", "sgd"),
}
LOOKS = [
    Look("#0072B2", "o", "-"),
    Look("#009E73", "s", "--"),
    Look("#D55E00", "D", "-."),
    Look("#CC79A7", "^", ":"),
]
ENTROPY, RMSPROP, *SQUARED = METHODS
QUESTION = "Chinese question on the initialization of deep networks, its list of remedies"


@exhibit.kept
def trained(s, start, method):
    """The best rate, test accuracies at it, (seeds,), and those at each rate, (rates, seeds)."""
    loss, optimizer = METHODS[method]
    how = {
        "hidden": [s.width] * 2,
        "activation": "tanh",
        "steps": s.steps,
        "batch_size": s.batch_size,
        "loss": loss,
        "validation": s.held_out,
        "seeds": range(s.seeds),
    }
    best = train_at_best_rate([STARTS[start]], rates=s.rates, optimizer=optimizer, **how)
    each = train([STARTS[start]] * len(s.rates), optimizer=Optimizer(optimizer, lr=s.rates), **how)
    return {
        "rate": best[0].learning_rate,
        "best": best.numbers("test_accuracy", missing=s.diverged),
        "each": each.numbers("test_accuracy", missing=s.diverged).reshape(len(s.rates), s.seeds),
    }


def lead(s, start, method, slower):
    """Of a method over another one, each at its best rate, seed by seed."""
    return trained(s, start, method)["best"] - trained(s, start, slower)["best"]


@exhibit.claim(source=QUESTION, low=0.01, reason="at least one per cent of the images")
def cross_entropy_faster(s):
    """Cross-entropy learns faster than squared error.

    Measured: test accuracy after {steps} steps with cross-entropy, minus that with squared error.

    Part of the difference at equal rates is the size of the gradient: the squared error of the probabilities,
    averaged over ten classes, needs a rate at least ten times as large.
    """
    pairs = [(name, start) for name in SQUARED for start in STARTS]
    return {
        f"{name.removesuffix(', SGD')} from {start}": lead(s, start, ENTROPY, name) for name, start in pairs
    }


@exhibit.claim(source=QUESTION, low=0.01, reason="at least one per cent of the images")
def rmsprop_faster(s):
    """RMSProp learns faster than gradient descent.

    Measured: test accuracy after {steps} steps with RMSProp, minus that with gradient descent.

    Both train so shallow a network, RMSProp at a rate a hundred times smaller or more.
    """
    return {f"from {start}": lead(s, start, RMSPROP, ENTROPY) for start in STARTS}


@exhibit.claim(
    source="Nielsen, Neural Networks and Deep Learning, chapter 3, there for sigmoid outputs",
    high=0.5,
    reason="fades: less than half",
)
def fades_where_wrong(s):
    """The gradient of squared error on probabilities fades where the network is sure and wrong.

    Measured: size of the gradient on the logits of wrongly classified images, of {images}: that from std=1
    divided by that from Xavier.

    The softmax's slope p (1 - p) goes to 0 at both ends, and cross-entropy divides it out. What is left in
    the mean comes from the images on which the network is undecided.
    """
    return {
        name: [faded(s, "squared_error", seed, average) for seed in range(s.seeds)]
        for name, average in (("the root mean square", root_mean_square), ("the median image", np.median))
    }


def faded(s, loss, seed, average):
    """The average gradient on the logits of images that both networks misclassify: std=1 over Xavier."""
    examples = prepared_examples(open_dataset("mnist"), dtype="float64")
    images, labels = examples.train_inputs[: s.images], examples.train_labels[: s.images]
    pair = initialize([784, s.width, s.width, 10], ["std=1", "xavier"], seed, "tanh", "float64")
    logits = pair.forward(images)
    wrong = (logits.argmax(axis=2) != labels).all(axis=0)
    _, gradient = LOSSES[loss](logits[:, wrong], labels[wrong])
    sure, unsure = np.linalg.norm(gradient, axis=2)
    return average(sure) / average(unsure)


def root_mean_square(values):
    return np.sqrt((values**2).mean())


@exhibit.figure(
    "Lines: means over {seeds} seeds; bands: from the worst seed to the best. Rings: the chosen rates."
)
def rates(s):
    figure = Figure(figsize=(10, 4.4))
    headline(
        figure,
        "At its best rate each loss learns from Xavier's weights; from std=1 squared error falls behind",
    )
    for axes, start in zip(figure.subplots(1, 2, sharey=True), STARTS, strict=True):
        for method, style in zip(METHODS, LOOKS, strict=True):
            own = trained(s, start, method)
            mean_and_range(axes, s.rates, own["each"].T, style, method, every=1)
            axes.plot(
                own["rate"], own["best"].mean(), "o", color=style.color, markersize=12, fillstyle="none"
            )
        axes.set(xscale="log", xlabel="learning rate", ylim=(0, 1), title=f"from {start}")
    figure.axes[0].set_ylabel("accuracy on test images")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@exhibit.table(tolerance=0.02)
def accuracy(s):
    return [
        {"start": start, "method": method, "lr": rate, "test_accuracy": float(own.mean())}
        for start in STARTS
        for method in METHODS
        for rate, own in zip(s.rates, trained(s, start, method)["each"], strict=True)
    ]
