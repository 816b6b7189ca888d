"""Architectures: hidden layers, normalization, skip connections -> the list of a network's layers.

    100x4                                    four dense layers of 100 units
    conv(16, kernel=5), pool(2), 100         a convolution, pooling, a dense layer

Every dense layer and convolution is followed by the activation function, and the last layer, without one,
gives the logits. A skip connection goes around a few layers and adds their inputs to their outputs.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

from initlab.errors import UsageError, is_whole, require, shortened, unknown_name
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.convolution import AveragePool, Border, Conv2d, MaxPool
from initlab.nn.layers import Dense, Flatten, Images, Layer, Nonlinearity, Residual, Shape, walk
from initlab.nn.normalization import (
    BatchNormalization,
    LayerNormalization,
    Norm,
    NormLike,
    as_norm,
    normalization_of,
)
from initlab.registry import Registry, parameters_of, parts_of, read_number, written_value

# Units of a dense layer, the text of another one, or the shape of images.
Size = int | str | Shape

HIDDEN_LAYERS: Registry[Callable[..., Layer]] = Registry("layer")


@HIDDEN_LAYERS.register("conv")
def _conv(
    *,
    channels: int,
    kernel: int,
    stride: int = 1,
    padding: int | Literal["same"] = 0,
    border: Border = "zeros",
) -> Layer:
    return Conv2d(channels, kernel, stride, padding, border)


@HIDDEN_LAYERS.register("pool")
def _pool(*, size: int) -> Layer:
    return MaxPool(size)


@HIDDEN_LAYERS.register("average")
def _average(*, size: int) -> Layer:
    return AveragePool(size)


Order = Literal["pre", "post"]


@dataclass(frozen=True)
class Skip:
    """Skip connections: `every` layers become a branch, `x + scale branch(x)`.

    Attributes:
        every: how many layers a branch has; the last one may have fewer.
        scale: of each branch: a number; "1/sqrt(blocks)" or "1/sqrt(depth)", with the number of branches or
            of hidden layers; or "learned", a parameter of each branch that begins at 1 unless the scheme says
            otherwise.
        order: "pre" adds before the activation function, so that a branch begins with it and the sum is never
            bent (He et al. 2016b); "post" bends the sum: `phi(x + branch(x))` (He et al. 2016a).

    Raises:
        UsageError: for values that are not accepted.

    >>> Skip.parse("every=2, scale=1/sqrt(blocks)")
    Skip(every=2, scale='1/sqrt(blocks)', order='pre')
    """

    every: int = 2
    scale: float | str = 1.0
    order: Order = "pre"

    def __post_init__(self) -> None:
        whole = is_whole(self.every) and self.every >= 1
        require(whole, f"skip: every must be a whole number from 1 on, not {self.every!r}")
        words = ("learned", "1/sqrt(blocks)", "1/sqrt(depth)")
        number = isinstance(self.scale, int | float) and not isinstance(self.scale, bool)
        readable = math.isfinite(self.scale) if number else self.scale in words  # type: ignore[arg-type]
        require(readable, f"skip: scale must be a number, or {', '.join(words)}, not {self.scale!r}")
        if self.order not in ("pre", "post"):
            raise UsageError(unknown_name("order of skip", str(self.order), ("pre", "post")))

    @classmethod
    def parse(cls, text: str) -> "Skip":
        """The rule that a text like `2` or `every=2, scale=0.1, order=post` stands for.

        Raises:
            UsageError: for a text of another form.
        """
        given: dict[str, Any] = {}
        for part in parts_of(re.sub(r"^\s*(\d+)\s*(?=,|$)", r"every=\1", text)):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            require(bool(equals), f"cannot read the skip {shortened(text)}; write 2, or every=2, scale=0.5")
            if name not in ("every", "scale", "order"):
                raise UsageError(unknown_name("argument of skip", name, ("every", "scale", "order")))
            require(name not in given, f"skip: {name} is given twice in {shortened(text)}")
            given[name] = read_number(value)
            if name == "every" and re.fullmatch(r"\d{1,6}(\.0*)?", value):
                given[name] = int(float(value))
        return cls(**given)

    def __str__(self) -> str:
        scale = self.scale if isinstance(self.scale, str) else written_value(float(self.scale))
        parts = [f"every={self.every}", f"scale={scale}" if scale != "1" else "", f"order={self.order}"]
        return ", ".join(part for part in parts if part and part != "order=pre")


# What a person writes for skip connections: the rule, its text, or the number of layers that a branch has.
SkipLike = Skip | str | int


def as_skip(given: SkipLike | None) -> Skip | None:
    """The skip connections that a rule, its text or a number stands for; None for none.

    Raises:
        UsageError: for a text that `Skip.parse` refuses, or a value of another type.

    >>> as_skip(2) == as_skip("2") == Skip(every=2)
    True
    """
    if given is None or isinstance(given, Skip):
        return given
    return Skip.parse(given) if isinstance(given, str) else Skip(every=given)


def parse_layer(text: str) -> Layer:
    """The hidden layer that a text stands for: `100`, `conv(16, kernel=5)`, `pool(2)`, `average(7)`.

    Raises:
        UsageError: for an unknown layer or argument, or a value out of range.

    >>> parse_layer("conv(16, kernel=5)")
    Conv2d(16, kernel=5, stride=1, padding=0)
    """
    name, arguments = _read_layer(text)
    return Dense(arguments["units"]) if name == "dense" else HIDDEN_LAYERS[name](**arguments)


def canonical_layer(text: str) -> str:
    """The same text in one form, so that a record does not depend on how its layers were written.

    >>> canonical_layer("conv( channels=16,kernel=5, stride=1)"), canonical_layer(" 100")
    ('conv(16, kernel=5)', '100')
    """
    parse_layer(text)
    name, arguments = _read_layer(text)
    first, *others = arguments.items()
    if name == "dense":
        return str(first[1])
    return f"{name}({', '.join([str(first[1]), *(f'{key}={value}' for key, value in others)])})"


def _read_layer(text: str) -> tuple[str, dict[str, Any]]:
    """The name of a layer and its checked arguments, of which the first may stand without its name."""
    text = str(text).strip()
    if re.fullmatch(r"[1-9]\d{0,5}", text):
        return "dense", {"units": int(text)}
    name, _, rest = text.partition("(")
    if name.strip() not in HIDDEN_LAYERS:
        examples = ("100", *(f"{kind}(...)" for kind in HIDDEN_LAYERS))
        raise UsageError(unknown_name("layer", name.strip(), examples))
    problem = f"cannot read the layer {shortened(text)}"
    closed = rest.count("(") < rest.count(")") if rest else True
    require(closed, f"{problem}: a bracket is open; in a config, quotes keep a text with commas together")
    require(not re.search(r"\)\s*\w", rest), f"{problem}; write layers with commas between them")
    first = next(iter(parameters_of(HIDDEN_LAYERS[name.strip()])))
    named = re.sub(r"^\s*(\d+)\s*(?=[,)])", rf"{first}=\1", rest)
    return HIDDEN_LAYERS.parse(f"{name}({named}" if rest else text)


def hidden_sizes(given: str | Sequence[int | str]) -> tuple[int | str, ...]:
    """The hidden layers, from `[300, 100]`, "300,100", or "100x4" for four layers of 100.

    Layers that are not dense are texts: "conv(16, kernel=5), pool(2), 100", also "conv(16, kernel=3)x4".

    Raises:
        UsageError: for a text of another form.

    >>> hidden_sizes("100x4"), hidden_sizes([30, 20])
    ((100, 100, 100, 100), (30, 20))
    >>> hidden_sizes("conv(16, kernel=5)x2, 10x2")
    ('conv(16, kernel=5)', 'conv(16, kernel=5)', 10, 10)
    """
    layers: Any = given  # from a notebook, whatever the annotation says
    if isinstance(layers, str):
        parts: Iterable[int | str] = layers.split(",") if "(" not in layers else parts_of(layers)
    else:
        readable = isinstance(layers, Iterable) and all(map(_is_layer, layers := list(layers)))
        require(readable, f"hidden layers are given as [100, 100] or '100x2', not {shortened(layers)}")
        # YAML cuts a text at each comma: [conv(16, kernel=5), 10] is three texts.
        parts = parts_of(", ".join(map(str, layers))) if any(isinstance(n, str) for n in layers) else layers
    return tuple(size for part in parts for size in _sizes_of(part, given))


def _is_layer(given: object) -> bool:
    return is_whole(given) or isinstance(given, str)


def _sizes_of(part: int | str, given: object) -> list[int | str]:
    """The layers of one part: a number, a rectangle like 100x4, or another layer's text."""
    if not isinstance(part, str):
        return [int(part)]
    short = re.fullmatch(r"([1-9]\d{0,5})(?:x(\d{1,4}))?", part)
    if short:
        return [int(short[1])] * int(short[2] or 1)
    name, bracket, _ = part.partition("(")
    if not bracket and name.strip() not in HIDDEN_LAYERS:
        message = f"cannot read the layers {shortened(given)}; write units and layers, as 100x4, or 300,100"
        raise UsageError(message)
    repeated = re.fullmatch(r"(.*\))\s*x\s*(\d{1,4})", part.strip())
    return [canonical_layer(repeated[1])] * int(repeated[2]) if repeated else [canonical_layer(part)]


