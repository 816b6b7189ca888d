"""Schemes: a text like `normal(std=0.01)` -> an initializer with its arguments -> weights.

The initializers themselves are in `initializers`, which fills `INITIALIZERS`, and what other libraries call
theirs in `dialects`, which fills `DIALECTS`; import from `initializers`.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from initlab.errors import UsageError, unknown_name
from initlab.nn.arrays import FloatArray
from initlab.nn.calls import Argument, checked_arguments, parameters_of, read_call, required_of

Shape = tuple[int, int]
OWN = "own"
Function = TypeVar("Function", bound=Callable[..., FloatArray])
Translate = Callable[..., "Scheme"]


class Signature(Protocol):
    """What can be asked of a name that takes arguments."""

    @property
    def name(self) -> str: ...

    def parameters(self) -> dict[str, inspect.Parameter]: ...

    def required(self) -> list[str]: ...


class Draw(Protocol):
    """The signature of an initializer."""

    def __call__(self, rng: np.random.Generator, shape: Shape, /, **arguments: Any) -> FloatArray: ...


@dataclass(frozen=True)
class Initializer:
    """A registered initializer.

    Attributes:
        name, draw: its name and its function.
        formula, source: as they are shown.
        variance: `variance(shape, **arguments)` is that of the weights; None where theory says nothing.
        adapt: what is done to drawn weights when data is seen; see `adaptive`.
    """

    name: str
    draw: Draw
    formula: str
    source: str
    variance: Callable[..., float | None]
    adapt: Callable[..., int] | None = None

    def defaults(self) -> dict[str, Any]:
        """Its arguments with their default values; `inspect.Parameter.empty` where one must be given."""
        return {name: parameter.default for name, parameter in self.parameters().items()}

    def required(self) -> list[str]:
        """The names of the arguments that must be given.

        >>> from initlab.nn.initializers import INITIALIZERS
        >>> INITIALIZERS["normal"].required(), INITIALIZERS["he"].required()
        (['std'], [])
        """
        return required_of(self.parameters())

    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its arguments without those that are the same for all, like rng and shape."""
        return parameters_of(self.adapt or self.draw)


INITIALIZERS: dict[str, Initializer] = {}
ALIASES: dict[str, str] = {}


def initializer(
    name: str,
    formula: str,
    source: str,
    variance: Callable[..., float | None],
    also: tuple[str, ...] = (),
) -> Callable[[Function], Function]:
    """Register the decorated function (or partial) under a name and, in `also`, under its other names.

    `variance(shape, **arguments)` is that of the weights that it draws, by which theory knows it; None where
    they are not uncorrelated with mean 0, and theory says nothing.
    """

    def register(draw: Function) -> Function:
        INITIALIZERS[name] = Initializer(name, cast(Draw, draw), formula, source, variance)
        ALIASES.update(dict.fromkeys(also, name))
        return draw

    return register


