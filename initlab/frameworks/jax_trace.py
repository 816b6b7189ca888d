"""What a model of JAX does with a batch: program, values, gradients -> Trace.

    loss(parameters, batch) -> its program -> operations and their graph -> run, with probes -> Trace

The program consists of small steps: GELU alone is nine of them. So steps are put together again:

    layer          a product with a parameter, and the bias that is added to it
    function       all steps that compute each number from one number of the same result
    normalization  all steps under a scope of this name, which the library's modules are made to open
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import count
from math import nan, prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from initlab.errors import UsageError
from initlab.frameworks.arrays import difference, gradient_square, mean_square, unit_numbers
from initlab.frameworks.jax_program import Program, Step, Value, program_of, results_of
from initlab.frameworks.prediction import OURS
from initlab.frameworks.trace import BATCH, NONLINEAR, Operation, Trace, Weight
from initlab.nn.activations import ACTIVATIONS

# Steps that move numbers about, and compute nothing.
_MOVING = {
    *("reshape", "transpose", "squeeze", "expand_dims", "broadcast_in_dim", "convert_element_type", "copy"),
    *("stop_gradient", "reduce_precision", "rev", "slice", "copy_p", "name"),
}
# Steps that compute each number of the result from the numbers at the same place.
_ELEMENTWISE = {
    *("add", "sub", "mul", "div", "neg", "max", "min", "abs", "sign", "square", "sqrt", "rsqrt", "cbrt"),
    *("exp", "exp2", "expm1", "log", "log1p", "logistic", "tanh", "erf", "erfc", "sin", "cos", "atan2"),
    *("integer_pow", "pow", "clamp", "select_n", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not"),
    *("is_finite", "nextafter", "custom_jvp_call"),
}
# Within a call they stretch constants, and change nothing else.
_SCALING = {"broadcast_in_dim", "convert_element_type", "copy", "stop_gradient"}
_LAYERS = {"dot_general", "conv_general_dilated"}
_SCOPE = re.compile(r"initlab;(\d+);(\w*);([^/;]*)")
# What our names are called by the traces, where it differs.
_THEIRS = {ours: theirs for theirs, ours in OURS.items()}
# tanh's form of GELU differs from GELU by 0.0005.
_SAME_FUNCTION = 2e-3


def trace(loss: Callable[..., Any], parameters: Mapping[str, Any], inputs: Any) -> Trace:
    """Run a model forward and backward, and describe every operation.

    Args:
        loss: (parameters, inputs) -> a number.
        parameters: by name.
        inputs: an array, or a tree of them; the first axis counts samples.

    Raises:
        UsageError: for a batch of one sample, or a loss that does not depend on the batch.
    """
    given = jax.tree.leaves(inputs)
    if not given or not np.ndim(given[0]) or len(given[0]) < 2:
        raise UsageError("a diagnosis needs a batch of two samples or more")
    names = sorted(parameters)
    own = {name: jnp.asarray(parameters[name]) for name in names}
    program = program_of(loss, own, inputs)
    reader = _Reader(program, names, own, given)
    return reader.trace()


@contextmanager
def calls_named(modules: Mapping[str, Any], norms: Mapping[str, str]) -> Iterator[None]:
    """While it lasts, what a module computes has a scope with the module's path, and a number for each call.

    Args:
        modules: by path.
        norms: for the name of a normalization's class, its kind in `trace.NORMS`.
    """
    paths = {id(module): re.sub("[/;]", ".", path) for path, module in modules.items()}
    owners = {_owner_of_call(type(module)) for module in modules.values()} - {None}
    calls = count()

    def replaced(original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if id(self) not in paths:
                return original(self, *args, **kwargs)
            kind = norms.get(type(self).__name__, "")
            with jax.named_scope(f"initlab;{next(calls)};{kind};{paths[id(self)]}"):
                return original(self, *args, **kwargs)

        return call

    with ExitStack() as originals:
        for owner in owners:
            original = owner.__dict__["__call__"]
            originals.callback(setattr, owner, "__call__", original)
            owner.__call__ = replaced(original)
        yield


def _owner_of_call(kind: type) -> Any:
    """The class that defines what happens when an instance is called."""
    return next((each for each in kind.__mro__ if "__call__" in each.__dict__), None)


@dataclass
class _Known:
    """What is known of a value that depends on the batch.

    Attributes:
        place: the operation whose result it is, or a function of which it is.
        steps: of this function; none where it holds the same numbers.
    """

    place: int
    steps: tuple[Step, ...] = ()


@dataclass
class _Draft:
    """An operation before it was measured."""

    kind: str
    module: str
    parameters: set[str]
    sources: set[int]
    number: int
    steps: tuple[Step, ...] = ()


class _Reader:
    """Finds the operations of a program, and measures them."""

    def __init__(
        self, program: Program, names: Sequence[str], parameters: Mapping[str, Any], given: Sequence[Any]
    ) -> None:
        self.program, self.parameters, self.given = program, parameters, given
        self.samples = len(given[0])
        arguments = [*(parameters[name] for name in names), *given]
        self.arguments = arguments
        self.values = program.run(arguments)
        self.drafts: list[_Draft] = []
        self.groups: dict[str, int] = {}
        self.matrices: dict[str, tuple[int, int]] = {}
        self.made_of: dict[int, frozenset[str]] = {}
        self.known: dict[int, _Known] = {}
        for number, name in zip(program.inputs, names, strict=False):
            self.made_of[number] = frozenset((name,))
        for number in program.inputs[len(names) :]:
            self.known[number] = _Known(BATCH)

    def trace(self) -> Trace:
        """Read all steps, then run the program once more for the gradients."""
        for step in self.program.steps:
            self._read(step)
        last = self.program.outputs[0]
        if not isinstance(last, Value) or last.number not in self.known:
            raise UsageError("the loss does not depend on the batch")
        end = self._settled(last.number)
        gradients, weight_gradients = self._gradients(last.number)
        floats = [np.asarray(each) for each in self.given if jnp.issubdtype(each.dtype, jnp.floating)]
        return Trace(
            operations=[self._measured(i, gradients) for i in range(len(self.drafts))],
            end=end,
            weights=[self._weight(name, weight_gradients[name]) for name in self.parameters],
            input_square=mean_square(floats[0]) if floats else nan,
            input_difference=difference(floats[0], self.samples) if floats else nan,
            loss=float(self.values[last.number]),
        )

    def _read(self, step: Step) -> None:
        numbers = [number for number in step.numbers if number in self.known]
        names = frozenset().union(*(self.made_of.get(number, frozenset()) for number in step.numbers))
        if not numbers:
            self.made_of.update(dict.fromkeys(step.gives, names))
            return
        kind, _, group = _scope_of(step)
        if kind:
            self._read_in_group(step, numbers, names, group)
        elif not names and step.kind in _MOVING:
            self._pass_on(step, self._settled(numbers[0]))
        elif not names and self._is_masked(step, numbers):
            self._pass_on(step, self.known[numbers[0]].place)
        elif not names and self._is_function(step, numbers):
            steps = tuple(dict.fromkeys(each for number in numbers for each in self.known[number].steps))
            self._pass_on(step, self.known[numbers[0]].place, (*steps, step))
        elif names and self._is_bias(step, numbers, names):
            draft = self.drafts[self.known[numbers[0]].place]
            draft.parameters |= names
            draft.number = step.gives[0]
            self._pass_on(step, self.known[numbers[0]].place)
        else:
            self._add_operation(step, numbers, names)

    def _pass_on(self, step: Step, place: int, steps: tuple[Step, ...] = ()) -> None:
        for number in step.gives:
            self.known[number] = _Known(place, steps)

    def _is_function(self, step: Step, numbers: Sequence[int]) -> bool:
        """Whether a step computes each number from one number of one result, and from constants."""
        if not _is_elementwise(step.equation) or len({self.known[number].place for number in numbers}) > 1:
            return False
        shapes = {np.shape(self.values[number]) for number in (*numbers, *step.gives)}
        constants = [self._value(each) for each in step.takes if not self._is_known(each)]
        return len(shapes) == 1 and all(np.size(each) == 1 or _is_uniform(each) for each in constants)

    def _is_masked(self, step: Step, numbers: Sequence[int]) -> bool:
        """Whether a step leaves out some numbers, as dropout does, or keeps them as they are."""
        if step.kind not in ("select_n", "mul") or len(numbers) != 1:
            return False
        constants = [self._value(each) for each in step.takes if not self._is_known(each)]
        is_linear = all(each.kind in ("mul", "div") for each in self.known[numbers[0]].steps)
        return is_linear and any(np.size(each) > 1 and not _is_uniform(each) for each in constants)

    def _is_known(self, operand: Any) -> bool:
        return isinstance(operand, Value) and operand.number in self.known

    def _value(self, operand: Any) -> Any:
        return self.values[operand.number] if isinstance(operand, Value) else operand

    def _is_bias(self, step: Step, numbers: Sequence[int], names: frozenset[str]) -> bool:
        """Whether a vector of parameters is added to the result of a layer."""
        if any(sum(size > 1 for size in np.shape(self.parameters[name])) > 1 for name in names):
            return False
        value = self.known[numbers[0]]
        is_sum = step.kind == "add" and len(numbers) == 1 and not value.steps and value.place != BATCH
        return is_sum and self.drafts[value.place].kind in ("linear", "conv1d", "conv2d", "conv3d")

    def _read_in_group(self, step: Step, numbers: Sequence[int], names: frozenset[str], group: str) -> None:
        """Add a step to the one operation of its scope."""
        kind, path, _ = _scope_of(step)
        own = self.groups.get(group)
        outside = {self._settled(number) for number in numbers if self.known[number].place != own}
        if own is None:
            own = self.groups[group] = len(self.drafts)
            self.drafts.append(_Draft(kind, path, set(), set(), step.gives[0]))
        draft = self.drafts[own]
        draft.sources |= outside
        draft.parameters |= names
        sizes = [np.size(self.values[number]) for number in (draft.number, step.gives[0])]
        if sizes[1] >= sizes[0]:
            draft.number = step.gives[0]
        self._pass_on(step, own)

    def _add_operation(self, step: Step, numbers: Sequence[int], names: frozenset[str]) -> None:
        sources = {self._settled(number) for number in numbers}
        results = [number for number in step.gives if _is_float(self.values[number])]
        if not results:
            self._pass_on(step, max(sources))
            return
        if names and step.kind in _LAYERS:
            self._note_matrix(step, names)
        kind = _kind_of(step, names)
        _, path, _ = _scope_of(step)
        self.drafts.append(_Draft(kind, path, set(names), sources, results[0]))
        self._pass_on(step, len(self.drafts) - 1)

    def _settled(self, number: int) -> int:
        """The operation that gives a value; a function that was pending becomes one."""
        value = self.known[number]
        if not value.steps:
            return value.place
        if not _is_float(self.values[number]):
            return value.place
        _, path, _ = _scope_of(value.steps[-1])
        kind = self._name_of_function(value, number)
        self.drafts.append(_Draft(kind, path, set(), {value.place}, number, value.steps))
        self.known[number] = _Known(len(self.drafts) - 1)
        return len(self.drafts) - 1

    def _taken(self, steps: Sequence[Step]) -> Any:
        """What a function takes, in the shape in which its first step takes it."""
        inner = {each for step in steps for each in step.gives}
        taken = (n for step in steps for n in step.numbers if n in self.known and n not in inner)
        return self.values[next(taken)]

    def _apply(self, steps: Sequence[Step], number: int, z: Any) -> Any:
        """The function that some steps compute, at other values of what they take."""
        inner = {each for step in steps for each in step.gives}
        values: dict[int, Any] = {}
        for step in steps:
            operands = [
                values[each.number]
                if isinstance(each, Value) and each.number in inner
                else z
                if self._is_known(each)
                else self._value(each)
                for each in step.takes
            ]
            values.update(zip(step.gives, results_of(step, operands), strict=True))
        return values[number]

    def _name_of_function(self, value: _Known, number: int) -> str:
        """The name of a function of ours that has its values; "mul" for a linear one, else "function"."""
        shape = np.shape(self._taken(value.steps))
        z = np.resize(np.linspace(-4, 4, 81), shape)
        outputs = np.asarray(self._apply(value.steps, number, jnp.asarray(z, jnp.float32)), np.float64)
        slope = outputs.ravel()[1:] - outputs.ravel()[:-1] if outputs.size > 1 else outputs
        if outputs.size > 2 and np.ptp(slope[:79]) < 1e-5:
            return "mul"
        with np.errstate(all="ignore"):
            errors = {
                name: np.abs(own.function(z, None) - outputs).max() for name, own in ACTIVATIONS.items()
            }
        best = min(errors, key=lambda name: errors[name] if np.isfinite(errors[name]) else np.inf)
        return _THEIRS.get(best, best) if errors[best] < _SAME_FUNCTION else "function"

    def _note_matrix(self, step: Step, names: frozenset[str]) -> None:
        """Remember the fans of a parameter in a product, (n_out, n_in)."""
        for position, each in enumerate(step.takes):
            own = self.made_of.get(each.number, frozenset()) if isinstance(each, Value) else frozenset()
            if len(own) != 1 or not own <= names:
                continue
            shape = np.shape(self._value(each))
            if step.kind == "dot_general":
                contracted = step.equation.params["dimension_numbers"][0][position]
                n_in = prod(shape[axis] for axis in contracted)
            else:
                n_in = prod(shape) // shape[step.equation.params["dimension_numbers"].rhs_spec[0]]
            self.matrices[next(iter(own))] = prod(shape) // n_in, n_in

    def _gradients(self, end: int) -> tuple[dict[int, Any], dict[str, Any]]:
        """Of the loss in each operation's result, by number, and in each parameter."""
        probes = {
            draft.number: jnp.zeros_like(self.values[draft.number])
            for draft in self.drafts
            if _is_float(self.values[draft.number])
        }
        order = sorted(self.parameters)
        rest = self.arguments[len(order) :]

        def loss(own: Mapping[str, Any], added: Mapping[int, Any]) -> Any:
            return self.program.run([*(own[name] for name in order), *rest], added)[end]

        weights, results = jax.grad(loss, argnums=(0, 1), allow_int=True)(dict(self.parameters), probes)
        return results, weights

    def _measured(self, index: int, gradients: Mapping[int, Any]) -> Operation:
        draft = self.drafts[index]
        values = np.asarray(self.values[draft.number])
        d = gradients.get(draft.number)
        return Operation(
            index=index,
            kind=draft.kind,
            module=draft.module,
            parameters=tuple(sorted(draft.parameters)),
            sources=tuple(sorted(draft.sources)),
            shape=values.shape,
            square=mean_square(values),
            difference=difference(values, self.samples),
            gradient=nan if d is None else gradient_square(np.asarray(d), -1, self.samples),
            **(self._unit_numbers(draft) if draft.kind in NONLINEAR and draft.steps else {}),
        )

    def _unit_numbers(self, draft: _Draft) -> dict[str, float]:
        z = self._taken(draft.steps)
        _, pull_back = jax.vjp(lambda each: self._apply(draft.steps, draft.number, each), z)
        (slopes,) = pull_back(jnp.ones_like(z))
        return unit_numbers(draft.kind, np.asarray(z), np.asarray(slopes), -1)

    def _weight(self, name: str, gradient: Any) -> Weight:
        parameter = np.asarray(self.parameters[name])
        is_trained = jnp.issubdtype(parameter.dtype, jnp.floating)
        return Weight(
            name=name,
            shape=self.matrices.get(name, parameter.shape),
            square=mean_square(parameter),
            gradient=mean_square(np.asarray(gradient)) if is_trained else nan,
        )


