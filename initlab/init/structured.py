"""Schemes whose matrices have a structure: Hadamard matrices, and starts for any activation and depth.

    mirror   units in pairs u, -u, whose difference the next layer takes      relu, gelu, elu, ...
    shift    units moved by a bias to where the activation is nearly straight   tanh, sigmoid, ...
    auto     whichever of the two suits the activation

They are laws like those in `schemes`. What they need to know of the network, the activation, the depth, the
place of the layer and the mean square of the inputs, `Scheme.within` fills in. `shaping` has the equations.
"""

import math
from typing import Any, Literal

import numpy as np

from initlab.errors import require
from initlab.init.scheme import OWN, SCHEMES, KernelShape, Own, Place, Shape
from initlab.init.schemes import Gain, gain_of, identity, normal, orthogonal
from initlab.init.shaping import find_mirror, find_shift, is_odd_plus_constant
from initlab.nn.arrays import FloatArray


def hadamard(order: int) -> FloatArray:
    """The Hadamard matrix of 2^order rows by Sylvester's rule, `H_{m+1} = [[H_m, H_m], [H_m, -H_m]]`.

    Its entries are 1 and -1 and its rows are orthogonal, so `H H^T = 2^order I`.

    Args:
        order: m, from 0 on.

    >>> hadamard(1).tolist()
    [[1.0, 1.0], [1.0, -1.0]]
    """
    H = np.ones((1, 1))
    for _ in range(order):
        H = np.block([[H, H], [H, -H]])
    return H


