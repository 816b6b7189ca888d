"""How far networks of finite width scatter around the prediction: scheme, sizes -> a Spread for each layer.

Mean-field theory is exact for infinite width. With n units, a layer's statistics are means over n random
units, which scatter like 1/sqrt(n), and the next layers inherit the scatter. To first order in 1/n, a
statistic `T = mean of psi(z)` over the units and samples of a layer has

    Var T = (dE[psi]/dq)^2 Var q + C_psi / n
    C_psi = mean over pairs of samples of Cov(psi(z_a), psi(z_b))

Here q is the variance of z in this one network. It scatters too: `q = sigma_w^2 T` for the statistic T with
`psi = phi^2` of the layer before. The correlation of a pair of samples follows the correlation map and
scatters around it with a variance v; two inputs drawn from N(0, 1) have `c = 0` and `v = 1 / n_0`.

Sources: Hanin & Rolnick 2018, How to start training: the effect of initialization and architecture; Roberts,
Yaida & Hanin 2022, The Principles of Deep Learning Theory, chapter 4. The plain quadrature is good enough:
the first order itself is good to some percent.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from initlab.init.per_layer import SchemeLike
from initlab.init.quadrature import (
    ActivationLike,
    Array,
    Function,
    functions_of,
    normal_pairs,
    plain_correlation,
    plain_expectation,
)
from initlab.theory.layers import settled

# The relative step of differences: for the plain rule, smaller ones lose more to rounding at kinks.
_STEP = 0.01


@dataclass(frozen=True)
class Spread:
    """The standard deviations, over networks drawn anew, of two statistics of a hidden layer.

    Attributes:
        layer: counted from 1 at the first hidden layer.
        pre_activation_std: of the root mean square of the pre-activations.
        activation_std: of the standard deviation of the activations.
    """

    layer: int
    pre_activation_std: float
    activation_std: float


@dataclass(frozen=True, kw_only=True)
class _State:
    """What enters a layer.

    Attributes:
        q: the variance of the layer's pre-activations.
        q_variance: the variance of q over networks.
        c, v: mean and variance, over pairs of samples, of the correlation of their pre-activations.
    """

    q: float
    q_variance: float
    c: float
    v: float


def predict_spreads(
    scheme: SchemeLike, sizes: Sequence[int], activation: ActivationLike, samples: int
) -> list[Spread]:
    """The spread of each hidden layer's statistics over networks and inputs from N(0, 1), with biases 0.

    Args:
        scheme: of the weights; a bias scheme of an `Initialization` is left out of account.
        sizes: (n_0, ..., n_{L+1}), the last for the logits.
        activation: of the hidden layers.
        samples: how many inputs each network is shown.

    >>> spreads = predict_spreads("he", [100] * 4 + [1], "relu", 1000)
    >>> [round(spread.activation_std, 3) for spread in spreads]
    [0.007, 0.035, 0.064]
    """
    phi, _ = functions_of(activation)
    variances = settled(scheme, activation).variances(list(pairwise(sizes)))[:-1]
    q = sizes[0] * variances[0]
    state = _State(q=q, q_variance=2 * q * q / (sizes[0] * samples), c=0.0, v=1 / sizes[0])
    spreads = []
    with np.errstate(all="ignore"):
        for layer, n in enumerate(sizes[1:-1]):
            spreads.append(_spread(layer + 1, phi, state, n, samples))
            if layer + 1 < len(variances):
                state = _next(phi, state, n, n * variances[layer + 1], samples)
    return spreads


def _spread(layer: int, phi: Function, state: _State, n: int, samples: int) -> Spread:
    """To first order `std^2 = E[phi^2] - E[phi]^2` scatters like the mean of `phi^2 - 2 E[phi] phi`."""
    mean, square = plain_expectation(phi, state.q), plain_expectation(lambda u: phi(u) ** 2, state.q)
    std = math.sqrt(max(square - _squared(mean), 0.0))

    def linearized(u: Array) -> Array:
        return phi(u) ** 2 - 2 * mean * phi(u)

    variance = _statistic_variance(linearized, state, n, samples)
    length = _statistic_variance(np.square, state, n, samples)
    return Spread(layer, _root_spread(length, math.sqrt(state.q)), _root_spread(variance, std))


def _squared(number: float) -> float:
    """A float; `number**2` raises OverflowError where this is infinite."""
    return number * number


def _root_spread(variance: float, root: float) -> float:
    """The spread of a square root, given the variance of the square: `d sqrt(x) = dx / (2 sqrt(x))`."""
    return 0.0 if root == 0 else math.sqrt(variance) / (2 * root)


def _statistic_variance(psi: Function, state: _State, n: int, samples: int) -> float:
    return _squared(_slope(psi, state.q)) * state.q_variance + _pair_covariance(psi, state, samples) / n


def _next(phi: Function, state: _State, n: int, sigma_w2: float, samples: int) -> _State:
    """Go one layer on: c follows the correlation map; v its slope squared, plus the noise of n units."""
    square = plain_expectation(lambda u: phi(u) ** 2, state.q)
    q = sigma_w2 * square
    q_variance = _squared(sigma_w2) * _statistic_variance(lambda u: phi(u) ** 2, state, n, samples)
    if not square > 0:
        return _State(q=q, q_variance=q_variance, c=state.c, v=state.v)
    steps = (-_STEP, 0, _STEP)
    before, c, after = (plain_correlation(phi, state.q, state.c + step) / square for step in steps)
    # At c = 1 the upper step is clipped, so the difference is over half the distance.
    slope = (after - before) / (min(state.c + _STEP, 1) - (state.c - _STEP))
    v = min(_squared(slope) * state.v + _ratio_noise(phi, state, c, square) / n, 1 - c * c)
    return _State(q=q, q_variance=q_variance, c=c, v=max(v, 0.0))


def _ratio_noise(phi: Function, state: _State, c: float, square: float) -> float:
    """The variance over units of `(phi_a phi_b - c (phi_a^2 + phi_b^2) / 2) / E[phi^2]`."""
    u, v, w = normal_pairs(state.q, state.c)
    a, b = phi(u), phi(v)
    ratio = (a * b - c * (a**2 + b**2) / 2) / square
    return float((ratio**2 * w).sum() - (ratio * w).sum() ** 2)


def _pair_covariance(psi: Function, state: _State, samples: int) -> float:
    """The mean of `Cov(psi(z_a), psi(z_b))` over pairs of samples; `1 / samples` of them are a = b.

    The scatter of the correlation is represented by two points, one standard deviation to either side of c.
    """
    square, deviation = _squared(plain_expectation(psi, state.q)), math.sqrt(state.v)
    unequal = [plain_correlation(psi, state.q, state.c + step) - square for step in (-deviation, deviation)]
    equal = plain_correlation(psi, state.q, 1.0) - square
    return max(0.0, (1 - 1 / samples) * sum(unequal) / 2 + equal / samples)


def _slope(psi: Function, q: float) -> float:
    """dE[psi]/dq."""
    if q == 0:
        return 0.0
    above, below = plain_expectation(psi, q * (1 + _STEP)), plain_expectation(psi, q * (1 - _STEP))
    return (above - below) / (2 * _STEP * q)
