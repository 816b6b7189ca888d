"""Mean-field theory of wide random networks: scheme, activation -> what every layer will do.

Before training, and in the limit of wide layers, the pre-activations of layer l are normal with mean 0 and
some variance q_l, over units, and over units and inputs together. So a network is followed by one number
from layer to layer (Poole et al. 2016, Exponential expressivity in deep neural networks through transient
chaos; Schoenholz et al. 2017, Deep information propagation):

    q_{l+1} = sigma_w^2 E[phi(sqrt(q_l) z)^2] + sigma_b^2        the length map
    chi_l   = sigma_w^2 E[phi'(sqrt(q_l) z)^2]                   what a layer does to squared gradients
    c_{l+1} = (sigma_w^2 E[phi(u) phi(v)] + sigma_b^2) / q       the correlation map

with z normal, (u, v) normal with variances q and correlation c, sigma_w^2 = n_in Var W and sigma_b^2 = Var b.
An activation is given by its name in `ACTIVATIONS`, or as any function of an array.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from initlab.errors import UsageError
from initlab.nn.activations import get_activation
from initlab.nn.initializers import Scheme
from initlab.nn.starts import Start

Array = npt.NDArray[np.float64]
Function = Callable[[Array], Array]
ActivationLike = str | Function

_FARTHEST = 10.0
_SMALLEST, _RATIO, _NODES = 1e-6, 1.5, 16
_QUANTILES = 200_000
_THINNED = 100
_ROUNDING = 1e-12
_NEAR_CRITICAL = 1e-6
_BESIDE, _JUMP = 1e-5, 0.05
_RANGE = np.logspace(-12, 12, 241)


def functions_of(activation: ActivationLike) -> tuple[Function, Function]:
    """An activation function and its derivative; that of a function given by the user by central differences,
    good for q from 1e-10 up where it has kinks.

    >>> phi, slope = functions_of(np.sin)
    >>> bool(np.isclose(slope(np.array([0.3])), np.cos(0.3)).all())
    True
    """
    if isinstance(activation, str):
        known = get_activation(activation)

        def phi(u: Array) -> Array:
            return np.asarray(known.function(u, None), np.float64)

        def slope(u: Array) -> Array:
            return np.asarray(known.derivative(u, known.function(u, None)), np.float64)

        return phi, slope

    def difference(u: Array) -> Array:
        step = 1e-5 * np.maximum(1e-3, np.abs(u))
        return (activation(u + step) - activation(u - step)) / (2 * step)

    return activation, difference


@lru_cache(maxsize=4)
def _rule(nodes: int) -> tuple[Array, Array]:
    """Points z and weights for `E[f(z)] = sum of weights f(z)`, exact for what is smooth or steep around 0.

    Gauss-Legendre within intervals whose ends grow by half from 1e-6 to 10 on either side: for every scale
    above 1e-6 on which f(sqrt(q) z) changes, some intervals resolve it.
    """
    ends = np.concatenate(
        [[0.0], _SMALLEST * _RATIO ** np.arange(math.log(_FARTHEST / _SMALLEST, _RATIO) + 1)]
    )
    points, weights = np.polynomial.legendre.leggauss(nodes)
    middles, halves = (ends[1:] + ends[:-1]) / 2, (ends[1:] - ends[:-1]) / 2
    z = (middles[:, None] + halves[:, None] * points).ravel()
    w = (halves[:, None] * weights).ravel() * _density(z)
    return np.concatenate([-z[::-1], z]), np.concatenate([w[::-1], w])


def _density(z: Array) -> Array:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def expectation(function: Function, q: float) -> float:
    """`E[f(sqrt(q) z)]` for normal z: 0 where its sides cancel to rounding, and nan where f overflows.

    To about 1e-9 of E|f| for q up to 1e12 and f that grows no faster than a power and is smooth but at 0,
    however steep there. Where f has kinks or steps elsewhere, which the fixed rule would miss, adaptive
    quadrature takes over, to about 1e-6. Values beyond |z| = 10 are left out, which only an f that grows
    like an exponential would miss.

    Args:
        function: of an array.
        q: the variance, from 0 on.

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

    breaks = np.concatenate([-np.geomspace(1e-4, 9, 30)[::-1], [0.0], np.geomspace(1e-4, 9, 30)])
    value, _ = quad_vec(
        integrand, -_FARTHEST, _FARTHEST, epsabs=1e-12, epsrel=1e-9, limit=20_000, points=breaks
    )
    return float(value)


