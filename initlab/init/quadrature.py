"""Expectations over normal numbers by quadrature: E[f(u)], and E[f(u) g(v)] of correlated u and v.

    activation -> functions_of -> f -> expectation, correlation               accurate: mean-field theory
                                       plain_expectation, plain_correlation   fast, to about 1e-3: spreads

Gauss-Hermite rules of a fixed order fail for saturated units, whose f(sqrt(q) z) is almost a step. So all
rules here are Gauss-Legendre on many short intervals, which are the shorter the closer they are to z = 0,
where activation functions change. An activation is given by its name in `ACTIVATIONS`, or as any function of
an array.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from initlab.nn.activations import ACTIVATIONS
from initlab.own_code import keywords_of

Array = npt.NDArray[np.float64]
Function = Callable[[Array], Array]
ActivationLike = str | Function

# Beyond |z| = 10 the normal density is below 1e-22.
_FARTHEST = 10.0
# The innermost interval resolves a step of f(sqrt(q) z) up to q = 1e12; each next one is half as long again.
_SMALLEST, _RATIO, _NODES = 1e-6, 1.5, 16
# 256 points, so that the 65,536 of a pair of numbers fit into the cache.
_PLAIN_FARTHEST, _PLAIN_SMALLEST, _PLAIN_INTERVALS, _PLAIN_NODES = 8.0, 0.01, 16, 8


def functions_of(activation: ActivationLike) -> tuple[Function, Function]:
    """An activation function and its derivative.

    The derivative of a user's own function, unless its decorator gives one, is taken by central differences,
    which are good for q >= 1e-10 where the function has kinks.

    >>> phi, slope = functions_of(np.sin)
    >>> bool(np.isclose(slope(np.array([0.3])), np.cos(0.3)).all())
    True
    """
    if isinstance(activation, str):
        return _named_functions(activation)
    derivative = keywords_of("activation", activation).get("derivative")
    return activation, derivative or central_slope(activation)


def _named_functions(name: str) -> tuple[Function, Function]:
    activation = ACTIVATIONS[name]

    def phi(u: Array) -> Array:
        return np.asarray(activation.function(u, None), np.float64)

    def slope(u: Array) -> Array:
        return np.asarray(activation.derivative(u, activation.function(u, None)), np.float64)

    return phi, slope


def central_slope(phi: Function) -> Function:
    """The slope of a function by central differences, good for |z| >= 1e-5 beside a kink at 0."""

    def slope(u: Array) -> Array:
        step = 1e-5 * np.maximum(1e-3, np.abs(u))
        return (phi(u + step) - phi(u - step)) / (2 * step)

    return slope


def _gauss_legendre(ends: Array, nodes: int) -> tuple[Array, Array]:
    """Points and weights of a rule on each interval between the ends (..., K + 1), as (..., K * nodes)."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    middles, halves = (ends[..., 1:] + ends[..., :-1]) / 2, (ends[..., 1:] - ends[..., :-1]) / 2
    shape = (*ends.shape[:-1], -1)
    z = (middles[..., None] + halves[..., None] * points).reshape(shape)
    return z, (halves[..., None] * weights).reshape(shape)


def _density(z: Array) -> Array:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def _normal_rule(positive_ends: Array, nodes: int) -> tuple[Array, Array]:
    """Points z and weights of an expectation over N(0, 1), from intervals that are mirrored at 0."""
    z, w = _gauss_legendre(np.concatenate([[0.0], positive_ends]), nodes)
    w = w * _density(z)
    return np.concatenate([-z[::-1], z]), np.concatenate([w[::-1], w])


@lru_cache(maxsize=4)
def _rule(nodes: int) -> tuple[Array, Array]:
    count = math.log(_FARTHEST / _SMALLEST, _RATIO) + 1
    return _normal_rule(_SMALLEST * _RATIO ** np.arange(count), nodes)


