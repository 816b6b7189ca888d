"""Conditions as tables of text."""

from collections.abc import Sequence
from statistics import median

from initlab.measure.intervals import Interval
from initlab.tables import Table, aligned
from initlab.training.history import REACHED_LOSS, Condition


def condition_table(conditions: Sequence[Condition]) -> Table:
    """A header, and a row for each condition: final loss and accuracy with 95 % intervals over seeds."""
    header = ["", "final loss", "test accuracy", f"steps to loss {REACHED_LOSS}", "diverged"]
    return [header, *(_row(condition) for condition in conditions)]


def _row(condition: Condition) -> list[str]:
    loss, accuracy = shown_interval(condition.final_loss), shown_interval(condition.test_accuracy)
    return [condition.label, loss, accuracy, _steps(condition), _divergence(condition)]


def shown_interval(interval: Interval | None) -> str:
    """Mean and half width, as `0.3172 ± 0.0097`; a dash where there is no number."""
    if interval is None:
        return "-"
    spread = f" ± {interval.half_width:.4f}" if interval.count > 1 else ""
    return f"{interval.mean:.4f}{spread}"


def _steps(condition: Condition) -> str:
    steps, count = condition.steps_to_reach, len(condition.histories)
    if not steps:
        return "never"
    some = f" ({len(steps)} of {count} seeds)" if len(steps) < count else ""
    return f"{median(steps):g}{some}"


def _divergence(condition: Condition) -> str:
    steps = condition.diverged_at
    if not steps:
        return "none"
    span = f"step {min(steps)}" if min(steps) == max(steps) else f"steps {min(steps)} to {max(steps)}"
    return f"{len(steps)} of {len(condition.histories)}, at {span}"


def screen_table(conditions: Sequence[Condition]) -> str:
    """The table of conditions as it is printed."""
    return aligned(condition_table(conditions))
