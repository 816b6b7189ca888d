"""Runs and their histories -> groups over seeds -> the rows of the summary and of the curves."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from initlab.analysis.learning import final_loss, steps_to_reach
from initlab.analysis.uncertainty import Interval, mean_interval
from initlab.runner.grid import Run
from initlab.runner.training import History

REACHED_LOSS = 0.5


@dataclass(frozen=True)
class Group:
    """The runs of one condition, which differ in their seeds alone.

    Attributes:
        label: as a legend shows the condition.
        condition: swept keys and values, without the seed.
        runs, histories: one for each seed.
    """

    label: str
    condition: tuple[tuple[str, str], ...]
    runs: tuple[Run, ...]
    histories: tuple[History, ...]

    @property
    def scheme(self) -> str:
        """Of the first run, by which a figure chooses its colour."""
        return self.runs[0].settings.init.scheme

    @property
    def diverged_at(self) -> list[int]:
        """The steps at which runs diverged, one for each that did."""
        return [h.diverged_at for h in self.histories if h.diverged_at is not None]

    @property
    def finished(self) -> list[History]:
        """The histories that did not diverge."""
        return [history for history in self.histories if history.diverged_at is None]

    @property
    def final_loss(self) -> Interval | None:
        """Mean loss of the last 100 steps, over the seeds that finished."""
        return _interval([final_loss(history.losses) for history in self.finished])

    @property
    def test_accuracy(self) -> Interval | None:
        """Over the seeds that finished."""
        return _interval(
            [history.test_accuracy for history in self.finished if history.test_accuracy is not None]
        )

    @property
    def steps_to_reach(self) -> list[int]:
        """For each seed that got there, the first step whose smoothed loss is at most 0.5."""
        steps = [steps_to_reach(history.losses, REACHED_LOSS) for history in self.finished]
        return [step for step in steps if step is not None]


def _interval(values: Sequence[float]) -> Interval | None:
    return mean_interval(values) if values else None


def group(runs: Sequence[Run], histories: Sequence[History]) -> list[Group]:
    """Put together the runs that differ in their seeds alone, in the order of the sweep."""
    groups: dict[tuple[tuple[str, str], ...], list[tuple[Run, History]]] = {}
    for run, history in zip(runs, histories, strict=True):
        groups.setdefault(run.condition, []).append((run, history))
    return [
        Group(members[0][0].label, condition, *map(tuple, zip(*members, strict=True)))
        for condition, members in groups.items()
    ]


def summary_rows(groups: Iterable[Group]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of `summary.csv`: one for each condition, empty where there is no number."""
    header = ["label", "scheme", "seeds", "diverged", "first_diverged_at", "last_diverged_at"]
    header += ["final_loss", "final_loss_low", "final_loss_high"]
    header += ["test_accuracy", "test_accuracy_low", "test_accuracy_high"]
    header += [f"reached_loss_{REACHED_LOSS}", f"median_steps_to_loss_{REACHED_LOSS}"]
    return header, [_summary_row(group) for group in groups]


def _summary_row(group: Group) -> list[Any]:
    diverged, steps = group.diverged_at, group.steps_to_reach
    return [
        group.label,
        group.scheme,
        len(group.runs),
        len(diverged),
        min(diverged, default=""),
        max(diverged, default=""),
        *_ends(group.final_loss),
        *_ends(group.test_accuracy),
        len(steps),
        f"{median(steps):g}" if steps else "",
    ]


def _ends(interval: Interval | None) -> list[str]:
    if interval is None:
        return ["", "", ""]
    return [f"{value:.6g}" for value in (interval.mean, interval.low, interval.high)]


def curve_rows(groups: Iterable[Group]) -> tuple[list[str], Iterator[list[Any]]]:
    """Header and rows of `curves.csv`: one row for each step of each run."""
    return ["label", "seed", "step", "loss"], _curve_rows(groups)


def _curve_rows(groups: Iterable[Group]) -> Iterator[list[Any]]:
    for one in groups:
        for run, history in zip(one.runs, one.histories, strict=True):
            for step, loss in enumerate(history.losses):
                yield [one.label, run.settings.seed, step, f"{loss:.6g}"]


def screen_table(groups: Sequence[Group]) -> str:
    """The summary as it is printed: final loss and accuracy with 95 % intervals over seeds."""
    header = ["", "final loss", "test accuracy", f"steps to loss {REACHED_LOSS}", "diverged"]
    return aligned([header, *map(_screen_row, groups)])


def _screen_row(group: Group) -> list[str]:
    numbers = [_shown(group.final_loss), _shown(group.test_accuracy), _steps(group)]
    return [group.label, *numbers, _divergence(group)]


def _shown(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    spread = f" ± {interval.half_width:.4f}" if interval.count > 1 else ""
    return f"{interval.mean:.4f}{spread}"


def _steps(group: Group) -> str:
    steps, count = group.steps_to_reach, len(group.runs)
    if not steps:
        return "never"
    some = f" ({len(steps)} of {count} seeds)" if len(steps) < count else ""
    return f"{median(steps):g}{some}"


def _divergence(group: Group) -> str:
    steps = group.diverged_at
    if not steps:
        return "none"
    span = f"step {min(steps)}" if min(steps) == max(steps) else f"steps {min(steps)} to {max(steps)}"
    return f"{len(steps)} of {len(group.runs)}, at {span}"


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
