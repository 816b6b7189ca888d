"""Names with arguments, as in a config: `name(first=1, second=word)` -> name, checked arguments.

What a name accepts is the signature of its function: keyword-only arguments, each a number, a whole number, a
text, or one of several names (`Literal`).
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from initlab.errors import UsageError, shortened, unknown_name

Argument = float | str
Parameters = Mapping[str, inspect.Parameter]


def read_call(kind: str, text: str) -> tuple[str, dict[str, Argument]]:
    """Name and arguments of `name` or `name(a=1, b=word)`.

    Args:
        kind: what is named, for the message.
        text: as it is written.

    Raises:
        UsageError: when it is written otherwise.

    >>> read_call("scheme", "normal(std=1e-2)")
    ('normal', {'std': 0.01})
    """
    call = re.fullmatch(r"\s*([\w:]+)\s*(?:\(([^()]*)\))?\s*", text)
    if not call:
        raise UsageError(
            f"cannot read the {kind} {shortened(text)}; write it like name or name(argument=0.1)"
        )
    return call.group(1), _arguments(call.group(2) or "")


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only arguments of a function."""
    parameters = inspect.signature(function).parameters.items()
    return {name: one for name, one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}


def required_of(parameters: Parameters) -> list[str]:
    """The names of the arguments that must be given."""
    return [name for name, one in parameters.items() if one.default is inspect.Parameter.empty]


def checked_arguments(name: str, parameters: Parameters, given: Mapping[str, Argument]) -> dict[str, Any]:
    """The given arguments in the order of the signature, each of the type that it asks for.

    Raises:
        UsageError: for one that is unknown, missing or of another type.

    >>> def noise(*, std: float, steps: int = 3) -> None: ...
    >>> checked_arguments("noise", parameters_of(noise), {"steps": 5.0, "std": 1})
    {'std': 1.0, 'steps': 5}
    """
    for one in given:
        if one not in parameters:
            raise UsageError(unknown_name(f"argument of {name}", one, parameters))
    for one in required_of(parameters):
        if one not in given:
            raise UsageError(f"{name} needs {one}, as in {name}({one}=0.1)")
    return {one: _typed(one, given[one], p.annotation) for one, p in parameters.items() if one in given}


def _number(text: str) -> Argument:
    try:
        return float(text)
    except ValueError:
        return text


def _arguments(text: str) -> dict[str, Argument]:
    arguments: dict[str, Argument] = {}
    for part in filter(str.strip, text.split(",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name in arguments:
            raise UsageError(f"cannot read {shortened(part.strip())}; write name=value, each name once")
        arguments[name] = _number(value)
    return arguments


def _typed(name: str, value: Argument, annotation: Any) -> Any:
    """The value, if it is one of the annotation's names, or a finite number where that takes numbers."""
    kinds = get_args(annotation) if get_origin(annotation) is Union else (annotation,)
    if annotation is str and isinstance(value, str):
        return value
    names = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    if names and (float not in kinds or isinstance(value, str)):
        if value not in names:
            raise UsageError(unknown_name(name, str(value), names))
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{name} must be a finite number, not {shortened(value)}")
    if int in kinds and value != int(value):
        raise UsageError(f"{name} must be a whole number, not {value:g}")
    return int(value) if int in kinds else float(value)
