"""What the pages of the site share: exhibits by question, claims in a row, and who asks for each."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from initlab.gallery.prose import shown
from initlab.gallery.record import ClaimRecord, ExhibitRecord
from initlab.gallery.sources import Answer, Source, Verdicts, answers
from initlab.pages.exhibits import Shown
from initlab.pages.tables import PageTable

VERDICTS = {
    "confirmed": "what was measured lies within what the claim says",
    "refuted": "it lies outside",
    "mixed": "confirmed in one setting or after one budget, refuted in another",
    "undecided": "too few measurements, or too scattered, to tell",
    "identity": "true by arithmetic, and shown for what it teaches",
}


@dataclass(frozen=True)
class Group:
    """A question and its exhibits.

    Attributes:
        key: of the question, for anchors and filters.
        question: as a reader asks it.
        exhibits: that answer it.
    """

    key: str
    question: str
    exhibits: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A claim in the list of all claims.

    Attributes:
        group: of its exhibit.
        exhibit: that decides it.
        claim: with its verdict.
        sources: the keys by which the list can be filtered: of its origin, and of each text that makes it.
    """

    group: Group
    exhibit: Shown
    claim: ClaimRecord
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A statement of a source.

    Attributes:
        anchor: on the page of sources.
        source: the key of its text.
        title: of its text.
        says: the statement.
        answers: the claims that check it.
        why: why there are none.
    """

    anchor: str
    source: str
    title: str
    says: str
    answers: tuple[Answer, ...]
    why: str


def grouped(exhibits: Sequence[Shown], questions: Mapping[str, str], others: str) -> list[Group]:
    """The exhibits by question.

    Args:
        exhibits: all of them.
        questions: by key, in their order.
        others: the heading of those that ask none of these.
    """
    groups = [
        Group(key, title, tuple(each for each in exhibits if _key(each, questions) == key))
        for key, title in [*questions.items(), (_OTHERS, others)]
    ]
    return [group for group in groups if group.exhibits]


_OTHERS = "others"


def _key(exhibit: Shown, questions: Mapping[str, str]) -> str:
    return exhibit.record.question if exhibit.record.question in questions else _OTHERS


def counts(claims: Iterable[ClaimRecord]) -> list[tuple[str, int]]:
    """How many claims have each verdict, those that occur."""
    numbers = Counter[str](claim.verdict for claim in claims)
    return [(verdict, numbers[verdict]) for verdict in VERDICTS if verdict in numbers]


def findings(claim: ClaimRecord) -> PageTable:
    """What was measured for a claim, under each setting and after each budget."""
    return PageTable(
        title=f"Means and 95 % intervals over {claim.unit}",
        topic=claim.heading,
        header=["where", "mean", "interval", claim.unit, "verdict"],
        rows=[
            [each.setting or "overall", f"{each.mean:.4g}", each.interval, each.seeds, each.words]
            for each in claim.findings
        ],
    )


def settings(record: ExhibitRecord) -> PageTable:
    """The settings of an exhibit."""
    rows = [[name.replace("_", " "), shown(value)] for name, value in record.settings.items()]
    return PageTable(title="Settings", header=["setting", "value"], rows=rows)


def statements(texts: Mapping[str, Source], records: Mapping[str, ExhibitRecord]) -> list[list[Sentence]]:
    """What each source says, with the claims that check it.

    Args:
        texts: the sources by key.
        records: of all exhibits.

    Raises:
        UsageError: for a claim that its exhibit does not have.
    """
    verdicts = {name: {c.name: c.verdict for c in record.claims} for name, record in records.items()}
    return [list(_sentences(place, source, verdicts)) for place, source in enumerate(texts.values(), start=1)]


def _sentences(place: int, source: Source, verdicts: Verdicts) -> Iterator[Sentence]:
    for number, statement in enumerate(source.statements, start=1):
        yield Sentence(
            anchor=f"source-{place}-{number}",
            source=f"text {place}",
            title=source.title,
            says=statement.says,
            answers=tuple(answers(statement, verdicts)),
            why=statement.why,
        )


Asked = Mapping[tuple[str, str], Sequence[Sentence]]  # by the names of an exhibit and of its claim


def asked_by(sentences: Iterable[Sentence]) -> Asked:
    """The statements that each claim checks."""
    asked: dict[tuple[str, str], list[Sentence]] = {}
    for statement in sentences:
        for answer in statement.answers:
            asked.setdefault((answer.exhibit, answer.claim), []).append(statement)
    return asked


def rows(groups: Sequence[Group], asked: Asked) -> list[Row]:
    """All claims, in the order of the pages.

    Args:
        groups: the exhibits by question.
        asked: the statements that each claim checks.
    """
    return [
        Row(group=group, exhibit=exhibit, claim=claim, sources=_sources(exhibit.name, claim, asked))
        for group in groups
        for exhibit in group.exhibits
        for claim in exhibit.record.claims
    ]


def _sources(exhibit: str, claim: ClaimRecord, asked: Asked) -> tuple[str, ...]:
    texts = [sentence.source for sentence in asked.get((exhibit, claim.name), ())]
    return tuple(dict.fromkeys([origin(claim.source), *texts]))


def origin(source: str) -> str:
    """The text or paper of a claim, without the place in it.

    >>> origin("Liu, Zhu & Belkin 2022, section 3"), origin("our own claim, in part"), origin("")
    ('Liu, Zhu & Belkin 2022', 'our own claim', 'no source')
    """
    dated = re.match(r"[^:;]*?\b(19|20)\d\d\b", source)
    return dated[0] if dated else re.split(r"[,:;]", source)[0] or "no source"
