"""`initlab explore`: a page with sliders, for a class."""

from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.terminal import Bar, app, make_folder_of, say
from initlab.errors import require


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
    from initlab.pages.explore import explored, require_extra
    from initlab.pages.report import write
    from initlab.runner.sweep import available_cores

    require(output.suffix.lower() in (".html", ".htm"), f"--output {output}: the name must end in .html")
    require(serve or not port, "--port is the port of --serve: give that, too")
    require_extra()
    make_folder_of(output)
    with Bar(shown=True, unit="setting", doing="computing", remark="") as bar:
        results = explored(jobs=available_cores() if jobs is None else jobs, progress=bar.update)
    write(output, results.page())
    say(f"Written: {output}")
    if serve:
        _serve(results.page(server=True), port, open_page)
    elif open_page:
        typer.launch(output.resolve().as_uri())


def _serve(page: str, port: int, open_page: bool) -> None:
    from initlab.pages.explore_server import ExplorerServer
    from initlab.pages.grid import Measuring

    with ExplorerServer(page, Measuring(), port) as server:
        say(f"Serving at {server.address}; Ctrl-C ends it.")
        if open_page:
            typer.launch(server.address)
        server.serve_forever()
