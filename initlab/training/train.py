"""`train`: schemes or an ensemble, data -> a History for each network. Everybody's training is this one.

networks -> a pass for each seed and cache-full of networks (loop.Pass) -> evaluate -> Histories
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from initlab.data.examples import Examples, examples_of
from initlab.errors import UsageError, unknown_name
from initlab.init.networks import SchemeLike, initialize
from initlab.init.per_layer import Initialization
from initlab.init.scheme import Scheme
from initlab.nn.arrays import IntArray
from initlab.nn.losses import LOSSES
from initlab.nn.network import Ensemble, StepRule, hidden_sizes
from initlab.nn.normalization import BatchNorm
from initlab.nn.optimizers import Optimizer
from initlab.nn.schedules import parse_schedule
from initlab.training.batches import DRAWINGS, Drawing
from initlab.training.histories import Histories
from initlab.training.history import History
from initlab.training.loop import LARGEST_LOSS, Pass, Regime, evaluate
from initlab.training.tracking import Track, layer_tracker

# Measured (tests/benchmarks/workers.py): the step of one network of 100x4 costs least in cohorts of 2 to 8,
# which work on 3 to 12 MB; that of 16x4 costs half of what it costs alone in cohorts from 8 on.
CACHE_BYTES = 8 << 20

Progress = Callable[[int, int], None]


def train(
    networks: Ensemble | SchemeLike | Sequence[SchemeLike],
    data: Any = "mnist",
    *,
    steps: int,
    hidden: str | Sequence[int] = "100x4",
    activation: str = "relu",
    batch_norm: BatchNorm | None = None,
    dtype: str = "float32",
    inputs: str = "unit",
    batch_size: int = 128,
    drawing: Drawing = "with_replacement",
    optimizer: str | Optimizer = "sgd(lr=0.01)",
    loss: str = "cross_entropy",
    schedule: str = "constant",
    clip: float = 0.0,
    weight_decay: float = 0.0,
    seeds: int | Iterable[int] = 0,
    validation: int = 0,
    track_every: int | None = None,
    track: Track | None = None,
    progress: bool | Progress = False,
) -> Histories:
    """Train networks side by side, those of a seed on the same batches.

    Another seed gives other weights and other batches. What networks are trained together changes no bit of
    any history; a run of a config with the same settings has the same bits.

    Args:
        networks: schemes, each of which begins a network for each seed; or an ensemble, which is trained in
            place (a network that diverges keeps its weights from before).
        data: the name of a dataset, a `Dataset` from `open_dataset`, `Examples`, or arrays (inputs, labels),
            perhaps followed by (test inputs, test labels).
        steps: how many updates.
        hidden: units of each hidden layer, [100, 100] or "100x2"; for schemes.
        activation: of the hidden layers; for schemes.
        batch_norm: Batch Normalization of the hidden layers; for schemes.
        dtype: "float32" or "float64"; for schemes.
        inputs: how images become floats, a name in `INPUTS`.
        batch_size: examples in a batch.
        drawing: "with_replacement", "without_replacement" or "full"; see `batches.batches`.
        optimizer: as "adam(lr=0.001)", or an `Optimizer`, whose arguments may differ from scheme to scheme.
        loss: a name in `LOSSES`.
        schedule: of the learning rate, as "cosine" or "step(every=100)".
        clip: the largest norm of a gradient; 0 for any.
        weight_decay: by which parameters are drawn to 0.
        seeds: of weights and batches: for schemes any number of them; for an ensemble one, or one for each
            network, which then chooses its batches.
        validation: how many training examples are held out, and evaluated apart.
        track_every: after so many steps the layers are looked at.
        track: what is then noted of a copy of the networks; by default `tracking.layer_tracker`.
        progress: whether a bar is shown, or a function called with the steps taken and all steps.

    Returns:
        A history for each network: scheme by scheme, and for each scheme seed by seed.

    Raises:
        UsageError: for an unknown name, or a value out of range, before anything is trained.
        DataError: for a dataset that cannot be opened.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.standard_normal((200, 5)), rng.integers(3, size=200)
    >>> histories = train(["he", "xavier"], (x, y), steps=20, hidden="8x2", seeds=range(3))
    >>> [(one.label, one.seed) for one in histories][:4]
    [('he', 0), ('he', 1), ('he', 2), ('xavier', 0)]
    """
    examples = examples_of(data, inputs, dtype)
    if validation:
        examples = examples.hold_out(validation)
    tracker = track or layer_tracker(examples) if track_every is not None else None
    regime = Regime(
        steps=steps,
        batch_size=batch_size,
        drawing=drawing,
        rule=StepRule(loss, clip, weight_decay),
        schedule=schedule,
        track=tracker,
        track_every=track_every,
    )
    _check(regime)
    rule = Optimizer.parse(optimizer) if isinstance(optimizer, str) else optimizer
    if isinstance(networks, Ensemble):
        candidates = _from_ensemble(networks, seeds)
    else:
        sizes = (examples.features, *hidden_sizes(hidden), examples.classes)
        starts = _starts(networks)

        def begin(chosen: Sequence[Initialization], own_seeds: Sequence[int]) -> Ensemble:
            return initialize(
                sizes, chosen, own_seeds, activation, dtype, data=examples.train_inputs, batch_norm=batch_norm
            )

        candidates = _from_schemes(starts, seeds, sizes, begin)
    return _train(candidates, examples, regime, rule, progress)


def _check(regime: Regime) -> None:
    """Refuse what is out of range before anything is trained."""
    LOSSES[regime.rule.loss]
    parse_schedule(regime.schedule, regime.steps)
    if regime.drawing not in DRAWINGS:
        raise UsageError(unknown_name("drawing", str(regime.drawing), DRAWINGS))
    least = {"steps": regime.steps, "batch_size": regime.batch_size, "track_every": regime.track_every}
    for name, number in least.items():
        if number is not None and number < 1:
            raise UsageError(f"{name} must be 1 or more, not {number}")


def _starts(networks: SchemeLike | Sequence[SchemeLike]) -> list[Initialization]:
    if isinstance(networks, str | Scheme | Initialization):
        networks = [networks]
    return [Initialization.of(scheme) for scheme in networks]


@dataclass(frozen=True, kw_only=True)
class _Candidates:
    """The networks that are to be trained, one in each row.

    Attributes:
        labels, schemes, seeds: of each.
        columns: which of the optimizer's networks each is.
        sizes: of all.
        begin: gives an ensemble of the given rows.
        end: called with these rows when they are trained.
    """

    labels: Sequence[str]
    schemes: Sequence[str]
    seeds: Sequence[int]
    columns: IntArray
    sizes: Sequence[int]
    begin: Callable[[IntArray], Ensemble]
    end: Callable[[IntArray, Pass], None] = lambda _rows, _passed: None


def _from_schemes(
    starts: Sequence[Initialization],
    seeds: int | Iterable[int],
    sizes: Sequence[int],
    begin: Callable[[Sequence[Initialization], Sequence[int]], Ensemble],
) -> _Candidates:
    """A network for each scheme and seed, scheme by scheme."""
    each = [int(seed) for seed in np.atleast_1d(list(seeds) if isinstance(seeds, Iterable) else seeds)]
    every = [(column, start, seed) for column, start in enumerate(starts) for seed in each]
    if not every:
        raise UsageError("there is nothing to train: at least one scheme and one seed are needed")
    return _Candidates(
        labels=[str(start) for _, start, _ in every],
        schemes=[str(start.scheme) for _, start, _ in every],
        seeds=[seed for _, _, seed in every],
        columns=np.array([column for column, _, _ in every]),
        sizes=sizes,
        begin=lambda rows: begin([every[row][1] for row in rows], [every[row][2] for row in rows]),
    )


def _from_ensemble(ensemble: Ensemble, seeds: int | Iterable[int]) -> _Candidates:
    """The ensemble's own networks; what is trained is written back into it."""
    count = ensemble.networks
    each = [int(seed) for seed in seeds] if isinstance(seeds, Iterable) else [seeds] * count
    if len(each) != count:
        raise UsageError(f"{count} networks but {len(each)} seeds; give one, or one for each network")

    def end(rows: IntArray, passed: Pass) -> None:
        ensemble.put(rows[passed.rows], passed.ensemble)

    return _Candidates(
        labels=[f"network {row}" for row in range(count)],
        schemes=[""] * count,
        seeds=each,
        columns=np.arange(count),
        sizes=ensemble.sizes,
        begin=ensemble.keep,
        end=end,
    )


