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
from initlab.nn.activations import get_activation
from initlab.nn.arrays import FloatArray
from initlab.nn.dialects import DIALECTS
from initlab.nn.pretraining import pretrained_autoencoder, pretrained_rbm
from initlab.nn.schemes import ALIASES, INITIALIZERS, OWN, Initializer, Scheme, Shape, initializer

__all__ = [
    "ALIASES",
    "DIALECTS",
    "INITIALIZERS",
    "Initializer",
    "Scheme",
    "pretrained_autoencoder",
    "pretrained_rbm",
]


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
    lambda _shape, **_arguments: None,
)
def constant(rng: np.random.Generator, shape: Shape, *, value: float) -> FloatArray:  # noqa: ARG001
    """All weights `value`.

    >>> Scheme.parse("constant(value=0.5)").draw(np.random.default_rng(0), (1, 2)).tolist()
    [[0.5, 0.5]]
    """
    return np.full(shape, value, dtype=np.float64)


def _around_zero(variance: float, mean: float) -> float | None:
    """The variance where theory applies: for weights with mean 0."""
    return None if mean else variance


@initializer(
    "normal",
    "W ~ N(mean, std^2)",
    "the plain rule; std=0.01 in Saito, Deep Learning from Scratch, 6.2",
    lambda _shape, std, mean=0.0: _around_zero(std * std, mean),
)
def normal(rng: np.random.Generator, shape: Shape, *, std: float, mean: float = 0.0) -> FloatArray:
    """Normal with standard deviation `std` >= 0, whatever the layer's size. `std=0.01` is short for it.

    >>> Scheme.parse("std=0.01").draw(np.random.default_rng(0), (784, 100)).std().round(3).item()
    0.01
    """
    _require(std >= 0, f"std must be 0 or more, not {std:g}")
    return mean + rng.standard_normal(shape) * std


@initializer(
    "uniform",
    "W ~ U(mean - bound, mean + bound)",
    "the plain rule",
    lambda _shape, bound, mean=0.0: _around_zero(bound * bound / 3, mean),
)
def uniform(rng: np.random.Generator, shape: Shape, *, bound: float, mean: float = 0.0) -> FloatArray:
    """Uniform within `bound` >= 0 of the mean; its variance is bound^2 / 3.

    >>> bool(abs(Scheme.parse("uniform(bound=0.1)").draw(np.random.default_rng(0), (9, 9))).max() <= 0.1)
    True
    """
    _require(bound >= 0, f"bound must be 0 or more, not {bound:g}")
    return mean + rng.uniform(-1, 1, shape) * bound


# The standard deviation of what is left of N(0, 1) between -2 and 2: 0.879626.
TRUNCATED_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


@initializer(
    "truncated_normal",
    "W ~ N(mean, std^2) cut at mean +-2 std; Var W = 0.773741 std^2",
    "TensorFlow's and JAX's truncated_normal: std is that of the normal before the cut",
    lambda _shape, std, mean=0.0: _around_zero((TRUNCATED_STD * std) ** 2, mean),
)
def truncated_normal(rng: np.random.Generator, shape: Shape, *, std: float, mean: float = 0.0) -> FloatArray:
    """Normal, drawn again wherever it lies beyond 2 `std`, which leaves it a spread of 0.879626 `std`.

    >>> W = truncated_normal(np.random.default_rng(0), (300, 300), std=1.0)
    >>> round(float(abs(W).max()), 2), round(float(W.std()), 2)
    (2.0, 0.88)
    """
    _require(std >= 0, f"std must be 0 or more, not {std:g}")
    W = rng.standard_normal(shape)
    while (beyond := np.abs(W) > 2).any():
        W[beyond] = rng.standard_normal(np.count_nonzero(beyond))
    return mean + W * std


@initializer(
    "rbm",
    "W ~ N(0, std^2), std = 0.01",
    "Hinton 2010, A Practical Guide to Training Restricted Boltzmann Machines, section 8; also quoted: 0.1",
    lambda _shape, std=0.01: std * std,
)
def rbm(rng: np.random.Generator, shape: Shape, *, std: float = 0.01) -> FloatArray:
    """The small normal weights of a restricted Boltzmann machine: `rbm`, or `rbm(std=0.1)`.

    >>> rbm(np.random.default_rng(0), (784, 100)).std().round(3).item()
    0.01
    """
    return normal(rng, shape, std=std)


