"""What theory predicts of each layer: schemes, sizes, activation -> LayerPredictions, shares of bins."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from initlab.errors import require
from initlab.init.per_layer import Initialization, SchemeLike
from initlab.init.quadrature import ActivationLike, Array, functions_of
from initlab.nn.normalization import BatchNorm, Place
from initlab.theory.mean_field import Moments, moments

# As many as make a share of a bin good to five digits; for gradients, where each of them costs an array of
# all bins, every hundredth is enough for three.
_QUANTILES = 200_000
_THINNED = 100


@dataclass(frozen=True, kw_only=True)
class LayerPrediction:
    """What theory predicts of one hidden layer.

    Attributes:
        layer: counted from 1 at the first hidden layer.
        q: the variance of its pre-activations; with Batch Normalization before the activation function, of
            the normalized ones.
        mean, std: of its activations, over units and inputs.
        chi: the factor by which this layer multiplies squared gradients, if the next layer is as wide.
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
    scheme: SchemeLike,
    sizes: Sequence[int],
    activation: ActivationLike,
    input_square: float = 1.0,
    sigma_b2: float = 0.0,
    batch_norm: BatchNorm | None = None,
) -> list[LayerPrediction]:
    """Follow a scheme through the layers of a network, forward and backward.

    Forward `q_{l+1} = n_l Var(W_l) E[phi(z_l)^2] + sigma_b^2` (Poole et al. 2016), which begins with
    `q_1 = n_0 Var(W_0) E[x^2] + sigma_b^2`; backward
    `Var d_l = n_{l+1} Var(W_l) E[phi'(z_l)^2] Var d_{l+1}` (Schoenholz et al. 2017; for ReLU, He et al. 2015,
    section 2.2).

    Batch Normalization divides by the standard deviation over a batch, on the way back, too. In large batches
    of inputs of mean 0 that are uncorrelated, a layer then multiplies squared gradients by

        sigma_w^2 E[phi'(z)^2] / (sigma_w^2 Var phi(z))    before the activation function, z from N(0, 1)
        sigma_w^2 E[phi'(z)^2] / Var phi(z)                after it, z from N(0, sigma_w^2)

    whatever the weights' variance in the first case: by pi / (pi - 1) = 1.467 for ReLU (Yang et al. 2019, A
    mean field theory of batch normalization).

    Args:
        scheme: of all weights, or an `Initialization` with schemes for layers and biases; the variances are
            taken for the shape of each layer.
        sizes: (n_0, ..., n_{L+1}), the last for the logits.
        activation: of the hidden layers.
        input_square: the mean squared input, E[x^2]; 1 for N(0, 1).
        sigma_b2: the variance of the biases, added to that of the `Initialization`'s own.
        batch_norm: Batch Normalization of the hidden layers; none by default.

    Returns:
        One entry for each hidden layer.

    Raises:
        UsageError: when a scheme has no theory; or for biases together with Batch Normalization after the
            activation function, where each unit has a spread of its own.

    >>> layers = predict_layers("he", [100] * 6 + [10], "relu")
    >>> [round(layer.q, 6) for layer in layers]
    [2.0, 2.0, 2.0, 2.0, 2.0]
    >>> normalized = predict_layers("he", [100] * 6 + [10], "relu", batch_norm=BatchNorm())
    >>> round(normalized[1].chi, 3)
    1.467
    """
    start, shapes = settled(scheme, activation), list(pairwise(sizes))
    variances = start.variances(shapes)
    sigma_w2s = [shape[0] * variance for shape, variance in zip(shapes, variances, strict=True)]
    sigma_b2s = [sigma_b2 + start.bias_variance(shape) for shape in shapes]
    place = batch_norm.place if batch_norm else None
    has_own_spreads = place == "after" and any(sigma_b2s)
    require(not has_own_spreads, "theory of Batch Normalization after the activation needs biases of 0")
    forward = list(_forward(activation, input_square, sigma_w2s[:-1], sigma_b2s[:-1], place))
    gradients = _gradients(sizes, variances, [layer.slope_square for layer in forward])
    return [
        LayerPrediction(
            layer=i + 1,
            q=layer.q,
            mean=layer.moments.mean,
            std=layer.moments.std,
            chi=sigma_w2s[i + 1] * layer.slope_square,
            gradient=gradients[i],
        )
        for i, layer in enumerate(forward)
    ]


