"""`initlab schemes`: the list."""

from typing import Any

import typer

from initlab.cli.terminal import JsonOption, app, print_json


@app.command()
def schemes(as_json: JsonOption = False) -> None:
    """List the schemes with their formulas and sources."""
    from initlab.nn.initializers import ALIASES, INITIALIZERS

    rows: list[dict[str, Any]] = []
    for name, known in sorted(INITIALIZERS.items()):
        also = sorted(alias for alias, target in ALIASES.items() if target == name)
        rows.append({"name": name, "formula": known.formula, "source": known.source, "also": also})
    if as_json:
        print_json(rows)
        return
    typer.echo(
        "n_in: inputs of a unit; n_out: units of the layer. Arguments go in brackets: he(scale=1.8).\n"
    )
    for row in rows:
        others = f" (also {', '.join(row['also'])})" if row["also"] else ""
        typer.echo(f"{row['name']}{others}\n    {row['formula']}\n    {row['source']}")
