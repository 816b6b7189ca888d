"""The rate that is chosen, and the gradient of cross-entropy where the network is wrong."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import load

squared_error = load(Path(__file__).parents[2] / "experiments" / "squared_error.py")
SETTINGS = squared_error.exhibit.settings


def test_the_claims_compare_networks_of_the_figure():
    settings = SETTINGS.replace(width=10, steps=20, rates=(0.001, 0.3), seeds=2)
    arrays = squared_error.trained(settings, "Xavier", squared_error.ENTROPY)
    assert arrays["rate"] == 0.3
    assert arrays["best"].tolist() == arrays["each"][1].tolist()


def test_the_gradient_of_cross_entropy_does_not_fade():
    assert squared_error.faded(SETTINGS, "cross_entropy", 0, np.median) > 1
