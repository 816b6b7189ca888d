"""Pictures from a folder of results: whether they are what their names say, and hold no script."""

import re
import struct
from xml.etree import ElementTree

from initlab.tables import plain

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_problem(content: bytes) -> str:
    """Why a file is no PNG picture; empty where it is.

    >>> png_problem(b"<html>")
    'is no PNG picture'
    """
    return "" if content.startswith(_SIGNATURE) and len(content) >= 24 else "is no PNG picture"


def png_size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG picture, in pixels."""
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def svg_problem(content: bytes) -> str:
    """Why a file is no SVG picture that holds shapes alone, as those of Matplotlib do; empty where it is.

    A browser runs the scripts of a picture that is opened by itself, and asks the addresses in it.

    >>> svg_problem(b"<svg><path d='M 0 0'/></svg>"), svg_problem(b"<svg><script/></svg>")
    ('', 'holds more than shapes, in the element script')
    """
    try:
        text = content.decode("utf-8")
        root = ElementTree.fromstring(content)
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        return f"is no SVG picture: {error}"
    strange = next((each.tag for each in root.iter() if not _is_shape(each)), None)
    if re.search(r"<!(ENTITY|ATTLIST)|<\?xml-", text):
        strange = "doctype"
    return "" if strange is None else f"holds more than shapes, in the element {plain(strange)[:80]}"


def _is_shape(element: ElementTree.Element) -> bool:
    """Whether an element draws, or describes the picture."""
    name = _local(element.tag)
    styles = [*element.attrib.values(), *([element.text or ""] if name == "style" else [])]
    return (
        (name in _SHAPES or element.tag.startswith(_DESCRIPTIONS))
        and all(_is_inert(_local(key), value) for key, value in element.attrib.items())
        and not any(re.search(r"url\(\s*[^#\s]|[@\\]|image-set", style, re.IGNORECASE) for style in styles)
    )


def _is_inert(name: str, value: str) -> bool:
    """Whether an attribute neither runs anything nor leads elsewhere."""
    if name in ("href", "src"):
        return value.startswith(("#", "data:image/png;base64,"))
    return not name.lower().startswith("on")


def _local(tag: str) -> str:
    """A name without its namespace."""
    return tag.rpartition("}")[2]


_SHAPES = {
    *("svg", "g", "defs", "metadata", "title", "desc", "style", "use", "image", "clipPath", "pattern"),
    *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan"),
    *("linearGradient", "radialGradient", "stop"),
}
_DESCRIPTIONS = (
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}",
    "{http://creativecommons.org/ns#}",
    "{http://purl.org/dc/elements/1.1/}",
)
