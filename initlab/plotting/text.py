"""Text in figures: its width, and the lines or the short form that fit a width."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.font_manager import FontProperties

from initlab.plotting.fonts import FAMILY, fonts_for, no_remarks_on_weights

_POINTS = 72  # of an inch
_SIZE = 100  # points, at which a text is measured: at its own size, its letters would move to whole pixels
_PARTS = 64  # of a pixel, in which FreeType counts


def width(text: str, size: float, weight: str = "normal") -> float:
    """The width of a line in inches.

    Args:
        text: as it is written, with `$` as a character.
        size: of the font, in points.
        weight: normal or bold.
    """
    family = mpl.rcParams["font.family"]
    font = _font((*dict.fromkeys([*family, FAMILY, *fonts_for(text)]),), weight)
    font.set_size(_SIZE, _POINTS)  # matplotlib shares the font, and may have set another
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        font.set_text(text)
    return float(font.get_width_height()[0] / _PARTS * size / _SIZE / _POINTS)


@cache
def _font(families: tuple[str, ...], weight: str) -> Any:
    with no_remarks_on_weights():
        files = [font_manager.findfont(FontProperties(family=[name], weight=weight)) for name in families]
    return font_manager.get_font(files)


def shortened(text: str, inches: float, size: float, weight: str = "normal") -> str:
    """The text, without its middle where it is wider than so many inches.

    >>> shortened("he", 1.0, 9), shortened("he_uniform(scale=1.234567, mode=fan_in)", 1.5, 9)
    ('he', 'he_uniform…e=fan_in)')
    """

    def fits(kept: int) -> bool:
        return width(_without_middle(text, kept), size, weight) <= inches

    return text if fits(len(text)) else _without_middle(text, _most(len(text) - 1, fits))


def _without_middle(text: str, kept: int) -> str:
    left, right = (kept + 1) // 2, kept // 2
    return text if kept == len(text) else f"{text[:left]}…{text[len(text) - right :]}"


def _most(high: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `high` that fits; 1 where none does."""
    low = 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def wrapped(text: str, inches: float, size: float, weight: str = "normal", most: int = 3) -> str:
    """The text in lines that are not wider than so many inches; broken between words where possible.

    Args:
        text: to be written.
        inches: the room.
        size: of the font, in points.
        weight: normal or bold.
        most: lines; where the text needs more, the last line is without its middle.

    >>> wrapped("he ends with the lowest loss", 1.0, 9)
    'he ends with\\nthe lowest loss'
    """
    if most == 1 or width(text, size, weight) <= inches:
        return shortened(text, inches, size, weight)
    end = _most(len(text), lambda count: width(text[:count], size, weight) <= inches)
    space = text.rfind(" ", 1, end + 1)
    line, rest = (text[:space], text[space + 1 :]) if space > 0 else (text[:end], text[end:])
    return f"{line}\n{wrapped(rest, inches, size, weight, most - 1)}"
