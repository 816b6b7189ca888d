"""Losses: logits, labels -> one loss for each network, and its gradient with respect to the logits."""

from collections.abc import Callable
from functools import reduce

import numpy as np

from initlab.nn.arrays import FloatArray, IntArray

Loss = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]


def cross_entropy(logits: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Softmax cross-entropy, the mean over the batch of `-log p_label` with `p = softmax(logits)`.

    With `s = logits - max(logits)` it is `log(sum exp(s)) - s_label`: no exponential exceeds 1, and no
    logarithm is taken of 0. Its gradient is `(p - onehot(label)) / B`. Within, classes are rows and samples
    columns, along which NumPy is fast.

    Args:
        logits: (M, B, C) for M networks, B samples and C classes.
        labels: (B,), or (M, B) where each network has its own; from 0 to C - 1.

    Returns:
        The losses (M,) in nats, and the gradient (M, B, C).

    >>> losses, gradient = cross_entropy(np.zeros((1, 2, 10)), np.array([3, 7]))
    >>> round(float(losses[0]), 4)
    2.3026
    """
    networks, batch_size, classes = logits.shape
    chosen = np.broadcast_to(labels, (networks, batch_size)).ravel(), np.arange(networks * batch_size)
    by_class = logits.reshape(-1, classes).T.copy()
    by_class -= by_class.max(axis=0)
    shifted = by_class[chosen]
    probabilities = np.exp(by_class, out=by_class)
    totals = reduce(np.add, probabilities)  # in this order, where np.sum chooses one by the shape
    surprises = np.log(totals) - shifted
    probabilities /= totals
    probabilities[chosen] -= 1
    probabilities /= batch_size
    gradient = np.ascontiguousarray(probabilities.T).reshape(logits.shape)
    return surprises.reshape(networks, batch_size).mean(axis=1), gradient


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy}