@dataclass(frozen=True)
class Scheme:
    """An initializer with its arguments.

    Attributes:
        name: the initializer's, as in `INITIALIZERS`.
        arguments: those that were given; the others keep their defaults.

    >>> from initlab.nn.initializers import Scheme
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
        self.within("tanh").draw(np.random.default_rng(0), (2, 3))

    @classmethod
    def parse(cls, text: str, more: Mapping[str, Argument] | None = None) -> "Scheme":
        """Read `he`, `normal(std=0.01)`, or `std=0.01` for short.

        Args:
            text: the scheme as it is written.
            more: further arguments, beside those in the text.

        Raises:
            UsageError: for an unknown initializer or argument, or a value out of range.

        >>> from initlab.nn.initializers import Scheme
        >>> str(Scheme.parse("std=1e-2")), str(Scheme.parse("glorot_normal"))
        ('normal(std=0.01)', 'xavier')
        """
        short = re.fullmatch(r"\s*std\s*=([^,()]*)", text)
        if short:
            return cls("normal", _merged(read_call("scheme", f"normal({text})")[1], more or {}))
        name, given = read_call("scheme", text)
        arguments = _merged(given, more or {})
        if name in ALIASES or name in INITIALIZERS or ":" not in name:
            return cls(name, arguments)
        return _translated(name, arguments)

    def draw(self, rng: np.random.Generator, shape: Shape) -> FloatArray:
        """Weights of the given shape (n_in, n_out), in float64.

        Raises:
            UsageError: when the scheme is left to a network's activation; see `within`.
        """
        return INITIALIZERS[self.name].draw(rng, shape, **self.arguments)

    def within(self, activation: str) -> "Scheme":
        """The scheme in a network of this activation, which tells what `critical` leaves open.

        >>> from initlab.nn.initializers import Scheme
        >>> Scheme("critical").within("relu")
        Scheme.parse('critical(activation=relu)')
        """
        return Scheme(self.name, {**self.arguments, "activation": activation}) if self.is_open else self

    @property
    def is_open(self) -> bool:
        """Whether it depends on a network's activation, which it does not tell."""
        parameter = INITIALIZERS[self.name].parameters().get("activation")
        return parameter is not None and parameter.default == OWN and "activation" not in self.arguments

    @property
    def adapts(self) -> bool:
        """Whether it looks at data."""
        return INITIALIZERS[self.name].adapt is not None

    @property
    def has_theory(self) -> bool:
        """Whether its weights are uncorrelated with mean 0, as mean-field theory supposes."""
        return self.within("tanh")._variance((1, 1)) is not None

    def variance(self, shape: Shape) -> float:
        """The variance of the weights of this shape (n_in, n_out).

        Raises:
            UsageError: when the scheme has no theory.

        >>> from initlab.nn.initializers import Scheme
        >>> Scheme("he").variance((100, 50))
        0.02
        """
        variance = self._variance(shape)
        if variance is None:
            raise UsageError(f"{self} draws no uncorrelated weights with mean 0; theory says nothing of it")
        return variance

    def _variance(self, shape: Shape) -> float | None:
        return INITIALIZERS[self.name].variance(shape, **self.arguments)

    @property
    def short(self) -> str:
        """As a reader would write it: `std=0.01` for `normal(std=0.01)`.

        >>> from initlab.nn.initializers import Scheme
        >>> Scheme("normal", {"std": 0.01}).short
        'std=0.01'
        """
        if self.name == "normal" and set(self.arguments) == {"std"}:
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


@dataclass(frozen=True)
class Dialect:
    """One name of another library.

    Attributes:
        name: as it is written here, `torch:linear`.
        translate: from the library's arguments to a scheme.
        means: what it draws, or what the library does with it, in plain words; traps above all.
    """

    name: str
    translate: Callable[..., Scheme]
    means: str

    def parameters(self) -> dict[str, inspect.Parameter]:
        """The arguments that it takes."""
        return dict(inspect.signature(self.translate).parameters)

    def required(self) -> list[str]:
        """The names of the arguments that must be given."""
        return required_of(self.parameters())


DIALECTS: dict[str, Dialect] = {}


def dialect(*names: str, means: str) -> Callable[[Translate], Translate]:
    """Register the decorated function under the given names."""

    def register(translate: Callable[..., Scheme]) -> Translate:
        DIALECTS.update({name: Dialect(name, translate, means) for name in names})
        return translate

    return register


def _translated(name: str, arguments: Mapping[str, Argument]) -> Scheme:
    """The scheme that another library's name stands for."""
    if name not in DIALECTS:
        library, _, _ = name.partition(":")
        siblings = [known for known in (*DIALECTS, *INITIALIZERS) if known.startswith(f"{library}:")]
        libraries = sorted({known.partition(":")[0] for known in DIALECTS})
        known = siblings or [f"{one}:..." for one in libraries]
        raise UsageError(unknown_name("scheme", name, known))
    return DIALECTS[name].translate(**_checked(DIALECTS[name], arguments))


def _text(value: Argument) -> str:
    return value if isinstance(value, str) else f"{value!r}".removesuffix(".0")


def _merged(given: Mapping[str, Argument], more: Mapping[str, Argument]) -> dict[str, Argument]:
    for name in more:
        if name in given:
            raise UsageError(f"{name} is given twice")
    return {**given, **more}


def _checked(known: Signature, given: Mapping[str, Argument]) -> dict[str, Any]:
    return checked_arguments(known.name, known.parameters(), given)
