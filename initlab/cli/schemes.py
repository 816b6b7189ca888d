"""`initlab schemes` and `initlab explain`: the list of schemes, and the distribution behind one."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.terminal import ACTIVATION_HELP, JsonOption, app, number, print_json, print_table
from initlab.errors import UsageError
from initlab.own_code import installed, package_of, shown

if TYPE_CHECKING:
    from initlab.theory.explain import Explanation, Outlook


@app.command()
def schemes(as_json: JsonOption = False) -> None:
    """List the schemes with formulas and sources.

    The names that other libraries give them follow.
    """
    from initlab.init.scheme import LIBRARY_NAMES

    if as_json:
        names = {name: entry.means for name, entry in LIBRARY_NAMES.items()}
        print_json({"schemes": _scheme_rows(), "names_elsewhere": names, "installed": _installed_rows()})
        return
    typer.echo(
        "n_in: inputs of a unit; n_out: units of the layer. Arguments go in brackets: he(scale=1.8).\n"
    )
    for row in _scheme_rows():
        aliases = f" (also {', '.join(row['also'])})" if row["also"] else ""
        typer.echo(f"{row['name']}{aliases}\n    {row['formula']}\n    {row['source']}")
    typer.echo("\nThe names of other libraries, which `initlab explain` translates:")
    for name, entry in LIBRARY_NAMES.items():
        typer.echo(f"{name}\n    {entry.means}")
    added = _installed_rows()
    if added:
        typer.echo("\nInstalled packages add:")
        print_table(["name", "kind", "package"], [list(row.values()) for row in added])


def _installed_rows() -> list[dict[str, str]]:
    """The schemes and activations of other packages, none of which is imported."""
    return [
        {"name": name, "kind": kind, "package": package_of(point)}
        for kind in ("scheme", "activation")
        for name, point in sorted(installed(kind).items())
    ]


def _scheme_rows() -> list[dict[str, Any]]:
    from initlab.init.scheme import SCHEMES

    return [
        {"name": name, "formula": law.formula, "source": law.source, "also": sorted(law.also)}
        for name, law in sorted(SCHEMES.items())
    ]


@app.command()
def explain(
    scheme: Annotated[str, typer.Argument(help="A scheme, for example he, torch:linear or keras:he_normal.")],
    layer: Annotated[
        str, typer.Option(metavar="INxOUT", help="The shape of a layer, as 784x100.")
    ] = "100x100",
    depth: Annotated[int, typer.Option(min=1, help="Hidden layers; auto alone depends on it.")] = 20,
    activation: Annotated[
        list[str] | None,
        typer.Option(help=ACTIVATION_HELP, show_default="all of ours"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a scheme: distribution, other names, effect.

    The effect is what mean-field theory predicts for wide and deep networks of each activation function.
    """
    from initlab.theory.explain import explain as explain_scheme

    explanation = explain_scheme(scheme, _layer_shape(layer), depth, activation or [])
    if as_json:
        outlooks = [vars(outlook) for outlook in explanation.outlooks]
        starts = [vars(start) for start in explanation.starts]
        known = {**vars(explanation), "scheme": str(explanation.scheme)}
        print_json({**known, "outlooks": outlooks, "starts": starts})
        return
    typer.echo("\n".join(_explanation_lines(explanation, layer)))
    if explanation.outlooks:
        _print_outlooks(explanation.outlooks)
    elif explanation.starts:
        _print_starts(explanation)
    else:
        typer.echo(
            "Theory makes no prediction: it needs uncorrelated weights of mean 0 that do not depend on data."
        )


def _layer_shape(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)
    if not match:
        raise UsageError(f"--layer {text}: write inputs and units, as in --layer 784x100")
    return int(match[1]), int(match[2])


def _explanation_lines(explanation: "Explanation", layer: str) -> list[str]:
    lines = [f"{explanation.text} is {shown(str(explanation.scheme))}: {explanation.formula}"]
    if explanation.means:
        lines.append(f"There: {explanation.means}.")
    lines.append(f"Source: {explanation.source}")
    if explanation.variance is not None:
        std, sigma_w2 = explanation.variance**0.5, explanation.sigma_w2
        lines.append(f"For a layer of {layer}: std {std:.4g}, sigma_w^2 = n_in Var W = {sigma_w2:.4g}")
    if explanation.equals:
        lines.append(f"Same weights in every layer: {', '.join(explanation.equals)}")
    if explanation.equals_here:
        lines.append(f"Same weights in a layer of this shape: {', '.join(explanation.equals_here)}")
    return lines


def _print_outlooks(outlooks: "list[Outlook]") -> None:
    typer.echo("\nIn wide networks without biases, layer after layer:")
    header = ["activation", "variance", "gradient factor", "regime", "trainable depth", "critical sigma_w^2"]
    print_table(header, [_outlook_cells(outlook) for outlook in outlooks])
    typer.echo(
        "Variance: the limit in deep layers. Gradient factor: a layer multiplies squared gradients by it.\n"
        "Trainable depth: about 6 depth scales (Schoenholz et al. 2017), for plain gradient descent."
    )


def _print_starts(explanation: "Explanation") -> None:
    typer.echo(f"\nIn a network of {explanation.depth} hidden layers:")
    rows = [
        [shown(start.activation), start.scheme, number(start.size, 3), number(start.bias, 3), start.reason]
        for start in explanation.starts
    ]
    print_table(["activation", "start", "size", "bias", "because"], rows)
    typer.echo("Size and bias: the standard deviation and the mean of the pre-activations.")


def _outlook_cells(outlook: "Outlook") -> list[object]:
    ends = {0.0: "0 (vanishes)", float("inf"): "explodes"}
    length = ends.get(outlook.length, f"{outlook.length:.4g}")
    depth = "any" if outlook.deepest == float("inf") else f"{outlook.deepest:.0f}"
    return [shown(outlook.activation), length, f"{outlook.chi:.4g}", outlook.regime, depth, outlook.critical]
