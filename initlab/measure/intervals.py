"""Numbers over seeds: a few values -> their mean and a confidence interval; numbers that are none -> None.

Three kinds: a mean (Student), a ratio (Student on the logarithms), a proportion (Wilson).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its confidence interval.

    Attributes:
        mean: of the values.
        low, high: the interval's ends; equal to the mean for a single value, which shows no spread.
        count: how many values there were.
    """

    mean: float
    low: float
    high: float
    count: int

    @property
    def half_width(self) -> float:
        """The number behind the plus-minus sign."""
        return (self.high - self.low) / 2


def mean_interval(values: Sequence[float] | NDArray[Any], confidence: float = 0.95) -> Interval:
    """Student's interval `mean +- t s / sqrt(n)`, with t of n - 1 degrees of freedom (Student 1908).

    It is exact for normal values. For few seeds it is wide: for five of them, t is 2.78 at 95 %.

    Args:
        values: at least one finite number.
        confidence: the fraction of such intervals that hold the true mean.

    >>> interval = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> round(interval.mean, 3), round(interval.half_width, 3)
    (3.0, 1.963)
    """
    from scipy.special import stdtrit

    count, mean = len(values), float(np.mean(values))
    if count == 1:
        return Interval(mean=mean, low=mean, high=mean, count=count)
    quantile = float(stdtrit(count - 1, (1 + confidence) / 2))
    half = quantile * float(np.std(values, ddof=1)) / count**0.5
    return Interval(mean=mean, low=mean - half, high=mean + half, count=count)


def ratio_interval(values: Sequence[float] | NDArray[Any], confidence: float = 0.95) -> Interval:
    """Student's interval of the mean logarithm, back as ratios around the geometric mean.

    A ratio of 1/2 is as far from 1 as a ratio of 2, and no interval of ratios reaches 0.

    Args:
        values: at least one finite number above 0.
        confidence: as for `mean_interval`.

    >>> interval = ratio_interval([0.5, 2.0, 1.0, 1.0, 1.0])
    >>> round(interval.mean, 3), round(interval.low * interval.high, 3)
    (1.0, 1.0)
    """
    logs = mean_interval(np.log(np.asarray(values, float)), confidence)
    mean, low, high = (math.exp(number) for number in (logs.mean, logs.low, logs.high))
    return Interval(mean=mean, low=low, high=high, count=logs.count)


def proportion_interval(successes: Sequence[bool] | NDArray[Any], confidence: float = 0.95) -> Interval:
    """Wilson's interval of a probability, from independent trials (Wilson 1927, equation 4).

    With p successes of n trials and the normal quantile z it is
    `(p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`. It stays within 0 and 1, and five
    successes of five do not make it narrow.

    Args:
        successes: of each trial, whether it succeeded; at least one trial.
        confidence: as for `mean_interval`.

    >>> interval = proportion_interval([True] * 5)
    >>> interval.mean, round(interval.low, 3), interval.high
    (1.0, 0.566, 1.0)
    """
    from scipy.special import ndtri

    n, p = len(successes), float(np.mean(successes))
    z = float(ndtri((1 + confidence) / 2))
    middle, scale = p + z**2 / (2 * n), 1 + z**2 / n
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # The ends 0 and 1 are exact; rounding would leave 1e-17.
    low = (middle - half) / scale if p > 0 else 0.0
    high = (middle + half) / scale if p < 1 else 1.0
    return Interval(mean=p, low=low, high=high, count=n)


def finite_or_none(number: float | None) -> float | None:
    """The number as a Python float; None if it is infinite or nan, which JSON and tables cannot hold.

    >>> finite_or_none(0.5), finite_or_none(math.inf), finite_or_none(None)
    (0.5, None, None)
    """
    return float(number) if number is not None and math.isfinite(number) else None
