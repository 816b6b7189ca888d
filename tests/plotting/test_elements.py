"""Parts of figures: names at the ends of curves keep their distance and order; a band holds all seeds."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from initlab.plotting.elements import label_ends, mean_and_range, pictures
from initlab.plotting.style import look


def drawn(ends, **limits):
    axes = Figure().add_subplot()
    for end in ends:
        mean_and_range(axes, [0, 1], [[1, end], [1, end]], look("he"), f"ends at {end}")
    axes.set(**limits)
    label_ends(axes, gap=0.1)
    return {text.get_text(): text.get_position()[1] for text in axes.texts}


def test_a_name_stands_where_its_curve_ends():
    places = drawn([0.25, 0.75], ylim=(0, 1))
    assert places["ends at 0.25"] == pytest.approx(0.25)
    assert places["ends at 0.75"] == pytest.approx(0.75)
    assert drawn([10.0], ylim=(1, 100), yscale="log")["ends at 10.0"] == pytest.approx(0.5)


@pytest.mark.parametrize("ends", [(0.5, 0.51, 0.52), (0.99, 1.0, 0.98), (7.0, 1.0, 0.5)])
def test_names_keep_their_distance_and_order(ends):
    places = drawn(ends, ylim=(0, 1))
    heights = [places[f"ends at {end}"] for end in sorted(ends)]
    assert np.all(np.diff(heights) >= 0.1 - 1e-9)
    assert max(heights) <= 1


def test_a_band_runs_from_the_smallest_seed_to_the_largest():
    axes = Figure().add_subplot()
    mean_and_range(axes, [0, 1], [[0, 1], [2, 5]], look("he"))
    (line,), (band,) = axes.get_lines(), axes.collections
    assert line.get_ydata().tolist() == [1, 3]
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (0, 5)


def test_a_figure_comes_as_png_and_svg():
    shown = pictures(Figure())
    assert shown["png"].startswith(b"\x89PNG")
    assert b"<svg" in shown["svg"]
