"""Mean-field theory of wide random networks: scheme, activation -> what every layer will do.

Before training, and in the limit of wide layers, the pre-activations of layer l are normal with mean 0 and
some variance q_l. So one number describes a layer, and three maps lead from layer to layer (Poole et al.
2016, Exponential expressivity in deep neural networks through transient chaos; Schoenholz et al. 2017, Deep
information propagation):

    q_{l+1} = sigma_w^2 E[phi(sqrt(q_l) z)^2] + sigma_b^2        the length map
    chi_l   = sigma_w^2 E[phi'(sqrt(q_l) z)^2]                   the factor of squared gradients
    c_{l+1} = (sigma_w^2 E[phi(u) phi(v)] + sigma_b^2) / q       the correlation map

with z normal, (u, v) normal with variances q and correlation c, sigma_w^2 = n_in Var W and sigma_b^2 = Var b.
An activation is given by its name in `ACTIVATIONS`, or as any function of an array.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from initlab.errors import UsageError
from initlab.init.quadrature import ActivationLike, correlation, expectation, functions_of

_ROUNDING = 1e-12
# Closer to chi = 1, the fixed correlation in chaos differs from 1 by less than the quadrature resolves.
_NEAR_CRITICAL = 1e-6
# A root of chi - 1 counts if chi at 1e-5 beside it is within 0.05 of 1; else chi jumps there.
_BESIDE, _JUMP = 1e-5, 0.05
# Lengths q between which fixed points are searched: ten steps in each decade, 1 in the middle. Expectations
# are accurate up to q = 1e12.
_RANGE = np.logspace(-12, 12, 241)


@dataclass(frozen=True)
class Moments:
    """Expectations of an activation function phi and its slope over pre-activations from N(0, q).

    Attributes:
        mean: E[phi].
        square: E[phi^2].
        slope_square: E[phi'^2].
    """

    mean: float
    square: float
    slope_square: float

    @property
    def std(self) -> float:
        """The standard deviation of the activations."""
        return math.sqrt(max(self.square - self.mean**2, 0.0))


def moments(activation: ActivationLike, q: float) -> Moments:
    """`E[phi(u)]`, `E[phi(u)^2]` and `E[phi'(u)^2]` for u from N(0, q).

    Args:
        activation: phi, a name or a function of an array.
        q: the variance of the pre-activations, >= 0.

    >>> relu = moments("relu", 2.0)
    >>> round(relu.square, 9), round(relu.slope_square, 9)
    (1.0, 0.5)
    """
    phi, slope = functions_of(activation)
    return Moments(
        expectation(phi, q),
        expectation(lambda u: phi(u) ** 2, q),
        expectation(lambda u: slope(u) ** 2, q),
    )


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

    def growth(log_q: float) -> float:
        q = math.exp(log_q)
        return length_map(activation, q, sigma_w2, sigma_b2) / q - 1

    start = growth(0.0)
    if abs(start) < _ROUNDING:
        return 1.0
    middle = len(_RANGE) // 2
    logs: list[float] = np.log(_RANGE).tolist()
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

    def excess(log_w2: float) -> float:
        sigma_w2 = math.exp(log_w2)
        q = fixed_length(activation, sigma_w2, sigma_b2)
        q = min(max(q, _RANGE[0]), _RANGE[-1])
        return gradient_factor(activation, q, sigma_w2) - 1

    ends = math.log(1e-2), math.log(1e3)
    if excess(ends[0]) * excess(ends[1]) > 0:
        raise UsageError("no sigma_w^2 between 0.01 and 1000 is critical")
    root = brentq(excess, *ends, xtol=1e-10)
    if abs(excess(root - _BESIDE)) > _JUMP or abs(excess(root + _BESIDE)) > _JUMP:
        raise UsageError(f"at sigma_w^2 = {math.exp(root):.4g} chi jumps past 1; no sigma_w^2 is critical")
    return math.exp(root)


def correlation_map(
    activation: ActivationLike, c: float, q: float, sigma_w2: float, sigma_b2: float = 0.0
) -> float:
    """The correlation of two inputs one layer on: `c' = (sigma_w^2 E[phi(u) phi(v)] + sigma_b^2) / q`.

    Poole et al. 2016. u and v are normal with variance q and correlation c. For ReLU with sigma_w^2 = 2 it is
    `c' = (sqrt(1 - c^2) + c (pi - arccos c)) / pi`.

    Args:
        activation: phi, a name or a function of an array.
        c: the correlation of the pre-activations of two inputs.
        q: their variance, which must be the fixed length q*.
        sigma_w2: n_in Var W.
        sigma_b2: Var b.

    >>> c = 0.5
    >>> exact = (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi
    >>> abs(correlation_map("relu", c, 1.0, 2.0) - exact) < 1e-9
    True
    """
    phi, _ = functions_of(activation)
    return (sigma_w2 * correlation(phi, q, c) + sigma_b2) / q


@dataclass(frozen=True, kw_only=True)
class Phase:
    """The fixed points of an infinitely deep network, and its depth scales.

    Attributes:
        q: the fixed length q*.
        chi: the gradient factor there; below 1 is order, above it chaos.
        c: the fixed correlation c*: 1 where all inputs come to look alike.
        xi_gradient: the number of layers over which squared gradients change by a factor e, `1 / |ln chi|`.
        xi_correlation: the number of layers over which a distance from c* falls by a factor e,
            `-1 / ln slope` with the slope of the correlation map at c*.
    """

    q: float
    chi: float
    c: float
    xi_gradient: float
    xi_correlation: float


def phase(activation: ActivationLike, sigma_w2: float, sigma_b2: float = 0.0) -> Phase:
    """The fixed points and depth scales of a sigma_w^2 and sigma_b^2 (Schoenholz et al. 2017).

    Where the length goes to 0 or infinity there is no fixed correlation: c and xi_correlation are nan.
    Within 1e-6 of chi = 1 on the side of chaos, c is 1.

    Args:
        activation: phi, a name or a function of an array.
        sigma_w2: n_in Var W.
        sigma_b2: Var b.

    >>> chaotic = phase("tanh", 4.0)
    >>> chaotic.chi > 1, round(chaotic.c, 9)
    (True, 0.0)
    """
    q = fixed_length(activation, sigma_w2, sigma_b2)
    chi = gradient_factor(activation, min(max(q, _RANGE[0]), _RANGE[-1]), sigma_w2)
    c = slope = math.nan
    if 0 < q < math.inf:
        c = _fixed_correlation(activation, q, chi, sigma_w2, sigma_b2)
        slope = min(chi, 1.0) if c == 1 else _correlation_slope(activation, c, q, sigma_w2)
    return Phase(
        q=q, chi=chi, c=c, xi_gradient=_gradient_scale(chi), xi_correlation=_correlation_scale(slope)
    )


def _gradient_scale(chi: float) -> float:
    """`1 / |ln chi|`, infinite within rounding of 1."""
    if abs(chi - 1) < 1e-9:
        return math.inf
    return 1 / abs(math.log(chi)) if chi > 0 else 0.0


def _correlation_scale(slope: float) -> float:
    """`-1 / ln slope`, infinite within rounding of 1."""
    if slope > 1 - 1e-9:
        return math.inf
    return 0.0 if slope <= 0 else -1 / math.log(slope)


def _correlation_slope(activation: ActivationLike, c: float, q: float, sigma_w2: float) -> float:
    """`dc'/dc = sigma_w^2 E[phi'(u) phi'(v)]` (Poole et al. 2016)."""
    _, slope = functions_of(activation)
    return sigma_w2 * correlation(slope, q, c)


def _fixed_correlation(
    activation: ActivationLike, q: float, chi: float, sigma_w2: float, sigma_b2: float
) -> float:
    """c*: 1 in order; in chaos the fixed point below 1."""
    from scipy.optimize import brentq

    def growth(c: float) -> float:
        return correlation_map(activation, c, q, sigma_w2, sigma_b2) - c

    if abs(growth(0.0)) <= _ROUNDING:
        return 0.0 if chi >= 1 else 1.0
    if chi <= 1 + _NEAR_CRITICAL:
        return 1.0
    # c = 1 is a fixed point in chaos too, but unstable: the bracket must end below it, as closely as needed.
    highest = next((1 - gap for gap in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6) if growth(1 - gap) < 0), None)
    return 1.0 if highest is None else float(brentq(growth, 0.0, highest, xtol=1e-12))
