"""`initlab schemes` and `initlab explain`: the list, and what a scheme really draws."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.terminal import JsonOption, app, finite, number, print_json, print_table
from initlab.errors import UsageError

if TYPE_CHECKING:
    from initlab.analysis.explain import Explanation, Outlook


@app.command()
def schemes(as_json: JsonOption = False) -> None:
    """List the schemes with their formulas and sources, and the names of other libraries."""
    from initlab.nn.initializers import ALIASES, DIALECTS, INITIALIZERS

    rows: list[dict[str, Any]] = []
    for name, known in sorted(INITIALIZERS.items()):
        also = sorted(alias for alias, target in ALIASES.items() if target == name)
        rows.append({"name": name, "formula": known.formula, "source": known.source, "also": also})
    if as_json:
        print_json({"schemes": rows, "names_elsewhere": {name: one.means for name, one in DIALECTS.items()}})
        return
    typer.echo(
        "n_in: inputs of a unit; n_out: units of the layer. Arguments go in brackets: he(scale=1.8).\n"
    )
    for row in rows:
        others = f" (also {', '.join(row['also'])})" if row["also"] else ""
        typer.echo(f"{row['name']}{others}\n    {row['formula']}\n    {row['source']}")
    typer.echo("\nThe names of other libraries, which `initlab explain` translates:")
    for name, foreign in DIALECTS.items():
        typer.echo(f"{name}\n    {foreign.means}")


@app.command()
def explain(
    scheme: Annotated[str, typer.Argument(help="A scheme, as he, or torch:linear, 'keras:he_normal'.")],
    layer: Annotated[
        str, typer.Option(metavar="INxOUT", help="The layer whose weights are drawn, as 784x100.")
    ] = "100x100",
    as_json: JsonOption = False,
) -> None:
    """Tell what a scheme really draws, what else it equals, and what networks become that begin so."""
    from initlab.analysis.explain import explain as explain_scheme

    told = explain_scheme(scheme, _layer_shape(layer))
    if as_json:
        print_json(_explained(told))
        return
    for line in _explanation_lines(told, layer):
        typer.echo(line)
    if not told.outlooks:
        typer.echo(
            "Theory says nothing of it: its weights are not uncorrelated with mean 0, or depend on data."
        )
        return
    typer.echo("\nIn wide networks without biases, layer after layer:")
    print_table(
        [
            "activation",
            "variance leads to",
            "gradient factor",
            "regime",
            "trainable depth",
            "critical sigma_w^2",
        ],
        [_outlook_cells(one) for one in told.outlooks],
    )
    typer.echo(
        "The gradient factor is what a layer multiplies squared gradients by. Trainable depth: about 6\n"
        "depth scales (Schoenholz et al. 2017), a rule for deep networks under plain gradient descent."
    )


def _layer_shape(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)
    if not match:
        raise UsageError(f"--layer {text}: write inputs and units, as in --layer 784x100")
    return int(match[1]), int(match[2])


def _explanation_lines(told: "Explanation", layer: str) -> list[str]:
    lines = [f"{told.text} is {told.scheme}: {told.formula}", f"Source: {told.source}"]
    if told.means:
        lines.insert(1, f"There: {told.means}.")
    if told.variance is not None and told.sigma_w2 is not None:
        std = told.variance**0.5
        lines.append(f"For a layer of {layer}: std {std:.4g}, sigma_w^2 = n_in Var W = {told.sigma_w2:.4g}")
    if told.equals:
        lines.append(f"Draws the same as: {', '.join(told.equals)}")
    if told.equals_here:
        lines.append(f"For this layer alone, also the same as: {', '.join(told.equals_here)}")
    return lines


def _outlook_cells(one: "Outlook") -> list[object]:
    ends = {0.0: "0: it dies away", float("inf"): "it explodes"}
    depth = "any" if one.deepest == float("inf") else f"{one.deepest:.0f}"
    length = ends.get(one.length, f"{one.length:.4g}")
    return [one.activation, length, f"{one.chi:.4g}", one.regime, depth, number(one.critical)]


def _explained(told: "Explanation") -> dict[str, Any]:
    """As plain values; what is infinite is null."""
    finite = {
        field: [_finite(vars(one)) for one in told.outlooks] if field == "outlooks" else value
        for field, value in vars(told).items()
    }
    return {**finite, "scheme": str(told.scheme)}


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {key: finite(value) if isinstance(value, float) else value for key, value in values.items()}
