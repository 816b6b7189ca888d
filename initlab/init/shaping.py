"""Starts for any activation: activation, depth -> where pairs of units, or shifted units, should begin.

Deep networks train if signals, gradients and differences between inputs keep their size. A variance alone
achieves this for few activations. Two other means achieve it for all:

- *mirror*: units come in pairs with pre-activations u and -u, and the next layer takes their difference. So
  the effective activation is psi(u) = phi(u) - phi(-u), which is u itself for ReLU, GELU, swish and softplus.
- *shift*: where psi has the shape of phi, as for tanh, pairs would be redundant. Here a bias beta moves each
  unit to a place where phi is as straight as is needed, and the next layer subtracts the mean activation.

The schemes of these names in `structured` draw the weights.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from initlab.errors import require
from initlab.init.quadrature import ActivationLike, Array, Function, expectation, functions_of, plain_rule

# Zeta: over all layers together, squared gradients may grow by this factor. The first is for odd functions.
# The second is for the others: the straighter they are made, the larger is their mean against their spread.
_GROWTH, _SHIFTED_GROWTH = 1.5, 3.0
_BIASES = np.linspace(-4, 4, 161)
_SCALES = np.geomspace(0.01, 8, 80)
_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0)
_CURVED_SIZES = np.geomspace(8, 1e-4, 400)
_FAR = 1e3
# A constraint holds if it is broken by no more than the quadrature errs.
_ROUNDING = 1e-3


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Where `shift` puts the pre-activations: u = scale x + bias, x from N(0, 1).

    Attributes:
        scale, bias: of the pre-activations; alpha and beta in Martens et al. 2021.
        mean, variance: of the activations there.
    """

    scale: float
    bias: float
    mean: float
    variance: float


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """Where `mirror` puts the pre-activations of its pairs: u from N(0, q).

    Attributes:
        q: the variance of the pre-activations.
        square: E[psi(u)^2], psi(u) = phi(u) - phi(-u).
    """

    q: float
    square: float


def is_odd_plus_constant(activation: ActivationLike) -> bool:
    """Whether phi(u) + phi(-u) is the same for all u, as for tanh and the sigmoid.

    Args:
        activation: phi, a name or a function of an array.

    >>> is_odd_plus_constant("sigmoid"), is_odd_plus_constant("relu")
    (True, False)
    """
    phi, _ = functions_of(activation)
    u = np.geomspace(0.01, 30, 200)
    sums = phi(u) + phi(-u)
    return bool(np.ptp(sums) <= 1e-9 * max(1.0, float(np.abs(phi(u)).max())))


@lru_cache(maxsize=256)
def find_shift(
    activation: ActivationLike, depth: int, zeta: float | None = None, *, constrained: bool = True
) -> Shift:
    """The pre-activations at which a layer multiplies squared gradients by `zeta^(1 / depth)`.

    With u = alpha x + beta, m = E phi(u) and v = Var phi(u), alpha solves

        alpha^2 E[phi'(u)^2] / v = zeta^(1 / max(depth, 2))

    Of all beta within +-4 it is the one with the smallest m^2 / v, subject to

        Q'(1) = alpha E[(phi(u) - m) phi'(u) x] / v <= 1        lengths return to their value
        (alpha^2 / v) (phi'(inf)^2 + phi'(-inf)^2) / 2 <= 1     large inputs do not run away

    Where no alpha solves it, as for the identity, alpha is 1 and beta 0.

    Args:
        activation: phi, a name or a function of an array.
        depth: hidden layers, 1 or more.
        zeta: the factor for all layers together; by default 1.5 for an odd function, else 3.
        constrained: whether the two constraints hold; without them the numbers of an untrained network are as
            good, but it may break once its weights move.

    Raises:
        UsageError: for a depth below 1, or a zeta that is not above 1.

    Source: Martens et al. 2021, Rapid training of deep neural networks without skip connections or
    normalization layers using deep kernel shaping, section 5; there the outputs are transformed.

    >>> tanh = find_shift("tanh", 10)
    >>> round(tanh.scale, 3), tanh.bias, round(tanh.variance, 3)
    (0.54, 0.0, 0.193)
    """
    require(depth >= 1, f"depth must be 1 or more, not {depth}")
    phi, _ = functions_of(activation)
    is_odd = is_odd_plus_constant(activation) and abs(float(phi(np.zeros(1))[0])) < _ROUNDING
    # A single layer is treated as one of two: no sigmoid within the constraints triples squared gradients.
    whole = zeta if zeta is not None else _GROWTH if is_odd else _SHIFTED_GROWTH
    require(whole > 1, f"zeta must be above 1, not {whole:g}")
    growth = whole ** (1 / max(depth, 2))
    biases = np.zeros(1) if is_odd else _BIASES
    candidates = [
        shift
        for bias in biases
        for shift in _shifts(activation, float(bias), growth, constrained=constrained)
    ]
    if not candidates:
        return _shift_at(activation, 1.0, 0.0)
    _, scale, bias = min(candidates)
    return _shift_at(activation, scale, bias)


