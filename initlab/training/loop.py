"""The training loop: an ensemble, examples, a regime -> losses, divergences, what was tracked.

For each step: batch -> Ensemble.train_step -> one loss for each network. A network whose loss is not finite,
or beyond `LARGEST_LOSS`, has diverged; it leaves the pass, and the others do not notice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from initlab.data.examples import Examples, Inputs
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.losses import LOSSES
from initlab.nn.network import PLAIN, Ensemble, StepRule
from initlab.nn.optimizers import Optimizer
from initlab.nn.schedules import parse_schedule
from initlab.training.batches import Drawing, batches_of
from initlab.training.history import LARGEST_LOSS
from initlab.training.tracking import Track

EVALUATION_BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How networks are trained, apart from the optimizer.

    Attributes:
        steps: how many updates.
        batch_size, drawing: of the batches; see `batches.batches`.
        rule: the loss, gradient clipping and weight decay.
        schedule: a name in `SCHEDULES` with its arguments; the same rate throughout by default.
        track: called with a copy of the networks, which it may use as it likes.
        track_every: after so many steps `track` is called, and at the end; None for never.
    """

    steps: int
    batch_size: int
    drawing: Drawing = "with_replacement"
    rule: StepRule = PLAIN
    schedule: str = "constant"
    track: Track | None = None
    track_every: int | None = None


class Pass:
    """Trains an ensemble; networks that diverge are removed on the way.

    Args:
        ensemble: M networks, trained in place until one of them diverges.
        examples: the training examples are shown.
        regime: how they are trained.
        optimizer: for M networks.
        seeds: one for each network, of its batches.

    Attributes:
        ensemble, rows: the networks that are still trained, and their rows in the original ensemble.
        losses: (M, steps).
        diverged_at: for each of the first networks.
        tracked: for each of the first networks, its entries; None where nothing is tracked.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        examples: Examples,
        regime: Regime,
        optimizer: Optimizer,
        seeds: Sequence[int],
    ) -> None:
        self.examples, self.regime, self.optimizer, self.seeds = examples, regime, optimizer, seeds
        self.ensemble, self.rows = ensemble, np.arange(ensemble.networks)
        self.losses = np.full((ensemble.networks, regime.steps), np.nan, ensemble.dtype)
        self.diverged_at: list[int | None] = [None] * ensemble.networks
        watched = regime.track_every is not None
        self.tracked: list[list[dict[str, Any]] | None] = [[] if watched else None for _ in self.rows]

    @np.errstate(all="ignore")
    def run(self, progress: Callable[[], None] | None = None) -> None:
        """Take all steps, or as many as a network is left for.

        Args:
            progress: called after each step.
        """
        regime = self.regime
        factor = parse_schedule(regime.schedule, regime.steps)
        inputs, labels = self.examples.train_inputs, self.examples.train_labels
        drawn = batches_of(self.seeds, len(inputs), regime.steps, regime.batch_size, regime.drawing)
        for step, chosen in enumerate(drawn):
            if len(self.rows):
                self._track_now_and_then(step)
                own = chosen if chosen.ndim == 1 else chosen[self.rows]
                self._step(step, inputs[own], labels[own], factor(step))
            if progress:
                progress()
            elif not len(self.rows):
                return
        self._track_now_and_then(regime.steps, last=True)

    def _step(self, step: int, inputs: FloatArray, labels: IntArray, lr_factor: float) -> None:
        losses = self.ensemble.train_step(inputs, labels, self.optimizer, self.regime.rule, lr_factor)
        self.losses[self.rows, step] = losses
        bounded = losses <= LARGEST_LOSS  # false for NaN too
        if not bounded.all():
            self.drop(np.flatnonzero(~bounded), step)

    def drop(self, diverged: IntArray, step: int) -> None:
        """Remove networks that have diverged.

        Args:
            diverged: which of the networks that are still trained.
            step: at which they diverged.
        """
        for row in self.rows[diverged]:
            self.diverged_at[row] = step
        kept = np.delete(np.arange(len(self.rows)), diverged)
        self.rows, self.ensemble = self.rows[kept], self.ensemble.keep(kept)
        self.optimizer.keep(kept)

    def _track_now_and_then(self, step: int, last: bool = False) -> None:
        every, track = self.regime.track_every, self.regime.track
        if not every or track is None or not len(self.rows) or (step % every and not last):
            return
        # A copy, so that measuring changes neither gradients nor running statistics of the networks.
        entries = track(self.ensemble.keep(np.arange(len(self.rows))))
        for row, entry in zip(self.rows, entries, strict=True):
            tracked = self.tracked[row]
            assert tracked is not None
            tracked.append({"step": step, **entry})


@np.errstate(all="ignore")
def evaluate(
    ensemble: Ensemble, inputs: Inputs, labels: IntArray, loss: str
) -> tuple[FloatArray, FloatArray]:
    """Mean loss (M,) and accuracy (M,) over examples.

    Args:
        ensemble: M networks.
        inputs: (N, n_0), read a thousand at a time.
        labels: (N,).
        loss: a name in `LOSSES`.
    """
    losses, correct = np.zeros(ensemble.networks), np.zeros(ensemble.networks)
    for start in range(0, len(labels), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        logits = ensemble.forward(inputs[part])
        losses += LOSSES[loss](logits, labels[part])[0].astype(np.float64) * len(labels[part])
        correct += (logits.argmax(axis=-1) == labels[part]).sum(axis=1)
    return losses / len(labels), correct / len(labels)
