"""M networks of one shape, trained side by side.

    forward     inputs -> first layer -> ... -> last layer -> logits -> loss
    backward    gradients of all parameters <- first layer <- ... <- last layer <- gradient of the logits
    training    inputs, labels -> forward -> loss -> backward -> clip, decay -> optimizer -> parameters

What each layer does is in `layers`, `convolution` and `normalization`; how hidden layers become a list of
them is in `architecture`. Row m of every array belongs to network m, and rows never mix: each matrix product
runs over a stack of matrices, one for each network, so a network has the same bits alone and in any ensemble.

Symbols: M networks, B samples in a batch, layers l = 0 ... L with n_l inputs and n_{l+1} outputs. The last
layer gives the logits and has no activation function.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from initlab.errors import UsageError, is_whole, require
from initlab.nn.activations import ACTIVATIONS, Activation
from initlab.nn.architecture import Size, SkipLike, flat_size, network_layers
from initlab.nn.arrays import FloatArray, IntArray, as_floats
from initlab.nn.layers import Layer, Nonlinearity, Residual, Shape, unattached, walk
from initlab.nn.losses import LOSSES, checked_labels
from initlab.nn.normalization import BatchNormalization, NormLike
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
_ADDRESSABLE = 1 << 58  # parameters; beyond it NumPy cannot even ask for memory


class Ensemble:
    """M networks with the same layers and different weights.

    Called with arrays, it gives perceptrons; `Ensemble.of` takes any layers.

    Args:
        weights: one array for each layer, (M, n_l, n_{l+1}), or (n_l, n_{l+1}) for a single network; copied.
        biases: one array for each layer, (M, n_{l+1}) or (n_{l+1},); zeros by default.
        activation: the name of the hidden layers' activation function, as "relu".
        dtype: "float32" (default) or "float64", for all arrays.
        norm: Batch or Layer Normalization of the hidden layers, as "batch"; none by default.

    Attributes:
        layers: from the first to the one that gives the logits.
        sizes: (n_0, ..., n_{L+1}), the inputs and the units of each dense layer or convolution.
        parameters, gradients: (M, P), all weights, biases, scales and shifts of a network in one row.
        weights, biases: the same numbers layer by layer, as views: `ensemble.weights[0][m] = W` sets them. A
            dense layer has weights (M, n_in, n_out), a convolution (M, channels, C, k, k).
        weights_before: for each hidden layer, which of the weights its pre-activations come from.
        weight_gradients, bias_gradients: views of `gradients`, layer by layer; `backward` fills them, and an
            optimizer overwrites them.
        normalizations: one for each hidden layer; empty without Batch Normalization.
        pre_activations: z, what the activation function of every hidden layer got in the last `forward`,
            (M, B, n_{l+1}), or (M, C, H, W, B) for images. It is normalized where Batch Normalization comes
            before the activation function, and a sum where a skip connection ends there. The last entry
            holds the logits.
        activations: phi(z) of every hidden layer in the last `forward`.
        pre_activation_gradients: gradients of the loss with respect to z of every hidden layer in the last
            `backward`; with Batch Normalization before the activation function, with respect to a W + b.
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
        norm: NormLike | None = None,
    ) -> None:
        stacks = [np.asarray(W) for W in weights]
        stacks = [W[None] if W.ndim == 2 else W for W in stacks]
        sizes, networks = _sizes(stacks), len(stacks[0])
        self._allocate(networks, sizes[0], network_layers(sizes, activation, norm), dtype)
        self.set_weights(stacks, biases)

    @classmethod
    def zeros(
        cls,
        networks: int,
        sizes: Sequence[Size],
        activation: str = "relu",
        dtype: str = "float32",
        norm: NormLike | None = None,
        skip: SkipLike | None = None,
    ) -> "Ensemble":
        """Networks whose weights and biases are all 0, for the caller to fill in.

        Args:
            networks: M, from 1 on.
            sizes: (n_0, ..., n_{L+1}): inputs, units of each hidden layer, classes; see `network_layers`.
            activation: the name of the hidden layers' activation function, as "relu".
            dtype: "float32" or "float64", for all arrays.
            norm: Batch or Layer Normalization of the hidden layers, as "batch"; none by default.
            skip: skip connections, as 2; none by default.

        Raises:
            UsageError: for an unknown activation or dtype, a size below 1, or layers that do not fit.

        >>> [W.shape for W in Ensemble.zeros(3, [784, 100, 10]).weights]
        [(3, 784, 100), (3, 100, 10)]
        """
        layers = network_layers(sizes, activation, norm, skip)
        return cls.of(networks, flat_size(sizes[0]), layers, dtype)

    @classmethod
    def of(cls, networks: int, inputs: int, layers: Sequence[Layer], dtype: str = "float32") -> "Ensemble":
        """Networks of any layers, whose weights and biases are all 0, for the caller to fill in.

        Args:
            networks: M, from 1 on.
            inputs: n_0, the length of a flat input.
            layers: from the first to the one that gives the logits; they are copied. See `layers` and
                `architecture.stacked`.
            dtype: "float32" or "float64", for all arrays.

        Raises:
            UsageError: for layers that do not fit each other, or an unknown dtype.

        >>> from initlab.nn.convolution import Conv2d
        >>> from initlab.nn.layers import Dense, Flatten, Images
        >>> Ensemble.of(2, 784, [Images((1, 28, 28)), Conv2d(8, kernel=5), Flatten(), Dense(10)])
        <Ensemble: 2 x 784-4608-10, identity, float32>
        """
        ensemble = cls.__new__(cls)
        ensemble._allocate(networks, inputs, layers, dtype)
        return ensemble

    @classmethod
    def stack(cls, ensembles: "Sequence[Ensemble]") -> "Ensemble":
        """One ensemble with the networks of several, in their order; the numbers are copied.

        Args:
            ensembles: one or more, of the same layers, inputs and dtype.

        Raises:
            UsageError: for none, or for ensembles that differ in any of these.

        >>> Ensemble.stack([Ensemble.zeros(1, [3, 2]), Ensemble.zeros(2, [3, 2])])
        <Ensemble: 3 x 3-2, identity, float32>
        """
        kinds = {(each.sizes, each.dtype, repr(each.layers)) for each in ensembles}
        require(len(kinds) == 1, f"an ensemble has networks of one kind, not of {len(kinds)}")
        first = ensembles[0]
        count = sum(each.networks for each in ensembles)
        stacked = cls.of(count, first.sizes[0], first._bare, first.dtype.name)
        start = 0
        for each in ensembles:
            stacked.put(np.arange(start, start + each.networks), each)
            start += each.networks
        return stacked

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: a worker sends the layers and the numbers, from which the views are made anew."""
        kind = (self.networks, self.sizes[0], self._bare, self.dtype.name)
        return _restored, (kind, self.parameters, self.state(), self.batches_before)

    def __repr__(self) -> str:
        runs = [(size, len(list(run))) for size, run in groupby(self.sizes)]
        shape = "-".join(f"{size}x{count}" if count > 1 else f"{size}" for size, count in runs)
        norm = f", {type(self.norm).__name__} {self.norm.place}" if self.norm else ""
        return f"<Ensemble: {self.networks} x {shape}, {self.activation.name}, {self.dtype}{norm}>"

    def _allocate(self, networks: int, inputs: int, layers: Sequence[Layer], dtype: str) -> None:
        """Give each layer its part of the rows: first all weights and biases, then what others learn."""
        _check_kind(networks, inputs, dtype)
        self.layers, self._bare = unattached(layers), tuple(layers)
        walked = list(walk(self.layers, (inputs,)))
        affine = [(layer, shape) for layer, shape in walked if layer.is_affine]
        require(bool(affine), f"a network needs a dense layer or a convolution, not only {self.layers}")
        others = [(layer, shape) for layer, shape in walked if not layer.is_affine]
        self.sizes = (inputs, *(math.prod(layer.output_shape(shape)) for layer, shape in affine))
        shapes = [layer.parameter_shapes(shape) for layer, shape in (*affine, *others)]
        count = sum(math.prod(shape) for own in shapes for shape in own)
        require(networks * count < _ADDRESSABLE, f"no memory holds {networks * count:.2g} parameters")
        self.parameters: FloatArray = np.zeros((networks, count), dtype)
        self.gradients = np.zeros_like(self.parameters)
        views = zip(_views(self.parameters, shapes), _views(self.gradients, shapes), strict=True)
        for (layer, _), (own, gradients) in zip((*affine, *others), views, strict=True):
            layer.attach(own, gradients)
        self._name_parts([layer for layer, _ in walked])
        self.batches_before: IntArray = np.zeros(networks, np.int64)

    def _name_parts(self, layers: Sequence[Layer]) -> None:
        """What a reader asks for, by kind."""
        affine = [layer for layer in layers if layer.is_affine]
        self.weights, self.biases = zip(*(layer.parameters for layer in affine), strict=True)
        self.weight_gradients, self.bias_gradients = zip(*(layer.gradients for layer in affine), strict=True)
        self._hidden = [layer for layer in layers if isinstance(layer, Nonlinearity)]
        before = [layers[: layers.index(phi)] for phi in self._hidden]
        self.weights_before = [sum(layer.is_affine for layer in lower) - 1 for lower in before]
        self.normalizations = [layer for layer in layers if isinstance(layer, BatchNormalization)]
        self.norm = self.normalizations[0].rule if self.normalizations else None
        # Nobody asks for the gradient of the inputs; so `backward` ends with the first layer that learns.
        learning = (bool(layer.parameters) or isinstance(layer, Residual) for layer in self.layers)
        self._first = list(learning).index(True)
        self.layers[self._first].passes_back = False
        # A product turns inputs that all networks share into signals (M, ...); a normalization does not.
        self._needs_own = not self.layers[self._first].is_affine
        self._leading = ((), (1,), (self.networks,))
        self._logits: FloatArray = np.empty((0, 0, 0), self.dtype)

    @property
    def activation(self) -> Activation:
        """The activation function of the hidden layers; without any, the identity."""
        return self._hidden[0].activation if self._hidden else ACTIVATIONS["identity"]

    @property
    def pre_activations(self) -> list[FloatArray]:
        """z of every hidden layer in the last `forward`, and the logits."""
        return [*(phi.z for phi in self._hidden), self._logits]

    @property
    def activations(self) -> list[FloatArray]:
        """phi(z) of every hidden layer in the last `forward`."""
        return [phi.a for phi in self._hidden]

    @property
    def pre_activation_gradients(self) -> list[FloatArray]:
        """Gradients of the loss in every hidden layer in the last `backward`."""
        return [phi.dz for phi in self._hidden]

    @property
    def networks(self) -> int:
        """M, the number of networks."""
        return len(self.parameters)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of all arrays."""
        return self.parameters.dtype

    def arrays(self) -> dict[str, FloatArray]:
        """All numbers that decide what the networks compute, by name, as views.

        `weights_0` is (M, n_0, n_1), `biases_0` is (M, n_1), and so on for each dense layer or convolution;
        `scales_0` and `shifts_0`, (M, n_1), belong to the first normalization, with `running_means_0` and
        `running_variances_0` if it is Batch Normalization; `branch_scales_0`, (M,), is the first learned
        scale of a skip connection.

        >>> list(Ensemble.zeros(1, [3, 2]).arrays())
        ['weights_0', 'biases_0']
        """
        counts: Counter[str] = Counter()
        named: dict[str, FloatArray] = {}
        for layer, _ in walk(self.layers, self.sizes[:1]):
            arrays = (*layer.parameters, *layer.state())
            for name, array in zip((*layer.parameter_names, *layer.state_names), arrays, strict=True):
                named[f"{name}_{counts[name]}"] = array
                counts[name] += 1
        return named

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

    def set_weights(
        self, weights: Sequence[npt.ArrayLike], biases: Sequence[npt.ArrayLike] | None = None
    ) -> None:
        """Copy the given arrays into the parameters.

        Args:
            weights: one array for each layer, as `weights`, or without its first axis for all networks alike.
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
        given: Any = inputs  # from a notebook, whatever the annotation says
        if not isinstance(given, np.ndarray) or given.dtype != self.parameters.dtype:
            inputs = as_floats("inputs", given, self.dtype)
        fits = inputs.ndim > 1 and inputs.shape[:-2] in self._leading and inputs.shape[-1] == self.sizes[0]
        if not (fits and inputs.size):
            raise UsageError(self._shape_message(inputs.shape))
        for normalization in self.normalizations:
            normalization.training = training
        signal = self._for_each(inputs) if self._needs_own else inputs
        for layer in self.layers:
            signal = layer.forward(signal)
        self._logits = signal
        return signal

    def _for_each(self, inputs: FloatArray) -> FloatArray:
        """Inputs that all networks share as inputs (M, B, n_0) of each one: a view, not copies."""
        return np.broadcast_to(inputs, (self.networks, *inputs.shape[-2:]))

    def _shape_message(self, shape: Shape) -> str:
        own = "" if self.networks == 1 else f" or ({self.networks}, B, {self.sizes[0]})"
        return f"inputs must have the shape (B, {self.sizes[0]}){own}, not {shape}"

    @on_one_thread
    def backward(self, logit_gradient: FloatArray) -> None:
        """Fill `gradients` by the chain rule, from the logits back to the first layer.

        Each layer turns the gradient of the loss with respect to its outputs into that with respect to its
        inputs, and on the way fills the gradients of its parameters; its `backward` says how.

        Args:
            logit_gradient: (M, B, n_{L+1}), for the batch of the last `forward`; with Batch Normalization
                that call must have had `training=True`.

        Source: Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors.
        """
        delta = logit_gradient
        for layer in reversed(self.layers[self._first :]):
            delta = layer.backward(delta)

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
        kept = Ensemble.of(len(rows), self.sizes[0], self._bare, self.dtype.name)
        kept.parameters[...] = self.parameters[rows]
        kept.batches_before[...] = self.batches_before[rows]
        for own, source in zip(kept.state(), self.state(), strict=True):
            own[...] = source[rows]
        return kept

    def put(self, rows: IntArray, networks: "Ensemble") -> None:
        """Copy networks of the same shape into some rows, the inverse of `keep`.

        Args:
            rows: the rows to overwrite, (K,), one for each of the networks.
            networks: an ensemble of K networks.
        """
        self.parameters[rows] = networks.parameters
        self.batches_before[rows] = networks.batches_before
        for own, source in zip(self.state(), networks.state(), strict=True):
            own[rows] = source

    def state(self) -> list[FloatArray]:
        """What the layers keep besides their parameters, as running statistics, (M, ...), as views."""
        return [array for layer, _ in walk(self.layers, self.sizes[:1]) for array in layer.state()]


def _check_kind(networks: int, inputs: int, dtype: str) -> None:
    require(dtype in ("float32", "float64"), f"dtype must be float32 or float64, not {dtype!r}")
    for name, size in (("networks", networks), ("inputs", inputs)):
        require(is_whole(size) and size >= 0, f"{name} must be a whole number from 0 on, not {size!r}")


def _restored(
    kind: tuple[Any, ...], parameters: FloatArray, state: Sequence[FloatArray], batches_before: IntArray
) -> Ensemble:
    ensemble = Ensemble.of(*kind)
    ensemble.parameters[...], ensemble.batches_before[...] = parameters, batches_before
    for own, source in zip(ensemble.state(), state, strict=True):
        own[...] = source
    return ensemble


def _sizes(stacks: Sequence[npt.NDArray[np.generic]]) -> tuple[int, ...]:
    """The layer sizes of stacked weights (M, n_l, n_{l+1}), which must fit each other."""
    shapes = [W.shape for W in stacks]
    stacked = bool(shapes) and all(len(shape) == 3 for shape in shapes)
    require(stacked, f"weights must have the shape (M, n_in, n_out) or (n_in, n_out), not {shapes}")
    fitting = all(lower[::2] == upper[:2] for lower, upper in pairwise(shapes))
    require(fitting, f"the weights of one layer do not fit those of the next: {shapes}")
    return (shapes[0][1], *(shape[2] for shape in shapes))


def _views(flat: FloatArray, shapes: Sequence[Sequence[Shape]]) -> list[list[FloatArray]]:
    """The parameters of each layer, as views of rows (M, P) that follow each other."""
    views: list[list[FloatArray]] = []
    start = 0
    for own in shapes:
        views.append([])
        for shape in own:
            stop = start + math.prod(shape)
            views[-1].append(flat[:, start:stop].reshape(len(flat), *shape))
            start = stop
    return views
