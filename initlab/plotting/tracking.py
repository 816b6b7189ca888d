"""Curves that were tracked in training: histories over seeds -> accuracy, or numbers of layers, per step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray
from initlab.plotting.elements import mean_and_range
from initlab.plotting.style import Figure, Look, distinct_looks, plain, styled
from initlab.training.history import Comparison, Condition, as_conditions

_PANELS_IN_A_ROW = 4
# Of the curves within a panel. They are no scheme's looks, because each panel is one scheme.
_PAIRS = (
    Look("#888888", "o", "--"),
    Look("#000000", "s", "-"),
    Look("#8C564B", "^", "-."),
    Look("#7570B3", "v", ":"),
)
_WORDS = {"batch_norm": "Batch Normalization"}
Value = Callable[[dict[str, Any]], float]


def _curves(condition: Condition, value: Value) -> tuple[FloatArray, FloatArray]:
    """Steps (T,), and the value at them for each seed that was tracked to the end, (seeds, T)."""
    tracked = [history.tracked for history in condition.finished if history.tracked]
    if not tracked:
        return np.empty(0), np.empty((0, 0))
    steps = np.array([entry["step"] for entry in tracked[0]])
    return steps, np.array([[value(entry) for entry in entries] for entries in tracked])


def _draw(axes: Axes, condition: Condition, style: Look, value: Value, label: str) -> None:
    """The mean over seeds, and a band from the smallest to the largest."""
    steps, curves = _curves(condition, value)
    if len(curves):
        mean_and_range(axes, steps, curves, style, label)


def _accuracy(entry: dict[str, Any]) -> float:
    return float(entry["train_accuracy"])


def _first_distinct_units(entry: dict[str, Any]) -> float:
    return float(entry["layers"]["distinct_units"][0])


def _tracked_conditions(comparison: Comparison) -> list[Condition]:
    conditions = as_conditions(comparison)
    if not any(history.tracked for condition in conditions for history in condition.histories):
        raise UsageError("this figure needs train.track_every: nothing was tracked in training")
    return conditions


def _one_panel(comparison: Comparison, value: Value, height: float) -> tuple[Figure, Axes]:
    """A curve of the value for each condition, with a legend beside the axes."""
    conditions = _tracked_conditions(comparison)
    figure = Figure(figsize=(7.2, height))
    axes = figure.add_subplot()
    looks = distinct_looks([condition.scheme for condition in conditions])
    for condition, style in zip(conditions, looks, strict=True):
        _draw(axes, condition, style, value, condition.label)
    axes.set_xlabel("training step")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure, axes


@styled
def accuracy_figure(comparison: Comparison) -> Figure:
    """The accuracy on training images against the step, for each condition.

    Args:
        comparison: histories of trainings with `track_every`, or conditions.

    Raises:
        UsageError: when nothing was tracked.
    """
    figure, axes = _one_panel(comparison, _accuracy, 4.4)
    axes.set(ylabel="accuracy on training images", ylim=(0, 1.02))
    return figure


@styled
def distinct_units_figure(comparison: Comparison) -> Figure:
    """The number of different units in the first hidden layer against the step, for each condition.

    Args:
        comparison: histories of trainings with `track_every`, or conditions.

    Raises:
        UsageError: when nothing was tracked.
    """
    figure, axes = _one_panel(comparison, _first_distinct_units, 4.0)
    axes.set(ylabel="distinct units of the first layer", yscale="log")
    return figure


@styled
def accuracy_panels(comparison: Comparison) -> Figure:
    """A panel for each scheme, with the training accuracy under each of the other settings.

    Args:
        comparison: histories of trainings with `track_every`, or conditions.

    Raises:
        UsageError: when nothing was tracked, or a panel would have more than four curves.
    """
    panels = _by_scheme(_tracked_conditions(comparison))
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    if len(names) > len(_PAIRS):
        raise UsageError(f"a panel has at most {len(_PAIRS)} curves, and there are {len(names)}")
    rows = -(-len(panels) // _PANELS_IN_A_ROW)
    figure = Figure(figsize=(9.5, 0.7 + 2.0 * rows))
    grid = figure.subplots(rows, _PANELS_IN_A_ROW, sharex=True, sharey=True, squeeze=False)
    for axes, (title, panel) in zip(grid.flat, panels.items(), strict=False):
        _draw_panel(axes, title, {name: (panel[name], _PAIRS[names.index(name)]) for name in panel})
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("training step")
    figure.supylabel("accuracy on training images", fontsize=10)
    _add_shared_legend(figure, list(grid.flat))
    return figure


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
        _draw(axes, condition, style, _accuracy, name)
        if not condition.finished:
            axes.text(0.03, 0.9, f"{plain(name)}: diverged", transform=axes.transAxes, fontsize=7)
    axes.set_title(plain(title), fontsize=9)
    axes.set_ylim(0, 1.03)


def _add_shared_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Each label once, below all panels; not every panel has every curve."""
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=max(1, len(handles))
    )