def network_layers(
    sizes: Sequence[Size], activation: str, norm: NormLike | None = None, skip: SkipLike | None = None
) -> list[Layer]:
    """The layers of a network, from its sizes.

    Args:
        sizes: the inputs, n_0 or (C, H, W); each hidden layer, its units or a text as "conv(16, kernel=5)";
            the classes. Where a convolution has n_0 inputs, they are a square grey image.
        activation: the name of the hidden layers' activation function.
        norm: Batch or Layer Normalization of the hidden layers, as "batch"; none by default.
        skip: skip connections, as 2; none by default.

    Raises:
        UsageError: for an unknown activation or layer, a size below 1, or layers that do not fit each other.

    >>> network_layers([784, 100, 10], "relu")
    [Dense(100), Nonlinearity('relu'), Dense(10)]
    >>> network_layers([784, "conv(4, kernel=5)", 10], "relu")[:2]
    [Images((1, 28, 28)), Conv2d(4, kernel=5, stride=1, padding=0)]
    """
    given: Any = sizes  # from a notebook, whatever the annotation says
    listed = isinstance(given, Iterable) and not isinstance(given, str | set)
    enough = listed and len(sizes := list(given)) >= 2
    enough = enough and all(is_whole(size) and size >= 1 for size in _numbers(sizes))
    require(enough, f"sizes must be at least two whole numbers from 1 on, not {sizes}{_hint(sizes)}")
    ACTIVATIONS[activation]  # also where no hidden layer has it
    inputs, *hidden, classes = sizes
    layers = [parse_layer(size) if isinstance(size, str) else Dense(cast(int, size)) for size in hidden]
    shape = _input_shape(inputs, layers)
    return stacked(shape, layers, cast(int, classes), activation, as_norm(norm), as_skip(skip))


