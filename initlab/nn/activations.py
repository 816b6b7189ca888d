"""Activation functions: pre-activation z -> function -> activation a; (z, a) -> derivative -> phi'(z).

To add one, write its function under `@ACTIVATIONS.register(derivative=..., bounds=..., ...)`; the command
line, the config, the histograms and the tests find it in `ACTIVATIONS`. Every function takes

    z: pre-activations, an array of any shape, float32 or float64; the result has its shape and type.
    out: an array for the result, which may be z itself; by default a new one.

and neither overflows nor gives NaN for any z, infinite ones included.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from initlab.nn.arrays import FloatArray
from initlab.registry import Registry

Function = Callable[[FloatArray, FloatArray | None], FloatArray]
# How a person names an activation: as in `ACTIVATIONS`, as `./mine.py:mish`, or as their own function.
ActivationName = str | Callable[..., Any]


def as_list(activations: "ActivationName | Sequence[ActivationName]") -> "list[ActivationName]":
    """One or several activations as a list.

    >>> as_list("relu"), as_list(["relu", "tanh"])
    (['relu'], ['relu', 'tanh'])
    """
    return [activations] if isinstance(activations, str) or callable(activations) else list(activations)


Derivative = Callable[[FloatArray, FloatArray], npt.NDArray[np.floating[Any] | np.bool]]


@dataclass(frozen=True, kw_only=True)
class Activation:
    """An elementwise nonlinearity phi.

    Attributes:
        name: the name that a config uses.
        function: `function(z, out)` is phi(z), written into `out` unless that is None.
        derivative: `derivative(z, a)` is phi'(z). It also gets a = phi(z), from which phi' is often cheaper.
            The result may be boolean where phi' is 0 or 1: it is only multiplied.
        bounds: the infimum and the supremum of phi.
        steepest: the largest slope of phi. A unit is called saturated where its slope is below 5 % of it.
        formula: phi in plain text.
        critical: the sigma_w^2 = n_in Var W at which deep wide layers without biases neither shrink nor
            stretch differences and gradients (`init.critical.critical_sigma_w2`); None if there is none, nan
            if it is to be computed. Read it by `init.critical.critical_of`.
    """

    name: str
    function: Function
    derivative: Derivative
    bounds: tuple[float, float]
    steepest: float
    formula: str
    critical: float | None


ACTIVATIONS: Registry[Activation] = Registry("activation", Activation)


@ACTIVATIONS.register(
    derivative=lambda _z, a: a * (1 - a),
    bounds=(0.0, 1.0),
    steepest=0.25,
    formula="1 / (1 + exp(-z))",
    critical=103.0076,
)
def sigmoid(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The logistic function `1 / (1 + exp(-z))`, with `phi' = a (1 - a)`.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors, eq. 2.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    # exp(-|z|) cannot overflow; exp(-|z|) / (1 + exp(-|z|)), the value below 0, is exact even if it is tiny.
    decay = np.exp(-np.abs(z))
    numerator = np.where(z >= 0, z.dtype.type(1), decay)
    activated: FloatArray = np.divide(numerator, 1 + decay, out=out)
    return activated


@ACTIVATIONS.register(
    derivative=lambda _z, a: 1 - a * a,
    bounds=(-1.0, 1.0),
    steepest=1.0,
    formula="tanh(z)",
    critical=1.0,
)
def tanh(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The hyperbolic tangent `tanh(z)`, with `phi' = 1 - a^2`.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, section 4.4, on why it should be odd.

    >>> tanh(np.array([0.0, 1000.0])).tolist()
    [0.0, 1.0]
    """
    return np.tanh(z, out=out)


