"""The schemes of a network: one for all weights, or others for the first and last layer and the biases."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, cast

from initlab.errors import require, shortened
from initlab.init.scheme import KernelShape, Place, Scheme, Shape, library_name
from initlab.nn.architecture import Role
from initlab.nn.arrays import FloatArray
from initlab.nn.streams import Purpose, stream
from initlab.registry import Argument

# The laws with independent entries that need no fan-out: a vector has no columns to be orthogonal or sparse.
BIAS_SCHEMES = ("zeros", "constant", "normal", "uniform", "truncated_normal", "classic")


@dataclass(frozen=True)
class Initialization:
    """The schemes of a network.

    Attributes:
        scheme: for the weights of every layer, except where `first` or `last` replaces it.
        first: for the weights of the first layer, whose inputs are the data.
        last: for the weights of the last layer, which gives the logits.
        bias: for all biases, besides those that belong to a scheme, as to `shift`; 0 by default. PyTorch's
            nn.Linear has `classic`, U(+-1 / sqrt(n_in)).
        words: how the person wrote it, for a reader; by default the text of the schemes.

    Raises:
        UsageError: when `first` or `last` looks at data, or when `bias` is not in `BIAS_SCHEMES`.

    >>> start = Initialization(Scheme("he"), last=Scheme("xavier"))
    >>> [str(start.of_layer(layer, 3)) for layer in range(3)]
    ['he', 'he', 'xavier']
    """

    scheme: Scheme
    _: KW_ONLY
    first: Scheme | None = None
    last: Scheme | None = None
    bias: Scheme | None = None
    words: str | None = None

    def __post_init__(self) -> None:
        for name, scheme in (("first", self.first), ("last", self.last)):
            message = f"{name}: {scheme} looks at data, for which it needs the whole network"
            require(scheme is None or not scheme.is_data_dependent, message)
        message = f"{self.bias} is not for biases; those are {', '.join(BIAS_SCHEMES)}"
        require(self.bias is None or self.bias.name in BIAS_SCHEMES, message)

    @classmethod
    def of(cls, given: "SchemeLike") -> "Initialization":
        """The initialization with one scheme for all layers; an `Initialization` is returned as it is.

        Another library's name keeps its words, and has the biases of that library's layer.

        Args:
            given: a text, a scheme, or a function of your own; see `initlab.scheme`.

        >>> str(Initialization.of("std=0.01")), Initialization.of("torch:linear").bias
        ('std=0.01', Scheme.parse('classic'))
        """
        if isinstance(given, Initialization):
            return given
        if isinstance(given, Scheme):
            return cls(given)
        if callable(given):
            return cls(Scheme.of(given))
        other: Any = given  # from a notebook, whatever the annotation says
        hint = f"; did you mean 'std={other}'?" if isinstance(other, int | float) else ""
        require(isinstance(other, str), f"a scheme is a text, as 'he', not {shortened(other)}{hint}")
        scheme, library = Scheme.parse(given), library_name(given)
        if library is None:
            return cls(scheme)
        bias = None if library.bias is None else Scheme.parse(library.bias)
        return cls(scheme, bias=bias, words=given.strip())

    def within(self, **network: Argument) -> "Initialization":
        """The schemes in a network; see `Scheme.within`. The place of a layer is known to `of_layer`."""
        settled: dict[str, Any] = {name: scheme.within(**network) for name, scheme in self._weights().items()}
        return replace(self, **settled)

    @property
    def open_arguments(self) -> set[str]:
        """The arguments that the schemes take from the network."""
        return {name for scheme in self._weights().values() for name in scheme.open_arguments}

    def _weights(self) -> dict[str, Scheme]:
        """The schemes of weights that are given."""
        schemes = {"scheme": self.scheme, "first": self.first, "last": self.last}
        return {name: scheme for name, scheme in schemes.items() if scheme is not None}

    def __str__(self) -> str:
        if self.words is not None:
            return self.words
        exceptions = {"first": self.first, "last": self.last, "bias": self.bias}
        parts = [f"{name} {scheme.short}" for name, scheme in exceptions.items() if scheme is not None]
        return ", ".join([self.scheme.short, *parts])

    def of_layer(self, layer: int, layers: int, role: Role = "plain") -> Scheme:
        """The scheme of the weights of one layer.

        Args:
            layer: from 0 to layers - 1.
            layers: the number of layers, with the last one that gives the logits.
            role: of the layer with regard to skip connections; in no branch by default.
        """
        return self._given(layer, layers).within(place=place_of(layer, layers), role=role)

    def _given(self, layer: int, layers: int) -> Scheme:
        if layer == layers - 1 and self.last is not None:
            return self.last
        return self.first if layer == 0 and self.first is not None else self.scheme

    def draw(
        self, seed: int, layer: int, layers: int, shape: Sequence[int], role: Role = "plain"
    ) -> tuple[FloatArray, FloatArray]:
        """The weights and the biases (n_out,) of one layer, in float64.

        Args:
            seed: the seed of the network.
            layer: from 0 to layers - 1.
            layers: the number of layers, with the last one that gives the logits.
            shape: of the weights, (n_in, n_out); or of a convolution's kernels, (channels, C, k, k).
            role: of the layer with regard to skip connections; in no branch by default.
        """
        if len(shape) == 4:
            W, b = self._draw(seed, self.of_layer(layer, layers, role), layer, KernelShape(shape))
            return W.T.reshape(shape), b
        return self._draw(seed, self.of_layer(layer, layers, role), layer, cast(Shape, shape))

    def _draw(self, seed: int, scheme: Scheme, layer: int, shape: Shape) -> tuple[FloatArray, FloatArray]:
        W = scheme.draw(stream(seed, Purpose.WEIGHTS, layer), shape)
        b = scheme.biases(W)
        if self.bias is not None:
            # One row of a whole draw, because `classic` needs n_in.
            b = b + self.bias.draw(stream(seed, Purpose.BIASES, layer), shape)[0]
        return W, b

    @property
    def sets_rates(self) -> bool:
        """Whether a scheme has learning rates of its own for each layer."""
        return any(scheme.sets_rates for scheme in self._weights().values())

    def rates(self, layer: int, layers: int, shape: Sequence[int], *, adaptive: bool) -> tuple[float, float]:
        """Factors of the learning rate of a layer's weights and of its biases.

        Args:
            layer: from 0 to layers - 1.
            layers: the number of layers, with the last one that gives the logits.
            shape: of the weights, (n_in, n_out) or (channels, C, k, k).
            adaptive: whether the optimizer rescales each gradient.
        """
        matrix = KernelShape(shape) if len(shape) == 4 else cast(Shape, shape)
        return self.of_layer(layer, layers).rates(matrix, adaptive=adaptive)

    @property
    def has_theory(self) -> bool:
        """Whether mean-field theory applies to all schemes."""
        schemes = (self.scheme, self.first, self.last, self.bias)
        return all(scheme.has_theory for scheme in schemes if scheme is not None)

    def variances(self, shapes: "list[Shape]") -> list[float]:
        """The variances of the weights of each layer, for the shapes (n_in, n_out) of all layers."""
        return [self.of_layer(i, len(shapes)).variance(shape) for i, shape in enumerate(shapes)]

    def bias_variance(self, shape: Shape) -> float:
        """The variance of the biases of a layer of shape (n_in, n_out)."""
        return 0.0 if self.bias is None else self.bias.variance(shape)


def place_of(layer: int, layers: int) -> Place:
    """The place of a layer: the first has the data as inputs, the last gives the logits.

    Args:
        layer: from 0 to layers - 1.
        layers: the number of layers, with the last one that gives the logits.

    >>> [place_of(layer, 3) for layer in range(3)], place_of(0, 1)
    (['first', 'hidden', 'last'], 'only')
    """
    if layers == 1:
        return "only"
    return "first" if layer == 0 else "last" if layer == layers - 1 else "hidden"


def as_initializations(schemes: "SchemeLike | Sequence[SchemeLike]") -> list[Initialization]:
    """One initialization for each scheme; a single scheme, too, is a list of one.

    Raises:
        UsageError: for an unknown scheme.

    >>> [str(start) for start in as_initializations("he")]
    ['he']
    """
    if not isinstance(schemes, Iterable) or isinstance(schemes, str):
        schemes = [schemes]
    return [Initialization.of(scheme) for scheme in schemes]


SchemeLike = str | Scheme | Initialization | Callable[..., FloatArray]
