"""Where cohorts are trained: in this process, or in several. Cohorts -> executor -> histories as they finish.

Anything with the interface of `concurrent.futures.Executor` serves. Parallelism comes from workers alone:
each gives its linear algebra library one thread, which also keeps the last bits of a product the same
whatever the number of workers.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

Task = TypeVar("Task")
Result = TypeVar("Result")


class SerialExecutor(Executor):
    """Does each task when it is submitted, in this process: for debugging, and for a single cohort."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it now; its exception, too, is kept in the future."""
        future: Future[Any] = Future()
        try:
            with threadpool_limits(1):
                future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def open_executor(jobs: int) -> Iterator[Executor]:
    """An executor of so many processes; a single job needs none beside this one."""
    if jobs == 1:
        yield SerialExecutor()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_use_one_thread) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _use_one_thread() -> None:
    import numpy  # noqa: F401  # the limit holds for the libraries that are loaded by now

    threadpool_limits(1)


def run_all(
    executor: Executor, function: Callable[[Task], Result], tasks: Sequence[Task]
) -> Iterator[tuple[Task, Result]]:
    """Each task with its result, in the order in which they finish."""
    futures = {executor.submit(function, task): task for task in tasks}
    for future in as_completed(futures):
        yield futures[future], future.result()
