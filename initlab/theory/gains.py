"""Gains: the factor by which an activation function needs its layer's weights multiplied."""

import math

from initlab.errors import UsageError, unknown_name
from initlab.init.quadrature import ActivationLike
from initlab.theory.mean_field import moments


def gain(activation: ActivationLike, keeps: str = "forward", q: float = 1.0) -> float:
    """The `sigma_w = sqrt(n_in Var W)` that keeps the signal, the gradient, or both at the length q.

    Forward it is `sqrt(q / E[phi(sqrt(q) z)^2])`, backward `1 / sqrt(E[phi'(sqrt(q) z)^2])`, with z from
    N(0, 1); "both" is their geometric mean. For ReLU all three are sqrt(2) (He et al. 2015, Delving deep into
    rectifiers, equations 10 and 14).

    Args:
        activation: a name in `ACTIVATIONS`, or a function of an array.
        keeps: "forward", "backward" or "both".
        q: the variance of the pre-activations, > 0.

    Raises:
        UsageError: for an unknown activation, or another word for what the gain keeps.

    >>> round(gain("relu"), 4), round(gain("tanh"), 4), round(gain("tanh", "backward"), 4)
    (1.4142, 1.5925, 1.4674)
    """
    expected = moments(activation, q)
    forward, backward = math.sqrt(q / expected.square), 1 / math.sqrt(expected.slope_square)
    gains = {"forward": forward, "backward": backward, "both": math.sqrt(forward * backward)}
    if keeps not in gains:
        raise UsageError(unknown_name("direction", keeps, gains))
    return gains[keeps]
