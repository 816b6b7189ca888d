"""The origin of records: this machine, these versions, this command, this state of the sources."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from initlab import __version__

_SOURCES = Path(__file__).parent
_LONGEST_DIFF = 100_000  # keeps provenance.json readable where large files have changed


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def describe() -> dict[str, Any]:
    """Command, machine, versions and sources of this process."""
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    return {
        "started": now(),
        "command": sys.argv,
        "host": platform.node(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "initlab": __version__,
        "fingerprint": fingerprint(),
        "git_commit": _git("rev-parse", "HEAD") if tracked else None,
        "git_diff": (_git("diff", "HEAD") or "")[:_LONGEST_DIFF] if tracked else None,
    }


@dataclass(frozen=True)
class Origin:
    """Where numbers were computed.

    Attributes:
        host: the name of the machine.
        numerics: a digest of the code that decides numbers.
        fingerprint: what their last bits depend on besides; see `fingerprint`.
    """

    host: str
    numerics: str
    fingerprint: dict[str, Any]


@cache
def origin() -> Origin:
    """That of this process."""
    return Origin(host=platform.node(), numerics=numerics(), fingerprint=fingerprint())


def numerics() -> str:
    """A digest of the modules on which the numbers of a record depend."""
    package = _SOURCES.parent
    digest = hashlib.sha256()
    for name in ("nn", "init", "data", "training", "measure"):
        for path in sorted((package / name).rglob("*.py")):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def fingerprint() -> dict[str, Any]:
    """What the last bits of a result depend on: processor, linear algebra library, NumPy's streams."""
    return {
        "processor": _processor(),
        "numpy": np.__version__,
        "blas": _blas(),
    }


def machine_text(machine: Mapping[str, Any]) -> str:
    """A fingerprint in words.

    >>> machine_text({"processor": "AMD EPYC", "numpy": "2.4.1", "blas": ["openblas 0.3.31 Haswell"]})
    'AMD EPYC, NumPy 2.4.1, openblas 0.3.31 Haswell'
    """
    return ", ".join([str(machine["processor"]), f"NumPy {machine['numpy']}", *map(str, machine["blas"])])


def _blas() -> list[str]:
    """The BLAS of NumPy; other packages that are loaded may bring their own."""
    libraries = [library for library in threadpool_info() if library.get("user_api") == "blas"]
    numpys = [library for library in libraries if "numpy" in str(library.get("filepath"))] or libraries
    keys = ("internal_api", "version", "architecture")
    return [" ".join(str(library.get(key)) for key in keys) for library in numpys]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _git(*arguments: str) -> str | None:
    """The output of git for the sources; None outside of a checkout, or without git."""
    try:
        done = subprocess.run(
            ["git", "-C", _SOURCES, *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()
