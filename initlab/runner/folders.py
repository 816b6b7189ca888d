"""Records as versions before 1.0 wrote them, a folder for each run: they are read once, and taken over.

runs/<run-id>/losses.npy  tracked.json  record.json  provenance.json
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from initlab.files import read_object
from initlab.runner.database import RunsFile
from initlab.runner.record import Record
from initlab.training.history import History

_FORMAT = 1


def take_over(folder: Path, runs: RunsFile) -> None:
    """Write the records of a folder into a file, and rename the folder, whose files stay as they are.

    Args:
        folder: of the runs' folders; nothing happens without it.
        runs: the file.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    loaded = ((_load(path), path) for path in sorted(folder.iterdir()))
    runs.write((record, _training(path)) for record, path in loaded if record is not None)
    folder.rename(folder.with_name("runs.before"))


def _training(folder: Path) -> dict[str, Any]:
    """When a run was trained, as far as the values are texts and numbers that a row can hold."""
    facts = read_object(folder / "provenance.json")
    return {name: value for name, value in facts.items() if isinstance(value, str | float)}


def _load(folder: Path) -> Record | None:
    """The record of a folder; None where there is none, or where it is damaged in any way."""
    try:
        tree = json.loads((folder / "record.json").read_bytes())
        return _checked(tree, folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _checked(tree: dict[str, Any], folder: Path) -> Record | None:
    """The record if it and its files are whole and belong to this folder."""
    checksum = tree.pop("checksum")
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)
    if checksum != _sha256(text.encode()) or tree["format"] != _FORMAT or tree["id"] != folder.name:
        return None
    names = [name for name in ("losses.npy", "tracked.json") if name in tree["files"]]
    contents = {name: (folder / name).read_bytes() for name in names}
    if {name: _sha256(content) for name, content in contents.items()} != tree["files"]:
        return None
    history = None if tree["outcome"] == "failed" else _history(tree, contents)
    facts = {name: tree[name] for name in ("id", "identity", "outcome", "cause")}
    return Record(history=history, **facts)


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


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
