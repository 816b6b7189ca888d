"""What a PyTorch model does with a batch: model, batch, loss -> Trace. The model itself is not touched.

    a copy of the model -> forward under a mode that sees every function -> loss -> backward -> Trace

A *mode* of PyTorch is told of each function that is called on tensors, so residual sums, attention and
functional calls are seen as well as modules, whatever the control flow. Tensors are recognized by their
identity, which gives the graph. A copy of the model runs, and the random generators are put back.
"""

import copy
import random
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from initlab.errors import UsageError
from initlab.frameworks.trace import BATCH, NONLINEAR, Operation, Trace, Weight

Loss = Callable[..., Tensor]

CHANNELS_FIRST = {
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("batch_norm", "group_norm", "instance_norm"),
}
_UNITS_LAST = {"linear", "embedding", "layer_norm", "lstm", "gru", "rnn_tanh", "rnn_relu", "matmul"}
# The steepest slopes of functions with two bounds.
_STEEPEST = {
    "sigmoid": 0.25,
    "tanh": 1.0,
    "softsign": 1.0,
    "hardtanh": 1.0,
    "erf": 2 / np.sqrt(np.pi),
    "hardsigmoid": 1 / 6,
}
_ODD = set(_STEEPEST)
_SATURATED_SLOPE = 0.05
_ROUNDING = 1e-5
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
        own = _copy_of(model)
        inputs, targets = (_copied(part) for part in parts_of(batch))
        recorder = _Recorder(own, inputs)
        with recorder.paths(own), recorder:
            output = call(own, inputs)
            value = (loss or default_loss)(output, targets)
        if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
            raise UsageError(
                "the loss is no single number with a gradient; give loss=function(output, targets)"
            )
        value.backward()
        return recorder.result(own, value)


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


def _copy_of(model: nn.Module) -> nn.Module:
    """In training mode, without gradients. Of a compiled model, the original is copied."""
    original = getattr(model, "_orig_mod", model)
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


