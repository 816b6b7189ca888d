"""Records on disk: the only module that knows file names.

results/<experiment>/
    experiment.yaml  provenance.json  summary.csv  curves.csv  <figure>.png .svg
    runs/<run-id>/losses.npy
    runs/<run-id>/record.json     written last: a run is finished when this file says so, and is whole

A record depends on nothing but its run; times, versions and machines are in `provenance.json`. Every file is
written beside its place, flushed to the disk and renamed, so a reader sees the old one or the new one.
"""

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from initlab.errors import LockedError, StorageError
from initlab.nn.arrays import FloatArray
from initlab.runner.grid import Run
from initlab.runner.training import History
from initlab.runner.yaml_text import write_yaml

_FORMAT = 1


class Store:
    """The folder of one experiment.

    Args:
        results: the folder that holds one folder for each experiment.
        name: the experiment's; checked by the config to be a plain file name.
    """

    def __init__(self, results: str | Path, name: str) -> None:
        self.folder = Path(results) / name

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the experiment for this process; the system lets go of it when the process ends, however.

        Raises:
            LockedError: when another process holds it.
            StorageError: when the folder cannot be made.
        """
        with _told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise LockedError(
                    f"{self.folder}: another initlab is at work on it; try again later"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def save(self, run: Run, history: History) -> None:
        """Write the record of a finished run."""
        folder = self._run_folder(run)
        losses = _npy(history.losses)
        record = {
            "format": _FORMAT,
            "id": run.id,
            "identity": run.identity,
            "outcome": "finished" if history.diverged_at is None else "diverged",
            "diverged_at": history.diverged_at,
            "test_loss": history.test_loss,
            "test_accuracy": history.test_accuracy,
            "files": {"losses.npy": _sha256(losses)},
        }
        record["checksum"] = _sha256(_canonical(record))
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / "losses.npy", losses)
            _write(folder / "record.json", _canonical(record) + b"\n")

    def load(self, run: Run) -> History | None:
        """What a finished run left; None when it has no record, or one that is damaged in any way."""
        folder = self._run_folder(run)
        try:
            record = json.loads((folder / "record.json").read_bytes())
            losses = (folder / "losses.npy").read_bytes()
            checksum = record.pop("checksum")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        except OSError as error:
            raise StorageError(f"{error.filename}: {error.strerror}") from error
        if checksum != _sha256(_canonical(record)) or record.get("format") != _FORMAT:
            return None
        if record["id"] != run.id or record["files"]["losses.npy"] != _sha256(losses):
            return None
        return History(
            np.load(io.BytesIO(losses), allow_pickle=False),
            record["diverged_at"],
            record["test_loss"],
            record["test_accuracy"],
        )

    def missing(self, runs: Iterable[Run]) -> list[Run]:
        """Those of the runs that have no valid record."""
        return [run for run in runs if self.load(run) is None]

    def write_experiment(self, resolved: dict[str, Any]) -> None:
        """Write the experiment, with every value told, as `experiment.yaml`."""
        self._write(self.folder / "experiment.yaml", write_yaml(resolved).encode())

    def add_provenance(self, session: dict[str, Any]) -> None:
        """Append what is known of one training session to `provenance.json`."""
        path = self.folder / "provenance.json"
        try:
            sessions = json.loads(path.read_bytes())["sessions"]
        except (OSError, ValueError, KeyError, TypeError):
            sessions = []
        text = json.dumps({"sessions": [*sessions, session]}, indent=2)
        self._write(path, text.encode() + b"\n")

    def write_table(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
        """Write `<name>.csv`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        path = self.folder / f"{name}.csv"
        self._write(path, text.getvalue().encode())
        return path

    def write_figure(self, name: str, pictures: dict[str, bytes]) -> list[Path]:
        """Write `<name>.<suffix>` for each picture."""
        for suffix, picture in pictures.items():
            self._write(self.folder / f"{name}.{suffix}", picture)
        return [self.folder / f"{name}.{suffix}" for suffix in pictures]

    def _write(self, path: Path, content: bytes) -> None:
        with _told(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(path, content)

    def _run_folder(self, run: Run) -> Path:
        return self.folder / "runs" / run.id


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the system's errors into one line that names the file."""
    try:
        yield
    except OSError as error:
        name = error.filename or path
        raise StorageError(f"{name}: cannot write: {error.strerror or error}") from error


def _write(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _npy(array: FloatArray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _canonical(tree: Any) -> bytes:
    return json.dumps(tree, sort_keys=True, indent=1, allow_nan=False).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
