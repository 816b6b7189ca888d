"""Overrides of a config, as `--set train.steps=60`, and the name of an experiment that they have changed."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from initlab.errors import ConfigError
from initlab.runner.yaml_text import Document, Keys, YamlError, read_scalar, read_yaml

_LONGEST_NAME = 64
# These leave the runs as they are, and so do the keys of `plotting`.
_NO_CHANGE = ("name", "description", "figures", "plotting", "data.path")


def apply_override(document: Document, text: str) -> None:
    """Set a key of a config; a key that is set is no longer swept.

    Args:
        document: the config, which is changed.
        text: as `train.steps=60`, its value in YAML.

    Raises:
        ConfigError: for another form, or a key that lies within a value that is not a mapping.
    """
    key, equals, value = text.partition("=")
    keys = _keys(key.strip())
    shown = text[:100]
    origin = f"--set {shown}" if shown.isprintable() else f"--set {shown!r}"
    if not equals or not all(keys):
        raise ConfigError([f"{origin}: write it like --set train.optimizer.lr=1e-3"])
    new = _read_value(value.strip(), origin)
    if not {key.strip(), keys[0]} & set(_NO_CHANGE) and (
        key.strip() in document.changes or _value(document.tree, keys) != new
    ):
        document.changes[key.strip()] = value.strip()
    try:
        put(document.tree, keys, new)
    except TypeError:
        raise ConfigError([f"{origin}: {key[:60]!r} lies within a value that is not a mapping"]) from None
    document.move(keys, origin)
    document.overridden = True
    if keys[0] != "sweep":
        _check_free(document.tree.get("boundary"), key.strip(), origin)
        _settle(document.tree.get("sweep"), key.strip(), origin)


def _settle(sweep: Any, key: str, origin: str) -> None:
    """Remove a key that is set from the sweep, together with the keys below it."""

    def is_set(swept: str) -> bool:
        if key.startswith(f"{swept}."):
            raise ConfigError([f"{origin}: {swept!r} is swept as a whole; set sweep.{swept} instead"])
        return f"{swept}.".startswith(f"{key}.")

    remove_swept(sweep, is_set)


def _check_free(boundary: Any, key: str, origin: str) -> None:
    """Refuse a value for the key through which a boundary goes, which would not be used."""
    over = boundary.get("over") if isinstance(boundary, dict) else None
    if over == key:
        raise ConfigError([f"{origin}: the boundary goes through {key!r}; leave it out with boundary=null"])


def remove_swept(sweep: Any, is_set: Callable[[str], bool]) -> None:
    """Remove keys from a sweep, as far as it is well-formed, and from its zipped groups.

    Args:
        sweep: is changed.
        is_set: whether a dotted key has a value of its own now, so that it is no longer swept.
    """
    if not isinstance(sweep, dict):
        return
    zipped = sweep.get("zip")
    groups = [group for group in zipped if isinstance(group, dict)] if isinstance(zipped, list) else []
    for group in [sweep, *groups]:
        for swept in [key for key in group if is_set(str(key))]:
            del group[swept]
    if groups:
        sweep["zip"] = [group for group in groups if group]


def _keys(dotted: str) -> Keys:
    """`sweep.train.steps` names the key `train.steps` of the sweep; any other dot leads one level down."""
    if dotted.startswith("sweep."):
        return ("sweep", dotted.removeprefix("sweep."))
    return tuple(dotted.split("."))


def _read_value(text: str, origin: str) -> Any:
    if text.isprintable() and not text.startswith(("[", "{", '"', "'")):
        return read_scalar(text)
    try:
        return read_yaml(text, origin).tree
    except YamlError as error:
        raise ConfigError([f"{origin}: cannot read the value: {str(error).rpartition(': ')[2]}"]) from None


def put(tree: dict[str, Any], keys: Keys, value: Any) -> None:
    """Set the value with these keys, and make the mappings that hold it.

    Args:
        tree: nested dicts, which are changed.
        keys: of the value, from the outermost.
        value: to set.

    Raises:
        TypeError: with the key whose value is not a mapping.
    """
    for key in keys[:-1]:
        if key == "init" and isinstance(tree.get("init"), str):
            tree["init"] = {"scheme": tree["init"]}
        tree = tree.setdefault(str(key), {})
        if not isinstance(tree, dict):
            raise TypeError(key)
    tree[str(keys[-1])] = value


def _value(tree: Any, keys: Keys) -> Any:
    """The value with these keys; None where there is none."""
    for key in keys:
        tree = tree.get(str(key)) if isinstance(tree, dict) else None
    return tree


def name_changes(document: Document, named: bool) -> None:
    """Give a changed experiment a name of its own, so that it replaces no table; describe what changed.

    Args:
        document: the config with its overrides applied.
        named: whether an override gave the name.
    """
    changes, tree = document.changes, document.tree
    if not changes:
        return
    if not named and isinstance(tree.get("name"), str):
        tree["name"] = changed_name(tree["name"], changes)
    if isinstance(tree.get("description"), str):
        changed = ", ".join(f"{key}={value}" for key, value in changes.items())
        tree["description"] = f"{tree['description']}; with {changed}"


def changed_name(name: str, changes: Mapping[str, str]) -> str:
    """The name of an experiment with changes.

    Args:
        name: of the experiment.
        changes: the value of each dotted key, as it was written.

    >>> changed_name("mnist", {"train.steps": "60", "sweep.init": "[he, std=1]"})
    'mnist+steps60+init-he-std-1'
    """
    changed = "+".join([name, *(_short(key, value) for key, value in changes.items())])
    if len(changed) <= _LONGEST_NAME:
        return changed
    digest = hashlib.sha256(repr(sorted(changes.items())).encode()).hexdigest()[:8]
    return f"{changed[: _LONGEST_NAME - 9]}-{digest}"


def _short(key: str, value: str) -> str:
    word = re.sub(r"[^A-Za-z0-9_]+", "-", key.rsplit(".", 1)[-1]).strip("-")
    shown = re.sub(r"[^A-Za-z0-9._]+", "-", value).strip("-")
    return f"{word}{shown}" if shown[:1].isdigit() else f"{word}-{shown}"
