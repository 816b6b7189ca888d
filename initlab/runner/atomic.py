"""Files that are whole or not there: bytes -> a part file beside -> flushed to the disk -> renamed.

Whenever the process or the machine stops, a reader finds the old file or the new one. One process at a time
writes into a folder, so that a part file left behind is simply written over the next time.
"""

import os
from pathlib import Path


def checkpoint(step: str, path: Path) -> None:
    """Called before each step that changes the disk; tests put an interruption in its place."""


def write(path: Path, content: bytes) -> None:
    """Write a file and see it onto the disk; its name still needs `sync_folder`."""
    part = path.with_name(f".{path.name}.part")
    try:
        checkpoint("write", path)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            checkpoint("fsync", path)
            os.fsync(file.fileno())
        checkpoint("rename", path)
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def make_folder(path: Path) -> None:
    """Make a folder in one that is there, and see its name onto the disk; nothing where it is there."""
    if not path.is_dir():
        checkpoint("mkdir", path)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """See the names in a folder onto the disk."""
    checkpoint("fsync", path)
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
