"""`initlab depth`: activations and gradients through the layers of untrained networks."""

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
    print_json,
    print_table,
    repeated,
    say,
    write_figure,
)
from initlab.own_code import shown

if TYPE_CHECKING:
    from initlab.measure.depth import Profile

_SCHEMES = ("std=1", "std=0.01", "book:xavier", "he")
_ACTIVATIONS = ("sigmoid", "tanh", "relu")


@app.command()
def depth(
    init: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCHEME",
            help=SCHEME_HELP,
            autocompletion=scheme_names,
            show_default=", ".join(_SCHEMES),
        ),
    ] = None,
    activation: Annotated[
        list[str] | None,
        typer.Option(
            help=ACTIVATION_HELP,
            autocompletion=activation_names,
            show_default=", ".join(_ACTIVATIONS),
        ),
    ] = None,
    layers: Annotated[int, typer.Option("--depth", max=1000, help="The number of hidden layers.")] = 20,
    width: Annotated[int, typer.Option(max=100_000, help="Input features, and units of each layer.")] = 100,
    samples: Annotated[int, typer.Option(max=1_000_000, help="Input vectors, drawn from N(0, 1).")] = 300,
    seeds: Annotated[int, typer.Option(help="The number of networks drawn from each scheme.")] = 5,
    batch_norm: Annotated[
        str | None,
        typer.Option(metavar="before|after", help="Batch Normalization before or after the activation."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="A .png, .svg or .pdf file.", show_default="results/depth/<words>.png")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw activations and gradients through depth.

    Lines show what theory predicts, points what untrained networks show. The gradient factor is that by which
    a layer multiplies squared gradients in the backward pass.
    """
    from initlab.init.per_layer import Initialization
    from initlab.measure.depth import depth_profiles
    from initlab.nn.activations import ACTIVATIONS
    from initlab.nn.normalization import BatchNorm
    from initlab.plotting.depth import depth_figure

    schemes = list(dict.fromkeys(map(Initialization.of, repeated("--init", init or _SCHEMES))))
    functions = [ACTIVATIONS.resolve(name) for name in repeated("--activation", activation or _ACTIVATIONS)]
    norm = BatchNorm.parse(batch_norm) if batch_norm else None
    words = file_name([*map(str, schemes), *map(shown, functions), *[f"norm-{batch_norm}"] * bool(norm)])
    target = output or Path("results", "depth", f"{words}.png")
    check_suffix(target)
    profiles = depth_profiles(
        schemes, functions, depth=layers, width=width, samples=samples, seeds=seeds, batch_norm=norm
    )
    kind = f", normalized {norm.place} the activation" if norm else ""
    title = f"Through {layers} untrained layers of {width}{kind}: lines predicted, points measured"
    write_figure(depth_figure(profiles, title), target)
    if as_json:
        rows = [{"label": profile.label, **row} for profile in profiles for row in profile.rows()]
        print_json({"layers": rows})
    else:
        header = ["activation", "scheme", "last layer's std", "std in theory"]
        header += ["gradient factor", "factor in theory"]
        print_table(header, [_cells(profile) for profile in profiles])
    say(f"Written: {target}")


def _cells(profile: "Profile") -> list[object]:
    return [
        shown(profile.activation),
        profile.label,
        float(profile.activation_std[:, -1].mean()),
        profile.predicted[-1].std if profile.predicted else None,
        float(profile.gradient_factor.mean()),
        profile.predicted_gradient_factor,
    ]
