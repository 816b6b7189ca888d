"""Pages: an exhibit with its outcomes -> README.md and claims.json; all exhibits -> an index."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from initlab.errors import StorageError
from initlab.gallery.claims import USUAL, Finding, Outcome
from initlab.gallery.prose import Settings, shown
from initlab.gallery.sources import read_sources, tables
from initlab.runner.provenance import machine_text
from initlab.runner.store import Store

QUESTIONS = {
    "book": "What does the book show?",
    "signal": "What happens to signals and gradients before training?",
    "depth": "How deep can a network be?",
    "symmetry": "Must units begin unequal?",
    "remedy": "What makes up for a bad start?",
    "verdict": "Can the outcome of training be predicted?",
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the page of an exhibit holds.

    Attributes:
        title, about, question, finding: texts, filled in from the settings.
        settings: that were used.
        captions: of each figure, by its name.
        tables: how far the numbers of each table may lie from the committed ones on another processor.
        outcomes: of the claims.
        machines: on which it was measured; see `provenance.fingerprint`.
        quick: whether this is the reduced form.
    """

    title: str
    about: str
    question: str
    finding: str
    settings: Settings
    captions: Mapping[str, str]
    tables: Mapping[str, float]
    outcomes: Sequence[Outcome]
    machines: Sequence[Mapping[str, Any]]
    quick: bool

    def markdown(self) -> str:
        """The page as it is read."""
        lines = [f"# {self.title}", "", self.about, ""]
        if self.quick:
            lines += ["*The reduced form, by `--quick`.*", ""]
        for name, caption in self.captions.items():
            lines += [f"![{name}]({name}.png)", "", f"{caption} [Its numbers]({name}.csv).", ""]
        for outcome in self.outcomes:
            lines += _section(outcome)
        lines += ["## Settings", "", "| setting | value |", "|---|---|"]
        lines += [f"| {name.replace('_', ' ')} | {shown(value)} |" for name, value in self.settings.items()]
        if self.tables:
            lines += ["", f"Numbers: {', '.join(f'[{name}.csv]({name}.csv)' for name in self.tables)}."]
        lines += (
            ["", f"Measured with {'; '.join(map(machine_text, self.machines))}."] if self.machines else []
        )
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """The same for programs."""
        tree = {
            "title": self.title,
            "question": self.question,
            "finding": self.finding,
            "about": self.about,
            "settings": dict(self.settings.items()),
            "figures": dict(self.captions),
            "tables": dict(self.tables),
            "machines": [dict(machine) for machine in self.machines],
            "claims": [_plain(outcome) for outcome in self.outcomes],
        }
        return json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _section(outcome: Outcome) -> list[str]:
    """A claim on the page: what was found, verdict, numbers, source, lesson."""
    claim = outcome.claim
    lines = [f"## {outcome.heading}", "", _verdict(outcome), "", f"- Source: {claim.source}"]
    lines += [
        f"- Measured: {claim.quantity}",
        *(f"  - {line}" for line in _findings(outcome)),
    ]
    lines += [f"- The claim needs {claim.range} ({claim.reason})"]
    lines += [f"- Tried before: {'; '.join(claim.tried)}"] if claim.tried else []
    return [*lines, "", claim.lesson, ""] if claim.lesson else [*lines, ""]


def _verdict(outcome: Outcome) -> str:
    """The verdict on the claim; below a heading that is not the claim, the claim is repeated."""
    if outcome.verdict == "refuted":
        return f"**The claim is refuted:** {outcome.claim.statement}"
    if outcome.verdict == "identity":
        return "**An identity: true by arithmetic, measured here to show it**"
    details = f": it {outcome.details}" if outcome.details else ""
    return f"**The claim is {outcome.verdict}**{details}"


def _findings(outcome: Outcome) -> Iterator[str]:
    """A line for each setting, with what was measured after each budget."""
    settings: dict[str, list[str]] = {}
    for finding in outcome.findings:
        numbers = f"{finding.budget} {_numbers(finding, outcome.claim.unit)}".strip()
        settings.setdefault(finding.setting, []).append(numbers)
    for setting, each in settings.items():
        yield f"{setting}: {'; '.join(each)}" if setting else "; ".join(each)


def _numbers(finding: Finding, unit: str) -> str:
    interval = finding.interval
    ends = f"95 % interval {interval.low:.4g} to {interval.high:.4g}, {interval.count} {unit}"
    if finding.is_exact:
        ends = f"the same for {interval.count} {unit}"
    return f"{interval.mean:.4g} ({ends}{'' if finding.is_firm else ', undecided at 99.9 %'})"


