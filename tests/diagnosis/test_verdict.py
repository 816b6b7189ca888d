"""Verdicts: each symptom in a network that is known to have it, cures that theory confirms, and limits."""

import math

import numpy as np
import pytest

from initlab.diagnosis.criteria import CRITERIA, NETWORK_NUMBERS
from initlab.diagnosis.cures import find_cure
from initlab.diagnosis.limits import LAYER_NUMBERS, SYMPTOMS
from initlab.diagnosis.verdict import diagnose
from initlab.errors import UsageError
from initlab.init.per_layer import Initialization
from initlab.init.scheme import Scheme
from initlab.nn.activations import ACTIVATIONS
from initlab.theory.mean_field import gradient_factor

RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.standard_normal((200, 80)), RNG.integers(10, size=200)


def diagnosed(scheme, activation, depth):
    return diagnose(scheme, activation, [100] * depth, INPUTS, LABELS, seeds=3)


@pytest.mark.parametrize(
    ("scheme", "activation", "depth", "word", "layers"),
    [
        ("zeros", "sigmoid", 3, "symmetric", [1, 2, 3]),
        ("constant(value=0.1)", "tanh", 3, "symmetric", [1, 2, 3]),
        ("std=0.1", "sigmoid", 8, "collapsed", None),
        ("std=0.01", "tanh", 4, "vanishing", None),
        ("std=1", "relu", 5, "exploding", None),
        ("std=1", "tanh", 2, "saturated", [1, 2]),
        ("zeros", "relu", 2, "dead", [1, 2]),
        ("he", "relu", 20, "healthy", []),
        ("lecun", "tanh", 20, "healthy", []),
    ],
)
def test_each_symptom_is_seen_in_a_network_that_has_it(scheme, activation, depth, word, layers):
    diagnosis = diagnosed(scheme, activation, depth)
    assert word in diagnosis.words
    having = [layer.layer for layer in diagnosis.layers if word in layer.words and word != "healthy"]
    assert having if layers is None else having == layers


def test_every_symptom_is_among_those_tried():
    tried = {"symmetric", "collapsed", "vanishing", "exploding", "saturated", "dead"}
    assert {symptom.word for symptom in SYMPTOMS} == tried


def test_numbers_are_those_that_theory_gives():
    """std=0.1 in linear layers of 100 keeps all; std=0.2 multiplies signal and gradient by 4 a layer."""
    level, growing = diagnosed("std=0.1", "identity", 4), diagnosed("std=0.2", "identity", 4)
    for layer in level.layers:
        assert 0.4 < layer.numbers["signal"] < 2.5
        assert 0.4 < layer.numbers["gradient"] < 2.5
        assert 0.8 < layer.numbers["difference"] < 1.2
    assert 64 / 2.5 < growing.layers[-1].numbers["signal"] < 64 * 2.5
    assert 64 / 2.5 < growing.layers[0].numbers["gradient"] < 64 * 2.5


def test_the_words_change_where_the_limit_is_passed():
    """Signals of linear layers with std=0.01 fall by 100 a layer: e^-6 is passed at the third."""
    for layer in diagnosed("std=0.01", "identity", 6).layers[3:]:
        assert layer.numbers["signal"] < math.exp(-6)
        assert layer.words == ["vanishing"]


def test_one_bad_layer_among_good_ones_is_the_one_that_is_named():
    narrow = diagnose("constant(value=0.1)", "tanh", [1, 50], INPUTS, LABELS, seeds=1)
    assert [layer.words for layer in narrow.layers] == [["healthy"], ["symmetric"]]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_cure_keeps_gradients_through_the_depth(name):
    for depth in (3, 15):
        cure = find_cure(name, depth)
        again = diagnosed(str(cure.scheme), name, depth)
        assert "vanishing" not in again.words
        assert "exploding" not in again.words


@pytest.mark.parametrize("name", ["tanh", "relu", "identity"])
def test_where_nothing_saturates_the_cure_is_critical(name):
    sigma_w2 = 100 * find_cure(name, 10).scheme.variance((100, 100))
    assert abs(gradient_factor(name, 1e-9, sigma_w2) - 1) < 1e-3


def test_the_criteria_of_the_italian_source_are_answered():
    met = {answer.criterion.number: answer.met for answer in diagnosed("he", "relu", 10).answers}
    assert all(met.values())
    assert set(met) == set(NETWORK_NUMBERS) == {criterion.number for criterion in CRITERIA}
    bad = {
        "first_loss": ("std=1", "relu"),
        "most_saturated": ("std=1", "tanh"),
        "signal_growth": ("std=1", "relu"),
        "gradient_ratio": ("std=0.01", "tanh"),
        "mean_shift": ("uniform(bound=0.01, mean=0.05)", "relu"),
        "variance_ratio": ("std=0.01", "tanh"),
    }
    for number, (scheme, activation) in bad.items():
        answers = {answer.criterion.number: answer.met for answer in diagnosed(scheme, activation, 6).answers}
        assert not answers[number], number


def test_a_symptom_names_numbers_that_exist():
    assert {symptom.number for symptom in SYMPTOMS} == set(LAYER_NUMBERS)


@pytest.mark.parametrize(
    ("hidden", "inputs", "seeds"), [([], INPUTS, 3), ([10], INPUTS[:1], 3), ([10], INPUTS, 0)]
)
def test_what_cannot_be_diagnosed_is_refused(hidden, inputs, seeds):
    with pytest.raises(UsageError, match="at least one hidden layer, two inputs and one seed"):
        diagnose("he", "relu", hidden, inputs, LABELS[: len(inputs)], seeds=seeds)


def test_texts_are_as_good_as_schemes_and_numbers():
    texts = diagnose("std=0.01", "relu", "100x4", INPUTS, LABELS)
    objects = diagnose(Scheme.parse("std=0.01"), "relu", [100] * 4, INPUTS, LABELS)
    assert texts == objects


def test_a_diagnosis_prints_verdict_layers_and_cure_on_one_screen():
    lines = repr(diagnosed("std=0.01", "tanh", 40)).splitlines()
    assert lines[0] == "std=0.01, tanh, 80-100x40-10: does not train (vanishing)"
    assert lines[1].split() == ["layer", "std", *LAYER_NUMBERS]
    layers = [int(line.split()[0]) for line in lines[2:12]]
    assert layers == [1, 5, 10, 14, 18, 23, 27, 31, 36, 40]
    assert lines[12].startswith("vanishing in layers 3 to 40 (signal below 0.00248): the logits hardly")
    assert lines[-1].startswith("Theory recommends")
    assert len(lines) == 15
    assert len(repr(diagnosed("he", "relu", 3)).splitlines()) == 5


def test_a_notebook_shows_a_diagnosis_as_a_table():
    start = Initialization(Scheme("he"), bias=Scheme("classic"))
    html = diagnosed(start, "relu", 2)._repr_html_()
    assert "<b>he, bias classic, relu, 80-100x2-10: trains</b>" in html
    assert html.count("<tr>") == 3
