"""Why deep networks were hard to train: Glorot & Bengio 2010.

Glorot & Bengio, Understanding the difficulty of training deep feedforward networks. Five hidden layers of
1000 units as in the paper; `classic` weights U(+-1/sqrt(n)), which the paper calls standard, against its
normalized ones, `xavier_uniform`; ten networks each before training, with 300 images of MNIST, pixels / 255,
and with 300 inputs N(0, 1) and classes at random. For the saturation of sigmoids, networks of 100x4 take 4000
steps on MNIST from `classic` weights, with the paper's batches of 10 and rate 1; five seeds. For the order of
test errors, networks of 100x5 learn from 50000 images of MNIST for two epochs, batches of 20, at the rate of
four that is best on other images, five seeds (the paper: 1000 units, batches of 10, up to convergence).

    python experiments/glorot_2010.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Optimizer, measure_layers, open_dataset
from initlab.analysis.claims import Claim
from initlab.plotting.marks import headline, mean_and_range, pictures
from initlab.plotting.style import Look, look, styled
from initlab.runner.exhibits import Exhibit, run_script

SOURCE = "Glorot & Bengio 2010"
SEEDS, DEPTH, WIDTH = 10, 5, 1000
CAPTION = (
    "tanh layers of 1000 on MNIST before training, and four sigmoid layers of 100 in training: the means of "
    "ten and of five networks, and their range."
)
INPUTS = PIXELS, NORMAL = ("MNIST", "inputs N(0, 1)")
STANDARD, NORMALIZED = "classic", "xavier_uniform"
ACTIVATIONS = Claim(
    "standard_activations_shrink",
    "With the standard weights the activations of tanh layers shrink from layer to layer",
    f"{SOURCE}, section 4.2, figure 6 top",
    "the standard deviation of the fifth layer's activations over the first's",
    "shrink: at most a half",
    high=0.5,
)
LEVEL = Claim(
    "normalized_activations_level",
    "With the normalized weights they keep their size",
    f"{SOURCE}, section 4.2, figure 6 bottom",
    "the standard deviation of the fifth layer's activations over the first's",
    "keep: at least three quarters",
    low=0.75,
    lesson="They shrink less, but they do, the more the larger the inputs are: sigma_w^2 = 1 is critical for "
    "tanh, where the length still falls like 1/sqrt(layers), because the slope is 1 at 0 alone.",
)
GRADIENTS = Claim(
    "standard_gradients_shrink",
    "With the standard weights back-propagated gradients shrink on their way down",
    f"{SOURCE}, section 4.2.2, figure 7 top",
    "the standard deviation of gradients on the first layer's pre-activations over those on the fifth's",
    "shrink: at most a half",
    high=0.5,
)
GRADIENTS_LEVEL = Claim(
    "normalized_gradients_level",
    "With the normalized weights they keep their size",
    f"{SOURCE}, section 4.2.2, figure 7 bottom",
    "the standard deviation of gradients on the first layer's pre-activations over those on the fifth's",
    "keep: a factor within 0.5 and 2",
    low=0.5,
    high=2.0,
    lesson="Far better than from the standard weights; where inputs are large, slopes of tanh below 1 take "
    "their toll in each layer.",
)
WEIGHTS = Claim(
    "weight_gradients_level",
    "Gradients on the weights are as large in all layers, even where back-propagated ones vanish",
    f"{SOURCE}, section 4.2.2, figure 8",
    "standard weights: the std of gradients on weights, largest over smallest of layers 2 to 5",
    "as large: at most a factor of 2",
    high=2.0,
    lesson="Activations shrink going up and gradients shrink going down; their product, the gradient"
    " on a weight, is level.",
)
SATURATION = Claim(
    "top_sigmoid_saturates",
    "In deep sigmoid networks the top hidden layer is driven to 0 early in training",
    f"{SOURCE}, section 3.1, figure 2",
    "the mean activation of the top hidden layer after 300 steps",
    "driven to 0: at most 0.1; it begins at 0.5",
    high=0.1,
    lesson="The paper's explanation: the layers below tell nothing yet, the output biases do the work, and "
    "the top layer's signal, noise to them, is turned down. With smaller rates it takes longer.",
)
LEAVES = Claim(
    "top_sigmoid_leaves_saturation",
    "Later the top hidden layer leaves saturation by itself",
    f"{SOURCE}, section 3.1, figure 2",
    "the mean activation of the top hidden layer after 4000 steps, less the smallest before",
    "leaves it: at least 0.05 more",
    low=0.05,
)


NETWORKS = {
    "sigmoid": ("sigmoid", STANDARD),
    "tanh": ("tanh", STANDARD),
    "tanh, normalized": ("tanh", NORMALIZED),
    "softsign": ("softsign", STANDARD),
    "softsign, normalized": ("softsign", NORMALIZED),
}
RATES = (0.03, 0.1, 0.3, 1.0)
POINTS = "in percentage points, over the seeds"
SIGMOID_WORST = Claim(
    "sigmoid_is_worst",
    "Of sigmoid, tanh and softsign networks of five layers, the sigmoid's have the greatest test error",
    f"{SOURCE}, table 1: 2.21 % against 1.64 to 1.76 %",
    f"the sigmoid's test error less the greatest of the others, {POINTS}",
    "the greatest: above 0",
    low=0.0,
    lesson="After two epochs it has not even begun; the paper's were trained until they had.",
)
TANH_BETTER = Claim(
    "normalized_tanh_is_better",
    "For tanh, the normalized weights give a smaller test error than the standard ones",
    f"{SOURCE}, table 1: 1.64 against 1.76 %",
    f"test error of tanh from standard weights less that from normalized ones, {POINTS}",
    "smaller: above 0",
    low=0.0,
)
SOFTSIGN_SAME = Claim(
    "softsign_does_not_need_it",
    "Softsign networks do not need the normalized weights",
    f"{SOURCE}, table 1: 1.64 % from standard, 1.72 % from normalized weights",
    f"test error of softsign from standard weights less that from normalized ones, {POINTS}",
    "no worse, by more than a tenth of a point",
    high=0.1,
    lesson="Two epochs do not tell whether the difference would last to the end of a long training.",
)


def test_errors(name: str, steps: int) -> dict[str, np.ndarray]:
    """In per cent of the test images, (5,), at the rate that is best on 5000 images kept apart."""
    activation, scheme = NETWORKS[name]
    mnist = open_dataset("mnist")
    images, labels = mnist.train_images[:] / np.float32(255), mnist.train_labels
    grid = [(seed, lr) for seed in range(5) for lr in RATES]
    seeds, rates = zip(*grid, strict=True)
    networks = Ensemble.from_schemes([784, *[100] * DEPTH, 10], [scheme] * len(grid), seeds, activation)
    sgd, rng = Optimizer("sgd", lr=rates), np.random.default_rng(0)
    for _ in range(steps):
        chosen = rng.integers(50_000, size=20)
        networks.train_step(images[chosen], labels[chosen], sgd)
    apart = networks.accuracy(images[50_000:55_000], labels[50_000:55_000]).reshape(5, -1)
    tested = networks.accuracy(mnist.test_images / np.float32(255), mnist.test_labels).reshape(5, -1)
    return {"errors": 100 * (1 - tested[:, apart.mean(axis=0).argmax()])}


def by_layer(scheme: str, inputs: str) -> dict[str, np.ndarray]:
    """Standard deviations of each network's layers, (SEEDS, DEPTH), by what they are of."""
    rng = np.random.default_rng(0)
    mnist = open_dataset("mnist")
    x, labels = mnist.train_images[:300] / np.float64(255), mnist.train_labels[:300]
    if inputs == NORMAL:
        x, labels = rng.standard_normal((300, WIDTH)), rng.integers(10, size=300)
    sizes = [x.shape[1], *[WIDTH] * DEPTH, 10]
    measured = []
    for seed in range(SEEDS):
        network = Ensemble.from_schemes(sizes, [scheme], [seed], "tanh", "float64")
        measured += measure_layers(network, x, labels)
    return {
        "activations": np.array([[layer.std for layer in one] for one in measured]),
        "gradients": np.array([[layer.gradient_std for layer in one] for one in measured]),
        "weights": np.array([[layer.weight_gradient_std for layer in one] for one in measured]),
    }


