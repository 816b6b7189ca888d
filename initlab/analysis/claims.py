"""Claims: a published statement, numbers measured over seeds -> confirmed, refuted, or depends.

A claim names a number and the range in which it lies if the statement is true. It is decided by the 95 %
Student interval of the mean over seeds: wholly within the range, the statement is confirmed; wholly outside,
refuted; and what lies across an end is open. Measured under several settings with different outcomes, it
depends on the setting.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from initlab.analysis.uncertainty import Interval, mean_interval
from initlab.errors import UsageError

FEWEST_SEEDS = 5


@dataclass(frozen=True)
class Claim:
    """A statement that numbers can bear out or belie.

    Attributes:
        name: a short name, unique within its experiment.
        statement: what is claimed, in one sentence.
        source: paper and section, or whose text it is.
        quantity: what is measured, with its unit.
        low, high: where the quantity lies if the statement is true.
        reason: why this range decides it.
        lesson: what to learn from the outcome; also where our setting differs from the source's.

    Raises:
        UsageError: for a range that is empty or holds everything.
    """

    name: str
    statement: str
    source: str
    quantity: str
    reason: str
    low: float = -math.inf
    high: float = math.inf
    lesson: str = ""

    def __post_init__(self) -> None:
        if not self.low < self.high or (math.isinf(self.low) and math.isinf(self.high)):
            raise UsageError(f"the claim {self.name!r} needs a range that some numbers are in and others not")

    @property
    def range(self) -> str:
        """As it is written: `at least 2`, `at most 3`, `2 to 3`."""
        if math.isinf(self.high):
            return f"at least {self.low:.4g}"
        return f"at most {self.high:.4g}" if math.isinf(self.low) else f"{self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True)
class Finding:
    """What was measured under one setting: the interval over seeds, and what it says of the claim."""

    setting: str
    interval: Interval
    verdict: str


@dataclass(frozen=True)
class Outcome:
    """A claim and all that was found.

    >>> claim = Claim("x", "x is about 1", "nobody", "x", "one half to either side", low=0.5, high=1.5)
    >>> decide(claim, [0.9, 1.0, 1.1, 1.0, 1.0]).verdict, decide(claim, [3.0, 3.1, 2.9, 3.0, 3.0]).verdict
    ('confirmed', 'refuted')
    """

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """ "confirmed", "refuted", or "depends": on the setting, or on more seeds than there were."""
        verdicts = {finding.verdict for finding in self.findings}
        return verdicts.pop() if len(verdicts) == 1 and verdicts != {"open"} else "depends"

    @property
    def depends_on(self) -> str:
        """In words, for the verdict "depends"; else empty."""
        if self.verdict != "depends":
            return ""
        if all(finding.verdict == "open" for finding in self.findings):
            return "the interval reaches across an end of the range"
        return "; ".join(f"{one.verdict} for {one.setting}" for one in self.findings)


Values = Sequence[float] | NDArray[Any]
Measured = Values | Mapping[str, Values]


def decide(claim: Claim, measured: Measured) -> Outcome:
    """Hold a claim against numbers.

    Args:
        claim: with the range.
        measured: the quantity for each seed, at least five; or a mapping of settings to such numbers.

    Raises:
        UsageError: for fewer seeds, or numbers that are not finite.
    """
    settings = measured if isinstance(measured, Mapping) else {"": measured}
    return Outcome(claim, tuple(_find(claim, name, values) for name, values in settings.items()))


def _find(claim: Claim, setting: str, values: Values) -> Finding:
    if len(values) < FEWEST_SEEDS or not all(map(math.isfinite, values)):
        raise UsageError(f"the claim {claim.name!r} is decided by {FEWEST_SEEDS} finite numbers or more")
    interval = mean_interval(values)
    within = claim.low <= interval.low and interval.high <= claim.high
    outside = interval.high < claim.low or interval.low > claim.high
    return Finding(setting, interval, "confirmed" if within else "refuted" if outside else "open")
