"""A verdict counts as right where training agrees with it; each network is one trial."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from initlab.gallery.reproduce import load
from initlab.init.scheme import Scheme
from initlab.plotting.verdicts import Verdict
from initlab.training.histories import Histories
from initlab.training.history import History

diagnosis = load(Path(__file__).parents[2] / "experiments" / "diagnosis.py")
SETTINGS = diagnosis.exhibit.settings


def network(verdict, accuracy):
    return Verdict(
        scheme=Scheme("he"), activation="relu", depth=2, verdict=verdict, words="", accuracy=accuracy
    )


@pytest.fixture
def predicted(monkeypatch):
    def give(*networks):
        monkeypatch.setattr(diagnosis, "predictions", lambda _settings, _steps: list(networks))

    return give


def test_each_network_is_a_trial(predicted):
    predicted(network("trains", 0.9), network("in doubt", 0.4), network("trains", 0.8))
    right = diagnosis.trains_is_right(SETTINGS, 200)
    assert right.dtype == bool
    assert right.tolist() == [True, False, True]


def test_verdicts_of_the_opposite_claim_do_not_count(predicted):
    predicted(network("does not train", 0.1), network("trains", 0.1), network("does not train", 0.9))
    assert diagnosis.does_not_train_is_right(SETTINGS, 200).tolist() == [True, False]
    assert diagnosis.trains_is_right(SETTINGS, 200).tolist() == [False]


def test_no_two_cells_of_the_grid_share_a_seed(monkeypatch):
    seeds = []

    def train_at_best_rate(_schemes, **how):
        seeds.append(how["seeds"])
        return Histories([History(label="he", losses=np.ones(1), test_accuracy=0.5)])

    monkeypatch.setattr(diagnosis, "train_at_best_rate", train_at_best_rate)
    for activation, depth in product(SETTINGS.activations, SETTINGS.depths):
        diagnosis.accuracies(SETTINGS, activation, depth, "he", 200)
    assert sorted(seeds) == list(range(len(SETTINGS.activations) * len(SETTINGS.depths)))
