"""Measurements, learning curves and intervals against closed forms and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from initlab.analysis.learning import final_loss, smooth, steps_to_reach
from initlab.analysis.measure import histogram, measure_layers
from initlab.analysis.profile import depth_profiles
from initlab.analysis.uncertainty import mean_interval
from initlab.analysis.untrained import layer_panels
from initlab.nn.initializers import Scheme
from initlab.nn.network import Ensemble


class TestMeasure:
    def test_mean_std_and_saturation_are_those_of_the_definition(self):
        rng = np.random.default_rng(0)
        W, x = rng.standard_normal((2, 5, 8)), rng.standard_normal((40, 5))
        ensemble = Ensemble([W, np.zeros((2, 8, 3))], activation="tanh", dtype="float64")
        for network, layers in enumerate(measure_layers(ensemble, x)):
            a = np.tanh(x @ W[network])
            assert layers[0].mean == pytest.approx(a.mean())
            assert layers[0].std == pytest.approx(a.std())
            assert layers[0].saturated == (1 - a**2 < 0.05).mean()

    def test_wide_layers_behave_as_theory_says(self):
        """He keeps E[z^2] = 2 E[a^2]; for ReLU E[a] = sqrt(q / 2 pi), E[a^2] = q / 2."""
        panels = layer_panels([Scheme("he")], ["relu"], depth=3, width=1500, samples=300)
        for panel in panels:
            assert panel.mean == pytest.approx(1 / math.sqrt(math.pi), rel=0.06)
            assert panel.std == pytest.approx(math.sqrt(1 - 1 / math.pi), rel=0.06)
            assert panel.saturated == pytest.approx(0.5, abs=0.02)

    def test_the_books_observations(self):
        schemes = [Scheme.parse(text) for text in ("std=1", "std=0.01", "book:xavier")]
        sigmoid = layer_panels(schemes, ["sigmoid"])
        wide, narrow, xavier = sigmoid[:5], sigmoid[5:10], sigmoid[10:]
        assert all(panel.saturated > 0.4 for panel in wide)
        assert all(panel.std < 0.03 for panel in narrow)
        assert all(panel.saturated < 0.01 and panel.std > 0.08 for panel in xavier)

    def test_nothing_is_dropped_silently(self):
        values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, np.nan, np.inf, -np.inf])
        counted = histogram(values, (0.0, 1.0), 4)
        assert counted.counts.tolist() == [1, 0, 1, 1]
        assert (counted.below, counted.above) == (2, 4)
        assert counted.clipped == pytest.approx(6 / 9)

    def test_predictions_stand_beside_what_is_measured(self):
        schemes = [Scheme.parse(text) for text in ("he", "std=1", "std=0.01", "constant(value=0.1)")]
        for panel in layer_panels(schemes, ["relu", "tanh", "sigmoid"], depth=3, width=400, samples=300):
            if panel.scheme.name == "constant":
                assert panel.predicted is None
                assert panel.numbers()["predicted_std"] is None
                continue
            assert abs(panel.std - panel.predicted.std) <= 4 * panel.predicted.spread
            counts = panel.histogram.counts
            inside = counts.sum() / (400 * 300)
            assert panel.predicted.shares.sum() == pytest.approx(inside, abs=0.06)
            assert np.abs(counts / (400 * 300) - panel.predicted.shares).max() < 0.08

    def test_default_ranges(self):
        panels = layer_panels([Scheme.parse("std=1")], ["sigmoid", "tanh", "relu", "identity"])
        edges = [tuple(p.histogram.edges[[0, -1]]) for p in panels[::5]]
        assert edges[:2] == [(0, 1), (-1, 1)]
        assert edges[2][0] == 0
        assert edges[2][1] > 10
        assert edges[3][0] == -edges[3][1]
        assert panels[10].histogram.clipped == 0
        assert panels[14].histogram.clipped > 0.4


class TestProfiles:
    def test_the_gradient_is_that_of_central_differences(self):
        """With respect to a unit's pre-activations, by moving its bias for one sample at a time."""
        rng = np.random.default_rng(0)
        network = Ensemble.from_schemes([4, 5, 6, 3], ["he"], 0, "tanh", "float64")
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

    def test_saturated_sigmoids_pass_gradients_and_spread_ones_do_not(self):
        schemes = [Scheme.parse(text) for text in ("std=1", "book:xavier")]
        wide, spread = depth_profiles(schemes, ["sigmoid"], depth=6, seeds=10)
        assert wide.gradient_factor.mean() == pytest.approx(0.96, abs=0.1)
        assert spread.gradient_factor.mean() == pytest.approx(0.055, abs=0.01)
        for profile in (wide, spread):
            assert profile.gradient_factor.mean() == pytest.approx(profile.predicted_gradient_factor, rel=0.1)

    def test_rows_are_finite_or_none(self):
        schemes = [Scheme.parse(text) for text in ("zeros", "std=1e200", "constant(value=1)")]
        for profile in depth_profiles(schemes, ["relu"], depth=3, width=5, samples=4, seeds=2):
            for row in profile.rows():
                assert all(v is None or isinstance(v, str) or math.isfinite(v) for v in row.values())


class TestLearning:
    def test_smoothing_is_the_weighted_mean_of_eleven(self):
        losses = np.random.default_rng(0).standard_normal(50)
        window = np.kaiser(11, 2)
        expected = (losses[15:26] * window).sum() / window.sum()
        assert smooth(losses)[20] == pytest.approx(expected)
        assert len(smooth(losses)) == 50

    @pytest.mark.parametrize("length", range(0, 14))
    def test_short_histories(self, length):
        assert smooth(np.ones(length)) == pytest.approx(np.ones(length))

    def test_final_loss_is_the_mean_of_the_last_hundred(self):
        assert final_loss(np.arange(500.0)) == pytest.approx(449.5)
        assert final_loss(np.arange(40.0)) == pytest.approx(34.5)
        assert final_loss(np.array([3.0])) == 3.0

    def test_steps_to_reach(self):
        assert steps_to_reach(np.ones(30), 0.5) is None
        assert steps_to_reach(np.zeros(30), 0.5) == 0


class TestIntervals:
    def test_is_scipys(self):
        values = [2.1, 2.9, 3.3, 1.7, 2.5]
        low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
        interval = mean_interval(values)
        assert (interval.low, interval.high) == pytest.approx((low, high))

    def test_covers_the_mean_as_often_as_it_says(self):
        rng = np.random.default_rng(0)
        hits = [(i := mean_interval(rng.normal(7, 2, 5))).low <= 7 <= i.high for _ in range(4000)]
        assert np.mean(hits) == pytest.approx(0.95, abs=0.014)

    def test_one_value_tells_no_spread(self):
        assert (mean_interval([3.0]).low, mean_interval([3.0]).half_width) == (3.0, 0.0)
