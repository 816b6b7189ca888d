"""Figures: the same bytes from the same data, what they show, hostile text."""

import numpy as np
import pytest
from matplotlib import rc_context

from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.scheme import SCHEMES
from initlab.measure.depth import depth_profiles
from initlab.measure.histograms import layer_panels, network_panels
from initlab.plotting.depth import depth_figure
from initlab.plotting.histograms import histogram_figure
from initlab.plotting.loss import loss_figure
from initlab.plotting.style import distinct_looks, look, plain, render
from initlab.plotting.tracking import accuracy_figure, accuracy_panels, distinct_units_figure
from initlab.training.curves import smooth
from initlab.training.histories import Histories
from initlab.training.history import Condition, History
from initlab.training.train import train

LABELS = np.random.default_rng(0).integers(3, size=200)
EXAMPLES = (np.random.default_rng(1).standard_normal((200, 6)) + LABELS[:, None], LABELS)


@pytest.fixture(scope="module")
def histories():
    """Of three schemes; the last one diverges at once."""
    return train(["he", "std=0.01", "std=1000000000"], EXAMPLES, steps=100, hidden="8x2", seeds=(0, 1))


@pytest.fixture(scope="module")
def tracked():
    return train(["he", "zeros"], EXAMPLES, steps=20, hidden="8x2", seeds=(0, 1), track_every=10)


def labelled(label, scheme="he"):
    return History(label=label, scheme=scheme, losses=np.linspace(2, 1, 30))


def texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_loss_figure_shows_every_condition_and_marks_divergence(histories):
    axes = loss_figure(histories).axes[0]
    assert [text.split(":")[0] for text in texts(axes)] == ["he", "std=0.01", "std=1000000000"]
    assert "std=1000000000: diverged at step 0 (2 of 2)" in texts(axes)
    lines = {line.get_label().split(":")[0]: line for line in axes.lines}
    assert lines["he"].get_xdata().shape == (100,)
    assert lines["std=1000000000"].get_xdata().tolist() == [0, 0]
    assert "before its update" in axes.get_ylabel()


def test_the_line_is_the_mean_and_the_band_the_extremes_of_the_smoothed_losses(histories):
    axes = loss_figure(histories).axes[0]
    curves = np.stack([smooth(history.losses) for history in histories.of("he")])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), curves.mean(axis=0))
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(curves.max())
    assert heights.min() == pytest.approx(curves.min())


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_data_gives_the_same_file_whatever_the_readers_settings(histories, suffix):
    expected = render(loss_figure(histories), suffix)
    with rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 20}):
        assert render(loss_figure(histories), suffix) == expected


def test_a_notebook_shows_a_figure_as_a_picture(histories):
    assert loss_figure(histories)._repr_png_() == render(loss_figure(histories), "png")


def test_every_panel_is_drawn_with_its_numbers():
    panels = layer_panels(["he", "std=1"], ["tanh", "relu"], depth=3, samples=50)
    figure = histogram_figure(panels, "what is seen")
    assert len(figure.axes) == len(panels) == 12
    for axes, panel in zip(figure.axes, panels, strict=True):
        assert f"std {panel.std:.3g} ({panel.predicted.std:.3g})" in axes.get_title("left")
        shares = axes.patches[0].get_data().values
        counted = 100 * (1 - panel.histogram.clipped)
        assert shares.sum() == pytest.approx(counted)
        assert ("outside" in axes.get_title("left")) == (panel.histogram.clipped > 0)


@pytest.mark.parametrize("label", ["$x", "$\\frac{1}{$", "a$b$c", "重み", "<&>", "{x}", "\\alpha"])
def test_hostile_labels_are_shown_as_they_are(label):
    figure = loss_figure([labelled(label)])
    assert texts(figure.axes[0]) == [f"{plain(label)}: ends at {labelled(label).final_loss:.3f}"]
    render(figure, "png")


def test_no_two_conditions_of_a_figure_look_alike():
    four = ["normal(std=1)", "normal(std=0.01)", "book:xavier", "he"]
    others = [f"normal(std={i / 100})" for i in range(2, 12)]
    for schemes in (four * 5, ["he"] * 12, four + others, ["lecun", "book:xavier"], others * 3):
        looks = distinct_looks(schemes)
        assert len(set(looks)) == len(looks)
    assert [style.color for style in distinct_looks(four * 2)] == [look(scheme).color for scheme in four * 2]


def test_the_legend_of_many_conditions_stands_beside_the_axes():
    figure = loss_figure([labelled(f"he, lr {i}") for i in range(12)])
    assert figure.axes[0].get_legend() is None
    assert len(figure.legends[0].get_texts()) == 12
    render(figure, "png")


