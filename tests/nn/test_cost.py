"""The cost of a training step in calls and temporary bytes, which are exact where seconds are not."""

import sys
import tracemalloc

import numpy as np
import pytest
from textbook import random_layers

from initlab.nn.network import Ensemble
from initlab.nn.optimizers import Optimizer
from initlab.threads import one_thread


def a_step(depth, networks=4, activation="relu"):
    """A function that trains one step, called once already; and the bytes of one layer's activations."""
    ensemble = Ensemble(*random_layers(networks, [784, *[100] * depth, 10]), activation)
    inputs = np.random.default_rng(0).random((128, 784), dtype=np.float32)
    labels, sgd = np.arange(128) % 10, Optimizer("sgd", lr=1e-3)

    def step():
        ensemble.train_step(inputs, labels, sgd)

    step()
    return step, ensemble.activations[0].nbytes


def calls(function):
    """The number of calls, of Python functions and compiled ones, that a function makes."""
    count = 0

    def profile(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_calls_do_not_grow_with_the_number_of_networks():
    assert calls(a_step(4, networks=1)[0]) == calls(a_step(4, networks=50)[0])


@pytest.mark.parametrize(("activation", "per_layer"), [("relu", 14), ("tanh", 13)])
def test_calls_of_a_step(activation, per_layer):
    with one_thread():  # as in a training loop
        few, many = (calls(a_step(depth, activation=activation)[0]) for depth in (4, 14))
    assert (many - few) / 10 <= per_layer
    assert few - 4 * (many - few) / 10 <= 50


@pytest.mark.parametrize("depth", [4, 14])
def test_temporary_memory_of_a_step_is_that_of_one_layer(depth):
    """Everything that grows with depth, networks or batch exists before the step."""
    step, layer_bytes = a_step(depth)
    tracemalloc.start()
    try:
        step()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        step()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 0.65 * layer_bytes
    assert after - before < 4096
