"""The shipped configs: `mnist` -> the file mnist.yaml, wherever the package is installed."""

import os
import re
from itertools import islice
from pathlib import Path

from initlab.errors import UsageError, similar

_PACKAGE = Path(__file__).parents[1]
# A wheel holds the configs within the package, a checkout beside it.
_FOLDERS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")


def shipped_configs() -> dict[str, Path]:
    """The shipped configs by name.

    >>> "mnist" in shipped_configs()
    True
    """
    files = [file for folder in _FOLDERS for file in sorted(folder.glob("*.yaml"))]
    return {file.stem: file for file in reversed(files)}


def find_config(given: str | Path) -> Path:
    """The file of a config.

    Args:
        given: a path, or the name of a shipped config. A file or folder of that name comes first.

    Raises:
        UsageError: for a plain name that is neither; a path with a folder or a suffix is returned as it is.

    >>> find_config("mnist").name, str(find_config("mine/mnist.yaml"))
    ('mnist.yaml', 'mine/mnist.yaml')
    """
    path = Path(given)
    if not re.fullmatch(r"\w[\w-]{0,63}", str(given)) or path.is_file():
        return path
    configs = shipped_configs()
    if str(given) in configs:
        return configs[str(given)]
    if path.exists():
        return path
    hint = other_configs(path) or ";"
    ways = "`initlab config list` lists all; or give the path of a YAML file"
    raise UsageError(f"unknown config {str(given)!r}{hint} {ways}")


def other_configs(path: Path) -> str:
    """What to say of a file that is not there: a file beside it, or a shipped config, of a similar name.

    Args:
        path: of the file.

    >>> other_configs(Path("mnist.yaml"))
    "; did you mean 'mnist'?"
    """
    if os.path.exists(path):  # Path.exists raises for a name that is too long
        return ""
    beside = {file.stem: str(file) for file in _yaml_files(path.parent)}
    names = {name: name for name in shipped_configs()} | beside
    nearest = [names[name] for name in similar(path.stem, names, 1)]
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(islice(folder.glob("*.yaml"), 1000)) if os.path.isdir(folder) else []
