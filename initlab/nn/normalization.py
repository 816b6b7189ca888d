"""Batch and Layer Normalization: values -> mean 0, variance 1 -> a learned scale and shift.

    x_hat = (x - mean) / sqrt(variance + eps)        y = gamma x_hat + beta

Batch Normalization takes mean and variance over the samples of a batch, unit by unit (for images, channel by
channel); Layer Normalization over the units of a sample, sample by sample. Both learn a gamma and a beta for
each unit or channel.

Sources: Ioffe & Szegedy 2015, Batch Normalization: accelerating deep network training by reducing internal
covariate shift, algorithm 1; Ba, Kiros & Hinton 2016, Layer Normalization, section 3.1. Running statistics
and `eps` follow the conventions of PyTorch's BatchNorm1d and 2d, LayerNorm, and for images GroupNorm(1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, cast, get_args

import numpy as np

from initlab.errors import UsageError, require, unknown_name
from initlab.nn.arrays import FloatArray
from initlab.nn.layers import EMPTY, Layer, Shape, ones, room
from initlab.registry import Registry

Place = Literal["before", "after"]
PLACES: Registry[object] = Registry("place of Batch Normalization")
LAYER_NORM_PLACES: Registry[object] = Registry("place of Layer Normalization")


@PLACES.register(*get_args(Place))
def _arguments(*, momentum: float = 0.1, eps: float = 1e-5) -> None:
    """The arguments that a place of Batch Normalization accepts in brackets."""


@LAYER_NORM_PLACES.register(*get_args(Place))
def _layer_norm_arguments(*, eps: float = 1e-5) -> None:
    """The arguments that a place of Layer Normalization accepts in brackets."""


NORMS: Registry[object] = Registry("normalization")


@NORMS.register("batch")
def _batch(*, place: Place = "before", momentum: float = 0.1, eps: float = 1e-5) -> None:
    """The arguments of Batch Normalization."""


@NORMS.register("layer")
def _layer(*, place: Place = "before", eps: float = 1e-5) -> None:
    """The arguments of Layer Normalization."""


@dataclass(frozen=True)
class BatchNorm:
    """Where a network normalizes its hidden layers, and how it keeps running statistics.

    Attributes:
        place: "before" the activation function, as in the paper and in Saito's book, or "after" it.
        momentum: the share of the latest batch in the running mean and variance, above 0 and at most 1; 0.1
            by default. Evaluation normalizes by these.
        eps: added to the variance, against a division by 0; 1e-5 by default.

    Raises:
        UsageError: for another place, or a momentum or eps out of range.

    >>> BatchNorm().place
    'before'
    """

    place: Place = "before"
    momentum: float = 0.1
    eps: float = 1e-5

    @classmethod
    def parse(cls, text: str) -> "BatchNorm":
        """The rule that a text like `before`, `after` or `before(momentum=0.2, eps=1e-6)` stands for.

        Raises:
            UsageError: for an unknown place or argument, or a value out of range.

        >>> BatchNorm.parse("after(eps=1e-6)")
        BatchNorm(place='after', momentum=0.1, eps=1e-06)
        """
        place, arguments = PLACES.parse(text)
        return cls(cast(Place, place), **arguments)

    def __post_init__(self) -> None:
        if str(self.place) not in PLACES:
            raise UsageError(unknown_name(PLACES.kind, str(self.place), PLACES))
        fits = isinstance(self.momentum, Real) and 0 < self.momentum <= 1
        require(fits, f"momentum must be above 0 and at most 1, not {self.momentum!r}")
        _check_eps(self.eps)


@dataclass(frozen=True)
class LayerNorm:
    """Where a network normalizes the hidden layers of each sample.

    Attributes:
        place: "before" the activation function, as in the paper, or "after" it.
        eps: added to the variance, against a division by 0; 1e-5 by default.

    Raises:
        UsageError: for another place, or an eps out of range.
    """

    place: Place = "before"
    eps: float = 1e-5

    @classmethod
    def parse(cls, text: str) -> "LayerNorm":
        """The rule that a text like `before`, `after` or `before(eps=1e-6)` stands for.

        Raises:
            UsageError: for an unknown place or argument.

        >>> LayerNorm.parse("after")
        LayerNorm(place='after', eps=1e-05)
        """
        place, arguments = LAYER_NORM_PLACES.parse(text)
        return cls(cast(Place, place), **arguments)

    def __post_init__(self) -> None:
        if str(self.place) not in LAYER_NORM_PLACES:
            raise UsageError(unknown_name(LAYER_NORM_PLACES.kind, str(self.place), LAYER_NORM_PLACES))
        _check_eps(self.eps)


def _check_eps(eps: float) -> None:
    fits = isinstance(eps, Real) and 0 <= eps < math.inf
    require(fits, f"eps of a normalization must be 0 or more, and finite, not {eps!r}")


Norm = BatchNorm | LayerNorm


def parse_norm(text: str) -> Norm:
    """The normalization that a text like `batch`, `layer` or `layer(place=after)` stands for.

    Raises:
        UsageError: for an unknown kind, place or argument.

    >>> parse_norm("layer(place=after)")
    LayerNorm(place='after', eps=1e-05)
    """
    kind, arguments = NORMS.parse(text)
    return BatchNorm(**arguments) if kind == "batch" else LayerNorm(**arguments)


# What a person writes for a normalization: the rule, or its text.
NormLike = Norm | str


def as_norm(given: NormLike | None) -> Norm | None:
    """The normalization that a rule or its text stands for; None for none.

    Raises:
        UsageError: for a text that `parse_norm` refuses, or a value of another type.

    >>> as_norm("layer"), as_norm(None)
    (LayerNorm(place='before', eps=1e-05), None)
    """
    if isinstance(given, str):
        return parse_norm(given)
    rule = given is None or isinstance(given, BatchNorm | LayerNorm)
    accepted = "'batch', 'layer(place=after)', a BatchNorm or a LayerNorm"
    require(rule, f"norm must be one of {accepted}, not {given!r}")
    return given


class _Normalization(Layer):
    """What both have in common: gamma and beta, (M, n) for vectors or (M, C) for images."""

    parameter_names = ("scales", "shifts")

    def __init__(self) -> None:
        self._y: FloatArray = EMPTY
        self._inverse_std: FloatArray = EMPTY

    @property
    def std(self) -> FloatArray:
        """By what the last `forward` divided, ready to be broadcast with its inputs."""
        with np.errstate(all="ignore"):
            return np.asarray(1 / self._inverse_std)

    @property
    def gamma(self) -> FloatArray:
        """The scales, (M, n) or (M, C)."""
        return self.parameters[0]

    @property
    def beta(self) -> FloatArray:
        """The shifts, (M, n) or (M, C)."""
        return self.parameters[1]

    def parameter_shapes(self, shape: Shape) -> list[Shape]:
        """Gamma and beta, for each unit or channel."""
        return [shape[:1], shape[:1]]

    def attach(self, parameters: Sequence[FloatArray], gradients: Sequence[FloatArray]) -> None:
        """Begin with gamma 1 and beta 0."""
        super().attach(parameters, gradients)
        self.gamma[...], self.beta[...] = 1, 0

    def _scaled(self, normalized: FloatArray) -> FloatArray:
        """`gamma x_hat + beta`."""
        self._normalized = normalized
        self._y = y = room(self._y, normalized.shape, normalized.dtype)
        np.multiply(normalized, _each_unit(self.gamma, normalized), out=y)
        y += _each_unit(self.beta, normalized)
        return y


class BatchNormalization(_Normalization):
    """Batch Normalization of one layer in each of M networks.

    Args:
        rule: momentum and eps; the place is a matter of the network.

    Attributes:
        running_mean, running_variance: (M, n), moving averages over the training batches; 0 and 1 at first.
        training: whether `forward` normalizes by its batch and updates these, or normalizes by them.

    >>> layer = BatchNormalization(BatchNorm())
    >>> layer.attach([np.ones((1, 2)), np.zeros((1, 2))], [np.zeros((1, 2)), np.zeros((1, 2))])
    >>> layer.forward(np.array([[[1.0, 10.0], [3.0, 30.0]]])).round(3).tolist()
    [[[-1.0, -1.0], [1.0, 1.0]]]
    """

    state_names = ("running_means", "running_variances")
    training = True

    def __init__(self, rule: BatchNorm) -> None:
        super().__init__()
        self.rule = rule

    def __repr__(self) -> str:
        return f"BatchNormalization({self.rule})"

    def attach(self, parameters: Sequence[FloatArray], gradients: Sequence[FloatArray]) -> None:
        """Begin with gamma 1, beta 0, and running statistics of mean 0 and variance 1."""
        super().attach(parameters, gradients)
        self.running_mean, self.running_variance = np.zeros_like(self.gamma), np.ones_like(self.gamma)

    def state(self) -> list[FloatArray]:
        """The running statistics."""
        return [self.running_mean, self.running_variance]

    def forward(self, x: FloatArray) -> FloatArray:
        """`gamma x_hat + beta`, with the statistics of this batch in training and the running ones otherwise.

        Args:
            x: (M, B, n) or (M, C, H, W, B).
        """
        if self.training:
            mean = _mean_of_unit(x)
            centred = x - mean
            variance = _mean_of_unit(centred * centred)
            self._remember(mean, variance, _values_of_unit(x))
        else:
            centred = x - _each_unit(self.running_mean, x)
            variance = _each_unit(self.running_variance, x)
        self._inverse_std = 1 / np.sqrt(variance + x.dtype.type(self.rule.eps))
        return self._scaled(np.multiply(centred, self._inverse_std, out=centred))

    def backward(self, dy: FloatArray) -> FloatArray:
        """`dx = gamma / std (dy - mean(dy) - x_hat mean(dy x_hat))`, in the place of dy.

        `dgamma = sum(dy x_hat)` and `dbeta = sum(dy)`. The two subtracted terms come from the mean and the
        variance, which also depend on x.
        """
        size = _values_of_unit(dy)
        mean_dy, mean_product = _mean_of_unit(dy), _mean_of_unit(dy * self._normalized)
        dgamma, dbeta = self.gradients
        dbeta[...] = size * mean_dy.reshape(dbeta.shape)
        dgamma[...] = size * mean_product.reshape(dgamma.shape)
        dy -= mean_dy
        dy -= self._normalized * mean_product
        dy *= _each_unit(self.gamma, dy) * self._inverse_std
        return dy

    def _remember(self, mean: FloatArray, variance: FloatArray, size: int) -> None:
        share = mean.dtype.type(self.rule.momentum)
        # PyTorch keeps the unbiased variance, B / (B - 1) times the batch's; a batch of one sample has none.
        unbiased = variance * mean.dtype.type(size / max(size - 1, 1))
        self.running_mean += share * (mean.reshape(self.running_mean.shape) - self.running_mean)
        self.running_variance += share * (
            unbiased.reshape(self.running_variance.shape) - self.running_variance
        )


class LayerNormalization(_Normalization):
    """Layer Normalization of one layer in each of M networks.

    Args:
        rule: eps; the place is a matter of the network.

    >>> layer = LayerNormalization(LayerNorm())
    >>> layer.attach([np.ones((1, 2)), np.zeros((1, 2))], [np.zeros((1, 2)), np.zeros((1, 2))])
    >>> layer.forward(np.array([[[1.0, 3.0], [10.0, 30.0]]])).round(3).tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]]]
    """

    def __init__(self, rule: LayerNorm) -> None:
        super().__init__()
        self.rule = rule

    def __repr__(self) -> str:
        return f"LayerNormalization({self.rule})"

    def forward(self, x: FloatArray) -> FloatArray:
        """`gamma x_hat + beta`, in training and evaluation alike.

        Args:
            x: (M, B, n) or (M, C, H, W, B).
        """
        centred = x - _mean_of_sample(x)
        variance = _mean_of_sample(centred * centred)
        self._inverse_std = 1 / np.sqrt(variance + x.dtype.type(self.rule.eps))
        return self._scaled(np.multiply(centred, self._inverse_std, out=centred))

    def backward(self, dy: FloatArray) -> FloatArray:
        """`dx = 1 / std (g - mean(g) - x_hat mean(g x_hat))` with `g = gamma dy`, in the place of dy.

        The means are over the units of a sample. `dgamma = sum(dy x_hat)` and `dbeta = sum(dy)` are over the
        samples.
        """
        size, (dgamma, dbeta) = _values_of_unit(dy), self.gradients
        dbeta[...] = size * _mean_of_unit(dy).reshape(dbeta.shape)
        dgamma[...] = size * _mean_of_unit(dy * self._normalized).reshape(dgamma.shape)
        dy *= _each_unit(self.gamma, dy)
        mean_product = _mean_of_sample(dy * self._normalized)
        dy -= _mean_of_sample(dy)
        dy -= self._normalized * mean_product
        dy *= self._inverse_std
        return dy


NORMALIZATIONS = (BatchNormalization, LayerNormalization)


def normalization_of(rule: Norm) -> Layer:
    """The layer that a rule asks for."""
    return BatchNormalization(rule) if isinstance(rule, BatchNorm) else LayerNormalization(rule)


def _each_unit(values: FloatArray, x: FloatArray) -> FloatArray:
    """Numbers of units (M, n) for vectors x, or of channels (M, C) for images x, ready to be broadcast."""
    return values[:, None] if x.ndim == 3 else values[:, :, None, None, None]


def _values_of_unit(x: FloatArray) -> int:
    """How many values of x a unit or channel has: B, or H W B."""
    return int(x.shape[1] if x.ndim == 3 else x[0, 0].size)


def _mean_of_unit(x: FloatArray) -> FloatArray:
    """The means over the samples, and an image's places: (M, 1, n) or (M, C, 1, 1, 1).

    They are matrix products, whose bits do not depend on M.
    """
    size = _values_of_unit(x)
    if x.ndim == 3:
        return np.asarray(np.matmul(ones((1, size), x.dtype), x) / x.dtype.type(size))
    flat = x.reshape(*x.shape[:2], size)
    means = np.matmul(flat, ones((size, 1), x.dtype)) / x.dtype.type(size)
    return np.asarray(means)[:, :, :, None, None]


def _mean_of_sample(x: FloatArray) -> FloatArray:
    """The means over the units of each sample: (M, B, 1) or (M, 1, 1, 1, B)."""
    size = x.shape[2] if x.ndim == 3 else x[0, ..., 0].size
    if x.ndim == 3:
        return np.asarray(np.matmul(x, ones((size, 1), x.dtype)) / x.dtype.type(size))
    flat = x.reshape(len(x), size, x.shape[-1])
    means = np.matmul(ones((1, size), x.dtype), flat) / x.dtype.type(size)
    return np.asarray(means)[:, :, None, None, :]
