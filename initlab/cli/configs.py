"""`initlab config`: list the shipped configs, show one with every value, and the schema of configs."""

from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.terminal import CONFIG_HELP, JsonOption, SetOption, app, print_json, print_table

config_app = typer.Typer(
    help="List or show configs, or print their schema.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")


@config_app.command("list")
def list_configs(as_json: JsonOption = False) -> None:
    """List the shipped configs."""
    from initlab.runner.config import load_experiment
    from initlab.runner.shipped import shipped_configs

    rows = [
        {"config": name, "about": load_experiment(name).description} for name in sorted(shipped_configs())
    ]
    if as_json:
        print_json({"configs": rows})
    else:
        print_table(["config", "about"], [list(row.values()) for row in rows])


@config_app.command()
def show(
    config: Annotated[Path, typer.Argument(help=CONFIG_HELP)],
    overrides: SetOption = None,
) -> None:
    """Print every value of a config and its origin."""
    from initlab.runner.config import load_experiment
    from initlab.runner.figures import check_figures
    from initlab.runner.reports import resolved_lines

    experiment = load_experiment(config, overrides or [])
    check_figures(experiment)
    typer.echo("\n".join(resolved_lines(experiment)))


@config_app.command()
def schema() -> None:
    """Print the JSON schema of configs, for an editor."""
    from initlab.runner.settings import config_schema

    print_json(config_schema())
