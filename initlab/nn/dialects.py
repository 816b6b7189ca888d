"""What other libraries call their initial weights: `torch:linear`, `keras:he_normal` -> a scheme of ours.

A dialect's entry is one function under `@dialect`: it takes the arguments that the library's function takes,
under their names there, and gives the scheme that draws from the same distribution. `Scheme.parse` reads
`torch:kaiming_normal(mode=fan_out)` wherever it reads a scheme. In all of them n_in is what they call fan_in
of a fully connected layer, and n_out fan_out, however they lay out the matrix.

What each library draws was read in its source: PyTorch 2.13 `nn/init.py`, Keras 3 `random_initializers.py`,
JAX 0.10 `nn/initializers.py`, Lasagne 0.2 `init.py`; tests hold the first three against their own draws.
"""

import math
from typing import Literal

from initlab.errors import UsageError
from initlab.nn.calls import Argument
from initlab.nn.schemes import DIALECTS, Scheme, dialect

__all__ = ["DIALECTS"]


def _scaling(**arguments: Argument) -> Scheme:
    """The scheme of variance scaling with these arguments, by a famous name where it has one."""
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


@dialect("torch:linear", means="the default of nn.Linear; its biases are drawn from the same range")
def torch_linear() -> Scheme:
    """`kaiming_uniform_(W, a=sqrt(5))`, which comes to `U(+-1 / sqrt(n_in))`: sigma_w^2 = 1/3, not 2."""
    return Scheme("classic")


@dialect("torch:uniform", "torch:uniform_", means="U(a, b)")
def torch_uniform(a: float = 0.0, b: float = 1.0) -> Scheme:
    """By default all weights are positive."""
    return _between(a, b)


def _between(low: float, high: float) -> Scheme:
    middle = (low + high) / 2
    return Scheme("uniform", {"bound": (high - low) / 2} | ({"mean": middle} if middle else {}))


@dialect("torch:normal", "torch:normal_", means="N(mean, std^2); std is 1 unless told")
def torch_normal(mean: float = 0.0, std: float = 1.0) -> Scheme:
    """Not truncated."""
    return _normal(mean, std)


def _normal(mean: float, std: float, name: str = "normal") -> Scheme:
    return Scheme(name, {"std": std} | ({"mean": mean} if mean else {}))


_NEVER_CUT = 6.0


@dialect(
    "torch:trunc_normal",
    "torch:trunc_normal_",
    means="N(0, std^2) cut at -2 and 2 themselves, not at 2 std: for std=0.02 nothing is ever cut",
)
def torch_trunc_normal(std: float = 1.0) -> Scheme:
    """The bounds a=-2 and b=2 are absolute; with std=1 they lie at two standard deviations."""
    if std == 1:
        return Scheme("truncated_normal", {"std": std})
    if std * _NEVER_CUT <= 2:
        return Scheme("normal", {"std": std})
    raise UsageError(
        f"torch:trunc_normal(std={std:g}) is cut at 2, {2 / std:.3g} standard deviations; "
        f"known here are std=1, and up to 1/{_NEVER_CUT:g}, where the cut does not matter"
    )


@dialect("torch:constant", "torch:constant_", means="all weights alike")
def torch_constant(val: float) -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": val})


@dialect("torch:zeros", "torch:zeros_", "keras:Zeros", "keras:zeros", "jax:zeros", means="all weights 0")
def zeros() -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("zeros")


@dialect("torch:ones", "torch:ones_", "keras:Ones", "keras:ones", "jax:ones", means="all weights 1")
def ones() -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": 1.0})


@dialect("torch:eye", "torch:eye_", means="the identity")
def torch_eye() -> Scheme:
    """Rectangular matrices are filled up with zeros."""
    return Scheme("identity")


@dialect(
    "torch:xavier_uniform", "torch:xavier_uniform_", means="Glorot's uniform; the gain multiplies the std"
)
def torch_xavier_uniform(gain: float = 1.0) -> Scheme:
    """`U(+-gain sqrt(6 / (n_in + n_out)))`."""
    return _scaling(fan="average", distribution="uniform", gain=gain)


