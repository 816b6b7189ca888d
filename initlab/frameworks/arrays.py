"""The numbers of one operation's result, from NumPy arrays of any library: see `trace.Operation`."""

from math import nan
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


def mean_square(values: Array) -> float:
    """In float64."""
    return float(np.square(values, dtype=np.float64).mean())


def by_unit(values: Array, axis: int) -> Array:
    """(samples x positions, units).

    Args:
        values: of any shape.
        axis: which counts units or channels.
    """
    if not values.ndim:
        return values.reshape(1, 1)
    return np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])


def difference(values: Array, samples: int) -> float:
    """1 - c over the samples; nan where neither of the first two axes counts samples."""
    axis = next((axis for axis in range(min(values.ndim, 2)) if values.shape[axis] == samples), None)
    if axis is None:
        return nan
    return dissimilarity(np.moveaxis(values, axis, 0).reshape(samples, -1).astype(np.float64))


def unit_numbers(kind: str, z: Array, slopes: Array, axis: int) -> dict[str, float]:
    """What a nonlinear function finds: dead and saturated slopes, and units that repeat each other.

    Args:
        kind: the function's name.
        z: what it takes.
        slopes: its derivative there.
        axis: which counts units or channels.
    """
    rows = by_unit(slopes, axis)
    limit = _SATURATED_SLOPE * STEEPEST.get(kind, 0.0)
    units = by_unit(z, axis).astype(np.float64)
    return {
        "dead": float((rows == 0).all(axis=0).mean()),
        "saturated": float((np.abs(rows) < limit).mean()),
        "distinct": distinct_columns(units, up_to_sign=kind in STEEPEST) / units.shape[1],
    }


def gradient_square(gradient: Array, axis: int, samples: int) -> float:
    """|d|^2, or that of its sum over positions, if it is more."""
    d = gradient.astype(np.float64)
    whole = float(np.square(d).sum())
    if d.ndim <= 2 or len(d) != samples:
        return whole
    together = np.moveaxis(d, axis, 1).reshape(samples, d.shape[axis], -1).sum(axis=2)
    return max(whole, float(np.square(together).sum()))