def top_activations(steps: int) -> dict[str, np.ndarray]:
    """The mean activation of the top hidden layer every 100 steps, (5, times)."""
    mnist = open_dataset("mnist")
    images = mnist.train_images[:] / np.float32(255)
    networks = Ensemble.from_schemes([784, *[100] * 4, 10], [STANDARD] * 5, range(5), "sigmoid")
    sgd, rng, means = Optimizer("sgd", lr=1.0), np.random.default_rng(0), []
    for step in range(steps + 1):
        if step % 100 == 0:
            networks.forward(images[:300])
            means.append(networks.activations[-1].mean(axis=(1, 2)))
        chosen = rng.integers(len(images), size=10)
        networks.train_step(images[chosen], mnist.train_labels[chosen], sgd)
    return {"means": np.array(means).T}


@styled
def draw(found: dict[tuple[str, str], dict[str, np.ndarray]], means: np.ndarray) -> Figure:
    """Activations forward and gradients backward, layer by layer, on MNIST; and the top layer of sigmoids."""
    figure = Figure(figsize=(11, 3.5))
    headline(figure, "Standard weights lose signal and gradient; in sigmoid networks the top layer saturates")
    left, middle, right = figure.subplots(1, 3)
    for scheme, name in ((STANDARD, "standard"), (NORMALIZED, "normalized")):
        layers = np.arange(1, DEPTH + 1)
        for axes, what, first in ((left, "activations", 0), (middle, "gradients", -1)):
            values = found[scheme, PIXELS][what]
            mean_and_range(axes, layers, values / values[:, first, None], look(scheme), name)
            axes.set(xlabel="layer", yscale="log", ylim=(0.03, 1.5))
            axes.set_xticks(layers)
    mean_and_range(right, 100 * np.arange(means.shape[1]), means, Look("#000000", "o", "-"))
    left.set(ylabel="std of activations, first layer = 1", title="Forward, tanh")
    middle.set(ylabel="std of gradients, last layer = 1", title="Backward, tanh")
    right.set(xlabel="training step", ylabel="mean activation", ylim=(0, 0.55), title="Top sigmoid layer")
    left.legend(loc="lower left")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "glorot_2010", "Why deep networks were hard to train", __doc__, quick)
    pairs = [(scheme, inputs) for scheme in (STANDARD, NORMALIZED) for inputs in (PIXELS, NORMAL)]
    found = {pair: exhibit.kept(by_layer, *pair) for pair in pairs}
    means = exhibit.kept(top_activations, 4000)["means"]
    exhibit.figure("layers", pictures(draw(found, means)), CAPTION)

    def last_over_first(scheme: str, what: str) -> dict[str, np.ndarray]:
        return {
            inputs: found[scheme, inputs][what][:, -1] / found[scheme, inputs][what][:, 0]
            for inputs in INPUTS
        }

    def first_over_last(scheme: str, what: str) -> dict[str, np.ndarray]:
        return {inputs: 1 / ratio for inputs, ratio in last_over_first(scheme, what).items()}

    exhibit.claim(ACTIVATIONS, last_over_first(STANDARD, "activations"))
    exhibit.claim(LEVEL, last_over_first(NORMALIZED, "activations"))
    exhibit.claim(GRADIENTS, first_over_last(STANDARD, "gradients"))
    exhibit.claim(GRADIENTS_LEVEL, first_over_last(NORMALIZED, "gradients"))
    weights = {inputs: found[STANDARD, inputs]["weights"][:, 1:] for inputs in INPUTS}
    exhibit.claim(WEIGHTS, {inputs: one.max(axis=1) / one.min(axis=1) for inputs, one in weights.items()})
    exhibit.claim(SATURATION, means[:, 3])
    exhibit.claim(LEAVES, means[:, -1] - means.min(axis=1))
    errors = {one: exhibit.kept(test_errors, one, 500 if quick else 5000)["errors"] for one in NETWORKS}
    others = np.max([errors[one] for one in NETWORKS if one != "sigmoid"], axis=0)
    exhibit.claim(SIGMOID_WORST, errors["sigmoid"] - others)
    exhibit.claim(TANH_BETTER, errors["tanh"] - errors["tanh, normalized"])
    exhibit.claim(SOFTSIGN_SAME, errors["softsign"] - errors["softsign, normalized"])
    told = [{"network": one, "test_error": float(values.mean())} for one, values in errors.items()]
    exhibit.table("test_errors", told)
    rows = [
        {"scheme": scheme, "inputs": inputs, "layer": i + 1}
        | {what: float(one[:, i].mean()) for what, one in measured.items()}
        for (scheme, inputs), measured in found.items()
        for i in range(DEPTH)
    ]
    exhibit.table("layers", rows)
    top = [{"step": 100 * i, "top_mean": float(one)} for i, one in enumerate(means.mean(axis=0))]
    exhibit.table("top_activations", top)
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
