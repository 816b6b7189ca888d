"""The rate that is chosen, and the gradients where the network is wrong."""

from pathlib import Path

import numpy as np
import pytest

from initlab.gallery.reproduce import load

squared_error = load(Path(__file__).parents[2] / "experiments" / "squared_error.py")
SETTINGS = squared_error.exhibit.settings


def test_the_claims_compare_networks_of_the_figure():
    settings = SETTINGS.replace(width=10, entropy_rates=(0.001, 0.3), seeds=2)
    arguments = (settings, "Xavier", squared_error.ENTROPY, 20)
    best, each = squared_error.at_best_rate(*arguments), squared_error.at_each_rate(*arguments)
    assert best["rate"] == 0.3
    assert best["accuracy"].tolist() == each["accuracy"][1].tolist()


def test_the_gradient_of_cross_entropy_does_not_fade():
    assert squared_error.faded(SETTINGS, "cross_entropy", 0, np.median) > 1


def test_steepness_is_that_of_cross_entropy_over_the_other(monkeypatch):
    sizes = {"cross_entropy": np.full(9, 6.0), "squared_error": np.full(9, 2.0)}
    monkeypatch.setattr(squared_error, "gradients", lambda _s, loss, _seed: {"std=1": sizes[loss]})
    assert squared_error.steepness(SETTINGS, squared_error.SQUARED[0], "std=1", 0) == pytest.approx(3)
