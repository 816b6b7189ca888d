"""The grid of the explorer: families of schemes, activations, depths, widths, skips -> its points."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from initlab.init.scheme import Scheme

# Off the grid, a network of so many layers, units of each, and units in all takes about two seconds.
DEEPEST, WIDEST, MOST_UNITS = 50, 300, 2000


@dataclass(frozen=True, kw_only=True)
class Family:
    """Schemes that differ in one number, the steps of a slider.

    Attributes:
        name: as the page shows it.
        number: what the slider changes; empty for a scheme without arguments.
        values: of the number, rising.
        schemes: the text of each.
        usual: the place of the one with which the page begins.
    """

    name: str
    number: str = ""
    values: tuple[float, ...] = ()
    schemes: tuple[str, ...]
    usual: int = 0

    @classmethod
    def of(cls, name: str, scheme: str, number: str, values: Sequence[float], usual: float) -> "Family":
        """A scheme with a number in it; with the usual one, a scheme is called by its name alone.

        Args:
            name: as the page shows it.
            scheme: its text, in which `{}` stands for the number.
            number: what the number is.
            values: that it has, rising.
            usual: the one with which the page begins.

        >>> Family.of("He", "he(scale={})", "n Var W", (1, 2), 2).schemes
        ('he(scale=1)', 'he')
        """
        texts = [scheme.format(f"{value:g}") for value in values]
        where = list(values).index(usual)
        texts[where] = texts[where].partition("(")[0]
        return cls(name=name, number=number, values=tuple(values), schemes=tuple(texts), usual=where)


FAMILIES = (
    Family(name="zeros", schemes=("zeros",)),
    Family.of("normal", "std={}", "standard deviation", (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1), 0.01),
    Family.of("Xavier", "xavier(scale={})", "variance x inputs", (0.25, 0.5, 1, 2, 4), 1),
    Family.of("He", "he(scale={})", "variance x inputs", (0.5, 1, 2, 4, 8), 2),
    Family.of("orthogonal", "orthogonal(gain={})", "gain", (0.5, 0.7, 1, 1.4, 2), 1),
    Family(name="auto", schemes=("auto",)),
)


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """How much is drawn, shown and trained at each point.

    Attributes:
        vectors: from N(0, 1), for the histograms.
        bins: of a histogram.
        images: of MNIST, for the diagnosis.
        seeds: networks drawn for the diagnosis.
        steps, batch_size, optimizer, rate: of the training.
        tested: test images on which the accuracy is taken.
    """

    vectors: int = 300
    bins: int = 20
    images: int = 100
    seeds: int = 3
    steps: int = 100
    batch_size: int = 32
    optimizer: str = "sgd"
    rate: float = 0.1
    tested: int = 1000


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the networks of a few points have in common.

    Attributes:
        activation: by name.
        depth, width: hidden layers, and units of each.
        skip: how many layers a branch has; None without skip connections.
    """

    activation: str
    depth: int
    width: int
    skip: int | None

    @property
    def hidden(self) -> str:
        """The hidden layers, as options and `train` write them."""
        return f"{self.width}x{self.depth}"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """All points of a page.

    Attributes:
        families: of schemes.
        activations: by name.
        depths, widths: hidden layers, and units of each.
        skips: how many layers a branch has; None for no skip connections.
        measuring: how each point is measured.
    """

    families: tuple[Family, ...] = FAMILIES
    activations: tuple[str, ...] = ("sigmoid", "tanh", "relu")
    depths: tuple[int, ...] = (2, 5, 10, 20)
    widths: tuple[int, ...] = (30, 100)
    skips: tuple[int | None, ...] = (None, 2)
    measuring: Measuring = Measuring()

    @property
    def schemes(self) -> list[str]:
        """The texts of all schemes, family by family."""
        return [scheme for family in self.families for scheme in family.schemes]

    def shapes(self) -> Iterator[Shape]:
        """Activations, then widths, then skips, then depths, in the order of the page's data."""
        for activation, width, skip, depth in product(self.activations, self.widths, self.skips, self.depths):
            yield Shape(activation=activation, depth=depth, width=width, skip=skip)


def sigma_w2(scheme: str, width: int) -> float | None:
    """`n Var W` of a hidden layer with as many inputs as units; None where the scheme is no distribution.

    Args:
        scheme: its text.
        width: n.

    >>> sigma_w2("he", 30), sigma_w2("auto", 30)
    (2.0, None)
    """
    parsed = Scheme.parse(scheme)
    return None if parsed.open_arguments else width * parsed.variance((width, width))