@dataclass(frozen=True)
class Moments:
    """What an activation makes of normal pre-activations of variance q.

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
        """Of the activations."""
        return math.sqrt(max(self.square - self.mean**2, 0.0))


def moments(activation: ActivationLike, q: float) -> Moments:
    """Expectations of an activation over N(0, q).

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
    """The variance of the next layer's pre-activations: `sigma_w^2 E[phi^2] + sigma_b^2`."""
    phi, _ = functions_of(activation)
    return sigma_w2 * expectation(lambda u: phi(u) ** 2, q) + sigma_b2


def gradient_factor(activation: ActivationLike, q: float, sigma_w2: float) -> float:
    """`chi = sigma_w^2 E[phi'^2]`: below 1 gradients vanish with depth, above 1 they explode.

    >>> round(gradient_factor("relu", 1.0, 2.0), 9)
    1.0
    """
    _, slope = functions_of(activation)
    return sigma_w2 * expectation(lambda u: slope(u) ** 2, q)


def fixed_length(activation: ActivationLike, sigma_w2: float, sigma_b2: float = 0.0) -> float:
    """q*, to which the length map leads from 1: 0 where all dies away, infinite where it explodes.

    >>> round(fixed_length("relu", 1.0, 0.5), 9), fixed_length("relu", 2.5)
    (1.0, inf)
    """

    def growth(log_q: float) -> float:
        q = math.exp(log_q)
        return length_map(activation, q, sigma_w2, sigma_b2) / q - 1

    def first_root(logs: Sequence[float], at_end: float) -> float:
        from scipy.optimize import brentq

        before, sign = logs[0], math.copysign(1, growth(logs[0]))
        for here in logs[1:]:
            ahead = sign * growth(here)
            if ahead < -_ROUNDING:
                return math.exp(brentq(growth, before, here, xtol=1e-14, rtol=1e-13))
            before = here if ahead > 0 else before
        return at_end

    start = growth(0.0)
    if abs(start) < 1e-12:
        return 1.0
    middle = len(_RANGE) // 2
    logs: list[float] = np.log(_RANGE).tolist()
    return first_root(logs[middle:], math.inf) if start > 0 else first_root(logs[middle::-1], 0.0)


