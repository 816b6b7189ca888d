"""What was tracked in training: groups of runs -> accuracy, or numbers of layers, against the step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray
from initlab.plotting.marks import mean_and_range
from initlab.plotting.style import Look, distinct_looks, plain, styled
from initlab.runner.tables import Group

_IN_A_ROW = 4
_PAIRS = (
    Look("#888888", "o", "--"),
    Look("#000000", "s", "-"),
    Look("#8C564B", "^", "-."),
    Look("#7570B3", "v", ":"),
)
Value = Callable[[dict[str, Any]], float]


def _curves(group: Group, value: Value) -> tuple[FloatArray, FloatArray]:
    """Steps (T,), and the value at them for each seed that was tracked to the end, (seeds, T)."""
    tracked = [record.tracked() for record in group.finished]
    tracked = [entries for entries in tracked if entries]
    if not tracked:
        return np.empty(0), np.empty((0, 0))
    steps = np.array([entry["step"] for entry in tracked[0]])
    return steps, np.array([[value(entry) for entry in entries] for entries in tracked])


def _draw(axes: Axes, group: Group, style: Look, value: Value, label: str) -> None:
    """The mean over seeds, and a band from the smallest to the largest."""
    steps, curves = _curves(group, value)
    if not len(curves):
        return
    mean_and_range(axes, steps, curves, style, label)


def _accuracy(entry: dict[str, Any]) -> float:
    return float(entry["train_accuracy"])


def _check_tracked(groups: Sequence[Group]) -> None:
    if not any(record.tracked() for group in groups for record in group.records):
        raise UsageError("this figure needs train.track_every: nothing was tracked in training")


@styled
def accuracy_figure(groups: Sequence[Group]) -> Figure:
    """The accuracy on training images against the step, for each condition.

    Args:
        groups: from `runner.tables.group`, of runs with `train.track_every`.

    Raises:
        UsageError: when nothing was tracked.
    """
    _check_tracked(groups)
    figure = Figure(figsize=(7.2, 4.4))
    axes = figure.add_subplot()
    for group, style in zip(groups, distinct_looks([one.scheme for one in groups]), strict=True):
        _draw(axes, group, style, _accuracy, group.label)
    axes.set(xlabel="training step", ylabel="accuracy on training images", ylim=(0, 1.02))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure


@styled
def accuracy_panels(groups: Sequence[Group]) -> Figure:
    """A panel for each scheme, and in it the training accuracy under each of the other conditions.

    Args:
        groups: from `runner.tables.group`, of runs with `train.track_every`.

    Raises:
        UsageError: when nothing was tracked, or there are more than four other conditions.
    """
    _check_tracked(groups)
    panels: dict[str, dict[str, Group]] = {}
    for group in groups:
        others = ", ".join(_shown(key, value) for key, value in group.condition if key != "init")
        panels.setdefault(dict(group.condition)["init"], {})[others] = group
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    if len(names) > len(_PAIRS):
        raise UsageError(f"a panel has at most {len(_PAIRS)} curves, and there are {len(names)}")
    rows = -(-len(panels) // _IN_A_ROW)
    figure = Figure(figsize=(9.5, 0.7 + 2.0 * rows))
    grid = figure.subplots(rows, _IN_A_ROW, sharex=True, sharey=True, squeeze=False)
    for axes, (scheme, panel) in zip(grid.flat, panels.items(), strict=False):
        for name, group in panel.items():
            _draw(axes, group, _PAIRS[names.index(name)], _accuracy, name)
            if not group.finished:
                axes.text(0.03, 0.9, f"{plain(name)}: diverged", transform=axes.transAxes, fontsize=7)
        axes.set_title(plain(scheme), fontsize=9)
        axes.set_ylim(0, 1.03)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("training step")
    figure.supylabel("accuracy on training images", fontsize=10)
    handles = {
        label: handle
        for axes in grid.flat
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    return figure


_WORDS = {"batch_norm": "Batch Normalization"}


def _shown(key: str, value: str) -> str:
    name = key.rsplit(".", 1)[-1]
    words = _WORDS.get(name, name)
    if value == "None":
        return f"without {words}"
    return f"with {words}" if name in _WORDS else f"{words} {value}"


@styled
def distinct_units_figure(groups: Sequence[Group]) -> Figure:
    """How many different units the first hidden layer has, against the step, for each condition.

    Args:
        groups: from `runner.tables.group`, of runs with `train.track_every`.

    Raises:
        UsageError: when nothing was tracked.
    """
    _check_tracked(groups)
    figure = Figure(figsize=(7.2, 4.0))
    axes = figure.add_subplot()
    for group, style in zip(groups, distinct_looks([one.scheme for one in groups]), strict=True):
        _draw(axes, group, style, lambda entry: entry["layers"]["distinct_units"][0], group.label)
    axes.set(xlabel="training step", ylabel="distinct units of the first layer", yscale="log")
    axes.set_title("Units that start equal stay equal")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure
