"""Cures: activation, depth -> the starts that might help.

    auto       pairs of units, or shifted units: keeps signals, gradients and differences at any depth
    critical   the variance at which gradients and differences neither grow nor fade in wide layers
    level      where critical weights saturate or do not exist: the variance that suits this depth
    lsuv       orthogonal weights, scaled on data until each layer's outputs have variance 1

They are proposals: `verdict` diagnoses each before one is told.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from initlab.init.critical import critical_of
from initlab.init.quadrature import Array, expectation, functions_of
from initlab.init.scheme import Scheme
from initlab.init.structured import start_for
from initlab.measure.layers import SATURATED_SLOPE
from initlab.nn.activations import ACTIVATIONS
from initlab.own_code import shown
from initlab.theory.explain import TRAINABLE_SCALES, outlook
from initlab.theory.layers import predict_layers

# At its critical variance the sigmoid has 52 % saturated slopes, and trains badly; other functions have none.
_MOST_SATURATED = 0.25
# A scheme that is good for exactly the depth in question lies at the edge of what trains.
_DEPTH_MARGIN = 2
# Of the layers in predictions; for wide layers of one size, the width cancels.
_WIDTH = 100
_REASONS = {
    "mirror": "the difference of paired units, u and -u, keeps signals and gradients at any depth",
    "shift": "each unit begins where {activation} is nearly straight, and passes on no mean",
}


@dataclass(frozen=True)
class Proposal:
    """A start that might help.

    Attributes:
        scheme: to draw the weights from.
        why: the reason, as a sentence without its full stop.
    """

    scheme: Scheme
    why: str


def propose(activation: str, depth: int) -> Iterator[Proposal]:
    """Starts for an activation and a number of hidden layers, each of another kind, the likeliest first.

    Args:
        activation: a name in `ACTIVATIONS`.
        depth: hidden layers.

    >>> [str(proposal.scheme) for proposal in propose("relu", 10)]
    ['auto', 'he', 'lsuv']
    """
    reason = _REASONS[start_for(activation)].format(activation=shown(activation))
    yield Proposal(Scheme("auto"), reason)
    yield best_variance(activation, depth)
    yield Proposal(Scheme("lsuv"), "each layer is scaled on data until its outputs have variance 1")


@cache
def best_variance(activation: str, depth: int) -> Proposal:
    """The variance that theory recommends for an activation and a number of hidden layers.

    1. It is the critical one, `chi(q*) = 1`, which keeps gradients and differences through any depth
       (Schoenholz et al. 2017).
    2. Where the critical one saturates many units, as for the sigmoid, it is the smallest that is good for
       twice the depth.
    3. Where gradients fade on the way to the critical state, or there is none, it is the one for which the
       first layer's gradient is as large as the last one's.

    A variance alone does not keep every activation's signals: deep gelu and swish layers of finite width
    lose them from any variance.

    Args:
        activation: a name in `ACTIVATIONS`.
        depth: hidden layers.

    >>> [str(best_variance(name, 10).scheme) for name in ("relu", "tanh", "sigmoid")]
    ['he', 'lecun', 'variance_scaling(scale=55.4)']
    """
    critical = critical_of(activation)
    if critical is None:
        return _level_variance(activation, depth)
    if _saturation(activation, critical) > _MOST_SATURATED:
        return _smallest_variance(activation, depth, critical)
    if abs(_log_gradient(activation, critical, depth)) < TRAINABLE_SCALES / 2:
        return Proposal(
            _scaled(critical), f"sigma_w^2 = {critical:.4g} is critical for {shown(activation)} at any depth"
        )
    return _level_variance(activation, depth)


def _smallest_variance(activation: str, depth: int, critical: float) -> Proposal:
    """The deeper a network may be, the nearer its variance is to the critical one."""

    def is_good(sigma_w2: float) -> bool:
        return outlook(activation, sigma_w2).deepest >= _DEPTH_MARGIN * depth

    _, smallest = _bisect(is_good, critical / 1000, critical, 1.01)
    return Proposal(
        _scaled(smallest),
        f"sigma_w^2 = {smallest:.3g} is the smallest that is good for {_DEPTH_MARGIN} x {depth} layers of "
        f"{shown(activation)}; the critical {critical:.4g} saturates many units",
    )


def _level_variance(activation: str, depth: int) -> Proposal:
    def is_enough(sigma_w2: float) -> bool:
        return _log_gradient(activation, sigma_w2, max(depth, 2)) >= 0

    level = math.sqrt(math.prod(_bisect(is_enough, 0.1, 100.0, 1.001)))
    return Proposal(
        _scaled(level),
        f"with sigma_w^2 = {level:.3g}, the first of {depth} layers of {shown(activation)} has as large a "
        "gradient as the last",
    )


def _bisect(holds: Callable[[float], bool], low: float, high: float, precision: float) -> tuple[float, float]:
    """Two numbers within a factor `precision`: it fails at the first and holds at the second.

    It must fail at `low` and hold at `high`.
    """
    while high / low > precision:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return low, high


def _log_gradient(activation: str, sigma_w2: float, depth: int) -> float:
    """ln of the first layer's squared gradient over the last one's, for inputs of mean square 1."""
    sizes = [_WIDTH] * (depth + 1) + [1]
    first = predict_layers(Scheme("variance_scaling", {"scale": sigma_w2}), sizes, activation)[0]
    return 2 * math.log(first.gradient)


def _saturation(name: str, sigma_w2: float) -> float:
    """The fraction of saturated slopes in an infinitely deep network; 0 for functions like ReLU."""
    activation = ACTIVATIONS[name]
    if not all(map(math.isfinite, activation.bounds)):
        return 0.0
    _, slope = functions_of(name)

    def saturated(z: Array) -> Array:
        return (np.abs(slope(z)) < SATURATED_SLOPE * activation.steepest).astype(np.float64)

    return expectation(saturated, min(max(outlook(name, sigma_w2).length, 1e-12), 1e12))


def _scaled(sigma_w2: float) -> Scheme:
    """The scheme of a sigma_w^2, by its famous name where it has one."""
    names = {"1": "lecun", "2": "he"}
    text = f"{sigma_w2:.3g}"
    return Scheme.parse(names.get(text, f"variance_scaling(scale={text})"))
