"""The activation histograms of Saito, "Deep Learning from Scratch", section 6.2.

1000 inputs of 100 features from N(0, 1) go through five untrained layers of 100 units without biases, for
four initial weight distributions and three activation functions; the outline is what mean-field theory
predicts for wide layers. `over_seeds.csv` holds the standard deviations of twenty such networks against
that prediction, with the spread that theory expects of networks of this width.

The book draws every histogram over (0, 1), which hides the negative half of tanh and every rectified value
above 1; here the range is the function's own, and the column `outside_0_1` tells what the book's range hides.

    python experiments/book_activation_histograms.py [RESULTS] [--quick]
"""

import numpy as np

from initlab import Scheme, histogram_figure, layer_panels
from initlab.analysis.claims import Claim
from initlab.plotting.marks import pictures
from initlab.runner.exhibits import Exhibit, run_script

SCHEMES = [Scheme.parse(text) for text in ("std=1", "std=0.01", "book:xavier", "he")]
SEEDS = 20
TITLES = {
    "sigmoid": "Sigmoid: std=1 saturates, std=0.01 makes all units alike, Xavier keeps a spread",
    "tanh": "Tanh: std=1 saturates, std=0.01 vanishes, Xavier narrows, He keeps most of its width",
    "relu": "ReLU: std=1 explodes, std=0.01 vanishes, Xavier fades, He holds its level",
}


SOURCE = "Saito, Deep Learning from Scratch, 6.2.2 and 6.2.3, figures 6-10 to 6-14"
SATURATED = Claim(
    "sigmoid_std1_saturates",
    "With std=1, sigmoid activations gather at 0 and 1",
    SOURCE,
    "the fraction of slopes below 5 % of the steepest, the smallest of the five layers",
    "gather: at least a third, where uniform activations would have 1 in 39",
    low=1 / 3,
)
ALIKE = Claim(
    "sigmoid_small_alike",
    "With std=0.01, sigmoid activations gather at 0.5: all units say the same",
    SOURCE,
    "the largest standard deviation of the layers' activations",
    "a tenth of what a uniform distribution over 0 to 1 has, .289",
    high=0.0289,
)
SPREAD = Claim(
    "sigmoid_xavier_spreads",
    "With Xavier's weights the spread of sigmoid activations is kept",
    SOURCE,
    "the standard deviation of the fifth layer's activations over the first's",
    "kept: at least half",
    low=0.5,
    lesson="The first layer has .21, the fifth .12: it narrows to 0.6 in one step and then stays, since the "
    "mean 1/2 of the activations feeds each layer. Hardly any of that spread is over inputs: see the "
    "experiment on sigmoid gradients.",
)
RELU_EXPLODES = Claim(
    "relu_std1_explodes",
    "With std=1, ReLU activations explode",
    SOURCE,
    "the factor by which a layer multiplies the standard deviation, geometric mean over layers 1 to 5",
    "theory: sqrt(100 / 2) = 7.07, give or take a tenth",
    low=6.4,
    high=7.8,
)
RELU_FADES = Claim(
    "relu_xavier_fades",
    "With Xavier's weights, ReLU activations fade as layers are added",
    SOURCE,
    "the factor by which a layer multiplies the standard deviation, geometric mean over layers 1 to 5",
    "theory: sqrt(1 / 2) = 0.71, give or take a tenth",
    low=0.64,
    high=0.78,
)
RELU_HOLDS = Claim(
    "relu_he_holds",
    "With He's weights, ReLU activations keep their spread in all layers",
    SOURCE,
    "the factor by which a layer multiplies the standard deviation, geometric mean over layers 1 to 5",
    "theory: 1; a sigma_w^2 of 1.8 in place of 2 would give 0.95",
    low=0.97,
    high=1.03,
)
TANH_BETTER = Claim(
    "tanh_xavier_keeps",
    "With tanh, Xavier's weights keep a bell of activations through the layers",
    SOURCE,
    "the standard deviation of the fifth layer's activations over the first's",
    "kept: at least half",
    low=0.5,
    lesson="It narrows with every layer, from .63 to about .3, and goes on narrowing: at sigma_w^2 = 1 tanh "
    "is critical, and the length falls like 1/sqrt(layers).",
)


def decide_all(exhibit: Exhibit, networks) -> None:
    """Hold the claims against the panels of each seed."""

    def of(activation, scheme, value):
        chosen = [
            [p for p in one if (p.activation, str(p.scheme)) == (activation, scheme)] for one in networks
        ]
        return [value(panels) for panels in chosen]

    def factor(panels):
        return (panels[-1].std / panels[0].std) ** (1 / (len(panels) - 1))

    def kept(panels):
        return panels[-1].std / panels[0].std

    one, small = "normal(std=1)", "normal(std=0.01)"
    exhibit.claim(SATURATED, of("sigmoid", one, lambda panels: min(p.saturated for p in panels)))
    exhibit.claim(ALIKE, of("sigmoid", small, lambda panels: max(p.std for p in panels)))
    exhibit.claim(SPREAD, of("sigmoid", "book:xavier", kept))
    exhibit.claim(TANH_BETTER, of("tanh", "book:xavier", kept))
    exhibit.claim(RELU_EXPLODES, of("relu", one, factor))
    exhibit.claim(RELU_FADES, of("relu", "book:xavier", factor))
    exhibit.claim(RELU_HOLDS, of("relu", "he", factor))


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "book_activation_histograms", "The book's histograms", __doc__, quick)
    store, rows = exhibit.store, []
    for activation, title in TITLES.items():
        panels = layer_panels(SCHEMES, [activation])
        figure = histogram_figure(panels, title)
        exhibit.figure(activation, pictures(figure), title)
        over_the_books_range = layer_panels(SCHEMES, [activation], edges=(0.0, 1.0))
        for panel, book in zip(panels, over_the_books_range, strict=True):
            rows.append([*_rounded(panel.numbers()).values(), f"{book.histogram.clipped:.4f}"])
    header = [*panels[0].numbers(), "outside_0_1"]
    store.write_table("statistics", header, rows)
    networks = [layer_panels(SCHEMES, list(TITLES), seed=seed) for seed in range(SEEDS)]
    store.write_table("over_seeds", OVER_SEEDS, over_seeds(networks))
    decide_all(exhibit, networks)
    exhibit.close()


OVER_SEEDS = [
    "activation",
    "scheme",
    "layer",
    "seeds",
    "std",
    "std_over_seeds",
    "predicted",
    "spread",
    "agrees",
]


def over_seeds(networks) -> list[list[str]]:
    """One row for each panel: do the networks' standard deviations agree with theory, within its spread?"""
    rows = []
    for same in zip(*networks, strict=True):
        stds, said = np.array([panel.std for panel in same]), same[0].predicted
        agrees = abs(stds.mean() - said.std) <= said.spread
        numbers = (stds.mean(), stds.std(ddof=1), said.std, said.spread)
        shown = [f"{number:.4g}" for number in numbers]
        rows.append([same[0].activation, str(same[0].scheme), same[0].layer, SEEDS, *shown, agrees])
    return rows


def _rounded(numbers: dict[str, float | int | str | None]) -> dict[str, str]:
    return {key: f"{value:.5g}" if isinstance(value, float) else str(value) for key, value in numbers.items()}


if __name__ == "__main__":
    run_script(main)
