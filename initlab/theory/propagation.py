"""What each layer of a wide random network does to signals and gradients: Signal -> Signal, Gradient back.

    dense, convolution    E[z^2] = n_in Var(W) E[x^2] + Var(b)         E[dx^2] = n_out Var(W) E[dz^2]
    nonlinearity          E[phi(z)^2]                                  E[dz^2] = E[phi'(z)^2] E[dx^2]
    normalization         divides by a standard deviation              divides by it, too
    residual sum          E[x^2] + scale^2 E[branch(x)^2]              E[dy^2] + scale^2 E[dbranch^2]

A pre-activation is a sum of many small terms with weights of its own. So it is normal, and uncorrelated with
what it is added to. A convolution is in each place a dense layer with C k k inputs (Xiao et al. 2018,
Dynamical isometry and a mean field theory of CNNs, section 2): where its border is circular, an image has
the numbers of a dense network.

The order "post" bends a sum whose one part is not normal. There the distribution of a unit is followed as
draws: `phi(z) + scale branch`, with branches that are normal. On the way back, too, a unit's gradient depends
on its value, because a ReLU that is on in one sum is likely on in the next.

Two things are approximate. Where an image has other numbers in the middle than at a border of zeros, max
pooling and the order "post" take all places alike; and neighbours of an image are as different as samples.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from initlab.errors import UsageError, require
from initlab.init.quadrature import ActivationLike, Array, functions_of, plain_correlation
from initlab.nn.arrays import IntArray
from initlab.nn.convolution import AveragePool, Conv2d, MaxPool
from initlab.nn.layers import Dense, Flatten, Images, Layer, Nonlinearity, Residual, Shape
from initlab.nn.normalization import BatchNormalization, LayerNormalization
from initlab.theory.mean_field import moments
from initlab.theory.signals import DRAWS, Draws, Gradient, Hidden, Signal, normal

OWN_SPREADS = "theory of Batch Normalization after the activation needs biases of 0 and uncorrelated inputs"

Backward = Callable[[Gradient], Gradient]
Passed = tuple[Signal, Backward]
Draw = Callable[[int, int], Draws]
PairProduct = Callable[[ActivationLike, float, float], float]


def pair_product(activation: ActivationLike, q: float, p: float) -> float:
    """`E[phi(u) phi(v)]` for normal u, v with E[u^2] = E[v^2] = q and E[u v] = p, to about 1e-3.

    Args:
        activation: phi, a name or a function of an array.
        q: the variance of both.
        p: their covariance.

    >>> round(pair_product("relu", 2.0, 0.0), 3)
    0.318
    """
    is_finite = 0 < q < math.inf and math.isfinite(p)
    return plain_correlation(functions_of(activation)[0], q, p / q) if is_finite else math.nan


def no_product(activation: ActivationLike, q: float, p: float) -> float:
    """In place of `pair_product` where nobody needs products, which take most of the time."""
    del activation, q, p
    return math.nan


@dataclass
class Propagation:
    """A pass through a network.

    Attributes:
        activation: of the hidden layers.
        weights: (Var W, Var b) of each dense layer and convolution, in their order.
        branch_scale: where a learned scale of a branch begins.
        pair: `pair_product`, or `no_product`.
        hidden: the hidden layers that were passed; their gradients are found on the way back.
    """

    activation: ActivationLike
    weights: Iterator[tuple[float, float]]
    branch_scale: float = 1.0
    pair: PairProduct = pair_product
    hidden: list[Hidden] = field(default_factory=list)
    _seeds: Iterator[int] = field(default_factory=count)
    _divisor: float = 1.0
    _is_normalized: bool = False  # what the next layer gets

    def inputs(self, square: float, correlation: float) -> Signal:
        """Numbers of this mean square, with this correlation of two samples."""
        return normal(np.array(square), np.array(correlation * square), next(self._seeds))

    def through(self, layers: Sequence[Layer], x: Signal, shape: Shape) -> Passed:
        """Pass a signal through layers.

        Args:
            layers: of a network, or of a branch.
            x: what the first one gets.
            shape: of a sample there.

        Returns:
            The signal behind the last layer, and the function that turns gradients there into those of x.
        """
        backwards: list[Backward] = []
        for layer in layers:
            x, backward = self._pass(layer, x, shape)
            backwards.append(backward)
            shape = layer.output_shape(shape)

        def back(gradient: Gradient) -> Gradient:
            for backward in reversed(backwards):
                gradient = backward(gradient)
            return gradient

        return x, back

    def _pass(self, layer: Layer, x: Signal, shape: Shape) -> Passed:
        match layer:
            case Dense():
                return self._dense(layer, x, shape)
            case Conv2d():
                return self._convolution(layer, x, shape)
            case Nonlinearity():
                return self._nonlinearity(x)
            case BatchNormalization() | LayerNormalization():
                return self._normalization(layer, x)
            case Residual():
                return self._residual(layer, x, shape)
            case MaxPool():
                return _maximum(layer, x)
            case AveragePool():
                return _average(layer, x)
            case Images():
                return _places(x, shape=layer.shape[1:])
            case Flatten():
                return _places(x, shape=())
        raise UsageError(f"theory follows the layers of initlab, not {layer!r}")

    def _dense(self, layer: Dense, x: Signal, shape: Shape) -> Passed:
        weight, bias = next(self.weights)
        sigma_w2 = shape[0] * weight
        z = normal(sigma_w2 * x.square + bias, sigma_w2 * x.product + bias, next(self._seeds))

        def back(gradient: Gradient) -> Gradient:
            return Gradient(square=layer.units * weight * gradient.square)

        return z, back

    def _convolution(self, layer: Conv2d, x: Signal, shape: Shape) -> Passed:
        weight, bias = next(self.weights)
        sigma_w2 = shape[0] * layer.kernel**2 * weight
        square, product = (sigma_w2 * _patch_means(layer, part) + bias for part in (x.square, x.product))

        def back(gradient: Gradient) -> Gradient:
            spread = _patch_sums_back(layer, gradient.square, x.square.shape)
            return Gradient(square=layer.channels * weight * spread)

        return normal(square, product, next(self._seeds)), back

    def _nonlinearity(self, z: Signal) -> Passed:
        x, slope_squares = self._bent(z) if z.is_normal else self._bent_draws(z)
        hidden = Hidden(
            z=z,
            mean=float(x.mean.mean()),
            square=float(x.square.mean()),
            slope_square=float(slope_squares.mean()),
            divisor=self._divisor,
            size=float(self._divisor if self._is_normalized else z.square.mean()),
        )
        self.hidden.append(hidden)
        self._divisor, self._is_normalized = 1.0, False

        def back(gradient: Gradient) -> Gradient:
            square, units = slope_squares * gradient.chosen * gradient.square, None
            if not z.is_normal or gradient.units is not None:
                above = gradient.square.mean() if gradient.units is None else gradient.units
                units = x.draw(2, DRAWS).slopes[0] * gradient.chosen * above
                square = np.full(z.square.shape, units.mean())
            hidden.gradient = float(square.mean())
            alike = all(np.ptp(part) == 0 for part in (gradient.square, z.square))
            hidden.is_product = units is None and gradient.chosen == 1 and alike
            return Gradient(square=square, units=None if z.is_normal else units, hidden=hidden)

        return x, back

    def _bent(self, z: Signal) -> tuple[Signal, Array]:
        """phi(z) of a normal z, and E[phi'(z)^2]; each place that has other numbers is computed once."""
        chosen, which = _different_places(z)
        pairs = zip(z.square.flat[chosen], z.product.flat[chosen], strict=True)
        columns = np.array([self._moments(float(q), float(p)) for q, p in pairs])
        mean, square, product, slope_square = columns.T[:, which]
        x = Signal(
            square=square,
            product=product,
            mean=mean,
            has_own_spreads=_is_shared(z),
            draw=lambda number, size: self._bend(z.draw(number, size)),
        )
        return x, slope_square

    def _moments(self, q: float, p: float) -> tuple[float, float, float, float]:
        """E[phi], E[phi^2], E[phi phi'] of two samples, E[(d phi / dz)^2]."""
        single = moments(self.activation, q)
        product = self.pair(self.activation, q, p) if p else single.mean**2
        return single.mean, single.square, product, single.slope_square

    def _bend(self, draws: Draws) -> Draws:
        phi, slope = functions_of(self.activation)
        with np.errstate(all="ignore"):
            return Draws(phi(draws.values), slope(draws.values) ** 2)

    def _bent_draws(self, z: Signal) -> tuple[Signal, Array]:
        """The same of a z that is not normal, from its draws."""

        def draw(number: int, size: int) -> Draws:
            return self._bend(z.draw(number, size))

        pair = draw(2, DRAWS)
        x = _measured(draw, z, pair, z.square.shape)
        return x, np.full(z.square.shape, pair.slopes.mean())

    def _normalization(self, layer: BatchNormalization | LayerNormalization, x: Signal) -> Passed:
        normalized, variance = _normalized(layer, x)
        divisor = np.float64(variance + layer.rule.eps)  # 0 where all is 0 and eps, too
        if x.is_normal:
            self._divisor, self._is_normalized = divisor, True
            normalized = normal(normalized.square, normalized.product, next(self._seeds))
        else:
            self.hidden[-1].divisor = divisor

        def back(gradient: Gradient) -> Gradient:
            units = None if gradient.units is None else gradient.units / divisor
            square = gradient.square / divisor
            if gradient.hidden is not None:
                # Subtracted means blur the zeros of phi'.
                gradient.hidden.gradient, gradient.hidden.is_product = float(square.mean()), False
            return replace(gradient, square=square, units=units)

        return normalized, back

    def _residual(self, layer: Residual, x: Signal, shape: Shape) -> Passed:
        branch, branch_back = self.through(layer.branch, x, shape)
        self._is_normalized = False
        scale = self.branch_scale if layer.scale == "learned" else layer.scale
        y = _sum(x, branch, scale)
        if y.is_normal:
            y = normal(y.square, y.product, next(self._seeds))

        def back(gradient: Gradient) -> Gradient:
            inner = branch_back(Gradient(square=scale**2 * gradient.square))
            square, units = gradient.square + inner.square, None
            if gradient.units is not None:
                units = gradient.units + inner.square.mean()
            # An ensemble adds the gradient that passes by the branch to what the branch's first layer holds.
            if inner.hidden is not None:
                inner.hidden.gradient = float(square.mean())
                inner.hidden.is_product = False
            return Gradient(square=square, units=units, hidden=inner.hidden)

        return y, back


def _different_places(z: Signal) -> tuple[IntArray, IntArray]:
    """Places that differ by more than rounding, and for each place the one of them that is like it."""
    if z.square.ndim == 0:
        return np.zeros(1, np.int64), np.zeros((), np.int64)
    with np.errstate(all="ignore"):
        parts = [(part / abs(part).max()).round(12) for part in (z.square, np.nan_to_num(z.product))]
    keys = np.stack(parts).reshape(2, -1)
    _, chosen, which = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    return chosen, which.reshape(z.square.shape)


def _patch_means(layer: Conv2d, places: Array) -> Array:
    """The mean over the patch that each kernel sees; what lies beyond a border of zeros counts as 0."""
    padded = np.pad(places, layer.padding, mode="wrap" if layer.border == "circular" else "constant")
    windows = sliding_window_view(padded, (layer.kernel, layer.kernel))
    return np.asarray(windows[:: layer.stride, :: layer.stride].mean(axis=(2, 3)))


def _patch_sums_back(layer: Conv2d, places: Array, below: tuple[int, ...]) -> Array:
    """For each place below, the sum over the patches that it stands in."""
    p, step, (rows, columns) = layer.padding, layer.stride, places.shape
    height, width = below
    padded = np.zeros((height + 2 * p, width + 2 * p))
    for u in range(layer.kernel):
        for v in range(layer.kernel):
            padded[u : u + step * rows : step, v : v + step * columns : step] += places
    if layer.border == "circular" and p:
        outer = [np.pad(np.arange(n), p, mode="wrap") for n in below]
        sums = np.zeros(below)
        np.add.at(sums, np.ix_(*outer), padded)
        return sums
    return padded[p : p + height, p : p + width]


def _normalized(layer: BatchNormalization | LayerNormalization, x: Signal) -> tuple[Signal, Array]:
    """`(x - mean) / std`, and the variance: over samples and places of a unit, or over units and places.

    The mean square of a unit's mean over many samples is that of the product of two.
    """
    if isinstance(layer, BatchNormalization):
        require(not x.has_own_spreads, OWN_SPREADS)
        shift, removed = x.mean, x.product
    else:
        shift = x.mean.mean()
        removed = 2 * x.mean * shift - shift**2
    variance = np.asarray((x.square - removed).mean())
    factor = float(1 / np.sqrt(variance + layer.rule.eps))

    def draw(number: int, size: int) -> Draws:
        draws = x.draw(number, size)
        return Draws(factor * (draws.values - float(np.mean(shift))), draws.slopes)

    normalized = Signal(
        square=factor**2 * (x.square - removed),
        product=factor**2 * (x.product - removed),
        mean=factor * (x.mean - shift),
        has_own_spreads=x.has_own_spreads,
        draw=draw,
    )
    return normalized, variance


def _is_shared(x: Signal) -> bool:
    """Whether two samples of a unit have something in common, as a bias."""
    return bool(np.nan_to_num(x.product).any())


def _sum(x: Signal, branch: Signal, scale: float) -> Signal:
    """`x + scale branch`, for a branch that ends with weights of its own, and so has mean 0."""

    @cache
    def draw(number: int, size: int) -> Draws:
        values = x.draw(number, size).values + scale * branch.draw(number, size).values
        return Draws(values, np.broadcast_to(1.0, values.shape))

    return Signal(
        square=x.square + scale**2 * branch.square,
        product=x.product + scale**2 * branch.product,
        mean=x.mean,
        is_normal=x.is_normal and branch.is_normal,
        has_own_spreads=x.has_own_spreads or _is_shared(branch),
        draw=draw,
    )


def _measured(draw: Draw, below: Signal, pair: Draws, shape: tuple[int, ...]) -> Signal:
    """A signal with these draws, of which a pair is given; it is the same in all places (H, W)."""
    first, second = pair.values
    numbers = (pair.values**2).mean(), (first * second).mean(), pair.values.mean()
    square, product, mean = (np.full(shape, number) for number in numbers)
    spreads = below.has_own_spreads or _is_shared(below)
    return Signal(square=square, product=product, mean=mean, has_own_spreads=spreads, draw=draw)


def _maximum(layer: MaxPool, x: Signal) -> Passed:
    """The largest of n = size^2 places; backward it alone gets the gradient, a share 1 / n of all places."""
    n = layer.size**2

    def draw(number: int, size: int) -> Draws:
        draws = x.draw(number * n, size)
        values, slopes = (part.reshape(number, n, size) for part in (draws.values, draws.slopes))
        largest = values.argmax(axis=1, keepdims=True)
        pick = [np.take_along_axis(part, largest, axis=1)[:, 0] for part in (values, slopes)]
        return Draws(*pick)

    pooled = draw(2, max(DRAWS // n, 2000))
    y = _measured(draw, x, pooled, _squares(layer, x.square).shape[::2])
    usual = float(x.draw(2, DRAWS).slopes.mean())
    chosen = float(pooled.slopes.mean()) / usual if usual else 1.0

    def back(gradient: Gradient) -> Gradient:
        square = _unpooled(layer, gradient.square / n, x.square.shape)
        return Gradient(square=square, chosen=gradient.chosen * chosen)

    return y, back


def _average(layer: AveragePool, x: Signal) -> Passed:
    """The mean of n = size^2 places; backward each gets 1 / n of the gradient."""
    n = layer.size**2
    square, product, mean = (
        _squares(layer, part).mean(axis=(1, 3)) for part in (x.square, x.product, x.mean)
    )

    def draw(number: int, size: int) -> Draws:
        draws = x.draw(number * n, size)
        return Draws(*(part.reshape(number, n, size).mean(axis=1) for part in (draws.values, draws.slopes)))

    def back(gradient: Gradient) -> Gradient:
        square = _unpooled(layer, gradient.square / n**2, x.square.shape)
        return Gradient(square=square, chosen=gradient.chosen)

    square = square / n + product * (1 - 1 / n)
    return replace(x, square=square, product=product, mean=mean, is_normal=False, draw=draw), back


def _squares(layer: MaxPool | AveragePool, places: Array) -> Array:
    """(H, W) as whole squares, (H / size, size, W / size, size)."""
    rows, columns = (n // layer.size for n in places.shape)
    whole = places[: rows * layer.size, : columns * layer.size]
    return whole.reshape(rows, layer.size, columns, layer.size)


def _unpooled(layer: MaxPool | AveragePool, squares: Array, shape: tuple[int, ...]) -> Array:
    """The number of each square in all of its places; 0 where no whole square lies."""
    whole = squares.repeat(layer.size, axis=0).repeat(layer.size, axis=1)
    places = np.zeros(shape)
    places[: whole.shape[0], : whole.shape[1]] = whole
    return places


def _places(x: Signal, shape: tuple[int, ...]) -> Passed:
    """The same values in other places: each gets the mean over all."""

    def back(gradient: Gradient) -> Gradient:
        return replace(gradient, square=np.full(x.square.shape, gradient.square.mean()))

    square, product, mean = (np.full(shape, part.mean()) for part in (x.square, x.product, x.mean))
    return replace(x, square=square, product=product, mean=mean), back
