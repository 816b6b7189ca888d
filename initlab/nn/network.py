"""M multilayer perceptrons of one shape, trained side by side.

    forward     inputs = a_0 -> z_0 = a_0 W_0 + b_0 -> a_1 = phi(z_0) -> ... -> z_L = logits -> loss
    backward    dW_0, db_0 <- d_0 <- dW_1, db_1 <- d_1 <- ... <- d_L = gradient of the loss in the logits
    training    inputs, labels -> forward -> loss -> backward -> clip, decay -> optimizer -> parameters

Row m of every array belongs to network m, and rows never mix: each matrix product runs over a stack of
matrices, one for each network, so a network has the same bits alone and in any ensemble.

Symbols: M networks, B samples in a batch, layers l = 0 ... L with n_l inputs and n_{l+1} outputs. The last
layer gives the logits and has no activation function.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from initlab.errors import UsageError, is_whole, require, shortened
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.losses import LOSSES, checked_labels
from initlab.nn.normalization import BatchNorm, Normalization
from initlab.nn.optimizers import Optimizer, clip_gradients, decay_weights
from initlab.threads import on_one_thread


@dataclass(frozen=True)
class StepRule:
    """What a training step does besides the optimizer's update.

    Attributes:
        loss: "cross_entropy", "squared_error" or "squared_error_logits".
        clip: the largest norm of a network's gradient; 0 for no limit. See `clip_gradients`.
        weight_decay: the strength of the pull towards 0, added after clipping; see `decay_weights`.
    """

    loss: str = "cross_entropy"
    clip: float = 0.0
    weight_decay: float = 0.0


PLAIN = StepRule()

# The names in `Ensemble.arrays` of the attributes of a `Normalization`.
_OF_NORMALIZATION = {
    "scales": "gamma",
    "shifts": "beta",
    "running_means": "running_mean",
    "running_variances": "running_variance",
}


class Ensemble:
    """M perceptrons with the same layer sizes and different weights.

    Args:
        weights: one array for each layer, (M, n_l, n_{l+1}), or (n_l, n_{l+1}) for a single network; copied.
        biases: one array for each layer, (M, n_{l+1}) or (n_{l+1},); zeros by default.
        activation: the name of the hidden layers' activation function, as "relu".
        dtype: "float32" (default) or "float64", for all arrays.
        batch_norm: Batch Normalization of the hidden layers; none by default.

    Attributes:
        sizes: (n_0, ..., n_{L+1}).
        parameters, gradients: (M, P), all weights, biases, scales and shifts of a network in one row.
        weights, biases: the same numbers layer by layer, as views: `ensemble.weights[0][m] = W` sets them.
        weight_gradients, bias_gradients: views of `gradients`, layer by layer; `backward` fills them, and an
            optimizer overwrites them.
        normalizations: one for each hidden layer; empty without Batch Normalization.
        pre_activations: z of every layer in the last `forward`, (M, B, n_{l+1}); with Batch Normalization
            before the activation function, the normalized z. The last entry holds the logits.
        activations: phi(z) of every hidden layer in the last `forward`.
        pre_activation_gradients: gradients of the loss with respect to a W + b of every hidden layer in the
            last `backward`.
        batches_before: (M,), how many batches each network was shown before its training.

    Raises:
        UsageError: for arrays that do not fit each other, or an unknown activation or dtype.

    >>> network = Ensemble([np.ones((3, 2)), np.ones((2, 1))], activation="relu")
    >>> network
    <Ensemble: 1 x 3-2-1, relu, float32>
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
    def zeros(
        cls,
        networks: int,
        sizes: Sequence[int],
        activation: str = "relu",
        dtype: str = "float32",
        batch_norm: BatchNorm | None = None,
    ) -> "Ensemble":
        """Networks whose weights and biases are all 0, for the caller to fill in.

        Args:
            networks: M, from 1 on.
            sizes: (n_0, ..., n_{L+1}): inputs, units of each hidden layer, classes.
            activation: the name of the hidden layers' activation function, as "relu".
            dtype: "float32" or "float64", for all arrays.
            batch_norm: Batch Normalization of the hidden layers; none by default.

        Raises:
            UsageError: for an unknown activation or dtype, or a size below 1.

        >>> [W.shape for W in Ensemble.zeros(3, [784, 100, 10]).weights]
        [(3, 784, 100), (3, 100, 10)]
        """
        ensemble = cls.__new__(cls)
        ensemble._allocate(networks, tuple(sizes), activation, dtype, batch_norm)
        return ensemble

    def __repr__(self) -> str:
        runs = [(size, len(list(run))) for size, run in groupby(self.sizes)]
        shape = "-".join(f"{size}x{count}" if count > 1 else f"{size}" for size, count in runs)
        norm = f", Batch Normalization {self.batch_norm.place}" if self.batch_norm else ""
        return f"<Ensemble: {self.networks} x {shape}, {self.activation.name}, {self.dtype}{norm}>"

    def _allocate(
        self, networks: int, sizes: tuple[int, ...], activation: str, dtype: str, batch_norm: BatchNorm | None
    ) -> None:
        positive = len(sizes) >= 2 and all(map(is_whole, sizes)) and min(sizes) >= 1
        require(positive, f"sizes must be at least two whole numbers from 1 on, not {list(sizes)}")
        require(dtype in ("float32", "float64"), f"dtype must be float32 or float64, not {dtype!r}")
        rule = batch_norm is None or isinstance(batch_norm, BatchNorm)
        require(rule, f"batch_norm must be a BatchNorm, as BatchNorm.parse('before'), not {batch_norm!r}")
        self.sizes = sizes
        self.activation = ACTIVATIONS[activation]
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
        """One for each hidden layer; its scales and then its shifts lie in the parameters from `start` on."""
        assert self.batch_norm is not None
        layers = []
        for n in self.sizes[1:-1]:
            scales, shifts = slice(start, start + n), slice(start + n, start + 2 * n)
            own = [array[:, part] for array in (self.parameters, self.gradients) for part in (scales, shifts)]
            layers.append(Normalization(self.batch_norm, *own))
            start += 2 * n
        return layers

    @classmethod
    def stack(cls, ensembles: "Sequence[Ensemble]") -> "Ensemble":
        """One ensemble with the networks of several, in their order; the numbers are copied.

        Args:
            ensembles: one or more, of one shape, activation, dtype and Batch Normalization.

        Raises:
            UsageError: for none, or for ensembles that differ in any of these.

        >>> Ensemble.stack([Ensemble.zeros(1, [3, 2]), Ensemble.zeros(2, [3, 2])])
        <Ensemble: 3 x 3-2, relu, float32>
        """
        kinds = {(each.sizes, each.activation.name, each.dtype.name, each.batch_norm) for each in ensembles}
        require(len(kinds) == 1, f"an ensemble has networks of one kind, not of {len(kinds)}")
        stacked = cls.zeros(sum(each.networks for each in ensembles), *kinds.pop())
        start = 0
        for each in ensembles:
            stacked.put(np.arange(start, start + each.networks), each)
            start += each.networks
        return stacked

    def arrays(self) -> dict[str, FloatArray]:
        """All numbers that decide what the networks compute, by name and layer, as views.

        `weights_0` is (M, n_0, n_1), `biases_0` is (M, n_1); with Batch Normalization also `scales_0`,
        `shifts_0`, `running_means_0` and `running_variances_0`, (M, n_1), for each hidden layer.

        >>> list(Ensemble.zeros(1, [3, 2]).arrays())
        ['weights_0', 'biases_0']
        """
        named = {"weights": self.weights, "biases": self.biases}
        for name, attribute in _OF_NORMALIZATION.items():
            named[name] = tuple(getattr(layer, attribute) for layer in self.normalizations)
        return {
            f"{name}_{layer}": array for name, layers in named.items() for layer, array in enumerate(layers)
        }

    def set_arrays(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Copy what `arrays` of networks of the same kind gave.

        Args:
            arrays: by name.

        Raises:
            UsageError: for other names, shapes or types of numbers.

        >>> a, b = Ensemble([np.ones((3, 2))]), Ensemble.zeros(1, [3, 2])
        >>> b.set_arrays(a.arrays())
        >>> b.forward(np.ones((1, 3))).tolist()
        [[[3.0, 3.0]]]
        """
        own = self.arrays()
        kinds = [{name: (each.shape, each.dtype) for name, each in some.items()} for some in (own, arrays)]
        require(kinds[0] == kinds[1], f"these arrays are not those of {self}")
        for name, array in own.items():
            array[...] = arrays[name]

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: a worker sends the numbers; the activation is found by its name."""
        rule = (self.networks, self.sizes, self.activation.name, self.dtype.name, self.batch_norm)
        return _restored, (rule, self.arrays(), self.batches_before)

    @property
    def networks(self) -> int:
        """M, the number of networks."""
        return len(self.parameters)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of all arrays."""
        return self.parameters.dtype

    def set_weights(
        self, weights: Sequence[npt.ArrayLike], biases: Sequence[npt.ArrayLike] | None = None
    ) -> None:
        """Copy the given arrays into the parameters.

        Args:
            weights: one array for each layer, (M, n_l, n_{l+1}), or (n_l, n_{l+1}) for all networks alike.
            biases: one array for each layer, (M, n_{l+1}) or (n_{l+1},); unchanged by default.

        Raises:
            UsageError: when the number of arrays or a shape does not fit.
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

    @on_one_thread
    def forward(self, inputs: FloatArray, *, training: bool = False) -> FloatArray:
        """`a_0 = inputs; z_l = a_l W_l + b_l; a_{l+1} = phi(z_l)`; the logits are the last z.

        Args:
            inputs: (B, n_0) for all networks alike, or (M, B, n_0).
            training: whether Batch Normalization uses this batch's statistics and updates the running ones;
                by default it uses the running ones. Without Batch Normalization, this makes no difference.

        Returns:
            The logits (M, B, n_{L+1}): an array that the next call with the same batch size overwrites.
        """
        inputs = np.asarray(inputs, self.dtype)
        if inputs.ndim not in (2, 3) or inputs.shape[-1] != self.sizes[0]:
            raise UsageError(f"inputs must have the shape (B, {self.sizes[0]}), not {inputs.shape}")
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
        """The outputs of a hidden layer with Batch Normalization before or after the activation function."""
        normalization = self.normalizations[layer]
        if normalization.rule.place == "before":
            return self.activation.function(normalization.forward(z, z, training=training), a)
        self.activation.function(z, a)
        return normalization.forward(a, self._signals[layer], training=training)

    @on_one_thread
    def backward(self, logit_gradient: FloatArray) -> None:
        """Fill `gradients` by the chain rule, from the logits back to the first layer.

        Let d_l be the gradient of the loss with respect to z_l. Then `z_l = a_l W_l + b_l` gives

            dW_l = a_l^T d_l,    db_l = sum of d_l over the batch,    da_l = d_l W_l^T

        and `a_l = phi(z_{l-1})` gives `d_{l-1} = da_l phi'(z_{l-1})`, with which the layer below continues.
        Batch Normalization after phi adds its own step between da_l and this product; Batch Normalization
        before phi adds it after the product.

        Args:
            logit_gradient: d_L, (M, B, n_{L+1}), for the batch of the last `forward`; with Batch
                Normalization that call must have had `training=True`.

        Source: Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors.
        """
        delta = logit_gradient
        place = self.batch_norm.place if self.batch_norm else None
        for layer in reversed(range(len(self.weights))):
            signal = self._signals[layer - 1] if layer else self._inputs
            np.matmul(signal.swapaxes(-1, -2), delta, out=self.weight_gradients[layer])
            # A sum over the batch as a matrix product: its bits do not depend on M, as those of np.sum do.
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

    @on_one_thread
    def loss(self, inputs: FloatArray, labels: IntArray, loss: str = "cross_entropy") -> FloatArray:
        """The mean loss (M,) of each network over a batch, with its gradient in `gradients`.

        Args:
            inputs: (B, n_0) for all networks alike, or (M, B, n_0).
            labels: (B,) or (M, B), from 0 to n_{L+1} - 1.
            loss: "cross_entropy", "squared_error" or "squared_error_logits".

        Raises:
            UsageError: for labels of another shape, or out of range.

        >>> network = Ensemble.zeros(1, [3, 10], dtype="float64")
        >>> network.loss(np.ones((2, 3)), np.array([0, 7])).round(4).tolist()
        [2.3026]
        """
        logits = self.forward(inputs, training=True)
        losses, logit_gradient = LOSSES[loss](logits, checked_labels(labels, logits.shape))
        self.backward(logit_gradient)
        return losses

    @on_one_thread
    def train_step(
        self,
        inputs: FloatArray,
        labels: IntArray,
        optimizer: Optimizer,
        rule: StepRule | None = None,
        lr_factor: float = 1.0,
    ) -> FloatArray:
        """Train on one batch; the returned losses (M,) are those *before* the update.

        Args:
            inputs: (B, n_0) for all networks alike, or (M, B, n_0).
            labels: (B,) or (M, B), from 0 to n_{L+1} - 1.
            optimizer: the update rule, for M networks.
            rule: the loss, clipping and weight decay; cross-entropy alone by default.
            lr_factor: the schedule's factor of the learning rate in this step.

        Raises:
            UsageError: for labels of another shape, or out of range.

        A loop of one's own, whose layers are looked into before and after:

        >>> from initlab import initialize, measure_layers
        >>> network, sgd = initialize([2, 8, 8, 2], "he"), Optimizer("sgd", lr=0.5)
        >>> x = np.random.default_rng(0).standard_normal((200, 2))
        >>> y = (x[:, 0] * x[:, 1] > 0).astype(int)
        >>> measure_layers(network, x)
        layer   mean    std  saturated   dead  distinct units
        1      0.414  0.687      0.494      0               8
        2       0.37  0.554      0.388  0.125               8
        >>> losses = [network.train_step(x, y, sgd) for step in range(200)]
        >>> measure_layers(network, x)
        layer   mean   std  saturated   dead  distinct units
        1       0.61     1      0.529      0               8
        2      0.753  1.44      0.566  0.125               8
        """
        if isinstance(optimizer, str):
            raise UsageError(f"the optimizer is Optimizer.parse({optimizer!r}), made once for all steps")
        rule = rule or PLAIN
        losses = self.loss(inputs, labels, rule.loss)
        if rule.clip:
            clip_gradients(self.gradients, rule.clip)
        if rule.weight_decay:
            decay_weights(self.gradients, self.parameters, rule.weight_decay)
        optimizer(self.parameters, self.gradients, lr_factor)
        return losses

    def accuracy(self, inputs: FloatArray, labels: IntArray) -> FloatArray:
        """The fraction (M,) of the samples for which the largest logit is that of the label.

        Args:
            inputs: (B, n_0) for all networks alike, or (M, B, n_0).
            labels: (B,) or (M, B), from 0 to n_{L+1} - 1.

        Raises:
            UsageError: for labels of another shape, or out of range.

        >>> Ensemble([np.eye(3)]).accuracy(np.eye(3), np.array([0, 1, 1])).round(2).tolist()
        [0.67]
        """
        logits = self.forward(inputs)
        correct = logits.argmax(axis=-1) == checked_labels(labels, logits.shape)
        fractions: FloatArray = correct.mean(axis=1)
        return fractions

    def keep(self, rows: IntArray) -> "Ensemble":
        """A new ensemble with copies of some networks.

        Args:
            rows: the rows of these networks, (K,).
        """
        kept = Ensemble.zeros(len(rows), self.sizes, self.activation.name, self.dtype.name, self.batch_norm)
        kept.parameters[...] = self.parameters[rows]
        kept.batches_before[...] = self.batches_before[rows]
        for layer, source in zip(kept.normalizations, self.normalizations, strict=True):
            layer.take(source, rows)
        return kept

    def put(self, rows: IntArray, networks: "Ensemble") -> None:
        """Copy networks of the same shape into some rows, the inverse of `keep`.

        Args:
            rows: the rows to overwrite, (K,), one for each of the networks.
            networks: an ensemble of K networks.
        """
        self.parameters[rows] = networks.parameters
        self.batches_before[rows] = networks.batches_before
        for layer, source in zip(self.normalizations, networks.normalizations, strict=True):
            layer.put(rows, source)

    def _make_room(self, batch_size: int) -> None:
        """Allocate the arrays of a batch once, so that a training step allocates almost nothing."""
        if self.pre_activations and self.pre_activations[0].shape[1] == batch_size:
            return
        shapes = [(self.networks, batch_size, n) for n in self.sizes[1:]]
        self.pre_activations = [np.empty(shape, self.dtype) for shape in shapes]
        self.activations = [np.empty(shape, self.dtype) for shape in shapes[:-1]]
        self.pre_activation_gradients = [np.empty(shape, self.dtype) for shape in shapes[:-1]]
        # What the next layer receives: phi(z) itself, unless Batch Normalization comes after it.
        after = self.batch_norm is not None and self.batch_norm.place == "after"
        self._signals = [np.empty_like(a) for a in self.activations] if after else self.activations
        self._ones = np.ones((1, batch_size), self.dtype)


def _restored(rule: tuple[Any, ...], arrays: Mapping[str, FloatArray], batches_before: IntArray) -> Ensemble:
    ensemble = Ensemble.zeros(*rule)
    ensemble.set_arrays(arrays)
    ensemble.batches_before[...] = batches_before
    return ensemble


def hidden_sizes(given: str | Sequence[int]) -> tuple[int, ...]:
    """The units of each hidden layer, from `[300, 100]`, "300,100", or "100x4" for four layers of 100.

    Raises:
        UsageError: for a text of another form.

    >>> hidden_sizes("100x4"), hidden_sizes([30, 20])
    ((100, 100, 100, 100), (30, 20))
    """
    if not isinstance(given, str):
        layers: Any = given  # from a notebook, whatever the annotation says
        readable = isinstance(layers, Iterable) and all(map(is_whole, layers := list(layers)))
        require(readable, f"hidden layers are given as [100, 100] or '100x2', not {shortened(layers)}")
        return tuple(int(units) for units in layers)
    short = re.fullmatch(r"([1-9]\d{0,5})x(\d{1,4})", given)
    if short:
        return (int(short[1]),) * int(short[2])
    if re.fullmatch(r"[1-9]\d{0,5}(,[1-9]\d{0,5})*", given):
        return tuple(map(int, given.split(",")))
    raise UsageError(
        f"cannot read the layers {shortened(given)}; write units and layers, as 100x4, or 300,100"
    )


def _sizes(stacks: Sequence[npt.NDArray[np.generic]]) -> tuple[int, ...]:
    """The layer sizes of stacked weights (M, n_l, n_{l+1}), which must fit each other."""
    shapes = [W.shape for W in stacks]
    stacked = bool(shapes) and all(len(shape) == 3 for shape in shapes)
    require(stacked, f"weights must have the shape (M, n_in, n_out) or (n_in, n_out), not {shapes}")
    fitting = all(lower[::2] == upper[:2] for lower, upper in pairwise(shapes))
    require(fitting, f"the weights of one layer do not fit those of the next: {shapes}")
    return (shapes[0][1], *(shape[2] for shape in shapes))


def _views(flat: FloatArray, sizes: Sequence[int]) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
    """The weights and the biases of each layer, as views of rows (M, P)."""
    weights, biases, start = [], [], 0
    for n_in, n_out in pairwise(sizes):
        middle, end = start + n_in * n_out, start + (n_in + 1) * n_out
        weights.append(flat[:, start:middle].reshape(len(flat), n_in, n_out))
        biases.append(flat[:, middle:end])
        start = end
    return tuple(weights), tuple(biases)
