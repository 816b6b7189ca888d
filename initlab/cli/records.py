"""`initlab list`, `compare`, `export`, `verify`, `remove`, `clean` and `note`: records of experiments."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initlab.cli.completion import config_names, record_names
from initlab.cli.terminal import (
    CONFIG_HELP,
    AllowCodeOption,
    JsonOption,
    ResultsOption,
    SetOption,
    app,
    fail,
    make_folder_of,
    print_json,
    print_table,
    say,
)
from initlab.errors import UsageError, require, shortened, unknown_name
from initlab.tables import plain

if TYPE_CHECKING:
    from initlab.runner.pairs import Pairing
    from initlab.runner.store import Store

_MEND = "run its config again to mend it"
SHOWN = 20  # names before a question


@app.command("list")
def list_records(
    experiment: Annotated[
        str | None,
        typer.Argument(help="An experiment; without a name, all are listed.", autocompletion=record_names),
    ] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """List the experiments, or the runs of one."""
    from initlab.runner.reports import experiment_rows, run_rows
    from initlab.runner.store import experiments, find_store

    rows = experiment_rows(results) if experiment is None else run_rows(find_store(results, experiment))
    if as_json:
        print_json({"experiments" if experiment is None else "runs": rows})
    elif rows:
        header = [key.replace("_", " ") for key in rows[0]]
        print_table(header, [list(row.values()) for row in rows])
    else:
        say(f"{results}: no records")
    _warn_of_damage(results, experiments(results) if experiment is None else [experiment])


def _warn_of_damage(results: Path, names: list[str]) -> None:
    """Say where a file of records is damaged, so that what was read of it may not be all."""
    from initlab.runner.store import find_store

    for name in names:
        path = find_store(results, name).runs.path
        if find_store(results, name).runs.is_damaged():
            say(f"initlab: {path}: damaged, so that runs may be missing here; {_MEND}")


@app.command()
def compare(
    first: Annotated[
        str,
        typer.Argument(
            help="An experiment; or the id of a run, its beginning, or EXPERIMENT/RUN.",
            autocompletion=record_names,
        ),
    ],
    second: Annotated[
        str, typer.Argument(help="Another experiment, or the id of another run.", autocompletion=record_names)
    ],
    results: ResultsOption = Path("results"),
    by: Annotated[
        str, typer.Option(help="Of experiments: test_accuracy, test_loss or final_loss.")
    ] = "test_accuracy",
    allow_code: AllowCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show how two experiments or runs differ.

    Of experiments, the runs of one condition and seed are paired. Of runs, all settings and results are
    compared, and the steps in which their losses have the same bits.
    """
    from initlab.runner.reports import compare as compare_runs
    from initlab.runner.store import experiments

    recorded = experiments(results)
    if first in recorded or second in recorded:
        for name in (first, second):
            require(name in recorded, unknown_name("experiment", name, recorded, "initlab list"))
        _compare_experiments([results / name for name in (first, second)], by, allow_code, as_json)
        return
    comparison = compare_runs(results, first, second)
    a, b = comparison.first, comparison.second
    left, right = ({"outcome": record.outcome, **record.numbers()} for record in (a, b))
    numbers = {key: (left[key], right[key]) for key in left}
    if as_json:
        same = {"same_until_step": comparison.same_until}
        print_json({"settings": comparison.settings, "results": numbers, **same})
        return
    print_table(["", a.id, b.id], [[key, *pair] for key, pair in {**comparison.settings, **numbers}.items()])
    if "failed" not in (a.outcome, b.outcome):
        same_steps = comparison.same_until
        steps = "every step" if same_steps is None else f"the steps before {same_steps}"
        say(f"The losses have the same bits in {steps}.")


def _compare_experiments(folders: list[Path], by: str, allow_code: bool, as_json: bool) -> None:
    from initlab.runner.pairs import differing_settings, paired
    from initlab.runner.results import load_results

    a, b = (load_results(folder, allow_code=allow_code) for folder in folders)
    settings, pairings = differing_settings(a, b), paired(a, b, by)
    if as_json:
        conditions = [asdict(pairing) for pairing in pairings]
        print_json({"settings": settings, "result": by, "conditions": conditions})
        return
    for key, (left, right) in settings.items():
        typer.echo(f"{key}: {plain(left)} | {plain(right)}")
    header = ["condition", "pairs", "first", "second", "second - first", "diverged"]
    print_table(header, [_pairing_cells(pairing) for pairing in pairings])
    decided = sum(pairing.is_decided for pairing in pairings)
    say(f"{by}; {decided} of {len(pairings)} differences have a 95 % interval over seeds that leaves 0 out.")


def _pairing_cells(pairing: "Pairing") -> list[object]:
    interval = pairing.difference
    difference = "-" if interval is None else f"{interval.mean:+.4f} ± {interval.half_width:.4f}"
    if interval is not None and interval.count == 1:
        difference = f"{interval.mean:+.4f}"
    lost = "none" if not any(pairing.lost) else "{} | {}".format(*pairing.lost)
    return [pairing.label, pairing.seeds, pairing.first, pairing.second, difference, lost]


