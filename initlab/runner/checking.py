"""A config as it was read -> its checked parts, or all of its mistakes at once, each with its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from initlab.errors import ConfigError, UsageError, shortened
from initlab.runner.axes import (
    OVER,
    Axis,
    axes_of,
    axis_of_ends,
    fits,
    is_argument,
    may_hold,
    overlap,
    trials,
    values_at,
    with_values,
)
from initlab.runner.boundary import Lattice, lattice
from initlab.runner.mistakes import (
    blamed_keys,
    by_place,
    perhaps_meant,
    shown_key,
    unknown_key,
    wanted,
    written_keys,
)
from initlab.runner.overrides import holders
from initlab.runner.ranges import read_range
from initlab.runner.settings import BoundarySettings, Frame, Settings
from initlab.runner.yaml_text import Document, Keys, nearest
from initlab.training.history import REACHED_LOSS

_LOSS = "cross_entropy"  # the loss of which `REACHED_LOSS` is a level


@dataclass
class Checker:
    """Validates a document, collecting its mistakes.

    Attributes:
        document: the config as it was read; ranges in its sweep are replaced by their values.
        name: of the config in messages that have no other place.
        lattice: the values that the search for a boundary may try; None without one.
    """

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
        axes = axes_of(frame_tree.get("sweep"))
        if frame is not None and frame.boundary is not None:
            mistakes += self.boundary_mistakes(frame.boundary, tree, axes)
        if self.lattice is None:
            axes += axis_of_ends(frame_tree.get("boundary"))
        mistakes += self.axis_mistakes(tree, axes) or self.settings_mistakes(tree, axes)
        if frame is not None and not mistakes:
            mistakes += self.exclusion_mistakes(tree, axes, frame.sweep.exclude)
        if frame is None or mistakes:
            raise ConfigError(sorted(mistakes, key=by_place))
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
        axes.append(Axis({boundary.over: values}, {boundary.over: OVER}))
        return []

    def axis_mistakes(self, tree: dict[str, Any], axes: Sequence[Axis]) -> list[str]:
        """Keys that cannot be swept, or are swept twice; zipped lists of different lengths."""
        mistakes: list[str] = []
        swept: set[str] = set()
        for axis in axes:
            for key, keys in axis.keys.items():
                place = self.document.key_places.get(keys) or self.place(keys)
                if not fits(tree, key):
                    mistakes.append(f"{place}: {key!r} lies within a value that holds no keys")
                if any(overlap(key, earlier) for earlier in swept if not is_argument(key, earlier)):
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
        for indices in trials(axes):
            try:
                Settings.model_validate(with_values(tree, values_at(axes, indices)))
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
            outside = [key for key in values if not fits(tree, key)]
            if outside:
                mistakes.append(f"{self.place(where[outside[0]])}: {outside[0]!r} is no key of a run")
                continue
            try:
                Settings.model_validate(with_values(tree, {**values_at(axes, [0] * len(axes)), **values}))
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
        return not isinstance(swept, list) or (details["type"] == "missing" and may_hold(sweep, dotted))

    def mistake(self, details: dict[str, Any], where: Mapping[str, Keys]) -> str:
        """One mistake in words: its place, the key, the value and what is accepted."""
        keys: Keys = (*details["loc"], *blamed_keys(details))
        dotted = ".".join(shown_key(key) for key in keys) or "the config"
        written = written_keys(keys, where)
        kind = details["type"]
        given = "empty" if details["input"] is None else shortened(details["input"])
        # The place of a value that was written in Python is its dotted key, which is not said twice.
        subject = dotted if self.place(written) == dotted else f"{self.place(written)}: {dotted}"
        if kind == "extra_forbidden" and where and str(keys[0]) in Frame.model_fields:
            return f"{self.place(written)}: {keys[0]!r} is no setting of a run: it cannot be swept"
        if kind == "extra_forbidden":
            return f"{self.key_place(keys, where)}: {unknown_key(keys)}"
        if kind == "missing":
            return f"{self.place(written[:-1])}: the key {dotted!r} is missing"
        if kind == "value_error":
            return (
                f"{subject}: {details['msg'].removeprefix('Value error, ')}{perhaps_meant(dotted, details)}"
            )
        return f"{subject} must be {wanted(details)}, not {given}{perhaps_meant(dotted, details)}"

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
    if not (low.is_integer() and high.is_integer()) or not fits(tree, boundary.over):
        return False
    chosen = values_at(axes, [0] * len(axes))

    def accepts(value: float) -> bool:
        try:
            Settings.model_validate(with_values(tree, {**chosen, boundary.over: value}))
        except (ValidationError, TypeError):
            return False
        return True

    return accepts(int(low)) and not accepts(low + 0.5)
