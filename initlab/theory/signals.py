"""Signals and gradients in wide random networks, as statistics: Signal, Hidden, Gradient.

An image is described place by place, in arrays (H, W), because a border of zeros takes energy from the places
beside it; a vector by arrays of the shape (). Two places of an image are as different as two samples, because
theory has inputs whose numbers are independent.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from initlab.init.quadrature import Array

# So many values stand for a distribution that is not normal; they make a moment good to some 1e-3.
DRAWS = 50_000


@dataclass(frozen=True)
class Draws:
    """Equally likely values of one unit for a few samples or places.

    Attributes:
        values: (count, K).
        slopes: the squared slope of the last activation function at each of them, (count, K).
    """

    values: Array
    slopes: Array


@dataclass(frozen=True, kw_only=True)
class Signal:
    """The values of a layer, over units and samples.

    Attributes:
        square: E[x^2] in each place.
        product: E[x x'] of two samples in each place; nan where nobody needs it.
        mean: E[x] in each place.
        is_normal: whether x is normal with mean 0.
        has_own_spreads: whether the variance over samples differs from unit to unit.
        draw: `draw(count, K)` gives K values of one unit for so many samples or places.
    """

    square: Array
    product: Array
    mean: Array
    is_normal: bool = False
    has_own_spreads: bool = False
    draw: Callable[[int, int], Draws]


def normal(square: Array, product: Array, seed: int) -> Signal:
    """A normal signal of mean 0.

    Args:
        square, product: as in `Signal`.
        seed: of its draws; signals of different seeds are independent.

    >>> signal = normal(np.array(2.0), np.array(0.5), 0)
    >>> first, second = signal.draw(2, 10_000).values
    >>> round(float((first * first).mean()), 1), round(float((first * second).mean()), 1)
    (2.0, 0.5)
    """

    def draw(number: int, size: int) -> Draws:
        q = float(square.mean())
        p = min(max(float(product.mean()), 0.0), q)
        shared, *own = normal_numbers(seed, number + 1, size)
        values = math.sqrt(p) * shared + math.sqrt(q - p) * np.array(own)
        return Draws(values, np.broadcast_to(1.0, values.shape))

    return Signal(square=square, product=product, mean=np.zeros_like(square), is_normal=True, draw=draw)


def normal_numbers(seed: int, rows: int, size: int) -> list[Array]:
    """Independent rows, each of which holds the quantiles of N(0, 1) in an order of its own.

    Args:
        seed: of the orders.
        rows: how many.
        size: of a row.
    """
    quantiles = normal_quantiles(size)
    return [np.random.default_rng([seed, row]).permutation(quantiles) for row in range(rows)]


def normal_quantiles(size: int) -> Array:
    """Of N(0, 1), one in the middle of each of `size` equal parts of its mass.

    >>> normal_quantiles(3).round(3).tolist()
    [-0.967, 0.0, 0.967]
    """
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(size) + 0.5) / size), np.float64)


@dataclass(eq=False, kw_only=True)
class Hidden:
    """A hidden layer.

    Attributes:
        z: what its activation function gets.
        mean, square: of its activations, over all places.
        slope_square: E[phi'(z)^2], over all places.
        divisor: by which a normalization beside the activation function divides squares; 1 without.
        size: the mean square of z, before a normalization that stands in front of the activation function.
        gradient: E[d^2] of the gradients d that `Ensemble.pre_activation_gradients` holds.
        is_product: whether d is phi'(z) times a normal number that is independent of z.
    """

    z: Signal
    mean: float
    square: float
    slope_square: float
    divisor: float
    size: float
    gradient: float = math.nan
    is_product: bool = False


@dataclass(frozen=True, kw_only=True)
class Gradient:
    """The gradients with respect to a layer's values.

    Attributes:
        square: E[d^2] in each place.
        units: E[d^2] for each of the `DRAWS` values of a unit, (K,), where it depends on the value.
        hidden: the hidden layer whose gradients these are, as an ensemble holds them.
        chosen: by what the next E[phi'^2] is larger than over all places, where a maximum chose among them.
    """

    square: Array
    units: Array | None = None
    hidden: Hidden | None = None
    chosen: float = 1.0
