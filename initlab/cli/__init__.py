"""The command line: parse, call one function, print.

One module for each family of commands. What a command needs is imported within it, so that `--help` and
completion answer at once.
"""

import os
import signal
import sys
import threading

from initlab.cli.terminal import app, fail
from initlab.errors import InitlabError, StorageError, UsageError

# In the order of --help.
# isort: off
from initlab.cli import training
from initlab.cli import untrained
from initlab.cli import diagnosis
from initlab.cli import schemes
from initlab.cli import records
from initlab.cli import gallery
from initlab.cli import data
from initlab.cli import configs
# isort: on

__all__ = [
    "app",
    "configs",
    "data",
    "diagnosis",
    "gallery",
    "main",
    "records",
    "schemes",
    "training",
    "untrained",
]


def main() -> None:
    """The `initlab` command. Exit codes: 0 done, 1 runs failed or records damaged, 2 usage or config,
    3 data, 4 locked, 5 input or output, 130 and 143 interrupted.
    """
    signal.signal(signal.SIGTERM, _end)
    sys.unraisablehook = _interrupt_again
    try:
        app()
    except InitlabError as error:
        fail(str(error), error.exit_code)
    except OSError as error:
        fail(f"{error.filename or 'input or output'}: {error.strerror or error}", StorageError.exit_code)
    except MemoryError:
        fail("not enough memory for networks or batches of this size", UsageError.exit_code)


def _end(_signal: int, _frame: object) -> None:
    sys.exit(143)


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Send a signal again that came while Python was in a destructor, where its exception is lost."""
    lost = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}.get(unraisable.exc_type)
    if lost is None:
        sys.__unraisablehook__(unraisable)
    else:
        threading.Timer(0.05, os.kill, (os.getpid(), lost)).start()