@app.command()
def export(
    experiment: Annotated[
        str, typer.Argument(help="An experiment that has records.", autocompletion=record_names)
    ],
    results: ResultsOption = Path("results"),
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated lines, the default.")] = False,
    as_json: JsonOption = False,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a Parquet file, instead of printing.")
    ] = None,
) -> None:
    """Print a row for each run: its settings and results.

    A row has all settings and numbers of a run.
    """
    from initlab.files import write_shared
    from initlab.runner.reports import export_rows, parquet_bytes
    from initlab.runner.store import find_store, table_text

    if as_csv + as_json + (parquet is not None) > 1:
        raise UsageError("give one of --csv, --json and --parquet")
    rows = export_rows(find_store(results, experiment))
    _warn_of_damage(results, [experiment])
    if parquet is not None:
        make_folder_of(parquet)
        write_shared(parquet, parquet_bytes(rows))
        say(f"Written: {parquet}")
        return
    if as_json:
        print_json({"runs": rows})
        return
    header = list(dict.fromkeys(key for row in rows for key in row))
    typer.echo(table_text(header, [[row.get(key) for key in header] for row in rows]), nl=False)


@app.command()
def verify(
    experiment: Annotated[
        str | None, typer.Argument(help="An experiment; without a name, all.", autocompletion=record_names)
    ] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Check records against their checksums.

    Also counts the records of other machines; training these runs here may change the last digits.
    """
    from initlab.runner.reports import verify as verify_store
    from initlab.runner.store import experiments, find_store

    names = [experiment] if experiment else experiments(results)
    checks = [verify_store(find_store(results, name)) for name in names]
    if as_json:
        print_json({"experiments": [vars(check) for check in checks]})
    else:
        rows = [[check.experiment, check.whole, len(check.damaged), len(check.foreign)] for check in checks]
        print_table(["experiment", "whole", "damaged", "from another machine"], rows)
        weights = sum(check.weights for check in checks)
        if weights:
            say(f"{weights:,} files of weights are whole.")
    damaged = [f"{check.experiment}/{run}" for check in checks for run in check.damaged]
    damaged += [f"{check.experiment}/runs.sqlite" for check in checks if check.file_is_damaged]
    damaged += [f"{check.experiment}/weights/{run}.npz" for check in checks for run in check.damaged_weights]
    if damaged:
        fail("\n".join(f"{plain(name)}: damaged; {_MEND}" for name in damaged), 1)


YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def remove(
    experiment: Annotated[
        str, typer.Argument(help="An experiment that has records.", autocompletion=record_names)
    ],
    runs: Annotated[
        list[str] | None, typer.Argument(help="Ids of runs, or their beginnings; by default all.")
    ] = None,
    results: ResultsOption = Path("results"),
    yes: YesOption = False,
) -> None:
    """Remove records, after asking.

    Weights go with them; tables and figures stay.
    """
    from initlab.runner.reports import find_run
    from initlab.runner.store import find_store

    store = find_store(results, experiment)
    names = [find_run(results, f"{experiment}/{run}")[1] for run in runs or []]
    _remove(store, list(dict.fromkeys(names)) if runs else store.run_ids(), yes)


@app.command()
def clean(
    config: Annotated[Path, typer.Argument(help=CONFIG_HELP, autocompletion=config_names)],
    overrides: SetOption = None,
    allow_code: AllowCodeOption = False,
    results: ResultsOption = Path("results"),
    yes: YesOption = False,
) -> None:
    """Remove records that a config no longer reaches.

    They stem from settings that it once had. The command shows them, and asks.
    """
    from initlab.runner.config import load_experiment
    from initlab.runner.reports import unreached
    from initlab.runner.store import find_store

    experiment = load_experiment(config, overrides or [], allow_code=allow_code)
    store = find_store(results, experiment.name)
    _remove(store, unreached(experiment, store), yes)


def _remove(store: "Store", names: list[str], yes: bool) -> None:
    """Show runs, ask, and remove their records."""
    if not names:
        say(f"{store.folder}: nothing to remove")
        return
    for name in names[:SHOWN]:
        typer.echo(plain(name))
    if len(names) > SHOWN:
        typer.echo(f"... and {len(names) - SHOWN:,} more")
    if not yes:
        typer.confirm(f"Remove {len(names):,} records of {store.name}?", abort=True, err=True)
    with store.lock():
        store.remove(names)
    say(f"{store.folder}: {len(names):,} records removed")


@app.command()
def note(
    run: Annotated[str, typer.Argument(help="The id of a run, its beginning, or EXPERIMENT/RUN.")],
    words: Annotated[str, typer.Argument(metavar="TEXT", help="What you say of it; empty to remove a note.")],
    results: ResultsOption = Path("results"),
) -> None:
    """Write a note on a run, which `list` and `export` show."""
    from initlab.runner.reports import find_run

    require(words.isprintable(), f"a note is one line without control characters, not {shortened(words)}")
    store, name = find_run(results, run)
    with store.lock():
        store.runs.note(name, words)
    say(f"{store.name}/{name}: noted" if words else f"{store.name}/{name}: note removed")
