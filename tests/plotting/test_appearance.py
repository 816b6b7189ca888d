"""Styles and sizes of figures: what they change, what they keep, the reader's own rcParams."""

import re
from itertools import pairwise

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.colors import to_hex, to_rgb

from initlab.errors import UsageError
from initlab.measure.depth import depth_profiles
from initlab.measure.histograms import layer_panels
from initlab.plotting.depth import depth_figure
from initlab.plotting.histograms import histogram_figure
from initlab.plotting.loss import loss_figure
from initlab.plotting.style import figure_style, lay_out, look, render
from initlab.plotting.sweep import Cell, Names, lines_figure, map_figure
from initlab.training.history import histories_of

STEPS = np.arange(200)
MANY = ["he", "xavier", "std=1", "std=0.01", "std=0.3", "lecun", "zeros", "orthogonal", "sparse", "rbm"]


def losses(end, start=2.3, seeds=3, scale=30):
    curve = end + (start - end) * np.exp(-STEPS / scale)
    return np.stack([curve * (1 + 0.03 * i) for i in range(seeds)])


DRAW = {
    "loss": lambda: loss_figure({"he": losses(0.2), "std=0.01": losses(2.3)}),
    "losses": lambda: loss_figure({name: losses(0.2 + i / 9) for i, name in enumerate(MANY)}),
    "histogram": lambda: histogram_figure(
        layer_panels(["he", "std=1"], ["tanh"], depth=8, width=9, samples=50)
    ),
    "depth": lambda: depth_figure(depth_profiles(["he", "std=1", "zeros"], ["relu"], depth=5, width=9)),
    "map": lambda: map_figure([Cell(x=1, group=g, values=(0.5,), runs=1) for g in MANY], Names(x="x", y="y")),
}


@pytest.mark.parametrize("style", ["paper", "slides", "gray"])
@pytest.mark.parametrize("name", DRAW)
def test_every_figure_has_each_style_in_every_format(name, style):
    with figure_style(style):
        figure = DRAW[name]()
    for suffix, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        assert render(figure, suffix).startswith(start)
    wide, high = figure.get_size_inches()
    if style == "slides":
        assert (wide, high) == (10, 5.625)
    assert wide == 7 or style != "paper"


@pytest.mark.parametrize("name", DRAW)
def test_a_narrow_figure_keeps_its_texts_apart(name):
    with figure_style("paper", size="column"):
        figure = DRAW[name]()
    lay_out(figure)
    assert figure.get_figwidth() == 3.5
    for axes in figure.axes:
        assert axes.get_window_extent().width > 10
    titles = [axes._left_title.get_window_extent() for axes in figure.axes if axes.get_title("left")]
    assert all(not a.overlaps(b) for a, b in pairwise(titles))
    assert all(box.x1 <= figure.bbox.x1 + 1 for box in titles)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_style_gives_the_same_file_from_the_same_data(suffix):
    with figure_style("gray", size="column"):
        assert render(DRAW["depth"](), suffix) == render(DRAW["depth"](), suffix)


def test_letters_shrink_once_however_often_a_figure_is_drawn():
    with figure_style("paper", size="column"):
        figures = [loss_figure({"he": losses(2.0), "zeros": losses(2.3)}) for _ in range(2)]
    sizes = {figure.axes[0].xaxis.label.get_size() for figure in figures}
    assert sizes == {9 * 0.7}


def test_a_style_ends_with_its_block_but_a_figure_keeps_it():
    plain = render(DRAW["loss"](), "png")
    with figure_style("slides"):
        figure = DRAW["loss"]()
        inside = render(DRAW["loss"](), "png")
    assert render(DRAW["loss"](), "png") == plain != inside
    assert render(figure, "png") == inside


def test_the_readers_parameters_hold_where_they_are_asked_for():
    with rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 50}):
        assert DRAW["loss"]().axes[0].xaxis.label.get_size() == 9
        with figure_style(None):
            own = DRAW["loss"]()
        with figure_style({"font.size": 12}):
            laid_over = DRAW["loss"]()
    assert (own.axes[0].xaxis.label.get_size(), to_rgb(own.axes[0].get_facecolor())) == (20, (1, 0, 0))
    assert (laid_over.axes[0].xaxis.label.get_size(), laid_over.axes[0].get_facecolor()[1]) == (12, 1)
    assert own.axes[0].lines[0].get_color() == look("he").color
    assert int.from_bytes(render(own, "png")[16:20], "big") == int(50 * own.get_figwidth())


def test_grey_figures_have_no_colour_and_no_two_curves_alike():
    for name in ("loss", "histogram", "depth", "map"):
        with figure_style("gray"):
            figure = DRAW[name]()
        assert not re.findall(r"#(?!(..)\1\1\b)[0-9a-f]{6}\b", render(figure, "svg").decode())
    with figure_style("gray"):
        lines = DRAW["losses"]().axes[0].lines
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == len(MANY)


