"""Layer statistics of a real network: inputs -> forward -> loss -> backward -> what each layer does.

Symbols: B samples; z, a and d are a layer's pre-activations, activations phi(z), and the gradients of the
loss with respect to z, each (B, n); W its weights (n_in, n).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from initlab.nn.activations import Activation
from initlab.nn.adaptive import Samples
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.network import Ensemble
from initlab.nn.streams import Purpose, stream

SATURATED_SLOPE = 0.05

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """Counts of values in equal bins, and of those outside.

    Attributes:
        edges: (bins + 1,).
        counts: (bins,).
        below, above: how many values lie outside the edges, or are not numbers (above).
    """

    edges: FloatArray
    counts: npt.NDArray[np.int64]
    below: int
    above: int

    @property
    def clipped(self) -> float:
        """The fraction of the values that lies outside."""
        outside = self.below + self.above
        return outside / (outside + int(self.counts.sum()))


def histogram(values: FloatArray, edges: tuple[float, float], bins: int) -> Histogram:
    """Count values in equal bins; nothing is dropped silently.

    >>> histogram(np.array([-1.0, 0.2, 1.0, 7.0]), (0.0, 1.0), 2)
    Histogram(edges=array([0. , 0.5, 1. ]), counts=array([1, 1]), below=1, above=1)
    """
    low, high = edges
    values = values.astype(np.float64)
    inside = values[(values >= low) & (values <= high)]
    counts, borders = np.histogram(inside, bins, edges)
    below = int((values < low).sum())
    return Histogram(borders, counts, below, values.size - inside.size - below)


@dataclass(frozen=True)
class LayerStatistics:
    """What one hidden layer of one network gives for a batch; the numbers are taken in float64.

    Attributes:
        layer: counted from 1 at the first hidden layer.
        activation: phi.
        pre_activations, activations: z and a, (B, n).
        weights: W, (n_in, n).
        gradients: of the loss's sum over the batch with respect to z, (B, n); None without labels.
        weight_gradients: of the loss's mean over the batch with respect to W; None likewise.
    """

    layer: int
    activation: Activation = field(repr=False)
    pre_activations: FloatArray = field(repr=False)
    activations: FloatArray = field(repr=False)
    weights: FloatArray = field(repr=False)
    gradients: FloatArray | None = field(repr=False, default=None)
    weight_gradients: FloatArray | None = field(repr=False, default=None)

    @cached_property
    @np.errstate(all="ignore")
    def mean(self) -> float:
        """Of the activations, over units and samples."""
        return float(self.activations.mean(dtype=np.float64))

    @cached_property
    @np.errstate(all="ignore")
    def std(self) -> float:
        """Of the activations, over units and samples."""
        return float(self.activations.std(dtype=np.float64))

    @cached_property
    @np.errstate(all="ignore")
    def length(self) -> float:
        """q, the mean square of the pre-activations."""
        return float((self._exact**2).mean())

    @cached_property
    @np.errstate(all="ignore")
    def over_samples(self) -> float:
        """The variance of a unit's pre-activation over samples, mean over units: what inputs change."""
        return float(self._exact.var(axis=0).mean())

    @cached_property
    @np.errstate(all="ignore")
    def over_units(self) -> float:
        """The variance over units of a unit's mean pre-activation: what all inputs have in common."""
        return float(self._exact.mean(axis=0).var())

    @cached_property
    @np.errstate(all="ignore")
    def saturated(self) -> float:
        """The fraction of units and samples whose slope phi'(z) is below 5 % of the steepest."""
        return float((np.abs(self._slopes) < SATURATED_SLOPE * self.activation.steepest).mean())

    @cached_property
    @np.errstate(all="ignore")
    def dead(self) -> float:
        """The fraction of units whose slope is 0 for every sample: no gradient ever changes their weights."""
        return float((self._slopes == 0).all(axis=0).mean())

    @cached_property
    @np.errstate(all="ignore")
    def dissimilarity(self) -> float:
        """`1 - c`, with c the mean cosine between the pre-activations of two samples; see `dissimilarity`."""
        return dissimilarity(self._exact)

    @cached_property
    @np.errstate(all="ignore")
    def effective_rank(self) -> float:
        """How many directions the activations vary in, `(tr C)^2 / tr C^2` for their covariance C.

        Between 1, where all units say the same thing, and n; 0 where nothing varies.
        """
        centred = self.activations.astype(np.float64)
        centred -= centred.mean(axis=0)
        largest = np.abs(centred).max()
        if not 0 < largest < np.inf:
            return 0.0
        centred /= largest
        covariance = centred.T @ centred
        return float(np.trace(covariance) ** 2 / (covariance**2).sum())

    @cached_property
    def distinct_units(self) -> int:
        """How many units differ by more than rounding: 1e-5 of the layer's size, over the samples.

        Of each unit three random sums over the samples are compared; matrix products round equal units apart.
        """
        sums = self._exact.T @ np.random.default_rng(0).standard_normal((len(self._exact), 3))
        size = np.sqrt(self.length * len(self._exact))
        if not np.isfinite(sums).all():
            return len(sums)
        in_order = sums[np.argsort(sums[:, 0])]
        steps = np.abs(np.diff(in_order, axis=0)).max(axis=1)
        return 1 + int((steps > 1e-5 * size).sum())

    @cached_property
    def gradient_std(self) -> float:
        """The root mean square of `gradients`; nan without labels."""
        return _root_mean_square(self.gradients)

    @cached_property
    def weight_gradient_std(self) -> float:
        """The root mean square of `weight_gradients`; nan without labels."""
        return _root_mean_square(self.weight_gradients)

    @cached_property
    def _exact(self) -> Array:
        return self.pre_activations.astype(np.float64)

    @cached_property
    def _slopes(self) -> npt.NDArray[np.generic]:
        return self.activation.derivative(self.pre_activations, self.activations)


