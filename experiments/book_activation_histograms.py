"""The activation histograms of Saito, "Deep Learning from Scratch", section 6.2.

1000 inputs of 100 features from N(0, 1) go through five untrained layers of 100 units without biases, for
four initial weight distributions and three activation functions; the outline is what mean-field theory
predicts for wide layers. The book draws every histogram over (0, 1), which hides the negative half of tanh
and every rectified value above 1; here the range is the function's own, and the column `outside_0_1` tells
what the book's range hides.

    python experiments/book_activation_histograms.py [RESULTS]
"""

import sys

from initlab import Scheme, Store, activation_panels, histogram_figure, render

SCHEMES = [Scheme.parse(text) for text in ("std=1", "std=0.01", "book:xavier", "he")]
TITLES = {
    "sigmoid": "Sigmoid: std=1 saturates, std=0.01 makes all units alike, Xavier keeps a spread",
    "tanh": "Tanh: std=1 saturates, std=0.01 vanishes, Xavier narrows, He keeps most of its width",
    "relu": "ReLU: std=1 explodes, std=0.01 vanishes, Xavier fades, He holds its level",
}


def main(results: str = "results") -> None:
    store = Store(results, "book_activation_histograms")
    rows = []
    for activation, title in TITLES.items():
        panels = activation_panels(SCHEMES, [activation])
        figure = histogram_figure(panels, title)
        store.write_figure(activation, {suffix: render(figure, suffix) for suffix in ("png", "svg")})
        over_the_books_range = activation_panels(SCHEMES, [activation], edges=(0.0, 1.0))
        for panel, book in zip(panels, over_the_books_range, strict=True):
            rows.append([*_rounded(panel.numbers()).values(), f"{book.histogram.clipped:.4f}"])
    header = [*panels[0].numbers(), "outside_0_1"]
    store.write_table("statistics", header, rows)


def _rounded(numbers: dict[str, float | int | str | None]) -> dict[str, str]:
    return {key: f"{value:.5g}" if isinstance(value, float) else str(value) for key, value in numbers.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
