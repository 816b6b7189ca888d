"""The records of an experiment in one SQLite file: records -> rows -> records whose checksums are right.

A transaction holds the runs of a cohort: it is written whole, or not at all. Whoever reads believes no row
whose checksum is wrong, so damage costs the rows that it hit. A file from elsewhere is read, never obeyed.
The tables are in `schema`.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from initlab import files
from initlab.errors import StorageError
from initlab.runner.record import OUTCOMES, Record
from initlab.runner.schema import TABLES, VERSION
from initlab.training.history import History

# What a damaged file may raise: even messages about it may be no text.
_DAMAGE = (sqlite3.DatabaseError, UnicodeError)
_BUSY_SECONDS = 10.0  # a reader waits for the driver to end its transaction
_LONGEST = 1 << 29  # bytes of a value
_NUMBERS = ("diverged_at", "test_loss", "test_accuracy")
# The last bytes of a journal that names another file, which SQLite would then delete; ours never does.
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")

_COLUMNS = (
    *("id", "setting", "seed", "outcome", "diverged_at", "final_loss", "test_loss", "test_accuracy"),
    *("batches_before", "cause", "losses", "tracked", "checksum"),
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM record WHERE id = ?"


class RunsFile:
    """The file of an experiment's records.

    Args:
        path: of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def ids(self) -> list[str]:
        """The ids of all runs that have a row, in order."""
        with self._reading() as connection:
            return [] if connection is None else _ids(connection)

    def read(self, ids: Iterable[str] | None = None) -> Iterator[tuple[str, Record | None]]:
        """Ids with their records; None for one that is damaged, or not there.

        Args:
            ids: of runs; by default of all that have a row.
        """
        with self._reading() as connection:
            if connection is None:
                yield from ((name, None) for name in ids or ())
                return
            setting = cache(lambda digest: _setting(connection, digest))
            for name in _ids(connection) if ids is None else ids:
                yield name, _read(connection, name, setting)

    def outcomes(self) -> Counter[str]:
        """How many runs have each outcome, by what the rows say; checksums are left to `read`."""
        with self._reading() as connection:
            if connection is None:
                return Counter()
            try:
                rows = connection.execute("SELECT outcome, count(*) FROM record GROUP BY outcome")
                return Counter({str(outcome): count for outcome, count in rows})
            except _DAMAGE:
                return Counter("damaged" for _ in _ids(connection))

    def training(self, name: str) -> dict[str, Any]:
        """When a run was trained; empty where that is not known."""
        names = ("session", "finished", "cohort_seconds")
        with self._reading() as connection:
            if connection is None:
                return {}
            with suppress(*_DAMAGE):
                row = connection.execute(
                    f"SELECT {', '.join(names)} FROM training WHERE id = ?", (name,)
                ).fetchone()
                return dict(zip(names, row, strict=True)) if row else {}
            return {}

    def sessions(self) -> dict[str, str]:
        """In which session each run was trained, as far as it is known."""
        return self._pairs("SELECT id, session FROM training")

    def _pairs(self, query: str) -> dict[str, str]:
        with self._reading() as connection:
            if connection is not None:
                with suppress(*_DAMAGE):
                    return {str(name): str(value) for name, value in connection.execute(query)}
            return {}

    def write(self, records: Iterable[tuple[Record, dict[str, Any]]]) -> None:
        """Write records in one transaction; rows of the same runs are replaced.

        Args:
            records: each with its session, when it was finished, and how many seconds its cohort took.
        """
        place = ", ".join("?" for _ in _COLUMNS)
        is_new = not self.path.exists()
        with self._writing() as connection:
            settings: dict[bytes, str] = {}
            for record, training in records:
                row, text = _row(record)
                settings[row[1]] = text
                when = (training.get(name) for name in ("session", "finished", "cohort_seconds"))
                connection.execute(f"INSERT OR REPLACE INTO record VALUES ({place})", row)
                connection.execute("INSERT OR REPLACE INTO training VALUES (?, ?, ?, ?)", (record.id, *when))
                files.checkpoint("write", self.path)
            # Replaced, for one that is there may be damaged.
            connection.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?)", settings.items())
        if is_new:
            with _sqlite_errors(self.path):
                files.sync_folder(self.path.parent)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove the rows of runs, in one transaction, and settings that no other run has."""
        with self._writing() as connection:
            for name in ids:
                for table in ("record", "training", "note"):
                    connection.execute(f"DELETE FROM {table} WHERE id = ?", (name,))
            connection.execute("DELETE FROM setting WHERE digest NOT IN (SELECT setting FROM record)")

    def notes(self) -> dict[str, str]:
        """What a person wrote about runs, by id."""
        return self._pairs("SELECT id, words FROM note")

    def note(self, name: str, words: str) -> None:
        """Write what a person says about a run, in the place of an earlier note; nothing removes it."""
        with self._writing() as connection:
            connection.execute("DELETE FROM note WHERE id = ?", (name,))
            if words:
                connection.execute("INSERT INTO note VALUES (?, ?)", (name, words))

    def mend(self) -> Path | None:
        """Take what can be read of a damaged file into a new one.

        Returns:
            Where the damaged file is now; None for one that is whole, or not there.

        Raises:
            StorageError: for a file of a newer version, or one that is no regular file.
        """
        if not self.path.exists() and not self.path.is_symlink():
            return None
        self._check_regular()
        with _sqlite_errors(self.path):
            if self._is_whole():
                return None
            part, aside = self.path.with_suffix(".part"), _free_name(self.path)
            fresh = RunsFile(part)
            for left in (part, fresh._journal()):  # by a command that was killed here
                left.unlink(missing_ok=True)
            fresh.write((record, self.training(name)) for name, record in self.read() if record is not None)
            for name, words in self.notes().items():
                fresh.note(name, words)
            shutil.copy2(self.path, aside)
            self._journal().unlink(missing_ok=True)
            files.checkpoint("rename", self.path)
            os.replace(part, self.path)
            files.sync_folder(self.path.parent)
            return aside

    def is_damaged(self) -> bool:
        """Whether the file is there, and not as we left it; nothing is changed."""
        with self._reading() as connection:
            return connection is not None and not self._is_sound(connection)

    def _is_whole(self) -> bool:
        with closing(self._connect("rw")) as connection:
            return self._is_sound(connection)

    def _is_sound(self, connection: sqlite3.Connection) -> bool:
        """Whether the file has our tables, and SQLite finds nothing wrong in it."""
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise StorageError(f"{self.path}: written by a newer initlab, which is needed to go on")
            (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return bool(answer == "ok" and version == VERSION and _schema(connection) == _own_schema())
        except _DAMAGE as error:
            if not _is_damage(error):
                raise
            return False

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection that cannot write; None where there is no file.

        A journal that a killed driver left is rolled back in a copy: the next run will do the same, so a
        reader says what that run will find.
        """
        if not self.path.exists() and not self.path.is_symlink():
            yield None
            return
        self._check_regular()
        with _sqlite_errors(self.path, "read"), closing(self._connect("ro")) as connection:
            try:
                connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
            except _DAMAGE as error:
                if _is_damage(error):
                    yield connection
                    return
                if not _name(error).startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
                    raise
                with self._copy() as copy, closing(copy._connect("rw")) as fixed:
                    yield fixed
                return
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection within a transaction; the tables are made in a new file."""
        self._check_regular()
        with _sqlite_errors(self.path), closing(self._connect("rwc")) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            files.checkpoint("write", self.path)
            connection.execute("BEGIN IMMEDIATE")
            if not _schema(connection):
                for statement in TABLES.split(";"):
                    connection.execute(statement)
            yield connection
            files.checkpoint("fsync", self.path)
            connection.execute("COMMIT")

    @contextmanager
    def _copy(self) -> "Iterator[RunsFile]":
        """A copy of the file and its journal, for as long as it is needed."""
        with tempfile.TemporaryDirectory(prefix="initlab-") as folder:
            copy = RunsFile(Path(folder) / self.path.name)
            shutil.copyfile(self.path, copy.path)
            with suppress(FileNotFoundError):  # its driver lives, and has just ended the transaction
                shutil.copyfile(self._journal(), copy._journal())
            yield copy

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(uri, timeout=_BUSY_SECONDS, isolation_level=None, uri=True)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        return connection

    def _check_regular(self) -> None:
        """Refuse links and devices, and a journal that would have SQLite delete another file."""
        for path in (self.path, self._journal()):
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise StorageError(f"{path}: cannot read: not a regular file")
        with suppress(FileNotFoundError), self._journal().open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - len(_NAMES_ANOTHER)))
            if file.read() == _NAMES_ANOTHER:
                raise StorageError(f"{self._journal()}: not written by initlab; remove it")

    def _journal(self) -> Path:
        return self.path.with_name(f"{self.path.name}-journal")


def _free_name(path: Path) -> Path:
    """A name for a damaged file: it is set aside, and never overwritten."""
    number = 1
    while path.with_name(f"{path.stem}.damaged-{number}{path.suffix}").exists():
        number += 1
    return path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")


def _schema(connection: sqlite3.Connection) -> list[Any]:
    return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()


@cache
def _own_schema() -> list[Any]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES)
        return _schema(connection)


def _ids(connection: sqlite3.Connection) -> list[str]:
    """Of all rows that can be reached, from both ends where something in between is damaged."""
    ids: dict[str, None] = {}
    for order in ("ASC", "DESC"):
        try:
            for (name,) in connection.execute(f"SELECT id FROM record ORDER BY id {order}"):
                ids[str(name)] = None
            break
        except _DAMAGE:
            continue
    return sorted(ids)


def _setting(connection: sqlite3.Connection, digest: bytes) -> tuple[str, dict[str, Any]] | None:
    """The text of a setting, and what it says."""
    row = connection.execute("SELECT text FROM setting WHERE digest = ?", (digest,)).fetchone()
    if row is None or not isinstance(row[0], str) or _digest(row[0].encode()) != digest:
        return None
    return row[0], json.loads(row[0])


def _read(connection: sqlite3.Connection, name: str, setting: Callable[[Any], Any]) -> Record | None:
    try:
        row = connection.execute(_SELECT, (name,)).fetchone()
        return None if row is None else _checked(dict(zip(_COLUMNS, row, strict=True)), setting(row[1]))
    except _DAMAGE as error:
        if _is_damage(error):
            return None
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _row(record: Record) -> tuple[tuple[Any, ...], str]:
    """The row of a record, and the text of its setting."""
    text = _canonical({key: value for key, value in record.identity.items() if key != "seed"})
    history = record.history
    tracked = None if history is None or history.tracked is None else _canonical(history.tracked)
    row = {
        "id": record.id,
        "setting": _digest(text.encode()),
        "seed": _stored_seed(record.identity["seed"]),
        "outcome": record.outcome,
        **record.numbers(),
        "batches_before": 0 if history is None else history.batches_before,
        "cause": record.cause,
        "losses": None if history is None else _little_endian(history.losses).tobytes(),
        "tracked": tracked,
    }
    return (*(row[name] for name in _COLUMNS[:-1]), _checksum(row, text)), text


def _checked(row: dict[str, Any], setting: tuple[str, dict[str, Any]] | None) -> Record | None:
    """The record of a row, if its checksum is right and its values are possible."""
    checksum = row.pop("checksum")
    if setting is None or checksum != _checksum(row, setting[0]) or row["outcome"] not in OUTCOMES:
        return None
    identity = dict(sorted({**setting[1], "seed": int(row["seed"])}.items()))
    history = None if row["outcome"] == "failed" else _history(row, identity)
    return Record(
        id=row["id"], identity=identity, outcome=row["outcome"], history=history, cause=row["cause"]
    )


def _history(row: dict[str, Any], identity: dict[str, Any]) -> History:
    losses = np.frombuffer(row["losses"], np.dtype(identity["train"]["dtype"]).newbyteorder("<"))
    return History(
        scheme=identity["init"]["scheme"],
        seed=identity["seed"],
        losses=losses.astype(losses.dtype.newbyteorder("=")),
        batches_before=row["batches_before"],
        tracked=None if row["tracked"] is None else json.loads(row["tracked"]),
        **{name: row[name] for name in _NUMBERS},
    )


def _stored_seed(seed: int) -> int | str:
    """SQLite's numbers end at 2^63."""
    return seed if seed < 1 << 63 else str(seed)


