"""Batch Normalization: gradients, PyTorch's numbers, and networks that do not notice each other."""

import numpy as np
import pytest

from initlab import Ensemble, Optimizer
from initlab.errors import UsageError
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.normalization import BatchNorm

SIZES = [7, 6, 5, 3]
PLACES = ["before", "after"]


def network(place, schemes=("he", "xavier", "std=1"), activation="tanh", dtype="float64", momentum=0.1):
    norm = BatchNorm(place, momentum)
    ensemble = Ensemble.from_schemes(SIZES, schemes, 0, activation, dtype, batch_norm=norm)
    ensemble.parameters += 0.1 * np.random.default_rng(1).standard_normal(ensemble.parameters.shape)[:1]
    return ensemble


def batch(seed=0, size=8):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((size, 7)), rng.integers(3, size=size)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "gelu"])
def test_gradients_are_those_of_central_differences(place, activation):
    ensemble = network(place, activation=activation)
    ensemble.loss(*batch())
    analytic, start = ensemble.gradients.copy(), ensemble.parameters.copy()
    for column in range(start.shape[1]):
        ensemble.parameters[...] = start
        ensemble.parameters[:, column] += 1e-6
        ahead = ensemble.loss(*batch())
        ensemble.parameters[:, column] -= 2e-6
        behind = ensemble.loss(*batch())
        np.testing.assert_allclose((ahead - behind) / 2e-6, analytic[:, column], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("place", PLACES)
def test_training_and_evaluation_agree_with_pytorch(place):
    torch = pytest.importorskip("torch")
    ensemble = network(place, ["he"], "relu")
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
    said = twin(torch.tensor(inputs)).detach().numpy()
    np.testing.assert_allclose(ensemble.forward(inputs)[0], said, rtol=1e-9, atol=1e-12)


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
def test_a_network_has_the_same_bits_in_any_company(place, dtype):
    schemes = ["he", "xavier", "std=1"]
    together, sgd = network(place, schemes, dtype=dtype), Optimizer("sgd", lr=0.1)
    for step in range(10):
        together.train_step(*batch(step), sgd)
        if step == 4:
            together, schemes = together.keep(np.array([0, 2])), ["he", "std=1"]
    for row, scheme in enumerate(schemes):
        alone, own = network(place, [scheme], dtype=dtype), Optimizer("sgd", lr=0.1)
        for step in range(10):
            alone.train_step(*batch(step), own)
        assert (alone.parameters[0] == together.parameters[row]).all()
        assert (alone.forward(batch()[0])[0] == together.forward(batch()[0])[row]).all()


def test_hidden_layers_have_mean_0_and_variance_1_whatever_the_weights():
    ensemble = Ensemble.from_schemes([7, 50, 50, 3], ["std=100"], 0, dtype="float64", batch_norm=BatchNorm())
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


def test_momentum_one_remembers_the_last_batch_alone():
    ensemble = network("before", momentum=1.0)
    ensemble.loss(*batch(1))
    ensemble.loss(*batch(2))
    fresh = network("before", momentum=1.0)
    fresh.loss(*batch(2))
    np.testing.assert_allclose(
        ensemble.normalizations[0].running_variance, fresh.normalizations[0].running_variance
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_trains_with_it(activation):
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
    with pytest.raises(UsageError, match="use one of them"):
        Ensemble.from_schemes(SIZES, ["lsuv"], samples=lambda _: None, batch_norm=BatchNorm())
