"""muP, the maximal update parametrization: variances and learning rates that suit any width.

                    variance             rate of SGD      rate of Adam
    first layer     s / n_in             n_out / base     1
    hidden layers   s / n_in             1                base / n_in
    last layer      s base / n_in^2      base / n_in      base / n_in

At the width `base` it is the standard parametrization. The scheme draws the weights, and names factors for
the learning rate of each layer, which training follows.

Source: Yang & Hu 2021, Tensor Programs IV: feature learning in infinite-width neural networks; Yang et al.
2022, Tensor Programs V: tuning large neural networks via zero-shot hyperparameter transfer, table 3.
"""

import math

import numpy as np

from initlab.errors import require
from initlab.init.scheme import OWN, SCHEMES, Own, Place, Shape
from initlab.init.schemes import normal
from initlab.nn.arrays import FloatArray


def _variance(shape: Shape, base: int = 64, scale: float = 1.0, place: Place = "hidden") -> float:
    """That of the weights of one layer."""
    return scale / shape[0] * (base / shape[0] if place == "last" else 1.0)


def _rates(
    shape: Shape,
    adaptive: bool,
    base: int = 64,
    scale: float = 1.0,  # noqa: ARG001
    place: Place = "hidden",
) -> tuple[float, float]:
    """Factors of the learning rate of a layer's weights and of its biases."""
    n_in, n_out = shape
    if place == "only":
        return 1.0, 1.0
    if place == "last":
        return base / n_in, 1.0
    if adaptive:
        return (1.0 if place == "first" else base / n_in), 1.0
    return (n_out / base if place == "first" else 1.0), n_out / base


@SCHEMES.register(
    "mup",
    formula="W ~ N(0, s / n_in), s base / n_in^2 for the logits; learning rates by layer",
    source="Yang & Hu 2021, Tensor Programs IV; Yang et al. 2022, Tensor Programs V, table 3",
    variance=_variance,
    rates=_rates,
)
def mup(
    rng: np.random.Generator,
    shape: Shape,
    *,
    base: int = 64,
    scale: float = 1.0,
    place: Place | Own = OWN,
) -> FloatArray:
    """Weights of the maximal update parametrization, with learning rates for each layer.

    However wide the network, a training step changes every layer's pre-activations and the logits by as much
    as at the width `base`. So a learning rate found there suits all widths.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        base: the width at which it is the standard parametrization, from 1 on; 64 by default.
        scale: s, the variance of a pre-activation per unit of mean squared input; 2 is He's for ReLU.
        place: of the layer; by default its own in its network.

    Raises:
        UsageError: for a base below 1, or a negative scale.

    >>> W = mup(np.random.default_rng(0), (256, 10), base=64, place="last")
    >>> round(float(W.var() * 256**2 / 64), 1)
    1.0
    """
    require(base >= 1, f"base must be 1 or more, not {base}")
    require(scale >= 0, f"scale must be 0 or more, not {scale:g}")
    kind: Place = "hidden" if place == OWN else place
    return normal(rng, shape, std=math.sqrt(_variance(shape, base, scale, kind)))