def dissimilarity(vectors: FloatArray) -> float:
    """`1 - c`, with c the mean cosine between two of the given vectors, (B, n).

    0 where all point the same way, 1 where they have nothing in common. With unit vectors u_a of mean m it is
    `B / (B - 1) mean |u_a - m|^2`, exact however small; nan for fewer than two, or where one is not finite.

    >>> dissimilarity(np.array([[1.0, 0.0], [0.0, 3.0]]))
    1.0
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if len(norms) < 2 or not np.isfinite(norms).all():
        return float("nan")
    unit = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    distances = ((unit - unit.mean(axis=0)) ** 2).sum(axis=1)
    return float(distances.mean() * len(norms) / (len(norms) - 1))


@np.errstate(all="ignore")
def _root_mean_square(values: FloatArray | None) -> float:
    return float("nan") if values is None else float(np.sqrt((values.astype(np.float64) ** 2).mean()))


def measure_layers(
    ensemble: Ensemble, inputs: FloatArray, labels: IntArray | None = None
) -> list[list[LayerStatistics]]:
    """Run the inputs forward, and with labels the cross-entropy back, and describe every hidden layer.

    Args:
        ensemble: M networks.
        inputs: (B, n_0) for all alike, or (M, B, n_0).
        labels: (B,) or (M, B), for the gradients; without, there are none.

    Returns:
        For each network, one entry for each hidden layer.

    >>> ensemble = Ensemble.from_schemes([100, 100, 100, 10], ["he"])
    >>> layers = measure_layers(ensemble, np.random.default_rng(0).standard_normal((1000, 100)))[0]
    >>> [layer.layer for layer in layers], 0.4 < layers[1].saturated < 0.6, layers[1].distinct_units
    ([1, 2], True, 100)
    """
    with np.errstate(all="ignore"):
        if labels is None:
            ensemble.forward(inputs, training=True)
        else:
            ensemble.loss(inputs, labels)
        return [
            [
                _describe(ensemble, row, layer, labels is not None)
                for layer in range(len(ensemble.activations))
            ]
            for row in range(ensemble.networks)
        ]


def _describe(ensemble: Ensemble, row: int, layer: int, backward: bool) -> LayerStatistics:
    z, a = ensemble.pre_activations[layer][row].copy(), ensemble.activations[layer][row].copy()
    W = ensemble.weights[layer][row].copy()
    if not backward:
        return LayerStatistics(layer + 1, ensemble.activation, z, a, W)
    d, dW = ensemble.pre_activation_gradients[layer][row], ensemble.weight_gradients[layer][row]
    return LayerStatistics(layer + 1, ensemble.activation, z, a, W, d * len(d), dW.copy())


def samples_of(inputs: FloatArray) -> Callable[[int], Samples]:
    """Batches drawn from the given inputs, (B, n_0), for schemes that look at data; see `from_schemes`."""

    def of_seed(seed: int) -> Samples:
        rng = stream(seed, Purpose.SAMPLES)
        return lambda batch_size: inputs[rng.integers(len(inputs), size=batch_size)]

    return of_seed


def jacobian_singular_values(ensemble: Ensemble, inputs: FloatArray) -> Array:
    """Singular values of the last hidden activations' Jacobian with respect to the inputs.

    For one input, `J = W_0 diag(phi'(z_0)) W_1 diag(phi'(z_1)) ...`; J^T J tells by how much each direction
    around it is stretched. All values near 1 are called dynamical isometry (Pennington et al. 2017,
    Resurrecting the sigmoid in deep learning through dynamical isometry).

    Args:
        ensemble: M networks.
        inputs: (B, n_0), the points around which it is taken.

    Returns:
        (M, B, min(n_0, n_L)), from the largest down.

    >>> ensemble = Ensemble([2 * np.eye(3), np.ones((3, 1))], activation="identity", dtype="float64")
    >>> jacobian_singular_values(ensemble, np.ones((1, 3))).tolist()
    [[[2.0, 2.0, 2.0]]]
    """
    with np.errstate(all="ignore"):
        ensemble.forward(inputs)
        jacobian = np.ones((1, 1, 1, 1))
        for layer, (z, a) in enumerate(zip(ensemble.pre_activations, ensemble.activations, strict=False)):
            W = ensemble.weights[layer].astype(np.float64)[:, None]
            slopes = np.asarray(ensemble.activation.derivative(z, a), np.float64)
            jacobian = (W if layer == 0 else jacobian @ W) * slopes[:, :, None, :]
    return np.asarray(np.linalg.svd(jacobian, compute_uv=False), np.float64)
