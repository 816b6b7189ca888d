"""Reports on records: stores -> rows of `list`, `export`, `compare`, `verify`; experiment -> preview."""

import io
import json
import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from initlab.errors import UsageError, alternatives, shortened, similar
from initlab.nn.architecture import count
from initlab.nn.arrays import FloatArray
from initlab.runner import provenance
from initlab.runner.columns import columns, flattened, without_constants
from initlab.runner.config import Experiment
from initlab.runner.figures import check_figures
from initlab.runner.grid import Run
from initlab.runner.memory import check_memory
from initlab.runner.missing import Missing, missing
from initlab.runner.own_code import as_written
from initlab.runner.record import Record
from initlab.runner.rounds import Records, follow
from initlab.runner.settings import InitSettings, Settings
from initlab.runner.store import Store, experiments, find_store
from initlab.runner.suitability import check_schemes
from initlab.runner.sweep import Choice, Cohort, check_data, plan, train_settings
from initlab.runner.weights import weight_bytes
from initlab.threads import one_thread

_CALIBRATION_STEPS = 50  # about 0.1 s for the book's network: long enough to time, short enough to wait for
_SECONDS_TO_START = 1.0  # of Python and the workers
_STEP_OVERHEAD = 1e7  # multiplications that take as long as Python's part of a step


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What `run_experiment` would do.

    Attributes:
        runs: all runs of the experiment.
        missing: the ids of the runs that would be trained; with a boundary, in the next round.
        reasons: why some of them would be trained again, a sentence for each cause.
        cohorts: how these would be grouped.
        weight_bytes: about how many bytes of weights would be written.
        seconds: the estimated time on this machine; nan where the memory is too small to try.
        most: the most runs that a boundary may take in all; else the number of runs.
        grid: the runs of a grid with the resolution of the boundary; likewise.
    """

    runs: list[Run]
    missing: set[str]
    reasons: list[str]
    cohorts: list[Cohort]
    weight_bytes: int
    seconds: float
    most: int
    grid: int

    def rows(self) -> list[dict[str, Any]]:
        """For each run its id, label, seed and cohort; None for a cohort where the run has a record."""
        cohort_of = {run.id: i for i, cohort in enumerate(self.cohorts, start=1) for run in cohort}
        return [
            {"id": run.id, "label": run.label, "seed": run.settings.seed, "cohort": cohort_of.get(run.id)}
            for run in self.runs
        ]


def preview(experiment: Experiment, results: str | Path, choice: Choice) -> Preview:
    """The runs that `run_experiment` would train with these arguments, and the time; nothing is written.

    Args:
        experiment: from `load_experiment`, or `Experiment(...)`.
        results: the folder that holds a folder for each experiment.
        choice: which runs are trained, and where.

    Raises:
        ConfigError: for a figure that cannot be drawn, or a scheme that does not suit its network, as
            `run_experiment`.
    """
    check_figures(experiment)
    check_schemes(experiment)
    store = Store(results, experiment.name)
    rounds: list[Missing] = []

    def read(new: Sequence[Run]) -> Records:
        rounds.append(missing(new, store, retry_failed=choice.retry_failed, force=choice.force))
        return rounds[-1].records

    reached, _ = follow(experiment, read)
    todo = [run for part in rounds for run in part.runs]
    check_data(todo)
    groups = plan(todo, choice.workers)
    if choice.dask is None:
        check_memory(groups, choice.workers)
    return Preview(
        runs=reached.runs,
        missing={run.id for run in todo},
        reasons=[reason for part in rounds for reason in part.reasons],
        cohorts=groups,
        weight_bytes=sum(map(weight_bytes, todo)),
        seconds=_estimate(groups, choice.workers) if groups else 0.0,
        most=reached.most,
        grid=reached.grid,
    )


def _estimate(tasks: Sequence[Cohort], workers: int) -> float:
    """Time the largest cohort for a few steps, and scale by the work of all; nan if memory is too small."""
    sample = max(tasks, key=_work)
    steps = sample[0].settings.train.steps
    few = min(_CALIBRATION_STEPS, steps)
    try:
        with one_thread():
            train_settings(_shortened(sample, 1))
            once, more = (_seconds(_shortened(sample, count)) for count in (1, 1 + few))
    except MemoryError:
        return math.nan
    per_work = max(more - once, 1e-6) / (_work(sample) * few / steps)
    total = sum(map(_work, tasks)) * per_work + once * len(tasks)
    return total / min(workers, len(tasks)) + _SECONDS_TO_START


def _seconds(cohort: Sequence[Settings]) -> float:
    start = time.perf_counter()
    train_settings(cohort)
    return time.perf_counter() - start


def _shortened(cohort: Cohort, steps: int) -> list[Settings]:
    """The cohort's settings with fewer steps, and with a scheme that does not diverge in them."""
    short = cohort[0].settings.train.model_copy(update={"steps": steps})
    tame = InitSettings.model_validate("std=0.01")
    return [run.settings.model_copy(update={"train": short, "init": tame}) for run in cohort]


