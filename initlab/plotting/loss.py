"""Loss curves: histories over seeds -> one smoothed curve with a band for each condition."""

from collections.abc import Mapping, Sequence
from statistics import median_low

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from initlab.errors import UsageError
from initlab.measure.intervals import Interval
from initlab.nn.arrays import FloatArray
from initlab.plotting.conditions import (
    NO_VALUES,
    any_finished,
    draw_conditions,
    finished_everywhere,
    name_of,
    names_of,
)
from initlab.plotting.elements import axes_title, beside, mean_and_range, within
from initlab.plotting.style import Figure, Look, lay_out, styled
from initlab.training.history import Comparison, Condition, as_conditions

_MOST_INSIDE = 6  # a legend of more conditions would cover the curves
_OUTLIER = 3.0  # a curve whose peak is so many times the median peak does not set the scale
_MOST_IN_TITLE = 3
_Place = tuple[str, tuple[float, float]]
# Of the legend, the best first: a corner of it, and where in the axes this corner stands.
_PLACES: tuple[_Place, ...] = (
    ("upper right", (1.0, 0.9)),
    ("upper right", (1.0, 0.99)),
    ("center right", (1.0, 0.5)),
    ("lower right", (1.0, 0.03)),
    ("lower left", (0.02, 0.03)),
    ("upper center", (0.5, 0.9)),
)
_WIDEST_IN_TITLE = 3.0  # inches


def loss_figure(comparison: Comparison | Mapping[str, ArrayLike], title: str | None = None) -> Figure:
    """Training loss against step, smoothed as in Saito's book, with about 20 markers on each curve.

    The line is the mean over the seeds that finished; the band runs from the smallest to the largest. Where a
    seed diverged, a marker stands on the upper edge. Where a curve leaves the axis, a triangle stands there,
    and the legend has its peak. The curve of a scheme that looks at data before training begins as many steps
    later as it used batches. Of more than thirty conditions a few are named, and the others are grey.

    Args:
        comparison: histories from `train`, or conditions; or, from a loop of your own, for each label the
            losses of its steps, (steps,) or over M seeds (M, steps). A label like "he" has the colour of that
            scheme.
        title: the finding; by default, which condition ends with the lowest loss, if the intervals over seeds
            decide it; an empty one leaves it out.

    Raises:
        UsageError: when there is nothing to draw.

    >>> from initlab.init.networks import initialize
    >>> from initlab.nn.optimizers import Optimizer
    >>> x, y, sgd = np.eye(6), np.arange(6) % 3, Optimizer("sgd", lr=0.1)
    >>> train_step = initialize([6, 8, 3], ["he", "xavier"]).train_step
    >>> losses = np.array([train_step(x, y, sgd) for _ in range(50)])  # (steps, networks)
    >>> figure = loss_figure({"he": losses[:, 0], "xavier": losses[:, 1]})
    >>> figure.axes[0].get_title("left")
    'Training loss of 2 conditions, one seed'
    """
    conditions = as_conditions(comparison)
    if not any(condition.histories for condition in conditions):
        takes = "loss_figure takes what `train` returns, or losses by label, as {'he': losses}"
        raise UsageError(f"there is no history to draw; {takes}")
    title = finding(conditions) if title is None else title
    for place in _PLACES if len(conditions) <= _MOST_INSIDE and any_finished(conditions) else ():
        if _is_clear(_drawn(conditions, title, place)):
            return _drawn(conditions, title, place)  # anew: a layout depends on that before it
    return _drawn(conditions, title, None)


