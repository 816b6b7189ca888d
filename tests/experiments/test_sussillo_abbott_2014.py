"""The gain without drift is where the drift passes 0."""

from pathlib import Path

import numpy as np
import pytest

from initlab.gallery.reproduce import load

sussillo = load(Path(__file__).parents[2] / "experiments" / "sussillo_abbott_2014.py")


def test_the_gain_is_interpolated_between_those_that_are_tried(monkeypatch):
    gains = sussillo.tanh_gains(sussillo.exhibit.settings)
    drifts = {"drifts": np.array([gains - 1.17, 2 * (gains - 1.25)])}
    monkeypatch.setattr(sussillo, "tanh_drifts", lambda *_: drifts)
    found = sussillo.gain_without_drift(sussillo.exhibit.settings, 30)
    assert found == pytest.approx([1.17, 1.25])
