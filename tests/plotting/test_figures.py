"""Figures: the same bytes from the same data, what they show, hostile text."""

import numpy as np
import pytest
from matplotlib import rc_context

from initlab.analysis.profile import depth_profiles
from initlab.analysis.untrained import layer_panels
from initlab.nn.initializers import INITIALIZERS, Scheme
from initlab.plotting.curves import loss_figure
from initlab.plotting.depth import depth_figure
from initlab.plotting.histograms import histogram_figure
from initlab.plotting.style import distinct_looks, look, render
from initlab.runner.config import load_experiment
from initlab.runner.sweep import Choice, run_experiment


@pytest.fixture
def groups(small_config, tmp_path):
    return run_experiment(load_experiment(small_config), tmp_path / "r", choice=Choice(jobs=0)).groups


def texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_loss_figure_shows_every_condition_and_marks_divergence(groups):
    axes = loss_figure(groups).axes[0]
    assert [text.split(":")[0] for text in texts(axes)] == ["he", "std=0.01", "huge"]
    assert "huge: diverged at step 1 (2 of 2)" in texts(axes)
    lines = {line.get_label().split(":")[0]: line for line in axes.lines}
    assert lines["he"].get_xdata().shape == (100,)
    assert lines["huge"].get_xdata().tolist() == [1, 1]
    assert "before its update" in axes.get_ylabel()


def test_the_line_is_the_mean_and_the_band_the_extremes_of_the_smoothed_losses(groups):
    from initlab.analysis.learning import smooth

    axes = loss_figure(groups).axes[0]
    curves = np.stack([smooth(record.losses()) for record in groups[0].records])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), curves.mean(axis=0))
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(curves.max())
    assert heights.min() == pytest.approx(curves.min())


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_data_gives_the_same_file_whatever_the_readers_settings(groups, suffix):
    expected = render(loss_figure(groups), suffix)
    with rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 20}):
        assert render(loss_figure(groups), suffix) == expected


def test_every_panel_is_drawn_with_its_numbers():
    panels = layer_panels([Scheme("he"), Scheme.parse("std=1")], ["tanh", "relu"], depth=3, samples=50)
    figure = histogram_figure(panels, "what is seen")
    assert len(figure.axes) == len(panels) == 12
    for axes, panel in zip(figure.axes, panels, strict=True):
        assert f"std {panel.std:.3g} ({panel.predicted.std:.3g})" in axes.get_title("left")
        shares = axes.patches[0].get_data().values
        counted = 100 * (1 - panel.histogram.clipped)
        assert shares.sum() == pytest.approx(counted)
        assert ("outside" in axes.get_title("left")) == (panel.histogram.clipped > 0)


@pytest.mark.parametrize("label", ["$x", "$\\frac{1}{$", "a$b$c", "重み", "<&>", "{x}", "\\alpha"])
def test_hostile_labels_are_shown_as_they_are(small_config, tmp_path, label):
    override = f"sweep.init=[{{scheme: he, label: '{label}'}}]"
    experiment = load_experiment(small_config, [override, "train.steps=5"])
    groups = run_experiment(experiment, tmp_path / "r", choice=Choice(jobs=0)).groups
    figure = loss_figure(groups)
    assert texts(figure.axes[0])[0].replace("\\$", "$").startswith(label)
    render(figure, "png")


def test_no_two_conditions_of_a_figure_look_alike():
    four = ["normal(std=1)", "normal(std=0.01)", "book:xavier", "he"]
    others = [f"normal(std={i / 100})" for i in range(2, 12)]
    for schemes in (four * 5, ["he"] * 12, four + others, ["lecun", "book:xavier"], others * 3):
        looks = distinct_looks(schemes)
        assert len(set(looks)) == len(looks)
    assert [one.color for one in distinct_looks(four * 2)] == [look(scheme).color for scheme in four * 2]


def test_many_conditions_are_drawn_beside_the_axes(small_config, tmp_path):
    sweep = "sweep.train.optimizer.lr=[0.01, 0.02, 0.05, 0.1]"
    experiment = load_experiment(small_config, [sweep, "train.steps=20"])
    groups = run_experiment(experiment, tmp_path / "r", choice=Choice(jobs=0)).groups
    figure = loss_figure(groups)
    assert len(figure.legends[0].get_texts()) == len(groups) == 12
    render(figure, "png")


def test_the_title_names_only_what_finished_with_every_seed(groups):
    assert loss_figure(groups).axes[0].get_title("left") == "he ends with the lowest loss"
    diverged = [group for group in groups if group.label == "huge"]
    assert "No condition" in loss_figure(diverged).axes[0].get_title("left")


def test_profiles_are_drawn_with_their_predictions():
    schemes = [Scheme.parse(text) for text in ("he", "zeros", "constant(value=1)", "std=1")]
    figure = depth_figure(depth_profiles(schemes, ["relu", "tanh"], depth=4, width=9, seeds=2), "depth")
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [s.short for s in schemes]
    render(figure, "png")


def test_a_deep_network_is_drawn_in_ten_columns():
    panels = layer_panels([Scheme("he")], ["relu"], depth=60, width=10, samples=10)
    figure = histogram_figure(panels, "deep")
    assert len(figure.axes) == 10
    render(figure, "png")


def test_a_scheme_has_one_look_and_the_books_four_differ():
    four = [look(name) for name in ("normal(std=1)", "normal(std=0.01)", "book:xavier", "he")]
    for field in ("color", "marker"):
        assert len({getattr(one, field) for one in four}) == 4
    assert look("uniform(bound=0.3)") == look("uniform(bound=0.3)")


def test_every_initializer_has_a_look_that_tells_it_apart_without_colour():
    """Other than book:xavier, which is lecun; the look of a normal is that of its standard deviation."""
    names = set(INITIALIZERS) - {"normal", "book:xavier"} | {"normal(std=1)", "normal(std=0.01)"}
    looks = [look(name) for name in names]
    assert len({(one.marker, one.dash) for one in looks}) == len(looks)
    assert distinct_looks(sorted(names)) == [look(name) for name in sorted(names)]
    assert look("orthogonal(gain=2)") == look("orthogonal")


def test_a_less_known_scheme_gives_way_to_those_with_a_look():
    unknown = "normal(std=0.3)"
    families = ("orthogonal", "sparse", "random_walk")
    (known,) = (name for name in families if look(name).color == look(unknown).color)
    for schemes in ([unknown, known], [known, unknown]):
        colors = dict(zip(schemes, (one.color for one in distinct_looks(schemes)), strict=True))
        assert colors[known] == look(known).color != colors[unknown]