@dialect(
    "torch:xavier_normal", "torch:xavier_normal_", means="Glorot's normal, not truncated as in Keras and JAX"
)
def torch_xavier_normal(gain: float = 1.0) -> Scheme:
    """`N(0, gain^2 2 / (n_in + n_out))`."""
    return _scaling(fan="average", gain=gain)


Nonlinearity = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


def calculate_gain(nonlinearity: str, a: float) -> float:
    """PyTorch's table: leaky ReLU's slope below zero is a, which is 0 by default and makes it ReLU's."""
    leaky = math.sqrt(2 / (1 + a * a))
    table = {"tanh": 5 / 3, "relu": math.sqrt(2), "leaky_relu": leaky, "selu": 3 / 4}
    return table.get(nonlinearity, 1.0)


def _kaiming(distribution: str, a: float, mode: str, nonlinearity: str) -> Scheme:
    squared = calculate_gain(nonlinearity, a) ** 2
    scale = 2.0 if math.isclose(squared, 2, rel_tol=1e-12) else squared
    return _scaling(scale=scale, fan=_FANS[mode], distribution=distribution)


@dialect(
    "torch:kaiming_uniform",
    "torch:kaiming_uniform_",
    means="He's uniform; by default for leaky ReLU with the slope a=0, which is ReLU",
)
def torch_kaiming_uniform(
    a: float = 0.0, mode: Mode = "fan_in", nonlinearity: Nonlinearity = "leaky_relu"
) -> Scheme:
    """`U(+-gain sqrt(3 / fan))`."""
    return _kaiming("uniform", a, mode, nonlinearity)


@dialect(
    "torch:kaiming_normal",
    "torch:kaiming_normal_",
    means="He's normal, not truncated as in Keras and JAX; mode=fan_out keeps gradients, not activations",
)
def torch_kaiming_normal(
    a: float = 0.0, mode: Mode = "fan_in", nonlinearity: Nonlinearity = "leaky_relu"
) -> Scheme:
    """`N(0, gain^2 / fan)`."""
    return _kaiming("normal", a, mode, nonlinearity)


def _gained(name: str, gain: float) -> Scheme:
    return Scheme(name, {"gain": gain} if gain != 1 else {})


@dialect("torch:orthogonal", "torch:orthogonal_", means="orthonormal rows or columns, times the gain")
def torch_orthogonal(gain: float = 1.0) -> Scheme:
    """Signs corrected, so uniform over all orthogonal matrices."""
    return _gained("orthogonal", gain)


@dialect(
    "torch:sparse",
    "torch:sparse_",
    means="sparsity is the fraction that is 0, among each input's weights; not so in Lasagne",
)
def torch_sparse(sparsity: float, std: float = 0.01) -> Scheme:
    """Per column of the (n_out, n_in) matrix."""
    return Scheme("sparse", {"nonzero": 1 - sparsity, "std": std, "per": "input"})


# Keras


@dialect(
    "keras:Dense",
    "keras:glorot_uniform",
    "keras:GlorotUniform",
    means="Glorot's uniform, the default of Dense",
)
def keras_glorot_uniform() -> Scheme:
    """`U(+-sqrt(6 / (n_in + n_out)))`; the biases of Dense are 0."""
    return Scheme("xavier_uniform")


_CUT = "a normal cut at two standard deviations, and widened so that its variance is right"


@dialect(
    "keras:glorot_normal",
    "keras:GlorotNormal",
    "jax:glorot_normal",
    "jax:xavier_normal",
    means=f"Glorot's, {_CUT}",
)
def glorot_normal() -> Scheme:
    """`Var W = 2 / (n_in + n_out)`."""
    return _scaling(fan="average", distribution="corrected_truncated_normal")


@dialect("keras:he_normal", "keras:HeNormal", "jax:he_normal", "jax:kaiming_normal", means=f"He's, {_CUT}")
def he_normal() -> Scheme:
    """`Var W = 2 / n_in`."""
    return _scaling(scale=2.0, distribution="corrected_truncated_normal")


@dialect("keras:lecun_normal", "keras:LecunNormal", "jax:lecun_normal", means=f"LeCun's, {_CUT}")
def lecun_normal() -> Scheme:
    """`Var W = 1 / n_in`."""
    return _scaling(distribution="corrected_truncated_normal")


