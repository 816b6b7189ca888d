"""Learning curves against their definitions."""

import numpy as np
import pytest

from initlab.training.curves import final_loss, smooth, steps_to_reach


def test_smoothing_is_the_weighted_mean_of_eleven():
    losses = np.random.default_rng(0).standard_normal(50)
    window = np.kaiser(11, 2)
    expected = (losses[15:26] * window).sum() / window.sum()
    assert smooth(losses)[20] == pytest.approx(expected)
    assert len(smooth(losses)) == 50


@pytest.mark.parametrize("length", range(0, 14))
def test_short_histories_stay_as_long_as_they_are(length):
    assert smooth(np.ones(length)) == pytest.approx(np.ones(length))


def test_the_final_loss_is_the_mean_of_the_last_hundred():
    assert final_loss(np.arange(500.0)) == pytest.approx(449.5)
    assert final_loss(np.arange(40.0)) == pytest.approx(34.5)
    assert final_loss(np.array([3.0])) == 3.0


def test_steps_to_reach_a_level():
    assert steps_to_reach(np.ones(30), 0.5) is None
    assert steps_to_reach(np.zeros(30), 0.5) == 0
