"""The numbers of one operation's result, from NumPy arrays of any library: see `trace.Operation`.

Results are large, and in float32 as a rule. Copies in float64 would cost more than the model's own passes, so
they are made only where float32 is not enough: for sums that overflow, and for vectors that are almost alike.
"""

from math import nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from initlab.measure.layers import dissimilarity, distinct_columns

Array = npt.NDArray[Any]

# The steepest slopes of functions with two bounds, which are odd up to a constant.
STEEPEST = {
    "sigmoid": 0.25,
    "tanh": 1.0,
    "softsign": 1.0,
    "hardtanh": 1.0,
    "erf": 2 / np.sqrt(np.pi),
    "hardsigmoid": 1 / 6,
}
_SATURATED_SLOPE = 0.05
# Sums of squares in float32 are used between these; beyond, single squares may have been lost.
_SAFE = 1e-25, 1e30
# The dissimilarity from which on the fast formula is used: below, it cancels.
_UNLIKE = 0.01
_COMPARED = 2000  # rows in which units are compared


def mean_square(values: Array) -> float:
    """To about 1e-6."""
    return square_sum(values) / values.size if values.size else nan


def square_sum(values: Array) -> float:
    """To about 1e-6.

    >>> square_sum(np.array([3.0, 4.0], np.float32)), square_sum(np.array([1e30], np.float32)) > 1e59
    (25.0, True)
    """
    flat = values.ravel()
    if flat.dtype == np.float32:
        with np.errstate(all="ignore"):
            total = float(flat @ flat)
        if _SAFE[0] < total < _SAFE[1]:
            return total
    flat = flat.astype(np.float64)
    return float(flat @ flat)


def difference(values: Array, samples: int) -> float:
    """1 - c over the samples; nan where neither of the first two axes counts samples.

    Args:
        values: of a layer, of any shape.
        samples: of the batch.
    """
    axis = next((axis for axis in range(min(values.ndim, 2)) if values.shape[axis] == samples), None)
    if axis is None:
        return nan
    vectors = np.moveaxis(values, axis, 0).reshape(samples, -1)
    fast = _fast_dissimilarity(vectors)
    return fast if fast > _UNLIKE else dissimilarity(vectors.astype(np.float64))


def _fast_dissimilarity(vectors: Array) -> float:
    """`B / (B - 1) (1 - |m|^2)`, with m the mean of the unit vectors; 0 where it is better not used."""
    if vectors.dtype not in (np.float32, np.float64):
        return 0.0
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        if not (norms > sqrt(_SAFE[0])).all() or not norms.max() < sqrt(_SAFE[1]):
            return 0.0
        mean = (1 / norms) @ vectors / len(norms)
    return (1 - square_sum(mean)) * len(norms) / (len(norms) - 1)


def unit_numbers(kind: str, z: Array, slopes: Array, axis: int) -> dict[str, float]:
    """What a nonlinear function finds: dead and saturated slopes, and units that repeat each other.

    Units are compared in some of the rows, samples or positions.

    Args:
        kind: the function's name.
        z: what it takes.
        slopes: its derivative there.
        axis: which counts units or channels.
    """
    if not z.ndim:
        z, slopes, axis = z.reshape(1, 1), slopes.reshape(1, 1), 1
    others = tuple(each for each in range(z.ndim) if each != axis % z.ndim)
    steepest = STEEPEST.get(kind)
    rows = np.moveaxis(z, axis, -1).reshape(-1, z.shape[axis])
    rows = rows[:: max(1, len(rows) // _COMPARED)].astype(np.float64)
    return {
        "dead": float((slopes == 0).all(axis=others).mean()),
        "saturated": float((np.abs(slopes) < _SATURATED_SLOPE * steepest).mean()) if steepest else 0.0,
        "distinct": distinct_columns(rows, up_to_sign=kind in STEEPEST) / rows.shape[1],
    }


def gradient_square(gradient: Array, axis: int, samples: int) -> float:
    """|d|^2, or that of its sum over positions, if it is more.

    Args:
        gradient: d, with respect to the values of a layer.
        axis: of the units.
        samples: of the batch.
    """
    whole = square_sum(gradient)
    if gradient.ndim <= 2 or len(gradient) != samples:
        return whole
    others = tuple(each for each in range(1, gradient.ndim) if each != axis % gradient.ndim)
    return max(whole, square_sum(gradient.sum(axis=others)))