@ACTIVATIONS.register(
    derivative=lambda _z, a: a > 0,
    bounds=(0.0, np.inf),
    steepest=1.0,
    formula="max(0, z)",
    critical=2.0,
)
def relu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The rectifier `max(0, z)`; we take its slope at 0 to be 0.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines; Glorot, Bordes &
    Bengio 2011, Deep sparse rectifier neural networks.

    >>> relu(np.array([-2.0, 3.0])).tolist()
    [0.0, 3.0]
    """
    # np.maximum takes four times as long with a number, and half as long again with a short row of zeros.
    zeros = np.zeros(z.shape[-2:], z.dtype)
    return np.maximum(z, zeros, out=out)


@ACTIVATIONS.register(
    derivative=lambda _z, a: np.ones_like(a),
    bounds=(-np.inf, np.inf),
    steepest=1.0,
    formula="z",
    critical=1.0,
)
def identity(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """No nonlinearity, `phi(z) = z`: the network is a product of matrices, solved exactly.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks.

    >>> identity(np.array([-2.0, 3.0])).tolist()
    [-2.0, 3.0]
    """
    return np.positive(z, out=out)


LEAK = 0.01


@ACTIVATIONS.register(
    derivative=lambda z, _a: np.where(z > 0, z.dtype.type(1), z.dtype.type(LEAK)),
    bounds=(-np.inf, np.inf),
    steepest=1.0,
    formula="z where z > 0, else 0.01 z",
    critical=2 / (1 + LEAK**2),
)
def leaky_relu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """ReLU with a small slope below 0, so that no unit is ever dead: `max(z, 0.01 z)`.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models.

    >>> leaky_relu(np.array([-2.0, 3.0])).tolist()
    [-0.02, 3.0]
    """
    return np.maximum(z, z.dtype.type(LEAK) * z, out=out)


@ACTIVATIONS.register(
    derivative=lambda z, a: np.where(z > 0, z.dtype.type(1), a + 1),
    bounds=(-1.0, np.inf),
    steepest=1.0,
    formula="z where z > 0, else exp(z) - 1",
    critical=1.0,
)
def elu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The exponential linear unit, `max(z, 0) + exp(min(z, 0)) - 1`: its mean is nearer to 0 than ReLU's.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Clevert, Unterthiner & Hochreiter 2016, Fast and accurate deep network learning by exponential
    linear units (ELUs).

    >>> elu(np.array([-1000.0, 0.0, 3.0])).tolist()
    [-1.0, 0.0, 3.0]
    """
    below = np.expm1(np.minimum(z, 0))
    return np.add(np.maximum(z, 0), below, out=out)


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
_SELU_FLOOR = SELU_SCALE * SELU_ALPHA


@ACTIVATIONS.register(
    derivative=lambda z, a: np.where(z > 0, z.dtype.type(SELU_SCALE), a + z.dtype.type(_SELU_FLOOR)),
    bounds=(-_SELU_FLOOR, np.inf),
    steepest=_SELU_FLOOR,
    formula="1.0507 z where z > 0, else 1.7581 (exp(z) - 1)",
    critical=2 / (SELU_SCALE**2 + _SELU_FLOOR**2),
)
def selu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The self-normalizing unit, `scale (max(z, 0) + alpha (exp(min(z, 0)) - 1))`.

    The constants scale and alpha make `E[selu] = 0` and `E[selu^2] = 1` over N(0, 1): with Var W = 1 / n_in,
    mean 0 and variance 1 are a fixed point of the layers.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Klambauer, Unterthiner, Mayr & Hochreiter 2017, Self-normalizing neural networks.

    >>> selu(np.array([-1000.0, 0.0, 1.0])).round(4).tolist()
    [-1.7581, 0.0, 1.0507]
    """
    scale, floor = z.dtype.type(SELU_SCALE), z.dtype.type(_SELU_FLOOR)
    return np.add(scale * np.maximum(z, 0), floor * np.expm1(np.minimum(z, 0)), out=out)


@ACTIVATIONS.register(
    derivative=lambda z, _a: sigmoid(z),
    bounds=(0.0, np.inf),
    steepest=1.0,
    formula="log(1 + exp(z))",
    critical=2.0,
)
def softplus(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The smooth rectifier `log(1 + exp(z)) = max(0, z) + log(1 + exp(-|z|))`, with `phi' = sigmoid(z)`.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Dugas, Bengio, Belisle, Nadeau & Garcia 2001, Incorporating second-order functional knowledge for
    better option pricing.

    >>> softplus(np.array([-1000.0, 0.0, 1000.0])).round(4).tolist()
    [0.0, 0.6931, 1000.0]
    """
    return np.add(np.maximum(z, 0), np.log1p(np.exp(-np.abs(z))), out=out)


