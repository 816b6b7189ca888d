"""What theory predicts of each layer: schemes, sizes, activation -> LayerPredictions, shares of bins."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt

from initlab.init.networks import network_facts
from initlab.init.per_layer import Initialization, SchemeLike
from initlab.init.quadrature import ActivationLike, Array, functions_of
from initlab.init.scheme import KernelShape
from initlab.nn.architecture import Size, Skip, SkipLike, flat_size, network_layers, residuals, roles
from initlab.nn.convolution import AveragePool, Conv2d, MaxPool
from initlab.nn.layers import Layer, walk
from initlab.nn.normalization import BatchNorm, BatchNormalization, Norm, NormLike
from initlab.theory.propagation import OWN_SPREADS, PairProduct, Propagation, no_product, pair_product
from initlab.theory.signals import DRAWS, Gradient, Hidden, normal_quantiles

# As many as make a share of a bin good to five digits; for gradients, where each of them costs an array of
# all bins, every hundredth is enough for three.
_QUANTILES = 200_000
_THINNED = 100
ALL_PLACES_ALIKE = (
    "behind a border of zeros, theory of maxima and of skip(order=post) takes all places of an image alike"
)


@dataclass(frozen=True, kw_only=True)
class LayerPrediction:
    """What theory predicts of one hidden layer.

    Attributes:
        layer: counted from 1 at the first hidden layer.
        q: the mean square of its pre-activations, as the activation function gets them: normalized, or a
            residual sum, where one ends there.
        mean, std: of its activations, over units and inputs.
        chi: the factor by which this layer multiplies squared gradients, if the next layer is as wide; skip
            connections and pooling are left out of account.
        gradient: the standard deviation of its `Ensemble.pre_activation_gradients`, relative to that of the
            last hidden layer: of the loss's gradient with respect to its pre-activations, or before a
            normalization; where a residual branch begins, with respect to what the branch gets.
        weight_std: the standard deviation of its weights.
        hidden: the distribution of its pre-activations, and more.
    """

    layer: int
    q: float
    mean: float
    std: float
    chi: float
    gradient: float
    weight_std: float
    hidden: Hidden = field(repr=False, compare=False)

    @property
    def pre_activations(self) -> float | Array:
        """The variance of normal pre-activations; of others, values that are equally likely."""
        z = self.hidden.z
        if not z.is_normal:
            return np.asarray(z.draw(2, DRAWS).values[0])
        if np.ptp(z.square) == 0:
            return self.q
        roots = np.sqrt(z.square).reshape(-1, 1)
        return np.asarray((roots * normal_quantiles(max(1, _QUANTILES // len(roots)))).ravel())


def predict_layers(
    scheme: SchemeLike,
    sizes: Sequence[Size],
    activation: ActivationLike,
    input_square: float = 1.0,
    sigma_b2: float = 0.0,
    norm: NormLike | None = None,
    skip: SkipLike | None = None,
    input_correlation: float = 0.0,
) -> list[LayerPrediction]:
    """Follow a scheme through the layers of a network, forward and backward.

    Forward `q_{l+1} = n_l Var(W_l) E[phi(z_l)^2] + sigma_b^2` (Poole et al. 2016), which begins with
    `q_1 = n_0 Var(W_0) E[x^2] + sigma_b^2`; backward
    `Var d_l = n_{l+1} Var(W_l) E[phi'(z_l)^2] Var d_{l+1}` (Schoenholz et al. 2017; for ReLU, He et al. 2015,
    section 2.2). What other layers do to a signal is in `propagation`.

    Batch Normalization divides by the standard deviation over a batch, on the way back, too. In large batches
    of inputs of mean 0 that are uncorrelated, a layer then multiplies squared gradients by

        sigma_w^2 E[phi'(z)^2] / (sigma_w^2 Var phi(z))    before the activation function, z from N(0, 1)
        sigma_w^2 E[phi'(z)^2] / Var phi(z)                after it, z from N(0, sigma_w^2)

    whatever the weights' variance in the first case: by pi / (pi - 1) = 1.467 for ReLU (Yang et al. 2019, A
    mean field theory of batch normalization). Layer Normalization before the activation function subtracts
    the mean over units, which is 0: there the factor is 1 for ReLU.

    In the order "pre" a residual block of one ReLU layer with He's weights doubles q, and squared gradients
    on their way back: `q + scale^2 q`. With the scale 1 / sqrt(L) they grow by (1 + 1 / L)^L < e in L blocks.

    Args:
        scheme: of all weights, or an `Initialization` with schemes for layers and biases; the variances are
            taken for the shape of each layer.
        sizes: (n_0, ..., n_{L+1}), the last for the logits; for other layers than dense ones see
            `network_layers`.
        activation: of the hidden layers.
        input_square: the mean squared input, E[x^2]; 1 for N(0, 1).
        sigma_b2: the variance of the biases, added to that of the `Initialization`'s own.
        norm: "batch" or "layer" normalization of the hidden layers; none by default.
        skip: skip connections, as 2 or "every=2, scale=0.5"; none by default.
        input_correlation: `E[x x'] / E[x^2]` of two inputs, which matters to normalization and pooling; 0 for
            N(0, 1).

    Returns:
        One entry for each hidden layer.

    Raises:
        UsageError: when a scheme has no theory; or for biases together with Batch Normalization after the
            activation function, where each unit has a spread of its own.

    >>> layers = predict_layers("he", [100] * 6 + [10], "relu")
    >>> [round(layer.q, 6) for layer in layers]
    [2.0, 2.0, 2.0, 2.0, 2.0]
    >>> normalized = predict_layers("he", [100] * 6 + [10], "relu", norm="batch")
    >>> round(normalized[1].chi, 3)
    1.467
    >>> [round(layer.q, 6) for layer in predict_layers("he", [100] * 6 + [10], "relu", skip=1)]
    [2.0, 4.0, 8.0, 16.0, 32.0]
    """
    network = _Network.of(scheme, sizes, activation, (input_square, input_correlation), sigma_b2, norm, skip)
    hidden = network.hidden(pair_product if network.needs_products else no_product)
    return [network.prediction(i, hidden) for i in range(len(hidden))]


def predict_correlations(
    scheme: SchemeLike,
    sizes: Sequence[Size],
    activation: ActivationLike,
    input_square: float = 1.0,
    sigma_b2: float = 0.0,
    norm: NormLike | None = None,
    skip: SkipLike | None = None,
    input_correlation: float = 0.0,
) -> list[float]:
    """The correlation `E[z z'] / E[z^2]` of the pre-activations of two inputs, layer by layer.

    It follows `E[z z'] = n_in Var(W) E[phi(u) phi(u')] + sigma_b^2` (Poole et al. 2016), to about 1e-3.

    Args:
        scheme, sizes, activation, input_square, sigma_b2, norm, skip, input_correlation: as for
            `predict_layers`.

    Returns:
        One number for each hidden layer, in images the mean over all places.

    Raises:
        UsageError: as `predict_layers`.

    >>> plain = predict_correlations("he", [100] * 21 + [10], "relu")
    >>> skip = Skip.parse("every=1, scale=1/sqrt(blocks)")
    >>> residual = predict_correlations("he", [100] * 21 + [10], "relu", skip=skip)
    >>> round(plain[-1], 2), round(residual[-1], 2)
    (0.94, 0.25)
    """
    network = _Network.of(scheme, sizes, activation, (input_square, input_correlation), sigma_b2, norm, skip)
    signals = [layer.z for layer in network.hidden(pair_product)]
    with np.errstate(all="ignore"):  # of a signal that is 0 it is nan
        return [float(z.product.mean() / z.square.mean()) for z in signals]


@dataclass(frozen=True, kw_only=True)
class _Network:
    """A network of which theory is asked.

    Attributes:
        inputs: n_0.
        moments: their mean square and correlation.
        layers: from the first to the one that gives the logits.
        activation: of the hidden layers.
        weights: n_in, Var W and Var b of each dense layer and convolution.
        branch_scale: where a learned scale of a branch begins.
    """

    inputs: int
    moments: tuple[float, float]
    layers: Sequence[Layer]
    activation: ActivationLike
    weights: Sequence[tuple[int, float, float]]
    branch_scale: float

    @classmethod
    def of(
        cls,
        scheme: SchemeLike,
        sizes: Sequence[Size],
        activation: ActivationLike,
        moments: tuple[float, float],
        sigma_b2: float,
        norm: NormLike | None,
        skip: SkipLike | None,
    ) -> "_Network":
        """The network of these sizes, whose weights are drawn from a scheme."""
        layers, inputs = network_layers(sizes, "identity", norm, skip), flat_size(sizes[0])
        start = settled(scheme, activation, layers).within(input_square=moments[0])
        scale = start.scheme.branch_scale
        return cls(
            inputs=inputs,
            moments=moments,
            layers=layers,
            activation=activation,
            weights=list(_weights(start, layers, inputs, sigma_b2)),
            branch_scale=1.0 if scale is None else scale,
        )

    @property
    def needs_products(self) -> bool:
        """Whether what a layer passes on depends on how alike two samples or places are."""
        kinds = [layer for layer, _ in walk(self.layers, (self.inputs,))]
        bent_sum = any(layer.branch[0].is_affine for layer in residuals(kinds))
        return bent_sum or any(
            isinstance(layer, MaxPool | AveragePool | BatchNormalization) for layer in kinds
        )

    def hidden(self, pair: PairProduct) -> list[Hidden]:
        """The hidden layers, with gradients relative to those of the last one's activations."""
        weights = iter([(weight, bias) for _, weight, bias in self.weights])
        forward = Propagation(self.activation, weights, self.branch_scale, pair)
        with np.errstate(all="ignore"):
            _, back = forward.through(self.layers[:-1], forward.inputs(*self.moments), (self.inputs,))
            back(Gradient(square=np.array(1.0)))
        return forward.hidden

    def prediction(self, i: int, hidden: Sequence[Hidden]) -> LayerPrediction:
        """What theory predicts of hidden layer i."""
        layer, (n_in, weight, _) = hidden[i], self.weights[i + 1]
        slope = layer.slope_square / float(layer.divisor) if layer.divisor else math.inf
        return LayerPrediction(
            layer=i + 1,
            q=float(layer.z.square.mean()),
            mean=layer.mean,
            std=math.sqrt(max(layer.square - layer.mean**2, 0.0)),
            chi=n_in * weight * slope,
            gradient=1.0 if layer is hidden[-1] else _root_ratio(layer.gradient, hidden[-1].gradient),
            weight_std=math.sqrt(self.weights[i][1]),
            hidden=layer,
        )


def _weights(
    start: Initialization, layers: Sequence[Layer], inputs: int, sigma_b2: float
) -> Iterator[tuple[int, float, float]]:
    """n_in, Var W and Var b of each dense layer and convolution."""
    affine = [(layer, shape) for layer, shape in walk(layers, (inputs,)) if layer.is_affine]
    for i, ((layer, below), role) in enumerate(zip(affine, roles(layers), strict=True)):
        shape = layer.parameter_shapes(below)[0]
        matrix = KernelShape(shape) if len(shape) == 4 else cast(tuple[int, int], shape)
        variance = start.of_layer(i, len(affine), role).variance(matrix)
        yield matrix[0], variance, sigma_b2 + start.bias_variance(matrix)


def silence(scheme: SchemeLike, norm: Norm | None = None, input_correlation: float = 0.0) -> str | None:
    """Why theory predicts nothing of networks from a scheme, as a sentence without its full stop.

    Args:
        scheme: of all weights, or an `Initialization`.
        norm: Batch or Layer Normalization of the hidden layers; none by default.
        input_correlation: as for `predict_layers`.

    Returns:
        None where theory predicts something.

    >>> silence("he"), silence("orthogonal"), silence("constant(value=1)")
    (None, None, 'theory says nothing of constant(value=1): its weights are correlated or do not have mean 0')
    """
    start = Initialization.of(scheme)
    if not start.has_theory:
        return f"theory says nothing of {start}: its weights are correlated or do not have mean 0"
    is_after = isinstance(norm, BatchNorm) and norm.place == "after"
    return OWN_SPREADS if is_after and (start.bias or input_correlation) else None


def remark(sizes: Sequence[Size], skip: Skip | None = None) -> str | None:
    """Where theory is only approximate for these layers, as a sentence without its full stop; or None.

    Args:
        sizes: as for `network_layers`.
        skip: skip connections; none by default.

    >>> remark([784, "conv(8, kernel=5, padding=same)", "pool(2)", 10])
    'behind a border of zeros, theory of maxima and of skip(order=post) takes all places of an image alike'
    >>> remark([784, "conv(8, kernel=5)", "average(2)", 10])
    """
    kinds = [
        layer for layer, _ in walk(network_layers(sizes, "identity", None, skip), (flat_size(sizes[0]),))
    ]
    zeros = any(isinstance(layer, Conv2d) and layer.padding and layer.border == "zeros" for layer in kinds)
    alike = any(isinstance(layer, MaxPool) for layer in kinds) or (skip is not None and skip.order == "post")
    return ALL_PLACES_ALIKE if zeros and alike else None


def _root_ratio(square: float, last: float) -> float:
    return math.sqrt(square / last) if last else 0.0


def settled(scheme: SchemeLike, activation: ActivationLike, layers: Sequence[Layer] = ()) -> Initialization:
    """The schemes of a network, with what they leave to it.

    Args:
        scheme: a text, a scheme, or an `Initialization`.
        activation: of the network; a user's own function settles nothing.
        layers: of the network, where they are known.

    >>> str(settled("critical", "relu"))
    'critical(activation=relu)'
    """
    facts = network_facts(layers) if layers else {}
    if isinstance(activation, str):
        facts["activation"] = activation
    return Initialization.of(scheme).within(**facts)


def predict_shares(activation: ActivationLike, z: float | Array, edges: npt.ArrayLike) -> Array:
    """The share of activations `phi(z)` that falls into each bin.

    The values at 200,000 quantiles of z are counted, so that the point mass of a function like ReLU at 0
    falls into one bin, as it does in a measured histogram.

    Args:
        activation: phi, a name or a function of an array.
        z: the variance of normal pre-activations; or pre-activations that are equally likely, (K,).
        edges: (bins + 1,), rising; the last bin holds its upper end.

    >>> predict_shares("relu", 1.0, [-1.0, 0.0, 1e9]).round(4).tolist()
    [0.0, 1.0]
    """
    phi, _ = functions_of(activation)
    with np.errstate(all="ignore"):
        values = phi(_values(z))
    return np.asarray(_counts(values, np.asarray(edges, np.float64)) / len(values), np.float64)


def _counts(values: Array, edges: Array) -> npt.NDArray[np.int64]:
    """How many values each bin holds, as `np.histogram` says; the last one holds its upper end."""
    if not (values[1:] >= values[:-1]).all():
        values = np.sort(values)
    # Most activation functions rise, and their values come in order: to sort them again would take 7 ms.
    below = np.searchsorted(values, edges[:-1], "left"), np.searchsorted(values, edges[-1:], "right")
    return np.asarray(np.diff(np.concatenate(below)), np.int64)


def predict_gradient_shares(
    activation: ActivationLike, z: float | Array, std: float, edges: npt.ArrayLike
) -> Array:
    """The share of back-propagated gradients that falls into each bin.

    A gradient with respect to a pre-activation z is `d = phi'(z) g`. In wide layers g is a sum over many
    units above, so it is normal and independent of z (Schoenholz et al. 2017 assume the same). The zeros of a
    function like ReLU are a point mass at 0.

    Args:
        activation: phi, a name or a function of an array.
        z: as for `predict_shares`.
        std: the standard deviation of the gradients d.
        edges: (bins + 1,), rising; the last bin holds its upper end.

    >>> predict_gradient_shares("relu", 1.0, 0.5, [-9.0, -1e-9, 1e-9, 9.0]).round(2).tolist()
    [0.25, 0.5, 0.25]
    """
    from scipy.special import ndtr

    _, slope = functions_of(activation)
    with np.errstate(all="ignore"):
        slopes = np.abs(slope(_values(z)[::_THINNED]))
        slopes *= std / math.sqrt(float((slopes**2).mean()))
        borders = np.asarray(edges, np.float64)
        below = np.where(slopes[:, None] > 0, ndtr(borders / slopes[:, None]), borders > 0)
    return np.asarray(np.diff(below.mean(axis=0)), np.float64)


def _values(z: float | Array) -> Array:
    return z if isinstance(z, np.ndarray) else math.sqrt(z) * _quantiles()


@lru_cache(maxsize=1)
def _quantiles() -> Array:
    return normal_quantiles(_QUANTILES)
