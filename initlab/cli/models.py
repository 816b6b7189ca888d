"""`initlab diagnose MODULE:MODEL`: the verdict on a person's own model."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from initlab.cli.references import is_reference, object_of
from initlab.cli.terminal import print_json, print_table, write_figure
from initlab.errors import UsageError

if TYPE_CHECKING:
    from initlab.frameworks.verdict import ModelDiagnosis


@dataclass(frozen=True, kw_only=True)
class Output:
    """What is shown of a diagnosis.

    Attributes:
        layers: whether the numbers of every layer are printed.
        as_json: whether all is printed for programs.
        figure: a file for the picture.
        cure: a file for the lines that cure the model.
    """

    layers: bool
    as_json: bool
    figure: Path | None
    cure: Path | None


def diagnosis_of_model(text: str, data: str | None, optimizer: str, draws: int) -> "ModelDiagnosis":
    """Of what a person's module holds.

    Args:
        text: MODULE:MODEL.
        data: MODULE:BATCH.
        optimizer, draws: as for `frameworks.torch.diagnose`.

    Raises:
        UsageError: without a batch, without PyTorch, or for what is not there.
    """
    if data is None or not is_reference(data):
        raise UsageError(
            "a model needs --data MODULE:BATCH, a pair (inputs, targets) or a function that gives it"
        )
    if find_spec("torch") is None:
        raise UsageError("models need PyTorch: pip install 'initlab[torch]'")
    model, batch = object_of(text), object_of(data)
    from initlab.frameworks.torch import diagnose

    return diagnose(model, batch() if callable(batch) else batch, optimizer=optimizer, draws=draws)


def show_model(diagnosis: "ModelDiagnosis", output: Output) -> None:
    """Print a diagnosis, and write the files that were asked for."""
    if output.figure:
        write_figure(diagnosis.figure(), output.figure)
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
        typer.echo(f"\n{output.figure}")
    if output.cure:
        typer.echo(f"\n{output.cure}" if diagnosis.cure else f"\nNo cure, so {output.cure} was not written.")
