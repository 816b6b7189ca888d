"""Learning-rate schedules: step, number of steps -> factor of the learning rate.

To add one, write a function `f(step, steps, *, arguments) -> factor` under `@schedule`, step counted from 0.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from initlab.errors import UsageError, unknown_name
from initlab.nn.calls import Argument, checked_arguments, parameters_of

Factor = TypeVar("Factor", bound=Callable[..., float])
SCHEDULES: dict[str, Callable[..., float]] = {}


def schedule(name: str) -> Callable[[Factor], Factor]:
    """Register the decorated function under a name."""

    def register(factor: Factor) -> Factor:
        SCHEDULES[name] = factor
        return factor

    return register


@schedule("constant")
def constant(step: int, steps: int) -> float:  # noqa: ARG001
    """The same rate throughout.

    >>> constant(7, 10)
    1.0
    """
    return 1.0


@schedule("step")
def step_decay(step: int, steps: int, *, every: int, factor: float = 0.1) -> float:  # noqa: ARG001
    """The rate times `factor` after every so many steps, `factor^floor(step / every)`.

    >>> [step_decay(step, 100, every=10, factor=0.5) for step in (9, 10, 20)]
    [1.0, 0.5, 0.25]
    """
    _require_positive(every=every)
    _require_fraction(factor=factor)
    return float(factor ** (step // every))


@schedule("cosine")
def cosine(step: int, steps: int, *, end: float = 0.0, warmup: int = 0) -> float:
    """Half a cosine from 1 down to `end` in the last step, after a linear rise over `warmup` steps.

    Source: Loshchilov & Hutter 2017, SGDR: stochastic gradient descent with warm restarts, eq. 5; one period.

    >>> [round(cosine(step, 101), 3) for step in (0, 50, 100)]
    [1.0, 0.5, 0.0]
    """
    _require_fraction(end=end)
    if warmup < 0:
        raise UsageError(f"warmup must be 0 or more, not {warmup}")
    if step < warmup:
        return (step + 1) / warmup
    part = (step - warmup) / max(steps - warmup - 1, 1)
    return end + (1 - end) * (1 + math.cos(math.pi * part)) / 2


@schedule("warmup")
def warmup(step: int, steps: int, *, over: int) -> float:  # noqa: ARG001
    """A linear rise over so many steps, then constant: `min(1, (step + 1) / over)`.

    Source: Goyal et al. 2017, Accurate, large minibatch SGD, section 2.2.

    >>> [warmup(step, 100, over=4) for step in (0, 1, 3, 4)]
    [0.25, 0.5, 1.0, 1.0]
    """
    _require_positive(over=over)
    return min(1.0, (step + 1) / over)


def _require_positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise UsageError(f"{name} must be 1 or more, not {number:g}")


def _require_fraction(**numbers: float) -> None:
    for name, number in numbers.items():
        if not 0 <= number <= 1:
            raise UsageError(f"{name} must be from 0 to 1, not {number:g}")


def check_schedule(name: str, arguments: Mapping[str, Argument]) -> dict[str, Any]:
    """The arguments as the schedule takes them.

    Raises:
        UsageError: for an unknown schedule or argument, or a wrong value.

    >>> check_schedule("step", {"every": 10.0})
    {'every': 10}
    """
    if name not in SCHEDULES:
        raise UsageError(unknown_name("schedule", name, SCHEDULES))
    checked = checked_arguments(name, parameters_of(SCHEDULES[name]), arguments)
    SCHEDULES[name](0, 1, **checked)
    return checked
