"""When a network has learnt, and what the tutorial's start is."""

from pathlib import Path

import numpy as np

from initlab import initialize
from initlab.gallery.reproduce import load

small_weights = load(Path(__file__).parents[2] / "experiments" / "small_weights.py")


def test_a_network_has_learnt_at_the_end_of_the_first_span_whose_mean_is_low_enough():
    losses = np.array([[3.0, 3, 0, 3, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2, 0], [np.nan] * 7])
    assert small_weights.first_steps(losses, span=2, goal=1.0).tolist() == [6, 2, 0, 0]


def test_a_network_that_never_learns_counts_with_all_steps():
    settings = small_weights.exhibit.settings.replace(
        small=(0.001, 1), waiting_steps=(30, 90), trials=2, middle=4, width=20, goal=2.29
    )
    assert small_weights.wait(settings, 0.001, 90).tolist() == [90, 90]
    assert (small_weights.wait(settings, 1, 90) < 90).all()
    assert small_weights.or_never(settings, 30)["0.001 times He's"].all()


def test_the_tutorial_draws_biases_and_the_same_weights_as_without():
    drawn, zero = initialize([50, 400, 10], [small_weights.TUTORIAL, small_weights.NO_BIASES]).biases[0]
    assert np.isclose(drawn.std(), 0.01, rtol=0.15)
    assert not zero.any()
