"""The commands that draw: the options that they share, and the files that they write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initlab.errors import UsageError, require, shortened
from initlab.plotting.appearance import FORMATS, SIZES, STYLES, Appearance, check_formats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from initlab.init.per_layer import Initialization

_NAMED_SIZES = f"{'|'.join(SIZES)}|INCHES"

StyleOption = Annotated[
    str,
    typer.Option(metavar="|".join(STYLES), help="How the figure looks; gray is for print without colour."),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        metavar=_NAMED_SIZES,
        help="The width, as 7, or width and height, as 7x4.",
        show_default="the figure's own; for paper a page, for slides a slide",
    ),
]
FormatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="|".join(FORMATS),
        help="A file in this format; repeatable.",
        show_default="that of --output, or png",
    ),
]
SvgTextOption = Annotated[
    bool, typer.Option("--svg-text", help="In an SVG, keep text as text, in the reader's fonts.")
]
TitleOption = Annotated[
    str | None, typer.Option(help='The title; "" leaves it out.', show_default="what is drawn")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="A .png, .svg or .pdf file.", show_default="a name in results/"),
]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="TEXT", help="The name of a scheme, one for each --init in their order."),
]
WidthOption = Annotated[int, typer.Option(help="Input features, and units of each layer.")]
SamplesOption = Annotated[int, typer.Option(max=1_000_000, help="Input vectors, drawn from N(0, 1).")]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Files in some formats, and how the figure in them looks; all of it is checked when it is made.

    Attributes:
        target: the name of the files; its suffix, if it is a format, is one of the formats.
        formats: further ones.
        style, size, svg_text: see `plotting.appearance.Appearance`.
        option: that gave the target, for a message.
    """

    target: Path
    formats: tuple[str, ...] = ()
    style: str = "screen"
    size: str | None = None
    svg_text: bool = False
    option: str = "--output"

    def __post_init__(self) -> None:
        Appearance.of(self.style, self.size)
        check_formats(self.formats)
        is_named = self.target.suffix[1:] in FORMATS or (self.formats and not self.target.suffix)
        if not is_named:
            raise UsageError(f"{self.option} {self.target}: the name must end in .png, .svg or .pdf")

    @property
    def files(self) -> dict[str, Path]:
        """The file of each format."""
        named = [self.target.suffix[1:]] if self.target.suffix else []
        return {name: self.target.with_suffix(f".{name}") for name in check_formats([*named, *self.formats])}

    def part(self, name: str) -> "Drawing":
        """The same for one of several figures, whose name is added to the files'."""
        return replace(self, target=self.target.with_stem(f"{self.target.stem}-{name}"))

    def write(self, draw: "Callable[[], Figure]") -> list[Path]:
        """Draw a figure into its files, and make their folder; returns the files.

        Args:
            draw: makes the figure.
        """
        from initlab.plotting.elements import pictures
        from initlab.plotting.style import figure_style

        with figure_style(self.style, size=self.size, svg_text=self.svg_text):
            shown = pictures(draw(), list(self.files))
        self.target.parent.mkdir(parents=True, exist_ok=True)
        for name, picture in shown.items():
            self.files[name].write_bytes(picture)
        return list(self.files.values())


def default_target(formats: Sequence[str] | None, *parts: str) -> Path:
    """The name of the files where none is given: a PNG, unless formats are.

    Args:
        formats: that were asked for.
        parts: folders, and the name without a suffix, whose dots belong to it.
    """
    first = check_formats(formats or ["png"])[0]
    return Path(*parts[:-1], f"{parts[-1]}.{first}")


def labelled(schemes: "Sequence[Initialization]", labels: Sequence[str] | None) -> "list[Initialization]":
    """Schemes with other names in figures and tables.

    Args:
        schemes: in the order of --init.
        labels: one for each, or none.

    Raises:
        UsageError: for another number of labels, or one that no figure shows.
    """
    if not labels:
        return list(schemes)
    count = f"--label is given {len(labels)} times for {len(schemes)} schemes; give one for each --init"
    require(len(labels) == len(schemes), count)
    for label in labels:
        fits = bool(label.strip()) and label.isprintable() and not label.startswith("_")
        require(fits, f"--label {shortened(label)}: a label is a printable text that does not begin with '_'")
        require(labels.count(label) == 1, f"--label {shortened(label)}: two schemes have this label")
    return [replace(scheme, words=label) for scheme, label in zip(schemes, labels, strict=True)]