@ACTIVATIONS.register(
    derivative=lambda z, _a: (1 / (1 + np.abs(z))) ** 2,
    bounds=(-1.0, 1.0),
    steepest=1.0,
    formula="z / (1 + |z|)",
    critical=1.0,
)
def softsign(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The softsign `z / (1 + |z|)`, which approaches its bounds polynomially where tanh does exponentially.

    It is computed as `1 - 1 / (1 + |z|)` with the sign of z, which is right for infinite z too.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Bergstra, Desjardins, Lamblin & Bengio 2009, Quadratic polynomials learn better image features;
    one of the three activation functions of Glorot & Bengio 2010.

    >>> softsign(np.array([-1.0, 0.0, 3.0])).tolist()
    [-0.5, 0.0, 0.75]
    """
    return np.copysign(1 - 1 / (1 + np.abs(z)), z, out=out)


# Below -1000 the factor of z in swish and gelu is 0 in both precisions; the cut avoids -inf times 0, a NaN.
_FARTHEST = 1000


def _swish_slope(z: FloatArray, a: FloatArray) -> FloatArray:
    s = sigmoid(z)
    return s + np.where(s < 1, np.clip(a, -1, _FARTHEST) * (1 - s), 0)


@ACTIVATIONS.register(
    derivative=_swish_slope,
    bounds=(-0.2784646, np.inf),
    steepest=1.0998396,
    formula="z / (1 + exp(-z))",
    critical=None,
)
def swish(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The swish `z sigmoid(z)`, also called SiLU; it falls to -0.278 before it rises.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Ramachandran, Zoph & Le 2017, Searching for activation functions; Elfwing, Uchibe & Doya 2018,
    Sigmoid-weighted linear units for neural network function approximation in reinforcement learning.

    >>> swish(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [-0.0, 0.0, 1000.0]
    """
    return np.multiply(np.maximum(z, -_FARTHEST), sigmoid(z), out=out)


LECUN_HEIGHT, LECUN_SLOPE = 1.7159, 2 / 3


@ACTIVATIONS.register(
    derivative=lambda _z, a: LECUN_SLOPE * (LECUN_HEIGHT - a * a / LECUN_HEIGHT),
    bounds=(-LECUN_HEIGHT, LECUN_HEIGHT),
    steepest=LECUN_HEIGHT * LECUN_SLOPE,
    formula="1.7159 tanh(2 z / 3)",
    critical=1 / (LECUN_HEIGHT * LECUN_SLOPE) ** 2,
)
def lecun_tanh(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """LeCun's scaled tanh, `1.7159 tanh(2 z / 3)`: f(1) = 1, f(-1) = -1, and its curvature is largest there.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, section 4.4.

    >>> lecun_tanh(np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [-1.0, 0.0, 1.0]
    """
    height, slope = z.dtype.type(LECUN_HEIGHT), z.dtype.type(LECUN_SLOPE)
    return np.multiply(height, np.tanh(slope * z), out=out)


_ERF_END, _ERF_NODES = 6, 32


@cache
def _erf_series() -> npt.NDArray[np.float64]:
    """Taylor coefficients of erf, (8, nodes), around nodes 1/32 apart.

    From `f' = 2 exp(-z^2) / sqrt(pi)` follows `f^(k+2) = -2 z f^(k+1) - 2 k f^(k)`, Hermite's recursion.
    """
    nodes = np.arange(_ERF_END * _ERF_NODES + 1) / _ERF_NODES
    derivatives = [np.array([math.erf(z) for z in nodes]), 2 / math.sqrt(math.pi) * np.exp(-(nodes**2))]
    for k in range(6):
        derivatives.append(-2 * nodes * derivatives[k + 1] - (2 * k * derivatives[k] if k else 0))
    return np.stack([d / math.factorial(k) for k, d in enumerate(derivatives)])


def _erf_slope(z: FloatArray, _a: FloatArray) -> FloatArray:
    return z.dtype.type(2 / math.sqrt(math.pi)) * np.exp(-np.square(np.clip(z, -20, 20)))


@ACTIVATIONS.register(
    derivative=_erf_slope,
    bounds=(-1.0, 1.0),
    steepest=2 / math.sqrt(math.pi),
    formula="erf(z)",
    critical=math.pi / 4,
)
def erf(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The error function `2 / sqrt(pi) int_0^z exp(-t^2) dt`, for which mean-field theory has closed forms.

    NumPy has no erf. This is a Taylor series of order 7 around the nearest of nodes 1/32 apart, accurate to
    1e-15; beyond 6 the value is 1.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Williams 1998, Computation with infinite neural networks.

    >>> erf(np.array([-1000.0, 0.0, 0.5])).round(6).tolist()
    [-1.0, 0.0, 0.5205]
    """
    distance = np.minimum(np.abs(z), z.dtype.type(_ERF_END))
    # fmin, because nan would be no index; the offset is nan there, and so is the value.
    nearest = np.rint(np.fmin(distance, _ERF_END) * _ERF_NODES).astype(np.intp)
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


@ACTIVATIONS.register(
    derivative=_gelu_slope,
    bounds=(-0.1699713, np.inf),
    steepest=1.1289044,
    formula="z Phi(z), Phi the normal distribution",
    critical=None,
)
def gelu(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The Gaussian error linear unit `z Phi(z)`, in its exact form and not the tanh approximation.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Hendrycks & Gimpel 2016, Gaussian error linear units (GELUs).

    >>> gelu(np.array([-1000.0, 0.0, 1.0])).round(4).tolist()
    [-0.0, 0.0, 0.8413]
    """
    return np.multiply(np.maximum(z, -_FARTHEST), _normal_cdf(z), out=out)


@ACTIVATIONS.register(
    derivative=lambda z, _a: np.abs(z) < 1,
    bounds=(-1.0, 1.0),
    steepest=1.0,
    formula="z, cut at -1 and 1",
    critical=1.0,
)
def hard_tanh(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """The identity cut at -1 and 1, `min(max(z, -1), 1)`.

    Args:
        z, out: pre-activations and room for the result; see the module's docstring.

    Source: Collobert 2004, Large scale machine learning.

    >>> hard_tanh(np.array([-2.0, 0.3, 2.0])).tolist()
    [-1.0, 0.3, 1.0]
    """
    return np.clip(z, -1, 1, out=out)
