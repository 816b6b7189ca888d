"""The first steps of a PyTorch model: passes of a copy, with its own targets and with exchanged ones."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from initlab.frameworks.steps import Arrays, FirstSteps, first_steps, order_of
from initlab.frameworks.torch_trace import (
    Loss,
    call,
    copied,
    copy_of,
    default_loss,
    parts_of,
    random_states_kept,
    tensors_in,
)

_TARGETS = ("label", "target")


def first_steps_of(model: nn.Module, batch: Any, loss: Loss | None, optimizer: str) -> FirstSteps | None:
    """As `steps.first_steps`; None where all samples have the same targets, or nothing is trained.

    Args:
        model: in any state; it stays as it is.
        batch, loss: as for `trace`.
        optimizer: a name in `OPTIMIZERS`.
    """
    own = copy_of(model)
    parameters = {name: each for name, each in own.named_parameters() if each.requires_grad}

    def compute(values: Arrays, given: Any) -> tuple[Tensor, Arrays]:
        # In place: a checkpoint in the model reads its parameters again on the way back.
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(values[name])
        inputs, targets = (copied(part) for part in parts_of(given))
        return (loss or default_loss)(call(own, inputs), targets), parameters

    start = {name: each.detach().clone() for name, each in parameters.items()}
    return first_steps_in_torch(compute, start, batch, optimizer)


def first_steps_in_torch(
    compute: Callable[[Arrays, Any], tuple[Tensor, Arrays]], start: Arrays, batch: Any, optimizer: str
) -> FirstSteps | None:
    """As `steps.first_steps`; None where all samples have the same targets, or nothing is trained.

    Args:
        compute: (values, batch) -> the loss, and the leaves with these values from which it was computed.
        start: the values of the parameters that are trained.
        batch: as for `trace`.
        optimizer: a name in `OPTIMIZERS`.
    """
    batches = batch, exchanged(batch)
    if batches[1] is None or not start:
        return None

    def differentiate(values: Arrays, is_exchanged: bool) -> tuple[float, Arrays]:
        # The random states are the same in each pass: dropout leaves out the same units.
        with random_states_kept(), torch.enable_grad():
            value, leaves = compute(values, batches[is_exchanged])
            found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
        gradients = zip(leaves, found, strict=True)
        return float(value.detach()), {name: each for name, each in gradients if each is not None}

    return first_steps(differentiate, start, optimizer)


def exchanged(batch: Any) -> Any:
    """The batch with the targets of other samples, in an order by chance; None where they are the same."""
    inputs, targets = parts_of(batch)
    samples = len(next(tensors_in(inputs)))
    order = torch.from_numpy(order_of(samples))
    changes = False

    def reordered(value: Any) -> Any:
        nonlocal changes
        if isinstance(value, Tensor) and value.ndim and len(value) == samples:
            other = value[order.to(value.device)]
            changes |= not torch.equal(value, other)
            return other
        if isinstance(value, Mapping):
            return {name: reordered(each) for name, each in value.items()}
        return type(value)(map(reordered, value)) if type(value) in (tuple, list) else value

    if targets is not None:
        others: Any = inputs, reordered(targets)
    else:
        others = {name: reordered(each) if _is_target(name) else each for name, each in dict(inputs).items()}
    return others if changes else None


def _is_target(name: str) -> bool:
    return any(word in name for word in _TARGETS)
