"""Verdicts: each word from a network that is known to deserve it, cures that theory confirms, and limits."""

import math

import numpy as np
import pytest

from initlab.analysis.diagnosis import (
    CRITERIA,
    LAYER_NUMBERS,
    NETWORK_NUMBERS,
    SYMPTOMS,
    diagnose,
    find_cure,
)
from initlab.analysis.theory import gradient_factor
from initlab.errors import UsageError
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.initializers import Scheme

RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.standard_normal((200, 80)), RNG.integers(10, size=200)


def found(scheme, activation, depth, inputs=INPUTS):
    return diagnose(Scheme.parse(scheme), activation, [100] * depth, inputs, LABELS, seeds=3)


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
def test_each_word_is_said_of_a_network_that_deserves_it(scheme, activation, depth, word, layers):
    diagnosis = found(scheme, activation, depth)
    assert word in diagnosis.words
    having = [layer.layer for layer in diagnosis.layers if word in layer.words and word != "healthy"]
    assert having if layers is None else having == layers


def test_every_symptom_is_among_those_tried():
    tried = {"symmetric", "collapsed", "vanishing", "exploding", "saturated", "dead"}
    assert {symptom.word for symptom in SYMPTOMS} == tried


def test_numbers_are_those_that_theory_gives():
    """std=0.1 in linear layers of 100 keeps all; std=0.2 multiplies signal and gradient by 4 a layer."""
    level, growing = found("std=0.1", "identity", 4), found("std=0.2", "identity", 4)
    for layer in level.layers:
        assert 0.4 < layer.numbers["signal"] < 2.5
        assert 0.4 < layer.numbers["gradient"] < 2.5
        assert 0.8 < layer.numbers["difference"] < 1.2
    assert 64 / 2.5 < growing.layers[-1].numbers["signal"] < 64 * 2.5
    assert 64 / 2.5 < growing.layers[0].numbers["gradient"] < 64 * 2.5


def test_the_words_change_where_the_limit_is_passed():
    """Signals of tanh layers with std=0.01 fall by 100 a layer: e^-6 is passed at the third."""
    words = [layer.words for layer in found("std=0.01", "identity", 6).layers]
    signals = [layer.numbers["signal"] for layer in found("std=0.01", "identity", 6).layers]
    for signal, said in zip(signals[3:], words[3:], strict=True):
        assert signal < math.exp(-6)
        assert said == ["vanishing"]


def test_one_bad_layer_among_good_ones_is_the_one_that_is_named():
    narrow = diagnose(Scheme.parse("constant(value=0.1)"), "tanh", [1, 50], INPUTS, LABELS, seeds=1)
    assert [layer.words for layer in narrow.layers] == [["healthy"], ["symmetric"]]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_cure_keeps_gradients_through_the_depth(name):
    for depth in (3, 15):
        cure = find_cure(name, depth)
        again = found(str(cure.scheme), name, depth)
        assert "vanishing" not in again.words
        assert "exploding" not in again.words


@pytest.mark.parametrize("name", ["tanh", "relu", "identity"])
def test_where_nothing_saturates_the_cure_is_critical(name):
    sigma_w2 = 100 * find_cure(name, 10).scheme.variance((100, 100))
    assert abs(gradient_factor(name, 1e-9, sigma_w2) - 1) < 1e-3


def test_the_criteria_of_the_italian_source_are_answered():
    met = {a.criterion.number: a.met for a in found("he", "relu", 10).answers}
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
        answers = {a.criterion.number: a.met for a in found(scheme, activation, 6).answers}
        assert not answers[number], number


def test_a_symptom_names_numbers_that_exist():
    assert {symptom.number for symptom in SYMPTOMS} == set(LAYER_NUMBERS)


@pytest.mark.parametrize(
    ("hidden", "inputs", "seeds"), [([], INPUTS, 3), ([10], INPUTS[:1], 3), ([10], INPUTS, 0)]
)
def test_what_cannot_be_diagnosed_is_refused(hidden, inputs, seeds):
    with pytest.raises(UsageError, match="at least one hidden layer, two inputs and one seed"):
        diagnose(Scheme("he"), "relu", hidden, inputs, LABELS[: len(inputs)], seeds=seeds)
