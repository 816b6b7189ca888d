"""`initlab histogram` and `initlab depth`: untrained networks, predicted and measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initlab.cli.terminal import (
    JsonOption,
    app,
    check_suffix,
    file_name,
    number,
    print_json,
    print_table,
    say,
    write_figure,
)
from initlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from initlab.analysis.untrained import Panel, Predicted


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
    what: Annotated[
        str,
        typer.Option(help="activations, preactivations, gradients, weights or weight_gradients."),
    ] = "activations",
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
    """Draw histograms of untrained networks, layer by layer, with what theory predicts.

    In the table, a spread behind a predicted standard deviation is that of single networks of this width.
    """
    from initlab.analysis.untrained import QUANTITIES, layer_panels
    from initlab.nn.initializers import Scheme
    from initlab.plotting.histograms import histogram_figure

    schemes = list(dict.fromkeys(Scheme.parse(text) for text in init or ["he"]))
    words = [scheme.short for scheme in schemes] + (activation or [])
    words += [what] if what != "activations" else []
    target = output or Path("results", "histogram", f"{file_name(words)}.png")
    check_suffix(target)
    panels = layer_panels(
        schemes,
        list(dict.fromkeys(activation or ["sigmoid", "tanh", "relu"])),
        what=what,
        depth=depth,
        width=width,
        samples=samples,
        bins=bins,
        edges=_parse_range(edges),
        seed=seed,
    )
    names = ", ".join(dict.fromkeys(panel.scheme.short for panel in panels))
    write_figure(histogram_figure(panels, f"{QUANTITIES[what].title} before training: {names}"), target)
    if as_json:
        print_json([panel.numbers() for panel in panels])
    else:
        _print_panels(panels)
    say(f"Written: {target}")


def _parse_range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"--range {text}: write two numbers, as in --range 0,1") from None
    return low, high


def _with_spread(predicted: "Predicted | None") -> str | None:
    if predicted is None:
        return None
    return f"{predicted.std:.4g}" + (f" ± {predicted.spread:.2g}" if predicted.spread is not None else "")


def _print_panels(panels: "Iterable[Panel]") -> None:
    last = ["saturated or off", "below", "above range"]
    print_table(
        ["activation", "scheme", "layer", "mean", "predicted", "std", "predicted", *last],
        [
            [
                panel.activation,
                panel.scheme.short,
                panel.layer,
                f"{panel.mean:.4g}",
                f"{panel.predicted.mean:.4g}" if panel.predicted else None,
                f"{panel.std:.4g}",
                _with_spread(panel.predicted),
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
    words = file_name([*(scheme.short for scheme in schemes), *functions])
    target = output or Path("results", "depth", f"{words}.png")
    check_suffix(target)
    profiles = depth_profiles(schemes, functions, depth=layers, width=width, samples=samples, seeds=seeds)
    title = f"Through {layers} untrained layers of {width}: lines predicted, points measured"
    write_figure(depth_figure(profiles, title), target)
    if as_json:
        print_json([row for profile in profiles for row in profile.rows()])
        return
    print_table(
        ["activation", "scheme", "last layer's std", "predicted", "gradient factor", "predicted"],
        [
            [
                profile.activation,
                profile.scheme.short,
                number(float(profile.activation_std[:, -1].mean())),
                number(profile.predicted[-1].std) if profile.predicted else None,
                number(float(profile.gradient_factor.mean())),
                number(profile.predicted_gradient_factor),
            ]
            for profile in profiles
        ],
    )
    say(f"Written: {target}")
