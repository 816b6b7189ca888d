"""Initial weight distributions: rng, (n_in, n_out), arguments -> W.

An initializer is one function `f(rng, shape, **arguments) -> W` under `@initializer`; written once, it is on
the command line, in the config, in `initlab schemes` and in the tests. A *scheme* is an initializer with its
arguments, as in `he` or `normal(std=0.01)`: `Scheme.parse` reads one, `Scheme.draw` draws from it.

Most famous names are one law, `variance_scaling`, with other constants. Weights have mean 0 and their spread
is told by n_in, the number of inputs of a unit (fan-in), and n_out, the number of units (fan-out).
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol, TypeVar, cast, get_args, get_origin

import numpy as np

from initlab.errors import UsageError, shortened, unknown_name
from initlab.nn.arrays import FloatArray

Shape = tuple[int, int]
Argument = float | str
Function = TypeVar("Function", bound=Callable[..., FloatArray])


class Draw(Protocol):
    """The signature of an initializer."""

    def __call__(self, rng: np.random.Generator, shape: Shape, /, **arguments: Any) -> FloatArray: ...


@dataclass(frozen=True)
class Initializer:
    """A registered initializer: name, function, formula and source as they are shown, and mean square."""

    name: str
    draw: Draw
    formula: str
    source: str
    variance: Callable[..., float] | None

    def defaults(self) -> dict[str, Any]:
        """Its arguments with their default values; `inspect.Parameter.empty` where one must be given."""
        return {name: parameter.default for name, parameter in self.parameters().items()}

    def required(self) -> list[str]:
        """The names of the arguments that must be given.

        >>> INITIALIZERS["normal"].required(), INITIALIZERS["he"].required()
        (['std'], [])
        """
        return [name for name, default in self.defaults().items() if default is inspect.Parameter.empty]

    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its arguments without the first two, which are the same for all: rng and shape."""
        parameters = inspect.signature(self.draw).parameters
        return {name: p for name, p in parameters.items() if name not in ("rng", "shape")}


INITIALIZERS: dict[str, Initializer] = {}
ALIASES: dict[str, str] = {}


def initializer(
    name: str,
    formula: str,
    source: str,
    variance: Callable[..., float] | None,
    also: tuple[str, ...] = (),
) -> Callable[[Function], Function]:
    """Register the decorated function (or partial) under a name and, in `also`, under its other names.

    `variance(shape, **arguments)` is that of the weights that it draws, by which theory knows it; None where
    they are not drawn independently with mean 0, and theory says nothing.
    """

    def register(draw: Function) -> Function:
        INITIALIZERS[name] = Initializer(name, cast(Draw, draw), formula, source, variance)
        ALIASES.update(dict.fromkeys(also, name))
        return draw

    return register


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


@dataclass(frozen=True)
class Scheme:
    """An initializer with its arguments.

    Attributes:
        name: the initializer's, as in `INITIALIZERS`.
        arguments: those that were given; the others keep their defaults.

    >>> Scheme("normal", {"std": 0.01})
    Scheme.parse('normal(std=0.01)')
    """

    name: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", ALIASES.get(self.name, self.name))
        if self.name not in INITIALIZERS:
            raise UsageError(unknown_name("scheme", self.name, [*INITIALIZERS, *ALIASES]))
        object.__setattr__(self, "arguments", _checked(INITIALIZERS[self.name], self.arguments))
        self.draw(np.random.default_rng(0), (2, 3))

    @classmethod
    def parse(cls, text: str, more: Mapping[str, Argument] | None = None) -> "Scheme":
        """Read `he`, `normal(std=0.01)`, or `std=0.01` for short.

        Args:
            text: the scheme as it is written.
            more: further arguments, beside those in the text.

        Raises:
            UsageError: for an unknown initializer or argument, or a value out of range.

        >>> str(Scheme.parse("std=1e-2")), str(Scheme.parse("glorot_normal"))
        ('normal(std=0.01)', 'xavier')
        """
        short = re.fullmatch(r"\s*std\s*=([^,()]*)", text)
        if short:
            return cls("normal", _merged({"std": _number(short.group(1).strip())}, more or {}))
        call = re.fullmatch(r"\s*([\w:]+)\s*(?:\(([^()]*)\))?\s*", text)
        if not call:
            raise UsageError(f"cannot read the scheme {shortened(text)}; write it like he or std=0.01")
        return cls(call.group(1), _merged(_arguments(call.group(2) or ""), more or {}))

    def draw(self, rng: np.random.Generator, shape: Shape) -> FloatArray:
        """Weights of the given shape (n_in, n_out), in float64."""
        return INITIALIZERS[self.name].draw(rng, shape, **self.arguments)

    @property
    def has_theory(self) -> bool:
        """Whether its weights are independent with mean 0, as mean-field theory supposes."""
        return INITIALIZERS[self.name].variance is not None

    def variance(self, shape: Shape) -> float:
        """The variance of the weights of this shape (n_in, n_out).

        Raises:
            UsageError: when the scheme has no theory.

        >>> Scheme("he").variance((100, 50))
        0.02
        """
        variance = INITIALIZERS[self.name].variance
        if variance is None:
            raise UsageError(f"{self} draws no independent weights; theory says nothing of it")
        return variance(shape, **self.arguments)

    @property
    def short(self) -> str:
        """As a reader would write it: `std=0.01` for `normal(std=0.01)`.

        >>> Scheme("normal", {"std": 0.01}).short
        'std=0.01'
        """
        if self.name == "normal":
            return f"std={_text(self.arguments['std'])}"
        return str(self)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        if not self.arguments:
            return self.name
        given = ", ".join(f"{name}={_text(value)}" for name, value in self.arguments.items())
        return f"{self.name}({given})"

    def __repr__(self) -> str:
        return f"Scheme.parse({str(self)!r})"


def _text(value: Argument) -> str:
    return value if isinstance(value, str) else f"{value!r}".removesuffix(".0")


def _number(text: str) -> Argument:
    try:
        return float(text)
    except ValueError:
        return text


def _arguments(text: str) -> dict[str, Argument]:
    arguments: dict[str, Argument] = {}
    for part in filter(str.strip, text.split(",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name in arguments:
            raise UsageError(f"cannot read {shortened(part.strip())}; write name=value, each name once")
        arguments[name] = _number(value)
    return arguments


def _merged(given: Mapping[str, Argument], more: Mapping[str, Argument]) -> dict[str, Argument]:
    for name in more:
        _require(name not in given, f"{name} is given twice")
    return {**given, **more}


def _checked(initializer: Initializer, given: Mapping[str, Argument]) -> dict[str, Argument]:
    """The given arguments in the order of the signature, each of the type that it asks for."""
    parameters = initializer.parameters()
    for name in given:
        if name not in parameters:
            raise UsageError(unknown_name(f"argument of {initializer.name}", name, parameters))
    for name in initializer.required():
        if name not in given:
            raise UsageError(f"{initializer.name} needs {name}, as in {initializer.name}({name}=0.1)")
    return {name: _typed(name, given[name], p.annotation) for name, p in parameters.items() if name in given}


def _typed(name: str, value: Argument, annotation: Any) -> Argument:
    if get_origin(annotation) is Literal:
        if value not in get_args(annotation):
            raise UsageError(unknown_name(name, str(value), get_args(annotation)))
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{name} must be a finite number, not {shortened(value)}")
    return float(value)
