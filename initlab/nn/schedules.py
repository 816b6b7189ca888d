"""Learning-rate schedules: step, number of steps -> factor of the learning rate.

To add one, write a function `f(step, steps, *, arguments) -> factor` under `@SCHEDULES.register()`. Steps are
counted from 0, so the last one is `steps - 1`.
"""

import math
from collections.abc import Callable
from functools import partial

from initlab.errors import require
from initlab.registry import Registry

Factor = Callable[[int], float]
SCHEDULES: Registry[Callable[..., float]] = Registry("schedule")


@SCHEDULES.register()
def constant(step: int, steps: int) -> float:  # noqa: ARG001
    """The same rate throughout, `factor = 1`.

    Args:
        step: the current step, from 0 on; it makes no difference.
        steps: the number of steps of the training; it makes no difference.

    >>> constant(7, 10)
    1.0
    """
    return 1.0


@SCHEDULES.register("step")
def step_decay(step: int, steps: int, *, every: int, factor: float = 0.1) -> float:  # noqa: ARG001
    """The rate falls by the same factor at regular intervals, `factor^floor(step / every)`.

    Args:
        step: the current step, from 0 on.
        steps: the number of steps of the training; it makes no difference.
        every: the number of steps between two falls, from 1 on.
        factor: by which the rate is multiplied, from 0 to 1; 0.1 by default.

    Source: PyTorch's StepLR(step_size=every, gamma=factor).

    >>> [step_decay(step, 100, every=10, factor=0.5) for step in (9, 10, 20)]
    [1.0, 0.5, 0.25]
    """
    require(every >= 1, f"every must be 1 or more, not {every}")
    _require_fraction("factor", factor)
    return float(factor ** (step // every))


@SCHEDULES.register()
def cosine(step: int, steps: int, *, end: float = 0.0, warmup: int = 0) -> float:
    """Half a cosine from 1 to `end`, `end + (1 - end) (1 + cos(pi t)) / 2`, after a linear rise.

    During the rise the factor is `(step + 1) / warmup`. Then t runs from 0 to 1, its value in the last step.

    Args:
        step: the current step, from 0 on.
        steps: the number of steps of the training.
        end: the factor of the last step, from 0 to 1; 0 by default.
        warmup: the number of steps of the rise, from 0 on; 0 by default.

    Source: Loshchilov & Hutter 2017, SGDR: stochastic gradient descent with warm restarts, eq. 5; one period.

    >>> [round(cosine(step, 101), 3) for step in (0, 50, 100)]
    [1.0, 0.5, 0.0]
    """
    _require_fraction("end", end)
    require(warmup >= 0, f"warmup must be 0 or more, not {warmup}")
    if step < warmup:
        return (step + 1) / warmup
    t = (step - warmup) / max(
        steps - warmup - 1, 1
    )  # a single step after the rise is the first, not the last
    return end + (1 - end) * (1 + math.cos(math.pi * t)) / 2


@SCHEDULES.register()
def warmup(step: int, steps: int, *, over: int) -> float:  # noqa: ARG001
    """A linear rise, then constant: `min(1, (step + 1) / over)`.

    Args:
        step: the current step, from 0 on.
        steps: the number of steps of the training; it makes no difference.
        over: the number of steps of the rise, from 1 on.

    Source: Goyal et al. 2017, Accurate, large minibatch SGD: training ImageNet in 1 hour, section 2.2.

    >>> [warmup(step, 100, over=4) for step in (0, 1, 3, 4)]
    [0.25, 0.5, 1.0, 1.0]
    """
    require(over >= 1, f"over must be 1 or more, not {over}")
    return min(1.0, (step + 1) / over)


def _require_fraction(name: str, value: float) -> None:
    require(0 <= value <= 1, f"{name} must be from 0 to 1, not {value:g}")


def parse_schedule(text: str, steps: int) -> Factor:
    """The schedule that a text like `cosine` or `step(every=100, factor=0.5)` stands for.

    Args:
        text: a name in `SCHEDULES`, perhaps with arguments.
        steps: the number of steps of the training.

    Returns:
        A function from the step to the factor of the learning rate.

    Raises:
        UsageError: for an unknown schedule or argument, or a value out of range.

    >>> factor = parse_schedule("step(every=10)", 100)
    >>> factor(9), factor(10)
    (1.0, 0.1)
    """
    name, arguments = SCHEDULES.parse(text)
    SCHEDULES[name](0, 1, **arguments)  # refuses values out of range before the training begins
    return partial(SCHEDULES[name], steps=steps, **arguments)