@dialect("keras:he_uniform", "keras:HeUniform", "jax:he_uniform", "jax:kaiming_uniform", means="He's uniform")
def he_uniform() -> Scheme:
    """`U(+-sqrt(6 / n_in))`."""
    return Scheme("he_uniform")


@dialect("keras:lecun_uniform", "keras:LecunUniform", "jax:lecun_uniform", means="LeCun's uniform")
def lecun_uniform() -> Scheme:
    """`U(+-sqrt(3 / n_in))`."""
    return Scheme("lecun_uniform")


@dialect("jax:glorot_uniform", "jax:xavier_uniform", means="Glorot's uniform")
def jax_glorot_uniform() -> Scheme:
    """`U(+-sqrt(6 / (n_in + n_out)))`."""
    return Scheme("xavier_uniform")


@dialect(
    "keras:RandomNormal",
    "keras:random_normal",
    means="N(mean, stddev^2); stddev is 0.05 unless told, not 0.01",
)
def keras_random_normal(mean: float = 0.0, stddev: float = 0.05) -> Scheme:
    """Not truncated."""
    return _normal(mean, stddev)


@dialect("keras:RandomUniform", "keras:random_uniform", means="U(minval, maxval), +-0.05 unless told")
def keras_random_uniform(minval: float = -0.05, maxval: float = 0.05) -> Scheme:
    """Of variance 0.05^2 / 3 by default."""
    return _between(minval, maxval)


@dialect(
    "keras:TruncatedNormal",
    "keras:truncated_normal",
    means="a normal cut at two standard deviations and not widened: its std is 0.88 stddev",
)
def keras_truncated_normal(mean: float = 0.0, stddev: float = 0.05) -> Scheme:
    """Unlike its glorot_normal, he_normal and lecun_normal."""
    return _normal(mean, stddev, "truncated_normal")


KerasDistribution = Literal["truncated_normal", "untruncated_normal", "uniform"]


@dialect("keras:VarianceScaling", "keras:variance_scaling", means=f"scale / fan; by default {_CUT}")
def keras_variance_scaling(
    scale: float = 1.0, mode: KerasMode = "fan_in", distribution: KerasDistribution = "truncated_normal"
) -> Scheme:
    """`Var W = scale / fan` for all three distributions."""
    drawn = _UNTRUNCATED.get(distribution, "normal")
    return _scaling(scale=scale, fan=_FANS[mode], distribution=drawn)


@dialect("keras:Orthogonal", "keras:orthogonal", means="orthonormal rows or columns, times the gain")
def keras_orthogonal(gain: float = 1.0) -> Scheme:
    """Signs corrected."""
    return _gained("orthogonal", gain)


@dialect("keras:Constant", "keras:constant", means="all weights alike")
def keras_constant(value: float = 0.0) -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": value})


@dialect("keras:Identity", "keras:identity", means="the identity, times the gain")
def keras_identity(gain: float = 1.0) -> Scheme:
    """Rectangular matrices are filled up with zeros."""
    return _gained("identity", gain)


# JAX


@dialect("jax:normal", means="N(0, stddev^2); stddev is 0.01 unless told")
def jax_normal(stddev: float = 0.01) -> Scheme:
    """Not truncated."""
    return Scheme("normal", {"std": stddev})


@dialect("jax:uniform", means="U(0, scale), not U(-scale, scale): all weights are positive")
def jax_uniform(scale: float = 0.01) -> Scheme:
    """Of mean scale / 2."""
    return _between(0.0, scale)


@dialect(
    "jax:truncated_normal",
    means="a normal cut at two standard deviations and not widened: std is 0.88 stddev",
)
def jax_truncated_normal(stddev: float = 0.01) -> Scheme:
    """Unlike its glorot_normal, he_normal and lecun_normal."""
    return Scheme("truncated_normal", {"std": stddev})


JaxDistribution = Literal["truncated_normal", "normal", "uniform"]


@dialect("jax:variance_scaling", means=f"scale / fan; truncated_normal is {_CUT}")
def jax_variance_scaling(scale: float, mode: JaxMode, distribution: JaxDistribution) -> Scheme:
    """`Var W = scale / fan` for all three distributions."""
    drawn = _UNTRUNCATED.get(distribution, distribution)
    return _scaling(scale=scale, fan=_FANS[mode], distribution=drawn)


