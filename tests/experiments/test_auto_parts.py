"""Where nothing is changed, the law that is made for a while is `shift` itself; parts are what they say."""

from pathlib import Path

import numpy as np
import pytest

from initlab.gallery.reproduce import load
from initlab.init.networks import initialize
from initlab.init.scheme import SCHEMES
from initlab.init.shaping import find_shift
from initlab.init.structured import start_for
from initlab.nn.activations import ACTIVATIONS

auto_parts = load(Path(__file__).parents[2] / "experiments" / "auto_parts.py")
SETTINGS = auto_parts.exhibit.settings
SIZES = [30, 20, 20, 25, 5]


@pytest.mark.parametrize("name", SETTINGS.shifted)
def test_at_its_own_place_the_law_draws_the_weights_and_biases_of_shift(name):
    x = np.random.default_rng(0).standard_normal((50, 30))
    known = dict(SCHEMES)
    with auto_parts.placed_law():
        text = auto_parts.placed_at(find_shift(name, 3))
        placed, shift = (initialize(SIZES, [start], 0, name, "float64", data=x) for start in (text, "shift"))
    assert known == SCHEMES
    for ours, theirs in zip(placed.weights + placed.biases, shift.weights + shift.biases, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def test_every_activation_is_of_one_kind_and_gets_the_other_start():
    assert sorted((*SETTINGS.shifted, *SETTINGS.mirrored)) == sorted(ACTIVATIONS)
    for name in ACTIVATIONS:
        assert {auto_parts.other_start(name), start_for(name)} == {"mirror", "shift"}


def test_a_gain_is_what_auto_reaches_more(monkeypatch):
    accuracies = {"auto": [0.9, 0.8], "auto(weights=normal)": [0.7, 0.85]}
    monkeypatch.setattr(auto_parts, "reached", lambda _s, start, _name, _steps: np.array(accuracies[start]))
    found = auto_parts.gains(SETTINGS, auto_parts.NORMAL, ("relu", "tanh"), 500)
    assert found == pytest.approx([0.2, -0.05, 0.2, -0.05])


def test_of_other_zetas_the_best_counts(monkeypatch):
    means = iter([[0.1, 0.3], [0.8, 0.9], [0.5, 0.5], [0.0, 0.0]])
    monkeypatch.setattr(auto_parts, "reached", lambda *_: np.array(next(means)))
    assert auto_parts.best_zeta(SETTINGS, "tanh", 500).tolist() == [0.8, 0.9]
