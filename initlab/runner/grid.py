"""Experiment -> Runs -> Cohorts.

A run is one network under one point of the sweep with one seed; a cohort is a group of runs that are
trained in one pass. Grouping changes the speed and no result.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from initlab.data.datasets import open_dataset
from initlab.errors import UsageError
from initlab.init.scheme import Scheme
from initlab.nn.architecture import Size
from initlab.nn.streams import ALGORITHM
from initlab.own_code import Source, shown
from initlab.runner.config import Experiment
from initlab.runner.own_code import sources_of
from initlab.runner.settings import Settings
from initlab.training.train import CACHE_BYTES, passes, working_set_bytes


@dataclass(frozen=True, kw_only=True)
class Run:
    """One network to train.

    Attributes:
        settings: everything that determines it.
        identity: everything that its record depends on: settings without labels, and the digest of the data.
        condition: the swept keys except the seed, with their values as a reader sees them.
        data_sha256: the digest of the dataset.
        code: the sources of a person's own schemes and activation.
        sizes: (n_0, ..., n_{L+1}), by which the work is estimated; n_0 counts the pixels, also where an
            input preparation changes their number.
        kept_steps: after which steps its weights are kept; no part of what it is.
    """

    settings: Settings
    identity: dict[str, Any]
    condition: tuple[tuple[str, str], ...]
    data_sha256: str
    code: tuple[Source, ...] = ()
    sizes: tuple[Size, ...]
    kept_steps: tuple[int, ...] = ()

    @cached_property
    def id(self) -> str:
        """A readable name that ends in a hash of the identity, as `he-relu-100x4-seed0-1f2e3d4c5b6a`."""
        text = json.dumps(self.identity, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        scheme = re.sub(r"[^a-z0-9.]+", "-", shown(str(self.settings.init.scheme)).lower()).strip("-.")[:30]
        network = self.settings.network
        return (
            f"{scheme}-{shown(network.activation)}-{_shape(network.hidden)}-seed{self.settings.seed}-{digest}"
        )

    @property
    def label(self) -> str:
        """The condition in a few words, for a legend."""
        settings = dict(self.condition)
        init = self.settings.init
        # The text of a scheme has its arguments; a label has them not.
        of_init = [key for key in settings if key.startswith("init.") and init.label is None]
        parts = [
            value if key == "init" else f"{key.rsplit('.', 1)[-1]} {value}"
            for key, value in {**({"init": str(init)} if of_init else {}), **settings}.items()
            if value != "None" and key not in of_init
        ]
        return ", ".join(parts) or str(init)


def _shape(hidden: Sequence[int | str]) -> str:
    if not hidden:
        return "linear"
    if any(isinstance(layer, str) for layer in hidden):
        return "-".join(re.sub(r"[^a-z0-9]+", "", str(layer).partition(",")[0]) for layer in hidden)[:40]
    return (
        f"{hidden[0]}x{len(hidden)}" if len(set(hidden)) == 1 else f"{hidden[0]}to{hidden[-1]}x{len(hidden)}"
    )


def expand(experiment: Experiment) -> list[Run]:
    """All runs, in the order of the sweep; opens the data, since the identity of a run holds its digest.

    With a boundary, these are the runs of its first round; `rounds.Rounds` has those that follow.

    Raises:
        DataError: when a dataset cannot be opened.
        UsageError: when two runs are the same, or one label stands for two conditions.
    """
    runs = runs_at(experiment, experiment.points())
    _check_distinct(runs)
    return runs


def runs_at(experiment: Experiment, points: Iterable[tuple[dict[str, Any], Settings]]) -> list[Run]:
    """The runs at points of a sweep, in their order.

    Args:
        experiment: of the sweep; says after which steps weights are kept.
        points: the swept values and settings of each, from `Experiment.points` or `Experiment.at`.
    """
    runs: list[Run] = []
    shared: dict[Parts, Run] = {}  # of runs that differ in their seeds alone, the first
    for chosen, settings in points:
        parts = _parts(settings)
        if parts not in shared:
            shared[parts] = replace(_first_run(chosen, settings), kept_steps=experiment.kept_steps(settings))
        first = shared[parts]
        seed = settings.seed
        runs.append(replace(first, settings=settings, identity={**first.identity, "seed": seed}))
    return runs


def _first_run(chosen: dict[str, Any], settings: Settings) -> Run:
    texts = {**{key: swept_text(value) for key, value in chosen.items()}, "init": str(settings.init)}
    dataset = open_dataset(settings.data.name, settings.data.path)
    tree = settings.identity()
    tree["data"]["sha256"] = dataset.sha256
    return Run(
        settings=settings,
        identity={"algorithm": ALGORITHM, **tree},
        condition=tuple((key, texts[key]) for key in chosen if key != "seed"),
        data_sha256=dataset.sha256,
        code=sources_of(settings),
        sizes=(dataset.pixels, *settings.network.hidden, dataset.classes),
    )


Parts = tuple[int, ...]


def _parts(settings: Settings) -> Parts:
    """What runs share that differ in their seeds alone: in an experiment, equal parts are one object."""
    return tuple(map(id, (settings.data, settings.network, settings.train, settings.init)))


def _check_distinct(runs: Iterable[Run]) -> None:
    meanings: dict[tuple[tuple[str, str], ...], Parts] = {}
    ids: set[str] = set()
    for run in runs:
        meaning = _parts(run.settings)
        if meanings.setdefault(run.condition, meaning) != meaning:
            raise UsageError(f"the sweep has two different conditions that are both called {run.label!r}")
        if run.id in ids:
            raise UsageError(f"the sweep has the run {run.label!r} with seed {run.settings.seed} twice")
        ids.add(run.id)


def swept_text(value: Any) -> str:
    """A swept value in a legend.

    >>> swept_text({"name": "adam", "lr": 0.001})
    'adam lr 0.001'
    """
    if isinstance(value, dict):
        return " ".join(str(part) for item in value.items() for part in item if part != "name")
    return " ".join(map(str, value)) if isinstance(value, list) else shown(str(value))


def short_name(key: str) -> str:
    """A dotted key on an axis or in a legend.

    >>> short_name("train.batch_size")
    'batch size'
    """
    return key.rsplit(".", 1)[-1].replace("_", " ")


def init_text(value: Any) -> str:
    """A swept scheme in a legend, as it was written, or its label.

    >>> init_text({"scheme": "he", "label": "He"}), init_text("std=0.1")
    ('He', 'std=0.1')
    """
    if isinstance(value, dict):
        return str(value.get("label") or Scheme.parse(str(value["scheme"])).short)
    return str(value)


def cohorts(runs: Iterable[Run], largest: int) -> list[tuple[Run, ...]]:
    """Group runs that can be trained in one pass: of the same shapes and one seed, or alone in their seed.

    Args:
        runs: in any order.
        largest: the most runs in a cohort; fewer where their arrays would outgrow the processor's cache.
    """
    groups: dict[Parts, list[Run]] = defaultdict(list)
    for run in runs:
        *alike, _init = _parts(run.settings)
        groups[tuple(alike)].append(run)
    cut = []
    for group in groups.values():
        size = max(1, min(largest, CACHE_BYTES // _working_set(group[0])))
        seeds = [run.settings.seed for run in group]
        cut += [tuple(group[position] for position in positions) for positions in passes(seeds, size)]
    return cut


def examples_in_a_batch(run: Run) -> int:
    """How many examples a training step of a run sees: all of them where batches are full."""
    train = run.settings.train
    full = train.batches == "full"
    return len(run.settings.data.dataset().train_labels) if full else train.batch_size


def _working_set(run: Run) -> int:
    itemsize = np.dtype(run.settings.train.dtype).itemsize
    return working_set_bytes(run.sizes, examples_in_a_batch(run), itemsize)
