"""The IDX format of MNIST and its relatives: file -> header -> memory-mapped array of bytes.

A file opens with two zero bytes, the type (8 for unsigned bytes) and the number of dimensions, then each
dimension as a big-endian 32-bit integer; the numbers follow.
"""

import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from initlab.errors import DataError

_UNSIGNED_BYTE = 8


def idx_header(shape: tuple[int, ...]) -> bytes:
    """The header of an IDX file of unsigned bytes.

    >>> idx_header((60000,)).hex(" ")
    '00 00 08 01 00 00 ea 60'
    """
    return bytes([0, 0, _UNSIGNED_BYTE, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def map_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """Map an IDX file of unsigned bytes into memory, read-only, without reading it.

    Args:
        path: an unpacked file.
        dimensions: of the array: 1 for labels, 3 for images.

    Raises:
        DataError: when it is no such file, or is shorter or longer than its header says.
    """
    shape = _read_shape(path, dimensions)
    offset = 4 + 4 * dimensions
    expected, actual = offset + math.prod(shape), path.stat().st_size
    if actual != expected:
        state = "truncated" if actual < expected else "too long"
        raise DataError(f"{path}: {state}: {actual:,} bytes, where its header {shape} asks for {expected:,}")
    if 0 in shape:
        raise DataError(f"{path}: empty: its header says {shape}")
    return np.memmap(path, np.uint8, "r", offset, shape)


def _read_shape(path: Path, dimensions: int) -> tuple[int, ...]:
    with path.open("rb") as file:
        header = file.read(4 + 4 * dimensions)
    magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if header[:4] != magic:
        raise DataError(
            f"{path}: not an IDX file of unsigned bytes in {dimensions} dimensions: "
            f"it begins with {header[:4].hex(' ') or 'nothing'}, not {magic.hex(' ')}"
        )
    if len(header) < 4 + 4 * dimensions:
        raise DataError(f"{path}: truncated within its header, at {len(header)} bytes")
    return struct.unpack(f">{dimensions}I", header[4:])
