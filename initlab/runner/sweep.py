"""The one place that joins config, grid, store, executors and training: Experiment -> Outcome."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from initlab.data.datasets import open_dataset
from initlab.errors import DataError, InitlabError
from initlab.runner import provenance
from initlab.runner.config import Experiment
from initlab.runner.executors import WorkerDied, WorkerStartError, check_dask, open_dask, open_processes
from initlab.runner.grid import Run, cohorts, expand
from initlab.runner.store import Record, Store
from initlab.runner.tables import Group, curve_rows, group, summary_rows, tracked_rows
from initlab.runner.training import History, train

# Told when the number of runs to train is known, and again for each cohort that is recorded.
Progress = Callable[[int, int], None]
Cohort = tuple[Run, ...]

_DEATHS_ALLOWED = 2
_COHORTS_PER_JOB = 4
_TASKS_PER_JOB = 2
_DASK_WORKERS = 16


@dataclass(frozen=True)
class Outcome:
    """What an experiment's command did.

    Attributes:
        experiment: as it was given.
        store: the experiment's folder.
        groups: all its runs with their records, by condition.
        trained: how many runs were trained now.
        reused: how many had a record already.
    """

    experiment: Experiment
    store: Store
    groups: list[Group]
    trained: int
    reused: int

    @property
    def failed(self) -> list[Record]:
        """The records of runs that could not be trained."""
        return [record for group in self.groups for record in group.failed]


@dataclass(frozen=True)
class Failure:
    """Why a cohort could not be trained."""

    cause: str


@dataclass(frozen=True)
class Choice:
    """Which runs are trained, and where.

    Attributes:
        jobs: worker processes; by default the number of cores, or 0 where this process is itself a worker;
            0 trains within this process.
        dask: the address of a Dask scheduler, whose workers take the place of processes; `jobs` then tells
            for how many of them the work is cut, 16 by default.
        retry_failed: train again what has a record of a failure.
        force: train again everything.
    """

    jobs: int | None = None
    dask: str | None = None
    retry_failed: bool = False
    force: bool = False

    @property
    def width(self) -> int:
        """How many cohorts are handed over at a time: enough that no worker waits."""
        return 1 if self.alone else _TASKS_PER_JOB * self.workers

    @property
    def alone(self) -> bool:
        """Whether this process does all the work."""
        return self.jobs == 0 or (self.jobs is None and self.dask is None and parent_process() is not None)

    @property
    def workers(self) -> int:
        """For how many workers the work is cut."""
        if self.alone:
            return 1
        if self.jobs is None:
            return _DASK_WORKERS if self.dask is not None else available_cores()
        return self.jobs

    def executor(self, cohorts: int) -> AbstractContextManager[Executor]:
        """The executor for so many cohorts."""
        if self.dask is not None:
            return open_dask(self.dask)
        return open_processes(0 if self.alone else min(self.workers, cohorts))


def run_experiment(
    experiment: Experiment,
    results: str | Path = "results",
    choice: Choice = Choice(),
    progress: Progress = lambda _done, _total: None,
    finish: Callable[[Outcome], None] = lambda _outcome: None,
) -> Outcome:
    """Train what has no record, and write the tables.

    Args:
        experiment: from `load_experiment`.
        results: the folder that holds the experiments' folders.
        choice: which runs are trained, and where.
        progress: called with the number of runs recorded so far and of those to train in all.
        finish: called at the end, while no other process may write to the folder; it draws the figures.

    Raises:
        DataError: when a dataset cannot be opened.
        LockedError: when another process is at work on the same experiment.
        StorageError: when a file cannot be read or written.
    """
    if choice.dask is not None:
        check_dask(choice.dask)
    runs = expand(experiment)
    store = Store(results, experiment.name)
    with store.lock():
        store.write_experiment(experiment.resolved())
        missing = runs if choice.force else missing_runs(runs, store, choice.retry_failed)
        if missing:
            _train_all(missing, store, choice, progress)
        groups = group(runs, _records(runs, store))
        store.write_table("summary", *summary_rows(groups))
        store.write_table("curves", *curve_rows(groups))
        layers = tracked_rows(groups)
        if layers[1]:
            store.write_table("layers", *layers)
        outcome = Outcome(experiment, store, groups, len(missing), len(runs) - len(missing))
        finish(outcome)
    return outcome


def missing_runs(runs: Sequence[Run], store: Store, retry_failed: bool) -> list[Run]:
    """Those of the runs that have no valid record, or one of a failure if those are to be tried again."""
    records = ((run, store.load(run.id)) for run in runs)
    return [run for run, record in records if record is None or (retry_failed and record.outcome == "failed")]


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def plan(runs: Sequence[Run], workers: int) -> list[Cohort]:
    """The cohorts of these runs: large enough to spare Python's cost, small enough that none waits long."""
    return cohorts(runs, max(1, len(runs) // (_COHORTS_PER_JOB * workers)))


def _train_all(runs: Sequence[Run], store: Store, choice: Choice, progress: Progress) -> None:
    tasks = plan(runs, choice.workers)
    session = store.open_session(provenance.describe())
    done = 0
    progress(done, len(runs))
    with choice.executor(len(tasks)) as executor:
        for cohort, result, seconds in train_cohorts(executor, tasks, choice.width):
            trained = {"session": session, "finished": provenance.now(), "cohort_seconds": seconds}
            if isinstance(result, Failure):
                for run in cohort:
                    _save_failure(store, run, result.cause, trained)
            else:
                for run, history in zip(cohort, result, strict=True):
                    store.save(run, history, trained)
            done += len(cohort)
            progress(done, len(runs))


def _save_failure(store: Store, run: Run, cause: str, trained: dict[str, Any]) -> None:
    """Never in the place of a record that is better."""
    known = store.load(run.id)
    if known is None or known.outcome == "failed":
        store.save_failure(run, cause, trained)


def train_cohorts(
    executor: Executor, tasks: Sequence[Cohort], width: int
) -> Iterator[tuple[Cohort, list[History] | Failure, float]]:
    """Each cohort with its histories, or why there are none, and its seconds, as they finish.

    A cohort whose worker dies is tried again. One that fails, or dies twice, is taken apart: its runs are
    tried one by one, so that only a run that fails alone is called failed. At most `width` tasks are in
    flight, so that memory does not grow with their number.

    Raises:
        InitlabError: when the executor gives up, or has no workers.
        DataError: when the data cannot be read, or a worker has other numbers under its name.
    """
    waiting = deque((cohort, 0) for cohort in tasks)
    flying: dict[Future[tuple[list[History], float]], tuple[Cohort, int]] = {}
    while waiting or flying:
        while waiting and len(flying) < width:
            cohort, deaths = waiting.popleft()
            flying[executor.submit(train_cohort, cohort)] = cohort, deaths
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            cohort, deaths = flying.pop(future)
            try:
                histories, seconds = future.result()
            except CancelledError:
                raise InitlabError("the workers were taken away; run the command again") from None
            except (WorkerStartError, DataError):
                raise
            except WorkerDied:
                if deaths + 1 < _DEATHS_ALLOWED:
                    waiting.appendleft((cohort, deaths + 1))
                elif len(cohort) > 1:
                    waiting.extendleft(((run,), 0) for run in cohort)
                else:
                    yield cohort, Failure(f"killed its worker {_DEATHS_ALLOWED} times"), 0.0
            except Exception as error:
                if len(cohort) > 1:
                    waiting.extendleft(((run,), 0) for run in cohort)
                else:
                    yield cohort, Failure(_cause(error)), 0.0
            else:
                yield cohort, histories, seconds


def _cause(error: Exception) -> str:
    """One line that says what went wrong."""
    if isinstance(error, MemoryError):
        return "not enough memory for this network or batch"
    told = " ".join(str(error).split())[:500]
    return told if isinstance(error, InitlabError) else f"{type(error).__name__}: {told}"


def train_cohort(cohort: Cohort) -> tuple[list[History], float]:
    """The task of a worker: histories, and how long they took."""
    first, start = cohort[0], time.perf_counter()
    data = first.settings.data
    if open_dataset(data.name, data.path).sha256 != first.data_sha256:
        raise DataError(f"{data.path or data.name}: the worker has other numbers under this name")
    with threadpool_limits(1):
        histories = train([run.settings for run in cohort])
    return histories, round(time.perf_counter() - start, 3)


def _records(runs: Sequence[Run], store: Store) -> list[Record]:
    loaded = [store.load(run.id) for run in runs]
    return [record for record in loaded if record is not None]
