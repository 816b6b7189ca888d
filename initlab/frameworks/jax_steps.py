"""The first steps of a model of JAX, whose loss is a function of its parameters."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from initlab.frameworks.steps import Arrays, FirstSteps, first_steps, order_of


def first_steps_in_jax(
    loss: Callable[..., Any], parameters: Mapping[str, Any], batch: tuple[Any, Any], optimizer: str
) -> FirstSteps | None:
    """As `steps.first_steps`; None where all samples have the same targets.

    Args:
        loss: (parameters, inputs, targets) -> a number.
        parameters: by name.
        batch: inputs and targets.
        optimizer: a name in `OPTIMIZERS`.
    """
    inputs, own = batch
    order = order_of(len(jax.tree.leaves(inputs)[0]))
    others = jax.tree.map(lambda array: array[order], own)
    same = jax.tree.map(np.array_equal, own, others)
    if not parameters or all(jax.tree.leaves(same)):
        return None
    compute = jax.jit(jax.value_and_grad(loss))

    start = dict(parameters)
    value, gradients = compute(start, inputs, own)

    def gradients_at(values: Arrays) -> Arrays:
        gradients: Arrays = compute(values, inputs, own)[1]
        return gradients

    return first_steps(
        float(value), gradients, compute(start, inputs, others)[1], start, gradients_at, optimizer
    )
