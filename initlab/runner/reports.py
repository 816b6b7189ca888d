"""What records say: stores -> rows of `list`, `export`, `compare`, `verify`; experiment -> preview."""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from initlab.errors import UsageError
from initlab.runner import provenance
from initlab.runner.config import Experiment
from initlab.runner.grid import Run, expand
from initlab.runner.settings import InitSettings, Settings
from initlab.runner.store import Record, Store, experiments, find_store
from initlab.runner.sweep import Choice, Cohort, missing_runs, plan
from initlab.runner.training import train

_CALIBRATION_STEPS = 50
_SECONDS_TO_START = 1.0
_STEP_OVERHEAD = 1e7


@dataclass(frozen=True)
class Preview:
    """What `run` would do.

    Attributes:
        runs: all of them.
        missing: the ids of those that would be trained.
        cohorts: how those would be grouped.
        seconds: about how long it would take on this machine; nan where that cannot be tried.
    """

    runs: list[Run]
    missing: set[str]
    cohorts: list[Cohort]
    seconds: float

    def rows(self) -> list[dict[str, Any]]:
        """One for each run: its cohort, counted from 1, or None where it has a record."""
        cohort_of = {run.id: i for i, cohort in enumerate(self.cohorts, start=1) for run in cohort}
        return [
            {"id": run.id, "label": run.label, "seed": run.settings.seed, "cohort": cohort_of.get(run.id)}
            for run in self.runs
        ]


def preview(experiment: Experiment, results: str | Path, choice: Choice) -> Preview:
    """What `run_experiment` would train with these arguments, and about how long; nothing is written."""
    runs = expand(experiment)
    store = Store(results, experiment.name)
    missing = runs if choice.force else missing_runs(runs, store, choice.retry_failed)
    tasks = plan(missing, choice.workers)
    seconds = _estimate(tasks, choice.workers) if tasks else 0.0
    return Preview(runs, {run.id for run in missing}, tasks, seconds)


def _estimate(tasks: Sequence[Cohort], workers: int) -> float:
    """Train the largest cohort for a few steps, and count all work against it; nan if it is too large."""
    sample = max(tasks, key=_work)
    steps = sample[0].settings.train.steps
    few = min(_CALIBRATION_STEPS, steps)
    try:
        with threadpool_limits(1):
            train(_shortened(sample, 1))
            once, more = (_seconds(_shortened(sample, count)) for count in (1, 1 + few))
    except MemoryError:
        return math.nan
    per_work = max(more - once, 1e-6) / (_work(sample) * few / steps)
    total = sum(map(_work, tasks)) * per_work + once * len(tasks)
    return total / min(workers, len(tasks)) + _SECONDS_TO_START


def _seconds(cohort: Sequence[Settings]) -> float:
    start = time.perf_counter()
    train(cohort)
    return time.perf_counter() - start


def _shortened(cohort: Cohort, steps: int) -> list[Settings]:
    """The cohort's settings with fewer steps, and a scheme that does not diverge in them."""
    settings = cohort[0].settings
    short = settings.train.model_copy(update={"steps": steps})
    tame = InitSettings(scheme="normal(std=0.01)")
    return [settings.model_copy(update={"train": short, "init": tame})] * len(cohort)


def _work(cohort: Cohort) -> float:
    """In multiplications, about; a step costs some whatever the size of the networks."""
    settings = cohort[0].settings
    sizes = (784, *settings.network.hidden, 10)
    products = sum(n_in * n_out for n_in, n_out in pairwise(sizes)) * settings.train.batch_size
    return settings.train.steps * (6.0 * products * len(cohort) + _STEP_OVERHEAD)


def experiment_rows(results: Path) -> list[dict[str, Any]]:
    """For each experiment, how many of its runs have which outcome."""
    rows = []
    for name in experiments(results):
        outcomes = Counter(_outcome(record) for _, record in Store(results, name).records())
        counts = {outcome: outcomes[outcome] for outcome in ("finished", "diverged", "failed", "damaged")}
        rows.append({"experiment": name, "runs": outcomes.total(), **counts})
    return rows


def run_rows(store: Store) -> list[dict[str, Any]]:
    """For each run of an experiment, its outcome and numbers."""
    rows = []
    for name, record in store.records():
        numbers = {key: getattr(record, key, None) for key in ("final_loss", "test_accuracy", "cause")}
        rows.append({"run": name, "outcome": _outcome(record), **numbers})
    return rows


def _outcome(record: Record | None) -> str:
    return "damaged" if record is None else record.outcome


def export_rows(store: Store) -> list[dict[str, Any]]:
    """For each whole record, all its settings by dotted key and all its numbers."""
    return [
        {
            "run": name,
            **dict(flattened(record.identity)),
            **{key: getattr(record, key) for key in ("outcome", "diverged_at", "final_loss")},
            **{key: getattr(record, key) for key in ("test_loss", "test_accuracy", "cause")},
        }
        for name, record in store.records()
        if record is not None
    ]


