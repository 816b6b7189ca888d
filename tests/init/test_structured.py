"""Schemes of a structure: what they promise of a network holds in networks that are drawn from them."""

import math

import numpy as np
import pytest
from scipy import linalg, stats

from initlab.errors import UsageError
from initlab.init.networks import initialize, mean_square
from initlab.init.per_layer import Initialization
from initlab.init.scheme import Scheme
from initlab.init.shaping import find_mirror, find_shift
from initlab.init.structured import start_for, zero
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.optimizers import Optimizer
from initlab.training.train import train


class TestZero:
    @pytest.mark.parametrize("shape", [(3, 3), (5, 3)])
    def test_layers_that_do_not_widen_are_identities(self, shape):
        assert (zero(None, shape) == np.eye(*shape)).all()

    @pytest.mark.parametrize(
        ("n_out", "order"), [(2, 1), (4, 2), (5, 3), (8, 3), (100, 7), (128, 7), (129, 8)]
    )
    def test_layers_that_widen_are_cut_from_a_hadamard_matrix(self, n_out, order):
        """scipy's matrix, with the factor of the paper's algorithm 1."""
        n_in = n_out // 2
        whole = linalg.hadamard(2**order) * 2 ** (-(order - 1) / 2)
        assert np.allclose(zero(None, (n_in, n_out)), whole[:n_in, :n_out], rtol=1e-14)

    def test_relu_then_keeps_the_length_of_a_signal_that_is_widened_to_a_power_of_2(self):
        """Half of the squared length falls away where the output is negative, and the factor restores it."""
        x = np.random.default_rng(0).standard_normal((2000, 64))
        widened = np.maximum(x @ zero(None, (64, 128)), 0)
        assert (widened**2).sum() == pytest.approx((x**2).sum(), rel=0.02)


LINEAR_PAIRS = ["relu", "gelu", "swish", "softplus"]


