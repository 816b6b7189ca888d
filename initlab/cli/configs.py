"""`initlab config`: look at configs."""

from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.terminal import SetOption, app, print_json

config_app = typer.Typer(help="Look at configs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")


@config_app.command()
def show(
    config: Annotated[Path, typer.Argument(help="The YAML file of an experiment.")],
    overrides: SetOption = None,
) -> None:
    """Print the experiment with every value told, and where each comes from."""
    from initlab.plotting.figures import check_figures
    from initlab.runner.config import load_experiment
    from initlab.runner.reports import resolved_lines

    experiment = load_experiment(config, overrides or [])
    check_figures(experiment)
    typer.echo("\n".join(resolved_lines(experiment)))


@config_app.command()
def schema() -> None:
    """Print the JSON schema of a config, by which an editor completes and checks it."""
    from initlab.runner.settings import config_schema

    print_json(config_schema())
