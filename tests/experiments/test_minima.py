"""Renumbering, and the line between two networks."""

from pathlib import Path

import numpy as np

from initlab import initialize
from initlab.gallery.reproduce import load

minima = load(Path(__file__).parents[2] / "experiments" / "minima.py")
INPUTS = np.random.default_rng(0).standard_normal((200, 6))


def permuted_pair():
    """A network, and the same one with its units in another order."""
    pair = initialize([6, 8, 7, 3], ["he", "he"], 0, "tanh", "float64")
    pair.biases[0][...] = np.arange(8)
    order, top = np.random.default_rng(1).permutation(8), np.random.default_rng(2).permutation(7)
    pair.weights[0][1], pair.biases[0][1] = pair.weights[0][0][:, order], pair.biases[0][0][order]
    pair.weights[1][1] = pair.weights[1][0][order][:, top]
    pair.weights[2][1] = pair.weights[2][0][top]
    return pair


def test_a_network_with_its_units_in_another_order_is_put_back_in_order():
    pair = permuted_pair()
    assert not np.allclose(pair.parameters[1], pair.parameters[0])
    assert np.allclose(minima.aligned(pair, INPUTS).parameters[0], pair.parameters[0])


def test_a_line_begins_at_the_one_network_and_ends_at_the_other():
    networks = initialize([6, 8, 7, 3], ["he"] * 3, [0, 1, 2])
    labels = np.random.default_rng(0).integers(3, size=200)
    errors = minima.errors_on_lines(networks, INPUTS, labels, points=5)
    ends = 1 - networks.accuracy(INPUTS, labels)
    assert np.allclose(errors[minima.BATCHES][[0, -1]], ends[[0, 1]])
    assert np.allclose(errors[minima.START][[0, -1]], ends[[0, 2]])
    assert np.allclose(errors[minima.RENUMBERED][[0, -1]], ends[[0, 2]])


def test_a_unit_that_never_changes_correlates_with_none():
    units = np.random.default_rng(0).standard_normal((50, 3))
    units[:, 1] = 2.0
    found = minima.correlations(units, units)
    assert np.allclose(found, np.diag([1, 0, 1]), atol=0.5)
    assert not found[1].any()