def test_the_title_names_only_what_finished_with_every_seed(histories):
    assert loss_figure(histories).axes[0].get_title("left") == "he ends with the lowest loss"
    partly = [labelled("he"), History(label="he", seed=1, losses=np.ones(3), diverged_at=2)]
    assert loss_figure(partly).axes[0].get_title("left") == "No condition finished with every seed"


def test_a_scheme_that_looked_at_batches_starts_later():
    late = History(label="lsuv", scheme="lsuv", losses=np.ones(20), batches_before=7)
    axes = loss_figure([labelled("he"), late]).axes[0]
    assert [line.get_xdata()[0] for line in axes.lines] == [0, 7]


def test_tracked_numbers_are_drawn_for_each_condition(tracked):
    accuracy, units = accuracy_figure(tracked).axes[0], distinct_units_figure(tracked).axes[0]
    he = [[entry["train_accuracy"] for entry in history.tracked] for history in tracked.of("he")]
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), np.mean(he, axis=0))
    assert units.lines[1].get_ydata().tolist() == [1] * len(he[0])
    assert units.get_ylim() == pytest.approx((0.9, 1.1 * 8))


def test_each_scheme_has_its_panel_of_the_other_settings(tracked):
    conditions = [
        Condition(
            label=history.label,
            scheme=history.scheme,
            settings=(("init", history.scheme), ("network.batch_norm", norm)),
            histories=(history,),
        )
        for history, norm in zip(tracked, ["None", "running", "None", "running"], strict=True)
    ]
    figure = accuracy_panels(conditions)
    assert [axes.get_title("left") for axes in figure.axes[:2]] == ["he", "zeros"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["without Batch Normalization", "with Batch Normalization"]
    render(accuracy_panels(tracked), "png")


def test_what_was_not_tracked_cannot_be_drawn(histories):
    for draw in (accuracy_figure, accuracy_panels, distinct_units_figure):
        with pytest.raises(UsageError, match="nothing was tracked"):
            draw(histories)
    with pytest.raises(UsageError, match="no history to draw"):
        loss_figure(Histories())


def test_profiles_are_drawn_with_their_predictions():
    schemes = ["he", "zeros", "constant(value=1)", "std=1"]
    figure = depth_figure(depth_profiles(schemes, ["relu", "tanh"], depth=4, width=9, seeds=2))
    assert len(figure.axes) == 4
    assert figure.get_suptitle() == "Through 4 untrained layers: lines predicted, points measured"
    edges = ["exactly 0", "undefined: 0/0 or overflow"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == schemes + edges
    render(figure, "png")


def test_trained_networks_are_drawn_under_their_names():
    networks = initialize([6, 8, 8, 3], ["he", "he"])
    train(networks, EXAMPLES, steps=5)
    figure = histogram_figure(network_panels(networks, EXAMPLES[0], names=["he", "he"]))
    assert len(figure.axes) == 4
    assert figure.get_suptitle() == "Activations, layer by layer"
    assert "theory" not in figure.get_supylabel()
    render(figure, "png")


def test_no_panels_cannot_be_drawn():
    with pytest.raises(UsageError, match="0 rows"):
        histogram_figure([])


def test_a_deep_network_is_drawn_in_ten_columns():
    panels = layer_panels(["he"], ["relu"], depth=60, width=10, samples=10)
    figure = histogram_figure(panels, "deep")
    assert len(figure.axes) == 10
    assert "10 of 60 layers; black outline" in figure.get_supxlabel()
    whole = histogram_figure(layer_panels(["he"], ["relu"], depth=3, width=10, samples=10))
    assert "layers" not in whole.get_supxlabel()
    render(figure, "png")


def test_a_scheme_has_one_look_and_the_books_four_differ():
    four = [look(name) for name in ("normal(std=1)", "normal(std=0.01)", "book:xavier", "he")]
    for field in ("color", "marker"):
        assert len({getattr(style, field) for style in four}) == 4
    assert look("uniform(bound=0.3)") == look("uniform(bound=0.3)")


def test_every_scheme_can_be_distinguished_without_colour():
    """Other than book:xavier, which is lecun; the look of a normal is that of its standard deviation."""
    names = set(SCHEMES) - {"normal", "book:xavier"} | {"normal(std=1)", "normal(std=0.01)"}
    looks = [look(name) for name in names]
    assert len({(style.marker, style.dash) for style in looks}) == len(looks)
    assert distinct_looks(sorted(names)) == [look(name) for name in sorted(names)]
    assert look("orthogonal(gain=2)") == look("orthogonal")


def test_a_scheme_without_a_look_gives_way_to_those_with_one():
    unlisted = "normal(std=0.3)"
    families = ("orthogonal", "sparse", "random_walk")
    (listed,) = (name for name in families if look(name).color == look(unlisted).color)
    for schemes in ([unlisted, listed], [listed, unlisted]):
        colors = dict(zip(schemes, (style.color for style in distinct_looks(schemes)), strict=True))
        assert colors[listed] == look(listed).color != colors[unlisted]
