"""Experiments that are written in Python: the same runs as from YAML, and mistakes by dotted key."""

from pathlib import Path

import numpy as np
import pytest

from initlab import Experiment, Scheme
from initlab.errors import ConfigError
from initlab.init import scheme as scheme_module
from initlab.runner import grid
from initlab.runner.config import load_experiment
from initlab.runner.grid import cohorts, expand
from initlab.runner.shipped import shipped_configs
from initlab.training.train import working_set_bytes

CONFIG = {
    "name": "two",
    "network": {"hidden": "8x2", "activation": "relu"},
    "train": {"steps": 10, "batch_size": 4, "optimizer": {"name": "sgd", "lr": 0.1}},
    "sweep": {"init": ["he", "std=0.01"], "seed": [0, 1, 2]},
}
YAML = """\
name: two
network: {hidden: 8x2, activation: relu}
train: {steps: 10, batch_size: 4, optimizer: {name: sgd, lr: 0.1}}
sweep: {init: [he, std=0.01], seed: [0, 1, 2]}
"""


def ids(experiment):
    return [run.id for run in expand(experiment)]


def mistakes(**keys):
    with pytest.raises(ConfigError) as error:
        Experiment(CONFIG, **keys)
    return str(error.value).splitlines()


@pytest.fixture(scope="module")
def ids_of_yaml(tmp_path_factory):
    path = tmp_path_factory.mktemp("yaml") / "two.yaml"
    path.write_text(YAML)
    return ids(load_experiment(path))


def test_a_mapping_and_keywords_give_the_runs_of_the_same_yaml(ids_of_yaml):
    assert ids(Experiment(CONFIG)) == ids(Experiment(**CONFIG)) == ids_of_yaml
    assert len(ids_of_yaml) == 6


def test_keywords_win_over_the_mapping():
    experiment = Experiment(CONFIG, name="other", sweep={"init": ["xavier"]})
    assert (experiment.name, len(experiment.points())) == ("other", 1)


@pytest.mark.parametrize(
    "sweep",
    [
        {"init": ("he", "std=0.01"), "seed": range(3)},
        {"init": np.array(["he", "std=0.01"]), "seed": np.arange(3)},
        {"init": [Scheme("he"), Scheme("normal", {"std": np.float64(0.01)})], "seed": [*np.arange(3)]},
        {"init": [{"scheme": Scheme("he")}, {"scheme": "normal", "std": 0.01}], "seed": [0, 1, 2]},
    ],
    ids=["tuple and range", "arrays", "schemes", "mappings"],
)
def test_values_of_python_stand_for_those_of_yaml(ids_of_yaml, sweep):
    assert ids(Experiment(CONFIG, sweep=sweep)) == ids_of_yaml


def test_other_values_of_python():
    network = {"hidden": np.array([8, 8]), "activation": "relu"}
    data = {"path": Path("digits")}
    experiment = Experiment(CONFIG, network=network, data=data, init=Scheme("he"), seed=np.int64(3), sweep={})
    ((_, settings),) = experiment.points()
    assert settings.network.hidden == (8, 8)
    assert settings.data.path == str(Path("digits").absolute())
    assert (str(settings.init), settings.seed) == ("he", 3)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"train": {**CONFIG["train"], "steps": 0}}, "train.steps must be 1 or more, not 0"),
        ({"train": {**CONFIG["train"], "steps": 2.5}}, "train.steps must be a whole number, not 2.5"),
        ({"network": {"hidden": "8x2"}}, "network: the key 'network.activation' is missing"),
        ({"network": [1]}, "network must be a mapping of keys to values, not [1]"),
        ({"sweep": {"init": ["he", "hee"]}}, "sweep.init.1: init: unknown scheme 'hee'; did you mean 'he'?"),
        ({"sweep": {"init": {"he"}}}, "sweep.init must be a list or a range, as"),
        ({"seeds": 3}, "seeds: unknown key 'seeds'; did you mean 'seed'?"),
    ],
)
def test_a_mistake_is_named_by_its_dotted_key(keys, message):
    assert any(line.startswith(message) for line in mistakes(**keys)), mistakes(**keys)


def test_all_mistakes_come_at_once():
    lines = mistakes(train={**CONFIG["train"], "steps": 0, "batch_size": "x"}, nmae="x")
    assert [line.partition(" ")[0] for line in lines] == ["train.steps", "train.batch_size", "nmae:"]


def test_a_config_that_is_no_mapping_is_refused():
    with pytest.raises(ConfigError, match="must be a mapping of keys to values, not 'mnist'"):
        Experiment("mnist")


def test_a_large_sweep_reads_each_scheme_text_once(monkeypatch):
    texts = []
    read = scheme_module._read
    monkeypatch.setattr(scheme_module, "_read", lambda text, more: texts.append(text) or read(text, more))
    scheme_module._parse.cache_clear()
    assert len(expand(load_experiment(shipped_configs()["mnist"]))) == 20
    assert sorted(texts) == sorted(set(texts))
    assert {"std=1", "std=0.01", "book:xavier", "he"} <= set(texts)


def test_cohorts_are_cut_by_the_sizes_of_the_experiments_own_data(small_config, monkeypatch):
    runs = expand(
        load_experiment(small_config, ["sweep.seed=[0]", "sweep.init=[std=1, std=2, std=3, std=4]"])
    )
    sizes = (16, 8, 8, 3)
    assert {run.sizes for run in runs} == {sizes}
    monkeypatch.setattr(grid, "CACHE_BYTES", 3 * working_set_bytes(sizes, 16, 4))
    assert [len(cohort) for cohort in cohorts(runs, 100)] == [3, 1]
