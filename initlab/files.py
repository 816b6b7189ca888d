"""Files that are either whole or absent: bytes -> a part file beside the target -> flushed -> renamed.

Whenever the process or the machine stops, a reader finds the old file or the new one.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO


def checkpoint(step: str, path: Path) -> None:
    """Called before each step that changes the disk; the tests of faults interrupt here.

    Args:
        step: "write", "fsync", "rename" or "mkdir".
        path: the file or folder that changes.
    """


@dataclass(frozen=True)
class Part:
    """A file that is being written under another name.

    Attributes:
        path: its name until it is published.
        file: open for writing.
    """

    path: Path
    file: BinaryIO

    def publish(self, target: Path) -> None:
        """Flush the content to the disk and give the file its name; the name itself needs `sync_folder`."""
        self.file.flush()
        checkpoint("fsync", target)
        os.fsync(self.file.fileno())
        self.file.close()  # Windows renames no open file
        checkpoint("rename", target)
        os.replace(self.path, target)


@contextmanager
def open_part(path: Path) -> Iterator[Part]:
    """Open a part file for writing; it is removed unless the block publishes it."""
    file = path.open("wb")
    try:
        with file:
            yield Part(path, file)
    finally:
        with suppress(OSError):  # gone once it is published
            path.unlink()


def unique_part(folder: Path) -> Path:
    """A name for a part file in a folder into which several processes may write at the same time."""
    return folder / f".{os.getpid()}-{secrets.token_hex(4)}.part"


def write(path: Path, content: bytes) -> None:
    """Write a file in a folder that only one process writes into.

    A part file that a killed process left behind is overwritten by the next attempt, so none pile up.

    Args:
        path: the file, in an existing folder.
        content: all of it.
    """
    _write(path, content, path.with_name(f".{path.name}.part"))


def write_shared(path: Path, content: bytes) -> None:
    """Write a file in a folder that several processes may write into; the last one wins.

    Args:
        path: the file, in an existing folder.
        content: all of it.
    """
    _write(path, content, unique_part(path.parent))


def _write(path: Path, content: bytes, part_path: Path) -> None:
    checkpoint("write", path)
    with open_part(part_path) as part:
        part.file.write(content)
        part.publish(path)


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object on which no result depends; empty where it cannot be read."""
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def make_folder(path: Path) -> None:
    """Make a folder in an existing one and flush its name to the disk, unless it exists already."""
    if not path.is_dir():
        checkpoint("mkdir", path)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush the names in a folder to the disk."""
    checkpoint("fsync", path)
    if os.name == "nt":  # Windows cannot open a folder to flush it
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
