"""Singular values of Jacobians, against differences and random-matrix theory."""

import numpy as np
import pytest

from initlab.init.networks import initialize
from initlab.measure.jacobian import jacobian_singular_values

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_the_jacobian_is_that_of_differences(activation):
    network = initialize([5, 7, 4, 2], ["he", "xavier"], 0, activation, "float64")
    x, step = RNG.standard_normal((1, 5)), 1e-6
    ends = []
    for sign in (1, -1):
        network.forward(x + sign * step * np.eye(5))
        ends.append(network.activations[-1].copy())
    expected = np.linalg.svd((ends[0] - ends[1]) / (2 * step), compute_uv=False)
    np.testing.assert_allclose(jacobian_singular_values(network, x)[:, 0], expected, rtol=1e-6)


def test_linear_networks_stretch_as_random_matrices_do():
    """The mean squared singular value of a square linear LeCun network is 1 at any depth."""
    network = initialize([200] * 4 + [1], ["lecun"], 0, "identity", "float64")
    squares = jacobian_singular_values(network, np.zeros((1, 200))) ** 2
    assert squares.mean() == pytest.approx(1, abs=0.1)
    assert squares.var() == pytest.approx(3, rel=0.25)
