"""Cohort -> histories: one pass trains many networks.

For each step: stream -> batch -> Ensemble.train_step -> one loss for each network. A network whose loss is
not finite, or beyond `LARGEST_LOSS`, has diverged; it leaves the pass, and the others do not notice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

import numpy as np

from initlab.analysis.tracking import PROBE, track
from initlab.data.datasets import Dataset
from initlab.data.inputs import Prepare
from initlab.nn.adaptive import Samples
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.calls import read_call
from initlab.nn.losses import LOSSES
from initlab.nn.network import Ensemble, StepRule
from initlab.nn.optimizers import Optimizer
from initlab.nn.schedules import SCHEDULES, check_schedule
from initlab.nn.streams import Purpose, stream
from initlab.runner.settings import Settings

# The square root of float32's largest number, 1.8e19: products of two such numbers overflow. From here on
# the last bits, and so the processor, decide between NaN and a network of dead units; one that comes this
# far is called diverged, in float64 too, so that every machine gives the same verdict at the same step.
LARGEST_LOSS = float(np.sqrt(np.finfo(np.float32).max))

_EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class History:
    """What the training of one network left.

    Attributes:
        losses: of each step's batch before the update on it, (steps,); shorter where the network diverged.
        diverged_at: the first step whose loss was not finite or beyond `LARGEST_LOSS`; None if none was.
        test_loss, test_accuracy: on all test images after the last step; None where it diverged.
        batches_before: how many batches its scheme had looked at before the first step.
        tracked: entries of `analysis.tracking.track`, every `track_every` steps and after the last.
    """

    losses: FloatArray
    diverged_at: int | None
    test_loss: float | None
    test_accuracy: float | None
    batches_before: int = 0
    tracked: list[dict[str, Any]] | None = None


def train(cohort: Sequence[Settings]) -> list[History]:
    """Train networks side by side on the same batches; the settings differ in their schemes alone."""
    shared = cohort[0]
    dataset, prepare = shared.data.open()
    features = prepare(dataset.train_images[:1], shared.train.dtype).shape[1]
    sizes = (features, *shared.network.hidden, dataset.classes)
    starts = [settings.init.start for settings in cohort]
    with np.errstate(all="ignore"):
        ensemble = Ensemble.from_schemes(
            sizes,
            starts,
            shared.seed,
            shared.network.activation,
            shared.train.dtype,
            _samples(dataset, prepare, shared),
            shared.network.normalization,
        )
        before = ensemble.batches_before
        passed = _Pass(ensemble, dataset, prepare, shared)
        passed.run()
        test_losses, test_accuracies = _evaluate(passed.ensemble, dataset, prepare, shared)
    ends: dict[int, tuple[float, float]] = {
        int(row): (float(loss), float(accuracy))
        for row, loss, accuracy in zip(passed.rows, test_losses, test_accuracies, strict=True)
        if loss <= LARGEST_LOSS
    }
    return [_history(passed, row, ends.get(row), int(before[row])) for row in range(len(cohort))]


def _history(passed: "_Pass", row: int, end: tuple[float, float] | None, before: int) -> History:
    losses, diverged_at, tracked = passed.losses[row], passed.diverged_at[row], passed.tracked[row]
    if end is None:
        step = len(losses) if diverged_at is None else diverged_at
        return History(losses[:step].copy(), step, None, None, before, tracked)
    return History(losses, None, *end, before, tracked)


class _Pass:
    """One training of an ensemble, of which networks that diverge leave.

    Attributes:
        ensemble, rows: the networks that are still trained, and which of the first ones they are.
        losses: (M, steps).
        diverged_at: for each of the first networks.
        tracked: for each of the first networks, None where nothing is tracked.
    """

    def __init__(self, ensemble: Ensemble, dataset: Dataset, prepare: Prepare, settings: Settings) -> None:
        train = settings.train
        self.settings, self.dataset, self.prepare = settings, dataset, prepare
        self.ensemble, self.rows = ensemble, np.arange(ensemble.networks)
        self.optimizer = Optimizer(train.optimizer.name, **train.optimizer.arguments)
        self.rule = StepRule(train.loss, train.clip or 0.0, train.weight_decay or 0.0)
        self.losses = np.full((ensemble.networks, train.steps), np.nan, ensemble.dtype)
        self.diverged_at: list[int | None] = [None] * ensemble.networks
        watched = train.track_every is not None
        self.tracked: list[list[dict[str, Any]] | None] = [[] if watched else None for _ in self.rows]

    def run(self) -> None:
        """Take all steps, or as many as a network is left for."""
        train, factor = self.settings.train, _schedule(self.settings)
        for step, (inputs, labels) in enumerate(_batches(self.dataset, self.prepare, self.settings)):
            if train.track_every and step % train.track_every == 0:
                self._track(step)
            now = self.ensemble.train_step(inputs, labels, self.optimizer, self.rule, factor(step))
            self.losses[self.rows, step] = now
            if not (now <= LARGEST_LOSS).all():
                self._drop(np.flatnonzero(~(now <= LARGEST_LOSS)), step)
                if not len(self.rows):
                    return
        if train.track_every:
            self._track(train.steps)

    def _drop(self, diverged: IntArray, step: int) -> None:
        for row in self.rows[diverged]:
            self.diverged_at[row] = step
        kept = np.delete(np.arange(len(self.rows)), diverged)
        self.rows, self.ensemble = self.rows[kept], self.ensemble.keep(kept)
        self.optimizer.keep(kept)

    def _track(self, step: int) -> None:
        inputs = self.prepare(self.dataset.train_images[:PROBE], self.settings.train.dtype)
        entries = track(self.ensemble, step, inputs, self.dataset.train_labels[:PROBE])
        for row, entry in zip(self.rows, entries, strict=True):
            told = self.tracked[row]
            assert told is not None
            told.append(entry)


def _schedule(settings: Settings) -> Callable[[int], float]:
    """By which factor the learning rate is multiplied in each step."""
    if settings.train.schedule is None:
        return lambda _step: 1.0
    name, given = read_call("schedule", settings.train.schedule)
    arguments = check_schedule(name, given)
    return lambda step: SCHEDULES[name](step, settings.train.steps, **arguments)


def _samples(dataset: Dataset, prepare: Prepare, settings: Settings) -> Callable[[int], Samples]:
    """Training inputs for schemes that look at data."""

    def of_seed(seed: int) -> Samples:
        rng = stream(seed, Purpose.SAMPLES)

        def draw(batch_size: int) -> FloatArray:
            chosen = rng.integers(len(dataset.train_images), size=batch_size)
            return prepare(dataset.train_images[chosen], settings.train.dtype)

        return draw

    return of_seed


def _batches(dataset: Dataset, prepare: Prepare, settings: Settings) -> Iterator[tuple[FloatArray, IntArray]]:
    """One batch for each step."""
    train = settings.train
    for chosen in _choices(len(dataset.train_images), settings):
        yield prepare(dataset.train_images[chosen], train.dtype), dataset.train_labels[chosen]


def _choices(images: int, settings: Settings) -> Iterator[IntArray]:
    """Which images each step's batch has: drawn with replacement, or all in turn, shuffled anew every epoch.

    An epoch without replacement leaves out what does not fill a batch.
    """
    rng, train = stream(settings.seed, Purpose.BATCHES), settings.train
    if train.batches == "full":
        yield from repeat(np.arange(images), train.steps)
    elif train.batches == "without_replacement":
        yield from islice(_epochs(rng, images, min(train.batch_size, images)), train.steps)
    else:
        for _ in range(train.steps):
            yield rng.integers(images, size=train.batch_size)


def _epochs(rng: np.random.Generator, images: int, size: int) -> Iterator[IntArray]:
    """Batches without end, each image at most once in an epoch."""
    while True:
        order = rng.permutation(images)
        yield from order[: images // size * size].reshape(-1, size)


def _evaluate(
    ensemble: Ensemble, dataset: Dataset, prepare: Prepare, settings: Settings
) -> tuple[FloatArray, FloatArray]:
    """Mean loss (M,) and accuracy (M,) over the test images."""
    loss = LOSSES[settings.train.loss]
    losses, correct = np.zeros(ensemble.networks), np.zeros(ensemble.networks)
    count = len(dataset.test_images)
    for start in range(0, count if ensemble.networks else 0, _EVALUATION_BATCH):
        part = slice(start, start + _EVALUATION_BATCH)
        labels = dataset.test_labels[part]
        logits = ensemble.forward(prepare(dataset.test_images[part], settings.train.dtype))
        losses += loss(logits, labels)[0].astype(np.float64) * len(labels)
        correct += (logits.argmax(axis=-1) == labels).sum(axis=1)
    return losses / count, correct / count
