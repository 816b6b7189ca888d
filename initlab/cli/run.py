"""`initlab run`: train the runs that have no record, then write tables and figures."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initlab.cli.terminal import (
    CONFIG_HELP,
    AllowCodeOption,
    Bar,
    JsonOption,
    ResultsOption,
    SetOption,
    app,
    print_json,
    print_table,
    say,
    screen_width,
)
from initlab.errors import InitlabError

if TYPE_CHECKING:
    from initlab.runner.config import Experiment
    from initlab.runner.results import Results
    from initlab.runner.sweep import Choice


def _list_configs(wanted: bool) -> None:
    if wanted:
        from initlab.runner.shipped import descriptions

        print_table(["config", "what it is"], descriptions().items())
        raise typer.Exit


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help=CONFIG_HELP)],
    overrides: SetOption = None,
    allow_code: AllowCodeOption = False,
    results: ResultsOption = Path("results"),
    jobs: Annotated[
        int | None,
        typer.Option(
            min=0, max=1024, help="Worker processes; 0 trains in this process.", show_default="the cores"
        ),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Train on the workers of a Dask scheduler.")
    ] = None,
    mixed: Annotated[
        bool,
        typer.Option("--mixed", help="Take the results of Dask workers with another processor or BLAS, too."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs and the estimated time; train nothing.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed runs again.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Train all runs again.")] = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no messages and no progress bar.")] = False,
    _list: Annotated[
        bool, typer.Option("--list", callback=_list_configs, is_eager=True, help="List the shipped configs.")
    ] = False,
) -> None:
    """Train an experiment; write tables and figures.

    Runs that have a record are not trained again. An interrupted command can be run again.
    """
    from initlab.runner.config import load_experiment
    from initlab.runner.sweep import Choice, run_experiment

    experiment = load_experiment(config, overrides or [], allow_code=allow_code)
    choice = Choice(jobs=jobs, dask=dask, mixed=mixed, retry_failed=retry_failed, force=force)
    if dry_run:
        _preview(experiment, results, choice, as_json)
        return
    with Bar(shown=not quiet) as bar:
        outcome = run_experiment(experiment, results, choice, bar.update)
    _print_outcome(outcome, as_json)
    if not quiet:
        if outcome.store.set_aside:
            name = outcome.store.set_aside.name
            say(f"The file of records was damaged: it is now {name}, and all that can be read is kept.")
        say(f"{outcome.trained} runs trained, {outcome.reused} had a record already.")
        say(f"Tables and figures: {outcome.store.folder}")
    for record in outcome.failed:
        say(f"initlab: {record.id} failed: {record.cause}")
    if outcome.failed:
        sys.exit(InitlabError.exit_code)


def _preview(experiment: "Experiment", results: Path, choice: "Choice", as_json: bool) -> None:
    from initlab.runner.reports import preview

    plan = preview(experiment, results, choice)
    rows = plan.rows()
    if as_json:
        sizes = {"most_runs": plan.most, "grid_runs": plan.grid} if experiment.boundary else {}
        print_json({"seconds": round(plan.seconds, 1), "runs": rows, **sizes})
        return
    print_table(
        ["run", "label", "seed", "cohort"],
        [[row["id"], row["label"], row["seed"], row["cohort"] or "has a record"] for row in rows],
    )
    say(
        f"{len(plan.missing)} of {len(rows)} runs to train, in {len(plan.cohorts)} cohorts: "
        f"about {_duration(plan.seconds)}."
    )
    if experiment.boundary and plan.missing:
        which = "first" if len(plan.missing) == len(rows) else "next"
        all_in_all = f"{plan.most:,} runs in all; a grid of the same resolution has {plan.grid:,}"
        say(f"This is the {which} round. The boundary takes at most {all_in_all}.")


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "unknown: not enough memory to try"
    if seconds < 90:
        return f"{max(1, round(seconds))} s" if seconds else "0 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _print_outcome(outcome: "Results", as_json: bool) -> None:
    from initlab.runner.boundary_tables import boundary_text
    from initlab.runner.tables import group_table

    if outcome.boundaries is not None and as_json:
        print_json({"conditions": outcome.summary(), "boundary": outcome.boundaries.row()})
    elif outcome.boundaries is not None:
        typer.echo(boundary_text(outcome.boundaries, screen_width()))
    elif as_json:
        print_json({"conditions": outcome.summary()})
    else:
        typer.echo(group_table(outcome.groups, screen_width()))
