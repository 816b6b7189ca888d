"""Loss curves: histories over seeds -> one smoothed curve with a band for each condition."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray
from initlab.plotting.elements import mean_and_range
from initlab.plotting.style import Figure, Look, distinct_looks, plain, styled
from initlab.training.history import Comparison, Condition, as_conditions

# A legend of more conditions would cover the curves; one longer than a column would leave the page.
_MOST_INSIDE, _MOST_IN_A_COLUMN = 6, 30


@styled
def loss_figure(comparison: Comparison, title: str | None = None) -> Figure:
    """Training loss against step, smoothed as in Saito's book, with about 20 markers on each curve.

    The line is the mean over the seeds that finished; the band runs from the smallest to the largest. Where a
    seed diverged, a marker stands on the upper edge. The curve of a scheme that looks at data before training
    begins as many steps later as it used batches.

    Args:
        comparison: histories from `train`, or conditions.
        title: the finding; by default, which condition ends with the lowest loss.

    Raises:
        UsageError: when there is nothing to draw.
    """
    conditions = as_conditions(comparison)
    if not any(condition.histories for condition in conditions):
        raise UsageError("there is no history to draw; loss_figure takes what `train` returns")
    figure = Figure(figsize=(7.2, 4.4) if len(conditions) <= _MOST_INSIDE else (10.5, 5.2))
    axes = figure.add_subplot()
    before, steps = _steps(conditions)
    top = _top(conditions)
    looks = distinct_looks([condition.scheme for condition in conditions])
    for condition, style in zip(conditions, looks, strict=True):
        if condition.finished:
            _draw_band(axes, condition, style, every=max(1, steps // 20))
        if condition.diverged_at:
            _mark_divergence(axes, condition, style, top)
    axes.set(xlim=(-0.01 * steps, 1.01 * steps), ylim=(0, top))
    counted = "training step, after the batches that the scheme looked at" if before > 1 else "training step"
    axes.set(xlabel=counted, ylabel="loss of each step's batch, before its update")
    axes.set_title(plain(title or _title(conditions)))
    _add_legend(figure, axes, conditions)
    return figure


def _steps(conditions: Sequence[Condition]) -> tuple[int, int]:
    """The most batches that a scheme looked at before training, and all steps on the axis with them."""
    histories = [history for condition in conditions for history in condition.histories]
    before = max(history.batches_before for history in histories)
    return before, before + max(max(len(history.losses), 1) for history in histories)


def _draw_band(axes: Axes, condition: Condition, style: Look, every: int) -> None:
    curves = np.stack([history.smoothed() for history in condition.finished])
    before = max(history.batches_before for history in condition.finished)
    final = condition.final_loss
    label = condition.label if final is None else f"{condition.label}: ends at {final.mean:.3f}"
    mean_and_range(axes, before + np.arange(curves.shape[1]), curves, style, label, every)


def _mark_divergence(axes: Axes, condition: Condition, style: Look, top: float) -> None:
    """Markers on the upper edge, drawn over the frame."""
    axes.plot(
        condition.diverged_at,
        [top] * len(condition.diverged_at),
        color=style.color,
        linestyle="none",
        marker=style.marker,
        markersize=9,
        clip_on=False,
        zorder=5,
        label=plain(f"{condition.label}: {_divergence(condition)}"),
    )


def _add_legend(figure: Figure, axes: Axes, conditions: Sequence[Condition]) -> None:
    """Put the legend into the axes, or beside them where there are many conditions."""
    if not axes.get_legend_handles_labels()[0]:
        return
    if len(conditions) <= _MOST_INSIDE:
        # A curve may run behind the legend, whose words stay readable on a background.
        axes.legend(
            loc="upper right",
            bbox_to_anchor=(1.0, 0.9),
            title=_legend_title(conditions),
            frameon=True,
            framealpha=0.7,
            edgecolor="none",
        )
    else:
        columns = -(-len(conditions) // _MOST_IN_A_COLUMN)
        figure.legend(loc="outside right upper", fontsize=7, ncols=columns, title=_legend_title(conditions))


def _divergence(condition: Condition) -> str:
    steps, count = condition.diverged_at, len(condition.histories)
    when = f"step {min(steps)}" if min(steps) == max(steps) else f"steps {min(steps)} to {max(steps)}"
    return f"diverged at {when} ({len(steps)} of {count})"


def _top(conditions: Sequence[Condition]) -> float:
    """The upper end of the loss axis: a multiple of one half above nearly all of the smoothed curves.

    The 99 % quantile keeps a single spike from flattening all curves.
    """
    curves: list[FloatArray] = [
        history.smoothed() for condition in conditions for history in condition.finished
    ]
    highest = max((float(np.quantile(curve, 0.99)) for curve in curves), default=2.0)
    return float(np.ceil(2.0 * highest + 0.2) / 2)


def _title(conditions: Sequence[Condition]) -> str:
    """The condition that ends lowest, among those of which every seed finished."""
    ends = {
        condition.label: condition.final_loss.mean
        for condition in conditions
        if condition.final_loss is not None and len(condition.finished) == len(condition.histories)
    }
    if not ends:
        return "No condition finished with every seed"
    return f"{min(ends, key=lambda label: ends[label])} ends with the lowest loss"


def _legend_title(conditions: Sequence[Condition]) -> str:
    seeds = {len(condition.finished) for condition in conditions if condition.finished}
    count = f"{max(seeds)} seeds" if len(seeds) == 1 else "the seeds that finished"
    return f"mean of {count}; band: smallest to largest" if max(seeds, default=0) > 1 else ""
