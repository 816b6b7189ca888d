"""What is called a learning time, and the loss at which it ends, are what their names say."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import experiments, load

saxe = load(experiments(Path(__file__).parents[2] / "experiments")["saxe_2014"])


def test_the_learning_time_is_the_first_step_at_the_goal_counted_from_1():
    losses = np.array([[0.9, 0.5, 0.6], [0.4, 0.9, 0.9], [0.9, 0.9, 0.9], [0.9, np.nan, np.nan]])
    assert saxe.first_steps(losses, 0.5, steps=3).tolist() == [2, 1, 4, 4]


def test_a_goal_lies_between_zero_logits_and_the_best_linear_classifier():
    labels = np.arange(200) % 10
    inputs = np.eye(10)[labels] + np.random.default_rng(0).normal(0, 0.3, (200, 10))
    weights, *_ = np.linalg.lstsq(inputs, np.eye(10)[labels], rcond=None)
    best = ((inputs @ weights - np.eye(10)[labels]) ** 2).mean()
    assert np.isclose(saxe.loss_on_the_way(inputs, labels, 0), 0.1)
    assert np.isclose(saxe.loss_on_the_way(inputs, labels, 100), best)
    assert np.isclose(saxe.loss_on_the_way(inputs, labels, 70), 0.1 - 0.7 * (0.1 - best))