def test_an_svg_holds_text_on_request():
    with figure_style(svg_text=True):
        assert ">training step</text>" in render(DRAW["loss"](), "svg").decode()
    assert "<text" not in render(DRAW["loss"](), "svg").decode()


def test_a_pdf_has_no_date_and_fonts_that_a_journal_accepts():
    with figure_style("paper"):
        pdf = render(DRAW["loss"](), "pdf")
    assert b"CreationDate" not in pdf
    assert b"/Type3" not in pdf


def test_a_figure_without_room_says_so():
    with figure_style(size=(3, 2)):
        figure = histogram_figure(layer_panels(MANY, ["tanh"], depth=3, width=9))
    with pytest.raises(UsageError, match="no room in 3 x 2 inches; make it larger, or draw less"):
        render(figure, "png")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"style": "papper"}, "unknown style 'papper'; did you mean 'paper'"),
        ({"style": {"font.sise": 3}}, "no style for matplotlib: .*font.sise"),
        ({"style": {"font.size": "huge!"}}, "no style for matplotlib: "),
        ({"size": "collumn"}, "unknown size 'collumn'; accepted are column, page, slide, a width"),
        ({"size": "7x4x3"}, "unknown size '7x4x3'"),
        ({"size": "nan"}, "a side has 2 to 40 inches"),
        ({"size": (89, None)}, "centimetres are divided by 2.54"),
    ],
)
def test_mistakes(chosen, message):
    with pytest.raises(UsageError, match=message), figure_style(**chosen):
        pass


def test_an_empty_title_leaves_it_out():
    panels = layer_panels(["he"], ["relu"], depth=2, width=9)
    profiles = depth_profiles(["he"], ["relu"], depth=2, width=9, seeds=1)
    assert loss_figure({"he": losses(0.1)}, title="").axes[0].get_title("left") == ""
    assert histogram_figure(panels, title="").get_suptitle() == ""
    assert depth_figure(profiles, title="").get_suptitle() == ""


@pytest.mark.parametrize(("end", "count"), [(0.1, 6), (2.0, 1), (2.0, 6), (2.3, 3), (4.0, 6)])
def test_no_curve_runs_behind_the_legend(end, count):
    figure = loss_figure({f"a scheme, number {i}": losses(end * (1 + i / 20)) for i in range(count)})
    lay_out(figure)
    (axes,) = figure.axes
    box = (axes.get_legend() or figure.legends[0]).get_window_extent()
    for line in axes.lines:
        places = line.get_transform().transform(line.get_xydata())
        assert not box.count_contains(places)


def test_losses_of_a_loop_are_drawn_over_seeds_and_mark_divergence():
    cut = losses(0.2)
    cut[1, 50:] = np.nan
    (axes,) = loss_figure({"he": cut, "std=1": losses(0.5, seeds=1)[0]}).axes
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words[1] == "he: diverged at step 50 (1 of 3)"
    assert words[2].startswith("std=1: ends at 0.5")
    assert [line.get_color() for line in axes.lines] == [*[look("he").color] * 2, look("normal(std=1)").color]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], r"he: losses have the shape \(steps,\) or \(M, steps\), not \(0,\)"),
        (np.ones((2, 3, 4)), r"not \(2, 3, 4\)"),
        (["a"], "he: losses are numbers"),
        (3.0, r"not \(\)"),
    ],
)
def test_losses_of_another_shape_are_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        loss_figure({"he": wrong})


def test_a_scheme_has_one_colour_in_every_figure():
    schemes = ["std=0.3", "he", "sparse", "std=0.7"]
    curves = loss_figure({scheme: losses(1 + i) for i, scheme in enumerate(schemes)})
    colors = [line.get_color() for line in curves.axes[0].lines if len(line.get_xdata()) == len(STEPS)]
    panels = histogram_figure(layer_panels(schemes, ["relu"], depth=1, width=9))
    bars = [to_hex(axes.patches[0].get_facecolor()).upper() for axes in panels.axes]
    cells = [Cell(x=1, group=f"label {i}", scheme=s, values=(1.0,), runs=1) for i, s in enumerate(schemes)]
    profiles = depth_profiles(schemes, ["relu"], depth=2, width=9, seeds=1)
    lines, points = (
        [bar.lines[0].get_color() for bar in figure.axes[0].containers]
        for figure in (lines_figure(cells, Names(x="x", y="y")), depth_figure(profiles))
    )
    assert colors == bars == lines == points
    assert len(set(colors)) == 4


def test_seeds_count_from_zero():
    assert [history.seed for history in histories_of("he", losses(1.0))] == [0, 1, 2]