def _scope_of(step: Step) -> tuple[str, str, str]:
    """The kind, the path and the number of the innermost scope of ours; empty without one."""
    scopes = _SCOPE.findall(step.scope)
    grouped = next((each for each in scopes if each[1]), None)
    number, kind, path = grouped or (scopes[-1] if scopes else ("", "", ""))
    return kind, path, number


def _is_elementwise(equation: Any) -> bool:
    """Whether each number depends on numbers at the same place; softmax, a call as ReLU is, does not."""
    body = equation.params.get("call_jaxpr") or equation.params.get("jaxpr")
    if body is not None:
        return all(
            _is_elementwise(each) or each.primitive.name in _SCALING
            for each in getattr(body, "jaxpr", body).eqns
        )
    return equation.primitive.name in _ELEMENTWISE


def _kind_of(step: Step, names: frozenset[str]) -> str:
    """The name of an operation, as the traces of other libraries have it."""
    if step.kind == "dot_general":
        return "linear" if names else "matmul"
    if step.kind == "conv_general_dilated":
        return f"conv{len(step.equation.params['window_strides'])}d"
    if step.kind == "gather" and names:
        return "embedding"
    return "add" if step.kind == "add_any" else step.kind


def _is_float(values: Any) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(values), jnp.floating))


def _is_uniform(values: Any) -> bool:
    """Whether all numbers of an array are the same, as of a scalar that was broadcast."""
    array = np.asarray(values).ravel()
    return bool((array == array[0]).all())
