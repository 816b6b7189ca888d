"""`initlab reproduce` and `initlab claims`: published results, from a checkout or from the package."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.completion import exhibit_names
from initlab.cli.terminal import (
    JsonOption,
    ResultsOption,
    app,
    has_colours,
    make_folder_of,
    painted,
    print_json,
    print_table,
    print_text,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from initlab.gallery.reproduce import Reproduction


@app.command()
def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Experiments; all, when none is given.", autocompletion=exhibit_names),
    ] = None,
    results: ResultsOption = Path("results"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Run a smaller version; write to RESULTS/quick.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Run again and compare with the results, unchanged.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Worker processes; by default one for each core.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Only list the experiments.")] = False,
) -> None:
    """Reproduce published results, and decide their claims.

    The experiments come with initlab; in a folder with experiments of its own, as a checkout, those are run.
    After an interruption run it again, and it continues. Measurements are kept in the folder `training` of
    the results, and are used again while their code stays the same. An experiment that takes an hour or more
    is run only when it is named. Where the results lack an experiment, --check compares with the published
    results, which come with initlab too.
    """
    from initlab.gallery import reproduce as gallery
    from initlab.gallery.exhibit import part_of
    from initlab.gallery.pages import write_index
    from initlab.gallery.sources import read_sources
    from initlab.runner.sweep import available_cores

    folder = gallery.experiments_folder()
    scripts = gallery.chosen_experiments(names or [], gallery.experiments(folder))
    if list_:
        rows = [[script.stem, gallery.load(script).exhibit.title] for script in scripts]
        print_table(["experiment", "what it is"], rows)
        return
    read_sources(folder / gallery.SOURCES)  # what is wrong with it is told before hours of measurements
    if not check:
        make_folder_of(part_of(results, quick) / scripts[0].stem)
    task, workers = gallery.check if check else gallery.reproduce, available_cores() if jobs is None else jobs
    with _Progress(len(scripts)) as progress:
        done = [
            progress.report(reproduction)
            for reproduction in gallery.run_all(
                task, scripts, results, quick, bool(names), workers, progress.running
            )
        ]
    if not check and not quick:
        write_index(results, folder / gallery.SOURCES)
    if not check:
        say(f"Pages, figures and tables: {part_of(results, quick)}")
    _conclude(done, check)


class _Progress:
    """A line for each experiment that has ended, and below them, on a terminal, a bar with those at work."""

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, unit="experiment", disable=None, smoothing=0)

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def running(self, names: "Sequence[str]") -> None:
        self._bar.set_postfix_str(", ".join(names))

    def report(self, done: "Reproduction") -> "Reproduction":
        self._bar.clear()
        outcome = "failed" if done.failure else f"{done.seconds:.0f} s"
        if done.left_out:
            outcome = f"left out, for it takes {done.left_out}; name it to run it"
        say(f"{done.name}: {outcome}")
        self._bar.update()
        return done


def _conclude(done: "Sequence[Reproduction]", check: bool) -> None:
    """Print what drifted and what failed; the exit code is 1 where anything has."""
    ordered = sorted(done, key=lambda reproduction: reproduction.name)
    drifts = [line for reproduction in ordered for line in reproduction.drifts]
    failures = [reproduction for reproduction in done if reproduction.failure]
    for line in drifts:
        typer.echo(line)
    if check:
        say(f"{len(done)} experiments: {len(drifts) or 'no'} claims drifted from the earlier results.")
    for reproduction in ordered:
        if reproduction.machines:
            say(f"{reproduction.name}: {reproduction.machines}.")
    for reproduction in failures:
        say(f"initlab: {reproduction.name} failed: {reproduction.failure}")
    raise typer.Exit(1 if drifts or failures else 0)


@app.command()
def claims(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Experiments; all, when none is given.", autocompletion=exhibit_names),
    ] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Print the claims with measurements and verdicts.

    Where nothing has been reproduced into the results yet, these are the published ones.
    """
    from initlab.errors import UsageError, unknown_name
    from initlab.gallery.exhibit import is_reduced
    from initlab.gallery.pages import counted, read_exhibits
    from initlab.gallery.reproduce import with_claims

    source = with_claims(results)
    exhibits = read_exhibits(source)
    for name in names or []:
        if name not in exhibits:
            message = unknown_name("experiment", name, exhibits, "initlab reproduce --list")
            raise UsageError(f"{source}: {message}")
    rows = [{"experiment": name, **claim} for name in names or exhibits for claim in exhibits[name]["claims"]]
    if as_json:
        print_json({"claims": rows})
        return
    for claim in rows:
        _print_claim(claim)
    if source != results:
        say(f"{results} holds no claims yet; these are the published ones.")
    if is_reduced(source):
        say("These are the reduced forms, by `initlab reproduce --quick`.")
    say(f"{counted(claim['verdict'] for claim in rows)}.")


def _print_claim(claim: dict[str, Any]) -> None:
    """Its verdict and name, the statement, and what was measured."""
    means = [f"{finding['mean']:.4g}" for finding in claim["findings"]]
    typer.echo(f"{painted(claim['verdict'])}: {claim['experiment']}.{claim['name']}", color=has_colours())
    print_text(claim["statement"], indent=4)
    print_text(f"expected: {claim['range']}; measured: {', '.join(means)}", indent=4)
