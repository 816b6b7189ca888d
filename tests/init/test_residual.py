"""Schemes of residual networks and of muP: what they promise of whole networks."""

import numpy as np
import pytest

import initlab
from initlab.errors import UsageError
from initlab.init.networks import initialize, rate_factors
from initlab.init.scheme import KernelShape, Scheme
from initlab.nn.architecture import Skip, residuals, roles
from initlab.nn.optimizers import Optimizer

SIZES = [50, *[40] * 21, 10]
LEARNED = Skip(2, "learned")


def inputs(count=200, features=50):
    return np.random.default_rng(0).standard_normal((count, features))


@pytest.mark.parametrize("scheme", ["fixup", "skipinit", "rezero"])
@pytest.mark.parametrize("order", ["pre", "post"])
def test_at_the_start_every_block_is_the_identity(scheme, order):
    network = initialize(SIZES, scheme, 0, "relu", "float64", skip=Skip(2, "learned", order))
    network.forward(inputs())
    streams = network.pre_activations[0:-1:2] if order == "pre" else network.activations[0::2]
    for stream in streams[1:]:
        np.testing.assert_array_equal(stream, streams[0])
    assert streams[0].std() > 0


def test_he_doubles_the_mean_square_a_block_where_these_do_not():
    network = initialize(SIZES, ["he"] * 20, range(20), "relu", "float64", skip=Skip(2))
    network.forward(inputs())
    squares = [(z**2).mean() for z in network.pre_activations[0:-1:2]]
    assert np.mean(np.diff(np.log2(squares))) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("scheme", ["skipinit", "rezero"])
def test_a_scheme_with_a_scale_needs_one_that_is_learned(scheme):
    for skip in (None, Skip(2), Skip(2, 0.5)):
        with pytest.raises(UsageError, match="learned scale"):
            initialize(SIZES, scheme, 0, skip=skip)
    network = initialize(SIZES, [scheme, "he"], 0, skip=LEARNED)
    scales = [branch.parameters[0].tolist() for branch in residuals(network.layers)]
    assert scales == [[0.0, 1.0]] * 10


@pytest.mark.parametrize("scheme", ["fixup", "gpt2"])
def test_a_scheme_of_branches_is_refused_without_any(scheme):
    with pytest.raises(UsageError, match="is for residual networks"):
        initialize(SIZES, scheme)


def test_fixup_moves_outputs_by_as_much_however_many_blocks():
    """One step of gradient descent after the zero layers have begun to move; He's network explodes."""
    moved = {}
    for scheme in ("fixup", "he"):
        for blocks in (5, 40):
            sizes = [50, *[60] * (2 * blocks + 1), 10]
            network = initialize(sizes, [scheme] * 3, range(3), "relu", "float64", skip=LEARNED)
            x, labels, sgd = inputs(), np.arange(200) % 10, Optimizer("sgd", lr=1e-3)
            with np.errstate(all="ignore"):
                for _ in range(5):
                    network.train_step(x, labels, sgd)
                before = network.forward(x).copy()
                network.train_step(x, labels, sgd)
                moved[scheme, blocks] = float(np.abs(network.forward(x) - before).mean())
    assert 0.5 < moved["fixup", 40] / moved["fixup", 5] < 2
    assert not moved["he", 40] / moved["he", 5] < 100


def test_gpt2_keeps_the_stream_where_equal_weights_let_it_grow():
    """With L branches of variance v, the sum grows by L v; divided by L, by v."""
    growth = {}
    for blocks in (4, 64):
        sizes = [50, *[100] * (blocks + 1), 10]
        network = initialize(sizes, ["gpt2(std=0.1)"] * 5, range(5), "identity", "float64", skip=Skip(1))
        network.forward(inputs())
        first, last = network.pre_activations[0], network.pre_activations[-2]
        growth[blocks] = float((last**2).mean() / (first**2).mean())
    assert growth[4] == pytest.approx(growth[64], rel=0.15)
    assert growth[64] == pytest.approx(np.e, rel=0.2)


