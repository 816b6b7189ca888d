"""What a PyTorch model does with a batch: model, batch, loss -> Trace. The model itself is not touched.

    a copy of the model -> forward under a mode that sees every function -> loss -> backward -> Trace

A *mode* of PyTorch is told of each function that is called on tensors, so residual sums, attention and
functional calls are seen as well as modules, whatever the control flow. Tensors are recognized by their
identity, which gives the graph. A copy of the model runs, and the random generators are put back.
"""

import copy
import random
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from math import isnan, nan
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from initlab.errors import UsageError
from initlab.frameworks.arrays import difference, gradient_square, mean_square, unit_numbers
from initlab.frameworks.torch_attention import attention_numbers
from initlab.frameworks.trace import BATCH, NONLINEAR, Operation, Trace, Weight

Loss = Callable[..., Tensor]

CHANNELS_FIRST = {
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("batch_norm", "group_norm", "instance_norm"),
}
_UNITS_LAST = {"linear", "embedding", "layer_norm", "lstm", "gru", "rnn_tanh", "rnn_relu", "matmul"}
# They move numbers about, or leave some out, but compute nothing.
_PASSING = {"reshape", "contiguous", "clone", "to", "float", "dropout", "flatten", "__getitem__"}
# Of the named inputs of a model, those that are not what it looks at.
_ASIDE = ("mask", "label", "target", "position")


def trace(model: nn.Module, batch: Any, loss: Loss | None = None) -> Trace:
    """Run a copy of the model forward and backward, and describe every operation.

    Args:
        model: in any state; it stays as it is, to the last bit.
        batch: (inputs, targets); inputs may be a tensor, a tuple of positional arguments or a mapping of
            keyword arguments. A mapping alone is for models whose output has a `loss`.
        loss: `loss(output, targets)`; by default the output's own `loss`, cross-entropy for integer targets,
            the mean squared error for others.

    Raises:
        UsageError: for a model that cannot be copied, a batch of one sample, or a loss without a gradient.
    """
    with random_states_kept(), torch.enable_grad():
        own = copy_of(model)
        inputs, targets = (copied(part) for part in parts_of(batch))

        def compute(recorder: Recorder) -> Any:
            with recorder.paths(own):
                return (loss or default_loss)(call(own, inputs), targets)

        return trace_of(compute, dict(own.named_parameters()), inputs)


def trace_of(
    compute: Callable[["Recorder"], Any],
    parameters: Mapping[str, Tensor],
    inputs: Any,
    units_last: bool = False,
    again: bool = False,
) -> Trace:
    """Describe every operation of a computation, and its gradients.

    Args:
        compute: gives the loss; it is told who is recording.
        parameters: by name; leaves, in which gradients are left behind.
        inputs: that depend on nothing.
        units_last: whether the last axis counts channels outside of convolutions, as in Keras.
        again: whether somebody goes backward through the same results once more.

    Raises:
        UsageError: for a batch of one sample, or a loss without a gradient.
    """
    recorder = Recorder(parameters, inputs, units_last)
    with recorder:
        value = compute(recorder)
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        raise UsageError("the loss is no single number with a gradient; give loss=function(output, targets)")
    value.backward(retain_graph=again)
    return recorder.result(parameters, value)


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Put back the states of Python's, NumPy's and PyTorch's generators, those of all devices too."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
    ours, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpys)  # noqa: NPY002


def copy_of(model: nn.Module) -> nn.Module:
    """In training mode, without gradients. Of a compiled model, the original is copied."""
    original = getattr(model, "_orig_mod", model)
    if any(each.is_meta for each in original.parameters()):
        raise UsageError(
            f"{type(original).__name__} is on the meta device, where weights have no numbers; give a "
            "function that builds it on a real one"
        )
    try:
        own: nn.Module = copy.deepcopy(original)
    except Exception as error:
        raise UsageError(
            f"{type(original).__name__} cannot be copied ({error}); give a function that builds the model"
        ) from error
    own.zero_grad(set_to_none=True)
    return own.train()


