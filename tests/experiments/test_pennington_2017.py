"""The tanh networks of the exhibit are critical at the length that they are made for."""

from pathlib import Path

import pytest

from initlab import phase
from initlab.gallery.reproduce import load

pennington = load(Path(__file__).parents[2] / "experiments" / "pennington_2017.py")


@pytest.mark.parametrize("q", [0.0625, 0.015625])
def test_tanh_layers_are_critical_at_the_wanted_length(q):
    at = phase("tanh", *pennington.critical(q))
    assert at.q == pytest.approx(q, rel=1e-3)
    assert at.chi == pytest.approx(1, abs=1e-4)


def test_the_input_has_the_length_that_the_first_layer_needs():
    s = pennington.exhibit.settings
    start, square = pennington.start(s, "tanh, orthogonal, q* = c/L", depth=2)
    w2, b2 = pennington.critical(s.q_by_depth / 2)
    assert w2 * square + b2 == pytest.approx(s.q_by_depth / 2)
    assert start.bias.variance((s.width, 1)) == pytest.approx(b2)
