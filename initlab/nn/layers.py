"""The layers of a network: x -> forward -> y, and dy -> backward -> dx. A network is a list of them.

    Dense           y = x W + b                    (M, B, n_in) -> (M, B, n_out)
    Nonlinearity    y = phi(x)                     element by element
    Images          flat inputs -> images          (M, B, n) -> (M, C, H, W, B)
    Flatten         images -> vectors              (M, C, H, W, B) -> (M, B, n)
    Residual        y = x + scale branch(x)        the branch is a list of layers

Convolution and pooling are in `convolution`, Batch and Layer Normalization in `normalization`.

Symbols: M networks, B samples in a batch; vectors are (M, B, n), images (M, C, H, W, B) with C channels. dy
is the gradient of the loss with respect to y. Row m of every array belongs to network m, and rows never mix,
so a network has the same bits alone and in any ensemble.

Every layer keeps two rules: `forward` leaves x as it is, and `backward` may overwrite dy, so that gradients
pass through the network with few copies. Arrays are allocated when the batch size changes, not in every step.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from functools import cache
from numbers import Real
from typing import Any, Literal

import numpy as np

from initlab.errors import is_whole, require
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.arrays import FloatArray

Shape = tuple[int, ...]  # of one sample: (n,), or (C, H, W)


class Layer:
    """A layer without parameters that returns what it gets; the other layers say what they do differently.

    Attributes:
        parameters, gradients: for each parameter an array (M, ...), views of a network's row; `attach` sets
            them.
        passes_back: whether `backward` has to compute dx; false for the first layer with weights, whose dx
            nobody needs.
        is_affine: whether the layer is a product with weights W, plus biases b.
        parameter_names, state_names: of `parameters` and `state`, one for each, as a saved network has them.
    """

    parameters: Sequence[FloatArray] = ()
    gradients: Sequence[FloatArray] = ()
    parameter_names: Sequence[str] = ()
    state_names: Sequence[str] = ()
    is_affine = False
    passes_back = True

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a sample after this layer.

        Args:
            shape: of a sample before it.

        Raises:
            UsageError: when the layer cannot take such samples.
        """
        return shape

    def parameter_shapes(self, shape: Shape) -> list[Shape]:
        """The shapes of the layer's parameters in one network, for samples of a shape."""
        del shape
        return []

    def attach(self, parameters: Sequence[FloatArray], gradients: Sequence[FloatArray]) -> None:
        """Use these arrays as parameters and gradients.

        Args:
            parameters, gradients: one array (M, ...) for each of `parameter_shapes`.
        """
        self.parameters, self.gradients = parameters, gradients

    def state(self) -> list[FloatArray]:
        """What a network keeps besides parameters, such as running statistics: arrays (M, ...)."""
        return []

    def forward(self, x: FloatArray) -> FloatArray:
        """y, in an array that the next call overwrites."""
        return x

    def backward(self, dy: FloatArray) -> FloatArray:
        """dx for the batch of the last `forward`; fills `gradients`."""
        return dy


EMPTY: FloatArray = np.empty(0)
AFFINE = ("weights", "biases")  # the names of a product's parameters


def room(array: FloatArray, shape: Shape, dtype: np.dtype[Any]) -> FloatArray:
    """The array itself where it has this shape, otherwise a new one: a training step allocates nothing."""
    return array if array.shape == shape else np.empty(shape, dtype)


@cache
def ones(shape: Shape, dtype: np.dtype[Any]) -> FloatArray:
    """Ones, to sum by a matrix product: the bits of such a sum do not depend on M, as those of np.sum do."""
    array = np.ones(shape, dtype)
    array.flags.writeable = False
    return array


class Dense(Layer):
    """`y = x W + b`, with W of shape (M, n_in, n_out) and b of shape (M, n_out).

    Args:
        units: n_out.

    >>> layer = Dense(1)
    >>> layer.parameter_shapes((2,))
    [(2, 1), (1,)]
    >>> layer.attach([np.ones((1, 2, 1)), np.zeros((1, 1))], [np.zeros((1, 2, 1)), np.zeros((1, 1))])
    >>> layer.forward(np.array([[3.0, 4.0]])).tolist()
    [[[7.0]]]
    """

    parameter_names = AFFINE
    is_affine = True

    def __init__(self, units: int) -> None:
        require(is_whole(units) and units >= 1, f"a layer has 1 unit or more, not {units!r}")
        self.units = units
        self._y: FloatArray = EMPTY
        self._dx: FloatArray = EMPTY

    def __repr__(self) -> str:
        return f"Dense({self.units})"

    def output_shape(self, shape: Shape) -> Shape:
        """(n_out,)."""
        require(len(shape) == 1, f"a dense layer takes vectors, not images {shape}; put Flatten before it")
        return (self.units,)

    def parameter_shapes(self, shape: Shape) -> list[Shape]:
        """W and b."""
        return [(shape[0], self.units), (self.units,)]

    def forward(self, x: FloatArray) -> FloatArray:
        """`y = x W + b`.

        Args:
            x: (B, n_in) for all networks alike, or (M, B, n_in).
        """
        W, b = self.parameters
        self._x = x
        self._y = y = room(self._y, (len(W), x.shape[-2], self.units), W.dtype)
        np.matmul(x, W, out=y)
        y += b[:, None, :]
        return y

    def backward(self, dy: FloatArray) -> FloatArray:
        """`dW = x^T dy`, `db = sum of dy over the batch`, `dx = dy W^T`.

        Each entry y_ij is the sum over k of x_ik W_kj, so W_kj collects x_ik dy_ij over the samples i, and
        x_ik collects dy_ij W_kj over the units j.

        Source: Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors.
        """
        (W, _), (dW, db) = self.parameters, self.gradients
        batch_size = dy.shape[1]
        np.matmul(self._x.swapaxes(-1, -2), dy, out=dW)
        np.matmul(ones((1, batch_size), W.dtype), dy, out=db[:, None, :])
        if not self.passes_back:
            return dy
        self._dx = dx = room(self._dx, (len(W), batch_size, W.shape[1]), W.dtype)
        return np.matmul(dy, W.swapaxes(-1, -2), out=dx)


