"""Every claim of every experiment can be refuted, and no page holds a number twice."""

import ast
import inspect
import math
import re
from pathlib import Path

import pytest

from initlab.gallery.claims import decide
from initlab.gallery.kept import code_of
from initlab.gallery.pages import read_exhibits
from initlab.gallery.reproduce import experiments, load
from initlab.gallery.sources import read_sources

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
    assert len(EXHIBITS) >= 40
    assert sum(not claim.values[0].is_identity for claim in CLAIMS) >= 140


def at(claim, end, distances):
    """Numbers at distances above an end of a claim's range; for ratios, as logarithms."""
    return [end * math.exp(d) if claim.is_ratio else end + d for d in distances]


def span(claim):
    """A distance that fits into the range."""
    low, high = (math.log(end) if claim.is_ratio and end > 0 else end for end in (claim.low, claim.high))
    return min(high - low, 1.0)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_refuted_by_numbers_out_of_its_range_and_confirmed_by_numbers_in_it(claim):
    ends = [(end, inward) for end, inward in ((claim.low, 1), (claim.high, -1)) if math.isfinite(end)]
    for end, inward in ends:
        outside = at(claim, end, [-inward * (1 + i / 10) for i in range(5)])
        inside = at(claim, end, [inward * span(claim) * (0.4 + i / 100) for i in range(5)])
        astride = at(claim, end, [-0.01 * span(claim), 0.01 * span(claim), 0, 0, 0])
        assert decide(claim, outside).verdict == "refuted"
        assert decide(claim, inside).verdict == ("identity" if claim.is_identity else "confirmed")
        assert decide(claim, astride).verdict == "undecided"


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


TRAINS = ("train(", "train_at_best_rate(", "exhibit.train(")


def test_a_claim_about_training_is_decided_after_two_budgets():
    """What it uses of its script trains, so the claim takes a budget as its second argument."""
    lacking = [
        f"{name}.{claim.name}"
        for name, exhibit in EXHIBITS.items()
        for claim, measure in exhibit.claims
        if any(call in code_of(measure) for call in TRAINS)
        and len(inspect.signature(inspect.unwrap(measure)).parameters) < 2
    ]
    assert not lacking


def test_the_sources_name_claims_that_exist_and_cover_five_texts():
    sources = read_sources(ROOT / "experiments" / "sources.yaml")
    assert {"de", "it", "ja", "ru", "zh"} <= set(sources)
    known = {f"{name}.{claim.name}" for name, exhibit in EXHIBITS.items() for claim, _ in exhibit.claims}
    named = {name for source in sources.values() for said in source.statements for name in said.claims}
    assert named <= known


def test_every_experiment_is_committed_with_these_claims():
    for name, exhibit in EXHIBITS.items():
        assert [claim["name"] for claim in COMMITTED[name]["claims"]] == [c.name for c, _ in exhibit.claims]


@pytest.mark.parametrize("name", EXHIBITS)
def test_a_page_has_its_files_and_no_older_ones(name):
    exhibit = EXHIBITS[name]
    files = {f"{picture.name}{suffix}" for picture in exhibit.pictures for suffix in (".png", ".svg")}
    files |= {f"{table.name}.csv" for table in exhibit.tables} | {"README.md", "claims.json"}
    numbers = {f"{picture.name}.csv" for picture in exhibit.pictures}  # since a figure's numbers are written
    assert files <= {path.name for path in (ROOT / "results" / name).iterdir()} <= files | numbers


def test_a_refuted_claim_is_headed_by_what_is_true_instead():
    for exhibit in COMMITTED.values():
        for claim in exhibit["claims"]:
            if claim["verdict"] == "refuted":
                assert claim["heading"] == claim["otherwise"] != ""
