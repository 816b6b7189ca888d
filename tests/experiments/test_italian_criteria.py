"""Each claim about the Italian article's criteria can be refuted; its numbers are what they are called."""

from pathlib import Path

import numpy as np
import pytest

from initlab.analysis.claims import decide
from initlab.analysis.measure import LayerStatistics
from initlab.nn.activations import get_activation
from initlab.runner.gallery import load

italian = load(Path(__file__).parents[2] / "experiments" / "italian_criteria.py")


@pytest.mark.parametrize(
    ("claim", "confirming", "refuting"),
    [
        (italian.VALID, 0.2, 7.0),
        (italian.RANDOM_FAILS, 1e6, 2.0),
        (italian.MEAN, 0.1, 1.0),
        (italian.LEVEL, 1.5, 40.0),
        (italian.LOSS, 0.5, 1.2),
    ],
)
def test_each_claim_can_be_confirmed_and_refuted(claim, confirming, refuting):
    assert decide(claim, [confirming] * 5).verdict == "confirmed"
    assert decide(claim, [refuting] * 5).verdict == "refuted"


def _layer(activations, gradient):
    a = np.array(activations)
    return LayerStatistics(1, get_activation("relu"), a, a, np.eye(2), np.full(a.shape, gradient))


def test_numbers_are_taken_over_layers():
    layers = [_layer([[1.0, 1.0], [3.0, 3.0]], 0.1), _layer([[2.0, 2.0], [6.0, 6.0]], 1.0)]
    assert italian.gradient_ratio(layers) == pytest.approx(100)
    assert italian.variance_ratio(layers) == pytest.approx(4)
    assert italian.mean_size(layers) == pytest.approx(2)
    assert italian.worst(layers) == pytest.approx(100 / italian.FAR)
