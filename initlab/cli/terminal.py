"""What all commands share: the app, common options, and how tables, JSON, messages and figures come out.

Tables and JSON go to standard output, messages to standard error.
"""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import Figure

app = typer.Typer(
    help="A laboratory for weight initialization: train the alternatives side by side, and look inside.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the config; repeatable."),
]
ResultsOption = Annotated[Path, typer.Option(help="The folder for the experiments' folders.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]


def number(value: object) -> object:
    """A number as tables show it, with five digits; anything else as it is."""
    return f"{value:.5g}" if isinstance(value, float) else value


def finite(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if math.isfinite(value) else None


def print_json(value: Any) -> None:
    """Print for programs; a number that is not finite is a mistake here."""
    typer.echo(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False))


def print_table(header: "Sequence[str]", rows: "Iterable[Sequence[object]]") -> None:
    """Print aligned columns; None is shown as a dash."""
    from initlab.runner.tables import aligned

    shown = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    typer.echo(aligned([list(header), *shown]))


def say(message: str) -> None:
    """Print a message for the reader, apart from the output."""
    typer.echo(message, err=True)


def fail(message: str, code: int) -> None:
    """End with a message and an exit code."""
    for line in message.splitlines():
        say(f"initlab: {line}")
    sys.exit(code)


class Bar:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.bar: Any = None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def update(self, done: int, total: int) -> None:
        from tqdm import tqdm

        if self.bar is None:
            self.bar = tqdm(total=total, unit="run", desc="training", disable=None if self.shown else True)
        self.bar.update(done - self.bar.n)


def file_name(words: "Iterable[str]") -> str:
    """A safe file name of the given words."""
    letters = "-".join(words)
    return "".join(c if c.isalnum() or c in ".-=" else "_" for c in letters).strip("._")[:80]


def check_suffix(target: Path) -> None:
    """Refuse a figure's file whose format is not known, before anything is computed."""
    if target.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--output {target}: the name must end in .png, .svg or .pdf")


def write_figure(figure: "Figure", target: Path) -> None:
    """Draw into a file, whose folder is made."""
    from initlab.plotting.style import render

    picture = render(figure, target.suffix[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture)
