"""`initlab plot`: a figure of a sweep, a result against a setting."""

from pathlib import Path
from typing import Annotated

import typer

from initlab.cli.pictures import (
    Drawing,
    FormatOption,
    OutputOption,
    SizeOption,
    StyleOption,
    SvgTextOption,
    TitleOption,
    default_target,
)
from initlab.cli.terminal import AllowCodeOption, ResultsOption, app, file_name, say


@app.command()
def plot(
    experiments: Annotated[list[str], typer.Argument(help="Experiments that have records.")],
    x: Annotated[str, typer.Option(metavar="KEY", help="The setting on the horizontal axis, as depth.")],
    y: Annotated[str, typer.Option(help="test_accuracy, test_loss or final_loss.")] = "test_accuracy",
    color: Annotated[str, typer.Option(metavar="KEY", help="The setting whose values are lines.")] = "",
    heat: Annotated[
        str, typer.Option(metavar="KEY", help="The setting on the vertical axis of a map, instead of lines.")
    ] = "",
    only: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Draw these runs alone; repeatable.")
    ] = None,
    log: Annotated[str, typer.Option(metavar="x|y|xy", help="The axes that are logarithmic.")] = "",
    title: TitleOption = None,
    style: StyleOption = "screen",
    size: SizeOption = None,
    formats: FormatOption = None,
    svg_text: SvgTextOption = False,
    output: OutputOption = None,
    results: ResultsOption = Path("results"),
    allow_code: AllowCodeOption = False,
) -> None:
    """Draw a result against a swept setting.

    Several experiments stand in one figure; --color experiment tells them apart. The same figure is drawn by
    `run` of a config with `figures: ["plot(x=depth, color=init)"]`.
    """
    from initlab.runner.plots import Plot, read_only
    from initlab.runner.plots import plot as plot_results
    from initlab.runner.results import load_results
    from initlab.runner.store import find_store

    words = [*experiments, y, x, *filter(None, (color, heat, log)), *(only or [])]
    drawing = Drawing(
        target=output or default_target(formats, str(results), "plot", file_name(words)),
        formats=tuple(formats or ()),
        style=style,
        size=size,
        svg_text=svg_text,
    )
    chosen = Plot(x=x, y=y, color=color, heat=heat, only=read_only(only or []), log=log, title=title)
    folders = [find_store(results, name).folder for name in experiments]
    loaded = [load_results(folder, allow_code=allow_code) for folder in folders]
    written = drawing.write(lambda: plot_results(loaded, chosen))
    say(f"Written: {', '.join(map(str, written))}")
