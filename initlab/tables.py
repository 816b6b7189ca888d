"""Rows of text as a table: on the screen, and as HTML in a notebook."""

import re
from collections.abc import Callable, Sequence
from html import escape
from itertools import zip_longest
from unicodedata import combining, east_asian_width

Table = list[list[str]]


def aligned(
    rows: Sequence[Sequence[str]], width: int | None = None, paint: Callable[[str], str] = str
) -> str:
    """Rows of text in columns: the first and columns of words flush left, numbers flush right.

    Args:
        rows: cells of text, the first row being the header.
        width: of the table, in cells of a terminal. A wider table is made narrower: headers, then words go on
            in a line below; a word that is longer than its column loses its middle.
        paint: gives a cell below the header its colour.

    >>> print(aligned([["a", "1"], ["bb", "20"]]))
    a    1
    bb  20
    >>> print(aligned([["name", "about"], ["he", "the weights of He et al."]], width=20))
    name  about
    he    the weights of
          He et al.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(map(cell_width, column)) for column in columns]
    gap = "  "
    if width is not None and sum(widths) + len(gap) * (len(widths) - 1) > width:
        widths, gap = _fitted(columns, widths, width)
    rights = [i > 0 and _is_numeric(column) for i, column in enumerate(columns)]
    lines = []
    for number, row in enumerate(rows):
        parts = [_wrapped(cell, size) for cell, size in zip(row, widths, strict=True)]
        for line in zip_longest(*parts, fillvalue=""):
            spaces = [" " * (size - cell_width(cell)) for cell, size in zip(line, widths, strict=True)]
            shown = map(paint, line) if number else line
            cells = [
                space + cell if right else cell + space
                for cell, space, right in zip(shown, spaces, rights, strict=True)
            ]
            lines.append(gap.join(cells).rstrip())
    return "\n".join(lines)


_WIDE = "\u2e80-\uffdc"  # from Chinese radicals to the full-width forms


def cell_width(text: str) -> int:
    """How many cells of a terminal a text takes: two for a Chinese character, none for a combining mark.

    >>> cell_width("he"), cell_width("\u521d\u671f\u5024"), cell_width("e\u0301")
    (2, 6, 1)
    """
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a paragraph; between wide characters, as of Japanese, a line may end anywhere.

    Args:
        text: of one paragraph.
        width: of a line, in cells of a terminal. A longer word has a line of its own.

    >>> wrapped("all weights are zero", 12), wrapped("\u521d\u671f\u5024", 4)
    (['all weights', 'are zero'], ['初期', '値'])
    """
    lines = [""]
    for piece in re.findall(rf"[{_WIDE}]|[^\s{_WIDE}]+|\s+", text.strip()):
        if lines[-1] and cell_width((lines[-1] + piece).rstrip()) > width:
            lines = [*lines[:-1], lines[-1].rstrip(), ""]
        lines[-1] = (lines[-1] + piece).lstrip()
    return lines


def shortened_middle(text: str, width: int) -> str:
    """A text of at most so many cells: the middle of a longer one becomes three dots.

    >>> shortened_middle("normal-std-1-relu-100x4-seed0", 15)
    'normal...-seed0'
    """
    if cell_width(text) <= width:
        return text
    start, end = (width - 3) // 2, (width - 2) // 2
    return f"{_cut(text, start)}...{_cut(text[::-1], end)[::-1]}" if width > 3 else _cut(text, width)


def _cut(text: str, width: int) -> str:
    """As many of the first characters as have room."""
    while cell_width(text) > width:
        text = text[:-1]
    return text


_NARROWEST = 8  # of a column whose words lose their middle


def _fitted(columns: Sequence[Sequence[str]], widths: Sequence[int], width: int) -> tuple[list[int], str]:
    """The widths of the columns of a table that has room for no more, and what stands between them.

    First headers go on in a second line, then words do, then columns come closer, and at last words are cut.
    """
    bodies = [max(map(cell_width, cells[1:]), default=0) for cells in columns]
    words = [max(map(_longest_word, cells)) for cells in columns]
    headers = [max(body, _longest_word(cells[0])) for body, cells in zip(bodies, columns, strict=True)]
    cut = [min(_NARROWEST, size) for size in words]
    texts = [
        size if _is_numeric(cells) else short for size, short, cells in zip(words, cut, columns, strict=True)
    ]
    gaps = len(widths) - 1
    for least, gap in ((headers, "  "), (words, "  "), (words, " "), (texts, " ")):
        fitted = _narrowed(widths, least, width - len(gap) * gaps)
        if sum(fitted) + len(gap) * gaps <= width:
            return fitted, gap
    return _narrowed(widths, cut, width - gaps), " "


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The widths after the widest column has given way, again and again, as far as it may."""
    fitted = list(widths)
    while sum(fitted) > room:
        wide = [i for i in range(len(fitted)) if fitted[i] > least[i]]
        if not wide:
            break
        fitted[max(wide, key=fitted.__getitem__)] -= 1
    return fitted


def _longest_word(cell: str) -> int:
    return max(map(cell_width, cell.split(" ")))


def _wrapped(cell: str, width: int) -> list[str]:
    """The lines of a cell."""
    if cell_width(cell) <= width:
        return [cell]
    lines = [""]
    for word in cell.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and cell_width(longer) > width:
            lines.append("")
            longer = word
        lines[-1] = shortened_middle(longer, width)
    return lines


def _is_numeric(column: Sequence[str]) -> bool:
    """Whether most cells below the header begin with a number, as 0.31 or -2 or 3 of 5 do."""
    cells = [cell for cell in column[1:] if cell not in ("", "-")]
    return 2 * sum(bool(re.match(r"[-+.]?\d", cell)) for cell in cells) >= len(cells)


def plain(text: str) -> str:
    """A text from a file as it is shown: what could steer a terminal or turn a line around is spelt out.

    >>> plain("\x1b[2Jhe")
    '\\\\x1b[2Jhe'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as an HTML table, the first being its header.

    >>> html_table([["a<b"], ["1"]])
    '<table><thead><tr><th>a&lt;b</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>'
    """
    header, *body = [
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in zip(["th", *["td"] * (len(rows) - 1)], rows, strict=True)
    ]
    lines = "".join(f"<tr>{cells}</tr>" for cells in body)
    return f"<table><thead><tr>{header}</tr></thead><tbody>{lines}</tbody></table>"