@dataclass(frozen=True)
class _Forward:
    """A layer on the way forward: q, the moments of its activations, and E[(d output / d z)^2]."""

    q: float
    moments: Moments
    slope_square: float


def _forward(
    activation: ActivationLike,
    square: float,
    sigma_w2s: Sequence[float],
    sigma_b2s: Sequence[float],
    place: Place | None,
) -> Iterator[_Forward]:
    """Each layer, from the mean squared input on."""
    for sigma_w2, sigma_b2 in zip(sigma_w2s, sigma_b2s, strict=True):
        q, divisor = sigma_w2 * square + sigma_b2, 1.0
        if place == "before":
            q, divisor = 1.0, sigma_w2 * square  # a bias is the same for all samples, and is subtracted
        layer = moments(activation, q)
        variance = layer.std**2
        if place == "after":
            divisor = variance
        yield _Forward(q, layer, layer.slope_square / divisor if divisor else math.inf)
        # What the next layer receives: of its mean square, what normalization leaves.
        square = {None: layer.square, "before": variance, "after": 1.0}[place]


def settled(scheme: SchemeLike, activation: ActivationLike) -> Initialization:
    """The schemes of a network, with what they leave to its activation.

    Args:
        scheme: a text, a scheme, or an `Initialization`.
        activation: of the network; a user's own function settles nothing.

    >>> str(settled("critical", "relu"))
    'critical(activation=relu)'
    """
    start = Initialization.of(scheme)
    return start.within(activation=activation) if isinstance(activation, str) else start


def _gradients(sizes: Sequence[int], variances: Sequence[float], slopes: Sequence[float]) -> list[float]:
    """Standard deviations relative to the last hidden layer's, from the recursion in `predict_layers`."""
    last = len(slopes) - 1
    squares = [1.0]
    for layer in reversed(range(last)):
        squares.append(sizes[layer + 2] * variances[layer + 1] * slopes[layer] * squares[-1])
    return [math.sqrt(square) for square in reversed(squares)]


def predict_shares(activation: ActivationLike, q: float, edges: npt.ArrayLike) -> Array:
    """The share of activations `phi(sqrt(q) z)`, z from N(0, 1), that falls into each bin.

    The values at 200,000 quantiles of z are counted, so that the point mass of a function like ReLU at 0
    falls into one bin, as it does in a measured histogram.

    Args:
        activation: phi, a name or a function of an array.
        q: the variance of the pre-activations.
        edges: (bins + 1,), rising; the last bin holds its upper end.

    >>> predict_shares("relu", 1.0, [-1.0, 0.0, 1e9]).round(4).tolist()
    [0.0, 1.0]
    """
    phi, _ = functions_of(activation)
    with np.errstate(all="ignore"):
        values = phi(math.sqrt(q) * _quantiles())
    return np.asarray(np.histogram(values, np.asarray(edges, np.float64))[0] / _QUANTILES, np.float64)


def predict_gradient_shares(activation: ActivationLike, q: float, std: float, edges: npt.ArrayLike) -> Array:
    """The share of back-propagated gradients that falls into each bin.

    A gradient with respect to a pre-activation z is `d = phi'(z) g`. In wide layers g is a sum over many
    units above, so it is normal and independent of z (Schoenholz et al. 2017 assume the same). The zeros of a
    function like ReLU are a point mass at 0.

    Args:
        activation: phi, a name or a function of an array.
        q: the variance of z.
        std: the standard deviation of the gradients d.
        edges: (bins + 1,), rising; the last bin holds its upper end.

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
    """Of N(0, 1), one in the middle of each of 200,000 equal parts of its mass."""
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(_QUANTILES) + 0.5) / _QUANTILES), np.float64)
