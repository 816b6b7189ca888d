"""Where cohorts are trained: here, in processes of this machine, or on a Dask cluster.

Anything with the interface of `concurrent.futures.Executor` serves. All parallelism comes from workers: each
task gives its linear algebra library one thread. So the last bits of a product do not depend on the number of
workers.

Measured (tests/benchmarks/workers.py): a worker has trained its first step after 0.10 s when forked, 0.28 s
from a fork server, 0.32 s when spawned. A fork copies locks that other threads hold, and BLAS has threads;
0.3 s are little beside a training, so workers are spawned. A worker maps its data from the disk and checks it
in 44 ms, once; pickled to the worker, the data would take 67 ms and a copy for each task. So a task holds
only settings.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from initlab.errors import InitlabError, StorageError, UsageError

_SECONDS_TO_REACH_DASK = 10
SECONDS_TO_GAIN_WORKERS = 60


class WorkerDied(Exception):  # noqa: N818
    """The worker process ended before its task did."""


class WorkerStartError(InitlabError):
    """No worker process can start, whatever the task."""


class SerialExecutor(Executor):
    """Does each task in this process when it is submitted; for debugging."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the task now; the future keeps its result or its exception."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class ProcessExecutor(Executor):
    """Worker processes, each with a thread here that hands it one task after the other.

    Each worker has a process pool of its own, so that the task of a process that died is known: its future
    raises `WorkerDied`, the worker is replaced, and no other task is affected.

    Each worker holds the read end of a pipe; only this process holds the write end. When this process closes
    it, or ends in any way, the workers end too.

    Args:
        jobs: the number of workers.
    """

    def __init__(self, jobs: int) -> None:
        self._context = multiprocessing.get_context("spawn")
        # That unblocks Ctrl-C in the thread that does it first, which must not be one that starts a worker.
        resource_tracker.ensure_running()
        self._lifeline, self._holder = self._context.Pipe(duplex=False)
        self._threads = ThreadPoolExecutor(jobs, initializer=_leave_interrupts_to_the_main_thread)
        self._local = threading.local()
        self._pools: list[ProcessPoolExecutor] = []
        self._killed = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the task in the next free worker."""
        return self._threads.submit(self._run, function, *args, **kwargs)

    def _run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not hasattr(self._local, "pool"):
            self._local.pool = self._start_worker()
        try:
            return self._local.pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            del self._local.pool
            raise WorkerDied(str(error)) from None

    def _start_worker(self) -> ProcessPoolExecutor:
        """A worker that has answered; tried twice, since any process may be killed."""
        for _ in range(2):
            if self._killed:
                break
            pool = ProcessPoolExecutor(
                1, self._context, initializer=_live_with_the_driver, initargs=(self._lifeline,)
            )
            self._pools.append(pool)
            try:
                pool.submit(os.getpid).result()
                return pool
            except BrokenProcessPool:
                continue
        guard = "if __name__ == '__main__':"
        raise WorkerStartError(f"no worker process can start; a script must train within `{guard}`")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the workers finish the submitted tasks, then end them."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        for pool in self._pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)
        self._holder.close()

    def kill(self) -> None:
        """End the workers at once, also those that are stopped or starting; they hold nothing to save."""
        self._killed = True
        self._holder.close()
        for pool in self._pools:
            # In Python 3.14 this is `kill_workers`.
            for process in list((pool._processes or {}).values()):
                process.kill()
        self.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_main_thread() -> None:
    """Block Ctrl-C in this thread; the processes that it starts inherit the mask."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _live_with_the_driver(lifeline: Connection) -> None:
    """End this worker as soon as no process holds the other end of the pipe."""

    def watch() -> None:
        try:
            lifeline.poll(None)
        finally:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def open_processes(jobs: int) -> Iterator[Executor]:
    """An executor with so many worker processes; with 0, the tasks are done in this process."""
    if jobs == 0:
        yield SerialExecutor()
        return
    executor = ProcessExecutor(jobs)
    try:
        yield executor
    except BaseException:
        executor.kill()
        raise
    executor.shutdown()


def check_dask(address: str) -> None:
    """Raise a UsageError unless Dask is installed and the address is well-formed."""
    try:
        from distributed.comm import get_address_host_port
    except ImportError:
        raise UsageError("--dask needs Dask: pip install 'initlab[dask]'") from None
    try:
        get_address_host_port(address)
    except (ValueError, TypeError) as error:
        raise UsageError(f"--dask {address}: not an address like tcp://host:8786: {error}") from None


@contextmanager
def open_dask(address: str) -> Iterator[Executor]:
    """The workers of a running Dask scheduler.

    Args:
        address: as `tcp://host:8786`.

    Raises:
        UsageError: when Dask is not installed, or the address is malformed.
        StorageError: when no scheduler answers, or no worker comes within a minute.
    """
    check_dask(address)
    from distributed import Client

    try:
        client = Client(address, timeout=_SECONDS_TO_REACH_DASK, set_as_default=False)
    except OSError as error:
        raise StorageError(f"--dask {address}: no scheduler answers: {error}") from None
    with client:
        _wait_for_a_worker(client, address)
        yield client.get_executor(pure=False)


def _wait_for_a_worker(client: Any, address: str) -> None:
    """Say that there is none, and give up after a while."""
    if client.scheduler_info()["workers"]:
        return
    waiting = f"--dask {address}: no workers yet"
    # Without a handler of the user's, Python prints a warning on standard error.
    logging.getLogger("initlab").warning("%s; waiting %d s for one", waiting, SECONDS_TO_GAIN_WORKERS)
    try:
        client.wait_for_workers(1, timeout=SECONDS_TO_GAIN_WORKERS)
    except TimeoutError:
        raise StorageError(f"{waiting} after {SECONDS_TO_GAIN_WORKERS} s; start some and try again") from None
