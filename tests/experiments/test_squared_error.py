"""Each claim about losses and optimizers can be refuted, and the best rate is that of the mean."""

from pathlib import Path

import numpy as np
import pytest

from initlab.analysis.claims import decide
from initlab.runner.gallery import load

squared_error = load(Path(__file__).parents[2] / "experiments" / "squared_error.py")


@pytest.mark.parametrize(
    ("claim", "confirming", "refuting"),
    [
        (squared_error.FASTER, 0.1, 0.0),
        (squared_error.OPTIMIZER, 0.1, -0.1),
        (squared_error.FADES, 0.1, 1.5),
    ],
)
def test_each_claim_can_be_confirmed_and_refuted(claim, confirming, refuting):
    assert decide(claim, [confirming] * 5).verdict == "confirmed"
    assert decide(claim, [refuting] * 5).verdict == "refuted"


def test_the_best_rate_is_chosen_by_the_mean_over_seeds():
    assert squared_error.best(np.array([[0.9, 0.1], [0.6, 0.6], [0.0, 0.0]])).tolist() == [0.6, 0.6]


def test_the_gradient_of_cross_entropy_does_not_fade():
    assert squared_error.faded("cross_entropy", 0, np.median) > 1