def _hint(sizes: Any) -> str:
    """What was meant by a list of three numbers in the place of the inputs."""
    is_shape = isinstance(sizes, list) and bool(sizes) and isinstance(sizes[0], list) and len(sizes[0]) == 3
    return f"; images have the shape {tuple(sizes[0])}, in round brackets" if is_shape else ""


def _numbers(sizes: Sequence[Size]) -> list[Any]:
    """The sizes that must be numbers: all but the texts of hidden layers."""
    first = sizes[0] if isinstance(sizes[0], tuple) else sizes[:1]
    return [*first, *(size for size in sizes[1:-1] if not isinstance(size, str)), *sizes[-1:]]


def _input_shape(inputs: Size, hidden: Sequence[Layer]) -> Shape:
    """(n_0,), or (C, H, W) where a layer takes images."""
    if isinstance(inputs, tuple):
        require(len(inputs) == 3, f"the shape of images is (channels, rows, columns), not {inputs}")
        return inputs
    flat = cast(int, inputs)
    if all(isinstance(layer, Dense) for layer in hidden):
        return (flat,)
    side = math.isqrt(flat)
    message = f"{flat} inputs are no square image; give their shape as (channels, rows, columns)"
    require(side * side == flat, message)
    return (1, side, side)


@dataclass(frozen=True)
class Counts:
    """What a network costs.

    Attributes:
        parameters: weights and biases.
        units: of all dense layers and convolutions, the last one's logits included.
        products: multiplications of weights for one sample in a forward pass.
        largest: the weights of the largest layer.
    """

    parameters: int
    units: int
    products: int
    largest: int


@lru_cache(maxsize=1024)
def count(sizes: tuple[Size, ...]) -> Counts:
    """What a network of these sizes costs, without normalization and learned scales.

    Args:
        sizes: as for `network_layers`.

    >>> count((784, 100, 10))
    Counts(parameters=79510, units=110, products=79400, largest=78400)
    """
    layers = network_layers(sizes, "identity")
    walked = [(layer, shape) for layer, shape in walk(layers, (flat_size(sizes[0]),)) if layer.is_affine]
    weights = [math.prod(layer.parameter_shapes(shape)[0]) for layer, shape in walked]
    outputs = [layer.output_shape(shape) for layer, shape in walked]
    places = [math.prod(shape[1:]) for shape in outputs]
    return Counts(
        parameters=sum(weights) + sum(shape[0] for shape in outputs),
        units=sum(map(math.prod, outputs)),
        products=sum(number * where for number, where in zip(weights, places, strict=True)),
        largest=max(weights),
    )


