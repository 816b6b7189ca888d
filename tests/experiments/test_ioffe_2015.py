"""The numbers of the Batch Normalization exhibit are what they are called."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import load

ioffe = load(Path(__file__).parents[2] / "experiments" / "ioffe_2015.py")


def test_what_is_never_reached_counts_as_the_last_step():
    accuracies = np.array([[0.1, 0.85, 0.7], [0.1, 0.2, 0.3]])
    assert ioffe.steps_to(accuracies, 0.8, 50).tolist() == [50, 100]


def test_drift_is_movement_in_time_and_not_spread():
    still = np.tile(np.array([-1.0, 0.0, 1.0])[:, None], (1, 4, 1, 2))
    moving = still + np.array([0.0, 2.0, 0.0, 2.0])[:, None, None]
    assert ioffe.drift_of(still).tolist() == [0]
    assert ioffe.drift_of(moving).tolist() == [1]
    assert ioffe.relative_drift_of(moving).tolist() == [0.5]


def test_percentiles_are_those_of_each_unit_over_images_at_one_rate():
    small = {"steps": (1, 2), "every": 1, "seeds": 2, "width": 4, "units": 3, "images": 50, "held_out": 100}
    settings = ioffe.exhibit.settings.replace(**small)
    arrays = ioffe.trained(settings, ioffe.NORMALIZED, 2)
    assert arrays["accuracy"].shape == (2, 3)
    assert arrays["percentiles"].shape == (2, 3, 3, 3)
    assert (np.diff(arrays["percentiles"], axis=2) >= 0).all()
    assert len(set(arrays["rate"])) == 1
    assert arrays["rate"][0] in settings.rates
