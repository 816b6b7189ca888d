"""Batch Normalization: PyTorch's numbers, the same bits alone; its gradients are in test_network.py."""

import numpy as np
import pytest
from textbook import random_layers

from initlab.errors import UsageError
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.network import Ensemble
from initlab.nn.normalization import BatchNorm
from initlab.nn.optimizers import Optimizer

SIZES = [7, 6, 5, 3]
PLACES = ["before", "after"]


def network(place, rows=(0, 1, 2), activation="tanh", dtype="float64", momentum=0.1):
    """Some of three networks, with scales other than 1 and shifts other than 0."""
    norm = BatchNorm(place, momentum)
    ensemble = Ensemble(*random_layers(3, SIZES), activation, dtype, norm)
    ensemble.parameters += 0.1 * np.random.default_rng(1).standard_normal(ensemble.parameters.shape)
    return ensemble.keep(np.array(rows))


def batch(seed=0, size=8):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((size, 7)), rng.integers(3, size=size)


@pytest.mark.parametrize("place", PLACES)
def test_training_and_evaluation_agree_with_pytorch(place):
    torch = pytest.importorskip("torch")
    ensemble = network(place, [0], "relu")
    twin = pytorch_twin(torch, ensemble, place)
    sgd, theirs = Optimizer("sgd", lr=0.1), torch.optim.SGD(twin.parameters(), lr=0.1)
    for step in range(30):
        inputs, labels = batch(step)
        ours = ensemble.train_step(inputs, labels, sgd)
        theirs.zero_grad()
        loss = torch.nn.functional.cross_entropy(twin(torch.tensor(inputs)), torch.tensor(labels))
        loss.backward()
        theirs.step()
        assert ours[0] == pytest.approx(loss.item(), rel=1e-10)
    twin.eval()
    inputs, _ = batch(99)
    expected = twin(torch.tensor(inputs)).detach().numpy()
    np.testing.assert_allclose(ensemble.forward(inputs)[0], expected, rtol=1e-9, atol=1e-12)


def pytorch_twin(torch, ensemble, place):
    layers = []
    last = len(ensemble.weights) - 1
    for i, (W, b) in enumerate(zip(ensemble.weights, ensemble.biases, strict=True)):
        linear = torch.nn.Linear(*W.shape[1:]).double()
        linear.weight.data, linear.bias.data = torch.tensor(W[0].T.copy()), torch.tensor(b[0].copy())
        layers.append(linear)
        if i < last:
            norm = torch.nn.BatchNorm1d(W.shape[2]).double()
            norm.weight.data = torch.tensor(ensemble.normalizations[i].gamma[0].copy())
            norm.bias.data = torch.tensor(ensemble.normalizations[i].beta[0].copy())
            layers += [norm, torch.nn.ReLU()] if place == "before" else [torch.nn.ReLU(), norm]
    return torch.nn.Sequential(*layers)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_has_the_same_bits_in_an_ensemble_and_alone(place, dtype):
    """Also after the network in the middle has left."""
    together, sgd = network(place, dtype=dtype), Optimizer("sgd", lr=0.1)
    for step in range(10):
        together.train_step(*batch(step), sgd)
        if step == 4:
            together = together.keep(np.array([0, 2]))
    for row, first_row in enumerate([0, 2]):
        alone = network(place, [first_row], dtype=dtype)
        for step in range(10):
            alone.train_step(*batch(step), sgd)
        assert (alone.parameters[0] == together.parameters[row]).all()
        assert (alone.forward(batch()[0])[0] == together.forward(batch()[0])[row]).all()


def test_hidden_layers_have_mean_0_and_variance_1_whatever_the_weights():
    weights = [1000 * W for W in random_layers(1, [7, 50, 50, 3])[0]]
    ensemble = Ensemble(weights, dtype="float64", norm=BatchNorm())
    ensemble.forward(batch(size=200)[0], training=True)
    for z in ensemble.pre_activations[:-1]:
        np.testing.assert_allclose(z[0].mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(z[0].std(axis=0), 1, rtol=1e-6)


def test_evaluation_learns_nothing_and_does_not_depend_on_its_batch():
    ensemble = network("before")
    ensemble.loss(*batch())
    before = ensemble.normalizations[0].running_mean.copy()
    whole = ensemble.forward(batch()[0]).copy()
    part = ensemble.forward(batch()[0][:3])
    np.testing.assert_allclose(part, whole[:, :3], rtol=1e-12)
    assert (ensemble.normalizations[0].running_mean == before).all()


def test_with_momentum_1_the_running_statistics_are_those_of_the_last_batch():
    ensemble = network("before", momentum=1.0)
    ensemble.loss(*batch(1))
    ensemble.loss(*batch(2))
    layer, inputs = ensemble.normalizations[0], batch(2)[0]
    z = inputs @ ensemble.weights[0] + ensemble.biases[0][:, None]
    np.testing.assert_allclose(layer.running_mean, z.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(layer.running_variance, z.var(axis=1, ddof=1), rtol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_trains_with_batch_normalization(activation):
    ensemble, sgd = network("before", activation=activation), Optimizer("sgd", lr=0.05)
    losses = [ensemble.train_step(*batch(), sgd) for _ in range(100)]
    assert (losses[-1] < losses[0]).all()


def test_wrong_rules_are_refused():
    with pytest.raises(
        UsageError, match="unknown place of Batch Normalization 'befor'; did you mean 'before'"
    ):
        BatchNorm("befor")
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        BatchNorm(momentum=0)
