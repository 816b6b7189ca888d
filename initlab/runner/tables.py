"""Runs and their records -> groups over seeds -> the rows of the summary and of the curves."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from initlab.analysis.learning import steps_to_reach
from initlab.analysis.tracking import TRACKED
from initlab.analysis.uncertainty import Interval, mean_interval
from initlab.runner.grid import Run
from initlab.runner.store import Record

REACHED_LOSS = 0.5
_MOST_CURVE_ROWS = 200_000


@dataclass(frozen=True)
class Group:
    """The runs of one condition, which differ in their seeds alone.

    Attributes:
        label: as a legend shows the condition.
        condition: swept keys and values, without the seed.
        runs, records: one for each seed.
    """

    label: str
    condition: tuple[tuple[str, str], ...]
    runs: tuple[Run, ...]
    records: tuple[Record, ...]

    @property
    def scheme(self) -> str:
        """Of the first run, by which a figure chooses its colour."""
        return self.runs[0].settings.init.scheme

    @property
    def diverged_at(self) -> list[int]:
        """The steps at which runs diverged, one for each that did."""
        return [record.diverged_at for record in self.records if record.diverged_at is not None]

    @property
    def failed(self) -> list[Record]:
        """The records of runs that could not be trained."""
        return [record for record in self.records if record.outcome == "failed"]

    @property
    def finished(self) -> list[Record]:
        """The records of runs that neither diverged nor failed."""
        return [record for record in self.records if record.outcome == "finished"]

    @property
    def final_loss(self) -> Interval | None:
        """Mean loss of the last 100 steps, over the seeds that finished."""
        return _interval([record.final_loss for record in self.finished])

    @property
    def test_accuracy(self) -> Interval | None:
        """Over the seeds that finished."""
        return _interval([record.test_accuracy for record in self.finished])

    @cached_property
    def steps_to_reach(self) -> list[int]:
        """For each seed that got there, the first step whose smoothed loss is at most 0.5."""
        steps = [steps_to_reach(record.losses(), REACHED_LOSS) for record in self.finished]
        return [step for step in steps if step is not None]


def _interval(values: Sequence[float | None]) -> Interval | None:
    known = [value for value in values if value is not None]
    return mean_interval(known) if known else None


def group(runs: Sequence[Run], records: Sequence[Record]) -> list[Group]:
    """Put together the runs that differ in their seeds alone, in the order of the sweep."""
    groups: dict[tuple[tuple[str, str], ...], list[tuple[Run, Record]]] = {}
    for run, record in zip(runs, records, strict=True):
        groups.setdefault(run.condition, []).append((run, record))
    return [
        Group(members[0][0].label, condition, *map(tuple, zip(*members, strict=True)))
        for condition, members in groups.items()
    ]


def summary(group: Group) -> dict[str, Any]:
    """The numbers of one condition by name; None where there is no number."""
    diverged, steps = group.diverged_at, group.steps_to_reach
    return {
        "label": group.label,
        "scheme": group.scheme,
        "seeds": len(group.runs),
        "failed": len(group.failed),
        "diverged": len(diverged),
        "first_diverged_at": min(diverged, default=None),
        "last_diverged_at": max(diverged, default=None),
        "batches_before": max(record.batches_before for record in group.records),
        **_ends("final_loss", group.final_loss),
        **_ends("test_accuracy", group.test_accuracy),
        f"reached_loss_{REACHED_LOSS}": len(steps),
        f"median_steps_to_loss_{REACHED_LOSS}": median(steps) if steps else None,
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    ends = (None, None, None) if interval is None else (interval.mean, interval.low, interval.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def summary_rows(groups: Sequence[Group]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of `summary.csv`: one for each condition, numbers to six digits."""
    rows = [summary(group) for group in groups]
    cells = [[f"{v:.6g}" if isinstance(v, float) else v for v in row.values()] for row in rows]
    return list(rows[0]), cells


def curve_rows(groups: Sequence[Group]) -> tuple[list[str], Iterator[list[Any]]]:
    """Header and rows of `curves.csv`: the loss of every step, or of every k-th where there are very many."""
    steps = sum(run.settings.train.steps for group in groups for run in group.runs)
    every = -(-steps // _MOST_CURVE_ROWS)
    return ["label", "seed", "step", "loss"], _curve_rows(groups, every)


def _curve_rows(groups: Iterable[Group], every: int) -> Iterator[list[Any]]:
    for one in groups:
        for run, record in zip(one.runs, one.records, strict=True):
            for step, loss in enumerate(record.losses()[::every]):
                yield [one.label, run.settings.seed, every * step, f"{loss:.6g}"]


def tracked_rows(groups: Sequence[Group]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of `layers.csv`: what was tracked of each layer; no rows where nothing was."""
    rows = [
        [one.label, run.settings.seed, entry["step"], layer + 1, entry["train_accuracy"], *_cells(values)]
        for one in groups
        for run, record in zip(one.runs, one.records, strict=True)
        for entry in record.tracked()
        for layer, values in enumerate(zip(*entry["layers"].values(), strict=True))
    ]
    return ["label", "seed", "step", "layer", "train_accuracy", *TRACKED], rows


def _cells(values: Iterable[float | None]) -> list[str | None]:
    return [None if value is None else f"{value:.6g}" for value in values]


def screen_table(groups: Sequence[Group]) -> str:
    """The summary as it is printed: final loss and accuracy with 95 % intervals over seeds."""
    header = ["", "final loss", "test accuracy", f"steps to loss {REACHED_LOSS}", "diverged"]
    rows = [[*_screen_row(one), f"{len(one.failed)} of {len(one.runs)}"] for one in groups]
    if not any(one.failed for one in groups):
        return aligned([header, *(row[:-1] for row in rows)])
    return aligned([[*header, "failed"], *rows])


def _screen_row(group: Group) -> list[str]:
    numbers = [shown_interval(group.final_loss), shown_interval(group.test_accuracy), _steps(group)]
    return [group.label, *numbers, _divergence(group)]


def shown_interval(interval: Interval | None) -> str:
    """Mean and half width, as `0.3172 ± 0.0097`; a dash where there is no number."""
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
