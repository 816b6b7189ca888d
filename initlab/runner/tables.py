"""Groups of runs -> the rows of the summary, of the curves and of the layers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from initlab.measure.intervals import Interval
from initlab.runner.grid import Run
from initlab.runner.record import Record
from initlab.tables import Table, aligned
from initlab.training.history import REACHED_LOSS, Condition
from initlab.training.tables import condition_table
from initlab.training.tracking import TRACKED

_MOST_CURVE_ROWS = 200_000  # about 5 MB, which a spreadsheet still opens


@dataclass(frozen=True, kw_only=True)
class Group:
    """The runs of one condition of an experiment.

    Attributes:
        condition: their histories.
        runs: their number, one for each seed.
        failed: the records of runs that could not be trained.
    """

    condition: Condition
    runs: int
    failed: tuple[Record, ...]


def group_runs(runs: Sequence[Run], records: Sequence[Record]) -> list[Group]:
    """Group the runs that differ only in their seeds, in the order of the sweep.

    Args:
        runs: of an experiment.
        records: one for each run, in the same order.
    """
    groups: dict[tuple[tuple[str, str], ...], list[tuple[Run, Record]]] = {}
    for run, record in zip(runs, records, strict=True):
        groups.setdefault(run.condition, []).append((run, record))
    return [_group(settings, members) for settings, members in groups.items()]


def _group(settings: tuple[tuple[str, str], ...], members: Sequence[tuple[Run, Record]]) -> Group:
    first = members[0][0]
    histories = tuple(
        replace(record.history, label=run.label) for run, record in members if record.history is not None
    )
    condition = Condition(
        label=first.label,
        scheme=str(first.settings.init.scheme),
        settings=settings,
        histories=histories,
    )
    failed = tuple(record for _, record in members if record.outcome == "failed")
    return Group(condition=condition, runs=len(members), failed=failed)


def summary(group: Group) -> dict[str, Any]:
    """The numbers of one condition by name; None where there is no number."""
    condition = group.condition
    diverged, steps = condition.diverged_at, condition.steps_to_reach
    return {
        "label": condition.label,
        "scheme": condition.scheme,
        "seeds": group.runs,
        "failed": len(group.failed),
        "diverged": len(diverged),
        "first_diverged_at": min(diverged, default=None),
        "last_diverged_at": max(diverged, default=None),
        "batches_before": max((history.batches_before for history in condition.histories), default=0),
        **_ends("final_loss", condition.final_loss),
        **_ends("test_accuracy", condition.test_accuracy),
        f"reached_loss_{REACHED_LOSS}": len(steps),
        f"median_steps_to_loss_{REACHED_LOSS}": median(steps) if steps else None,
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    ends = (None, None, None) if interval is None else (interval.mean, interval.low, interval.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def summary_rows(groups: Sequence[Group]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of `summary.csv`: one for each condition, numbers to six digits."""
    rows = [summary(group) for group in groups]
    cells = [[_cell(value) for value in row.values()] for row in rows]
    return list(rows[0]), cells


def curve_rows(conditions: Sequence[Condition]) -> tuple[list[str], Iterator[list[Any]]]:
    """Header and rows of `curves.csv`: the loss of every step, or of every k-th of very many steps."""
    steps = sum(len(history.losses) for condition in conditions for history in condition.histories)
    every = max(1, -(-steps // _MOST_CURVE_ROWS))
    return ["label", "seed", "step", "loss"], _curve_rows(conditions, every)


def _curve_rows(conditions: Iterable[Condition], every: int) -> Iterator[list[Any]]:
    for condition in conditions:
        for history in condition.histories:
            for step, loss in enumerate(history.losses[::every]):
                yield [condition.label, history.seed, every * step, _cell(float(loss))]


def tracked_rows(conditions: Sequence[Condition]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of `layers.csv`: the tracked numbers of each layer; no rows without tracking."""
    rows = [
        [condition.label, history.seed, entry["step"], layer, entry["train_accuracy"], *map(_cell, values)]
        for condition in conditions
        for history in condition.histories
        for entry in history.tracked or []
        # By name: a record has its keys in another order than a fresh history.
        for layer, values in enumerate(zip(*(entry["layers"][name] for name in TRACKED), strict=True), 1)
    ]
    return ["label", "seed", "step", "layer", "train_accuracy", *TRACKED], rows


def _cell(value: Any) -> Any:
    """A number as the tables write it, to six digits; anything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else value


def group_table(groups: Sequence[Group], width: int | None = None) -> str:
    """The printed summary: final loss and accuracy with 95 % intervals over seeds.

    Args:
        groups: of an experiment.
        width: of the table, in cells of a terminal; see `tables.aligned`.
    """
    return aligned(group_rows(groups), width)


def group_rows(groups: Sequence[Group]) -> Table:
    """The table of conditions, with a column of failures where a run has failed."""
    header, *rows = condition_table([group.condition for group in groups])
    if not any(group.failed for group in groups):
        return [header, *rows]
    failures = [f"{len(group.failed)} of {group.runs}" for group in groups]
    return [[*header, "failed"], *([*row, failed] for row, failed in zip(rows, failures, strict=True))]
