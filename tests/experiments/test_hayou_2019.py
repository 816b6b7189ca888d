"""The ReLU correlation map in closed form, and the constant of tanh."""

from pathlib import Path

import pytest

from initlab import critical_sigma_w2, phase
from initlab.gallery.reproduce import experiments, load
from initlab.theory.mean_field import correlation_map

hayou = load(experiments(Path(__file__).parents[2] / "experiments")["hayou_2019"])


@pytest.mark.parametrize("c", [0.0, 0.3, 0.9])
def test_the_relu_map_is_that_of_mean_field_theory(c):
    assert hayou.relu_map(c) == pytest.approx(correlation_map("relu", c, 1.0, 2.0), abs=1e-8)


def test_beta_is_twice_the_inverse_curvature_of_the_correlation_map_at_1():
    s = hayou.exhibit.quick
    sigma_w2 = critical_sigma_w2("tanh", s.sigma_b2)
    q, gap = phase("tanh", sigma_w2, s.sigma_b2).q, 1e-2
    after = [correlation_map("tanh", 1 - k * gap, q, sigma_w2, s.sigma_b2) for k in (0, 1, 2)]
    curvature = (after[0] - 2 * after[1] + after[2]) / gap**2
    assert hayou.beta(s) == pytest.approx(2 / curvature, rel=0.05)
