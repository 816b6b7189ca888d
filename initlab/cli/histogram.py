"""`initlab histogram`: histograms of untrained networks, or of saved ones, layer by layer."""

import re
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.architectures import NormOption, SkipOption, what_theory_leaves_unsaid, words_of
from initlab.cli.completion import activation_names, record_names, scheme_names
from initlab.cli.pictures import (
    Drawing,
    FormatOption,
    LabelOption,
    OutputOption,
    SizeOption,
    StyleOption,
    SvgTextOption,
    TitleOption,
    default_target,
    labelled,
)
from initlab.cli.terminal import (
    ACTIVATION_HELP,
    SCHEME_HELP,
    AllowCodeOption,
    JsonOption,
    ResultsOption,
    app,
    file_name,
    number,
    print_json,
    print_table,
    repeated,
    say,
)
from initlab.errors import UsageError, require
from initlab.own_code import shown
from initlab.tables import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from initlab.measure.histograms import Panel
    from initlab.measure.quantities import Predicted
    from initlab.runner.saved import Selection, Step

_ACTIVATIONS = ("sigmoid", "tanh", "relu")
_MOST_ROWS = 6  # in one figure of several activation functions


InitOption = Annotated[
    list[str] | None,
    typer.Option(metavar="SCHEME", help=SCHEME_HELP, show_default="he", autocompletion=scheme_names),
]
ActivationOption = Annotated[
    list[str] | None,
    typer.Option(help=ACTIVATION_HELP, show_default=", ".join(_ACTIVATIONS), autocompletion=activation_names),
]
WhatOption = Annotated[
    str, typer.Option(help="activations, preactivations, gradients, weights or weight_gradients.")
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="EXPERIMENT",
        help="Show trained networks: an experiment with save_weights.",
        autocompletion=record_names,
    ),
]
StepOption = Annotated[
    list[str] | None,
    typer.Option(metavar="STEP", help="After which step, with --from; repeatable.", show_default="last"),
]
DepthOption = Annotated[
    int | None, typer.Option(max=1000, help="The number of hidden layers.", show_default="5")
]
HiddenOption = Annotated[
    str | None,
    typer.Option(
        metavar="LAYERS",
        help='Other hidden layers, as "conv(16, kernel=5), pool(2), 100"; --width inputs are an image.',
        show_default="--depth layers of --width",
    ),
]
OwnWidthOption = Annotated[
    int | None, typer.Option(max=100_000, help="Input features, and units of each layer.", show_default="100")
]
OwnSamplesOption = Annotated[
    int,
    typer.Option(min=1, max=1_000_000, help="Input vectors, drawn from N(0, 1); with --from images."),
]
BinsOption = Annotated[int, typer.Option(max=10_000, help="The number of bins.")]
RangeOption = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="LOW,HIGH",
        help="The range of the histograms; the book's is 0,1.",
        show_default="that of the function, or of the first layer's values",
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(min=0, help="The seed of inputs and weights.", show_default="0; with --from the first"),
]


