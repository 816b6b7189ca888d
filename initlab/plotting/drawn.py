"""What a figure draws, as numbers: its lines, bands, bars and maps -> the rows of a table.

The rows are read off the figure itself, so they cannot differ from the picture. Guides that run from edge to
edge of a panel are no data, and are left out.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.ticker import FixedLocator

_COLUMNS = ("panel", "part", "series", "x", "x_name", "y", "y_name", "low", "high", "value")
Row = dict[str, Any]


def drawn(figure: Figure) -> tuple[list[str], list[list[Any]]]:
    """The header and the rows of the table of a figure.

    Args:
        figure: with its panels.

    Returns:
        The columns that hold something, and a row for each point. The columns are the `panel`, where there
        are several; the `part` of it, as "line" or "band"; the `series`, which is the label of the line, else
        its colour; `x` and `y`, with `x_name` and `y_name` where an axis has names instead of numbers; `low`
        and `high` of a band or error bar; and the `value` of a map's cell.

    >>> figure = Figure()
    >>> _ = figure.subplots().plot([0, 1], [0.5, 0.25], label="he")
    >>> header, rows = drawn(figure)
    >>> header, rows[1]
    (['part', 'series', 'x', 'y'], ['line', 'he', 1.0, 0.25])
    """
    series = _Series(figure)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    rows = [
        {"panel": _title(place, axes) if len(panels) > 1 else None, **row, **_names(axes, row)}
        for place, axes in enumerate(panels, start=1)
        for row in _rows(axes, series)
    ]
    header = [column for column in _COLUMNS if any(row.get(column) is not None for row in rows)]
    return header, [[row.get(column) for column in header] for row in rows]


def _title(place: int, axes: Axes) -> str:
    """The number of a panel, and its label, which nobody sees; else its title; else what its y axis shows."""
    titles = [axes.get_title(loc=loc) for loc in ("left", "center", "right")]
    chosen = [axes.get_label()] if axes.get_label() else [*filter(None, titles)] or [axes.get_ylabel()]
    return ": ".join([str(place), *(" ".join(str(title).split()) for title in chosen if title)])


def _names(axes: Axes, row: Row) -> Row:
    """What the axes call the place of a row."""
    places = {"x": axes.xaxis, "y": axes.yaxis}
    return {f"{key}_name": _name(axis, row[key]) for key, axis in places.items() if row.get(key) is not None}


def _name(axis: Axis, value: float) -> str | None:
    """The label of the nearest of fixed ticks that are 1 apart; None where the labels are these numbers."""
    ticks = np.asarray(axis.get_majorticklocs(), np.float64)
    is_fixed = isinstance(axis.get_major_locator(), FixedLocator) and len(ticks)
    if not is_fixed or not np.allclose(np.abs(np.diff(ticks)), 1):
        return None
    labels = [" ".join(text.split()) for text in axis.get_major_formatter().format_ticks(ticks.tolist())]
    is_named = labels != [f"{tick:g}" for tick in ticks]
    return labels[int(np.argmin(np.abs(ticks - value)))] if is_named else None


class _Series:
    """The names of the lines: a panel without a legend has the names of another one, by colour and dash."""

    def __init__(self, figure: Figure) -> None:
        self._names: dict[tuple[str, ...], dict[str, None]] = {}
        for line in (line for axes in figure.axes for line in axes.get_lines()):
            color, dash = _look(line)
            for look in ((color,), (color, dash)):
                if _label(line):
                    self._names.setdefault(look, {})[_label(line)] = None

    def of(self, artist: Any, color: Any, *dash: str) -> str:
        """The artist's own label; else the only one of this look; else its colour."""
        names = list(self._names.get((to_hex(color), *dash), ()))
        return _label(artist) or (names[0] if len(names) == 1 else to_hex(color))


def _label(artist: Any) -> str:
    label = " ".join(str(artist.get_label()).split())
    return "" if label.startswith("_") or label == "None" else label


