"""The one place that joins config, grid, store, executors and training: Experiment -> Outcome."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from initlab.runner import provenance
from initlab.runner.config import Experiment, Settings
from initlab.runner.executors import open_executor, run_all
from initlab.runner.grid import Run, cohorts, expand
from initlab.runner.store import Store
from initlab.runner.tables import Group, curve_rows, group, summary_rows
from initlab.runner.training import History, train

# Told when the number of runs to train is known, and again for each cohort that is recorded.
Progress = Callable[[int, int], None]

_LARGEST_COHORT = 4
_COHORTS_PER_JOB = 4


@dataclass(frozen=True)
class Outcome:
    """What an experiment's command did.

    Attributes:
        store: the experiment's folder.
        groups: all its runs with their histories, by condition.
        trained: how many runs were trained now.
        reused: how many had a record already.
    """

    store: Store
    groups: list[Group]
    trained: int
    reused: int


def run_experiment(
    experiment: Experiment,
    results: str | Path = "results",
    jobs: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Outcome:
    """Train what has no record, and write the tables.

    Args:
        experiment: from `load_experiment`.
        results: the folder that holds the experiments' folders.
        jobs: how many processes train; the number of cores by default.
        progress: called with the number of runs recorded so far and of those to train in all.

    Raises:
        DataError: when a dataset cannot be opened.
        LockedError: when another process is at work on the same experiment.
        StorageError: when a file cannot be read or written.
    """
    runs = expand(experiment)
    store = Store(results, experiment.name)
    with store.lock():
        store.write_experiment(experiment.resolved())
        missing = store.missing(runs)
        if missing:
            started = provenance.now()
            _train_all(missing, store, jobs or available_cores(), progress)
            session = {"started": started, "finished": provenance.now(), **provenance.describe()}
            store.add_provenance({**session, "runs": [run.id for run in missing]})
        groups = group(runs, _histories(runs, store))
        store.write_table("summary", *summary_rows(groups))
        store.write_table("curves", *curve_rows(groups))
    return Outcome(store, groups, len(missing), len(runs) - len(missing))


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _train_all(runs: Sequence[Run], store: Store, jobs: int, progress: Progress) -> None:
    tasks = cohorts(runs, _cohort_size(len(runs), jobs))
    done = 0
    progress(done, len(runs))
    with open_executor(min(jobs, len(tasks))) as executor:
        for cohort, histories in run_all(executor, _train, tasks):
            for run, history in zip(cohort, histories, strict=True):
                store.save(run, history)
            done += len(cohort)
            progress(done, len(runs))


def _cohort_size(runs: int, jobs: int) -> int:
    """Large enough to spare Python's cost per step, small enough that no job waits long for the last one."""
    return max(1, min(_LARGEST_COHORT, runs // (_COHORTS_PER_JOB * jobs)))


def _train(cohort: Sequence[Run]) -> list[History]:
    settings: list[Settings] = [run.settings for run in cohort]
    return train(settings)


def _histories(runs: Sequence[Run], store: Store) -> list[History]:
    loaded = [store.load(run) for run in runs]
    return [history for history in loaded if history is not None]
