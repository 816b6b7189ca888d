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


def tables(sources: Mapping[str, Source], exhibits: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a Markdown table for each source, with links to the claims and their verdicts.

    Args:
        sources: by key.
        exhibits: `claims.json` of each exhibit, by name.

    Raises:
        UsageError: for a claim that its exhibit does not have.
    """
    claims = {
        f"{name}.{claim['name']}": claim for name, exhibit in exhibits.items() for claim in exhibit["claims"]
    }
    for source in sources.values():
        about = "; by ".join(filter(None, (source.language, source.author)))
        yield from (f"### {source.title}", "", f"{about}.", "", "| it says | claims |", "|---|---|")
        yield from (f"| {_cell(s.says)} | {_checks(s, claims, exhibits)} |" for s in source.statements)
        yield ""


def _checks(
    statement: Statement, claims: Mapping[str, Mapping[str, Any]], exhibits: Mapping[str, Any]
) -> str:
    """The claims that check a statement; else why there are none."""
    links = []
    for name in statement.claims:
        exhibit, _, claim = name.partition(".")
        if exhibit not in exhibits:
            links.append(f"{claim.replace('_', ' ')}: not reproduced here")
        elif name not in claims:
            raise UsageError(f"{statement.says!r}: {unknown_name('claim', name, claims)}")
        else:
            verdict = claims[name]["verdict"]
            links.append(f"[{claim.replace('_', ' ')}]({exhibit}/README.md): {verdict}")
    return "; ".join(links) or f"not measured: {_cell(statement.why)}"


def _cell(text: str) -> str:
    """Text that neither ends a line nor a cell of the table."""
    return " ".join(text.split()).replace("|", "\\|")
