"""Explanations of schemes: equal names, traps of other libraries, the regimes of deep networks."""

import math
from dataclasses import replace

import pytest

from initlab.errors import UsageError
from initlab.init.shaping import find_shift
from initlab.init.structured import start_for
from initlab.nn.activations import ACTIVATIONS
from initlab.theory.explain import explain, outlook


def test_equal_schemes_are_found_for_every_layer_and_for_square_ones():
    xavier = explain("xavier", (50, 50))
    assert "torch:xavier_normal" in xavier.equals
    assert "lecun" in xavier.equals_here
    assert explain("xavier", (50, 20)).equals_here == []
    assert "he" in explain("lasagne:HeNormal(gain=relu)").equals
    assert "he" not in explain("lasagne:HeNormal").equals
    assert "martens" not in explain("std=1").equals


def test_the_explanation_of_a_librarys_name_warns_of_its_trap():
    explanation = explain("torch:linear", (784, 100))
    assert "biases" in explanation.means
    assert explanation.variance == pytest.approx(1 / 3 / 784)
    assert explanation.sigma_w2 == pytest.approx(1 / 3)


def test_the_regimes_of_a_few_known_cases():
    assert outlook("relu", 2.0).deepest == math.inf
    assert outlook("relu", 1.0).deepest == pytest.approx(6 / math.log(2))
    assert outlook("tanh", 2.0).regime == "chaotic"
    assert outlook("tanh", 0.5).length == 0
    assert outlook("sigmoid", 1.0).chi < 0.1


def test_nothing_is_predicted_where_theory_does_not_apply():
    explanation = explain("constant(value=0.1)")
    assert (explanation.sigma_w2, explanation.outlooks) == (None, [])


def test_a_layer_without_inputs_is_refused():
    with pytest.raises(UsageError, match="not 0x5"):
        explain("he", (0, 5))


def test_auto_is_explained_for_each_activation_with_its_numbers():
    starts = {start.activation: start for start in explain("auto", depth=30).starts}
    assert set(starts) == set(ACTIVATIONS)
    for name, start in starts.items():
        assert start.scheme == start_for(name)
    relu, leaky, sigmoid = starts["relu"], starts["leaky_relu"], starts["sigmoid"]
    assert (relu.size, relu.bias, relu.reason) == (1, 0, "phi(u) - phi(-u) is u")
    assert leaky.reason == "phi(u) - phi(-u) is 1.01 u"
    shift = find_shift("sigmoid", 30)
    assert (sigmoid.size, sigmoid.bias) == (shift.scale, shift.bias)
    assert not explain("he").starts


def test_a_notebook_shows_text_and_a_table():
    shown = repr(explain("torch:linear", (784, 100), activations=["relu", "tanh"]))
    assert "For a layer of 784x100: std 0.02062" in shown
    assert "\nactivation   variance" in shown
    assert "with these biases" in shown
    assert shown.count("\n") < 15
    page = explain("he", activations=["relu"])._repr_html_()
    assert "<td>critical</td>" in page
    assert explain("constant(value=0.1)")._repr_html_().endswith("do not depend on data.</p>")
    assert "<table>" in explain("auto", activations=["relu"])._repr_html_()


def test_what_a_person_wrote_is_no_html():
    assert "<b>" not in replace(explain("he"), text="<b>he</b>")._repr_html_()
