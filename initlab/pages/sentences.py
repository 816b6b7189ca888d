"""Sentences of a page: the settings and outcomes of runs -> what was compared, computed and not written."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from initlab.own_code import shown
from initlab.runner.grid import Run, short_name
from initlab.runner.results import Results
from initlab.runner.settings import Settings

_MOST_VALUES = 6  # of a setting, that a sentence lists


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
    facts = {
        "hidden layers": _common(map(_layers, settings)),
        "activation": _common(shown(each.network.activation) for each in settings),
        "normalization": _common(str(each.network.normalization) for each in settings),
        "skip connections": _common(str(each.network.skip) for each in settings),
    }
    return _fact_line(facts)


def _layers(settings: Settings) -> str:
    network = settings.network
    layers = " ".join(map(str, network.hidden)) or "none"
    return f"{network.width}x{network.depth}" if network.width else layers


def _training(settings: Sequence[Settings]) -> str:
    trains = [each.train for each in settings]
    facts = {
        "data": _common(Path(each.data.path or each.data.name).name for each in settings),
        "steps": _common(f"{train.steps:,}" for train in trains),
        "batch size": _common(f"{train.batch_size:,}" for train in trains),
        "optimizer": _common(train.optimizer.name for train in trains),
        "learning rate": _common(f"{train.optimizer.arguments['lr']:g}" for train in trains),
    }
    return _fact_line(facts)


def _fact_line(facts: dict[str, str]) -> str:
    line = "; ".join(f"{name}: {value}" for name, value in facts.items() if value != "None")
    return f"{line[0].upper()}{line[1:]}."


def _common(values: Iterable[str]) -> str:
    """The value that all have, or how many different ones there are."""
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else f"{len(different)} values"


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
