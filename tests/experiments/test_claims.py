"""Every claim of every experiment can be refuted, and no page holds a number twice."""

import ast
import math
import re
from pathlib import Path

import pytest

from initlab.gallery.claims import decide
from initlab.gallery.pages import read_exhibits
from initlab.gallery.reproduce import experiments, load

ROOT = Path(__file__).parents[2]
SCRIPTS = experiments(ROOT / "experiments")
EXHIBITS = {name: load(script).exhibit for name, script in SCRIPTS.items()}
CLAIMS = [
    pytest.param(claim, id=f"{name}-{claim.name}")
    for name, exhibit in EXHIBITS.items()
    for claim, _ in exhibit.claims
]
COMMITTED = read_exhibits(ROOT / "results")


def test_there_are_as_many_experiments_and_claims_as_ever():
    assert len(EXHIBITS) >= 21
    assert len(CLAIMS) >= 99


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_refuted_by_numbers_out_of_its_range_and_confirmed_by_numbers_in_it(claim):
    for end, outward in ((claim.low, -1), (claim.high, 1)):
        if math.isfinite(end):
            outside = [end + outward * (1 + i / 10) for i in range(5)]
            assert decide(claim, outside).verdict == "refuted"
    width = min(claim.high - claim.low, 1.0)
    inside = claim.low + width / 2 if math.isfinite(claim.low) else claim.high - width / 2
    verdict = "identity" if claim.is_identity else "confirmed"
    assert decide(claim, [inside + width * i / 100 for i in range(5)]).verdict == verdict
    astride = claim.low if math.isfinite(claim.low) else claim.high
    assert decide(claim, [astride - 0.01, astride + 0.01, astride, astride, astride]).verdict == "undecided"


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_says_what_it_is(claim):
    assert all((claim.statement, claim.source, claim.quantity, claim.reason))


@pytest.mark.parametrize("name", EXHIBITS)
def test_an_experiment_describes_its_method_and_its_finding(name):
    assert len(EXHIBITS[name].about) > 300
    assert 30 < len(EXHIBITS[name].finding) < 200


def texts_of(exhibit):
    """All prose of a page, as it stands in the script."""
    yield exhibit.about
    yield exhibit.finding
    yield from (picture.caption for picture in exhibit.pictures)
    for claim, _ in exhibit.claims:
        yield from (claim.statement, claim.quantity, claim.otherwise, claim.lesson)


def numbers_of(value):
    if isinstance(value, tuple | list):
        return {number for part in value for number in numbers_of(part)}
    return {float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else set()


@pytest.mark.parametrize("name", EXHIBITS)
def test_no_number_of_the_prose_is_one_that_a_setting_holds(name):
    """But for 0, 1 and 2, names of schemes, percentages, the paper's own sizes, and places in a text."""
    exhibit = EXHIBITS[name]
    settings = {number for _, value in exhibit.settings.items() for number in numbers_of(value)} - {0, 1, 2}
    places = r"(?:sections?|figures?|eq\.|equations?|tables?|theorem|algorithm|chapter|and|to) [\d.]+"
    allowed = rf"{places}|\{{[^}}]*\}}|std=[\d.]+|[\d.]+ %|(?:the|The) paper[:'][^).;]*|ln 10"
    for text in texts_of(exhibit):
        prose = re.sub(allowed, "", text)
        written = {
            float(number.replace(",", "")) for number in re.findall(r"(?<![\w.^])\d[\d,]*\.?\d*", prose)
        }
        assert not written & settings, (text, written & settings)


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_experiment_trains_by_the_one_training_loop(name):
    tree = ast.parse(SCRIPTS[name].read_text())
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {"train_step", "Optimizer"}


def test_every_experiment_is_committed_with_these_claims():
    for name, exhibit in EXHIBITS.items():
        assert [claim["name"] for claim in COMMITTED[name]["claims"]] == [c.name for c, _ in exhibit.claims]


def test_a_refuted_claim_is_headed_by_what_is_true_instead():
    for exhibit in COMMITTED.values():
        for claim in exhibit["claims"]:
            if claim["verdict"] == "refuted":
                assert claim["heading"] == claim["otherwise"] != ""
