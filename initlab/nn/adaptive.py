"""Initializers that look at data: weights drawn as usual, then adapted layer by layer to a sample of inputs.

To add one, write a function `f(weights, biases, activation, samples, rng, **arguments)` under `@adaptive`: it
changes the arrays of one network in place, and returns how many batches of inputs it looked at, its cost.
What its arguments may be, a function of the same arguments checks, before there is any network.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from initlab.errors import UsageError
from initlab.nn.activations import Activation
from initlab.nn.arrays import FloatArray
from initlab.nn.schemes import INITIALIZERS, Initializer, Scheme, Shape

Samples = Callable[[int], FloatArray]
Adapt = TypeVar("Adapt", bound=Callable[..., int])


def adaptive(
    name: str, formula: str, source: str, base: str, check: Callable[..., None]
) -> Callable[[Adapt], Adapt]:
    """Register the decorated function; before it is called, weights are drawn from the scheme `base`."""

    def register(adapt: Adapt) -> Adapt:
        def draw(rng: np.random.Generator, shape: Shape, /, **arguments: Any) -> FloatArray:
            check(**arguments)
            return Scheme.parse(base).draw(rng, shape)

        def unknown(_shape: Shape, **_arguments: Any) -> None:
            return None

        INITIALIZERS[name] = Initializer(name, draw, formula, source, unknown, adapt)
        return adapt

    return register


def _check_lsuv(tolerance: float = 0.1, iterations: float = 1, batch_size: float = 1000) -> None:
    if not tolerance > 0:
        raise UsageError(f"tolerance must be above 0, not {tolerance:g}")
    require_whole(iterations=(iterations, 1), batch_size=(batch_size, 2))


def require_whole(**numbers: tuple[float, int]) -> None:
    """Raise a UsageError unless each number is whole, and at least the one beside it."""
    for name, (number, least) in numbers.items():
        if number < least or number != int(number):
            raise UsageError(f"{name} must be a whole number from {least} on, not {number:g}")


@adaptive(
    "lsuv",
    "W orthogonal, each layer then divided by the standard deviation of its outputs on a batch",
    "Mishkin & Matas 2016, All you need is a good init, algorithm 1",
    base="orthogonal",
    check=_check_lsuv,
)
def lsuv(
    weights: Sequence[FloatArray],
    biases: Sequence[FloatArray],
    activation: Activation,
    samples: Samples,
    rng: np.random.Generator,  # noqa: ARG001
    *,
    tolerance: float = 0.1,
    iterations: float = 10.0,
    batch_size: float = 1000.0,
) -> int:
    """Layer-sequential unit variance: from the first layer to the last, `W <- W / std(z)` until Var z is 1.

    Args:
        weights, biases: of each layer, (n_in, n_out) and (n_out,); the weights are changed in place.
        activation: of the hidden layers.
        samples: gives a batch of inputs, (batch_size, n_0).
        rng: not needed.
        tolerance: how far the variance of the pre-activations may be from 1.
        iterations: at most so many divisions for each layer; where biases are 0, one does it.
        batch_size: inputs that are looked at.

    Raises:
        UsageError: for a tolerance that is not above 0, or less than one iteration or two inputs, as soon as
            the scheme is read.

    >>> from initlab.nn.network import Ensemble
    >>> inputs = np.random.default_rng(0).normal(size=(1000, 20))
    >>> network = Ensemble.from_schemes([20, 30, 5], ["lsuv"], samples=lambda _: lambda n: inputs)
    >>> bool(abs(network.forward(inputs).var() - 1) < 0.1)
    True
    """
    signal = samples(int(batch_size))
    for W, b in zip(weights, biases, strict=True):
        z = signal @ W + b
        for _ in range(int(iterations)):
            variance = float(z.var(dtype=np.float64))
            if abs(variance - 1) <= tolerance or not 0 < variance < np.inf:
                break
            W /= np.sqrt(variance).astype(W.dtype)
            z = signal @ W + b
        signal = activation.function(z, None)
    return 1


@adaptive(
    "within_layer",
    "W normal, each unit then shifted and scaled to mean 0 and variance 1 on a batch",
    "Kraehenbuehl et al. 2016, Data-dependent initializations of convolutional neural networks, section 3.1",
    base="lecun",
    check=lambda batch_size=1000: require_whole(batch_size=(batch_size, 2)),
)
def within_layer(
    weights: Sequence[FloatArray],
    biases: Sequence[FloatArray],
    activation: Activation,
    samples: Samples,
    rng: np.random.Generator,  # noqa: ARG001
    *,
    batch_size: float = 1000.0,
) -> int:
    """Within-layer normalization: `w_k <- w_k / std(z_k)`, `b_k = -mean(z_k) / std(z_k)`, layer by layer.

    So every unit, not only the layer, has pre-activations of mean 0 and variance 1; one that gives the same
    for all inputs is left as it is.

    Args:
        weights, biases: of each layer, (n_in, n_out) and (n_out,); changed in place.
        activation: of the hidden layers.
        samples: gives a batch of inputs, (batch_size, n_0).
        rng: not needed.
        batch_size: inputs that are looked at.

    Raises:
        UsageError: for fewer than two inputs, as soon as the scheme is read.

    >>> from initlab.nn.network import Ensemble
    >>> inputs = np.random.default_rng(0).normal(size=(1000, 20))
    >>> network = Ensemble.from_schemes([20, 5], ["within_layer"], samples=lambda _: lambda n: inputs)
    >>> network.forward(inputs).std(axis=1).round(2).tolist()
    [[1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    signal = samples(int(batch_size))
    for W, b in zip(weights, biases, strict=True):
        z = signal @ W
        mean, std = z.mean(axis=0), z.std(axis=0)
        scale = np.divide(1, std, out=np.ones_like(std), where=(std > 0) & np.isfinite(std))
        W *= scale
        b[...] = np.where(std > 0, -mean * scale, b)
        signal = activation.function(signal @ W + b, None)
    return 1
