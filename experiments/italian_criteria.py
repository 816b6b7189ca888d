"""An Italian article's criteria for a valid initialization, held against its own recommendations.

Semih Gülüm's "Inizializzazione dei pesi" (in Italian on the web) asks how one can tell that an
initialization is valid: smaller losses, most sigmoid or tanh units not saturated, no explosion with ReLU,
gradients of similar size in all layers; and to find one, activations of mean zero and of a variance that is
level through the layers. Its networks have ReLU layers of 128, and Keras' initializers; `RandomNormal` is
N(0, 0.05^2) there, not the 0.01 of its text. Here networks of 128 units on MNIST, untrained, are measured
over ten seeds on 500 images; those of the last claim are trained by 300 steps of gradient descent, rate 0.1,
batches of 100, over five seeds. "Similar" and "explode" are a factor e^6 = 403 in mean squares, as in
`initlab diagnose`, whose answers for the same networks are in `answers.csv`. The article tests no network,
and names no depth.

    python experiments/italian_criteria.py [RESULTS] [--quick]
"""

import math

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from initlab import (
    Ensemble,
    Optimizer,
    Purpose,
    Scheme,
    diagnose,
    measure_layers,
    open_dataset,
    stream,
)
from initlab.analysis.claims import Claim
from initlab.analysis.measure import LayerStatistics
from initlab.data.inputs import prepare_inputs
from initlab.nn.losses import cross_entropy
from initlab.plotting.marks import headline, pictures
from initlab.plotting.style import distinct_looks, styled
from initlab.runner.exhibits import Exhibit, run_script

ARTICLE = "Semih Gülüm, Inizializzazione dei pesi"
WIDTH, FAR = 128, math.exp(6)
RECOMMENDED = (("he", "relu"), ("xavier", "tanh"), ("xavier", "sigmoid"))
RANDOM = (("std=0.01", "relu"), ("std=0.01", "tanh"), ("std=0.05", "relu"), ("std=0.05", "tanh"))
TITLE = "He and Xavier hold gradients level, but not with the sigmoid; only tanh has means near zero"

VALID = Claim(
    "recommended_are_valid",
    "Xavier's weights with tanh or sigmoid, and He's with ReLU, saturate few units, do not explode, and have "
    "gradients of similar size in all layers",
    ARTICLE + ", sections 3 and 4, and its questions",
    "the worst of: half the units saturated, signals and gradients apart by e^6; as a fraction of that limit",
    "all three limits are kept",
    high=1,
    lesson="He's rule was derived for ReLU and Xavier's for slopes of 1. The sigmoid's slope is at most 1/4: "
    "each layer keeps a sixteenth of the squared gradient, and five are too many.",
)
RANDOM_FAILS = Claim(
    "random_breaks_down",
    "Random normal weights of a small standard deviation break down in deep networks: gradients drop to zero",
    ARTICLE + ", section 3",
    "the largest mean square gradient of a layer over the smallest, 10 layers",
    "more than a factor e^6, six depth scales",
    low=FAR,
    lesson="Not any small number is too small: what counts is its square times the width. A layer of 128 "
    "with 0.05, Keras' default, has sigma_w^2 = 0.32, with 0.01 it has 0.013.",
)
MEAN = Claim(
    "mean_activation_zero",
    "The mean of the activations is near zero, as a good initialization should have it",
    ARTICLE + ", its questions",
    "|mean| over standard deviation of a layer's activations, mean over 5 layers",
    "near: within a quarter of a standard deviation, somewhat more than chance leaves of 128 units",
    high=0.25,
    lesson="No initial weights give it to ReLU or sigmoid, whose activations are positive. Test the "
    "pre-activations instead, as `initlab diagnose` does.",
)
LEVEL = Claim(
    "variance_level",
    "The variance of the activations stays the same from layer to layer, as it should",
    ARTICLE + ", its questions",
    "the largest variance over inputs of a layer's activations over the smallest, 5 layers",
    "the same within a factor of 3",
    high=3,
    lesson="Xavier counts on slopes of 1, and tanh flattens what is large. He holds mean squares level, on "
    "the average over draws. Sigmoids lose what differs between inputs.",
)
LOSS = Claim(
    "he_smaller_losses",
    "With ReLU, He's weights lead to a smaller loss on test images than RandomNormal's",
    ARTICLE + ", its questions; for Keras' default of 0.05",
    "the test loss from He's weights over that from std=0.05, after 300 steps",
    "smaller: below 1",
    high=1,
    lesson="In a network of one hidden layer on 784 pixels He's standard deviation is 0.0505, the same; what "
    "differs are the output weights alone. More layers of 128 make the difference larger.",
)


def measured(scheme: str, activation: str, depth: int, seeds: int) -> list[list[LayerStatistics]]:
    """The layers of untrained networks on the first 500 images."""
    dataset = open_dataset("mnist")
    images = prepare_inputs("unit", dataset)(dataset.train_images[:500], "float64")
    sizes = [784, *[WIDTH] * depth, 10]
    ensemble = Ensemble.from_schemes(sizes, [scheme] * seeds, range(seeds), activation, "float64")
    return measure_layers(ensemble, images, dataset.train_labels[:500])


def ratio(values: list[float]) -> float:
    """Largest over smallest."""
    return max(values) / min(values)


def gradient_ratio(layers: list[LayerStatistics]) -> float:
    """Of mean squares, over the layers."""
    return ratio([layer.gradient_std**2 for layer in layers])


