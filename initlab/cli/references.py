"""`module:name` on the command line -> the object of that name in a person's own module."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from initlab.errors import UsageError, unknown_name


def is_reference(text: str) -> bool:
    """Whether a text has the form of `module:name`.

    >>> is_reference("models:build"), is_reference("configs/mnist.yaml")
    (True, False)
    """
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text) is not None


def module_meant(text: str) -> str:
    """What to say of the path of a file where the name of a module is wanted; else nothing.

    >>> module_meant("./mine/models.py:net"), module_meant("models:net")
    ("; did you mean 'mine.models:net'?", '')
    """
    path, suffix, name = text.partition(".py:")
    parts = [part for part in re.split(r"[/\\]", path) if part not in ("", ".")]
    return f"; did you mean '{'.'.join(parts)}:{name}'?" if suffix else ""


def object_of(text: str) -> Any:
    """Import a module from the current folder or the installed ones, and take what it calls by that name.

    Importing runs the module's code.

    Args:
        text: as "package.models:build".

    Raises:
        UsageError: for a module that is not there, or a name that it does not have. What the module itself
            raises passes through.
    """
    module_name, _, name = text.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name and not module_name.startswith(f"{error.name}."):
            raise
        missing = f"there is no module {module_name} here, nor an installed one"
        raise UsageError(f"{text}: {missing}{module_meant(text)}") from error
    if not hasattr(module, name):
        names = [name for name in vars(module) if not name.startswith("_")]
        raise UsageError(f"{text}: {unknown_name('name', name, names, f'dir({module_name})')}")
    return getattr(module, name)
