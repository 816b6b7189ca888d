"""Training: what a cohort gives each run, divergence, evaluation."""

from itertools import chain

import numpy as np
import pytest
from textbook import Network

from initlab.data.datasets import open_dataset
from initlab.init.networks import initialize
from initlab.nn.streams import Purpose, stream
from initlab.runner.config import load_experiment
from initlab.runner.settings import InitSettings
from initlab.runner.sweep import train_settings as train
from initlab.training.batches import batches


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
    start = initialize([16, 8, 8, 3], ["he"], 0, "relu", "float64")
    network = Network([W[0] for W in start.weights], [b[0] for b in start.biases], "relu")
    rng, losses = stream(0, Purpose.BATCHES), []
    for _ in range(100):
        chosen = rng.integers(600, size=16)
        losses.append(network.step(dataset.train_images[chosen] / 255, dataset.train_labels[chosen], 0.1))
    history = train([settings])[0]
    np.testing.assert_allclose(history.losses, losses, rtol=0, atol=1e-12)
    accuracy = network.accuracy(dataset.test_images / 255, dataset.test_labels)
    assert history.test_accuracy == pytest.approx(accuracy, abs=1e-12)


def changed(settings, **train):
    return settings.model_copy(update={"train": settings.train.model_copy(update=train)})


def test_batches_without_replacement_show_each_image_once_an_epoch():
    """600 images in batches of 16: 37 batches, 592 images, and then all anew in another order."""
    chosen = [batch.tolist() for batch in batches(600, 100, 16, "without_replacement", seed=0)]
    assert len(chosen) == 100
    first, second = list(chain(*chosen[:37])), list(chain(*chosen[37:74]))
    assert len(set(first)) == len(first) == 592
    assert len(set(second)) == 592
    assert first != second


def test_full_batches_are_all_images_in_every_step(all_settings):
    assert [batch.tolist() for batch in batches(5, 3, 2, "full", seed=0)] == [[0, 1, 2, 3, 4]] * 3
    histories = train([changed(all_settings[0], batches="full", steps=200)])
    assert (np.diff(histories[0].losses) <= 1e-4).all()


def test_a_schedule_clipping_and_decay_change_training_as_they_say(all_settings):
    plain = train([all_settings[0]])[0]
    constant = train([changed(all_settings[0], schedule="constant", clip=1e9)])[0]
    assert same_bits(plain, constant)
    still = train([changed(all_settings[0], clip=1e-12)])[0]
    first = train([changed(all_settings[0], steps=1)])[0]
    assert abs(still.test_loss - first.test_loss) < 0.1
    assert still.test_loss > 1.5 * plain.test_loss
    for other in ({"schedule": "cosine"}, {"weight_decay": 0.1}, {"clip": 0.1}):
        assert not same_bits(plain, train([changed(all_settings[0], **other)])[0])


def test_tracking_changes_no_bit_and_tells_what_layers_do(all_settings):
    for settings in (all_settings[0], with_batch_norm(all_settings[0])):
        plain, tracked = train([settings])[0], train([changed(settings, track_every=40)])[0]
        assert same_bits(plain, tracked)
        assert [entry["step"] for entry in tracked.tracked] == [0, 40, 80, 100]
        assert tracked.tracked[-1]["train_accuracy"] > 0.9
        assert tracked.tracked[0]["layers"]["distinct_units"] == [8, 8]


def with_batch_norm(settings):
    return settings.model_copy(
        update={"network": settings.network.model_copy(update={"batch_norm": "before"})}
    )


def test_a_network_that_diverges_is_tracked_until_then(all_settings):
    together = train([changed(all_settings[i], track_every=1) for i in (0, 4)])
    assert len(together[0].tracked) == 101
    assert len(together[1].tracked) == together[1].diverged_at + 1


def test_units_that_start_equal_stay_equal(all_settings):
    settings = all_settings[0].model_copy(update={"init": InitSettings.model_validate("constant(value=0.1)")})
    history = train([changed(settings, track_every=50)])[0]
    assert [entry["layers"]["distinct_units"] for entry in history.tracked] == [[1, 1]] * 3


def test_what_a_scheme_looked_at_is_counted(all_settings):
    settings = all_settings[0].model_copy(update={"init": InitSettings.model_validate("lsuv")})
    assert [history.batches_before for history in train([settings, all_settings[0]])] == [1, 0]
