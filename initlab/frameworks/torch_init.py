"""Other weights for a PyTorch model: model, scheme, batch -> the model, drawn anew in place.

    trace -> the layers in the order of their calls -> a place for each -> Scheme.draw -> the weights

A weight of PyTorch, (n_out, n_in) or (channels out, channels in, kernel), is the transpose of our
(n_in, n_out), with the channels and the kernel together as inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, sqrt
from typing import Any

import numpy as np
import torch
from torch import nn

from initlab.errors import UsageError, require
from initlab.frameworks.decoder import Decoded, decoded
from initlab.frameworks.prediction import LAYERS, OURS, TRANSPOSED, stretch
from initlab.frameworks.torch_trace import (
    Loss,
    call,
    copied,
    copy_of,
    parts_of,
    random_states_kept,
    tensors_in,
    trace,
)
from initlab.frameworks.trace import NONLINEAR, NORMS, Operation, Trace
from initlab.init.networks import mean_square
from initlab.init.scheme import KernelShape, Place, Scheme
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.streams import Purpose, stream
from initlab.registry import Argument

# The schemes that pair or shift units, which needs to know what follows each layer.
_CHAINED = ("mirror", "shift", "auto")
# Those without a fan.
EMBEDDING_SCHEMES = ("zeros", "constant", "normal", "uniform", "truncated_normal")


@dataclass(frozen=True)
class Layer:
    """A layer whose weights are drawn.

    Attributes:
        weight: the name of its weight.
        bias: that of its bias, if it has one.
        place: in the model.
        stretch: of a transposed convolution, how many times more positions it gives than it takes; else 0.
    """

    weight: str
    bias: str | None
    place: Place
    stretch: float = 0.0


def init_(
    model: nn.Module,
    scheme: str | Scheme,
    batch: Any,
    *,
    last: str | Scheme | None = None,
    embedding: str | Scheme | None = None,
    branch_scale: float = 1.0,
    loss: Loss | None = None,
    seed: int = 0,
) -> nn.Module:
    """Draw the linear and convolutional layers of a model anew, in place; their biases become 0.

    What the scheme takes from a network, as its activation and depth, is read off a trace. Each number that a
    transposed convolution gives counts as many inputs as it sums: fewer, the more it stretches. Weights of
    other kinds, as of normalizations, recurrent layers and transposed convolutions in groups, stay as they
    are.

    Args:
        model: changed in place, and returned.
        scheme: as "he", "std=0.01", "orthogonal(gain=relu)" or "auto". `mirror`, `shift` and `auto`, whose
            biases may differ from 0, are for chains of layers with one activation function.
        batch: as for `diagnose`.
        last: another scheme for the layer that gives the output; "zeros" makes all outputs alike at first.
        embedding: a scheme for embeddings, which else stay as they are. It must not need a fan, for a row is
            looked up and not summed: "std=0.02" is GPT-2's. One that is the output layer too is left to that.
        branch_scale: by which the last layer of each residual branch is multiplied, or the scale of the
            normalization that ends it: 0 leaves the skip connections alone (Goyal et al. 2017; Zhang,
            Dauphin & Ma 2019), 1 / sqrt(blocks) keeps the sum's size at any depth (Hanin & Rolnick 2018).
        loss: as for `diagnose`.
        seed: of the draws, which are those of initlab's own networks.

    Raises:
        UsageError: for an unknown scheme, one that looks at data but `lsuv`, one that does not suit the
            model, or one for embeddings that it does not have.

    >>> model = nn.Sequential(nn.Linear(50, 40), nn.GELU(), nn.Linear(40, 40), nn.GELU(), nn.Linear(40, 3))
    >>> batch = torch.randn(20, 50), torch.randint(3, (20,))
    >>> round(init_(model, "std=0.1", batch)[2].weight.std().item(), 2)
    0.1
    """
    chosen = _scheme(scheme)
    output = chosen if last is None else _scheme(last)
    require(
        not chosen.is_data_dependent or chosen.name == "lsuv",
        f"{chosen} looks at data; of such schemes, init_ has lsuv",
    )
    require(last is None or not output.is_data_dependent, f"last: {output} looks at data")
    graph = trace(model, batch, loss)
    parameters = dict(model.named_parameters())
    layers = layers_of(graph, parameters)
    hidden, end = (each.within(**_network_of(each, graph, layers, batch)) for each in (chosen, output))
    # Into a copy: where something is refused on the way, the model is as it was.
    own = copy_of(model)
    drawn = dict(own.named_parameters())
    with torch.no_grad():
        for index, layer in enumerate(layers):
            law = end if layer.place in ("last", "only") else hidden
            _draw(drawn, layer, law.within(place=layer.place), seed, index)
        if embedding is not None:
            _draw_embeddings(own, layers, _scheme(embedding), seed)
        if chosen.name == "lsuv":
            _divide_by_std(own, layers, batch, chosen)
        if branch_scale != 1:
            _scale_branches(graph, drawn, branch_scale)
        for name, parameter in parameters.items():
            parameter.copy_(drawn[name])
    return model


def _scheme(given: str | Scheme) -> Scheme:
    return given if isinstance(given, Scheme) else Scheme.parse(given)


def _draw_embeddings(own: nn.Module, layers: Sequence[Layer], scheme: Scheme, seed: int) -> None:
    """Those that are no layers too."""
    require(
        scheme.name in EMBEDDING_SCHEMES,
        f"{scheme} is not for embeddings; those are {', '.join(EMBEDDING_SCHEMES)}",
    )
    parameters, layer_names = dict(own.named_parameters()), {layer.weight for layer in layers}
    tables = {id(each.weight) for each in own.modules() if isinstance(each, nn.Embedding)}
    names = [name for name, each in parameters.items() if id(each) in tables and name not in layer_names]
    require(bool(names), "the model has no embeddings of their own")
    for index, name in enumerate(names, start=len(layers)):
        table = parameters[name]
        _copy_into(table, scheme.draw(stream(seed, Purpose.WEIGHTS, index), (len(table), table.shape[1])))


def _divide_by_std(own: nn.Module, layers: Sequence[Layer], batch: Any, lsuv: Scheme) -> None:
    """Layer by layer, until the variance of its outputs on the batch is 1: `lsuv`, after a draw.

    Args:
        own: a copy of a model, which runs in training mode; its buffers change.
        layers: its layers, in the order of their calls.
        batch: as for `init_`.
        lsuv: the scheme, with its arguments.
    """
    parameters = dict(own.named_parameters())
    tolerance, iterations = (lsuv.arguments.get(*each) for each in (("tolerance", 0.1), ("iterations", 10)))
    for layer in layers:
        for _ in range(int(iterations)):
            variance = _variance_of(own, layer, batch)
            # A layer whose outputs are all equal, or overflow, has no scale that would help.
            if abs(variance - 1) <= float(tolerance) or not 0 < variance < inf:
                break
            parameters[layer.weight].div_(sqrt(variance))


def _variance_of(own: nn.Module, layer: Layer, batch: Any) -> float:
    """Of the outputs of a layer, that of its last call."""
    variances: list[float] = []

    def look(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        variances.append(float(output.double().var(unbiased=False)))

    module = own.get_submodule(layer.weight.rpartition(".")[0])
    handle = module.register_forward_hook(look)
    with random_states_kept():
        call(own, copied(parts_of(batch)[0]))
    handle.remove()
    is_layer = bool(variances) and isinstance(module, nn.Linear | nn.modules.conv._ConvNd)
    require(is_layer, f"lsuv needs layers that are modules, and {layer.weight} is used without one")
    return variances[-1]


def _scale_branches(graph: Trace, parameters: dict[str, nn.Parameter], factor: float) -> None:
    require(bool(graph.branch_ends), "the model has no residual branches whose scale could change")
    for name in {name for end in graph.branch_ends for name in end.parameters}:
        parameters[name].mul_(factor)


def schemes_of(model: nn.Module) -> dict[str, Decoded]:
    """From which schemes the weights of a model were drawn, by their statistics.

    Vectors, as biases, are left out: nn.Linear draws its own from the same range as its weights.

    Args:
        model: with weights (n_out, n_in) or (channels out, channels in, kernel); embeddings as they are.

    >>> print(schemes_of(nn.Linear(300, 200))["weight"].kind)
    uniform
    """
    arrays = {name: parameter.detach().cpu().double().numpy() for name, parameter in model.named_parameters()}
    return {name: decoded(W.T if W.ndim == 2 else W) for name, W in arrays.items() if W.ndim > 1}


def layers_of(graph: Trace, parameters: dict[str, nn.Parameter]) -> list[Layer]:
    """The layers that are drawn, each once, in the order of their calls."""
    layers: dict[str, Layer] = {}
    operations = [each for each in graph.operations if each.kind in LAYERS and each.parameters]
    for operation in operations:
        weights = [name for name in operation.parameters if parameters[name].ndim > 1]
        biases = [name for name in operation.parameters if parameters[name].ndim == 1]
        if len(weights) == 1 and weights[0] not in layers:
            place = _place(operation, operations)
            factor = 0.0
            if operation.kind in TRANSPOSED:
                factor = stretch(operation, graph, len(parameters[weights[0]]))
                if operation.shape[1] != parameters[weights[0]].shape[1] or isnan(factor):
                    continue
            layers[weights[0]] = Layer(weights[0], biases[0] if biases else None, place, factor)
    return list(layers.values())


def _place(operation: Operation, operations: Sequence[Operation]) -> Place:
    if len(operations) == 1:
        return "only"
    return "first" if operation is operations[0] else "last" if operation is operations[-1] else "hidden"


def _network_of(scheme: Scheme, graph: Trace, layers: Sequence[Layer], batch: Any) -> dict[str, Argument]:
    """What the scheme takes from the model."""
    if scheme.name in _CHAINED:
        _require_chain(scheme, graph)
    if not scheme.open_arguments:
        return {}
    network: dict[str, Argument] = {"depth": max(len(layers) - 1, 1)}
    inputs = next((each for each in tensors_in(batch) if each.is_floating_point()), None)
    if inputs is not None:
        network["input_square"] = mean_square(inputs.detach().cpu().double().numpy())
    if "activation" in scheme.open_arguments:
        network["activation"] = activation_of(graph)
    return network


def activation_of(graph: Trace) -> str:
    """The one activation function of a model, by our name.

    Raises:
        UsageError: for none, several, or one that this package does not have.
    """
    kinds = {OURS.get(each.kind, each.kind) for each in graph.operations if each.kind in NONLINEAR}
    if len(kinds) != 1 or not kinds <= set(ACTIVATIONS):
        names = ", ".join(sorted(kinds)) or "none"
        raise UsageError(
            f"the scheme needs one activation function of {', '.join(ACTIVATIONS)}; found: {names}"
        )
    return kinds.pop()


def _require_chain(scheme: Scheme, graph: Trace) -> None:
    """Without branches, normalizations or pooling that would mix what belongs together."""
    beside = {each.index for each in graph.operations[: graph.end + 1]} - {
        each.index for each in graph.bottlenecks
    }
    norms = any(each.kind in NORMS for each in graph.operations)
    message = f"{scheme.name} is for a chain of layers; this model has branches or normalizations"
    require(not beside and not norms, message)


def _draw(parameters: dict[str, nn.Parameter], layer: Layer, scheme: Scheme, seed: int, index: int) -> None:
    weight = parameters[layer.weight]
    if layer.stretch:
        weight = weight.transpose(0, 1)
    shape = KernelShape(weight.shape) if weight.ndim > 2 else (weight.shape[1], len(weight))
    W = scheme.draw(stream(seed, Purpose.WEIGHTS, index), shape)
    _copy_into(weight, W.T * sqrt(layer.stretch or 1))
    if layer.bias is not None:
        _copy_into(parameters[layer.bias], scheme.biases(W))


def _copy_into(parameter: nn.Parameter, values: np.ndarray[Any, Any]) -> None:
    parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)).reshape(parameter.shape))
