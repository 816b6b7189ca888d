"""The names that other libraries give to initial weights: `torch:linear`, `keras:he_normal` -> a scheme.

Each library name is one function under `@LIBRARY_NAMES.register`. It takes the arguments of the library's own
function, by the same names, and returns the scheme that draws from the same distribution. `Scheme.parse`
accepts `torch:kaiming_normal(mode=fan_out)` like any scheme. Every library calls our n_in the fan_in of a
fully connected layer, and our n_out its fan_out, however it lays out the matrix.

The distributions come from the sources: PyTorch 2.13 `nn/init.py`, Keras 3 `random_initializers.py`, JAX 0.10
`nn/initializers.py`, Lasagne 0.2 `init.py`. Tests compare the first three with the libraries' own draws.
"""

import math
from typing import Literal

from initlab.errors import UsageError, require, shortened
from initlab.init.scheme import LIBRARY_NAMES, Scheme
from initlab.registry import Argument, parts_of, read_number


def _scaling(**arguments: Argument) -> Scheme:
    """The scheme of variance scaling with these arguments, by its famous name if it has one."""
    given = {name: value for name, value in arguments.items() if value != _PLAIN.get(name)}
    key = (given.get("scale", 1.0), given.get("fan", "in"), given.get("distribution", "normal"))
    name = _FAMOUS.get(key, "variance_scaling")
    kept = {"gain"} if name != "variance_scaling" else set(given)
    return Scheme(name, {argument: value for argument, value in given.items() if argument in kept})


_PLAIN = {"scale": 1.0, "fan": "in", "distribution": "normal", "gain": 1.0}
_FAMOUS: dict[tuple[Argument, Argument, Argument], str] = {
    (1.0, "in", "normal"): "lecun",
    (1.0, "in", "uniform"): "lecun_uniform",
    (1.0, "average", "normal"): "xavier",
    (1.0, "average", "uniform"): "xavier_uniform",
    (2.0, "in", "normal"): "he",
    (2.0, "in", "uniform"): "he_uniform",
}

Mode = Literal["fan_in", "fan_out"]
KerasMode = Literal["fan_in", "fan_out", "fan_avg"]
JaxMode = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
_FANS = {"fan_in": "in", "fan_out": "out", "fan_avg": "average", "fan_geo_avg": "geometric"}
_UNTRUNCATED = {"truncated_normal": "corrected_truncated_normal", "uniform": "uniform"}


# PyTorch


@LIBRARY_NAMES.register(
    "torch:linear", means="the default of nn.Linear; its biases are drawn from the same range", bias="classic"
)
def torch_linear() -> Scheme:
    """`kaiming_uniform_(W, a=sqrt(5))`, which amounts to `U(+-1 / sqrt(n_in))`: sigma_w^2 = 1/3, not 2."""
    return Scheme("classic")


@LIBRARY_NAMES.register("torch:uniform", "torch:uniform_", means="U(a, b)")
def torch_uniform(a: float = 0.0, b: float = 1.0) -> Scheme:
    """`W ~ U(a, b)`.

    Args:
        a: the smallest value; 0 by default, so that all weights are positive.
        b: the largest value.
    """
    return _between(a, b)


def _between(low: float, high: float) -> Scheme:
    middle = (low + high) / 2
    return Scheme("uniform", {"bound": (high - low) / 2} | ({"mean": middle} if middle else {}))


@LIBRARY_NAMES.register("torch:normal", "torch:normal_", means="N(mean, std^2); std is 1 by default")
def torch_normal(mean: float = 0.0, std: float = 1.0) -> Scheme:
    """`W ~ N(mean, std^2)`, not truncated; `mean` is 0 and `std` is 1 by default."""
    return _normal(mean, std)


def _normal(mean: float, std: float, name: str = "normal") -> Scheme:
    return Scheme(name, {"std": std} | ({"mean": mean} if mean else {}))


_NEVER_CUT = 6.0  # standard deviations: one draw in 5e8 lies beyond


@LIBRARY_NAMES.register(
    "torch:trunc_normal",
    "torch:trunc_normal_",
    means="N(0, std^2) cut at -2 and 2 themselves, not at 2 std: for std=0.02 nothing is ever cut",
)
def torch_trunc_normal(std: float = 1.0) -> Scheme:
    """`W ~ N(0, std^2)` cut at a=-2 and b=2, which are absolute: two standard deviations only for std=1."""
    if std == 1:
        return Scheme("truncated_normal", {"std": std})
    if std * _NEVER_CUT <= 2:
        return Scheme("normal", {"std": std})
    raise UsageError(
        f"torch:trunc_normal(std={std:g}) is cut at 2, {2 / std:.3g} standard deviations; "
        f"here std is 1, or at most 1/{_NEVER_CUT:g}, where the cut does not matter"
    )


