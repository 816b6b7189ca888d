"""Input preparation: bytes of images -> floats that a network is fed."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from initlab.nn.arrays import FloatArray

Prepare = Callable[[npt.NDArray[np.uint8], str], FloatArray]


def unit(images: npt.NDArray[np.uint8], dtype: str) -> FloatArray:
    """Pixels divided by 255, from 0 to 1, as in Saito's book.

    >>> unit(np.array([[0, 255]], np.uint8), "float32").tolist()
    [[0.0, 1.0]]
    """
    return np.divide(images, 255, dtype=dtype)


def raw(images: npt.NDArray[np.uint8], dtype: str) -> FloatArray:
    """Pixels as they are, from 0 to 255.

    >>> raw(np.array([[0, 255]], np.uint8), "float32").tolist()
    [[0.0, 255.0]]
    """
    return images.astype(dtype)


INPUTS: dict[str, Prepare] = {"unit": unit, "raw": raw}
