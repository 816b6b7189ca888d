"""The length of a circle's image, by its tangents, is that of a polygon with many corners."""

from pathlib import Path

import numpy as np
import pytest

from initlab import initialize
from initlab.gallery.reproduce import load
from initlab.nn.streams import Purpose, stream

poole = load(Path(__file__).parents[2] / "experiments" / "poole_2016.py")


def test_tangents_measure_a_curve_as_a_fine_polygon_does():
    s, width = poole.exhibit.settings.replace(points=2000), 30
    network = initialize([width] * 5 + [1], ["variance_scaling(scale=6)"], 0, "tanh", "float64")
    axes = poole.orthogonal_inputs(s, 2.5, width, stream(0, Purpose.INPUTS))
    by_tangents = poole.circle_lengths(s, network, axes)
    images = [z[0] for z in network.pre_activations[:-1]]
    by_chords = [np.linalg.norm(np.roll(z, -1, axis=0) - z, axis=1).sum() for z in images]
    assert by_tangents == pytest.approx(by_chords, rel=1e-3)