def expectation(function: Function, q: float) -> float:
    """`E[f(sqrt(q) z)]` for z from N(0, 1), to about 1e-9 of E|f|.

    The fixed rule is that good for q up to 1e12, if f grows no faster than a power and is smooth except at 0,
    however steep there. Two orders of the rule are compared; where they differ, f has kinks or steps
    elsewhere, and adaptive quadrature takes over, to about 1e-6. Values beyond |z| = 10 are left out; only
    an f that grows like an exponential would miss them.

    Args:
        function: f, of an array.
        q: the variance, >= 0.

    Returns:
        The expectation; 0 where both sides of f cancel to rounding, nan where f overflows.

    >>> round(expectation(np.square, 3.0), 12)
    3.0
    """
    scale = math.sqrt(q)
    with np.errstate(all="ignore"):
        fine, coarse = (_apply(function, scale, nodes) for nodes in (_NODES, _NODES // 2))
        size = _apply(lambda u: np.abs(function(u)), scale, _NODES)
    if not math.isfinite(size):
        return math.nan
    if abs(fine - coarse) <= 1e-9 * size:
        return fine if abs(fine) > 1e-14 * size else 0.0
    return _adaptive(function, scale)


def _apply(function: Function, scale: float, nodes: int) -> float:
    z, w = _rule(nodes)
    return float(function(scale * z) @ w)


def _adaptive(function: Function, scale: float) -> float:
    from scipy.integrate import quad_vec

    def integrand(z: float) -> float:
        point = np.array([z])
        return float(function(scale * point)[0] * _density(point)[0])

    # Without breaks, a step between the first points of the adaptive rule goes unnoticed.
    breaks = np.concatenate([-np.geomspace(1e-4, 9, 30)[::-1], [0.0], np.geomspace(1e-4, 9, 30)])
    value, _ = quad_vec(
        integrand, -_FARTHEST, _FARTHEST, epsabs=1e-12, epsrel=1e-9, limit=20_000, points=breaks
    )
    return float(value)


def correlation(function: Function, q: float, c: float) -> float:
    """`E[f(u) f(v)]` for normal u and v of variance q and correlation c.

    With `v = c u + sqrt(1 - c^2) w` and independent w, the inner integral is over w for each u, on intervals
    that are finest where v is 0.

    Args:
        function: f, of an array; steep at 0 at most.
        q: the variance of both, > 0.
        c: from -1 (exclusive) on; from 1 on it is `E[f(u)^2]`.

    >>> round(correlation(np.copy, 2.0, 0.5), 9)
    1.0
    """
    if c >= 1:
        return expectation(lambda u: function(u) ** 2, q)
    z, w = _rule(_NODES // 2)
    kept = w > 1e-18
    z, w = z[kept], w[kept]
    across, scale = math.sqrt(1 - c * c), math.sqrt(q)
    v, weights = _rules_around(-c * z / across)
    inner = (function(scale * (c * z[:, None] + across * v)) * weights).sum(axis=1)
    return float((function(scale * z) * inner) @ w)


def _rules_around(centres: Array) -> tuple[Array, Array]:
    """For each centre, points and weights of an expectation of a function that may be steep there."""
    offsets = _SMALLEST * 2.0 ** np.arange(0, 25)
    steep = np.concatenate([-offsets[::-1], [0.0], offsets])
    even = np.linspace(-_FARTHEST, _FARTHEST, 21)
    ends = np.concatenate(
        [centres[:, None] + steep, np.broadcast_to(even, (len(centres), len(even)))], axis=1
    )
    v, weights = _gauss_legendre(np.sort(np.clip(ends, -_FARTHEST, _FARTHEST), axis=1), 8)
    return v, weights * _density(v)


@lru_cache(maxsize=1)
def plain_rule() -> tuple[Array, Array]:
    """The points z and the weights of the fast rule, (256,) each: `E[f(z)]` is about `f(z) @ weights`."""
    z, w = _normal_rule(np.geomspace(_PLAIN_SMALLEST, _PLAIN_FARTHEST, _PLAIN_INTERVALS), _PLAIN_NODES)
    return z, w / w.sum()


def plain_expectation(function: Function, q: float) -> float:
    """`E[f(sqrt(q) z)]` for z from N(0, 1), by one fixed rule of 256 points: fast, good to about 1e-3.

    Args:
        function: f, of an array.
        q: the variance, >= 0.

    >>> round(plain_expectation(np.square, 3.0), 9)
    3.0
    """
    z, w = plain_rule()
    return float(function(math.sqrt(q) * z) @ w)


def normal_pairs(q: float, c: float) -> tuple[Array, Array, Array]:
    """Pairs of normal numbers u, v of variance q and correlation c, with weights: (256, 256) each.

    Args:
        q: the variance of both, >= 0.
        c: their correlation, clipped to -1 ... 1.

    >>> u, v, w = normal_pairs(2.0, 0.5)
    >>> round(float((u * v * w).sum()), 9)
    1.0
    """
    z, w = plain_rule()
    c = min(max(c, -1.0), 1.0)
    scale = math.sqrt(q)
    u = scale * z[:, None]
    v = c * u + scale * math.sqrt(1 - c * c) * z
    return np.broadcast_to(u, v.shape), v, w[:, None] * w


def plain_correlation(function: Function, q: float, c: float) -> float:
    """`E[f(u) f(v)]` for normal u and v, by the fixed rule of `normal_pairs`: fast, good to about 1e-3.

    Args:
        function: f, of an array.
        q: the variance of both, >= 0.
        c: their correlation, clipped to -1 ... 1.

    >>> round(plain_correlation(np.copy, 2.0, 0.5), 9)
    1.0
    """
    u, v, w = normal_pairs(q, c)
    return float((function(u) * function(v) * w).sum())
