"""Curves that were tracked in training: histories over seeds -> accuracy, or numbers of layers, per step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter

from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray
from initlab.plotting.conditions import (
    NO_VALUES,
    any_finished,
    divergence,
    draw_conditions,
    finished_everywhere,
    names_of,
    scale_to_divergences,
)
from initlab.plotting.elements import beside, mean_and_range
from initlab.plotting.style import Figure, Look, as_written, chosen_width, plain, points, styled
from initlab.plotting.text import shortened, width, wrapped
from initlab.training.history import Comparison, Condition, as_conditions

_PANELS_IN_A_ROW, _MOST_PANELS = 4, 48  # more are a picture that nobody scrolls through
_PANEL_WIDTH, _NARROWEST = 2.3, 1.7  # inches
_MOST_CURVES = 12  # of a panel, in colour
_MOST_LINES = 6  # of text in a panel
# Of the curves within a panel. They are no scheme's looks, because each panel is one scheme.
_PAIRS = (
    Look("#888888", "o", "--"),
    Look("#000000", "s", "-"),
    Look("#8C564B", "^", "-."),
    Look("#7570B3", "v", ":"),
)
_MORE_MARKERS = ("D", "v", "P", "X", "<", ">", "*", "h", "p", "d", "o", "s")
_GREY = Look("#CCCCCC", "", "-")
_WORDS = {"batch_norm": "Batch Normalization"}
Value = Callable[[dict[str, Any]], float]


def seed_values(condition: Condition, value: Value) -> tuple[FloatArray, FloatArray]:
    """Steps (T,), and the value at them for each seed that was tracked to the end, (seeds, T)."""
    tracked = [history.tracked for history in condition.finished if history.tracked]
    if not tracked:
        return np.empty(0), np.empty((0, 0))
    steps = np.array([entry["step"] for entry in tracked[0]])
    return steps, np.array([[value(entry) for entry in entries] for entries in tracked])


def _mean(condition: Condition, value: Value) -> tuple[FloatArray, FloatArray]:
    """Steps (T,), and the mean over seeds at them (T,)."""
    steps, curves = seed_values(condition, value)
    return steps, curves.mean(axis=0) if len(curves) else steps


def _end(condition: Condition, value: Value) -> float | None:
    """The value after the last step, for a condition of which every seed finished."""
    means = _mean(condition, value)[1]
    return float(means[-1]) if len(means) and finished_everywhere(condition) else None


def _draw(axes: Axes, condition: Condition, style: Look, value: Value, label: str) -> None:
    """The mean over seeds, and a band from the smallest to the largest."""
    steps, curves = seed_values(condition, value)
    if len(curves):
        mean_and_range(axes, steps, curves, style, label)


def _accuracy(entry: dict[str, Any]) -> float:
    return float(entry["train_accuracy"])


def _first_distinct_units(entry: dict[str, Any]) -> float:
    return float(entry["layers"]["distinct_units"][0])


def _tracked_conditions(comparison: Comparison) -> list[Condition]:
    conditions = as_conditions(comparison)
    if not any(history.tracked is not None for condition in conditions for history in condition.histories):
        raise UsageError("this figure needs train.track_every: nothing was tracked in training")
    return conditions


def _one_panel(
    conditions: Sequence[Condition], value: Value, height: float, top: float, worst: float
) -> tuple[Figure, Axes]:
    """A curve of the value for each condition, with a legend beside the axes.

    Marks of diverged networks stand at the worst value: at the best, they would look like a success.
    """
    figure = Figure(figsize=(7.2, height))
    axes = figure.add_subplot()

    def draw(condition: Condition, name: str, style: Look) -> None:
        _draw(axes, condition, style, value, name)

    def descending(condition: Condition) -> float | None:
        end = _end(condition, value)
        return None if end is None else -end

    names = names_of(conditions, descending, ("highest", "lowest"))
    marks = worst if any_finished(conditions) else top
    draw_conditions(axes, conditions, names, marks, draw, lambda condition: _mean(condition, value))
    axes.set_xlabel("training step")
    axes.set_ylim(top=top)
    beside(axes)
    return figure, axes


@styled
def accuracy_figure(comparison: Comparison) -> Figure:
    """The accuracy on training images against the step, for each condition.

    The line is the mean over the seeds that finished; where one diverged, a marker is on the lower edge.

    Args:
        comparison: histories of trainings with `track_every`, or conditions.

    Raises:
        UsageError: when nothing was tracked.
    """
    conditions = _tracked_conditions(comparison)
    figure, axes = _one_panel(conditions, _accuracy, 4.4, 1.02, worst=0.0)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("accuracy on training images" if any_finished(conditions) else NO_VALUES)
    return figure


@styled
def distinct_units_figure(comparison: Comparison) -> Figure:
    """The number of different units in the first hidden layer against the step, for each condition.

    Markers on the lower edge stand for seeds that diverged.

    Args:
        comparison: histories of trainings with `track_every`, or conditions.

    Raises:
        UsageError: when nothing was tracked.
    """
    conditions = _tracked_conditions(comparison)
    highest = max(
        (seed_values(each, _first_distinct_units)[1].max(initial=1) for each in conditions), default=1
    )
    figure, axes = _one_panel(conditions, _first_distinct_units, 4.0, 1.1 * float(highest), worst=0.9)
    if any_finished(conditions):
        axes.set_ylim(bottom=0.9)  # a layer has one distinct unit at least
        axes.set(ylabel="distinct units of the first layer", yscale="log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(LogFormatter())
    else:
        axes.set_ylabel(NO_VALUES)
    return figure


@styled
def accuracy_panels(comparison: Comparison) -> Figure:
    """A panel for each scheme, with the training accuracy under each of the other settings.

    Args:
        comparison: histories of trainings with `track_every`, or conditions.

    Raises:
        UsageError: when nothing was tracked.
    """
    conditions = _tracked_conditions(comparison)
    panels = _by_scheme(conditions)
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    columns = min(len(panels), _most_columns())
    rows = -(-min(len(panels), _MOST_PANELS) // columns)
    figure = Figure(figsize=(_PANEL_WIDTH * columns + 0.3, 0.7 + 2.0 * rows))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (title, panel) in zip(grid.flat, panels.items(), strict=False):
        _draw_panel(axes, title, {name: (panel[name], _look_in_a_panel(names.index(name))) for name in panel})
    if not any_finished(conditions):
        scale_to_divergences(grid[0, 0], conditions)
    _hide_empty(grid, len(panels))
    figure.supylabel("accuracy on training images", fontsize=points(10))
    if len(panels) > _MOST_PANELS:
        figure.supxlabel(
            f"and {len(panels) - _MOST_PANELS} more schemes, which are not drawn", fontsize=points(9)
        )
    _add_shared_legend(figure, list(grid.flat))
    return figure


def _most_columns() -> int:
    """How many panels stand side by side: four, or fewer in a figure that is to be narrow."""
    width = chosen_width()
    return _PANELS_IN_A_ROW if width is None else max(1, min(_PANELS_IN_A_ROW, int(width / _NARROWEST)))


def _panel_width(axes: Axes) -> float:
    """In inches; of the wider figures by itself, 2.3."""
    grid, figure = axes.get_gridspec(), axes.get_figure(root=True)
    assert grid is not None
    assert figure is not None
    return min(_PANEL_WIDTH, figure.get_figwidth() / grid.ncols)


def _look_in_a_panel(i: int) -> Look:
    """Of the i-th curve; those beyond a dozen are grey."""
    if i < len(_PAIRS):
        return _PAIRS[i]
    color = _PAIRS[i % len(_PAIRS)].color
    return Look(color, _MORE_MARKERS[i % len(_MORE_MARKERS)], "-") if i < _MOST_CURVES else _GREY


def _hide_empty(grid: npt.NDArray[Any], panels: int) -> None:
    """Hide the axes behind the last panel; the lowest of each column has the numbers of the steps."""
    for i, axes in enumerate(grid.flat):
        axes.set_visible(i < panels)
        if i < panels <= i + grid.shape[1]:
            axes.set_xlabel("training step")
            axes.tick_params(labelbottom=True)


def _by_scheme(conditions: Sequence[Condition]) -> dict[str, dict[str, Condition]]:
    """For each scheme, its conditions by their other settings; the label stands for a missing setting."""
    panels: dict[str, dict[str, Condition]] = {}
    for condition in conditions:
        settings = dict(condition.settings)
        scheme = settings.pop("init", condition.label)
        name = ", ".join(_setting(key, value) for key, value in settings.items())
        panels.setdefault(scheme, {})[name or "training accuracy"] = condition
    return panels


def _setting(key: str, value: str) -> str:
    """A setting as a legend shows it: "with Batch Normalization", "lr 0.1"."""
    name = key.rsplit(".", 1)[-1]
    words = _WORDS.get(name, name)
    if value == "None":
        return f"without {words}"
    return f"with {words}" if name in _WORDS else f"{words} {value}"


def _draw_panel(axes: Axes, title: str, curves: dict[str, tuple[Condition, Look]]) -> None:
    for name, (condition, style) in curves.items():
        _draw(axes, condition, style, _accuracy, name if style != _GREY else "others")
        if condition.diverged_at:
            _mark_divergence(axes, condition, style)
    _list_diverged(axes, {name: condition for name, (condition, _) in curves.items()})
    room = _panel_width(axes) - 0.3
    axes.set_title(plain(wrapped(title, room, points(9), "bold", most=2)), fontsize=points(9))
    axes.set_ylim(0, 1.03)


def _mark_divergence(axes: Axes, condition: Condition, style: Look) -> None:
    """Markers on the lower edge, at the steps."""
    steps = condition.diverged_at
    marker = style.marker or "x"
    axes.plot(steps, [0.0] * len(steps), marker, color=style.color, clip_on=False, zorder=5, label="_")


def _list_diverged(axes: Axes, conditions: dict[str, Condition]) -> None:
    """The curves that are missing or lack a seed, above curves that stay low, or else below them."""
    lines = [
        f"{plain(shortened(name, 0.9, points(7)))}: {divergence(condition).removeprefix('diverged at ')}"
        for name, condition in conditions.items()
        if condition.diverged_at
    ]
    if not lines:
        return
    more = [f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    text = "\n".join(["diverged:", *lines[:_MOST_LINES], *more])
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
    curves = [line.get_ydata() for line in axes.lines if line.get_linestyle() != "None"]
    highest = max((float(np.max(curve)) for curve in curves), default=0.0)
    height, side = (0.92, "top") if highest < 0.5 else (0.04, "bottom")
    note = axes.text(
        0.98, height, text, ha="right", va=side, transform=axes.transAxes, fontsize=points(7), bbox=box
    )
    note.set_in_layout(False)


def _add_shared_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Each label once, below all panels, in as many columns as fit; not every panel has every curve."""
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    size = points(9)
    labels = [shortened(as_written(label), figure.get_figwidth() - 1, size) for label in handles]
    room = max((width(label, size) for label in labels), default=0) + points(0.7)
    columns = max(1, min(len(labels), int(figure.get_figwidth() / room)))
    figure.legend(list(handles.values()), list(map(plain, labels)), loc="outside lower center", ncols=columns)
