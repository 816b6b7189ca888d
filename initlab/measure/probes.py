"""What untrained networks are shown: a seed -> inputs from N(0, 1), with labels at random."""

from collections.abc import Sequence

import numpy as np

from initlab.errors import UsageError, is_whole
from initlab.nn.architecture import Size, hidden_sizes
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.streams import Purpose, stream

Hidden = str | Sequence[int | str]

# As many as MNIST has.
CLASSES = 10


def random_probe(seed: int, samples: int, width: int) -> tuple[FloatArray, IntArray]:
    """Inputs from N(0, 1) in float64, and labels of ten classes at random, the same for every scheme.

    Args:
        seed: of the draws.
        samples: how many inputs.
        width: numbers of each input.

    Returns:
        (samples, width) and (samples,).

    >>> inputs, labels = random_probe(0, 5, 3)
    >>> inputs.shape, labels.shape
    ((5, 3), (5,))
    """
    rng = stream(seed, Purpose.INPUTS)
    return rng.standard_normal((samples, width)), np.asarray(rng.integers(CLASSES, size=samples))


def probe_sizes(depth: int, width: int, hidden: Hidden | None) -> list[Size]:
    """The layer sizes of a network with ten classes.

    Args:
        depth: hidden layers of one width, unless `hidden` says otherwise.
        width: inputs, and units of each of these.
        hidden: the hidden layers, as "conv(16, kernel=5), 100"; see `hidden_sizes`.

    >>> probe_sizes(2, 100, None), probe_sizes(5, 100, "pool(2), 30")
    ([100, 100, 100, 10], [100, 'pool(2)', 30, 10])
    """
    return [*equal_layers(depth, width)] if hidden is None else [width, *hidden_sizes(hidden), CLASSES]


def equal_layers(depth: int, width: int) -> list[int]:
    """The layer sizes of a network whose inputs and hidden layers have one width, with ten classes.

    Args:
        depth: hidden layers.
        width: inputs, and units of each hidden layer.

    >>> equal_layers(2, 100)
    [100, 100, 100, 10]
    """
    return [width] * (depth + 1) + [CLASSES]


def check_at_least(least: int, **counts: int) -> None:
    """Refuse a count that is too small.

    Args:
        least: the smallest allowed value.
        counts: each by its name.

    Raises:
        UsageError: for the first of them that is smaller, or no whole number.
    """
    for name, count in counts.items():
        if not is_whole(count):
            raise UsageError(f"{name} must be a whole number, not {count!r}")
        if count < least:
            raise UsageError(f"{name} must be {least} or more, not {count}")
