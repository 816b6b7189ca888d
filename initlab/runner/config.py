"""YAML file and overrides, or a mapping in Python -> Experiment; all mistakes at once, each with its place.

file -> yaml_text.read_yaml -> tree with places -> overrides -> models of `settings` -> Experiment
"""

import math
import os
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from initlab.errors import ConfigError, StorageError, UsageError, alternatives, shortened, unknown_name
from initlab.nn.optimizers import OPTIMIZERS
from initlab.registry import parameters_of, parts_of
from initlab.runner.boundary import Lattice, lattice
from initlab.runner.extends import with_extended
from initlab.runner.overrides import apply_override, holders, name_changes, put
from initlab.runner.own_code import as_written, load_code
from initlab.runner.ranges import LIST_OR_RANGE, MOST_RUNS, read_range
from initlab.runner.settings import BoundarySettings, Frame, NetworkSettings, Plotting, Settings
from initlab.runner.shipped import find_config, other_configs
from initlab.runner.yaml_text import (
    LARGEST,
    Document,
    Keys,
    document_of,
    nearest,
    read_scalar,
    read_yaml,
)
from initlab.training.history import REACHED_LOSS

_SEEDS = range(2**64)
_OVER: Keys = ("boundary", "over")
_LOSS = "cross_entropy"  # the loss of which `REACHED_LOSS` is a level


@dataclass(frozen=True)
class Axis:
    """One direction of a sweep: a dotted key, or several that go through their values together.

    Attributes:
        values: the values of each dotted key as they were written, equally many for all keys.
        keys: the path in the document to the values of each dotted key.
    """

    values: dict[str, list[Any]]
    keys: dict[str, Keys]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def at(self, index: int) -> dict[str, Any]:
        """The values of all keys at an index."""
        return {key: values[index] for key, values in self.values.items()}


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
        checker = _Checker(document, name)
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
            chosen = _choose(self.axes, indices)
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
            changed = Settings.model_validate(_with(self.tree, {**chosen, **values}))
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
            _drop(settings, key.split("."))
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
            settings = Settings.model_validate(_with(self.tree, chosen))
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


