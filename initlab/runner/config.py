"""YAML file and overrides, or a mapping in Python -> Experiment; all mistakes at once, each with its place.

file -> yaml_text.read_yaml -> tree with places -> overrides -> checking.Checker -> Experiment
"""

import math
import os
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from initlab.errors import ConfigError, StorageError, UsageError, shortened
from initlab.runner.axes import Axis, axes_of, drop, excluded_of, values_at, with_values
from initlab.runner.boundary import Lattice
from initlab.runner.checking import Checker
from initlab.runner.extends import with_extended
from initlab.runner.overrides import apply_override, name_changes
from initlab.runner.own_code import as_written, load_code
from initlab.runner.ranges import MOST_RUNS
from initlab.runner.settings import BoundarySettings, Plotting, Settings
from initlab.runner.shipped import find_config, other_configs
from initlab.runner.yaml_text import LARGEST, Document, document_of, nearest, read_yaml


class Experiment:
    """An experiment: the settings that all runs share, and a sweep. One config file describes one.

    Args:
        config: a mapping of the keys of a config, as `{"name": "mine", "network": {...}, "sweep": {...}}`. A
            value may also be a `Scheme`, a path, a tuple, a range or a NumPy array.
        keys: the same as keyword arguments; they win over those of `config`.
        allow_code: whether Python files that the config names, as `./mine.py:f`, may run.

    Raises:
        ConfigError: with all mistakes; each names the dotted key, the value and what is accepted.

    Attributes:
        name: of its folder in the results.
        description: a sentence for the reader.
        tree: the settings that all runs share, as they were written.
        axes: the directions of the sweep; every combination is a run. With a boundary, the last one has the
            values of its first round.
        boundary: where an outcome flips, if the config asks for it.
        lattice: the values that the search for the boundary may try; None without one.
        excluded: descriptions of combinations that are left out.
        figures: the names of the figures that are drawn of it.
        save_weights: the steps after which the weights of each run are kept, of which "last" is one.
        plotting: how these look, and their formats.
        document: the config as it was read, with the place of each value.

    >>> experiment = Experiment(
    ...     name="two",
    ...     network={"hidden": "100x2", "activation": "relu"},
    ...     train={"steps": 10, "batch_size": 32, "optimizer": {"name": "sgd", "lr": 0.1}},
    ...     sweep={"init": ["he", "xavier"], "seed": range(3)},
    ... )
    >>> len(experiment.points())
    6
    """

    name: str
    description: str
    tree: dict[str, Any]
    axes: tuple[Axis, ...]
    excluded: tuple[dict[str, Any], ...]
    figures: tuple[str, ...]
    save_weights: tuple[int | str, ...]
    boundary: BoundarySettings | None
    lattice: Lattice | None
    plotting: Plotting
    document: Document

    def __init__(
        self, config: Mapping[str, Any] | None = None, /, *, allow_code: bool = False, **keys: Any
    ) -> None:
        if not isinstance(config, Mapping | None):
            raise ConfigError([f"the config must be a mapping of keys to values, not {shortened(config)}"])
        document = document_of({**(config or {}), **keys})
        _anchor_data_path(document.tree, Path())
        load_code(document, Path(), allow_code)
        read = partial(_read_document, allow_code=allow_code)
        self._read(with_extended(document, Path(), read), "the config")

    @classmethod
    def _of(cls, document: Document, name: str) -> "Experiment":
        experiment = cls.__new__(cls)
        experiment._read(document, name)
        return experiment

    def _read(self, document: Document, name: str) -> None:
        checker = Checker(document, name)
        frame, tree, axes = checker.checked()
        self.boundary, self.lattice = frame.boundary, checker.lattice
        self.name, self.description, self.tree, self.document = frame.name, frame.description, tree, document
        self.axes, self.excluded = tuple(axes), tuple(frame.sweep.exclude)
        self.figures, self.plotting = tuple(dict.fromkeys(frame.figures)), frame.plotting
        self.save_weights = frame.save_weights

    def __repr__(self) -> str:
        swept = ", ".join(f"{key} x {len(axis)}" for axis in self.axes for key in axis.keys)
        runs = f"{len(self.points())} runs{' in the first round' if self.boundary else ''}"
        return f"<Experiment {self.name!r}: {runs}; sweeps {swept or 'nothing'}>"

    def place(self, *keys: str | int) -> str:
        """The place of the value with these keys, or of the nearest value that holds it."""
        return nearest(self.document.places, keys)

    def points(self) -> list[tuple[dict[str, Any], Settings]]:
        """Swept values and settings of each run: the product of the axes, the last axis running fastest.

        Raises:
            ConfigError: when there are too many runs, when all are excluded, or when an exclusion matches no
                run; the last is accepted where a value was overridden.
        """
        return self._points

    @cached_property
    def _points(self) -> list[tuple[dict[str, Any], Settings]]:
        count = math.prod(len(axis) for axis in self.axes)
        if count > MOST_RUNS:
            message = f"{count:,} combinations; an experiment has {MOST_RUNS:,} runs at most"
            raise ConfigError([f"{self.place('sweep')}: {message}"])
        points, used = [], set()
        for indices in product(*(range(len(axis)) for axis in self.axes)):
            chosen = values_at(self.axes, indices)
            others = tuple(
                i for axis, i in zip(self.axes, indices, strict=True) if list(axis.keys) != ["seed"]
            )
            settings = self._settings_at(others, chosen)
            matching = [i for i, values in enumerate(self.excluded) if self._match(values, chosen, settings)]
            used.update(matching)
            if not matching:
                points.append((chosen, settings))
        idle = [i for i in range(len(self.excluded)) if i not in used]
        if idle and not self.document.overridden:
            raise ConfigError(f"{self.place('sweep', 'exclude', i)}: this excludes no run" for i in idle)
        if not points:
            raise ConfigError([f"{self.place('sweep', 'exclude')}: every run is excluded"])
        self._check_save_weights(max(settings.train.steps for _, settings in points))
        if self.boundary is not None:
            self._check_whole(self.boundary.over, points)
        return points

    def _check_save_weights(self, most: int) -> None:
        late = [step for step in self.save_weights if isinstance(step, int) and step > most]
        if late:
            place = self.place("save_weights")
            raise ConfigError([f"{place}: save_weights: no run has {late[0]} steps; the most are {most}"])

    def kept_steps(self, settings: Settings) -> tuple[int, ...]:
        """After which steps the weights of a run are kept; a step that it does not reach is left out."""
        steps = settings.train.steps
        each = {steps if step == "last" else int(step) for step in self.save_weights}
        return tuple(sorted(step for step in each if step <= steps))

    def _check_whole(self, over: str, points: Sequence[tuple[dict[str, Any], Settings]]) -> None:
        """Refuse an exclusion of single values of the setting through which the boundary goes."""
        counts = Counter(repr({**chosen, over: None}) for chosen, _ in points)
        if len(set(counts.values())) > 1 or counts.most_common()[0][1] < len(self.axes[-1]):
            message = f"it leaves out single values of {over}, through which the boundary goes"
            raise ConfigError([f"{self.place('sweep', 'exclude')}: {message}; leave out whole conditions"])

    @cached_property
    def _settings_at(self) -> "_SettingsOf":
        return _SettingsOf(self.tree)

    @cached_property
    def _tried(self) -> dict[str, tuple[dict[str, Any], Settings]]:
        return {}

    def at(self, chosen: Mapping[str, Any], value: float) -> tuple[dict[str, Any], Settings]:
        """Swept values and settings of a run of the boundary, as of one of the `points`.

        Args:
            chosen: the swept values.
            value: of the setting on which the boundary lies.
        """
        assert self.boundary is not None
        chosen = {**chosen, self.boundary.over: value}
        others = repr({key: chosen[key] for key in chosen if key != "seed"})
        # Kept, because whoever has a run knows by its very object which values were chosen for it.
        point = chosen, self._settings_at(others, chosen)
        return self._tried.setdefault(repr(chosen), point)

    def written(self) -> dict[int, dict[str, Any]]:
        """The swept values by the identity of the settings of each point, also of those from `at`."""
        return {id(settings): chosen for chosen, settings in (*self.points(), *self._tried.values())}

    def _match(self, values: dict[str, Any], chosen: dict[str, Any], settings: Settings) -> bool:
        """Whether a run has these values: setting them changes nothing; a label is compared where given."""
        try:
            changed = Settings.model_validate(with_values(self.tree, {**chosen, **values}))
        except (ValidationError, TypeError):
            return False
        labelled = changed.init.label not in (None, settings.init.label)
        same = changed.identity() == settings.identity() and changed.data == settings.data
        return same and not labelled

    def looks(self) -> dict[str, Any]:
        """The key `plotting` with what was chosen; nothing where all figures look as usual."""
        chosen = self.plotting.model_dump(mode="json", exclude_defaults=True)
        return {"plotting": chosen} if chosen else {}

    def resolved(self) -> dict[str, Any]:
        """The experiment as a config that states every value, for `experiment.yaml`."""
        frame = {"name": self.name, "description": self.description}
        settings = self.points()[0][1].model_dump(mode="json", exclude_none=True)
        swept = [key for axis in self.axes for key in axis.keys]
        for key in swept:
            drop(settings, key.split("."))
        if "init" in self.tree and any(key.startswith("init.") for key in swept):
            settings["init"] = self.tree["init"]
        sweep = self.document.tree.get("sweep", {})
        boundary = {"boundary": self.document.tree["boundary"]} if self.boundary else {}
        drawn = {"figures": list(self.figures), **self.looks()}
        kept = {"save_weights": list(self.save_weights)} if self.save_weights else {}
        resolved = {**frame, **settings, "sweep": sweep, **boundary, **drawn, **kept}
        return {key: as_written(value) for key, value in resolved.items()}


