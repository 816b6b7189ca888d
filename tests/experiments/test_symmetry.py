"""Distinct units are counted over the whole training; the slides' formulas agree with the network."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import load

symmetry = load(Path(__file__).parents[2] / "experiments" / "symmetry.py")
SETTINGS = symmetry.exhibit.settings


def test_the_most_distinct_units_are_those_of_any_time(monkeypatch):
    units = np.ones((len(symmetry.starts(SETTINGS)), 5, 3))
    units[0] = [1, 3, 2]
    monkeypatch.setattr(symmetry, "trained", lambda *_: {"distinct_units": units})
    assert symmetry.most_distinct(SETTINGS, "zeros", "relu", 16).tolist() == [3] * 5


def test_networks_are_in_float64_and_tracked_through_the_training(monkeypatch):
    dtypes = []

    def train(schemes, **how):
        dtypes.append(how["dtype"])
        return symmetry_train(schemes, **how)

    symmetry_train = symmetry.train
    monkeypatch.setattr(symmetry, "train", train)
    arrays = symmetry.trained(SETTINGS.replace(steps=4, every=2, seeds=2), "tanh", 3)
    assert dtypes == ["float64"]

    assert arrays["distinct_units"][:2].tolist() == np.ones((2, 2, 3)).tolist()
    assert arrays["distinct_units"][-1].tolist() == np.full((2, 3), 3).tolist()


def test_a_wrong_formula_is_noticed(monkeypatch):
    backward = symmetry.Ensemble.backward
    monkeypatch.setattr(symmetry.Ensemble, "backward", lambda self, d: backward(self, 1.01 * d))
    assert symmetry.formula_error(0) > 1e-3
