"""`initlab run`: train what has no record, then write tables and figures."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initlab.cli.terminal import Bar, JsonOption, ResultsOption, SetOption, app, print_json, print_table, say
from initlab.errors import InitlabError

if TYPE_CHECKING:
    from initlab.runner.config import Experiment
    from initlab.runner.sweep import Choice, Outcome


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The YAML file of an experiment, as configs/mnist.yaml.")],
    overrides: SetOption = None,
    results: ResultsOption = Path("results"),
    jobs: Annotated[
        int | None,
        typer.Option(
            min=0, max=1024, help="Worker processes; 0 trains in this one.", show_default="the cores"
        ),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Train on the workers of this Dask scheduler.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be trained, and how long.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Train again the runs that failed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train again all runs.")] = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no messages and no progress bar.")] = False,
) -> None:
    """Train what has no record yet, then write the tables and draw the figures."""
    from initlab.plotting.figures import check_figures, draw_figures
    from initlab.runner.config import load_experiment
    from initlab.runner.sweep import Choice, run_experiment

    experiment = load_experiment(config, overrides or [])
    check_figures(experiment)
    choice = Choice(jobs, dask, retry_failed, force)
    if dry_run:
        _preview(experiment, results, choice, as_json)
        return
    with Bar(shown=not quiet) as bar:
        outcome = run_experiment(experiment, results, choice, bar.update, draw_figures)
    _print_outcome(outcome, as_json)
    if not quiet:
        say(f"{outcome.trained} runs trained, {outcome.reused} had a record already.")
        say(f"Tables and figures: {outcome.store.folder}")
    for record in outcome.failed:
        say(f"initlab: {record.id} failed: {record.cause}")
    if outcome.failed:
        sys.exit(InitlabError.exit_code)


def _preview(experiment: "Experiment", results: Path, choice: "Choice", as_json: bool) -> None:
    from initlab.runner.reports import preview

    told = preview(experiment, results, choice)
    rows = told.rows()
    if as_json:
        seconds = None if math.isnan(told.seconds) else round(told.seconds, 1)
        print_json({"seconds": seconds, "runs": rows})
        return
    print_table(
        ["run", "label", "seed", "cohort"],
        [[row["id"], row["label"], row["seed"], row["cohort"] or "has a record"] for row in rows],
    )
    say(
        f"{len(told.missing)} of {len(rows)} runs to train, in {len(told.cohorts)} cohorts: "
        f"about {_duration(told.seconds)}."
    )


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "more memory than there is here"
    if seconds < 90:
        return f"{max(1, round(seconds))} s" if seconds else "0 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _print_outcome(outcome: "Outcome", as_json: bool) -> None:
    from initlab.runner.tables import screen_table, summary

    if as_json:
        print_json([summary(group) for group in outcome.groups])
    else:
        typer.echo(screen_table(outcome.groups))
