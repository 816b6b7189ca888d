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
from dataclasses import dataclass

from initlab.init.critical import LENGTHS
from initlab.init.critical import critical_sigma_w2 as critical_sigma_w2
from initlab.init.critical import fixed_length as fixed_length
from initlab.init.critical import gradient_factor as gradient_factor
from initlab.init.critical import length_map as length_map
from initlab.init.quadrature import ActivationLike, correlation, expectation, functions_of

_ROUNDING = 1e-12
# Closer to chi = 1, the fixed correlation in chaos differs from 1 by less than the quadrature resolves.
_NEAR_CRITICAL = 1e-6


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
    chi = gradient_factor(activation, min(max(q, LENGTHS[0]), LENGTHS[-1]), sigma_w2)
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
