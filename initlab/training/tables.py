"""Conditions as tables of text: on the screen, and as HTML in a notebook."""

from collections.abc import Sequence
from html import escape
from statistics import median

from initlab.measure.intervals import Interval
from initlab.training.history import REACHED_LOSS, Condition

Table = list[list[str]]


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


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text in columns, the first flush left, the others flush right.

    >>> print(aligned([["a", "1"], ["bb", "20"]]))
    a    1
    bb  20
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as an HTML table, the first being its header.

    >>> html_table([["a<b"], ["1"]])
    '<table><thead><tr><th>a&lt;b</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>'
    """
    header, *body = [
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in zip(["th", *["td"] * (len(rows) - 1)], rows, strict=True)
    ]
    lines = "".join(f"<tr>{cells}</tr>" for cells in body)
    return f"<table><thead><tr>{header}</tr></thead><tbody>{lines}</tbody></table>"
