"""Schemes: a text like `normal(std=0.01)` -> a law with its arguments -> weights.

A *law* is one function `f(rng, shape, **arguments) -> W`, registered in `SCHEMES`. A *scheme* is a law with
its arguments: a value that we can compare, write as text, and draw from. The laws are in `schemes` and
`structured`, those that look at data in `data_dependent` and `pretraining`, and other libraries' names in
`libraries`.
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal, Protocol, cast

import numpy as np

from initlab.errors import UsageError, is_whole, require, shortened, unknown_name
from initlab.nn.arrays import FloatArray
from initlab.own_code import installed, is_reference, shown
from initlab.registry import (
    Argument,
    Parameters,
    Registry,
    checked_arguments,
    parameters_of,
    read_call,
    read_number,
    required_of,
    written_call,
    written_value,
)

Shape = tuple[int, int]


class KernelShape(tuple[int, int]):
    """The shape (C k k, channels) of a convolution's kernels, written as a matrix with a column for each.

    Every law thus draws kernels too. Its n_in is C k k, the inputs of a unit; the fan-out, channels k k,
    counts the units that a pixel reaches.

    Args:
        kernels: the shape (channels, C, k, k), or (channels, C, k) for a convolution along one axis.

    >>> KernelShape((16, 3, 5, 5)), KernelShape((16, 3, 5, 5)).kernels
    ((75, 16), (16, 3, 5, 5))
    """

    kernels: tuple[int, ...]

    def __new__(cls, kernels: Sequence[int]) -> "KernelShape":
        """The matrix's shape."""
        channels, *patch = kernels
        shape = super().__new__(cls, (math.prod(patch), channels))
        shape.kernels = tuple(kernels)
        return shape

    def kernels_of(self, W: FloatArray) -> FloatArray:
        """The kernels (channels, C, k, k) that stand in the columns of a matrix (C k k, channels)."""
        return np.ascontiguousarray(W.T).reshape(self.kernels)


def matrix_shape(shape: Sequence[int]) -> Shape:
    """The shape of the matrix as which a law draws weights: a `KernelShape` for kernels.

    Args:
        shape: (n_in, n_out), or (channels, C, k, k).

    Raises:
        UsageError: for another shape.

    >>> matrix_shape((100, 50)), matrix_shape((16, 3, 5, 5))
    ((100, 50), (75, 16))
    """
    if isinstance(shape, KernelShape):
        return shape
    given: Any = shape  # from a notebook, whatever the annotation says
    readable = isinstance(given, Sequence) and len(given) > 1 and all(is_whole(n) and n > 0 for n in given)
    require(readable, f"a shape is (n_in, n_out) or (channels, C, k, k), not {shortened(given)}")
    return KernelShape(shape) if len(shape) > 2 else (shape[0], shape[1])


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """The fan-in and the fan-out of weights.

    Args:
        shape: (n_in, n_out), or (channels, C, k, k).

    >>> fans((100, 50)), fans((16, 3, 5, 5))
    ((100, 50), (75, 400))
    """
    n_in, n_out = matrix = matrix_shape(shape)
    return n_in, n_out * math.prod(matrix.kernels[2:]) if isinstance(matrix, KernelShape) else n_out


Own = Literal["own"]
OWN: Own = "own"  # the default of an argument that a law takes from its network; see `Scheme.within`
Place = Literal["first", "hidden", "last", "only"]  # of a layer
# What a law may take from its network, with an example of each.
_EXAMPLES: dict[str, Argument] = {
    "activation": "tanh",
    "depth": 10,
    "place": "hidden",
    "input_square": 1.0,
    "role": "plain",
    "blocks": 10,
    "every": 2,
}


NEEDS_BRANCHES = "is for residual networks: give yours skip connections"


class Draw(Protocol):
    """The signature of a law's function."""

    def __call__(self, rng: np.random.Generator, shape: Shape, /, **arguments: Any) -> FloatArray: ...


