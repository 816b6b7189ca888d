"""The two readings of the range are each other's contrary; a layer's factor is a geometric mean."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import load

sigmoid_range = load(Path(__file__).parents[2] / "experiments" / "sigmoid_range.py")
SETTINGS = sigmoid_range.exhibit.settings


def test_the_printed_range_leads_where_its_loss_is_lower(monkeypatch):
    # Up to step 100; later, which does not count here, it is the other way round.
    losses = {"r": np.repeat([[0.5, 9.0]], 2, axis=0), "4 r": np.repeat([[2.0, 0.0]], 2, axis=0)}
    losses = {size: each.repeat(100, axis=1) for size, each in losses.items()}
    monkeypatch.setattr(sigmoid_range, "curves", lambda *_: losses)
    sigmoid, tanh = (sigmoid_range.lead(SETTINGS, name, 100)["2 layers"] for name in ("sigmoid", "tanh"))
    assert sigmoid.tolist() == [1.5, 1.5]
    assert tanh.tolist() == [-1.5, -1.5]


def test_a_factor_is_that_of_one_layer():
    assert sigmoid_range.growth(8.0, [None] * 4) == 2