def _rows(axes: Axes, series: _Series) -> Iterator[Row]:
    # A line with error bars has the label of both.
    labelled = {id(each[0]): each for each in axes.containers if isinstance(each, ErrorbarContainer)}
    for line in axes.get_lines():
        if _is_data(line, axes):
            yield from _line(line, series.of(labelled.get(id(line), line), *_look(line)))
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer):
            yield from _error_bars(container, series)
        elif isinstance(container, BarContainer):
            yield from _bars(container)
    for artist in (*axes.collections, *axes.patches, *axes.images):
        yield from _area(artist, series)


def _is_data(line: Line2D, axes: Axes) -> bool:
    """Whether both coordinates of a line are data; those of a guide are in part shares of the panel."""
    return type(line) is Line2D and all(line.get_transform().contains_branch_seperately(axes.transData))


def _look(line: Line2D) -> tuple[str, str]:
    return to_hex(line.get_color()), str(line.get_linestyle())


def _line(line: Line2D, name: str) -> Iterator[Row]:
    for x, y in np.asarray(line.get_xydata(), np.float64).tolist():
        yield {"part": "line", "series": name, "x": x, "y": y}


def _error_bars(container: ErrorbarContainer, series: _Series) -> Iterator[Row]:
    for bars in container.lines[2]:
        name = series.of(container, bars.get_color()[0])
        for (x, low), (right, high) in (np.asarray(each).tolist() for each in bars.get_segments()):
            along = {"y": low, "low": x, "high": right} if low == high else {"x": x, "low": low, "high": high}
            yield {"part": f"error bar along {'x' if low == high else 'y'}", "series": name, **along}


def _bars(container: BarContainer) -> Iterator[Row]:
    for bar in container.patches:
        (left, low), (right, high) = bar.get_bbox().get_points().tolist()
        along = {"y": (low + high) / 2, "low": left, "high": right}
        upright = {"x": (left + right) / 2, "low": low, "high": high}
        place = upright if container.orientation == "vertical" else along
        yield {"part": "bar", "series": _label(container) or to_hex(bar.get_facecolor()), **place}


def _area(artist: Any, series: _Series) -> Iterator[Row]:
    """A band, points, a histogram, or a map."""
    if isinstance(artist, StepPatch):
        values, edges, _ = artist.get_data()
        color = artist.get_facecolor() if artist.get_fill() else artist.get_edgecolor()
        name = _label(artist) or to_hex(color)
        for value, low, high in zip(values.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            yield {"part": "histogram", "series": name, "y": value, "low": low, "high": high}
    elif isinstance(artist, QuadMesh):
        corners = np.asarray(artist.get_coordinates(), np.float64)
        yield from _map(artist, (corners[1:, 1:] + corners[:-1, :-1]) / 2)
    elif isinstance(artist, AxesImage):
        rows, columns = np.indices(artist.get_size(), np.float64)
        yield from _map(artist, np.stack([columns, rows], axis=-1))
    elif isinstance(artist, PathCollection):
        colors: Any = artist.get_facecolor()
        name = _label(artist) or to_hex(colors[0])
        for x, y in np.asarray(artist.get_offsets(), np.float64).tolist():
            yield {"part": "points", "series": name, "x": x, "y": y}
    elif isinstance(artist, PolyCollection):
        yield from _band(artist, series)


def _map(artist: QuadMesh | AxesImage, middles: Any) -> Iterator[Row]:
    """Of each cell its middle, from (rows, columns, 2), and its value."""
    values: Any = np.ma.filled(np.ma.asarray(artist.get_array(), np.float64), np.nan)
    for (x, y), value in zip(middles.reshape(-1, 2).tolist(), values.ravel().tolist(), strict=True):
        yield {"part": "map", "x": x, "y": y, "value": value}


def _band(band: PolyCollection, series: _Series) -> Iterator[Row]:
    """Of each x the lowest and the highest corner."""
    colors: Any = band.get_facecolor()
    name = series.of(band, colors[0][:3])
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    for x in np.unique(corners[:, 0]).tolist():
        own = corners[corners[:, 0] == x, 1].tolist()
        yield {"part": "band", "series": name, "x": x, "low": min(own), "high": max(own)}
