"""Distinct units are counted over the whole training; the escape is timed; the slides' formulas are right."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import load

symmetry = load(Path(__file__).parents[2] / "experiments" / "symmetry.py")
SETTINGS = symmetry.exhibit.settings


def test_the_most_distinct_units_are_those_of_any_time_until_the_budget():
    distinct = np.array([[1, 3, 2, 9]])
    assert symmetry.most_distinct(distinct, 20, 10).tolist() == [3]
    assert symmetry.most_distinct(distinct, 30, 10).tolist() == [9]


def test_networks_are_in_float64_and_tracked_through_the_training(monkeypatch):
    dtypes = []

    def train(schemes, *data, **how):
        dtypes.append(how["dtype"])
        return symmetry_train(schemes, *data, **how)

    symmetry_train = symmetry.train
    monkeypatch.setattr(symmetry, "train", train)
    settings = SETTINGS.replace(steps=(2, 4), every=2, seeds=2)
    arrays = symmetry.trained(settings, "tanh", ("zeros", "Xavier"), 3)
    assert dtypes == ["float64"]
    assert arrays["distinct_units"].tolist() == [[[1] * 3] * 2, [[3] * 3] * 2]


def test_a_network_is_freed_at_the_first_step_above_the_level():
    accuracies = np.array([[0.1, 0.6, 0.4, 0.9], [0.1, 0.2, 0.3, 0.5]])
    assert symmetry.first_step(accuracies, 0.5, 10).tolist() == [10, np.inf]


def test_later_decades_are_compared_with_earlier_ones():
    linear, accelerating = np.arange(5.0)[:, None], 2.0 ** np.arange(5)[:, None]
    assert symmetry.later_over_earlier(linear).tolist() == [1]
    assert symmetry.later_over_earlier(accelerating).tolist() == [4]
    assert symmetry.later_over_earlier(np.r_[[[-9.0]], linear]).tolist() == [1]


def test_a_wrong_formula_is_noticed(monkeypatch):
    backward = symmetry.Ensemble.backward
    monkeypatch.setattr(symmetry.Ensemble, "backward", lambda self, d: backward(self, 1.01 * d))
    assert symmetry.formula_error(0) > 1e-3
