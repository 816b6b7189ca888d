"""Every registered activation: derivative, bounds, extreme inputs, `out`."""

import numpy as np
import pytest

from initlab.nn.activations import ACTIVATIONS

EXTREMES = np.array([-np.inf, -1e300, -1000.0, -40.0, -1e-300, 0.0, 1e-300, 40.0, 1000.0, 1e300, np.inf])


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
class TestActivation:
    def test_derivative_is_that_of_central_differences(self, activation):
        z = np.random.default_rng(0).uniform(-6, 6, 1000)
        z = z[np.abs(z) > 1e-3]
        step = 1e-6
        numeric = (activation.function(z + step, None) - activation.function(z - step, None)) / (2 * step)
        analytic = activation.derivative(z, activation.function(z, None))
        np.testing.assert_allclose(analytic, numeric, rtol=1e-7, atol=1e-9)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_extreme_inputs_give_values_within_the_bounds_and_no_warning(self, activation, dtype):
        with np.errstate(over="ignore"):
            z = EXTREMES.astype(dtype)
        a = activation.function(z, None)
        assert a.dtype == dtype
        assert not np.isnan(a).any()
        assert (a >= activation.bounds[0]).all()
        assert (a <= activation.bounds[1]).all()
        assert np.isfinite(activation.derivative(z, a)).all()

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_network_that_has_overflowed_is_not_hidden(self, activation, dtype):
        """Pre-activations may be inf - inf in the very step in which a network diverges."""
        a = activation.function(np.array([np.nan, 1.0], dtype), None)
        assert np.isnan(a[0])
        assert np.isfinite(a[1])

    def test_writes_into_out(self, activation):
        z, out = np.linspace(-3, 3, 10), np.empty(10)
        assert activation.function(z, out) is out
        assert (out == activation.function(z, None)).all()

    def test_steepest_slope(self, activation):
        z = np.linspace(-20, 20, 200_001)
        slopes = activation.derivative(z, activation.function(z, None))
        assert slopes.max() == pytest.approx(activation.steepest)


def test_sigmoid_is_exact_also_where_it_is_tiny():
    z = np.array([-700.0, -100.0, -30.0])
    np.testing.assert_allclose(ACTIVATIONS["sigmoid"].function(z, None), np.exp(z), rtol=1e-12)
