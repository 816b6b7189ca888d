"""Singular values against differences of a network's outputs; starts of equal variance."""

from pathlib import Path

import numpy as np
import pytest

from initlab import initialize
from initlab.gallery.reproduce import load
from initlab.nn.layers import Flatten

delta_orthogonal = load(Path(__file__).parents[2] / "experiments" / "delta_orthogonal.py")
SETTINGS = delta_orthogonal.exhibit.settings
SMALL = SETTINGS.replace(channels=2, deep=5, jacobian_seeds=2)


def activations(network, z):
    """Of the last convolution, flat, from the first one's pre-activations (channels, side, side)."""
    begin = network.layers.index(network._hidden[0])
    signal = z[None, ..., None]
    for layer in network.layers[begin:]:
        if isinstance(layer, Flatten):
            return signal.ravel().copy()
        signal = layer.forward(signal)
    raise AssertionError


@pytest.mark.parametrize("scheme", delta_orthogonal.STARTS)
def test_singular_values_are_those_of_a_jacobian_by_differences(scheme):
    measured = delta_orthogonal.singular_values(SMALL, scheme, SMALL.deep)["values"][1]
    sizes = [784, *delta_orthogonal.hidden_layers(SMALL, SMALL.deep), 10]
    network = initialize(sizes, [delta_orthogonal.start_of(scheme)], 1, "tanh", "float64")
    network.forward(delta_orthogonal.mnist().train_inputs[:1])
    z = network.pre_activations[0][0, ..., 0].copy()
    steps = 1e-6 * np.eye(z.size).reshape(-1, *z.shape)
    jacobian = [(activations(network, z + d) - activations(network, z - d)) / 2e-6 for d in steps]
    assert measured == pytest.approx(np.linalg.svd(np.array(jacobian), compute_uv=False), abs=1e-7)


@pytest.mark.parametrize("scheme", delta_orthogonal.STARTS)
def test_all_starts_have_the_critical_variance(scheme):
    start = delta_orthogonal.start_of(scheme)
    sizes = [784, *delta_orthogonal.hidden_layers(SETTINGS, 10), 10]
    network = initialize(sizes, [start], 0, "tanh")
    weights = np.stack(network.weights[1:-1])
    n_in = np.prod(weights.shape[3:])
    assert n_in * np.square(weights).mean() == pytest.approx(1.0, rel=0.05)


def test_unevenness_is_one_for_an_isometry(monkeypatch):
    values = np.array([[2.0, 2.0, 2.0], [3.0, 0.0, 0.0]])
    monkeypatch.setattr(delta_orthogonal, "singular_values", lambda *_: {"values": values})
    uneven = delta_orthogonal.unevenness(SETTINGS, "lecun", 5)
    assert uneven == pytest.approx([1.0, np.sqrt(3)])
