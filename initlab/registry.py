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
from types import MappingProxyType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from initlab import own_code
from initlab.errors import UsageError, require, shortened, unknown_name
from initlab.own_code import Source

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
        # A person's own entries stand apart: a loop over all names, as in a table of theory, meets ours.
        self._own: dict[str, Entry] = {}
        self._sources: dict[str, Source] = {}
        self._names: dict[Any, str] = {}  # of functions that have no file
        self._adopt: Callable[..., Entry] | None = None

    def __getitem__(self, name: str) -> Entry:
        if not isinstance(name, str):
            raise UsageError(f"the {self.kind} must be one name, not {shortened(name)}")
        return super().__getitem__(name)

    def __missing__(self, name: str) -> Entry:
        if name in self._own:
            return self._own[name]
        names = [*self, *(own_code.installed(self.kind) if self._adopt else ())]
        raise UsageError(unknown_name(self.kind, str(name), names, self.lists))

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._own

    def adopts(self, adopt: Callable[..., Entry]) -> Callable[..., Entry]:
        """A decorator for `adopt(name=..., function=..., **keywords)`, which makes an entry of a person's own
        function, or refuses it; the keywords are those of the function's decorator.
        """
        self._adopt = adopt
        return adopt

    def resolve(self, given: str | Callable[..., Any]) -> str:
        """The registered name of what a person gives, whose code is loaded if it is not yet.

        Args:
            given: a name; a function in a file, as `./mine.py:mish`, whose code then runs; or a function.

        Raises:
            UsageError: for an unknown name, or code that fails or does not do what is asked of this kind.
        """
        if callable(given):
            return self._name_of(given)
        require(isinstance(given, str), f"the {self.kind} must be one name, not {shortened(given)}")
        if own_code.is_reference(given):
            return self.install(own_code.source_of_file(self.kind, given))
        return self.known(given)

    def known(self, name: str) -> str:
        """The registered name of a name of ours, or of an installed package's, whose code is loaded.

        Args:
            name: as it stands in a config; no file's code ever runs.

        Raises:
            UsageError: for an unknown name.
        """
        if name not in self and self._adopt:
            source = own_code.source_of_installed(self.kind, name)
            if source:
                return self.install(source)
        self[name]
        return name

    def install(self, source: Source) -> str:
        """Register the function of a source, and return its name; this runs the code."""
        if source.name not in self._own:
            self._own[source.name] = self._adopted(source.name, source.load())
        self._sources[source.name] = source
        return source.name

    def source(self, name: str) -> Source | None:
        """The source of a person's own entry; None for ours, and for a function without a file."""
        return self._sources.get(name)

    def _name_of(self, function: Callable[..., Any]) -> str:
        if function not in self._names:
            # As long as a digest; only a notebook has such names, and no record does.
            name = f"{own_code.name_in_python(function)}@{len(self._names) + 1:012}"
            self._own[name] = self._adopted(name, function)
            self._names[function] = name
        return self._names[function]

    def _adopted(self, name: str, function: Any) -> Entry:
        if self._adopt is None:
            raise UsageError(f"there are no {self.kind}s of one's own")
        taken = own_code.shown(name)
        if taken in self:
            raise UsageError(
                f"initlab has {own_code.article(self.kind)} {taken!r} already; rename your function"
            )
        return self._adopt(name=name, function=function, **own_code.keywords_of(self.kind, function))

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
    call = re.fullmatch(r"\s*((?:.+?\.py:)?[\w:@]+)\s*(?:\(((?:[^()]|\([^()]*\))*)\))?\s*", text)
    if not call:
        several = len(parts_of(text)) > 1
        form = "give each by itself" if several else "write it like name or name(argument=0.1)"
        if text.strip().endswith(".py"):
            form = f"name a function of the file, as {text.strip()}:f"
        raise UsageError(f"cannot read the {kind} {shortened(text)}; {form}")
    return call.group(1), _arguments(call.group(2) or "")


def parts_of(text: str) -> list[str]:
    """The parts of a text between its commas, except those in brackets.

    >>> parts_of("he, normal(std=1, mean=2), lasagne:Uniform(range=(0, 1))")
    ['he', 'normal(std=1, mean=2)', 'lasagne:Uniform(range=(0, 1))']
    """
    parts, depth = [""], 0
    for character in text:
        depth = max(0, depth + (character == "(") - (character == ")"))
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


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
            shown = own_code.shown(name)
            example = 3 if parameters[argument].annotation in (int, "int") else 0.1
            raise UsageError(f"{shown} needs {argument}, as in {shown}({argument}={example})")
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
    for part in filter(None, parts_of(text)):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name in arguments:
            problem = f"cannot read {shortened(part)}; write name=value, each name once"
            raise UsageError(f"{problem}{_with_a_point(arguments, part)}")
        arguments[name] = read_number(value)
    return arguments


def _with_a_point(earlier: Mapping[str, Argument], part: str) -> str:
    """What was meant by std=0,01, of which the comma made two."""
    name, value = list(earlier.items())[-1] if earlier else ("", "")
    is_decimal = isinstance(value, float) and value.is_integer() and part.isdigit()
    return f"; did you mean {name}={written_value(value)}.{part}?" if is_decimal else ""


def _typed(name: str, value: Any, annotation: Any) -> Any:
    """The value as the type that the annotation asks for: a text, one of its names, or a finite number.

    An annotation may allow both, as `float | Literal["relu"]` does: then a text must be one of the names. To
    `float | str`, a pair of numbers is a text too.
    """
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    if str in kinds and isinstance(value, str | list | tuple if len(kinds) > 1 else str):
        return str(value)
    names = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    if isinstance(value, bool) and str(value) in names:
        return str(value)
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