@styled
def _drawn(conditions: Sequence[Condition], title: str, place: _Place | None) -> Figure:
    """The figure with its legend in a place within the axes, or beside them."""
    figure = Figure(figsize=(7.2, 4.4) if len(conditions) <= _MOST_INSIDE else (10.5, 5.2))
    axes = figure.add_subplot()
    before, steps = _steps(conditions)
    top = axis_top(conditions)
    _draw_conditions(axes, conditions, top, every=max(1, steps // 20))
    axes.set_ylim(0, top)
    if any_finished(conditions):
        axes.set_xlim(-0.01 * steps, 1.01 * steps)
    counted = "training step, after the batches that the scheme looked at" if before > 1 else "training step"
    values = "loss of each step's batch, before its update" if any_finished(conditions) else NO_VALUES
    axes.set(xlabel=counted, ylabel=values)
    axes_title(axes, title)
    _add_legend(axes, conditions, place)
    return figure


def _steps(conditions: Sequence[Condition]) -> tuple[int, int]:
    """The most batches that a scheme looked at before training, and all steps on the axis with them."""
    histories = [history for condition in conditions for history in condition.histories]
    before = max(history.batches_before for history in histories)
    return before, before + max(max(len(history.losses), 1) for history in histories)


def _draw_conditions(axes: Axes, conditions: Sequence[Condition], top: float, every: int) -> None:
    def draw(condition: Condition, name: str, style: Look) -> None:
        _draw_band(axes, condition, name, style, top, every)

    names = names_of(conditions, _end, ("lowest", "highest"))
    draw_conditions(axes, conditions, names, top, draw, _mean)


def _end(condition: Condition) -> float | None:
    """The final loss of a condition of which every seed finished."""
    final = condition.final_loss
    return final.mean if final is not None and finished_everywhere(condition) else None


def seed_curves(condition: Condition) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Steps (T,), counted from the scheme's first look at data, and smoothed losses (seeds, T).

    Args:
        condition: of which at least one seed finished.
    """
    curves = np.stack([history.smoothed() for history in condition.finished])
    before = max(history.batches_before for history in condition.finished)
    return before + np.arange(curves.shape[1]), curves


def _mean(condition: Condition) -> tuple[npt.NDArray[np.int64], FloatArray]:
    steps, curves = seed_curves(condition)
    return steps, curves.mean(axis=0)


def _draw_band(axes: Axes, condition: Condition, name: str, style: Look, top: float, every: int) -> None:
    steps, curves = seed_curves(condition)
    final = condition.final_loss
    label = name if final is None else f"{name}: ends at {_short(final.mean)}"
    if curves.max() > top:
        label += f", peak {curves.max():.3g} (△)"
        _mark_peak(axes, steps[curves.max(axis=0).argmax()], style, top)
    mean_and_range(axes, steps, curves, style, label, every)


def _short(loss: float) -> str:
    return f"{loss:.3f}" if loss < 1000 else f"{loss:.3g}"


def _mark_peak(axes: Axes, step: int, style: Look, top: float) -> None:
    """A hollow triangle on the upper edge, above which the curve goes on."""
    axes.plot(
        [step], [top], "^", color=style.color, markerfacecolor="white", markersize=8, clip_on=False, zorder=4
    )


def _is_clear(figure: Figure) -> bool:
    """Whether no curve and no band runs behind the legend, which lies within the axes."""
    lay_out(figure)
    axes = figure.axes[0]
    legend = axes.get_legend()
    if legend is None:
        return True
    box, frame = legend.get_window_extent(), axes.get_window_extent()
    curves = [line.get_path().transformed(line.get_transform()) for line in axes.lines]
    bands = [path.transformed(band.get_transform()) for band in axes.collections for path in band.get_paths()]
    is_behind = any(curve.intersects_bbox(box, filled=False) for curve in curves)
    is_behind |= any(band.intersects_bbox(box, filled=True) for band in bands)
    return not is_behind and frame.x0 <= box.x0 and frame.y0 <= box.y0 and box.y1 <= frame.y1


def _add_legend(axes: Axes, conditions: Sequence[Condition], place: _Place | None) -> None:
    """Put the legend into the axes, or beside them."""
    if place is not None:
        within(
            axes,
            loc=place[0],
            bbox_to_anchor=place[1],
            title=_legend_title(conditions),
            frameon=True,
            framealpha=0.7,
            edgecolor="none",
        )
    else:
        beside(axes, 7, _legend_title(conditions))


def axis_top(conditions: Sequence[Condition]) -> float:
    """The upper end of the loss axis: a multiple of one half above nearly all of the smoothed curves.

    The 99 % quantile keeps a single spike from flattening all curves, and the median of the peaks a single
    condition that begins far above all others.
    """
    curves: list[FloatArray] = [
        history.smoothed() for condition in conditions for history in condition.finished
    ]
    if not curves:
        return 2.5
    limit = _OUTLIER * median_low([float(curve.max()) for curve in curves])
    quantiles = [float(np.quantile(curve, 0.99)) for curve in curves]
    highest = max(quantile for quantile in quantiles if quantile <= limit)
    return float(np.ceil(2.0 * highest + 0.2) / 2)


def finding(conditions: Sequence[Condition]) -> str:
    """Which condition ends lowest, as far as the 95 % intervals over seeds decide it; else what is drawn."""
    ends = {
        name_of(condition, _WIDEST_IN_TITLE): condition.final_loss
        for condition in conditions
        if condition.final_loss is not None and finished_everywhere(condition)
    }
    if not ends:
        return (
            "No condition finished with every seed" if any_finished(conditions) else "Every network diverged"
        )
    if len(conditions) == 1 or min(interval.count for interval in ends.values()) == 1:
        return _description(conditions)
    if len(ends) == 1:
        return f"Only {next(iter(ends))} finished with every seed"
    return _lowest(ends) + ("" if _all_or_none(conditions) else ", of those that finished with every seed")


def _description(conditions: Sequence[Condition]) -> str:
    seeds = max(len(condition.histories) for condition in conditions)
    count = "one seed" if seeds == 1 else f"{seeds} seeds"
    what = name_of(conditions[0]) if len(conditions) == 1 else f"{len(conditions)} conditions"
    return f"Training loss of {what}, {count}"


def _lowest(ends: Mapping[str, Interval]) -> str:
    """The condition whose interval lies below all others, or those whose intervals overlap the lowest."""
    best = min(ends.values(), key=lambda interval: interval.mean)
    ties = [label for label, interval in ends.items() if interval.low <= best.high]
    if len(ties) == 1:
        return f"{ties[0]} ends with the lowest loss"
    many = f"{len(ties)} of {len(ends)} conditions"
    shown = many if len(ties) > _MOST_IN_TITLE else f"{', '.join(ties[:-1])} and {ties[-1]}"
    return f"No single lowest loss: the 95 % intervals of {shown} overlap"


def _all_or_none(conditions: Sequence[Condition]) -> bool:
    """Whether each condition finished with every seed or with none."""
    return all(finished_everywhere(condition) or not condition.finished for condition in conditions)


def _legend_title(conditions: Sequence[Condition]) -> str:
    seeds = {len(condition.finished) for condition in conditions if condition.finished}
    count = f"{max(seeds)} seeds" if len(seeds) == 1 else "the seeds that finished"
    return f"mean of {count}; band: smallest to largest" if max(seeds, default=0) > 1 else ""
