"""Claims: a published statement, numbers measured over seeds -> confirmed, refuted, mixed or undecided.

A claim names a number and the range in which it lies if the statement is true. It is decided by the 95 %
Student interval of the mean over seeds: wholly within the range, the statement is confirmed; wholly outside,
refuted; across an end of the range, undecided. Measured under several settings with different outcomes, the
verdict is mixed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from initlab.errors import UsageError
from initlab.measure.intervals import Interval, mean_interval

FEWEST_SEEDS = 5


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement that numbers can confirm or refute.

    Args:
        name: a short name, unique within its experiment.
        statement: what is claimed, in one sentence.
        source: paper and section, or whose text it is.
        quantity: what is measured, with its unit.
        low, high: where the quantity lies if the statement is true.
        reason: why this range decides it.
        otherwise: what is true instead where the claim is refuted: the heading on its page.
        lesson: what to learn from the outcome; also where our setting differs from the source's.
        unit: what the numbers are counted in, where it is not seeds.

    Raises:
        UsageError: for a range that is empty or holds everything.

    >>> claim = Claim(statement="x is about 1", quantity="x", low=0.5, high=1.5)
    >>> decide(claim, [0.9, 1.0, 1.1, 1.0, 1.0]).verdict
    'confirmed'
    """

    statement: str
    quantity: str
    low: float = -math.inf
    high: float = math.inf
    name: str = "claim"
    source: str = ""
    reason: str = ""
    otherwise: str = ""
    lesson: str = ""
    unit: str = "seeds"

    def __post_init__(self) -> None:
        if not self.low < self.high or (math.isinf(self.low) and math.isinf(self.high)):
            raise UsageError(
                f"the claim {self.name!r} needs a range that holds some numbers and leaves others out"
            )

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
    """A claim and all its findings.

    >>> claim = Claim(statement="x is about 1", quantity="x", low=0.5, high=1.5)
    >>> ones, threes = [1.0, 1.0, 1.0, 1.0, 1.1], [3.0, 3.1, 2.9, 3.0, 3.0]
    >>> outcome = decide(claim, {"after 100 steps": ones, "tanh": threes})
    >>> outcome.verdict, outcome.details
    ('mixed', 'holds after 100 steps; fails for tanh')
    """

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """ "confirmed", "refuted", "mixed" (not the same under all settings), or "undecided"."""
        verdicts = {finding.verdict for finding in self.findings}
        return verdicts.pop() if len(verdicts) == 1 else "mixed"

    @property
    def details(self) -> str:
        """For a mixed verdict, where the statement holds and where it does not; else empty."""
        if self.verdict != "mixed":
            return ""
        settings: dict[str, list[str]] = {}
        for finding in self.findings:
            settings.setdefault(_WORDS[finding.verdict], []).append(_circumstance(finding.setting))
        return "; ".join(f"{word} {_listed(where)}" for word, where in settings.items())

    @property
    def heading(self) -> str:
        """The statement, marked unless it is confirmed; where it is refuted, what is true instead."""
        if self.verdict == "confirmed":
            return self.claim.statement
        if self.verdict != "refuted":
            return f"{self.verdict.capitalize()}: {self.claim.statement}"
        return self.claim.otherwise or f"Not confirmed: {self.claim.statement}"


_WORDS = {"confirmed": "holds", "refuted": "fails", "undecided": "is undecided"}
_PREPOSITIONS = ("after", "at", "for", "from", "in", "of", "on", "through", "until", "with", "without")


def _circumstance(setting: str) -> str:
    """A setting as the end of a sentence: "for tanh", but "after 100 steps"."""
    return setting if setting.split(" ")[0] in _PREPOSITIONS else f"for {setting}"


def _listed(circumstances: Sequence[str]) -> str:
    """With "for" said once: "for tanh, relu and erf"."""
    if all(text.startswith("for ") for text in circumstances):
        return "for " + _and([text.removeprefix("for ") for text in circumstances])
    return _and(circumstances)


def _and(texts: Sequence[str]) -> str:
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last


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
    if not settings:
        raise UsageError(f"the claim {claim.name!r} is measured under no setting")
    return Outcome(claim, tuple(_finding(claim, name, values) for name, values in settings.items()))


def _finding(claim: Claim, setting: str, values: Values) -> Finding:
    if len(values) < FEWEST_SEEDS or not all(map(math.isfinite, values)):
        raise UsageError(f"the claim {claim.name!r} is decided by {FEWEST_SEEDS} finite numbers or more")
    interval = mean_interval(values)
    within = claim.low <= interval.low and interval.high <= claim.high
    outside = interval.high < claim.low or interval.low > claim.high
    return Finding(setting, interval, "confirmed" if within else "refuted" if outside else "undecided")
