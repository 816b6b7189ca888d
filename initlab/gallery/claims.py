"""Claims: a published statement, numbers measured over seeds -> confirmed, refuted, mixed or undecided.

A claim names a number and the range in which it lies if the statement is true. It is decided by the 95 %
interval over seeds: wholly within the range, the statement is confirmed; wholly outside, refuted; across an
end of the range, undecided, which says something of our measurement and nothing of the world. Under several
settings, or after several budgets of training, a claim is mixed if it is confirmed for some and refuted for
others, and undecided if any of them is undecided and no two contradict each other.

A statement that is true by arithmetic is an identity: worth showing, but no evidence.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initlab.errors import UsageError
from initlab.measure.intervals import Interval, mean_interval, proportion_interval, ratio_interval

FEWEST_SEEDS = 5
USUAL, STRICT = 0.95, 0.999


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
        is_ratio: whether the quantity is a ratio, whose interval is taken of its logarithms.
        is_identity: whether the statement is true by arithmetic.
        tried: settings that were tried before these, each with what came out.

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
    is_ratio: bool = False
    is_identity: bool = False
    tried: tuple[str, ...] = ()

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
    """What was measured under one setting.

    Attributes:
        setting: in words; empty where there is only one.
        budget: of the training, as "after 1000 steps"; empty for a claim that is not about training.
        interval: over seeds, at 95 %.
        verdict: what it says of the claim.
        is_firm: whether the interval at 99.9 % gives the same verdict.
        is_exact: whether all numbers are the same, so that the interval has no width.
    """

    setting: str
    budget: str
    interval: Interval
    verdict: str
    is_firm: bool = True
    is_exact: bool = False

    @property
    def circumstance(self) -> str:
        """Setting and budget, as "tanh after 1000 steps"."""
        return f"{self.setting} {self.budget}".strip()


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
        """ "confirmed", "refuted", "mixed" (both, by setting), "undecided", or "identity" """
        verdicts = {finding.verdict for finding in self.findings}
        if self.claim.is_identity and verdicts == {"confirmed"}:
            return "identity"
        if {"confirmed", "refuted"} <= verdicts:
            return "mixed"
        return "undecided" if "undecided" in verdicts else verdicts.pop()

    @property
    def details(self) -> str:
        """Where the statement holds and where it does not, if the findings differ; else empty."""
        words = {finding.verdict for finding in self.findings}
        if len(words) == 1:
            return ""
        parts = [f"{_WORDS[word]} {_listed(self._circumstances(word))}" for word in _WORDS if word in words]
        return "; ".join(parts)

    def _circumstances(self, word: str) -> list[str]:
        """Under which settings the verdict is this one; the budgets are named where they disagree."""
        circumstances = []
        for setting in dict.fromkeys(finding.setting for finding in self.findings):
            findings = [finding for finding in self.findings if finding.setting == setting]
            chosen = [finding for finding in findings if finding.verdict == word]
            budgets = "" if len(chosen) == len(findings) else _and([f.budget for f in chosen if f.budget])
            if chosen:
                circumstances.append(_circumstance(f"{setting} {budgets}".strip()))
        return circumstances

    @property
    def heading(self) -> str:
        """The statement, marked unless it holds; where it is refuted, what is true instead."""
        if self.verdict in ("confirmed", "identity"):
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
    *others, last = texts or [""]
    return f"{', '.join(others)} and {last}" if others else last


Values = Sequence[float] | NDArray[Any]
Setting = str | tuple[str, str]  # a setting, or a setting and a budget
Measured = Values | Mapping[str, Values] | Mapping[tuple[str, str], Values]


def decide(claim: Claim, measured: Measured) -> Outcome:
    """Hold a claim against numbers.

    Args:
        claim: with the range.
        measured: the quantity for each seed, at least five; or a mapping of settings, or of pairs of a
            setting and a budget, to such numbers. Of truth values, the claim is about the proportion of
            those that are true.

    Raises:
        UsageError: for fewer seeds, or numbers that are not finite, or ratios that are not above 0.
    """
    settings: Mapping[Any, Values] = measured if isinstance(measured, Mapping) else {"": measured}
    if not settings:
        raise UsageError(f"the claim {claim.name!r} is measured under no setting")
    return Outcome(claim, tuple(_finding(claim, name, np.asarray(v)) for name, v in settings.items()))


def _finding(claim: Claim, circumstance: Setting, values: NDArray[Any]) -> Finding:
    setting, budget = (circumstance, "") if isinstance(circumstance, str) else circumstance
    if len(values) < FEWEST_SEEDS or not np.isfinite(values).all():
        raise UsageError(f"the claim {claim.name!r} is decided by {FEWEST_SEEDS} finite numbers or more")
    if claim.is_ratio and not (values > 0).all():
        raise UsageError(f"the claim {claim.name!r} is about a ratio, but not all numbers are above 0")
    interval = _interval(claim, values, USUAL)
    verdict, strict_verdict = (_verdict(claim, i) for i in (interval, _interval(claim, values, STRICT)))
    is_exact = values.dtype != bool and bool((values == values[0]).all())
    return Finding(setting, budget, interval, verdict, verdict == strict_verdict, is_exact)


def _interval(claim: Claim, values: NDArray[Any], confidence: float) -> Interval:
    if values.dtype == bool:
        return proportion_interval(values, confidence)
    return ratio_interval(values, confidence) if claim.is_ratio else mean_interval(values, confidence)


def _verdict(claim: Claim, interval: Interval) -> str:
    """Of one finding."""
    if claim.low <= interval.low and interval.high <= claim.high:
        return "confirmed"
    return "refuted" if interval.high < claim.low or interval.low > claim.high else "undecided"
