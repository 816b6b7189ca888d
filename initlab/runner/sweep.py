"""Experiment -> Results: joins config, grid, store, executors and training."""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from initlab.data.datasets import open_dataset
from initlab.errors import DataError, InitlabError, UsageError, require, shortened
from initlab.nn.optimizers import Optimizer
from initlab.runner import provenance
from initlab.runner.config import Experiment
from initlab.runner.executors import WorkerDied, WorkerStartError, check_dask, open_dask, open_processes
from initlab.runner.figures import check_figures, draw_figures, figure_name, loading_beside
from initlab.runner.grid import Run, cohorts
from initlab.runner.memory import check_memory
from initlab.runner.missing import missing
from initlab.runner.own_code import install_code
from initlab.runner.record import Record, record_of
from initlab.runner.results import Results
from initlab.runner.rounds import Rounds
from initlab.runner.settings import Settings
from initlab.runner.store import Store
from initlab.runner.suitability import check_schemes
from initlab.runner.tables import group_runs
from initlab.threads import one_thread
from initlab.training.history import History
from initlab.training.train import train

# Called with the runs recorded so far and all runs to train: once at the start, then after each cohort.
Progress = Callable[[int, int], None]
Cohort = tuple[Run, ...]

_LOGGER = logging.getLogger("initlab")
_DEATHS_ALLOWED = 2  # one may be chance, as when the system runs out of memory
_COHORTS_PER_JOB = 4  # so that the last cohort to finish keeps the others waiting for little
_TASKS_PER_JOB = 2  # one in work, and one ready when it is done
_DASK_WORKERS = 16  # the scheduler may gain workers at any time


@dataclass(frozen=True)
class Failure:
    """Why a cohort could not be trained.

    Attributes:
        cause: in one line.
        worker_died: whether the worker process died of it.
    """

    cause: str
    worker_died: bool = False


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A cohort that was trained.

    Attributes:
        histories: of its runs.
        seconds: that it took.
        origin: of its numbers.
    """

    histories: list[History]
    seconds: float
    origin: provenance.Origin


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which runs are trained, and where.

    Raises:
        UsageError: for `jobs=0` beside `dask`.

    Attributes:
        jobs: the number of worker processes: by default the number of cores, and 0 in a process that is
            itself a worker; 0 trains within this process.
        dask: the address of a Dask scheduler, whose workers replace the processes; the work is then cut for
            `jobs` workers, 16 by default.
        mixed: whether results of Dask workers with another processor or linear algebra library are taken.
        retry_failed: whether runs with a record of a failure are trained again.
        force: whether all runs are trained again.
    """

    jobs: int | None = None
    dask: str | None = None
    mixed: bool = False
    retry_failed: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        in_both = self.jobs == 0 and self.dask is not None
        require(not in_both, "--jobs 0 trains in this process, and --dask on other workers; give one of them")

    @property
    def width(self) -> int:
        """How many tasks are in flight at a time: enough that no worker waits."""
        return 1 if self.alone else _TASKS_PER_JOB * self.workers

    @property
    def alone(self) -> bool:
        """Whether this process does all the work."""
        return self.jobs == 0 or (self.jobs is None and self.dask is None and parent_process() is not None)

    @property
    def workers(self) -> int:
        """The number of workers for which the work is cut."""
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
    tell: Callable[[str], None] = _LOGGER.warning,
) -> Results:
    """Train the runs that have no record, write the tables, and draw the figures that the experiment names.

    Args:
        experiment: from `load_experiment`, or `Experiment(...)`.
        results: the folder that holds a folder for each experiment.
        choice: which runs are trained, and where.
        progress: called with the number of runs recorded so far, and the number of runs to train.
        tell: called with why runs are trained again that were trained before; by default a logger tells it.

    Raises:
        UsageError: for an unknown figure, or a scheme that does not suit its network, before anything is
            trained.
        DataError: when a dataset cannot be opened.
        LockedError: when another process is at work on the same experiment.
        StorageError: when a file cannot be read or written.
    """
    if not isinstance(experiment, Experiment):
        raise UsageError(f"an experiment is what load_experiment gives, not {shortened(experiment)}")
    check_figures(experiment)
    check_schemes(experiment)
    if choice.dask is not None:
        check_dask(choice.dask)
    rounds = Rounds(experiment)
    store = Store(results, experiment.name)
    with store.lock():
        resolved = experiment.resolved()
        store.write_experiment(resolved)
        records, trained = _train_rounds(rounds, store, choice, progress, tell)
        runs = rounds.runs
        outcome = Results(
            experiment=experiment,
            store=store,
            runs=runs,
            records=records,
            groups=group_runs(runs, [records[run.id] for run in runs]),
            trained=trained,
        )
        names = map(figure_name, experiment.figures)
        pictures = [f"{name}.{suffix}" for name in names for suffix in experiment.plotting.formats]
        code = _code_of(runs)
        # Where a file of code went back to an earlier state, all records are there, but not their tables.
        tables_of = {**resolved, "code": sorted(code)} if code else resolved
        if not store.is_current(tables_of, [*outcome.tables, *pictures]):
            outcome.write_tables()
            draw_figures(outcome)
            store.mark_current(tables_of)
    return outcome


