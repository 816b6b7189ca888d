"""Signs, distances and shares of a layer's weights, from their start to their end."""

from pathlib import Path

import numpy as np

from initlab import initialize
from initlab.gallery.reproduce import load

final_weights = load(Path(__file__).parents[2] / "experiments" / "final_weights.py")


def test_a_layer_is_compared_with_its_own_start():
    numbers = final_weights.of_layer(np.array([[1.0, -1.0, 2.0, -3.0]]), np.array([[-2.0, -2.0, 2.0, 1.0]]))
    assert numbers["positive"] == 0.5
    assert numbers["changed"] == 0.5
    assert numbers["moved_if_changed"] == 3.5
    assert numbers["moved_if_kept"] == 0.5
    assert numbers["square_moved"] == 9 + 1 + 16


def test_the_farthest_layer_may_lie_on_either_side():
    values = np.array([[0.5, 0.4, 0.55], [0.5, 0.51, 0.7]])
    assert final_weights.farthest(values, 0.5).tolist() == [0.4, 0.7]


def test_weights_are_copied_before_they_move():
    networks = initialize([3, 4, 2], ["he"])
    first = final_weights.copies(networks)
    networks.weights[0][...] = 7
    assert first[0]["weights"][0].max() < 7
