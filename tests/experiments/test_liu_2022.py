"""When a network has learnt, and what the start of the paper is."""

from pathlib import Path

import numpy as np

from initlab import initialize
from initlab.gallery.reproduce import load

liu = load(Path(__file__).parents[2] / "experiments" / "liu_2022.py")


def test_the_time_to_learn_is_the_first_step_at_the_level_or_the_last_step():
    accuracy = np.array([[0.1, 0.8, 0.7, 0.9], [0.1, 0.2, 0.3, 0.9], [0.1, 0.1, 0.1, 0.1]])
    assert liu.time_to_learn(accuracy, level=0.8, every=50).tolist() == [50, 150, 150]


def test_the_start_is_pytorchs_default_times_alpha_in_weights_and_biases():
    once, eight = (initialize([9, 5, 3], liu.start(alpha), 0) for alpha in (1, 8))
    assert np.allclose(eight.parameters, 8 * once.parameters)
    assert 0 < abs(once.biases[0]).max() < 1 / 3
