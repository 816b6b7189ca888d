"""Networks kept during a training: those of the steps that were asked for, with all their numbers."""

import pickle

import numpy as np
import pytest

from initlab import Ensemble, Optimizer, initialize, train
from initlab.errors import UsageError
from initlab.nn.normalization import BatchNorm


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((200, 5)), rng.integers(3, size=200)


def test_a_kept_network_is_that_of_a_training_which_ends_there(data):
    long = train(["he", "xavier"], data, steps=20, hidden="8x2", save_weights=[0, 7, "last"])
    short = train(["he", "xavier"], data, steps=7, hidden="8x2", save_weights=True)
    for a, b in zip(long, short, strict=True):
        assert sorted(a.networks) == [0, 7, 20]
        assert np.array_equal(a.network(7).parameters, b.network().parameters)
        assert not np.array_equal(a.network(7).parameters, a.network().parameters)
    start = initialize([5, 8, 8, 3], ["he", "xavier"])
    assert np.array_equal(long[1].network(0).parameters[0], start.parameters[1])


def test_a_kept_network_reaches_the_test_accuracy_of_its_history(data):
    histories = train("he", (*data, *data), steps=30, hidden="8x2", norm=BatchNorm(), save_weights="last")
    network = histories[0].network()
    assert network.accuracy(*data)[0] == histories[0].test_accuracy
    assert np.abs(network.normalizations[0].running_mean).max() > 0


def test_a_network_that_diverges_is_kept_until_then(data):
    x = 1e3 * data[0]
    with pytest.warns(UserWarning, match="root mean square"):
        history = train("std=100", (x, data[1]), steps=9, hidden="8x2", save_weights=[0, 8, "last"])[0]
    assert history.diverged_at in range(8)
    assert sorted(history.networks) == [0]
    with pytest.raises(UsageError, match=r"std=100, seed 0 diverged.* it has those of step 0$"):
        history.network()


def test_a_step_that_was_not_kept_is_refused_in_words(data):
    history = train("he", data, steps=9, hidden="8x2", save_weights=[4])[0]
    with pytest.raises(UsageError, match="of he, seed 0 were kept at step 5; it has those of step 4"):
        history.network(5)
    with pytest.raises(UsageError, match="save_weights"):
        train("he", data, steps=9, hidden="8x2")[0].network()


@pytest.mark.parametrize("asked", [[10], [-1], ["first"], 2.5, None])
def test_steps_out_of_range_are_refused_before_the_training(data, asked):
    with pytest.raises(UsageError, match="save_weights is True, or steps from 0 to 9"):
        train("he", data, steps=9, hidden="8x2", save_weights=asked)


@pytest.mark.parametrize("rule", [None, BatchNorm("after", momentum=0.3)])
def test_an_ensemble_survives_pickle_and_its_arrays_are_all_it_needs(data, rule):
    networks = initialize([5, 8, 8, 3], ["he", "xavier"], norm=rule)
    networks.batches_before[...] = 3, 4
    networks.train_step(data[0], data[1], Optimizer("sgd", lr=0.1))
    for copy in (pickle.loads(pickle.dumps(networks)), Ensemble.stack([networks])):
        assert copy.batches_before.tolist() == [3, 4]
        assert np.array_equal(copy.forward(data[0]), networks.forward(data[0]))
        assert copy.arrays().keys() == networks.arrays().keys()
    with pytest.raises(UsageError, match="not those of"):
        networks.set_arrays({name: array for name, array in networks.arrays().items() if name != "biases_2"})


def test_networks_of_two_kinds_are_not_stacked():
    with pytest.raises(UsageError, match="networks of one kind, not of 2"):
        Ensemble.stack([Ensemble.zeros(1, [3, 2]), Ensemble.zeros(1, [3, 4])])
    with pytest.raises(UsageError, match="one kind, not of 0"):
        Ensemble.stack([])


@pytest.mark.parametrize("label", [-1, 3, 255])
@pytest.mark.parametrize("dtype", ["int64", "int8", ">i4", "uint8"])
def test_a_label_out_of_range_is_refused_with_its_value(data, label, dtype):
    labels = data[1].copy()
    labels[17] = label
    labels = labels.astype(dtype)
    network, sgd = initialize([5, 8, 3], "he"), Optimizer("sgd", lr=0.1)
    before = network.parameters.copy()
    for call in (network.loss, network.accuracy, lambda x, y: network.train_step(x, y, sgd)):
        with pytest.raises(UsageError, match=f"label {labels[17]} is out of range: 3 classes .* 0 to 2"):
            call(data[0], labels)
    assert np.array_equal(network.parameters, before)


def test_labels_of_another_shape_or_type_are_refused(data):
    network = initialize([5, 8, 3], "he")
    with pytest.raises(UsageError, match=r"labels must have the shape \(200,\) or \(1, 200\), not \(3,\)"):
        network.loss(data[0], data[1][:3])
    with pytest.raises(UsageError, match="labels must be whole numbers, not float64"):
        network.accuracy(data[0], data[1] / 2)


def test_labels_beyond_the_outputs_of_an_ensemble_are_refused_before_the_training(data):
    with pytest.raises(UsageError, match=r"the labels go up to 2, but those of .* to 1$"):
        train(initialize([5, 8, 2], "he"), data, steps=3)
