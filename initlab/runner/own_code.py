"""Own code in experiments: found in a config, loaded if that is allowed, sent to workers, written back.

config -> load_code (./mine.py:f -> f@1f2e3d4c5b6a) -> Settings -> sources_of -> worker: install_code
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from initlab.errors import ConfigError, DataError, StorageError, UsageError
from initlab.init.scheme import SCHEMES
from initlab.nn.activations import ACTIVATIONS
from initlab.own_code import Source, anchored, is_reference, names_in, refusal
from initlab.registry import Registry, read_call, written_call
from initlab.runner.settings import Settings
from initlab.runner.yaml_text import Document, Keys, nearest

_REGISTRIES: dict[str, Registry[Any]] = {registry.kind: registry for registry in (SCHEMES, ACTIVATIONS)}


def load_code(document: Document, folder: Path, allowed: bool) -> None:
    """Load the functions that a config names by their files, and put their registered names in their places.

    Args:
        document: the config; changed in place.
        folder: to which its paths are relative.
        allowed: whether code may run.

    Raises:
        ConfigError: for code that may not run, or does not work; with all mistakes, each with its place.
        StorageError: where files that cannot be read are all that is wrong.
    """
    mistakes, unread = list[str](), list[str]()
    for holder, key, keys in list(_references(document.tree, ())):
        text = holder[key]
        try:
            if not allowed:
                raise UsageError(refusal(text))
            holder[key] = _loaded(keys, anchored(text, folder))
        except (UsageError, StorageError) as error:
            lines = unread if isinstance(error, StorageError) else mistakes
            lines.append(f"{nearest(document.places, keys)}: {error}")
    if mistakes:
        raise ConfigError([*mistakes, *unread])
    if unread:
        raise StorageError("\n".join(unread))


def _loaded(keys: Keys, text: str) -> str:
    is_activation = str(keys[-1] if isinstance(keys[-1], str) else keys[-2]).endswith("activation")
    if is_activation:
        return ACTIVATIONS.resolve(text)
    name, arguments = read_call("scheme", text)
    return written_call(SCHEMES.resolve(name), arguments)


def _references(value: Any, keys: Keys) -> Iterator[tuple[Any, Any, Keys]]:
    """Every text under `init` or `network` that names a function of a file: its holder, its key, its path."""
    items = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for key, item in items:
        path = (*keys, key)
        if isinstance(item, str) and is_reference(item) and _holds_code(path):
            yield value, key, path
        else:
            yield from _references(item, path)


def _holds_code(keys: Keys) -> bool:
    parts = ".".join(str(key) for key in keys).split(".")
    return ("init" in parts or "network" in parts) and parts[-1] != "label"


def sources_of(settings: Settings) -> tuple[Source, ...]:
    """The sources of the own code that a run needs, those of schemes first."""
    init = settings.init
    schemes = (init.scheme, init.first, init.last, init.bias)
    names = {"scheme": [str(scheme) for scheme in schemes if scheme is not None]}
    names["activation"] = [settings.network.activation, *names["scheme"]]
    sources = (
        _REGISTRIES[kind].source(name)
        for kind, texts in names.items()
        for text in texts
        for name in names_in(text)
    )
    return tuple(dict.fromkeys(source for source in sources if source is not None))


def install_code(sources: Sequence[Source]) -> None:
    """Register own code in a worker.

    Args:
        sources: as they were sent; a source's digest is a part of the name that the settings use.

    Raises:
        DataError: where an installed package has another source here.
        UsageError: where the code fails.
    """
    for source in sources:
        registry = _REGISTRIES[source.kind]
        if source.name in registry:
            continue
        if source.is_installed and registry.known(source.reference) != source.name:
            raise DataError(f"{source.kind} {source.reference}: the worker's copy of the package differs")
        registry.install(source)


def as_written(value: Any) -> Any:
    """Registered names in nested dicts, lists and texts as a config writes them: with the paths of files."""
    if isinstance(value, dict):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_written(item) for item in value]
    return _with_paths(value) if isinstance(value, str) else value


def _with_paths(text: str) -> str:
    for name in names_in(text):
        for registry in _REGISTRIES.values():
            source = registry.source(name)
            text = text if source is None else text.replace(name, source.reference)
    return text
