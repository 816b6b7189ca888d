"""The command line: parse, call one function, print.

One module for each family of commands. A command imports what it needs when it runs, so that `--help` and
completion answer at once.
"""

import os
import signal
import sys
import threading

from initlab.cli.terminal import app, fail
from initlab.errors import InitlabError, StorageError, UsageError

# The order of --help.
# isort: off
from initlab.cli import run
from initlab.cli import histogram
from initlab.cli import depth
from initlab.cli import plot
from initlab.cli import report
from initlab.cli import explore
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
    "depth",
    "diagnosis",
    "explore",
    "gallery",
    "histogram",
    "main",
    "plot",
    "records",
    "report",
    "run",
    "schemes",
]


def main() -> None:
    """The `initlab` command.

    Exit codes: 0 done, 1 runs failed or records damaged, 2 usage or config, 3 data, 4 locked, 5 input or
    output, 130 and 143 interrupted.
    """
    signal.signal(signal.SIGTERM, _end)
    sys.unraisablehook = _interrupt_again
    try:
        app()
    except InitlabError as error:
        fail(str(error), error.exit_code)
    except OSError as error:
        name = error.filename2 or error.filename or "input or output"
        fail(f"{name}: {error.strerror or error}", StorageError.exit_code)
    except MemoryError:
        fail("not enough memory for networks or batches of this size", UsageError.exit_code)


def _end(_signal: int, _frame: object) -> None:
    sys.exit(143)


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Repeat a signal that came during a destructor, where Python drops the exception."""
    lost = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}.get(unraisable.exc_type)
    if lost is None:
        sys.__unraisablehook__(unraisable)
    else:
        threading.Timer(0.05, os.kill, (os.getpid(), lost)).start()
