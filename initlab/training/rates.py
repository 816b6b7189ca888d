"""The one way to choose a learning rate: train with each, and take the best on held-out training examples."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from initlab.errors import UsageError, require, unknown_name
from initlab.init.per_layer import SchemeLike, as_initializations
from initlab.nn.optimizers import Optimizer
from initlab.registry import read_call
from initlab.training.histories import Histories
from initlab.training.history import History
from initlab.training.train import train

HELD_OUT = 5000
By = Literal["accuracy", "loss"]
Score = Callable[[History], float]


def train_at_best_rate(
    schemes: SchemeLike | Sequence[SchemeLike],
    data: Any = "mnist",
    *,
    rates: Sequence[float],
    optimizer: str = "sgd",
    seeds: int | Iterable[int] = 0,
    validation: int = HELD_OUT,
    by: By | Score = "accuracy",
    per_seed: bool = False,
    choosing: Mapping[str, Any] | None = None,
    **how: Any,
) -> Histories:
    """Train networks with several learning rates, and keep those of the best rate of each scheme.

    The best rate is that of the highest accuracy, or of the lowest loss, on examples held out of the training
    set, or of the highest score that a function gives, as the one that learns fastest. The test set decides
    nothing. A network that diverged comes last.

    Args:
        schemes: as for `train`.
        data: as for `train`.
        rates: the learning rates that are tried.
        optimizer: its name, perhaps with other arguments, as "momentum(momentum=0.8)".
        seeds: as for `train`.
        validation: how many training examples are held out; may be 0 where a function decides.
        by: "accuracy" or "loss", which of the two decides; or a function of a history that gives a score,
            of which higher is better. It is asked about networks that did not diverge, and must not read
            what they reach on the test set.
        per_seed: whether each seed has a rate of its own; by default a scheme has one, that of the best mean
            over seeds.
        choosing: what differs while the rates are compared, as `{"steps": 250, "seeds": 0}`, which costs
            less. All networks are then trained anew at the rate that was chosen, on all training examples.
        how: the other arguments of `train`.

    Returns:
        A history for each scheme and seed, with its `learning_rate`.

    Raises:
        UsageError: for no rates, no held-out examples, `per_seed` together with `choosing`, or what `train`
            refuses.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.standard_normal((300, 5)), rng.integers(3, size=300)
    >>> tried = {"rates": (1e-6, 0.1), "validation": 100, "by": "loss"}
    >>> kept = train_at_best_rate(["he"], (x, y), **tried, steps=50, hidden="8x2")
    >>> kept[0].learning_rate
    0.1

    The rate that learns fastest is the one whose loss falls to a level in the fewest steps:

    >>> def speed(history):
    ...     return -(history.steps_to_reach(1.2) or 51)
    >>> train_at_best_rate(["he"], (x, y), **tried | {"by": speed}, steps=50, hidden="8x2")[0].learning_rate
    0.1
    """
    if choosing is not None:
        require(not per_seed, "choosing finds one rate for all seeds, so it excludes per_seed")
        compared = {"seeds": seeds, "validation": validation, "by": by, **how, **choosing}
        shorter = train_at_best_rate(schemes, data, rates=rates, optimizer=optimizer, **compared)
        return _train_anew(schemes, data, optimizer, shorter, seeds=seeds, **how)
    starts, rates = as_initializations(schemes), [float(rate) for rate in rates]
    if not starts or not rates or (validation < 1 and not callable(by)):
        raise UsageError("choosing a rate needs at least one scheme, one rate and one held-out example")
    if not callable(by) and by not in get_args(By):
        raise UsageError(unknown_name("score", str(by), get_args(By)))
    grid = [(start, rate) for start in starts for rate in rates]
    histories = train(
        [start for start, _ in grid],
        data,
        optimizer=_with_rates(optimizer, [rate for _, rate in grid]),
        seeds=seeds,
        validation=validation,
        **how,
    )
    scores = _scores(histories, by).reshape(len(starts), len(rates), -1)
    best = np.nan_to_num(scores, nan=-np.inf).argmax(axis=1) if per_seed else _best_of_mean(scores)
    table = np.arange(len(histories)).reshape(scores.shape)
    chosen = np.take_along_axis(table, best[:, None, :], axis=1)
    labels = np.repeat([str(start) for start in starts], scores.shape[2])
    return Histories(
        replace(histories[row], label=str(label)) for row, label in zip(chosen.ravel(), labels, strict=True)
    )


def _train_anew(
    schemes: SchemeLike | Sequence[SchemeLike], data: Any, optimizer: str, chosen: Histories, **how: Any
) -> Histories:
    """Networks of each scheme at the rate of its first history."""
    starts = as_initializations(schemes)
    each = len(chosen) // len(starts)
    rule = _with_rates(optimizer, chosen.numbers("learning_rate")[::each].tolist())
    return train(starts, data, optimizer=rule, **how)


def _scores(histories: Histories, by: By | Score) -> np.ndarray:
    """Of each history, higher is better; nan where it diverged."""
    if callable(by):
        return np.array([np.nan if h.diverged_at is not None else by(h) for h in histories], np.float64)
    return histories.numbers(f"validation_{by}") * (1 if by == "accuracy" else -1)


def _best_of_mean(scores: np.ndarray) -> np.ndarray:
    """The best rate of each scheme over all seeds, (schemes, seeds).

    A rate with which more seeds finish comes first; among equals, the one with the better mean.
    """
    finished = np.isfinite(scores).sum(axis=2)
    means = np.nan_to_num(scores).sum(axis=2) / np.maximum(finished, 1)
    best = [
        max(range(len(row)), key=lambda i: (row[i], mean[i]))
        for row, mean in zip(finished, means, strict=True)
    ]
    return np.repeat(np.array(best)[:, None], scores.shape[2], axis=1)


def _with_rates(optimizer: str, rates: Sequence[float]) -> Optimizer:
    name, arguments = read_call("optimizer", optimizer)
    return Optimizer(name, **arguments, lr=rates)
