"""The options of the commands that draw: styles, sizes, formats, titles, labels."""

import struct

import pytest

SMALL = ["--depth", "2", "--width", "9", "--samples", "20"]


def size_of(png):
    return struct.unpack(">II", png.read_bytes()[16:24])


@pytest.mark.parametrize("command", ["histogram", "depth"])
def test_a_figure_for_a_slide_and_for_a_paper(initlab_here, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    words = [command, "--init", "he", "--activation", "relu", *SMALL]
    slide = initlab_here(*words, "--style", "slides", "-o", "slide.png", "--title", "重みの初期値")
    assert (slide.returncode, size_of(tmp_path / "slide.png")) == (0, (1920, 1080)), slide.stderr
    paper = initlab_here(
        *words, "--size", "column", "-o", "p", "--format", "pdf", "--format", "svg", "--svg-text"
    )
    assert "Written: p.svg, p.pdf" in paper.stderr
    assert ">layer" in (tmp_path / "p.svg").read_text()
    assert (tmp_path / "p.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("command", ["histogram", "depth"])
def test_labels_name_the_schemes_in_figure_and_table(initlab_here, tmp_path, command):
    words = [command, "--init", "he", "--init", "std=0.05", "--activation", "relu", *SMALL]
    output = ["-o", tmp_path / "f.svg", "--svg-text"]
    done = initlab_here(*words, "--label", "ヒー", "--label", "小さい", *output)
    assert "小さい" in done.stdout
    assert {"ヒー", "小さい"} <= set((tmp_path / "f.svg").read_text().replace("<", ">").split(">"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--style", "papper"], "unknown style 'papper'; did you mean 'paper'?"),
        (["--size", "0.1"], "size '0.1': a side has 2 to 40 inches"),
        (["--size", "wide"], "unknown size 'wide'; accepted are column, page, slide"),
        (["--format", "gif"], "unknown format 'gif'; accepted are png, svg or pdf"),
        (["-o", "f.gif"], "--output f.gif: the name must end in .png, .svg or .pdf"),
        (["-o", "f"], "--output f: the name must end in"),
        (["--label", "a"], "--label is given 1 times for 2 schemes; give one for each --init"),
        (["--label", "a", "--label", "a"], "--label 'a': two schemes have this label"),
        (["--label", "_a", "--label", "b"], "does not begin with '_'"),
    ],
)
@pytest.mark.parametrize("command", ["histogram", "depth"])
def test_mistakes_are_told_before_anything_is_measured(initlab_here, monkeypatch, command, options, message):
    for measured in ("initlab.measure.histograms.layer_panels", "initlab.measure.depth.depth_profiles"):
        monkeypatch.setattr(measured, None)
    done = initlab_here(command, "--init", "he", "--init", "xavier", *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_diagnosis_is_drawn_without_colour(initlab_here, tmp_path):
    words = ["diagnose", "--hidden", "9x2", "--samples", "20", "--seeds", "1"]
    done = initlab_here(*words, "--figure", tmp_path / "d.png", "--style", "gray", "--size", "5x4")
    assert (done.returncode, size_of(tmp_path / "d.png")) == (0, (1500, 1200)), done.stderr
