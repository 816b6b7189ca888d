"""A difference between the two forms is counted in standard deviations between seeds."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import load

uniform_or_normal = load(Path(__file__).parents[2] / "experiments" / "uniform_or_normal.py")
SETTINGS = uniform_or_normal.exhibit.settings


def test_a_shift_by_one_standard_deviation_is_a_difference_of_one(monkeypatch):
    normal = np.array([1.0, 2.0, 3.0])
    monkeypatch.setattr(uniform_or_normal, "both_forms", lambda *_: {"he": normal, "he_uniform": normal + 1})
    assert uniform_or_normal.difference(SETTINGS, "He, ReLU", 3, 100).tolist() == [1, 1, 1]


def test_a_network_that_diverged_has_learnt_nothing():
    losses = np.full((1, SETTINGS.last), np.nan)
    assert uniform_or_normal.final(SETTINGS, losses).tolist() == [10]
