"""Layer statistics of a real network: inputs -> forward -> loss -> backward -> numbers of each layer.

Symbols: B samples; z, a and d are a layer's pre-activations, activations phi(z), and the gradients of the
loss with respect to z, each (B, n); W its weights (n_in, n). In a convolutional layer of C channels they are
(B, C, H, W), and W has the shape (C, channels below, k, k); a unit of it is a channel, at all places.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from initlab.init.shaping import is_odd_plus_constant
from initlab.nn.activations import Activation
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.layers import Layer, Nonlinearity, Residual, walk
from initlab.nn.network import Ensemble
from initlab.nn.normalization import NORMALIZATIONS, BatchNormalization, LayerNormalization
from initlab.tables import Table, aligned, html_table

# In units of the steepest slope. A sigmoid's slope is that small where its value is within 0.013 of 0 or 1.
SATURATED_SLOPE = 0.05
# In units of the layer's size. Sums in float32 round to 6e-8 a term, so equal units may differ a little.
_ROUNDING = 1e-5

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LayerStatistics:
    """The arrays and numbers of one hidden layer of one network for a batch; the numbers are in float64.

    Attributes:
        layer: counted from 1 at the first hidden layer.
        activation: phi.
        pre_activations, activations: z and a, (B, n) or (B, C, H, W).
        weights: W, (n_in, n) or (C, channels below, k, k).
        gradients: of each sample's loss with respect to its z, of its shape; None without labels.
        weight_gradients: of the batch's mean loss with respect to W, of its shape; None without labels.
        normalizer: by what a normalization just in front of the activation function divided, ready to be
            broadcast with z; None without one.
        is_normalized: whether the network normalizes its hidden layers.
        is_bypassed: whether a skip connection leads around the layer.
    """

    layer: int
    activation: Activation = field(repr=False)
    pre_activations: FloatArray = field(repr=False)
    activations: FloatArray = field(repr=False)
    weights: FloatArray = field(repr=False)
    gradients: FloatArray | None = field(repr=False, default=None)
    weight_gradients: FloatArray | None = field(repr=False, default=None)
    normalizer: FloatArray | None = field(repr=False, default=None)
    is_normalized: bool = False
    is_bypassed: bool = False

    @cached_property
    @np.errstate(all="ignore")
    def mean(self) -> float:
        """The mean of the activations, over units and samples."""
        return float(self.activations.mean(dtype=np.float64))

    @cached_property
    @np.errstate(all="ignore")
    def std(self) -> float:
        """The standard deviation of the activations, over units and samples."""
        return float(self.activations.std(dtype=np.float64))

    @cached_property
    @np.errstate(all="ignore")
    def length(self) -> float:
        """q, the mean square of the pre-activations."""
        return float((self._exact**2).mean())

    @cached_property
    @np.errstate(all="ignore")
    def saturated(self) -> float:
        """The fraction of units and samples whose slope phi'(z) is below 5 % of the steepest."""
        return float((np.abs(self._slopes) < SATURATED_SLOPE * self.activation.steepest).mean())

    @cached_property
    @np.errstate(all="ignore")
    def dead(self) -> float:
        """The fraction of units whose slope is 0 for every sample: their weights get no gradient."""
        return float((by_unit(self._slopes) == 0).all(axis=0).mean())

    @cached_property
    @np.errstate(all="ignore")
    def dissimilarity(self) -> float:
        """`1 - c`, with c the mean cosine between the pre-activations of two samples; see `dissimilarity`."""
        return dissimilarity(self._exact.reshape(len(self._exact), -1))

    @cached_property
    @np.errstate(all="ignore")
    def distinct_units(self) -> int:
        """The number of units that differ by more than rounding, 1e-5 of the layer's size over the samples.

        Where the activation is odd up to a constant, a unit with opposite pre-activations computes nothing
        of its own, so units are compared up to their signs; see `distinct_columns`.
        """
        up_to_sign = is_odd_plus_constant(self.activation.name)
        return distinct_columns(by_unit(self._exact), up_to_sign=up_to_sign)

    @cached_property
    def gradient_std(self) -> float:
        """The root mean square of `gradients`; nan without labels."""
        return _root_mean_square(self.gradients)

    @cached_property
    def relative_gradient_std(self) -> float:
        """The root mean square of the gradients with respect to relative changes of a normalized layer.

        They are `gradients` times what the normalization in front of the activation function divides by; else
        times the layer's size. So they do not depend on that size, which a normalization takes away.
        """
        if self.gradients is None or self.normalizer is None:
            return self.gradient_std * math.sqrt(self.length)
        return _root_mean_square(self.gradients * self.normalizer)

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


