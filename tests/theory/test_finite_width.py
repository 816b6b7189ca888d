"""Predicted spreads of single networks, against networks drawn with many seeds."""

import math

import numpy as np
import pytest

from initlab.init.networks import initialize
from initlab.measure.layers import measure_layers
from initlab.theory.finite_width import predict_spreads

BOOK = [
    (text, activation)
    for activation in ("sigmoid", "tanh", "relu")
    for text in ("std=1", "std=0.01", "book:xavier", "he")
]


@pytest.mark.parametrize(("text", "activation"), BOOK)
def test_the_spread_of_networks_of_a_hundred_units_is_as_predicted(text, activation):
    """40 networks give a standard deviation to 11 %: the limit is three times that."""
    sizes, stds, lengths = [100] * 6 + [1], [], []
    for seed in range(40):
        network = initialize(sizes, [text], seed, activation)
        inputs = np.random.default_rng(seed).standard_normal((300, 100))
        layers = measure_layers(network, inputs)[0]
        stds.append([layer.std for layer in layers])
        lengths.append([math.sqrt(layer.length) for layer in layers])
    layers = predict_spreads(text, sizes, activation, 300)
    spreads = np.array([[layer.activation_std, layer.pre_activation_std] for layer in layers]).T
    measured = np.stack([np.std(stds, axis=0, ddof=1), np.std(lengths, axis=0, ddof=1)])
    ratios = measured / spreads
    assert (np.abs(np.log(ratios)) < 0.35).all(), ratios


@pytest.mark.parametrize("std", ["1e30", "1e200"])
def test_networks_that_overflow_have_no_spread_and_raise_nothing(std):
    spreads = predict_spreads(f"std={std}", [50] * 5 + [1], "relu", 100)
    assert not np.isfinite(spreads[-1].activation_std)
