"""`initlab list`, `compare`, `export` and `verify`: what has been trained."""

from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.terminal import JsonOption, ResultsOption, app, fail, number, print_json, print_table, say
from initlab.errors import UsageError


@app.command("list")
def list_records(
    experiment: Annotated[str | None, typer.Argument(help="An experiment; without, all are listed.")] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """List the experiments, or the runs of one, with their outcomes."""
    from initlab.runner.reports import experiment_rows, run_rows
    from initlab.runner.store import find_store

    rows = experiment_rows(results) if experiment is None else run_rows(find_store(results, experiment))
    if as_json:
        print_json(rows)
    elif rows:
        print_table(list(rows[0]), [[number(value) for value in row.values()] for row in rows])
    else:
        say(f"{results}: no records")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A run's id, or enough of its beginning; EXPERIMENT/RUN.")],
    second: Annotated[str, typer.Argument(help="Another's.")],
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Show in what two runs differ: their settings, their results, and from which step on."""
    from initlab.runner.reports import compare as compare_runs

    told = compare_runs(results, first, second)
    keys = ("outcome", "diverged_at", "final_loss", "test_loss", "test_accuracy")
    numbers = {key: (getattr(told.first, key), getattr(told.second, key)) for key in keys}
    if as_json:
        print_json({"settings": told.settings, "results": numbers, "same_until_step": told.same_until})
        return
    rows = [[key, number(one), number(other)] for key, (one, other) in {**told.settings, **numbers}.items()]
    print_table(["", told.first.id, told.second.id], rows)
    if "failed" in (told.first.outcome, told.second.outcome):
        return
    same = "every step" if told.same_until is None else f"the steps before {told.same_until}"
    say(f"The losses have the same bits in {same}.")


@app.command()
def export(
    experiment: Annotated[str, typer.Argument(help="An experiment that has records.")],
    results: ResultsOption = Path("results"),
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated lines, the default.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print every record of an experiment with all its settings and numbers, one in a row."""
    from initlab.runner.reports import export_rows
    from initlab.runner.store import find_store, table_text

    if as_csv and as_json:
        raise UsageError("--csv and --json: choose one")
    rows = export_rows(find_store(results, experiment))
    if as_json:
        print_json(rows)
        return
    header = list(dict.fromkeys(key for row in rows for key in row))
    typer.echo(table_text(header, [[row.get(key) for key in header] for row in rows]), nl=False)


@app.command()
def verify(
    experiment: Annotated[str | None, typer.Argument(help="An experiment; without, all.")] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Check records against their checksums, and whether this machine gives the same last bits."""
    from initlab.runner.reports import verify as verify_store
    from initlab.runner.store import experiments, find_store

    names = [experiment] if experiment else experiments(results)
    told = [verify_store(find_store(results, name)) for name in names]
    if as_json:
        print_json([vars(one) for one in told])
    else:
        rows = [[one.experiment, one.whole, len(one.damaged), len(one.foreign)] for one in told]
        print_table(["experiment", "whole", "damaged", "from another machine"], rows)
    damaged = [f"{one.experiment}/{run}" for one in told for run in one.damaged]
    if damaged:
        fail("\n".join(f"{name}: damaged; run its config again to mend it" for name in damaged), 1)