def _code_of(runs: Sequence[Run]) -> dict[str, str]:
    """The sources of a person's own code, by their names."""
    return {source.name: source.text for run in runs for source in run.code}


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_data(runs: Sequence[Run]) -> None:
    """Refuse data that cannot be prepared as asked, as with more images than there are.

    Args:
        runs: what is to be trained.

    Raises:
        UsageError: with what there is.
    """
    for data in {id(run.settings.data): run.settings.data for run in runs}.values():
        data.examples()


def plan(runs: Sequence[Run], workers: int) -> list[Cohort]:
    """Cut runs into cohorts: large enough to save Python's cost, small enough to keep all workers busy.

    Args:
        runs: what is to be trained.
        workers: how many share the work.
    """
    return cohorts(runs, max(1, len(runs) // (_COHORTS_PER_JOB * workers)))


def _train_rounds(
    rounds: Rounds, store: Store, choice: Choice, progress: Progress, tell: Callable[[str], None]
) -> tuple[dict[str, Record], int]:
    """Train what is missing, round by round; returns all records by run id, and how many are new."""
    records: dict[str, Record] = {}
    trained, new = 0, rounds.runs
    with _Training(store, choice, progress, rounds.experiment.figures) as training:
        while new:
            todo = missing(new, store, retry_failed=choice.retry_failed, force=choice.force)
            for reason in todo.reasons:
                tell(reason)
            records |= todo.records | (training.train(todo.runs) if todo.runs else {})
            trained += len(todo.runs)
            new = rounds.advance(records)
    return records, trained


class _Training:
    """Trains and records the rounds of an experiment, all with the same workers and sessions.

    Args:
        store: of the records.
        choice: where to train.
        progress: called after each cohort, with the runs of all rounds so far.
        figures: that will be drawn.
    """

    def __init__(self, store: Store, choice: Choice, progress: Progress, figures: Sequence[str]) -> None:
        self.store, self.choice, self.progress, self.figures = store, choice, progress, figures
        self._open = ExitStack()
        self._executor: Executor | None = None
        self._sessions: _Sessions | None = None
        self._done = 0

    def __enter__(self) -> "_Training":
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def train(self, runs: Sequence[Run]) -> dict[str, Record]:
        """Train and record runs; returns the records by run id."""
        check_data(runs)
        groups = plan(runs, self.choice.workers)
        if self.choice.dask is None:
            check_memory(groups, self.choice.workers)
        sessions = self._sessions_for(runs)
        before, total = self._done, self._done + len(runs)
        records: dict[str, Record] = {}
        self.progress(before, total)
        for cohort, result in train_cohorts(self._workers(len(groups)), groups, self.choice.width):
            if isinstance(result, Failure):
                records |= _save_failure(self.store, cohort, result.cause, sessions.training())
            else:
                when = sessions.training(result.origin, result.seconds)
                saved = self.store.save(zip(cohort, result.histories, strict=True), when)
                records |= {record.id: record for record in saved}
            self._done = before + len(records)
            self.progress(self._done, total)
        return records

    def _sessions_for(self, runs: Sequence[Run]) -> "_Sessions":
        if self._sessions is None:
            code = _code_of(runs)
            self._sessions = _Sessions(self.store, self.choice.mixed, {"own_code": code} if code else {})
        return self._sessions

    def _workers(self, cohorts: int) -> Executor:
        """The executor, opened for the first round, which is the largest."""
        if self._executor is None:
            self._open.enter_context(loading_beside(self.figures, not self.choice.alone))
            self._executor = self._open.enter_context(self.choice.executor(cohorts))
        return self._executor


class _Sessions:
    """The sessions of provenance.json to which runs belong: one for each origin of their numbers.

    Args:
        store: that has them.
        mixed: whether other processors and linear algebra libraries than ours are accepted.
        more: what else is written down of each session.
    """

    def __init__(self, store: Store, mixed: bool, more: dict[str, Any]) -> None:
        self.store, self.mixed, self.more, self.ours = store, mixed, more, provenance.origin()
        self.keys = {repr(self.ours): store.open_session(provenance.describe() | more)}

    def training(self, origin: provenance.Origin | None = None, seconds: float = 0.0) -> dict[str, Any]:
        """When and in which session runs were trained.

        Args:
            origin: of their numbers; ours by default.
            seconds: that they took together.

        Raises:
            InitlabError: for numbers of other code, or of another processor unless that is accepted.
        """
        key = self._key(origin or self.ours)
        return {"session": key, "finished": provenance.now(), "cohort_seconds": seconds}

    def _key(self, origin: provenance.Origin) -> str:
        if repr(origin) not in self.keys:
            theirs, ours = origin.fingerprint, self.ours.fingerprint
            if origin.numerics != self.ours.numerics:
                message = "has other code; install the same initlab there"
                raise InitlabError(f"the worker on {origin.host} {message}")
            if theirs != ours and not self.mixed:
                differing = [name for name in ours if theirs[name] != ours[name]]
                other = ", ".join(f"{name} {theirs[name]}, not {ours[name]}" for name in differing)
                raise InitlabError(
                    f"the worker on {origin.host} may compute other last digits ({other}); --mixed takes its "
                    "results, and `verify` tells them apart"
                )
            described = provenance.describe() | self.more | {"host": origin.host, "fingerprint": theirs}
            self.keys[repr(origin)] = self.store.open_session(described)
        return self.keys[repr(origin)]


def _save_failure(store: Store, cohort: Cohort, cause: str, trained: dict[str, Any]) -> dict[str, Record]:
    """Record a failure; an earlier training that succeeded keeps its record, but the failure is reported."""
    kept = {name for name, record in store.records(run.id for run in cohort) if _has_succeeded(record)}
    store.save(((run, cause) for run in cohort if run.id not in kept), trained)
    return {run.id: record_of(run, cause) for run in cohort}


def _has_succeeded(record: Record | None) -> bool:
    return record is not None and record.outcome != "failed"


def train_cohorts(
    executor: Executor, cohorts: Sequence[Cohort], width: int
) -> Iterator[tuple[Cohort, Trained | Failure]]:
    """Train cohorts; yields each with its histories, or why there are none.

    A cohort whose worker dies is tried again. One that fails, or dies twice, is split: its runs are tried one
    by one, so that only a run that fails alone counts as failed.

    Args:
        executor: does the tasks.
        cohorts: what is trained; may come back split into single runs.
        width: the most tasks in flight, so that memory does not grow with the number of cohorts.

    Raises:
        InitlabError: when the executor gives up, or has no workers.
        DataError: when the data cannot be read, or a worker's copy of it differs.
    """
    waiting = deque(_Task(cohort) for cohort in cohorts)
    flying: dict[Future[Trained], _Task] = {}
    while waiting or flying:
        while waiting and len(flying) < width:
            task = waiting.popleft()
            flying[executor.submit(train_cohort, task.cohort)] = task
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            task = flying.pop(future)
            result = _result(future)
            retries = task.retries(result) if isinstance(result, Failure) else []
            waiting.extendleft(retries)
            if not retries:
                yield task.cohort, result


@dataclass(frozen=True)
class _Task:
    """A cohort to train, and how many workers have died of it."""

    cohort: Cohort
    deaths: int = 0

    def retries(self, failure: Failure) -> "list[_Task]":
        """The tasks to try after a failure; none where a run has failed alone."""
        if failure.worker_died and self.deaths + 1 < _DEATHS_ALLOWED:
            return [_Task(self.cohort, self.deaths + 1)]
        return [_Task((run,)) for run in self.cohort] if len(self.cohort) > 1 else []


def _result(future: Future[Trained]) -> Trained | Failure:
    try:
        return future.result()
    except CancelledError:
        raise InitlabError("the workers were taken away; run the command again") from None
    except (WorkerStartError, DataError):
        raise
    except WorkerDied:
        return Failure(f"killed its worker {_DEATHS_ALLOWED} times", worker_died=True)
    except Exception as error:
        return Failure(_cause(error))


def _cause(error: Exception) -> str:
    """One line that says what went wrong."""
    if isinstance(error, MemoryError):
        return "not enough memory for this network or batch"
    message = " ".join(str(error).split())[:500]
    return message if isinstance(error, InitlabError) else f"{type(error).__name__}: {message}"


def train_cohort(cohort: Cohort) -> Trained:
    """The task of a worker: train a cohort."""
    first, start = cohort[0], time.perf_counter()
    install_code([source for run in cohort for source in run.code])
    data = first.settings.data
    if open_dataset(data.name, data.path).sha256 != first.data_sha256:
        raise DataError(f"{data.path or data.name}: the worker's copy of this dataset differs")
    with one_thread():
        histories = train_settings([run.settings for run in cohort], first.kept_steps)
    # Files of a person's own are mapped, and may change under a training; those in the cache do not.
    if data.path is not None and open_dataset(data.name, data.path).sha256 != first.data_sha256:
        raise DataError(f"{data.path}: changed during the training, of which nothing was recorded")
    seconds = round(time.perf_counter() - start, 3)
    return Trained(histories=histories, seconds=seconds, origin=provenance.origin())


def train_settings(cohort: Sequence[Settings], kept_steps: Sequence[int] = ()) -> list[History]:
    """Train the networks of settings that differ only in their schemes and seeds, in one pass.

    Args:
        cohort: the settings.
        kept_steps: after which steps each history keeps its network.
    """
    shared = cohort[0]
    network, how = shared.network, shared.train
    return train(
        [settings.init.initialization for settings in cohort],
        shared.data.examples(how.dtype),
        hidden=network.hidden,
        activation=network.activation,
        norm=network.normalization,
        skip=network.skip,
        dtype=how.dtype,
        steps=how.steps,
        batch_size=how.batch_size,
        drawing=how.batches or "with_replacement",
        optimizer=Optimizer(how.optimizer.name, **how.optimizer.arguments),
        loss=how.loss,
        schedule=how.schedule or "constant",
        clip=how.clip or 0.0,
        weight_decay=how.weight_decay or 0.0,
        seeds=[settings.seed for settings in cohort],
        paired=True,
        track_every=how.track_every,
        save_weights=kept_steps,
    )