def _plain(outcome: Outcome) -> dict[str, Any]:
    claim = outcome.claim
    texts = ("name", "statement", "source", "quantity", "range", "reason", "otherwise", "lesson", "unit")
    return {
        **{name: getattr(claim, name) for name in texts},
        "verdict": outcome.verdict,
        "details": outcome.details,
        "tried": list(claim.tried),
        "heading": outcome.heading,
        "findings": [
            {
                "setting": finding.circumstance,
                "mean": _rounded(finding.interval.mean),
                "low": _rounded(finding.interval.low),
                "high": _rounded(finding.interval.high),
                "seeds": finding.interval.count,
                "verdict": finding.verdict,
                "firm": finding.is_firm,
            }
            for finding in outcome.findings
        ],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def read_exhibits(results: Path) -> dict[str, dict[str, Any]]:
    """`claims.json` of each exhibit that has one, by the exhibit's name.

    Raises:
        StorageError: when one cannot be read.
    """
    exhibits = {}
    for path in sorted(results.glob("*/claims.json")):
        try:
            exhibits[path.parent.name] = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise StorageError(f"{path}: cannot read the claims: {error}") from error
    return exhibits


def write_index(results: Path, sources: Path | None = None) -> None:
    """Write the page of all exhibits, `results/README.md`, grouped by question.

    Args:
        results: the folder of all exhibits.
        sources: the file that says which claim checks which statement of a source.

    Raises:
        StorageError: when it cannot be written.
        UsageError: for sources that name a claim that no exhibit has.
    """
    exhibits = read_exhibits(results)
    claims = [claim for exhibit in exhibits.values() for claim in exhibit["claims"]]
    lines = ["# The gallery", "", introduction(claims), ""]
    for key, question in [*QUESTIONS.items(), (None, "Written by an earlier version")]:
        chosen = {name: exhibit for name, exhibit in exhibits.items() if exhibit.get("question") == key}
        if chosen:
            lines += [f"## {question}", ""]
            lines += [line for name, exhibit in chosen.items() for line in _entry(results, name, exhibit)]
    texts = read_sources(sources) if sources else {}
    if texts:
        lines += ["## What do the sources say, and what checks it?", "", *tables(texts, exhibits)]
    Store(results, ".").write_text("README.md", "\n".join(lines))


def _entry(results: Path, name: str, exhibit: Mapping[str, Any]) -> list[str]:
    verdicts = counted(claim["verdict"] for claim in exhibit["claims"])
    lines = [f"**[{exhibit['title']}]({name}/README.md)**: {exhibit.get('finding', '')} ({verdicts})", ""]
    picture = next(iter(sorted((results / name).glob("*.png"))), None)
    if picture:
        lines += [f'<img src="{name}/{picture.name}" width="420" alt="{exhibit["title"]}">', ""]
    return lines


def counted(verdicts: Iterable[str]) -> str:
    """How many claims there are of each verdict; identities are no claims about the world.

    >>> counted(["refuted", "confirmed", "confirmed", "identity"])
    '3 claims: 2 confirmed, 1 refuted; and 1 identity'
    """
    counts = Counter(verdicts)
    identities = counts.pop("identity", 0)
    numbers = ", ".join(f"{counts[verdict]} {verdict}" for verdict in sorted(counts))
    total = f"{counts.total()} claim{'' if counts.total() == 1 else 's'}"
    text = f"{total}: {numbers}" if numbers else total
    return f"{text}; and {identities} identit{'y' if identities == 1 else 'ies'}" if identities else text


def introduction(claims: Sequence[Mapping[str, Any]]) -> str:
    """What the gallery is, and how far its verdicts can be trusted, in paragraphs.

    Args:
        claims: of all exhibits, as `claims.json` holds them.
    """
    findings = [finding for claim in claims for finding in claim["findings"]]
    decided = [finding for finding in findings if finding["verdict"] != "undecided"]
    loose = sum(not finding.get("firm", True) for finding in decided)
    return _INTRODUCTION.format(
        counts=counted(claim["verdict"] for claim in claims),
        findings=len(findings),
        decided=len(decided),
        wrong=math.ceil(len(decided) * (1 - USUAL) / 2),
        loose=loose,
    )


_INTRODUCTION = """Published claims about the initial weights of networks, each decided by measurements over
at least five seeds. There are {counts}.

A claim about training is measured after at least two budgets. It is mixed if it is confirmed under one
setting or budget and refuted under another, and undecided if an interval contains an end of its range, which
says something of our measurement and nothing of the world. An identity is true by arithmetic: worth showing,
but no evidence.

The claims rest on {findings} findings, {decided} of them decided at 95 %. By chance, up to about {wrong} of
these may be wrong. {loose} of them do not hold at 99.9 %; the pages mark them.

`initlab reproduce` makes all of it."""