class TestMirror:
    @pytest.mark.parametrize("activation", LINEAR_PAIRS)
    @pytest.mark.parametrize("width", [128, 129])
    @pytest.mark.parametrize("depth", [1, 3, 100])
    def test_an_untrained_network_is_an_isometry_of_any_depth(self, activation, width, depth):
        """Linear, and all distances are kept; also in odd layers, whose last unit has no opposite."""
        network = initialize([64, *[width] * depth, 64], ["mirror"], 0, activation, "float64")
        x = np.random.default_rng(0).standard_normal((70, 64))
        z, halves = network.forward(x)[0].copy(), network.forward(x / 2)[0].copy()
        assert np.allclose(z @ z.T, x @ x.T, atol=1e-10)
        assert np.allclose(2 * halves, z, atol=1e-10)
        assert np.allclose(network.forward(x[:1] + x[1:2])[0], z[:1] + z[1:2], atol=1e-10)

    def test_so_it_is_not_where_a_pair_is_not_linear(self):
        network = initialize([64, 128, 128, 64], ["mirror"], 0, "tanh", "float64")
        x = np.random.default_rng(0).standard_normal((9, 64))
        assert not np.allclose(2 * network.forward(x / 2)[0], network.forward(x)[0].copy(), atol=0.1)

    def test_layers_undo_what_a_leak_adds(self):
        """A pair of leaky_relu passes on 1.01 u."""
        network = initialize([64, 128, 128, 64], ["mirror"], 0, "leaky_relu", "float64")
        x = np.random.default_rng(0).standard_normal((9, 64))
        assert np.allclose(np.linalg.norm(network.forward(x)[0], axis=1), np.linalg.norm(x, axis=1))

    @pytest.mark.parametrize("sizes", [[7, 5, 9, 4], [5, 1, 3, 2], [3, 2], [4, 3, 1]])
    @pytest.mark.parametrize("weights", ["orthogonal", "normal"])
    def test_units_are_in_pairs_at_any_width(self, sizes, weights):
        network = initialize(sizes, [f"mirror(weights={weights})"], 0, "relu", "float64")
        network.forward(np.random.default_rng(0).standard_normal((6, sizes[0])))
        for z, W in zip(network.pre_activations[:-1], network.weights[1:], strict=True):
            half = z.shape[2] // 2
            assert np.allclose(z[:, :, :half], -z[:, :, half : 2 * half])
            assert np.allclose(W[:, :half], -W[:, half : 2 * half])
            assert not W[:, 2 * half :].any()

    def test_a_unit_without_an_opposite_can_learn(self):
        """Its outgoing weights are 0, but receive a gradient."""
        network = initialize([6, 5, 5, 3], ["mirror"], 0, "relu", "float64")
        network.loss(np.random.default_rng(0).standard_normal((20, 6)), np.arange(20) % 3)
        assert all(dW[:, -1].any() for dW in network.weight_gradients[1:])

    @pytest.mark.parametrize("place", ["first", "hidden", "last", "only"])
    @pytest.mark.parametrize("weights", ["normal", "orthogonal"])
    def test_blocks_have_variance_1_over_their_rows(self, place, weights):
        own = {"activation": "relu", "depth": 3, "input_square": 1.0, "place": place, "weights": weights}
        for shape in ((300, 200), (200, 300)):
            W = Scheme("mirror", own).draw(np.random.default_rng(0), shape)
            rows = shape[0] // 2 if place in ("hidden", "last") else shape[0]
            columns = shape[1] // 2 if place in ("first", "hidden") else shape[1]
            O = W[:rows, :columns]  # noqa: E741
            assert O.var() == pytest.approx(1 / rows, rel=0.03)
            if weights == "normal":
                assert stats.kstest(O.ravel(), stats.norm(0, rows**-0.5).cdf).pvalue > 1e-3
            else:
                assert np.ptp(linalg.svdvals(O)) < 1e-12

    def test_a_place_that_is_given_is_kept(self):
        start = Initialization(Scheme.parse("mirror(place=hidden)"))
        assert str(start.of_layer(0, 3)) == "mirror(place=hidden)"
        assert str(Initialization.of("mirror").of_layer(0, 1)) == "mirror(place=only)"


SHAPES = [[300] * 10, [300, 200, 400, 150, 300], [301, 203, 401]]


def inputs_of(size, square, count=500):
    return math.sqrt(square) * np.random.default_rng(1).standard_normal((count, size))


class TestShift:
    @pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softsign", "erf", "hard_tanh"])
    @pytest.mark.parametrize("hidden", SHAPES)
    @pytest.mark.parametrize("weights", ["orthogonal", "normal"])
    def test_every_layer_has_the_mean_and_the_variance_that_was_chosen(self, activation, hidden, weights):
        x, start = inputs_of(400, 0.1), find_shift(activation, len(hidden))
        scheme = f"shift(weights={weights})"
        network = initialize([400, *hidden, 200], [scheme], 0, activation, "float64", data=x)
        network.forward(x)
        for z in network.pre_activations[:-1]:
            assert z.mean() == pytest.approx(start.bias, abs=0.1 * max(start.scale, 1e-9))
            assert z.std() == pytest.approx(start.scale, rel=0.15)
        outputs = network.pre_activations[-1]
        assert outputs.mean() == pytest.approx(0, abs=0.1)
        assert outputs.std() == pytest.approx(1, rel=0.15)

    @pytest.mark.parametrize(("activation", "zeta"), [("tanh", 1.5), ("sigmoid", 3.0)])
    @pytest.mark.parametrize("depth", [5, 50])
    def test_squared_gradients_grow_by_zeta_through_all_layers(self, activation, zeta, depth):
        x = inputs_of(400, 1.0, 50)
        network = initialize([400, *[400] * depth, 10], ["shift"], 0, activation, "float64", data=x)
        network.loss(x, np.arange(50) % 10)
        dz = network.pre_activation_gradients
        layers = depth - 1
        assert (dz[0] ** 2).mean() / (dz[layers] ** 2).mean() == pytest.approx(
            zeta ** (layers / depth), rel=0.2
        )

    def test_an_odd_function_needs_no_biases(self):
        assert not initialize([9, 8, 8, 3], ["shift"], 0, "tanh").biases[1].any()
        assert initialize([9, 8, 8, 3], ["shift"], 0, "sigmoid").biases[1].any()

    def test_biases_that_are_drawn_are_added(self):
        sizes, own = [9, 8, 8, 3], Initialization.of("shift")
        drawn = Initialization(own.scheme, bias=Scheme.parse("std=0.1"))
        noise = Initialization(Scheme.parse("he"), bias=Scheme.parse("std=0.1"))
        plain, both, added = (
            initialize(sizes, [start], 0, "sigmoid", "float64") for start in (own, drawn, noise)
        )
        for layer in range(3):
            assert np.allclose(both.biases[layer], plain.biases[layer] + added.biases[layer])


