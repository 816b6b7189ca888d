"""Losses: logits, labels -> one loss for each network, and its gradient with respect to the logits.

To add one, write a function `f(logits, labels) -> (losses, gradient)` under `@LOSSES.register()`.

Symbols: M networks, B samples in a batch, C classes; onehot is 1 at the label's class and else 0.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray, IntArray
from initlab.registry import Registry

Loss = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]
LOSSES: Registry[Loss] = Registry("loss")


@LOSSES.register()
def cross_entropy(logits: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Softmax cross-entropy, the mean over the batch of `-log p_label` with `p = softmax(logits)`.

    With `s = logits - max(logits)` the loss of a sample is `log(sum exp(s)) - s_label`: no exponential
    exceeds 1, and no logarithm is taken of 0. The gradient is `(p - onehot) / B`.

    Args:
        logits: (M, B, C).
        labels: (B,) for all networks, or (M, B) with labels for each network; from 0 to C - 1.

    Returns:
        The losses (M,) in nats, and the gradient (M, B, C).

    Source: Bridle 1990, Probabilistic interpretation of feedforward classification network outputs; for the
    subtraction of the maximum, Goodfellow, Bengio & Courville 2016, Deep Learning, section 4.1.

    >>> losses, gradient = cross_entropy(np.zeros((1, 2, 10)), np.array([3, 7]))
    >>> round(float(losses[0]), 4)
    2.3026
    """
    networks, batch_size, classes = logits.shape
    samples = networks * batch_size
    by_class = logits.reshape(samples, classes).T.copy()  # (C, M B): NumPy is fast along long rows
    by_class -= by_class.max(axis=0)
    flat, chosen = by_class.reshape(-1), np.arange(samples)
    # Where the numbers of the labels are.
    chosen.reshape(networks, batch_size)[...] += np.multiply(labels, samples, dtype=chosen.dtype)
    shifted = flat[chosen]
    probabilities = np.exp(by_class, out=by_class)
    totals = probabilities[0].copy()
    for row in probabilities[1:]:  # class by class: the order of np.sum depends on the shape
        totals += row
    surprises = (np.log(totals) - shifted).reshape(networks, batch_size)
    probabilities /= totals
    flat[chosen] -= 1
    probabilities /= batch_size
    gradient = np.ascontiguousarray(probabilities.T).reshape(logits.shape)
    return np.add.reduce(surprises, axis=1) / totals.dtype.type(batch_size), gradient


@LOSSES.register()
def squared_error(logits: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean squared error of the probabilities, `(p - onehot)^2` averaged over batch and classes.

    With `p = softmax(logits)` and `g = 2 (p - onehot) / (B C)`, the gradient is `p (g - sum(g p))`, where the
    sum runs over the classes. It vanishes as p approaches 0 or 1, even where the network is wrong.

    Args:
        logits: (M, B, C).
        labels: (B,) or (M, B), from 0 to C - 1.

    Returns:
        The losses (M,) and the gradient (M, B, C).

    Source: Brier 1950, Verification of forecasts expressed in terms of probability (there summed over the
    classes); Glorot & Bengio 2010, section 4.1, compares it with cross-entropy.

    >>> losses, gradient = squared_error(np.zeros((1, 2, 10)), np.array([3, 7]))
    >>> round(float(losses[0]), 4)
    0.09
    """
    probabilities = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities /= _sum_over_classes(probabilities)
    losses, slope = _squared_distance(probabilities, labels)
    return losses, probabilities * (slope - _sum_over_classes(slope * probabilities))


@LOSSES.register()
def squared_error_logits(logits: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean squared error of the logits z themselves, `(z - onehot)^2` averaged over batch and classes.

    The gradient is `2 (z - onehot) / (B C)`.

    Args:
        logits: (M, B, C).
        labels: (B,) or (M, B), from 0 to C - 1.

    Returns:
        The losses (M,) and the gradient (M, B, C).

    Source: Hui & Belkin 2021, Evaluation of neural architectures trained with square loss vs cross-entropy in
    classification tasks.

    >>> losses, gradient = squared_error_logits(np.zeros((1, 2, 10)), np.array([3, 7]))
    >>> round(float(losses[0]), 4)
    0.1
    """
    return _squared_distance(logits, labels)


def checked_labels(labels: Any, logits: tuple[int, ...]) -> IntArray:
    """Labels as an array, if each of them is one of the classes.

    Args:
        labels: (B,) or (M, B), whole numbers from 0 to C - 1.
        logits: their shape, (M, B, C).

    Raises:
        UsageError: with the first label that is out of range, or the shape that does not fit.

    >>> checked_labels([0, 3], (1, 2, 3))
    Traceback (most recent call last):
    initlab.errors.UsageError: the label 3 is out of range: 3 classes have the labels 0 to 2
    """
    array = np.asarray(labels)
    classes = logits[-1]
    if array.shape not in (logits[1:2], logits[:2]):
        raise UsageError(f"labels must have the shape {logits[1:2]} or {logits[:2]}, not {array.shape}")
    if array.dtype.kind not in "iu":
        raise UsageError(f"labels must be whole numbers, not {array.dtype}")
    # Read without sign, a negative label is a large one, so that one look at all labels is enough: it takes
    # 2 microseconds, 0.3 % of a step of one network of 100x4.
    unsigned = array.view(array.dtype.str.replace("i", "u"))
    if array.size and np.maximum.reduce(unsigned, axis=None) >= classes:
        wrong = array[(array < 0) | (array >= classes)][0]
        raise UsageError(
            f"the label {wrong} is out of range: {classes} classes have the labels 0 to {classes - 1}"
        )
    return array


def _squared_distance(outputs: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """The mean squared distances (M,) of outputs (M, B, C) from the one-hot labels, and their gradient."""
    networks, batch_size, classes = outputs.shape
    onehot = np.arange(classes) == np.asarray(labels)[..., None]
    differences = outputs - onehot.astype(outputs.dtype)
    rows = differences.reshape(networks, 1, -1)
    # One matrix product for each network: unlike those of np.sum, its bits do not depend on M.
    sums = np.matmul(rows, rows.swapaxes(1, 2))[:, 0, 0]
    share = outputs.dtype.type(1 / (batch_size * classes))
    return sums * share, differences * (2 * share)


def _sum_over_classes(values: FloatArray) -> FloatArray:
    """The sums (M, B, 1) over the classes, added class by class: the order of np.sum depends on the shape."""
    return reduce(np.add, [values[..., i] for i in range(values.shape[-1])])[..., None]
