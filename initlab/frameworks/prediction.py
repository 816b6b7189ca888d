"""What mean-field theory predicts of a model: a trace -> the mean square of each result, and each gradient.

Only weights are looked at, and their variances. Forward, from the batch on:

    linear, convolution   q = n_in E[W^2] s + E[b^2]         s the mean square of what it takes, n_in its
                                                             numbers behind each of the result
    nonlinear function    s = E[phi(z)^2], z from N(0, q)
    sum                   the sum of the mean squares, of results that are uncorrelated
    normalization         E[gamma^2] + E[beta^2]

Backward, from the last stage on, |d|^2 is the sum over all that take the result, each of which gives

    linear, convolution   n_in E[W^2] |d'|^2
    nonlinear function    E[phi'(z)^2] |d'|^2
    sum                   |d'|^2
    normalization         E[gamma^2] |d'|^2 / q

(Poole et al. 2016; Schoenholz et al. 2017; for sums, Yang & Schoenholz 2017, Mean field residual networks.)
Of other operations nothing is predicted, nor of what depends on them.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from initlab.frameworks.trace import BATCH, NONLINEAR, NORMS, SUMS, Operation, Trace, Weight
from initlab.nn.activations import ACTIVATIONS
from initlab.theory.mean_field import Moments, moments

# The last words of the names that PyTorch, Flax and Keras give to vectors.
SCALES, BIASES = ("weight", "scale", "gamma"), ("bias", "beta")
TRANSPOSED = {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}
LAYERS = {"linear", "conv1d", "conv2d", "conv3d", *TRANSPOSED}
# What other libraries call our activations.
OURS = {"silu": "swish", "hardtanh": "hard_tanh"}


@dataclass(frozen=True)
class Prediction:
    """What theory predicts of an operation's result; nan where it is silent.

    Attributes:
        square: its mean square.
        gradient: |d|^2, relative to that of the last stage.
    """

    square: float
    gradient: float


def predict(trace: Trace) -> dict[int, Prediction]:
    """The prediction for each operation, by its index.

    Args:
        trace: of a model; of what was measured, only the inputs' mean square is used.
    """
    theory = _Theory(trace)
    squares = theory.squares()
    gradients = theory.gradients(squares)
    return {
        each.index: Prediction(squares[each.index], gradients.get(each.index, math.nan))
        for each in trace.operations
    }


def stretch(operation: Operation, trace: Trace, channels: int) -> float:
    """How many times more positions a transposed convolution gives than it takes; nan where it takes the
    batch itself.

    Args:
        operation: a transposed convolution.
        trace: to which it belongs.
        channels: that it takes.
    """
    if operation.sources[0] == BATCH:
        return math.nan
    taken = trace.operations[operation.sources[0]].shape
    samples, _, *positions = operation.shape
    return math.prod(positions) * samples * channels / math.prod(taken)


class _Theory:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.weights: Mapping[str, Weight] = {weight.name: weight for weight in trace.weights}

    def squares(self) -> dict[int, float]:
        """Of all results, from the batch on."""
        squares = {BATCH: self.trace.input_square}
        for operation in self.trace.operations:
            squares[operation.index] = self._square(operation, squares)
        return squares

    def _square(self, operation: Operation, squares: Mapping[int, float]) -> float:
        taken = [squares[source] for source in operation.sources]
        if operation.kind in LAYERS and len(taken) == 1:
            return self._gain(operation) * taken[0] + self._vectors(operation, BIASES)
        if operation.kind in NONLINEAR and len(taken) == 1:
            return self._moments(operation, taken[0]).square
        if operation.kind in SUMS and not operation.parameters:
            return sum(taken) if len(taken) > 1 else math.nan
        if operation.kind in NORMS:
            return self._scale(operation) + self._vectors(operation, BIASES)
        return math.nan

    def gradients(self, squares: Mapping[int, float]) -> dict[int, float]:
        """Of all results before the last stage, from there on backward."""
        stages = self.trace.stages
        if not stages:
            return {}
        gradients = {stages[-1].index: 1.0}
        for operation in reversed(self.trace.operations[: stages[-1].index]):
            parts = [
                self._passed(each, squares) * gradients.get(each.index, 0.0)
                for each in self.trace.consumers[operation.index]
            ]
            gradients[operation.index] = sum(parts)
        return gradients

    def _passed(self, operation: Operation, squares: Mapping[int, float]) -> float:
        """The factor of |d|^2 from an operation's result to what it takes."""
        if operation.kind in LAYERS:
            return self._gain(operation)
        if operation.kind in SUMS:
            return 1.0
        taken = squares[operation.sources[0]]
        if operation.kind in NONLINEAR:
            return self._moments(operation, taken).slope_square
        if operation.kind in NORMS:
            return self._scale(operation) / taken if taken else math.inf
        return math.nan

    def _gain(self, operation: Operation) -> float:
        """n_in E[W^2]."""
        matrices = [self.weights[name] for name in operation.parameters if len(self.weights[name].shape) > 1]
        if len(matrices) != 1:
            return math.nan
        return self._fan_in(operation, matrices[0].shape) * matrices[0].square

    def _fan_in(self, operation: Operation, shape: tuple[int, ...]) -> float:
        if operation.kind not in TRANSPOSED:
            return math.prod(shape[1:])
        groups = operation.shape[1] // shape[1]
        return shape[0] / groups * math.prod(shape[2:]) / stretch(operation, self.trace, shape[0])

    def _scale(self, operation: Operation) -> float:
        """E[gamma^2] of a normalization; 1 for one without parameters."""
        return self._vectors(operation, SCALES) if operation.parameters else 1.0

    def _vectors(self, operation: Operation, words: Collection[str]) -> float:
        """E of the squares of a bias or a scale, by the last word of its name; 0 without one."""
        names = [name for name in operation.parameters if name.rpartition(".")[2] in words]
        return sum(self.weights[name].square for name in names if len(self.weights[name].shape) == 1)

    def _moments(self, operation: Operation, q: float) -> Moments:
        name = OURS.get(operation.kind, operation.kind)
        if name not in ACTIVATIONS or not math.isfinite(q):
            return Moments(math.nan, math.nan, math.nan)
        return moments(name, q)
