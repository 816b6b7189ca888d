"""Cohort -> histories: one pass trains many networks.

For each step: stream -> batch -> Ensemble.train_step -> one loss for each network. A network whose loss is
not finite, or beyond `LARGEST_LOSS`, has diverged; it leaves the pass, and the others do not notice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from initlab.data.datasets import Dataset, open_dataset
from initlab.data.inputs import INPUTS
from initlab.nn.adaptive import Samples
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.losses import LOSSES
from initlab.nn.network import Ensemble
from initlab.nn.optimizers import Optimizer
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
    """

    losses: FloatArray
    diverged_at: int | None
    test_loss: float | None
    test_accuracy: float | None


def train(cohort: Sequence[Settings]) -> list[History]:
    """Train networks side by side on the same batches; the settings differ in their schemes alone."""
    shared = cohort[0]
    dataset = open_dataset(shared.data.name, shared.data.path)
    sizes = (dataset.pixels, *shared.network.hidden, dataset.classes)
    starts = [settings.init.start for settings in cohort]
    with np.errstate(all="ignore"):
        ensemble = Ensemble.from_schemes(
            sizes,
            starts,
            shared.seed,
            shared.network.activation,
            shared.train.dtype,
            _samples(dataset, shared),
            shared.network.normalization,
        )
        losses, diverged_at, ensemble, rows = _train(ensemble, dataset, shared)
        test_losses, test_accuracies = _evaluate(ensemble, dataset, shared)
    ends: dict[int, tuple[float, float]] = {
        int(row): (float(loss), float(accuracy))
        for row, loss, accuracy in zip(rows, test_losses, test_accuracies, strict=True)
        if loss <= LARGEST_LOSS
    }
    return [_history(losses[row], diverged_at[row], ends.get(row)) for row in range(len(cohort))]


def _history(losses: FloatArray, diverged_at: int | None, end: tuple[float, float] | None) -> History:
    if end is None:
        step = len(losses) if diverged_at is None else diverged_at
        return History(losses[:step].copy(), step, None, None)
    return History(losses, None, *end)


def _train(
    ensemble: Ensemble, dataset: Dataset, settings: Settings
) -> tuple[FloatArray, list[int | None], Ensemble, IntArray]:
    """All losses (M, steps), where each network diverged, and the surviving networks with their rows."""
    train = settings.train
    optimizer = Optimizer(train.optimizer.name, **train.optimizer.arguments)
    losses = np.full((ensemble.networks, train.steps), np.nan, ensemble.dtype)
    diverged_at: list[int | None] = [None] * ensemble.networks
    rows = np.arange(ensemble.networks)
    for step, (inputs, labels) in enumerate(_batches(dataset, settings)):
        now = ensemble.train_step(inputs, labels, optimizer, train.loss)
        losses[rows, step] = now
        alive = now <= LARGEST_LOSS
        if not alive.all():
            for row in rows[~alive]:
                diverged_at[row] = step
            kept = np.flatnonzero(alive)
            rows, ensemble = rows[kept], ensemble.keep(kept)
            optimizer.keep(kept)
            if not len(rows):
                break
    return losses, diverged_at, ensemble, rows


def _samples(dataset: Dataset, settings: Settings) -> Callable[[int], Samples]:
    """Training inputs for schemes that look at data."""
    prepare = INPUTS[settings.data.inputs]

    def of_seed(seed: int) -> Samples:
        rng = stream(seed, Purpose.SAMPLES)

        def draw(batch_size: int) -> FloatArray:
            chosen = rng.integers(len(dataset.train_images), size=batch_size)
            return prepare(dataset.train_images[chosen], settings.train.dtype)

        return draw

    return of_seed


def _batches(dataset: Dataset, settings: Settings) -> Iterator[tuple[FloatArray, IntArray]]:
    """One batch for each step, drawn with replacement from the training images."""
    rng = stream(settings.seed, Purpose.BATCHES)
    prepare, train = INPUTS[settings.data.inputs], settings.train
    for _ in range(train.steps):
        chosen = rng.integers(len(dataset.train_images), size=train.batch_size)
        yield prepare(dataset.train_images[chosen], train.dtype), dataset.train_labels[chosen]


def _evaluate(ensemble: Ensemble, dataset: Dataset, settings: Settings) -> tuple[FloatArray, FloatArray]:
    """Mean loss (M,) and accuracy (M,) over the test images."""
    loss, prepare = LOSSES[settings.train.loss], INPUTS[settings.data.inputs]
    losses, correct = np.zeros(ensemble.networks), np.zeros(ensemble.networks)
    count = len(dataset.test_images)
    for start in range(0, count if ensemble.networks else 0, _EVALUATION_BATCH):
        part = slice(start, start + _EVALUATION_BATCH)
        labels = dataset.test_labels[part]
        logits = ensemble.forward(prepare(dataset.test_images[part], settings.train.dtype))
        losses += loss(logits, labels)[0].astype(np.float64) * len(labels)
        correct += (logits.argmax(axis=-1) == labels).sum(axis=1)
    return losses / count, correct / count