def flattened(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by dotted key.

    >>> dict(flattened({"train": {"steps": 3}, "hidden": [1, 2]}))
    {'train.steps': 3, 'hidden': '1 2'}
    """
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, " ".join(map(str, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Comparison:
    """Two runs beside each other.

    Attributes:
        first, second: their records.
        settings: for each dotted key in which they differ, both values.
        same_until: the step before which all losses have the same bits; None where all have.
    """

    first: Record
    second: Record
    settings: dict[str, tuple[Any, Any]]
    same_until: int | None


def compare(results: Path, first: str, second: str) -> Comparison:
    """Compare two runs.

    Args:
        results: the folder of the experiments' folders.
        first, second: run ids, each perhaps as `experiment/run`, or a beginning that only one run has.

    Raises:
        UsageError: when no run, or more than one, is meant.
    """
    records = find_run(results, first), find_run(results, second)
    one, other = (dict(flattened(record.identity)) for record in records)
    keys = [*one, *(key for key in other if key not in one)]
    differing = {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}
    return Comparison(*records, differing, _same_until(*(record.losses() for record in records)))


def _same_until(one: Any, other: Any) -> int | None:
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    if len(different):
        return int(different[0])
    return None if len(one) == len(other) else length


def find_run(results: Path, name: str) -> Record:
    """The one record whose id begins so, in any experiment or in that named before a slash.

    Raises:
        UsageError: when there is none, or more than one.
    """
    experiment, _, beginning = name.rpartition("/")
    stores = [find_store(results, one) for one in ([experiment] if experiment else experiments(results))]
    runs = [(store, run_id) for store in stores for run_id in store.run_ids()]
    found = [(store, run_id) for store, run_id in runs if run_id.startswith(beginning)]
    if not found:
        raise UsageError(f"no run is called {name!r}; `initlab list EXPERIMENT` tells the ids")
    if len(found) > 1:
        some = ", ".join(f"{store.folder.name}/{run_id}" for store, run_id in found[:3])
        raise UsageError(f"{len(found)} runs begin with {name!r}: {some}, ...; name one of them")
    store, run_id = found[0]
    record = store.load(run_id)
    if record is None:
        raise UsageError(f"the record of {run_id} is damaged; run its config again to mend it")
    return record


@dataclass(frozen=True)
class Verification:
    """What is wrong with, or different about, the records of an experiment.

    Attributes:
        experiment: its name.
        whole: how many records are.
        damaged: the ids of those that are damaged or were never finished.
        foreign: the ids of whole records from a processor, linear algebra library or NumPy other than here:
            training them here may give other last bits.
    """

    experiment: str
    whole: int
    damaged: list[str]
    foreign: list[str]


def verify(store: Store) -> Verification:
    """Check every record of an experiment against its checksums, and its machine against this one."""
    here, whole = provenance.fingerprint(), 0
    damaged: list[str] = []
    foreign: list[str] = []
    for name, record in store.records():
        if record is None:
            damaged.append(name)
            continue
        whole += 1
        if store.provenance(name).get("fingerprint") != here:
            foreign.append(name)
    return Verification(store.folder.name, whole, damaged, foreign)


def resolved_lines(experiment: Experiment) -> list[str]:
    """The experiment as YAML in which every value is told, with a comment where each comes from."""
    swept = {key: keys for axis in experiment.axes for key, keys in axis.keys.items()}
    _, settings = experiment.points()[0]
    lines = [_line("", "name", experiment.name, experiment.place("name"))]
    if experiment.description:
        lines.append(_line("", "description", experiment.description, experiment.place("description")))
    for section, value in settings.model_dump(mode="json", exclude_none=True).items():
        if isinstance(value, dict) and section != "init":
            held = list(_section_lines(experiment, swept, (section,), value))
            lines += [f"{section}:", *held] if held else []
        else:
            shown = _init(experiment, swept, value) if section == "init" else value
            lines += _value_lines(experiment, swept, (section,), shown)
    sweep = experiment.document.tree.get("sweep", {})
    lines += ["sweep:"] if sweep else []
    lines += [_line("  ", key, value, experiment.place("sweep", key)) for key, value in sweep.items()]
    figures = experiment.place("figures") if experiment.figures else "default"
    return [*lines, _line("", "figures", list(experiment.figures), figures)]


def _init(experiment: Experiment, swept: dict[str, Any], value: Any) -> Any:
    """A scheme in one word where it has no label; as it was written where a part of it is swept."""
    if any(key.startswith("init.") for key in swept):
        return experiment.tree["init"]
    return value["scheme"] if isinstance(value, dict) and set(value) == {"scheme"} else value


def _section_lines(
    experiment: Experiment, swept: dict[str, Any], keys: tuple[str, ...], tree: dict[str, Any]
) -> Iterator[str]:
    for key, value in tree.items():
        path = (*keys, key)
        if isinstance(value, dict):
            held = list(_section_lines(experiment, swept, path, value))
            yield from [f"{'  ' * len(keys)}{key}:", *held] if held else []
        else:
            yield from _value_lines(experiment, swept, path, value)


def _value_lines(
    experiment: Experiment, swept: dict[str, Any], keys: tuple[str, ...], value: Any
) -> Iterator[str]:
    """The line of one setting; none where it is swept, or lies within what is."""
    if not any(".".join(keys[:end]) in swept for end in range(1, len(keys) + 1)):
        place = experiment.place(*keys) if _written(experiment, keys) else "default"
        yield _line("  " * (len(keys) - 1), keys[-1], value, place)


def _written(experiment: Experiment, keys: tuple[str, ...]) -> bool:
    tree: Any = experiment.tree
    for key in keys:
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True


def _line(indent: str, key: str, value: Any, place: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"{indent}{key}: {text}  # {place}"
