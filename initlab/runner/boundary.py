"""A boundary: the values of one setting at which an outcome flips, by bisection on a lattice.

between, within -> Lattice -> first positions -> outcomes -> next positions -> outcomes -> ... -> flips

All values that are ever tried lie on one lattice, that of the grid with the same resolution. So a search
has the answer of that grid wherever the outcome flips at most once between two neighbours of the first
positions. Of several flips there, it finds one where their number is odd, and none where it is even.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from initlab.errors import UsageError, require, shortened
from initlab.training.history import REACHED_LOSS, History

MOST_VALUES = 100_000  # of a lattice; a narrower resolution is a slip of the pen
LIMITED = ("test_accuracy", "test_loss", "final_loss")
_FACTOR = 1.1  # the resolution on a logarithmic scale, unless another is asked for
_SHARE = 0.02  # likewise on a linear one, as a share of the range
_FIRST = (6, 5, 4)  # intervals of the first round; of equally cheap ones, the most see the most flips

# The outcome at each position that was tried; None where no outcome is known, because the run failed.
Tried = Mapping[int, bool | None]


@dataclass(frozen=True)
class Lattice:
    """The values that a search may try.

    Attributes:
        values: from small to large.
        first: the positions of the first round; the ends are among them.
        is_log: whether the middle of two values is the geometric one.
    """

    values: tuple[float, ...]
    first: tuple[int, ...]
    is_log: bool

    @property
    def most(self) -> int:
        """The most values that a search can try: where the outcome flips between all first positions."""
        return len(self.first) + sum(_halvings(b - a) for a, b in pairwise(self.first))

    def middle(self, lower: float, upper: float) -> float:
        """The value halfway between two.

        Args:
            lower, upper: in the units of the setting.
        """
        return math.sqrt(lower * upper) if self.is_log else (lower + upper) / 2


def lattice(
    low: float,
    high: float,
    *,
    log: bool,
    within: float | None = None,
    points: int | None = None,
    whole: bool = False,
) -> Lattice:
    """The lattice between two values.

    Args:
        low, high: its ends; above 0 on a logarithmic scale.
        log: whether neighbours have equal ratios, else equal distances.
        within: the largest ratio of neighbours, or the largest distance; by default 1.1, or 2 % of the range.
        points: values of the first round; by default 5 to 7, as is cheapest for two flips.
        whole: whether the values are whole numbers.

    Raises:
        UsageError: for more values than 100,000, or values that six digits do not tell apart.

    >>> lattice(1, 8, log=True, within=2, points=2)
    Lattice(values=(1.0, 2.0, 4.0, 8.0), first=(0, 3), is_log=True)
    >>> [len(lattice(0.001, 3, log=True).values), lattice(0.001, 3, log=True).first]
    [86, (0, 14, 28, 42, 57, 71, 85)]
    """
    count = _intervals(low, high, log, within)
    if not count < MOST_VALUES:
        raise UsageError(f"{within} makes {count + 1:,.0f} values; {MOST_VALUES:,} are the most")
    values = tuple(_value(low, high, i / count, log) for i in range(int(count) + 1))
    if whole:
        values = tuple(sorted({round(value) for value in values}))
    require(all(a < b for a, b in pairwise(values)), f"{within} is finer than the six digits of a value")
    return Lattice(values, _first(len(values) - 1, points), log)


def _intervals(low: float, high: float, log: bool, within: float | None) -> float:
    """How many intervals, each no wider than asked; a float, since it may be infinite."""
    if log:
        widths = math.log(high / low) / math.log(within or _FACTOR)
    else:
        widths = (high - low) / (within or _SHARE * (high - low))
    # A range of exactly n widths must not become n + 1 by the last bit.
    return max(1.0, math.ceil(widths - 1e-9)) if math.isfinite(widths) else widths


def _value(low: float, high: float, share: float, log: bool) -> float:
    """The value at a share of the way; to six digits, so that it can be typed again."""
    if share in (0, 1):
        return float(high if share else low)
    value = low * (high / low) ** share if log else low + (high - low) * share
    return float(f"{value:.6g}")


def _first(intervals: int, points: int | None) -> tuple[int, ...]:
    def cost(count: int) -> int:
        return count + 2 * _halvings(-(-intervals // count))

    count = min(points - 1 if points else min(_FIRST, key=cost), intervals)
    return tuple(round(i * intervals / count) for i in range(count + 1))


def _halvings(gap: int) -> int:
    """How often a gap of so many intervals is halved until one is left."""
    return (gap - 1).bit_length()


def flips(tried: Tried) -> list[tuple[int, int]]:
    """The neighbours among the known positions whose outcomes differ.

    >>> flips({0: False, 4: True, 8: None, 9: True, 10: False})
    [(0, 4), (9, 10)]
    """
    positions = sorted(position for position, outcome in tried.items() if outcome is not None)
    return [(a, b) for a, b in pairwise(positions) if tried[a] != tried[b]]


def next_positions(lattice: Lattice, tried: Tried) -> list[int]:
    """What to try next: the first positions, then the middle between each flip's neighbours.

    A middle that was tried without an outcome is not tried again: its flip stays as wide as it is.

    Args:
        lattice: of the search.
        tried: so far.

    >>> rates = lattice(1, 8, log=True, within=2, points=2)
    >>> next_positions(rates, {}), next_positions(rates, {0: False, 3: True})
    ([0, 3], [1])
    """
    if not has_begun(lattice, tried):
        return [position for position in lattice.first if position not in tried]
    middles = [(a + b) // 2 for a, b in flips(tried) if b - a > 1]
    return [position for position in middles if position not in tried]


def has_begun(lattice: Lattice, tried: Tried) -> bool:
    """Whether all first positions were tried, before which no flip is known to be a single one."""
    return all(position in tried for position in lattice.first)


@dataclass(frozen=True)
class Outcome:
    """A question about a finished training, answered with yes or no.

    Attributes:
        text: as it is written: trained, diverged, or a limit, as "test_accuracy > 0.9".
        result, sign, level: the parts of a limit.
    """

    text: str
    result: str = ""
    sign: str = ""
    level: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Outcome":
        """Read an outcome.

        Raises:
            UsageError: for anything else.

        >>> Outcome.parse("test_accuracy > .9")
        Outcome(text='test_accuracy > 0.9', result='test_accuracy', sign='>', level=0.9)
        """
        if text in ("trained", "diverged"):
            return cls(text)
        number = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
        parts = re.fullmatch(rf"\s*({'|'.join(LIMITED)})\s*([<>])\s*({number})\s*", text)
        if parts is None:
            accepted = "trained, diverged, or a limit of test_accuracy, test_loss or final_loss"
            raise UsageError(f"must be {accepted}, as test_accuracy > 0.9, not {shortened(text)}")
        result, sign, level = parts[1], parts[2], float(parts[3])
        return cls(f"{result} {sign} {level:g}", result, sign, level)

    def of(self, history: History) -> bool:
        """The answer for one network.

        It trained if its smoothed loss came down to 0.5 and it did not diverge, as summary.csv counts it. A
        network that diverged has the worst accuracy and the worst loss.

        Args:
            history: of its training.
        """
        if self.text == "trained":
            return history.steps_to_reach(REACHED_LOSS) is not None
        if self.text == "diverged":
            return history.diverged_at is not None
        value: float | None = getattr(history, self.result)
        if value is None:
            value = -math.inf if self.result == "test_accuracy" else math.inf
        return value > self.level if self.sign == ">" else value < self.level


def sides(tried: Tried, flips: Sequence[tuple[int, int]]) -> list[str]:
    """On which side of each flip the outcome holds.

    Args:
        tried: all outcomes.
        flips: of the outcome, as neighbours on both sides.

    >>> sides({0: False, 1: True, 2: False}, [(0, 1), (1, 2)])
    ['above', 'below']
    """
    return ["above" if tried[b] else "below" for _, b in flips]
