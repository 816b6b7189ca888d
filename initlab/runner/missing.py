"""Which runs are to be trained, and why those again that were trained before: runs, store -> Missing."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from initlab.own_code import names_in, shown
from initlab.runner.grid import Run
from initlab.runner.record import Record
from initlab.runner.store import Store
from initlab.runner.weights import lacks_weights


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What is to be done.

    Attributes:
        records: the valid records of runs that are not trained, by run id.
        runs: those that are.
        reasons: why runs that were trained before are trained again, a sentence for each cause.
    """

    records: dict[str, Record]
    runs: list[Run]
    reasons: list[str]


def missing(runs: Sequence[Run], store: Store, *, retry_failed: bool = False, force: bool = False) -> Missing:
    """Which runs are to be trained.

    Args:
        runs: of the experiment.
        store: of its records.
        retry_failed: whether runs with a record of a failure are trained again.
        force: whether all are.
    """
    if force:
        return Missing(records={}, runs=list(runs), reasons=[])
    records = recorded(runs, store, retry_failed)
    changed = _changed_files([run for run in runs if run.id not in records], store)
    reasons = [f"{_count(count)} again: {file} changed since" for file, count in changed.items()]
    lacking = [
        run
        for run in runs
        if run.kept_steps
        and run.id in records
        and lacks_weights(run, records[run.id], store.load_weights(run.id))
    ]
    if lacking:
        reasons.append(f"{_count(len(lacking))} again: their records are there, but not their weights")
    for run in lacking:
        del records[run.id]
    return Missing(records=records, runs=[run for run in runs if run.id not in records], reasons=reasons)


def _count(runs: int) -> str:
    return "1 run is trained" if runs == 1 else f"{runs} runs are trained"


def recorded(runs: Sequence[Run], store: Store, retry_failed: bool = False) -> dict[str, Record]:
    """The valid records of runs, by run id.

    Args:
        runs: in any order.
        store: of their experiment.
        retry_failed: whether to leave out records of failures.
    """
    wanted = {run.id: run for run in runs}
    return {
        name: record
        for name, record in store.records(wanted)
        if record is not None
        and record.identity == wanted[name].identity
        and not (retry_failed and record.outcome == "failed")
    }


def _changed_files(runs: Iterable[Run], store: Store) -> Counter[str]:
    """The names of a person's own files of which the store has runs of an earlier state, and how many."""
    own = [run for run in runs if run.code]
    if not own:
        return Counter()
    before: dict[str, list[set[str]]] = {}
    for text in (_text(record.identity) for _, record in store.records() if record is not None):
        before.setdefault(shown(text), []).append(set(names_in(text)))
    changed = (_changed(run, before.get(shown(_text(run.identity)), [])) for run in own)
    return Counter(files for files in changed if files)


def _changed(run: Run, before: Sequence[set[str]]) -> str:
    """The files of a run's code that differ from the most similar earlier state; empty without one."""
    if not before:
        return ""
    nearest = max(before, key=lambda names: len(names & {source.name for source in run.code}))
    files = {_file(source.reference) for source in run.code if source.name not in nearest}
    return " and ".join(sorted(files))


def _file(reference: str) -> str:
    """The name of the file, or of the entry point, that a source has."""
    return Path(reference.rpartition(":")[0] or reference).name


def _text(identity: dict[str, Any]) -> str:
    return json.dumps(identity, sort_keys=True)
