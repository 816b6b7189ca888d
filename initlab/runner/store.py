"""Records on disk: the only module that knows file names.

results/<experiment>/
    experiment.yaml  provenance.json  summary.csv  curves.csv  <figure>.png .svg
    runs/<run-id>/losses.npy
    runs/<run-id>/record.json      written last: a run is finished when this file says so, and is whole
    runs/<run-id>/provenance.json  when and in which session of ../../provenance.json it was trained

A record depends on nothing but its run; times, versions and machines are provenance.
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

from initlab.analysis.learning import final_loss
from initlab.errors import LockedError, StorageError, UsageError, unknown_name
from initlab.nn.arrays import FloatArray
from initlab.runner import atomic
from initlab.runner.grid import Run
from initlab.runner.training import History
from initlab.runner.yaml_text import write_yaml

_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """What the store knows of a run.

    Attributes:
        id: of the run.
        identity: all that the numbers depend on.
        outcome: "finished", "diverged", or "failed" when the program, not the network, went wrong.
        diverged_at: the step, for a diverged run.
        final_loss: the mean over the last 100 steps, or the last quarter of fewer, for a finished run.
        test_loss, test_accuracy: for a finished run.
        cause: why it failed.
        folder: of its files.
        batches_before: how many batches its scheme had looked at before the first step.
        files: beside the record.
    """

    id: str
    identity: dict[str, Any]
    outcome: str
    diverged_at: int | None
    final_loss: float | None
    test_loss: float | None
    test_accuracy: float | None
    cause: str | None
    folder: Path
    batches_before: int = 0
    files: tuple[str, ...] = ()

    def losses(self) -> FloatArray:
        """Of each step, read from the disk; empty for a failed run.

        Raises:
            StorageError: when the file is gone since the record was read.
        """
        if self.outcome == "failed":
            return np.empty(0)
        with _told(self.folder):
            content = (self.folder / "losses.npy").read_bytes()
        return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))

    def tracked(self) -> list[dict[str, Any]]:
        """Entries of `analysis.tracking.track`, read from the disk; none where nothing was tracked.

        Raises:
            StorageError: when the file is gone since the record was read.
        """
        if "tracked.json" not in self.files:
            return []
        with _told(self.folder):
            entries: list[dict[str, Any]] = json.loads((self.folder / "tracked.json").read_bytes())
        return entries


class Store:
    """The folder of one experiment.

    Args:
        results: the folder that holds one folder for each experiment.
        name: the experiment's; checked by the config to be a plain file name.
    """

    def __init__(self, results: str | Path, name: str) -> None:
        self.folder = Path(results) / name
        self.runs = self.folder / "runs"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the experiment for this process; the system lets go of it when the process ends, however.

        Raises:
            LockedError: when another process holds it.
            StorageError: when the folder cannot be made.
        """
        with hold(self.folder):
            with _told(self.runs):
                atomic.make_folder(self.runs)
            yield

    def save(self, run: Run, history: History, provenance: dict[str, Any]) -> None:
        """Write the record of a run that finished or diverged."""
        files = {"losses.npy": _npy(history.losses)}
        if history.tracked is not None:
            files["tracked.json"] = _readable(history.tracked)
        finished = history.diverged_at is None
        adapted = {"batches_before": history.batches_before} if history.batches_before else {}
        self._save(
            run,
            provenance,
            files,
            outcome="finished" if finished else "diverged",
            diverged_at=history.diverged_at,
            final_loss=final_loss(history.losses) if finished else None,
            test_loss=history.test_loss,
            test_accuracy=history.test_accuracy,
            cause=None,
            **adapted,
        )

    def save_failure(self, run: Run, cause: str, provenance: dict[str, Any]) -> None:
        """Write the record of a run that could not be trained."""
        nothing = dict.fromkeys(("diverged_at", "final_loss", "test_loss", "test_accuracy"))
        self._save(run, provenance, {}, outcome="failed", cause=cause, **nothing)

    def _save(self, run: Run, provenance: dict[str, Any], files: dict[str, bytes], **results: Any) -> None:
        folder = self.runs / run.id
        digests = {name: _sha256(content) for name, content in files.items()}
        record = {"format": _FORMAT, "id": run.id, "identity": run.identity, **results, "files": digests}
        record["checksum"] = _sha256(_canonical(record))
        with _told(folder):
            atomic.make_folder(folder)
            atomic.write(folder / "provenance.json", _readable(provenance))
            for name, content in files.items():
                atomic.write(folder / name, content)
            atomic.write(folder / "record.json", _readable(record))
            atomic.sync_folder(folder)

    def load(self, run_id: str) -> Record | None:
        """The record of a run; None when there is none, or one that is damaged in any way."""
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
        """The id of every run that has a folder, with its record; None for one damaged or never finished."""
        for name in self.run_ids():
            yield name, self.load(name)

    def run_ids(self) -> list[str]:
        """The ids of all runs that have a folder."""
        with _told(self.runs, "read"):
            if not self.runs.is_dir():
                return []
            return sorted(path.name for path in self.runs.iterdir() if path.is_dir())

    def provenance(self, run_id: str) -> dict[str, Any]:
        """When a run was trained, and what is known of the session; empty where nothing is."""
        trained = _read_json(self.runs / run_id / "provenance.json")
        sessions = _read_json(self.folder / "provenance.json")
        session = sessions.get(str(trained.get("session")), {})
        return {**(session if isinstance(session, dict) else {}), **trained}

    def open_session(self, session: dict[str, Any]) -> str:
        """Add what is known of a training session to `provenance.json`; returns its key."""
        path = self.folder / "provenance.json"
        sessions = _read_json(path)
        if not sessions and path.exists():
            with _told(path):
                path.replace(path.with_suffix(".damaged.json"))
        key = f"{session['started']} {os.getpid()}"
        self._write(path, _readable({**sessions, key: session}))
        return key

    def write_experiment(self, resolved: dict[str, Any]) -> None:
        """Write the experiment, as a config, to `experiment.yaml`."""
        self._write(self.folder / "experiment.yaml", write_yaml(resolved).encode())

    def write_table(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write `<name>.csv`."""
        self._write(self.folder / f"{name}.csv", table_text(header, rows).encode())

    def save_arrays(self, name: str, arrays: dict[str, NDArray[Any]]) -> None:
        """Write arrays of numbers or text to `<name>.npz`."""
        assert not any(array.dtype.hasobject for array in arrays.values())
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        self._write(self.folder / f"{name}.npz", content.getvalue())

    def load_arrays(self, name: str) -> dict[str, NDArray[Any]] | None:
        """The arrays of `<name>.npz`; None when there is no such file, or a damaged one."""
        path = self.folder / f"{name}.npz"
        with _told(path, "read"):
            if not path.is_file():
                return None
            content = path.read_bytes()
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return dict(arrays)
        except (ValueError, KeyError, EOFError, BadZipFile):
            return None

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        self._write(self.folder / name, text.encode())

    def write_figure(self, name: str, pictures: dict[str, bytes]) -> list[Path]:
        """Write `<name>.<suffix>` for each picture; returns their paths."""
        for suffix, picture in pictures.items():
            self._write(self.folder / f"{name}.{suffix}", picture)
        return [self.folder / f"{name}.{suffix}" for suffix in pictures]

    def _write(self, path: Path, content: bytes) -> None:
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(path, content)
            atomic.sync_folder(path.parent)


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Make and hold a folder for this process; the system lets go of it when the process ends, however.

    Raises:
        LockedError: when another process holds it.
        StorageError: when the folder cannot be made.
    """
    with _told(folder):
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
    with _told(results, "read"):
        return sorted(path.name for path in results.iterdir() if (path / "runs").is_dir())


def find_store(results: Path, name: str) -> Store:
    """The store of an experiment that has one.

    Raises:
        UsageError: when it has none; the message names those that have.
    """
    known = experiments(results)
    if name not in known:
        raise UsageError(f"{results}: {unknown_name('experiment', name, known)}")
    return Store(results, name)


def table_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Comma-separated lines."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _checked(record: dict[str, Any], folder: Path) -> Record | None:
    """The record if it and its files are whole and it is that of its folder."""
    checksum, files = record.pop("checksum"), record["files"]
    if checksum != _sha256(_canonical(record)) or record.pop("format") != _FORMAT:
        return None
    if record["id"] != folder.name:
        return None
    if any(_sha256((folder / name).read_bytes()) != digest for name, digest in files.items()):
        return None
    del record["files"]
    return Record(**record, folder=folder, files=tuple(files))


@contextmanager
def _told(path: Path, verb: str = "write") -> Iterator[None]:
    """Turn the system's errors into one line that names the file."""
    try:
        yield
    except OSError as error:
        name = error.filename2 or error.filename or path
        raise StorageError(f"{name}: cannot {verb}: {error.strerror or error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none that can be read: provenance bears on no result."""
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
    """The one text of a tree, over which its checksum is taken."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _readable(tree: Any) -> bytes:
    return json.dumps(tree, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
