"""YAML text -> plain dicts, lists and scalars, with the place of each in the text.

Plain scalars are read as in YAML 1.2: `1e-3` is a number, `no` is a string. Duplicate keys, aliases, tags,
deep nesting and a second document are refused: in a config they are mistakes, or attacks.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from initlab.errors import UsageError

Keys = tuple[str | int, ...]

DEEPEST = 20
LARGEST = 1 << 20  # characters; no shipped config has 2,000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Python converts a text of many digits in quadratic time.
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


@dataclass(kw_only=True)
class Document:
    """The content of a text with the places of its values.

    Attributes:
        tree: nested dicts, lists and scalars.
        places: the place of the value at each path, as `mnist.yaml:12:7`.
        key_places: the same for the key of each value in a mapping.
        overridden: whether `--set` has set a value.
        changes: the text of each dotted key's value that `--set` has changed.
    """

    tree: Any = None
    places: dict[Keys, str] = field(default_factory=dict)
    key_places: dict[Keys, str] = field(default_factory=dict)
    overridden: bool = False
    changes: dict[str, str] = field(default_factory=dict)

    def move(self, path: Keys, place: str) -> None:
        """Give the value at a path, and all that it holds, a new place.

        Args:
            path: of the value.
            place: as it stands in messages.
        """
        for places in (self.places, self.key_places):
            for inner in [inner for inner in places if inner[: len(path)] == path]:
                del places[inner]
            places[path] = place


def read_yaml(text: str, name: str) -> Document:
    """Read one YAML document.

    Args:
        text: of at most `LARGEST` characters.
        name: of the file, with which each place begins.

    Raises:
        YamlError: for anything that is not plain, unambiguous YAML.

    >>> read_yaml("lr: 1e-3\\nname: no", "a.yaml").tree
    {'lr': 0.001, 'name': 'no'}
    """
    if not _is_text(text):
        raise YamlError(f"{name}: not UTF-8 text")
    if len(text) > LARGEST:
        raise YamlError(f"{name}: not a config: larger than {LARGEST:,} characters")
    reader = _Reader(name, iter(()))
    try:
        reader.events = yaml.parse(text, Loader=_LOADER)
        return reader.read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is not closed is mended where it begins, not where the parser noticed.
        begins = error.context_mark if str(error.problem) in _UNCLOSED else None
        raise YamlError(f"{reader.place(begins or mark)}: {_problem(error, text)}") from None
    except yaml.reader.ReaderError as error:
        place = _place_of(error, name, text)
        raise YamlError(f"{place}: a control character; save the file as UTF-8") from None
    except yaml.YAMLError as error:
        raise YamlError(f"{name}: {' '.join(str(error).split())}") from None


# What a person did who gets such a message of the parser.
_UNCLOSED = {
    "did not find expected ',' or '}'": "this '{' is not closed by '}', or a comma is missing",
    "did not find expected ',' or ']'": "this '[' is not closed by ']', or a comma is missing",
    "could not find expected ':'": "a key without ': ' and a value; check the indentation",
    "found unexpected end of stream": "this quote is not closed",
}
_PROBLEMS = {
    "found character that cannot start any token": "the character {character!r} cannot begin a value; "
    "quote it",
    "mapping values are not allowed in this context": "a ':' where no key may stand; check the indentation, "
    "or quote the text",
    "did not find expected key": "no key where one must stand; check the indentation",
    "did not find expected '-' indicator": "no '-' where a list goes on; check the indentation",
}


def _problem(error: yaml.MarkedYAMLError, text: str) -> str:
    """An error of the parser in words."""
    mark = error.problem_mark
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab; YAML is indented with spaces"
    character = line[mark.column : mark.column + 1] if mark else ""
    problem = str(error.problem)
    if problem in _UNCLOSED:
        if mark is None or "comma" not in _UNCLOSED[problem]:
            return _UNCLOSED[problem]
        return f"{_UNCLOSED[problem]} before {mark.line + 1}:{mark.column + 1}"
    words = " ".join(filter(None, (error.context, problem)))
    return _PROBLEMS[problem].format(character=character) if problem in _PROBLEMS else words


def _place_of(error: yaml.reader.ReaderError, name: str, text: str) -> str:
    """The place of a character that is none of YAML's."""
    before = text[: error.position]
    return f"{name}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def document_of(tree: Mapping[str, Any]) -> Document:
    """A document of values that were written in Python; the place of a value is its dotted key.

    >>> document_of({"train": {"steps": 3}}).places["train", "steps"]
    'train.steps'
    """
    document = Document()
    document.tree = _plain(tree, (), document)
    return document


def _plain(value: Any, path: Keys, document: Document) -> Any:
    """Nested dicts, lists and scalars, as in YAML; a scheme or a path becomes text."""
    document.places[path] = ".".join(map(str, path)) or "the config"
    if isinstance(value, Mapping):
        for key in value:
            document.key_places[(*path, str(key))] = ".".join(map(str, (*path, key)))
        return {str(key): _plain(item, (*path, str(key)), document) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item, (*path, i), document) for i, item in enumerate(value)]
    if hasattr(value, "tolist"):  # of NumPy
        return _plain(value.tolist(), path, document)
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _is_text(text: str) -> bool:
    """Whether it holds no lone surrogate, by which Python stands for a byte that is not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def nearest(places: Mapping[Keys, str], path: Keys) -> str:
    """The place of the value at a path, or of the nearest value that holds it.

    Args:
        places: of a document.
        path: of the value.
    """
    holders = (path[:end] for end in range(len(path), -1, -1) if path[:end] in places)
    return places[next(holders)]


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
    """Writes what `read_yaml` reads: a text is quoted where it would be read as another type."""


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
                    raise self.refuse(event, "a second document; a file describes one experiment")
                self.document.tree = self.value(next(self.events), ())
        return self.document

    def value(self, event: Any, path: Keys) -> Any:
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

    def mapping(self, path: Keys) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.refuse(event, "a key must be a word")
            key = event.value
            if key in tree:
                first = self.document.key_places[(*path, key)]
                raise self.refuse(event, f"duplicate key {key!r}; it stands first at {first}")
            self.document.key_places[(*path, key)] = self.place(event.start_mark)
            tree[key] = self.value(next(self.events), (*path, key))
        return tree

    def sequence(self, path: Keys) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self.value(event, (*path, len(values))))
        return values
