"""Batch Normalization: each unit's values over the batch -> mean 0, variance 1 -> a learned scale and shift.

    x_hat = (x - mean) / sqrt(variance + eps)        over the samples of a batch, unit by unit
    y = gamma x_hat + beta

Source: Ioffe & Szegedy 2015, Batch Normalization: accelerating deep network training by reducing internal
covariate shift, algorithm 1; running statistics and `eps` follow the conventions of PyTorch's BatchNorm1d.
"""

from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np

from initlab.errors import UsageError, require, unknown_name
from initlab.nn.arrays import FloatArray, IntArray
from initlab.registry import Registry

Place = Literal["before", "after"]
PLACES: Registry[object] = Registry("place of Batch Normalization")


@PLACES.register(*get_args(Place))
def _arguments(*, momentum: float = 0.1, eps: float = 1e-5) -> None:
    """The arguments that a place accepts in brackets."""


@dataclass(frozen=True)
class BatchNorm:
    """Where a network normalizes its hidden layers, and how it keeps running statistics.

    Attributes:
        place: "before" the activation function, as in the paper and in Saito's book, or "after" it.
        momentum: the share of the latest batch in the running mean and variance, above 0 and at most 1; 0.1
            by default. Evaluation normalizes by these.
        eps: added to the variance, against a division by 0; 1e-5 by default.

    Raises:
        UsageError: for another place, or a momentum out of range.

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
        if self.place not in PLACES:
            raise UsageError(unknown_name(PLACES.kind, self.place, PLACES))
        require(0 < self.momentum <= 1, f"momentum must be above 0 and at most 1, not {self.momentum}")


class Normalization:
    """Batch Normalization of one layer of n units in each of M networks.

    Args:
        rule: place, momentum and eps.
        gamma, beta: scale and shift, (M, n), views of an ensemble's parameters; set to 1 and 0 here.
        gamma_gradients, beta_gradients: their gradients, (M, n), views of an ensemble's gradients.

    Attributes:
        running_mean, running_variance: (M, n), moving averages over the training batches; 0 and 1 at first.

    >>> ones, zeros, room = np.ones((1, 2)), np.zeros((1, 2)), np.zeros((1, 2))
    >>> layer = Normalization(BatchNorm(), ones, zeros, room.copy(), room.copy())
    >>> x = np.array([[[1.0, 10.0], [3.0, 30.0]]])
    >>> layer.forward(x, np.empty_like(x), training=True).round(3).tolist()
    [[[-1.0, -1.0], [1.0, 1.0]]]
    """

    def __init__(
        self,
        rule: BatchNorm,
        gamma: FloatArray,
        beta: FloatArray,
        gamma_gradients: FloatArray,
        beta_gradients: FloatArray,
    ) -> None:
        self.rule, self.gamma, self.beta = rule, gamma, beta
        self.gamma_gradients, self.beta_gradients = gamma_gradients, beta_gradients
        gamma[...], beta[...] = 1, 0
        self.running_mean, self.running_variance = np.zeros_like(gamma), np.ones_like(gamma)
        self._normalized: FloatArray = np.empty((0, 0, 0), gamma.dtype)
        self._inverse_std = gamma[:, None]

    def forward(self, x: FloatArray, out: FloatArray, *, training: bool) -> FloatArray:
        """`gamma x_hat + beta`, with the statistics of this batch in training and the running ones otherwise.

        Args:
            x: (M, B, n).
            out: (M, B, n), the array that receives the result; it may be x.
            training: whether to normalize by this batch and update the running statistics.
        """
        if training:
            mean = _batch_mean(x)
            centred = x - mean
            variance = _batch_mean(centred * centred)
            self._remember(mean[:, 0], variance[:, 0], x.shape[1])
        else:
            centred = x - self.running_mean[:, None]
            variance = self.running_variance[:, None]
        self._inverse_std = 1 / np.sqrt(variance + x.dtype.type(self.rule.eps))
        self._normalized = np.multiply(centred, self._inverse_std, out=centred)
        np.multiply(self._normalized, self.gamma[:, None], out=out)
        out += self.beta[:, None]
        return out

    def backward(self, delta: FloatArray) -> None:
        """Turn the gradient with respect to y into the gradient with respect to x, in place.

        `dx = gamma / std (dy - mean(dy) - x_hat mean(dy x_hat))`, `dgamma = sum(dy x_hat)`, `dbeta =
        sum(dy)`. The two subtracted terms come from the mean and the variance, which also depend on x.

        Args:
            delta: dy, (M, B, n); dx afterwards.
        """
        size = delta.shape[1]
        mean_delta, mean_product = _batch_mean(delta), _batch_mean(delta * self._normalized)
        self.beta_gradients[...] = size * mean_delta[:, 0]
        self.gamma_gradients[...] = size * mean_product[:, 0]
        delta -= mean_delta
        delta -= self._normalized * mean_product
        delta *= self.gamma[:, None] * self._inverse_std

    def _remember(self, mean: FloatArray, variance: FloatArray, size: int) -> None:
        share = mean.dtype.type(self.rule.momentum)
        # PyTorch keeps the unbiased variance, B / (B - 1) times the batch's; a batch of one sample has none.
        unbiased = variance * mean.dtype.type(size / max(size - 1, 1))
        self.running_mean += share * (mean - self.running_mean)
        self.running_variance += share * (unbiased - self.running_variance)

    def take(self, source: "Normalization", rows: IntArray) -> None:
        """Copy the running statistics of some rows of a larger layer.

        Args:
            source: the same layer of an ensemble with more networks.
            rows: the rows of its networks, (M,).
        """
        self.running_mean[...] = source.running_mean[rows]
        self.running_variance[...] = source.running_variance[rows]

    def put(self, rows: IntArray, source: "Normalization") -> None:
        """Copy the running statistics of a smaller layer into some rows.

        Args:
            rows: the rows to overwrite, one for each network of the source.
            source: the same layer of an ensemble with fewer networks.
        """
        self.running_mean[rows] = source.running_mean
        self.running_variance[rows] = source.running_variance


def _batch_mean(x: FloatArray) -> FloatArray:
    """The means over the samples, (M, 1, n), by a matrix product: its bits do not depend on M."""
    ones = np.full((1, x.shape[1]), 1, x.dtype)
    return np.asarray(np.matmul(ones, x) / x.dtype.type(x.shape[1]))
