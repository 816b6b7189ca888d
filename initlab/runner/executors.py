"""Where cohorts are trained: here, in processes of this machine, or on a Dask cluster.

Anything with the interface of `concurrent.futures.Executor` serves. Parallelism comes from workers alone:
each task gives its linear algebra library one thread, which also keeps the last bits of a product the same
whatever the number of workers.

Measured (tests/benchmarks/workers.py): a worker has trained its first step after 0.10 s when forked, 0.28 s
from a fork server, 0.32 s when spawned. A fork copies locks that other threads hold, and BLAS has threads;
the rest is nothing beside a training, so workers are spawned. A worker maps its data from the disk and checks
it in 44 ms, once; pickled to it, the data would take 67 ms and a copy each time. So a task is only settings.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from initlab.errors import InitlabError, UsageError

_SECONDS_TO_REACH_DASK = 10


class WorkerDied(Exception):  # noqa: N818
    """The process that worked on a task ended before the task did."""


class WorkerStartError(InitlabError):
    """No worker can be had, whatever the task."""


class SerialExecutor(Executor):
    """Does each task when it is submitted, in this process: for debugging."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it now; its exception, too, is kept in the future."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class ProcessExecutor(Executor):
    """So many worker processes, each with a thread here that hands it one task after the other.

    A process pool of its own for each worker tells which task was at work when a process died: its future has
    `WorkerDied`, the worker is replaced, and no other task notices.

    Each worker holds the read end of a pipe whose write end is here alone. When this end is closed, or this
    process ends, however it does, the workers end too.
    """

    def __init__(self, jobs: int) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._lifeline, self._holder = self._context.Pipe(duplex=False)
        self._threads = ThreadPoolExecutor(jobs, initializer=_leave_interrupts_to_the_main_thread)
        self._local = threading.local()
        self._pools: list[ProcessPoolExecutor] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it in the next worker that is free."""
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
        """A worker that has shown that it runs; tried twice, as any process may be killed."""
        for _ in range(2):
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
        raise WorkerStartError(f"no worker process can start; a script that trains does so under `{guard}`")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the workers finish what was submitted."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        for pool in self._pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)
        self._holder.close()

    def kill(self) -> None:
        """End the workers, whatever they do, and wait until they have ended."""
        self._holder.close()
        self.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_main_thread() -> None:
    """A process inherits this from the thread that starts it, so Ctrl-C does not reach the workers."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _live_with_the_driver(lifeline: Connection) -> None:
    """End this worker as soon as nobody holds the other end of the pipe."""

    def watch() -> None:
        try:
            lifeline.poll(None)
        finally:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def open_processes(jobs: int) -> Iterator[Executor]:
    """So many worker processes; with 0, none: the tasks are done in this process."""
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
    """Raise a UsageError unless Dask is installed and this is an address."""
    try:
        from distributed.comm import get_address_host_port
    except ImportError:
        raise UsageError("--dask needs Dask: pip install 'initlab[dask]'") from None
    try:
        get_address_host_port(address)
    except (ValueError, TypeError) as error:
        raise UsageError(f"--dask {address}: not an address as tcp://host:8786: {error}") from None


@contextmanager
def open_dask(address: str) -> Iterator[Executor]:
    """The workers of a Dask scheduler that runs already.

    Args:
        address: as `tcp://host:8786`.

    Raises:
        UsageError: when Dask is not installed, or the address is none.
        InitlabError: when no scheduler answers there.
    """
    check_dask(address)
    from distributed import Client

    try:
        client = Client(address, timeout=_SECONDS_TO_REACH_DASK, set_as_default=False)
    except OSError as error:
        raise InitlabError(f"--dask {address}: no scheduler answers: {error}") from None
    with client:
        yield client.get_executor(pure=False)
