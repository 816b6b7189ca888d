"""The numbers of large arrays: float32 where it is enough, float64 where it is not."""

import numpy as np
import pytest

from initlab.frameworks.arrays import difference, gradient_square, mean_square, unit_numbers
from initlab.measure.layers import dissimilarity

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-20, 1e20, 1e-44, 0.0])
def test_mean_squares_neither_overflow_nor_vanish(scale):
    values = (RNG.standard_normal((64, 8, 10)) * scale).astype(np.float32)
    assert mean_square(values) == pytest.approx(np.square(values, dtype=np.float64).mean(), rel=1e-5, abs=0)


@pytest.mark.parametrize("shift", [0, 3, 1e3, 1e6])
@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e25, 0.0])
def test_differences_are_those_of_float64(shift, scale):
    """Also of vectors that are almost alike, where the fast formula cancels."""
    values = ((RNG.standard_normal((64, 8, 10)) + shift) * scale).astype(np.float32)
    exact = dissimilarity(values.reshape(64, -1).astype(np.float64))
    assert difference(values, 64) == pytest.approx(exact, rel=1e-4, abs=0)


def test_vectors_of_which_one_is_0_or_not_finite():
    values = RNG.standard_normal((20, 30)).astype(np.float32)
    values[3] = 0
    assert difference(values, 20) == pytest.approx(dissimilarity(values.astype(np.float64)))
    values[3, 4] = np.inf
    assert np.isnan(difference(values, 20))


@pytest.mark.parametrize("axis", [1, -1])
def test_gradients_are_summed_over_positions(axis):
    gradient = RNG.standard_normal((16, 5, 7, 7)) + 1
    together = np.square(gradient.sum(axis=(2, 3))).sum()
    placed = np.moveaxis(gradient, 1, axis).astype(np.float32)
    assert gradient_square(placed, axis, 16) == pytest.approx(together, rel=1e-5)
    assert gradient_square((placed - 1).astype(np.float32), axis, 16) >= np.square(gradient - 1).sum() * 0.999


@pytest.mark.parametrize("axis", [1, -1])
def test_units_are_counted_along_their_axis(axis):
    """Of 6 channels one is dead, two are equal, and one of those up to its sign."""
    z = RNG.standard_normal((40, 6, 9, 9)).astype(np.float32)
    z[:, 1], z[:, 2], z[:, 3] = -1 - np.abs(z[:, 1]), z[:, 4], -z[:, 4]
    z = np.moveaxis(z, 1, axis)
    assert unit_numbers("relu", z, (z > 0) * 1.0, axis) == {"dead": 1 / 6, "saturated": 0, "distinct": 5 / 6}
    slopes = 1 - np.tanh(z) ** 2
    found = unit_numbers("tanh", z, slopes, axis)
    assert (found["dead"], found["distinct"]) == (0, 4 / 6)
    assert found["saturated"] == pytest.approx((slopes < 0.05).mean())
