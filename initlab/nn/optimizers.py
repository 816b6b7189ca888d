"""Optimizers: parameters, gradients -> parameters, in place, for all networks at once.

To add one, write a function `f(parameters, gradients, memory, **arguments)` under `@optimizer`. What it must
remember from step to step goes into `memory`, by name, in arrays whose first axis counts the networks.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from initlab.errors import UsageError, unknown_name
from initlab.nn.arrays import FloatArray, IntArray

Memory = dict[str, FloatArray]
Update = Callable[..., None]
OPTIMIZERS: dict[str, Update] = {}


def optimizer(update: Update) -> Update:
    """Register the decorated function under its own name."""
    OPTIMIZERS[update.__name__] = update
    return update


@optimizer
def sgd(
    parameters: FloatArray,
    gradients: FloatArray,
    memory: Memory,  # noqa: ARG001
    *,
    lr: FloatArray,
) -> None:
    """Stochastic gradient descent, `w <- w - lr g`. The gradients are used up.

    Args:
        parameters: (M, P), one row for each network; changed in place.
        gradients: (M, P); scaled in place.
        memory: not needed.
        lr: the learning rate of each network, (M, 1).

    >>> w = np.array([[1.0, 2.0]])
    >>> sgd(w, np.array([[10.0, 0.0]]), {}, lr=np.array([[0.01]]))
    >>> w.tolist()
    [[0.9, 2.0]]
    """
    gradients *= lr
    parameters -= gradients


def check_optimizer(name: str, arguments: Mapping[str, Any]) -> None:
    """Raise a UsageError unless there is such an optimizer and these are its arguments."""
    if name not in OPTIMIZERS:
        raise UsageError(unknown_name("optimizer", name, OPTIMIZERS))
    parameters = inspect.signature(OPTIMIZERS[name]).parameters
    accepted = [p for p in parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    for given in arguments:
        if given not in [p.name for p in accepted]:
            raise UsageError(unknown_name(f"argument of {name}", given, [p.name for p in accepted]))
    for given, value in arguments.items():
        if np.min(value) < 0:
            raise UsageError(f"{given} must be 0 or more, not {value}")
    for parameter in accepted:
        if parameter.default is inspect.Parameter.empty and parameter.name not in arguments:
            raise UsageError(f"{name} needs {parameter.name}")


class Optimizer:
    """An optimizer with its arguments and its memory, for the M networks of an ensemble.

    Args:
        name: as in `OPTIMIZERS`.
        arguments: a number for all networks, or a sequence of M numbers, for each argument.

    Raises:
        UsageError: for an unknown name or argument.

    >>> step = Optimizer("sgd", lr=[0.1, 0.2])
    >>> w = np.zeros((2, 3)); step(w, np.ones((2, 3))); w[:, 0].tolist()
    [-0.1, -0.2]
    """

    def __init__(self, name: str, **arguments: Any) -> None:
        check_optimizer(name, arguments)
        self.update = OPTIMIZERS[name]
        self.arguments = {key: np.atleast_1d(value)[:, None] for key, value in arguments.items()}
        self.memory: Memory = {}

    def __call__(self, parameters: FloatArray, gradients: FloatArray) -> None:
        """Take one step."""
        arguments = {key: value.astype(parameters.dtype) for key, value in self.arguments.items()}
        self.update(parameters, gradients, self.memory, **arguments)

    def keep(self, rows: IntArray) -> None:
        """Forget all networks but those of the given rows."""
        self.arguments = {k: v[rows] if len(v) > 1 else v for k, v in self.arguments.items()}
        self.memory = {key: value[rows] for key, value in self.memory.items()}
