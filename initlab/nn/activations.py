"""Activation functions: pre-activation z -> function -> activation a; (z, a) -> derivative -> phi'(z).

To add one, write its function and its derivative here, under `@activation`; the command line, the config,
the histograms and the tests find it in `ACTIVATIONS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from initlab.errors import UsageError, unknown_name
from initlab.nn.arrays import FloatArray

Function = Callable[[FloatArray, FloatArray | None], FloatArray]
Derivative = Callable[[FloatArray, FloatArray], npt.NDArray[np.floating[Any] | np.bool]]


@dataclass(frozen=True)
class Activation:
    """An elementwise nonlinearity phi.

    Attributes:
        name: as written in a config.
        function: `function(z, out)` is phi(z), written into `out` unless that is None.
        derivative: `derivative(z, a)` is phi'(z), given also a = phi(z), from which it is often cheaper;
            its type may be any by which numbers are multiplied.
        bounds: the smallest and the largest value of phi; infinite where there is none.
        steepest: the largest slope of phi. A unit is called saturated where its slope is below 5 % of it.
        formula: phi in plain text.
    """

    name: str
    function: Function
    derivative: Derivative
    bounds: tuple[float, float]
    steepest: float
    formula: str


ACTIVATIONS: dict[str, Activation] = {}


def activation(
    derivative: Derivative, bounds: tuple[float, float], steepest: float, formula: str
) -> Callable[[Function], Function]:
    """Register the decorated function under its own name."""

    def register(function: Function) -> Function:
        name = function.__name__
        ACTIVATIONS[name] = Activation(name, function, derivative, bounds, steepest, formula)
        return function

    return register


def get_activation(name: str) -> Activation:
    """The activation of that name.

    Raises:
        UsageError: when there is none; the message names the known ones and the nearest.

    >>> get_activation("relu").formula
    'max(0, z)'
    """
    if name not in ACTIVATIONS:
        raise UsageError(unknown_name("activation", name, ACTIVATIONS))
    return ACTIVATIONS[name]


@activation(lambda _z, a: a * (1 - a), (0.0, 1.0), 0.25, "1 / (1 + exp(-z))")
def sigmoid(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The logistic function `1 / (1 + exp(-z))`, `phi' = a (1 - a)`.

    Only `exp(-|z|)` is taken, which cannot overflow: for z >= 0 it is `1 / (1 + exp(-|z|))`, and below
    zero `exp(-|z|) / (1 + exp(-|z|))`, exact also where the value is tiny.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    decay = np.exp(-np.abs(z))
    numerator = np.where(z >= 0, z.dtype.type(1), decay)
    activated: FloatArray = np.divide(numerator, 1 + decay, out=out)
    return activated


@activation(lambda _z, a: 1 - a * a, (-1.0, 1.0), 1.0, "tanh(z)")
def tanh(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The hyperbolic tangent, `phi' = 1 - a^2`.

    >>> tanh(np.array([0.0, 1000.0])).tolist()
    [0.0, 1.0]
    """
    return np.tanh(z, out=out)


@activation(lambda _z, a: a > 0, (0.0, np.inf), 1.0, "max(0, z)")
def relu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The rectifier `max(0, z)`; its slope at 0 is taken to be 0.

    >>> relu(np.array([-2.0, 3.0])).tolist()
    [0.0, 3.0]
    """
    zeros = np.zeros(z.shape[-1:], z.dtype)  # the maximum with a number takes four times as long
    return np.maximum(z, zeros, out=out)


@activation(lambda _z, a: np.ones_like(a), (-np.inf, np.inf), 1.0, "z")
def identity(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """No nonlinearity: the network is a product of matrices, the one case solved exactly.

    >>> identity(np.array([-2.0, 3.0])).tolist()
    [-2.0, 3.0]
    """
    return np.positive(z, out=out)
