"""A changed experiment has a name and a description of its own."""

import pytest

from initlab.runner.config import load_experiment
from initlab.runner.overrides import changed_name
from initlab.runner.sweep import Choice, run_experiment

HERE = Choice(jobs=0)


def test_tables_and_figures_of_the_first_stay(small_config, tmp_path):
    run_experiment(load_experiment(small_config), tmp_path / "r", HERE)
    files = ("summary.csv", "curves.csv", "experiment.yaml", "loss.png")
    before = {name: (tmp_path / "r/small" / name).read_bytes() for name in files}
    changed = load_experiment(small_config, ["train.steps=60"])
    assert run_experiment(changed, tmp_path / "r", HERE).trained == 6
    assert {name: (tmp_path / "r/small" / name).read_bytes() for name in files} == before
    assert (tmp_path / "r/small+steps60/loss.png").is_file()
    again = load_experiment(tmp_path / "r/small+steps60/experiment.yaml")
    assert again.name == "small+steps60"
    assert run_experiment(again, tmp_path / "r", HERE).trained == 0


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "small"),
        (["train.steps=100"], "small"),  # as it was
        (["figures=[]"], "small"),  # the runs are the same
        (["description=Mine"], "small"),
        (["data.path=small"], "small"),  # records hold what is in the data, not where they lie
        (["train.steps=3", "name=mine"], "mine"),
        (["name=mine", "train.steps=3"], "mine"),
        (["train.steps=3", "train.steps=4"], "small+steps4"),
        (["seed=3"], "small+seed3"),
        (["sweep.init=[he(scale=2), std=1]"], "small+init-he-scale-2-std-1"),
        (["train.optimizer.lr=1e-3", "train.steps=5"], "small+lr1e-3+steps5"),
    ],
)
def test_the_name(small_config, overrides, name):
    assert load_experiment(small_config, overrides).name == name


def test_long_names_end_in_a_digest():
    changes = {"sweep.init": "[" + ", ".join(["he"] * 50) + "]"}
    name = changed_name("mnist", changes)
    assert len(name) == 64
    assert name != changed_name("mnist", {**changes, "train.steps": "3"})


def test_the_description_says_what_was_changed(small_config):
    overrides = ["description=Three starts", "train.steps=3", "sweep.seed=range(2)"]
    description = "Three starts; with train.steps=3, sweep.seed=range(2)"
    assert load_experiment(small_config, overrides).description == description
