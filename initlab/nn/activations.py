"""Activation functions: pre-activation z -> function -> activation a; (z, a) -> derivative -> phi'(z).

To add one, write its function and its derivative here, under `@activation`; the command line, the config,
the histograms and the tests find it in `ACTIVATIONS`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from initlab.errors import UsageError, unknown_name
from initlab.nn.arrays import FloatArray

Function = Callable[[FloatArray, FloatArray | None], FloatArray]
Registered = TypeVar("Registered", bound=Function)
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
        critical: the sigma_w^2 = n_in Var W at which deep wide layers without biases neither shrink nor
            stretch differences and gradients (`analysis.theory.critical_sigma_w2`); None where there is none.
    """

    name: str
    function: Function
    derivative: Derivative
    bounds: tuple[float, float]
    steepest: float
    formula: str
    critical: float | None


ACTIVATIONS: dict[str, Activation] = {}


def activation(
    derivative: Derivative,
    bounds: tuple[float, float],
    steepest: float,
    formula: str,
    critical: float | None,
) -> Callable[[Registered], Registered]:
    """Register the decorated function under its own name."""

    def register(function: Registered) -> Registered:
        name = function.__name__
        ACTIVATIONS[name] = Activation(name, function, derivative, bounds, steepest, formula, critical)
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


@activation(lambda _z, a: a * (1 - a), (0.0, 1.0), 0.25, "1 / (1 + exp(-z))", 103.0076)
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


