"""`initlab config` and `initlab new`: a config with every value, the schema of configs, an own config."""

import re
from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.completion import config_names, shipped_names
from initlab.cli.parsing import Commands
from initlab.cli.terminal import CONFIG_HELP, AllowCodeOption, SetOption, app, print_json, say
from initlab.errors import UsageError, require, shortened

config_app = typer.Typer(
    cls=Commands,
    help="Show a config, or the schema of configs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(config_app, name="config")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the new experiment, and of its file.")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="CONFIG",
            help="A shipped config; initlab run --list.",
            autocompletion=shipped_names,
        ),
    ] = "mnist",
) -> None:
    """Copy a shipped config under a name of its own.

    NAME.yaml is written into the current folder. An existing file is not changed.
    """
    from initlab.runner.settings import NAME
    from initlab.runner.shipped import renamed_config

    name = name.removesuffix(".yaml")
    wanted = "a plain name of letters, digits, '.', '_', '-' and '+', at most 64"
    require(re.fullmatch(NAME, name) is not None, f"{shortened(name)}: the name must be {wanted}")
    text, path = renamed_config(source, name), Path(f"{name}.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already; give another name") from None
    say(f"Edit {path}, then train it: initlab run {path}")


@config_app.command()
def show(
    config: Annotated[Path, typer.Argument(help=CONFIG_HELP, autocompletion=config_names)],
    overrides: SetOption = None,
    allow_code: AllowCodeOption = False,
) -> None:
    """Print every value of a config and its origin."""
    from initlab.runner.config import load_experiment
    from initlab.runner.figures import check_figures
    from initlab.runner.reports import resolved_lines
    from initlab.runner.suitability import check_schemes

    experiment = load_experiment(config, overrides or [], allow_code=allow_code)
    check_figures(experiment)
    check_schemes(experiment)
    typer.echo("\n".join(resolved_lines(experiment)))


@config_app.command()
def schema() -> None:
    """Print the JSON schema of configs, for an editor."""
    from initlab.runner.settings import config_schema

    print_json(config_schema())
