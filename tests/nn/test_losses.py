"""Softmax cross-entropy against its definition, and where the definition overflows."""

import numpy as np
import pytest

from initlab.nn.losses import cross_entropy


def test_value_and_gradient_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((3, 8, 5)), rng.integers(5, size=8)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    losses, gradient = cross_entropy(logits, labels)
    expected = [-np.log(p[np.arange(8), labels]).mean() for p in probabilities]
    np.testing.assert_allclose(losses, expected, rtol=1e-13)
    np.testing.assert_allclose(gradient, (probabilities - np.eye(5)[labels]) / 8, rtol=1e-12, atol=1e-16)


def test_small_logits_lose_the_logarithm_of_the_number_of_classes():
    assert cross_entropy(np.zeros((1, 4, 10)), np.arange(4))[0][0] == pytest.approx(2.302585, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_logits_overflow_nowhere(dtype):
    logits = np.array([[[1e30, 0, -1e30], [1e4, 0, -1e4]]], dtype)
    losses, gradient = cross_entropy(logits, np.array([0, 1]))
    assert losses[0] == pytest.approx(5e3)
    assert np.isfinite(gradient).all()


def test_a_label_of_its_own_for_each_network():
    logits = np.random.default_rng(0).standard_normal((2, 1, 3))
    losses, _ = cross_entropy(logits, np.array([[0], [2]]))
    assert losses[1] == cross_entropy(logits[1:], np.array([2]))[0][0]