class _SettingsOf:
    """The settings of each point of a sweep; those that differ in their seeds alone are validated once.

    Equal parts of all settings are one object, by which runs are grouped quickly.

    Args:
        tree: the settings that all runs share.
    """

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree
        self.known: dict[Hashable, Settings] = {}
        self.parts: dict[Any, Any] = {}

    def __call__(self, others: Hashable, chosen: Mapping[str, Any]) -> Settings:
        if others not in self.known:
            settings = Settings.model_validate(with_values(self.tree, chosen))
            names = ("data", "network", "train", "init")
            shared = {name: self._shared(name, getattr(settings, name)) for name in names}
            self.known[others] = settings.model_copy(update=shared)
        first = self.known[others]
        return first.model_copy(update={"seed": chosen["seed"]}) if "seed" in chosen else first

    def _shared(self, name: str, part: BaseModel) -> BaseModel:
        shared: BaseModel = self.parts.setdefault((name, part), part)
        return shared


def load_experiment(
    path: str | Path, overrides: str | Sequence[str] = (), *, allow_code: bool = False
) -> Experiment:
    """Read and validate a config.

    Args:
        path: a YAML file, or the name of a shipped config, as "mnist".
        overrides: texts like `train.optimizer.lr=1e-3`, read as YAML; a later one wins. A key that is set is
            no longer swept. An experiment that is changed so has a name of its own, unless one is set: the
            tables and figures of the first stay.
        allow_code: whether Python files that the config names, as `./mine.py:f`, may run; those that an
            override names always do. A path is relative to the config's folder.

    Raises:
        ConfigError: with all mistakes, each with file, line and column, the value and what is accepted.
        UsageError: for a plain name that is neither a file nor a shipped config.
        StorageError: when the file cannot be read.

    >>> load_experiment("mnist", ["sweep.seed=[0]"])
    <Experiment 'mnist+seed0': 4 runs; sweeps init x 4, seed x 1>
    """
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"a config is a file, or the name of a shipped one, not {shortened(path)}")
    path = find_config(path)
    read = partial(_read_document, allow_code=allow_code)
    document = with_extended(read(path), path.parent, read)
    texts = [overrides] if isinstance(overrides, str) else overrides
    for text in texts:
        apply_override(document, text)
    name_changes(document, named=any(text.startswith("name=") for text in texts))
    _anchor_data_path(document.tree, Path())
    load_code(document, Path(), allowed=True)
    return Experiment._of(document, str(path))


