"""The directions of a sweep, and what one point of it sets in the tree of a config."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from initlab.runner.overrides import holders, put
from initlab.runner.yaml_text import Keys

_SEEDS = range(2**64)
OVER: Keys = ("boundary", "over")


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


def axes_of(sweep: Any) -> list[Axis]:
    """The axes of the key `sweep` as far as it is well-formed."""
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


def axis_of_ends(boundary: Any) -> list[Axis]:
    """The axis of a boundary that has mistakes, as far as it is well-formed, lest more are reported."""
    over, ends = (boundary.get(key) if isinstance(boundary, dict) else None for key in ("over", "between"))
    if not isinstance(over, str) or over == "seed":
        return []
    number = ends[0] if isinstance(ends, list) and ends and isinstance(ends[0], int | float) else 1
    return [Axis({over: [number]}, {over: OVER})]


def excluded_of(sweep: Any) -> list[dict[str, Any]]:
    """The exclusions of a sweep as far as they are well-formed."""
    excluded = sweep.get("exclude") if isinstance(sweep, dict) else None
    return [values for values in excluded if isinstance(values, dict)] if isinstance(excluded, list) else []


def may_hold(sweep: Any, key: str) -> bool:
    """Whether a sweep has a dotted key, of which the values cannot be read; or cannot be read as a whole.

    Args:
        sweep: as it was written.
        key: dotted.
    """
    if not isinstance(sweep, dict):
        return sweep is not None
    swept = any(overlap(key, str(other)) for holder, _ in holders(sweep) for other in holder)
    return swept or not isinstance(sweep.get("zip", []), list)


def values_at(axes: Sequence[Axis], indices: Sequence[int]) -> dict[str, Any]:
    """The value of each swept dotted key at one point of the sweep.

    Args:
        axes: of the sweep.
        indices: one for each axis.

    >>> values_at([Axis({"init": ["he", "xavier"]}, {}), Axis({"seed": [0, 1, 2]}, {})], [1, 2])
    {'init': 'xavier', 'seed': 2}
    """
    return {key: value for axis, i in zip(axes, indices, strict=True) for key, value in axis.at(i).items()}


def with_values(tree: dict[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the tree with each dotted key set to its value.

    Args:
        tree: of a config.
        chosen: values by dotted key.

    Raises:
        TypeError: where a key would lie within a value that holds no keys.

    >>> with_values({"train": {"steps": 10}}, {"train.steps": 20})
    {'train': {'steps': 20}}
    """
    tree = deepcopy(tree)
    for key, value in chosen.items():
        # A copy, lest the value of `init.gain` remain in that of `init`, which other runs have too.
        put(tree, tuple(key.split(".")), deepcopy(value))
    return tree


def drop(tree: dict[str, Any], keys: Sequence[str]) -> None:
    """Take the value at a path out of the tree, if it is there.

    Args:
        tree: of a config; it changes.
        keys: from the outermost to that of the value.
    """
    for key in keys[:-1]:
        tree = tree.get(key, {})
    tree.pop(keys[-1], None)


def fits(tree: dict[str, Any], dotted: str) -> bool:
    """Whether the tree can hold a value at a dotted key.

    Args:
        tree: of a config.
        dotted: the key.
    """
    try:
        with_values(tree, {dotted: None})
    except TypeError:
        return False
    return True


def overlap(key: str, other_key: str) -> bool:
    """Whether two dotted keys are the same, or one holds the other.

    Args:
        key, other_key: dotted.

    >>> overlap("train", "train.steps"), overlap("train.step", "train.steps")
    (True, False)
    """
    return f"{key}.".startswith(f"{other_key}.") or f"{other_key}.".startswith(f"{key}.")


def is_argument(key: str, earlier: str) -> bool:
    """Whether a key changes a part of the schemes that an earlier axis goes through, as `init.gain`.

    Args:
        key, earlier: dotted.
    """
    return earlier == "init" and key.startswith("init.") and key not in ("init.scheme", "init.label")


def trials(axes: Sequence[Axis]) -> list[list[int]]:
    """For each swept value a choice of indices that has it, with the first values of all other axes.

    Of a boundary, the ends stand for all values between them.
    """
    first = [0] * len(axes)
    others = [
        [*first[:a], i, *first[a + 1 :]]
        for a, axis in enumerate(axes)
        for i in range(1, len(axis))
        if not _is_seed(axis, i) and not (OVER in axis.keys.values() and i < len(axis) - 1)
    ]
    return [first, *others]


def _is_seed(axis: Axis, index: int) -> bool:
    """A plain seed, as there are many of, needs no trial."""
    value = axis.values["seed"][index] if list(axis.keys) == ["seed"] else None
    return type(value) is int and value in _SEEDS