@SCHEMES.register(
    "delta_orthogonal",
    formula="a kernel's middle pixel is an orthogonal matrix times gain, the other pixels are 0",
    source="Xiao et al. 2018, Dynamical isometry and a mean field theory of CNNs, algorithm 2",
    variance=lambda shape, gain=1.0: _delta_variance(shape, gain),
)
def delta_orthogonal(rng: np.random.Generator, shape: Shape, *, gain: Gain = 1.0) -> FloatArray:
    """Each convolution begins as one orthogonal matrix, applied at every place of the image alike.

    Such a layer keeps lengths and angles exactly, where it has as many channels as its inputs or more, and
    for images of any size; Gaussian kernels of equal variance do so on average only, and mix neighbouring
    places, which makes them alike within some tens of layers. A dense layer is orthogonal.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out), or the `KernelShape` of kernels of odd size.
        gain: every singular value, a number from 0 on or the name of an activation function; see `gain_of`.

    >>> from initlab.init.scheme import KernelShape
    >>> W = delta_orthogonal(np.random.default_rng(0), KernelShape((4, 2, 3, 3))).reshape(2, 3, 3, 4)
    >>> middle = W[:, 1, 1]
    >>> bool(np.allclose(middle @ middle.T, np.eye(2))), int(np.count_nonzero(W)), middle.size
    (True, 8, 8)
    """
    if not isinstance(shape, KernelShape):
        return orthogonal(rng, shape, gain=gain)
    channels, below, *size = shape.kernels
    W = np.zeros((below, *size, channels))
    W[:, size[0] // 2, size[1] // 2] = orthogonal(rng, (below, channels), gain=gain)
    return W.reshape(shape)


def _delta_variance(shape: Shape, gain: Gain = 1.0) -> float:
    """The mean square of all weights, those that are 0 included."""
    channels, below, *size = shape.kernels if isinstance(shape, KernelShape) else shape
    return gain_of(gain) ** 2 / max(channels, below) / math.prod(size)


@SCHEMES.register(
    "zero",
    formula="W = I, cut where n_out <= n_in; else 2^(-(m-1)/2) H cut to n_in x n_out, m = ceil(log2 n_out)",
    source="Zhao, Schaefer & Anandkumar 2022, ZerO initialization, algorithm 1",
)
def zero(rng: np.random.Generator, shape: Shape) -> FloatArray:
    """ZerO: nothing is random. Layers that do not widen are identities; layers that widen mix their inputs.

    With H the Hadamard matrix of `2^m` rows, `m = ceil(log2 n_out)`, a layer that widens has the upper left
    block of `2^(-(m-1)/2) H`. There the identity would leave the units beyond n_in without any signal: with
    ReLU they never learn, and in all layers between, W - I keeps a rank of at most n_in (theorem 1).

    The paper's factor is sqrt(2) above the one that makes H orthogonal, and makes up for the half that ReLU
    loses. The authors' own example on MNIST leaves the sqrt(2) out.

    Args:
        rng: unused.
        shape: (n_in, n_out).

    >>> zero(np.random.default_rng(0), (3, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    >>> zero(np.random.default_rng(0), (1, 2)).tolist()
    [[1.0, 1.0]]
    """
    n_in, n_out = shape
    if n_out <= n_in:
        return identity(rng, shape)
    order = (n_out - 1).bit_length()  # the logarithm rounded up, without floats
    factor = math.sqrt(2.0 ** (1 - order))
    return factor * hadamard(order)[:n_in, :n_out]


Weights = Literal["orthogonal", "normal"]
Depth = int | Own
InputSquare = float | Own


@SCHEMES.register(
    "mirror",
    formula="W = k [[O, -O], [-O, O]], O orthogonal, k^2 = q / E[psi^2], psi(u) = phi(u) - phi(-u); "
    "[O, -O] in the first layer, [O; -O] in the last",
    source="Balduzzi et al. 2017, The shattered gradients problem, looks-linear, for ReLU",
    also=("looks_linear",),
)
def mirror(
    rng: np.random.Generator,
    shape: Shape,
    *,
    weights: Weights = "orthogonal",
    activation: str = OWN,
    depth: Depth = OWN,
    place: Place | Own = OWN,
    input_square: InputSquare = OWN,
) -> FloatArray:
    """Hidden units in pairs of opposite pre-activations, u and -u, whose difference the next layer takes.

    So a pair passes on `psi(u) = phi(u) - phi(-u)`. For relu, gelu, swish and softplus this is u itself: the
    untrained network is linear, and an isometry up to a factor where layers do not become narrower, whatever
    its depth. Once weights move, the pairs part. The variance q of the pre-activations is that of
    `find_mirror`, and with a block O of variance 1 over its rows the layers have the weights

        first     sqrt(q / E[x^2])   [O, -O]
        hidden    sqrt(q / E[psi^2]) [[O, -O], [-O, O]]
        last      sqrt(1 / E[psi^2]) [O; -O]

    Unit k of a hidden layer of n units has its opposite in unit k + n // 2. In a layer of odd width the last
    unit has no opposite. It receives the signal, but its outgoing weights are 0, so at first it changes
    nothing.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        weights: of the block O: "orthogonal", times `sqrt(max(1, columns / rows))`, or "normal"; both of
            variance 1 over the number of its rows.
        activation: phi, its name; by default the network's own.
        depth: hidden layers, from 1 on; by default the network's own.
        place: "first", whose inputs are not paired; "hidden"; "last", whose outputs are not; or "only", for
            a network without hidden layers, where O is the whole matrix. By default the layer's own place in
            its network.
        input_square: E[x^2] of the network's inputs; by default that of the data, or 1 without data.

    Raises:
        UsageError: for an unknown activation, a depth below 1 or an input_square that is not above 0.

    >>> relu = {"activation": "relu", "depth": 2, "input_square": 1.0}
    >>> mirror(np.random.default_rng(0), (2, 2), place="hidden", **relu).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    >>> mirror(np.random.default_rng(0), (1, 2), place="first", **relu).tolist()
    [[1.0, -1.0]]
    """
    n_in, n_out = shape
    inputs_paired, outputs_paired = place in ("hidden", "last"), place in ("first", "hidden")
    rows = n_in // 2 if inputs_paired else n_in
    columns = n_out // 2 if outputs_paired else n_out
    O = _block(rng, (rows, columns), weights)  # noqa: E741
    if outputs_paired:
        O = np.hstack([O, -O, _block(rng, (rows, n_out % 2), "normal")])  # noqa: E741
    if inputs_paired:
        O = np.vstack([O, -O, np.zeros((n_in % 2, n_out))])  # noqa: E741
    start = find_mirror(activation, int(depth))
    return _factor(place, start.q, start.square, float(input_square)) * O


def _subtract_means(
    W: FloatArray,
    *,
    weights: Weights = "orthogonal",  # noqa: ARG001
    activation: str,
    depth: int,
    place: Place,
    input_square: float,  # noqa: ARG001
) -> FloatArray:
    """The biases of `shift`: what moves units to beta, less what the mean m of their inputs adds."""
    start = find_shift(activation, depth)
    own = start.bias if place in ("first", "hidden") else 0.0
    received = start.mean if place in ("hidden", "last") else 0.0
    return np.asarray(own - received * W.sum(axis=0))


@SCHEMES.register(
    "shift",
    formula="W = (a / sqrt(v)) O, O orthogonal, b_i = beta - m sum_j W_ji, m and v the mean and variance of "
    "phi(a x + beta); a / sqrt(E[x^2]) O in the first layer, O / sqrt(v) in the last",
    source="Martens et al. 2021, Deep Kernel Shaping, here as weights and biases",
    biases=_subtract_means,
)
def shift(
    rng: np.random.Generator,
    shape: Shape,
    *,
    weights: Weights = "orthogonal",
    activation: str = OWN,
    depth: Depth = OWN,
    place: Place | Own = OWN,
    input_square: InputSquare = OWN,
) -> FloatArray:
    """Pre-activations `alpha x + beta`, x of variance 1, where the activation is as straight as depth needs.

    `find_shift` chooses alpha and beta, so that all layers together multiply squared gradients by a small
    factor only. With the mean m and the variance v of the activations there, and a matrix O of variance
    1 / n_in, the layers have the weights W and the biases b

        first     W = alpha / sqrt(E[x^2]) O    b_i = beta
        hidden    W = alpha / sqrt(v) O         b_i = beta - m sum_j W_ji
        last      W = 1 / sqrt(v) O             b_i = -m sum_j W_ji

    so that each layer receives activations less their mean. It suits functions that are odd up to a constant,
    as tanh and the sigmoid: `mirror` would give them pairs that never part. For an odd function beta and m
    are 0, and no bias is needed.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        weights: of the matrix O: "orthogonal", times `sqrt(max(1, n_out / n_in))`, or "normal".
        activation: phi, its name; by default the network's own.
        depth: hidden layers, from 1 on; by default the network's own.
        place: "first", "hidden", "last", or "only" for a network without hidden layers; by default the
            layer's own place in its network.
        input_square: E[x^2] of the network's inputs; by default that of the data, or 1 without data.

    Raises:
        UsageError: for an unknown activation, a depth below 1 or an input_square that is not above 0.

    >>> tanh = {"activation": "tanh", "depth": 10, "input_square": 1.0}
    >>> W = shift(np.random.default_rng(0), (50, 50), place="first", **tanh)
    >>> round(float((W**2).sum(axis=0).mean()), 3)
    0.291
    """
    start = find_shift(activation, int(depth))
    return _factor(place, start.scale**2, start.variance, float(input_square)) * _block(rng, shape, weights)


def start_for(activation: str) -> Literal["mirror", "shift"]:
    """The start that `auto` takes for an activation.

    Where phi(u) + phi(-u) is the same for all u, psi(u) = phi(u) - phi(-u) is twice phi without its constant:
    a pair of units computes nothing that one of them does not, both receive opposite gradients, and they
    never part. So these functions get `shift`, all others `mirror`.

    Args:
        activation: its name.

    >>> start_for("sigmoid"), start_for("gelu")
    ('shift', 'mirror')
    """
    return "shift" if is_odd_plus_constant(activation) else "mirror"


def _auto_biases(W: FloatArray, *, activation: str, **others: Any) -> FloatArray:
    is_shift = start_for(activation) == "shift"
    return _subtract_means(W, activation=activation, **others) if is_shift else np.zeros(W.shape[1])


@SCHEMES.register(
    "auto",
    formula="shift where phi(u) + phi(-u) is the same for all u, as for tanh and sigmoid; else mirror",
    source="initlab: experiments/any_activation.py",
    biases=_auto_biases,
)
def auto(
    rng: np.random.Generator,
    shape: Shape,
    *,
    weights: Weights = "orthogonal",
    activation: str = OWN,
    depth: Depth = OWN,
    place: Place | Own = OWN,
    input_square: InputSquare = OWN,
) -> FloatArray:
    """`shift` or `mirror`, whichever suits the activation; see `start_for`.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        weights: "orthogonal" or "normal" blocks.
        activation: its name; by default the network's own.
        depth: hidden layers, from 1 on; by default the network's own.
        place: of the layer; by default its own in its network.
        input_square: E[x^2] of the network's inputs; by default that of the data, or 1 without data.

    Raises:
        UsageError: for an unknown activation, a depth below 1 or an input_square that is not above 0.

    >>> first = {"activation": "relu", "depth": 2, "place": "first", "input_square": 0.25}
    >>> auto(np.random.default_rng(0), (1, 2), **first).tolist()
    [[2.0, -2.0]]
    """
    start = shift if start_for(activation) == "shift" else mirror
    return start(
        rng,
        shape,
        weights=weights,
        activation=activation,
        depth=depth,
        place=place,
        input_square=input_square,
    )


def _factor(place: str, own: float, received: float, input_square: float) -> float:
    """What multiplies a block of variance 1 over its rows.

    Args:
        place: of the layer.
        own: the variance that the layer's pre-activations shall have; 1 for the last layer.
        received: that of the hidden activations before it.
        input_square: that of the network's inputs.
    """
    require(input_square > 0, f"input_square must be above 0, not {input_square:g}")
    goal = own if place in ("first", "hidden") else 1.0
    return math.sqrt(goal / (received if place in ("hidden", "last") else input_square))


def _block(rng: np.random.Generator, shape: Shape, weights: Weights) -> FloatArray:
    """A matrix of variance 1 over the number of its rows, which may have no rows or no columns."""
    rows, columns = shape
    if weights == "orthogonal" and min(shape):
        return math.sqrt(max(1.0, columns / rows)) * orthogonal(rng, shape)
    return normal(rng, shape, std=1 / math.sqrt(max(rows, 1)))
