"""The shipped configs: `mnist` -> the file mnist.yaml, wherever the package is installed."""

import re
from pathlib import Path

from initlab.errors import UsageError, unknown_name

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
    raise UsageError(f"{unknown_name('config', str(given), configs)}; or give the path of a YAML file")
