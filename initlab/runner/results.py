"""The results of an experiment: its records as conditions, tables and a DataFrame, shown in a notebook."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from initlab.errors import StorageError, UsageError, unknown_name
from initlab.nn.network import Ensemble
from initlab.runner.boundary_tables import (
    Boundaries,
    boundary_rows,
    boundary_table,
    boundary_text,
    find_boundaries,
)
from initlab.runner.columns import columns
from initlab.runner.config import Experiment, load_experiment
from initlab.runner.grid import Run
from initlab.runner.record import Record
from initlab.runner.rounds import follow
from initlab.runner.store import Store
from initlab.runner.tables import (
    Group,
    curve_rows,
    group_rows,
    group_runs,
    group_table,
    summary,
    summary_rows,
    tracked_rows,
)
from initlab.runner.weights import networks_of
from initlab.tables import html_table
from initlab.training.histories import Histories, data_frame
from initlab.training.history import Condition, kept_network

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, kw_only=True, repr=False)
class Results:
    """The recorded results of an experiment.

    Attributes:
        experiment: the experiment.
        store: its folder.
        runs: those that have a record, in the order of the sweep.
        records: by run id.
        groups: the runs of each condition.
        trained: how many runs were trained by the call that returned these results.
    """

    experiment: Experiment
    store: Store
    runs: list[Run]
    records: dict[str, Record]
    groups: list[Group]
    trained: int = 0

    @property
    def reused(self) -> int:
        """How many runs had a record before."""
        return len(self.runs) - self.trained

    @property
    def failed(self) -> list[Record]:
        """The records of runs that could not be trained."""
        return [record for group in self.groups for record in group.failed]

    @property
    def conditions(self) -> list[Condition]:
        """The histories of each condition, over seeds."""
        return [group.condition for group in self.groups]

    @property
    def histories(self) -> Histories:
        """All histories, as `train` returns them."""
        return Histories(history for condition in self.conditions for history in condition.histories)

    def of(self, label: str) -> Condition:
        """The condition with a label.

        Raises:
            UsageError: when there is none.
        """
        for condition in self.conditions:
            if condition.label == label:
                return condition
        raise UsageError(unknown_name("condition", label, [item.label for item in self.conditions]))

    def find(self, name: str, seed: int | None = None) -> Run:
        """The run with an id, or the one of a condition with a seed.

        Args:
            name: a run's id, or the label of a condition.
            seed: of the run; by default the first one of the condition.

        Raises:
            UsageError: when there is none.
        """
        named = [run for run in self.runs if run.id == name]
        if named:
            return named[0]
        label = self.of(name).label
        seeds = {run.settings.seed: run for run in self.runs if run.label == label}
        if seed is not None and seed not in seeds:
            raise UsageError(
                f"{label} has no run with seed {seed}; its seeds are {', '.join(map(str, seeds))}"
            )
        return seeds[next(iter(seeds)) if seed is None else seed]

    def network(self, name: str, step: int | Literal["last"] = "last", seed: int | None = None) -> Ensemble:
        """The network of a run as it was kept after so many steps, of an experiment with `save_weights`.

        Args:
            name: a run's id, or the label of a condition, as "he".
            step: from 0, before the first step, to the number of steps, which "last" means.
            seed: of the run; by default the first one of the condition.

        Raises:
            UsageError: where there is no such run, or its weights were not kept.
            StorageError: where the file of weights is damaged, or not of this run.
        """
        run = self.find(name, seed)
        history = self.records[run.id].history
        ended = None if history is None or history.diverged_at is not None else len(history.losses)
        title = f"{run.label}, seed {run.settings.seed}"
        return kept_network(self._networks(run), step, ended, title)

    def _networks(self, run: Run) -> dict[int, Ensemble]:
        arrays = self.store.load_weights(run.id)
        if arrays is not None:
            return networks_of(run, arrays)
        if run.id in self.store.weight_ids():
            raise StorageError(
                f"{self.store.folder}: the weights of {run.id} are damaged; run its config again"
            )
        return {}

    def rows(self) -> Iterator[dict[str, Any]]:
        """The swept settings, the seed and the results of each run."""
        for run in self.runs:
            record = self.records[run.id]
            # Numbers as such, where a legend has texts.
            values = columns(run.identity)
            swept = {key: values.get(key, text) for key, text in run.condition}
            seed = {"seed": run.settings.seed}
            yield {**swept, **seed, "outcome": record.outcome, **record.numbers()}

    def to_frame(self) -> "DataFrame":
        """A pandas DataFrame with a row for each run: swept settings, seed and results.

        Raises:
            UsageError: when pandas is not installed.
        """
        return data_frame(self.rows())

    def summary(self) -> list[dict[str, Any]]:
        """The numbers of each condition over seeds, as in `summary.csv`."""
        return [summary(group) for group in self.groups]

    def curves(self) -> list[dict[str, Any]]:
        """The loss of each step of each network, as in `curves.csv`."""
        header, rows = curve_rows(self.conditions)
        return [dict(zip(header, row, strict=True)) for row in rows]

    @cached_property
    def boundaries(self) -> Boundaries | None:
        """Where the outcome flips, if the experiment asks for it."""
        return None if self.experiment.boundary is None else find_boundaries(self.experiment, self.records)

    @property
    def tables(self) -> list[str]:
        """The names of the tables that every training writes."""
        return ["summary.csv", "curves.csv", *["boundary.csv"] * (self.experiment.boundary is not None)]

    def write_tables(self) -> None:
        """Write the `tables`, and `layers.csv` where layers were tracked, else remove that."""
        self.store.write_table("summary", *summary_rows(self.groups))
        self.store.write_table("curves", *curve_rows(self.conditions))
        if self.boundaries is not None:
            self.store.write_table("boundary", *boundary_rows(self.boundaries))
        layers = tracked_rows(self.conditions)
        if layers[1]:
            self.store.write_table("layers", *layers)
        else:
            self.store.remove_table("layers")

    def report(self, target: str | Path | None = None) -> str:
        """One HTML page of these results, which a notebook shows; see `initlab.report`.

        Args:
            target: the file to write, in an existing folder; none by default.

        Raises:
            UsageError: without the packages of the extra `report`.
            StorageError: when the file cannot be written.
        """
        import initlab  # pages stand floors above; the front door of the package leads there

        return initlab.report(self, target)

    def __repr__(self) -> str:
        return group_table(self.groups) if self.boundaries is None else boundary_text(self.boundaries)

    def _repr_html_(self) -> str:
        boundaries = self.boundaries
        return html_table(group_rows(self.groups) if boundaries is None else boundary_table(boundaries))


def load_results(folder: str | Path, *, allow_code: bool = False) -> Results:
    """The results in an experiment's folder.

    Args:
        folder: as `results/mnist`, written by `run_experiment`.
        allow_code: whether Python files that the experiment names may run.

    Raises:
        StorageError: when it holds no experiment.
        UsageError: when it has no records.
        DataError: when the dataset cannot be opened; the identity of a run holds its digest.
    """
    place = Path(folder)
    experiment = load_experiment(place / "experiment.yaml", allow_code=allow_code)
    store = Store(place.parent, place.name)
    rounds, records = follow(experiment, store.whole)
    if not records:
        raise UsageError(f"{place}: no run has a record; train with `initlab run {place}/experiment.yaml`")
    runs = [run for run in rounds.runs if run.id in records]
    groups = group_runs(runs, [records[run.id] for run in runs])
    return Results(experiment=experiment, store=store, runs=runs, records=records, groups=groups)
