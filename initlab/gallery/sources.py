"""What the sources say, statement by statement: sources.yaml, outcomes of claims -> a table for each source.

de:
  title: an answer on initial weights near 0
  language: German
  statements:
  - says: Equal weights stay equal, so the network learns nothing.
    claims: [symmetry.equal_stay_equal]
  - says: Biases may begin at 0.
    claims: []
    why: an advice without a reason that could be measured
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from initlab.errors import UsageError, unknown_name
from initlab.runner.yaml_text import read_yaml


class Statement(BaseModel):
    """One statement of a source.

    Args:
        says: the statement in other words.
        claims: those that check it, each as `exhibit.claim`.
        why: why no claim checks it, where none does.
    """

    model_config = ConfigDict(extra="forbid")
    says: str
    claims: list[str]
    why: str = ""

    @model_validator(mode="after")
    def _is_checked_or_says_why(self) -> "Statement":
        if not self.claims and not self.why:
            raise ValueError(f"{self.says!r} names no claim and does not say why")
        return self


class Source(BaseModel):
    """A text that makes statements about initial weights.

    Args:
        title: what it is.
        language: it is written in.
        author: where known.
        statements: in the order of the text.
    """

    model_config = ConfigDict(extra="forbid")
    title: str
    language: str
    author: str = ""
    statements: list[Statement]

    @property
    def about(self) -> str:
        """Its language and author."""
        return "; by ".join(filter(None, (self.language, self.author)))


def read_sources(path: Path) -> dict[str, Source]:
    """All sources by their keys; none where there is no such file.

    Raises:
        UsageError: for a file of another form.
    """
    if not path.is_file():
        return {}
    try:
        tree = read_yaml(path.read_text(encoding="utf-8"), path.name).tree
        return TypeAdapter(dict[str, Source]).validate_python(tree)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


@dataclass(frozen=True)
class Answer:
    """A claim that checks a statement.

    Attributes:
        exhibit, claim: their names.
        verdict: on the claim; None where the exhibit has not been reproduced.
    """

    exhibit: str
    claim: str
    verdict: str | None

    @property
    def title(self) -> str:
        """The claim's name in words."""
        return self.claim.replace("_", " ")


Verdicts = Mapping[str, Mapping[str, str]]  # of each claim by its name, for each exhibit by its name


def answers(statement: Statement, verdicts: Verdicts) -> list[Answer]:
    """The claims that check a statement, with their verdicts.

    Args:
        statement: of a source.
        verdicts: of all claims.

    Raises:
        UsageError: for a claim that its exhibit does not have.
    """
    return [_answer(name, statement, verdicts) for name in statement.claims]


def _answer(name: str, statement: Statement, verdicts: Verdicts) -> Answer:
    exhibit, _, claim = name.partition(".")
    if exhibit in verdicts and claim not in verdicts[exhibit]:
        names = [f"{exhibit}.{each}" for exhibit, claims in verdicts.items() for each in claims]
        raise UsageError(f"{statement.says!r}: {unknown_name('claim', name, names)}")
    return Answer(exhibit, claim, verdicts.get(exhibit, {}).get(claim))


def tables(sources: Mapping[str, Source], exhibits: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a Markdown table for each source, with links to the claims and their verdicts.

    Args:
        sources: by key.
        exhibits: `claims.json` of each exhibit, by name.

    Raises:
        UsageError: for a claim that its exhibit does not have.
    """
    verdicts = {
        name: {claim["name"]: claim["verdict"] for claim in exhibit["claims"]}
        for name, exhibit in exhibits.items()
    }
    for source in sources.values():
        yield from (f"### {source.title}", "", f"{source.about}.", "", "| it says | claims |", "|---|---|")
        yield from (f"| {_cell(s.says)} | {_checks(s, verdicts)} |" for s in source.statements)
        yield ""


def _checks(statement: Statement, verdicts: Verdicts) -> str:
    """The claims that check a statement; else why there are none."""
    links = map(_link, answers(statement, verdicts))
    return "; ".join(links) or f"not measured: {_cell(statement.why)}"


def _link(answer: Answer) -> str:
    if answer.verdict is None:
        return f"{answer.title}: not reproduced here"
    return f"[{answer.title}]({answer.exhibit}/README.md): {answer.verdict}"


def _cell(text: str) -> str:
    """Text that neither ends a line nor a cell of the table."""
    return " ".join(text.split()).replace("|", "\\|")
