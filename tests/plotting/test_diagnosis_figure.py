"""The picture of a diagnosis: every layer is drawn, ill ones by another mark, infinite ones at the edge."""

import numpy as np
import pytest

from initlab.plotting.diagnosis import diagnosis_figure
from initlab.plotting.style import render

WELL = {"signal": 1.0, "gradient": 1.0, "difference": 0.9, "saturated": 0.0, "dead": 0.0, "distinct": 1.0}


def points(figure, panel, label):
    (line,) = [line for line in figure.axes[panel].lines if line.get_label() == label]
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_ill_layers_have_a_mark_of_their_own():
    figure = diagnosis_figure([WELL, WELL | {"signal": 1e-4}, WELL | {"signal": np.inf}], "abc", "title")
    assert points(figure, 0, "measured") == [(0, 1.0)]
    assert points(figure, 0, "beyond the limit") == [(1, 1e-4), (2, 1e45)]
    assert points(figure, 1, "measured") == [(0, 1.0), (1, 1.0), (2, 1.0)]


def test_what_theory_says_is_a_line():
    figure = diagnosis_figure([WELL, WELL], "ab", "title", {"gradient": [0.5, 1.0], "signal": [np.nan] * 2})
    assert points(figure, 1, "predicted") == [(0, 0.5), (1, 1.0)]
    with pytest.raises(ValueError, match="not enough values"):
        points(figure, 0, "predicted")


@pytest.mark.parametrize("layers", [1, 24, 25, 300])
def test_names_never_overlap(layers):
    figure = diagnosis_figure([WELL] * layers, [f"encoder.block{i}.layer$" for i in range(layers)], "title")
    labels = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert len(labels) <= 24
    assert all(len(label) <= 23 for label in labels)


def test_the_names_of_the_axes_do_not_overlap_below_a_long_title():
    figure = diagnosis_figure([WELL], ["encoder.block.attention.linear"], "a long title " * 20)
    render(figure, "png")
    first, second, third = (axes.yaxis.label.get_window_extent() for axes in figure.axes)
    assert first.y0 > second.y1 > second.y0 > third.y1
