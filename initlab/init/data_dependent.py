"""Schemes that look at data: weights of a base scheme -> adapted layer by layer to a sample of inputs.

To add one, write a function `f(network, samples, rng, **arguments)` under `@data_dependent`. It changes the
weights and biases of one network in place and returns how many batches of inputs it looked at, its cost. A
second function with the same keyword arguments checks them before any network exists.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from initlab.errors import require
from initlab.init.scheme import SCHEMES, Scheme, Shape
from initlab.nn.arrays import FloatArray
from initlab.nn.layers import Layer, Residual
from initlab.nn.network import Ensemble

Samples = Callable[[int], FloatArray]
Adapt = TypeVar("Adapt", bound=Callable[..., int])


def data_dependent(
    name: str,
    *,
    formula: str,
    source: str,
    base: str,
    check: Callable[..., None],
    is_for_perceptrons: bool = False,
    only_activation: str = "",
) -> Callable[[Adapt], Adapt]:
    """A decorator that registers a function which adapts weights to data.

    Args:
        name: the name of the scheme.
        formula: what the scheme does, in plain text.
        source: where it was published.
        base: the scheme that draws the weights before they are adapted.
        check: a function of the same keyword arguments, which refuses values out of range.
        is_for_perceptrons, only_activation: as for `Law`.
    """

    def _draw(rng: np.random.Generator, shape: Shape, /, **arguments: Any) -> FloatArray:
        check(**arguments)
        return Scheme.parse(base).draw(rng, shape)

    def register(adapt: Adapt) -> Adapt:
        suits = {"is_for_perceptrons": is_for_perceptrons, "only_activation": only_activation}
        SCHEMES.register(name, adapt=adapt, formula=formula, source=source, **suits)(_draw)
        return adapt

    return register


def adapt_layers(
    layers: Sequence[Layer], inputs: FloatArray, adapt: Callable[[Layer, FloatArray], FloatArray]
) -> FloatArray:
    """Adapt each dense layer and convolution, from the first to the last, to what those before it give.

    The layers of a residual branch are adapted before its output is added.

    Args:
        layers: of a network, or of a branch.
        inputs: of the first layer, for a batch.
        adapt: `adapt(layer, its_inputs)` changes the parameters of one layer, and returns its outputs.

    Returns:
        The outputs of the last layer.
    """
    signal = inputs
    for layer in layers:
        if isinstance(layer, Residual):
            adapt_layers(layer.branch, signal, adapt)
        signal = adapt(layer, signal) if layer.is_affine else layer.forward(signal)
    return signal


def _check_lsuv(tolerance: float = 0.1, iterations: int = 10, batch_size: int = 1000) -> None:
    require(tolerance > 0, f"tolerance must be above 0, not {tolerance:g}")
    require(iterations >= 1, f"iterations must be 1 or more, not {iterations}")
    _check_within_layer(batch_size)


def _check_within_layer(batch_size: int = 1000) -> None:
    require(batch_size >= 2, f"batch_size must be 2 or more, not {batch_size}")


@data_dependent(
    "lsuv",
    formula="W orthogonal, each layer then divided by the standard deviation of its outputs on a batch",
    source="Mishkin & Matas 2016, All you need is a good init, algorithm 1",
    base="orthogonal",
    check=_check_lsuv,
)
def lsuv(
    network: Ensemble,
    samples: Samples,
    rng: np.random.Generator,  # noqa: ARG001
    *,
    tolerance: float = 0.1,
    iterations: int = 10,
    batch_size: int = 1000,
) -> int:
    """Layer-sequential unit variance: from the first layer to the last, `W <- W / std(z)` until Var z is 1.

    Of a convolution, z are the outputs of all channels at all places. Each layer of a residual branch has the
    variance 1 too, so that the sum grows by scale^2 in each branch.

    Args:
        network: a single one, whose weights change in place; its biases do not.
        samples: `samples(batch_size)` gives a batch of inputs, (batch_size, n_0).
        rng: unused.
        tolerance: how far the variance of the pre-activations may be from 1; 0.1 by default.
        iterations: the largest number of divisions in each layer; with zero biases a single one suffices.
        batch_size: the number of inputs in the batch, from 2 on.

    Returns:
        1, the number of batches that the scheme looked at.

    Source: Mishkin & Matas 2016, All you need is a good init, algorithm 1.

    >>> from initlab.init.networks import initialize
    >>> inputs = np.random.default_rng(0).normal(size=(1000, 20))
    >>> network = initialize([20, 30, 5], ["lsuv"], data=inputs)
    >>> bool(abs(network.forward(inputs).var() - 1) < 0.1)
    True
    """

    def divide(layer: Layer, inputs: FloatArray) -> FloatArray:
        (W, _), z = layer.parameters, layer.forward(inputs)
        for _ in range(iterations):
            variance = float(z[0].var(dtype=np.float64))
            # A layer whose outputs are all equal, or overflow, has no scale that would help.
            if abs(variance - 1) <= tolerance or not 0 < variance < np.inf:
                break
            W /= np.sqrt(variance).astype(W.dtype)
            z = layer.forward(inputs)
        return z

    adapt_layers(network.layers, samples(batch_size), divide)
    return 1


@data_dependent(
    "within_layer",
    formula="W normal, each unit then shifted and scaled to mean 0 and variance 1 on a batch",
    source="Kraehenbuehl et al. 2016, Data-dependent initializations of convolutional neural networks, 3.1",
    base="lecun",
    check=_check_within_layer,
)
def within_layer(
    network: Ensemble,
    samples: Samples,
    rng: np.random.Generator,  # noqa: ARG001
    *,
    batch_size: int = 1000,
) -> int:
    """Within-layer normalization: `w_k <- w_k / std(z_k)`, `b_k = -mean(z_k) / std(z_k)`, layer by layer.

    Afterwards every unit, and not only the layer as a whole, has pre-activations of mean 0 and variance 1; a
    unit of a convolution is a channel, at all places. A unit whose output is the same for all inputs stays as
    it is.

    Args:
        network: a single one, whose weights and biases change in place.
        samples: `samples(batch_size)` gives a batch of inputs, (batch_size, n_0).
        rng: unused.
        batch_size: the number of inputs in the batch, from 2 on.

    Returns:
        1, the number of batches that the scheme looked at.

    Source: Kraehenbuehl et al. 2016, Data-dependent initializations of convolutional neural networks, 3.1.

    >>> from initlab.init.networks import initialize
    >>> inputs = np.random.default_rng(0).normal(size=(1000, 20))
    >>> network = initialize([20, 5], ["within_layer"], data=inputs)
    >>> network.forward(inputs).std(axis=1).round(1).tolist()
    [[1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    adapt_layers(network.layers, samples(batch_size), _normalize_units)
    return 1


def _normalize_units(layer: Layer, inputs: FloatArray) -> FloatArray:
    """Shift and scale each unit, or channel, to outputs of mean 0 and variance 1."""
    W, b = layer.parameters
    drawn = b.copy()
    b[...] = 0
    mean, std = _statistics(layer.forward(inputs)[0])
    scale = np.divide(1, std, out=np.ones_like(std), where=(std > 0) & np.isfinite(std))
    W *= scale if W.ndim == 3 else scale[:, None, None, None]
    b[...] = np.where(std > 0, -mean * scale, drawn)
    return layer.forward(inputs)


def _statistics(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The mean and the standard deviation of each unit (B, n), or of each channel (C, H, W, B)."""
    values = z if z.ndim == 2 else z.reshape(len(z), -1).T
    return values.mean(axis=0), values.std(axis=0)
