"""Figures claim no more than their data: ties, single seeds, outliers, divergence, crowds, hidden points."""

import numpy as np
import pytest

from initlab.init.scheme import Scheme
from initlab.measure.depth import Profile, depth_profiles
from initlab.plotting.conditions import MOST_NAMED
from initlab.plotting.depth import depth_figure
from initlab.plotting.loss import loss_figure
from initlab.plotting.style import render
from initlab.plotting.tracking import accuracy_figure, accuracy_panels, distinct_units_figure
from initlab.training.history import Condition, History

TRACKED = [accuracy_figure, distinct_units_figure, accuracy_panels]
FIGURES = [loss_figure, *TRACKED]


def history(label, end=0.5, start=2.3, seed=0, diverged_at=None):
    losses = np.geomspace(start, end, 100) if diverged_at is None else np.full(diverged_at + 1, start)
    units = {"distinct_units": [8]}
    tracked = [{"step": step, "train_accuracy": 1 - end / 3, "layers": units} for step in (0, 50, 99)]
    return History(
        label=label, scheme="he", seed=seed, losses=losses, diverged_at=diverged_at, tracked=tracked
    )


def seeds(label, *ends, **more):
    return [history(label, end, seed=seed, **more) for seed, end in enumerate(ends)]


def title(histories):
    return loss_figure(histories).axes[0].get_title("left")


def legend(figure):
    boxes = figure.legends or [figure.axes[0].get_legend()]
    return [text.get_text().replace("\n", " ") for text in boxes[0].get_texts()]


def test_a_title_names_the_lowest_loss_only_where_intervals_decide_it():
    low, high = seeds("a", 0.1, 0.11, 0.12), seeds("b", 0.5, 0.51, 0.52)
    assert title(low + high) == "a ends with the lowest loss"
    tied = seeds("c", 0.09, 0.13, 0.1)
    assert title(low + high + tied) == "No single lowest loss: the 95 % intervals of a and c overlap"
    many = [each for label in "cdefg" for each in seeds(label, 0.09, 0.13, 0.1)]
    assert (
        title(low + high + many) == "No single lowest loss: the 95 % intervals of 6 of 7 conditions overlap"
    )


def test_one_seed_or_one_condition_claims_nothing():
    assert title([history("a", 0.1), history("b", 0.9)]) == "Training loss of 2 conditions, one seed"
    assert title(seeds("a", 0.1, 0.2)) == "Training loss of a, 2 seeds"


def test_a_title_says_what_it_leaves_out():
    low, high = seeds("a", 0.1, 0.11, 0.12), seeds("b", 0.5, 0.51, 0.52)
    partly = [*seeds("c", 0.01, 0.01), history("c", seed=2, diverged_at=4)]
    assert title(low + high + partly) == "a ends with the lowest loss, of those that finished with every seed"
    gone = seeds("b", 0.5, 0.5, diverged_at=3)
    assert title(low + gone) == "Only a finished with every seed"
    assert title(gone) == "Every network diverged"


def test_an_outlier_does_not_flatten_the_others_and_is_marked_at_the_edge():
    ordinary = [history(f"s{i}") for i in range(11)]
    figure = loss_figure([*ordinary, history("high", start=28)])
    axes = figure.axes[0]
    assert axes.get_ylim()[1] == loss_figure(ordinary).axes[0].get_ylim()[1] == 2.5
    (mark,) = [line for line in axes.lines if line.get_marker() == "^" and len(line.get_xdata()) == 1]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (0, 2.5)
    (entry,) = [text for text in legend(figure) if text.startswith("high")]
    assert "peak 25.5 (△)" in entry
    assert not [text for text in legend(figure) if "peak" in text and text != entry]


def test_losses_that_all_begin_high_set_the_scale():
    assert loss_figure([history("a", start=28), history("b", start=29)]).axes[0].get_ylim()[1] > 26


@pytest.mark.parametrize("draw", FIGURES)
@pytest.mark.parametrize("count", [1, 40])
def test_where_every_network_diverged_the_figure_says_so_and_marks_the_steps(draw, count):
    histories = [
        history(f"s{i}", diverged_at=i + 3 + seed, seed=seed) for i in range(count) for seed in (0, 1)
    ]
    figure = draw(histories)
    steps = {step for axes in figure.axes for line in axes.lines for step in line.get_xdata()}
    assert steps == {each.diverged_at for each in histories}
    if draw is accuracy_panels:
        assert figure.axes[0].texts[0].get_text().endswith(": steps 3 to 4 (2 of 2)")
    else:
        assert "every network diverged" in figure.axes[0].get_ylabel()
        assert list(figure.axes[0].get_yticks()) == []
        heights = [height for line in figure.axes[0].lines for height in line.get_ydata()]
        assert len(set(heights)) == count


