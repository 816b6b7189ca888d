"""`initlab histogram`: histograms of untrained networks, layer by layer."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initlab.cli.completion import activation_names, scheme_names
from initlab.cli.terminal import (
    ACTIVATION_HELP,
    SCHEME_HELP,
    JsonOption,
    app,
    check_suffix,
    file_name,
    number,
    print_json,
    print_table,
    repeated,
    say,
    write_figure,
)
from initlab.errors import UsageError, require
from initlab.own_code import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from initlab.measure.histograms import Panel
    from initlab.measure.quantities import Predicted

_MOST_ROWS = 6  # in one figure of several activation functions


@app.command()
def histogram(
    init: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCHEME",
            help=SCHEME_HELP,
            autocompletion=scheme_names,
            show_default="he",
        ),
    ] = None,
    activation: Annotated[
        list[str] | None,
        typer.Option(
            help=ACTIVATION_HELP,
            autocompletion=activation_names,
            show_default="sigmoid, tanh, relu",
        ),
    ] = None,
    what: Annotated[
        str,
        typer.Option(help="activations, preactivations, gradients, weights or weight_gradients."),
    ] = "activations",
    depth: Annotated[int, typer.Option(max=1000, help="The number of hidden layers.")] = 5,
    width: Annotated[int, typer.Option(max=100_000, help="Input features, and units of each layer.")] = 100,
    samples: Annotated[int, typer.Option(max=1_000_000, help="Input vectors, drawn from N(0, 1).")] = 1000,
    bins: Annotated[int, typer.Option(max=10_000, help="The number of bins.")] = 30,
    edges: Annotated[
        str | None,
        typer.Option(
            "--range",
            metavar="LOW,HIGH",
            help="The range of the histograms; the book's is 0,1.",
            show_default="that of the function, or of the first layer's values",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of inputs and weights.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(help="A .png, .svg or .pdf file.", show_default="results/histogram/<schemes>.png"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw histograms of untrained networks by layer.

    More than six rows of several activation functions become a figure for each function. The table compares
    them with theory. The spread of a predicted standard deviation, in percent of it, is that of single
    networks of this width.
    """
    from initlab.init.per_layer import Initialization
    from initlab.measure.histograms import layer_panels
    from initlab.measure.quantities import QUANTITIES
    from initlab.nn.activations import ACTIVATIONS
    from initlab.plotting.histograms import MOST_ROWS

    schemes = list(dict.fromkeys(map(Initialization.of, repeated("--init", init or ["he"]))))
    chosen = repeated("--activation", activation or ["sigmoid", "tanh", "relu"])
    functions = [ACTIVATIONS.resolve(name) for name in chosen]
    words = list(map(str, schemes)) + (list(map(shown, functions)) if activation else [])
    words += [what] if what != "activations" else []
    target = output or Path("results", "histogram", f"{file_name(words)}.png")
    check_suffix(target)
    require(len(schemes) <= MOST_ROWS, f"--init: a figure holds {MOST_ROWS} schemes, not {len(schemes)}")
    panels = layer_panels(
        schemes,
        functions,
        what=what,
        depth=depth,
        width=width,
        samples=samples,
        bins=bins,
        edges=_parse_range(edges),
        seed=seed,
    )
    written = _draw(panels, target, f"{QUANTITIES[what].title} before training")
    if as_json:
        print_json({"layers": [{"label": panel.label, **panel.numbers()} for panel in panels]})
    else:
        _print_panels(panels)
    say(f"Written: {', '.join(map(str, written))}")


def _draw(panels: "Sequence[Panel]", target: Path, what: str) -> list[Path]:
    """Draw all panels into one file, or those of each activation function into its own; return the files."""
    from initlab.plotting.histograms import histogram_figure

    names = ", ".join(dict.fromkeys(panel.label for panel in panels))
    activations = list(dict.fromkeys(panel.activation for panel in panels))
    if len(activations) == 1 or len({(panel.activation, panel.label) for panel in panels}) <= _MOST_ROWS:
        write_figure(histogram_figure(panels, f"{what}: {names}"), target)
        return [target]
    files = [target.with_stem(f"{target.stem}-{shown(activation)}") for activation in activations]
    for activation, file in zip(activations, files, strict=True):
        chosen = [panel for panel in panels if panel.activation == activation]
        write_figure(histogram_figure(chosen, f"{what}, {shown(activation)}: {names}"), file)
    return files


def _parse_range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"--range {text}: write two numbers, as in --range 0,1") from None
    return low, high


def _print_panels(panels: "Iterable[Panel]") -> None:
    """A table for each activation function."""
    header = ["scheme", "layer", "mean", "mean in theory", "std", "std in theory"]
    header += ["saturated or off", "outside the range"]
    for name, group in groupby(panels, key=lambda panel: panel.activation):
        typer.echo(f"{name}:")
        print_table(header, [_cells(panel) for panel in group])


def _cells(panel: "Panel") -> list[object]:
    return [
        panel.label,
        panel.layer,
        number(panel.mean, 3),
        number(panel.predicted.mean, 3) if panel.predicted else None,
        number(panel.std, 3),
        _with_spread(panel.predicted) if panel.predicted else None,
        f"{100 * panel.saturated:.1f} %",
        f"{panel.histogram.below + panel.histogram.above:,}",
    ]


def _with_spread(predicted: "Predicted") -> str:
    """The standard deviation, and the spread of single networks in percent of it."""
    if predicted.spread is None or predicted.std == 0:
        return number(predicted.std, 3)
    spread = f"±{predicted.spread / predicted.std:.0%}"
    return f"{number(predicted.std, 3)}{spread}"