def gradient_share(layers: list[LayerStatistics], i: int) -> float:
    """Of layer i, relative to the last one's."""
    return layers[i].gradient_std / layers[-1].gradient_std


def worst(layers: list[LayerStatistics]) -> float:
    """Saturation, growth and inequality of gradients, each over its limit: the largest of them."""
    bounded = math.isfinite(layers[0].activation.bounds[1])
    saturated = max(layer.saturated for layer in layers) / 0.5 if bounded else 0.0
    growth = max(layer.length for layer in layers) / layers[0].length / FAR
    return max(saturated, growth, gradient_ratio(layers) / FAR)


def mean_size(layers: list[LayerStatistics]) -> float:
    """`|mean| / std`, the mean over layers."""
    return float(np.mean([abs(layer.mean) / layer.std for layer in layers]))


def variance_ratio(layers: list[LayerStatistics]) -> float:
    """Of the activations over inputs."""
    return ratio([over_inputs(layer) for layer in layers])


def over_inputs(layer: LayerStatistics) -> float:
    """The variance of a unit's activation over the inputs, mean over units."""
    return float(layer.activations.var(axis=0).mean())


def loss_ratio(depth: int, steps: int, seeds: int = 5) -> list[float]:
    """The test loss from He's weights over that from std=0.05, for each seed, on the same batches."""
    dataset = open_dataset("mnist")
    prepare = prepare_inputs("unit", dataset)
    sizes, both = [784, *[WIDTH] * depth, 10], ["he"] * seeds + ["std=0.05"] * seeds
    ensemble = Ensemble.from_schemes(sizes, both, [*range(seeds)] * 2)
    sgd, batches = Optimizer("sgd", lr=0.1), [stream(seed, Purpose.BATCHES) for seed in range(seeds)]
    for _ in range(steps):
        chosen = np.stack([rng.integers(len(dataset.train_labels), size=100) for rng in batches] * 2)
        images = prepare(dataset.train_images[chosen], "float32")
        ensemble.train_step(images, dataset.train_labels[chosen], sgd)
    logits = ensemble.forward(prepare(dataset.test_images[:5000], "float32"))
    losses = cross_entropy(logits, dataset.test_labels[:5000])[0]
    return (losses[:seeds] / losses[seeds:]).tolist()


def answers(scheme: str, activation: str, depth: int) -> list[dict]:
    """What `initlab diagnose` answers to each of its questions."""
    dataset = open_dataset("mnist")
    images = prepare_inputs("unit", dataset)(dataset.train_images[:500], "float64")
    said = diagnose(Scheme.parse(scheme), activation, [WIDTH] * depth, images, dataset.train_labels[:500])
    network = {"scheme": scheme, "activation": activation, "depth": depth, "verdict": said.verdict}
    return [
        network | {"question": one.criterion.question, "number": one.number, "met": one.met}
        for one in said.answers
    ]


@styled
def criteria_figure(networks: dict[str, list[list[LayerStatistics]]]) -> Figure:
    """Gradients, means and spreads of the activations against layers, the mean over seeds."""
    figure = Figure(figsize=(11, 4.4))
    headline(figure, TITLE)
    panels = {
        "rms gradient, relative to the last layer's": gradient_share,
        "|mean| / std of activations": lambda layers, i: abs(layers[i].mean) / layers[i].std,
        "std of activations over inputs": lambda layers, i: over_inputs(layers[i]) ** 0.5,
    }
    looks = distinct_looks([str(Scheme.parse(name.split(",")[0])) for name in networks])
    for axes, (label, number) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for (name, seeds), look in zip(networks.items(), looks, strict=True):
            depth = len(seeds[0])
            means = [np.mean([number(layers, i) for layers in seeds]) for i in range(depth)]
            style = {"color": look.color, "linestyle": look.dash, "marker": look.marker}
            axes.plot(range(1, depth + 1), means, markersize=4, label=name, **style)
        axes.set(xlabel="layer", ylabel=label, yscale="log")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@threadpool_limits.wrap(limits=1)
def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "italian_criteria", "The criteria of an Italian article", __doc__, quick)
    seeds = 5 if quick else 10
    networks = {
        (*network, depth): measured(*network, depth, seeds)
        for network in (*RECOMMENDED, *RANDOM)
        for depth in (5, 10)
    }
    deep = {f"{scheme}, {name}": layers for (scheme, name, depth), layers in networks.items() if depth == 10}
    figure = criteria_figure(deep)
    exhibit.figure("criteria", pictures(figure), f"{TITLE}. Ten layers of {WIDTH}; means over seeds.")

    def of(number, chosen, *depths):
        return {
            f"{scheme}, {activation}, {depth} layers": [
                number(layers) for layers in networks[scheme, activation, depth]
            ]
            for scheme, activation in chosen
            for depth in depths
        }

    exhibit.claim(VALID, of(worst, RECOMMENDED, 5, 10))
    exhibit.claim(RANDOM_FAILS, of(gradient_ratio, RANDOM, 10))
    exhibit.claim(MEAN, of(mean_size, RECOMMENDED, 5))
    exhibit.claim(LEVEL, of(variance_ratio, RECOMMENDED, 5))
    steps = 50 if quick else 300
    exhibit.claim(LOSS, {f"{depth} layers": loss_ratio(depth, steps) for depth in (1, 5)})
    exhibit.table("answers", [row for network in networks for row in answers(*network)])
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
