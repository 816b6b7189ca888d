"""`extends` in a config: the config that it names, with the own values laid over it.

    name: longer
    extends: mnist          a shipped config; or ./other.yaml, in the folder of this file or below it
    train: {steps: 10000}   everything else is as in mnist

Mappings are merged, key by key; lists and all other values are replaced, and so is a mapping with a `scheme`.
A key that is set here is no longer swept there. Name and description are not inherited: they are another
experiment's.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from initlab.errors import StorageError, UsageError, shortened
from initlab.runner.overrides import remove_swept
from initlab.runner.shipped import is_plain_name, shipped_config
from initlab.runner.yaml_text import Document, Keys

MOST_EXTENDED = 5  # more are hardly followed by a reader
Read = Callable[[Path], Document]


def with_extended(document: Document, folder: Path, read: Read) -> Document:
    """A config laid over what it extends, and that over what it extends in turn.

    Args:
        document: the config; its values keep their places.
        folder: in which a path of a file begins, and which it must not leave.
        read: reads the config in a file.

    Returns:
        The config itself where it extends nothing.

    Raises:
        UsageError: for an unknown shipped config, one that lies elsewhere, or extends itself; for a mapping
            beside a sweep of the same key as a whole.
        StorageError: for a file that is not there.
    """
    documents, files = [document], list[Path]()
    while "extends" in documents[-1].tree:
        place = documents[-1].places["extends",]
        file = _file(documents[-1].tree.pop("extends"), folder, place)
        if file in files:
            raise UsageError(f"{place}: extends: {file.name} extends itself in the end")
        if len(files) == MOST_EXTENDED:
            raise UsageError(f"{place}: extends: more than {MOST_EXTENDED} configs, one extending the next")
        files.append(file)
        documents.append(read(file))
        folder = file.parent
    merged = documents.pop()
    while documents:
        merged = _laid_over(merged, documents.pop())
    return merged


def _file(given: Any, folder: Path, place: str) -> Path:
    """The file that `extends` means.

    A config may come from somebody else: what it extends is shipped, or came with it.
    """
    try:
        if not isinstance(given, str) or not given.isprintable():
            shown = "empty" if given is None else shortened(given)
            raise UsageError(f"must be the name of a shipped config or a path, not {shown}")
        if is_plain_name(given):
            return shipped_config(given)
        file = (folder / given).resolve()
        if not file.is_relative_to(folder.resolve()):
            raise UsageError(f"{shortened(given)} is neither in the folder of this config nor below it")
        if not file.is_file():
            raise StorageError(f"{shortened(given)}: no such file; a shipped config is named without .yaml")
    except OSError as error:
        raise StorageError(f"{place}: extends: {shortened(given)}: {error.strerror}") from None
    except (UsageError, StorageError) as error:
        raise type(error)(f"{place}: extends: {error}") from None
    return file


def _laid_over(base: Document, own: Document) -> Document:
    """The values of two configs in one, where the own ones win."""
    for key in ("name", "description"):
        base.tree.pop(key, None)
    remove_swept(base.tree.get("sweep"), partial(_sets, own))
    inherits = "exclude" not in (own.tree.get("sweep") or {})
    replaced = set(_merge(base.tree, own.tree, ()))
    return Document(
        tree=base.tree,
        places=_kept(base.places, replaced) | own.places,
        key_places=_kept(base.key_places, replaced) | own.key_places,
        overridden=inherits,  # so an exclusion that now leaves nothing out is no mistake
    )


def _merge(base: dict[str, Any], own: dict[str, Any], path: Keys) -> Iterator[Keys]:
    """Lay one mapping over another; yields the paths at which it replaces values."""
    for key, value in own.items():
        inherited = base.get(key)
        if isinstance(value, dict) and isinstance(inherited, dict) and "scheme" not in value:
            yield from _merge(inherited, value, (*path, key))
        else:
            base[key] = value
            yield (*path, key)


def _kept(places: dict[Keys, str], replaced: set[Keys]) -> dict[Keys, str]:
    """The places of the values that were not replaced."""
    return {
        keys: place
        for keys, place in places.items()
        if not any(keys[:end] in replaced for end in range(1, len(keys) + 1))
    }


def _sets(own: Document, swept: str) -> bool:
    """Whether a config sets a dotted key, or a value that holds it."""
    value, keys = own.tree, list[str]()
    for key in swept.split("."):
        if not isinstance(value, dict):
            return True
        if key not in value:
            return False
        value = value[key]
        keys.append(key)
    if isinstance(value, dict) and "scheme" not in value:
        place = own.places[tuple(keys)]
        raise UsageError(f"{place}: {swept!r} is swept as a whole; set it in the sweep instead")
    return True
