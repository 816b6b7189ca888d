"""The settings of runs as columns of a table: identity -> `{"train.steps": 100, "network.depth": 4, ...}`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from initlab.errors import UsageError
from initlab.init.scheme import SCHEMES, Scheme


def flattened(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by dotted key.

    Args:
        tree: nested dicts.
        prefix: of each key.

    >>> dict(flattened({"train": {"steps": 3}, "hidden": [1, 2]}))
    {'train.steps': 3, 'hidden': '1 2'}
    """
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, " ".join(map(str, value)) if isinstance(value, list) else value


def columns(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run by dotted key, with those that can be read off them.

    `network.width` and `network.depth` are those of the hidden layers, `init.<argument>` are the arguments of
    the scheme, where it has a default also those that were not given.

    Args:
        identity: of the run.

    >>> identity = {"network": {"hidden": [8, 8]}, "init": {"scheme": "he(gain=2)"}, "seed": 0}
    >>> columns(identity)["network.depth"], columns(identity)["init.gain"]
    (2, 2.0)
    """
    hidden = identity["network"]["hidden"]
    shape = {"network.width": hidden[0] if len(set(hidden)) == 1 else None, "network.depth": len(hidden)}
    return {**dict(flattened(dict(identity))), **shape, **_arguments(identity["init"]["scheme"])}


def _arguments(text: str) -> dict[str, Any]:
    try:
        scheme = Scheme.parse(text)
    except UsageError:  # recorded by another version
        return {}
    parameters = SCHEMES[scheme.name].parameters()
    defaults = {name: each.default for name, each in parameters.items() if each.default is not each.empty}
    return {f"init.{name}": value for name, value in {**defaults, **scheme.arguments}.items()}


def without_constants(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without the arguments of schemes that are the same in all that have them.

    A row whose scheme does not have an argument has None in its place.

    Args:
        rows: of `columns`, perhaps with more.
    """
    kept = list(rows)
    names = {name for row in kept for name in row if name.startswith("init.") and name.count(".") == 1}
    names -= {"init.scheme", "init.first", "init.last", "init.bias"}
    varied = sorted(name for name in names if len({row[name] for row in kept if name in row}) > 1)
    return [
        {**{name: row[name] for name in row if name not in names}, **{name: row.get(name) for name in varied}}
        for row in kept
    ]
