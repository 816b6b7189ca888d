"""The first steps of a PyTorch model: passes of a copy, with its own targets and with exchanged ones."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from initlab.frameworks.steps import Arrays, FirstSteps, first_steps, order_of
from initlab.frameworks.torch_trace import (
    Loss,
    Recorder,
    call,
    copied,
    copy_of,
    default_loss,
    parts_of,
    random_states_kept,
    tensors_in,
    trace_of,
)
from initlab.frameworks.trace import Trace

_TARGETS = ("label", "target")


def traced(
    model: nn.Module, batch: Any, loss: Loss | None, optimizer: str
) -> tuple[Trace, FirstSteps | None]:
    """A trace, and the first steps; None where all samples have the same targets, or in half precision.

    There a small change of the parameters is rounded away, by which the curvature is felt for.
    Both share passes: there are two forward and three backward.

    Args:
        model: in any state; it stays as it is.
        batch, loss: as for `trace`.
        optimizer: a name in `OPTIMIZERS`.
    """
    own, criterion = copy_of(model), loss or default_loss
    parameters, outputs = dict(own.named_parameters()), list[Any]()

    def loss_on(inputs: Any, targets: Any) -> Tensor:
        outputs[:] = [call(own, inputs)]
        return criterion(outputs[0], targets)

    def seen_by(recorder: Recorder) -> Tensor:
        with recorder.paths(own):
            return loss_on(*given)

    def gradients_at(values: Arrays) -> Arrays:
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(values[name])
        loss_on(*map(copied, parts_of(batch))).backward()
        return _taken_from(trained)

    given = [copied(part) for part in parts_of(batch)]
    # Each forward pass starts from the same random state: dropout leaves out the same units.
    with random_states_kept(), torch.enable_grad():
        with random_states_kept():
            graph = trace_of(seen_by, parameters, given[0], again=True)
        trained = {name: each for name, each in parameters.items() if each.grad is not None}
        others = exchanged(batch)
        is_coarse = any(each.dtype in (torch.float16, torch.bfloat16) for each in trained.values())
        if others is None or not trained or is_coarse:
            return graph, None
        gradients = _taken_from(trained)
        inputs, targets = map(copied, parts_of(others))
        with random_states_kept():
            # A model that computes its own loss must run again.
            (loss_on(inputs, None) if targets is None else criterion(outputs[0], targets)).backward()
        outputs.clear()
        other_gradients = _taken_from(trained)
        start = {name: each.detach() for name, each in trained.items()}
        return graph, first_steps(graph.loss, gradients, other_gradients, start, gradients_at, optimizer)


def _taken_from(parameters: Mapping[str, Tensor]) -> Arrays:
    """The gradients, which the parameters lose."""
    gradients = {name: each.grad for name, each in parameters.items() if each.grad is not None}
    for each in parameters.values():
        each.grad = None
    return gradients


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
