"""Claims are decided by intervals, and none is true by construction."""

import pytest

from initlab.errors import UsageError
from initlab.gallery.claims import Claim, decide

CLAIM = Claim(statement="It is about 1", quantity="it", low=0.6, high=1.5, otherwise="It is not")


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.9, 1.0, 1.1, 1.0, 1.0], "confirmed"),
        ([2.9, 3.0, 3.1, 3.0, 3.0], "refuted"),
        ([0.0, 0.1, 0.1, 0.0, 0.1], "refuted"),
        ([1.0, 2.0, 1.5, 1.2, 1.8], "undecided"),
        ({"a": [1.0] * 5, "b": [1.1] * 5}, "confirmed"),
        ({"a": [1.0] * 5, "b": [3.0] * 5}, "mixed"),
        ({"a": [4.0] * 5, "b": [3.0] * 5}, "refuted"),
        ({"a": [1.0] * 5, "b": [1, 2, 1, 2, 1.5]}, "undecided"),
        ({"a": [1.0] * 5, "b": [1, 2, 1, 2, 1.5], "c": [3.0] * 5}, "mixed"),
        ([True] * 5, "undecided"),
        ([True] * 20, "confirmed"),
    ],
)
def test_the_interval_decides(values, verdict):
    assert decide(CLAIM, values).verdict == verdict


@pytest.mark.parametrize(
    ("settings", "details"),
    [
        ({"tanh": 1.0, "relu": 3.0}, "holds for tanh; fails for relu"),
        ({"tanh": 1.0, "erf": 1.0, "relu": 3.0}, "holds for tanh and erf; fails for relu"),
        ({"after 10 steps": 1.0, "after 30 steps": 3.0}, "holds after 10 steps; fails after 30 steps"),
        ({"tanh": 1.0, "relu": 1.0}, ""),
    ],
)
def test_a_mixed_verdict_reads_as_a_sentence(settings, details):
    measured = {setting: [value] * 5 for setting, value in settings.items()}
    assert decide(CLAIM, measured).details == details


def test_the_heading_of_a_refuted_claim_is_what_is_true_instead():
    assert decide(CLAIM, [1.0] * 5).heading == "It is about 1"
    assert decide(CLAIM, [1.0, 2.0, 1.5, 1.2, 1.8]).heading == "Undecided: It is about 1"
    assert decide(CLAIM, [3.0] * 5).heading == "It is not"
    assert decide(Claim(statement="It is", quantity="", low=2), [1.0] * 5).heading == "Not confirmed: It is"


def test_half_a_range_is_open_upwards_or_downwards():
    assert decide(Claim(statement="", quantity="", low=2), [3.0] * 5).verdict == "confirmed"
    assert decide(Claim(statement="", quantity="", high=2), [3.0] * 5).verdict == "refuted"


def test_a_verdict_that_only_the_usual_interval_gives_is_not_firm():
    loose = decide(CLAIM, [0.9, 1.0, 1.1, 1.2, 0.8])
    assert loose.verdict == "confirmed"
    assert not loose.findings[0].is_firm
    assert decide(CLAIM, [0.99, 1.0, 1.01, 1.0, 1.0]).findings[0].is_firm


def test_an_undecided_claim_says_where_it_was_decided():
    outcome = decide(CLAIM, {"after 10 steps": [1.0] * 5, "after 30 steps": [1, 2, 1, 2, 1.5]})
    assert (outcome.verdict, outcome.details) == (
        "undecided",
        "holds after 10 steps; is undecided after 30 steps",
    )


def test_a_ratio_is_decided_by_its_logarithm():
    ratios = [0.4, 2.5, 1.0, 0.9, 1.1]
    claim = Claim(statement="", quantity="", low=0.0, high=1.9, is_ratio=True)
    finding = decide(claim, ratios).findings[0]
    assert finding.interval.low > 0
    assert finding.interval.mean == pytest.approx(0.998, abs=0.001)
    with pytest.raises(UsageError, match="above 0"):
        decide(claim, [*ratios, 0.0])


def test_numbers_without_spread_are_exact_but_trials_are_not():
    assert decide(CLAIM, [1.0] * 5).findings[0].is_exact
    assert not decide(CLAIM, [True] * 5).findings[0].is_exact


def test_an_identity_that_does_not_hold_is_refuted():
    claim = Claim(statement="It is", quantity="it", low=0.5, is_identity=True)
    assert decide(claim, [1.0] * 5).verdict == "identity"
    assert decide(claim, [0.0] * 5).verdict == "refuted"


@pytest.mark.parametrize("values", [[1.0] * 4, [1.0, 1.0, 1.0, 1.0, float("nan")]])
def test_too_few_or_no_numbers_decide_nothing(values):
    with pytest.raises(UsageError, match="5 finite numbers or more"):
        decide(CLAIM, values)


@pytest.mark.parametrize(("low", "high"), [(2, 1), (1, 1), (-float("inf"), float("inf"))])
def test_a_claim_that_cannot_be_false_is_none(low, high):
    with pytest.raises(UsageError, match="needs a range"):
        Claim(statement="", quantity="", low=low, high=high)
