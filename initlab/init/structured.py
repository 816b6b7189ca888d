"""Schemes whose matrices have a structure: Hadamard matrices, and blocks that mirror each other.

They are laws like those in `schemes`. `mirror` draws other blocks in the first and the last layer, so it has
an argument `place`, which `Initialization.of_layer` sets.
"""

import math
from typing import Literal

import numpy as np

from initlab.init.scheme import SCHEMES, Place, Shape
from initlab.init.schemes import Gain, gain_of, identity, normal, orthogonal
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


@SCHEMES.register(
    "mirror",
    formula="W = gain [[O, -O], [-O, O]], O orthogonal; [O, -O] in the first layer, [O; -O] in the last",
    source="Balduzzi et al. 2017, The shattered gradients problem, looks-linear",
    also=("looks_linear",),
)
def mirror(
    rng: np.random.Generator,
    shape: Shape,
    *,
    weights: Weights = "orthogonal",
    gain: Gain = 1.0,
    place: Place = "hidden",
) -> FloatArray:
    """Hidden units in pairs of opposite pre-activations, u and -u, whose difference the next layer takes.

    So a pair passes on `psi(u) = phi(u) - phi(-u)`. For relu, gelu, swish and softplus this is u itself: the
    untrained network is linear. With square orthogonal O it keeps all lengths, whatever its depth; once
    weights move, the pairs part. For leaky_relu psi(u) is 1.01 u, which `gain` can undo.

    Unit k of a hidden layer of n units has its opposite in unit k + n // 2. In a layer of odd width the last
    unit has no opposite. It receives the signal, but its outgoing weights are 0, so at first it changes
    nothing.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        weights: of the block O: "orthogonal", with singular values 1, or "normal", of variance 1 over the
            number of its rows.
        gain: a factor of all weights, from 0 on, or the name of an activation function; see `gain_of`.
        place: "first", whose inputs are not paired; "hidden"; "last", whose outputs are not; or "only", for
            a network without hidden layers, where O is the whole matrix. By default the layer's own place in
            its network.

    Raises:
        UsageError: for a negative gain.

    >>> mirror(np.random.default_rng(0), (2, 2), weights="orthogonal").tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    >>> mirror(np.random.default_rng(0), (1, 2), place="first").tolist()
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
    return gain_of(gain) * O


def _block(rng: np.random.Generator, shape: Shape, weights: Weights) -> FloatArray:
    """The block O of `mirror`; it is empty where a layer of one unit has no pair."""
    if weights == "orthogonal" and min(shape):
        return orthogonal(rng, shape)
    return normal(rng, shape, std=1 / math.sqrt(max(shape[0], 1)))
