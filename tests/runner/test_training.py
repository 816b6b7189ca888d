"""Training: what a cohort gives each run, divergence, evaluation."""

import numpy as np
import pytest
from textbook import Network

from initlab.data.datasets import open_dataset
from initlab.nn.network import Ensemble
from initlab.nn.streams import Purpose, stream
from initlab.runner.config import load_experiment
from initlab.runner.training import train


@pytest.fixture
def all_settings(small_config):
    return [settings for _, settings in load_experiment(small_config).points()]


def same_bits(one, other):
    ends = [(h.losses.tobytes(), h.diverged_at, h.test_loss, h.test_accuracy) for h in (one, other)]
    return ends[0] == ends[1]


def test_a_run_has_the_same_history_alone_and_in_any_company(all_settings):
    """Also when a network of the cohort diverges and leaves."""
    he, small, huge = all_settings[0], all_settings[2], all_settings[4]
    alone = [train([settings])[0] for settings in (he, small, huge)]
    for order in ([0, 1, 2], [2, 1, 0], [2, 0, 1]):
        together = train([[he, small, huge][i] for i in order])
        for i, history in zip(order, together, strict=True):
            assert same_bits(history, alone[i])


def test_a_network_whose_loss_is_not_finite_is_recorded_as_diverged_there(all_settings):
    history = train([all_settings[4]])[0]
    assert history.diverged_at == len(history.losses) < 100
    assert np.isfinite(history.losses).all()
    assert (history.test_loss, history.test_accuracy) == (None, None)


def test_learning_happens_and_is_evaluated(all_settings):
    history = train([all_settings[0]])[0]
    assert history.diverged_at is None
    assert history.losses.shape == (100,)
    assert history.losses[-5:].mean() < 0.5 * history.losses[0]
    assert history.test_accuracy > 0.9


def test_the_whole_training_is_the_textbooks(all_settings):
    """Batches drawn, losses of all steps and accuracy, in float64, from the documented streams."""
    settings = all_settings[0].model_copy(
        update={"train": all_settings[0].train.model_copy(update={"dtype": "float64"})}
    )
    dataset = open_dataset(settings.data.name, settings.data.path)
    start = Ensemble.from_schemes([16, 8, 8, 3], ["he"], 0, "relu", "float64")
    network = Network([W[0] for W in start.weights], [b[0] for b in start.biases], "relu")
    rng, losses = stream(0, Purpose.BATCHES), []
    for _ in range(100):
        chosen = rng.integers(600, size=16)
        losses.append(network.step(dataset.train_images[chosen] / 255, dataset.train_labels[chosen], 0.1))
    history = train([settings])[0]
    np.testing.assert_allclose(history.losses, losses, rtol=0, atol=1e-12)
    accuracy = network.accuracy(dataset.test_images / 255, dataset.test_labels)
    assert history.test_accuracy == pytest.approx(accuracy, abs=1e-12)