def _little_endian(losses: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return losses.astype(losses.dtype.newbyteorder("<"))


def _checksum(row: dict[str, Any], setting: str) -> bytes:
    """Of all values of a row, and of its setting."""
    plain = {name: value for name, value in row.items() if name not in ("losses", "setting", "checksum")}
    return _digest(_canonical([plain, setting]).encode() + b"\0" + (row["losses"] or b""))


def _canonical(tree: Any) -> str:
    """The one text of a tree."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _name(error: Exception) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def _is_damage(error: Exception) -> bool:
    """Whether the file's content is at fault, and not the system."""
    names = ("", "SQLITE_ERROR", "SQLITE_IOERR_SHORT_READ")  # "" for text that is none
    return not isinstance(error, sqlite3.OperationalError) or _name(error) in names


_IN_WORDS = {
    "SQLITE_FULL": "No space left on device",
    "SQLITE_READONLY": "Read-only file system",
    "SQLITE_BUSY": "another program holds it",
}


@contextmanager
def _sqlite_errors(path: Path, verb: str = "write") -> Iterator[None]:
    """Turn an error of SQLite or of the system into one line that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        reasons = [words for name, words in _IN_WORDS.items() if _name(error).startswith(name)]
        raise StorageError(f"{path}: cannot {verb}: {reasons[0] if reasons else error}") from error
    except OSError as error:
        raise StorageError(f"{error.filename or path}: cannot {verb}: {error.strerror or error}") from error
