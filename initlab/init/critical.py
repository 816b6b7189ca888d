"""The critical variance of an activation: activation -> length map, its fixed point, chi there -> sigma_w^2.

    q_{l+1} = sigma_w^2 E[phi(sqrt(q_l) z)^2] + sigma_b^2        the length map
    chi_l   = sigma_w^2 E[phi'(sqrt(q_l) z)^2]                   the factor of squared gradients

with z normal, sigma_w^2 = n_in Var W and sigma_b^2 = Var b. The rest of mean-field theory is in
`theory.mean_field`; this part is here because the scheme `critical` draws by it.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np

from initlab.errors import UsageError
from initlab.init.quadrature import ActivationLike, Function, expectation, functions_of
from initlab.nn.activations import ACTIVATIONS

_ROUNDING = 1e-12
# A root of chi - 1 counts if chi at 1e-5 beside it is within 0.05 of 1; else chi jumps there.
_BESIDE, _JUMP = 1e-5, 0.05
# Lengths q between which fixed points are searched: ten steps in each decade, 1 in the middle. Expectations
# are accurate up to q = 1e12.
LENGTHS = np.logspace(-12, 12, 241)


def length_map(activation: ActivationLike, q: float, sigma_w2: float, sigma_b2: float = 0.0) -> float:
    """The variance of the next layer's pre-activations: `sigma_w^2 E[phi(u)^2] + sigma_b^2`, u from N(0, q).

    Poole et al. 2016.

    Args:
        activation: phi, a name or a function of an array.
        q: the variance of this layer's pre-activations.
        sigma_w2: n_in Var W.
        sigma_b2: Var b.

    >>> round(length_map("relu", 3.0, 2.0, 0.5), 9)
    3.5
    """
    phi, _ = functions_of(activation)
    return sigma_w2 * expectation(lambda u: phi(u) ** 2, q) + sigma_b2


def gradient_factor(activation: ActivationLike, q: float, sigma_w2: float) -> float:
    """`chi = sigma_w^2 E[phi'(u)^2]`, u from N(0, q): the factor of squared gradients over one layer.

    Below 1 gradients vanish with depth, above 1 they explode (Schoenholz et al. 2017).

    Args:
        activation: phi, a name or a function of an array.
        q: the variance of the pre-activations.
        sigma_w2: n_in Var W.

    >>> round(gradient_factor("relu", 1.0, 2.0), 9)
    1.0
    """
    _, slope = functions_of(activation)
    return sigma_w2 * expectation(lambda u: slope(u) ** 2, q)


def fixed_length(activation: ActivationLike, sigma_w2: float, sigma_b2: float = 0.0) -> float:
    """q*, the fixed point `q* = sigma_w^2 E[phi(u)^2] + sigma_b^2` to which the length map leads from q = 1.

    Poole et al. 2016. It is 0 where the signal dies, and infinite where it explodes.

    Args:
        activation: phi, a name or a function of an array.
        sigma_w2: n_in Var W.
        sigma_b2: Var b.

    >>> round(fixed_length("relu", 1.0, 0.5), 9), fixed_length("relu", 2.5)
    (1.0, inf)
    """
    phi, _ = functions_of(activation)
    return _fixed_length(_square_of(phi), sigma_w2, sigma_b2)


def _square_of(function: Function) -> Callable[[float], float]:
    """`E[f(u)^2]` as a function of q, remembered: searches for fixed points meet the same q many times."""
    return cache(lambda q: expectation(lambda u: function(u) ** 2, q))


def _fixed_length(square: Callable[[float], float], sigma_w2: float, sigma_b2: float) -> float:
    def growth(log_q: float) -> float:
        q = math.exp(log_q)
        return (sigma_w2 * square(q) + sigma_b2) / q - 1

    start = growth(0.0)
    if abs(start) < _ROUNDING:
        return 1.0
    middle = len(LENGTHS) // 2
    logs: list[float] = np.log(LENGTHS).tolist()
    if start > 0:
        return _first_root(growth, logs[middle:], math.inf)
    return _first_root(growth, logs[middle::-1], 0.0)


def _first_root(growth: Callable[[float], float], logs: Sequence[float], default: float) -> float:
    """exp of the first root of the growth along the logs, which begin at 0; the default if there is none."""
    from scipy.optimize import brentq

    before, sign = logs[0], math.copysign(1, growth(logs[0]))
    for here in logs[1:]:
        ahead = sign * growth(here)
        if ahead < -_ROUNDING:
            return math.exp(brentq(growth, before, here, xtol=1e-14, rtol=1e-13))
        # A growth of exactly 0 brackets no root: the search keeps the last point with a sign.
        before = here if ahead > 0 else before
    return default


def critical_sigma_w2(activation: ActivationLike, sigma_b2: float = 0.0) -> float:
    """The sigma_w^2 at which `chi(q*) = 1`: the border between order and chaos.

    Poole et al. 2016; Schoenholz et al. 2017.

    Args:
        activation: phi, a name or a function of an array.
        sigma_b2: Var b.

    Raises:
        UsageError: when there is none between 0.01 and 1000; or where chi jumps past 1, because the length
            begins to explode there, as it does for gelu and swish without biases.

    >>> round(critical_sigma_w2("tanh", 0.05), 2)
    1.76
    """
    from scipy.optimize import brentq

    square, slope_square = map(_square_of, functions_of(activation))

    def excess(log_w2: float) -> float:
        sigma_w2 = math.exp(log_w2)
        q = _fixed_length(square, sigma_w2, sigma_b2)
        return sigma_w2 * slope_square(min(max(q, LENGTHS[0]), LENGTHS[-1])) - 1

    ends = math.log(1e-2), math.log(1e3)
    if excess(ends[0]) * excess(ends[1]) > 0:
        raise UsageError("no sigma_w^2 between 0.01 and 1000 is critical")
    root = brentq(excess, *ends, xtol=1e-10)
    if abs(excess(root - _BESIDE)) > _JUMP or abs(excess(root + _BESIDE)) > _JUMP:
        raise UsageError(f"at sigma_w^2 = {math.exp(root):.4g} chi jumps past 1; no sigma_w^2 is critical")
    return math.exp(root)


def critical_of(activation: str) -> float | None:
    """The critical sigma_w^2 without biases of a registered activation; None where there is none.

    It is published or derived for ours (`Activation.critical`), and computed for a person's own.

    Args:
        activation: its name in `ACTIVATIONS`.

    >>> critical_of("relu"), critical_of("gelu")
    (2.0, None)
    """
    critical = ACTIVATIONS[activation].critical
    return _computed(activation) if critical is not None and math.isnan(critical) else critical


@lru_cache(maxsize=64)
def _computed(activation: str) -> float | None:
    try:
        return critical_sigma_w2(activation)
    except UsageError:  # there is none
        return None
