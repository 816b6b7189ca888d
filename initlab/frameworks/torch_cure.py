"""Cures for a PyTorch model: each proposal is drawn into a copy, and diagnosed before it is told."""

import copy
from collections.abc import Iterator
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
)
_LAST = Proposal(
    Scheme("lsuv"), "each layer is divided by the standard deviation of its outputs on the batch"
)

_ANY_SCHEME = """\
from initlab.torch import init_
init_(model, {scheme!r}, batch{more})"""
_NORMAL = """\
for module in model.modules():
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        nn.init.normal_(module.weight, std=({scale:.4g} / module.weight[0].numel()) ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)"""


def find_cure(
    model: nn.Module, seen: Trace, batch: Any, loss: Loss | None, optimizer: str
) -> ModelCure | None:
    """The first proposal that is good enough, else the healthiest, if one is healthy; LSUV where none is.

    Args:
        model: stays as it is.
        seen: a trace of it.
        batch, loss, optimizer: as for `diagnose`.
    """
    healthy: list[ModelCure] = []
    is_transposed = any(each.kind in TRANSPOSED for each in seen.operations)
    for proposal, scale in _proposals(model, seen):
        if healthy and proposal is _LAST:
            break
        severity = _severity_with(proposal.scheme, scale, model, batch, loss, optimizer)
        if severity is None:
            continue
        healthy.append(
            ModelCure(
                scheme=_in_words(proposal.scheme, scale),
                why=proposal.why,
                severity=severity,
                code=code_for(proposal.scheme, scale, is_transposed),
            )
        )
        if severity <= _GOOD_ENOUGH:
            break
    return min(healthy, key=lambda cure: cure.severity, default=None)


def _proposals(model: nn.Module, seen: Trace) -> Iterator[tuple[Proposal, float]]:
    """Those for the model's activation function, where it has a single one; else the usual.

    With residual branches each is proposed with smaller branches first.
    """
    proposals = [each for each in _schemes(model, seen) if not each.scheme.is_data_dependent]
    blocks = len(seen.branch_ends)
    if blocks:
        scale = float(f"{blocks**-0.5:.3g}")
        why = f"1 / sqrt({blocks}) keeps the sum of {blocks} residual branches at the size of one"
        yield from ((Proposal(each.scheme, why), scale) for each in proposals)
    yield from ((each, 1.0) for each in (*proposals, _LAST))


def _schemes(model: nn.Module, seen: Trace) -> list[Proposal]:
    depth = max(len(layers_of(seen, dict(model.named_parameters()))) - 1, 1)
    try:
        return list(propose(activation_of(seen), depth))
    except UsageError:
        return list(_USUAL)


def _severity_with(
    scheme: Scheme, branch_scale: float, model: nn.Module, batch: Any, loss: Loss | None, optimizer: str
) -> float | None:
    """Of a copy that is drawn from the scheme; None where it does not suit the model, or is not healthy."""
    patient = copy.deepcopy(getattr(model, "_orig_mod", model))
    try:
        init_(patient, scheme, batch, branch_scale=branch_scale, loss=loss)
    except UsageError:
        return None
    seen, first = traced(patient, batch, loss, optimizer)
    diagnosis = judged("", [seen], optimizer, 0, [first])
    return diagnosis.severity if diagnosis.verdict == "trains" else None


def _in_words(scheme: Scheme, branch_scale: float) -> str:
    return str(scheme) if branch_scale == 1 else f"{scheme} with residual branches times {branch_scale:g}"


def code_for(scheme: Scheme, branch_scale: float = 1.0, is_transposed: bool = False) -> str:
    """Lines that draw the weights of `model`: of PyTorch alone where they are normal, else with `init_`.

    Args:
        scheme: of the weights.
        branch_scale: as for `init_`.
        is_transposed: whether there are transposed convolutions, whose fans the weights alone do not tell.

    >>> print(code_for(Scheme("auto")))
    from initlab.torch import init_
    init_(model, 'auto', batch)
    """
    shapes = ((7, 30), (90, 11))
    scales = [scheme.variance(shape) * shape[0] for shape in shapes] if scheme.has_theory else []
    is_normal = scheme.name in ("he", "lecun", "variance_scaling") and "distribution" not in scheme.arguments
    if branch_scale != 1:
        return _ANY_SCHEME.format(scheme=str(scheme), more=f", branch_scale={branch_scale:g}")
    if is_transposed or not scales or not is_normal or abs(scales[0] - scales[1]) > 1e-9:
        return _ANY_SCHEME.format(scheme=str(scheme), more="")
    return _NORMAL.format(scale=scales[0])
