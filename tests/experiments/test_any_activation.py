"""What counts as trained, where the numbers of a combination come from, and functions that come and go."""

from pathlib import Path

import numpy as np
import pytest

from initlab.data.examples import examples_of
from initlab.gallery.reproduce import load
from initlab.init.networks import mean_square
from initlab.init.structured import start_for
from initlab.nn.activations import ACTIVATIONS
from initlab.theory.mean_field import moments
from initlab.training.history import History

any_activation = load(Path(__file__).parents[2] / "experiments" / "any_activation.py")
SETTINGS = any_activation.exhibit.settings


def test_own_functions_are_in_the_registry_for_a_while():
    known = dict(ACTIVATIONS)
    with any_activation.own_functions():
        assert {name: start_for(name) for name in SETTINGS.own} == {
            "sine": "shift",
            "root": "shift",
            "wavy": "mirror",
        }
        z = np.linspace(-3, 3, 7, dtype=np.float32) + np.float32(0.1)
        for name in SETTINGS.own:
            entry, step = ACTIVATIONS[name], np.float32(1e-2)
            slope = (entry.function(z + step, None) - entry.function(z - step, None)) / (2 * step)
            assert np.allclose(entry.derivative(z, entry.function(z, None)), slope, atol=1e-3)
            out = np.empty_like(z)
            assert entry.function(z, out) is out
    assert known == ACTIVATIONS


@pytest.fixture
def measured(monkeypatch):
    """Every combination reaches .9, but one seed of tanh at the first depth."""

    def reached(_s, _start, activation, depth, _steps, _width=None):
        is_weak = activation == "tanh" and depth == SETTINGS.depths[0]
        return np.array([0.9, 0.9, 0.84 if is_weak else 0.9])

    monkeypatch.setattr(any_activation, "reached", reached)


@pytest.mark.usefixtures("measured")
def test_a_combination_has_trained_if_its_worst_seed_has():
    trained = any_activation.trained(SETTINGS, "auto", 500, SETTINGS.depths)
    assert trained.dtype == bool
    assert len(trained) == len(SETTINGS.activations) * len(SETTINGS.depths)
    assert (~trained).sum() == 1


def test_a_network_that_diverged_has_reached_nothing():
    tracked = [{"step": 0, "accuracy": 0.1}, {"step": 125, "accuracy": 0.7}]
    history = History(losses=np.ones(130), diverged_at=130, tracked=tracked)
    assert any_activation.accuracy_after(history, 125) == 0.7
    assert any_activation.accuracy_after(history, 500) == 0


def test_variance_stands_for_another_scheme_for_each_activation():
    schemes = {name: str(any_activation.start_of("variance", name, 10)) for name in ("relu", "tanh", "gelu")}
    assert schemes["relu"] == "he"
    assert schemes["tanh"] == "lecun"
    assert schemes["gelu"].startswith("variance_scaling(")
    assert str(any_activation.start_of("he", "gelu", 20)) == "he"


def test_the_default_of_pytorch_draws_its_biases_too():
    weights, biases = any_activation.start_of("nn.Linear", "relu", 5).draw(0, 1, 6, (400, 400))
    for numbers in (weights, biases):
        assert 0.049 < np.abs(numbers).max() <= 0.05


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_anyinit_keeps_the_mean_square_of_the_activations_that_it_sees(name):
    """Its table says what its documentation does: E[phi^2] is the same in all layers, from the first on."""
    if name in ("erf", "identity"):  # which it does not see
        return
    start = any_activation.from_anyinit(name)
    first, hidden = start.of_layer(0, 9), start.of_layer(4, 9)
    q = 784 * first.variance((784, 100)) * mean_square(examples_of("mnist").train_inputs[:300])
    square = moments(name, q).square
    assert 100 * hidden.variance((100, 100)) * square == pytest.approx(q, rel=0.02)


def test_a_shallow_network_may_be_better_from_auto_than_from_all_others(monkeypatch):
    """The best of the others is that of the others alone."""
    means = {"auto": 0.95, "he": 0.9, "xavier": 0.92}
    monkeypatch.setattr(any_activation, "shallow", lambda *_: means)
    differences = any_activation.auto_is_not_worse_when_shallow(SETTINGS, 500)
    assert differences == pytest.approx([0.03] * len(SETTINGS.activations))
