"""Each claim on whether initialization still matters can be refuted."""

from pathlib import Path

import pytest

from initlab.analysis.claims import decide
from initlab.runner.gallery import load

still_matters = load(Path(__file__).parents[2] / "experiments" / "still_matters.py")


@pytest.mark.parametrize(
    ("claim", "confirming", "refuting"),
    [
        (still_matters.NORMALIZED, 0.01, 0.3),
        (still_matters.ADAM, 0.01, 0.3),
        (still_matters.DEEP, 0.8, 0.1),
        (still_matters.FORGIVING, 0.02, 0.8),
    ],
)
def test_each_claim_can_be_confirmed_and_refuted(claim, confirming, refuting):
    assert decide(claim, [confirming] * 5).verdict == "confirmed"
    assert decide(claim, [refuting] * 5).verdict == "refuted"


def test_best_and_worst_are_taken_seed_by_seed():
    accuracies = {"he": [0.9, 0.5], "std=0.01": [0.1, 0.75]}
    assert still_matters.spread(accuracies) == pytest.approx([0.8, 0.25])
    assert still_matters.behind(accuracies, "std=0.01") == pytest.approx([0.8, 0.0])