class TestCurvedMirror:
    """Where psi(u) = phi(u) - phi(-u) is not u."""

    @pytest.mark.parametrize("activation", ["elu", "selu"])
    @pytest.mark.parametrize("hidden", SHAPES)
    @pytest.mark.parametrize("weights", ["orthogonal", "normal"])
    def test_every_layer_has_the_variance_that_was_chosen(self, activation, hidden, weights):
        x, q = inputs_of(400, 0.1), find_mirror(activation, len(hidden)).q
        scheme = f"mirror(weights={weights})"
        network = initialize([400, *hidden, 200], [scheme], 0, activation, "float64", data=x)
        network.forward(x)
        for z in network.pre_activations[:-1]:
            assert z.std() == pytest.approx(math.sqrt(q), rel=0.15)
        assert network.pre_activations[-1].std() == pytest.approx(1, rel=0.15)


class TestAuto:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_it_draws_what_the_start_for_its_activation_draws(self, activation):
        x = inputs_of(9, 0.3)
        own, chosen = (
            initialize([9, 8, 7, 3], [scheme], 0, activation, "float64", data=x)
            for scheme in ("auto", start_for(activation))
        )
        assert (own.parameters == chosen.parameters).all()

    def test_an_activation_of_ones_own(self, monkeypatch):
        mine = ACTIVATIONS["tanh"]
        monkeypatch.setitem(ACTIVATIONS, "mine", mine)
        assert start_for("mine") == "shift"
        assert initialize([9, 8, 7, 3], ["auto"], 0, "mine").parameters.any()

    def test_alone_it_needs_to_know_the_network(self):
        message = r"auto alone depends on the network; write auto\(activation=tanh, depth=10, place=hidden"
        with pytest.raises(UsageError, match=message):
            Scheme.parse("auto").draw(np.random.default_rng(0), (3, 3))

    def test_the_size_of_inputs_is_that_of_the_first_thousand(self):
        x = np.ones((2000, 3))
        x[1000:] = 5
        assert mean_square(x) == 1
        W = [initialize([3, 4, 2], ["auto"], 0, data=each).weights[0] for each in (x, 2 * x)]
        assert np.allclose(W[0], 2 * W[1])


@pytest.mark.parametrize(("activation", "parts"), [("relu", True), ("gelu", True), ("tanh", False)])
def test_training_parts_pairs_unless_the_function_is_odd(activation, parts):
    """Why `auto` does not mirror tanh: its pairs receive opposite gradients, so they stay opposite."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((200, 10)), rng.integers(3, size=200)
    network = initialize([10, 20, 20, 3], ["mirror"], 0, activation, "float64", data=x)
    train(network, (x, y), steps=30, optimizer=Optimizer("sgd", lr=0.1), batch_size=50)
    network.forward(x)
    for z in network.pre_activations[:-1]:
        opposite = np.allclose(z[0, :, :10], -z[0, :, 10:], atol=1e-8)
        assert opposite != parts
