"""Values of a sweep in short: `range(10)`, `linspace(0.5, 3, 11)`, `logspace(-3, 0, 13)` -> lists."""

import re
from typing import Any

import numpy as np

from initlab.errors import UsageError, require, shortened
from initlab.runner.yaml_text import read_scalar

MOST_RUNS = 100_000  # of an experiment; more is a slip of the pen, and listing them alone would take minutes
_LARGEST = 1e18
LIST_OR_RANGE = "a list or a range, as [1, 2], range(10) or linspace(0, 1, 5)"
_SIGNATURES = {
    "range": "range(stop), range(start, stop) or range(start, stop, step), of whole numbers",
    "linspace": "linspace(first, last, count)",
    "logspace": "logspace(first exponent, last exponent, count), of powers of ten",
}


def read_range(text: str) -> list[Any] | None:
    """The values that a text stands for; None for a text that is no range.

    As in Python and NumPy, `range` leaves its end out, `linspace` and `logspace` have both ends, and the ends
    of `logspace` are exponents of ten. Numbers have six digits, so that a value can be typed again.

    Args:
        text: as in a config.

    Raises:
        UsageError: for other arguments than the function takes, or for more values than a sweep may have.

    >>> read_range("range(3)"), read_range("linspace(0.5, 3, 6)"), read_range("logspace(-3, 0, 4)")
    ([0, 1, 2], [0.5, 1.0, 1.5, 2.0, 2.5, 3.0], [0.001, 0.01, 0.1, 1.0])
    >>> read_range("he")
    """
    if re.fullmatch(r"\s*(range|linspace|logspace)\s*\([^()]*", text):  # YAML has cut it at its comma
        raise UsageError(f"{shortened(text)}: within {{...}} or [...] a range stands in quotes")
    call = re.fullmatch(r"\s*(\w+)\s*\(([^()]*)\)\s*", text)
    if call is None or call[1] not in _SIGNATURES:
        return None
    name, numbers = call[1], [read_scalar(part.strip()) for part in call[2].split(",")]
    wrong = f"{shortened(text)}: write {_SIGNATURES[name]}"
    require(all(type(number) in (int, float) and abs(number) < _LARGEST for number in numbers), wrong)
    if name == "range":
        require(len(numbers) <= 3 and all(type(number) is int for number in numbers), wrong)
        return _whole_numbers(text, numbers)
    require(len(numbers) == 3 and type(numbers[2]) is int and numbers[2] >= 1, wrong)
    return _spaced(text, name, *numbers)


def _whole_numbers(text: str, ends: list[int]) -> list[int]:
    require(len(ends) < 3 or ends[2] != 0, f"{shortened(text)}: the step must not be 0")
    values = range(*ends)
    _check_count(text, len(values))
    return list(values)


def _spaced(text: str, name: str, first: float, last: float, count: int) -> list[float]:
    _check_count(text, count)
    values = np.linspace(first, last, count)
    with np.errstate(over="ignore"):
        values = 10.0**values if name == "logspace" else values
    require(bool(np.isfinite(values).all()), f"{shortened(text)}: its values are not all finite")
    return [float(f"{value:.6g}") for value in values]


def _check_count(text: str, count: int) -> None:
    if not 1 <= count <= MOST_RUNS:
        raise UsageError(f"{shortened(text)}: {count:,} values; a sweep has 1 to {MOST_RUNS:,}")