def _work(cohort: Cohort) -> float:
    """The estimated multiplications of a training; each step has a fixed cost besides."""
    train = cohort[0].settings.train
    products = count(cohort[0].sizes).products * train.batch_size
    return train.steps * (6.0 * products * len(cohort) + _STEP_OVERHEAD)


def experiment_rows(results: Path) -> list[dict[str, Any]]:
    """For each experiment the number of its runs with each outcome."""
    rows = []
    for name in experiments(results):
        outcomes = Store(results, name).runs.outcomes()
        counts = {outcome: outcomes[outcome] for outcome in ("finished", "diverged", "failed", "damaged")}
        rows.append({"experiment": name, "runs": outcomes.total(), **counts})
    return rows


def run_rows(store: Store) -> list[dict[str, Any]]:
    """For each run of an experiment its outcome and numbers."""
    rows, notes = [], store.runs.notes()
    for name, record in store.records():
        results = {} if record is None else record.numbers()
        numbers = {key: results.get(key) for key in ("final_loss", "test_accuracy")}
        cause = None if record is None else record.cause
        row = {"run": name, "outcome": _outcome(record), **numbers, "cause": cause}
        rows.append(row | {"note": notes.get(name)} if notes else row)
    return rows


def _outcome(record: Record | None) -> str:
    return "damaged" if record is None else record.outcome


def export_rows(store: Store) -> list[dict[str, Any]]:
    """For each whole record all settings by dotted key, all numbers, and the file of its weights."""
    notes, weights = store.runs.notes(), set(store.weight_ids())
    return without_constants(
        {
            "run": name,
            **columns(record.identity),
            "outcome": record.outcome,
            **record.numbers(),
            "cause": record.cause,
            "note": notes.get(name),
            **({"weights": f"weights/{name}.npz" if name in weights else None} if weights else {}),
        }
        for name, record in store.records()
        if record is not None
    )


def parquet_bytes(rows: Sequence[dict[str, Any]]) -> bytes:
    """A Parquet file with a column for each key.

    Args:
        rows: numbers and texts by key. A column of both, or of whole numbers beyond 64 bits, becomes text.

    Raises:
        UsageError: without pyarrow.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError("--parquet needs pyarrow: pip install 'initlab[parquet]'") from None

    def column(values: list[Any]) -> Any:
        try:
            return pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):
            return pyarrow.array([None if value is None else str(value) for value in values])

    keys = dict.fromkeys(key for row in rows for key in row)
    content = io.BytesIO()
    parquet.write_table(pyarrow.table({key: column([row.get(key) for row in rows]) for key in keys}), content)
    return content.getvalue()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        first, second: their records.
        settings: both values of each dotted key in which they differ.
        same_until: the first step whose losses differ in a bit; None where none does.
    """

    first: Record
    second: Record
    settings: dict[str, tuple[Any, Any]]
    same_until: int | None


