"""The command line: parse, call one function, print.

Tables and JSON go to standard output, messages to standard error. What a command needs is imported within
it, so that `--help` and completion answer at once.
"""

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.errors import InitlabError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from initlab.analysis.untrained import Panel
    from initlab.nn.initializers import Scheme
    from initlab.runner.sweep import Outcome, Progress

app = typer.Typer(
    help="A laboratory for weight initialization: train the alternatives side by side, and look inside.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]


def main() -> None:
    """The `initlab` command. Exit codes: 0 done, 2 usage or config, 3 data, 4 locked, 5 input or output."""
    signal.signal(signal.SIGTERM, _end)
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


def _fail(message: str, code: int) -> None:
    for line in message.splitlines():
        typer.echo(f"initlab: {line}", err=True)
    sys.exit(code)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The YAML file of an experiment, as configs/mnist.yaml.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the config; repeatable."),
    ] = None,
    results: Annotated[Path, typer.Option(help="The folder for the experiments' folders.")] = Path("results"),
    jobs: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes that train.", show_default="the cores")
    ] = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no messages and no progress bar.")] = False,
) -> None:
    """Train what has no record yet, then write the tables and draw the figures."""
    from initlab.plotting.figures import check_figures, draw_figures
    from initlab.runner.config import load_experiment
    from initlab.runner.sweep import run_experiment

    experiment = load_experiment(config, overrides or [])
    check_figures(experiment)
    with _Bar(shown=not quiet) as bar:
        outcome = run_experiment(experiment, results, jobs, bar.progress)
    pictures = draw_figures(experiment.figures, outcome)
    _print_outcome(outcome, as_json)
    if not quiet:
        typer.echo(f"{outcome.trained} runs trained, {outcome.reused} had a record already.", err=True)
        typer.echo("Written: " + ", ".join(map(str, [outcome.store.folder, *pictures])), err=True)


def _print_outcome(outcome: "Outcome", as_json: bool) -> None:
    from initlab.runner.tables import screen_table, summary_rows

    if as_json:
        header, rows = summary_rows(outcome.groups)
        _print_json([dict(zip(header, row, strict=True)) for row in rows])
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

    @property
    def progress(self) -> "Progress":
        return self.update

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

    schemes = list(dict.fromkeys(Scheme.parse(text) for text in init or ["he"]))
    target = output or Path("results", "histogram", f"{_file_name(schemes)}.png")
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
    _draw_histograms(panels, target)
    if as_json:
        _print_json([panel.numbers() for panel in panels])
    else:
        typer.echo(_panel_table(panels))
    typer.echo(f"Written: {target}", err=True)


def _file_name(schemes: "Iterable[Scheme]") -> str:
    letters = "-".join(scheme.short for scheme in schemes)
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


def _draw_histograms(panels: "Sequence[Panel]", target: Path) -> None:
    from initlab.plotting.histograms import histogram_figure
    from initlab.plotting.style import render

    names = ", ".join(dict.fromkeys(panel.scheme.short for panel in panels))
    picture = render(histogram_figure(panels, f"Activations before training: {names}"), target.suffix[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture)


def _panel_table(panels: "Iterable[Panel]") -> str:
    from initlab.runner.tables import aligned

    header = ["activation", "scheme", "layer", "mean", "std", "saturated", "below", "above range"]
    rows = [
        [
            panel.activation,
            panel.scheme.short,
            str(panel.layer),
            f"{panel.mean:.4g}",
            f"{panel.std:.4g}",
            f"{100 * panel.saturated:.1f} %",
            f"{panel.histogram.below:,}",
            f"{panel.histogram.above:,}",
        ]
        for panel in panels
    ]
    return aligned([header, *rows])


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


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False))
