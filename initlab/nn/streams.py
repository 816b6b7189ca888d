"""Named streams of random numbers: (seed, purpose, layer) -> an independent generator.

Under one seed every scheme gets the same underlying draws and the same batches, so two curves differ by the
scheme alone. Drawing more numbers from one stream never moves another.
"""

from enum import IntEnum

import numpy as np

# The version of the package's numbers, part of the identity of every record. We raise it when the same
# settings and seed give other bits than before, so that no older record is used again.
# 2: an optimizer rounds given numbers as it rounds defaults; clipping and squared error sum in another order.
ALGORITHM = 2


class Purpose(IntEnum):
    """What a stream is for. Every result depends on these numbers: they never change and are never reused."""

    WEIGHTS = 0
    BATCHES = 1
    INPUTS = 2
    BIASES = 3
    ADAPTATION = 4
    SAMPLES = 5


def stream(seed: int, purpose: Purpose, layer: int = 0) -> np.random.Generator:
    """The generator `PCG64(SeedSequence(seed, spawn_key=(purpose, layer)))`.

    Args:
        seed: an integer from 0 on.
        purpose: what the numbers are for.
        layer: the layer that they are for, counted from 0 at the input; 0 where there is no layer.

    Source: NumPy's documentation, "Parallel random number generation", on `SeedSequence` and spawn keys.

    >>> first, again = (stream(0, Purpose.BATCHES).integers(10, size=3) for _ in range(2))
    >>> bool((first == again).all())
    True
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(int(purpose), layer))
    return np.random.Generator(np.random.PCG64(sequence))
