"""The variance law is noticed to hold and to fail; equal units are alike."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from initlab.gallery.reproduce import load

normalized_inputs = load(Path(__file__).parents[2] / "experiments" / "normalized_inputs.py")
SETTINGS = normalized_inputs.exhibit.settings


def test_a_mean_of_the_inputs_adds_to_the_variance():
    x = np.random.default_rng(0).standard_normal((1000, 100))
    ratios = [
        normalized_inputs.one_ratio(SETTINGS, x + mean, normalized_inputs.CENTRED, 0) for mean in (0, 1)
    ]
    assert np.allclose(ratios, [1, 2], atol=0.1)


def test_units_that_differ_by_a_factor_are_alike_and_random_ones_are_not():
    rng = np.random.default_rng(0)
    same = SimpleNamespace(pre_activations=np.outer(rng.standard_normal(1000), [1.0, 2.0, 3.0]))
    other = SimpleNamespace(pre_activations=rng.standard_normal((1000, 3)))
    assert np.isclose(normalized_inputs.alike(same), 1)
    assert abs(normalized_inputs.alike(other)) < 0.1


def test_the_start_decides_a_pair_only_if_one_converges_and_the_other_does_not(monkeypatch):
    losses = {"he": np.array([0.5, 0.5, 2.0]), "std=0.01": np.array([2.3, 0.5, 2.3])}
    monkeypatch.setattr(normalized_inputs, "ends", lambda *_: losses)
    assert normalized_inputs.start_decides_when_deep(SETTINGS, 100).tolist() == [True, False, False]


def test_a_budget_ends_at_its_own_step(monkeypatch):
    steps = np.arange(2000.0)[None]
    monkeypatch.setattr(normalized_inputs, "good_and_small", lambda *_: {"he": steps})
    settings = normalized_inputs.exhibit.settings
    ends = [normalized_inputs.ends(settings, 2, budget)["he"].item() for budget in (500, 1500)]
    assert ends == [budget - (settings.last + 1) / 2 for budget in (500, 1500)]
