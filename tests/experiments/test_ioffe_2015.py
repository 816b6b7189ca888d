"""Each claim about Batch Normalization can be refuted, and its numbers are what they are called."""

from pathlib import Path

import numpy as np
import pytest

from initlab.analysis.claims import decide
from initlab.runner.gallery import load

ioffe = load(Path(__file__).parents[2] / "experiments" / "ioffe_2015.py")


@pytest.mark.parametrize(
    ("claim", "confirming", "refuting"), [(ioffe.SOONER, 0.1, 0.9), (ioffe.STEADY, 0.3, 2)]
)
def test_each_claim_can_be_confirmed_and_refuted(claim, confirming, refuting):
    assert decide(claim, [confirming] * 5).verdict == "confirmed"
    assert decide(claim, [refuting] * 5).verdict == "refuted"


def test_what_is_never_reached_counts_as_the_last_step():
    accuracies = np.array([[0.1, 0.1], [0.85, 0.2], [0.7, 0.3]])
    assert ioffe.steps_to(accuracies, 0.8).tolist() == [50, 100]


def test_drift_is_movement_in_time_and_not_spread():
    still = np.tile(np.array([-1.0, 0.0, 1.0])[None, None, :, None], (4, 1, 1, 2))
    moving = still + np.array([0.0, 2.0, 0.0, 2.0])[:, None, None, None]
    assert ioffe.drift(still).tolist() == [0]
    assert ioffe.drift(moving).tolist() == [1]
    assert ioffe.relative_drift(moving).tolist() == [0.5]
