"""A program of JAX as one list of steps: jaxpr -> steps, without calls in calls -> values, with probes added.

JAX records a function as a *jaxpr*, in which functions that were compiled or have rules of their own are
calls. Here those calls are opened, so that every step is one primitive, and any result may get a *probe* of
zeros added to it. The gradient with respect to the probe is that with respect to the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

_OPENED = {"jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "custom_lin"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One primitive that is applied.

    Attributes:
        equation: of the jaxpr, which holds the primitive and its parameters.
        takes: for each operand the number of a value, or the literal itself.
        gives: the numbers of the results.
        scope: the names of the scopes around it, outermost first, joined by "/".
    """

    equation: Any
    takes: tuple[Any, ...]
    gives: tuple[int, ...]
    scope: str

    @property
    def kind(self) -> str:
        """The primitive's name."""
        return str(self.equation.primitive.name)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the operands that are no literals."""
        return tuple(each.number for each in self.takes if isinstance(each, Value))


@dataclass(frozen=True)
class Value:
    """The number of a value, as an operand."""

    number: int


@dataclass
class Program:
    """All steps, and the values that are there before the first one.

    Attributes:
        steps: in the order of their application.
        inputs: the numbers of the arguments.
        constants: values that belong to the program, by number.
        outputs: the operands that are its results.
    """

    steps: list[Step] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    outputs: list[Any] = field(default_factory=list)
    count: int = 0

    def new(self) -> int:
        """A number for a value."""
        self.count += 1
        return self.count - 1

    def run(self, arguments: Sequence[Any], probes: Mapping[int, Any] | None = None) -> dict[int, Any]:
        """All values, by number.

        Args:
            arguments: of the program, as many as `inputs`.
            probes: what is added to results, by number.
        """
        values = dict(self.constants) | dict(zip(self.inputs, arguments, strict=True))
        for step in self.steps:
            operands = [values[each.number] if isinstance(each, Value) else each for each in step.takes]
            for number, result in zip(step.gives, results_of(step, operands), strict=True):
                values[number] = result + probes[number] if probes and number in probes else result
        return values


def results_of(step: Step, operands: Sequence[Any]) -> list[Any]:
    """Apply a step's primitive.

    Args:
        step: of a program.
        operands: a value for each of `step.takes`.
    """
    primitive = step.equation.primitive
    bound = primitive.get_bind_params(step.equation.params)
    # Older versions of JAX give the functions that a primitive takes apart from its parameters.
    functions, parameters = bound if isinstance(bound, tuple) else ((), bound)
    results = primitive.bind(*functions, *operands, **parameters)
    return list(results) if primitive.multiple_results else [results]


def program_of(function: Any, *arguments: Any) -> Program:
    """The program of a function at arguments of these shapes.

    Args:
        function: as `jax.make_jaxpr` takes it.
        arguments: arrays, or trees of them.
    """
    closed = jax.make_jaxpr(function)(*arguments)
    program = Program()
    program.inputs = [program.new() for _ in closed.jaxpr.invars]
    names = dict(zip(closed.jaxpr.invars, map(Value, program.inputs), strict=True))
    program.outputs = _open(program, closed.jaxpr, closed.consts, names, "")
    return program


def _open(
    program: Program, jaxpr: Jaxpr, constants: Sequence[Any], names: dict[Any, Any], scope: str
) -> list[Any]:
    """Add the steps of a jaxpr, and return the operands that are its results."""
    for variable, constant in zip(jaxpr.constvars, constants, strict=True):
        names[variable] = Value(program.new())
        program.constants[names[variable].number] = constant
    for equation in jaxpr.eqns:
        takes = [each.val if isinstance(each, Literal) else names[each] for each in equation.invars]
        inner = "/".join(part for part in (scope, str(equation.source_info.name_stack)) if part)
        body = _body_of(equation)
        if body is None:
            gives = [program.new() for _ in equation.outvars]
            program.steps.append(Step(equation=equation, takes=tuple(takes), gives=tuple(gives), scope=inner))
            names.update(zip(equation.outvars, map(Value, gives), strict=True))
        else:
            own = dict(zip(body.jaxpr.invars, takes, strict=True))
            results = _open(program, body.jaxpr, body.consts, own, inner)
            names.update(zip(equation.outvars, results, strict=True))
    return [each.val if isinstance(each, Literal) else names[each] for each in jaxpr.outvars]


def _body_of(equation: Any) -> ClosedJaxpr | None:
    """What a call calls; None for other primitives, and for functions with derivatives of their own."""
    if equation.primitive.name not in _OPENED:
        return None
    body = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
    return ClosedJaxpr(body, []) if isinstance(body, Jaxpr) else body
