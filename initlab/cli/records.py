"""`initlab list`, `compare`, `export` and `verify`: the records of trained experiments."""

from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.terminal import JsonOption, ResultsOption, app, fail, print_json, print_table, say
from initlab.errors import UsageError


@app.command("list")
def list_records(
    experiment: Annotated[
        str | None, typer.Argument(help="An experiment; without a name, all are listed.")
    ] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """List the experiments, or the runs of one."""
    from initlab.runner.reports import experiment_rows, run_rows
    from initlab.runner.store import find_store

    rows = experiment_rows(results) if experiment is None else run_rows(find_store(results, experiment))
    if as_json:
        print_json(rows)
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        say(f"{results}: no records")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="The id of a run, its beginning, or EXPERIMENT/RUN.")],
    second: Annotated[str, typer.Argument(help="The id of another run.")],
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Show how two runs differ, and from which step on."""
    from initlab.runner.reports import compare as compare_runs

    comparison = compare_runs(results, first, second)
    a, b = comparison.first, comparison.second
    left, right = ({"outcome": record.outcome, **record.numbers()} for record in (a, b))
    numbers = {key: (left[key], right[key]) for key in left}
    if as_json:
        same = {"same_until_step": comparison.same_until}
        print_json({"settings": comparison.settings, "results": numbers, **same})
        return
    print_table(["", a.id, b.id], [[key, *pair] for key, pair in {**comparison.settings, **numbers}.items()])
    if "failed" not in (a.outcome, b.outcome):
        same_steps = comparison.same_until
        steps = "every step" if same_steps is None else f"the steps before {same_steps}"
        say(f"The losses have the same bits in {steps}.")


@app.command()
def export(
    experiment: Annotated[str, typer.Argument(help="An experiment that has records.")],
    results: ResultsOption = Path("results"),
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated lines, the default.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print a row for each run: its settings and results.

    A row has all settings and numbers of a run.
    """
    from initlab.runner.reports import export_rows
    from initlab.runner.store import find_store, table_text

    if as_csv and as_json:
        raise UsageError("give --csv or --json, not both")
    rows = export_rows(find_store(results, experiment))
    if as_json:
        print_json(rows)
        return
    header = list(dict.fromkeys(key for row in rows for key in row))
    typer.echo(table_text(header, [[row.get(key) for key in header] for row in rows]), nl=False)


@app.command()
def verify(
    experiment: Annotated[str | None, typer.Argument(help="An experiment; without a name, all.")] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Check records against their checksums.

    Also counts the records of other machines; training these runs here may change the last digits.
    """
    from initlab.runner.reports import verify as verify_store
    from initlab.runner.store import experiments, find_store

    names = [experiment] if experiment else experiments(results)
    checks = [verify_store(find_store(results, name)) for name in names]
    if as_json:
        print_json([vars(check) for check in checks])
    else:
        rows = [[check.experiment, check.whole, len(check.damaged), len(check.foreign)] for check in checks]
        print_table(["experiment", "whole", "damaged", "from another machine"], rows)
    damaged = [f"{check.experiment}/{run}" for check in checks for run in check.damaged]
    if damaged:
        fail("\n".join(f"{name}: damaged; run its config again to mend it" for name in damaged), 1)
