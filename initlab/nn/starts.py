"""How a network begins: a scheme for its weights, others for the first and last layer, one for biases."""

from dataclasses import dataclass, replace

import numpy as np

from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray
from initlab.nn.initializers import Scheme
from initlab.nn.schemes import Shape
from initlab.nn.streams import Purpose, stream

# Those whose entries are drawn one by one: a bias has no orthogonal or sparse law.
BIAS_SCHEMES = ("zeros", "constant", "normal", "uniform", "truncated_normal", "classic")


@dataclass(frozen=True)
class Start:
    """The schemes of a network.

    Attributes:
        scheme: of the weights of all layers for which no other is given.
        first: of those of the first layer, whose inputs are the data.
        last: of those of the last one, which gives the logits.
        bias: of all biases; None for 0. PyTorch's nn.Linear has `classic`, U(+-1 / sqrt(n_in)).

    Raises:
        UsageError: when `first` or `last` looks at data, or the biases' scheme is none for biases.

    >>> start = Start(Scheme("he"), last=Scheme("xavier"))
    >>> [str(start.of_layer(layer, 3)) for layer in range(3)]
    ['he', 'he', 'xavier']
    """

    scheme: Scheme
    first: Scheme | None = None
    last: Scheme | None = None
    bias: Scheme | None = None

    def __post_init__(self) -> None:
        for name, scheme in (("first", self.first), ("last", self.last)):
            if scheme is not None and scheme.adapts:
                raise UsageError(f"{name}: {scheme} looks at data, for which it needs the whole network")
        if self.bias is not None and self.bias.name not in BIAS_SCHEMES:
            raise UsageError(f"{self.bias} is not for biases; those are {', '.join(BIAS_SCHEMES)}")

    @classmethod
    def of(cls, given: "str | Scheme | Start") -> "Start":
        """What is given, or a start from one scheme, which may be a text."""
        if isinstance(given, Start):
            return given
        return cls(given if isinstance(given, Scheme) else Scheme.parse(given))

    def within(self, activation: str) -> "Start":
        """With all that schemes leave to the network's activation; see `Scheme.within`."""
        told = {
            name: scheme.within(activation)
            for name, scheme in (("scheme", self.scheme), ("first", self.first), ("last", self.last))
            if scheme is not None
        }
        return replace(self, **told)

    def of_layer(self, layer: int, layers: int) -> Scheme:
        """The scheme of the weights of layer 0 ... layers - 1."""
        if layer == layers - 1 and self.last is not None:
            return self.last
        return self.first if layer == 0 and self.first is not None else self.scheme

    def draw(self, seed: int, layer: int, layers: int, shape: Shape) -> tuple[FloatArray, FloatArray]:
        """Weights (n_in, n_out) and biases (n_out,) of one layer."""
        W = self.of_layer(layer, layers).draw(stream(seed, Purpose.WEIGHTS, layer), shape)
        if self.bias is None:
            return W, np.zeros(shape[1])
        return W, self.bias.draw(stream(seed, Purpose.BIASES, layer), shape)[0]

    @property
    def has_theory(self) -> bool:
        """Whether mean-field theory speaks of it."""
        return all(
            one.has_theory for one in (self.scheme, self.first, self.last, self.bias) if one is not None
        )

    def variances(self, shapes: "list[Shape]") -> list[float]:
        """Of the weights of each layer."""
        return [self.of_layer(i, len(shapes)).variance(shape) for i, shape in enumerate(shapes)]

    def bias_variance(self, shape: Shape) -> float:
        """Of the biases of a layer."""
        return 0.0 if self.bias is None else self.bias.variance(shape)
