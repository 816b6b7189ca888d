"""Claims are decided by intervals, and none is true by construction."""

import pytest

from initlab.analysis.claims import Claim, decide
from initlab.errors import UsageError

CLAIM = Claim("one", "It is about 1", "nobody", "it", "half to either side", low=0.5, high=1.5)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.9, 1.0, 1.1, 1.0, 1.0], "confirmed"),
        ([2.9, 3.0, 3.1, 3.0, 3.0], "refuted"),
        ([0.0, 0.1, 0.1, 0.0, 0.1], "refuted"),
        ([1.0, 2.0, 1.5, 1.2, 1.8], "depends"),
        ({"a": [1.0] * 5, "b": [1.1] * 5}, "confirmed"),
        ({"a": [1.0] * 5, "b": [3.0] * 5}, "depends"),
        ({"a": [4.0] * 5, "b": [3.0] * 5}, "refuted"),
        ({"a": [1.0] * 5, "b": [1, 2, 1, 2, 1.5]}, "depends"),
    ],
)
def test_the_interval_decides(values, verdict):
    assert decide(CLAIM, values).verdict == verdict


def test_what_it_depends_on_is_told():
    assert decide(CLAIM, {"a": [1.0] * 5, "b": [3.0] * 5}).depends_on == "confirmed for a; refuted for b"
    assert "across an end" in decide(CLAIM, [1.0, 2.0, 1.5, 1.2, 1.8]).depends_on


def test_half_a_range_is_open_upwards_or_downwards():
    assert decide(Claim("x", "", "", "", "", low=2), [3.0] * 5).verdict == "confirmed"
    assert decide(Claim("x", "", "", "", "", high=2), [3.0] * 5).verdict == "refuted"


@pytest.mark.parametrize("values", [[1.0] * 4, [1.0, 1.0, 1.0, 1.0, float("nan")]])
def test_too_few_or_no_numbers_decide_nothing(values):
    with pytest.raises(UsageError, match="5 finite numbers or more"):
        decide(CLAIM, values)


@pytest.mark.parametrize(("low", "high"), [(2, 1), (1, 1), (-float("inf"), float("inf"))])
def test_a_claim_that_cannot_be_false_is_none(low, high):
    with pytest.raises(UsageError, match="needs a range"):
        Claim("x", "", "", "", "", low=low, high=high)
