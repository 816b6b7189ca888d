"""Charts of a page: conditions -> numbers and a Vega-Lite specification, drawn by the browser or to an SVG.

The specification is the same for both: the browser adds the reader's choices (an axis, the conditions that
are shown), and the SVG stands in print and where no script runs.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from initlab.nn.arrays import FloatArray
from initlab.pages.pictures import chart_picture, figure_picture
from initlab.pages.specifications import MOST_BANDS, Spec, curves_spec, intervals_spec, replaced
from initlab.plotting.conditions import MOST_NAMED
from initlab.plotting.loss import axis_top, loss_figure, seed_curves
from initlab.plotting.style import Look, distinct_looks
from initlab.plotting.tracking import Value, seed_values
from initlab.tables import plain
from initlab.training.history import Condition
from initlab.training.tracking import TRACKED

MOST_POINTS = 500  # of a curve: as many as a wide screen shows side by side
_MOST_IN_ALL = 20_000  # of all curves of a view: half a megabyte, drawn within a second
_FEWEST = 20
_MOST_LAYERS = 4  # whose numbers can be chosen; of more, these are spread over the depth
_LOG_FROM = 100.0  # a ratio of the largest to the smallest value, from which an axis is logarithmic
Steps = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class View:
    """The curves of one quantity: one for each condition that has any.

    Attributes:
        name: of the quantity, as on the axis.
        log: whether the axis is logarithmic at first.
        top: the upper end of a linear axis; None where all curves fit.
        every: how many steps a point stands for, at most.
        curves: for each condition its place among all, and its columns step, mean, low and high.
        marks: where a network diverged: the place of its condition, the step and the seed.
    """

    name: str
    log: bool
    top: float | None
    every: int
    curves: list[dict[str, Any]]
    marks: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart of a page.

    Attributes:
        kind: "curves" or "intervals".
        title: what it shows, in a few words, also for a screen reader.
        spec: of Vega-Lite, without data.
        labels: of the conditions.
        looks: their colours, markers and dashes.
        views: of curves, from which the reader chooses.
        rows: of intervals.
        svg: the same chart as a picture, a `data:` address.
        notes: sentences on how to read it.
    """

    kind: str
    title: str
    spec: Spec
    labels: list[str]
    looks: list[Look]
    views: list[View] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    svg: str = ""
    notes: list[str] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """What the browser's script reads."""
        return {
            "kind": self.kind,
            "title": self.title,
            "spec": self.spec,
            "labels": self.labels,
            "views": [vars(view) for view in self.views],
            "rows": self.rows,
            "most_bands": MOST_BANDS,
        }


def loss_chart(conditions: Sequence[Condition]) -> Chart | None:
    """Training loss against the step, as `loss_figure` draws it for print; None where every network diverged.

    Args:
        conditions: of which at least one has a history.
    """
    if not any(condition.finished for condition in conditions):
        return None
    most = _most_points(sum(bool(condition.finished) for condition in conditions))
    curves = [
        _curve(i, *seed_curves(condition), most)
        for i, condition in enumerate(conditions)
        if condition.finished
    ]
    view = View(
        name="training loss",
        log=False,
        top=axis_top(conditions),
        every=_every(map(len, (h.losses for c in conditions for h in c.finished)), most),
        curves=curves,
        marks=_marks(conditions),
    )
    chart = _curve_chart("Training loss", conditions, [view], figure_picture(lambda: loss_figure(conditions)))
    chart.notes.append(
        "The loss of a step is that of its batch, before the update on it, smoothed over 11 steps."
    )
    return chart


