"""A table of a page: title, header, rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_MOST_PRINTED = 40  # rows


@dataclass(frozen=True, kw_only=True)
class PageTable:
    """A table of a page.

    Attributes:
        title: what it holds.
        topic: of what, where several tables of a page have the same title.
        header, rows: its cells.
        note: what is left out, or how it is read.
        folded: whether it is closed at first.
    """

    title: str
    topic: str = ""
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    folded: bool = True

    @property
    def long(self) -> bool:
        """Whether the table stays folded in print."""
        return len(self.rows) > _MOST_PRINTED
