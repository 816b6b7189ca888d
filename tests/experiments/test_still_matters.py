"""What the claims measure: best and worst scheme of each seed; where a diverged network counts."""

from pathlib import Path

import numpy as np
import pytest

from initlab import open_dataset
from initlab.gallery.reproduce import load

still_matters = load(Path(__file__).parents[2] / "experiments" / "still_matters.py")
SETTINGS = still_matters.exhibit.settings


def test_best_and_worst_are_taken_seed_by_seed():
    accuracies = {"he": np.array([0.9, 0.5]), "std=0.01": np.array([0.1, 0.75])}
    assert still_matters.spread(accuracies) == pytest.approx([0.8, 0.25])


def test_a_diverged_network_counts_as_giving_every_image_the_first_class():
    assert (open_dataset("mnist").test_labels == 0).mean() == pytest.approx(SETTINGS.diverged)


def test_a_network_that_diverges_is_counted():
    settings = SETTINGS.replace(rate=1e30, width=5, batch_size=10)
    accuracies = still_matters.trained(settings, 2, "relu", False, 3)
    assert accuracies["he"].tolist() == [SETTINGS.diverged] * 5


def test_other_algorithms_are_compared_with_gradient_descent(monkeypatch):
    accuracies = {"sgd": np.full(5, 0.2), "rmsprop": np.full(5, 0.9), "adam": np.full(5, 0.1)}
    monkeypatch.setattr(still_matters, "from_small", lambda _s, _name, o, _steps: {"accuracy": accuracies[o]})
    gains = still_matters.other_algorithm_rescues(SETTINGS, 200)
    assert gains["tanh layers with RMSProp"] == pytest.approx(0.7)
    assert gains["relu layers with Adam"] == pytest.approx(-0.1)