def compare(results: Path, first: str, second: str) -> Comparison:
    """Compare two runs.

    Args:
        results: the folder that holds a folder for each experiment.
        first, second: run ids, or beginnings that only one run has; as `experiment/run` in one experiment.

    Raises:
        UsageError: when no run, or more than one, has such an id, or the record is damaged.
    """
    a, b = (_whole(*find_run(results, name)) for name in (first, second))
    left, right = dict(flattened(a.identity)), dict(flattened(b.identity))
    pairs = {key: (left.get(key), right.get(key)) for key in {**left, **right}}
    return Comparison(
        first=a,
        second=b,
        settings={key: pair for key, pair in pairs.items() if pair[0] != pair[1]},
        same_until=_same_until(_losses(a), _losses(b)),
    )


def _losses(record: Record) -> FloatArray:
    return np.empty(0) if record.history is None else record.history.losses


def _same_until(a: FloatArray, b: FloatArray) -> int | None:
    length = min(len(a), len(b))
    different = np.flatnonzero(a[:length] != b[:length])
    if len(different):
        return int(different[0])
    return None if len(a) == len(b) else length


def find_run(results: Path, name: str) -> tuple[Store, str]:
    """The run whose id begins with a text, and the store that has it.

    An id may be shortened in its middle, as `list` shows a long one.

    Args:
        results: the folder that holds a folder for each experiment.
        name: the beginning, perhaps after an experiment's name and a slash.

    Raises:
        UsageError: when no run, or more than one, has such an id.
    """
    experiment, _, beginning = name.rpartition("/")
    names = [experiment] if experiment else experiments(results)
    stores = [find_store(results, name) for name in names]
    runs = [(store, run_id) for store in stores for run_id in store.run_ids()]
    start, *end = re.split(r"\.\.\.|…", beginning, maxsplit=1)
    matches = [each for each in runs if each[1].startswith(start) and each[1].endswith("".join(end))]
    if not matches:
        raise UsageError(_no_run(name, [*names, *(run_id for _, run_id in runs)]))
    if len(matches) > 1:
        some = ", ".join(f"{store.folder.name}/{run_id}" for store, run_id in matches[:3])
        others = ", ..." if len(matches) > 3 else ""
        raise UsageError(f"{len(matches)} runs begin with {name!r}: {some}{others}; name one of them")
    return matches[0]


def _no_run(name: str, names: Sequence[str]) -> str:
    nearest = similar(name, [each for each in names if each != name], 3)
    hint = f"; did you mean {alternatives(map(repr, nearest))}?" if nearest else ";"
    return f"no run is called {shortened(name)}{hint} `initlab list EXPERIMENT` lists the ids of its runs"


def _whole(store: Store, run_id: str) -> Record:
    record = store.load(run_id)
    if record is None:
        raise UsageError(f"the record of {run_id} is damaged; run its config again to mend it")
    return record


