"""How attention spreads over positions: the inputs of a softmax -> entropy and size of the logits.

    logits = q k^T / sqrt(d)     weights = softmax(logits)     H = -sum of weights ln(weights)

Where H is near the logarithm of the number of positions, attention takes a mean of all, as at a usual start.
Where it is near 0, each position looks at one other: softmax is saturated and passes hardly any gradient.
(Zhai et al. 2023, Stabilizing transformer training by preventing attention entropy collapse.)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

# What is masked out has such logits, or lower ones.
_MASKED = -1e9


def attention_numbers(kind: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, float]:
    """The `entropy` as a share of the largest, and the standard deviation of the `logits`.

    Args:
        kind: of the operation; nothing is measured of others than softmax and attention in one call.
        args, kwargs: that it takes.
    """
    with torch.no_grad():
        logits = _LOGITS[kind](*args, **kwargs) if kind in _LOGITS else None
        if logits is None:
            return {}
        logits = logits.detach().double()
        visible = logits > _MASKED
        weights = logits.masked_fill(~visible, -math.inf).softmax(-1)
        most = visible.sum(-1).clamp(min=1).double().log().sum()
        entropy = torch.special.entr(weights).nan_to_num().sum()
        return {
            "entropy": float(entropy / most) if most else math.nan,
            "logits": float(logits[visible].std()),
        }


def _of_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,  # noqa: ARG001
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor | None:
    """Those of `scaled_dot_product_attention`; None for fewer keys than queries have heads."""
    if enable_gqa:
        return None
    logits = query @ key.transpose(-2, -1) * (scale or query.shape[-1] ** -0.5)
    if is_causal:
        later = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).triu(1)
        logits = logits.masked_fill(later, -math.inf)
    if attn_mask is None:
        return logits
    return logits.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else logits + attn_mask


def _of_softmax(logits: Tensor, dim: int | None = None, *_: Any, **__: Any) -> Tensor | None:
    """Those of a softmax over the last axis of four, or three, as attention has them."""
    is_last = dim in (-1, logits.ndim - 1)
    return logits if is_last and logits.ndim >= 3 else None


_LOGITS: dict[str, Callable[..., Tensor | None]] = {
    "scaled_dot_product_attention": _of_attention,
    "softmax": _of_softmax,
}
