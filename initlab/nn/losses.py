"""Losses: logits, labels -> one loss for each network, and its gradient with respect to the logits."""

from collections.abc import Callable
from functools import reduce

import numpy as np

from initlab.nn.arrays import FloatArray, IntArray

Loss = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]
LOSSES: dict[str, Loss] = {}


def loss(function: Loss) -> Loss:
    """Register the decorated function under its own name."""
    LOSSES[function.__name__] = function
    return function


@loss
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


@loss
def squared_error(logits: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean squared error of the probabilities, `(p - onehot)^2` averaged over batch and classes.

    With `p = softmax(logits)` and `g = 2 (p - onehot) / (B C)`, its gradient is `p (g - sum(g p))`: it fades
    where the network is sure, also where it is sure and wrong.

    Arguments and results as for `cross_entropy`.

    >>> losses, gradient = squared_error(np.zeros((1, 2, 10)), np.array([3, 7]))
    >>> round(float(losses[0]), 4)
    0.09
    """
    probabilities = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities /= _sum_over_classes(probabilities)
    losses, slope = _squared_distance(probabilities, labels)
    return losses, probabilities * (slope - _sum_over_classes(slope * probabilities))


@loss
def squared_error_logits(logits: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean squared error of the logits themselves, `(z - onehot)^2` averaged over batch and classes.

    Arguments and results as for `cross_entropy`.

    >>> losses, gradient = squared_error_logits(np.zeros((1, 2, 10)), np.array([3, 7]))
    >>> round(float(losses[0]), 4)
    0.1
    """
    return _squared_distance(logits, labels)


def _squared_distance(outputs: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Of outputs (M, B, C) to one-hot labels: the means (M,), and their gradient."""
    _, batch_size, classes = outputs.shape
    onehot = np.arange(classes) == np.asarray(labels)[..., None]
    apart = outputs - onehot.astype(outputs.dtype)
    losses = np.array([np.square(one).mean() for one in apart], outputs.dtype)
    return losses, apart * outputs.dtype.type(2 / (batch_size * classes))


def _sum_over_classes(values: FloatArray) -> FloatArray:
    """Class by class, in an order that does not depend on the shape."""
    return reduce(np.add, [values[..., i] for i in range(values.shape[-1])])[..., None]