def unreached(experiment: Experiment, store: Store) -> list[str]:
    """The ids of recorded runs that an experiment does not have, and of weights that have no record."""
    rounds, _ = follow(experiment, store.whole)
    reached, recorded = {run.id for run in rounds.runs}, store.run_ids()
    orphans = set(store.weight_ids()).difference(recorded)
    return [*(name for name in recorded if name not in reached), *sorted(orphans)]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The state of an experiment's records.

    Attributes:
        experiment: its name.
        whole: the number of records that match their checksums.
        damaged: the ids of runs whose record is damaged, as far as they can be read.
        file_is_damaged: whether the whole file of records is damaged, so that runs may be missing here.
        weights: the number of files of weights that match their checksums.
        damaged_weights: the ids of runs whose file of weights does not.
        foreign: the ids of whole records from another processor, linear algebra library or NumPy: training
            these runs here may give other last bits.
    """

    experiment: str
    whole: int
    damaged: list[str]
    file_is_damaged: bool
    weights: int
    damaged_weights: list[str]
    foreign: list[str]


def verify(store: Store) -> Verification:
    """Check every record of an experiment against its checksums, and its machine against this one."""
    here, is_whole = provenance.fingerprint(), {name: record is not None for name, record in store.records()}
    whole = [name for name in is_whole if is_whole[name]]
    session_of, sessions = store.runs.sessions(), store.sessions()
    ours = {key for key, session in sessions.items() if session.get("fingerprint") == here}
    weights = {name: store.load_weights(name) is not None for name in store.weight_ids()}
    return Verification(
        experiment=store.folder.name,
        whole=len(whole),
        damaged=[name for name in is_whole if not is_whole[name]],
        file_is_damaged=store.runs.is_damaged(),
        weights=sum(weights.values()),
        damaged_weights=[name for name in weights if not weights[name]],
        foreign=[name for name in whole if session_of.get(name) not in ours],
    )


def resolved_lines(experiment: Experiment) -> list[str]:
    """The experiment as YAML that states every value, with a comment on where each comes from."""
    swept = {key: keys for axis in experiment.axes for key, keys in axis.keys.items()}
    _, settings = experiment.points()[0]
    lines = [_line("", "name", experiment.name, experiment.place("name"))]
    if experiment.description:
        lines.append(_line("", "description", experiment.description, experiment.place("description")))
    for section, value in settings.model_dump(mode="json", exclude_none=True).items():
        if isinstance(value, dict) and section != "init":
            inner = list(_section_lines(experiment, swept, (section,), value))
            lines += [f"{section}:", *inner] if inner else []
        else:
            shown = _init(experiment, swept, value) if section == "init" else value
            lines += _value_lines(experiment, swept, (section,), shown)
    sweep = experiment.document.tree.get("sweep", {})
    lines += ["sweep:"] if sweep else []
    lines += [_line("  ", key, value, experiment.place("sweep", key)) for key, value in sweep.items()]
    if experiment.boundary is not None:
        lines += ["boundary:", *_boundary_lines(experiment)]
    figures = experiment.place("figures") if experiment.figures else "default"
    lines.append(_line("", "figures", list(experiment.figures), figures))
    if experiment.save_weights:
        weights = list(experiment.save_weights)
        lines.append(_line("", "save_weights", weights, experiment.place("save_weights")))
    lines += [_line("", key, looks, experiment.place(key)) for key, looks in experiment.looks().items()]
    return list(map(as_written, lines))


def _boundary_lines(experiment: Experiment) -> Iterator[str]:
    written = experiment.document.tree["boundary"]
    assert experiment.boundary is not None
    for key, value in experiment.boundary.model_dump(exclude_none=True).items():
        yield _line("  ", key, value, experiment.place("boundary", key) if key in written else "default")


def _init(experiment: Experiment, swept: dict[str, Any], value: Any) -> Any:
    """A scheme as plain text where it has no label; as it was written where a part of it is swept."""
    if "init" in experiment.tree and any(key.startswith("init.") for key in swept):
        return experiment.tree["init"]
    return value["scheme"] if isinstance(value, dict) and set(value) == {"scheme"} else value


def _section_lines(
    experiment: Experiment, swept: dict[str, Any], keys: tuple[str, ...], tree: dict[str, Any]
) -> Iterator[str]:
    for key, value in tree.items():
        path = (*keys, key)
        if isinstance(value, dict):
            inner = list(_section_lines(experiment, swept, path, value))
            yield from [f"{'  ' * len(keys)}{key}:", *inner] if inner else []
        else:
            yield from _value_lines(experiment, swept, path, value)


def _value_lines(
    experiment: Experiment, swept: dict[str, Any], keys: tuple[str, ...], value: Any
) -> Iterator[str]:
    """The line of one setting; no line where the setting, or a key that holds it, is swept."""
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
