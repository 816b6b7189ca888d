"""Initial weight distributions: rng, (n_in, n_out), arguments -> W.

An initializer is one function `f(rng, shape, **arguments) -> W` under `@initializer`; written once, it is on
the command line, in the config, in `initlab schemes` and in the tests. A *scheme* is an initializer with its
arguments, as in `he` or `normal(std=0.01)`: `Scheme.parse` reads one, `Scheme.draw` draws from it.

Most famous names are one law, `variance_scaling`, with other constants. Weights have mean 0 and their spread
is told by n_in, the number of inputs of a unit (fan-in), and n_out, the number of units (fan-out).
"""

import math
from functools import partial
from typing import Any, Literal, cast

import numpy as np

from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray
from initlab.nn.schemes import ALIASES, INITIALIZERS, Initializer, Scheme, Shape, initializer

__all__ = ["ALIASES", "INITIALIZERS", "Initializer", "Scheme"]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UsageError(message)


@initializer("zeros", "W = 0", "the counter-example: all units of a layer stay alike", lambda _shape: 0.0)
def zeros(rng: np.random.Generator, shape: Shape) -> FloatArray:  # noqa: ARG001
    """All weights 0. Hidden units start equal and receive equal gradients, so they stay equal.

    >>> Scheme.parse("zeros").draw(np.random.default_rng(0), (2, 2)).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    return np.zeros(shape)


@initializer(
    "constant",
    "W = value",
    "any equal start is as symmetric as zeros",
    None,
)
def constant(rng: np.random.Generator, shape: Shape, *, value: float) -> FloatArray:  # noqa: ARG001
    """All weights `value`.

    >>> Scheme.parse("constant(value=0.5)").draw(np.random.default_rng(0), (1, 2)).tolist()
    [[0.5, 0.5]]
    """
    return np.full(shape, value, dtype=np.float64)


@initializer(
    "normal",
    "W ~ N(0, std^2)",
    "the plain rule; std=0.01 in Saito, Deep Learning from Scratch, 6.2",
    lambda _shape, std: std * std,
)
def normal(rng: np.random.Generator, shape: Shape, *, std: float) -> FloatArray:
    """Normal with standard deviation `std` >= 0, whatever the layer's size. `std=0.01` is short for it.

    >>> Scheme.parse("std=0.01").draw(np.random.default_rng(0), (784, 100)).std().round(3).item()
    0.01
    """
    _require(std >= 0, f"std must be 0 or more, not {std:g}")
    return rng.standard_normal(shape) * std


@initializer("uniform", "W ~ U(-bound, bound)", "the plain rule", lambda _shape, bound: bound * bound / 3)
def uniform(rng: np.random.Generator, shape: Shape, *, bound: float) -> FloatArray:
    """Uniform between -`bound` and `bound` >= 0; its variance is bound^2 / 3.

    >>> bool(abs(Scheme.parse("uniform(bound=0.1)").draw(np.random.default_rng(0), (9, 9))).max() <= 0.1)
    True
    """
    _require(bound >= 0, f"bound must be 0 or more, not {bound:g}")
    return rng.uniform(-1, 1, shape) * bound


# The standard deviation of what is left of N(0, 1) between -2 and 2: 0.879626.
TRUNCATED_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


@initializer(
    "truncated_normal",
    "W ~ N(0, std^2) cut at +-2 std; Var W = 0.773741 std^2",
    "TensorFlow's and JAX's truncated_normal: std is that of the normal before the cut",
    lambda _shape, std: (TRUNCATED_STD * std) ** 2,
)
def truncated_normal(rng: np.random.Generator, shape: Shape, *, std: float) -> FloatArray:
    """Normal, drawn again wherever it lies beyond 2 `std`, which leaves it a spread of 0.879626 `std`.

    >>> W = truncated_normal(np.random.default_rng(0), (300, 300), std=1.0)
    >>> round(float(abs(W).max()), 2), round(float(W.std()), 2)
    (2.0, 0.88)
    """
    _require(std >= 0, f"std must be 0 or more, not {std:g}")
    W = rng.standard_normal(shape)
    while (beyond := np.abs(W) > 2).any():
        W[beyond] = rng.standard_normal(np.count_nonzero(beyond))
    return W * std


Fan = Literal["in", "out", "average", "geometric"]
Distribution = Literal["normal", "truncated_normal", "corrected_truncated_normal", "uniform"]


def _fan(shape: Shape, fan: Fan) -> float:
    n_in, n_out = shape
    fans = {"in": n_in, "out": n_out, "average": (n_in + n_out) / 2, "geometric": math.sqrt(n_in * n_out)}
    return fans[fan]


def _scaled(
    shape: Shape, scale: float = 1.0, fan: Fan = "in", distribution: Distribution = "normal"
) -> float:
    """The variance that variance scaling gives."""
    nominal = scale / _fan(shape, fan)
    return nominal * TRUNCATED_STD**2 if distribution == "truncated_normal" else nominal


@initializer("variance_scaling", "Var W = scale / fan", "the law of which most names are a case", _scaled)
def variance_scaling(
    rng: np.random.Generator,
    shape: Shape,
    *,
    scale: float = 1.0,
    fan: Fan = "in",
    distribution: Distribution = "normal",
) -> FloatArray:
    """`Var W = scale / fan`, so that sums over the fan have variance `scale` times that of one term.

    Args:
        rng: the source of the draws.
        shape: (n_in, n_out).
        scale: the variance of a unit's pre-activation per unit of mean squared input, for fan "in".
        fan: "in" is n_in (keeps the forward signal), "out" is n_out (keeps the backward one), "average"
            their mean (Glorot's compromise), "geometric" their geometric mean.
        distribution: "normal"; "uniform" with the bound `sqrt(3 scale / fan)` of equal variance;
            "corrected_truncated_normal", cut at two standard deviations of a normal so much wider that the
            variance is the same (Keras, and JAX's he_normal, glorot_normal, lecun_normal); or
            "truncated_normal", not widened (TensorFlow 1), the one whose variance is smaller: 0.773741 of it.

    Raises:
        UsageError: for a negative scale.

    >>> W = variance_scaling(np.random.default_rng(0), (400, 100), scale=2.0)
    >>> round(float(W.var() * 400), 1)
    2.0
    """
    _require(scale >= 0, f"scale must be 0 or more, not {scale:g}")
    std = math.sqrt(scale / _fan(shape, fan))
    if distribution == "uniform":
        return uniform(rng, shape, bound=math.sqrt(3) * std)
    if distribution == "truncated_normal":
        return truncated_normal(rng, shape, std=std)
    if distribution == "corrected_truncated_normal":
        return truncated_normal(rng, shape, std=std / TRUNCATED_STD)
    return normal(rng, shape, std=std)


def _named(
    name: str, formula: str, source: str, also: tuple[str, ...] = (), /, **constants: float | str
) -> None:
    """Register `variance_scaling` with some of its constants settled."""
    settled = cast(Any, constants)
    register = initializer(name, formula, source, partial(_scaled, **settled), also)
    register(partial(variance_scaling, **settled))


_LECUN = "LeCun et al. 1998, Efficient BackProp, section 4.6"
_GLOROT = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward networks, eq. 16"
_HE = "He et al. 2015, Delving Deep into Rectifiers, eq. 10"

_named("lecun", "W ~ N(0, 1 / n_in)", _LECUN, ("lecun_normal",), scale=1.0)
_named("lecun_uniform", "W ~ U(+-sqrt(3 / n_in))", _LECUN, scale=1.0, distribution="uniform")
_named(
    "xavier",
    "W ~ N(0, 2 / (n_in + n_out))",
    _GLOROT,
    ("xavier_normal", "glorot", "glorot_normal"),
    scale=1.0,
    fan="average",
)
_named(
    "xavier_uniform",
    "W ~ U(+-sqrt(6 / (n_in + n_out)))",
    _GLOROT,
    ("glorot_uniform",),
    scale=1.0,
    fan="average",
    distribution="uniform",
)
_named("he", "W ~ N(0, 2 / n_in)", _HE, ("he_normal", "kaiming", "kaiming_normal"), scale=2.0)
_named("he_uniform", "W ~ U(+-sqrt(6 / n_in))", _HE, ("kaiming_uniform",), scale=2.0, distribution="uniform")
_named(
    "book:xavier",
    "W ~ N(0, 1 / n_in)",
    "Saito, Deep Learning from Scratch, 6.2, calls LeCun's rule Xavier's",
    scale=1.0,
)