@LIBRARY_NAMES.register("torch:constant", "torch:constant_", means="all weights alike")
def torch_constant(val: float) -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": val})


@LIBRARY_NAMES.register(
    "torch:zeros", "torch:zeros_", "keras:Zeros", "keras:zeros", "jax:zeros", means="all weights 0"
)
def zeros() -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("zeros")


@LIBRARY_NAMES.register(
    "torch:ones", "torch:ones_", "keras:Ones", "keras:ones", "jax:ones", means="all weights 1"
)
def ones() -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": 1.0})


@LIBRARY_NAMES.register("torch:eye", "torch:eye_", means="the identity")
def torch_eye() -> Scheme:
    """Rectangular matrices are filled up with zeros."""
    return Scheme("identity")


@LIBRARY_NAMES.register(
    "torch:xavier_uniform", "torch:xavier_uniform_", means="Glorot's uniform; the gain multiplies the std"
)
def torch_xavier_uniform(gain: float = 1.0) -> Scheme:
    """`U(+-gain sqrt(6 / (n_in + n_out)))`."""
    return _scaling(fan="average", distribution="uniform", gain=gain)


@LIBRARY_NAMES.register(
    "torch:xavier_normal", "torch:xavier_normal_", means="Glorot's normal, not truncated as in Keras and JAX"
)
def torch_xavier_normal(gain: float = 1.0) -> Scheme:
    """`N(0, gain^2 2 / (n_in + n_out))`."""
    return _scaling(fan="average", gain=gain)


Nonlinearity = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


def calculate_gain(nonlinearity: str, a: float) -> float:
    """PyTorch's table of gains.

    Args:
        nonlinearity: the name of an activation function; the gain of any other name is 1.
        a: the slope of leaky ReLU below 0, for `gain = sqrt(2 / (1 + a^2))`; PyTorch's default 0 is ReLU.

    >>> calculate_gain("tanh", a=0.0), calculate_gain("leaky_relu", a=1.0)
    (1.6666666666666667, 1.0)
    """
    leaky = math.sqrt(2 / (1 + a * a))
    table = {"tanh": 5 / 3, "relu": math.sqrt(2), "leaky_relu": leaky, "selu": 3 / 4}
    return table.get(nonlinearity, 1.0)


def _kaiming(distribution: str, a: float, mode: str, nonlinearity: str) -> Scheme:
    squared = calculate_gain(nonlinearity, a) ** 2
    scale = 2.0 if math.isclose(squared, 2, rel_tol=1e-12) else squared
    return _scaling(scale=scale, fan=_FANS[mode], distribution=distribution)


@LIBRARY_NAMES.register(
    "torch:kaiming_uniform",
    "torch:kaiming_uniform_",
    means="He's uniform; by default for leaky ReLU with the slope a=0, which is ReLU",
)
def torch_kaiming_uniform(
    a: float = 0.0, mode: Mode = "fan_in", nonlinearity: Nonlinearity = "leaky_relu"
) -> Scheme:
    """`W ~ U(+-gain sqrt(3 / fan))`.

    Args:
        a: the slope of leaky ReLU below 0.
        mode: "fan_in" or "fan_out".
        nonlinearity: the activation function that gives the gain; see `calculate_gain`.
    """
    return _kaiming("uniform", a, mode, nonlinearity)


@LIBRARY_NAMES.register(
    "torch:kaiming_normal",
    "torch:kaiming_normal_",
    means="He's normal, not truncated as in Keras and JAX; mode=fan_out keeps gradients, not activations",
)
def torch_kaiming_normal(
    a: float = 0.0, mode: Mode = "fan_in", nonlinearity: Nonlinearity = "leaky_relu"
) -> Scheme:
    """`W ~ N(0, gain^2 / fan)`.

    Args:
        a: the slope of leaky ReLU below 0.
        mode: "fan_in" or "fan_out".
        nonlinearity: the activation function that gives the gain; see `calculate_gain`.
    """
    return _kaiming("normal", a, mode, nonlinearity)


def _gained(name: str, gain: float) -> Scheme:
    return Scheme(name, {"gain": gain} if gain != 1 else {})


