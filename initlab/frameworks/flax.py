"""Flax: the verdict on a person's model of `flax.nnx`, before training."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from initlab.errors import require
from initlab.frameworks.jax_steps import first_steps_in_jax
from initlab.frameworks.jax_trace import calls_named, trace
from initlab.frameworks.models import models_of
from initlab.frameworks.steps import FirstSteps
from initlab.frameworks.trace import Trace
from initlab.frameworks.verdict import ModelDiagnosis, judged
from initlab.nn.optimizers import OPTIMIZERS

Loss = Callable[[Any, Any], Any]

_NORMS = {
    "LayerNorm": "layer_norm",
    "RMSNorm": "rms_norm",
    "BatchNorm": "batch_norm",
    "GroupNorm": "group_norm",
    "InstanceNorm": "instance_norm",
}


def diagnose(
    model: nnx.Module | Callable[[nnx.Rngs], nnx.Module],
    batch: Any,
    *,
    loss: Loss | None = None,
    optimizer: str = "sgd",
    draws: int = 5,
) -> ModelDiagnosis:
    """Predict, before training, whether a Flax model will train; the model stays as it is.

    The numbers, their limits and the words are those of `initlab.torch.diagnose`. The model runs in training
    mode, as a copy. No cure is proposed.

    Args:
        model: a model of `flax.nnx`, or a function of `nnx.Rngs` that builds one, which is called under seeds
            0, 1, ...; all numbers are medians over these draws.
        batch: (inputs, targets), as training will show them, of two samples or more: inputs may be an array,
            a tuple of positional arguments, or a mapping of keyword arguments.
        loss: `loss(output, targets)`, a number. By default cross-entropy for integer targets, the mean
            squared error for others.
        optimizer: its name, as "sgd" or "adam"; those that rescale each gradient forgive more.
        draws: how many models a function builds.

    Raises:
        UsageError: for a batch or loss that does not fit, or an unknown optimizer. What the model itself
            raises passes through.

    >>> class Model(nnx.Module):
    ...     def __init__(self, rngs):
    ...         self.first, self.last = nnx.Linear(20, 30, rngs=rngs), nnx.Linear(30, 3, rngs=rngs)
    ...
    ...     def __call__(self, x):
    ...         return self.last(nnx.relu(self.first(x)))
    >>> inputs, targets = jax.random.normal(jax.random.key(0), (50, 20)), jnp.arange(50) % 3
    >>> diagnose(Model, (inputs, targets)).verdict
    'trains'
    """
    OPTIMIZERS[optimizer]  # an unknown name is told here
    require(isinstance(batch, tuple | list) and len(batch) == 2, "a batch is (inputs, targets)")
    models = models_of(model, nnx.Module, "flax.nnx.Module", draws, lambda seed: model(nnx.Rngs(seed)))
    traces = [trace_of(each, batch, loss) for each in models]
    first = [first_steps_of(each, batch, loss, optimizer) for each in models]
    samples = len(jax.tree.leaves(batch[0])[0])
    return judged(type(models[0]).__name__, traces, optimizer, samples, first)


def trace_of(model: nnx.Module, batch: Any, loss: Loss | None = None) -> Trace:
    """Of one model; the arguments are those of `diagnose`."""
    inputs, targets = jax.tree.map(jnp.asarray, tuple(batch))
    whole_loss, parameters = _program_of(model, loss)
    return trace(lambda own, given: whole_loss(own, given, targets), parameters, inputs)


def first_steps_of(model: nnx.Module, batch: Any, loss: Loss | None, optimizer: str) -> FirstSteps | None:
    """Of one model; the arguments are those of `diagnose`."""
    whole_loss, parameters = _program_of(model, loss)
    return first_steps_in_jax(whole_loss, parameters, jax.tree.map(jnp.asarray, tuple(batch)), optimizer)


def _program_of(model: nnx.Module, loss: Loss | None) -> tuple[Callable[..., Any], dict[str, Any]]:
    """(parameters by name, inputs, targets) -> the loss; and the parameters."""
    graph, parameters, others = nnx.split(model, nnx.Param, ...)
    flat = {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(parameters)}
    names = {name: path for name, (path, _) in zip(flat, nnx.to_flat_state(parameters), strict=True)}

    def whole_loss(own: Mapping[str, Any], given: Any, targets: Any) -> Any:
        state = nnx.from_flat_state({names[name]: flat[name].replace(own[name]) for name in names})
        # The tree is built anew, for a model may change only what was made inside the program.
        copy = nnx.merge(graph, state, jax.tree.map(lambda leaf: leaf, others))
        copy.train()
        paths = {".".join(map(str, path)): module for path, module in nnx.iter_modules(copy)}
        with calls_named(paths, _NORMS):
            output = _call(copy, given)
        return (loss or default_loss)(output, targets)

    return whole_loss, {name: leaf.get_value() for name, leaf in flat.items()}


def _call(model: nnx.Module, inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple | list) else model(inputs)


def default_loss(output: Any, targets: Any) -> Any:
    """Cross-entropy for integer targets, the mean squared error for others."""
    if jnp.issubdtype(targets.dtype, jnp.floating):
        return jnp.square(output - targets).mean()
    logs = jax.nn.log_softmax(output)
    return -jnp.take_along_axis(logs, targets[..., None], axis=-1).mean()