def stacked(
    inputs: Shape,
    hidden: Iterable[Layer],
    classes: int,
    activation: str,
    norm: Norm | None = None,
    skip: Skip | None = None,
) -> list[Layer]:
    """The layers of a network whose hidden layers follow each other.

    Args:
        inputs: the shape of a sample, (n_0,) or (C, H, W); a network takes flat inputs in either case.
        hidden: dense layers, convolutions and pooling.
        classes: how many logits the last layer gives.
        activation: the name of the hidden layers' activation function.
        norm: Batch or Layer Normalization of the hidden layers; none by default.
        skip: skip connections; none by default. Layers that change the shape get none.

    Raises:
        UsageError: for layers that do not fit each other.

    >>> stacked((4,), [Dense(4), Dense(4), Dense(4)], 2, "relu", skip=Skip(2))[1]
    Residual([Nonlinearity('relu'), Dense(4), Nonlinearity('relu'), Dense(4)], scale=1.0)
    >>> stacked((1, 6, 6), [Conv2d(3, 3), MaxPool(2)], 2, "relu")[2:]
    [Nonlinearity('relu'), MaxPool(2), Flatten(), Dense(2)]
    """
    layers: list[Layer] = [Images(inputs)] if len(inputs) == 3 else []
    is_flat = len(inputs) == 1
    for layer in hidden:
        if isinstance(layer, Dense) and not is_flat:
            layers.append(Flatten())
            is_flat = True
        layers += _with_activation(layer, activation, norm) if layer.is_affine else [layer]
    layers += [Dense(classes)] if is_flat else [Flatten(), Dense(classes)]
    list(walk(layers, (flat_size(inputs),)))  # refuses layers that do not fit each other
    return layers if skip is None else _with_skips(layers, (flat_size(inputs),), skip)


def _with_activation(layer: Layer, activation: str, norm: Norm | None) -> list[Layer]:
    """A dense layer or convolution, followed by the activation function and perhaps a normalization."""
    phi = Nonlinearity(activation)
    if norm is None:
        return [layer, phi]
    normalization = normalization_of(norm)
    return [layer, normalization, phi] if norm.place == "before" else [layer, phi, normalization]


def _with_skips(layers: Sequence[Layer], shape: Shape, skip: Skip) -> list[Layer]:
    """The same layers with skip connections around those that keep the shape.

    A branch begins after a hidden layer and ends with the last product of another one; in the order "pre"
    the former's activation function is the branch's first layer, in the order "post" the latter's stands
    behind the sum.
    """
    shapes = [before for _, before in walk(layers, shape)]
    starts, ends = _cuts(layers, skip.order)
    if not starts:  # no hidden layers
        return list(layers)
    connected, hidden, blocks = list(layers[: starts[0]]), 0, []
    while hidden < len(starts) - 1:
        after = min(hidden + skip.every, len(starts) - 1)
        if shapes[starts[hidden]] == shapes[ends[after]]:
            blocks.append(Residual(layers[starts[hidden] : ends[after]]))
            connected += [blocks[-1], *layers[ends[after] : starts[after]]]
        else:
            after = hidden + 1
            connected += layers[starts[hidden] : starts[after]]
        hidden = after
    for block in blocks:
        block.scale = _scale(skip.scale, len(blocks), len(starts))
    return [*connected, *layers[starts[-1] :]]


def _cuts(layers: Sequence[Layer], order: Order) -> tuple[list[int], list[int]]:
    """For each hidden layer where a branch that follows it begins, and where one that it closes ends."""
    affine = [i for i, layer in enumerate(layers) if layer.is_affine][:-1]
    if order == "pre":
        behind = [i + 1 for i in affine]
        return behind, behind
    ends = [i for i, layer in enumerate(layers) if isinstance(layer, Nonlinearity)]
    is_norm = [isinstance(layers[i + 1], BatchNormalization | LayerNormalization) for i in ends]
    return [i + 2 if normalized else i + 1 for i, normalized in zip(ends, is_norm, strict=True)], ends


def _scale(scale: float | str, blocks: int, depth: int) -> float | Literal["learned"]:
    numbers = {"1/sqrt(blocks)": blocks**-0.5, "1/sqrt(depth)": depth**-0.5}
    if isinstance(scale, str):
        return "learned" if scale == "learned" else numbers[scale]
    return float(scale)


def flat_size(inputs: Size) -> int:
    """n_0, the length of the flat inputs that a network takes, also where they are images (C, H, W)."""
    return math.prod(inputs) if isinstance(inputs, tuple) else cast(int, inputs)


Role = Literal["plain", "branch", "branch_end"]  # of weights, with regard to skip connections


def roles(layers: Iterable[Layer]) -> list[Role]:
    """Where the weights of each dense layer and convolution stand: in a branch, at its end, or in none.

    Args:
        layers: of a network.

    >>> roles(network_layers([4, 4, 4, 4, 2], "relu", skip=Skip(2)))
    ['plain', 'branch', 'branch_end', 'plain']
    """
    places: list[Role] = []
    for layer in layers:
        if isinstance(layer, Residual):
            affine = sum(part.is_affine for part in layer.branch)
            places += ["branch"] * affine
            places[-1:] = ["branch_end"] * min(affine, 1)
        elif layer.is_affine:
            places.append("plain")
    return places


def residuals(layers: Iterable[Layer]) -> list[Residual]:
    """The skip connections of a network, from the first to the last."""
    return [layer for layer in layers if isinstance(layer, Residual)]
