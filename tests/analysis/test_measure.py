"""What is measured of a layer, against arrays for which the answer is known."""

import math

import numpy as np
import pytest

from initlab import Ensemble, Scheme
from initlab.analysis.finite_width import predict_spreads
from initlab.analysis.measure import jacobian_singular_values, measure_layers
from initlab.analysis.theory import predict_gradient_shares
from initlab.analysis.untrained import QUANTITIES, layer_panels
from initlab.errors import UsageError

RNG = np.random.default_rng(0)


def first_layer(weights, inputs, activation="identity", labels=None, biases=None):
    """The statistics of a network whose only hidden layer has these weights."""
    classes = 3
    biases = None if biases is None else [biases, np.zeros(classes)]
    above = RNG.standard_normal((np.shape(weights)[1], classes))
    network = Ensemble([weights, above], biases, activation, "float64")
    return measure_layers(network, np.asarray(inputs, float), labels)[0][0]


class TestLayers:
    def test_what_inputs_change_and_what_they_have_in_common_add_up_to_the_variance(self):
        inputs, biases = RNG.standard_normal((50, 4)) + 3, RNG.standard_normal(6)
        layer = first_layer(RNG.standard_normal((4, 6)), inputs, biases=biases)
        z = layer.pre_activations
        assert layer.over_samples + layer.over_units == pytest.approx(z.var())
        assert layer.length == pytest.approx((z**2).mean())

    def test_constant_inputs_differ_in_nothing(self):
        layer = first_layer(np.eye(3), np.ones((5, 3)))
        assert (layer.over_samples, layer.dissimilarity, layer.effective_rank) == (0, 0, 0)

    def test_dissimilarity_is_one_less_the_mean_cosine(self):
        assert first_layer(np.eye(4), np.eye(4)).dissimilarity == pytest.approx(1)
        assert first_layer(np.eye(2), [[1, 0], [1, 1]]).dissimilarity == pytest.approx(1 - math.sqrt(0.5))
        tiny = 1e-7
        assert first_layer(np.eye(2), [[1, 0], [1, tiny]]).dissimilarity == pytest.approx(
            tiny**2 / 2, rel=1e-3
        )

    def test_effective_rank_counts_directions(self):
        assert first_layer(np.eye(9), np.vstack([np.eye(9), -np.eye(9)])).effective_rank == pytest.approx(9)
        assert first_layer(np.ones((9, 9)), RNG.standard_normal((40, 9))).effective_rank == pytest.approx(1)

    def test_dead_and_distinct_units(self):
        weights = [[1, -1, 1, 2]]
        layer = first_layer(weights, [[1], [2]], "relu")
        assert (layer.dead, layer.distinct_units) == (0.25, 3)
        assert layer.saturated == 0.25

    def test_gradients_are_those_of_single_samples_and_weight_gradients_their_mean(self):
        inputs, labels = RNG.standard_normal((7, 4)), RNG.integers(3, size=7)
        layer = first_layer(RNG.standard_normal((4, 5)), inputs, "tanh", labels)
        np.testing.assert_allclose(layer.weight_gradients, inputs.T @ layer.gradients / 7, rtol=1e-12)
        assert layer.gradient_std == pytest.approx(np.sqrt((layer.gradients**2).mean()))
        assert math.isnan(first_layer(np.eye(3), np.eye(3)).gradient_std)

    def test_overflow_is_told_as_a_number_that_is_none(self):
        layer = first_layer(np.full((2, 2), 1e200), np.full((3, 2), 1e200), "relu")
        assert not math.isfinite(layer.std)
        assert math.isnan(layer.dissimilarity)
        assert layer.effective_rank == 0


class TestJacobian:
    @pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
    def test_is_that_of_differences(self, activation):
        network = Ensemble.from_schemes([5, 7, 4, 2], ["he", "xavier"], 0, activation, "float64")
        x, step = RNG.standard_normal((1, 5)), 1e-6
        ends = []
        for sign in (1, -1):
            network.forward(x + sign * step * np.eye(5))
            ends.append(network.activations[-1].copy())
        expected = np.linalg.svd((ends[0] - ends[1]) / (2 * step), compute_uv=False)
        np.testing.assert_allclose(jacobian_singular_values(network, x)[:, 0], expected, rtol=1e-6)

    def test_linear_networks_stretch_as_random_matrices_do(self):
        """The mean squared singular value of a square linear LeCun network is 1 at any depth."""
        network = Ensemble.from_schemes([200] * 4 + [1], ["lecun"], 0, "identity", "float64")
        squares = jacobian_singular_values(network, np.zeros((1, 200))) ** 2
        assert squares.mean() == pytest.approx(1, abs=0.1)
        assert squares.var() == pytest.approx(3, rel=0.25)


BOOK = [
    (text, activation)
    for activation in ("sigmoid", "tanh", "relu")
    for text in ("std=1", "std=0.01", "book:xavier", "he")
]


@pytest.mark.parametrize(("text", "activation"), BOOK)
def test_the_spread_of_networks_of_a_hundred_units_is_as_predicted(text, activation):
    """40 networks tell a standard deviation to 11 %: three times that, and the first order's own error."""
    sizes, stds, lengths = [100] * 6 + [1], [], []
    for seed in range(40):
        network = Ensemble.from_schemes(sizes, [text], seed, activation)
        inputs = np.random.default_rng(seed).standard_normal((300, 100))
        layers = measure_layers(network, inputs)[0]
        stds.append([layer.std for layer in layers])
        lengths.append([math.sqrt(layer.length) for layer in layers])
    said = predict_spreads(Scheme.parse(text), sizes, activation, 300)
    spreads = np.array([[one.activation_std, one.pre_activation_std] for one in said]).T
    measured = np.stack([np.std(stds, axis=0, ddof=1), np.std(lengths, axis=0, ddof=1)])
    ratios = measured / spreads
    assert (np.abs(np.log(ratios)) < 0.35).all(), ratios


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_predicted_gradient_shares_are_those_of_samples(activation):
    from initlab.analysis.theory import functions_of

    _, slope = functions_of(activation)
    products = slope(3 * RNG.standard_normal(400_000)) * RNG.standard_normal(400_000)
    products *= 0.1 / np.sqrt((products**2).mean())
    edges = np.linspace(-0.3, 0.31, 12)
    expected = predict_gradient_shares(activation, 9.0, 0.1, edges)
    np.testing.assert_allclose(np.histogram(products, edges)[0] / 400_000, expected, atol=4e-3)


@pytest.mark.parametrize("what", QUANTITIES)
def test_every_quantity_is_counted_whole_and_near_its_prediction(what):
    for panel in layer_panels([Scheme("he")], ["relu", "tanh"], what=what, depth=3, width=200, samples=200):
        counted = panel.histogram
        whole = 200 * 200
        assert counted.counts.sum() + counted.below + counted.above == whole
        if panel.predicted is None:
            assert what == "weight_gradients"
            continue
        assert panel.std == pytest.approx(panel.predicted.std, rel=0.15)
        if panel.predicted.shares is not None:
            assert np.abs(counted.counts / whole - panel.predicted.shares).max() < 0.06


def test_unknown_quantities_are_told():
    with pytest.raises(UsageError, match="unknown quantity 'gradient'; did you mean 'gradients'"):
        layer_panels([Scheme("he")], what="gradient")
