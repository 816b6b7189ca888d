"""History: what the training of one network left. Condition: histories that differ in their seeds alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from initlab.errors import UsageError, require
from initlab.measure.intervals import Interval, mean_interval
from initlab.nn.arrays import FloatArray
from initlab.training.curves import final_loss, smooth, steps_to_reach

REACHED_LOSS = 0.5
# The square root of float32's largest number, 1.8e19: products of two such numbers overflow. From here on
# the last bits, and so the processor, decide between NaN and a network of dead units. A network that comes
# this far is called diverged, in float64 too, so that every machine gives the same verdict at the same step.
LARGEST_LOSS = float(np.sqrt(np.finfo(np.float32).max))


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """What the training of one network left.

    Attributes:
        label: the network's name in figures and tables.
        scheme: from which its weights were drawn, as text; empty where it is not known.
        seed: of weights and batches.
        losses: of each step's batch before the update on it, (steps,); shorter where the network diverged.
        diverged_at: the first step whose loss was not finite or beyond `LARGEST_LOSS`, or the number of
            steps where only the last update led there; None if it did not diverge.
        test_loss, test_accuracy: on all test examples after the last step; None where it diverged, or there
            are no test examples.
        validation_loss, validation_accuracy: likewise, on those held out of the training set.
        batches_before: how many batches its scheme had looked at before the first step.
        learning_rate: of the optimizer, where the rates of a comparison differ; else None.
        tracked: what was tracked, an entry for each time; None where nothing was.
    """

    label: str = ""
    scheme: str = ""
    seed: int = 0
    losses: FloatArray
    diverged_at: int | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    batches_before: int = 0
    learning_rate: float | None = None
    tracked: list[dict[str, Any]] | None = None

    @property
    def final_loss(self) -> float | None:
        """The mean of the last 100 steps, or of the last quarter of a short run; None where it diverged."""
        return None if self.diverged_at is not None else final_loss(self.losses)

    def smoothed(self) -> FloatArray:
        """The losses smoothed over 11 steps; see `curves.smooth`."""
        return smooth(self.losses)

    def steps_to_reach(self, level: float) -> int | None:
        """The first step whose smoothed loss is at most the level; None when none is, or it diverged."""
        return None if self.diverged_at is not None else steps_to_reach(self.losses, level)

    def row(self) -> dict[str, Any]:
        """Its numbers as one row of a table."""
        return {
            "label": self.label,
            "seed": self.seed,
            "final_loss": self.final_loss,
            "test_accuracy": self.test_accuracy,
            "test_loss": self.test_loss,
            "diverged_at": self.diverged_at,
            "learning_rate": self.learning_rate,
        }

    def __repr__(self) -> str:
        end = (
            f"loss {self.final_loss:.4g}"
            if self.diverged_at is None and self.final_loss is not None
            else f"diverged at step {self.diverged_at}"
        )
        accuracy = "" if self.test_accuracy is None else f", test accuracy {self.test_accuracy:.4g}"
        return f"<History: {self.label}, seed {self.seed}, {len(self.losses)} steps, {end}{accuracy}>"


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """One condition of a comparison: histories that differ in their seeds alone.

    Attributes:
        label: as a legend shows it.
        scheme: by which a figure chooses its colour.
        settings: what is swept, with the values of this condition as they are shown.
        histories: one for each seed.
    """

    label: str
    scheme: str
    settings: tuple[tuple[str, str], ...] = ()
    histories: tuple[History, ...]

    @property
    def finished(self) -> list[History]:
        """Those that did not diverge."""
        return [history for history in self.histories if history.diverged_at is None]

    @property
    def diverged_at(self) -> list[int]:
        """The steps at which networks diverged, one for each that did."""
        return [history.diverged_at for history in self.histories if history.diverged_at is not None]

    @property
    def final_loss(self) -> Interval | None:
        """Mean loss of the last 100 steps, over the seeds that finished."""
        return _interval([history.final_loss for history in self.finished])

    @property
    def test_accuracy(self) -> Interval | None:
        """Over the seeds that finished."""
        return _interval([history.test_accuracy for history in self.finished])

    @cached_property
    def steps_to_reach(self) -> list[int]:
        """For each seed that got there, the first step whose smoothed loss is at most 0.5."""
        steps = [history.steps_to_reach(REACHED_LOSS) for history in self.finished]
        return [step for step in steps if step is not None]


def _interval(values: Sequence[float | None]) -> Interval | None:
    numbers = [value for value in values if value is not None]
    return mean_interval(numbers) if numbers else None


def group_by_label(histories: Iterable[History]) -> list[Condition]:
    """Put together the histories of each label, in the order in which labels first occur."""
    groups: dict[str, list[History]] = {}
    for history in histories:
        groups.setdefault(history.label, []).append(history)
    return [
        Condition(label=label, scheme=members[0].scheme, histories=tuple(members))
        for label, members in groups.items()
    ]


Comparison = Sequence[History] | Sequence[Condition]


def histories_of(label: str, losses: ArrayLike) -> list[History]:
    """The histories of networks that were trained in a loop of one's own.

    Args:
        label: of the networks; the text of a scheme, where one is to be its colour.
        losses: of each step, (steps,), or (M, steps) for M networks that differ in their seeds. A network has
            diverged at its first loss that is not finite or beyond `LARGEST_LOSS`.

    Raises:
        UsageError: for losses of another shape, or no numbers.

    >>> [history.diverged_at for history in histories_of("he", [[2.0, 1.0], [9.0, np.inf]])]
    [None, 1]
    """
    try:
        curves = np.asarray(losses, np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{label}: losses are numbers, (steps,) or (M, steps)") from None
    fits = curves.ndim in (1, 2) and curves.size > 0
    require(fits, f"{label}: losses have the shape (steps,) or (M, steps), not {curves.shape}")
    rows = enumerate(np.atleast_2d(curves))
    return [_history(label, seed, curve) for seed, curve in rows]


def _history(label: str, seed: int, losses: FloatArray) -> History:
    beyond = np.flatnonzero(~(losses <= LARGEST_LOSS))
    step = int(beyond[0]) if len(beyond) else None
    end = len(losses) if step is None else step + 1
    return History(label=label, scheme=label, seed=seed, losses=losses[:end], diverged_at=step)


def as_conditions(comparison: Comparison | Mapping[str, ArrayLike]) -> list[Condition]:
    """Conditions as they are; histories put together by label; losses by label as histories."""
    if isinstance(comparison, Mapping):
        return group_by_label(
            history for label, losses in comparison.items() for history in histories_of(str(label), losses)
        )
    conditions = [item for item in comparison if isinstance(item, Condition)]
    return conditions or group_by_label(item for item in comparison if isinstance(item, History))
