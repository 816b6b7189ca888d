"""Parts of figures: a mean with its range, names at the ends of curves, a headline; and pictures as bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from initlab.plotting.style import Look, as_written, plain, render
from initlab.plotting.text import width, wrapped

SUFFIXES = ("png", "svg")

_HEADLINE = 11  # points
# In inches.
_MARGIN = 0.2
_WIDEST_TITLE = 6.3
_WIDEST_LABEL = 3.0
_MOST_LARGE = 15  # entries of a legend in large letters
_HANDLE = 0.7  # the width of a legend without its texts, in inches
_AXES = 0.6  # of the figure's width that a legend leaves to the axes
_LINE = 1.5  # the height of a legend's line, in heights of its letters


def pictures(figure: Figure) -> dict[str, bytes]:
    """The figure as PNG and SVG, by suffix."""
    return {suffix: render(figure, suffix) for suffix in SUFFIXES}


def headline(figure: Figure, finding: str) -> None:
    """Write a headline above all panels.

    Args:
        figure: with or without panels yet.
        finding: what the panels show, as a sentence.
    """
    room = figure.get_figwidth() - _MARGIN
    lines = wrapped(finding, room, _HEADLINE, "bold")
    figure.suptitle(plain(lines), x=0.01, ha="left", fontsize=_HEADLINE, fontweight="bold")


def axes_title(axes: Axes, finding: str) -> None:
    """Write a headline above the panel of a figure that has one.

    Args:
        axes: the panel.
        finding: what it shows, as a sentence.
    """
    axes.set_title(plain(wrapped(finding, _WIDEST_TITLE, 10, "bold")))


def within(axes: Axes, **options: Any) -> None:
    """A legend of the labelled lines within the axes, if there are any.

    Args:
        axes: with the lines.
        options: of matplotlib's legend.
    """
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, [_lines(label, 9) for label in labels], **options)


def beside(axes: Axes, size: float = 9, title: str = "", more: Sequence[Artist] = ()) -> None:
    """A legend of the labelled lines beside the axes, if there are any; the figure grows to hold it.

    Args:
        axes: with the lines.
        size: of the font, in points; 7 is the most for more than fifteen lines.
        title: of the legend.
        more: entries behind those of the lines.
    """
    handles, labels = axes.get_legend_handles_labels()
    handles, labels = [*handles, *more], [*labels, *(str(each.get_label()) for each in more)]
    if not handles:
        return
    figure = axes.figure
    assert isinstance(figure, Figure)
    size = size if len(labels) <= _MOST_LARGE else min(size, 7)
    lines = [_lines(label, size) for label in labels]
    height = _LINE * size * ("\n".join(lines).count("\n") + 2) / 72
    widest = max(width(as_written(line), size) for label in lines for line in label.split("\n"))
    wide, high = figure.get_size_inches()
    figure.set_size_inches(max(wide, _AXES * wide + widest + _HANDLE), max(high, height + 2 * _MARGIN))
    figure.legend(handles, lines, loc="outside right upper", fontsize=size, title=title)


def _lines(label: str, size: float) -> str:
    """A label in lines as wide as a legend may be."""
    return plain(wrapped(as_written(label), _WIDEST_LABEL, size))


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
