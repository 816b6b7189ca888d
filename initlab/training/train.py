"""`train`: schemes or an ensemble, data -> a History for each network. Everybody's training is this one.

networks -> a pass for each cache-full of networks (passes, loop.Pass) -> evaluate -> Histories
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal

import numpy as np

from initlab.data.examples import Examples, examples_of
from initlab.errors import UsageError, is_whole, shortened, unknown_name
from initlab.init.networks import initialize, rate_factors
from initlab.init.per_layer import Initialization, SchemeLike, as_initializations
from initlab.nn.activations import ACTIVATIONS, ActivationName
from initlab.nn.architecture import Size, SkipLike, count, hidden_sizes, network_layers
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.losses import LOSSES
from initlab.nn.network import Ensemble, StepRule
from initlab.nn.normalization import NormLike
from initlab.nn.optimizers import Optimizer
from initlab.nn.schedules import parse_schedule
from initlab.threads import one_thread
from initlab.training.batches import DRAWINGS, Drawing
from initlab.training.histories import Histories
from initlab.training.history import LARGEST_LOSS, History
from initlab.training.loop import Pass, Regime, evaluate
from initlab.training.tracking import Track, layer_tracker

# Measured (tests/benchmarks/workers.py): the step of one network of 100x4 costs least in cohorts of 2 to 8,
# which work on 3 to 12 MB; that of 16x4 costs half of what it costs alone in cohorts from 8 on.
CACHE_BYTES = 8 << 20

Progress = Callable[[int, int], None]
Step = int | Literal["last"]


def train(
    networks: Ensemble | SchemeLike | Sequence[SchemeLike],
    data: Any = "mnist",
    *,
    steps: int,
    hidden: str | Sequence[int | str] = "100x4",
    activation: ActivationName = "relu",
    norm: NormLike | None = None,
    skip: SkipLike | None = None,
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
    paired: bool = False,
    validation: int = 0,
    track_every: int | None = None,
    track: Track | None = None,
    save_weights: bool | Step | Iterable[Step] = False,
    progress: bool | Progress = False,
) -> Histories:
    """Train networks side by side, those of a seed on the same batches.

    Another seed gives other weights and other batches. What networks are trained together changes no bit of
    any history; a run of a config with the same settings has the same bits.

    Args:
        networks: schemes, each of which begins a network for each seed; or an ensemble, which is trained in
            place (a network that diverges keeps the weights it had before). An ensemble does not remember its
            schemes; for one of `mup` give `Optimizer.factors`, see `rate_factors`.
        data: the name of a dataset, a `Dataset` from `open_dataset`, `Examples`, or arrays (inputs, labels),
            perhaps followed by (test inputs, test labels).
        steps: how many updates.
        hidden: units of each hidden layer, [100, 100] or "100x2", or other layers, as
            "conv(16, kernel=5), pool(2), 100"; for schemes. See `network_layers`.
        activation: of the hidden layers, a name or a function of your own; for schemes.
        norm: Batch or Layer Normalization of the hidden layers, as "batch" or "layer(place=after)"; for
            schemes.
        skip: skip connections, as 2 or "every=2, scale=learned"; for schemes. See `Skip`.
        dtype: "float32" or "float64"; for schemes.
        inputs: how images become floats: "unit", "raw", "standardized", "per_pixel", or "whitened", perhaps
            with arguments, as "whitened(components=50)".
        batch_size: examples in a batch.
        drawing: "with_replacement", "without_replacement" or "full"; see `batches.batches`.
        optimizer: as "adam(lr=0.001)", or an `Optimizer`, whose arguments may differ from scheme to scheme.
        loss: "cross_entropy", "squared_error" or "squared_error_logits".
        schedule: of the learning rate, as "cosine" or "step(every=100)".
        clip: the largest norm of a gradient; 0 for no limit.
        weight_decay: the strength of the pull of all parameters to 0.
        seeds: of weights and batches: for schemes any number of them; for an ensemble one, or one for each
            network, which then chooses its batches.
        paired: whether each scheme has the one seed in its place, instead of every seed.
        validation: how many training examples are held out, and evaluated apart.
        track_every: the layers are recorded before the first step, every so many steps, and at the end.
        track: a function that says what to record of a copy of the networks; by default
            `tracking.layer_tracker`.
        save_weights: whether each history keeps the trained network, for `History.network`; or after which
            steps, as [0, 100, "last"].
        progress: whether a bar is shown, or a function called with the steps taken and all steps.

    Returns:
        A history for each network: scheme by scheme, and for each scheme seed by seed.

    Raises:
        UsageError: for an unknown name, or a value out of range, before anything is trained.
        DataError: for a dataset that cannot be opened.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.standard_normal((200, 5)), rng.integers(3, size=200)
    >>> histories = train(["he", "xavier"], (x, y), steps=20, hidden="8x2", seeds=range(3))
    >>> [(history.label, history.seed) for history in histories][:4]
    [('he', 0), ('he', 1), ('he', 2), ('xavier', 0)]
    """
    if isinstance(networks, Ensemble):
        dtype = networks.dtype.name
    examples = examples_of(data, inputs, dtype)
    if validation:
        examples = examples.hold_out(validation)
    if track is not None and track_every is None:
        raise UsageError("track needs track_every: after how many steps it is called")
    if track_every is not None:
        track = track or layer_tracker(examples)
    regime = Regime(
        steps=steps,
        batch_size=batch_size,
        drawing=drawing,
        rule=StepRule(loss, clip, weight_decay),
        schedule=schedule,
        track=track,
        track_every=track_every,
    )
    _check(regime)
    regime = replace(regime, kept_steps=kept_steps(save_weights, steps))
    rule = Optimizer.parse(optimizer) if isinstance(optimizer, str) else optimizer
    if not isinstance(rule, Optimizer):
        raise UsageError(f"optimizer must be a text, as 'sgd(lr=0.1)', or an Optimizer, not {rule!r}")
    if isinstance(networks, Ensemble):
        _check_outputs(networks, examples)
        candidates = _from_ensemble(networks, seeds)
    else:
        sizes = (examples.features, *hidden_sizes(hidden), examples.classes)
        starts = as_initializations(networks)
        network_layers(sizes, ACTIVATIONS.resolve(activation), norm, skip)  # refuses what does not fit

        def begin(chosen: Sequence[Initialization], own_seeds: Sequence[int]) -> Ensemble:
            return initialize(
                sizes,
                chosen,
                own_seeds,
                activation,
                dtype,
                data=examples.train_inputs,
                norm=norm,
                skip=skip,
            )

        candidates = _from_schemes(starts, seeds, paired, sizes, begin)
    return _train(candidates, examples, regime, rule, progress)


def _check_outputs(ensemble: Ensemble, examples: Examples) -> None:
    """Refuse labels for which a network has no output."""
    outputs, classes = ensemble.sizes[-1], examples.classes
    if classes > outputs:
        raise UsageError(f"the labels go up to {classes - 1}, but those of {ensemble} to {outputs - 1}")


def _check(regime: Regime) -> None:
    """Refuse what is out of range before anything is trained."""
    LOSSES[regime.rule.loss]
    parse_schedule(regime.schedule, regime.steps)
    for name, strength in (("clip", regime.rule.clip), ("weight_decay", regime.rule.weight_decay)):
        if not isinstance(strength, Real) or not 0 <= strength < math.inf:
            raise UsageError(f"{name} must be 0 or more, and finite, not {strength!r}")
    if regime.drawing not in DRAWINGS:
        raise UsageError(unknown_name("drawing", str(regime.drawing), DRAWINGS))
    least = {"steps": regime.steps, "batch_size": regime.batch_size, "track_every": regime.track_every}
    for name, number in least.items():
        if number is not None and (not is_whole(number) or number < 1):
            raise UsageError(f"{name} must be a whole number from 1 on, not {number!r}")


def kept_steps(asked: bool | Step | Iterable[Step], steps: int) -> tuple[int, ...]:
    """After which steps networks are kept, in order.

    Args:
        asked: True or "last" for the end alone, or steps, of which 0 is before the first one.
        steps: of the training.

    Raises:
        UsageError: for anything else, or a step out of range.

    >>> kept_steps(True, 300), kept_steps([0, 100, "last"], 300), kept_steps(False, 300)
    ((300,), (0, 100, 300), ())
    """
    if isinstance(asked, bool):
        return (steps,) if asked else ()
    each = [asked] if isinstance(asked, str | int) or not isinstance(asked, Iterable) else list(asked)
    for step in each:
        if step != "last" and not (is_whole(step) and 0 <= step <= steps):
            accepted = f"True, or steps from 0 to {steps}, as [0, {steps // 2}, 'last']"
            raise UsageError(f"save_weights is {accepted}, not {shortened(step)}")
    return tuple(sorted({steps if step == "last" else int(step) for step in each}))


@dataclass(frozen=True, kw_only=True)
class _Candidates:
    """The networks that are to be trained, one in each row.

    Attributes:
        labels, schemes, seeds: of each.
        columns: for each network, its position in the optimizer's argument arrays.
        sizes: of all.
        begin: gives an ensemble of the given rows.
        rates: gives factors of each parameter's learning rate, for schemes that have them.
        end: called with these rows when they are trained.
    """

    labels: Sequence[str]
    schemes: Sequence[str]
    seeds: Sequence[int]
    columns: IntArray
    sizes: Sequence[Size]
    begin: Callable[[IntArray], Ensemble]
    rates: Callable[[IntArray, Ensemble, bool], FloatArray | None] = lambda _rows, _ensemble, _adaptive: None
    end: Callable[[IntArray, Pass], None] = lambda _rows, _passed: None


def _from_schemes(
    starts: Sequence[Initialization],
    seeds: int | Iterable[int],
    paired: bool,
    sizes: Sequence[Size],
    begin: Callable[[Sequence[Initialization], Sequence[int]], Ensemble],
) -> _Candidates:
    """A network for each scheme and seed, scheme by scheme; or for each pair of them."""
    own = [[seed] for seed in _one_each(seeds, len(starts))] if paired else [_seeds(seeds)] * len(starts)
    every = [(column, start, seed) for column, start in enumerate(starts) for seed in own[column]]
    if not every:
        raise UsageError("there is nothing to train: at least one scheme and one seed are needed")
    names = [str(start) for start in starts] if paired else _labels(starts)
    return _Candidates(
        labels=[names[column] for column, _, _ in every],
        schemes=[str(start.scheme) for _, start, _ in every],
        seeds=[seed for _, _, seed in every],
        columns=np.array([column for column, _, _ in every]),
        sizes=sizes,
        begin=lambda rows: begin([every[row][1] for row in rows], [every[row][2] for row in rows]),
        rates=lambda rows, ensemble, adaptive: rate_factors(
            ensemble, [every[row][1] for row in rows], adaptive=adaptive
        ),
    )


def _labels(starts: Sequence[Initialization]) -> list[str]:
    """A label for each scheme; one that is given more than once is numbered, so that seeds stay seeds."""
    texts = [str(start) for start in starts]
    return [
        text if texts.count(text) == 1 else f"{text} ({texts[: i + 1].count(text)})"
        for i, text in enumerate(texts)
    ]


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    each = list(seeds) if isinstance(seeds, Iterable) else [seeds]
    for seed in each:
        if not is_whole(seed) or seed < 0:
            raise UsageError(f"seeds are whole numbers from 0 on, not {seed!r}")
    if len(set(each)) < len(each):
        raise UsageError("a seed is given twice: it would count as two measurements")
    return [int(seed) for seed in each]


def _one_each(seeds: int | Iterable[int], networks: int) -> list[int]:
    """The seed of each network."""
    each = [_seeds(seed)[0] for seed in seeds] if isinstance(seeds, Iterable) else _seeds(seeds) * networks
    if len(each) != networks:
        raise UsageError(f"{networks} networks but {len(each)} seeds; give one, or one for each network")
    return each


def _from_ensemble(ensemble: Ensemble, seeds: int | Iterable[int]) -> _Candidates:
    """The ensemble's own networks; what is trained is written back into it."""
    count = ensemble.networks

    def end(rows: IntArray, passed: Pass) -> None:
        ensemble.put(rows[passed.rows], passed.ensemble)

    return _Candidates(
        labels=[f"network {row}" for row in range(count)],
        schemes=[""] * count,
        seeds=_one_each(seeds, count),
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
    """Train all passes, and collect the histories in the order of the candidates."""
    _check_rates(optimizer, int(candidates.columns.max()) + 1)
    histories: list[History | None] = [None] * len(candidates.seeds)
    batch_size = len(examples.train_inputs) if regime.drawing == "full" else regime.batch_size
    largest = CACHE_BYTES // working_set_bytes(candidates.sizes, batch_size, 4)
    parts = passes(candidates.seeds, max(1, largest))
    with one_thread(), _steps_reported(progress, regime.steps * len(parts)) as report:
        for rows in parts:
            ensemble = candidates.begin(rows)
            seeds = [candidates.seeds[row] for row in rows]
            step = optimizer.fresh(candidates.columns[rows])
            own = candidates.rates(rows, ensemble, optimizer.is_adaptive)
            step.factors = step.factors if own is None else own
            passed = Pass(ensemble, examples, regime, step, seeds)
            before = ensemble.batches_before
            passed.run(report)
            reached = _reached(passed, examples)
            candidates.end(rows, passed)
            rates = _rates(optimizer, candidates.columns[rows])
            for i, ends in enumerate(_ends(passed, reached)):
                row = int(rows[i])
                histories[row] = History(
                    label=candidates.labels[row],
                    scheme=candidates.schemes[row],
                    seed=seeds[i],
                    batches_before=int(before[i]),
                    learning_rate=rates[i],
                    tracked=passed.tracked[i],
                    networks=passed.kept[i],
                    **ends,
                )
    return Histories(history for history in histories if history is not None)


def passes(seeds: Sequence[int], largest: int) -> list[IntArray]:
    """Which networks are trained side by side: those of one seed, which share their batches.

    Networks that would be alone in a pass are put together, each with batches of its own. Measured: for 16x4
    that takes about half of the time, because Python's part is spent once; for 100x4 as long as before.
    Where two or more share their batches, drawing others for each costs as much as Python's part.

    Args:
        seeds: of each network.
        largest: the most networks in a pass.

    Returns:
        For each pass the positions of its networks.

    >>> [rows.tolist() for rows in passes([0, 0, 0, 1, 1, 2], largest=2)]
    [[0, 1], [3, 4], [2, 5]]
    """
    positions: dict[int, list[int]] = defaultdict(list)
    for position, seed in enumerate(seeds):
        positions[seed].append(position)
    chunks = [chunk for own in positions.values() for chunk in _chunks(own, largest)]
    sharing = [chunk for chunk in chunks if len(chunk) > 1]
    alone = [chunk[0] for chunk in chunks if len(chunk) == 1]
    return [np.array(chunk) for chunk in [*sharing, *_chunks(alone, largest)]]


def _chunks(positions: list[int], size: int) -> list[list[int]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]


def working_set_bytes(sizes: Sequence[Size], batch_size: int, itemsize: int) -> int:
    """About how many bytes one network's training touches in a step, its inputs left out.

    Parameters and their gradients; pre-activations, activations and gradients of each unit and sample.

    Args:
        sizes: (n_0, ..., n_{L+1}); see `network_layers`.
        batch_size: examples in a batch.
        itemsize: bytes of a number.
    """
    cost = count(tuple(sizes))
    return itemsize * (2 * cost.parameters + 3 * batch_size * cost.units)


def _check_rates(optimizer: Optimizer, networks: int) -> None:
    """Refuse arguments of an optimizer that are neither one for all nor one for each scheme."""
    for name, values in optimizer.arguments.items():
        if not isinstance(values, float) and len(values) not in (1, networks):
            raise UsageError(f"{name} of {optimizer.name}: {len(values)} values for {networks} schemes")


def _rates(optimizer: Optimizer, columns: IntArray) -> list[float | None]:
    """The learning rate of each network, where they differ."""
    rates = optimizer.arguments["lr"]
    if isinstance(rates, float):
        return [None] * len(columns)
    return [float(rates[0, 0])] * len(columns) if len(rates) == 1 else rates[columns, 0].tolist()


def _reached(passed: Pass, examples: Examples) -> dict[str, FloatArray]:
    """What each network reaches on other examples, by name, nan for one that has diverged.

    A network whose last update carried it beyond the largest loss, or beyond finite numbers, diverges here.
    """
    parts = {
        "test": (examples.test_inputs, examples.test_labels),
        "validation": (examples.validation_inputs, examples.validation_labels),
    }
    ends: dict[str, FloatArray] = {}
    bounded = np.isfinite(passed.ensemble.parameters).all(axis=1)
    for part, (inputs, labels) in parts.items():
        if len(labels) and len(passed.rows):
            loss, accuracy = evaluate(passed.ensemble, inputs, labels, passed.regime.rule.loss)
            bounded &= loss <= LARGEST_LOSS
            ends |= {f"{part}_loss": loss, f"{part}_accuracy": accuracy}
    reached = {name: np.full(len(passed.losses), np.nan) for name in ends}
    for name, values in ends.items():
        reached[name][passed.rows[bounded]] = values[bounded]
    if not bounded.all():
        passed.drop(np.flatnonzero(~bounded), passed.regime.steps)
    return reached


def _ends(passed: Pass, reached: dict[str, FloatArray]) -> Iterator[dict[str, Any]]:
    """For each network its losses, where it diverged, and what it reached on other examples."""
    for row, losses in enumerate(passed.losses):
        at = passed.diverged_at[row]
        if at is not None:
            yield {"losses": losses[:at].copy(), "diverged_at": at}
        else:
            yield {"losses": losses.copy(), **{name: float(values[row]) for name, values in reached.items()}}


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
