"""Pictures of a page as `data:` addresses: figures of Matplotlib, and charts of Vega."""

import base64
import re
from collections.abc import Callable

from matplotlib.figure import Figure as MatplotlibFigure

from initlab.pages.specifications import Spec
from initlab.plotting.style import figure_style, render

_LARGEST_SVG = 1_000_000  # bytes; of hundreds of curves it would outweigh the page


def picture(content: bytes, kind: str = "svg+xml") -> str:
    """A picture as a `data:` address: an image runs no script, and shares no names with the page.

    Args:
        content: of its file.
        kind: of the file, as in its media type.
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def figure_picture(draw: Callable[[], MatplotlibFigure]) -> str:
    """A figure of ours as a `data:` address: an SVG, or, where that would be very large, a PNG.

    Args:
        draw: makes the figure.
    """
    with figure_style(svg_text=True):
        svg = render(draw(), "svg")
        return picture(svg) if len(svg) <= _LARGEST_SVG else picture(render(draw(), "png"), "png")


def chart_picture(spec: Spec) -> str:
    """A chart as Vega draws it without a browser, as a `data:` address.

    Args:
        spec: with its data.
    """
    import vl_convert

    return picture(_renumbered(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])).encode())


def _renumbered(svg: str) -> str:
    """The picture with its own numbers of clip paths, which Vega counts on from one picture to the next."""
    numbers: dict[str, int] = {}
    return re.sub(
        r"\b(clip|gradient_)(\d+)\b", lambda m: f"{m[1]}{numbers.setdefault(m[0], len(numbers))}", svg
    )
