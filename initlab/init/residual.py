"""Schemes for residual networks, which need no normalization: they keep the branches small at the start.

    x <- x + alpha F(x), with the product of m layers as F, and L such branches

A branch of He's variance adds as much as it gets, so each block doubles the signal's mean square. The
schemes below begin with branches that add nothing, or 1 / L of it. They are laws like those in `schemes`; the
role of a layer in its branch, L and m are filled in by `Scheme.within`.
"""

import math
from typing import Any

import numpy as np

from initlab.errors import require
from initlab.init.scheme import OWN, SCHEMES, Own, Place, Shape
from initlab.init.schemes import normal, variance_scaling
from initlab.nn.architecture import Role
from initlab.nn.arrays import FloatArray

Count = int | Own


def _fixup_variance(
    shape: Shape, role: Role = "plain", place: Place = "hidden", blocks: int = 1, every: int = 2
) -> float:
    """That of the weights of one layer."""
    if role == "branch_end" or place == "last":
        return 0.0
    shrinking = blocks ** (-1 / (every - 1)) if role == "branch" else 1.0
    return 2 * shrinking / shape[0]


@SCHEMES.register(
    "fixup",
    formula="W ~ N(0, 2 L^(-1/(m-1)) / n_in) in a branch of m layers; 0 at its end and for the logits",
    source="Zhang, Dauphin & Ma 2019, Fixup initialization: residual learning without normalization",
    variance=lambda shape, **network: _fixup_variance(shape, **network),
)
def fixup(
    rng: np.random.Generator,
    shape: Shape,
    *,
    role: Role | Own = OWN,
    place: Place | Own = OWN,
    blocks: Count = OWN,
    every: Count = OWN,
) -> FloatArray:
    """He's weights, times `L^(-1/(2m-2))` within a branch; 0 at the end of each branch and of the network.

    At the start every block is the identity. With L branches of m layers, one step of gradient descent then
    changes the network's outputs by an amount that does not depend on L.

    The paper also gives each branch a scalar multiplier that begins at 1, here `skip: {scale: learned}`, and
    each layer a scalar bias before it; ours have biases for each unit behind it.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        role: "plain", "branch" or "branch_end"; by default the layer's own in its network.
        place: of the layer; by default its own in its network.
        blocks: L, residual branches; by default the network's own.
        every: m, layers of a branch; by default the network's own.

    >>> layer = {"place": "hidden", "blocks": 16, "every": 2}
    >>> W = fixup(np.random.default_rng(0), (400, 400), role="branch", **layer)
    >>> round(float(W.var() * 400 * 16), 1), fixup(None, (2, 1), role="branch_end", **layer).tolist()
    (2.0, [[0.0], [0.0]])
    """
    network: dict[str, Any] = {"role": role, "place": place, "blocks": blocks, "every": every}
    std = math.sqrt(_fixup_variance(shape, **network))
    return normal(rng, shape, std=std) if std else np.zeros(shape)


@SCHEMES.register(
    "skipinit",
    formula="W ~ N(0, 2 / n_in); each branch's learned scale begins at 0",
    source="De & Smith 2020, Batch normalization biases residual blocks towards the identity, section 4",
    variance=lambda shape: 2 / shape[0],
    branch_scale=0.0,
)
def skipinit(rng: np.random.Generator, shape: Shape) -> FloatArray:
    """He's weights, and a learned scale of each branch that begins at 0, so that a block is the identity.

    It needs `skip: {scale: learned}`. The weights of a branch learn from the second step on, when its scale
    is no longer 0.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).

    >>> round(float(skipinit(np.random.default_rng(0), (400, 100)).var() * 400), 1)
    2.0
    """
    return variance_scaling(rng, shape, scale=2.0)


@SCHEMES.register(
    "rezero",
    formula="W ~ U(+-sqrt(6 / (n_in + n_out))); each branch's learned scale begins at 0",
    source="Bachlechner et al. 2020, ReZero is all you need: fast convergence at large depth, eq. 1",
    variance=lambda shape: SCHEMES["xavier_uniform"].variance(shape),
    branch_scale=0.0,
)
def rezero(rng: np.random.Generator, shape: Shape) -> FloatArray:
    """Xavier's weights, and a learned scale of each branch that begins at 0.

    The paper leaves the weights open, since a branch of scale 0 passes whatever they are; we draw Glorot's
    uniform. It differs from `skipinit` in these weights alone.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).

    >>> W = rezero(np.random.default_rng(0), (100, 50))
    >>> bool(abs(W).max() <= 0.2)
    True
    """
    return variance_scaling(rng, shape, scale=1.0, fan="average", distribution="uniform")


def _gpt2_variance(shape: Shape, std: float = 0.02, role: Role = "plain", blocks: int = 1) -> float:  # noqa: ARG001
    """That of the weights of one layer."""
    return std * std / (blocks if role == "branch_end" else 1)


@SCHEMES.register(
    "gpt2",
    formula="W ~ N(0, 0.02^2); at the end of each of L branches N(0, 0.02^2 / L)",
    source="Radford et al. 2019, Language models are unsupervised multitask learners, section 2.3",
    variance=_gpt2_variance,
)
def gpt2(
    rng: np.random.Generator,
    shape: Shape,
    *,
    std: float = 0.02,
    role: Role | Own = OWN,
    blocks: Count = OWN,
) -> FloatArray:
    """Normal weights; those at the end of a branch are divided by sqrt(L), with L residual branches.

    A transformer of N blocks has L = 2 N of them, hence the 1 / sqrt(2 N) of many programs.

    Args:
        rng: the generator to draw from.
        shape: (n_in, n_out).
        std: standard deviation, from 0 on; 0.02 by default.
        role: "plain", "branch" or "branch_end"; by default the layer's own in its network.
        blocks: L, residual branches; by default the network's own.

    Raises:
        UsageError: for a negative std.

    >>> W = gpt2(np.random.default_rng(0), (400, 400), role="branch_end", blocks=4)
    >>> W.std().round(3).item()
    0.01
    """
    require(std >= 0, f"std must be 0 or more, not {std:g}")
    network: dict[str, Any] = {"role": role, "blocks": blocks}
    return normal(rng, shape, std=math.sqrt(_gpt2_variance(shape, std, **network)))
