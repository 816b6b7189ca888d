"""Parts of figures: a mean with its range, names at the ends of curves, a headline; and pictures as bytes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from initlab.plotting.style import Look, plain, render

SUFFIXES = ("png", "svg")


def pictures(figure: Figure) -> dict[str, bytes]:
    """The figure as PNG and SVG, by suffix."""
    return {suffix: render(figure, suffix) for suffix in SUFFIXES}


def headline(figure: Figure, finding: str) -> None:
    """Write a headline above all panels.

    Args:
        figure: with or without panels yet.
        finding: what the panels show, as a sentence.
    """
    figure.suptitle(plain(finding), x=0.01, ha="left", fontsize=11, fontweight="bold")


def mean_and_range(
    axes: Axes, x: ArrayLike, curves: ArrayLike, style: Look, label: str = "", every: int | None = None
) -> None:
    """Draw the mean over seeds, with markers, and a band from the smallest to the largest.

    Args:
        axes: to draw on.
        x: (T,).
        curves: (seeds, T).
        style: of the scheme.
        label: for a legend, or `label_ends`; without it, the line appears in neither.
        every: the number of points between two markers; by default a line has ten markers or a few more.
    """
    values = np.asarray(curves)
    lowest, highest = values.min(axis=0), values.max(axis=0)
    axes.fill_between(np.asarray(x), lowest, highest, color=style.color, alpha=0.2, linewidth=0)
    axes.plot(
        np.asarray(x),
        values.mean(axis=0),
        color=style.color,
        linestyle=style.dash,
        marker=style.marker,
        markevery=every or max(1, values.shape[1] // 10),
        label=plain(label) or None,
    )


def label_ends(axes: Axes, gap: float = 0.065) -> None:
    """Write each labelled line's name where the line ends, in its colour, instead of a legend.

    Call it after limits and scales are set, because the places depend on them.

    Args:
        axes: with the lines.
        gap: the smallest distance between two names, as a fraction of the axes' height.
    """
    lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
    ends = np.array([np.asarray(line.get_xydata())[-1] for line in lines])
    heights = (axes.transScale + axes.transLimits).transform(ends)[:, 1]
    places = _spaced(heights, gap)
    for line, height in zip(lines, places, strict=True):
        name, color = str(line.get_label()), line.get_color()
        axes.text(1.015, height, name, color=color, va="center", transform=axes.transAxes)


def _spaced(heights: ArrayLike, gap: float) -> list[float]:
    """The heights moved into 0 to 1, in the same order, no two closer than the gap.

    One pass upward pushes each name above the one below; a second pass downward pushes back below 1.
    """
    order = np.argsort(heights, kind="stable")
    moved = np.clip(np.asarray(heights, np.float64)[order], 0, 1)
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + gap)
    ceiling = 1.0
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], ceiling)
        ceiling = moved[i] - gap
    places = np.empty_like(moved)
    places[order] = moved
    return [float(place) for place in places]
