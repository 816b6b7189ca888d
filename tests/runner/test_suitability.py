"""Schemes that do not suit their network are refused before anything is trained, with their places."""

import pytest

from initlab.errors import ConfigError, UsageError
from initlab.init.networks import initialize
from initlab.runner.config import Experiment
from initlab.runner.suitability import check_schemes
from initlab.runner.sweep import run_experiment

TRAIN = {"steps": 1, "batch_size": 4, "optimizer": {"name": "sgd", "lr": 0.1}}
RESIDUAL = "is for residual networks: give yours skip connections"
LEARNED = r"is for residual networks with a learned scale: skip\(scale=learned\)"
BOTH = "and Batch or Layer Normalization both rescale the layers: use one of them"
DENSE = "trains dense layers alone, one by one; for convolutions and skips there is lsuv"


def experiment(init, sweep=(), **network):
    network = {"hidden": "8x4", "activation": "sigmoid", **network}
    return Experiment(name="mine", network=network, train=TRAIN, init=init, sweep=dict(sweep))


@pytest.mark.parametrize(
    ("init", "network", "reason"),
    [
        ("fixup", {}, RESIDUAL),
        ("gpt2", {}, RESIDUAL),
        ("skipinit", {}, LEARNED),
        ("rezero", {"skip": 2}, LEARNED),
        ("lsuv", {"layer_norm": "after"}, BOTH),
        ("lsuv", {"batch_norm": "before", "skip": 2}, BOTH),
        ("pretrained_rbm", {"hidden": "conv(4, kernel=3), pool(2), 8"}, DENSE),
        ("pretrained_autoencoder", {"skip": 2}, DENSE),
        ("pretrained_rbm", {"activation": "tanh"}, "is for sigmoid units, not tanh"),
    ],
)
def test_a_scheme_that_does_not_suit_is_refused_with_its_place_and_reason(init, network, reason):
    with pytest.raises(ConfigError, match=f"^init: {init} {reason}$"):
        check_schemes(experiment(init, **network))


def test_a_scheme_that_cannot_be_drawn_for_the_activation_is_refused():
    with pytest.raises(
        ConfigError, match=r"^init: no variance is critical for gelu without biases; give one"
    ):
        check_schemes(experiment("critical", activation="gelu"))


@pytest.mark.parametrize("place", ["first", "last"])
def test_schemes_of_single_layers_are_looked_at(place):
    with pytest.raises(ConfigError, match=f"fixup {RESIDUAL}"):
        check_schemes(experiment({"scheme": "he", place: "fixup"}))


@pytest.mark.parametrize(
    ("init", "network"),
    [
        ("critical", {"activation": "relu", "skip": 2}),
        ({"scheme": "he", "first": "fixup", "last": "skipinit"}, {"skip": 2}),
        ("fixup", {"skip": 2}),
        ("skipinit", {"skip": "2, scale=learned"}),
        ("lsuv", {"skip": 2, "hidden": "conv(4, kernel=3), conv(4, kernel=3, padding=same)"}),
        ("pretrained_rbm", {}),
        ("he", {"batch_norm": "before"}),
        ("fixup", {"skip": 2, "hidden": "conv(4, kernel=9)x400"}),
    ],
)
def test_a_scheme_that_suits_is_accepted(init, network):
    check_schemes(experiment(init, **network))


def test_each_scheme_of_a_sweep_is_named_once_with_its_own_place(tmp_path):
    sweep = {"network.skip": [None, 2], "init": ["he", "fixup", "skipinit"], "seed": [0, 1]}
    mine = experiment("he", sweep)
    suits = "which sweep.exclude leaves out"
    with pytest.raises(ConfigError) as error:
        run_experiment(mine, tmp_path)
    fixup, skipinit = str(error.value).splitlines()
    assert fixup == f"sweep.init.1: fixup {RESIDUAL}; it is swept with network.skip null, {suits}"
    assert skipinit.startswith("sweep.init.2: skipinit is for residual networks with a learned scale")
    assert not any(tmp_path.iterdir())


def test_what_an_exclusion_leaves_out_is_not_refused():
    sweep = {"network.skip": [None, 2], "init": ["he", "fixup"]}
    check_schemes(experiment("he", sweep | {"exclude": [{"network.skip": None, "init": "fixup"}]}))


def test_the_place_is_that_in_the_file(initlab_here, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\n"
        "network: {hidden: 8x4, activation: relu}\n"
        "train: {steps: 1, batch_size: 4, optimizer: {name: sgd, lr: 0.1}}\n"
        "sweep:\n"
        "  init: [he, fixup]\n"
    )
    for words in (("run", path), ("run", path, "--dry-run"), ("config", "show", path)):
        done = initlab_here(*words)
        assert done.returncode == 2
        assert f"{path}:5:14: fixup {RESIDUAL}" in done.stderr


def test_a_network_refuses_what_its_config_refuses():
    with pytest.raises(UsageError, match=f"fixup {RESIDUAL}"):
        initialize([784, 8, 8, 10], "fixup")
