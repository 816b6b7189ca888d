"""Batch Normalization: each unit's values over the batch -> mean 0, variance 1 -> a learned scale and shift.

    x_hat = (x - mean) / sqrt(variance + eps)        over the samples of a batch, unit by unit
    y = gamma x_hat + beta

Source: Ioffe & Szegedy 2015, Batch Normalization: accelerating deep network training by reducing internal
covariate shift, algorithm 1; for running statistics and `eps`, the conventions of PyTorch's BatchNorm1d.
"""

from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np

from initlab.errors import UsageError, unknown_name
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.calls import checked_arguments, parameters_of, read_call

Place = Literal["before", "after"]
PLACES: tuple[str, ...] = get_args(Place)


def _arguments(*, momentum: float = 0.1, eps: float = 1e-5) -> None:
    """What may stand in brackets behind a place."""


@dataclass(frozen=True)
class BatchNorm:
    """Where a network normalizes its hidden layers, and how it remembers.

    Attributes:
        place: "before" the activation function, as in the paper and in Saito's book, or "after" it.
        momentum: the share of a batch in the running statistics, by which a trained network is judged.
        eps: added to the variance.

    Raises:
        UsageError: for another place, or a momentum outside 0 to 1.
    """

    place: Place = "before"
    momentum: float = 0.1
    eps: float = 1e-5

    @classmethod
    def parse(cls, text: str) -> "BatchNorm":
        """Read `before`, `after`, or with arguments `before(momentum=0.2, eps=1e-6)`.

        Raises:
            UsageError: for what is none of these.

        >>> BatchNorm.parse("after(eps=1e-6)")
        BatchNorm(place='after', momentum=0.1, eps=1e-06)
        """

        place, given = read_call("place of Batch Normalization", text)
        return cls(cast(Place, place), **checked_arguments(place, parameters_of(_arguments), given))

    def __post_init__(self) -> None:
        if self.place not in PLACES:
            raise UsageError(unknown_name("place of Batch Normalization", self.place, PLACES))
        if not 0 < self.momentum <= 1:
            told = "the momentum of Batch Normalization is above 0 and at most 1"
            raise UsageError(f"{told}, not {self.momentum}")


class Normalization:
    """Batch Normalization of one layer in M networks, each for itself.

    Args:
        rule: place, momentum and eps.
        gamma, beta: scale and shift, (M, n); views of an ensemble's parameters, set to 1 and 0.
        gamma_gradients, beta_gradients: likewise of its gradients.

    Attributes:
        running_mean, running_variance: (M, n), of the batches seen in training; at first 0 and 1.

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
        """`gamma x_hat + beta`, by the batch's statistics in training, else by the running ones.

        Args:
            x: (M, B, n).
            out: of the same shape, where the result is written; may be x.
            training: whether the running statistics learn from this batch.
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
        """From the gradient with respect to y to that with respect to x, in place, (M, B, n).

        `dx = gamma / std (dy - mean dy - x_hat mean(dy x_hat))`, `dgamma = sum dy x_hat`, `dbeta = sum dy`:
        mean and variance depend on x too.
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
        unbiased = variance * mean.dtype.type(size / max(size - 1, 1))
        self.running_mean += share * (mean - self.running_mean)
        self.running_variance += share * (unbiased - self.running_variance)

    def take(self, other: "Normalization", rows: IntArray) -> None:
        """The running statistics of the given rows of another."""
        self.running_mean[...] = other.running_mean[rows]
        self.running_variance[...] = other.running_variance[rows]


def _batch_mean(x: FloatArray) -> FloatArray:
    """Over the samples, (M, 1, n), as a matrix product, whose bits do not depend on M."""
    ones = np.full((1, x.shape[1]), 1, x.dtype)
    return np.asarray(np.matmul(ones, x) / x.dtype.type(x.shape[1]))
