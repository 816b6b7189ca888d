"""`initlab diagnose MODULE:MODEL`: the verdict on a person's own model."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from initlab.cli.pictures import Drawing
from initlab.cli.references import is_reference, module_meant, object_of
from initlab.cli.terminal import make_folder_of, print_json, print_table
from initlab.errors import InitlabError, UsageError, alternatives, unknown_name
from initlab.own_code import described

if TYPE_CHECKING:
    from initlab.frameworks.verdict import ModelDiagnosis


_PACKAGE = Path(__file__).parents[1]
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
        UsageError: without the library, without a batch, or for what is not there.
    """
    _require_a_library(library)
    if data is None or not is_reference(data):
        wanted = "a model needs --data MODULE:BATCH, a pair (inputs, targets) or a function that gives it"
        raise UsageError(f"{wanted}{module_meant(data or '')}")
    model, batch = _imported(text), _imported(data)
    name = library or _library_of(model)
    _require_library(name)
    diagnose = import_module(f"initlab.frameworks.{name}").diagnose
    if callable(batch):
        with _failing(f"{data} fails"):
            batch = batch()
    with _failing(f"{text} fails with {data}"):
        diagnosis: ModelDiagnosis = diagnose(model, batch, optimizer=optimizer, draws=draws)
    return diagnosis


def _imported(text: str) -> object:
    """The object of MODULE:NAME."""
    with _failing(f"{text}: its module cannot be imported"):
        try:
            return object_of(text)
        except ModuleNotFoundError as error:
            if error.name in LIBRARIES:
                raise _missing(error.name) from error
            raise UsageError(f"{text}: its module needs {error.name}, which is not installed") from error


@contextmanager
def _failing(what: str) -> Iterator[None]:
    """Tell what a person's code raises in one line, with the place in their code."""
    try:
        yield
    except (InitlabError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{what}: {_place(error)}{described(error)}") from error


def _place(error: BaseException) -> str:
    """The last line outside of initlab and of installed packages; empty where there is none."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: "
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_installed(frame.filename)]
    return f"{own[-1].filename}:{own[-1].lineno}: " if own else ""


def _is_installed(file: str) -> bool:
    return file.startswith((str(_PACKAGE), sys.base_prefix, sys.prefix, "<"))


def known_library(library: str | None) -> str | None:
    """The library itself, if it is one of `LIBRARIES` or none.

    Raises:
        UsageError: for another.
    """
    if library is not None and library not in LIBRARIES:
        raise UsageError(f"--library: {unknown_name('library', library, LIBRARIES)}")
    return library


def _require_a_library(library: str | None) -> None:
    """Refuse a model whose library is not installed, before anything else is asked for."""
    if not any(map(find_spec, [library] if library else LIBRARIES)):
        raise _missing(*([library] if library else LIBRARIES))


def _require_library(name: str) -> None:
    if find_spec(name) is None:
        raise _missing(name)


def _missing(*names: str) -> UsageError:
    libraries = alternatives(LIBRARIES[name] for name in names)
    commands = alternatives(f"pip install 'initlab[{name}]'" for name in names)
    return UsageError(f"models of {libraries} need it: {commands}")


def _library_of(model: object) -> str:
    """The first that a model's classes come from; PyTorch for a function."""
    modules = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    return next((name for name in ("keras", "flax") if name in modules), "torch")


def show_model(diagnosis: "ModelDiagnosis", output: Output) -> None:
    """Print a diagnosis, and write the files that were asked for.

    Args:
        diagnosis: of a person's model.
        output: what is shown of it, and the files.
    """
    if output.figure:
        output.figure.write(diagnosis.figure)
    if output.cure and diagnosis.cure:
        make_folder_of(output.cure)
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
