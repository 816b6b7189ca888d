"""PyTorch: the verdict on a person's model, and starts for it.

diagnose   model, batch -> a verdict from forward and backward passes, before training
init_      model, scheme, batch -> the model with other weights
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from initlab.frameworks.models import models_of
from initlab.frameworks.torch_cure import find_cure
from initlab.frameworks.torch_steps import traced
from initlab.frameworks.torch_trace import Loss, random_states_kept, tensors_in
from initlab.frameworks.verdict import ModelDiagnosis, judged
from initlab.nn.optimizers import OPTIMIZERS


def diagnose(
    model: nn.Module | Callable[[], nn.Module],
    batch: Any,
    *,
    loss: Loss | None = None,
    optimizer: str = "sgd",
    draws: int = 5,
    cure: bool = True,
) -> ModelDiagnosis:
    """Predict, before training, whether a PyTorch model will train; the model stays as it is.

    A copy runs once forward and once backward in training mode. Each layer that all paths pass is measured:
    its signal relative to the first one's, its gradient relative to the last one's, how much the samples
    still differ, and its units. The limits are those of `initlab diagnose`. Some more passes tell how the
    first steps would go, how many it takes to tell samples apart, and from which rate they overshoot; the
    verdict is theirs. See `initlab.frameworks.steps`.

    Args:
        model: a model, or a function that builds one; a function is called several times, and all numbers
            are medians over these draws.
        batch: (inputs, targets), as training will show them, of two samples or more: inputs may be a tensor,
            a tuple of positional arguments, or a mapping of keyword arguments. A mapping alone is for models
            whose output has a `loss`.
        loss: `loss(output, targets)`, a number. By default the output's own `loss`, cross-entropy for
            integer targets, the mean squared error for others.
        optimizer: its name, as "sgd" or "adam"; those that rescale each gradient forgive more.
        draws: how many models a function builds, under seeds 0, 1, ...
        cure: whether to look for other weights where the model is not healthy; each proposal is drawn into a
            copy and diagnosed on the same batch.

    Raises:
        UsageError: for a model that cannot be copied, a batch or loss that does not fit, or an unknown
            optimizer. What the model itself raises passes through.

    >>> model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 3))
    >>> inputs, targets = torch.randn(50, 20), torch.randint(3, (50,))
    >>> diagnose(model, (inputs, targets)).seen
    1.0
    """
    OPTIMIZERS[optimizer]  # an unknown name is told here
    models = models_of(model, nn.Module, "torch.nn.Module", draws, lambda seed: _drawn(model, seed))
    traces, first = zip(*(traced(each, batch, loss, optimizer) for each in models), strict=True)
    diagnosis = judged(_name_of(models[0]), traces, optimizer, len(next(tensors_in(batch))), first)
    if not cure or diagnosis.verdict == "trains":
        return diagnosis
    proposal = find_cure(models[0], traces[0], batch, loss, optimizer)
    return replace(diagnosis, cure=proposal, is_treated=True)


def _name_of(model: nn.Module) -> str:
    return type(getattr(model, "_orig_mod", model)).__name__


def _drawn(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with random_states_kept():
        torch.manual_seed(seed)
        return build()