def _with(tree: dict[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with each swept dotted key set to its chosen value."""
    tree = deepcopy(tree)
    for key, value in chosen.items():
        # A copy, lest the value of `init.gain` remain in that of `init`, which other runs have too.
        put(tree, tuple(key.split(".")), deepcopy(value))
    return tree


def _drop(tree: dict[str, Any], keys: Sequence[str]) -> None:
    for key in keys[:-1]:
        tree = tree.get(key, {})
    tree.pop(keys[-1], None)


def _choose(axes: Sequence[Axis], indices: Sequence[int]) -> dict[str, Any]:
    return {key: value for axis, i in zip(axes, indices, strict=True) for key, value in axis.at(i).items()}


def _overlap(key: str, other_key: str) -> bool:
    """Whether two dotted keys are the same, or one holds the other."""
    return f"{key}.".startswith(f"{other_key}.") or f"{other_key}.".startswith(f"{key}.")


def _is_argument(key: str, earlier: str) -> bool:
    """Whether a key changes a part of the schemes that an earlier axis goes through, as `init.gain`."""
    return earlier == "init" and key.startswith("init.") and key not in ("init.scheme", "init.label")


def _fits(tree: dict[str, Any], dotted: str) -> bool:
    """Whether the tree can hold a value at a dotted key."""
    try:
        _with(tree, {dotted: None})
    except TypeError:
        return False
    return True


def _anchor_data_path(tree: dict[str, Any], folder: Path) -> None:
    """Make `data.path` absolute: it is relative to the config's folder, in an override to the current one."""
    if isinstance(tree.get("data"), dict):
        _anchor(tree["data"], "path", folder)
    for excluded in _excluded(tree.get("sweep")):
        _anchor(excluded, "data.path", folder)
        if isinstance(excluded.get("data"), dict):
            _anchor(excluded["data"], "path", folder)
    for axis in _axes(tree.get("sweep")):
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


def _excluded(sweep: Any) -> list[dict[str, Any]]:
    """The exclusions of a sweep as far as they are well-formed."""
    excluded = sweep.get("exclude") if isinstance(sweep, dict) else None
    return [values for values in excluded if isinstance(values, dict)] if isinstance(excluded, list) else []


def _may_hold(sweep: Any, key: str) -> bool:
    """Whether a sweep has a dotted key, of which the values cannot be read; or cannot be read as a whole."""
    if not isinstance(sweep, dict):
        return sweep is not None
    swept = any(_overlap(key, str(other)) for holder, _ in holders(sweep) for other in holder)
    return swept or not isinstance(sweep.get("zip", []), list)


def _ends_of(boundary: Any) -> list[Axis]:
    """The axis of a boundary that has mistakes, as far as it is well-formed, lest more are reported."""
    over, ends = (boundary.get(key) if isinstance(boundary, dict) else None for key in ("over", "between"))
    if not isinstance(over, str) or over == "seed":
        return []
    number = ends[0] if isinstance(ends, list) and ends and isinstance(ends[0], int | float) else 1
    return [Axis({over: [number]}, {over: _OVER})]


def _axes(sweep: Any) -> list[Axis]:
    """The axes of a sweep as far as it is well-formed."""
    if not isinstance(sweep, dict):
        return []
    axes = [
        Axis({key: values}, {key: ("sweep", key)})
        for key, values in sweep.items()
        if key not in ("zip", "exclude") and isinstance(values, list) and values
    ]
    zipped = sweep.get("zip")
    for i, group in enumerate(zipped if isinstance(zipped, list) else []):
        if isinstance(group, dict) and group and all(isinstance(v, list) and v for v in group.values()):
            axes.append(Axis(group, {key: ("sweep", "zip", i, key) for key in group}))
    return axes


@dataclass
class _Checker:
    """Validates a document, collecting its mistakes."""

    document: Document
    name: str
    lattice: Lattice | None = None

    def checked(self) -> tuple[Frame, dict[str, Any], list[Axis]]:
        """The frame around the settings, the settings, and the directions of the sweep."""
        tree = dict(self.document.tree)
        unread = self.read_ranges(tree.get("sweep"))
        if unread:
            raise ConfigError(unread)
        frame_tree = {key: tree.pop(key) for key in Frame.model_fields if key in tree}
        mistakes: list[str] = []
        frame: Frame | None = None
        try:
            frame = Frame.model_validate(frame_tree)
        except ValidationError as error:
            mistakes += self.explain(error, {})
        axes = _axes(frame_tree.get("sweep"))
        if frame is not None and frame.boundary is not None:
            mistakes += self.boundary_mistakes(frame.boundary, tree, axes)
        if self.lattice is None:
            axes += _ends_of(frame_tree.get("boundary"))
        mistakes += self.axis_mistakes(tree, axes) or self.settings_mistakes(tree, axes)
        if frame is not None and not mistakes:
            mistakes += self.exclusion_mistakes(tree, axes, frame.sweep.exclude)
        if frame is None or mistakes:
            raise ConfigError(sorted(mistakes, key=_by_place))
        return frame, tree, axes

    def read_ranges(self, sweep: Any) -> list[str]:
        """Replace each range, as `range(10)`, by its values; returns the mistakes."""
        mistakes: list[str] = []
        for holder, keys in holders(sweep):
            for key, value in holder.items():
                if isinstance(value, str):
                    try:
                        holder[key] = read_range(value) or value
                    except UsageError as error:
                        mistakes.append(f"{self.place((*keys, key))}: {key}: {error}")
        return mistakes

    def boundary_mistakes(
        self, boundary: BoundarySettings, tree: dict[str, Any], axes: list[Axis]
    ) -> list[str]:
        """The mistakes of a boundary by itself; where there are none, its first round becomes an axis."""
        other = [loss for loss in _losses(tree, axes) if loss != _LOSS]
        if boundary.of == "trained" and other:
            meant = f"trained means that the {_LOSS} comes down to {REACHED_LOSS}"
            return [f"{self.place(('boundary', 'of'))}: boundary.of: {meant}; with {other[0]} give a limit"]
        try:
            self.lattice = lattice(
                *boundary.between,
                log=boundary.is_log,
                within=boundary.within,
                points=boundary.points,
                whole=_is_whole(boundary, tree, axes),
            )
        except UsageError as error:
            return [f"{self.place(('boundary', 'within'))}: boundary.within: {error}"]
        values = [self.lattice.values[position] for position in self.lattice.first]
        axes.append(Axis({boundary.over: values}, {boundary.over: _OVER}))
        return []

    def axis_mistakes(self, tree: dict[str, Any], axes: Sequence[Axis]) -> list[str]:
        """Keys that cannot be swept, or are swept twice; zipped lists of different lengths."""
        mistakes: list[str] = []
        swept: set[str] = set()
        for axis in axes:
            for key, keys in axis.keys.items():
                place = self.document.key_places.get(keys) or self.place(keys)
                if not _fits(tree, key):
                    mistakes.append(f"{place}: {key!r} lies within a value that holds no keys")
                if any(_overlap(key, earlier) for earlier in swept if not _is_argument(key, earlier)):
                    mistakes.append(f"{place}: {key!r} is swept twice")
                swept.add(key)
            lengths = {key: len(values) for key, values in axis.values.items()}
            if len(set(lengths.values())) > 1:
                shown = ", ".join(f"{key} has {length}" for key, length in lengths.items())
                place = self.place(next(iter(axis.keys.values()))[:-1])
                mistakes.append(f"{place}: zipped lists must have the same length: {shown}")
        return mistakes

    def settings_mistakes(self, tree: dict[str, Any], axes: Sequence[Axis]) -> list[str]:
        """The mistakes of every swept value, each tried once beside the first values of the other axes."""
        mistakes: list[str] = []
        for indices in _trials(axes):
            try:
                Settings.model_validate(_with(tree, _choose(axes, indices)))
            except ValidationError as error:
                where = {
                    key: (*keys, i)
                    for axis, i in zip(axes, indices, strict=True)
                    for key, keys in axis.keys.items()
                }
                mistakes += self.explain(error, where)
        return mistakes

    def exclusion_mistakes(
        self, tree: dict[str, Any], axes: Sequence[Axis], excluded: Sequence[dict[str, Any]]
    ) -> list[str]:
        """Exclusions that name no key of a run, or give it a value that it cannot have."""
        mistakes = []
        for i, values in enumerate(excluded):
            where: dict[str, Keys] = {key: ("sweep", "exclude", i, key) for key in values}
            outside = [key for key in values if not _fits(tree, key)]
            if outside:
                mistakes.append(f"{self.place(where[outside[0]])}: {outside[0]!r} is no key of a run")
                continue
            try:
                Settings.model_validate(_with(tree, {**_choose(axes, [0] * len(axes)), **values}))
            except ValidationError as error:
                mistakes += self.explain(error, where)
            except TypeError as error:
                place = self.place(("sweep", "exclude", i))
                mistakes.append(f"{place}: {error.args[0]!r} is no mapping that holds more keys")
        return mistakes

    def explain(self, error: ValidationError, where: Mapping[str, Keys]) -> list[str]:
        """The mistakes of a validation, one on each line.

        Args:
            error: as Pydantic raises it.
            where: the path in the document to the value of each swept or excluded dotted key.
        """
        return [
            self.mistake(dict(details), where)
            for details in error.errors(include_url=False)
            if not self.is_unread(details)
        ]

    def is_unread(self, details: Mapping[str, Any]) -> bool:
        """Whether a mistake is only that the sweep of a key cannot be read, which is told already."""
        sweep, dotted = self.document.tree.get("sweep"), ".".join(map(str, details["loc"]))
        swept = sweep.get(dotted, []) if isinstance(sweep, dict) else []
        return not isinstance(swept, list) or (details["type"] == "missing" and _may_hold(sweep, dotted))

    def mistake(self, details: dict[str, Any], where: Mapping[str, Keys]) -> str:
        """One mistake in words: its place, the key, the value and what is accepted."""
        keys: Keys = (*details["loc"], *_blamed(details))
        dotted = ".".join(_shown_key(key) for key in keys) or "the config"
        written = _written(keys, where)
        kind = details["type"]
        given = "empty" if details["input"] is None else shortened(details["input"])
        # The place of a value that was written in Python is its dotted key, which is not said twice.
        subject = dotted if self.place(written) == dotted else f"{self.place(written)}: {dotted}"
        if kind == "extra_forbidden" and where and str(keys[0]) in Frame.model_fields:
            return f"{self.place(written)}: {keys[0]!r} is no setting of a run: it cannot be swept"
        if kind == "extra_forbidden":
            return f"{self.key_place(keys, where)}: {_unknown_key(keys)}"
        if kind == "missing":
            return f"{self.place(written[:-1])}: the key {dotted!r} is missing"
        if kind == "value_error":
            return f"{subject}: {details['msg'].removeprefix('Value error, ')}{_meant(dotted, details)}"
        return f"{subject} must be {wanted(details)}, not {given}{_meant(dotted, details)}"

    def key_place(self, keys: Keys, where: Mapping[str, Keys]) -> str:
        """The place of a key that may stand in the sweep, or be the beginning of a dotted key."""
        places = self.document.key_places
        swept = [path for dotted, path in where.items() if tuple(dotted.split("."))[: len(keys)] == keys]
        written = swept[0] if swept else keys
        holder = written[:-1] if isinstance(written[-1], int) else written
        inner = [path for path in places if path[: len(holder)] == holder]
        return places[holder if holder in places else inner[0]] if inner else self.place(written)

    def place(self, keys: Keys) -> str:
        """The place of the value; that of the whole config is its file."""
        return nearest(self.document.places, keys) if keys else self.name


def _losses(tree: dict[str, Any], axes: Sequence[Axis]) -> list[Any]:
    """The loss functions of all runs, as far as they are well-formed."""
    train = tree.get("train")
    given = train.get("loss", _LOSS) if isinstance(train, dict) else _LOSS
    swept = [loss for axis in axes for loss in axis.values.get("train.loss", [])]
    return swept or [given]


def _is_whole(boundary: BoundarySettings, tree: dict[str, Any], axes: Sequence[Axis]) -> bool:
    """Whether the setting of a boundary takes whole numbers alone, as network.depth does."""
    low, high = boundary.between
    if not (low.is_integer() and high.is_integer()) or not _fits(tree, boundary.over):
        return False
    chosen = _choose(axes, [0] * len(axes))

    def accepts(value: float) -> bool:
        try:
            Settings.model_validate(_with(tree, {**chosen, boundary.over: value}))
        except (ValidationError, TypeError):
            return False
        return True

    return accepts(int(low)) and not accepts(low + 0.5)


def _blamed(details: Mapping[str, Any]) -> list[str]:
    """Of a section that is refused as a whole, the key that the message names first, or else the value."""
    section = details["input"]
    if details["type"] != "value_error" or not isinstance(section, dict):
        return []
    for word_of in (str, lambda key: str(section[key])):
        words = {key: re.escape(word_of(key)) for key in section}
        matches = {key: re.search(rf"(?<!\w){word}(?!\w)", details["msg"]) for key, word in words.items()}
        starts = {key: match.start() for key, match in matches.items() if match}
        if starts:
            return [min(starts, key=starts.__getitem__)]
    return []


def _unknown_key(keys: Keys) -> str:
    """The message for a key that its section does not have, but perhaps another."""
    name, accepted = str(keys[-1]), _accepted(keys[:-1])
    elsewhere = [path for path in _setting_paths() if path.rpartition(".")[2] == name]
    if len(keys) == 1 and elsewhere:
        return f"unknown key {name!r}; did you mean {alternatives(map(repr, elsewhere))}?"
    return unknown_name("key", name, accepted)


def _setting_paths() -> Iterator[str]:
    """The dotted keys of all settings that lie within a section."""
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from (f"{name}.{key}" for key in section.model_fields)
    arguments = [argument for update in OPTIMIZERS.values() for argument in parameters_of(update)]
    yield from (f"train.optimizer.{argument}" for argument in dict.fromkeys(arguments))


def _meant(dotted: str, details: Mapping[str, Any]) -> str:
    """What a value of another type was perhaps meant to be."""
    kind, given = details["type"], details["input"]
    if details["loc"][0] == "boundary":
        return ""
    if kind == "list_type" and dotted not in ("sweep.zip", "sweep.exclude"):
        return _list_meant(dotted.removeprefix("sweep."), given)
    if (
        isinstance(given, list)
        and not isinstance(details["loc"][-1], int)
        and details["loc"][0] != "plotting"
    ):
        return f"; several values go below sweep, as {dotted}: [...]"
    if isinstance(given, str) and re.match(r"\s*(range|linspace|logspace)\s*\(", given):
        return f"; a range goes below sweep, as sweep.{dotted}"
    if kind in ("int_type", "float_type") or (dotted == "init" and not isinstance(given, str)):
        number = _number_meant(given, whole=kind == "int_type")
        return "" if number is None else f"; did you mean {'std=' * (dotted == 'init')}{number}?"
    if kind == "model_type" and isinstance(given, str):
        key = "style" if dotted == "plotting" else "name"
        return f"; write {dotted}: {{{key}: {_as_keys(shortened(given)[1:-1])}}}"
    return ""


def _list_meant(key: str, given: Any) -> str:
    if isinstance(given, dict) and given:
        return f"; write {key}.{_shown_key(next(iter(given)))}: [...]"
    is_one = isinstance(given, int | float) or (isinstance(given, str) and re.match(r"[A-Za-z]", given))
    return f"; write {key}: [{shortened(given).strip(chr(39))}]" if is_one else ""


def _as_keys(text: str) -> str:
    """The name and the keys of sgd(lr=0.1), as sgd, lr: 0.1."""
    call = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", text)
    if not call:
        return text
    return ", ".join([call[1], *(re.sub(r"\s*=\s*", ": ", part) for part in parts_of(call[2]))])


def _number_meant(given: Any, whole: bool) -> int | float | None:
    """The number in 0,1 or 1_000 or "4" or 10%, or in 1e3 where a whole number is wanted."""
    text = str(given).strip().replace("_", "")
    text = re.sub(r",(?=\d{3}\b)", "", text) if whole else text.replace(",", ".", 1)
    number = read_scalar(text.removesuffix("%"))
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        return None
    number = number / 100 if text.endswith("%") else number
    if number != int(number):
        return None if whole else number
    return int(number)


def _trials(axes: Sequence[Axis]) -> list[list[int]]:
    """For each swept value a choice of indices that has it, with the first values of all other axes.

    Of a boundary, the ends stand for all values between them.
    """
    first = [0] * len(axes)
    others = [
        [*first[:a], i, *first[a + 1 :]]
        for a, axis in enumerate(axes)
        for i in range(1, len(axis))
        if not _is_seed(axis, i) and not (_OVER in axis.keys.values() and i < len(axis) - 1)
    ]
    return [first, *others]


def _is_seed(axis: Axis, index: int) -> bool:
    """A plain seed, as there are many of, needs no trial."""
    value = axis.values["seed"][index] if list(axis.keys) == ["seed"] else None
    return type(value) is int and value in _SEEDS


_WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "string_pattern_mismatch": "a plain name of letters, digits, '.', '_', '-' and '+', at most 64",
    "string_too_long": "at most {max_length} characters long",
    "string_too_short": "at least {min_length} characters long",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "list_type": "a list",
    "tuple_type": "a list, as [100, 100], or 100x2 for short",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "too_short": "a list with at least one value",
    "too_long": "a list of at most {max_length}",
    "literal_error": "{expected}",
}


def wanted(details: Mapping[str, Any]) -> str:
    """The accepted values, in words.

    Args:
        details: of one mistake, as Pydantic gives them.

    >>> wanted({"type": "greater_than_equal", "loc": ("train", "steps"), "ctx": {"ge": 1}})
    '1 or more'
    """
    if details["type"] == "list_type" and details["loc"] in (("sweep", "zip"), ("sweep", "exclude")):
        return "a list of mappings, as [{init: [he, xavier], train.steps: [100, 200]}]"
    if details["type"] == "list_type" and details["loc"][0] == "sweep":
        return LIST_OR_RANGE
    if details["type"] == "list_type" and details["loc"] == ("boundary", "between"):
        return "two numbers, as [0.001, 3]"
    if details["type"] in _WANTED:
        return _WANTED[details["type"]].format(**details.get("ctx", {}))
    return str(details["msg"]).lower()


def _written(keys: Keys, where: Mapping[str, Keys]) -> Keys:
    """The path in the document to the value with these keys, which may have been written in the sweep."""
    paths = {tuple(swept.split(".")): place for swept, place in where.items()}
    holding = [path for path in paths if keys[: len(path)] == path]
    if not holding:
        return keys
    longest = max(holding, key=len)  # an argument of a scheme, as init.gain, is swept beside the scheme
    return (*paths[longest], *keys[len(longest) :])


def _accepted(keys: Keys) -> list[str]:
    """The accepted keys of the model that the keys lead to."""
    if keys == ("boundary",):
        return list(BoundarySettings.model_fields)
    model: type[BaseModel] = Settings
    for key in keys:
        fields = model.model_fields | (Frame.model_fields if model is Settings else {})
        annotation = fields[str(key)].annotation if str(key) in fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    extra = Frame.model_fields if model is Settings else {}
    shape = ("width", "depth", "norm") if model is NetworkSettings else ()
    return [*model.model_fields, *extra, *shape]


def _shown_key(key: str | int) -> str:
    text = str(key)
    return text if text.isprintable() and len(text) <= 60 else shortened(text)


def _by_place(mistake: str) -> tuple[str, int, int]:
    place = re.match(r"(.*?):(\d+):(\d+): ", mistake)
    return (place[1], int(place[2]), int(place[3])) if place else ("", 0, 0)
