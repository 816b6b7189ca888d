"""`initlab explore`: a page with sliders, for a class."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initlab.cli.terminal import Bar, app, make_folder_of, say
from initlab.errors import require

if TYPE_CHECKING:
    from initlab.pages.explore import Explored
    from initlab.pages.explore_server import ExplorerServer


@app.command()
def explore(
    output: Annotated[Path, typer.Option("--output", "-o", help="An .html file.")] = Path("explore.html"),
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page here, which then takes any setting.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="For --serve.", show_default="a free one")] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=0, max=1024, help="Worker processes; 0 computes in this process.", show_default="the cores"
        ),
    ] = None,
) -> None:
    """Write a page with sliders for schemes and networks.

    The page is one file that needs no network. It shows the layers of each setting, measured and predicted,
    its verdict and cure, a phase diagram, and the training that begins so: all of it computed beforehand.
    """
    from initlab.pages.explore import NEEDS
    from initlab.pages.extra import require_extra
    from initlab.pages.report import write

    require(output.suffix.lower() in (".html", ".htm"), f"--output {output}: the name must end in .html")
    require(serve or not port, "--port is the port of --serve: give that, too")
    require_extra(*NEEDS)
    with _server(port) if serve else nullcontext() as server:
        make_folder_of(output)
        results = _computed(jobs)
        write(output, results.page())
        say(f"Written: {output}")
        if server is not None:
            server.show(results.page(server=True))
            say(f"Serving at {server.address}; Ctrl-C ends it.")
        if open_page:
            typer.launch(server.address if server else output.resolve().as_uri())
        if server is not None:
            server.serve_forever()


def _computed(jobs: int | None) -> "Explored":
    from initlab.pages.explore import explored
    from initlab.pages.grid import Grid
    from initlab.runner.sweep import available_cores

    grid = Grid()
    say(f"Computing {len(grid.schemes) * len(list(grid.shapes())):,} settings, for some minutes of one core.")
    with Bar(shown=True, unit="setting", doing="computing", remark="") as bar:
        return explored(grid, jobs=available_cores() if jobs is None else jobs, progress=bar.update)


def _server(port: int) -> "ExplorerServer":
    from initlab.pages.explore_server import ExplorerServer
    from initlab.pages.grid import Measuring

    return ExplorerServer("", Measuring(), port)