def _read_document(path: Path, allow_code: bool = False) -> Document:
    document = read_yaml(_read_text(path), str(path))
    if not isinstance(document.tree, dict):
        nothing = "empty; " if document.tree is None else ""
        raise ConfigError([f"{path}: {nothing}a config is a mapping, as in `name: mnist`"])
    _anchor_data_path(document.tree, path.parent)
    load_code(document, path.parent, allow_code)
    return document


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1).decode("utf-8")
    except OSError as error:
        problem = f"cannot read the config: {error.strerror or error}{other_configs(path)}"
        raise StorageError(f"{str(path)[:200]}: {problem}") from error
    except UnicodeDecodeError as error:
        byte = f"byte {error.start} is {error.object[error.start]:#x}"
        raise ConfigError([f"{path}: not UTF-8 text: {byte}; save the file as UTF-8"]) from None
    except ValueError as error:
        raise ConfigError([f"{str(path)[:60]!r}: not a path: {error}"]) from None


def _anchor_data_path(tree: dict[str, Any], folder: Path) -> None:
    """Make `data.path` absolute: it is relative to the config's folder, in an override to the current one."""
    if isinstance(tree.get("data"), dict):
        _anchor(tree["data"], "path", folder)
    for excluded in excluded_of(tree.get("sweep")):
        _anchor(excluded, "data.path", folder)
        if isinstance(excluded.get("data"), dict):
            _anchor(excluded["data"], "path", folder)
    for axis in axes_of(tree.get("sweep")):
        for i, value in enumerate(axis.values.get("data", [])):
            if isinstance(value, dict):
                _anchor(axis.values["data"][i], "path", folder)
        for i in range(len(axis.values.get("data.path", []))):
            _anchor(axis.values["data.path"], i, folder)


def _anchor(holder: Any, key: Any, folder: Path) -> None:
    if isinstance(holder, list) or key in holder:
        path = holder[key]
        if isinstance(path, str) and "\0" not in path:
            holder[key] = os.path.abspath(folder / path)