@LIBRARY_NAMES.register(
    "torch:orthogonal", "torch:orthogonal_", means="orthonormal rows or columns, times the gain"
)
def torch_orthogonal(gain: float = 1.0) -> Scheme:
    """`W^T W = gain^2 I`, with corrected signs, so that every such matrix is equally likely."""
    return _gained("orthogonal", gain)


@LIBRARY_NAMES.register(
    "torch:sparse",
    "torch:sparse_",
    means="sparsity is the fraction that is 0, among each input's weights; not so in Lasagne",
)
def torch_sparse(sparsity: float, std: float = 0.01) -> Scheme:
    """`sparsity` is the fraction of 0 in each column of the (n_out, n_in) matrix, `std` that of the rest."""
    return Scheme("sparse", {"nonzero": 1 - sparsity, "std": std, "per": "input"})


# Keras


@LIBRARY_NAMES.register(
    "keras:Dense",
    "keras:glorot_uniform",
    "keras:GlorotUniform",
    means="Glorot's uniform, the default of Dense",
)
def keras_glorot_uniform() -> Scheme:
    """`U(+-sqrt(6 / (n_in + n_out)))`; the biases of Dense are 0."""
    return Scheme("xavier_uniform")


_CUT = "a normal cut at two standard deviations, and widened so that its variance is right"


@LIBRARY_NAMES.register(
    "keras:glorot_normal",
    "keras:GlorotNormal",
    "jax:glorot_normal",
    "jax:xavier_normal",
    means=f"Glorot's, {_CUT}",
)
def glorot_normal() -> Scheme:
    """`Var W = 2 / (n_in + n_out)`."""
    return _scaling(fan="average", distribution="corrected_truncated_normal")


@LIBRARY_NAMES.register(
    "keras:he_normal", "keras:HeNormal", "jax:he_normal", "jax:kaiming_normal", means=f"He's, {_CUT}"
)
def he_normal() -> Scheme:
    """`Var W = 2 / n_in`."""
    return _scaling(scale=2.0, distribution="corrected_truncated_normal")


@LIBRARY_NAMES.register(
    "keras:lecun_normal", "keras:LecunNormal", "jax:lecun_normal", means=f"LeCun's, {_CUT}"
)
def lecun_normal() -> Scheme:
    """`Var W = 1 / n_in`."""
    return _scaling(distribution="corrected_truncated_normal")


@LIBRARY_NAMES.register(
    "keras:he_uniform", "keras:HeUniform", "jax:he_uniform", "jax:kaiming_uniform", means="He's uniform"
)
def he_uniform() -> Scheme:
    """`U(+-sqrt(6 / n_in))`."""
    return Scheme("he_uniform")


@LIBRARY_NAMES.register(
    "keras:lecun_uniform", "keras:LecunUniform", "jax:lecun_uniform", means="LeCun's uniform"
)
def lecun_uniform() -> Scheme:
    """`U(+-sqrt(3 / n_in))`."""
    return Scheme("lecun_uniform")


@LIBRARY_NAMES.register("jax:glorot_uniform", "jax:xavier_uniform", means="Glorot's uniform")
def jax_glorot_uniform() -> Scheme:
    """`U(+-sqrt(6 / (n_in + n_out)))`."""
    return Scheme("xavier_uniform")


@LIBRARY_NAMES.register(
    "keras:RandomNormal",
    "keras:random_normal",
    means="N(mean, stddev^2); stddev is 0.05 by default, not 0.01",
)
def keras_random_normal(mean: float = 0.0, stddev: float = 0.05) -> Scheme:
    """`W ~ N(mean, stddev^2)`, not truncated; `mean` is 0 and `stddev` is 0.05 by default."""
    return _normal(mean, stddev)


@LIBRARY_NAMES.register(
    "keras:RandomUniform", "keras:random_uniform", means="U(minval, maxval), +-0.05 by default"
)
def keras_random_uniform(minval: float = -0.05, maxval: float = 0.05) -> Scheme:
    """`W ~ U(minval, maxval)`; `minval` is -0.05 and `maxval` is 0.05 by default."""
    return _between(minval, maxval)


@LIBRARY_NAMES.register(
    "keras:TruncatedNormal",
    "keras:truncated_normal",
    means="a normal cut at two standard deviations and not widened: its std is 0.88 stddev",
)
def keras_truncated_normal(mean: float = 0.0, stddev: float = 0.05) -> Scheme:
    """`Var W = 0.773741 stddev^2`: unlike in glorot_normal, `stddev` is that before the cut; `mean` is 0."""
    return _normal(mean, stddev, "truncated_normal")


KerasDistribution = Literal["truncated_normal", "untruncated_normal", "uniform"]