@dataclass(frozen=True, kw_only=True)
class Law:
    """A distribution of weights.

    Attributes:
        name: the name in `SCHEMES`.
        draw: the function that draws weights.
        formula: the distribution in plain text, for `initlab schemes`.
        source: where it was published, for `initlab schemes`.
        variance: `variance(shape, **arguments)` is the variance of the weights, from which theory predicts;
            None where theory does not apply because the weights are correlated or do not have mean 0.
        also: other names of the same law.
        biases: `biases(W, **arguments)` are the biases (n_out,) that belong to drawn weights; None for most
            laws, whose biases are 0.
        branch_scale: where the learned scale of each residual branch begins; None for most laws, 1.
        rates: `rates(shape, adaptive, **arguments)` gives factors of the learning rate of a layer's weights
            and of its biases, for an optimizer that rescales each gradient (`adaptive`) or not; None for most
            laws, which leave the rate alone.
        adapt: the function that changes drawn weights after it looked at data; None for most laws. See
            `data_dependent`.
        is_for_perceptrons: whether it takes dense layers alone, one behind the other.
        only_activation: the only activation function that it suits; empty for most laws, which suit all.
    """

    name: str
    draw: Draw
    formula: str
    source: str
    variance: Callable[..., float | None]
    also: tuple[str, ...] = ()
    biases: Callable[..., FloatArray] | None = None
    branch_scale: float | None = None
    rates: Callable[..., tuple[float, float]] | None = None
    adapt: Callable[..., int] | None = None
    is_for_perceptrons: bool = False
    only_activation: str = ""

    def parameters(self) -> Parameters:
        """The parameters of the law, without rng and shape, which all laws have."""
        law: Any = self.adapt or self.draw
        return parameters_of(law)

    def required(self) -> list[str]:
        """The names of the parameters without a default.

        >>> SCHEMES["normal"].required(), SCHEMES["he"].required()
        (['std'], [])
        """
        return required_of(self.parameters())


def _unknown(_shape: Shape, **_arguments: Any) -> None:
    """The variance of a law to which theory does not apply."""
    return


def _law(*, name: str, function: Draw, also: tuple[str, ...] = (), **attributes: Any) -> Law:
    """Build the entry of `SCHEMES` for a function that draws weights."""
    ALIASES.update(dict.fromkeys(also, name))
    return Law(name=name, draw=function, also=also, **{"variance": _unknown, **attributes})


SCHEMES: Registry[Law] = Registry("scheme", _law, lists="initlab schemes")
ALIASES: dict[str, str] = {}


