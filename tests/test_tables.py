"""Tables of text: their columns fit, in characters of one cell and of two."""

import pytest

from initlab.tables import aligned, cell_width, shortened_middle

WORDS = ["name", "the weights begin", "std"]
ROWS = [
    ["he", "as He, Zhang, Ren and Sun wrote in 2015", "0.05"],
    ["a-very-long-name-of-a-scheme", "equal", "12.5"],
]


@pytest.mark.parametrize("width", [30, 40, 50, 60, 70, 80])
def test_no_line_is_longer_than_the_table_may_be(width):
    lines = aligned([WORDS, *ROWS], width).splitlines()
    assert max(map(cell_width, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert "0.05" in text
    assert "12.5" in text


def test_a_table_that_fits_is_not_changed():
    assert aligned([WORDS, *ROWS], 200) == aligned([WORDS, *ROWS])


def test_words_go_on_below_before_any_is_cut():
    text = aligned([WORDS, *ROWS], 60)
    assert "..." not in text
    assert all(word in text for row in ROWS for cell in row for word in cell.split())
    assert "..." in aligned([WORDS, *ROWS], 30)


def test_numbers_are_flush_right_and_words_flush_left():
    lines = aligned(
        [["a", "b", "c"], ["x", "none", "1"], ["y", "two of them", "-"], ["z", "-", "2000"]]
    ).split("\n")
    assert lines == [
        "a  b               c",
        "x  none            1",
        "y  two of them     -",
        "z  -            2000",
    ]


def test_wide_characters_take_two_cells():
    lines = aligned([["name", "std"], ["初期値", "0.1"], ["he", "12"]]).splitlines()
    assert [cell_width(line) for line in lines] == [11, 11, 11]
    narrow = aligned([["name", "std"], ["重みの初期値" * 5, "0.1"]], 30).splitlines()
    assert max(map(cell_width, narrow)) <= 30


@pytest.mark.parametrize("text", ["normal-std-1-relu-100x4-seed0", "重みの初期値について", "é" * 40])
def test_the_middle_is_cut(text):
    for width in range(1, 25):
        assert cell_width(shortened_middle(text, width)) <= width


def test_colours_leave_the_columns_as_they_are():
    rows = [["name", "verdict", "n"], ["a", "refuted", "1"], ["b", "mixed", "2"]]
    painted = aligned(rows, 80, lambda cell: f"<{cell}>" if cell == "refuted" else cell)
    assert painted.replace("<", "").replace(">", "") == aligned(rows)
    assert painted.count("<refuted>") == 1
