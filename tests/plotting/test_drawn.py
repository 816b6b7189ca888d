"""The table of a figure holds the numbers that were drawn, under the names that a reader sees."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from initlab.plotting.drawn import drawn
from initlab.plotting.elements import mean_and_range
from initlab.plotting.style import look

CURVES = np.array([[1.0, 2.0, 4.0], [3.0, 2.0, 1.0]])


def rows_of(figure, **wanted):
    header, rows = drawn(figure)
    tables = [dict(zip(header, row, strict=True)) for row in rows]
    return [row for row in tables if all(row[key] == value for key, value in wanted.items())]


def panels(count):
    figure = Figure()
    return figure, figure.subplots(1, count, squeeze=False)[0]


def test_a_mean_and_its_range_are_a_line_and_a_band_of_one_name():
    figure, (axes,) = panels(1)
    mean_and_range(axes, [0, 10, 20], CURVES, look("he"), "He")
    assert [(row["series"], row["x"], row["y"]) for row in rows_of(figure, part="line")] == [
        ("He", 0, 2),
        ("He", 10, 2),
        ("He", 20, 2.5),
    ]
    band = [(row["series"], row["x"], row["low"], row["high"]) for row in rows_of(figure, part="band")]
    assert band == [("He", 0, 1, 3), ("He", 10, 2, 2), ("He", 20, 1, 4)]


def test_a_panel_without_labels_has_the_names_of_another_one():
    figure, (left, right) = panels(2)
    left.set_title("Forward")
    left.plot([0, 1], [1, 2], color="#0072b2", label="he")
    right.plot([0, 1], [3, 4], color="#0072b2")
    right.plot([0, 1], [5, 6], color="#0072b2", linestyle=":")
    names = [(row["panel"], row["series"]) for row in rows_of(figure, x=0)]
    assert names == [("1: Forward", "he"), ("2", "he"), ("2", "#0072b2")]


def test_a_colour_of_two_names_names_no_band():
    figure, (axes,) = panels(1)
    axes.plot([0, 1], [1, 2], color="#0072b2", label="he")
    axes.plot([0, 1], [1, 2], color="#0072b2", linestyle="--", label="xavier")
    axes.fill_between([0, 1], [1, 2], [3, 4], color="#0072b2", alpha=0.2)
    assert {row["series"] for row in rows_of(figure, part="band")} == {"#0072b2"}
    assert {row["series"] for row in rows_of(figure, part="line")} == {"he", "xavier"}


def test_guides_from_edge_to_edge_and_colour_bars_are_no_data():
    figure, (axes,) = panels(1)
    axes.axhline(1)
    axes.axvline(1)
    axes.axline((0, 0), slope=1)
    axes.axvspan(0, 1)
    figure.colorbar(axes.pcolormesh([[1.0, 2.0], [3.0, np.nan]]))
    header, rows = drawn(figure)
    assert header == ["part", "x", "y", "value"]
    assert rows[:3] == [["map", 0.5, 0.5, 1], ["map", 1.5, 0.5, 2], ["map", 0.5, 1.5, 3]]
    assert len(rows) == 4


@pytest.mark.parametrize(("bars", "along"), [("yerr", "y"), ("xerr", "x")])
def test_error_bars_have_both_ends_and_their_label(bars, along):
    figure, (axes,) = panels(1)
    axes.errorbar([1, 2], [5, 6], **{bars: [0.5, 1]}, label="he", color="#0072b2")
    first, second = rows_of(figure, part=f"error bar along {along}")
    middle = 5 if along == "y" else 1
    assert (first["low"], first["high"], first["series"]) == (middle - 0.5, middle + 0.5, "he")
    assert second["high"] - second["low"] == 2
    assert {row["series"] for row in rows_of(figure, part="line")} == {"he"}


def test_bars_histograms_and_points():
    figure, (left, middle, right) = panels(3)
    left.barh([0, 1], [5, 6], height=0.5)
    middle.stairs([1, 2], [0, 1, 3], fill=True, color="#0072b2")
    middle.stairs([2, 1], [0, 1, 3], color="#000000")
    right.scatter([1, 2], [3, 4], label="he")
    assert [(row["y"], row["low"], row["high"]) for row in rows_of(figure, part="bar")] == [
        (0, 0, 5),
        (1, 0, 6),
    ]
    steps = [(row["y"], row["low"], row["high"]) for row in rows_of(figure, series="#0072b2")]
    assert steps == [(1, 0, 1), (2, 1, 3)]
    assert [row["y"] for row in rows_of(figure, series="#000000")] == [2, 1]
    points = [(row["series"], row["x"], row["y"]) for row in rows_of(figure, part="points")]
    assert points == [("he", 1, 3), ("he", 2, 4)]


def test_an_axis_of_names_names_each_place():
    figure, (left, right) = panels(2)
    left.imshow([[1.0, 2.0], [3.0, 4.0]])
    left.set_xticks([0, 1], ["he\n", "xavier"])
    left.set_yticks([0, 1], ["10", "30"])
    right.plot([10, 11], [0.2, 0.9])
    right.set_xticks([10, 11], ["10", "11"])
    cells = [(row["x_name"], row["y_name"], row["value"]) for row in rows_of(figure, part="map")]
    assert cells == [("he", "10", 1), ("xavier", "10", 2), ("he", "30", 3), ("xavier", "30", 4)]
    assert {row["x_name"] for row in rows_of(figure, part="line")} == {None}


def test_a_panel_is_called_by_its_label_or_title_or_y_axis():
    figure, axes = panels(3)
    for each in axes:
        each.plot([0], [1])
        each.set_ylabel("loss")
    axes[0].set(title="mean 0.1", label="he, layer 1")
    axes[1].set(title="ReLU")
    assert [row["panel"] for row in rows_of(figure)] == ["1: he, layer 1", "2: ReLU", "3: loss"]
