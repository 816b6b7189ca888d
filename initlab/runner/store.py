"""Records on disk; no other module knows their file names.

results/<experiment>/
    experiment.yaml  provenance.json  summary.csv  curves.csv  <figure>.png .svg
    runs/<run-id>/losses.npy
    runs/<run-id>/record.json      written last: a run is finished once this file is there and whole
    runs/<run-id>/provenance.json  when it was trained, and in which session of ../../provenance.json

A record depends only on its run; times, versions and machines are provenance.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from initlab.errors import LockedError, StorageError, UsageError, unknown_name
from initlab.files import make_folder, sync_folder, write
from initlab.nn.arrays import FloatArray
from initlab.runner.grid import Run
from initlab.runner.yaml_text import write_yaml
from initlab.training.history import History

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """The record of a run.

    Attributes:
        id: of the run.
        identity: everything that the numbers depend on.
        outcome: "finished", "diverged", or "failed" where the program, not the network, went wrong.
        history: losses and results; None for a failed run.
        cause: why the run failed.
    """

    id: str
    identity: dict[str, Any]
    outcome: str
    history: History | None
    cause: str | None = None

    def numbers(self) -> dict[str, Any]:
        """The results by name; None where one is missing."""
        names = ("diverged_at", "final_loss", "test_loss", "test_accuracy")
        return {name: getattr(self.history, name, None) for name in names}


def failure_record(run: Run, cause: str) -> Record:
    """The record of a run that could not be trained.

    Args:
        run: the run that failed.
        cause: why, in one line.
    """
    return Record(id=run.id, identity=run.identity, outcome="failed", history=None, cause=cause)


class Store:
    """The folder of one experiment.

    Args:
        results: the folder that holds one folder for each experiment.
        name: of the experiment; the config has checked that it is a plain file name.
    """

    def __init__(self, results: str | Path, name: str) -> None:
        self.name, self.folder = name, Path(results) / name
        self.runs = self.folder / "runs"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the experiment for this process; the kernel releases the lock however the process ends.

        Raises:
            LockedError: when another process holds the lock.
            StorageError: when the folder cannot be made.
        """
        with hold(self.folder):
            with _storage_errors(self.runs):
                make_folder(self.runs)
            yield

    def save(self, run: Run, history: History, provenance: dict[str, Any]) -> Record:
        """Write the record of a run that finished or diverged.

        Args:
            run: the trained run.
            history: of its training.
            provenance: when and where it was trained; written beside the record.
        """
        contents = {"losses.npy": _npy(history.losses)}
        if history.tracked is not None:
            contents["tracked.json"] = _readable(history.tracked)
        outcome = "finished" if history.diverged_at is None else "diverged"
        record = Record(id=run.id, identity=run.identity, outcome=outcome, history=history)
        cost = {"batches_before": history.batches_before} if history.batches_before else {}
        self._write_record(record, provenance, contents, cost)
        return record

    def save_failure(self, run: Run, cause: str, provenance: dict[str, Any]) -> Record:
        """Write the record of a run that could not be trained.

        Args:
            run: the run that failed.
            cause: why, in one line.
            provenance: when and where it was tried; written beside the record.
        """
        record = failure_record(run, cause)
        self._write_record(record, provenance, {}, {})
        return record

    def _write_record(
        self, record: Record, provenance: dict[str, Any], contents: dict[str, bytes], more: dict[str, Any]
    ) -> None:
        folder = self.runs / record.id
        tree = {
            "format": _FORMAT,
            "id": record.id,
            "identity": record.identity,
            "outcome": record.outcome,
            **record.numbers(),
            "cause": record.cause,
            **more,
            "files": {name: _sha256(content) for name, content in contents.items()},
        }
        tree["checksum"] = _sha256(_canonical(tree))
        with _storage_errors(folder):
            make_folder(folder)
            write(folder / "provenance.json", _readable(provenance))
            for name, content in contents.items():
                write(folder / name, content)
            write(folder / "record.json", _readable(tree))
            sync_folder(folder)

    def load(self, run_id: str) -> Record | None:
        """The record of a run; None where there is none, or where it is damaged in any way."""
        folder = self.runs / run_id
        try:
            record = json.loads((folder / "record.json").read_bytes())
            return _checked(record, folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        except OSError as error:
            raise StorageError(f"{error.filename or folder}: {error.strerror or error}") from error

    def records(self) -> Iterator[tuple[str, Record | None]]:
        """The id and the record of every run that has a folder; None for one damaged or never finished."""
        for name in self.run_ids():
            yield name, self.load(name)

    def run_ids(self) -> list[str]:
        """The ids of all runs that have a folder."""
        with _storage_errors(self.runs, "read"):
            if not self.runs.is_dir():
                return []
            return sorted(path.name for path in self.runs.iterdir() if path.is_dir())

    def provenance(self, run_id: str) -> dict[str, Any]:
        """When a run was trained, and in which session; empty where that is not known."""
        trained = _read_json(self.runs / run_id / "provenance.json")
        sessions = _read_json(self.folder / "provenance.json")
        session = sessions.get(str(trained.get("session")), {})
        return {**(session if isinstance(session, dict) else {}), **trained}

    def open_session(self, session: dict[str, Any]) -> str:
        """Add a training session to `provenance.json`; returns its key."""
        path = self.folder / "provenance.json"
        sessions = _read_json(path)
        if not sessions and path.exists():
            with _storage_errors(path):
                path.replace(path.with_suffix(".damaged.json"))
        key = f"{session['started']} {os.getpid()}"
        self._write(path, _readable({**sessions, key: session}))
        return key

    def write_experiment(self, resolved: dict[str, Any]) -> None:
        """Write an experiment, as a config, to `experiment.yaml`."""
        self._write(self.folder / "experiment.yaml", write_yaml(resolved).encode())

    def write_table(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write `<name>.csv`.

        Args:
            name: of the table.
            header: names of the columns.
            rows: a value for each column.
        """
        self._write(self.folder / f"{name}.csv", table_text(header, rows).encode())

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
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return dict(arrays)
        except (ValueError, TypeError, KeyError, EOFError, BadZipFile, NotImplementedError, RuntimeError):
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
    with _storage_errors(results, "read"):
        return sorted(path.name for path in results.iterdir() if (path / "runs").is_dir())


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
        raise UsageError(f"{results}: {unknown_name('experiment', name, recorded)}")
    return Store(results, name)


def table_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Comma-separated lines.

    Args:
        header: names of the columns.
        rows: a value for each column; None is left empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _checked(tree: dict[str, Any], folder: Path) -> Record | None:
    """The record if it and its files are whole and belong to this folder."""
    checksum = tree.pop("checksum")
    if checksum != _sha256(_canonical(tree)) or tree["format"] != _FORMAT or tree["id"] != folder.name:
        return None
    contents = {name: (folder / name).read_bytes() for name in tree["files"]}
    if any(_sha256(contents[name]) != digest for name, digest in tree["files"].items()):
        return None
    failed = tree["outcome"] == "failed"
    return Record(
        id=tree["id"],
        identity=tree["identity"],
        outcome=tree["outcome"],
        history=None if failed else _history(tree, contents),
        cause=tree["cause"],
    )


def _history(tree: dict[str, Any], contents: dict[str, bytes]) -> History:
    tracked = contents.get("tracked.json")
    return History(
        scheme=tree["identity"]["init"]["scheme"],
        seed=tree["identity"]["seed"],
        losses=np.asarray(np.load(io.BytesIO(contents["losses.npy"]), allow_pickle=False)),
        diverged_at=tree["diverged_at"],
        test_loss=tree["test_loss"],
        test_accuracy=tree["test_accuracy"],
        batches_before=tree.get("batches_before", 0),
        tracked=None if tracked is None else json.loads(tracked),
    )


@contextmanager
def _storage_errors(path: Path, verb: str = "write") -> Iterator[None]:
    """Turn an error of the system into one line that names the file."""
    try:
        yield
    except OSError as error:
        name = error.filename2 or error.filename or path
        raise StorageError(f"{name}: cannot {verb}: {error.strerror or error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where it cannot be read, since no result depends on provenance."""
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _npy(array: FloatArray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _canonical(tree: Any) -> bytes:
    """The canonical text of a tree, over which its checksum is taken."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _readable(tree: Any) -> bytes:
    return json.dumps(tree, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