def by_unit(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values of each unit in a column: (B, n) as they are, and images (B, C, H, W) as (B H W, C)."""
    return values if values.ndim == 2 else np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])


def dissimilarity(vectors: FloatArray) -> float:
    """`1 - c`, with c the mean cosine between two of the given vectors, (B, n).

    It is 0 where all point the same way, and 1 where they are orthogonal on average. With unit vectors u_a of
    mean m it equals `B / (B - 1) mean |u_a - m|^2`, which does not cancel where the vectors are almost alike.
    It is nan for fewer than two vectors, or where one is not finite.

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
def distinct_columns(values: FloatArray, *, up_to_sign: bool) -> int:
    """The number of columns that differ by more than rounding, 1e-5 of their root mean square.

    Three random sums over the rows stand for each column; comparing all columns row by row would cost n^2 B.
    Columns whose first sums are neighbours in order are compared in all three.

    Args:
        values: (B, n), float64.
        up_to_sign: whether a column and its opposite count as one.

    >>> distinct_columns(np.array([[1.0, 1.0, -1.0], [2.0, 2.0, -2.0]]), up_to_sign=False)
    2
    """
    sums = values.T @ np.random.default_rng(0).standard_normal((len(values), 3))
    if not np.isfinite(sums).all():
        return len(sums)
    if up_to_sign:
        sums = np.where(sums[:, :1] < 0, -sums, sums)
    in_order = sums[np.argsort(sums[:, 0])]
    steps = np.abs(np.diff(in_order, axis=0)).max(axis=1)
    size = np.sqrt((values**2).mean() * len(values))
    return 1 + int((steps > _ROUNDING * size).sum())


@np.errstate(all="ignore")
def _root_mean_square(values: FloatArray | None) -> float:
    return float("nan") if values is None else float(np.sqrt((values.astype(np.float64) ** 2).mean()))


class LayerTable(list[list[LayerStatistics]]):
    """The layers of each network, shown as a table on the screen and in a notebook.

    >>> LayerTable([])
    no layers
    """

    def rows(self) -> list[dict[str, float | int]]:
        """The numbers of each network and layer by name; without labels there are no gradients."""
        return [
            {"network": row, "layer": layer.layer, **_numbers(layer)}
            for row, layers in enumerate(self)
            for layer in layers
        ]

    def _table(self) -> Table:
        rows = self.rows()
        if len(self) == 1:
            rows = [{name: row[name] for name in row if name != "network"} for row in rows]
        header = [name.replace("_", " ") for name in rows[0]]
        return [header, *([f"{value:.3g}" for value in row.values()] for row in rows)]

    def __repr__(self) -> str:
        return aligned(self._table()) if any(self) else "no layers"

    def _repr_html_(self) -> str:
        return html_table(self._table()) if any(self) else "no layers"


def _numbers(layer: LayerStatistics) -> dict[str, float | int]:
    names = ["mean", "std", "saturated", "dead", "distinct_units"]
    names += ["gradient_std", "weight_gradient_std"] if layer.gradients is not None else []
    return {name: getattr(layer, name) for name in names}


def measure_layers(ensemble: Ensemble, inputs: FloatArray, labels: IntArray | None = None) -> LayerTable:
    """Run the inputs forward, and with labels the cross-entropy backward; describe every hidden layer.

    With Batch Normalization the layers are those of a training step, normalized by this batch. Parameters and
    running statistics stay as they are.

    Args:
        ensemble: M networks, trained or not.
        inputs: (B, n_0) for all networks, or (M, B, n_0).
        labels: (B,) or (M, B), from 0 on; without them, the layers have no gradients.

    Returns:
        For each network, one entry for each hidden layer; shown as a table. `Ensemble.train_step` has an
        example of a training that is looked into.

    >>> from initlab.init.networks import initialize
    >>> ensemble = initialize([100, 100, 100, 10], ["he"])
    >>> layers = measure_layers(ensemble, np.random.default_rng(0).standard_normal((1000, 100)))[0]
    >>> [layer.layer for layer in layers], 0.4 < layers[1].saturated < 0.6, layers[1].distinct_units
    ([1, 2], True, 100)
    """
    with np.errstate(all="ignore"), _running_statistics_kept(ensemble):
        if labels is None:
            ensemble.forward(inputs, training=True)
        else:
            ensemble.loss(inputs, labels)
        places = list(_places(ensemble.layers))
        return LayerTable(
            [_describe(ensemble, row, layer, place, labels is not None) for layer, place in enumerate(places)]
            for row in range(ensemble.networks)
        )


@contextmanager
def _running_statistics_kept(ensemble: Ensemble) -> Iterator[None]:
    """Give Batch Normalization its running statistics back, which a pass in training moves on."""
    kept = [array.copy() for array in ensemble.state()]
    try:
        yield
    finally:
        for own, array in zip(ensemble.state(), kept, strict=True):
            own[...] = array


@dataclass(frozen=True)
class _Place:
    """What stands around a hidden layer: the normalization in front of phi, and whether a skip passes it."""

    norm: BatchNormalization | LayerNormalization | None
    is_bypassed: bool


def _places(layers: Sequence[Layer], is_branch: bool = False) -> Iterator[_Place]:
    """Of each hidden layer; in a branch, what stands in front of the first product belongs to the sum."""
    before, is_inside = None, False
    for layer in layers:
        if isinstance(layer, Residual):
            yield from _places(layer.branch, is_branch=True)
        elif isinstance(layer, Nonlinearity):
            yield _Place(before if isinstance(before, NORMALIZATIONS) else None, is_inside)
        before, is_inside = layer, is_inside or (is_branch and layer.is_affine)


def _describe(ensemble: Ensemble, row: int, layer: int, place: _Place, backward: bool) -> LayerStatistics:
    """Copies, because the ensemble's next pass overwrites its arrays."""
    z, a = (_samples_first(part[layer][row]) for part in (ensemble.pre_activations, ensemble.activations))
    below = ensemble.weights_before[layer]
    statistics = LayerStatistics(
        layer=layer + 1,
        activation=ensemble.activation,
        pre_activations=z,
        activations=a,
        weights=ensemble.weights[below][row].copy(),
        normalizer=_samples_first(place.norm.std[row]) if place.norm else None,
        is_normalized=any(
            isinstance(each, NORMALIZATIONS) for each, _ in walk(ensemble.layers, ensemble.sizes[:1])
        ),
        is_bypassed=place.is_bypassed,
    )
    if not backward:
        return statistics
    d = _samples_first(ensemble.pre_activation_gradients[layer][row])
    dW = ensemble.weight_gradients[below][row]
    # d belongs to the mean loss of the batch; times B, it belongs to each sample's own loss.
    return replace(statistics, gradients=d * len(d), weight_gradients=dW.copy())


def _samples_first(values: FloatArray) -> FloatArray:
    """A copy of (B, n); images (C, H, W, B), whose batch a network keeps last, become (B, C, H, W)."""
    return values.copy() if values.ndim == 2 else np.ascontiguousarray(np.moveaxis(values, -1, 0))
