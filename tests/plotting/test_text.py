"""Text fits its room, and is shown in a font that has its characters; what no font has is named once."""

import logging

import pytest
from matplotlib import font_manager
from matplotlib.font_manager import FontEntry

from initlab.plotting import fonts
from initlab.plotting.elements import headline
from initlab.plotting.style import Figure, render
from initlab.plotting.text import shortened, width, wrapped

LONG = "orthogonal(gain=1.414213562373), network.hidden 100x100x100, lr 0.001"


@pytest.fixture
def font_of_cyrillic(monkeypatch):
    """A system whose only further font is one that comes with matplotlib; our own font has no Cyrillic."""
    mono = next(font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans Mono")
    own = font_manager.findfont(fonts.FAMILY)
    characters = {own: frozenset(range(128)), mono.fname: frozenset([*range(128), ord("ж")])}
    last = FontEntry(fname=own, name="Last Resort High-Efficiency")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [last, mono])
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    monkeypatch.setattr(font_manager, "findfont", lambda name: own if name == fonts.FAMILY else mono.fname)
    monkeypatch.setattr(fonts, "_characters_of", characters.__getitem__)
    monkeypatch.setattr(fonts, "_reported", set())
    for cached in (fonts._fonts_for, fonts._fonts_of_the_system):
        cached.cache_clear()
    yield mono.name
    for cached in (fonts._fonts_for, fonts._fonts_of_the_system):
        cached.cache_clear()


def test_a_text_is_drawn_in_the_font_of_the_system_that_has_its_characters(font_of_cyrillic, caplog):
    figure = Figure()
    cyrillic, plain = figure.text(0, 0, "ж of he"), figure.text(0, 0, "he")
    fonts.choose_fonts(figure)
    assert cyrillic.get_fontfamily()[-2:] == [fonts.FAMILY, font_of_cyrillic]
    assert font_of_cyrillic not in plain.get_fontfamily()
    assert not caplog.messages


@pytest.mark.parametrize(("text", "remedy"), [("重み", "fonts-noto-cjk"), ("नम", "fonts-noto-core")])
@pytest.mark.usefixtures("font_of_cyrillic")
def test_characters_that_no_font_has_are_named_once_with_a_remedy(caplog, text, remedy):
    figure = Figure()
    figure.text(0, 0, f"ж {text}")
    with caplog.at_level(logging.WARNING, "initlab"):
        fonts.choose_fonts(figure)
        fonts.choose_fonts(figure)
    (message,) = caplog.messages
    assert f"boxes instead of {text}, " in message
    assert remedy in message


def test_a_font_that_cannot_be_read_has_no_characters(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    for name in ("broken.ttf", "gone.ttf"):
        assert fonts._characters_of(str(tmp_path / name)) == frozenset()


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_japanese_is_rendered_with_or_without_a_font_of_it(suffix):
    """No warning of matplotlib, which would be an error here."""
    figure = Figure()
    figure.suptitle("重みの初期値", fontweight="bold")
    render(figure, suffix)
    families = fonts.fonts_for("重みの初期値")
    assert figure.texts[0].get_fontfamily()[1:] == [fonts.FAMILY, *families]


@pytest.mark.parametrize("text", ["he", LONG, "重" * 60, "$" * 99, "x" * 3000, "a b " * 50])
def test_shortened_and_wrapped_text_fits(text):
    assert width(shortened(text, 2.0, 9), 9) <= 2.0
    lines = wrapped(text, 2.0, 9).split("\n")
    assert len(lines) <= 3
    assert max(width(line, 9) for line in lines) <= 2.0


def test_text_that_fits_is_not_changed():
    assert shortened(LONG, 20, 9) == wrapped(LONG, 20, 9) == LONG


def test_a_text_is_shortened_in_its_middle_and_broken_between_words():
    start, end = shortened(LONG, 2.0, 9).split("…")
    assert LONG.startswith(start)
    assert LONG.endswith(end)
    assert min(len(start), len(end)) > 10
    assert wrapped(LONG, 4, 9).replace("\n", " ") == LONG


@pytest.mark.parametrize("finding", [LONG * 2, "重みの初期値" * 30])
def test_a_headline_stays_within_the_figure(finding):
    figure = Figure(figsize=(3, 3), dpi=150)  # at which pictures are rendered
    headline(figure, finding)
    render(figure, "png")
    box = figure.texts[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
