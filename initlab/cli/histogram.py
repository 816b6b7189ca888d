"""`initlab histogram`: histograms of untrained networks, layer by layer."""

from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initlab.cli.architectures import NormOption, SkipOption, say_where_theory_is_silent, words_of
from initlab.cli.pictures import (
    Drawing,
    FormatOption,
    LabelOption,
    OutputOption,
    SamplesOption,
    SizeOption,
    StyleOption,
    SvgTextOption,
    TitleOption,
    WidthOption,
    default_target,
    labelled,
)
from initlab.cli.terminal import (
    ACTIVATION_HELP,
    SCHEME_HELP,
    JsonOption,
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from initlab.measure.histograms import Panel
    from initlab.measure.quantities import Predicted

_ACTIVATIONS = ("sigmoid", "tanh", "relu")
_MOST_ROWS = 6  # in one figure of several activation functions


InitOption = Annotated[list[str] | None, typer.Option(metavar="SCHEME", help=SCHEME_HELP, show_default="he")]
ActivationOption = Annotated[
    list[str] | None, typer.Option(help=ACTIVATION_HELP, show_default=", ".join(_ACTIVATIONS))
]
WhatOption = Annotated[
    str, typer.Option(help="activations, preactivations, gradients, weights or weight_gradients.")
]
DepthOption = Annotated[int, typer.Option(help="The number of hidden layers.")]
HiddenOption = Annotated[
    str | None,
    typer.Option(
        metavar="LAYERS",
        help='Other hidden layers, as "conv(16, kernel=5), pool(2), 100"; --width inputs are an image.',
        show_default="--depth layers of --width",
    ),
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
SeedOption = Annotated[int, typer.Option(min=0, help="The seed of inputs and weights.")]


@app.command()
def histogram(
    init: InitOption = None,
    label: LabelOption = None,
    activation: ActivationOption = None,
    what: WhatOption = "activations",
    depth: DepthOption = 5,
    width: WidthOption = 100,
    hidden: HiddenOption = None,
    norm: NormOption = None,
    skip: SkipOption = None,
    samples: SamplesOption = 1000,
    bins: BinsOption = 30,
    edges: RangeOption = None,
    seed: SeedOption = 0,
    title: TitleOption = None,
    style: StyleOption = "screen",
    size: SizeOption = None,
    formats: FormatOption = None,
    svg_text: SvgTextOption = False,
    output: OutputOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw histograms of untrained networks by layer.

    More than six rows of several activation functions become a figure for each function. The table compares
    them with theory. The spread of a predicted standard deviation, in percent of it, is that of single
    networks of this width.
    """
    from initlab.init.per_layer import Initialization
    from initlab.measure.histograms import layer_panels
    from initlab.measure.probes import probe_sizes
    from initlab.measure.quantities import QUANTITIES
    from initlab.nn.activations import ACTIVATIONS
    from initlab.nn.architecture import Skip
    from initlab.nn.normalization import parse_norm
    from initlab.plotting.histograms import MOST_ROWS

    norms, skips = parse_norm(norm) if norm else None, Skip.parse(skip) if skip else None
    schemes = list(dict.fromkeys(map(Initialization.of, repeated("--init", init or ["he"]))))
    schemes = labelled(schemes, label)
    functions = [ACTIVATIONS.resolve(name) for name in repeated("--activation", activation or _ACTIVATIONS)]
    words = list(map(str, schemes)) + (list(map(shown, functions)) if activation else [])
    words += [*words_of(norms, skips, hidden), *([what] if what != "activations" else [])]
    drawing = Drawing(
        target=output or default_target(formats, "results", "histogram", file_name(words)),
        formats=tuple(formats or ()),
        style=style,
        size=size,
        svg_text=svg_text,
    )
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
        hidden=hidden,
        batch_norm=norms,
        skip=skips,
    )
    written = _draw(panels, drawing, title, f"{QUANTITIES[what].title} before training")
    if as_json:
        print_json({"layers": [{"label": panel.label, **panel.numbers()} for panel in panels]})
    else:
        _print_panels(panels)
    say_where_theory_is_silent(schemes, probe_sizes(depth, width, hidden), norms, skips)
    say(f"Written: {', '.join(map(str, written))}")


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
