"""YAML text -> plain dicts, lists and scalars, with the place of each in the text.

Plain scalars are read as YAML 1.2 has them: `1e-3` is a number, `no` is a string. Refused, because in a
config they are mistakes or worse: duplicate keys, aliases, tags, deep nesting, more than one document.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from initlab.errors import UsageError

Path = tuple[str | int, ...]

DEEPEST = 20
LARGEST = 1 << 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST_NUMBER = 40
_SCALARS: dict[str, Any] = {
    r"~|null|Null|NULL|": lambda _: None,
    r"true|True|TRUE": lambda _: True,
    r"false|False|FALSE": lambda _: False,
    r"[-+]?[0-9]+": int,
    r"0o[0-7]+": lambda text: int(text[2:], 8),
    r"0x[0-9a-fA-F]+": lambda text: int(text[2:], 16),
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?": float,
    r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)": lambda text: float(text.replace(".", "")),
}


class YamlError(UsageError):
    """Text that cannot be read; its message begins with the place."""


@dataclass
class Document:
    """What a text holds, and where.

    Attributes:
        tree: nested dicts, lists and scalars.
        places: for the path of each value, where it stands, as `mnist.yaml:12:7`.
        key_places: the same for the key of each value in a mapping.
        overridden: whether a value was set from elsewhere.
    """

    tree: Any = None
    places: dict[Path, str] = field(default_factory=dict)
    key_places: dict[Path, str] = field(default_factory=dict)
    overridden: bool = False

    def move(self, path: Path, place: str) -> None:
        """Say that the value at this path, with all that it holds, stands elsewhere now."""
        for places in (self.places, self.key_places):
            for known in [known for known in places if known[: len(path)] == path]:
                del places[known]
            places[path] = place


def read_yaml(text: str, name: str) -> Document:
    """Read one YAML document; `name` stands in the places.

    Raises:
        YamlError: for anything that is not plain, unambiguous YAML.

    >>> read_yaml("lr: 1e-3\\nname: no", "a.yaml").tree
    {'lr': 0.001, 'name': 'no'}
    """
    if not _is_text(text):
        raise YamlError(f"{name}: not UTF-8 text")
    if len(text) > LARGEST:
        raise YamlError(f"{name}: larger than {LARGEST:,} characters, which no config is")
    reader = _Reader(name, iter(()))
    try:
        reader.events = yaml.parse(text, Loader=_LOADER)
        return reader.read()
    except yaml.MarkedYAMLError as error:
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise YamlError(f"{reader.place(error.problem_mark or error.context_mark)}: {problem}") from None
    except yaml.YAMLError as error:
        raise YamlError(f"{name}: {' '.join(str(error).split())}") from None


def _is_text(text: str) -> bool:
    """Whether no half of a surrogate pair, as stands for a byte that is no text, is in it."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def nearest(places: Mapping[Path, str], path: Path) -> str:
    """The place of the value at this path, or of the nearest one that holds it."""
    held = (path[:end] for end in range(len(path), -1, -1) if path[:end] in places)
    return places[next(held)]


def read_scalar(text: str) -> Any:
    """The value of a plain scalar.

    >>> [read_scalar(text) for text in ("3", "1e-3", "no", "true")]
    [3, 0.001, 'no', True]
    """
    if len(text) <= _LONGEST_NUMBER:
        for pattern, convert in _SCALARS.items():
            if re.fullmatch(pattern, text):
                return convert(text)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes what `read_yaml` reads: a text is quoted where it would be taken for something else."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None if read_scalar(text) == text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def write_yaml(tree: Any) -> str:
    """The text of nested dicts, lists and scalars.

    >>> print(write_yaml({"lr": 0.001, "name": "1e-3"}), end="")
    lr: 0.001
    name: "1e-3"
    """
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


@dataclass
class _Reader:
    name: str
    events: Iterator[Any]
    document: Document = field(default_factory=Document)

    def place(self, mark: Any) -> str:
        return f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name

    def refuse(self, event: Any, what: str) -> YamlError:
        return YamlError(f"{self.place(event.start_mark)}: {what}")

    def read(self) -> Document:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if self.document.places:
                    raise self.refuse(event, "a second document; one file describes one experiment")
                self.document.tree = self.value(next(self.events), ())
        return self.document

    def value(self, event: Any, path: Path) -> Any:
        if isinstance(event, yaml.AliasEvent):
            raise self.refuse(event, f"an alias (*{event.anchor}) is not accepted; write the value out")
        if event.tag not in (None, "!"):
            raise self.refuse(event, f"a tag ({event.tag}) is not accepted")
        if len(path) > DEEPEST:
            raise self.refuse(event, f"nested more than {DEEPEST} levels deep")
        self.document.places[path] = self.place(event.start_mark)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return read_scalar(event.value) if event.implicit[0] else event.value

    def mapping(self, path: Path) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.refuse(event, "a key must be a word")
            key = event.value
            if key in tree:
                first = self.document.key_places[(*path, key)]
                raise self.refuse(event, f"the key {key!r} stands here for the second time; first at {first}")
            self.document.key_places[(*path, key)] = self.place(event.start_mark)
            tree[key] = self.value(next(self.events), (*path, key))
        return tree

    def sequence(self, path: Path) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self.value(event, (*path, len(values))))
        return values
