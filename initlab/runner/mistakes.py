"""Mistakes of a config in words: the key, the value, what is accepted, and what was perhaps meant."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from initlab.errors import alternatives, shortened, unknown_name
from initlab.nn.optimizers import OPTIMIZERS
from initlab.registry import parameters_of, parts_of
from initlab.runner.ranges import LIST_OR_RANGE
from initlab.runner.settings import BoundarySettings, Frame, NetworkSettings, Settings
from initlab.runner.yaml_text import Keys, read_scalar

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


def perhaps_meant(dotted: str, details: Mapping[str, Any]) -> str:
    """What a value of another type was perhaps meant to be, as the end of a message; empty for no guess.

    Args:
        dotted: the key of the value.
        details: of the mistake, as Pydantic gives them.
    """
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
        return f"; write {key}.{shown_key(next(iter(given)))}: [...]"
    is_one = isinstance(given, int | float) or (isinstance(given, str) and re.match(r"[A-Za-z]", given))
    return f"; write {key}: [{shortened(given).strip(chr(39))}]" if is_one else ""


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


def _as_keys(text: str) -> str:
    """The name and the keys of sgd(lr=0.1), as sgd, lr: 0.1."""
    call = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", text)
    if not call:
        return text
    return ", ".join([call[1], *(re.sub(r"\s*=\s*", ": ", part) for part in parts_of(call[2]))])


def unknown_key(keys: Keys) -> str:
    """The message for a key that its section does not have, but perhaps another."""
    name, accepted = str(keys[-1]), _accepted(keys[:-1])
    elsewhere = [path for path in _setting_paths() if path.rpartition(".")[2] == name]
    if len(keys) == 1 and elsewhere:
        return f"unknown key {name!r}; did you mean {alternatives(map(repr, elsewhere))}?"
    return unknown_name("key", name, accepted)


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


def _setting_paths() -> Iterator[str]:
    """The dotted keys of all settings that lie within a section."""
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from (f"{name}.{key}" for key in section.model_fields)
    arguments = [argument for update in OPTIMIZERS.values() for argument in parameters_of(update)]
    yield from (f"train.optimizer.{argument}" for argument in dict.fromkeys(arguments))


def blamed_keys(details: Mapping[str, Any]) -> list[str]:
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


def written_keys(keys: Keys, where: Mapping[str, Keys]) -> Keys:
    """The path in the document to the value with these keys, which may have been written in the sweep.

    Args:
        keys: of a setting.
        where: the path to the value of each swept dotted key.
    """
    paths = {tuple(swept.split(".")): place for swept, place in where.items()}
    holding = [path for path in paths if keys[: len(path)] == path]
    if not holding:
        return keys
    longest = max(holding, key=len)  # an argument of a scheme, as init.gain, is swept beside the scheme
    return (*paths[longest], *keys[len(longest) :])


def shown_key(key: str | int) -> str:
    """The key as it stands in a message; one that is long or cannot be printed is cut."""
    text = str(key)
    return text if text.isprintable() and len(text) <= 60 else shortened(text)


def by_place(mistake: str) -> tuple[str, int, int]:
    """File, line and column of a mistake, by which mistakes are sorted.

    >>> by_place("mnist.yaml:12:7: train.steps must be 1 or more, not 0")
    ('mnist.yaml', 12, 7)
    """
    place = re.match(r"(.*?):(\d+):(\d+): ", mistake)
    return (place[1], int(place[2]), int(place[3])) if place else ("", 0, 0)
