"""Where records came from: this machine, these versions, this command, this state of the sources."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

_SOURCES = Path(__file__).parent
_LONGEST_DIFF = 100_000


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def describe() -> dict[str, Any]:
    """What can be told of the place in which this process runs."""
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    return {
        "started": now(),
        "command": sys.argv,
        "host": platform.node(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "initlab": version("initlab"),
        "fingerprint": fingerprint(),
        "git_commit": _git("rev-parse", "HEAD") if tracked else None,
        "git_diff": (_git("diff", "HEAD") or "")[:_LONGEST_DIFF] if tracked else None,
    }


def fingerprint() -> dict[str, Any]:
    """What decides the last bits of a result: the processor, the linear algebra library, NumPy's streams."""
    return {
        "processor": _processor(),
        "numpy": np.__version__,
        "blas": _blas(),
    }


def _blas() -> list[str]:
    """NumPy's, not that of other packages that happen to be loaded too."""
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
    """What git says of the sources; None where they are in no checkout or there is no git."""
    try:
        told = subprocess.run(
            ["git", "-C", _SOURCES, *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return told.stdout.strip()