def change_of_logits(scheme, width, optimizer, lr):
    """The mean change after 4 steps, over three networks."""
    networks = initialize([50, width, width, 10], [scheme] * 3, range(3), "relu")
    step = Optimizer(optimizer, lr=lr)
    step.factors = rate_factors(networks, [scheme] * 3, adaptive=step.is_adaptive)
    x = inputs().astype(np.float32)
    labels = (x @ np.random.default_rng(1).standard_normal((50, 10))).argmax(axis=1)
    before = networks.forward(x).copy()
    for _ in range(4):
        networks.train_step(x, labels, step)
    return float(np.abs(networks.forward(x) - before).mean())


@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 0.05), ("momentum", 0.02), ("adam", 0.002)])
def test_a_step_of_mup_moves_the_logits_by_as_much_at_every_width(optimizer, lr):
    narrow, wide = (change_of_logits("mup(scale=2)", n, optimizer, lr) for n in (256, 2048))
    usual = [change_of_logits("he", n, optimizer, lr) for n in (256, 2048)]
    assert 0.6 < wide / narrow < 1.2
    assert usual[1] / usual[0] > 1.5


def test_at_its_base_width_mup_is_the_standard_parametrization():
    networks = initialize([50, 64, 64, 10], ["lecun", "mup"], 0)
    assert (networks.parameters[0] == networks.parameters[1]).all()
    for adaptive in (False, True):
        assert (rate_factors(networks, ["lecun", "mup"], adaptive=adaptive) == 1).all()
    assert rate_factors(networks, ["lecun", "he"], adaptive=False) is None


def test_training_follows_the_rates_of_a_scheme():
    """`train` gives the bits of a loop of one's own with the factors."""
    x, labels = inputs().astype(np.float32), np.arange(200) % 10
    trained = initlab.train(
        ["mup", "he"], (x, labels), hidden=[128, 128], steps=5, drawing="full", optimizer="sgd(lr=0.1)"
    )
    for row, scheme in enumerate(["mup", "he"]):
        network, sgd = initialize([50, 128, 128, 10], scheme), Optimizer("sgd", lr=0.1)
        sgd.factors = rate_factors(network, [scheme], adaptive=False)
        losses = [network.train_step(x, labels, sgd)[0] for _ in range(5)]
        np.testing.assert_allclose(trained[row].losses, losses, rtol=1e-6)


def test_factors_need_a_scheme_for_each_network():
    with pytest.raises(UsageError, match="1 schemes for 2 networks"):
        rate_factors(initialize([4, 4, 2], ["mup"] * 2), "mup", adaptive=False)


def test_an_ensemble_follows_the_factors_of_its_optimizer():
    data = inputs().astype(np.float32), np.arange(200) % 10
    by_schemes = initlab.train(["mup"] * 2, data, hidden="128x2", steps=5, seeds=[0, 1], paired=True)
    network, sgd = initialize([50, 128, 128, 10], ["mup"] * 2, [0, 1]), Optimizer("sgd", lr=0.01)
    sgd.factors = rate_factors(network, ["mup"] * 2, adaptive=False)
    by_ensemble = initlab.train(network, data, optimizer=sgd, steps=5, seeds=[0, 1])
    for ours, own in zip(by_ensemble, by_schemes, strict=True):
        assert ours.losses.tobytes() == own.losses.tobytes()


def test_delta_orthogonal_kernels_keep_lengths_and_angles():
    sizes = [784, *["conv(16, kernel=3, padding=same, border=circular)"] * 10, 2]
    network = initialize(sizes, "delta_orthogonal", 0, "identity", "float64")
    images = inputs(5, 784)
    network.forward(images)
    for z in network.pre_activations[:-1]:
        own = z[0].reshape(-1, 5)
        np.testing.assert_allclose(own.T @ own, images @ images.T, rtol=1e-10)


def test_a_role_is_that_of_the_layer_in_its_branch():
    network = initialize([4, *[4] * 6, 2], "he", skip=Skip(2))
    assert roles(network.layers) == ["plain", *["branch", "branch_end"] * 2, "branch_end", "plain"]
    shape = KernelShape((8, 4, 3, 3))
    assert Scheme.parse("delta_orthogonal").variance(shape) == pytest.approx(1 / 8 / 9)
