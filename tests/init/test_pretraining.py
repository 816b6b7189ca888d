"""Pretraining: learning rules against exact gradients, layer after layer, and what it does for a network."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from initlab import Optimizer, open_dataset
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.pretraining import (
    autoencoder_gradients,
    contrastive_divergence,
    denoising,
    pretrain,
    resting_bias,
)
from initlab.nn.activations import ACTIVATIONS

PATTERNS = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0]], np.float64)

REST = resting_bias(PATTERNS, bounded=True)


def exact_gradient(W, b, c):
    """The gradient of the mean log-likelihood of the patterns, by enumeration of all states."""
    visible = np.array(list(product([0, 1], repeat=4)), np.float64)
    hidden = np.array(list(product([0, 1], repeat=3)), np.float64)
    energies = visible @ W @ hidden.T + (visible @ c)[:, None] + hidden @ b
    joint = np.exp(energies - energies.max())
    joint /= joint.sum()
    model = np.einsum("vi,vh,hj->ij", visible, joint, hidden)
    data = PATTERNS.T @ (1 / (1 + np.exp(-(PATTERNS @ W + b)))) / len(PATTERNS)
    return data - model


def log_likelihood(W, b, c):
    visible = np.array(list(product([0, 1], repeat=4)), np.float64)

    def free(v):
        return v @ c + np.log1p(np.exp(v @ W + b)).sum(axis=1)

    return float(free(PATTERNS).mean() - np.log(np.exp(free(visible)).sum()))


def test_contrastive_divergence_with_many_turns_is_the_gradient_of_the_likelihood():
    rng = np.random.default_rng(0)
    W, b = rng.normal(0, 1, (4, 3)), rng.normal(0, 0.5, 3)
    start, expected = W.copy(), exact_gradient(W, b, resting_bias(PATTERNS, bounded=True))
    batch = np.tile(PATTERNS, (20_000, 1))
    list(contrastive_divergence(rng, 1, lr=1.0, k=30)(lambda: batch, W, b))
    np.testing.assert_allclose(W - start, expected, atol=0.005)
    assert np.abs(expected).max() > 0.05


def test_contrastive_divergence_raises_the_likelihood_of_the_patterns():
    rng = np.random.default_rng(0)
    W, b = rng.normal(0, 0.01, (4, 3)), np.zeros(3)
    before = log_likelihood(W, b, REST)
    batch = np.tile(PATTERNS, (30, 1))
    errors = list(contrastive_divergence(rng, 2000, lr=0.1, k=1)(lambda: batch, W, b))
    assert log_likelihood(W, b, REST) > before + 0.3
    assert np.mean(errors[-50:]) < 0.8 * np.mean(errors[:50])


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("bounded", [True, False])
def test_the_autoencoders_gradients_are_those_of_central_differences(activation, bounded):
    rng, phi = np.random.default_rng(0), ACTIVATIONS[activation]
    x, noisy = rng.random((6, 5)), rng.random((6, 5))
    parameters = [rng.normal(0, 0.5, shape) for shape in ((5, 4), (4,), (5,))]

    def loss():
        r, _ = autoencoder_gradients(x, noisy, *parameters, phi, bounded)
        if bounded:
            return -(x * np.log(r) + (1 - x) * np.log(1 - r)).sum() / 6
        return 0.5 * np.square(r - x).sum() / 6 / 5

    _, gradients = autoencoder_gradients(x, noisy, *parameters, phi, bounded)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        for index in np.ndindex(parameter.shape):
            parameter[index] += 1e-6
            ahead = loss()
            parameter[index] -= 2e-6
            behind = loss()
            parameter[index] += 1e-6
            assert gradient[index] == pytest.approx((ahead - behind) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_noise_sets_the_given_fraction_of_the_inputs_to_0(noise):
    """With weights of 1 into a single unit, the hidden layer counts the remaining inputs."""
    means, rng = [], np.random.default_rng(0)

    def count(z, _out):
        means.append(z.mean())
        return z

    counting = replace(ACTIVATIONS["identity"], function=count)
    learn = denoising(rng, counting, 1, 1e-9, noise, bounded=False)
    list(learn(lambda: np.ones((200, 1000)), np.ones((1000, 1)), np.zeros(1)))
    assert means[0] == pytest.approx(1000 * (1 - noise), abs=5 if noise else 0)


def test_hidden_layers_learn_one_after_another_and_the_output_layer_does_not():
    weights = [np.ones((3, 4)), np.ones((4, 5)), np.ones((5, 2))]
    biases = [np.zeros(4), np.zeros(5), np.zeros(2)]
    snapshots = []

    def learn(layer):
        def learn_layer(next_batch, W, _b):
            snapshots.append((layer, [w.copy() for w in weights], next_batch()))
            W += 1
            yield 0.0
            yield 0.0

        return learn_layer

    phi, inputs = ACTIVATIONS["tanh"], np.full((7, 3), 0.1)
    assert pretrain(weights, biases, phi, lambda n: inputs[:n], 6, learn) == 6
    assert [layer for layer, _, _ in snapshots] == [0, 1]
    np.testing.assert_allclose(snapshots[0][2], inputs[:6])
    np.testing.assert_allclose(snapshots[1][2], np.tanh(inputs[:6] @ np.full((3, 4), 2.0)))
    assert [float(w[0, 0]) for w in weights] == [2, 2, 1]


@pytest.mark.parametrize("scheme", ["pretrained_rbm", "pretrained_autoencoder"])
def test_pretraining_makes_a_deep_sigmoid_network_trainable(scheme):
    """784-100x5-10 on MNIST: 300 batches for each layer, then 300 supervised steps."""
    mnist = open_dataset("mnist")
    images = mnist.train_images.astype(np.float32) / 255
    sizes = [784, *[100] * 5, 10]
    plain = initialize(sizes, ["std=0.01"], 0, "sigmoid")
    pretrained = initialize(sizes, [f"{scheme}(steps=300)"], 0, "sigmoid", data=images)
    assert pretrained.batches_before.tolist() == [1505]
    accuracies = []
    for ensemble in (plain, pretrained):
        rng, sgd = np.random.default_rng(1), Optimizer("sgd", lr=0.5)
        for _ in range(300):
            chosen = rng.integers(len(images), size=100)
            ensemble.train_step(images[chosen], mnist.train_labels[chosen], sgd)
        test = mnist.test_images.astype(np.float32) / 255
        accuracies.append(float(ensemble.accuracy(test, mnist.test_labels)[0]))
    assert accuracies[0] < 0.15
    assert accuracies[1] > 0.8


def test_boltzmann_machines_refuse_networks_without_sigmoid_units():
    data = np.zeros((9, 4), np.float32)
    with pytest.raises(UsageError, match="is for sigmoid units, not tanh"):
        initialize([4, 3, 2], ["pretrained_rbm"], 0, "tanh", data=data)


def test_a_relu_network_trains_after_its_autoencoders():
    mnist = open_dataset("mnist")
    images = mnist.train_images.astype(np.float32) / 255
    scheme, sizes = "pretrained_autoencoder(steps=300)", [784, *[100] * 3, 10]
    network = initialize(sizes, [scheme], 0, "relu", data=images)
    rng, sgd = np.random.default_rng(1), Optimizer("sgd", lr=0.1)
    for _ in range(300):
        chosen = rng.integers(len(images), size=100)
        network.train_step(images[chosen], mnist.train_labels[chosen], sgd)
    test = mnist.test_images.astype(np.float32) / 255
    assert float(network.accuracy(test, mnist.test_labels)[0]) > 0.85


@pytest.mark.parametrize("scheme", ["pretrained_rbm", "pretrained_autoencoder"])
def test_inputs_outside_0_to_1_are_refused(scheme):
    with pytest.raises(UsageError, match="inputs from 0 to 1"):
        initialize([4, 3, 2], [scheme], 0, "sigmoid", data=np.full((9, 4), 2.0))