@pytest.mark.parametrize("draw", FIGURES)
def test_a_seed_that_diverged_is_marked_beside_those_that_finished(draw):
    figure = draw([*seeds("a", 0.1, 0.2), history("a", seed=2, diverged_at=17)])
    assert [17] in [list(line.get_xdata()) for line in figure.axes[0].lines]
    words = [text.get_text() for text in figure.axes[0].texts] + legend(figure)
    assert any("step 17 (1 of 3)" in text for text in words)


@pytest.mark.parametrize("draw", [loss_figure, accuracy_figure])
@pytest.mark.parametrize("count", [MOST_NAMED, 180])
def test_many_conditions_give_a_legend_within_the_picture(draw, count):
    labels = [f"orthogonal(gain={i / 100}), network.hidden 100x100, lr 0.{i}" for i in range(count)]
    histories = [
        each for i, label in enumerate(labels) for each in seeds(label, 0.1 + i / 200, 0.1 + i / 190)
    ]
    figure = draw(histories)
    render(figure, "png")  # a warning of matplotlib would be an error here
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1 + 1
    assert 0 <= box.y0 < box.y1 <= figure.bbox.y1 + 1
    assert len(legend(figure)) == (MOST_NAMED if count == MOST_NAMED else 6)


def test_of_many_conditions_the_first_the_median_and_the_last_are_named():
    histories = [history(f"c{i}", 0.1 + i / 100) for i in range(101)]
    words = [text.split(": ends")[0] for text in legend(loss_figure(histories))]
    assert words == ["lowest: c0", "second: c1", "third: c2", "median: c50", "highest: c100", "96 others"]
    accuracy = legend(accuracy_figure(histories))
    assert accuracy == ["highest: c0", "second: c1", "third: c2", "median: c50", "lowest: c100", "96 others"]


def test_panels_of_many_settings_share_a_legend_that_fits():
    conditions = [
        Condition(
            label=f"{init} {rate}",
            scheme=init,
            settings=(("init", init), ("train.optimizer.lr", str(rate))),
            histories=(history("a"),),
        )
        for init in ("he", "a scheme of a long name (scale=1.2345)")
        for rate in range(20)
    ]
    figure = accuracy_panels(conditions)
    render(figure, "png")
    assert len(legend(figure)) == 13
    first, second = (axes.title for axes in figure.axes[:2])
    assert "\n" in figure.axes[1].get_title("left")
    assert not first.get_window_extent().overlaps(second.get_window_extent())


def test_more_panels_than_a_picture_holds_are_counted():
    figure = accuracy_panels([history(f"s{i}") for i in range(50)])
    assert len(figure.axes) == 48
    assert figure.get_supxlabel() == "and 2 more schemes, which are not drawn"


def profile(name, activations, gradients):
    return Profile(
        activation="relu",
        label=name,
        scheme=Scheme.parse(name),
        activation_std=np.array([activations]),
        gradient_std=np.array([gradients]),
        predicted=None,
    )


def test_schemes_that_hide_each_other_are_named():
    he = profile("he", [1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    hidden = profile("xavier", [1.001, 1.0, 1.0], [1.0, 1.0, 1.0])
    apart = profile("lecun", [1.0, 0.5, 0.25], [0.25, 0.5, 1.0])
    figure = depth_figure([he, hidden, apart])
    assert figure.axes[0].get_title("left") == "points that hide each other: he = xavier"
    assert depth_figure([he, apart]).axes[0].get_title("left") == ""


def test_overflow_and_zeros_stand_at_the_edges():
    figure = depth_figure([profile("he", [1.0, np.inf, np.nan], [np.nan, 0.0, 1.0])])
    marks = [
        {line.get_marker(): list(line.get_xdata()) for line in axes.lines if line.get_linestyle() == "None"}
        for axes in figure.axes
    ]
    assert marks[0]["^"] == [2, 3]
    assert (marks[1]["v"], marks[1]["x"]) == ([2], [1])
    assert legend(figure) == ["he", "exactly 0", "overflow", "undefined: 0/0 or overflow"]


@pytest.mark.parametrize("scheme", ["std=1e300", "std=1e-300", "zeros"])
def test_extreme_networks_are_drawn(scheme):
    render(depth_figure(depth_profiles([scheme], ["relu"], depth=4, width=5, seeds=1)), "png")


def test_nearly_equal_values_are_not_blown_up():
    figure = depth_figure([profile("he", [1.0, 1.01, 0.99], [1.0, 1.01, 1.0])])
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert high / low >= 3.99
