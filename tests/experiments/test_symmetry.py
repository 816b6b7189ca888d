"""Each claim about symmetry can be refuted, and the slides' formulas are held against back-propagation."""

from pathlib import Path

import pytest

from initlab.analysis.claims import decide
from initlab.runner.gallery import load

symmetry = load(Path(__file__).parents[2] / "experiments" / "symmetry.py")


@pytest.mark.parametrize(
    ("claim", "confirming", "refuting"),
    [
        (symmetry.STAY, 1, 2),
        (symmetry.NOTHING, 0.1135, 0.2),
        (symmetry.NOISE, 0.5, 0.01),
        (symmetry.OUTPUT, 0.0, -0.1),
        (symmetry.FORMULAS, 1e-16, 0.2),
    ],
)
def test_each_claim_can_be_confirmed_and_refuted(claim, confirming, refuting):
    assert decide(claim, [confirming] * 5).verdict == "confirmed"
    assert decide(claim, [refuting] * 5).verdict == "refuted"


def test_the_most_distinct_units_are_those_of_any_time():
    rows = [
        {"activation": "relu", "start": "zeros", "seed": seed, "step": step, "distinct_units": units}
        for seed in symmetry.SEEDS
        for step, units in enumerate((1, 3, 2))
    ]
    assert symmetry.most_distinct(rows, "relu", "zeros") == [3] * 5


def test_a_wrong_formula_would_be_seen(monkeypatch):
    backward = symmetry.Ensemble.backward
    monkeypatch.setattr(symmetry.Ensemble, "backward", lambda self, d: backward(self, 1.01 * d))
    assert symmetry.formula_error(0) > 1e-3