def critical_sigma_w2(activation: ActivationLike, sigma_b2: float = 0.0) -> float:
    """The sigma_w^2 at which chi(q*) is 1: the border between order and chaos.

    Raises:
        UsageError: when there is none between 0.01 and 1000; or where chi jumps past 1, because the length
            begins to explode there, as without biases for gelu and swish.

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


def correlation(function: Function, q: float, c: float) -> float:
    """`E[f(u) f(v)]` for normal u, v of variance q and correlation c.

    The inner integral is over v given u, on intervals that are finest where v is 0.
    """
    if c >= 1:
        return expectation(lambda u: function(u) ** 2, q)
    z, w = _rule(_NODES // 2)
    kept = w > 1e-18
    z, w = z[kept], w[kept]
    across, scale = math.sqrt(1 - c * c), math.sqrt(q)
    v, weights = _inner_rule(-c * z / across)
    inner = (function(scale * (c * z[:, None] + across * v)) * weights).sum(axis=1)
    return float((function(scale * z) * inner) @ w)


def _inner_rule(centres: Array) -> tuple[Array, Array]:
    """For each centre, points and weights for an expectation that may be steep around it."""
    offsets = _SMALLEST * 2.0 ** np.arange(0, 25)
    steep = np.concatenate([-offsets[::-1], [0.0], offsets])
    even = np.linspace(-_FARTHEST, _FARTHEST, 21)
    ends = np.concatenate(
        [centres[:, None] + steep, np.broadcast_to(even, (len(centres), len(even)))], axis=1
    )
    ends = np.sort(np.clip(ends, -_FARTHEST, _FARTHEST), axis=1)
    points, weights = np.polynomial.legendre.leggauss(8)
    middles, halves = (ends[:, 1:] + ends[:, :-1]) / 2, (ends[:, 1:] - ends[:, :-1]) / 2
    v = (middles[..., None] + halves[..., None] * points).reshape(len(centres), -1)
    return v, (halves[..., None] * weights).reshape(len(centres), -1) * _density(v)


def correlation_map(
    activation: ActivationLike, c: float, q: float, sigma_w2: float, sigma_b2: float = 0.0
) -> float:
    """The correlation of two inputs one layer on, both of length q = q*.

    >>> c = 0.5
    >>> exact = (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi
    >>> abs(correlation_map("relu", c, 1.0, 2.0) - exact) < 1e-9
    True
    """
    phi, _ = functions_of(activation)
    return (sigma_w2 * correlation(phi, q, c) + sigma_b2) / q


@dataclass(frozen=True)
class Phase:
    """Where an infinitely deep network ends up.

    Attributes:
        q: the fixed length q*.
        chi: the gradient factor there; below 1 is order, above it chaos.
        c: the fixed correlation c*: 1 where all inputs come to look alike.
        xi_gradient: over how many layers squared gradients change by a factor e, `1 / |ln chi|`.
        xi_correlation: over how many layers a difference from c* does, `-1 / ln slope`.
    """

    q: float
    chi: float
    c: float
    xi_gradient: float
    xi_correlation: float


def phase(activation: ActivationLike, sigma_w2: float, sigma_b2: float = 0.0) -> Phase:
    """The fixed points and depth scales of a scheme's sigma_w^2 and sigma_b^2.

    Where the length dies away or explodes there is no such point: c and the depth of correlations are nan.
    Within 1e-6 of the border on the side of chaos, c is 1.
    """
    q = fixed_length(activation, sigma_w2, sigma_b2)
    chi = gradient_factor(activation, min(max(q, _RANGE[0]), _RANGE[-1]), sigma_w2)
    xi_gradient = math.inf if abs(chi - 1) < 1e-9 else 1 / abs(math.log(chi)) if chi > 0 else 0.0
    if not 0 < q < math.inf:
        return Phase(q, chi, math.nan, xi_gradient, math.nan)
    c = _fixed_correlation(activation, q, chi, sigma_w2, sigma_b2)
    _, slope_of = functions_of(activation)
    slope = min(chi, 1.0) if c == 1 else sigma_w2 * correlation(slope_of, q, c)
    xi_correlation = math.inf if slope > 1 - 1e-9 else -1 / math.log(slope) if slope > 0 else 0.0
    return Phase(q, chi, c, xi_gradient, xi_correlation)


def _fixed_correlation(
    activation: ActivationLike, q: float, chi: float, sigma_w2: float, sigma_b2: float
) -> float:
    """c*: 1 in order; in chaos the one below 1."""
    from scipy.optimize import brentq

    def growth(c: float) -> float:
        return correlation_map(activation, c, q, sigma_w2, sigma_b2) - c

    if abs(growth(0.0)) <= _ROUNDING:
        return 0.0 if chi >= 1 else 1.0
    if chi <= 1 + _NEAR_CRITICAL:
        return 1.0
    highest = next((1 - gap for gap in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6) if growth(1 - gap) < 0), None)
    return 1.0 if highest is None else float(brentq(growth, 0.0, highest, xtol=1e-12))


@dataclass(frozen=True)
class LayerPrediction:
    """What theory says of one hidden layer.

    Attributes:
        layer: counted from 1 at the first hidden layer.
        q: the variance of its pre-activations.
        mean, std: of its activations, over units and inputs.
        chi: what passing this layer backward does to squared gradients, if the next layer is as wide.
        gradient: the standard deviation of the loss's gradient with respect to its pre-activations, relative
            to that of the last hidden layer.
    """

    layer: int
    q: float
    mean: float
    std: float
    chi: float
    gradient: float


def predict_layers(
    scheme: Scheme | Start,
    sizes: Sequence[int],
    activation: ActivationLike,
    input_square: float = 1.0,
    sigma_b2: float = 0.0,
) -> list[LayerPrediction]:
    """Follow a scheme through the layers of a network.

    Args:
        scheme: of all weights, or a start with schemes for layers and biases; the variances are taken for the
            shape of each layer.
        sizes: (n_0, ..., n_{L+1}), the last for the logits.
        activation: of the hidden layers.
        input_square: the mean squared input, E[x^2]; 1 for N(0, 1).
        sigma_b2: the variance of the biases, beside that of a start's own.

    Returns:
        One entry for each hidden layer.

    Raises:
        UsageError: when a scheme has no theory.

    >>> layers = predict_layers(Scheme("he"), [100] * 6 + [10], "relu")
    >>> [round(layer.q, 6) for layer in layers]
    [2.0, 2.0, 2.0, 2.0, 2.0]
    """
    start, shapes = _within(scheme, activation), list(pairwise(sizes))
    variances = start.variances(shapes)
    seen: list[tuple[float, Moments]] = []
    square = input_square
    for shape, variance in zip(shapes[:-1], variances[:-1], strict=True):
        q = shape[0] * variance * square + sigma_b2 + start.bias_variance(shape)
        seen.append((q, moments(activation, q)))
        square = seen[-1][1].square
    gradients = _gradients(sizes, variances, [one.slope_square for _, one in seen])
    return [
        LayerPrediction(
            layer + 1,
            q,
            one.mean,
            one.std,
            sizes[layer + 1] * variances[layer + 1] * one.slope_square,
            gradient,
        )
        for layer, ((q, one), gradient) in enumerate(zip(seen, gradients, strict=True))
    ]


def _within(scheme: Scheme | Start, activation: ActivationLike) -> Start:
    start = Start.of(scheme)
    return start.within(activation) if isinstance(activation, str) else start


def _gradients(sizes: Sequence[int], variances: Sequence[float], slopes: Sequence[float]) -> list[float]:
    """`Var d_l = n_{l+2} Var(W_{l+1}) E[phi'(z_l)^2] Var d_{l+1}` from 1 down; standard deviations."""
    last = len(slopes) - 1
    squares = [1.0]
    for layer in reversed(range(last)):
        squares.append(sizes[layer + 2] * variances[layer + 1] * slopes[layer] * squares[-1])
    return [math.sqrt(square) for square in reversed(squares)]


def predict_shares(activation: ActivationLike, q: float, edges: npt.ArrayLike) -> Array:
    """The share of activations that falls into each bin, with the point masses of a function like ReLU.

    Args:
        activation: of pre-activations from N(0, q).
        edges: (bins + 1,), the last bin holding its upper end.

    >>> predict_shares("relu", 1.0, [-1.0, 0.0, 1e9]).round(4).tolist()
    [0.0, 1.0]
    """
    phi, _ = functions_of(activation)
    with np.errstate(all="ignore"):
        values = phi(math.sqrt(q) * _quantiles())
    return np.asarray(np.histogram(values, np.asarray(edges, np.float64))[0] / _QUANTILES, np.float64)


def predict_gradient_shares(activation: ActivationLike, q: float, std: float, edges: npt.ArrayLike) -> Array:
    """The share of back-propagated gradients that falls into each bin.

    A gradient with respect to a pre-activation z is `phi'(z)` times a normal number, independent of z, from
    the many units above; the zeros of a function like ReLU are a point mass.

    Args:
        activation: of pre-activations from N(0, q).
        q: their variance.
        std: the standard deviation of the gradients.
        edges: (bins + 1,), the last bin holding its upper end.

    >>> predict_gradient_shares("relu", 1.0, 0.5, [-9.0, -1e-9, 1e-9, 9.0]).round(2).tolist()
    [0.25, 0.5, 0.25]
    """
    from scipy.special import ndtr

    _, slope = functions_of(activation)
    with np.errstate(all="ignore"):
        slopes = np.abs(slope(math.sqrt(q) * _quantiles()[::_THINNED]))
        slopes *= std / math.sqrt(float((slopes**2).mean()))
        borders = np.asarray(edges, np.float64)
        below = np.where(slopes[:, None] > 0, ndtr(borders / slopes[:, None]), borders > 0)
    return np.asarray(np.diff(below.mean(axis=0)), np.float64)


@lru_cache(maxsize=1)
def _quantiles() -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(_QUANTILES) + 0.5) / _QUANTILES), np.float64)


def gains(activation: ActivationLike, q: float = 1.0) -> dict[str, float]:
    """sigma_w that keep the signal, the gradient, or in the geometric mean both, at length q.

    >>> {name: round(gain, 4) for name, gain in gains("relu").items()}
    {'forward': 1.4142, 'backward': 1.4142, 'both': 1.4142}
    """
    one = moments(activation, q)
    forward, backward = math.sqrt(q / one.square), 1 / math.sqrt(one.slope_square)
    return {"forward": forward, "backward": backward, "both": math.sqrt(forward * backward)}
