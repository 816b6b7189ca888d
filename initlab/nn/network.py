"""Multilayer perceptrons, M of one shape: inputs -> forward -> logits -> loss -> backward -> gradients.

Row m of every array belongs to network m, and rows never mix: each matrix product runs over a stack of
matrices, one for each network, so a network has the same bits in any company.

Symbols: M networks, B samples in a batch, layers l = 0 ... L with n_l inputs and n_{l+1} outputs; the last
one gives the logits and has no activation function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
import numpy.typing as npt

from initlab.errors import UsageError
from initlab.nn.activations import get_activation
from initlab.nn.adaptive import Samples
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.initializers import INITIALIZERS, Scheme
from initlab.nn.losses import LOSSES
from initlab.nn.normalization import BatchNorm, Normalization
from initlab.nn.optimizers import Optimizer, clip_gradients, decay_weights
from initlab.nn.starts import Start
from initlab.nn.streams import Purpose, stream


@dataclass(frozen=True)
class StepRule:
    """What a step of training does beside the optimizer.

    Attributes:
        loss: a name in `LOSSES`.
        clip: the largest norm of a network's gradient; 0 for any.
        weight_decay: the strength by which parameters are drawn to 0, after clipping.
    """

    loss: str = "cross_entropy"
    clip: float = 0.0
    weight_decay: float = 0.0


_PLAIN = StepRule()


class Ensemble:
    """M perceptrons with the same layer sizes, each with weights of its own.

    Args:
        weights: one array for each layer, (M, n_l, n_{l+1}), or (n_l, n_{l+1}) for a single network; copied.
        biases: one array for each layer, (M, n_{l+1}) or (n_{l+1},); zeros by default.
        activation: the name of the hidden layers' activation function.
        dtype: "float32" (default) or "float64", for all arrays.
        batch_norm: Batch Normalization of the hidden layers; none by default.

    Attributes:
        sizes: (n_0, ..., n_{L+1}).
        parameters, gradients: (M, P), all weights and biases of a network in one row.
        weights, biases: the same numbers layer by layer, as views: `ensemble.weights[0][m] = W` sets them.
        weight_gradients, bias_gradients: those of `gradients`, from `backward`; an optimizer uses them up.
        normalizations: one for each hidden layer, or none.
        pre_activations: z of every layer as `forward` left them, (M, B, n_{l+1}), normalized if that is done
            before the activation function; the last are the logits.
        activations: phi(z) of every hidden layer.
        batches_before: (M,), how many batches of inputs each network's scheme has looked at.
        pre_activation_gradients: of the loss, for every hidden layer, as `backward` left them; before any
            normalization.

    Raises:
        UsageError: for arrays that do not fit each other, an unknown activation or dtype.

    >>> network = Ensemble([np.ones((3, 2)), np.ones((2, 1))], activation="relu")
    >>> network.forward(np.ones((1, 3))).tolist()
    [[[6.0]]]
    """

    def __init__(
        self,
        weights: Sequence[npt.ArrayLike],
        biases: Sequence[npt.ArrayLike] | None = None,
        activation: str = "relu",
        dtype: str = "float32",
        batch_norm: BatchNorm | None = None,
    ) -> None:
        stacks = [np.asarray(W) for W in weights]
        stacks = [W[None] if W.ndim == 2 else W for W in stacks]
        sizes, networks = _sizes(stacks), len(stacks[0])
        self._allocate(networks, sizes, activation, dtype, batch_norm)
        self.set_weights(stacks, biases)

    @classmethod
    def from_schemes(
        cls,
        sizes: Sequence[int],
        schemes: Sequence[str | Scheme | Start],
        seeds: int | Sequence[int] = 0,
        activation: str = "relu",
        dtype: str = "float32",
        samples: Callable[[int], Samples] | None = None,
        batch_norm: BatchNorm | None = None,
    ) -> "Ensemble":
        """One network for each scheme, with biases 0 unless a `Start` tells others.

        Args:
            sizes: (n_0, ..., n_{L+1}): inputs, units of each hidden layer, classes.
            schemes: as in a config, "he" or "normal(std=0.01)".
            seeds: one for all networks, which then have the same underlying draws, or one for each.
            activation: the name of the hidden layers' activation function.
            dtype: "float32" or "float64"; the draws are the same, rounded.
            samples: for schemes that look at data; `samples(seed)(batch_size)` is (batch_size, n_0).
            batch_norm: Batch Normalization of the hidden layers; none by default.

        Raises:
            UsageError: for an unknown scheme, activation or dtype, a size below 1, or a scheme that looks at
                data without any or together with Batch Normalization.

        >>> ensemble = Ensemble.from_schemes([784, 100, 10], ["he", "std=0.01"])
        >>> ensemble.weights[0].shape
        (2, 784, 100)
        """
        starts = [Start.of(scheme).within(activation) for scheme in schemes]
        each_seed = [seeds] * len(starts) if np.ndim(seeds) == 0 else list(cast(Sequence[int], seeds))
        if not starts or len(each_seed) != len(starts):
            raise UsageError(f"{len(starts)} schemes but {len(each_seed)} seeds; each network needs both")
        ensemble = cls.__new__(cls)
        ensemble._allocate(len(starts), tuple(sizes), activation, dtype, batch_norm)
        for row, (start, seed) in enumerate(zip(starts, cast(list[int], each_seed), strict=True)):
            ensemble._start(row, start, seed, samples)
        return ensemble

    def _start(self, row: int, start: Start, seed: int, samples: Callable[[int], Samples] | None) -> None:
        layers = len(self.weights)
        for layer, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            W[row], b[row] = start.draw(seed, layer, layers, W[row].shape)
        adapt = INITIALIZERS[start.scheme.name].adapt
        if adapt is None:
            return
        if samples is None:
            raise UsageError(f"{start.scheme} looks at data, and there is none")
        if self.normalizations:
            raise UsageError(f"{start.scheme} settles what Batch Normalization settles anew: use one of them")
        weights, biases = [W[row] for W in self.weights], [b[row] for b in self.biases]
        rng = stream(seed, Purpose.ADAPTATION)
        seen = adapt(weights, biases, self.activation, samples(seed), rng, **start.scheme.arguments)
        self.batches_before[row] = seen

    def _allocate(
        self, networks: int, sizes: tuple[int, ...], activation: str, dtype: str, batch_norm: BatchNorm | None
    ) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise UsageError(f"sizes must be at least two numbers from 1 on, not {list(sizes)}")
        if dtype not in ("float32", "float64"):
            raise UsageError(f"dtype must be float32 or float64, not {dtype!r}")
        self.sizes = sizes
        self.activation = get_activation(activation)
        affine = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
        scales = 2 * sum(sizes[1:-1]) if batch_norm else 0
        self.parameters: FloatArray = np.zeros((networks, affine + scales), dtype)
        self.gradients = np.zeros_like(self.parameters)
        self.weights, self.biases = _views(self.parameters, sizes)
        self.weight_gradients, self.bias_gradients = _views(self.gradients, sizes)
        self.batch_norm = batch_norm
        self.normalizations = self._normalizations(affine) if batch_norm else []
        self.batches_before: IntArray = np.zeros(networks, np.int64)
        self.pre_activations: list[FloatArray] = []
        self.activations: list[FloatArray] = []
        self.pre_activation_gradients: list[FloatArray] = []
        self._signals: list[FloatArray] = []
        self._inputs: FloatArray = np.empty((0, 0), dtype)

    def _normalizations(self, start: int) -> list[Normalization]:
        """One for each hidden layer, on the parameters from `start` on: its scales, then its shifts."""
        assert self.batch_norm is not None
        layers = []
        for n in self.sizes[1:-1]:
            scales, shifts = slice(start, start + n), slice(start + n, start + 2 * n)
            own = [array[:, part] for array in (self.parameters, self.gradients) for part in (scales, shifts)]
            layers.append(Normalization(self.batch_norm, *own))
            start += 2 * n
        return layers

    @property
    def networks(self) -> int:
        """M, the number of networks."""
        return len(self.parameters)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Of all arrays."""
        return self.parameters.dtype

    def set_weights(
        self, weights: Sequence[npt.ArrayLike], biases: Sequence[npt.ArrayLike] | None = None
    ) -> None:
        """Copy the given arrays, one for each layer, into all networks; shapes as in the constructor.

        Raises:
            UsageError: when their number or a shape does not fit.
        """
        for name, views, given in (("weights", self.weights, weights), ("biases", self.biases, biases)):
            if given is None:
                continue
            if len(given) != len(views):
                raise UsageError(f"{len(given)} arrays of {name} for {len(views)} layers")
            for layer, (view, array) in enumerate(zip(views, given, strict=True)):
                if np.shape(array) not in (view.shape, view.shape[1:]):
                    shapes = f"{np.shape(array)}, not {view.shape} or {view.shape[1:]}"
                    raise UsageError(f"{name} of layer {layer} have the shape {shapes}")
                view[...] = array

    def forward(self, inputs: FloatArray, *, training: bool = False) -> FloatArray:
        """`a_0 = inputs; z_l = a_l W_l + b_l; a_{l+1} = phi(z_l)`; the logits are the last z.

        Args:
            inputs: (B, n_0) for all networks alike, or (M, B, n_0).
            training: whether Batch Normalization goes by this batch and learns from it, or by what it has
                learnt, which is the default; without it, this makes no difference.

        Returns:
            The logits (M, B, n_{L+1}): an array that the next call with as many samples writes anew.
        """
        inputs = np.asarray(inputs, self.dtype)
        self._make_room(inputs.shape[-2])
        self._inputs = inputs
        hidden: list[FloatArray | None] = [*self.activations, None]
        signal = inputs
        for layer, (W, b, z) in enumerate(zip(self.weights, self.biases, self.pre_activations, strict=True)):
            np.matmul(signal, W, out=z)
            z += b[:, None, :]
            a = hidden[layer]
            if a is None:
                break
            if self.normalizations:
                signal = self._normalize(layer, z, a, training)
            else:
                signal = self.activation.function(z, a)
        return self.pre_activations[-1]

    def _normalize(self, layer: int, z: FloatArray, a: FloatArray, training: bool) -> FloatArray:
        """`phi(z)` with Batch Normalization before or after it."""
        normalization = self.normalizations[layer]
        if normalization.rule.place == "before":
            return self.activation.function(normalization.forward(z, z, training=training), a)
        self.activation.function(z, a)
        return normalization.forward(a, self._signals[layer], training=training)

    def backward(self, logit_gradient: FloatArray) -> None:
        """Fill `gradients` from the loss's gradient with respect to the logits, (M, B, n_{L+1}).

        With `d_l` the gradient with respect to z_l, the chain rule through `z_l = a_l W_l + b_l` gives
        `dW_l = a_l^T d_l`, `db_l = sum of d_l over the batch`, and through `a_l = phi(z_{l-1})`
        `d_{l-1} = (d_l W_l^T) phi'(z_{l-1})`. It needs what the last `forward` left, in training where there
        is Batch Normalization, whose step back lies before or after that of the slope.
        """
        delta = logit_gradient
        place = self.batch_norm.place if self.batch_norm else None
        for layer in reversed(range(len(self.weights))):
            signal = self._signals[layer - 1] if layer else self._inputs
            np.matmul(signal.swapaxes(-1, -2), delta, out=self.weight_gradients[layer])
            np.matmul(self._ones, delta, out=self.bias_gradients[layer][:, None, :])
            if layer:
                below = self.pre_activation_gradients[layer - 1]
                np.matmul(delta, self.weights[layer].swapaxes(-1, -2), out=below)
                if place == "after":
                    self.normalizations[layer - 1].backward(below)
                slope = self.activation.derivative(
                    self.pre_activations[layer - 1], self.activations[layer - 1]
                )
                delta = np.multiply(below, slope, out=below)
                if place == "before":
                    self.normalizations[layer - 1].backward(delta)

    def loss(self, inputs: FloatArray, labels: IntArray, loss: str = "cross_entropy") -> FloatArray:
        """The mean loss (M,) of each network over a batch; `gradients` then hold its gradient.

        Args:
            inputs: (B, n_0) or (M, B, n_0).
            labels: (B,) or (M, B), from 0 to n_{L+1} - 1.
            loss: a name in `LOSSES`.
        """
        losses, logit_gradient = LOSSES[loss](self.forward(inputs, training=True), labels)
        self.backward(logit_gradient)
        return losses

    def train_step(
        self,
        inputs: FloatArray,
        labels: IntArray,
        optimizer: Optimizer,
        rule: StepRule | None = None,
        lr_factor: float = 1.0,
    ) -> FloatArray:
        """One step of training on one batch; returns the losses (M,) *before* the update.

        Args:
            inputs, labels: as for `loss`.
            optimizer: for M networks.
            rule: the loss, and what is done to gradients; plain cross-entropy by default.
            lr_factor: of a schedule, for this step.

        >>> ensemble = Ensemble.from_schemes([4, 8, 3], ["he", "xavier"])
        >>> x, y, sgd = np.eye(4), np.array([0, 1, 2, 0]), Optimizer("sgd", lr=0.1)
        >>> losses = [ensemble.train_step(x, y, sgd) for step in range(50)]
        >>> bool((losses[-1] < losses[0]).all())
        True
        """
        rule = rule or _PLAIN
        losses = self.loss(inputs, labels, rule.loss)
        if rule.clip:
            clip_gradients(self.gradients, rule.clip)
        if rule.weight_decay:
            decay_weights(self.gradients, self.parameters, rule.weight_decay)
        optimizer(self.parameters, self.gradients, lr_factor)
        return losses

    def accuracy(self, inputs: FloatArray, labels: IntArray) -> FloatArray:
        """The fraction (M,) of the samples whose largest logit is that of the label."""
        correct = self.forward(inputs).argmax(axis=-1) == labels
        fractions: FloatArray = correct.mean(axis=1)
        return fractions

    def keep(self, rows: IntArray) -> "Ensemble":
        """A new ensemble of the networks of the given rows alone."""
        kept = Ensemble.__new__(Ensemble)
        kept._allocate(len(rows), self.sizes, self.activation.name, self.dtype.name, self.batch_norm)
        kept.parameters[...] = self.parameters[rows]
        kept.batches_before[...] = self.batches_before[rows]
        for own, other in zip(kept.normalizations, self.normalizations, strict=True):
            own.take(other, rows)
        return kept

    def _make_room(self, batch_size: int) -> None:
        if self.pre_activations and self.pre_activations[0].shape[1] == batch_size:
            return
        shapes = [(self.networks, batch_size, n) for n in self.sizes[1:]]
        self.pre_activations = [np.empty(shape, self.dtype) for shape in shapes]
        self.activations = [np.empty(shape, self.dtype) for shape in shapes[:-1]]
        self.pre_activation_gradients = [np.empty(shape, self.dtype) for shape in shapes[:-1]]
        apart = self.batch_norm is not None and self.batch_norm.place == "after"
        self._signals = [np.empty_like(a) for a in self.activations] if apart else self.activations
        self._ones = np.ones((1, batch_size), self.dtype)


def _sizes(stacks: Sequence[npt.NDArray[np.generic]]) -> tuple[int, ...]:
    """The layer sizes of stacked weights (M, n_l, n_{l+1}) that fit each other."""
    shapes = [W.shape for W in stacks]
    if not shapes or any(len(shape) != 3 for shape in shapes):
        raise UsageError(f"weights must have the shape (M, n_in, n_out) or (n_in, n_out), not {shapes}")
    follow_on = all(a[2] == b[1] and a[0] == b[0] for a, b in pairwise(shapes))
    if not follow_on:
        raise UsageError(f"the weights of one layer do not fit those of the next: {shapes}")
    return (shapes[0][1], *(shape[2] for shape in shapes))


def _views(flat: FloatArray, sizes: Sequence[int]) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
    """The weights and the biases of each layer within rows of P numbers, as views."""
    weights, biases, start = [], [], 0
    for n_in, n_out in pairwise(sizes):
        middle, end = start + n_in * n_out, start + (n_in + 1) * n_out
        weights.append(flat[:, start:middle].reshape(len(flat), n_in, n_out))
        biases.append(flat[:, middle:end])
        start = end
    return tuple(weights), tuple(biases)
