"""The schemes themselves, each a law of initial weights: rng, (n_in, n_out), arguments -> W.

A law is one function `f(rng, shape, **arguments) -> W` under `@SCHEMES.register`. Written once, it is on the
command line, in the config, in `initlab schemes` and in the tests. Most famous names are the law
`variance_scaling` with different constants: weights have mean 0, and their variance follows from n_in, the
number of inputs of a unit (fan-in), and n_out, the number of units (fan-out).
"""

import math
from functools import partial
from typing import Any, Literal, cast

import numpy as np

from initlab.errors import UsageError, require
from initlab.init.critical import critical_of
from initlab.init.scheme import OWN, SCHEMES, Shape, fans
from initlab.nn.arrays import FloatArray
from initlab.own_code import shown


@SCHEMES.register(
    "zeros",
    formula="W = 0",
    source="the counterexample: all units of a layer stay alike",
    variance=lambda _shape: 0.0,
)
def zeros(rng: np.random.Generator, shape: Shape) -> FloatArray:  # noqa: ARG001
    """All weights 0, `W = 0`. Hidden units start equal and receive equal gradients, so they stay equal.

    Args:
        rng: unused.
        shape: (n_in, n_out).

    >>> zeros(np.random.default_rng(0), (2, 2)).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    return np.zeros(shape)


@SCHEMES.register(
    "constant",
    formula="W = value",
    source="any equal start is as symmetric as zeros",
)
def constant(rng: np.random.Generator, shape: Shape, *, value: float) -> FloatArray:  # noqa: ARG001
    """All weights equal, `W = value`.

    Args:
        rng: unused.
        shape: (n_in, n_out).
        value: of every weight.

    >>> constant(np.random.default_rng(0), (1, 2), value=0.5).tolist()
    [[0.5, 0.5]]
    """
    return np.full(shape, value, dtype=np.float64)


def _around_zero(variance: float, mean: float) -> float | None:
    """The variance of weights with mean 0; theory does not apply to any other mean."""
    return None if mean else variance


@SCHEMES.register(
    "normal",
    formula="W ~ N(mean, std^2)",
    source="the plain rule; std=0.01 in Saito, Deep Learning from Scratch, 6.2",
    variance=lambda _shape, std, mean=0.0: _around_zero(std * std, mean),
)
def normal(rng: np.random.Generator, shape: Shape, *, std: float, mean: float = 0.0) -> FloatArray:
    """Normal with the same standard deviation in every layer, `W ~ N(mean, std^2)`; `std=0.01` in short.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        std: standard deviation, from 0 on.
        mean: 0 by default.

    Raises:
        UsageError: for a negative std.

    >>> normal(np.random.default_rng(0), (784, 100), std=0.01).std().round(3).item()
    0.01
    """
    require(std >= 0, f"std must be 0 or more, not {std:g}")
    return mean + rng.standard_normal(shape) * std


@SCHEMES.register(
    "uniform",
    formula="W ~ U(mean - bound, mean + bound)",
    source="the plain rule",
    variance=lambda _shape, bound, mean=0.0: _around_zero(bound * bound / 3, mean),
)
def uniform(rng: np.random.Generator, shape: Shape, *, bound: float, mean: float = 0.0) -> FloatArray:
    """Uniform around the mean, `W ~ U(mean - bound, mean + bound)`, with `Var W = bound^2 / 3`.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        bound: the largest distance from the mean, from 0 on.
        mean: 0 by default.

    Raises:
        UsageError: for a negative bound.

    >>> bool(abs(uniform(np.random.default_rng(0), (9, 9), bound=0.1)).max() <= 0.1)
    True
    """
    require(bound >= 0, f"bound must be 0 or more, not {bound:g}")
    return mean + rng.uniform(-1, 1, shape) * bound


# The standard deviation of N(0, 1) after a cut at -2 and 2: 0.879626.
TRUNCATED_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


@SCHEMES.register(
    "truncated_normal",
    formula="W ~ N(mean, std^2) cut at mean +-2 std; Var W = 0.773741 std^2",
    source="TensorFlow's and JAX's truncated_normal: std is that of the normal before the cut",
    variance=lambda _shape, std, mean=0.0: _around_zero((TRUNCATED_STD * std) ** 2, mean),
)
def truncated_normal(rng: np.random.Generator, shape: Shape, *, std: float, mean: float = 0.0) -> FloatArray:
    """Normal, drawn again wherever it lies beyond two standard deviations: `Var W = 0.773741 std^2`.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        std: standard deviation before the cut, from 0 on; afterwards it is 0.879626 of that.
        mean: 0 by default.

    Raises:
        UsageError: for a negative std.

    >>> W = truncated_normal(np.random.default_rng(0), (300, 300), std=1.0)
    >>> round(float(abs(W).max()), 2), round(float(W.std()), 2)
    (2.0, 0.88)
    """
    require(std >= 0, f"std must be 0 or more, not {std:g}")
    W = rng.standard_normal(shape)
    while (beyond := np.abs(W) > 2).any():
        W[beyond] = rng.standard_normal(np.count_nonzero(beyond))
    return mean + W * std


@SCHEMES.register(
    "rbm",
    formula="W ~ N(0, std^2), std = 0.01",
    source="Hinton 2010, A Practical Guide to Training Restricted Boltzmann Machines, section 8; also 0.1",
    variance=lambda _shape, std=0.01: std * std,
)
def rbm(rng: np.random.Generator, shape: Shape, *, std: float = 0.01) -> FloatArray:
    """The small normal weights of a restricted Boltzmann machine, `W ~ N(0, std^2)`.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        std: standard deviation, from 0 on; 0.01 by default.

    Raises:
        UsageError: for a negative std.

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
    """The factor that multiplies all weights, from a number or the name of an activation function.

    The values are those of PyTorch's `calculate_gain`: sqrt(2) for "relu" (He et al. 2015), sqrt(2 / 1.0001)
    for "leaky_relu" with the slope 0.01, 5/3 for "tanh", 3/4 for "selu", 1 for "sigmoid" and "identity".

    Raises:
        UsageError: for a negative number.

    >>> gain_of("tanh"), gain_of(1.1)
    (1.6666666666666667, 1.1)
    """
    factor = GAINS[gain] if isinstance(gain, str) else gain
    require(factor >= 0, f"gain must be 0 or more, not {factor:g}")
    return factor


