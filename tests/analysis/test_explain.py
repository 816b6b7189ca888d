"""What is told of a scheme."""

import math

import pytest

from initlab.analysis.explain import explain, outlook
from initlab.errors import UsageError


def test_equal_schemes_are_found_for_every_layer_and_for_square_ones():
    xavier = explain("xavier", (50, 50))
    assert "torch:xavier_normal" in xavier.equals
    assert "lecun" in xavier.equals_here
    assert explain("xavier", (50, 20)).equals_here == []
    assert "he" in explain("lasagne:HeNormal(gain=relu)").equals
    assert "he" not in explain("lasagne:HeNormal").equals
    assert "martens" not in explain("std=1").equals


def test_a_foreign_name_tells_its_trap():
    told = explain("torch:linear", (784, 100))
    assert "biases" in told.means
    assert told.variance == pytest.approx(1 / 3 / 784)
    assert told.sigma_w2 == pytest.approx(1 / 3)


def test_the_regimes_of_a_few_known_cases():
    assert outlook("relu", 2.0).deepest == math.inf
    assert outlook("relu", 1.0).deepest == pytest.approx(6 / math.log(2))
    assert outlook("tanh", 2.0).regime == "chaotic"
    assert outlook("tanh", 0.5).length == 0
    assert outlook("sigmoid", 1.0).chi < 0.1


def test_nothing_is_claimed_where_theory_does_not_apply():
    told = explain("constant(value=0.1)")
    assert (told.sigma_w2, told.outlooks) == (None, [])


def test_a_layer_without_units():
    with pytest.raises(UsageError, match="not 0x5"):
        explain("he", (0, 5))
