"""Gradients in the inputs are those of finite differences; correlations are those of known vectors."""

from pathlib import Path

import numpy as np
import pytest

from initlab import initialize
from initlab.gallery.reproduce import load

balduzzi = load(Path(__file__).parents[2] / "experiments" / "balduzzi_2017.py")
SETTINGS = balduzzi.exhibit.settings.replace(width=12, networks=3, points=64)


def test_the_gradient_of_the_output_is_that_of_a_finite_difference():
    network = initialize([4, 8, 8, 1], ["he"], 0, "softplus", "float64")
    x, step = np.random.default_rng(0).standard_normal((5, 4)), 1e-6
    gradients = balduzzi.input_gradients(network, x)[0]
    for feature in range(4):
        moved = x + step * np.eye(4)[feature]
        slopes = (network.forward(moved)[0].copy() - network.forward(x)[0].copy())[:, 0] / step
        assert gradients[:, feature] == pytest.approx(slopes, abs=1e-5)


def test_unrelated_gradients_are_compared_with_all_but_themselves():
    assert balduzzi.unrelated(np.eye(3)) == 0
    assert balduzzi.unrelated(np.ones((3, 2))) == pytest.approx(1)


def test_a_looks_linear_network_has_one_gradient_and_one_of_he_has_many():
    for scheme, is_linear in (("mirror", True), ("he", False)):
        values = balduzzi.correlations(SETTINGS, scheme, 3)
        for each in (values["neighbours"], values["unrelated"]):
            assert np.allclose(each, 1) == is_linear
