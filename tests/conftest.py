"""Fixtures: a cache of the tests' own, a small dataset of IDX files, a small experiment, the command."""

import gzip
import os
import signal
import sqlite3
import struct
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

# Before NumPy is loaded: the threads of several test processes would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """The tests neither read nor write the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("INITLAB_CACHE", str(folder))
        yield folder


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_dataset(folder: Path, packed: bool = False, seed: int = 0) -> Path:
    """600 and 200 images of 4 x 4 pixels in 3 classes that a small network can learn."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (3, 4, 4))
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 600), ("t10k", 200)):
        labels = rng.integers(3, size=count)
        images = np.clip(centres[labels] + rng.normal(0, 40, (count, 4, 4)), 0, 255)
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            content = idx_bytes(array)
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
            else:
                (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def small_data(tmp_path):
    return write_dataset(tmp_path / "small")


SMALL_CONFIG = """\
name: small
data: {{path: {data}}}
network: {{hidden: [8, 8], activation: relu}}
train: {{steps: 100, batch_size: 16, optimizer: {{name: sgd, lr: 0.1}}}}
sweep:
  init: [he, std=0.01, {{scheme: "normal(std=1e6)", label: huge}}]
  seed: [0, 1]
figures: [loss]
"""


@pytest.fixture
def small_config(tmp_path, small_data):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL_CONFIG.format(data=small_data.name))
    return path


@pytest.fixture
def initlab_here(monkeypatch, capsys):
    """Run the command within this process: its words -> exit code and output, as of a process."""
    from initlab.cli import main

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["initlab", *map(str, words)])
        monkeypatch.setattr(
            sys, "unraisablehook", sys.unraisablehook
        )  # main() sets it and a signal's handler
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        output = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=output.out, stderr=output.err)

    return run


def record_bytes(folder: Path) -> dict[str, tuple[object, ...]]:
    """The rows of all records of an experiment, to the last bit, without their provenance."""
    path = folder / "runs.sqlite"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT record.*, text FROM record JOIN setting ON setting = digest")
        return {row[0]: row for row in rows}


@contextmanager
def changed(folder: Path):
    """A connection to the records of an experiment, whose changes are written at the end."""
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection, connection:
        yield connection
