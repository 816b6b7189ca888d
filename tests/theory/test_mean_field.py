"""Mean-field theory against closed forms, simulation, published points, and real wide networks."""

import math

import numpy as np
import pytest
from scipy.special import erf

from initlab import Scheme
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.quadrature import correlation, expectation, functions_of
from initlab.measure.layers import measure_layers
from initlab.nn.activations import ACTIVATIONS
from initlab.theory import mean_field as theory
from initlab.theory.finite_width import predict_spreads
from initlab.theory.gains import gain, gains
from initlab.theory.layers import predict_gradient_shares, predict_layers, predict_shares

LENGTHS = [1e-8, 1e-4, 1e-2, 1.0, 10.0, 1e2, 1e4, 1e6]
CORRELATIONS = [0.0, 0.1, 0.5, 0.9, 0.99, 0.9999]


def erf_slope_square(q):
    return 4 / math.pi / math.sqrt(1 + 4 * q)


class TestClosedForms:
    """To 1e-9 of the value."""

    @pytest.mark.parametrize("q", LENGTHS)
    def test_relu(self, q):
        expected = theory.moments("relu", q)
        assert expected.mean == pytest.approx(math.sqrt(q / (2 * math.pi)), rel=1e-9)
        assert expected.square == pytest.approx(q / 2, rel=1e-9)
        assert expected.slope_square == pytest.approx(0.5, rel=1e-9)

    @pytest.mark.parametrize("q", LENGTHS)
    def test_identity(self, q):
        expected = theory.moments("identity", q)
        assert expected.mean == pytest.approx(0, abs=1e-12 * math.sqrt(q))
        assert expected.square == pytest.approx(q, rel=1e-9)
        assert expected.slope_square == pytest.approx(1, rel=1e-9)

    @pytest.mark.parametrize("q", LENGTHS)
    def test_erf_given_as_a_function(self, q):
        expected = theory.moments(erf, q)
        assert expected.square == pytest.approx(2 / math.pi * math.asin(2 * q / (1 + 2 * q)), rel=1e-9)
        assert expected.slope_square == pytest.approx(erf_slope_square(q), rel=1e-7)

    @pytest.mark.parametrize("q", LENGTHS)
    def test_a_step_and_a_kink_away_from_zero(self, q):
        """E[1(u > 1)] and E[max(u - 1, 0)], which the fixed points would miss."""
        tail = 0.5 * math.erfc(1 / math.sqrt(2 * q))
        above = math.sqrt(q / (2 * math.pi)) * math.exp(-1 / (2 * q)) - tail
        assert expectation(lambda u: (u > 1).astype(float), q) == pytest.approx(tail, abs=1e-6)
        kink = expectation(lambda u: np.maximum(u - 1, 0), q)
        assert kink == pytest.approx(above, abs=1e-6 * max(1, math.sqrt(q)))

    @pytest.mark.parametrize("q", LENGTHS)
    @pytest.mark.parametrize("c", CORRELATIONS)
    def test_correlations(self, q, c):
        relu = q * (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / (2 * math.pi)
        assert correlation(lambda u: np.maximum(u, 0), q, c) == pytest.approx(relu, rel=1e-8)
        sine = 2 / math.pi * math.asin(2 * q * c / (1 + 2 * q))
        assert correlation(erf, q, c) == pytest.approx(sine, abs=1e-7)
        assert correlation(lambda u: u, q, c) == pytest.approx(q * c, rel=1e-8, abs=1e-12 * q)


@pytest.mark.parametrize("q", [1e-6, 1e-3, 1.0, 1e2, 1e4])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_moments_of_every_activation_against_monte_carlo(name, q):
    phi, slope = functions_of(name)
    u = math.sqrt(q) * np.random.default_rng(0).standard_normal(1_000_000)
    expected = theory.moments(name, q)
    for values, moment in (
        (phi(u), expected.mean),
        (phi(u) ** 2, expected.square),
        (slope(u) ** 2, expected.slope_square),
    ):
        error = values.std() / 1000
        assert abs(values.mean() - moment) <= 5 * error + 1e-12


class TestPublishedPoints:
    def test_tanh_at_sigma_b_squared_005(self):
        assert theory.critical_sigma_w2("tanh", 0.05) == pytest.approx(1.76, abs=0.005)

    def test_tanh_without_bias(self):
        below, above = theory.phase("tanh", 0.9), theory.phase("tanh", 1.2)
        assert (below.q, below.chi < 1) == (0.0, True)
        assert above.q > 0
        assert above.chi > 1
        assert above.c == 0

    def test_erf_without_bias(self):
        assert theory.critical_sigma_w2(erf, 0.0) == pytest.approx(math.pi / 4, rel=1e-4)

    @pytest.mark.parametrize("name", ACTIVATIONS)
    def test_each_activation_declares_its_critical_variance(self, name):
        declared = ACTIVATIONS[name].critical
        if declared is None:
            with pytest.raises(UsageError, match="chi jumps past 1"):
                theory.critical_sigma_w2(name)
        else:
            assert theory.critical_sigma_w2(name) == pytest.approx(declared, rel=2e-5)

    def test_relu_is_critical_at_two(self):
        assert theory.critical_sigma_w2("relu") == pytest.approx(2, rel=1e-9)
        he = theory.phase("relu", 2.0)
        assert (he.q, he.chi, he.c) == (1.0, pytest.approx(1), 1.0)
        assert theory.phase("relu", 2.1).q == math.inf
        assert theory.phase("relu", 1.9).q == 0

    def test_relu_correlations_approach_one_as_nine_pi_squared_over_two_l_squared(self):
        c = 0.2
        for _ in range(3000):
            c = (math.sqrt(max(0.0, 1 - c * c)) + c * (math.pi - math.acos(min(1.0, c)))) / math.pi
        assert (1 - c) * 2 * 3000**2 / (9 * math.pi**2) == pytest.approx(1, abs=0.03)
        gap = 1e-4
        ours = 1 - theory.correlation_map("relu", 1 - gap, 1.0, 2.0)
        exact = 1 - (math.sqrt(1 - (1 - gap) ** 2) + (1 - gap) * (math.pi - math.acos(1 - gap))) / math.pi
        assert ours == pytest.approx(exact, rel=1e-5)

    def test_chaos_decorrelates_and_order_correlates(self):
        chaos = theory.phase("tanh", 4.0, 0.05)
        assert chaos.chi > 1
        assert 0 < chaos.c < 0.5
        assert theory.correlation_map("tanh", chaos.c, chaos.q, 4.0, 0.05) == pytest.approx(chaos.c, abs=1e-9)
        order = theory.phase("tanh", 1.3, 0.05)
        assert (order.c, order.chi < 1) == (1.0, True)
        assert order.xi_correlation == pytest.approx(order.xi_gradient)

    def test_depth_scales_grow_without_bound_towards_the_border(self):
        scales = [theory.phase("tanh", w2, 0.05).xi_gradient for w2 in (1.3, 1.6, 1.7, 1.75)]
        assert scales == sorted(scales)
        assert scales[-1] > 100

    def test_at_the_border(self):
        at = theory.critical_sigma_w2("tanh", 0.05)
        near = theory.phase("tanh", at * (1 + 1e-7), 0.05)
        assert (near.c, near.xi_correlation) == (1.0, math.inf)
        for sigma_w2 in (1.00001, 1.00005, 1.001):
            assert theory.phase("tanh", sigma_w2).c == 0
        assert theory.fixed_length("relu", 2.0, 1e-6) == math.inf

    def test_no_border(self):
        with pytest.raises(UsageError, match="no sigma_w"):
            theory.critical_sigma_w2("tanh", 1e6)

    def test_a_users_own_function_is_as_good_as_a_registered_one(self):
        ours = theory.phase(lambda u: np.maximum(u, 0), 1.5)
        assert ours.chi == pytest.approx(0.75, abs=0.01)
        assert theory.gradient_factor(np.tanh, 0.3, 1.0) == pytest.approx(
            theory.gradient_factor("tanh", 0.3, 1.0), rel=1e-7
        )

    def test_gains(self):
        assert gain("relu") == pytest.approx(math.sqrt(2))
        assert gain("tanh") == pytest.approx(1.5925, abs=1e-3)
        assert gain("tanh", "backward") < gain("tanh", "both") < gain("tanh")
        with pytest.raises(UsageError, match="unknown direction 'back'; did you mean 'backward'"):
            gain("relu", "back")

    def test_gains_of_any_function_and_how_deep_they_carry(self):
        def bent(z):
            return np.maximum(z, 0.5 * z)

        each = gains(bent)
        exact = math.sqrt(2 / (1 + 0.5**2))
        for carried in (each.forward, each.backward, each.critical):
            assert carried.gain == pytest.approx(exact, rel=1e-6)
            assert carried.gradient_scale > 1e5
        own, ours = gains(lambda z: np.tanh(z)), gains("tanh")
        for name in ("forward", "backward"):
            assert vars(getattr(own, name)) == pytest.approx(vars(getattr(ours, name)), rel=1e-4)
        assert own.critical.gain == pytest.approx(ours.critical.gain, rel=1e-6)
        assert ours.forward.gradient_scale == pytest.approx(1 / math.log(ours.forward.chi))
        assert gains("gelu").critical is None
        assert "critical" in repr(gains("gelu"))
        with pytest.raises(UsageError, match="is not elementwise"):
            gains(lambda z: z / np.abs(z).max() + z.sum())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_predicted_shares_are_those_of_samples(name):
    phi, _ = functions_of(name)
    edges = np.linspace(-1, 1.5, 11)
    shares = predict_shares(name, 0.7, edges)
    sample = phi(math.sqrt(0.7) * np.random.default_rng(0).standard_normal(400_000))
    np.testing.assert_allclose(shares, np.histogram(sample, edges)[0] / 400_000, atol=4e-3)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_predicted_gradient_shares_are_those_of_samples(activation):
    rng = np.random.default_rng(0)
    _, slope = functions_of(activation)
    products = slope(3 * rng.standard_normal(400_000)) * rng.standard_normal(400_000)
    products *= 0.1 / np.sqrt((products**2).mean())
    edges = np.linspace(-0.3, 0.31, 12)
    expected = predict_gradient_shares(activation, 9.0, 0.1, edges)
    np.testing.assert_allclose(np.histogram(products, edges)[0] / 400_000, expected, atol=4e-3)


TWELVE = ["std=0.01", "std=1", "xavier", "xavier_uniform", "he", "he_uniform", "lecun", "lecun_uniform"]
TWELVE += ["variance_scaling(scale=1.5)", "variance_scaling(scale=3)", "variance_scaling(scale=100)"]
TWELVE += ["uniform(bound=0.05)"]


def expected_scatter(text, width, depth, name, samples):
    """The scatter of q and std in single networks; a handful of seeds may lie closer together by chance."""
    sizes = [width] * (depth + 1) + [10]
    layers = predict_layers(Scheme.parse(text), sizes, name)
    spreads = predict_spreads(Scheme.parse(text), sizes, name, samples)
    return np.array(
        [
            (2 * math.sqrt(layer.q) * spread.pre_activation_std, 0.0, spread.activation_std)
            for layer, spread in zip(layers, spreads, strict=True)
        ]
    )


def check_wide_networks(schemes, names, width, depth, seeds, samples=200):
    """Hold q, mean and std of each layer against theory, within the scatter of the seeds."""
    for name in names:
        for text in schemes:
            measured = []
            for seed in range(seeds):
                ensemble = initialize([width] * (depth + 1) + [10], [text], seed, name, "float64")
                inputs = np.random.default_rng(seed).standard_normal((samples, width))
                layers = measure_layers(ensemble, inputs)[0]
                z_squares = [float((z[0] ** 2).mean()) for z in ensemble.pre_activations[:-1]]
                measured.append(
                    [(q, layer.mean, layer.std) for q, layer in zip(z_squares, layers, strict=True)]
                )
            predicted = predict_layers(Scheme.parse(text), [width] * (depth + 1) + [10], name)
            values = np.array(measured)
            expected = np.array([(layer.q, layer.mean, layer.std) for layer in predicted])
            scatter = expected_scatter(text, width, depth, name, samples)
            error = np.maximum(values.std(axis=0, ddof=1), scatter) / math.sqrt(seeds)
            scale = np.abs(values).mean(axis=0)
            distance = np.abs(values.mean(axis=0) - expected)
            centred = np.array([np.sqrt(expected[:, 0]), expected[:, 2], expected[:, 2]]).T
            beyond_first_order = 3 * (scatter[:, :1] / expected[:, :1]) ** 2 * scale
            allowed = (
                6 * error + 0.01 * scale + 5e-3 * np.minimum(centred, scale + centred) + beyond_first_order
            )
            assert (distance <= allowed).all(), (name, text, (distance / allowed).max())


def test_wide_networks_behave_as_predicted():
    check_wide_networks(["he", "std=1", "lecun_uniform"], ["relu", "tanh", "sigmoid"], 800, 6, 4)


def test_weights_need_only_be_uncorrelated():
    check_wide_networks(["orthogonal(gain=relu)", "sparse(nonzero=0.1, std=0.1)"], ["relu"], 800, 6, 4)


@pytest.mark.long
def test_very_wide_networks_behave_as_predicted():
    check_wide_networks(TWELVE, ACTIVATIONS, 2000, 20, 4)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_of_a_wide_rectangular_network(name):
    """Standard deviations of back-propagated gradients, relative to the last hidden layer."""
    sizes, rng = [500, 900, 600, 1200, 800, 10], np.random.default_rng(0)
    ratios = []
    for seed in range(6):
        ensemble = initialize(sizes, ["xavier"], seed, name, "float64")
        ensemble.loss(rng.standard_normal((100, 500)), rng.integers(10, size=100))
        stds = np.array([delta[0].std() for delta in ensemble.pre_activation_gradients])
        ratios.append(stds / stds[-1])
    predicted = [layer.gradient for layer in predict_layers("xavier", sizes, name)]
    np.testing.assert_allclose(np.mean(ratios, axis=0), predicted, rtol=0.06)