@dataclass(frozen=True)
class Scheme:
    """A law with its arguments.

    Args:
        name: as `initlab schemes` lists it, or an alias.
        arguments: the arguments that differ from their defaults.

    Raises:
        UsageError: for an unknown law or argument, or a value out of range.

    >>> Scheme("normal", {"std": 0.01})
    Scheme.parse('normal(std=0.01)')
    """

    name: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(isinstance(self.name, str), f"a scheme's name must be a text, not {shortened(self.name)}")
        readable = isinstance(self.arguments, Mapping)
        require(readable, f"a scheme's arguments must be a dict, not {shortened(self.arguments)}")
        object.__setattr__(self, "name", _known(ALIASES.get(self.name, self.name)))
        checked = checked_arguments(self.name, self._law.parameters(), self.arguments)
        object.__setattr__(self, "arguments", checked)
        # A tiny draw refuses values out of range now, rather than when the first network is drawn.
        self._draw_any(np.random.default_rng(0), (2, 3))

    @classmethod
    def of(cls, function: Callable[..., FloatArray], **arguments: Argument) -> "Scheme":
        """The scheme of your own function, with its arguments.

        Args:
            function: `f(rng, shape, ...) -> W`; see `initlab.scheme`.
            arguments: those that differ from their defaults.

        Raises:
            UsageError: for a function that does not draw such weights, or an unknown argument.

        >>> def flat(rng, shape, bound=1.0):
        ...     return rng.uniform(-bound, bound, shape)
        >>> Scheme.of(flat, bound=0.1).short
        'flat(bound=0.1)'
        """
        return cls(SCHEMES.resolve(function), arguments)

    @classmethod
    def parse(cls, text: str, more: Mapping[str, Argument] | None = None) -> "Scheme":
        """The scheme that a text like `he`, `normal(std=0.01)`, or in short `std=0.01`, stands for.

        A text like `./mine.py:f(a=2)` runs the code of that file.

        Args:
            text: the scheme as the user wrote it.
            more: further arguments, besides those in the text.

        Raises:
            UsageError: for an unknown law or argument, a value out of range, or code that fails.

        >>> str(Scheme.parse("std=1e-2")), str(Scheme.parse("glorot_normal"))
        ('normal(std=0.01)', 'xavier')
        """
        # A file may have changed since it was read.
        return _read(text, more or {}) if more or is_reference(text) else _parse(text)

    @property
    def _law(self) -> Law:
        return SCHEMES[self.name]

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> FloatArray:
        """Weights of a shape, in float64.

        Args:
            rng: the generator to draw from.
            shape: (n_in, n_out) of a dense layer, or (channels, C, k, k) of kernels. The fans of kernels are
                C k k and channels k k, and each kernel is a unit: a column of the matrix that the law draws.

        Raises:
            UsageError: for another shape, or when the scheme takes arguments from a network; see `within`.

        >>> Scheme("normal", {"std": 0.01}).draw(np.random.default_rng(0), (784, 100)).std().round(3).item()
        0.01
        >>> kernels = Scheme("orthogonal").draw(np.random.default_rng(0), (16, 3, 5, 5)).reshape(16, 75)
        >>> bool(np.allclose(kernels @ kernels.T, np.eye(16)))
        True
        """
        matrix = matrix_shape(shape)
        W = self._law.draw(rng, matrix, **self._settled())
        return W if len(shape) == 2 else cast(KernelShape, matrix).kernels_of(W)

    def biases(self, W: FloatArray) -> FloatArray:
        """The biases (n_out,) that belong to drawn weights; 0 for most schemes.

        Args:
            W: drawn by this scheme, (n_in, n_out), or (channels, C, k, k).

        Raises:
            UsageError: when the scheme takes arguments from a network.
        """
        W = W if W.ndim == 2 else W.reshape(len(W), -1).T
        return np.zeros(W.shape[1]) if self._law.biases is None else self._law.biases(W, **self._settled())

    def _draw_any(self, rng: np.random.Generator, shape: Shape) -> FloatArray:
        """The same in some network."""
        return self.within(**_EXAMPLES).draw(rng, shape)

    def within(self, **network: Argument) -> "Scheme":
        """The scheme in a network, from which some laws take arguments that the scheme leaves open.

        Args:
            network: what is known of it, of `activation`, `depth` (hidden layers), `place` and `role` (of the
                layer), `blocks` (residual branches), `every` (layers of a branch) and `input_square` (the
                mean square of the inputs).

        >>> Scheme("critical").within(activation="relu"), Scheme("he").within(activation="relu")
        (Scheme.parse('critical(activation=relu)'), Scheme.parse('he'))
        """
        taken = {name: network[name] for name in self.open_arguments if name in network}
        return Scheme(self.name, {**self.arguments, **taken}) if taken else self

    @cached_property
    def open_arguments(self) -> list[str]:
        """The arguments that the scheme takes from its network."""
        parameters = self._law.parameters().items()
        return [name for name, p in parameters if p.default == OWN and self.arguments.get(name, OWN) == OWN]

    @property
    def needs_branches(self) -> bool:
        """Whether the scheme takes from its network what skip connections alone give."""
        return bool({"blocks", "every"} & set(self.open_arguments))

    def _settled(self) -> Mapping[str, Argument]:
        """The arguments, of which none is left open."""
        if self.open_arguments:
            require(not self.needs_branches, f"{self.name} {NEEDS_BRANCHES}")
            examples = {name: _EXAMPLES[name] for name in self.open_arguments}
            raise UsageError(
                f"{self.name} alone depends on the network; write {written_call(self.name, examples)}"
            )
        return self.arguments

    @property
    def is_data_dependent(self) -> bool:
        """Whether the scheme looks at data."""
        return self._law.adapt is not None

    @property
    def is_for_perceptrons(self) -> bool:
        """Whether the scheme takes dense layers alone, one behind the other."""
        return self._law.is_for_perceptrons

    @property
    def only_activation(self) -> str:
        """The only activation function that the scheme suits; empty for all."""
        return self._law.only_activation

    @property
    def branch_scale(self) -> float | None:
        """Where the learned scale of each residual branch begins, for a scheme that says so."""
        return self._law.branch_scale

    def rates(self, shape: Sequence[int], *, adaptive: bool) -> tuple[float, float]:
        """Factors of the learning rate of a layer's weights and of its biases; 1 for most schemes.

        Args:
            shape: of the layer's weights, (n_in, n_out) or (channels, C, k, k).
            adaptive: whether the optimizer rescales each gradient, as Adam does.

        >>> Scheme("mup").within(place="last").rates((128, 10), adaptive=False)
        (0.5, 1.0)
        """
        if self._law.rates is None:
            return 1.0, 1.0
        return self._law.rates(matrix_shape(shape), adaptive, **self._settled())

    @property
    def sets_rates(self) -> bool:
        """Whether the scheme has learning rates of its own for each layer."""
        return self._law.rates is not None

    @property
    def has_theory(self) -> bool:
        """Whether the weights are uncorrelated with mean 0, as mean-field theory assumes."""
        return self.within(**_EXAMPLES)._variance((1, 1)) is not None

    def variance(self, shape: Sequence[int]) -> float:
        """The variance of the weights.

        Args:
            shape: (n_in, n_out), or (channels, C, k, k).

        Raises:
            UsageError: for another shape, or when the scheme has no theory.

        >>> Scheme("he").variance((100, 50)), Scheme("he").variance((16, 4, 5, 5))
        (0.02, 0.02)
        """
        variance = self._variance(shape)
        if variance is None:
            raise UsageError(
                f"theory says nothing of {self}: its weights are correlated or do not have mean 0"
            )
        return variance

    def _variance(self, shape: Sequence[int]) -> float | None:
        return self._law.variance(matrix_shape(shape), **self._settled())

    @property
    def short(self) -> str:
        """The shortest text, for a reader: `std=0.01` for `normal(std=0.01)`, and no digest of own code.

        >>> Scheme("normal", {"std": 0.01}).short
        'std=0.01'
        """
        if self.name == "normal" and set(self.arguments) == {"std"}:
            return f"std={written_value(self.arguments['std'])}"
        return shown(str(self))

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return written_call(self.name, self.arguments)

    def __repr__(self) -> str:
        return f"Scheme.parse({str(self)!r})"


