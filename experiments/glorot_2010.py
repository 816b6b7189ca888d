"""Why deep networks were hard to train: Glorot & Bengio 2010.

Glorot & Bengio, Understanding the difficulty of training deep feedforward networks. Five hidden layers of
200 units (the paper: 1000), inputs N(0, 1), ten classes at random; `classic` weights U(+-1/sqrt(n)), which
the paper calls standard, against its normalized ones, `xavier_uniform`; ten networks each before training.
For the saturation of sigmoids, five networks of 100x4 take 300 steps on MNIST at rate 0.1 from `classic`
weights.

    python experiments/glorot_2010.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Optimizer, measure_layers, open_dataset, render
from initlab.analysis.claims import Claim
from initlab.plotting.style import look, plain, styled
from initlab.runner.exhibits import Exhibit, run_script

SOURCE = "Glorot & Bengio 2010"
SEEDS, DEPTH, WIDTH = 10, 5, 200
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
    lesson="They shrink less, but they do: sigma_w^2 = 1 is critical for tanh, where the length "
    "still falls like 1/sqrt(layers), because the slope is 1 at 0 alone.",
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
    lesson="Five times better than from the standard weights, but not level: slopes of tanh below 1 "
    "take their toll in each layer.",
)
WEIGHTS = Claim(
    "weight_gradients_level",
    "Gradients on the weights are as large in all layers, even where back-propagated ones vanish",
    f"{SOURCE}, section 4.2.2, figure 8",
    "standard weights: the standard deviation of gradients on the second layer's weights over the fifth's",
    "as large: a factor within 0.5 and 2",
    low=0.5,
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
    lesson="Not in this setting, where nothing at all happens in 300 steps: the gradient hardly "
    "reaches the layers below the top. The paper saw it in wider networks, on other images "
    "and over many epochs, which we did not follow.",
)


def ratios(scheme: str) -> dict[str, list[float]]:
    """Last layer over first for activations, first over last for gradients, of each network."""
    rng = np.random.default_rng(0)
    inputs, labels = rng.standard_normal((300, WIDTH)), rng.integers(10, size=300)
    sizes = [WIDTH] * (DEPTH + 1) + [10]
    networks = Ensemble.from_schemes(sizes, [scheme] * SEEDS, range(SEEDS), "tanh", "float64")
    measured = measure_layers(networks, inputs, labels)
    return {
        "activations": [one[-1].std / one[0].std for one in measured],
        "gradients": [one[0].gradient_std / one[-1].gradient_std for one in measured],
        "weights": [one[1].weight_gradient_std / one[-1].weight_gradient_std for one in measured],
        "by_layer": [[layer.std for layer in one] for one in measured],
        "gradients_by_layer": [[layer.gradient_std for layer in one] for one in measured],
    }


def top_activations(steps: int) -> np.ndarray:
    """The mean activation of each hidden layer after training, (5, layers)."""
    mnist = open_dataset("mnist")
    images = mnist.train_images[:10_000] / np.float32(255)
    networks = Ensemble.from_schemes([784, *[100] * 4, 10], [STANDARD] * 5, range(5), "sigmoid")
    sgd, rng = Optimizer("sgd", lr=0.1), np.random.default_rng(0)
    for _ in range(steps):
        chosen = rng.integers(len(images), size=50)
        networks.train_step(images[chosen], mnist.train_labels[chosen], sgd)
    networks.forward(images[:300])
    return np.array([a.mean(axis=(1, 2)) for a in networks.activations]).T


@styled
def draw(found: dict[str, dict[str, list[float]]]) -> Figure:
    """Activations forward and gradients backward, layer by layer."""
    figure = Figure(figsize=(8.6, 3.6))
    left, right = figure.subplots(1, 2)
    for scheme, one in found.items():
        style = look(scheme)
        for axes, name in ((left, "by_layer"), (right, "gradients_by_layer")):
            values = np.array(one[name])
            values = values / values[:, :1] if axes is left else values / values[:, -1:]
            layers = np.arange(1, DEPTH + 1)
            axes.errorbar(
                layers,
                values.mean(axis=0),
                values.std(axis=0),
                color=style.color,
                linestyle=style.dash,
                marker=style.marker,
                label=plain(scheme),
            )
    for axes in (left, right):
        axes.set(xlabel="layer", ylim=(0, None))
        axes.set_xticks(layers)
    left.set_ylabel("std of activations, first layer = 1")
    right.set_ylabel("std of gradients, last layer = 1")
    left.set_title("Standard weights lose the signal")
    right.set_title("and the gradient")
    left.legend(loc="lower left")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "glorot_2010", "Why deep networks were hard to train", __doc__, quick)
    found = {scheme: ratios(scheme) for scheme in (STANDARD, NORMALIZED)}
    figure = draw(found)
    caption = "tanh layers of 200 before training: the mean of ten networks, bars one standard deviation."
    exhibit.figure("layers", {suffix: render(figure, suffix) for suffix in ("png", "svg")}, caption)
    exhibit.claim(ACTIVATIONS, found[STANDARD]["activations"])
    exhibit.claim(LEVEL, found[NORMALIZED]["activations"])
    exhibit.claim(GRADIENTS, found[STANDARD]["gradients"])
    exhibit.claim(GRADIENTS_LEVEL, found[NORMALIZED]["gradients"])
    exhibit.claim(WEIGHTS, found[STANDARD]["weights"])
    means = top_activations(300)
    exhibit.claim(SATURATION, means[:, -1].tolist())
    rows = [
        {"scheme": scheme, "layer": i + 1, "std": float(np.mean(one, axis=0)[i])}
        for scheme, ratios_ in found.items()
        for one in [ratios_["by_layer"]]
        for i in range(DEPTH)
    ]
    exhibit.table("layers", rows)
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
