"""One thread for NumPy's linear algebra, wherever networks compute.

Small products lose more time by waiting for a second thread than they gain by it (three networks of 100x4,
beside other work: ten times slower), and two threads give other last bits than a record has.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from threading import local
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")


class _Limit(local):
    """Whether this thread of Python is within the limit, which some libraries keep for each thread."""

    held = False


_LIMIT = _Limit()


@cache
def _controller() -> ThreadpoolController:
    """Of the libraries that are loaded; looking for them takes longer than a step."""
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread; within another such context this changes nothing.

    >>> with one_thread():
    ...     pass
    """
    if _LIMIT.held:
        yield
        return
    with _controller().limit(limits=1):
        _LIMIT.held = True
        try:
            yield
        finally:
            _LIMIT.held = False


def on_one_thread(function: Callable[Arguments, Value]) -> Callable[Arguments, Value]:
    """Decorate a function that multiplies matrices."""

    @wraps(function)
    def limited(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        if _LIMIT.held:  # as in a training loop, where a context for each step would cost time
            return function(*args, **kwargs)
        with one_thread():
            return function(*args, **kwargs)

    return limited
