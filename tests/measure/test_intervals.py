"""Intervals over seeds, against SciPy and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from initlab.measure.intervals import finite_or_none, mean_interval


def test_the_interval_is_scipys():
    values = [2.1, 2.9, 3.3, 1.7, 2.5]
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    interval = mean_interval(values)
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_the_interval_covers_the_mean_as_often_as_it_claims():
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(7, 2, 5)) for _ in range(4000)]
    covering = [interval.low <= 7 <= interval.high for interval in intervals]
    assert np.mean(covering) == pytest.approx(0.95, abs=0.014)


def test_one_value_shows_no_spread():
    assert (mean_interval([3.0]).low, mean_interval([3.0]).half_width) == (3.0, 0.0)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_becomes_none(number):
    assert finite_or_none(number) is None
