"""`initlab report`: one HTML page of experiments."""

from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.completion import record_names
from initlab.cli.terminal import AllowCodeOption, ResultsOption, app, file_name, make_folder_of, say
from initlab.errors import require


@app.command()
def report(
    experiments: Annotated[
        list[str],
        typer.Argument(
            help="Experiments that have records, or their folders, as results/mnist.",
            autocompletion=record_names,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="An .html file.", show_default="report.html in the folder"),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    results: ResultsOption = Path("results"),
    allow_code: AllowCodeOption = False,
) -> None:
    """Write an HTML page with charts, tables and verdicts.

    The page is one file that needs no network: curves to zoom into, accuracies with intervals, the layers
    before training, a diagnosis of each start, all tables, the config and the origin. Several experiments
    stand side by side.
    """
    from initlab.pages.extra import require_extra
    from initlab.pages.report import NEEDS
    from initlab.pages.report import report as write_report
    from initlab.runner.results import load_results

    named = output is None or output.suffix.lower() in (".html", ".htm")
    require(named, f"--output {output}: the name must end in .html")
    require_extra(*NEEDS)
    folders = [_folder(name, results) for name in dict.fromkeys(experiments)]
    target = output or _default_target(folders)
    loaded = [load_results(folder, allow_code=allow_code) for folder in folders]
    make_folder_of(target)
    write_report(loaded, target)
    say(f"Written: {target}")
    if open_page:
        typer.launch(target.resolve().as_uri())


def _folder(name: str, results: Path) -> Path:
    """The folder of an experiment that is named, or given as a path."""
    from initlab.runner.store import find_store

    path = Path(name)
    return find_store(path.parent if "/" in name else results, path.name).folder


def _default_target(folders: list[Path]) -> Path:
    first, *others = folders
    return (
        first.parent / f"report-{file_name(each.name for each in folders)}.html"
        if others
        else first / "report.html"
    )