@LIBRARY_NAMES.register(
    "keras:VarianceScaling", "keras:variance_scaling", means=f"scale / fan; by default {_CUT}"
)
def keras_variance_scaling(
    scale: float = 1.0, mode: KerasMode = "fan_in", distribution: KerasDistribution = "truncated_normal"
) -> Scheme:
    """`Var W = scale / fan` for all three distributions.

    Args:
        scale: as for `variance_scaling`.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" is the widened one, "untruncated_normal" our "normal".
    """
    drawn = _UNTRUNCATED.get(distribution, "normal")
    return _scaling(scale=scale, fan=_FANS[mode], distribution=drawn)


@LIBRARY_NAMES.register(
    "keras:Orthogonal", "keras:orthogonal", means="orthonormal rows or columns, times the gain"
)
def keras_orthogonal(gain: float = 1.0) -> Scheme:
    """`W^T W = gain^2 I`, with corrected signs."""
    return _gained("orthogonal", gain)


@LIBRARY_NAMES.register("keras:Constant", "keras:constant", means="all weights alike")
def keras_constant(value: float = 0.0) -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": value})


@LIBRARY_NAMES.register("keras:Identity", "keras:identity", means="the identity, times the gain")
def keras_identity(gain: float = 1.0) -> Scheme:
    """Rectangular matrices are filled up with zeros."""
    return _gained("identity", gain)


# JAX


@LIBRARY_NAMES.register("jax:normal", means="N(0, stddev^2); stddev is 0.01 by default")
def jax_normal(stddev: float = 0.01) -> Scheme:
    """`W ~ N(0, stddev^2)`, not truncated."""
    return Scheme("normal", {"std": stddev})


@LIBRARY_NAMES.register("jax:uniform", means="U(0, scale), not U(-scale, scale): all weights are positive")
def jax_uniform(scale: float = 0.01) -> Scheme:
    """`W ~ U(0, scale)`, with mean scale / 2."""
    return _between(0.0, scale)


@LIBRARY_NAMES.register(
    "jax:truncated_normal",
    means="a normal cut at two standard deviations and not widened: std is 0.88 stddev",
)
def jax_truncated_normal(stddev: float = 0.01) -> Scheme:
    """`Var W = 0.773741 stddev^2`: unlike in glorot_normal, `stddev` is that before the cut."""
    return Scheme("truncated_normal", {"std": stddev})


JaxDistribution = Literal["truncated_normal", "normal", "uniform"]


@LIBRARY_NAMES.register("jax:variance_scaling", means=f"scale / fan; truncated_normal is {_CUT}")
def jax_variance_scaling(scale: float, mode: JaxMode, distribution: JaxDistribution) -> Scheme:
    """`Var W = scale / fan` for all three distributions.

    Args:
        scale: as for `variance_scaling`.
        mode: "fan_in", "fan_out", "fan_avg" or "fan_geo_avg".
        distribution: "truncated_normal" is the widened one.
    """
    drawn = _UNTRUNCATED.get(distribution, distribution)
    return _scaling(scale=scale, fan=_FANS[mode], distribution=drawn)


@LIBRARY_NAMES.register("jax:orthogonal", means="orthonormal rows or columns, times the scale")
def jax_orthogonal(scale: float = 1.0) -> Scheme:
    """`W^T W = scale^2 I`, with corrected signs."""
    return _gained("orthogonal", scale)


@LIBRARY_NAMES.register("jax:constant", means="all weights alike")
def jax_constant(value: float) -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": value})


# Lasagne

LasagneGain = float | Literal["relu"]


# Whether kernels are (C, k, k, channels) there; they have the same fans as ours, (channels, C, k, k).
C01b = Literal["False", "True"]


def _lasagne(gain: float | str, fan: str, distribution: str) -> Scheme:
    squared = 2.0 if gain == "relu" else float(gain) ** 2
    return _scaling(scale=squared, fan=fan, distribution=distribution)


@LIBRARY_NAMES.register(
    "lasagne:HeNormal",
    means="gain 1 by default: Var W = 1/n_in, which others call LeCun's; gain=relu is He's",
)
def lasagne_he_normal(gain: LasagneGain = 1.0, c01b: C01b = "False") -> Scheme:  # noqa: ARG001
    """`N(0, gain^2 / n_in)`; `c01b` is a layout, which changes neither fan."""
    return _lasagne(gain, "in", "normal")


