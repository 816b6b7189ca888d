"""Registries: a text like `normal(std=0.01)` -> the registered function and its checked arguments.

There is one `Registry` for each kind of thing that a config names: schemes, activation functions, optimizers,
losses, schedules, datasets, input preparations, figures. The signature of a function says which arguments its
name accepts in brackets: they are keyword-only, and each is a number (`float`), a whole number (`int`), a
text (`str`), or one of several names (`Literal`).
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from initlab.errors import UsageError, require, shortened, unknown_name

Argument = float | str
Parameters = Mapping[str, inspect.Parameter]
Entry = TypeVar("Entry")
Function = TypeVar("Function", bound=Callable[..., Any])


def _function_itself(*, name: str, function: Any) -> Any:  # noqa: ARG001
    return function


class Registry(dict[str, Entry]):
    """A dict from names to entries. Its message for an unknown name proposes similar names.

    Args:
        kind: what the names stand for, as messages write it: "scheme", "optimizer".
        make: `make(name=..., function=..., **attributes)` builds an entry; by default the entry is the
            decorated function.
        lists: the command that lists the names, for a message where they are many.

    >>> GREETINGS = Registry("greeting")
    >>> @GREETINGS.register()
    ... def hello(*, times: int = 1): return times * "hello "
    >>> GREETINGS.parse("hello(times=2)")
    ('hello', {'times': 2})
    >>> GREETINGS["hullo"]
    Traceback (most recent call last):
    initlab.errors.UsageError: unknown greeting 'hullo'; did you mean 'hello'? Known: hello
    """

    def __init__(self, kind: str, make: Callable[..., Entry] | None = None, lists: str = "") -> None:
        super().__init__()
        self.kind, self.lists, self._make = kind, lists, make or _function_itself

    def __getitem__(self, name: str) -> Entry:
        if not isinstance(name, str):
            raise UsageError(f"the {self.kind} must be one name, not {shortened(name)}")
        return super().__getitem__(name)

    def __missing__(self, name: str) -> Entry:
        raise UsageError(unknown_name(self.kind, str(name), self, self.lists))

    def register(self, *names: str, **attributes: Any) -> Callable[[Function], Function]:
        """A decorator that registers a function and returns it unchanged.

        Args:
            names: the names to register it under; by default the function's own name.
            attributes: further keyword arguments for `make`.
        """

        def add(function: Function) -> Function:
            for name in names or (function.__name__,):
                self[name] = self._make(name=name, function=function, **attributes)
            return function

        return add

    def parse(self, text: str) -> tuple[str, dict[str, Any]]:
        """The name and the checked arguments of a text like `name` or `name(a=1, b=word)`.

        Raises:
            UsageError: for an unknown name or argument, a missing one, or a value of another type.
        """
        name, given = read_call(self.kind, text)
        return name, checked_arguments(name, parameters_of(cast(Any, self[name])), given)

    def canonical(self, text: str) -> str:
        """The same text with its arguments in the order of the signature and its numbers in short form.

        Raises:
            UsageError: as for `parse`.

        >>> NOISES = Registry("noise")
        >>> @NOISES.register()
        ... def gaussian(*, mean: float = 0.0, std: float = 1.0): ...
        >>> NOISES.canonical("gaussian( std=1e-1, mean=2.0 )")
        'gaussian(mean=2, std=0.1)'
        """
        return written_call(*self.parse(text))


def read_call(kind: str, text: str) -> tuple[str, dict[str, Argument]]:
    """The name and the arguments of a text like `name` or `name(a=1, b=word)`, without any check of either.

    Args:
        kind: what the name stands for, for the message.
        text: the text as the user wrote it.

    Raises:
        UsageError: when the text has another form.

    >>> read_call("scheme", "normal(std=1e-2)")
    ('normal', {'std': 0.01})
    """
    require(isinstance(text, str), f"the {kind} must be a text, not {shortened(text)}")
    call = re.fullmatch(r"\s*([\w:]+)\s*(?:\(([^()]*)\))?\s*", text)
    if not call:
        several = len(parts_of(text)) > 1
        form = "give each by itself" if several else "write it like name or name(argument=0.1)"
        raise UsageError(f"cannot read the {kind} {shortened(text)}; {form}")
    return call.group(1), _arguments(call.group(2) or "")


def parts_of(text: str) -> list[str]:
    """The parts of a text between its commas, except those in brackets.

    >>> parts_of("he, normal(std=1, mean=2)")
    ['he', 'normal(std=1, mean=2)']
    """
    return [part.strip() for part in re.split(r",(?![^(]*\))", text)]


def written_call(name: str, arguments: Mapping[str, Argument]) -> str:
    """The text of a name with arguments, the inverse of `read_call`.

    Args:
        name: the name.
        arguments: its arguments, in the order in which they are written.

    >>> written_call("normal", {"std": 1.0, "mean": 0.5})
    'normal(std=1, mean=0.5)'
    """
    if not arguments:
        return name
    return f"{name}({', '.join(f'{key}={written_value(value)}' for key, value in arguments.items())})"


def written_value(value: Argument) -> str:
    """An argument in its shortest form.

    >>> written_value(2.0), written_value(0.5), written_value("tanh")
    ('2', '0.5', 'tanh')
    """
    return value if isinstance(value, str) else repr(value).removesuffix(".0")


@cache
def parameters_of(function: Any) -> Parameters:
    """The keyword-only parameters of a function, by name.

    They are asked for at each draw of a layer, and reading a signature takes longer than a small draw.
    """
    parameters = inspect.signature(function).parameters.items()
    return MappingProxyType(
        {name: each for name, each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
    )


def required_of(parameters: Parameters) -> list[str]:
    """The names of the parameters without a default."""
    return [name for name, parameter in parameters.items() if parameter.default is inspect.Parameter.empty]


def checked_arguments(name: str, parameters: Parameters, given: Mapping[str, Argument]) -> dict[str, Any]:
    """The given arguments that differ from their defaults, in the order and of the types of the signature.

    Args:
        name: the function's name, for the message.
        parameters: the parameters of the function.
        given: the arguments as the user wrote them.

    Raises:
        UsageError: for an unknown argument, a missing one, or a value of another type.

    >>> def noise(*, std: float, steps: int = 3) -> None: ...
    >>> checked_arguments("noise", parameters_of(noise), {"steps": 5.0, "std": 1})
    {'std': 1.0, 'steps': 5}
    >>> checked_arguments("noise", parameters_of(noise), {"steps": 3, "std": 1})
    {'std': 1.0}
    """
    for argument in given:
        if argument not in parameters:
            if not parameters:
                raise UsageError(f"{name} takes no arguments")
            raise UsageError(unknown_name(f"argument of {name}", argument, parameters))
    for argument in required_of(parameters):
        if argument not in given:
            raise UsageError(f"{name} needs {argument}, as in {name}({argument}=0.1)")
    typed = {
        argument: _typed(argument, given[argument], parameter.annotation)
        for argument, parameter in parameters.items()
        if argument in given
    }
    # So the same settings have one text, and one record, however they were written.
    return {argument: value for argument, value in typed.items() if value != parameters[argument].default}


def read_number(text: str) -> Argument:
    """The number that a text stands for, or the text.

    >>> read_number("1e-2"), read_number("tanh")
    (0.01, 'tanh')
    """
    try:
        return float(text)
    except ValueError:
        return text


def _arguments(text: str) -> dict[str, Argument]:
    arguments: dict[str, Argument] = {}
    for part in filter(str.strip, text.split(",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name in arguments:
            problem = f"cannot read {shortened(part.strip())}; write name=value, each name once"
            raise UsageError(f"{problem}{_with_a_point(arguments, part.strip())}")
        arguments[name] = read_number(value)
    return arguments


def _with_a_point(earlier: Mapping[str, Argument], part: str) -> str:
    """What was meant by std=0,01, of which the comma made two."""
    name, value = list(earlier.items())[-1] if earlier else ("", "")
    is_decimal = isinstance(value, float) and value.is_integer() and part.isdigit()
    return f"; did you mean {name}={written_value(value)}.{part}?" if is_decimal else ""


def _typed(name: str, value: Argument, annotation: Any) -> Any:
    """The value as the type that the annotation asks for: a text, one of its names, or a finite number.

    An annotation may allow both, as `float | Literal["relu"]` does: then a text must be one of the names.
    """
    kinds = get_args(annotation) if get_origin(annotation) is Union else (annotation,)
    if annotation is str and isinstance(value, str):
        return value
    names = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    if names and (isinstance(value, str) or not {int, float} & set(kinds)):
        if value not in names:
            raise UsageError(unknown_name(name, str(value), names))
        return value
    # Python counts True and False among the whole numbers.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{name} must be a finite number, not {shortened(value)}")
    if int in kinds and value != int(value):
        raise UsageError(f"{name} must be a whole number, not {value:g}")
    return int(value) if int in kinds else float(value)
