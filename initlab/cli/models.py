"""`initlab diagnose MODULE:MODEL`: the verdict on a person's own model."""

import traceback
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from initlab.cli.pictures import Drawing
from initlab.cli.references import is_reference, object_of
from initlab.cli.terminal import print_json, print_table
from initlab.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from initlab.frameworks.verdict import ModelDiagnosis


LIBRARIES = {"torch": "PyTorch", "keras": "Keras", "flax": "Flax"}


@dataclass(frozen=True, kw_only=True)
class Output:
    """What is shown of a diagnosis.

    Attributes:
        layers: whether the numbers of every layer are printed.
        as_json: whether all is printed for programs.
        figure: the file of the picture, and its looks.
        cure: a file for the lines that cure the model.
    """

    layers: bool
    as_json: bool
    figure: Drawing | None
    cure: Path | None


def diagnosis_of_model(
    text: str, data: str | None, optimizer: str, draws: int, library: str | None = None
) -> "ModelDiagnosis":
    """Of what a person's module holds.

    Args:
        text: MODULE:MODEL.
        data: MODULE:BATCH.
        optimizer, draws: as for `frameworks.torch.diagnose`.
        library: a name in `LIBRARIES`; by default that of the model, and PyTorch's for a function.

    Raises:
        UsageError: without a batch, without the library, or for what is not there.
    """
    if data is None or not is_reference(data):
        raise UsageError(
            "a model needs --data MODULE:BATCH, a pair (inputs, targets) or a function that gives it"
        )
    if library is not None and library not in LIBRARIES:
        raise UsageError(unknown_name("library", library, LIBRARIES))
    model, batch = _imported(text), _imported(data)
    name = library or _library_of(model)
    _require_library(name)
    diagnose = import_module(f"initlab.frameworks.{name}").diagnose
    diagnosis: ModelDiagnosis = diagnose(
        model, batch() if callable(batch) else batch, optimizer=optimizer, draws=draws
    )
    return diagnosis


def _imported(text: str) -> object:
    """The object of MODULE:NAME; what its module raises is told in one line."""
    try:
        return object_of(text)
    except UsageError:
        raise
    except ModuleNotFoundError as error:
        if error.name in LIBRARIES:
            raise _missing(error.name) from error
        raise UsageError(f"{text}: its module needs {error.name}, which is not installed") from error
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        file, line = where.filename, where.lineno
        if isinstance(error, SyntaxError):
            file, line = error.filename or file, error.lineno
        problem = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
        raise UsageError(f"{text}: its module cannot be imported: {file}:{line}: {problem}") from error


def _require_library(name: str) -> None:
    if find_spec(name) is None:
        raise _missing(name)


def _missing(name: str) -> UsageError:
    return UsageError(f"models of {LIBRARIES[name]} need it: pip install 'initlab[{name}]'")


def _library_of(model: object) -> str:
    """The first that a model's classes come from; PyTorch for a function."""
    modules = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    return next((name for name in ("keras", "flax") if name in modules), "torch")


def show_model(diagnosis: "ModelDiagnosis", output: Output) -> None:
    """Print a diagnosis, and write the files that were asked for."""
    if output.figure:
        output.figure.write(diagnosis.figure)
    if output.cure and diagnosis.cure:
        output.cure.parent.mkdir(parents=True, exist_ok=True)
        output.cure.write_text(f"{diagnosis.cure.code}\n", encoding="utf-8")
    if output.as_json:
        print_json(diagnosis.to_dict())
        return
    typer.echo(repr(diagnosis))
    if diagnosis.cure:
        typer.echo(f"\n{diagnosis.cure.code}")
    if output.layers:
        typer.echo("")
        print_table(*diagnosis.table())
    if output.figure:
        typer.echo(f"\n{output.figure.target}")
    if output.cure:
        typer.echo(f"\n{output.cure}" if diagnosis.cure else f"\nNo cure, so {output.cure} was not written.")