def _train(
    candidates: _Candidates,
    examples: Examples,
    regime: Regime,
    optimizer: Optimizer,
    progress: bool | Progress,
) -> Histories:
    """Pass by pass."""
    _check_rates(optimizer, int(candidates.columns.max()) + 1)
    histories: list[History | None] = [None] * len(candidates.seeds)
    parts = list(_parts(candidates, examples, regime))
    # One thread: two give other last bits than a record has, and lose more time than they save on small
    # products while anything else runs (measured: up to ten times slower).
    with threadpool_limits(1), _steps_reported(progress, regime.steps * len(parts)) as report:
        for seed, rows in parts:
            ensemble = candidates.begin(rows)
            passed = Pass(ensemble, examples, regime, optimizer.fresh(candidates.columns[rows]), seed)
            before = ensemble.batches_before
            passed.run(report)
            candidates.end(rows, passed)
            rates = _rates(optimizer, candidates.columns[rows])
            for i, ends in enumerate(_ends(passed, examples)):
                row = int(rows[i])
                histories[row] = History(
                    label=candidates.labels[row],
                    scheme=candidates.schemes[row],
                    seed=seed,
                    batches_before=int(before[i]),
                    learning_rate=rates[i],
                    tracked=passed.tracked[i],
                    **ends,
                )
    return Histories(history for history in histories if history is not None)


