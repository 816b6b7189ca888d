"""How far networks of finite width scatter around the prediction: scheme, sizes -> spread of each layer.

Mean-field theory is exact for infinite width. With n units, a layer's statistics are means over n random
units, which scatter like 1/sqrt(n), and the next layers inherit it. To first order in 1/n, for a statistic
`T = mean of psi(z)` over units and samples of a layer,

    Var T = (dE[psi]/dq)^2 Var q + C_psi / n
    C_psi = mean over pairs of samples of Cov(psi(z_a), psi(z_b))

where q, the variance of z in this network, scatters with T = sigma_w^2 mean of phi(z)^2 of the layer before.
Pairs of samples have the correlation c of the correlation map, give or take sqrt(v): two inputs drawn from
N(0, 1) have `c = 0, v = 1 / n_0`. (The fluctuations are those of Hanin & Rolnick 2018, How to start training:
the effect of initialization and architecture, and of Roberts, Yaida & Hanin 2022, The Principles of Deep
Learning Theory, chapter 4.) Quadrature here is plain: the spread is good to some percent.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from initlab.analysis.theory import ActivationLike, functions_of
from initlab.nn.initializers import Scheme

Array = npt.NDArray[np.float64]
Function = Callable[[Array], Array]

_NODES, _INTERVALS = 8, 16
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


@dataclass(frozen=True)
class _State:
    """Before a layer: q and its variance over networks; c and v, mean and variance over pairs of samples."""

    q: float
    q_variance: float
    c: float
    v: float


def predict_spreads(
    scheme: Scheme, sizes: Sequence[int], activation: ActivationLike, samples: int
) -> list[Spread]:
    """The spread of each hidden layer's statistics over networks and inputs from N(0, 1).

    Args:
        scheme: of all weights; biases are 0.
        sizes: (n_0, ..., n_{L+1}), the last for the logits.
        activation: of the hidden layers.
        samples: how many inputs each network is shown.

    >>> [round(one.activation_std, 3) for one in predict_spreads(Scheme("he"), [100] * 4 + [1], "relu", 1000)]
    [0.007, 0.035, 0.064]
    """
    phi, _ = functions_of(activation)
    own = scheme.within(activation) if isinstance(activation, str) else scheme
    variances = [own.variance(shape) for shape in pairwise(sizes[:-1])]
    q = sizes[0] * variances[0]
    state = _State(q, 2 * q * q / (sizes[0] * samples), 0.0, 1 / sizes[0])
    spreads = []
    with np.errstate(all="ignore"):
        for layer, n in enumerate(sizes[1:-1]):
            spreads.append(_spread(layer + 1, phi, state, n, samples))
            if layer + 1 < len(variances):
                state = _next(phi, state, n, n * variances[layer + 1], samples)
    return spreads


def _spread(layer: int, phi: Function, state: _State, n: int, samples: int) -> Spread:
    """To first order `std^2 = E[phi^2] - E[phi]^2` scatters like the mean of `phi^2 - 2 E[phi] phi`."""
    mean, square = _expect(phi, state.q), _expect(lambda u: phi(u) ** 2, state.q)
    std = math.sqrt(max(square - mean**2, 0.0))

    def around(u: Array) -> Array:
        return phi(u) ** 2 - 2 * mean * phi(u)

    variance = _statistic_variance(around, state, n, samples)
    length = _statistic_variance(np.square, state, n, samples)
    return Spread(layer, _half(length, math.sqrt(state.q)), _half(variance, std))


def _half(variance: float, root: float) -> float:
    """The spread of a square root, given the variance of the square."""
    return math.sqrt(variance) / (2 * root) if root > 0 else 0.0


def _statistic_variance(psi: Function, state: _State, n: int, samples: int) -> float:
    return _slope(psi, state.q) ** 2 * state.q_variance + _pair_covariance(psi, state, samples) / n


def _next(phi: Function, state: _State, n: int, sigma_w2: float, samples: int) -> _State:
    """One layer on; c follows the correlation map, v its slope squared and the noise of n units."""
    square = _expect(lambda u: phi(u) ** 2, state.q)
    q = sigma_w2 * square
    q_variance = sigma_w2**2 * _statistic_variance(lambda u: phi(u) ** 2, state, n, samples)
    if not square > 0:
        return _State(q, q_variance, state.c, state.v)
    before, c, after = (_product(phi, phi, state.q, state.c + step) / square for step in (-_STEP, 0, _STEP))
    slope = (after - before) / (min(state.c + _STEP, 1) - (state.c - _STEP))
    v = min(slope**2 * state.v + _ratio_noise(phi, state, c, square) / n, 1 - c * c)
    return _State(q, q_variance, c, max(v, 0.0))


def _ratio_noise(phi: Function, state: _State, c: float, square: float) -> float:
    """The variance over units of `(phi_a phi_b - c (phi_a^2 + phi_b^2) / 2) / E[phi^2]`."""
    u, v, w = _pair(state.q, state.c)
    one, other = phi(u), phi(v)
    ratio = (one * other - c * (one**2 + other**2) / 2) / square
    return float((ratio**2 * w).sum() - (ratio * w).sum() ** 2)


def _pair_covariance(psi: Function, state: _State, samples: int) -> float:
    """The mean of `Cov(psi(z_a), psi(z_b))` over pairs of samples, of which one in `samples` is of equals."""
    mean = _expect(psi, state.q)
    away = math.sqrt(state.v)
    unequal = [_product(psi, psi, state.q, state.c + step) - mean**2 for step in (-away, away)]
    equal = _product(psi, psi, state.q, 1.0) - mean**2
    return max(0.0, (1 - 1 / samples) * sum(unequal) / 2 + equal / samples)


@cache
def _rule() -> tuple[Array, Array]:
    """Points z and weights for an expectation over N(0, 1), dense enough for a saturated unit's step."""
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    ends = np.concatenate([[0.0], np.geomspace(0.01, 8, _INTERVALS)])
    middles, halves = (ends[1:] + ends[:-1]) / 2, (ends[1:] - ends[:-1]) / 2
    z = (middles[:, None] + halves[:, None] * points).ravel()
    w = (halves[:, None] * weights).ravel() * np.exp(-z * z / 2)
    z, w = np.concatenate([-z[::-1], z]), np.concatenate([w[::-1], w])
    return z, w / w.sum()


def _expect(psi: Function, q: float) -> float:
    z, w = _rule()
    return float(psi(math.sqrt(q) * z) @ w)


def _slope(psi: Function, q: float) -> float:
    """dE[psi]/dq."""
    if q == 0:
        return 0.0
    return (_expect(psi, q * (1 + _STEP)) - _expect(psi, q * (1 - _STEP))) / (2 * _STEP * q)


def _pair(q: float, c: float) -> tuple[Array, Array, Array]:
    """Two normal numbers of variance q and correlation c, and the weight of each such pair."""
    z, w = _rule()
    c = min(max(c, -1.0), 1.0)
    scale = math.sqrt(q)
    u = scale * z[:, None]
    v = c * u + scale * math.sqrt(1 - c * c) * z
    return np.broadcast_to(u, v.shape), v, w[:, None] * w


def _product(one: Function, other: Function, q: float, c: float) -> float:
    """E[one(u) other(v)]."""
    u, v, w = _pair(q, c)
    return float((one(u) * other(v) * w).sum())