GAINS = {
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),
    "selu": 3 / 4,
}
Gain = float | Literal["identity", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


def gain_of(gain: Gain) -> float:
    """The factor that multiplies all weights, as a number or by the name of the activation that it suits.

    The values are those of PyTorch's `calculate_gain`: sqrt 2 for "relu" (He et al. 2015), sqrt(2 / 1.0001)
    for "leaky_relu" with the slope 0.01, 5/3 for "tanh", 3/4 for "selu", 1 for "sigmoid" and "identity".

    Raises:
        UsageError: for a negative number.

    >>> gain_of("tanh"), gain_of(1.1)
    (1.6666666666666667, 1.1)
    """
    factor = GAINS[gain] if isinstance(gain, str) else gain
    _require(factor >= 0, f"gain must be 0 or more, not {factor:g}")
    return factor


Fan = Literal["in", "out", "average", "geometric"]
Distribution = Literal["normal", "truncated_normal", "corrected_truncated_normal", "uniform"]


def _fan(shape: Shape, fan: Fan) -> float:
    n_in, n_out = shape
    fans = {"in": n_in, "out": n_out, "average": (n_in + n_out) / 2, "geometric": math.sqrt(n_in * n_out)}
    return fans[fan]


def _scaled(
    shape: Shape,
    scale: float = 1.0,
    fan: Fan = "in",
    distribution: Distribution = "normal",
    gain: Gain = 1.0,
) -> float:
    """The variance that variance scaling gives."""
    nominal = gain_of(gain) ** 2 * scale / _fan(shape, fan)
    return nominal * TRUNCATED_STD**2 if distribution == "truncated_normal" else nominal


@initializer(
    "variance_scaling", "Var W = gain^2 scale / fan", "the law of which most names are a case", _scaled
)
def variance_scaling(
    rng: np.random.Generator,
    shape: Shape,
    *,
    scale: float = 1.0,
    fan: Fan = "in",
    distribution: Distribution = "normal",
    gain: Gain = 1.0,
) -> FloatArray:
    """`Var W = gain^2 scale / fan`, so that sums over the fan have variance `scale` times that of one term.

    The names below settle the scale: `he` is scale 2, and `he(gain=1.1)` has the variance 2.42 / n_in. (What
    Lasagne calls HeNormal() is `lecun`, and its HeNormal(gain="relu") is `lecun(gain=relu)`, which is `he`.)

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
        gain: a factor of the standard deviation, or the name of an activation function; see `gain_of`.

    Raises:
        UsageError: for a negative scale or gain.

    >>> W = variance_scaling(np.random.default_rng(0), (400, 100), scale=2.0)
    >>> round(float(W.var() * 400), 1)
    2.0
    """
    _require(scale >= 0, f"scale must be 0 or more, not {scale:g}")
    std = gain_of(gain) * math.sqrt(scale / _fan(shape, fan))
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
_SIGMOID = "Bengio 2012, Practical recommendations for gradient-based training: 4 times Glorot's, for sigmoid"
_HE = "He et al. 2015, Delving Deep into Rectifiers, eq. 10"

_named(
    "classic",
    "W ~ U(+-1 / sqrt(n_in)); Var W = 1 / (3 n_in)",
    "the heuristic that Glorot & Bengio 2010 set out from, eq. 1",
    scale=1 / 3,
    distribution="uniform",
)
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
_named(
    "xavier_sigmoid",
    "W ~ N(0, 32 / (n_in + n_out))",
    _SIGMOID,
    ("glorot_sigmoid",),
    scale=16.0,
    fan="average",
)
_named(
    "xavier_sigmoid_uniform",
    "W ~ U(+-4 sqrt(6 / (n_in + n_out)))",
    _SIGMOID,
    ("glorot_sigmoid_uniform",),
    scale=16.0,
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
_named(
    "slide:he",
    "W ~ N(0, 4 / n_in)",
    "a lecture on Saito's 6.2 writes He's sqrt(2 / n_in) as 2 / sqrt(n_in): a slip, twice the variance",
    scale=4.0,
)


WalkActivation = Literal["relu", "identity", "tanh"]


def _walk_gain(n_in: int, activation: WalkActivation = "relu") -> float:
    gains = {
        "relu": math.sqrt(2) * math.exp(1.2 / (max(n_in, 6) - 2.4)),
        "identity": math.exp(1 / (2 * n_in)),
        "tanh": 1.2,
    }
    return gains[activation]


@initializer(
    "random_walk",
    "W ~ N(0, g^2 / n_in), g = sqrt 2 exp(1.2 / (max(n_in, 6) - 2.4)) for ReLU",
    "Sussillo & Abbott 2014, Random walk initialization for training very deep feedforward networks",
    lambda shape, activation="relu": _walk_gain(shape[0], activation) ** 2 / shape[0],
)
def random_walk(rng: np.random.Generator, shape: Shape, *, activation: WalkActivation = "relu") -> FloatArray:
    """`W ~ N(0, g^2 / n_in)`, with g such that the *logarithm* of the gradient's length does not drift.

    The logarithm of a narrow layer's random factor has a mean below that of the factor itself, so the gain is
    above He's sqrt 2 (and above 1 for linear layers), the more so the narrower the layer.

    Args:
        rng: the source of the draws.
        shape: (n_in, n_out).
        activation: "relu" for the gain above, "identity" for `g = exp(1 / (2 n_in))`, or "tanh" for 1.2: the
            paper finds 1.1 to 1.3 good, and `lecun(gain=1.1)` gives any of them.

    >>> Scheme.parse("random_walk(activation=identity)").variance((100, 100)) * 100
    1.010050167084168
    """
    n_in, _ = shape
    return normal(rng, shape, std=_walk_gain(n_in, activation) / math.sqrt(n_in))


def _critical_scale(activation: str) -> float:
    if activation == OWN:
        raise UsageError("critical alone depends on the network; write critical(activation=tanh)")
    critical = get_activation(activation).critical
    if critical is None:
        raise UsageError(
            f"no variance is critical for {activation} without biases; give one, as he(gain=1.1)"
        )
    return critical


@initializer(
    "critical",
    "W ~ N(0, s / n_in), s the critical sigma_w^2 of the network's activation",
    "Poole et al. 2016; Schoenholz et al. 2017, Deep information propagation",
    lambda shape, activation=OWN: _critical_scale(activation) / shape[0],
)
def critical(rng: np.random.Generator, shape: Shape, *, activation: str = OWN) -> FloatArray:
    """Normal, at the border of order and chaos, where gradients and differences pass through any depth.

    The scale is 1 for tanh and identity (`lecun`), 2 for ReLU (`he`), 103 for the sigmoid, pi / 4 for erf;
    there is none for gelu and swish. See `Activation.critical`.

    Args:
        rng: the source of the draws.
        shape: (n_in, n_out).
        activation: for which; by default that of the network.

    Raises:
        UsageError: for an activation without a critical variance.

    >>> Scheme.parse("critical(activation=relu)").variance((100, 50))
    0.02
    """
    return normal(rng, shape, std=math.sqrt(_critical_scale(activation) / shape[0]))


@initializer(
    "orthogonal",
    "W^T W = gain^2 I, or W W^T where n_in < n_out",
    "Saxe et al. 2014, Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    lambda shape, gain=1.0: gain_of(gain) ** 2 / max(shape),
)
def orthogonal(rng: np.random.Generator, shape: Shape, *, gain: Gain = 1.0) -> FloatArray:
    """A random orthogonal matrix times the gain, every such matrix being equally likely (Haar's measure).

    A rectangular W has orthonormal columns, `W^T W = gain^2 I`, where n_in >= n_out, and else orthonormal
    rows, `W W^T = gain^2 I`. It is the factor Q of a normal matrix's `Q R`, each column with the sign that
    makes R's diagonal positive; without that the signs are the algorithm's habit, and Q is not uniform
    (Mezzadri 2007, How to generate random matrices from the classical compact groups).

    The entries are uncorrelated, with mean square `gain^2 / max(n_in, n_out)`, but not independent. So the
    mean squared signal and gradient are those that theory tells for independent weights of this variance; but
    all singular values equal the gain instead of spreading out, and square layers keep every input's length.

    Args:
        rng: the source of the draws.
        shape: (n_in, n_out).
        gain: every singular value of W: a number from 0 on, or a name; see `gain_of`.

    >>> W = orthogonal(np.random.default_rng(0), (5, 3), gain=2.0)
    >>> bool(np.allclose(W.T @ W, 4 * np.eye(3)))
    True
    """
    n_in, n_out = shape
    normals = rng.standard_normal(shape)
    Q, R = np.linalg.qr(normals if n_in >= n_out else normals.T)
    Q *= gain_of(gain) * np.copysign(1, np.diag(R))
    return Q if n_in >= n_out else Q.T


@initializer(
    "identity",
    "W = gain I, with rows or columns of 0 where n_in and n_out differ",
    "Le, Jaitly & Hinton 2015, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units",
    lambda _shape, **_arguments: None,
)
def identity(rng: np.random.Generator, shape: Shape, *, gain: Gain = 1.0) -> FloatArray:  # noqa: ARG001
    """Each unit receives one input, times the gain; of more units than inputs, the last receive nothing.

    >>> identity(np.random.default_rng(0), (2, 3), gain=0.5).tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]
    """
    return gain_of(gain) * np.eye(*shape)


def _kept(nonzero: float, n: int) -> int:
    """That fraction of n, rounded down; 0.29 of 100 is 29, although the product of the floats is less."""
    return math.floor(round(nonzero * n, 9))


def _thinned(rng: np.random.Generator, shape: Shape, std: float, count: int, axis: int) -> FloatArray:
    """Normal weights, of which `count` along the axis are kept, chosen at random, and the others are 0."""
    W = normal(rng, shape, std=std)
    order = rng.random(shape).argsort(axis=axis)
    return np.where(order < count, W, 0.0)


Per = Literal["unit", "input"]


def _sparse_variance(shape: Shape, nonzero: float = 0.1, std: float = 0.01, per: Per = "unit") -> float:
    n = shape[0] if per == "unit" else shape[1]
    return std * std * _kept(nonzero, n) / n


@initializer(
    "sparse",
    "a fraction of each unit's weights from N(0, std^2), the others 0",
    "Lasagne's Sparse and, as 1 - nonzero and per input, PyTorch's sparse_; after Martens 2010",
    _sparse_variance,
)
def sparse(
    rng: np.random.Generator, shape: Shape, *, nonzero: float = 0.1, std: float = 0.01, per: Per = "unit"
) -> FloatArray:
    """A fraction of the weights is drawn from N(0, std^2), the same number for each unit; the others are 0.

    Two libraries mean two things by "sparsity". Lasagne's `Sparse(sparsity=0.1, std=0.01)` gives the fraction
    that is *not* 0, among each unit's n_in incoming weights: here `sparse(nonzero=0.1, std=0.01)`. PyTorch's
    `sparse_(W, sparsity=0.9, std=0.01)` gives the fraction that *is* 0, among each input's n_out outgoing
    weights: here `sparse(nonzero=0.1, std=0.01, per=input)`.

    Args:
        rng: the source of the draws.
        shape: (n_in, n_out).
        nonzero: the fraction that is drawn, from 0 to 1; the number of weights is rounded down.
        std: the standard deviation of those drawn, 0 or more.
        per: "unit", so that each has the same number of inputs, or "input", so that each reaches the same
            number of units.

    Raises:
        UsageError: for a fraction outside 0 to 1, or a negative std.

    >>> W = sparse(np.random.default_rng(0), (50, 4), nonzero=0.1)
    >>> np.count_nonzero(W, axis=0).tolist()
    [5, 5, 5, 5]
    """
    _require(0 <= nonzero <= 1, f"nonzero must be from 0 to 1, not {nonzero:g}")
    axis = 0 if per == "unit" else 1
    return _thinned(rng, shape, std, _kept(nonzero, shape[axis]), axis)


@initializer(
    "martens",
    "15 of each unit's weights from N(0, 1), the others 0",
    "Martens 2010, Deep learning via Hessian-free optimization, section 5",
    lambda shape, count=15.0, std=1.0: std * std * min(count, shape[0]) / shape[0],
)
def martens(rng: np.random.Generator, shape: Shape, *, count: float = 15.0, std: float = 1.0) -> FloatArray:
    """Each unit has `count` inputs, however many there are: its pre-activation does not grow with n_in.

    Theory follows its variance; but a sum of 15 terms is only nearly normal, however wide the layer.

    Args:
        rng: the source of the draws.
        shape: (n_in, n_out).
        count: how many weights of a unit are not 0: a whole number from 1 on; all, where n_in is smaller.
        std: the standard deviation of those, 0 or more; 1 as told by Sutskever et al. 2013, On the importance
            of initialization and momentum in deep learning.

    Raises:
        UsageError: for a count that is not a whole number from 1 on, or a negative std.

    >>> W = martens(np.random.default_rng(0), (50, 4))
    >>> np.count_nonzero(W, axis=0).tolist()
    [15, 15, 15, 15]
    """
    _require(count >= 1 and count == int(count), f"count must be a whole number from 1 on, not {count:g}")
    return _thinned(rng, shape, std, int(count), axis=0)
