"""Parts of figures: a mean with its range, names at the ends of curves, a headline; and pictures as bytes."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from initlab.plotting.style import Figure as OwnFigure
from initlab.plotting.style import Look, as_written, letters, plain, points, render
from initlab.plotting.text import width, wrapped

SUFFIXES = ("png", "svg")

_HEADLINE = 11  # points
# In inches.
_MARGIN = 0.2
_WIDEST_TITLE = 6.3
_WIDEST_LABEL = 3.0
_BESIDE_TITLE = 0.3  # the names and numbers of the vertical axis
_MOST_LARGE = 15  # entries of a legend in large letters
_HANDLE = 0.7  # the width of a legend without its texts, in inches
_AXES = 0.6  # of the figure's width that a legend leaves to the axes
_LINE = 1.5  # the height of a legend's line, in heights of its letters


def pictures(figure: Figure, formats: Sequence[str] = SUFFIXES) -> dict[str, bytes]:
    """The figure in some formats, by suffix.

    Args:
        figure: to draw.
        formats: in the order of `appearance.FORMATS`; PNG and SVG by default.
    """
    return {suffix: render(figure, suffix) for suffix in formats}


def headline(figure: Figure, finding: str) -> None:
    """Write a headline above all panels.

    Args:
        figure: with or without panels yet.
        finding: what the panels show, as a sentence; an empty one leaves the headline out.
    """
    if not finding:
        return
    room, size = figure.get_figwidth() - _MARGIN, points(_HEADLINE)
    lines = wrapped(finding, room, size, "bold")
    figure.suptitle(plain(lines), x=0.01, ha="left", fontsize=size, fontweight="bold")


def axes_title(axes: Axes, finding: str) -> None:
    """Write a headline above the panel of a figure that has one.

    Args:
        axes: the panel.
        finding: what it shows, as a sentence.
    """
    size, weight = letters(mpl.rcParams["axes.titlesize"]), mpl.rcParams["axes.titleweight"]
    room = _room(axes.figure) - _BESIDE_TITLE if _is_sized(axes.figure) else _WIDEST_TITLE
    axes.set_title(plain(wrapped(finding, room, size, weight)))


def within(axes: Axes, **options: Any) -> None:
    """A legend of the labelled lines within the axes, if there are any.

    Args:
        axes: with the lines.
        options: of matplotlib's legend.
    """
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, [_lines(axes.figure, label, points(9)) for label in labels], **options)


def beside(axes: Axes, size: float = 9, title: str = "", more: Sequence[Artist] = ()) -> None:
    """A legend of the labelled lines beside the axes, if there are any; the figure grows to hold it.

    In a figure of a given width it stands below the axes, unless there is room.

    Args:
        axes: with the lines.
        size: of the font, in points of the default style; 7 is the most for more than fifteen lines.
        title: of the legend.
        more: entries behind those of the lines.
    """
    handles, labels = axes.get_legend_handles_labels()
    handles, labels = [*handles, *more], [*labels, *(str(each.get_label()) for each in more)]
    if not handles:
        return
    figure = axes.figure
    assert isinstance(figure, OwnFigure)
    size = points(size if len(labels) <= _MOST_LARGE else min(size, 7))
    lines = [_lines(figure, label, size) for label in labels]
    height = _LINE * size * ("\n".join(lines).count("\n") + 2) / 72
    widest = max(width(as_written(line), size) for label in lines for line in label.split("\n"))
    wide, high = figure.get_size_inches()
    is_below = _is_sized(figure) and _AXES * wide + widest + points(_HANDLE) > wide
    if is_below:
        figure.grow(wide, high + height)
    else:
        figure.grow(_AXES * wide + widest + points(_HANDLE), height + 2 * _MARGIN)
    # A headline may run above the legend, unless the figure has grown for it.
    right = "outside right center" if _is_sized(figure) else "outside right upper"
    place: Any = "outside lower center" if is_below else right
    figure.legend(handles, lines, loc=place, fontsize=size, title=title, title_fontsize=points(9))


def _lines(figure: Any, label: str, size: float) -> str:
    """A label in lines as wide as a legend may be."""
    widest = points(_WIDEST_LABEL)
    room = min(widest, _room(figure) - points(_HANDLE)) if _is_sized(figure) else widest
    return plain(wrapped(as_written(label), room, size))


def _is_sized(figure: Any) -> bool:
    """Whether the style gives the width of the figure."""
    return isinstance(figure, OwnFigure) and figure.appearance.width is not None


def _room(figure: Any) -> float:
    """The inches between the margins."""
    return float(figure.get_figwidth() - 2 * _MARGIN)


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
