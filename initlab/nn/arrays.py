"""The array types of the signatures: floating-point numbers (float32 or float64), and integers."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from initlab.errors import UsageError

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
IntArray: TypeAlias = npt.NDArray[np.integer[Any]]


def as_floats(name: str, values: npt.ArrayLike, dtype: npt.DTypeLike | None = "float64") -> FloatArray:
    """What a user gave as an array of floats.

    Args:
        name: of the values, for the message.
        values: an array or nested lists, all rows of one length.
        dtype: of the floats; None keeps that of an array.

    Raises:
        UsageError: for anything else.

    >>> as_floats("inputs", [[0, 1]]).shape
    (1, 2)
    """
    try:
        return np.asarray(values, dtype)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name} must be an array of numbers: {error}") from None
