"""Intervals over seeds, against SciPy and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from initlab.measure.intervals import finite_or_none, mean_interval, proportion_interval, ratio_interval


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


def test_the_interval_of_ratios_is_scipys_on_logarithms():
    values = np.array([0.2, 1.5, 0.9, 3.0, 0.6])
    low, high = np.exp(stats.t.interval(0.95, 4, np.log(values).mean(), stats.sem(np.log(values))))
    interval = ratio_interval(values)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert interval.mean == pytest.approx(stats.gmean(values))


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (3, 7), (40, 50)])
def test_the_interval_of_a_proportion_is_scipys(successes, trials):
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    interval = proportion_interval([i < successes for i in range(trials)])
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.mean == successes / trials


def test_one_value_shows_no_spread():
    assert (mean_interval([3.0]).low, mean_interval([3.0]).half_width) == (3.0, 0.0)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_becomes_none(number):
    assert finite_or_none(number) is None
