"""The parts that all commands share: the app, common options, and output as tables, JSON, messages.

Tables and JSON go to standard output, messages to standard error.
"""

import json
import math
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab import __version__
from initlab.cli.parsing import Commands
from initlab.errors import StorageError, UsageError
from initlab.registry import parts_of
from initlab.tables import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


app = typer.Typer(
    cls=Commands,
    help="A laboratory for weight initialization: train the alternatives side by side, and look inside.",
    epilog="Exit codes: 0 done; 1 runs failed, records damaged or claims drifted; 2 usage or config; 3 data; "
    "4 locked; 5 input or output; 130 and 143 interrupted.\n\n"
    '--json prints an object: lists have names, as in {"runs": [...]}. Completion of commands and options in '
    "your shell: initlab --install-completion. NO_COLOR and FORCE_COLOR are respected.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COLUMNS = 80

CONFIG_HELP = "A YAML file, or the name of a shipped config, for example mnist."
SCHEME_HELP = "A scheme, or yours as ./mine.py:f; repeatable."
ACTIVATION_HELP = "An activation function, or yours as ./mine.py:f; repeatable."
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the config; repeatable."),
]
AllowCodeOption = Annotated[
    bool, typer.Option("--allow-code", help="Run the Python files that the config names.")
]
ResultsOption = Annotated[Path, typer.Option(help="The folder that holds a folder for each experiment.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"initlab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """The options of `initlab` itself."""


def repeated(option: str, values: "Iterable[str]") -> list[str]:
    """The different values of an option that may be repeated, in their order.

    Args:
        option: its name.
        values: as they were given.

    Raises:
        UsageError: for several values in one, as `he,xavier`.
    """
    for value in values:
        parts = [part for part in parts_of(value) if part]
        if len(parts) > 1:
            again = " ".join(f"{option} {shlex.quote(part)}" for part in parts)
            raise UsageError(f"{option} {plain(value)}: repeat the option, as in {plain(again)}")
    return list(dict.fromkeys(values))


def number(value: object, digits: int = 5) -> str:
    """A value in a table: a float to some digits, a dash for None.

    Args:
        value: of any type.
        digits: the significant ones.

    >>> number(0.123456789), number(None), number(300)
    ('0.12346', '-', '300')
    """
    if value is None:
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else plain(str(value))


def print_json(value: Any) -> None:
    """Print for programs; a number that JSON does not have, as infinity, becomes null."""
    typer.echo(json.dumps(_json(value), indent=1, allow_nan=False, ensure_ascii=False))


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(header: "Sequence[str]", rows: "Iterable[Sequence[object]]") -> None:
    """Print aligned columns.

    Args:
        header: names of the columns.
        rows: a value for each column, shown as by `number`.
    """
    from initlab.tables import aligned

    table = aligned([list(header), *(list(map(number, row)) for row in rows)], screen_width(), painted)
    typer.echo(table, color=has_colours())


_COLOURS = {
    "confirmed": "green",
    "trains": "green",
    "mixed": "yellow",
    "undecided": "yellow",
    "in doubt": "yellow",
    "diverged": "yellow",
    "refuted": "red",
    "does not train": "red",
    "failed": "red",
    "damaged": "red",
}


def has_colours() -> bool:
    """Whether output is coloured: on a terminal, unless NO_COLOR is set; anywhere where FORCE_COLOR is."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def painted(word: str) -> str:
    """A word in the colour of what it says, if it is an outcome or a verdict and colours are shown."""
    return typer.style(word, fg=_COLOURS[word]) if word in _COLOURS and has_colours() else word


def screen_width() -> int:
    """The columns of the terminal; 80 where standard output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _COLUMNS


def print_text(text: str, indent: int = 0) -> None:
    """Print a paragraph in lines that fit the terminal.

    Args:
        text: of one paragraph.
        indent: of all lines, in characters.
    """
    from initlab.tables import wrapped

    margin = " " * indent
    lines = wrapped(text, max(screen_width(), 40) - indent)
    typer.echo("\n".join(margin + line for line in lines))


def say(message: str) -> None:
    """Print a message on standard error."""
    typer.echo(message, err=True)


def fail(message: str, code: int) -> None:
    """End the command.

    Args:
        message: of one or more lines.
        code: the exit code.
    """
    for line in message.splitlines():
        say(f"initlab: {line}")
    sys.exit(code)


class Bar:
    """A progress bar on standard error, if that is a terminal.

    Args:
        shown: whether there is one.
        unit: of what is counted.
        doing: what is done with it.
        remark: a sentence for those who interrupt it.
    """

    def __init__(
        self,
        shown: bool,
        unit: str = "run",
        doing: str = "training",
        remark: str = " They are recorded; the same command goes on.",
    ) -> None:
        self.shown, self.unit, self.doing, self.remark = shown, unit, doing, remark
        self.bar: Any = None
        self.done = self.total = 0

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
        if self.shown and kind in (KeyboardInterrupt, SystemExit):
            done = f" after {self.done} of {self.total} {self.unit}s.{self.remark}" if self.total else "."
            say(f"Interrupted{done}")

    def update(self, done: int, total: int) -> None:
        """Show so many of all runs as done.

        Args:
            done: the runs recorded so far.
            total: the runs to train.
        """
        from tqdm import tqdm

        self.done, self.total = done, total
        if self.bar is None:
            self.bar = tqdm(
                total=total, unit=self.unit, desc=self.doing, disable=None if self.shown else True
            )
        self.bar.total = total  # which grows where one round of runs follows another
        self.bar.update(done - self.bar.n)


def file_name(words: "Iterable[str]") -> str:
    """A safe file name that consists of words."""
    letters = "-".join(words)
    return "".join(c if c.isalnum() or c in ".-=" else "_" for c in letters).strip("._")[:80]


def make_folder_of(target: Path) -> None:
    """Make the folder of a file that is to be written.

    Raises:
        StorageError: when a file lies in its way.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise StorageError(f"{target.parent}: not a folder") from None
