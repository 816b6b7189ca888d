"""Trial: a diagnosis -> its network and its cure, trained side by side for some hundred steps."""

from typing import Any

from initlab.data.examples import examples_of
from initlab.diagnosis.limits import ADAPTIVE
from initlab.diagnosis.verdict import Diagnosis
from initlab.init.per_layer import Initialization
from initlab.nn.normalization import BatchNorm
from initlab.training.history import History
from initlab.training.rates import HELD_OUT, train_at_best_rate

RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
ADAPTIVE_RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01)


def try_out(diagnosis: Diagnosis, data: Any, steps: int, seed: int = 0) -> dict[str, History]:
    """The histories of the network that was diagnosed and of its cure, by what they begin with.

    Each has the rate, of `RATES` or `ADAPTIVE_RATES`, that ends with the lowest loss on held-out training
    examples.

    Args:
        diagnosis: of the network.
        data: as for `train`.
        steps: of training.
        seed: of the weights and batches.

    >>> import numpy as np
    >>> from initlab.diagnosis.verdict import diagnose
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((600, 10))
    >>> y = (x[:, :3]).argmax(axis=1)
    >>> diagnosis = diagnose("std=0.01", "relu", "20x6", x[:200], y[:200])
    >>> histories = try_out(diagnosis, (x, y, x, y), 100)
    >>> {name: history.test_accuracy > 0.8 for name, history in histories.items()}
    {'std=0.01': False, 'auto': True}
    """
    hidden, cure = diagnosis.sizes[1:-1], diagnosis.cure
    networks = {str(diagnosis.start): (diagnosis.start, hidden, diagnosis.norm, diagnosis.skip)}
    if cure is not None:
        norm = BatchNorm() if cure.batch_norm else diagnosis.norm
        networks[str(cure)] = (
            Initialization(cure.scheme),
            hidden[: cure.depth],
            norm,
            cure.skip or diagnosis.skip,
        )
    return {
        name: train_at_best_rate(
            start,
            data,
            hidden=list(layers),
            activation=diagnosis.activation,
            norm=norm,
            skip=skip,
            optimizer=diagnosis.optimizer,
            rates=ADAPTIVE_RATES if diagnosis.optimizer in ADAPTIVE else RATES,
            validation=_held_out(data),
            by="loss",
            steps=steps,
            seeds=seed,
        )[0]
        for name, (start, layers, norm, skip) in networks.items()
    }


def _held_out(data: Any) -> int:
    """A fifth of the training examples, at most those that experiments hold out."""
    return min(HELD_OUT, max(1, len(examples_of(data).train_inputs) // 5))