def parts_of(batch: Any) -> tuple[Any, Any]:
    """Inputs and targets; a mapping alone is all inputs.

    Raises:
        UsageError: for anything else.
    """
    if isinstance(batch, Mapping):
        return batch, None
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch[0], batch[1]
    raise UsageError("a batch is (inputs, targets), or a mapping for models whose output has a loss")


def copied(value: Any) -> Any:
    """With other tensors: a model may change its inputs in place, and may have them as targets too."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, Mapping):
        return {name: copied(each) for name, each in value.items()}
    return type(value)(map(copied, value)) if type(value) in (tuple, list) else value


def _looked_at(inputs: Any) -> Any:
    if not isinstance(inputs, Mapping):
        return inputs
    return {name: value for name, value in inputs.items() if not _is_aside(name)}


def _is_aside(name: str) -> bool:
    return any(word in name for word in _ASIDE)


def call(model: nn.Module, inputs: Any) -> Any:
    """The model's output for a tensor, a tuple of arguments or a mapping of keyword arguments."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple | list) else model(inputs)


def default_loss(output: Any, targets: Any) -> Tensor:
    """The output's own loss; cross-entropy for integer targets, the mean squared error for others.

    Raises:
        UsageError: where neither is possible.
    """
    own = getattr(output, "loss", None)
    if own is not None:
        return own
    prediction = getattr(output, "logits", output)
    prediction = prediction[0] if isinstance(prediction, tuple | list) else prediction
    if not isinstance(targets, Tensor) or not isinstance(prediction, Tensor):
        raise UsageError("give loss=function(output, targets): output or targets are no tensors")
    if targets.is_floating_point():
        return functional.mse_loss(prediction, targets)
    if prediction.shape[:-1] == targets.shape:  # classes last, as language models have them
        return functional.cross_entropy(prediction.reshape(-1, prediction.shape[-1]), targets.reshape(-1))
    return functional.cross_entropy(prediction, targets)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists and mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors_in(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from tensors_in(each)


class Recorder(TorchFunctionMode):  # type: ignore[misc]
    """Sees every function that is called on tensors, and describes its result.

    Args:
        parameters: which are recognized, by name.
        inputs: of the model.
        units_last: as for `trace_of`.
    """

    def __init__(self, parameters: Mapping[str, Tensor], inputs: Any, units_last: bool = False) -> None:
        super().__init__()
        given = list(tensors_in(_looked_at(inputs)))
        if not given or given[0].ndim == 0 or len(given[0]) < 2:
            raise UsageError("a diagnosis needs a batch of two samples or more")
        self.samples = len(given[0])
        floats = [tensor for tensor in given if tensor.is_floating_point()]
        self.input_difference = difference(_array(floats[0]), self.samples) if floats else nan
        self.input_square = mean_square(_array(floats[0])) if floats else nan
        self.operations: list[Operation] = []
        self.matrices: dict[str, tuple[int, int]] = {}
        self._path: list[str] = [""]
        self._is_silent, self._units_last = False, units_last
        self._places: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._axes: dict[int, int] = {}
        self._names: dict[int, tuple[weakref.ref[Tensor], frozenset[str]]] = {}
        for tensor in given:
            self._places[id(tensor)] = weakref.ref(tensor), BATCH
        for name, parameter in parameters.items():
            self._names[id(parameter)] = weakref.ref(parameter), frozenset((name,))

    @contextmanager
    def paths(self, model: nn.Module) -> Iterator[None]:
        """Know which module is running."""

        def enter(_module: nn.Module, _inputs: Any, *, path: str) -> None:
            self._path.append(path)

        def leave(*_: Any) -> None:
            self._path.pop()

        with ExitStack() as hooks:
            for path, module in model.named_modules():
                for handle in (
                    module.register_forward_pre_hook(partial(enter, path=path)),
                    module.register_forward_hook(leave),
                ):
                    hooks.callback(handle.remove)
            yield

    @contextmanager
    def within(self, path: str) -> Iterator[None]:
        """What is computed meanwhile belongs to the module of this path."""
        self._path.append(path)
        try:
            yield
        finally:
            self._path.pop()

    def as_one(
        self, kind: str, parameters: Sequence[Tensor], taken: Any, compute: Callable[[], Tensor]
    ) -> Tensor:
        """Describe all that a function does as one operation.

        Args:
            kind: its name.
            parameters: that it takes.
            taken: the other tensors that it takes.
            compute: the function.
        """
        self._is_silent = True
        try:
            result = compute()
        finally:
            self._is_silent = False
        tensors = list(tensors_in(taken))
        names = frozenset().union(*(self._parameters(each) for each in parameters))
        self._note(result, kind, self._sources(tensors), names, tensors, {})
        return result

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._is_silent:
            return func(*args, **kwargs)
        taken = list(tensors_in((args, kwargs)))
        sources = self._sources(taken)
        names = frozenset().union(*(self._parameters(tensor) for tensor in taken))
        kind = self._layer(_kind(func), taken, names)
        numbers = attention_numbers(kind, args, kwargs) if sources else {}
        if sources and kind in NONLINEAR:
            numbers = self._unit_numbers(func, kind, args, kwargs, sources)
        result = func(*args, **kwargs)
        for tensor in tensors_in(result):
            if sources:
                self._note(tensor, kind, sources, names, taken, numbers)
            elif names:
                self._names[id(tensor)] = weakref.ref(tensor), names
        return result

    def _layer(self, kind: str, taken: Sequence[Tensor], names: frozenset[str]) -> str:
        """A product with one parameter is a linear layer; remember its fans, (n_out, n_in)."""
        if kind not in ("matmul", "mm") or len(names) != 1 or len(taken) != 2:
            return kind
        n_in, n_out = taken[1].shape[-2:] if taken[1].ndim > 1 else (0, 0)
        if not self._parameters(taken[1]) or taken[1].ndim != 2:
            return kind
        self.matrices[next(iter(names))] = n_out, n_in
        return "linear"

    def _sources(self, taken: Sequence[Tensor]) -> tuple[int, ...]:
        return tuple(sorted({place for tensor in taken if (place := self._place(tensor)) is not None}))

    def _place(self, tensor: Tensor) -> int | None:
        entry = self._places.get(id(tensor))
        return entry[1] if entry and entry[0]() is tensor else None

    def _parameters(self, tensor: Tensor) -> frozenset[str]:
        entry = self._names.get(id(tensor))
        return entry[1] if entry and entry[0]() is tensor else frozenset()

    def _note(
        self,
        tensor: Tensor,
        kind: str,
        sources: tuple[int, ...],
        names: frozenset[str],
        taken: list[Tensor],
        numbers: dict[str, float],
    ) -> None:
        """Describe a result, unless it is a view of what is known already."""
        is_same = len(sources) == 1 and not names and (kind in _PASSING or _is_view(tensor, taken))
        if is_same or not tensor.is_floating_point() or not tensor.numel():
            self._places[id(tensor)] = weakref.ref(tensor), sources[-1]
            return
        added = [each for each in taken if self._parameters(each)]
        is_vector = names and all(sum(size > 1 for size in each.shape) <= 1 for each in added)
        if kind == "add" and len(sources) == 1 and is_vector and self._add_bias(tensor, sources[0], names):
            return
        index = len(self.operations)
        axis = self._axis(kind, tensor, sources[0])
        values = _array(tensor)
        operation = Operation(
            index=index,
            kind=kind,
            module=self._path[-1],
            parameters=tuple(sorted(names)),
            sources=sources,
            shape=tuple(tensor.shape),
            square=mean_square(values),
            difference=difference(values, self.samples),
            **numbers,
        )
        self.operations.append(operation)
        self._axes[index] = axis
        self._places[id(tensor)] = weakref.ref(tensor), index
        if tensor.requires_grad:
            tensor.register_hook(partial(_add_gradient, operation, axis, self.samples))

    def _axis(self, kind: str, tensor: Tensor, source: int) -> int:
        """Which axis of a result counts units or channels."""
        if kind.startswith("conv") or (kind in CHANNELS_FIRST and not self._units_last):
            return 1 if tensor.ndim > 2 else -1
        if kind in _UNITS_LAST or self._units_last:
            return -1
        return 1 if self._axes.get(source) == 1 and tensor.ndim > 2 else -1

    def _add_bias(self, tensor: Tensor, place: int, names: frozenset[str]) -> bool:
        """Whether a sum belongs to the layer whose result it takes; then the layer gives the sum."""
        if place == BATCH or self.operations[place].kind not in ("linear", "conv1d", "conv2d", "conv3d"):
            return False
        layer = self.operations[place]
        values = _array(tensor)
        layer.parameters = tuple(sorted({*layer.parameters, *names}))
        layer.shape = tuple(tensor.shape)
        layer.square, layer.difference = mean_square(values), difference(values, self.samples)
        self._axes[place] = -1 if self._units_last else self._axes[place]
        self._places[id(tensor)] = weakref.ref(tensor), place
        if tensor.requires_grad:
            tensor.register_hook(partial(_add_gradient, layer, self._axes[place], self.samples))
        return True

    def _unit_numbers(
        self,
        func: Callable[..., Any],
        kind: str,
        args: tuple[Any, ...],
        kwargs: Any,
        sources: tuple[int, ...],
    ) -> dict[str, float]:
        """What a nonlinear function finds: dead and saturated slopes, and units that repeat each other."""
        z = args[0].detach()
        axis = self._axes.get(sources[0], -1)
        leaf = z.clone().requires_grad_()
        # Hooks of its own, for those of a checkpoint around it would count what we compute as the model's.
        with torch.autograd.graph.saved_tensors_hooks(_unchanged, _unchanged):
            (slopes,) = torch.autograd.grad(func(leaf * 1, *args[1:], **kwargs).sum(), leaf)
        return unit_numbers(kind, _array(z), _array(slopes), axis)

    def result(self, parameters: Mapping[str, Tensor], loss: Tensor) -> Trace:
        """The trace, after the backward pass."""
        end = self._place(loss)
        if end is None or end == BATCH:
            raise UsageError("the loss does not depend on the batch")
        weights = [
            Weight(
                name=name,
                shape=self.matrices.get(name, tuple(parameter.shape)),
                square=mean_square(_array(parameter)),
                gradient=nan if parameter.grad is None else float(parameter.grad.float().square().mean()),
                is_frozen=not parameter.requires_grad,
            )
            for name, parameter in parameters.items()
        ]
        return Trace(
            operations=self.operations,
            end=end,
            weights=weights,
            input_square=self.input_square,
            input_difference=self.input_difference,
            loss=float(loss.detach()),
        )


def _unchanged(tensor: Tensor) -> Tensor:
    return tensor


def _kind(func: Callable[..., Any]) -> str:
    """The function's name; "add" for `+`, "relu" for `relu_`."""
    name = getattr(func, "__name__", "function")
    if name.startswith("__") and name.endswith("__") and name not in ("__get__", "__getitem__"):
        name = name.strip("_").removeprefix("r" if name == "__radd__" else "i" if name == "__iadd__" else "")
    return name.rstrip("_") if not name.startswith("__") else name


def _is_view(tensor: Tensor, taken: list[Tensor]) -> bool:
    """Whether a result is another look at the memory of what the function took."""
    try:
        address = tensor.untyped_storage().data_ptr()
        return any(tensor is not other and other.untyped_storage().data_ptr() == address for other in taken)
    except (NotImplementedError, RuntimeError):  # tensors without memory, as sparse ones
        return False


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """As NumPy has it, which knows no bfloat16."""
    values = tensor.detach().cpu()
    values = values.float() if values.dtype == torch.bfloat16 else values
    return np.asarray(values.numpy())


def _add_gradient(operation: Operation, axis: int, samples: int, gradient: Tensor) -> None:
    if isnan(operation.gradient):  # else it is known, and this is another pass
        operation.gradient = gradient_square(_array(gradient), axis, samples)
