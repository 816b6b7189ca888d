"""`initlab depth`: activations and gradients through the layers of untrained networks."""

from typing import TYPE_CHECKING, Annotated

import typer

from initlab.cli.architectures import NormOption, SkipOption, what_theory_leaves_unsaid, words_of
from initlab.cli.completion import activation_names, scheme_names
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
    print_json,
    print_table,
    repeated,
    say,
)
from initlab.errors import require
from initlab.own_code import shown

if TYPE_CHECKING:
    from initlab.measure.depth import Profile

_SCHEMES = ("std=1", "std=0.01", "book:xavier", "he")
_ACTIVATIONS = ("sigmoid", "tanh", "relu")


InitOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SCHEME",
        help=SCHEME_HELP,
        show_default=", ".join(_SCHEMES),
        autocompletion=scheme_names,
    ),
]
ActivationOption = Annotated[
    list[str] | None,
    typer.Option(help=ACTIVATION_HELP, show_default=", ".join(_ACTIVATIONS), autocompletion=activation_names),
]
LayersOption = Annotated[int, typer.Option("--depth", max=1000, help="The number of hidden layers.")]
SeedsOption = Annotated[int, typer.Option(help="The number of networks drawn from each scheme.")]
BatchNormOption = Annotated[
    str | None,
    typer.Option(metavar="before|after", help="Batch Normalization before or after the activation."),
]


@app.command()
def depth(
    init: InitOption = None,
    label: LabelOption = None,
    activation: ActivationOption = None,
    layers: LayersOption = 20,
    width: WidthOption = 100,
    samples: SamplesOption = 300,
    seeds: SeedsOption = 5,
    batch_norm: BatchNormOption = None,
    norm: NormOption = None,
    skip: SkipOption = None,
    title: TitleOption = None,
    style: StyleOption = "screen",
    size: SizeOption = None,
    formats: FormatOption = None,
    svg_text: SvgTextOption = False,
    output: OutputOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw activations and gradients through depth.

    Lines show what theory predicts, points what untrained networks show. The gradient factor is that by which
    a layer multiplies squared gradients in the backward pass.
    """
    from initlab.init.per_layer import Initialization
    from initlab.measure.depth import depth_profiles
    from initlab.measure.probes import equal_layers
    from initlab.nn.activations import ACTIVATIONS
    from initlab.nn.architecture import Skip
    from initlab.nn.normalization import BatchNorm, parse_norm
    from initlab.plotting.depth import depth_figure, title_of

    schemes = list(dict.fromkeys(map(Initialization.of, repeated("--init", init or _SCHEMES))))
    schemes = labelled(schemes, label)
    functions = [ACTIVATIONS.resolve(name) for name in repeated("--activation", activation or _ACTIVATIONS)]
    require(not (batch_norm and norm), "give either --norm or --batch-norm, which is --norm batch in short")
    skips = Skip.parse(skip) if skip else None
    norms = BatchNorm.parse(batch_norm) if batch_norm else parse_norm(norm) if norm else None
    words = file_name([*map(str, schemes), *map(shown, functions), *words_of(norms, skips)])
    drawing = Drawing(
        target=output or default_target(formats, "results", "depth", words),
        formats=tuple(formats or ()),
        style=style,
        size=size,
        svg_text=svg_text,
    )
    profiles = depth_profiles(
        schemes,
        functions,
        depth=layers,
        width=width,
        samples=samples,
        seeds=seeds,
        norm=norms,
        skip=skips,
    )
    if title is None:
        title = title_of(layers, width, norms, skips)
    written = drawing.write(lambda: depth_figure(profiles, title))
    if as_json:
        rows = [{"label": profile.label, **row} for profile in profiles for row in profile.rows()]
        print_json({"layers": rows})
    else:
        header = ["activation", "scheme", "last layer's std", "std in theory"]
        header += ["gradient factor", "factor in theory"]
        print_table(header, [_cells(profile) for profile in profiles])
    for message in what_theory_leaves_unsaid(schemes, equal_layers(layers, width), norms, skips):
        say(message)
    say(f"Written: {', '.join(map(str, written))}")


def _cells(profile: "Profile") -> list[object]:
    from initlab.measure.intervals import finite_or_none

    return [
        shown(profile.activation),
        profile.label,
        float(profile.activation_std[:, -1].mean()),
        profile.predicted[-1].std if profile.predicted else None,
        finite_or_none(float(profile.gradient_factor.mean())),  # none where no gradient reaches the last
        profile.predicted_gradient_factor,
    ]
