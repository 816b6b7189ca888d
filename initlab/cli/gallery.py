"""`initlab reproduce` and `initlab claims`: published results, from a checkout."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.terminal import JsonOption, ResultsOption, app, print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence


@app.command()
def reproduce(
    names: Annotated[list[str] | None, typer.Argument(help="Experiments; all, when none is given.")] = None,
    results: ResultsOption = Path("results"),
    quick: Annotated[bool, typer.Option("--quick", help="A reduced form, into the folder quick.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with what is in the results; change nothing there.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="Only list the experiments.")] = False,
) -> None:
    """Reproduce published results: run experiments of a checkout, decide their claims, write their pages."""
    from initlab.runner.exhibits import chosen_experiments, experiments, load, write_index

    scripts = chosen_experiments(names or [], experiments())
    if list_:
        print_table(
            ["experiment", "what it is"], [[one.stem, _first_line(load(one).__doc__)] for one in scripts]
        )
        return
    drifts = [line for script in scripts for line in _reproduced(script, results, quick, check)]
    if not check and not quick:
        write_index(results)
    for line in drifts:
        typer.echo(line)
    if check:
        say(f"{len(scripts)} experiments: {len(drifts) or 'no'} claims drifted from what is in {results}.")
    raise typer.Exit(1 if drifts else 0)


def _reproduced(script: Path, results: Path, quick: bool, check: bool) -> list[str]:
    """Run one experiment; what drifted, where that is asked for."""
    import time

    from initlab.runner.exhibits import drifted
    from initlab.runner.exhibits import reproduce as run

    start = time.monotonic()
    say(f"{script.stem} ...")
    if not check:
        run(script, results, quick)
        say(f"{script.stem}: {time.monotonic() - start:.0f} s")
        return []
    part = Path("quick") if quick else Path()
    with tempfile.TemporaryDirectory() as folder:
        run(script, Path(folder), quick)
        lines = drifted(results / part / script.stem, Path(folder) / part / script.stem)
    say(f"{script.stem}: {time.monotonic() - start:.0f} s")
    return [f"{script.stem}/{line}" for line in lines]


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]


@app.command()
def claims(results: ResultsOption = Path("results"), as_json: JsonOption = False) -> None:
    """Print every claim with what was measured and the verdict."""
    from initlab.runner.exhibits import read_claims

    found = [
        {"experiment": name, **claim}
        for name, exhibit in read_claims(results).items()
        for claim in exhibit["claims"]
    ]
    if as_json:
        print_json(found)
        return
    print_table(["experiment", "verdict", "claim", "measured", "range"], [_row(claim) for claim in found])


def _row(claim: dict[str, Any]) -> "Sequence[object]":
    means = [f"{one['mean']:.4g}" for one in claim["findings"]]
    return [claim["experiment"], claim["verdict"], claim["name"], ", ".join(means), claim["range"]]
