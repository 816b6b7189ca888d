"""Scaled networks, their linearization, and the kurtosis of their outputs, against closed forms."""

from pathlib import Path

import numpy as np

from initlab import initialize
from initlab.gallery.reproduce import load

chizat = load(Path(__file__).parents[2] / "experiments" / "chizat_2019.py")
INPUTS = np.random.default_rng(0).standard_normal((20, 784))


def test_outputs_are_scaled_by_alpha_and_twins_cancel():
    plain = chizat.scaled_networks((1, 9), 10, 0, twins=False).forward(INPUTS)
    assert np.allclose(plain[1], 9 * plain[0])
    assert abs(chizat.scaled_networks((1, 9), 10, 0, twins=True).forward(INPUTS)).max() < 1e-12


def test_a_change_of_the_last_layer_alone_stays_on_the_tangent_and_another_does_not():
    start = chizat.scaled_networks((1,), 10, 0, twins=False)
    last, both = start.keep(np.array([0])), start.keep(np.array([0]))
    last.weights[1][...] += 1
    both.parameters[...] += 0.1
    assert chizat.off_tangent(start, last, INPUTS).max() < 1e-9
    assert chizat.off_tangent(start, both, INPUTS).min() > 0.1


def test_the_kurtosis_of_a_narrow_network_is_the_predicted_one():
    x = np.ones((1, 3))
    outputs = np.concatenate([initialize([3, 20, 20, 500], "he", seed).forward(x) for seed in range(2000)])
    excess = chizat.excess_kurtosis(outputs.astype(np.float64))
    assert np.isclose(excess, chizat.predicted_excess(20, 2), rtol=0.15)
    assert abs(chizat.excess_kurtosis(np.random.default_rng(0).standard_normal(10**6))) < 0.03
