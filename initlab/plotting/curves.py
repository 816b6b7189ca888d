"""Loss curves: groups of runs over seeds -> one smoothed curve and band for each condition."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from initlab.analysis.learning import smooth
from initlab.nn.arrays import FloatArray
from initlab.plotting.style import look, plain, styled
from initlab.runner.tables import Group


@styled
def loss_figure(groups: Sequence[Group]) -> Figure:
    """Training loss against step, smoothed as in Saito's book, with a marker at every 20th part.

    The line is the mean over the seeds that finished, the band runs from the smallest to the largest.
    A condition in which seeds diverged is marked on the upper edge, where the first of them did.

    Args:
        groups: from `runner.tables.group`.
    """
    figure = Figure(figsize=(7.2, 4.4))
    axes = figure.add_subplot()
    steps = max(run.settings.train.steps for group in groups for run in group.runs)
    top = _top(groups)
    for group in groups:
        if group.finished:
            _draw_band(axes, group, every=max(1, steps // 20))
    _mark_divergence(axes, groups, top)
    axes.set(xlim=(-0.01 * steps, 1.01 * steps), ylim=(0, top))
    axes.set(xlabel="training step", ylabel="loss of each step's batch, before its update")
    axes.set_title(plain(_title(groups)))
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.9), title=_legend_title(groups))
    return figure


def _draw_band(axes: Axes, group: Group, every: int) -> None:
    curves = np.stack([smooth(history.losses) for history in group.finished])
    steps = np.arange(curves.shape[1])
    style = look(group.scheme)
    axes.fill_between(
        steps, curves.min(axis=0), curves.max(axis=0), color=style.color, alpha=0.2, linewidth=0
    )
    final = group.final_loss
    label = group.label if final is None else f"{group.label}: ends at {final.mean:.3f}"
    axes.plot(
        steps,
        curves.mean(axis=0),
        color=style.color,
        linestyle=style.dash,
        marker=style.marker,
        markevery=every,
        label=plain(label),
    )


def _mark_divergence(axes: Axes, groups: Sequence[Group], top: float) -> None:
    for group in groups:
        if group.diverged_at:
            style = look(group.scheme)
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


def _divergence(group: Group) -> str:
    steps, count = group.diverged_at, len(group.runs)
    when = f"step {min(steps)}" if min(steps) == max(steps) else f"steps {min(steps)} to {max(steps)}"
    return f"diverged at {when} ({len(steps)} of {count})"


def _top(groups: Sequence[Group]) -> float:
    """The upper end of the loss axis: above nearly all of the smoothed curves, in steps of one half."""
    curves: list[FloatArray] = [smooth(h.losses) for group in groups for h in group.finished]
    highest = max((float(np.quantile(curve, 0.99)) for curve in curves), default=2.0)
    return float(np.ceil(2.0 * highest + 0.2) / 2)


def _title(groups: Sequence[Group]) -> str:
    ends = {group.label: group.final_loss.mean for group in groups if group.final_loss is not None}
    if not ends:
        return "Every run diverged"
    best = min(ends, key=lambda label: ends[label])
    return f"{best} reaches the lowest loss" if len(ends) > 1 else best


def _legend_title(groups: Sequence[Group]) -> str:
    seeds = max(len(group.runs) for group in groups)
    return f"mean of {seeds} seeds; band: smallest to largest" if seeds > 1 else ""
