"""Signal and gradient through depth: central differences, a published finding, theory beside it."""

import math

import numpy as np
import pytest

from initlab import Initialization, Scheme
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.measure.depth import depth_profiles
from initlab.measure.histograms import layer_panels
from initlab.nn.architecture import Skip
from initlab.nn.normalization import BatchNorm, LayerNorm
from initlab.theory.layers import predict_layers


def test_the_gradient_is_that_of_central_differences():
    """With respect to a unit's pre-activation, by moving its bias."""
    rng = np.random.default_rng(0)
    network = initialize([4, 5, 6, 3], ["he"], 0, "tanh", "float64")
    inputs, labels = rng.standard_normal((1, 4)), np.array([1])
    network.loss(inputs, labels)
    analytic = [gradient[0, 0].copy() for gradient in network.pre_activation_gradients]
    for layer, gradient in enumerate(analytic):
        for unit in range(len(gradient)):
            ends = []
            for step in (1e-5, -1e-5):
                network.biases[layer][0, unit] = step
                ends.append(float(network.loss(inputs, labels)[0]))
            network.biases[layer][0, unit] = 0
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(gradient[unit], rel=1e-6)


def test_saturated_sigmoids_pass_gradients_and_spread_sigmoids_do_not():
    wide, spread = depth_profiles(["std=1", "book:xavier"], ["sigmoid"], depth=6, seeds=10)
    assert wide.gradient_factor.mean() == pytest.approx(0.96, abs=0.1)
    assert spread.gradient_factor.mean() == pytest.approx(0.055, abs=0.01)
    for profile in (wide, spread):
        assert profile.gradient_factor.mean() == pytest.approx(profile.predicted_gradient_factor, rel=0.1)


def test_rows_are_finite_or_none():
    schemes = ["zeros", "std=1e200", "constant(value=1)"]
    for profile in depth_profiles(schemes, ["relu"], depth=3, width=5, samples=4, seeds=2):
        for row in profile.rows():
            assert all(v is None or isinstance(v, str) or math.isfinite(v) for v in row.values())


def test_a_start_with_biases_is_followed_and_predicted():
    start = Initialization(Scheme("he"), bias=Scheme.parse("std=1"))
    (profile,) = depth_profiles([start], ["relu"], depth=4, width=300, samples=200, seeds=4)
    assert profile.label == "he, bias std=1"
    predicted = [layer.std for layer in profile.predicted]
    np.testing.assert_allclose(profile.activation_std.mean(axis=0), predicted, rtol=0.15)


@pytest.mark.parametrize(
    ("place", "bias"), [("before", None), ("before", Scheme.parse("std=0.5")), ("after", None)]
)
def test_normalized_networks_behave_as_predicted(place, bias):
    """The batch is large and the layers are wide."""
    start = Initialization(Scheme("xavier"), bias=bias)
    norm = BatchNorm(place, eps=1e-12)
    profiles = depth_profiles(
        [start], ["relu", "tanh", "sigmoid"], depth=6, width=400, samples=500, seeds=3, norm=norm
    )
    for profile in profiles:
        stds = [layer.std for layer in profile.predicted]
        gradients = [layer.gradient for layer in profile.predicted]
        np.testing.assert_allclose(profile.activation_std.mean(axis=0), stds, rtol=0.03)
        np.testing.assert_allclose(profile.gradient_std.mean(axis=0), gradients, rtol=0.06)


@pytest.mark.parametrize("skip", ["1", "every=2, scale=0.5", "every=2, order=post"])
@pytest.mark.parametrize("norm", [None, LayerNorm(), BatchNorm(eps=1e-12)])
def test_residual_networks_behave_as_predicted(skip, norm):
    (profile,) = depth_profiles("he", "relu", depth=6, width=400, samples=300, seeds=4, norm=norm, skip=skip)
    stds = [layer.std for layer in profile.predicted]
    gradients = [layer.gradient for layer in profile.predicted]
    np.testing.assert_allclose(profile.activation_std.mean(axis=0), stds, rtol=0.06)
    np.testing.assert_allclose(profile.gradient_std.mean(axis=0), gradients, rtol=0.1)


def test_theory_is_silent_where_each_unit_has_a_spread_of_its_own():
    start = Initialization(Scheme("xavier"), bias=Scheme.parse("std=0.5"))
    (profile,) = depth_profiles([start], ["relu"], depth=3, width=9, seeds=1, norm=BatchNorm("after"))
    assert profile.predicted is None
    with pytest.raises(UsageError, match="needs biases of 0"):
        predict_layers(start, [9] * 5, "relu", norm=BatchNorm("after"))


def test_normalized_relu_layers_explode_at_the_published_rate():
    norm = BatchNorm(eps=1e-12)
    chis = [layer.chi for layer in predict_layers("std=0.3", [50] * 6 + [10], "relu", norm=norm)]
    assert chis[1:4] == pytest.approx([math.pi / (math.pi - 1)] * 3)


def test_sizes_that_are_too_small_are_refused():
    with pytest.raises(UsageError, match="depth must be 2 or more, not 1"):
        depth_profiles(["he"], ["relu"], depth=1)
    with pytest.raises(UsageError, match="seeds must be 1 or more, not 0"):
        depth_profiles(["he"], ["relu"], seeds=0)


def test_texts_and_numbers_stand_for_normalization_and_skips():
    how = {"depth": 3, "width": 20, "samples": 20, "seeds": 1}
    texts = depth_profiles("he", "relu", norm="layer", skip=2, **how)[0]
    rules = depth_profiles("he", "relu", norm=LayerNorm(), skip=Skip(2), **how)[0]
    assert (texts.activation_std == rules.activation_std).all()
    probe = {"depth": 3, "width": 20, "samples": 20}
    drawn = layer_panels("he", "relu", norm="layer", skip=2, **probe)
    again = layer_panels("he", "relu", norm=LayerNorm(), skip=Skip(2), **probe)
    assert [panel.std for panel in drawn] == [panel.std for panel in again]
