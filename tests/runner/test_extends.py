"""A config that extends another: merged values with their places, settled sweeps, and what is refused."""

import os
import re
from pathlib import Path

import pytest

from initlab import Experiment
from initlab.errors import StorageError, UsageError
from initlab.runner.config import load_experiment
from initlab.runner.extends import MOST_EXTENDED
from initlab.runner.grid import expand
from initlab.runner.reports import resolved_lines
from initlab.runner.yaml_text import write_yaml

BASE = """\
name: base
description: Of the base
network: {hidden: 8x2, activation: relu}
train: {steps: 10, batch_size: 4, optimizer: {name: sgd, lr: 0.1}}
init: {scheme: he, label: He}
figures: [loss]
"""


@pytest.fixture
def configs(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path / "own.yaml"

    return write


OWN = "name: own\nextends: ./base.yaml\n"


def refused(path, overrides=()):
    with pytest.raises((UsageError, StorageError)) as error:
        load_experiment(path, overrides).points()
    is_missing = re.search("no such file|too long", str(error.value), re.IGNORECASE)
    assert isinstance(error.value, StorageError) == bool(is_missing)
    return str(error.value).replace(f"{path.parent}/", "")


def test_mappings_are_merged_and_all_else_is_replaced(configs):
    own = OWN + "train: {optimizer: {lr: 0.5}, batch_size: 8}\nnetwork: {hidden: [3]}\ninit: xavier\n"
    experiment = load_experiment(configs(base=BASE, own=own))
    ((_, settings),) = experiment.points()
    assert (settings.train.steps, settings.train.batch_size) == (10, 8)
    assert (settings.train.optimizer.name, settings.train.optimizer.arguments) == ("sgd", {"lr": 0.5})
    assert (settings.network.hidden, settings.network.activation) == ((3,), "relu")
    assert str(settings.init) == "xavier"
    assert (experiment.name, experiment.description, experiment.figures) == ("own", "", ("loss",))


def test_it_is_the_same_runs_as_with_all_values_written_out(configs):
    extending = load_experiment(
        configs(base=BASE + "sweep: {seed: [0, 1]}\n", own=OWN + "train: {steps: 3}\n")
    )
    again = configs(own=write_yaml(extending.resolved()))
    assert [run.id for run in expand(load_experiment(again))] == [run.id for run in expand(extending)]


def test_a_mapping_with_a_scheme_is_one_value(configs):
    """Otherwise the label of another scheme would stay."""
    ((_, settings),) = load_experiment(configs(base=BASE, own=OWN + "init: {scheme: xavier}\n")).points()
    assert str(settings.init) == "xavier"


def test_a_shipped_config_is_extended_by_its_name(configs):
    own = "name: own\nextends: mnist\ntrain: {steps: 3}\n"
    points = load_experiment(configs(own=own)).points()
    assert len(points) == 20
    assert {settings.train.steps for _, settings in points} == {3}
    in_python = Experiment(name="own", extends="mnist", train={"steps": 3})
    assert in_python.points() == points


def test_a_file_named_like_a_shipped_config_is_not_taken_for_it(configs, monkeypatch):
    path = configs(own="name: own\nextends: mnist\n")
    (path.parent / "mnist").write_text("a: b")
    monkeypatch.chdir(path.parent)
    assert len(load_experiment(path).points()) == 20


SWEPT = BASE.replace("init: {scheme: he, label: He}\n", "") + (
    "sweep: {init: [he, lecun], seed: [0, 1], zip: [{train.steps: [1, 2], train.batch_size: [4, 8]}]}\n"
)


@pytest.mark.parametrize(
    ("own", "count"),
    [
        ("seed: 3", 4),
        ("init: xavier", 4),
        ("init: {scheme: xavier, label: X}", 4),
        ("train: {steps: 7}", 8),
        ("train: {steps: 7, batch_size: 2}", 4),
        ("train: {optimizer: {lr: 1}}", 8),
        ("sweep: {seed: [5, 6, 7]}", 12),
        ("sweep: {zip: []}", 4),
    ],
)
def test_what_is_set_is_no_longer_swept(configs, own, count):
    assert len(load_experiment(configs(base=SWEPT, own=f"{OWN}{own}\n")).points()) == count


def test_what_lies_within_a_swept_value_cannot_be_set_beside_it(configs):
    base = BASE + "sweep: {train.optimizer: [{lr: 1}, {lr: 2}]}\n"
    message = refused(configs(base=base, own=OWN + "train: {optimizer: {lr: 3}}\n"))
    assert message == "own.yaml:3:20: 'train.optimizer' is swept as a whole; set it in the sweep instead"


def test_an_inherited_exclusion_may_become_idle_and_an_own_one_may_not(configs):
    base = BASE + "sweep: {seed: [0, 1], train.steps: [1, 2], exclude: [{seed: 1, train.steps: 1}]}\n"
    assert len(load_experiment(configs(base=base, own=OWN + "seed: 0\n")).points()) == 2
    own = OWN + "seed: 0\nsweep: {exclude: [{train.steps: 5}]}\n"
    assert "own.yaml:4:19: this excludes no run" in refused(configs(base=base, own=own))


def test_every_mistake_has_the_place_where_it_stands(configs):
    base = BASE.replace("steps: 10", "steps: -1").replace("8x2", "[8, -3]")
    own = OWN + "train: {batch_size: no}\nnetwork: {activation: rleu}\n"
    lines = refused(configs(base=base, own=own)).splitlines()
    starts = [
        "base.yaml:3:23: network.hidden.1 must be 1 or more, not -3",
        "base.yaml:4:16: train.steps must be 1 or more, not -1",
        "own.yaml:3:21: train.batch_size must be a whole number, not 'no'",
        "own.yaml:4:23: network.activation: unknown activation 'rleu'",
    ]
    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


def test_a_replaced_value_leaves_no_place_behind(configs):
    own = OWN + "network: {hidden: [8]}\n"
    experiment = load_experiment(configs(base=BASE.replace("8x2", "[1, 2]"), own=own))
    assert experiment.place("network", "hidden", 1).endswith("own.yaml:3:19")
    assert any(
        line.startswith("  steps: 10") and "base.yaml:4:16" in line for line in resolved_lines(experiment)
    )


def test_the_name_is_not_inherited(configs):
    path = configs(base=BASE, own="extends: ./base.yaml\n")
    assert refused(path) == "own.yaml: the key 'name' is missing"
    assert load_experiment(path, ["name=named", "train.steps=3"]).name == "named"


def test_data_are_meant_from_the_folder_of_the_file_that_names_them(configs):
    path = configs(own="name: own\nextends: below/base.yaml\n")
    (path.parent / "below").mkdir()
    (path.parent / "below" / "base.yaml").write_text(BASE + "data: {path: digits}\n")
    ((_, settings),) = load_experiment(path).points()
    assert settings.data.path == str(path.parent / "below" / "digits")


def test_a_chain_is_followed_up_to_a_limit(configs):
    def chain(length):
        links = {f"c{i}": f"name: c{i}\nextends: ./c{i + 1}.yaml\n" for i in range(length)}
        return configs(own="name: own\nextends: ./c0.yaml\n", **links, **{f"c{length}": BASE})

    assert load_experiment(chain(MOST_EXTENDED - 1)).name == "own"
    assert "extends: more than 5 configs" in refused(chain(MOST_EXTENDED))


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("mnits", "own.yaml:2:10: extends: unknown config 'mnits'; did you mean 'mnist'"),
        ("none.yaml", "own.yaml:2:10: extends: 'none.yaml': no such file"),
        ("./own.yaml", "extends: own.yaml extends itself"),
        ("./turn.yaml", "extends: turn.yaml extends itself"),
        ("../base.yaml", "'../base.yaml' is neither in the folder of this config nor below it"),
        ("/etc/passwd", "'/etc/passwd' is neither in the folder of this config nor below it"),
        ("./link.yaml", "'./link.yaml' is neither in the folder of this config nor below it"),
        ("./pipe.yaml", "'./pipe.yaml': no such file"),
        ("./below", "'./below': no such file"),
        ("./list.yaml", "list.yaml: a config is a mapping"),
        ("3", "must be the name of a shipped config or a path, not 3"),
        ("[mnist]", "must be the name of a shipped config or a path, not ['mnist']"),
        ('"a\\0b"', "must be the name of a shipped config or a path, not 'a\\x00b'"),
        ('""', "'': no such file"),
        ("a/" * 3000, "own.yaml:2:10: extends:"),
    ],
)
def test_what_cannot_be_extended_is_named(configs, extends, message):
    path = configs(
        own=f"name: own\nextends: {extends}\n",
        turn="name: turn\nextends: ./own.yaml\n",
        list="- 1\n",
    )
    (path.parent / "link.yaml").symlink_to(Path(__file__))
    (path.parent / "below").mkdir()
    os.mkfifo(path.parent / "pipe.yaml")
    text = refused(path)
    assert message in text
    assert "\n" not in text
    assert len(text) < 400


def test_it_stands_in_a_file(configs):
    message = refused(configs(own=BASE), ["extends=mnist"])
    assert (
        message == "--set extends=mnist: extends: a config extends another one in its file; it cannot be set"
    )
