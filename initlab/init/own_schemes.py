"""A person's own schemes: a function f(rng, shape, ...) -> a law, whose draws are checked.

Every draw is checked, because a function may fail for some shapes alone.
"""

import inspect
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from initlab.errors import UsageError, require, shortened
from initlab.init.scheme import ALIASES, SCHEMES, Law, Shape
from initlab.nn.arrays import FloatArray
from initlab.own_code import outcome_of, shown

Variance = Callable[..., float | None]


@SCHEMES.adopts
def own_law(
    *, name: str, function: Callable[..., Any], formula: str = "", source: str = "", variance: Any = None
) -> Law:
    """The law of a person's own function.

    Args:
        name: under which it is registered, with the digest of its source.
        function: `f(rng, shape, ...) -> W`.
        formula, source, variance: see `initlab.scheme`.

    Raises:
        UsageError: for a function that cannot be called so.
    """
    require(shown(name) not in ALIASES, f"initlab has a scheme {shown(name)!r} already; rename your function")
    parameters = _parameters(name, function)

    def draw(rng: np.random.Generator, shape: Shape, /, **arguments: Any) -> FloatArray:
        again = deepcopy(rng) if shape[0] * shape[1] <= _TINY else None
        W = _checked(name, shape, outcome_of(name, function, rng, shape, **arguments))
        if again is not None:
            repeated = outcome_of(name, function, again, shape, **arguments)
            same = np.array_equal(W, repeated)
            require(same, f"{shown(name)} draws other weights the second time; it must draw from rng alone")
        return W

    vars(draw)["__signature__"] = inspect.Signature(parameters)
    return Law(
        name=name,
        draw=draw,
        formula=formula or _first_line(function) or "a function of your own",
        source=source or f"your own {shown(name)}",
        variance=_variance(name, variance),
    )


# A tiny draw is repeated, as each scheme makes one when it is read.
_TINY = 6


def _parameters(name: str, function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The arguments of the scheme: all parameters after rng and shape, as keywords."""
    try:
        first, second, *others = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise UsageError(f"{shown(name)} must be a function of rng, shape and perhaps arguments") from None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    require(
        first.kind in positional and second.kind in positional,
        f"{shown(name)} must take rng and shape, not {first} and {second}",
    )
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=_annotation(each))
        for each in others
        if each.kind in named
    ]


def _annotation(parameter: inspect.Parameter) -> Any:
    """A type that arguments can have: that of an annotation, or a text for a text and else a number."""
    names = {"int": int, "float": float, "str": str}
    given = names.get(parameter.annotation, parameter.annotation)
    if given is inspect.Parameter.empty or isinstance(given, str):
        return str if isinstance(parameter.default, str) else float
    return given


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0].strip()


def _checked(name: str, shape: Shape, drawn: Any) -> FloatArray:
    """Drawn weights as an array of their own in float64, if they are finite floats of the shape."""
    W = np.asarray(drawn)
    require(W.shape == shape, f"{shown(name)} gives the shape {W.shape} instead of {shape}, (n_in, n_out)")
    floats = np.issubdtype(W.dtype, np.floating)
    require(floats, f"{shown(name)} gives {W.dtype} instead of floats; write 1.0 for 1, or W.astype(float)")
    finite = np.isfinite(W)
    if not finite.all():
        row, column = np.argwhere(~finite)[0].tolist()
        raise UsageError(f"{shown(name)} gives {W[row, column]} at [{row}, {column}] for the shape {shape}")
    return np.array(W, np.float64)


def _variance(name: str, variance: Variance | None) -> Variance:
    """The variance as a function that gives a number of 0 or more, or None where theory says nothing."""

    def checked(shape: Shape, /, **arguments: Any) -> float | None:
        if variance is None:
            return None
        value = outcome_of(f"the variance of {name}", variance, shape, **arguments)
        number = isinstance(value, float | int | np.number) and 0 <= value < np.inf
        message = f"the variance of {shown(name)} must be a number from 0 on, not {shortened(value)}"
        require(value is None or bool(number), message)
        return None if value is None else float(value)

    return checked
