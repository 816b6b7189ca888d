"""Conditions in one figure: those with names, the others in grey, the steps at which networks diverged."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from initlab.plotting.style import Look, distinct_looks, plain
from initlab.plotting.text import shortened
from initlab.training.history import Condition

# A legend of more conditions would leave the page, and their lines could not be told from each other.
MOST_NAMED = 30
_WIDEST_NAME = 5.4  # inches: two lines of a legend
_GREY = "#BBBBBB"

NO_VALUES = "every network diverged: a mark for its step"  # stands for the name of the axis

Score = Callable[[Condition], float | None]
Draw = Callable[[Condition, str, Look], None]
Mean = Callable[[Condition], tuple[ArrayLike, ArrayLike]]


def names_of(conditions: Sequence[Condition], score: Score, words: tuple[str, str]) -> dict[int, str]:
    """The conditions with a name in the legend: all, or of more than thirty the first, the median, the last.

    Args:
        conditions: of the figure.
        score: by which they are ranked, the smallest first; None for those that are not.
        words: for the first and the last, for example ("lowest", "highest").

    Returns:
        The place of each named condition among all, and its name.
    """
    if len(conditions) <= MOST_NAMED:
        return {i: name_of(condition) for i, condition in enumerate(conditions)}
    scores = {i: value for i, condition in enumerate(conditions) if (value := score(condition)) is not None}
    ranked = sorted(scores, key=lambda i: scores[i])
    ranks = {0: words[0], 1: "second", 2: "third", len(ranked) // 2: "median", len(ranked) - 1: words[1]}
    return {
        ranked[rank]: f"{word}: {name_of(conditions[ranked[rank]])}"
        for rank, word in ranks.items()
        if 0 <= rank < len(ranked)
    }


def name_of(condition: Condition, inches: float = _WIDEST_NAME) -> str:
    """Its label, without the middle of a very long one."""
    return shortened(condition.label, inches, 9)


def finished_everywhere(condition: Condition) -> bool:
    """Whether no seed diverged."""
    return len(condition.finished) == len(condition.histories)


def draw_conditions(
    axes: Axes, conditions: Sequence[Condition], names: Mapping[int, str], top: float, draw: Draw, mean: Mean
) -> None:
    """The curves of conditions, and a marker on the upper edge for each network that diverged.

    Args:
        axes: to draw on.
        conditions: of the figure.
        names: of those with a look and an entry in the legend; the others are grey.
        top: the upper edge, in data coordinates.
        draw: draws a condition with its name and look.
        mean: the steps of a condition, and the means over its seeds.
    """
    looks = distinct_looks([conditions[i].scheme for i in names])
    heights = _heights_of_marks(conditions, top)
    for (i, name), style in zip(names.items(), looks, strict=True):
        if conditions[i].finished:
            draw(conditions[i], name, style)
        if conditions[i].diverged_at:
            _mark_divergence(axes, conditions[i], name, style, heights[i])
    others = [i for i in range(len(conditions)) if i not in names]
    _draw_unnamed(axes, [mean(conditions[i]) for i in others if conditions[i].finished])
    _mark_unnamed(axes, [conditions[i] for i in others], [heights[i] for i in others])
    if not any_finished(conditions):
        # There are no values, of which the axis could show the scale.
        axes.set_yticks([])
        scale_to_divergences(axes, conditions)


def _draw_unnamed(axes: Axes, curves: Sequence[tuple[ArrayLike, ArrayLike]]) -> None:
    """Thin grey lines, with one entry in the legend for all."""
    for i, (steps, means) in enumerate(curves):
        label = "_" if i else f"{len(curves)} others"
        axes.plot(steps, means, color=_GREY, linewidth=0.5, zorder=1, label=label)


def _mark_divergence(axes: Axes, condition: Condition, name: str, style: Look, height: float) -> None:
    """A marker for each network that diverged, at its step, drawn over the frame."""
    axes.plot(
        condition.diverged_at,
        [height] * len(condition.diverged_at),
        color=style.color,
        linestyle="none",
        marker=style.marker,
        markersize=9,
        clip_on=False,
        zorder=5,
        label=plain(f"{name}: {divergence(condition)}"),
    )


def _mark_unnamed(axes: Axes, conditions: Sequence[Condition], heights: Sequence[float]) -> None:
    """A grey cross for each network that diverged, with one entry in the legend for all."""
    marks = [
        (step, height)
        for condition, height in zip(conditions, heights, strict=True)
        for step in condition.diverged_at
    ]
    if marks:
        count = sum(bool(condition.diverged_at) for condition in conditions)
        label = f"{count} conditions diverged in some seed, {_span([step for step, _ in marks])}"
        axes.plot(*zip(*marks, strict=True), "x", color="#777777", clip_on=False, zorder=4, label=label)


def divergence(condition: Condition) -> str:
    """When a condition diverged, as "diverged at steps 3 to 4 (2 of 5)"."""
    steps, count = condition.diverged_at, len(condition.histories)
    return f"diverged at {_span(steps)} ({len(steps)} of {count})"


def _span(steps: Sequence[int]) -> str:
    return f"step {min(steps)}" if min(steps) == max(steps) else f"steps {min(steps)} to {max(steps)}"


def _heights_of_marks(conditions: Sequence[Condition], top: float) -> list[float]:
    """The upper edge; where no network finished, a height of its own for each condition."""
    if any_finished(conditions):
        return [top] * len(conditions)
    heights: list[float] = np.linspace(top, 0, len(conditions) + 2)[1:-1].tolist()
    return heights


def scale_to_divergences(axes: Axes, conditions: Sequence[Condition]) -> None:
    """From step 0 to the last divergence, in whole steps."""
    last = max(step for condition in conditions for step in condition.diverged_at)
    axes.set_xlim(-0.5, max(last, 1) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def any_finished(conditions: Sequence[Condition]) -> bool:
    """Whether there is a network that did not diverge."""
    return any(condition.finished for condition in conditions)
