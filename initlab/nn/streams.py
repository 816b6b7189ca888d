"""Named streams of random numbers: one seed, and for each purpose a stream of its own.

Two schemes under one seed are given the same underlying draws and the same batches, so that what differs
between their curves is the scheme alone. Asking one stream for more never moves another.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is for. The numbers are part of every result: they are never changed or used again."""

    WEIGHTS = 0
    BATCHES = 1
    INPUTS = 2
    BIASES = 3
    ADAPTATION = 4
    SAMPLES = 5


def stream(seed: int, purpose: Purpose, layer: int = 0) -> np.random.Generator:
    """The generator `PCG64(SeedSequence(seed, spawn_key=(purpose, layer)))`.

    Args:
        seed: any integer from 0 on.
        purpose: what the numbers are for.
        layer: counted from 0 at the input; weights of different layers are independent.

    >>> first, again = (stream(0, Purpose.BATCHES).integers(10, size=3) for _ in range(2))
    >>> bool((first == again).all())
    True
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(int(purpose), layer))
    return np.random.Generator(np.random.PCG64(sequence))
