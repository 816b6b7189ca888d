"""Rounds: the runs of an experiment as they become known, for the outcomes of a round determine the next.

Experiment -> Rounds.runs -> records -> Rounds.advance -> the next runs -> records -> ... -> found -> tables

Without a boundary there is one round. What comes next depends on the records alone, so an experiment that was
interrupted goes on where it was, and the same records give the same runs and tables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from initlab.runner.boundary import Outcome, Tried, next_positions
from initlab.runner.config import Experiment
from initlab.runner.grid import Run, expand, init_text, runs_at, short_name, swept_text
from initlab.runner.record import Record

Records = Mapping[str, Record]


@dataclass(frozen=True, kw_only=True)
class Search:
    """The search for the boundaries of one condition with one seed.

    Attributes:
        chosen: the swept values, without the setting on which the boundary lies.
        runs: by their positions on the lattice.
    """

    chosen: dict[str, Any]
    runs: dict[int, Run] = field(default_factory=dict)

    @property
    def condition(self) -> dict[str, Any]:
        """What was chosen, without the seed."""
        return {key: value for key, value in self.chosen.items() if key != "seed"}

    @property
    def label(self) -> str:
        """The condition in a few words."""
        return label_of(self.condition) or "all runs"

    @property
    def seed(self) -> int:
        """Of all its runs."""
        return next(iter(self.runs.values())).settings.seed

    def tried(self, outcome: Outcome, records: Records) -> Tried:
        """The outcomes of the runs that have a record, by position."""
        return {
            position: None if record.history is None else outcome.of(record.history)
            for position, run in self.runs.items()
            if (record := records.get(run.id)) is not None
        }


def label_of(settings: Mapping[str, Any]) -> str:
    """Swept values in a few words.

    >>> label_of({"init": "he", "network.depth": 5})
    'he, depth 5'
    """
    return ", ".join(
        init_text(value) if key == "init" else f"{short_name(key)} {swept_text(value)}"
        for key, value in settings.items()
    )


class Rounds:
    """The runs of an experiment, round by round.

    Args:
        experiment: with a boundary or without.

    Attributes:
        searches: one for each condition and seed; none without a boundary.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._first = expand(experiment)
        self.searches = _searches(experiment, self._first)

    @property
    def runs(self) -> list[Run]:
        """All runs that are known so far, in the order of the sweep, whatever round they are of."""
        if not self.searches:
            return self._first
        place = {repr(search.condition): i for i, search in reversed(list(enumerate(self.searches)))}
        ordered = sorted(
            (place[repr(search.condition)], position, number)
            for number, search in enumerate(self.searches)
            for position in search.runs
        )
        return [self.searches[number].runs[position] for _, position, number in ordered]

    @property
    def most(self) -> int:
        """The most runs that may follow in all, where the outcome flips wherever it can."""
        lattice = self.experiment.lattice
        return len(self.runs) if lattice is None else len(self.searches) * lattice.most

    @property
    def grid(self) -> int:
        """The runs of a grid with the resolution of the boundary."""
        lattice = self.experiment.lattice
        return len(self.runs) if lattice is None else len(self.searches) * len(lattice.values)

    def advance(self, records: Records) -> list[Run]:
        """The runs that follow from the records; none when all is found, or a record is missing.

        Args:
            records: by run id.
        """
        if self.experiment.boundary is None or self.experiment.lattice is None:
            return []
        outcome = Outcome.parse(self.experiment.boundary.of)
        new = [
            (search, position)
            for search in self.searches
            for position in next_positions(self.experiment.lattice, search.tried(outcome, records))
            if position not in search.runs
        ]
        values = self.experiment.lattice.values
        runs = runs_at(
            self.experiment,
            (self.experiment.at(search.chosen, values[position]) for search, position in new),
        )
        for (search, position), run in zip(new, runs, strict=True):
            search.runs[position] = run
        return runs


def _searches(experiment: Experiment, runs: Sequence[Run]) -> list[Search]:
    if experiment.boundary is None or experiment.lattice is None:
        return []
    over, lattice = experiment.boundary.over, experiment.lattice
    position_of = {lattice.values[position]: position for position in lattice.first}
    searches: dict[str, Search] = {}
    for (chosen, _), run in zip(experiment.points(), runs, strict=True):
        others = {key: value for key, value in chosen.items() if key != over}
        search = searches.setdefault(repr(others), Search(chosen=others))
        search.runs[position_of[chosen[over]]] = run
    return list(searches.values())


def follow(
    experiment: Experiment, read: Callable[[Sequence[Run]], Records]
) -> tuple[Rounds, dict[str, Record]]:
    """All rounds as far as there are records, and these.

    Args:
        experiment: of the records.
        read: gives the records that runs have, by run id.
    """
    rounds, records = Rounds(experiment), dict[str, Record]()
    new = rounds.runs
    while new:
        records |= read(new)
        new = rounds.advance(records)
    return rounds, records
