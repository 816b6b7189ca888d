"""`initlab config`: show a config with every value, and the schema of configs."""

from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.terminal import CONFIG_HELP, AllowCodeOption, SetOption, app, print_json

config_app = typer.Typer(
    help="Show a config, or the schema of configs.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")


@config_app.command()
def show(
    config: Annotated[Path, typer.Argument(help=CONFIG_HELP)],
    overrides: SetOption = None,
    allow_code: AllowCodeOption = False,
) -> None:
    """Print every value of a config and its origin."""
    from initlab.runner.config import load_experiment
    from initlab.runner.figures import check_figures
    from initlab.runner.reports import resolved_lines

    experiment = load_experiment(config, overrides or [], allow_code=allow_code)
    check_figures(experiment)
    typer.echo("\n".join(resolved_lines(experiment)))


@config_app.command()
def schema() -> None:
    """Print the JSON schema of configs, for an editor."""
    from initlab.runner.settings import config_schema

    print_json(config_schema())