def layer_chart(conditions: Sequence[Condition]) -> Chart | None:
    """What was tracked of layers, against the step: a view for each quantity and layer; None without any.

    Args:
        conditions: of an experiment; of very many, the first are shown.
    """
    shown = conditions[:MOST_NAMED]
    tracked = [h.tracked for c in shown for h in c.finished if h.tracked]
    if not tracked:
        return None
    depth = max(len(entries[0]["layers"][TRACKED[0]]) for entries in tracked)
    layers = np.unique(np.linspace(0, depth - 1, min(depth, _MOST_LAYERS)).astype(int))
    values: dict[str, Value] = {"accuracy on training images": _accuracy}
    for quantity, layer in product(TRACKED, map(int, layers)):
        name = f"{quantity.replace('_', ' ')}, layer {layer + 1}"
        values[name] = partial(_layer_value, quantity=quantity, layer=layer)
    most = _most_points(len(shown) * len(values))
    views = [_tracked_view(shown, name, value, most) for name, value in values.items()]
    chart = _curve_chart("Layers through training", shown, [view for view in views if view.curves], "")
    if len(shown) < len(conditions):
        chart.notes.append(f"The first {len(shown)} of {len(conditions)} conditions.")
    return replace(chart, svg=chart_picture(filled(chart)))


def _accuracy(entry: dict[str, Any]) -> float:
    return float(entry["train_accuracy"])


def _layer_value(entry: dict[str, Any], quantity: str, layer: int) -> float:
    values = entry["layers"][quantity]
    return float("nan" if layer >= len(values) or values[layer] is None else values[layer])


def _tracked_view(conditions: Sequence[Condition], name: str, value: Value, most: int) -> View:
    pairs = [(i, *seed_values(condition, value)) for i, condition in enumerate(conditions)]
    curves = [_curve(i, steps, values, most) for i, steps, values in pairs if np.isfinite(values).any()]
    numbers = np.array([n for curve in curves for n in curve["mean"] if n is not None])
    log = bool(len(numbers) and numbers.min() > 0 and numbers.max() > _LOG_FROM * numbers.min())
    every = _every((len(steps) for _, steps, _ in pairs), most)
    return View(name=name, log=log, top=None, every=every, curves=curves, marks=_marks(conditions))


def _curve_chart(title: str, conditions: Sequence[Condition], views: list[View], svg: str) -> Chart:
    looks = distinct_looks([condition.scheme for condition in conditions])
    labels = [plain(condition.label) for condition in conditions]
    notes = _curve_notes(conditions, views)
    spec = curves_spec(looks)
    return Chart(
        kind="curves", title=title, spec=spec, labels=labels, looks=looks, views=views, svg=svg, notes=notes
    )


def _curve_notes(conditions: Sequence[Condition], views: Sequence[View]) -> list[str]:
    several = max((len(condition.finished) for condition in conditions), default=0) > 1
    bands = len(conditions) <= MOST_BANDS
    notes = ["The line is the mean over the seeds that finished."] if several else []
    if several and bands:
        notes[0] += " The band runs from the smallest to the largest."
    if several and not bands:
        notes.append(f"Bands over seeds are left out, since there are more than {MOST_BANDS} conditions.")
    if any(view.marks for view in views):
        notes.append("A cross at the upper edge marks the step at which a network diverged.")
    every = max(view.every for view in views)
    if every > 1:
        band = ", and the band their smallest and largest value" if several and bands else ""
        notes.append(
            f"Curves are thinned: a point stands for up to {every} steps. The line has their mean{band}."
        )
    return notes