def _shifts(
    activation: ActivationLike, bias: float, growth: float, *, constrained: bool
) -> Iterator[tuple[float, float, float]]:
    """The solution for one bias, if there is one and it meets the constraints: (m^2 / v, alpha, beta).

    It has the smallest alpha: a larger one would meet the equation where the function is saturated.
    """
    from scipy.optimize import brentq

    phi, slope = functions_of(activation)

    def moments(scales: Array) -> _Moments:
        return _Moments(phi, slope, scales, bias)

    excesses = moments(_SCALES).growth - growth
    crossings = np.flatnonzero((excesses[:-1] < 0) & (excesses[1:] >= 0))
    for i in crossings[:1]:
        scale = brentq(lambda s: float(moments(np.array([s])).growth[0]) - growth, *_SCALES[i : i + 2])
        there = moments(np.array([scale]))
        if not constrained or max(there.return_slope[0], there.far_growth[0]) <= 1 + _ROUNDING:
            yield float(there.mean[0] ** 2 / there.variance[0]), float(scale), bias


class _Moments:
    """Expectations over u = alpha x + beta, by the fast rule, for several alpha.

    Args:
        phi, slope: the activation and its derivative.
        scales: alpha, (S,).
        bias: beta.
    """

    def __init__(self, phi: Function, slope: Function, scales: Array, bias: float) -> None:
        x, w = plain_rule()
        u = scales[:, None] * x + bias
        a, d = phi(u), slope(u)
        self.mean = a @ w
        self.variance = np.square(a - self.mean[:, None]) @ w
        far = np.square(slope(np.array([-_FAR, _FAR]))).mean()
        # Where phi is constant, as ReLU's on the left, the variance is 0 and nothing solves the equation.
        with np.errstate(divide="ignore", invalid="ignore"):
            self.growth = scales**2 * (np.square(d) @ w) / self.variance
            self.return_slope = scales * ((a - self.mean[:, None]) * d @ (x * w)) / self.variance
            self.far_growth = scales**2 / self.variance * far


def _shift_at(activation: ActivationLike, scale: float, bias: float) -> Shift:
    phi, _ = functions_of(activation)
    mean = expectation(lambda u: phi(u + bias), scale**2)
    variance = expectation(lambda u: (phi(u + bias) - mean) ** 2, scale**2)
    return Shift(scale=scale, bias=bias, mean=mean, variance=variance)


@lru_cache(maxsize=256)
def find_mirror(activation: ActivationLike, depth: int) -> Mirror:
    """The variance q of pre-activations at which pairs of units keep signals and gradients.

    Where psi(u) = phi(u) - phi(-u) is linear, any q does; it is the smallest of 1, 2, 4, 8 and 16 at which
    the mean of an activation is not larger than its spread. Elsewhere it is the largest q up to 8 at which
    a layer multiplies squared gradients by `q E[psi'(u)^2] / E[psi(u)^2] <= 1.5^(1 / depth)`.

    Args:
        activation: phi, a name or a function of an array.
        depth: hidden layers, 1 or more.

    Raises:
        UsageError: for a depth below 1.

    >>> find_mirror("softplus", 10).q, find_mirror("relu", 10).q
    (4.0, 1.0)
    """
    require(depth >= 1, f"depth must be 1 or more, not {depth}")
    phi, slope = functions_of(activation)

    def psi(u: Array) -> Array:
        return phi(u) - phi(-u)

    def growth(q: float) -> float:
        u = math.sqrt(q) * plain_rule()[0]
        return q * _mean((slope(u) + slope(-u)) ** 2) / _mean(psi(u) ** 2)

    if _is_linear(psi):
        q = next((q for q in _SIZES if _mean_over_spread(phi, q) <= 1), _SIZES[-1])
        return Mirror(q=q, square=q * float(psi(np.ones(1))[0]) ** 2)
    q = next((q for q in _CURVED_SIZES if growth(q) <= _GROWTH ** (1 / depth)), _CURVED_SIZES[-1])
    return Mirror(q=float(q), square=expectation(lambda u: psi(u) ** 2, float(q)))


def _is_linear(psi: Function) -> bool:
    u = np.geomspace(0.01, 30, 200)
    return bool(np.ptp(psi(u) / u) <= 1e-9 * abs(float(psi(u)[-1] / u[-1])))


def _mean_over_spread(phi: Function, q: float) -> float:
    """`E[phi]^2 / Var phi` over N(0, q)."""
    a = phi(math.sqrt(q) * plain_rule()[0])
    return _mean(a) ** 2 / _mean((a - _mean(a)) ** 2)


def _mean(values: Array) -> float:
    """Over the points of the fast rule."""
    return float(values @ plain_rule()[1])
