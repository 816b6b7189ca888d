"""Sentences of a page: the settings and outcomes of runs -> what was compared, computed and not written."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from initlab.own_code import shown
from initlab.runner.grid import Run, short_name
from initlab.runner.results import Results
from initlab.runner.settings import Settings

_MOST_VALUES = 6  # of a setting, that a sentence lists
Value = TypeVar("Value", bound=Hashable)


def compared(results: Results) -> str:
    """What the runs have in common, and in what they differ.

    Args:
        results: of an experiment.
    """
    settings = [run.settings for run in results.runs]
    swept = _swept(results.runs)
    seeds = _counted(len({each.seed for each in settings}), "seed")
    differ = f"{swept}; {seeds}." if swept else f"{seeds}."
    return f"{_counted(len(settings), 'network')}: {differ} {_network(settings)} {_training(settings)}"


def _swept(runs: Sequence[Run]) -> str:
    values: dict[str, dict[str, None]] = {}
    for run in runs:
        for key, value in run.condition:
            values.setdefault(key, {})[value] = None
    return "; ".join(f"{_key(key)} {_listed(list(texts))}" for key, texts in values.items())


def _key(key: str) -> str:
    return "weights from" if key == "init" else short_name(key)


def _listed(values: Sequence[str]) -> str:
    """Values in a row; of many the first, the last, and how many there are."""
    if len(values) > _MOST_VALUES:
        return f"{values[0]} to {values[-1]} ({len(values)} values)"
    return ", ".join(values[:-1]) + " and " * (len(values) > 1) + values[-1]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _network(settings: Sequence[Settings]) -> str:
    layers = _common((_layers(each) for each in settings), "hidden layers")
    activation = _common((shown(each.network.activation) for each in settings), "activation functions")
    more = [*_extras(settings)]
    return f"Hidden layers: {layers}; activation: {activation}{''.join(f'; {part}' for part in more)}."


def _layers(settings: Settings) -> str:
    network = settings.network
    return (
        f"{network.width}x{network.depth}" if network.width else " ".join(map(str, network.hidden)) or "none"
    )


def _extras(settings: Sequence[Settings]) -> Iterable[str]:
    norms = {str(each.network.normalization or "none") for each in settings}
    skips = {str(each.network.skip or "none") for each in settings}
    if norms != {"none"}:
        yield f"normalization: {_common(norms, 'normalizations')}"
    if skips != {"none"}:
        yield f"skip connections: {_common(skips, 'skip connections')}"


def _training(settings: Sequence[Settings]) -> str:
    data = _common((each.data.path or each.data.name for each in settings), "datasets")
    steps = _common((f"{each.train.steps:,}" for each in settings), "numbers of")
    size = _common((f"{each.train.batch_size:,}" for each in settings), "different numbers of")
    name = _common((each.train.optimizer.name for each in settings), "optimizers")
    rate = _common((f"{_rate(each):g}" for each in settings), "of different values")
    return f"Training on {data}: {steps} steps of {size} examples by {name}, learning rate {rate}."


def _rate(settings: Settings) -> float:
    return settings.train.optimizer.arguments["lr"]


def _common(values: Iterable[str], many: str) -> str:
    """The value that all have, or how many different ones there are."""
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else f"{len(different)} {many}"


def outcomes(results: Results) -> str:
    """How the runs ended, divergence among the results.

    Args:
        results: of an experiment.
    """
    counts = Counter(results.records[run.id].outcome for run in results.runs)
    parts = [f"{counts[name]:,} {name}" for name in ("finished", "diverged", "failed") if counts[name]]
    planned = len(results.experiment.points())
    missing = planned - len(results.runs) if results.experiment.boundary is None else 0
    more = f" {missing:,} of {planned:,} runs have no record yet." if missing > 0 else ""
    return f"{', '.join(parts).capitalize()}.{more}"