@activation(lambda _z, a: 1 - a * a, (-1.0, 1.0), 1.0, "tanh(z)", 1.0)
def tanh(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The hyperbolic tangent, `phi' = 1 - a^2`.

    >>> tanh(np.array([0.0, 1000.0])).tolist()
    [0.0, 1.0]
    """
    return np.tanh(z, out=out)


@activation(lambda _z, a: a > 0, (0.0, np.inf), 1.0, "max(0, z)", 2.0)
def relu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The rectifier `max(0, z)`; its slope at 0 is taken to be 0.

    >>> relu(np.array([-2.0, 3.0])).tolist()
    [0.0, 3.0]
    """
    zeros = np.zeros(z.shape[-1:], z.dtype)  # the maximum with a number takes four times as long
    return np.maximum(z, zeros, out=out)


@activation(lambda _z, a: np.ones_like(a), (-np.inf, np.inf), 1.0, "z", 1.0)
def identity(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """No nonlinearity: the network is a product of matrices, the one case solved exactly.

    >>> identity(np.array([-2.0, 3.0])).tolist()
    [-2.0, 3.0]
    """
    return np.positive(z, out=out)


LEAK = 0.01


@activation(
    lambda z, _a: np.where(z > 0, z.dtype.type(1), z.dtype.type(LEAK)),
    (-np.inf, np.inf),
    1.0,
    "z where z > 0, else 0.01 z",
    2 / (1 + LEAK**2),
)
def leaky_relu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """ReLU with a small slope below 0, so that no unit is ever dead: `max(z, 0.01 z)`.

    Source: Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models.

    >>> leaky_relu(np.array([-2.0, 3.0])).tolist()
    [-0.02, 3.0]
    """
    return np.maximum(z, z.dtype.type(LEAK) * z, out=out)


@activation(
    lambda z, a: np.where(z > 0, z.dtype.type(1), a + 1),
    (-1.0, np.inf),
    1.0,
    "z where z > 0, else exp(z) - 1",
    1.0,
)
def elu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The exponential linear unit, whose negative values bring the mean activation nearer to 0.

    Source: Clevert, Unterthiner & Hochreiter 2016, Fast and accurate deep network learning by ELUs.

    >>> elu(np.array([-1000.0, 0.0, 3.0])).tolist()
    [-1.0, 0.0, 3.0]
    """
    below = np.expm1(np.minimum(z, 0))
    return np.add(np.maximum(z, 0), below, out=out)


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
_SELU_FLOOR = SELU_SCALE * SELU_ALPHA


@activation(
    lambda z, a: np.where(z > 0, z.dtype.type(SELU_SCALE), a + z.dtype.type(_SELU_FLOOR)),
    (-_SELU_FLOOR, np.inf),
    _SELU_FLOOR,
    "1.0507 z where z > 0, else 1.7581 (exp(z) - 1)",
    2 / (SELU_SCALE**2 + _SELU_FLOOR**2),
)
def selu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The self-normalizing unit: with `lecun` weights, mean 0 and variance 1 are a fixed point.

    Its two constants make `E[selu] = 0` and `E[selu^2] = 1` over N(0, 1).
    Source: Klambauer, Unterthiner, Mayr & Hochreiter 2017, Self-normalizing neural networks.

    >>> selu(np.array([-1000.0, 0.0, 1.0])).round(4).tolist()
    [-1.7581, 0.0, 1.0507]
    """
    scale, floor = z.dtype.type(SELU_SCALE), z.dtype.type(_SELU_FLOOR)
    return np.add(scale * np.maximum(z, 0), floor * np.expm1(np.minimum(z, 0)), out=out)


@activation(lambda z, _a: sigmoid(z), (0.0, np.inf), 1.0, "log(1 + exp(z))", 2.0)
def softplus(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The smooth rectifier `log(1 + exp(z)) = max(0, z) + log(1 + exp(-|z|))`, `phi' = sigmoid(z)`.

    Source: Dugas, Bengio, Belisle, Nadeau & Garcia 2001, Incorporating second-order functional knowledge.

    >>> softplus(np.array([-1000.0, 0.0, 1000.0])).round(4).tolist()
    [0.0, 0.6931, 1000.0]
    """
    return np.add(np.maximum(z, 0), np.log1p(np.exp(-np.abs(z))), out=out)


@activation(lambda z, _a: (1 / (1 + np.abs(z))) ** 2, (-1.0, 1.0), 1.0, "z / (1 + |z|)", 1.0)
def softsign(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Like tanh, but nearing its bounds polynomially: `1 - 1 / (1 + |z|)` with the sign of z.

    Source: Bergstra, Desjardins, Lamblin & Bengio 2009; one of the three of Glorot & Bengio 2010.

    >>> softsign(np.array([-1.0, 0.0, 3.0])).tolist()
    [-0.5, 0.0, 0.75]
    """
    return np.copysign(1 - 1 / (1 + np.abs(z)), z, out=out)


_FARTHEST = 1000  # beyond, the factor of z is 0 in every precision, and -inf times 0 is not a number


def _swish_slope(z: FloatArray, a: FloatArray) -> FloatArray:
    s = sigmoid(z)
    return s + np.where(s < 1, np.clip(a, -1, _FARTHEST) * (1 - s), 0)


@activation(_swish_slope, (-0.2784646, np.inf), 1.0998396, "z / (1 + exp(-z))", None)
def swish(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """`z sigmoid(z)`, also called SiLU; it falls to -0.278 before it rises.

    Source: Ramachandran, Zoph & Le 2017, Searching for activation functions; Elfwing et al. 2018.

    >>> swish(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [-0.0, 0.0, 1000.0]
    """
    return np.multiply(np.maximum(z, -_FARTHEST), sigmoid(z), out=out)


LECUN_HEIGHT, LECUN_SLOPE = 1.7159, 2 / 3


@activation(
    lambda _z, a: LECUN_SLOPE * (LECUN_HEIGHT - a * a / LECUN_HEIGHT),
    (-LECUN_HEIGHT, LECUN_HEIGHT),
    LECUN_HEIGHT * LECUN_SLOPE,
    "1.7159 tanh(2 z / 3)",
    1 / (LECUN_HEIGHT * LECUN_SLOPE) ** 2,
)
def lecun_tanh(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """LeCun's scaled tanh: f(1) = 1, f(-1) = -1, and its curvature is largest there.

    Source: LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, section 4.4.

    >>> lecun_tanh(np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [-1.0, 0.0, 1.0]
    """
    height, slope = z.dtype.type(LECUN_HEIGHT), z.dtype.type(LECUN_SLOPE)
    return np.multiply(height, np.tanh(slope * z), out=out)


_ERF_END, _ERF_NODES = 6, 32


@cache
def _erf_series() -> npt.NDArray[np.float64]:
    """Taylor coefficients of erf, (8, nodes), around nodes 1/32 apart: its derivatives are Hermite's.

    `f^(k+2) = -2 z f^(k+1) - 2 k f^(k)` follows from `f' = 2 exp(-z^2) / sqrt(pi)`.
    """
    nodes = np.arange(_ERF_END * _ERF_NODES + 1) / _ERF_NODES
    derivatives = [np.array([math.erf(z) for z in nodes]), 2 / math.sqrt(math.pi) * np.exp(-(nodes**2))]
    for k in range(6):
        derivatives.append(-2 * nodes * derivatives[k + 1] - (2 * k * derivatives[k] if k else 0))
    return np.stack([d / math.factorial(k) for k, d in enumerate(derivatives)])


def _erf_slope(z: FloatArray, _a: FloatArray) -> FloatArray:
    return z.dtype.type(2 / math.sqrt(math.pi)) * np.exp(-np.square(np.clip(z, -20, 20)))


@activation(_erf_slope, (-1.0, 1.0), 2 / math.sqrt(math.pi), "erf(z)", math.pi / 4)
def erf(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The error function `2 / sqrt(pi) int_0^z exp(-t^2) dt`, for which mean-field theory has closed forms.

    Taken by a Taylor series of order 7 from the nearest of nodes 1/32 apart, good to 1e-15; beyond 6 it is 1.
    Source: Williams 1998, Computation with infinite neural networks.

    >>> erf(np.array([-1000.0, 0.0, 0.5])).round(6).tolist()
    [-1.0, 0.0, 0.5205]
    """
    distance = np.minimum(np.abs(z), z.dtype.type(_ERF_END))
    nearest = np.rint(distance * _ERF_NODES).astype(np.intp)
    offset = distance - nearest.astype(z.dtype) / _ERF_NODES
    value = np.zeros_like(distance)
    for coefficients in _erf_series().astype(z.dtype)[::-1]:
        value = value * offset + coefficients[nearest]
    return np.copysign(np.minimum(value, 1), z, out=out)


_HALF_ROOT = math.sqrt(0.5)


def _normal_cdf(z: FloatArray) -> FloatArray:
    half = z.dtype.type(0.5)
    return half + half * erf(z * z.dtype.type(_HALF_ROOT))


def _gelu_slope(z: FloatArray, _a: FloatArray) -> FloatArray:
    near = np.clip(z, -20, 20)
    density = np.exp(-near * near / 2) * z.dtype.type(1 / math.sqrt(2 * math.pi))
    return _normal_cdf(z) + near * density


@activation(_gelu_slope, (-0.1699713, np.inf), 1.1289044, "z Phi(z), Phi the normal distribution", None)
def gelu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The Gaussian error linear unit `z Phi(z)`, exact, not its tanh approximation.

    Source: Hendrycks & Gimpel 2016, Gaussian error linear units.

    >>> gelu(np.array([-1000.0, 0.0, 1.0])).round(4).tolist()
    [-0.0, 0.0, 0.8413]
    """
    return np.multiply(np.maximum(z, -_FARTHEST), _normal_cdf(z), out=out)


@activation(lambda z, _a: np.abs(z) < 1, (-1.0, 1.0), 1.0, "z, cut at -1 and 1", 1.0)
def hard_tanh(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The identity, cut off at -1 and 1.

    Source: Collobert 2004, Large scale machine learning.

    >>> hard_tanh(np.array([-2.0, 0.3, 2.0])).tolist()
    [-1.0, 0.3, 1.0]
    """
    return np.clip(z, -1, 1, out=out)
