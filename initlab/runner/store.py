"""The folder of an experiment; no other module knows its file names.

results/<experiment>/
    experiment.yaml  provenance.json  summary.csv  curves.csv  <figure>.png .svg
    runs.sqlite      a row for each run; see `database`
    weights/         the weights of runs, where the experiment asks for them; see `weights`
    .tables.json     from which records tables and figures were made

A record depends only on its run; times, versions and machines are provenance.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from initlab import __version__
from initlab.errors import LockedError, StorageError, UsageError, unknown_name
from initlab.files import make_folder, read_object, sync_folder, write
from initlab.runner.database import RunsFile
from initlab.runner.folders import take_over
from initlab.runner.grid import Run
from initlab.runner.record import Record, record_of
from initlab.runner.weights import Arrays, is_whole, weight_arrays
from initlab.runner.yaml_text import write_yaml
from initlab.training.history import History

_TABLES_OF = ".tables.json"
# What reading a damaged archive may raise.
_DAMAGE = (
    *(ValueError, TypeError, KeyError, EOFError, BadZipFile),
    *(NotImplementedError, RuntimeError, MemoryError),
)


class Store:
    """The folder of one experiment.

    Args:
        results: the folder that holds one folder for each experiment.
        name: of the experiment; the config has checked that it is a plain file name.

    Attributes:
        runs: the file of its records.
        set_aside: where a damaged file of records went that `lock` has mended.
    """

    def __init__(self, results: str | Path, name: str) -> None:
        self.name, self.folder = name, Path(results) / name
        self.runs = RunsFile(self.folder / "runs.sqlite")
        self.set_aside: Path | None = None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the experiment for this process; the kernel releases the lock however the process ends.

        A damaged file of records is mended, and a folder of records as older versions wrote it is taken over.

        Raises:
            LockedError: when another process holds the lock.
            StorageError: when the folder cannot be made, or the records cannot be read.
        """
        with hold(self.folder):
            with _storage_errors(self.folder):
                self.set_aside = self.runs.mend()
                take_over(self.folder / "runs", self.runs)
            yield

    def save(self, results: Iterable[tuple[Run, History | str]], training: dict[str, Any]) -> list[Record]:
        """Write the records of runs that were trained together, all or none; returns them.

        The weights are written first, so that a run whose record is there has them.

        Args:
            results: runs, each with its history, or with why it could not be trained, in one line.
            training: when and in which session they were trained; written beside the records.
        """
        pairs = list(results)
        for run, result in pairs:
            if run.kept_steps and isinstance(result, History):
                self._make_weights_folder()
                self.save_arrays(f"weights/{run.id}", weight_arrays(run.id, result.networks))
        records = [record_of(run, result) for run, result in pairs]
        self.runs.write((record, training) for record in records)
        return records

    def load(self, run_id: str) -> Record | None:
        """The record of a run; None where there is none, or where it is damaged in any way."""
        ((_, record),) = self.runs.read([run_id])
        return record

    def records(self, ids: Iterable[str] | None = None) -> Iterator[tuple[str, Record | None]]:
        """The ids and records of runs; None for one that is damaged, or not there.

        Args:
            ids: by default those of all runs that have a row.
        """
        return self.runs.read(ids)

    def whole(self, runs: Iterable[Run]) -> dict[str, Record]:
        """The records of runs that have one which is not damaged, by run id."""
        read = self.records([run.id for run in runs])
        return {name: record for name, record in read if record is not None}

    def run_ids(self) -> list[str]:
        """The ids of all runs that have a row."""
        return self.runs.ids()

    def load_weights(self, run_id: str) -> Arrays | None:
        """The arrays of a run's weights; None where there are none, or where they are damaged in any way."""
        path = self._weights() / f"{run_id}.npz"
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise StorageError(f"{path}: cannot read: not a regular file")
        arrays = self.load_arrays(f"weights/{run_id}")
        return arrays if arrays is not None and is_whole(run_id, arrays) else None

    def weight_ids(self) -> list[str]:
        """The ids of all runs that have a file of weights."""
        with _storage_errors(self.folder, "read"):
            return sorted(path.stem for path in self._weights().glob("*.npz"))

    def remove(self, ids: Iterable[str]) -> None:
        """Remove the weights of runs, then their records."""
        names = list(ids)
        for name in set(names).intersection(self.weight_ids()):
            with _storage_errors(self.folder, "remove"):
                (self._weights() / f"{name}.npz").unlink()
        self.runs.remove(names)

    def _weights(self) -> Path:
        """The folder of weights; a link could lead to files of others."""
        folder = self.folder / "weights"
        if folder.is_symlink():
            raise StorageError(f"{folder}: a link, where the weights must lie in a folder")
        return folder

    def _make_weights_folder(self) -> None:
        with _storage_errors(self.folder):
            make_folder(self._weights())

    def provenance(self, run_id: str) -> dict[str, Any]:
        """When a run was trained, and in which session; empty where that is not known."""
        trained = self.runs.training(run_id)
        return {**self.sessions().get(str(trained.get("session")), {}), **trained}

    def sessions(self) -> dict[str, Any]:
        """The sessions in `provenance.json`, by their keys."""
        sessions = read_object(self.folder / "provenance.json")
        return {key: session for key, session in sessions.items() if isinstance(session, dict)}

    def open_session(self, session: dict[str, Any]) -> str:
        """Add a training session to `provenance.json`; returns its key."""
        path = self.folder / "provenance.json"
        sessions = read_object(path)
        if not sessions and path.exists():
            with _storage_errors(path):
                path.replace(path.with_suffix(".damaged.json"))
        key = first = f"{session['started']} {os.getpid()}"
        number = 1
        while key in sessions:  # workers elsewhere have sessions of their own
            number += 1
            key = f"{first} {number}"
        self._write(path, _readable({**sessions, key: session}))
        return key

    def write_experiment(self, resolved: dict[str, Any]) -> None:
        """Write an experiment, as a config, to `experiment.yaml`."""
        self._write(self.folder / "experiment.yaml", write_yaml(resolved).encode())

    def is_current(self, resolved: dict[str, Any], names: Iterable[str]) -> bool:
        """Whether tables and figures are those of the records as they are.

        Args:
            resolved: the experiment.
            names: of the files.
        """
        with _storage_errors(self.folder, "read"):
            are_there = all((self.folder / name).is_file() for name in names)
            return are_there and read_object(self.folder / _TABLES_OF) == self._state(resolved)

    def mark_current(self, resolved: dict[str, Any]) -> None:
        """Remember from which records all tables and figures were made."""
        self._write(self.folder / _TABLES_OF, _readable(self._state(resolved)))

    def _state(self, resolved: dict[str, Any]) -> dict[str, Any]:
        """What tables and figures depend on."""
        with _storage_errors(self.folder, "read"):
            records = self.runs.path.stat()
        digest = hashlib.sha256(_readable(resolved)).hexdigest()
        return {
            "initlab": __version__,
            "experiment": digest,
            "records": [records.st_mtime_ns, records.st_size],
        }

    def write_table(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write `<name>.csv`.

        Args:
            name: of the table.
            header: names of the columns.
            rows: a value for each column.
        """
        self._write(self.folder / f"{name}.csv", table_text(header, rows).encode())

    def remove_table(self, name: str) -> None:
        """Remove `<name>.csv`, if it is there, so that it is not taken for one of these records."""
        path = self.folder / f"{name}.csv"
        with _storage_errors(path, "remove"):
            path.unlink(missing_ok=True)

    def save_arrays(self, name: str, arrays: dict[str, NDArray[Any]]) -> None:
        """Write arrays of numbers or text to `<name>.npz`.

        Args:
            name: of the file.
            arrays: by name.
        """
        assert not any(array.dtype.hasobject for array in arrays.values())
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        self._write(self.folder / f"{name}.npz", content.getvalue())

    def load_arrays(self, name: str) -> dict[str, NDArray[Any]] | None:
        """The arrays of `<name>.npz`; None where the file is missing or damaged."""
        path = self.folder / f"{name}.npz"
        with _storage_errors(path, "read"):
            if not path.is_file():
                return None
            content = path.read_bytes()
        try:
            if not _is_plain(content):
                return None
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return dict(arrays)
        except _DAMAGE:
            return None  # whatever befell the file, it is measured again

    def write_text(self, name: str, text: str) -> None:
        """Write a text file.

        Args:
            name: with its suffix.
            text: all of it.
        """
        self._write(self.folder / name, text.encode())

    def write_figure(self, name: str, pictures: dict[str, bytes]) -> list[Path]:
        """Write a figure in each of its formats; returns the paths.

        Args:
            name: of the figure.
            pictures: by suffix, as "png".
        """
        for suffix, picture in pictures.items():
            self._write(self.folder / f"{name}.{suffix}", picture)
        return [self.folder / f"{name}.{suffix}" for suffix in pictures]

    def _write(self, path: Path, content: bytes) -> None:
        with _storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, content)
            sync_folder(path.parent)


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Make and lock a folder for this process; the kernel releases the lock however the process ends.

    Raises:
        LockedError: when another process holds the lock.
        StorageError: when the folder cannot be made.
    """
    with _storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise LockedError(f"{folder}: another initlab is at work on it; try again later") from None
    try:
        yield
    finally:
        lock.release()


def experiments(results: Path) -> list[str]:
    """The names of the experiments that have a folder with runs.

    Raises:
        StorageError: when the results cannot be read.
    """
    if not results.exists():
        hint = "`initlab run` makes one; --results names another"
        raise StorageError(f"{results}: there is no such folder of results; {hint}")
    with _storage_errors(results, "read"):
        names = ("runs.sqlite", "runs")
        return sorted(p.name for p in results.iterdir() if any((p / name).exists() for name in names))


def find_store(results: Path, name: str) -> Store:
    """The store of a recorded experiment.

    Args:
        results: the folder that holds a folder for each experiment.
        name: of the experiment.

    Raises:
        UsageError: when it has no records; the message names the experiments that have.
    """
    recorded = experiments(results)
    if name not in recorded:
        raise UsageError(f"{results}: {unknown_name('experiment', name, recorded, 'initlab list')}")
    return Store(results, name)


def _is_plain(content: bytes) -> bool:
    """Whether nothing in an archive is packed: a small file of another's could unpack to a huge one."""
    with ZipFile(io.BytesIO(content)) as archive:
        return all(member.compress_type == ZIP_STORED for member in archive.infolist())


def table_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Comma-separated lines. A text that a spreadsheet would run as a formula gets an apostrophe before it.

    Args:
        header: names of the columns.
        rows: a value for each column; None is left empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(map(_inert, row) for row in rows)
    return text.getvalue()


def _inert(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


@contextmanager
def _storage_errors(path: Path, verb: str = "write") -> Iterator[None]:
    """Turn an error of the system into one line that names the file."""
    try:
        yield
    except OSError as error:
        name = error.filename2 or error.filename or path
        raise StorageError(f"{name}: cannot {verb}: {error.strerror or error}") from error


def _readable(tree: Any) -> bytes:
    return json.dumps(tree, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"
