"""Cures for a PyTorch model: each proposal is drawn into a copy, and diagnosed before it is told."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from initlab.diagnosis.cures import Proposal, propose
from initlab.errors import UsageError
from initlab.frameworks.prediction import TRANSPOSED
from initlab.frameworks.torch_init import activation_of, init_, layers_of
from initlab.frameworks.torch_steps import traced
from initlab.frameworks.torch_trace import Loss
from initlab.frameworks.trace import Trace
from initlab.frameworks.verdict import ModelCure, judged
from initlab.init.scheme import Scheme

_GOOD_ENOUGH = 1.0  # a severity at which no further proposal is tried
_USUAL = (
    Proposal(Scheme("he"), "each ReLU layer keeps the mean square of its signals"),
    Proposal(Scheme.parse("orthogonal(gain=relu)"), "orthogonal layers keep signals and gradients"),
    Proposal(Scheme("xavier"), "signals and gradients change little in layers that are nearly linear"),
)
_LAST = Proposal(
    Scheme("lsuv"), "each layer is divided by the standard deviation of its outputs on the batch"
)

_ANY_SCHEME = """\
from initlab.torch import init_
init_(model, {arguments})"""
_NORMAL = """\
for module in model.modules():
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        nn.init.normal_(module.weight, std=({scale:.4g} / module.weight[0].numel()) ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)"""


@dataclass(frozen=True)
class Attempt:
    """A start that might help.

    Attributes:
        proposal: the scheme, and why.
        options: further arguments of `init_`.
    """

    proposal: Proposal
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        exceptions = [_WORDS[name].format(value) for name, value in self.options.items()]
        return " with ".join([str(self.proposal.scheme), *exceptions])


_WORDS = {
    "branch_scale": "residual branches times {:g}",
    "last": "an output layer of {}",
    "embedding": "embeddings of {}",
}


def find_cure(
    model: nn.Module, graph: Trace, batch: Any, loss: Loss | None, optimizer: str
) -> ModelCure | None:
    """The first attempt that is good enough, else the healthiest, if one is healthy; else a last resort.

    Args:
        model: stays as it is.
        graph: a trace of it.
        batch, loss, optimizer: as for `diagnose`.
    """
    is_transposed = any(each.kind in TRANSPOSED for each in graph.operations)
    schemes = _schemes(model, graph)
    for attempts in (_usual(schemes, graph), _last_resorts(schemes, graph)):
        healthy: list[ModelCure] = []
        for attempt in attempts:
            severity = _severity_with(attempt, model, batch, loss, optimizer)
            if severity is None:
                continue
            code = code_for(attempt.proposal.scheme, attempt.options, is_transposed)
            healthy.append(
                ModelCure(scheme=str(attempt), why=attempt.proposal.why, severity=severity, code=code)
            )
            if severity <= _GOOD_ENOUGH:
                break
        if healthy:
            return min(healthy, key=lambda cure: cure.severity)
    return None


def _usual(schemes: Sequence[Proposal], graph: Trace) -> Iterator[Attempt]:
    """With residual branches, each scheme is tried with smaller branches first."""
    smaller = _smaller_branches(graph)
    if smaller:
        blocks = len(graph.branch_ends)
        why = f"1 / sqrt({blocks}) keeps the sum of {blocks} residual branches at the size of one"
        yield from (Attempt(Proposal(each.scheme, why), smaller) for each in schemes)
    yield from map(Attempt, schemes)


def _smaller_branches(graph: Trace) -> dict[str, Any]:
    blocks = len(graph.branch_ends)
    return {"branch_scale": float(f"{blocks**-0.5:.3g}")} if blocks else {}


def _last_resorts(schemes: Sequence[Proposal], graph: Trace) -> Iterator[Attempt]:
    """What changes more than the scale of hidden layers."""
    smaller = _smaller_branches(graph)
    why = "outputs begin almost alike, so that the first steps do not overshoot"
    yield from (Attempt(Proposal(each.scheme, why), smaller | {"last": "std=0.001"}) for each in schemes)
    if any(each.kind == "embedding" for each in graph.operations):
        why, smaller = "embeddings as small as GPT-2's change quickly", smaller | {"embedding": "std=0.02"}
        yield from (Attempt(Proposal(each.scheme, why), smaller) for each in schemes)
    yield Attempt(_LAST)


def _schemes(model: nn.Module, graph: Trace) -> list[Proposal]:
    """Those for the model's activation function, where it has a single one; then the usual."""
    depth = max(len(layers_of(graph, dict(model.named_parameters()))) - 1, 1)
    try:
        proposals = [
            each for each in propose(activation_of(graph), depth) if not each.scheme.is_data_dependent
        ]
    except UsageError:
        proposals = []
    texts = {str(each.scheme) for each in proposals}
    return [*proposals, *(each for each in _USUAL if str(each.scheme) not in texts)]


def _severity_with(
    attempt: Attempt, model: nn.Module, batch: Any, loss: Loss | None, optimizer: str
) -> float | None:
    """Of a copy that is drawn anew; None where the attempt does not suit the model, or is not healthy."""
    patient = copy.deepcopy(getattr(model, "_orig_mod", model))
    try:
        init_(patient, attempt.proposal.scheme, batch, loss=loss, **attempt.options)
    except UsageError:
        return None
    graph, first = traced(patient, batch, loss, optimizer)
    diagnosis = judged("", [graph], optimizer, 0, [first])
    return diagnosis.severity if diagnosis.verdict == "trains" else None


def code_for(scheme: Scheme, options: Mapping[str, Any] | None = None, is_transposed: bool = False) -> str:
    """Lines that draw the weights of `model`: of PyTorch alone where they are normal, else with `init_`.

    Args:
        scheme: of the weights.
        options: further arguments of `init_`.
        is_transposed: whether there are transposed convolutions, whose fans the weights alone do not tell.

    >>> print(code_for(Scheme("auto"), {"last": "zeros"}))
    from initlab.torch import init_
    init_(model, 'auto', batch, last='zeros')
    """
    shapes = ((7, 30), (90, 11))
    scales = [scheme.variance(shape) * shape[0] for shape in shapes] if scheme.has_theory else []
    is_normal = scheme.name in ("he", "lecun", "variance_scaling") and "distribution" not in scheme.arguments
    if options or is_transposed or not scales or not is_normal or abs(scales[0] - scales[1]) > 1e-9:
        more = [f"{name}={value!r}" for name, value in (options or {}).items()]
        return _ANY_SCHEME.format(arguments=", ".join([repr(str(scheme)), "batch", *more]))
    return _NORMAL.format(scale=scales[0])
