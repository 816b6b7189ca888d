"""Statistics of a layer, against arrays for which the answer is known."""

import math

import numpy as np
import pytest

from initlab import Ensemble, initialize
from initlab.measure.layers import measure_layers
from initlab.nn.normalization import BatchNorm

RNG = np.random.default_rng(0)


def first_layer(weights, inputs, activation="identity", labels=None):
    """The statistics of a network whose only hidden layer has these weights."""
    above = RNG.standard_normal((np.shape(weights)[1], 3))
    network = Ensemble([weights, above], activation=activation, dtype="float64")
    return measure_layers(network, np.asarray(inputs, float), labels)[0][0]


def test_mean_std_and_saturation_are_those_of_the_definition():
    W, x = RNG.standard_normal((2, 5, 8)), RNG.standard_normal((40, 5))
    ensemble = Ensemble([W, np.zeros((2, 8, 3))], activation="tanh", dtype="float64")
    for network, layers in enumerate(measure_layers(ensemble, x)):
        z = x @ W[network]
        a = np.tanh(z)
        assert layers[0].length == pytest.approx((z**2).mean())
        assert layers[0].mean == pytest.approx(a.mean())
        assert layers[0].std == pytest.approx(a.std())
        assert layers[0].saturated == (1 - a**2 < 0.05).mean()


def test_constant_inputs_are_not_dissimilar():
    assert first_layer(np.eye(3), np.ones((5, 3))).dissimilarity == 0


def test_dissimilarity_is_one_less_the_mean_cosine():
    assert first_layer(np.eye(4), np.eye(4)).dissimilarity == pytest.approx(1)
    assert first_layer(np.eye(2), [[1, 0], [1, 1]]).dissimilarity == pytest.approx(1 - math.sqrt(0.5))
    tiny = 1e-7
    assert first_layer(np.eye(2), [[1, 0], [1, tiny]]).dissimilarity == pytest.approx(tiny**2 / 2, rel=1e-3)


def test_dead_and_distinct_units():
    weights = [[1, -1, 1, 2]]
    layer = first_layer(weights, [[1], [2]], "relu")
    assert (layer.dead, layer.distinct_units) == (0.25, 3)
    assert layer.saturated == 0.25


def test_gradients_are_those_of_single_samples_and_weight_gradients_their_mean():
    inputs, labels = RNG.standard_normal((7, 4)), RNG.integers(3, size=7)
    layer = first_layer(RNG.standard_normal((4, 5)), inputs, "tanh", labels)
    np.testing.assert_allclose(layer.weight_gradients, inputs.T @ layer.gradients / 7, rtol=1e-12)
    assert layer.gradient_std == pytest.approx(np.sqrt((layer.gradients**2).mean()))
    assert math.isnan(first_layer(np.eye(3), np.eye(3)).gradient_std)


@pytest.mark.parametrize(("norm", "axis"), [("batch", 0), ("layer", 1)])
def test_relative_gradients_are_those_times_the_std_that_was_taken_away(norm, axis):
    inputs, labels = RNG.standard_normal((50, 4)), RNG.integers(3, size=50)
    network = initialize([4, 6, 5, 3], "he", 0, "tanh", "float64", norm=norm)
    received = inputs
    for i, layer in enumerate(measure_layers(network, inputs, labels)[0]):
        std = (received @ network.weights[i][0]).std(axis=axis, keepdims=True)
        received = network.activations[i][0]
        np.testing.assert_allclose(layer.normalizer, std, rtol=1e-3)
        expected = np.sqrt(((layer.gradients * std) ** 2).mean())
        assert layer.relative_gradient_std == pytest.approx(expected, rel=1e-3)


def test_relative_gradients_are_those_times_the_size_where_no_normalization_stands_in_front():
    inputs, labels = RNG.standard_normal((50, 4)), RNG.integers(3, size=50)
    network = initialize([4, 6, 5, 3], "he", 0, "tanh", "float64", norm="batch(place=after)")
    for layer in measure_layers(network, inputs, labels)[0]:
        assert layer.is_normalized
        assert layer.normalizer is None
        assert layer.relative_gradient_std == pytest.approx(layer.gradient_std * math.sqrt(layer.length))


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_images_are_normalized_channel_by_channel_or_sample_by_sample(norm):
    inputs, labels = RNG.standard_normal((20, 36)), RNG.integers(3, size=20)
    network = initialize([36, "conv(2, kernel=3)", 3], "he", 0, dtype="float64", norm=norm)
    layer = measure_layers(network, inputs, labels)[0][0]
    assert layer.normalizer.shape == {"batch": (1, 2, 1, 1), "layer": (20, 1, 1, 1)}[norm]
    assert 0 < layer.relative_gradient_std < math.inf


@pytest.mark.parametrize(
    ("skip", "bypassed"),
    [
        (None, [False] * 5),
        ("1", [False] * 5),
        ("2", [False, True, False, True, False]),
        ("3", [False, True, True, False, False]),
        ("1, order=post", [False] * 5),
        ("2, order=post", [False, True, False, True, False]),
    ],
)
@pytest.mark.parametrize("norm", [None, "batch", "layer(place=after)"])
def test_layers_inside_of_a_branch_are_bypassed(skip, bypassed, norm):
    network = initialize([4] * 6 + [3], "he", skip=skip, norm=norm)
    layers = measure_layers(network, RNG.standard_normal((5, 4)))[0]
    assert [layer.is_bypassed for layer in layers] == bypassed


def test_overflow_gives_numbers_that_are_not_finite():
    layer = first_layer(np.full((2, 2), 1e200), np.full((3, 2), 1e200), "relu")
    assert not math.isfinite(layer.std)
    assert math.isnan(layer.dissimilarity)


def test_layers_are_shown_as_a_table_and_a_network_by_its_number():
    networks = initialize([5, 8, 8, 3], ["he", "xavier"])
    x, y = np.random.default_rng(0).standard_normal((50, 5)), np.arange(50) % 3
    table = measure_layers(networks, x, y)
    assert [row["network"] for row in table.rows()] == [0, 0, 1, 1]
    assert repr(table).split("\n")[0].split()[:3] == ["network", "layer", "mean"]
    assert "weight gradient std" in repr(table)
    assert "gradient" not in repr(measure_layers(networks, x))
    assert "<th>distinct units</th>" in table._repr_html_()


def test_measuring_leaves_running_statistics_as_they_are():
    network = initialize([5, 8, 3], "he", norm=BatchNorm())
    x = np.random.default_rng(0).standard_normal((50, 5))
    before = network.forward(x).copy()
    measure_layers(network, 3 * x + 1)
    assert np.array_equal(network.forward(x), before)
