"""Fonts: the characters of a figure -> the families that have them; a warning for those that none has."""

import logging
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, fontManager
from matplotlib.text import Text

FAMILY = "DejaVu Sans"  # comes with matplotlib
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "FULLWIDTH", "IDEOGRAPHIC")
_reported: set[str] = set()


@contextmanager
def no_remarks_on_weights() -> Iterator[None]:
    """Without matplotlib's lines about fonts that have no bold letters, as many of Japanese."""
    logger = logging.getLogger("matplotlib.font_manager")
    logger.addFilter(_is_no_remark)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_remark)


def _is_no_remark(record: logging.LogRecord) -> bool:
    return "Failed to find font weight" not in record.getMessage()


def choose_fonts(figure: Figure) -> None:
    """Give each text of a figure the fonts that have its characters; name those that no font has, once."""
    missing = ""
    for text in figure.findobj(Text):
        characters = text.get_text()
        if families := fonts_for(characters):
            text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), FAMILY, *families])))
        missing += _missing_from(characters, families)
    _report(dict.fromkeys(missing))


def fonts_for(text: str) -> tuple[str, ...]:
    """The families, beside our own, that have the characters of a text; none for most texts."""
    return () if text.isascii() else _fonts_for("".join(sorted(set(text))))


@cache
def _fonts_for(characters: str) -> tuple[str, ...]:
    families: list[str] = []
    while missing := _missing_from(characters, families):
        best = min(_fonts_of_the_system(), key=lambda font: _preference(font, missing))
        if best.name in families or not _covered(best.fname, missing):
            break
        families.append(best.name)
    return tuple(families)


def _missing_from(characters: str, families: Iterable[str]) -> str:
    """The printable characters that neither our own font nor these have."""
    if characters.isascii():
        return ""
    fonts = [font_manager.findfont(family) for family in (FAMILY, *families)]
    drawn = (character for character in characters if character.isprintable())
    return "".join(character for character in drawn if not any(_covered(font, character) for font in fonts))


def _covered(font: str, characters: str) -> int:
    """How many of the characters a font file has."""
    charmap = _characters_of(font)
    return sum(ord(character) in charmap for character in characters)


@cache
def _characters_of(font: str) -> frozenset[int]:
    try:
        return frozenset(font_manager.get_font(font).get_charmap())
    except (OSError, RuntimeError):  # it is damaged, or gone since matplotlib made its list
        return frozenset()


@cache
def _fonts_of_the_system() -> tuple[FontEntry, ...]:
    """Matplotlib's list, and the fonts that were installed since it was made."""
    listed = {font.fname for font in fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - listed):
        try:
            fontManager.addfont(path)
        except (OSError, RuntimeError):  # a font of pictures only, or a damaged one
            continue
    return tuple(font for font in fontManager.ttflist if not _is_last_resort(font))


def _is_last_resort(font: FontEntry) -> bool:
    """Whether it is the font of an operating system, or of matplotlib, with a box for every character."""
    return "lastresort" in font.name.lower().replace(" ", "")


def _preference(font: FontEntry, characters: str) -> tuple[object, ...]:
    """The most characters first, then upright sans-serif; where Han characters are shared, Japanese."""
    is_special = any(word in font.name for word in ("Serif", "Mono", "Mincho", "Ming"))
    is_regular = font.style == "normal" and str(font.weight) in ("400", "normal", "regular")
    return (
        -_covered(font.fname, characters),
        not is_regular,
        is_special,
        "JP" not in font.name,
        font.name,
    )


def _report(missing: Iterable[str]) -> None:
    """Name the characters that appear as boxes, and a font that has them; each character once."""
    new = "".join(character for character in missing if character not in _reported)
    if new:
        _reported.update(new)
        message = "the figure shows boxes instead of %s, which no font of this system has; install %s"
        logging.getLogger("initlab").warning(message, new[:20], _remedy(new))


def _remedy(characters: str) -> str:
    names = [unicodedata.name(character, "") for character in characters]
    if any(name.startswith(_EAST_ASIAN) for name in names):
        return "Noto Sans CJK (Debian and Ubuntu: fonts-noto-cjk)"
    if all(unicodedata.category(character) == "So" for character in characters):
        return "Symbola (Debian and Ubuntu: fonts-symbola)"
    return "a Noto font of this script (Debian and Ubuntu: fonts-noto-core)"
