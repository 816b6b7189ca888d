"""Layer statistics of a real network: inputs -> forward -> mean, std, saturation, histogram."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from initlab.nn.arrays import FloatArray
from initlab.nn.network import Ensemble

SATURATED_SLOPE = 0.05


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


@dataclass(frozen=True)
class LayerStatistics:
    """What one hidden layer of one network gives for a batch.

    Attributes:
        layer: counted from 1 at the first hidden layer.
        activations: phi(z), (B, n).
        mean, std: over all units and samples, in float64.
        saturated: the fraction of units and samples whose slope phi'(z) is below 5 % of the steepest.
    """

    layer: int
    activations: FloatArray
    mean: float
    std: float
    saturated: float

    def histogram(self, edges: tuple[float, float], bins: int) -> Histogram:
        """Count the activations in so many equal bins between two edges, the last one included."""
        return histogram(self.activations, edges, bins)


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


def measure_layers(ensemble: Ensemble, inputs: FloatArray) -> list[list[LayerStatistics]]:
    """Run the inputs forward and describe every hidden layer of every network.

    Args:
        ensemble: M networks.
        inputs: (B, n_0) for all alike, or (M, B, n_0).

    Returns:
        For each network, one entry for each hidden layer.

    >>> ensemble = Ensemble.from_schemes([100, 100, 100, 10], ["he"])
    >>> layers = measure_layers(ensemble, np.random.default_rng(0).standard_normal((1000, 100)))[0]
    >>> [layer.layer for layer in layers], 0.4 < layers[1].saturated < 0.6
    ([1, 2], True)
    """
    with np.errstate(all="ignore"):
        ensemble.forward(inputs)
        return [
            [_describe(ensemble, row, layer) for layer in range(len(ensemble.activations))]
            for row in range(ensemble.networks)
        ]


def _describe(ensemble: Ensemble, row: int, layer: int) -> LayerStatistics:
    z, a = ensemble.pre_activations[layer][row], ensemble.activations[layer][row].copy()
    slopes = ensemble.activation.derivative(z, a)
    flat = slopes < SATURATED_SLOPE * ensemble.activation.steepest
    exact = a.astype(np.float64)
    return LayerStatistics(layer + 1, a, float(exact.mean()), float(exact.std()), float(flat.mean()))
