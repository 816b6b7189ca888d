"""The claims about the book's histograms bite: another constant in a scheme refutes the claim about it."""

from dataclasses import replace
from pathlib import Path

import pytest

from initlab.gallery.claims import decide
from initlab.gallery.reproduce import load
from initlab.init.scheme import SCHEMES, Scheme

SCRIPT = Path(__file__).parents[2] / "experiments" / "book_activation_histograms.py"


@pytest.fixture
def verdict():
    """A function from a claim's name to its verdict, with fewer inputs than the book's."""
    exhibit = load(SCRIPT).exhibit
    claims = {claim.name: (claim, measure) for claim, measure in exhibit.claims}

    def decided(name):
        claim, measure = claims[name]
        return decide(claim, measure(exhibit.settings.replace(samples=300))).verdict

    return decided


def test_he_holds_the_level_of_relu(verdict):
    assert verdict("relu_he_holds") == "identity"


def test_he_with_1_8_in_place_of_2_is_refuted_and_xavier_is_not(verdict, monkeypatch):
    weaker = Scheme.parse("variance_scaling(scale=1.8)")
    changed = replace(
        SCHEMES["he"], draw=lambda rng, shape: weaker.draw(rng, shape), variance=weaker.variance
    )
    monkeypatch.setitem(SCHEMES, "he", changed)
    assert verdict("relu_he_holds") == "refuted"
    assert verdict("relu_xavier_fades") == "identity"
