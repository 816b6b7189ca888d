"""What takes long is measured once: a function of a script, its arguments -> arrays, kept in a file.

The key of the file is narrow: the function without its comments and docstring, the functions and constants of
its script that it uses, its arguments (of the settings those that it reads), and `ALGORITHM`, which is raised
on purpose when the package's own numbers change. The machine that measured is written beside the arrays: its
last bits are not those of another, and a page tells where its numbers come from.
"""

import ast
import dis
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Number
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initlab.errors import UsageError
from initlab.gallery.prose import Settings
from initlab.nn.streams import ALGORITHM
from initlab.runner.provenance import fingerprint
from initlab.runner.store import Store

Arrays = dict[str, NDArray[Any]]
Measure = Callable[..., Mapping[str, Any]]
_CODE, _USED, _MACHINE = "code", "settings used", "machine"
_ORIGIN = {_CODE, _USED, _MACHINE}


@dataclass(frozen=True)
class Measurement:
    """What a function measured.

    Attributes:
        arrays: by name.
        machine: where it was measured; see `provenance.fingerprint`.
    """

    arrays: Arrays
    machine: Mapping[str, Any]


def read_or_measure(store: Store | None, measure: Measure, arguments: tuple[Any, ...]) -> Measurement:
    """What a function measures: read from the store where it is, else measured and written.

    Args:
        store: where they are kept; None to measure without keeping.
        measure: returns arrays by name; it depends on its arguments alone.
        arguments: whose `repr` tells two calls apart; of `Settings`, only those that the function reads.
    """
    if store is None:
        return Measurement(_arrays(measure(*arguments)), fingerprint())
    if any(isinstance(argument, np.ndarray) for argument in arguments):
        raise UsageError(
            f"{measure.__name__}: arrays are no arguments of a kept function; their repr is shortened"
        )
    code, name = digest(code_of(measure)), f"{measure.__name__}-{digest(repr(_plain(arguments)))}"
    arrays = store.load_arrays(name)
    if arrays is None or not _valid(arrays, code, arguments):
        watched = tuple(value.replace() if isinstance(value, Settings) else value for value in arguments)
        arrays = _arrays(measure(*watched))
        origin = {_CODE: code, _USED: _used(watched), _MACHINE: json.dumps(fingerprint())}
        arrays |= {key: np.array(text) for key, text in origin.items()}
        store.save_arrays(name, arrays)
    own = {key: array for key, array in arrays.items() if key not in _ORIGIN}
    return Measurement(own, json.loads(str(arrays[_MACHINE])))


def _plain(arguments: tuple[Any, ...]) -> list[Any]:
    return [argument for argument in arguments if not isinstance(argument, Settings)]


def _used(arguments: tuple[Any, ...]) -> str:
    return json.dumps([argument.used() for argument in arguments if isinstance(argument, Settings)])


def _valid(arrays: Arrays, code: str, arguments: tuple[Any, ...]) -> bool:
    """Whether arrays were measured by the same code from the same settings."""
    if not set(arrays) >= _ORIGIN or str(arrays[_CODE]) != code:
        return False
    settings = [argument for argument in arguments if isinstance(argument, Settings)]
    used = json.loads(str(arrays[_USED]))
    return len(used) == len(settings) and all(map(Settings.agrees, settings, used))


def _arrays(measured: Mapping[str, Any]) -> Arrays:
    return {key: np.asarray(value) for key, value in measured.items()}


def code_of(measure: Callable[..., Any]) -> str:
    """The text of a function and of all that it uses of its script, with the version of the numerics."""
    first = inspect.unwrap(measure)
    texts, waiting, visited = [f"ALGORITHM = {ALGORITHM}"], [first], set[str]()
    while waiting:
        function = waiting.pop()
        texts.append(_bare(function))
        if function.__defaults__ or function.__kwdefaults__:
            texts.append(f"defaults = {function.__defaults__} {function.__kwdefaults__}")
        for name in sorted((_names(function.__code__) & set(function.__globals__)) - visited):
            visited.add(name)
            value = function.__globals__[name]
            text, functions = _described(value)
            texts.append(f"{name} = {text}")
            waiting += [each for each in functions if each.__module__ == first.__module__]
    return "\n".join(texts)


def _described(value: Any) -> tuple[str, list[FunctionType]]:
    """The text of a global value, empty for what is no data, and the functions that are in it."""
    value = inspect.unwrap(value)
    if inspect.isfunction(value):
        return value.__qualname__, [value]
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {digest(value.tobytes().hex())}", []
    if isinstance(value, Mapping):
        parts = [_described(part) for item in value.items() for part in item]
    elif isinstance(value, tuple | list):
        parts = [_described(part) for part in value]
    else:
        return (repr(value) if isinstance(value, Number | str | range | None) else ""), []
    functions = [function for _, inner in parts for function in inner]
    return f"{type(value).__name__}({', '.join(text for text, _ in parts)})", functions


def _bare(function: Callable[..., Any]) -> str:
    """A function's text without comments, decorators and docstrings, which change no number."""
    if function.__name__ == "<lambda>":  # its lines need not be a statement
        return inspect.getsource(function).strip()
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _names(code: CodeType) -> set[str]:
    """The global names that a function reads, in its inner functions too; names of attributes are none."""
    own = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(_names(part) for part in code.co_consts if isinstance(part, CodeType)))


def digest(text: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
