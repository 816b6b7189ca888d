"""The activation histograms of Saito, "Deep Learning from Scratch", section 6.2.

1000 inputs of 100 features from N(0, 1) go through five untrained layers of 100 units without biases, for
four initial weight distributions and three activation functions; the outline is what mean-field theory
predicts for wide layers. `over_seeds.csv` holds the standard deviations of twenty such networks against
that prediction, with the spread that theory expects of networks of this width.

The book draws every histogram over (0, 1), which hides the negative half of tanh and every rectified value
above 1; here the range is the function's own, and the column `outside_0_1` tells what the book's range hides.

    python experiments/book_activation_histograms.py [RESULTS]
"""

import sys

import numpy as np

from initlab import Scheme, Store, histogram_figure, layer_panels, render

SCHEMES = [Scheme.parse(text) for text in ("std=1", "std=0.01", "book:xavier", "he")]
SEEDS = 20
TITLES = {
    "sigmoid": "Sigmoid: std=1 saturates, std=0.01 makes all units alike, Xavier keeps a spread",
    "tanh": "Tanh: std=1 saturates, std=0.01 vanishes, Xavier narrows, He keeps most of its width",
    "relu": "ReLU: std=1 explodes, std=0.01 vanishes, Xavier fades, He holds its level",
}


def main(results: str = "results") -> None:
    store = Store(results, "book_activation_histograms")
    rows = []
    for activation, title in TITLES.items():
        panels = layer_panels(SCHEMES, [activation])
        figure = histogram_figure(panels, title)
        store.write_figure(activation, {suffix: render(figure, suffix) for suffix in ("png", "svg")})
        over_the_books_range = layer_panels(SCHEMES, [activation], edges=(0.0, 1.0))
        for panel, book in zip(panels, over_the_books_range, strict=True):
            rows.append([*_rounded(panel.numbers()).values(), f"{book.histogram.clipped:.4f}"])
    header = [*panels[0].numbers(), "outside_0_1"]
    store.write_table("statistics", header, rows)
    store.write_table("over_seeds", OVER_SEEDS, over_seeds())


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


def over_seeds() -> list[list[str]]:
    """One row for each panel: do the networks' standard deviations agree with theory, within its spread?"""
    networks = [layer_panels(SCHEMES, list(TITLES), seed=seed) for seed in range(SEEDS)]
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
    main(*sys.argv[1:])
