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
        raise UsageError(f"{text}: there is no module {module_name} here, nor an installed one") from error
    if not hasattr(module, name):
        raise UsageError(f"{text}: {unknown_name('name', name, [n for n in vars(module) if n[0] != '_'])}")
    return getattr(module, name)