@LIBRARY_NAMES.register(
    "lasagne:HeUniform",
    means="gain 1 by default: Var W = 1/n_in, which others call LeCun's; gain=relu is He's",
)
def lasagne_he_uniform(gain: LasagneGain = 1.0, c01b: C01b = "False") -> Scheme:  # noqa: ARG001
    """`U(+-gain sqrt(3 / n_in))`; `c01b` is a layout, which changes neither fan."""
    return _lasagne(gain, "in", "uniform")


@LIBRARY_NAMES.register("lasagne:GlorotNormal", means="Glorot's normal; the gain multiplies the std")
def lasagne_glorot_normal(gain: LasagneGain = 1.0, c01b: C01b = "False") -> Scheme:  # noqa: ARG001
    """`N(0, gain^2 2 / (n_in + n_out))`; `c01b` is a layout, which changes neither fan."""
    return _lasagne(gain, "average", "normal")


@LIBRARY_NAMES.register(
    "lasagne:GlorotUniform", "lasagne:DenseLayer", means="Glorot's uniform, the default of DenseLayer"
)
def lasagne_glorot_uniform(gain: LasagneGain = 1.0, c01b: C01b = "False") -> Scheme:  # noqa: ARG001
    """`U(+-gain sqrt(6 / (n_in + n_out)))`; `c01b` is a layout, which changes neither fan."""
    return _lasagne(gain, "average", "uniform")


@LIBRARY_NAMES.register("lasagne:Normal", means="N(mean, std^2); std is 0.01 by default")
def lasagne_normal(std: float = 0.01, mean: float = 0.0) -> Scheme:
    """`W ~ N(mean, std^2)`, not truncated; `std` is 0.01 and `mean` is 0 by default."""
    return _normal(mean, std)


@LIBRARY_NAMES.register(
    "lasagne:Uniform",
    means="U(-range, range), or U(low, high) for range=(low, high); with std, that of this mean and std",
)
def lasagne_uniform(
    range: float | str = 0.01, std: float | Literal["None"] = "None", mean: float = 0.0
) -> Scheme:
    """`W ~ U(low, high)`.

    Args:
        range: the bound, or (low, high), if there is no std.
        std: the standard deviation, for `U(mean - sqrt(3) std, mean + sqrt(3) std)`.
        mean: 0 by default; only with std does it count.
    """
    if std == "None":
        return _between(*_limits(range))
    return Scheme("uniform", {"bound": math.sqrt(3) * float(std)} | ({"mean": mean} if mean else {}))


def _limits(range: float | str) -> tuple[float, float]:
    """Low and high, from a bound, or from a text like `(low, high)`."""
    given = parts_of(range.strip("([ ])")) if isinstance(range, str) else [str(-range), str(range)]
    low, high = map(read_number, given) if len(given) == 2 else ("", "")
    readable = isinstance(low, float) and isinstance(high, float) and -math.inf < low <= high < math.inf
    require(readable, f"range must be a number from 0 on, or (low, high) as (0, 1), not {shortened(range)}")
    return float(low), float(high)


@LIBRARY_NAMES.register("lasagne:Constant", means="all weights alike, 0 by default")
def lasagne_constant(val: float = 0.0) -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": val})


@LIBRARY_NAMES.register(
    "lasagne:Orthogonal", means="orthonormal rows or columns, times the gain; there from an SVD"
)
def lasagne_orthogonal(gain: LasagneGain = 1.0) -> Scheme:
    """The factor U or V in the decomposition `U S V^T` of a normal matrix, here with uniform signs.

    Where LAPACK chooses the signs, as in Lasagne, the first entry is positive in a third of the matrices.
    """
    return _gained("orthogonal", math.sqrt(2) if gain == "relu" else float(gain))


@LIBRARY_NAMES.register(
    "lasagne:Sparse",
    means="sparsity is the fraction that is not 0, of each unit's weights; in PyTorch that is 0",
)
def lasagne_sparse(sparsity: float = 0.1, std: float = 0.01) -> Scheme:
    """`sparsity` is the fraction that is not 0 in each column of the (n_in, n_out) matrix, `std` its own."""
    return Scheme("sparse", {"nonzero": sparsity, "std": std})


# The book's program


@LIBRARY_NAMES.register(
    "book:sigmoid", means="weight_init_std='sigmoid' or 'xavier' of the book's program: LeCun's rule"
)
def book_sigmoid() -> Scheme:
    """`N(0, 1 / n_in)`."""
    return Scheme("book:xavier")


@LIBRARY_NAMES.register("book:relu", "book:he", means="weight_init_std='relu' or 'he' of the book's program")
def book_relu() -> Scheme:
    """`N(0, 2 / n_in)`."""
    return Scheme("he")
