"""Figures of sweeps."""

import re

import numpy as np
import pytest

from initlab.errors import ConfigError, UsageError
from initlab.plotting.style import look
from initlab.plotting.sweep import Cell, Names, lines_figure, map_figure
from initlab.runner.config import load_experiment
from initlab.runner.plots import Plot, cells, plot
from initlab.runner.results import load_results
from initlab.runner.sweep import Choice, run_experiment

HERE = Choice(jobs=0)
MISTAKES = r"differ in|unknown setting 'gian'|plot needs x|argument of plot 'hue'"
SWEEP = [
    *("name=small", "train.steps=20", "sweep.init=[he, orthogonal]", "sweep.init.gain=[0.5, 1, 1e30]"),
    *("sweep.network.depth=[1, 2]", "sweep.seed=[0, 1]", "figures=[]"),
]


@pytest.fixture
def results(small_config, tmp_path):
    run_experiment(load_experiment(small_config, SWEEP), tmp_path / "r", HERE)
    return load_results(tmp_path / "r/small")


def test_a_line_shows_the_mean_and_the_interval_over_seeds(results):
    figure = plot([results], Plot(x="gain", color="init", only={"depth": "2"}, y="final_loss"))
    axes = figure.axes[0]
    rows = [(dict(run.condition), results.records[run.id].numbers()["final_loss"]) for run in results.runs]
    for bars, init in zip(axes.containers, ["he", "orthogonal"], strict=True):
        assert bars.get_label() == init
        for gain, mean in zip(bars.lines[0].get_xdata(), bars.lines[0].get_ydata(), strict=True):
            wanted = {"init.gain": "1e+30" if gain == 1e30 else f"{gain:g}", "network.depth": "2"}
            losses = [
                loss
                for settings, loss in rows
                if settings["init"].startswith(init)
                and float(settings["init.gain"]) == gain
                and settings["network.depth"] == wanted["network.depth"]
            ]
            assert len(losses) == 2
            if gain < 2:
                assert mean == pytest.approx(np.mean(losses))
            else:
                assert np.isnan(mean)
                assert losses == [None, None]
    legend = figure.legends[0].get_title().get_text()
    assert legend == "init\nmean of 2 seeds\nbars: 95 % interval\ncross: seeds diverged"


def test_a_map_has_a_number_or_a_cross_for_each_cell(results):
    figure = plot([results], Plot(x="gain", heat="network.depth", only={"init": "he"}))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == 6
    assert texts.count("x") == 2
    assert "x: all seeds diverged" in figure.axes[0].get_xlabel()


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"x": "gian"}, "unknown setting 'gian'; did you mean 'gain'"),
        ({"x": "gain", "y": "loss"}, "unknown result 'loss'; did you mean 'test_loss'?"),
        ({"x": "gain"}, "the runs also differ in init: draw it as color or heat, or only init=he"),
        ({"x": "gain", "color": "init"}, "the runs also differ in network.depth"),
        ({"x": "gain", "color": "init", "heat": "depth"}, "color or heat, not both"),
        ({"x": "gain", "log": "z"}, "log is x, y or xy"),
        ({"x": "gain", "heat": "depth", "log": "x"}, "a map has no logarithmic axes"),
        ({"x": "gain", "only": {"depth": "7"}}, "no run has network.depth=7; there are 1, 2"),
    ],
)
def test_mistakes(results, chosen, message):
    with pytest.raises(UsageError, match=message):
        plot([results], Plot(**chosen))


def test_an_experiment_names_its_plots_which_are_checked_before_training(small_config, tmp_path):
    named = "figures=['plot(x=gain, color=init, only=depth=2)', 'plot(x=gain, heat=depth, only=init=he)']"
    done = run_experiment(load_experiment(small_config, [*SWEEP, named]), tmp_path / "r", HERE)
    assert (done.store.folder / "plot-x-gain-color-init-only-depth-2.svg").is_file()
    assert (done.store.folder / "plot-x-gain-heat-depth-only-init-he.png").is_file()
    for wrong in ("plot(x=gain)", "plot(x=gian, color=init)", "plot(color=init)", "plot(x=gain, hue=init)"):
        experiment = load_experiment(small_config, [*SWEEP, f"figures=['{wrong}']"])
        with pytest.raises(ConfigError, match=MISTAKES):
            run_experiment(experiment, tmp_path / "new", HERE)
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("results")
def test_the_command_draws_two_experiments(small_config, tmp_path, initlab_here):
    run_experiment(
        load_experiment(small_config, [*SWEEP, "name=more", "train.steps=30"]), tmp_path / "r", HERE
    )
    words = ["plot", "small", "more", "--x", "gain", "--only", "init=he", "--only", "depth=1", "--log", "x"]
    done = initlab_here(*words, "--results", tmp_path / "r", "--output", tmp_path / "two.svg")
    assert done.returncode == 0, done.stderr
    assert {"small", "more"} <= set(re.findall(r"<!-- (\w+) -->", (tmp_path / "two.svg").read_text()))
    assert "only is written KEY=VALUE" in initlab_here(*words, "--only", "he").stderr