class Nonlinearity(Layer):
    """`y = phi(x)`, element by element.

    Args:
        activation: a name in `ACTIVATIONS`.

    Attributes:
        z, a: x and y of the last `forward`: the pre-activations and activations of a hidden layer.
        dz: the gradient with respect to z of the last `backward`. Where Batch Normalization comes before phi,
            its backward pass overwrites it by the gradient with respect to its own input.
    """

    def __init__(self, activation: str) -> None:
        self.activation = ACTIVATIONS[activation]
        self.z: FloatArray = EMPTY
        self.a: FloatArray = EMPTY
        self.dz: FloatArray = EMPTY

    def __repr__(self) -> str:
        return f"Nonlinearity({self.activation.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """For copies and pickle: the activation is found by its name, since a function may have no file."""
        return Nonlinearity, (self.activation.name,)

    def forward(self, x: FloatArray) -> FloatArray:
        """`phi(x)`."""
        self.z = x
        self.a = room(self.a, x.shape, x.dtype)
        return self.activation.function(x, self.a)

    def backward(self, dy: FloatArray) -> FloatArray:
        """`dx = dy phi'(x)`, in the place of dy."""
        self.dz = np.multiply(dy, self.activation.derivative(self.z, self.a), out=dy)
        return self.dz


class Images(Layer):
    """Flat inputs (B, C H W) or (M, B, C H W) as images (1, C, H, W, B) or (M, C, H, W, B).

    The batch is the last axis, so that the many short loops of a convolution run over long rows of memory.

    Args:
        shape: (C, H, W).
    """

    def __init__(self, shape: Shape) -> None:
        given: Any = shape  # from a notebook, whatever the annotation says
        sizes = tuple(given) if isinstance(given, Sequence) else ()
        fits = len(sizes) == 3 and all(is_whole(size) and size >= 1 for size in sizes)
        require(fits, f"the shape of images is (channels, rows, columns), not {given!r}")
        self.shape = sizes

    def __repr__(self) -> str:
        return f"Images({self.shape})"

    def output_shape(self, shape: Shape) -> Shape:
        """(C, H, W)."""
        size = int(np.prod(self.shape))
        given = shape[0] if len(shape) == 1 else shape
        require(shape == (size,), f"images of the shape {self.shape} need {size} inputs, not {given}")
        return self.shape

    def forward(self, x: FloatArray) -> FloatArray:
        """The images, batch last."""
        stacked = x if x.ndim == 3 else x[None]
        return np.ascontiguousarray(stacked.swapaxes(1, 2)).reshape(len(stacked), *self.shape, -1)

    def backward(self, dy: FloatArray) -> FloatArray:
        """The same numbers as vectors."""
        return dy.reshape(len(dy), -1, dy.shape[-1]).swapaxes(1, 2)


class Flatten(Layer):
    """Images (M, C, H, W, B) as vectors (M, B, C H W), channel by channel and row by row."""

    def __init__(self) -> None:
        self._dx: FloatArray = EMPTY

    def __repr__(self) -> str:
        return "Flatten()"

    def output_shape(self, shape: Shape) -> Shape:
        """(C H W,)."""
        require(len(shape) == 3, f"Flatten takes images (C, H, W), not vectors of {shape[0]}")
        return (int(np.prod(shape)),)

    def forward(self, x: FloatArray) -> FloatArray:
        """A view of the same numbers."""
        self._shape = x.shape
        return x.reshape(len(x), -1, x.shape[-1]).swapaxes(1, 2)

    def backward(self, dy: FloatArray) -> FloatArray:
        """The same numbers as images."""
        self._dx = room(self._dx, self._shape, dy.dtype)
        np.copyto(self._dx.reshape(len(dy), -1, self._shape[-1]), dy.swapaxes(1, 2))
        return self._dx


class Residual(Layer):
    """`y = x + scale branch(x)`: a skip connection around a list of layers.

    Args:
        branch: the layers, whose outputs have the shape of their inputs; they are copied.
        scale: of the branch, a number; or "learned", for a parameter (M,) that begins at 1.

    Attributes:
        outputs: y of the last `forward`.

    Source: He, Zhang, Ren & Sun 2016, Identity mappings in deep residual networks, eq. 4. A learned scale:
    De & Smith 2020 (SkipInit), Bachlechner et al. 2020 (ReZero).

    >>> block = Residual([Dense(4), Nonlinearity("relu"), Dense(4)], scale=0.5)
    >>> block
    Residual([Dense(4), Nonlinearity('relu'), Dense(4)], scale=0.5)
    >>> block.output_shape((4,))
    (4,)
    """

    def __init__(self, branch: Sequence[Layer], scale: float | Literal["learned"] = 1.0) -> None:
        valid = scale == "learned" or (isinstance(scale, Real) and not isinstance(scale, bool))
        require(valid, f"scale of a branch must be a number, or learned, not {scale!r}")
        self.branch, self.scale = unattached(branch), scale
        self.outputs: FloatArray = EMPTY
        self._dbranch: FloatArray = EMPTY

    def __repr__(self) -> str:
        return f"Residual({self.branch}, scale={self.scale!r})"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of x."""
        after = shape
        for layer in self.branch:
            after = layer.output_shape(after)
        require(after == shape, f"a branch must keep the shape {shape} of its inputs, not make it {after}")
        return shape

    @property
    def parameter_names(self) -> Sequence[str]:  # type: ignore[override]
        """That of a learned scale."""
        return ["branch_scales"] if self.scale == "learned" else []

    def parameter_shapes(self, shape: Shape) -> list[Shape]:  # noqa: ARG002
        """A learned scale; the parameters of the branch belong to its layers."""
        return [()] if self.scale == "learned" else []

    def attach(self, parameters: Sequence[FloatArray], gradients: Sequence[FloatArray]) -> None:
        """Begin a learned scale at 1."""
        super().attach(parameters, gradients)
        for scales in parameters:
            scales[...] = 1

    def _scales(self, dtype: np.dtype[Any], axes: int) -> FloatArray:
        """The scale of each network, (M, 1, ...), or of all, (1, 1, ...)."""
        scales = self.parameters[0] if self.scale == "learned" else np.array([self.scale], dtype)
        return scales.reshape(-1, *[1] * (axes - 1))

    def forward(self, x: FloatArray) -> FloatArray:
        """`x + scale branch(x)`."""
        out = x
        for layer in self.branch:
            out = layer.forward(out)
        self._out = out
        self.outputs = room(self.outputs, out.shape, out.dtype)
        np.multiply(out, self._scales(out.dtype, out.ndim), out=self.outputs)
        self.outputs += x
        return self.outputs

    def backward(self, dy: FloatArray) -> FloatArray:
        """`dx = dy + branch.backward(scale dy)`, and `dscale = sum of dy branch(x)` of each network.

        The branch may overwrite the gradient that it is given, so it gets a copy of dy.
        """
        self._dbranch = delta = room(self._dbranch, dy.shape, dy.dtype)
        if self.scale == "learned":
            products = np.multiply(dy, self._out, out=delta).reshape(len(dy), 1, -1)
            sums = products @ ones((products.shape[-1], 1), dy.dtype)
            self.gradients[0][...] = sums[:, 0, 0]
        np.multiply(dy, self._scales(dy.dtype, dy.ndim), out=delta)
        for layer in reversed(self.branch):
            delta = layer.backward(delta)
        delta += dy
        return delta


def walk(layers: Sequence[Layer], shape: Shape) -> Iterator[tuple[Layer, Shape]]:
    """Every layer with the shape of its samples, those in the branches before the sum.

    Args:
        layers: of a network.
        shape: of the first one's samples.

    >>> [layer for layer, _ in walk([Residual([Dense(2)]), Dense(1)], (2,))]
    [Dense(2), Residual([Dense(2)], scale=1.0), Dense(1)]
    """
    for layer in layers:
        if isinstance(layer, Residual):
            yield from walk(layer.branch, shape)
        yield layer, shape
        shape = layer.output_shape(shape)


def unattached(layers: Sequence[Layer]) -> list[Layer]:
    """Copies of layers that no network uses yet.

    One by one: a layer that is listed twice becomes two layers, each with weights of its own.

    Raises:
        UsageError: for anything that is no layer.
    """
    given: Any = layers  # from a notebook, whatever the annotation says
    each = list(given) if isinstance(given, Iterable) else [given]
    listed = isinstance(given, Iterable) and all(isinstance(layer, Layer) for layer in each)
    require(listed, f"layers are a list, as [Dense(100), Nonlinearity('relu'), Dense(10)], not {given!r}")
    return [deepcopy(layer) for layer in each]
