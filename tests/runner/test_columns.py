"""Settings as columns; arguments of schemes, width and depth as directions of a sweep."""

import csv
import io

import pytest

from initlab.errors import ConfigError
from initlab.runner.config import Experiment, load_experiment
from initlab.runner.grid import expand
from initlab.runner.results import load_results
from initlab.runner.sweep import Choice, run_experiment

GAINS = ["name=small", "train.steps=5", "sweep.init=[variance_scaling, orthogonal]", "figures=[]"]


def test_an_argument_of_several_schemes_is_swept_and_is_a_column_of_numbers(
    small_config, tmp_path, initlab_here
):
    overrides = [*GAINS, "sweep.init.gain=linspace(0.5, 1, 2)", "sweep.seed=[0]"]
    run_experiment(load_experiment(small_config, overrides), tmp_path, Choice(jobs=0))
    rows = list(csv.DictReader(io.StringIO(initlab_here("export", "small", "--results", tmp_path).stdout)))
    assert sorted((row["init.scheme"], row["init.gain"]) for row in rows) == [
        ("orthogonal", "1.0"),
        ("orthogonal(gain=0.5)", "0.5"),
        ("variance_scaling", "1.0"),
        ("variance_scaling(gain=0.5)", "0.5"),
    ]
    assert "init.scale" not in rows[0]  # the same in all
    results = load_results(tmp_path / "small")  # the resolved config has the same runs
    assert len(results.runs) == 4
    assert [row["init.gain"] for row in results.rows()] == [0.5, 1.0, 0.5, 1.0]
    labels = [condition.label for condition in results.conditions]
    assert labels == ["variance_scaling(gain=0.5)", "variance_scaling", "orthogonal(gain=0.5)", "orthogonal"]


def test_a_label_does_not_hide_a_swept_argument(small_config):
    overrides = ["sweep.init=[{scheme: he, label: Mine}]", "sweep.init.gain=[1, 2]"]
    labels = {run.label for run in expand(load_experiment(small_config, overrides))}
    assert labels == {"Mine, gain 1", "Mine, gain 2"}


def test_an_argument_that_a_scheme_does_not_take(small_config):
    with pytest.raises(ConfigError, match="zeros takes no arguments"):
        load_experiment(small_config, ["sweep.init=[he, zeros]", "sweep.init.gain=[2, 3]"])
    with pytest.raises(ConfigError, match="'init' is swept twice"):
        load_experiment(small_config, ["sweep={init.gain: [1, 2], init: [he, xavier]}"])


def network(**keys):
    config = {"init": "he", "network": {"activation": "relu", **keys}}
    train = {"steps": 1, "batch_size": 1, "optimizer": {"name": "sgd", "lr": 0.1}}
    return Experiment(name="x", train=train, **config)


@pytest.mark.parametrize(
    ("keys", "hidden"),
    [
        ({"width": 5, "depth": 3}, (5, 5, 5)),
        ({"hidden": "8x2", "depth": 3}, (8, 8, 8)),
        ({"hidden": [8, 8], "width": 3}, (3, 3)),
        ({"hidden": [8, 4], "width": 3}, (3, 3)),
    ],
)
def test_width_and_depth_are_hidden_layers(keys, hidden):
    (run,), (same,) = expand(network(**keys)), expand(network(hidden=list(hidden)))
    assert run.settings.network.hidden == hidden
    assert run.id == same.id


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"width": 5}, "width needs depth"),
        ({"depth": 5}, "depth needs width"),
        ({"hidden": [8, 4], "depth": 5}, "depth needs width"),
        ({"width": 5, "depth": 0}, "depth must be a whole number from 1 to 1,000, not 0"),
        ({"width": 1e9, "depth": 2}, "width must be a whole number from 1 to 100,000, not 1"),
        ({"hidden": "many", "depth": 2}, "cannot read the layers 'many'"),
        ({"hidden": 3, "depth": 2}, "must be a list, as .100, 100.|hidden"),
    ],
)
def test_impossible_widths_and_depths(keys, message):
    with pytest.raises(ConfigError, match=message):
        network(**keys)


def test_width_and_depth_are_swept(small_config):
    experiment = load_experiment(
        small_config, ["sweep.network.depth=range(1, 4)", "sweep.network.width=[4, 6]"]
    )
    shapes = {run.settings.network.hidden for run in expand(experiment)}
    assert shapes == {(width,) * depth for width in (4, 6) for depth in (1, 2, 3)}


@pytest.mark.parametrize("figure", ["accuracy", "accuracy_panels", "distinct_units"])
def test_a_figure_of_tracked_layers_is_refused_before_training(small_config, tmp_path, figure):
    experiment = load_experiment(small_config, [f"figures=[{figure}]"])
    with pytest.raises(ConfigError, match=f"{figure} needs train.track_every"):
        run_experiment(experiment, tmp_path / "r", Choice(jobs=0))
    assert not (tmp_path / "r").exists()


def test_a_panel_of_many_curves_is_drawn(small_config, tmp_path):
    overrides = ["figures=[accuracy_panels]", "train.track_every=5", "sweep.network.depth=range(1, 6)"]
    overrides += ["train.steps=10", "sweep.seed=[0]"]
    done = run_experiment(load_experiment(small_config, overrides), tmp_path / "r", Choice(jobs=0))
    assert (done.store.folder / "accuracy_panels.png").is_file()
