"""A trial trains what was diagnosed, and the cure as it is told."""

from dataclasses import replace

import numpy as np
import pytest

from initlab.diagnosis import trial
from initlab.diagnosis.verdict import Cure, diagnose
from initlab.init.scheme import Scheme
from initlab.nn.architecture import Skip
from initlab.nn.normalization import BatchNorm
from initlab.training.histories import Histories
from initlab.training.history import History

RNG = np.random.default_rng(0)
DATA = RNG.standard_normal((60, 8)), RNG.integers(3, size=60)
ILL = diagnose("std=0.001", "relu", "9x4", *DATA, seeds=1)


@pytest.fixture
def trained(monkeypatch):
    """What is trained, in order."""
    networks = []

    def train_at_best_rate(start, _data, **how):
        networks.append({"start": str(start), **how})
        return Histories([History(losses=np.ones(3))])

    monkeypatch.setattr(trial, "train_at_best_rate", train_at_best_rate)
    return networks


@pytest.mark.parametrize(
    ("changes", "layers", "batch_norm"),
    [({}, 4, None), ({"depth": 2}, 2, None), ({"batch_norm": True}, 4, BatchNorm())],
)
def test_the_cure_is_trained_with_its_depth_and_its_normalization(trained, changes, layers, batch_norm):
    cure = Cure(scheme=Scheme("he"), why="", severity=0.0, **changes)
    histories = trial.try_out(replace(ILL, cure=cure), DATA, 5)
    assert list(histories) == ["std=0.001", str(cure)]
    first, second = trained
    assert (first["start"], first["hidden"], first["norm"]) == ("std=0.001", [9] * 4, None)
    assert (second["start"], second["hidden"], second["norm"]) == ("he", [9] * layers, batch_norm)
    assert first["validation"] == 12


def test_a_residual_network_is_trained_with_its_skips_and_the_cure_with_its_own(trained):
    for cured in (Skip(2, 0.1), None):
        trained.clear()
        cure = Cure(scheme=Scheme("he"), why="", severity=0.0, skip=cured)
        trial.try_out(replace(ILL, skip=Skip(2), cure=cure), DATA, 5)
        assert [network["skip"] for network in trained] == [Skip(2), cured or Skip(2)]


def test_the_rates_are_those_of_the_optimizer(trained):
    for optimizer, rates in (("momentum", trial.RATES), ("adam", trial.ADAPTIVE_RATES)):
        trained.clear()
        trial.try_out(replace(ILL, optimizer=optimizer, cure=None), DATA, 5)
        (only,) = trained
        assert (only["optimizer"], only["rates"]) == (optimizer, rates)