@app.command()
def histogram(
    init: InitOption = None,
    label: LabelOption = None,
    activation: ActivationOption = None,
    what: WhatOption = "activations",
    source: FromOption = None,
    step: StepOption = None,
    depth: DepthOption = None,
    width: OwnWidthOption = None,
    hidden: HiddenOption = None,
    norm: NormOption = None,
    skip: SkipOption = None,
    samples: OwnSamplesOption = 1000,
    bins: BinsOption = 30,
    edges: RangeOption = None,
    seed: SeedOption = None,
    title: TitleOption = None,
    style: StyleOption = "screen",
    size: SizeOption = None,
    formats: FormatOption = None,
    svg_text: SvgTextOption = False,
    output: OutputOption = None,
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

    view = {"what": what, "samples": samples, "bins": bins, "edges": _parse_range(edges)}
    if source is None:
        require(step is None, "--step is a step of trained networks: give --from, too")
        require(not (hidden and depth), "--hidden names all layers: give it or --depth, not both")
        shape = {"depth": 5 if depth is None else depth, "width": 100 if width is None else width}
        settings = {**view, **shape, "hidden": hidden, "seed": seed or 0}
        networks = _untrained(init or ["he"], label, activation, settings, norm, skip)
    else:
        own = not any((depth, width, hidden, norm, skip))
        require(own, "--depth, --width, --hidden, --norm and --skip: trained networks have their own")
        require(not label, "--label: trained networks have the labels of their experiment")
        folder = source if len(source.parts) > 1 else results / source
        chosen = {"inits": init or [], "activations": activation or [], "seed": seed}
        networks = _saved(folder, chosen, step or ["last"], view, allow_code)
    words = networks.words + ([what] if what != "activations" else [])
    drawing = Drawing(
        target=output or default_target(formats, str(results), "histogram", file_name(words)),
        formats=tuple(formats or ()),
        style=style,
        size=size,
        svg_text=svg_text,
    )
    panels = networks.measure()
    written = _draw(panels, drawing, title, f"{QUANTITIES[what].title} {networks.when}")
    if as_json:
        print_json({"layers": list(map(_plain, panels))})
    else:
        _print_panels(panels)
    for message in networks.remarks():
        say(message)
    say(f"Written: {', '.join(map(str, written))}")


def _plain(panel: "Panel") -> dict[str, Any]:
    """The panel for programs, with its bars."""
    predicted = panel.predicted
    shares = predicted.shares if predicted else None
    bars = {
        "counts": panel.histogram.counts.tolist(),
        "predicted_shares": None if shares is None else shares.tolist(),
    }
    return {"label": panel.label, **panel.numbers(), **bars}


@dataclass(frozen=True, kw_only=True)
class _Networks:
    """What is shown.

    Attributes:
        words: of which the file's name consists.
        when: in the training, for the title.
        measure: gives the panels; called when all options are known to be right.
        remarks: gives what theory leaves unsaid.
    """

    words: list[str]
    when: str
    measure: "Callable[[], list[Panel]]"
    remarks: "Callable[[], Sequence[str]]" = list


def _untrained(
    init: list[str],
    label: list[str] | None,
    activation: list[str] | None,
    settings: dict[str, Any],
    norm: str | None,
    skip: str | None,
) -> _Networks:
    from initlab.init.per_layer import Initialization
    from initlab.measure.histograms import layer_panels
    from initlab.measure.probes import probe_sizes
    from initlab.nn.activations import ACTIVATIONS
    from initlab.nn.architecture import Skip
    from initlab.nn.normalization import parse_norm
    from initlab.plotting.histograms import MOST_ROWS

    norms, skips = parse_norm(norm) if norm else None, Skip.parse(skip) if skip else None
    sizes = probe_sizes(settings["depth"], settings["width"], settings["hidden"])

    schemes = list(dict.fromkeys(map(Initialization.of, repeated("--init", init))))
    schemes = labelled(schemes, label)
    functions = [ACTIVATIONS.resolve(name) for name in repeated("--activation", activation or _ACTIVATIONS)]
    require(len(schemes) <= MOST_ROWS, f"--init: a figure holds {MOST_ROWS} schemes, not {len(schemes)}")
    return _Networks(
        words=[
            *map(str, schemes),
            *(map(shown, functions) if activation else ()),
            *words_of(norms, skips, settings["hidden"]),
        ],
        when="before training",
        measure=lambda: layer_panels(schemes, functions, **settings, norm=norms, skip=skips),
        remarks=lambda: what_theory_leaves_unsaid(schemes, sizes, norms, skips),
    )


def _saved(
    folder: Path, chosen: dict[str, Any], steps: list[str], view: dict[str, Any], allow_code: bool
) -> _Networks:
    from initlab.runner.saved import Selection

    wanted = list(dict.fromkeys(map(_step, steps)))
    selection = Selection(**chosen, steps=wanted)
    return _Networks(
        words=[folder.name, *chosen["inits"], *map(str, wanted)],
        when=_when(wanted),
        measure=lambda: _trained(folder, selection, view, allow_code),
    )


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


def _draw(panels: "Sequence[Panel]", drawing: Drawing, title: str | None, what: str) -> list[Path]:
    """Draw one figure of all panels, or one of each activation function; return the files."""
    from initlab.plotting.histograms import histogram_figure

    names = ", ".join(dict.fromkeys(panel.label for panel in panels))
    activations = list(dict.fromkeys(panel.activation for panel in panels))
    if len(activations) == 1 or len({(panel.activation, panel.label) for panel in panels}) <= _MOST_ROWS:
        heading = f"{what}: {names}" if title is None else title
        return drawing.write(lambda: histogram_figure(panels, heading))
    files: list[Path] = []
    for activation in activations:
        chosen = [panel for panel in panels if panel.activation == activation]
        heading = f"{what}, {shown(activation)}: {names}" if title is None else title
        files += drawing.part(shown(activation)).write(partial(histogram_figure, chosen, heading))
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
