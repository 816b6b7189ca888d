"""The bounds on the probability of being born dead are exact where it is known: at width 1."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import experiments, load

lu = load(experiments(Path(__file__).parents[2] / "experiments")["lu_2019"])


def test_at_width_1_one_side_of_0_is_left_and_each_further_layer_halves_it():
    assert [lu.lower_bound(1, depth) for depth in (1, 2, 4)] == [0.0, 0.5, 0.875]
    dead = lu.dead(lu.exhibit.quick, 1, 4, 2000)["dead"].mean(axis=1)
    assert np.abs(dead - [0, 0.5, 0.75, 0.875]).max() < 0.05


def test_a_layer_dies_with_half_to_the_power_of_its_width():
    assert lu.upper_bound(3, 1) == 1 / 8
    assert lu.upper_bound(2, 2) == 1 - 9 / 16


def test_each_unit_of_an_asymmetric_network_has_a_positive_number():
    network = lu.randomized_asymmetric(lu.exhibit.quick, [1, 3, 3, 1], 200)
    for W, b in zip(network.weights, network.biases, strict=True):
        largest = np.concatenate([W, b[:, None]], axis=1).max(axis=1)
        assert (largest > 0).all()


def test_a_silent_layer_stays_counted():
    dead = lu.dead(lu.exhibit.quick, 2, 8, 50, lu.RAI)["dead"]
    assert (np.diff(dead.astype(int), axis=0) >= 0).all()
