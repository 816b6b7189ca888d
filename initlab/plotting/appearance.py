"""How figures may look: names of styles, sizes and formats -> an Appearance; loads no matplotlib.

The command line and a config check these names before anything is computed; `plotting.style` obeys them.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from initlab.errors import UsageError, alternatives, require, shortened, unknown_name

FORMATS = ("png", "svg", "pdf")
# An author's printer and a journal's checker want letters as TrueType, and 300 dots an inch.
_PRINT: dict[str, Any] = {"pdf.fonttype": 42, "ps.fonttype": 42, "savefig.dpi": 300}
# What each style changes of `style.mplstyle`.
STYLES: dict[str, dict[str, Any]] = {
    "screen": {},
    "paper": {**_PRINT, "lines.linewidth": 1.2, "lines.markersize": 4, "grid.linewidth": 0.4},
    "slides": {
        **{"font.size": 14, "axes.titlesize": 16, "lines.linewidth": 2.6, "lines.markersize": 8},
        **{"axes.linewidth": 1.2, "grid.linewidth": 1.0, "savefig.dpi": 192},
    },
    "gray": _PRINT,
}
# In inches: a column and the width of a two-column page; a slide of 16:9 as PowerPoint has it.
SIZES: dict[str, tuple[float, float | None]] = {
    "column": (3.5, None),
    "page": (7.0, None),
    "slide": (10.0, 5.625),
}
_SIZE_OF = {"paper": "page", "slides": "slide"}
_SMALLEST, _LARGEST = 2.0, 40.0  # inches
_LEAST = 0.7  # of its own size, to which a letter shrinks with its figure

Size = str | float | tuple[float, float | None]


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """How figures look.

    Attributes:
        style: a name in `STYLES`; or rcParams of matplotlib, laid over the package's own; or None for the
            rcParams as they are.
        width, height: of the figure in inches; None for those of the figure itself.
        svg_text: whether an SVG holds text as text, in the fonts of who opens it, and not as outlines.

    >>> Appearance.of("slides").height, Appearance.of("paper", size="column").width
    (5.625, 3.5)
    """

    style: str | Mapping[str, Any] | None = "screen"
    width: float | None = None
    height: float | None = None
    svg_text: bool = False

    @classmethod
    def of(
        cls,
        style: str | Mapping[str, Any] | None = "screen",
        size: Size | None = None,
        svg_text: bool = False,
    ) -> "Appearance":
        """The appearance of these names.

        Args:
            style: as above.
            size: a name in `SIZES`, a width in inches, or (width, height); by default the figure's own, or
                for paper a page and for slides a slide.
            svg_text: as above.

        Raises:
            UsageError: for an unknown style or size.
        """
        named = style if isinstance(style, str) else ""
        exists = not isinstance(style, str) or style in STYLES
        require(exists, unknown_name("style", str(style), STYLES))
        wanted = _SIZE_OF.get(named) if size is None else size
        width, height = (None, None) if wanted is None else read_size(wanted)
        return cls(style=style, width=width, height=height, svg_text=svg_text)

    @property
    def parameters(self) -> dict[Any, Any]:
        """The rcParams that differ from the package's own."""
        chosen = STYLES[self.style] if isinstance(self.style, str) else self.style or {}
        return {**chosen, **({"svg.fonttype": "none"} if self.svg_text else {})}

    def fitted(self, wide: float, high: float) -> tuple[float, float, float]:
        """The size in inches of a figure that by itself has another, and the factor of its letters.

        Letters and a free height shrink with the figure, but not below seven tenths.

        >>> Appearance.of("paper", "column").fitted(7.0, 5.0)
        (3.5, 3.5, 0.7)
        """
        across = 1.0 if self.width is None else self.width / wide
        factor = max(_LEAST, min(1.0, across, 1.0 if self.height is None else self.height / high))
        return self.width or wide, self.height or high * factor, factor


def read_size(size: Size) -> tuple[float, float | None]:
    """Width and height in inches of `column`, `7`, `7x4`, or numbers; the height may be left to the figure.

    Raises:
        UsageError: for another text, or a side that no figure has.

    >>> read_size("column"), read_size("7x4.5"), read_size(5)
    ((3.5, None), (7.0, 4.5), (5.0, None))
    """
    if isinstance(size, str) and size in SIZES:
        return SIZES[size]
    width, height = _sides(size)
    for side in (width, height):
        fits = side is None or (math.isfinite(side) and _SMALLEST <= side <= _LARGEST)
        limits = f"{_SMALLEST:g} to {_LARGEST:g} inches"
        require(fits, f"size {shortened(size)}: a side has {limits}; centimetres are divided by 2.54")
    return width, height


def _sides(size: Size) -> tuple[float, float | None]:
    parts = size.split("x") if isinstance(size, str) else size if isinstance(size, tuple) else (size,)
    try:
        width, *rest = (None if part is None else float(part) for part in parts)
    except (TypeError, ValueError):
        width, rest = None, []
    if width is None or len(rest) > 1:
        accepted = f"{', '.join(SIZES)}, a width in inches as 7, or a width and height as 7x4"
        raise UsageError(f"unknown size {shortened(size)}; accepted are {accepted}")
    return width, rest[0] if rest else None


def check_formats(formats: Iterable[str]) -> tuple[str, ...]:
    """The formats in the order in which they are written, each once.

    Raises:
        UsageError: for an unknown format.

    >>> check_formats(["pdf", "png", "pdf"])
    ('png', 'pdf')
    """
    given = list(formats)
    for name in given:
        require(name in FORMATS, f"unknown format {shortened(name)}; accepted are {alternatives(FORMATS)}")
    return tuple(name for name in FORMATS if name in given)
