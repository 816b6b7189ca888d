"""Experiment -> Runs -> Cohorts.

A run is one network under one point of the sweep with one seed; a cohort is a group of runs that are
trained in one pass. How runs are grouped is a matter of speed and shows in no result.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from initlab.data.datasets import open_dataset
from initlab.errors import UsageError
from initlab.runner.config import Experiment
from initlab.runner.settings import InitSettings, Settings

# Part of every run's identity: raised when the same settings come to mean other numbers.
ALGORITHM = 1

# Measured (tests/benchmarks/workers.py): the step of one network of 100x4 costs least in cohorts of 2 to 8,
# which work on 3 to 12 MB; that of 16x4 costs half of what it costs alone in cohorts from 8 on.
CACHE_BYTES = 8 << 20


@dataclass(frozen=True)
class Run:
    """One network to train.

    Attributes:
        settings: all that determines it.
        condition: the swept keys but the seed, with their values as shown to a reader.
        data_sha256: of the numbers it is trained on.
    """

    settings: Settings
    condition: tuple[tuple[str, str], ...]
    data_sha256: str

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the record depends on: the settings, with data named by content and no labels."""
        tree = self.settings.identity()
        tree["data"]["sha256"] = self.data_sha256
        return {"algorithm": ALGORITHM, **tree}

    @cached_property
    def id(self) -> str:
        """A readable name with a hash of the identity, as `he-relu-100x4-seed0-1f2e3d4c5b6a`."""
        text = json.dumps(self.identity, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        scheme = re.sub(r"[^a-z0-9.]+", "-", self.settings.init.scheme.lower()).strip("-.")[:30]
        network = self.settings.network
        return f"{scheme}-{network.activation}-{_shape(network.hidden)}-seed{self.settings.seed}-{digest}"

    @property
    def label(self) -> str:
        """The condition in a few words, as a legend shows it."""
        told = [(key, value) for key, value in self.condition if value != "None"]
        shown = [value if key == "init" else f"{key.rsplit('.', 1)[-1]} {value}" for key, value in told]
        return ", ".join(shown) or str(self.settings.init)


def _shape(hidden: Sequence[int]) -> str:
    if not hidden:
        return "linear"
    return (
        f"{hidden[0]}x{len(hidden)}" if len(set(hidden)) == 1 else f"{hidden[0]}to{hidden[-1]}x{len(hidden)}"
    )


def expand(experiment: Experiment) -> list[Run]:
    """All runs, in the order of the sweep; opens the data, by whose content runs are known.

    Raises:
        DataError: when a dataset cannot be opened.
        UsageError: when two runs are the same, or one label stands for two things.
    """
    runs: list[Run] = []
    for chosen, settings in experiment.points():
        shown = {**{key: _shown(value) for key, value in chosen.items()}, "init": str(settings.init)}
        condition = tuple((key, shown[key]) for key in chosen if key != "seed")
        dataset = open_dataset(settings.data.name, settings.data.path)
        runs.append(Run(settings, condition, dataset.sha256))
    _check_distinct(runs)
    return runs


def _check_distinct(runs: Iterable[Run]) -> None:
    meanings: dict[tuple[tuple[str, str], ...], Settings] = {}
    seen: set[str] = set()
    for run in runs:
        meaning = run.settings.model_copy(update={"seed": 0})
        if meanings.setdefault(run.condition, meaning) != meaning:
            raise UsageError(f"the sweep has two different conditions that are both called {run.label!r}")
        if run.id in seen:
            raise UsageError(f"the sweep has the run {run.label!r} with seed {run.settings.seed} twice")
        seen.add(run.id)


def _shown(value: Any) -> str:
    """As a legend shows it: `adam lr 0.001` for {name: adam, lr: 0.001}."""
    if isinstance(value, dict):
        return " ".join(str(part) for key, one in value.items() for part in (key, one) if part != "name")
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def cohorts(runs: Iterable[Run], largest: int) -> list[tuple[Run, ...]]:
    """Group runs that can be trained in one pass: same shapes, same batches.

    Args:
        runs: in any order.
        largest: how many runs a cohort may have; fewer where their arrays would outgrow the cache.
    """
    groups: dict[tuple[Settings, str], list[Run]] = defaultdict(list)
    for run in runs:
        alike = run.settings.model_copy(update={"init": InitSettings(scheme="zeros")})
        groups[alike, run.data_sha256].append(run)
    cut = []
    for group in groups.values():
        size = max(1, min(largest, CACHE_BYTES // _working_set(group[0].settings)))
        cut += [tuple(group[start : start + size]) for start in range(0, len(group), size)]
    return cut


def _working_set(settings: Settings) -> int:
    sizes = (784, *settings.network.hidden, 10)
    return working_set_bytes(sizes, settings.train.batch_size, np.dtype(settings.train.dtype).itemsize)


def working_set_bytes(sizes: Sequence[int], batch_size: int, itemsize: int) -> int:
    """About how many bytes one network's training touches in a step, its inputs left out.

    Parameters and their gradients; pre-activations, activations and gradients of each unit and sample.
    """
    parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    return itemsize * (2 * parameters + 3 * batch_size * sum(sizes[1:]))
