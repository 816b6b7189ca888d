"""The files of an exhibit, as its page shows them: results/<name>/ -> figures with their data, tables.

Whatever lies there is somebody's: a picture must be one, and a link may not lead out of the results.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from initlab.errors import StorageError
from initlab.gallery.record import CLAIMS, ExhibitRecord
from initlab.pages.picture_files import png_problem, png_size, svg_problem
from initlab.pages.tables import PageTable

_MOST_SHOWN = 20_000  # bytes of a table on a page: about 300 rows; the others are a click away


@dataclass(frozen=True, kw_only=True)
class Data:
    """A file of numbers.

    Attributes:
        file: its name.
        size: as "12 kB".
        table: the same on the page, where it is small.
    """

    file: str
    size: str
    table: PageTable | None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure of an exhibit.

    Attributes:
        name, caption: of it.
        files: pictures of it beside the page; none where they have not been drawn.
        width, height: of the first, in its pixels.
        data: the file of what is drawn; None where there is none.
    """

    name: str
    caption: str
    files: tuple[str, ...]
    width: int
    height: int
    data: Data | None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An exhibit as its page shows it.

    Attributes:
        name: of it.
        record: of its claims.
        pictures, tables: in the order of its script.
        script: its text; empty where it is not at hand.
        files: what lies beside the page, by name.
    """

    name: str
    record: ExhibitRecord
    pictures: tuple[Picture, ...]
    tables: tuple[Data, ...]
    script: str
    files: dict[str, bytes]

    @property
    def cover(self) -> Picture | None:
        """The first figure that is drawn."""
        return next((picture for picture in self.pictures if picture.files), None)


def read_exhibit(results: Path, name: str, record: ExhibitRecord, script: Path | None) -> Shown:
    """All that the page of an exhibit shows.

    Args:
        results: the folder of all exhibits.
        name, record: of the exhibit.
        script: the file of its script, if there is one.

    Raises:
        StorageError: for a file that cannot be read, is not what its name says, or lies elsewhere.
    """
    names = [*record.figures, *record.tables]
    files = dict(_files(results, name, names))
    return Shown(
        name=name,
        record=record,
        pictures=tuple(_picture(each, caption, files) for each, caption in record.figures.items()),
        tables=tuple(_data(f"{each}.csv", files) for each in record.tables if f"{each}.csv" in files),
        script=script.read_text("utf-8", "replace") if script else "",
        files=files,
    )


def _files(results: Path, name: str, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """The files of an exhibit that its page needs, as far as they are there, each checked."""
    root = results.resolve()
    for file in (CLAIMS, *(f"{each}{suffix}" for each in names for suffix in (".png", ".svg", ".csv"))):
        path = results / name / file
        if not path.is_file():
            continue
        if not path.resolve().is_relative_to(root):
            raise StorageError(f"{path}: is a link to a file outside of the results")
        content = path.read_bytes()
        problem = _problem(path, content)
        if problem:
            raise StorageError(f"{path}: {problem}")
        yield file, content


def _problem(path: Path, content: bytes) -> str:
    """What keeps a file from the page; empty where nothing does."""
    checks = {".png": png_problem, ".svg": svg_problem, ".csv": _csv_problem}
    return checks[path.suffix](content) if path.suffix in checks else ""


def _csv_problem(content: bytes) -> str:
    try:
        rows = list(_rows(content))
    except (UnicodeDecodeError, csv.Error) as error:
        return f"is no table: {error}"
    return "" if rows else "is empty"


def _rows(content: bytes) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(content.decode("utf-8"), newline=""))


def _picture(name: str, caption: str, files: dict[str, bytes]) -> Picture:
    drawn = tuple(file for file in (f"{name}.png", f"{name}.svg") if file in files)
    width, height = png_size(files[f"{name}.png"]) if f"{name}.png" in files else (0, 0)
    data = _data(f"{name}.csv", files) if f"{name}.csv" in files else None
    return Picture(name=name, caption=caption, files=drawn, width=width, height=height, data=data)


def _data(file: str, files: dict[str, bytes]) -> Data:
    content = files[file]
    table = None
    if len(content) <= _MOST_SHOWN:
        header, *rows = _rows(content)
        table = PageTable(title=file, header=header, rows=rows)
    return Data(file=file, size=_size(len(content)), table=table)


def _size(count: int) -> str:
    """Of a file, to two digits: `0.3 kB`, `12 kB`, `1.2 MB`."""
    number, unit = (count / 1e6, "MB") if count >= 995_000 else (count / 1e3, "kB")
    return f"{number:.2g} {unit}" if number < 99.5 else f"{number:.0f} {unit}"