Fan = Literal["in", "out", "average", "geometric"]
Distribution = Literal["normal", "truncated_normal", "corrected_truncated_normal", "uniform"]


def _fan(shape: Shape, fan: Fan) -> float:
    n_in, n_out = fans(shape)
    sizes = {"in": n_in, "out": n_out, "average": (n_in + n_out) / 2, "geometric": math.sqrt(n_in * n_out)}
    return sizes[fan]


def _scaled(
    shape: Shape,
    scale: float = 1.0,
    fan: Fan = "in",
    distribution: Distribution = "normal",
    gain: Gain = 1.0,
) -> float:
    """The variance of the weights that `variance_scaling` draws with the same arguments."""
    nominal = gain_of(gain) ** 2 * scale / _fan(shape, fan)
    return nominal * TRUNCATED_STD**2 if distribution == "truncated_normal" else nominal


@SCHEMES.register(
    "variance_scaling",
    formula="Var W = gain^2 scale / fan",
    source="the law of which most names are a case",
    variance=_scaled,
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
    """`Var W = gain^2 scale / fan`: a sum over the fan then has `scale` times the variance of one term.

    The names below fix the scale: `he` is scale 2, and `he(gain=1.1)` has the variance 2.42 / n_in.
    Lasagne's HeNormal() is our `lecun`, and its HeNormal(gain="relu") is `lecun(gain=relu)`, which is `he`.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        scale: the variance of a unit's pre-activation per unit of mean squared input, for fan "in".
        fan: "in" is n_in (keeps the forward signal), "out" is n_out (keeps the backward one), "average"
            their mean (Glorot's compromise), "geometric" their geometric mean.
        distribution: "normal"; "uniform" with the bound `sqrt(3 scale / fan)` of equal variance;
            "corrected_truncated_normal", cut at two standard deviations, but of a normal that is wider, so
            that the variance is the same (he_normal, glorot_normal and lecun_normal of Keras and JAX); or
            "truncated_normal", cut and not widened, so that the variance is 0.773741 of it (TensorFlow 1).
        gain: a factor of the standard deviation, or the name of an activation function; see `gain_of`.

    Raises:
        UsageError: for a negative scale or gain.

    >>> W = variance_scaling(np.random.default_rng(0), (400, 100), scale=2.0)
    >>> round(float(W.var() * 400), 1)
    2.0
    """
    require(scale >= 0, f"scale must be 0 or more, not {scale:g}")
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
    """Register `variance_scaling` with other defaults under a famous name."""
    defaults = cast(Any, constants)
    register = SCHEMES.register(
        name, formula=formula, source=source, also=also, variance=partial(_scaled, **defaults)
    )
    register(partial(variance_scaling, **defaults))


_LECUN = "LeCun et al. 1998, Efficient BackProp, section 4.6"
_GLOROT = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward networks, eq. 16"
_SIGMOID = "Bengio 2012, Practical recommendations for gradient-based training: 4 times Glorot's, for sigmoid"
_HE = "He et al. 2015, Delving Deep into Rectifiers, eq. 10"

_named(
    "classic",
    "W ~ U(+-1 / sqrt(n_in)); Var W = 1 / (3 n_in)",
    "the common heuristic that Glorot & Bengio 2010 start from, eq. 1",
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
    "a lecture on Saito's 6.2 writes He's sqrt(2 / n_in) as 2 / sqrt(n_in), which doubles the variance",
    scale=4.0,
)


WalkActivation = Literal["relu", "identity", "tanh"]


def _walk_gain(n_in: int, activation: WalkActivation = "relu") -> float:
    # The fit for ReLU has a pole at 2.4 inputs; the paper's maximum with 6 keeps away from it.
    gains = {
        "relu": math.sqrt(2) * math.exp(1.2 / (max(n_in, 6) - 2.4)),
        "identity": math.exp(1 / (2 * n_in)),
        "tanh": 1.2,
    }
    return gains[activation]


@SCHEMES.register(
    "random_walk",
    formula="W ~ N(0, g^2 / n_in), g = sqrt 2 exp(1.2 / (max(n_in, 6) - 2.4)) for ReLU",
    source="Sussillo & Abbott 2014, Random walk initialization for training very deep feedforward networks",
    variance=lambda shape, activation="relu": _walk_gain(shape[0], activation) ** 2 / shape[0],
)
def random_walk(rng: np.random.Generator, shape: Shape, *, activation: WalkActivation = "relu") -> FloatArray:
    """`W ~ N(0, g^2 / n_in)`, with g such that the *logarithm* of the gradient's length does not drift.

    Each layer multiplies the length by a random factor. The mean of its logarithm is below the logarithm of
    its mean, so g is above He's sqrt(2) (and above 1 for linear layers), the more so the narrower the layer.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        activation: "relu" for `g = sqrt(2) exp(1.2 / (max(n_in, 6) - 2.4))`, "identity" for
            `g = exp(1 / (2 n_in))`, or "tanh" for 1.2; the paper recommends 1.1 to 1.3 there, and
            `lecun(gain=1.1)` gives any such g.

    >>> from initlab.init.scheme import Scheme
    >>> Scheme.parse("random_walk(activation=identity)").variance((100, 100)) * 100
    1.010050167084168
    """
    n_in, _ = shape
    return normal(rng, shape, std=_walk_gain(n_in, activation) / math.sqrt(n_in))


def _critical_scale(activation: str) -> float:
    critical = critical_of(activation)
    if critical is None:
        raise UsageError(
            f"no variance is critical for {shown(activation)} without biases; give one, as he(gain=1.1)"
        )
    return critical


@SCHEMES.register(
    "critical",
    formula="W ~ N(0, s / n_in), s the critical sigma_w^2 of the network's activation",
    source="Poole et al. 2016; Schoenholz et al. 2017, Deep information propagation",
    variance=lambda shape, activation=OWN: _critical_scale(activation) / shape[0],
)
def critical(rng: np.random.Generator, shape: Shape, *, activation: str = OWN) -> FloatArray:
    """`W ~ N(0, s / n_in)` at the border of order and chaos, where gradients and differences pass any depth.

    The scale s is 1 for tanh and identity (`lecun`), 2 for ReLU (`he`), 103 for the sigmoid, pi / 4 for erf;
    gelu and swish have none. See `critical.critical_of`.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        activation: the name of an activation function; by default that of the network.

    Raises:
        UsageError: for an activation function without a critical variance.

    >>> from initlab.init.scheme import Scheme
    >>> Scheme.parse("critical(activation=relu)").variance((100, 50))
    0.02
    """
    return normal(rng, shape, std=math.sqrt(_critical_scale(activation) / shape[0]))


@SCHEMES.register(
    "orthogonal",
    formula="W^T W = gain^2 I, or W W^T where n_in < n_out",
    source="Saxe et al. 2014, Exact solutions to the nonlinear dynamics of learning in deep linear networks",
    variance=lambda shape, gain=1.0: gain_of(gain) ** 2 / max(shape),
)
def orthogonal(rng: np.random.Generator, shape: Shape, *, gain: Gain = 1.0) -> FloatArray:
    """A random orthogonal matrix times the gain; every such matrix is equally likely (Haar measure).

    W has orthonormal columns, `W^T W = gain^2 I`, if n_in >= n_out, and otherwise orthonormal rows,
    `W W^T = gain^2 I`. It is the factor Q in the decomposition `Q R` of a normal matrix. We give each column
    the sign that makes the diagonal of R positive; otherwise the algorithm chooses the signs, and Q is not
    uniform (Mezzadri 2007, How to generate random matrices from the classical compact groups).

    The entries are uncorrelated, with mean square `gain^2 / max(n_in, n_out)`, but not independent. Theory
    predicts the mean squared signal and gradient as for independent weights of this variance. The difference
    is in the singular values: all equal the gain, so a square layer keeps the ratio of any two lengths.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        gain: every singular value of W, a number from 0 on or the name of an activation function; see
            `gain_of`.

    >>> W = orthogonal(np.random.default_rng(0), (5, 3), gain=2.0)
    >>> bool(np.allclose(W.T @ W, 4 * np.eye(3)))
    True
    """
    n_in, n_out = shape
    normals = rng.standard_normal(shape)
    Q, R = np.linalg.qr(normals if n_in >= n_out else normals.T)
    Q *= gain_of(gain) * np.copysign(1, np.diag(R))
    return Q if n_in >= n_out else Q.T


@SCHEMES.register(
    "identity",
    formula="W = gain I, with rows or columns of 0 where n_in and n_out differ",
    source="Le et al. 2015, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units",
)
def identity(rng: np.random.Generator, shape: Shape, *, gain: Gain = 1.0) -> FloatArray:  # noqa: ARG001
    """`W = gain I`: unit k receives input k times the gain; units beyond the last input receive nothing.

    Args:
        rng: unused.
        shape: (n_in, n_out).
        gain: a number from 0 on, or the name of an activation function; see `gain_of`.

    >>> identity(np.random.default_rng(0), (2, 3), gain=0.5).tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]
    """
    return gain_of(gain) * np.eye(*shape)


def _kept(nonzero: float, n: int) -> int:
    """That fraction of n, rounded down."""
    # The product of the floats 0.29 and 100 is below 29; 0.29 of 100 must still be 29.
    return math.floor(round(nonzero * n, 9))


def _thinned(rng: np.random.Generator, shape: Shape, std: float, count: int, axis: int) -> FloatArray:
    """Normal weights; `count` of them along the axis, chosen at random, stay, and the rest become 0."""
    W = normal(rng, shape, std=std)
    order = rng.random(shape).argsort(axis=axis)
    return np.where(order < count, W, 0.0)


Per = Literal["unit", "input"]


def _sparse_variance(shape: Shape, nonzero: float = 0.1, std: float = 0.01, per: Per = "unit") -> float:
    n = shape[0] if per == "unit" else shape[1]
    return std * std * _kept(nonzero, n) / n


@SCHEMES.register(
    "sparse",
    formula="a fraction of each unit's weights from N(0, std^2), the rest 0",
    source="Lasagne's Sparse and, as 1 - nonzero and per input, PyTorch's sparse_; after Martens 2010",
    variance=_sparse_variance,
)
def sparse(
    rng: np.random.Generator, shape: Shape, *, nonzero: float = 0.1, std: float = 0.01, per: Per = "unit"
) -> FloatArray:
    """A fraction of the weights comes from N(0, std^2), the same number for each unit, and the rest is 0.

    The variance is `Var W = nonzero std^2`. Libraries disagree about "sparsity". In Lasagne's
    `Sparse(sparsity=0.1, std=0.01)` it is the fraction that is *not* 0, among the n_in incoming weights of
    each unit: here `sparse(nonzero=0.1, std=0.01)`. In PyTorch's `sparse_(W, sparsity=0.9, std=0.01)` it is
    the fraction that *is* 0, among the n_out outgoing weights of each input: here
    `sparse(nonzero=0.1, std=0.01, per=input)`.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        nonzero: the fraction that is not 0, from 0 to 1; the number of weights is rounded down.
        std: the standard deviation of these, from 0 on.
        per: "unit" if all units have the same number of inputs, "input" if all inputs reach the same number
            of units.

    Raises:
        UsageError: for a fraction outside 0 to 1, or a negative std.

    >>> W = sparse(np.random.default_rng(0), (50, 4), nonzero=0.1)
    >>> np.count_nonzero(W, axis=0).tolist()
    [5, 5, 5, 5]
    """
    require(0 <= nonzero <= 1, f"nonzero must be from 0 to 1, not {nonzero:g}")
    axis = 0 if per == "unit" else 1
    return _thinned(rng, shape, std, _kept(nonzero, shape[axis]), axis)


@SCHEMES.register(
    "martens",
    formula="15 of each unit's weights from N(0, 1), the rest 0",
    source="Martens 2010, Deep learning via Hessian-free optimization, section 5",
    variance=lambda shape, count=15, std=1.0: std * std * min(count, shape[0]) / shape[0],
)
def martens(rng: np.random.Generator, shape: Shape, *, count: int = 15, std: float = 1.0) -> FloatArray:
    """Each unit has `count` inputs, whatever n_in, so its pre-activation does not grow with the layer.

    The variance is `Var W = count std^2 / n_in`, from which theory predicts; but a sum of 15 terms is only
    nearly normal, however wide the layer.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        count: the number of weights of a unit that are not 0, from 1 on; all of them if n_in is smaller.
        std: the standard deviation of these, from 0 on; the default 1 is that of Sutskever et al. 2013, On
            the importance of initialization and momentum in deep learning.

    Raises:
        UsageError: for a count below 1, or a negative std.

    >>> W = martens(np.random.default_rng(0), (50, 4))
    >>> np.count_nonzero(W, axis=0).tolist()
    [15, 15, 15, 15]
    """
    require(count >= 1, f"count must be 1 or more, not {count}")
    return _thinned(rng, shape, std, count, axis=0)
