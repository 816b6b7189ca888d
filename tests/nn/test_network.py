"""The network against independent means: a textbook program, finite differences, and itself alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook import Network, random_layers

from initlab.errors import UsageError
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.architecture import hidden_sizes
from initlab.nn.losses import LOSSES
from initlab.nn.network import Ensemble, StepRule
from initlab.nn.normalization import BatchNorm
from initlab.nn.optimizers import Optimizer, clip_gradients, decay_weights

PLACES = [None, "before", "after"]


def ensemble_of(networks, sizes, activation="tanh", dtype="float64", place=None):
    norm = BatchNorm(place) if place else None
    return Ensemble(*random_layers(networks, sizes), activation, dtype, norm)


def alone(ensemble, row):
    """The network of one row, built from its arrays."""
    weights, biases = [W[row] for W in ensemble.weights], [b[row] for b in ensemble.biases]
    return Ensemble(weights, biases, ensemble.activation.name, ensemble.dtype.name)


def batches(steps, sizes, batch_size=33, seed=1, networks=()):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        inputs = rng.standard_normal((*networks, batch_size, sizes[0]))
        yield inputs, rng.integers(sizes[-1], size=(*networks, batch_size))


@pytest.mark.parametrize("networks", [1, 7])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_every_loss_of_400_steps_is_that_of_the_textbook(activation, networks):
    sizes = [784, 50, 50, 50, 10]
    ensemble, sgd = ensemble_of(networks, sizes, activation), Optimizer("sgd", lr=0.1)
    textbook = [
        Network([W[m] for W in ensemble.weights], [b[m] for b in ensemble.biases], activation)
        for m in range(networks)
    ]
    teacher = np.random.default_rng(2).standard_normal((784, 10))
    for inputs, _ in batches(400, sizes):
        labels = (inputs @ teacher).argmax(axis=1)
        losses = ensemble.train_step(inputs, labels, sgd)
        expected = [network.step(inputs, labels, 0.1) for network in textbook]
        np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_central_differences(activation, loss, place):
    """Along random directions in the space of all parameters, each network with inputs of its own."""
    rng, step = np.random.default_rng(0), 1e-5
    ensemble = ensemble_of(3, [7, 6, 5, 3], activation, place=place)
    ensemble.parameters += 0.1 * rng.standard_normal(ensemble.parameters.shape)  # scales and shifts too
    ((inputs, labels),) = batches(1, [7, 3], 6, networks=(3,))
    ensemble.loss(inputs, labels, loss)
    gradients, start = ensemble.gradients.copy(), ensemble.parameters.copy()
    for _ in range(4):
        direction = rng.standard_normal(start.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        ensemble.parameters[...] = start + step * direction
        ahead = ensemble.loss(inputs, labels, loss)
        ensemble.parameters[...] = start - step * direction
        behind = ensemble.loss(inputs, labels, loss)
        numeric, analytic = (ahead - behind) / (2 * step), (gradients * direction).sum(axis=1)
        scale = np.maximum(np.abs(analytic), np.linalg.norm(gradients, axis=1) * 0.1)
        rounding = 4 * np.finfo(np.float64).eps * ahead / step
        assert (np.abs(numeric - analytic) < 1e-6 * scale + rounding).all(), (numeric, analytic)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(20, 10), (784, 100, 100, 10), (17, 1, 5, 3), (5, 9, 1)], ids=str)
@pytest.mark.parametrize("own_batches", [False, True], ids=["same-batches", "own-batches"])
def test_a_network_has_the_same_bits_in_an_ensemble_of_twelve_and_alone(
    sizes, dtype, activation, own_batches
):
    ensemble, sgd = ensemble_of(12, sizes, activation, dtype), Optimizer("sgd", lr=0.1)
    singles = {row: alone(ensemble, row) for row in (0, 5, 11)}
    for inputs, labels in batches(5, sizes, networks=(12,) if own_batches else ()):
        losses = ensemble.train_step(inputs, labels, sgd)
        for row, single in singles.items():
            batch = (inputs[row], labels[row]) if own_batches else (inputs, labels)
            assert single.train_step(*batch, sgd)[0] == losses[row]
    for row, single in singles.items():
        assert single.parameters[0].tobytes() == ensemble.parameters[row].tobytes()


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    batch_size=st.integers(1, 40),
    networks=st.integers(2, 9),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_rows_never_mix_whatever_the_shapes(sizes, batch_size, networks, dtype):
    ((inputs, labels),) = batches(1, sizes, batch_size)
    ensemble = ensemble_of(networks, sizes, dtype=dtype)
    losses = ensemble.loss(inputs, labels)
    for row in range(networks):
        single = alone(ensemble, row)
        assert single.loss(inputs, labels)[0] == losses[row]
        assert single.gradients[0].tobytes() == ensemble.gradients[row].tobytes()


def test_keeping_some_networks_changes_nothing_for_them():
    sizes, rows = [6, 5, 4], np.array([0, 2])
    whole, optimizer = ensemble_of(3, sizes, dtype="float32"), Optimizer("momentum", lr=[0.1, 0.2, 0.3])
    part, same = whole.keep(rows), Optimizer("momentum", lr=[0.1, 0.2, 0.3])
    same.keep(rows)
    for inputs, labels in batches(3, sizes):
        all_losses = whole.train_step(inputs, labels, optimizer)
        losses = part.train_step(inputs, labels, same)
        assert losses.tobytes() == all_losses[rows].tobytes()


@pytest.mark.parametrize("place", PLACES)
def test_put_brings_trained_networks_back_into_their_rows(place):
    sizes, rows = [6, 5, 4], np.array([2, 0])
    whole, sgd = ensemble_of(3, sizes, place=place), Optimizer("sgd", lr=0.1)
    untouched = whole.parameters[1].copy()
    part = whole.keep(rows)
    part.batches_before[...] = [7, 8]
    for inputs, labels in batches(5, sizes):
        part.train_step(inputs, labels, sgd)
    whole.put(rows, part)
    assert (whole.forward(inputs)[rows] == part.forward(inputs)).all()
    assert (whole.parameters[1] == untouched).all()
    assert whole.batches_before.tolist() == [8, 0, 7]


def test_a_step_clips_first_then_decays_then_updates():
    sizes, rule = [6, 5, 4], StepRule("squared_error", clip=1e-3, weight_decay=0.5)
    ((inputs, labels),) = batches(1, sizes)
    ensemble, same = ensemble_of(2, sizes), ensemble_of(2, sizes)
    losses = ensemble.train_step(inputs, labels, Optimizer("sgd", lr=0.1), rule, lr_factor=0.5)
    assert (same.loss(inputs, labels, "squared_error") == losses).all()
    clip_gradients(same.gradients, 1e-3)
    decay_weights(same.gradients, same.parameters, 0.5)
    np.testing.assert_allclose(ensemble.parameters, same.parameters - 0.05 * same.gradients, rtol=1e-14)


def test_weights_can_be_read_and_set():
    ensemble = Ensemble.zeros(2, [3, 2], dtype="float64")
    ensemble.weights[0][1] = [[1, 2], [3, 4], [5, 6]]
    ensemble.biases[0][1] = [10, 20]
    ones = np.ones((1, 3))
    assert ensemble.forward(ones).tolist() == [[[0, 0]], [[19, 32]]]
    copy = Ensemble(ensemble.weights, ensemble.biases, dtype="float64")
    assert (copy.parameters == ensemble.parameters).all()
    copy.set_weights([np.ones((3, 2))])
    assert copy.forward(ones)[1].tolist() == [[13, 23]]


def test_accuracy_counts_the_largest_logit():
    network = Ensemble([np.eye(3)], dtype="float64")
    assert network.accuracy(np.eye(3), np.array([0, 1, 0])).tolist() == [2 / 3]


def test_an_ensemble_is_shown_in_one_line():
    deep = Ensemble.zeros(2, [784, *[100] * 50, 10, 10], "gelu", norm=BatchNorm("after"))
    assert repr(deep) == "<Ensemble: 2 x 784-100x50-10x2, gelu, float32, BatchNorm after>"


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ("100x4", (100,) * 4),
        ("300,100", (300, 100)),
        ("7", (7,)),
        ([30, 20], (30, 20)),
        ([], ()),
        ("9x0", ()),
    ],
)
def test_hidden_sizes_are_read_from_a_text_or_a_list(given, sizes):
    assert hidden_sizes(given) == sizes


@pytest.mark.parametrize("text", ["", "0x4", "100x", "100 x 4", "-3", "1.5", "100,", "100,0", "1e3"])
def test_other_texts_are_no_hidden_sizes(text):
    with pytest.raises(UsageError, match="write units and layers, as 100x4, or 300,100"):
        hidden_sizes(text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ensemble([]), "shape"),
        (lambda: Ensemble([np.ones(3)]), "shape"),
        (lambda: Ensemble([np.ones((2, 3)), np.ones((4, 5))]), "do not fit"),
        (lambda: Ensemble([np.ones((1, 2, 3)), np.ones((2, 3, 5))]), "do not fit"),
        (lambda: Ensemble([np.ones((2, 3))], [np.ones(4)]), r"biases of layer 0 .* \(4,\)"),
        (lambda: Ensemble([np.ones((2, 3))], [np.ones(3)] * 2), "2 arrays of biases for 1 layers"),
        (lambda: Ensemble([np.ones((2, 3))], activation="rleu"), "did you mean 'relu'"),
        (lambda: Ensemble([np.ones((2, 3))], dtype="float16"), "float32 or float64"),
        (lambda: Ensemble.zeros(1, [2]), "at least two"),
        (lambda: Ensemble.zeros(1, [2, -1]), "from 1 on"),
    ],
)
def test_the_message_explains_what_is_wrong(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_the_text_of_an_optimizer_is_refused_with_what_to_write():
    network = Ensemble([np.eye(2)])
    with pytest.raises(UsageError, match=r"Optimizer.parse\('sgd\(lr=0.1\)'\), made once"):
        network.train_step(np.eye(2), np.array([0, 1]), "sgd(lr=0.1)")