def _most_points(curves: int) -> int:
    return max(_FEWEST, min(MOST_POINTS, _MOST_IN_ALL // max(curves, 1)))


def _every(lengths: Iterable[int], most: int) -> int:
    return -(-max(lengths, default=1) // most) or 1


def _curve(place: int, steps: Steps, values: FloatArray, most: int) -> dict[str, Any]:
    """The columns of a curve of at most so many points, from steps (T,) and values (seeds, T)."""
    columns = thinned(steps, values.mean(axis=0), values.min(axis=0), values.max(axis=0), most)
    return {"c": place, **{name: list(map(_short, column)) for name, column in columns.items()}}


def thinned(
    steps: Steps, mean: FloatArray, low: FloatArray, high: FloatArray, most: int
) -> dict[str, FloatArray]:
    """A curve with its band in at most so many points, which stand for equally many steps each.

    A point has the mean of its steps' means, and their smallest and largest value, so that no peak is lost.

    Args:
        steps, mean, low, high: of each step, (T,).
        most: points.

    >>> mean, high = np.array([4.0, 2.0, 1.0, 1.0]), np.array([4.0, 9.0, 1.0, 1.0])
    >>> curve = thinned(np.arange(4), mean, np.zeros(4), high, 2)
    >>> [curve[name].tolist() for name in ("step", "mean", "high")]
    [[0.5, 2.5], [3.0, 1.0], [9.0, 1.0]]
    """
    every = -(-len(steps) // most)
    starts = np.arange(0, len(steps), every)
    counts = np.diff([*starts, len(steps)])
    return {
        "step": np.add.reduceat(steps, starts) / counts,
        "mean": np.add.reduceat(mean, starts) / counts,
        "low": np.minimum.reduceat(low, starts),
        "high": np.maximum.reduceat(high, starts),
    }


def _short(value: float) -> float | None:
    """To six digits, which no screen shows in full; None for what JSON does not have."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _marks(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    return [
        {"c": i, "step": history.batches_before + (history.diverged_at or 0), "seed": history.seed}
        for i, condition in enumerate(conditions)
        for history in condition.histories
        if history.diverged_at is not None
    ]


def curve_rows(view: View) -> Iterator[dict[str, Any]]:
    """The points of a view, one a row, as the specification reads them; so does the browser's script.

    Args:
        view: of a chart.
    """
    for curve in view.curves:
        every = max(1, len(curve["step"]) // 12)
        columns = zip(curve["step"], curve["mean"], curve["low"], curve["high"], strict=True)
        for i, (step, mean, low, high) in enumerate(columns):
            if mean is not None:
                row = {"c": curve["c"], "step": step, "mean": mean, "low": low, "high": high}
                yield {**row, "marked": i % every == every // 2}


def accuracy_chart(conditions: Sequence[Condition]) -> Chart | None:
    """Test accuracies with their intervals; None where no run has any.

    Args:
        conditions: of an experiment; of very many, the first are shown.
    """
    if not any(condition.test_accuracy for condition in conditions):
        return None
    shown = conditions[:MOST_NAMED]
    looks = distinct_looks([condition.scheme for condition in shown])
    rows = [_interval_row(i, condition) for i, condition in enumerate(shown)]
    notes = [
        "The line through a point is the 95 % interval of the mean over the seeds that finished (Student)."
    ]
    if len(shown) < len(conditions):
        notes.append(f"The first {len(shown)} of {len(conditions)} conditions; the table has all.")
    chart = Chart(
        kind="intervals",
        title="Test accuracy",
        spec=intervals_spec(looks, [row["label"] for row in rows]),
        labels=[row["label"] for row in rows],
        looks=looks,
        rows=rows,
        notes=notes,
    )
    return replace(chart, svg=chart_picture(filled(chart)))


def _interval_row(place: int, condition: Condition) -> dict[str, Any]:
    interval, diverged = condition.test_accuracy, len(condition.diverged_at)
    ends = (None,) * 3 if interval is None else (interval.mean, interval.low, interval.high)
    note = f"{diverged} of {len(condition.histories)} diverged" if diverged else ""
    numbers = dict(zip(("mean", "low", "high"), ends, strict=True))
    return {"c": place, "label": plain(condition.label), **numbers, "note": note}


def filled(chart: Chart) -> Spec:
    """The specification with the data of its first view and a legend.

    Args:
        chart: to be drawn.
    """
    if chart.kind == "intervals":
        return {**chart.spec, "datasets": {"rows": chart.rows}, "background": "white"}
    view = chart.views[0]
    datasets = {"curves": list(curve_rows(view)), "marks": view.marks, "cursor": []}
    spec = replaced(chart.spec, "legend", {"title": None, "labelExpr": "labels[datum.value]"})
    _name_axis(spec, view)
    labels = {"name": "labels", "value": chart.labels}
    return {**spec, "params": [*spec["params"], labels], "datasets": datasets, "background": "white"}


def _name_axis(spec: Any, view: View) -> None:
    scale = {"type": "log"} if view.log else {"zero": False}
    for layer in spec["layer"][0]["layer"]:
        layer["encoding"]["y"] = {**layer["encoding"]["y"], "title": view.name, "scale": scale}
    cursor = spec["layer"][-1]["encoding"]
    cursor["y"] = {**cursor["y"], "title": view.name, "scale": scale}
