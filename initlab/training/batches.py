"""Batches: a seed, a way of drawing -> which examples each step is shown."""

from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from typing import Literal, get_args

import numpy as np

from initlab.nn.arrays import IntArray
from initlab.nn.streams import Purpose, stream

Drawing = Literal["with_replacement", "without_replacement", "full"]
DRAWINGS: tuple[str, ...] = get_args(Drawing)
_DRAWN_AT_A_TIME = 10_000


def batches(examples: int, steps: int, batch_size: int, drawing: Drawing, seed: int) -> Iterator[IntArray]:
    """The rows of the examples that each step is shown.

    Args:
        examples: how many there are.
        steps: how many batches are drawn.
        batch_size: examples in a batch.
        drawing: "with_replacement", each example at random; "without_replacement", all in turn, shuffled
            anew every epoch, which leaves out what does not fill a batch; or "full", all in every step.
        seed: another seed draws other batches.

    >>> [rows.tolist() for rows in batches(3, 2, 2, "full", seed=0)]
    [[0, 1, 2], [0, 1, 2]]
    """
    rng = stream(seed, Purpose.BATCHES)
    if drawing == "full":
        return repeat(np.arange(examples), steps)
    if drawing == "without_replacement":
        return islice(_epochs(rng, examples, min(batch_size, examples)), steps)
    return islice(_drawn(rng, examples, batch_size), steps)


def batches_of(
    seeds: Sequence[int], examples: int, steps: int, batch_size: int, drawing: Drawing
) -> Iterator[IntArray]:
    """The rows that each network is shown in each step: (B,) for networks that share them, else (M, B).

    Args:
        seeds: one for each network; those of equal seeds are shown the same.
        examples, steps, batch_size, drawing: as for `batches`.

    >>> [rows.shape for rows in batches_of([4, 4], 100, 1, 10, "with_replacement")]
    [(10,)]
    >>> [rows.shape for rows in batches_of([4, 5, 4], 100, 1, 10, "with_replacement")]
    [(3, 10)]
    """
    distinct = list(dict.fromkeys(seeds))
    if len(distinct) == 1 or drawing == "full":
        return batches(examples, steps, batch_size, drawing, seeds[0])
    each = [batches(examples, steps, batch_size, drawing, seed) for seed in distinct]
    place = [distinct.index(seed) for seed in seeds]
    return (np.stack(drawn)[place] for drawn in zip(*each, strict=True))


def _drawn(rng: np.random.Generator, examples: int, size: int) -> Iterator[IntArray]:
    """Batches without end, each example at random; drawn many at a time, which gives the same numbers."""
    many = max(1, _DRAWN_AT_A_TIME // size)
    while True:
        yield from rng.integers(examples, size=(many, size))


def _epochs(rng: np.random.Generator, examples: int, size: int) -> Iterator[IntArray]:
    """Batches without end, each example at most once in an epoch."""
    while True:
        order = rng.permutation(examples)
        yield from order[: examples // size * size].reshape(-1, size)