@dialect("jax:orthogonal", means="orthonormal rows or columns, times the scale")
def jax_orthogonal(scale: float = 1.0) -> Scheme:
    """Signs corrected."""
    return _gained("orthogonal", scale)


@dialect("jax:constant", means="all weights alike")
def jax_constant(value: float) -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": value})


# Lasagne

LasagneGain = float | Literal["relu"]


def _lasagne(gain: float | str, fan: str, distribution: str) -> Scheme:
    squared = 2.0 if gain == "relu" else float(gain) ** 2
    return _scaling(scale=squared, fan=fan, distribution=distribution)


@dialect(
    "lasagne:HeNormal",
    means="gain 1 by default: Var W = 1/n_in, which others call LeCun's; gain=relu is He's",
)
def lasagne_he_normal(gain: LasagneGain = 1.0) -> Scheme:
    """`N(0, gain^2 / n_in)`."""
    return _lasagne(gain, "in", "normal")


@dialect(
    "lasagne:HeUniform",
    means="gain 1 by default: Var W = 1/n_in, which others call LeCun's; gain=relu is He's",
)
def lasagne_he_uniform(gain: LasagneGain = 1.0) -> Scheme:
    """`U(+-gain sqrt(3 / n_in))`."""
    return _lasagne(gain, "in", "uniform")


@dialect("lasagne:GlorotNormal", means="Glorot's normal; the gain multiplies the std")
def lasagne_glorot_normal(gain: LasagneGain = 1.0) -> Scheme:
    """`N(0, gain^2 2 / (n_in + n_out))`."""
    return _lasagne(gain, "average", "normal")


@dialect("lasagne:GlorotUniform", "lasagne:DenseLayer", means="Glorot's uniform, the default of DenseLayer")
def lasagne_glorot_uniform(gain: LasagneGain = 1.0) -> Scheme:
    """`U(+-gain sqrt(6 / (n_in + n_out)))`."""
    return _lasagne(gain, "average", "uniform")


@dialect("lasagne:Normal", means="N(mean, std^2); std is 0.01 unless told")
def lasagne_normal(std: float = 0.01, mean: float = 0.0) -> Scheme:
    """Not truncated."""
    return _normal(mean, std)


@dialect("lasagne:Uniform", means="U(-range, range); with std, the uniform of that standard deviation")
def lasagne_uniform(range: float = 0.01, std: float = 0.0, mean: float = 0.0) -> Scheme:
    """`range` counts unless a `std` is given."""
    bound = math.sqrt(3) * std if std else range
    return Scheme("uniform", {"bound": bound} | ({"mean": mean} if mean else {}))


@dialect("lasagne:Constant", means="all weights alike, 0 unless told")
def lasagne_constant(val: float = 0.0) -> Scheme:
    """Symmetric: all units of a layer stay alike."""
    return Scheme("constant", {"value": val})


@dialect("lasagne:Orthogonal", means="orthonormal rows or columns, times the gain; there from an SVD")
def lasagne_orthogonal(gain: LasagneGain = 1.0) -> Scheme:
    """The factor U or V of a normal matrix's `U S V^T`, uniform as well."""
    return _gained("orthogonal", math.sqrt(2) if gain == "relu" else float(gain))


@dialect(
    "lasagne:Sparse",
    means="sparsity is the fraction that is not 0, of each unit's weights; in PyTorch that is 0",
)
def lasagne_sparse(sparsity: float = 0.1, std: float = 0.01) -> Scheme:
    """Per column of the (n_in, n_out) matrix."""
    return Scheme("sparse", {"nonzero": sparsity, "std": std})


# The book's program


@dialect("book:sigmoid", means="weight_init_std='sigmoid' or 'xavier' of the book's program: LeCun's rule")
def book_sigmoid() -> Scheme:
    """`N(0, 1 / n_in)`."""
    return Scheme("book:xavier")


@dialect("book:relu", "book:he", means="weight_init_std='relu' or 'he' of the book's program")
def book_relu() -> Scheme:
    """`N(0, 2 / n_in)`."""
    return Scheme("he")
