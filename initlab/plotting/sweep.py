"""Results of a sweep against a setting: cells -> lines with intervals, or a map of two settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from initlab.errors import UsageError
from initlab.measure.intervals import mean_interval
from initlab.nn.arrays import FloatArray
from initlab.plotting.elements import headline
from initlab.plotting.style import Figure, Look, distinct_looks, plain, points, styled

_MOST_LINES = 12  # more cannot be distinguished
_MOST_WRITTEN = 250  # numbers in a map; more are too small to read


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The runs at one place of a figure, which differ in their seeds alone.

    Attributes:
        x: the setting on the horizontal axis, a number or a text.
        group: the setting of the line, or of the row of a map; None where there is no such setting.
        scheme: of all runs of the group, which gives the line its colour; empty where they differ in it.
        values: the results of the runs that have one; a diverged run has none.
        runs: the number of all runs.
    """

    x: Any
    group: Any = None
    scheme: str = ""
    values: tuple[float, ...]
    runs: int


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the axes of a figure are called.

    Attributes:
        x, y: the setting on the horizontal axis, and the result.
        group: the setting of lines or rows.
    """

    x: str
    y: str
    group: str = ""


@styled
def lines_figure(
    cells: Sequence[Cell], names: Names, log: Sequence[str] = (), title: str | None = None
) -> Figure:
    """The mean result against a setting, with 95 % Student intervals over seeds; a line for each group.

    Where runs diverged, the mean is that of the rest, and a cross stands on the edge: the upper one for a
    loss, the lower one for an accuracy. Texts on the horizontal axis have no order: no line joins their
    points.

    Args:
        cells: in the order of the sweep.
        names: of the axes.
        log: the axes that are logarithmic, of "x" and "y".
        title: by default, what is drawn; an empty one leaves it out.

    Raises:
        UsageError: for more than twelve lines.
    """
    schemes = {cell.group: cell.scheme or str(cell.group) for cell in cells}
    groups = list(schemes)
    if len(groups) > _MOST_LINES:
        raise UsageError(f"{len(groups)} lines cannot be told apart; draw a map with --heat {names.group}")
    figure = Figure(figsize=(7.2, 4.4))
    axes = figure.add_subplot()
    headline(figure, f"{names.y} against {names.x}" if title is None else title)
    place = _places(cells)
    looks = distinct_looks(list(schemes.values()))
    for group, style in zip(groups, looks, strict=True):
        _draw_line(axes, [cell for cell in cells if cell.group == group], place, style)
        _mark_lost(axes, [cell for cell in cells if cell.group == group], place, style, "loss" in names.y)
    if not any(cell.values for cell in cells):
        axes.set(ylim=(0, 1), yticks=[])  # there is nothing to measure
    axes.set(xlabel=plain(names.x), ylabel=plain(names.y))
    _set_scales(axes, place, log)
    handles, labels = axes.get_legend_handles_labels()
    note = "\n".join(filter(None, (plain(names.group), _over_seeds(cells))))
    figure.legend(handles, labels, loc="outside right upper", title=note)
    return figure


def _places(cells: Sequence[Cell]) -> dict[Any, float]:
    """Where each x stands: numbers at their values, texts one after the other."""
    values = list(dict.fromkeys(cell.x for cell in cells))
    if all(_is_number(value) for value in values):
        return {value: float(value) for value in values}
    return {value: float(i) for i, value in enumerate(values)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _draw_line(axes: Axes, cells: Sequence[Cell], place: dict[Any, float], style: Look) -> None:
    ordered = sorted(cells, key=lambda cell: place[cell.x])
    means = [mean_interval(cell.values) if cell.values else None for cell in ordered]
    middle = np.array([np.nan if mean is None else mean.mean for mean in means])
    half = np.array([np.nan if mean is None else mean.half_width for mean in means])
    x = np.array([place[cell.x] for cell in ordered])
    axes.errorbar(
        x,
        middle,
        half,
        color=style.color,
        linestyle=style.dash if all(map(_is_number, place)) else "none",
        marker=style.marker,
        capsize=2,
        elinewidth=0.8,
        label=_words(cells[0].group),
    )


def _mark_lost(
    axes: Axes, cells: Sequence[Cell], place: dict[Any, float], style: Look, is_loss: bool
) -> None:
    """A cross where a run diverged, on the edge at which it would look worst."""
    lost = [place[cell.x] for cell in cells if len(cell.values) < cell.runs]
    axes.plot(
        lost,
        np.full(len(lost), float(is_loss)),
        color=style.color,
        linestyle="none",
        marker="x",
        transform=axes.get_xaxis_transform(),
        clip_on=False,
        zorder=5,
    )


def _words(value: Any) -> str | None:
    return None if value is None else plain(_number(value))


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _set_scales(axes: Axes, place: dict[Any, float], log: Sequence[str]) -> None:
    if "y" in log:
        axes.set_yscale("log")
    if not all(_is_number(value) for value in place):
        axes.set_xticks(list(place.values()), [_words(value) or "" for value in place])
        _turn_long(axes, list(place))
    elif "x" in log:
        if min(place.values()) <= 0:
            raise UsageError(f"--log x: {_number(min(place.values()))} has no place on a logarithmic axis")
        axes.set_xscale("log")
    elif all(isinstance(value, int) for value in place):  # no network has 2.5 layers
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _turn_long(axes: Axes, values: Sequence[Any]) -> None:
    """Names that would touch each other are turned."""
    if sum(len(str(value)) for value in values) > 50:
        axes.tick_params("x", rotation=30)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")


def _over_seeds(cells: Sequence[Cell]) -> str:
    counts = {cell.runs for cell in cells}
    seeds = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(max(counts))
    lost = "\ncross: seeds diverged" if any(len(cell.values) < cell.runs for cell in cells) else ""
    if counts == {1}:
        return f"one seed{lost}"
    return f"mean of {seeds} seeds\nbars: 95 % interval{lost}"


@styled
def map_figure(cells: Sequence[Cell], names: Names, title: str | None = None) -> Figure:
    """A map: the mean result over seeds for each x and group, in colour and as a number.

    A cross stands where all runs diverged, a star behind the number where some did.

    Args:
        cells: in the order of the sweep.
        names: of the axes.
        title: by default, what is drawn; an empty one leaves it out.
    """
    columns, rows = (_ordered({getattr(cell, key): None for cell in cells}) for key in ("x", "group"))
    values = np.full((len(rows), len(columns)), np.nan)
    for cell in cells:
        if cell.values:
            values[rows.index(cell.group), columns.index(cell.x)] = np.mean(cell.values)
    figure = Figure(figsize=(min(14, 2.8 + 0.55 * len(columns)), min(14, 1.6 + 0.36 * len(rows))))
    axes = figure.add_subplot()
    what = f"{names.y}, {_over_seeds(cells).splitlines()[0]}"
    headline(figure, what if title is None else title)
    image = axes.pcolormesh(values, cmap="cividis")
    axes.set_xticks(np.arange(len(columns)) + 0.5, [_words(value) or "" for value in columns])
    axes.set_yticks(np.arange(len(rows)) + 0.5, [_words(value) or "" for value in rows])
    _turn_long(axes, columns)
    lost = any(len(cell.values) < cell.runs for cell in cells)
    note = "\nx: all seeds diverged; *: mean of those that did not" if lost else ""
    axes.set(xlabel=plain(names.x) + note, ylabel=plain(names.group))
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=plain(names.y))
    if len(rows) * len(columns) <= _MOST_WRITTEN:
        for cell in cells:
            _write(axes, cell, (columns.index(cell.x) + 0.5, rows.index(cell.group) + 0.5), values)
    return figure


def _ordered(values: dict[Any, None]) -> list[Any]:
    """Numbers from small to large, texts in the order of the sweep."""
    return sorted(values) if all(_is_number(value) for value in values) else list(values)


def _write(axes: Axes, cell: Cell, at: tuple[float, float], values: FloatArray) -> None:
    lost = "*" if len(cell.values) < cell.runs else ""
    text = f"{np.mean(cell.values):.3g}{lost}" if cell.values else "x"
    middle = (np.nanmin(values) + np.nanmax(values)) / 2 if np.isfinite(values).any() else 0.0
    dark = bool(cell.values) and np.mean(cell.values) < middle
    axes.text(*at, text, ha="center", va="center", fontsize=points(7), color="white" if dark else "black")
