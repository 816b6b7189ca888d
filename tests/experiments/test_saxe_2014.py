"""Learning times, the loss at which they end, and the points that stand for MNIST are as described."""

from pathlib import Path

import numpy as np

from initlab.data.datasets import open_dataset
from initlab.data.examples import prepared_examples
from initlab.gallery.reproduce import experiments, load

saxe = load(experiments(Path(__file__).parents[2] / "experiments")["saxe_2014"])


def test_the_learning_time_is_the_first_step_at_the_goal_counted_from_1():
    losses = np.array([[0.9, 0.5, 0.6], [0.4, 0.9, 0.9], [0.9, 0.9, 0.9], [0.9, np.nan, np.nan]])
    assert saxe.first_steps(losses, 0.5).tolist() == [2, 1, 4, 4]


def test_a_goal_lies_between_zero_logits_and_the_best_linear_classifier():
    labels = np.arange(200) % 10
    inputs = np.eye(10)[labels] + np.random.default_rng(0).normal(0, 0.3, (200, 10))
    with_bias = np.column_stack([inputs, np.ones(200)])
    weights, *_ = np.linalg.lstsq(with_bias, np.eye(10)[labels], rcond=None)
    best = ((with_bias @ weights - np.eye(10)[labels]) ** 2).mean()
    assert np.isclose(saxe.loss_on_the_way(inputs, labels, 0), 0.1)
    assert np.isclose(saxe.loss_on_the_way(inputs, labels, 100), best)
    assert np.isclose(saxe.loss_on_the_way(inputs, labels, 70), 0.1 - 0.7 * (0.1 - best))


def test_points_have_the_class_means_of_the_images_and_the_identity_as_covariance():
    points = saxe.points_like_mnist(20, 5)
    inputs, labels = points["inputs"], points["labels"]
    examples = prepared_examples(open_dataset("mnist"), "whitened(components=20)", "float64")
    images = examples.train_inputs[:]
    for k in range(10):
        means = [x[y == k].mean(axis=0) for x, y in ((inputs, labels), (images, examples.train_labels))]
        assert np.allclose(*means)
    assert np.allclose(inputs.T @ inputs / len(inputs), np.eye(20))


def test_a_curve_that_reaches_the_goal_sooner_scores_higher_and_one_that_ends_lower_among_the_others():
    curves = ([0.9, 0.4, 0.4], [0.9, 0.9, 0.5], [0.9, 0.8, 0.6], [0.9, 0.8, 0.7])
    scores = [saxe.speed(np.array(curve), 0.5) for curve in curves]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 4
