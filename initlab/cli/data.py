"""`initlab fetch`: download datasets."""

from typing import Annotated

import typer

from initlab.cli.completion import dataset_names
from initlab.cli.terminal import app, print_table, say


@app.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Datasets to download; without a name, all are listed.", autocompletion=dataset_names
        ),
    ] = None,
) -> None:
    """Download datasets, or list them.

    Each file is checked against its published SHA-256. This is the only command that uses the network.
    """
    if not names:
        _list()
        return
    for name in _to_fetch(names):
        _fetch(name)


def _to_fetch(names: list[str]) -> list[str]:
    """Those of the datasets that come from elsewhere; an unknown one is refused before any is fetched."""
    from initlab.data.datasets import DATASETS, whereabouts
    from initlab.data.downloads import SOURCES

    for name in names:
        DATASETS[name]
        if name not in SOURCES:
            say(f"{name}: {whereabouts(name)}; there is nothing to fetch")
    return [name for name in dict.fromkeys(names) if name in SOURCES]


def _list() -> None:
    from initlab.data.datasets import DATASETS, whereabouts
    from initlab.registry import parameters_of

    rows = []
    for name, function in DATASETS.items():
        parameters = parameters_of(function)
        arguments = ", ".join(f"{key}={parameter.default}" for key, parameter in parameters.items())
        rows.append([name, whereabouts(name), arguments or None])
    print_table(["dataset", "state", "arguments"], rows)


def _fetch(name: str) -> None:
    from tqdm import tqdm

    from initlab.data.downloads import download_folder
    from initlab.data.downloads import fetch as fetch_dataset

    with tqdm(unit="B", unit_scale=True, disable=None) as bar:

        def show(file: str, received: int, total: int | None) -> None:
            if received == 0:
                bar.set_description(file)
                bar.reset(total)
            bar.update(received - bar.n)

        fetched = fetch_dataset(name, show)
    outcome = f"{len(fetched)} files fetched" if fetched else "all files were there already"
    say(f"{name}: {outcome}: {download_folder(name)}")
