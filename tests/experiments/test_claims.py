"""Every claim of every experiment can be refuted, and none is without source, measure and reason."""

import math
from pathlib import Path

import pytest

from initlab.analysis.claims import Claim, decide
from initlab.analysis.untrained import layer_panels
from initlab.nn.initializers import INITIALIZERS, Scheme
from initlab.runner.gallery import experiments, load

SCRIPTS = experiments(Path(__file__).parents[2] / "experiments")


def claims_of(module):
    """All that stand in the module, alone or in mappings."""
    for value in vars(module).values():
        yield from (value.values() if isinstance(value, dict) else [value])


CLAIMS = [
    pytest.param(claim, id=f"{name}-{claim.name}")
    for name, script in SCRIPTS.items()
    for claim in claims_of(load(script))
    if isinstance(claim, Claim)
]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_refuted_by_numbers_out_of_its_range_and_confirmed_by_numbers_in_it(claim):
    for end, outward in ((claim.low, -1), (claim.high, 1)):
        if math.isfinite(end):
            out = [end + outward * (1 + i / 10) for i in range(5)]
            assert decide(claim, out).verdict == "refuted"
    width = min(claim.high - claim.low, 1.0)
    inside = claim.low + width / 2 if math.isfinite(claim.low) else claim.high - width / 2
    assert decide(claim, [inside + width * i / 100 for i in range(5)]).verdict == "confirmed"
    astride = claim.low if math.isfinite(claim.low) else claim.high
    assert decide(claim, [astride - 0.01, astride + 0.01, astride, astride, astride]).verdict == "depends"


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_tells_what_it_is(claim):
    assert claim.statement
    assert claim.source
    assert claim.quantity
    assert claim.reason


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_experiment_tells_its_method(name):
    assert len(load(SCRIPTS[name]).__doc__) > 300


def test_he_with_1_8_in_place_of_2_is_refuted(monkeypatch):
    """A change of one constant in a scheme makes claims of the book's histograms fail."""
    book = load(SCRIPTS["book_activation_histograms"])

    def verdicts():
        found = {}

        class Collector:
            def claim(self, claim, measured):
                found[claim.name] = decide(claim, measured).verdict

        networks = [
            layer_panels(book.SCHEMES, list(book.TITLES), samples=300, seed=seed) for seed in range(20)
        ]
        book.decide_all(Collector(), networks)
        return found

    assert verdicts()["relu_he_holds"] == "confirmed"
    he, weaker = INITIALIZERS["he"], Scheme.parse("variance_scaling(scale=1.8)")
    changed = type(he)(
        "he",
        lambda rng, shape: weaker.draw(rng, shape),
        he.formula,
        he.source,
        lambda shape: weaker.variance(shape),
    )
    monkeypatch.setitem(INITIALIZERS, "he", changed)
    after = verdicts()
    assert after["relu_he_holds"] == "refuted"
    assert after["relu_xavier_fades"] == "confirmed"
