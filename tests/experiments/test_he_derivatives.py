"""The predicted lengths, where the activation function only scales them."""

from pathlib import Path

import pytest

from initlab.gallery.reproduce import experiments, load

relatives = load(experiments(Path(__file__).parents[2] / "experiments")["he_derivatives"])


def test_relu_keeps_the_length_under_2_over_n_and_doubles_it_under_4_over_n():
    s = relatives.exhibit.quick
    assert relatives.predicted(s, "relu") == pytest.approx([2.0] * s.layers)
    assert relatives.predicted(s, "relu", 4.0) == pytest.approx([4 * 2.0**k for k in range(s.layers)])


def test_small_signals_lose_half_of_their_length_through_gelu():
    lengths = relatives.predicted(relatives.exhibit.quick, "gelu")
    assert lengths[-1] / lengths[-2] == pytest.approx(0.5, abs=1e-3)