def _copied(value: Any) -> Any:
    """With other tensors: a model may change its inputs in place, and may have them as targets too."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, Mapping):
        return {name: _copied(each) for name, each in value.items()}
    return type(value)(map(_copied, value)) if type(value) in (tuple, list) else value


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


class _Recorder(TorchFunctionMode):  # type: ignore[misc]
    """Sees every function that is called on tensors, and describes its result.

    Args:
        model: whose parameters are recognized.
        inputs: of the model.
    """

    def __init__(self, model: nn.Module, inputs: Any) -> None:
        super().__init__()
        given = list(tensors_in(_looked_at(inputs)))
        if not given or given[0].ndim == 0 or len(given[0]) < 2:
            raise UsageError("a diagnosis needs a batch of two samples or more")
        self.samples = len(given[0])
        floats = [tensor for tensor in given if tensor.is_floating_point()]
        self.input_difference = _difference(floats[0], self.samples) if floats else nan
        self.input_square = _mean_square(floats[0].detach()) if floats else nan
        self.operations: list[Operation] = []
        self._path: list[str] = [""]
        self._places: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._axes: dict[int, int] = {}
        self._names: dict[int, tuple[weakref.ref[Tensor], frozenset[str]]] = {}
        for tensor in given:
            self._places[id(tensor)] = weakref.ref(tensor), BATCH
        for name, parameter in model.named_parameters():
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

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        taken = list(tensors_in((args, kwargs)))
        sources = tuple(sorted({place for tensor in taken if (place := self._place(tensor)) is not None}))
        names = frozenset().union(*(self._parameters(tensor) for tensor in taken))
        kind = _kind(func)
        slopes = (
            self._unit_numbers(func, kind, args, kwargs, sources) if sources and kind in NONLINEAR else {}
        )
        result = func(*args, **kwargs)
        for tensor in tensors_in(result):
            if sources:
                self._note(tensor, kind, sources, names, taken, slopes)
            elif names:
                self._names[id(tensor)] = weakref.ref(tensor), names
        return result

    def _place(self, tensor: Tensor) -> int | None:
        known = self._places.get(id(tensor))
        return known[1] if known and known[0]() is tensor else None

    def _parameters(self, tensor: Tensor) -> frozenset[str]:
        known = self._names.get(id(tensor))
        return known[1] if known and known[0]() is tensor else frozenset()

    def _note(
        self,
        tensor: Tensor,
        kind: str,
        sources: tuple[int, ...],
        names: frozenset[str],
        taken: list[Tensor],
        slopes: dict[str, float],
    ) -> None:
        """Describe a result, unless it is a view of what is known already."""
        is_same = len(sources) == 1 and not names and (kind in _PASSING or _is_view(tensor, taken))
        if is_same or not tensor.is_floating_point() or not tensor.numel():
            self._places[id(tensor)] = weakref.ref(tensor), sources[-1]
            return
        index = len(self.operations)
        axis = _axis(kind, tensor, self._axes.get(sources[0]))
        values = tensor.detach()
        operation = Operation(
            index=index,
            kind=kind,
            module=self._path[-1],
            parameters=tuple(sorted(names)),
            sources=sources,
            shape=tuple(tensor.shape),
            square=_mean_square(values),
            difference=_difference(values, self.samples),
            **slopes,
        )
        self.operations.append(operation)
        self._axes[index] = axis
        self._places[id(tensor)] = weakref.ref(tensor), index
        if tensor.requires_grad:
            tensor.register_hook(partial(_add_gradient, operation, axis, self.samples))

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
        rows = _by_unit(slopes, axis)
        limit = _SATURATED_SLOPE * _STEEPEST.get(kind, 0.0)
        return {
            "dead": float((rows == 0).all(dim=0).float().mean()),
            "saturated": float((rows.abs() < limit).float().mean()),
            "distinct": _distinct(_by_unit(z, axis), kind in _ODD),
        }

    def result(self, model: nn.Module, loss: Tensor) -> Trace:
        """The trace, after the backward pass."""
        end = self._place(loss)
        if end is None or end == BATCH:
            raise UsageError("the loss does not depend on the batch")
        weights = [
            Weight(
                name=name,
                shape=tuple(parameter.shape),
                square=_mean_square(parameter.detach()),
                gradient=nan if parameter.grad is None else float(parameter.grad.float().square().mean()),
                is_frozen=not parameter.requires_grad,
            )
            for name, parameter in model.named_parameters()
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


def _mean_square(values: Tensor) -> float:
    return float(values.double().square().mean())


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


def _axis(kind: str, tensor: Tensor, inherited: int | None) -> int:
    """Which axis of a result counts units or channels."""
    if kind in CHANNELS_FIRST and tensor.ndim > 2:
        return 1
    if kind in _UNITS_LAST:
        return -1
    return 1 if inherited == 1 and tensor.ndim > 2 else -1


def _by_unit(values: Tensor, axis: int) -> Tensor:
    """(samples x positions, units)."""
    return values.movedim(axis, -1).reshape(-1, values.shape[axis]) if values.ndim else values.reshape(1, 1)


def _difference(values: Tensor, samples: int) -> float:
    """1 - c over the samples, as `measure.layers.dissimilarity`; nan where no axis counts samples."""
    axis = next((axis for axis in range(min(values.ndim, 2)) if values.shape[axis] == samples), None)
    if axis is None:
        return nan
    rows = values.detach().movedim(axis, 0).reshape(samples, -1).double()
    norms = rows.norm(dim=1, keepdim=True)
    if not bool(norms.isfinite().all()):
        return nan
    unit = rows / norms.clamp_min(torch.finfo(torch.float64).tiny)
    return float((unit - unit.mean(dim=0)).square().sum() / (samples - 1))


def _distinct(rows: Tensor, up_to_sign: bool) -> float:
    """The share of units, columns of (N, units), that differ by more than rounding; see `LayerStatistics`."""
    generator = torch.Generator().manual_seed(0)
    random_rows = torch.randn(3, len(rows), generator=generator).to(rows.device, torch.float64)
    sums = (random_rows @ rows.double()).T
    if not bool(sums.isfinite().all()):
        return 1.0
    if up_to_sign:
        sums = torch.where(sums[:, :1] < 0, -sums, sums)
    in_order = sums[sums[:, 0].argsort()]
    steps = in_order.diff(dim=0).abs().amax(dim=1)
    size = (rows.double().square().mean() * len(rows)).sqrt()
    return (1 + int((steps > _ROUNDING * size).sum())) / len(sums)


def _add_gradient(operation: Operation, axis: int, samples: int, gradient: Tensor) -> None:
    """Note |d|^2, or that of its sum over positions, if it is more."""
    d = gradient.detach().double()
    whole = float(d.square().sum())
    if d.ndim > 2 and len(d) == samples:
        together = d.movedim(axis, 1).reshape(samples, d.shape[axis], -1).sum(dim=2)
        whole = max(whole, float(together.square().sum()))
    operation.gradient = whole
