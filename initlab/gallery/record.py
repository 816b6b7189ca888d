"""What `claims.json` holds, checked: the published results of an exhibit, from whoever they come.

Names become names of files and anchors, so nothing but letters, digits, underscores and hyphens is in them.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, field_validator

from initlab.errors import StorageError
from initlab.runner.provenance import machine_text
from initlab.tables import plain

CLAIMS = "claims.json"
Verdict = Literal["confirmed", "refuted", "mixed", "undecided", "identity"]


def _checked(name: str) -> str:
    if not re.fullmatch(r"\w[\w-]{0,99}", name):
        raise ValueError(f"{name!r} is no name: letters, digits, _ and - are accepted, at most 100")
    return name


Name = Annotated[str, AfterValidator(_checked)]


class _Record(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False, frozen=True)


class FindingRecord(_Record):
    """What was measured in one setting, after one budget; see `Finding`."""

    setting: str
    mean: float
    low: float
    high: float
    seeds: int
    verdict: Literal["confirmed", "refuted", "undecided"]
    firm: bool = True

    @property
    def interval(self) -> str:
        """As it is written: `0.1 to 0.3`, or `no spread`."""
        return f"{self.low:.4g} to {self.high:.4g}" if self.low < self.high else "no spread"

    @property
    def words(self) -> str:
        """The verdict, and whether a stricter interval would not give it."""
        return self.verdict if self.firm else f"{self.verdict} at 95 %, undecided at 99.9 %"


class ClaimRecord(_Record):
    """A claim with its verdict; see `Claim` and `Outcome`."""

    name: Name
    statement: str
    source: str
    quantity: str
    range: str
    reason: str
    otherwise: str
    lesson: str
    unit: str = "seeds"
    verdict: Verdict
    details: str
    tried: list[str] = []
    heading: str
    findings: list[FindingRecord]


class MachineRecord(_Record):
    """A machine that measured; see `provenance.fingerprint`."""

    processor: str
    numpy: str
    blas: list[str]

    @property
    def text(self) -> str:
        """In words."""
        return plain(machine_text(self.model_dump()))

    @property
    def kernels(self) -> list[str]:
        """The kernels of its linear algebra, as "Haswell": the last word of each library's description."""
        return [plain(word) for blas in self.blas for word in blas.split()[-1:]]


class ExhibitRecord(_Record):
    """An exhibit; see `Exhibit`.

    Attributes:
        title, question, finding, about: texts; empty where an earlier version wrote the file.
        settings: that were used, by name.
        figures: the caption of each, by its name.
        tables: how far numbers may lie from these on another processor, by the table's name.
        machines: that measured it; empty where an earlier version wrote the file.
        claims: in the order of the script.
    """

    title: str
    question: str = ""
    finding: str = ""
    about: str = ""
    settings: dict[str, Any] = {}
    figures: dict[Name, str] = {}
    tables: dict[Name, float] = {}
    machines: list[MachineRecord] = []
    claims: list[ClaimRecord]

    @field_validator("claims")
    @classmethod
    def _have_names_of_their_own(cls, claims: list[ClaimRecord]) -> list[ClaimRecord]:
        names = [claim.name for claim in claims]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two claims have the name {twice!r}")
        return claims


def read_records(results: Path) -> dict[str, ExhibitRecord]:
    """`claims.json` of each exhibit that has one, checked, by the exhibit's name.

    Args:
        results: the folder of all exhibits.

    Raises:
        StorageError: when one cannot be read, or is of another form.
    """
    return {path.parent.name: _read(path) for path in sorted(results.glob(f"*/{CLAIMS}"))}


def read_record(folder: Path) -> ExhibitRecord | None:
    """`claims.json` of one exhibit, checked; None where there is none.

    Args:
        folder: of the exhibit.

    Raises:
        StorageError: when it cannot be read, or is of another form.
    """
    path = folder / CLAIMS
    return _read(path) if path.is_file() else None


def _read(path: Path) -> ExhibitRecord:
    try:
        _NamedFolder(name=path.parent.name)
        return ExhibitRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StorageError(f"{path}: cannot read the claims: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}: " for part in first["loc"])
        raise StorageError(
            f"{plain(str(path))}: {plain(place + first['msg'].removeprefix('Value error, '))}"
        ) from None


class _NamedFolder(BaseModel):
    name: Name