def test_a_label_has_the_colour_of_its_scheme(small_config, tmp_path):
    sweep = "sweep.init=[{scheme: std=0.01, label: small}, {scheme: he, label: ヒー}]"
    overrides = [sweep, "train.steps=5", "sweep.network.depth=[1, 2]", "sweep.seed=[0]", "figures=[]"]
    done = run_experiment(load_experiment(small_config, overrides), tmp_path / "r", HERE)
    figure = plot([load_results(done.store.folder)], Plot(x="depth", color="init"))
    colors = {bars.get_label(): bars.lines[0].get_color() for bars in figure.axes[0].containers}
    assert colors == {"small": look("normal(std=0.01)").color, "ヒー": look("he").color}


def test_runs_of_one_cell_differ_in_their_seeds_alone():
    rows = [{"x": 1, "y": value, "lr": rate} for value, rate in [(1.0, 0.1), (None, 0.1)]]
    (cell,) = cells(rows, "x", "y", None, ["lr"])
    assert cell == Cell(x=1, values=(1.0,), runs=2)
    with pytest.raises(UsageError, match="differ in lr"):
        cells([*rows, {"x": 1, "y": 2.0, "lr": 0.2}], "x", "y", None, ["lr"])


def test_texts_on_the_axis_stand_in_the_order_of_the_sweep():
    few = [Cell(x=word, values=(0.5, 0.6), runs=2) for word in ("relu", "tanh", "elu")]
    axes = lines_figure(few, Names(x="activation", y="accuracy")).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["relu", "tanh", "elu"]


def test_whole_numbers_have_whole_ticks_and_others_any():
    for x, whole in ((2, True), (1.5, False)):
        cells = [Cell(x=at, values=(0.5, 0.6), runs=2) for at in (1, x)]
        ticks = lines_figure(cells, Names(x="x", y="y")).axes[0].get_xticks()
        assert all(float(tick).is_integer() for tick in ticks) == whole


def test_too_many_lines_and_a_logarithm_of_zero_are_refused():
    many = [Cell(x=1, group=i, values=(1.0,), runs=1) for i in range(13)]
    with pytest.raises(UsageError, match="13 lines cannot be told apart; draw a map with --heat g"):
        lines_figure(many, Names(x="x", y="y", group="g"))
    with pytest.raises(UsageError, match="0 has no place on a logarithmic axis"):
        lines_figure([Cell(x=0, values=(1.0,), runs=1)], Names(x="x", y="y"), log="x")


def test_a_map_of_diverged_runs_alone_is_drawn():
    lost = [Cell(x=x, group=g, values=(), runs=2) for x in (1, 2) for g in ("he", "xavier")]
    figure = map_figure(lost, Names(x="x", y="y", group="init"))
    assert [text.get_text() for text in figure.axes[0].texts] == ["x"] * 4


def test_a_cross_stands_where_a_diverged_run_looks_worst():
    few = [Cell(x=1, values=(0.5, 0.6), runs=2), Cell(x=2, values=(), runs=2)]
    for y, edge in (("test accuracy", 0.0), ("final loss", 1.0)):
        cross = lines_figure(few, Names(x="x", y=y)).axes[0].lines[-1]
        assert (cross.get_xdata().tolist(), cross.get_ydata().tolist()) == ([2.0], [edge])


def test_no_line_joins_texts_and_nothing_measured_has_no_scale():
    words = [Cell(x=word, values=(0.5,), runs=1) for word in ("relu", "tanh")]
    assert lines_figure(words, Names(x="x", y="y")).axes[0].lines[0].get_linestyle() == "None"
    assert lines_figure(words, Names(x="x", y="y")).axes[0].containers
    lost = [Cell(x=x, values=(), runs=1) for x in (1, 2)]
    assert not lines_figure(lost, Names(x="x", y="test accuracy")).axes[0].get_yticks().size


def test_a_setting_that_not_all_runs_have_is_no_axis(small_config, tmp_path):
    experiment = load_experiment(small_config, ["name=small", "train.steps=2", "figures=['plot(x=gain)']"])
    with pytest.raises(ConfigError, match=r"init\.gain is nothing that all runs have, as that of std=0\.01"):
        run_experiment(experiment, tmp_path / "r", HERE)
