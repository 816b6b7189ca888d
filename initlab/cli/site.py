"""`initlab site`: the gallery as a folder of pages."""

from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.terminal import ResultsOption, app, say


@app.command()
def site(
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")] = Path("site"),
    open_page: Annotated[bool, typer.Option("--open", help="Show the first page in the browser.")] = False,
    results: ResultsOption = Path("results"),
) -> None:
    """Write the gallery as a folder of HTML pages.

    It has a page for each experiment with its figures, their numbers and its claims, all claims in one list
    to search, and what the sources say. The pages open from disk and need no network. Where nothing has been
    reproduced into the results yet, they show the published ones. Files that an earlier site wrote into the
    folder are replaced or removed; all others stay.
    """
    from initlab.gallery.reproduce import with_claims
    from initlab.pages.site import site as write_site

    first = write_site(output, results)
    if with_claims(results) != results:
        say(f"{results} holds no claims yet; the site shows the published ones.")
    if not any(first.parent.glob("*/*.png")):
        say("These results hold no pictures; `initlab reproduce NAME` draws those of an experiment.")
    say(f"Written: {first}")
    if open_page:
        typer.launch(first.resolve().as_uri())