def _parts(candidates: _Candidates, examples: Examples, regime: Regime) -> Iterator[tuple[int, IntArray]]:
    """The rows of each pass: of one seed, and no more of them than the cache holds."""
    batch_size = len(examples.train_inputs) if regime.drawing == "full" else regime.batch_size
    most = max(1, CACHE_BYTES // working_set_bytes(candidates.sizes, batch_size, 4))
    seeds = np.array(candidates.seeds)
    for seed in dict.fromkeys(candidates.seeds):
        rows = np.flatnonzero(seeds == seed)
        for start in range(0, len(rows), most):
            yield seed, rows[start : start + most]


def working_set_bytes(sizes: Sequence[int], batch_size: int, itemsize: int) -> int:
    """About how many bytes one network's training touches in a step, its inputs left out.

    Parameters and their gradients; pre-activations, activations and gradients of each unit and sample.

    Args:
        sizes: (n_0, ..., n_{L+1}).
        batch_size: examples in a batch.
        itemsize: bytes of a number.
    """
    parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    return itemsize * (2 * parameters + 3 * batch_size * sum(sizes[1:]))


def _check_rates(optimizer: Optimizer, networks: int) -> None:
    """Refuse arguments of an optimizer that are neither one for all nor one for each scheme."""
    for name, values in optimizer.arguments.items():
        if not isinstance(values, float) and len(values) not in (1, networks):
            raise UsageError(f"{name} of {optimizer.name}: {len(values)} values for {networks} schemes")


def _rates(optimizer: Optimizer, columns: IntArray) -> list[float | None]:
    """The learning rate of each network, where they differ."""
    rates = optimizer.arguments.get("lr")
    return [None] * len(columns) if isinstance(rates, float | None) else rates[columns, 0].tolist()


def _ends(passed: Pass, examples: Examples) -> Iterator[dict[str, Any]]:
    """For each network its losses, where it diverged, and what it reached on other examples."""
    loss = passed.regime.rule.loss
    tested = _evaluated(passed, examples.test_inputs, examples.test_labels, loss)
    validated = _evaluated(passed, examples.validation_inputs, examples.validation_labels, loss)
    for row, losses in enumerate(passed.losses):
        at, test = passed.diverged_at[row], tested.get(row, (None, None))
        if at is None and test[0] is not None and not test[0] <= LARGEST_LOSS:
            at = len(losses)  # it overflows in the evaluation after the last step
        if at is not None:
            yield {"losses": losses[:at].copy(), "diverged_at": at}
        else:
            ends = (*test, *validated.get(row, (None, None)))
            names = ("test_loss", "test_accuracy", "validation_loss", "validation_accuracy")
            yield {"losses": losses, **dict(zip(names, ends, strict=True))}


def _evaluated(passed: Pass, inputs: Any, labels: IntArray, loss: str) -> dict[int, tuple[float, float]]:
    if not len(labels) or not len(passed.rows):
        return {}
    losses, accuracies = evaluate(passed.ensemble, inputs, labels, loss)
    return {int(row): (float(a), float(b)) for row, a, b in zip(passed.rows, losses, accuracies, strict=True)}


@contextmanager
def _steps_reported(progress: bool | Progress, total: int) -> Iterator[Callable[[], None] | None]:
    """A function to be called after each step; None where nobody wants to know."""
    if progress is False:
        yield None
        return
    if progress is True:
        from tqdm.auto import tqdm

        with tqdm(total=total, unit="step", desc="training") as bar:

            def advance() -> None:
                bar.update()

            yield advance
        return
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    yield report
