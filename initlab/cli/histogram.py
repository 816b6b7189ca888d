"""`initlab histogram`: histograms of untrained networks, or of saved ones, layer by layer."""

import re
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.terminal import (
    ACTIVATION_HELP,
    SCHEME_HELP,
    AllowCodeOption,
    JsonOption,
    ResultsOption,
    app,
    check_suffix,
    file_name,
    number,
    plain,
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
    from initlab.runner.saved import Selection, Step

_MOST_ROWS = 6  # in one figure of several activation functions


@app.command()
def histogram(
    init: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCHEME",
            help=SCHEME_HELP,
            show_default="he",
        ),
    ] = None,
    activation: Annotated[
        list[str] | None,
        typer.Option(
            help=ACTIVATION_HELP,
            show_default="sigmoid, tanh, relu",
        ),
    ] = None,
    what: Annotated[
        str,
        typer.Option(help="activations, preactivations, gradients, weights or weight_gradients."),
    ] = "activations",
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="EXPERIMENT", help="Show trained networks: an experiment with save_weights."
        ),
    ] = None,
    step: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="After which step, with --from; repeatable.", show_default="last"),
    ] = None,
    depth: Annotated[int | None, typer.Option(help="The number of hidden layers.", show_default="5")] = None,
    width: Annotated[
        int | None, typer.Option(help="Input features, and units of each layer.", show_default="100")
    ] = None,
    samples: Annotated[
        int,
        typer.Option(min=1, max=1_000_000, help="Input vectors, drawn from N(0, 1); with --from images."),
    ] = 1000,
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
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="The seed of inputs and weights.", show_default="0; with --from the first"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="A .png, .svg or .pdf file.", show_default="results/histogram/<schemes>.png"),
    ] = None,
    results: ResultsOption = Path("results"),
    allow_code: AllowCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw histograms of networks by layer.

    Networks are untrained, or with --from those that an experiment saved, which are shown training images.
    More than six rows of several activation functions become a figure for each function. The table compares
    untrained ones with theory. The spread of a predicted standard deviation, in percent of it, is that of
    single networks of this width.
    """
    from initlab.measure.quantities import QUANTITIES
    from initlab.runner.saved import Selection

    if output is not None:
        check_suffix(output)
    view = {"what": what, "samples": samples, "bins": bins, "edges": _parse_range(edges)}
    if source is None:
        require(step is None, "--step is a step of trained networks: give --from, too")
        shape = {"depth": 5 if depth is None else depth, "width": 100 if width is None else width}
        panels, words = _untrained(init or ["he"], activation, {**view, **shape, "seed": seed or 0})
        when = "before training"
    else:
        require(depth is None and width is None, "--depth and --width: trained networks have their own")
        folder = source if len(source.parts) > 1 else results / source
        steps = list(dict.fromkeys(map(_step, step or ["last"])))
        selection = Selection(inits=init or [], activations=activation or [], seed=seed, steps=steps)
        panels = _trained(folder, selection, view, allow_code)
        words, when = [source.name, *(init or []), *map(str, steps)], _when(steps)
    words += [what] if what != "activations" else []
    target = output or results / "histogram" / f"{file_name(words)}.png"
    written = _draw(panels, target, f"{QUANTITIES[what].title} {when}")
    if as_json:
        print_json({"layers": [{"label": panel.label, **panel.numbers()} for panel in panels]})
    else:
        _print_panels(panels)
    say(f"Written: {', '.join(map(str, written))}")


def _untrained(
    init: list[str], activation: list[str] | None, settings: dict[str, Any]
) -> tuple[list["Panel"], list[str]]:
    """The panels of untrained networks, and the words of which their file's name consists."""
    from initlab.init.per_layer import Initialization
    from initlab.measure.histograms import layer_panels
    from initlab.nn.activations import ACTIVATIONS
    from initlab.plotting.histograms import MOST_ROWS

    schemes = list(dict.fromkeys(map(Initialization.of, repeated("--init", init))))
    chosen = repeated("--activation", activation or ["sigmoid", "tanh", "relu"])
    functions = [ACTIVATIONS.resolve(name) for name in chosen]
    require(len(schemes) <= MOST_ROWS, f"--init: a figure holds {MOST_ROWS} schemes, not {len(schemes)}")
    words = list(map(str, schemes)) + (list(map(shown, functions)) if activation else [])
    return layer_panels(schemes, functions, **settings), words


def _trained(folder: Path, selection: "Selection", view: dict[str, Any], allow_code: bool) -> list["Panel"]:
    """The panels of saved networks; says which are not there."""
    from initlab.runner.results import load_results
    from initlab.runner.saved import saved_panels
    from initlab.runner.store import find_store

    find_store(folder.parent, folder.name)  # its message names the experiments that there are
    panels, lacking = saved_panels(load_results(folder, allow_code=allow_code), selection, **view)
    for reason in lacking:
        say(f"Left out: {reason}")
    return panels


def _step(text: str) -> "Step":
    if text == "last":
        return "last"
    require(bool(re.fullmatch("[0-9]{1,9}", text)), f"--step {plain(text)}: give a number of steps, or last")
    return int(text)


def _when(steps: list["Step"]) -> str:
    if len(steps) > 1:
        return "during training"
    return {"last": "after training", 0: "before training"}.get(steps[0], f"after {steps[0]} steps")


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
    for name, group in groupby(panels, key=lambda panel: panel.activation):
        rows = list(group)
        theory = any(panel.predicted for panel in rows)
        cells = [_cells(panel, theory) for panel in rows]
        typer.echo(f"{name}:")
        print_table(list(cells[0]), [list(row.values()) for row in cells])


def _cells(panel: "Panel", theory: bool) -> dict[str, object]:
    """The cells of a row by column."""
    predicted = panel.predicted
    cells: dict[str, object] = {
        "scheme": panel.label,
        "layer": panel.layer,
        "mean": number(panel.mean, 3),
        "mean in theory": number(predicted.mean, 3) if predicted else None,
        "std": number(panel.std, 3),
        "std in theory": _with_spread(predicted) if predicted else None,
        "saturated or off": f"{100 * panel.saturated:.1f} %",
        "outside the range": f"{panel.histogram.below + panel.histogram.above:,}",
    }
    return {name: cell for name, cell in cells.items() if theory or "theory" not in name}


def _with_spread(predicted: "Predicted") -> str:
    """The standard deviation, and the spread of single networks in percent of it."""
    if predicted.spread is None or predicted.std == 0:
        return number(predicted.std, 3)
    spread = f"±{predicted.spread / predicted.std:.0%}"
    return f"{number(predicted.std, 3)}{spread}"
