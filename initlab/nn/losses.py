"""Losses: logits, labels -> one loss for each network, and its gradient with respect to the logits."""

from collections.abc import Callable

import numpy as np

from initlab.nn.arrays import FloatArray, IntArray

Loss = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]


def cross_entropy(logits: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Softmax cross-entropy, the mean over the batch of `-log p_label` with `p = softmax(logits)`.

    With `s = logits - max(logits)` it is `log(sum exp(s)) - s_label`: no exponential exceeds 1, and no
    logarithm is taken of 0. Its gradient is `(p - onehot(label)) / B`.

    Args:
        logits: (M, B, C) for M networks, B samples and C classes.
        labels: (B,), or (M, B) where each network has its own; from 0 to C - 1.

    Returns:
        The losses (M,) in nats, and the gradient (M, B, C).

    >>> losses, gradient = cross_entropy(np.zeros((1, 2, 10)), np.array([3, 7]))
    >>> round(float(losses[0]), 4)
    2.3026
    """
    networks, batch_size, _ = logits.shape
    chosen = np.broadcast_to(labels, (networks, batch_size))[..., None]
    shifted = logits - logits.max(axis=-1, keepdims=True)
    gradient = np.exp(shifted)
    totals = gradient.sum(axis=-1, keepdims=True)
    surprises = np.log(totals) - np.take_along_axis(shifted, chosen, axis=-1)
    gradient /= totals
    probabilities = np.take_along_axis(gradient, chosen, axis=-1)
    np.put_along_axis(gradient, chosen, probabilities - 1, axis=-1)
    gradient /= batch_size
    return surprises[..., 0].mean(axis=1), gradient


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy}
