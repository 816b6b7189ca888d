"""Loss curves: groups of runs over seeds -> one smoothed curve and band for each condition."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from initlab.analysis.learning import smooth
from initlab.nn.arrays import FloatArray
from initlab.plotting.marks import mean_and_range
from initlab.plotting.style import Look, distinct_looks, plain, styled
from initlab.runner.tables import Group

_MOST_INSIDE, _MOST_IN_A_COLUMN = 6, 30


@styled
def loss_figure(groups: Sequence[Group], title: str | None = None) -> Figure:
    """Training loss against step, smoothed as in Saito's book, with a marker at every 20th part.

    The line is the mean over the seeds that finished, the band runs from the smallest to the largest.
    A condition in which seeds diverged is marked on the upper edge, where the first of them did. The curve of
    a scheme that looks at data before begins after as many steps as it took batches: that is its cost.

    Args:
        groups: from `runner.tables.group`.
        title: what is seen; by default which condition ends with the lowest loss.
    """
    looks = distinct_looks([group.scheme for group in groups])
    figure = Figure(figsize=(7.2, 4.4) if len(groups) <= _MOST_INSIDE else (10.5, 5.2))
    axes = figure.add_subplot()
    before = max(record.batches_before for group in groups for record in group.records)
    steps = before + max(run.settings.train.steps for group in groups for run in group.runs)
    top = _top(groups)
    for group, style in zip(groups, looks, strict=True):
        if group.finished:
            _draw_band(axes, group, style, every=max(1, steps // 20))
        if group.diverged_at:
            _mark_divergence(axes, group, style, top)
    axes.set(xlim=(-0.01 * steps, 1.01 * steps), ylim=(0, top))
    counted = "training step, after the batches that the scheme looked at" if before > 1 else "training step"
    axes.set(xlabel=counted, ylabel="loss of each step's batch, before its update")
    axes.set_title(plain(title or _title(groups)))
    _add_legend(figure, axes, groups)
    return figure


def _draw_band(axes: Axes, group: Group, style: Look, every: int) -> None:
    curves = np.stack([smooth(record.losses()) for record in group.finished])
    before = max(record.batches_before for record in group.finished)
    final = group.final_loss
    label = group.label if final is None else f"{group.label}: ends at {final.mean:.3f}"
    mean_and_range(axes, before + np.arange(curves.shape[1]), curves, style, label, every)


def _mark_divergence(axes: Axes, group: Group, style: Look, top: float) -> None:
    axes.plot(
        group.diverged_at,
        [top] * len(group.diverged_at),
        color=style.color,
        linestyle="none",
        marker=style.marker,
        markersize=9,
        clip_on=False,
        zorder=5,
        label=plain(f"{group.label}: {_divergence(group)}"),
    )


def _add_legend(figure: Figure, axes: Axes, groups: Sequence[Group]) -> None:
    """Within the axes, or beside them where there are many conditions."""
    if not axes.get_legend_handles_labels()[0]:
        return
    if len(groups) <= _MOST_INSIDE:
        axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.9), title=_legend_title(groups))
    else:
        columns = -(-len(groups) // _MOST_IN_A_COLUMN)
        figure.legend(loc="outside right upper", fontsize=7, ncols=columns, title=_legend_title(groups))


def _divergence(group: Group) -> str:
    steps, count = group.diverged_at, len(group.runs)
    when = f"step {min(steps)}" if min(steps) == max(steps) else f"steps {min(steps)} to {max(steps)}"
    return f"diverged at {when} ({len(steps)} of {count})"


def _top(groups: Sequence[Group]) -> float:
    """The upper end of the loss axis: above nearly all of the smoothed curves, in steps of one half."""
    curves: list[FloatArray] = [smooth(one.losses()) for group in groups for one in group.finished]
    highest = max((float(np.quantile(curve, 0.99)) for curve in curves), default=2.0)
    return float(np.ceil(2.0 * highest + 0.2) / 2)


def _title(groups: Sequence[Group]) -> str:
    """Which condition ends lowest, among those of which every seed finished."""
    ends = {
        group.label: group.final_loss.mean
        for group in groups
        if group.final_loss is not None and len(group.finished) == len(group.runs)
    }
    if not ends:
        return "No condition finished with every seed"
    return f"{min(ends, key=lambda label: ends[label])} ends with the lowest loss"


def _legend_title(groups: Sequence[Group]) -> str:
    seeds = {len(group.finished) for group in groups if group.finished}
    count = f"{max(seeds)} seeds" if len(seeds) == 1 else "the seeds that finished"
    return f"mean of {count}; band: smallest to largest" if max(seeds, default=0) > 1 else ""