def _known(name: str) -> str:
    """The registered name of a scheme; an unknown one is refused with all names, aliases too."""
    if name in SCHEMES:
        return name
    if name not in installed("scheme"):
        names = [*SCHEMES, *ALIASES, *installed("scheme")]
        raise UsageError(unknown_name("scheme", name, names, SCHEMES.lists))
    return SCHEMES.known(name)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Scheme:
    """The scheme of a text, read once: a scheme is a value, and a grid repeats its text for every run."""
    return _read(text, {})


def _read(text: str, more: Mapping[str, Argument]) -> Scheme:
    require(isinstance(text, str), f"the scheme must be a text, not {shortened(text)}")
    if isinstance(read_number(text), float):
        raise UsageError(f"cannot read the scheme {shortened(text)}; did you mean std={text.strip()}?")
    short = re.fullmatch(r"\s*std\s*=([^,()]*)", text)
    name, given = read_call("scheme", f"normal({text})" if short else text)
    arguments = _merged(given, more)
    if is_reference(name):
        return Scheme(SCHEMES.resolve(name), arguments)
    if name in ALIASES or name in SCHEMES or ":" not in name:
        return Scheme(name, arguments)
    return _translated(name, arguments)


def _merged(given: Mapping[str, Argument], more: Mapping[str, Argument]) -> dict[str, Argument]:
    for name in more:
        require(name not in given, f"{name} is given twice: in the scheme's own arguments, and beside them")
    return {**given, **more}


@dataclass(frozen=True, kw_only=True)
class LibraryName:
    """A name of another library.

    Attributes:
        name: the name with its library, `torch:linear`.
        translate: a function from the library's arguments to a scheme.
        means: what the name draws, in plain words, above all where it may surprise.
        bias: the scheme of the biases, for a name of a whole layer; None for one of weights alone.
    """

    name: str
    translate: Callable[..., Scheme]
    means: str
    bias: str | None = None

    def parameters(self) -> Parameters:
        """The parameters of the library's function."""
        return dict(inspect.signature(self.translate).parameters)

    def required(self) -> list[str]:
        """The names of the parameters without a default."""
        return required_of(self.parameters())


def _library_name(
    *, name: str, function: Callable[..., Scheme], means: str, bias: str | None = None
) -> LibraryName:
    return LibraryName(name=name, translate=function, means=means, bias=bias)


LIBRARY_NAMES: Registry[LibraryName] = Registry("scheme", _library_name)


def library_name(text: str) -> LibraryName | None:
    """The entry of another library's name, perhaps with arguments; None for any other text.

    >>> library_name("torch:linear").bias, library_name("he")
    ('classic', None)
    """
    return LIBRARY_NAMES.get(text.partition("(")[0].strip())


def _translated(name: str, arguments: Mapping[str, Argument]) -> Scheme:
    """The scheme that another library's name stands for."""
    if name not in LIBRARY_NAMES:
        library = name.partition(":")[0]
        siblings = [sibling for sibling in (*LIBRARY_NAMES, *SCHEMES) if sibling.startswith(f"{library}:")]
        libraries = {entry.partition(":")[0] for entry in LIBRARY_NAMES}
        accepted, lists = (
            siblings or [f"{entry}:..." for entry in libraries],
            f"{SCHEMES.lists} --source {library}",
        )
        raise UsageError(unknown_name("scheme", name, accepted, lists))
    entry = LIBRARY_NAMES[name]
    return entry.translate(**checked_arguments(name, entry.parameters(), arguments))
