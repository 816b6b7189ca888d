"""The command line: parse, call one function, print.

Tables and JSON go to standard output, messages to standard error. What a command needs is imported within
it, so that `--help` and completion answer at once.
"""

import json
import math
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.errors import InitlabError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import Figure

    from initlab.analysis.untrained import Panel
    from initlab.runner.config import Experiment
    from initlab.runner.sweep import Choice, Outcome

app = typer.Typer(
    help="A laboratory for weight initialization: train the alternatives side by side, and look inside.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the config; repeatable."),
]
ResultsOption = Annotated[Path, typer.Option(help="The folder for the experiments' folders.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]


def main() -> None:
    """The `initlab` command. Exit codes: 0 done, 1 runs failed or records damaged, 2 usage or config,
    3 data, 4 locked, 5 input or output, 130 and 143 interrupted.
    """
    signal.signal(signal.SIGTERM, _end)
    sys.unraisablehook = _interrupt_again
    try:
        app()
    except InitlabError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", StorageError.exit_code)
    except MemoryError:
        _fail("not enough memory for networks or batches of this size", UsageError.exit_code)


def _end(_signal: int, _frame: object) -> None:
    sys.exit(143)


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Send a signal again that came while Python was in a destructor, where its exception is lost."""
    lost = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}.get(unraisable.exc_type)
    if lost is None:
        sys.__unraisablehook__(unraisable)
    else:
        threading.Timer(0.05, os.kill, (os.getpid(), lost)).start()


def _fail(message: str, code: int) -> None:
    for line in message.splitlines():
        _say(f"initlab: {line}")
    sys.exit(code)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The YAML file of an experiment, as configs/mnist.yaml.")],
    overrides: SetOption = None,
    results: ResultsOption = Path("results"),
    jobs: Annotated[
        int | None,
        typer.Option(
            min=0, max=1024, help="Worker processes; 0 trains in this one.", show_default="the cores"
        ),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Train on the workers of this Dask scheduler.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be trained, and how long.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Train again the runs that failed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train again all runs.")] = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no messages and no progress bar.")] = False,
) -> None:
    """Train what has no record yet, then write the tables and draw the figures."""
    from initlab.plotting.figures import check_figures, draw_figures
    from initlab.runner.config import load_experiment
    from initlab.runner.sweep import Choice, run_experiment

    experiment = load_experiment(config, overrides or [])
    check_figures(experiment)
    choice = Choice(jobs, dask, retry_failed, force)
    if dry_run:
        _preview(experiment, results, choice, as_json)
        return
    with _Bar(shown=not quiet) as bar:
        outcome = run_experiment(experiment, results, choice, bar.update, draw_figures)
    _print_outcome(outcome, as_json)
    if not quiet:
        _say(f"{outcome.trained} runs trained, {outcome.reused} had a record already.")
        _say(f"Tables and figures: {outcome.store.folder}")
    for record in outcome.failed:
        _say(f"initlab: {record.id} failed: {record.cause}")
    if outcome.failed:
        sys.exit(InitlabError.exit_code)


def _preview(experiment: "Experiment", results: Path, choice: "Choice", as_json: bool) -> None:
    from initlab.runner.reports import preview

    told = preview(experiment, results, choice)
    rows = told.rows()
    if as_json:
        seconds = None if math.isnan(told.seconds) else round(told.seconds, 1)
        _print_json({"seconds": seconds, "runs": rows})
        return
    _print_table(
        ["run", "label", "seed", "cohort"],
        [[row["id"], row["label"], row["seed"], row["cohort"] or "has a record"] for row in rows],
    )
    _say(
        f"{len(told.missing)} of {len(rows)} runs to train, in {len(told.cohorts)} cohorts: "
        f"about {_duration(told.seconds)}."
    )


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "more memory than there is here"
    if seconds < 90:
        return f"{max(1, round(seconds))} s" if seconds else "0 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _print_outcome(outcome: "Outcome", as_json: bool) -> None:
    from initlab.runner.tables import screen_table, summary

    if as_json:
        _print_json([summary(group) for group in outcome.groups])
    else:
        typer.echo(screen_table(outcome.groups))


class _Bar:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.bar: Any = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def update(self, done: int, total: int) -> None:
        from tqdm import tqdm

        if self.bar is None:
            self.bar = tqdm(total=total, unit="run", desc="training", disable=None if self.shown else True)
        self.bar.update(done - self.bar.n)


@app.command()
def histogram(
    init: Annotated[
        list[str] | None,
        typer.Option(metavar="SCHEME", help="A scheme, as he or std=0.01; repeatable.", show_default="he"),
    ] = None,
    activation: Annotated[
        list[str] | None,
        typer.Option(help="An activation function; repeatable.", show_default="sigmoid, tanh, relu"),
    ] = None,
    depth: Annotated[int, typer.Option(help="Hidden layers.")] = 5,
    width: Annotated[int, typer.Option(help="Inputs, and units of each hidden layer.")] = 100,
    samples: Annotated[int, typer.Option(help="Inputs, drawn from N(0, 1).")] = 1000,
    bins: Annotated[int, typer.Option(help="Bins of each histogram.")] = 30,
    edges: Annotated[
        str | None,
        typer.Option(
            "--range",
            metavar="LOW,HIGH",
            help="Range of the histograms; the book's is 0,1.",
            show_default="the function's own; without bound, that of the first layer's values",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of inputs and weights.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(help="A .png, .svg or .pdf file.", show_default="results/histogram/<schemes>.png"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the activations of untrained networks, layer by layer."""
    from initlab.analysis.untrained import activation_panels
    from initlab.nn.initializers import Scheme
    from initlab.plotting.histograms import histogram_figure

    schemes = list(dict.fromkeys(Scheme.parse(text) for text in init or ["he"]))
    words = [scheme.short for scheme in schemes] + (activation or [])
    target = output or Path("results", "histogram", f"{_file_name(words)}.png")
    _check_suffix(target)
    panels = activation_panels(
        schemes,
        list(dict.fromkeys(activation or ["sigmoid", "tanh", "relu"])),
        depth=depth,
        width=width,
        samples=samples,
        bins=bins,
        edges=_parse_range(edges),
        seed=seed,
    )
    names = ", ".join(dict.fromkeys(panel.scheme.short for panel in panels))
    _write_figure(histogram_figure(panels, f"Activations before training: {names}"), target)
    if as_json:
        _print_json([panel.numbers() for panel in panels])
    else:
        _print_panels(panels)
    _say(f"Written: {target}")


def _file_name(words: "Iterable[str]") -> str:
    letters = "-".join(words)
    return "".join(c if c.isalnum() or c in ".-=" else "_" for c in letters).strip("._")[:80]


def _check_suffix(target: Path) -> None:
    if target.suffix not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--output {target}: the name must end in .png, .svg or .pdf")


def _parse_range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"--range {text}: write two numbers, as in --range 0,1") from None
    return low, high


def _write_figure(figure: "Figure", target: Path) -> None:
    from initlab.plotting.style import render

    picture = render(figure, target.suffix[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture)


def _print_panels(panels: "Iterable[Panel]") -> None:
    last = ["saturated or off", "below", "above range"]
    _print_table(
        ["activation", "scheme", "layer", "mean", "predicted", "std", "predicted", *last],
        [
            [
                panel.activation,
                panel.scheme.short,
                panel.layer,
                f"{panel.mean:.4g}",
                f"{panel.predicted.mean:.4g}" if panel.predicted else None,
                f"{panel.std:.4g}",
                f"{panel.predicted.std:.4g}" if panel.predicted else None,
                f"{100 * panel.saturated:.1f} %",
                f"{panel.histogram.below:,}",
                f"{panel.histogram.above:,}",
            ]
            for panel in panels
        ],
    )


@app.command()
def depth(
    init: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCHEME", help="A scheme; repeatable.", show_default="std=1, std=0.01, book:xavier, he"
        ),
    ] = None,
    activation: Annotated[
        list[str] | None,
        typer.Option(help="An activation function; repeatable.", show_default="sigmoid, tanh, relu"),
    ] = None,
    layers: Annotated[int, typer.Option("--depth", help="Hidden layers.")] = 20,
    width: Annotated[int, typer.Option(help="Inputs, and units of each hidden layer.")] = 100,
    samples: Annotated[int, typer.Option(help="Inputs, drawn from N(0, 1).")] = 300,
    seeds: Annotated[int, typer.Option(help="Networks drawn from each scheme.")] = 5,
    output: Annotated[
        Path | None, typer.Option(help="A .png, .svg or .pdf file.", show_default="results/depth/<words>.png")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw how activations and gradients fare through depth, predicted and measured.

    The gradient factor is that by which a layer multiplies squared gradients on their way back.
    """
    from initlab.analysis.profile import depth_profiles
    from initlab.nn.initializers import Scheme
    from initlab.plotting.depth import depth_figure

    names = init or ["std=1", "std=0.01", "book:xavier", "he"]
    schemes = list(dict.fromkeys(Scheme.parse(text) for text in names))
    functions = list(dict.fromkeys(activation or ["sigmoid", "tanh", "relu"]))
    words = _file_name([*(scheme.short for scheme in schemes), *functions])
    target = output or Path("results", "depth", f"{words}.png")
    _check_suffix(target)
    profiles = depth_profiles(schemes, functions, depth=layers, width=width, samples=samples, seeds=seeds)
    title = f"Through {layers} untrained layers of {width}: lines predicted, points measured"
    _write_figure(depth_figure(profiles, title), target)
    if as_json:
        _print_json([row for profile in profiles for row in profile.rows()])
        return
    _print_table(
        ["activation", "scheme", "last layer's std", "predicted", "gradient factor", "predicted"],
        [
            [
                profile.activation,
                profile.scheme.short,
                _number(float(profile.activation_std[:, -1].mean())),
                _number(profile.predicted[-1].std) if profile.predicted else None,
                _number(float(profile.gradient_factor.mean())),
                _number(profile.predicted_gradient_factor),
            ]
            for profile in profiles
        ],
    )
    _say(f"Written: {target}")


@app.command()
def schemes(as_json: JsonOption = False) -> None:
    """List the schemes with their formulas and sources."""
    from initlab.nn.initializers import ALIASES, INITIALIZERS

    rows: list[dict[str, Any]] = []
    for name, known in sorted(INITIALIZERS.items()):
        also = sorted(alias for alias, target in ALIASES.items() if target == name)
        rows.append({"name": name, "formula": known.formula, "source": known.source, "also": also})
    if as_json:
        _print_json(rows)
        return
    typer.echo(
        "n_in: inputs of a unit; n_out: units of the layer. Arguments go in brackets: he(scale=1.8).\n"
    )
    for row in rows:
        others = f" (also {', '.join(row['also'])})" if row["also"] else ""
        typer.echo(f"{row['name']}{others}\n    {row['formula']}\n    {row['source']}")


@app.command("list")
def list_records(
    experiment: Annotated[str | None, typer.Argument(help="An experiment; without, all are listed.")] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """List the experiments, or the runs of one, with their outcomes."""
    from initlab.runner.reports import experiment_rows, run_rows
    from initlab.runner.store import find_store

    rows = experiment_rows(results) if experiment is None else run_rows(find_store(results, experiment))
    if as_json:
        _print_json(rows)
    elif rows:
        _print_table(list(rows[0]), [[_number(value) for value in row.values()] for row in rows])
    else:
        _say(f"{results}: no records")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A run's id, or enough of its beginning; EXPERIMENT/RUN.")],
    second: Annotated[str, typer.Argument(help="Another's.")],
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Show in what two runs differ: their settings, their results, and from which step on."""
    from initlab.runner.reports import compare as compare_runs

    told = compare_runs(results, first, second)
    keys = ("outcome", "diverged_at", "final_loss", "test_loss", "test_accuracy")
    numbers = {key: (getattr(told.first, key), getattr(told.second, key)) for key in keys}
    if as_json:
        _print_json({"settings": told.settings, "results": numbers, "same_until_step": told.same_until})
        return
    rows = [[key, _number(one), _number(other)] for key, (one, other) in {**told.settings, **numbers}.items()]
    _print_table(["", told.first.id, told.second.id], rows)
    if "failed" in (told.first.outcome, told.second.outcome):
        return
    same = "every step" if told.same_until is None else f"the steps before {told.same_until}"
    _say(f"The losses have the same bits in {same}.")


@app.command()
def export(
    experiment: Annotated[str, typer.Argument(help="An experiment that has records.")],
    results: ResultsOption = Path("results"),
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated lines, the default.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print every record of an experiment with all its settings and numbers, one in a row."""
    from initlab.runner.reports import export_rows
    from initlab.runner.store import find_store, table_text

    if as_csv and as_json:
        raise UsageError("--csv and --json: choose one")
    rows = export_rows(find_store(results, experiment))
    if as_json:
        _print_json(rows)
        return
    header = list(dict.fromkeys(key for row in rows for key in row))
    typer.echo(table_text(header, [[row.get(key) for key in header] for row in rows]), nl=False)


@app.command()
def verify(
    experiment: Annotated[str | None, typer.Argument(help="An experiment; without, all.")] = None,
    results: ResultsOption = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Check records against their checksums, and whether this machine gives the same last bits."""
    from initlab.runner.reports import verify as verify_store
    from initlab.runner.store import experiments, find_store

    names = [experiment] if experiment else experiments(results)
    told = [verify_store(find_store(results, name)) for name in names]
    if as_json:
        _print_json([vars(one) for one in told])
    else:
        rows = [[one.experiment, one.whole, len(one.damaged), len(one.foreign)] for one in told]
        _print_table(["experiment", "whole", "damaged", "from another machine"], rows)
    damaged = [f"{one.experiment}/{run}" for one in told for run in one.damaged]
    if damaged:
        _fail("\n".join(f"{name}: damaged; run its config again to mend it" for name in damaged), 1)


config_app = typer.Typer(help="Look at configs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")


@config_app.command()
def show(
    config: Annotated[Path, typer.Argument(help="The YAML file of an experiment.")],
    overrides: SetOption = None,
) -> None:
    """Print the experiment with every value told, and where each comes from."""
    from initlab.plotting.figures import check_figures
    from initlab.runner.config import load_experiment
    from initlab.runner.reports import resolved_lines

    experiment = load_experiment(config, overrides or [])
    check_figures(experiment)
    typer.echo("\n".join(resolved_lines(experiment)))


@config_app.command()
def schema() -> None:
    """Print the JSON schema of a config, by which an editor completes and checks it."""
    from initlab.runner.settings import config_schema

    _print_json(config_schema())


def _number(value: object) -> object:
    return f"{value:.5g}" if isinstance(value, float) else value


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False))


def _print_table(header: "Sequence[str]", rows: "Iterable[Sequence[object]]") -> None:
    from initlab.runner.tables import aligned

    shown = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    typer.echo(aligned([list(header), *shown]))


def _say(message: str) -> None:
    typer.echo(message, err=True)
