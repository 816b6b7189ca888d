"""Two experiments -> the differences of their results, paired by condition and seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from initlab.errors import UsageError, require, unknown_name
from initlab.measure.intervals import Interval, mean_interval
from initlab.runner.plots import EXPERIMENT, RESULTS, rows_of
from initlab.runner.results import Results

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """The runs of one condition that two experiments share.

    Attributes:
        condition: the swept settings that they have in common.
        seeds: how many seeds both have.
        lost: how many of these have no result in the first and in the second: they diverged or failed.
        first, second: the mean results of the pairs that have both; None where there is no such pair.
        difference: the second minus the first, with its 95 % Student interval over seeds; None likewise.
    """

    condition: dict[str, Any]
    seeds: int
    lost: tuple[int, int]
    first: float | None
    second: float | None
    difference: Interval | None

    @property
    def is_decided(self) -> bool:
        """Whether the interval of the difference, of two seeds or more, leaves 0 out."""
        interval = self.difference
        return interval is not None and interval.count > 1 and not interval.low <= 0 <= interval.high

    @property
    def label(self) -> str:
        """The condition in a few words."""
        shown = [
            str(value) if key == "init" else f"{key.rsplit('.', 1)[-1]} {value}"
            for key, value in self.condition.items()
        ]
        return ", ".join(shown) or "all runs"


def paired(first: Results, second: Results, result: str = "test_accuracy") -> list[Pairing]:
    """Compare two experiments where they have the same condition and seed.

    The same seed gives the same batches and underlying draws, so that a pair differs only in what the
    experiments differ in, and the interval of the difference is narrower than those of the two.

    Args:
        first, second: the results of the experiments.
        result: test_accuracy, test_loss or final_loss.

    Raises:
        UsageError: for an unknown result, or when they have no condition and seed in common.
    """
    require(result in RESULTS, unknown_name("result", result, RESULTS))
    keys = [key for each in (first, second) for axis in each.experiment.axes for key in axis.keys]
    swept = [key for key in dict.fromkeys(keys) if key != "seed"]
    left, right = (_by_condition(each, swept) for each in (first, second))
    common = [each for each in left if left[each].keys() & right.get(each, {}).keys()]
    if not common:
        raise UsageError(
            f"{first.experiment.name} and {second.experiment.name} have no condition and seed in common; "
            f"they sweep {', '.join(swept) or 'nothing'}"
        )
    return [
        _pairing(dict(zip(swept, condition, strict=True)), left[condition], right[condition], result)
        for condition in common
    ]


def _by_condition(results: Results, swept: Sequence[str]) -> dict[tuple[Any, ...], dict[int, Row]]:
    """The rows of each condition by seed."""
    conditions: dict[tuple[Any, ...], dict[int, Row]] = {}
    for row in rows_of(results):
        conditions.setdefault(tuple(row.get(key) for key in swept), {})[row["seed"]] = row
    return conditions


def _pairing(
    condition: dict[str, Any], left: Mapping[int, Row], right: Mapping[int, Row], result: str
) -> Pairing:
    seeds = [seed for seed in left if seed in right]
    pairs = [(left[seed][result], right[seed][result]) for seed in seeds]
    whole = [(a, b) for a, b in pairs if a is not None and b is not None]
    return Pairing(
        condition=condition,
        seeds=len(seeds),
        lost=(sum(a is None for a, _ in pairs), sum(b is None for _, b in pairs)),
        first=mean_interval([a for a, _ in whole]).mean if whole else None,
        second=mean_interval([b for _, b in whole]).mean if whole else None,
        difference=mean_interval([b - a for a, b in whole]) if whole else None,
    )


def differing_settings(first: Results, second: Results) -> dict[str, tuple[Any, Any]]:
    """The settings that no run of either experiment shares with any run of the other, by dotted key."""
    left, right = (list(rows_of(each)) for each in (first, second))
    keys = dict.fromkeys(key for row in (left[0], right[0]) for key in row)
    values = {
        key: [{str(row.get(key)) for row in rows} for rows in (left, right)]
        for key in keys
        if key not in (EXPERIMENT, "diverged_at", *RESULTS)
    }
    return {key: (_shown(a), _shown(b)) for key, (a, b) in values.items() if not a & b}


def _shown(values: set[str]) -> str:
    return ", ".join(sorted(values)[:4]) + (", ..." if len(values) > 4 else "")
