"""Histograms of untrained networks: schemes, activations, sizes -> Panels, one for each layer.

The experiment of Saito's "Deep Learning from Scratch", section 6.2: normal inputs, equal layers, no biases.
Every scheme and activation of a seed is given the same inputs and the same underlying draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from initlab.analysis.measure import Histogram, LayerStatistics, measure_layers
from initlab.analysis.theory import predict_layers, predict_shares
from initlab.errors import UsageError
from initlab.nn.activations import get_activation
from initlab.nn.arrays import FloatArray
from initlab.nn.initializers import Scheme
from initlab.nn.network import Ensemble
from initlab.nn.streams import Purpose, stream


@dataclass(frozen=True)
class Predicted:
    """What theory says of a panel: mean and standard deviation, and the share of each bin."""

    mean: float
    std: float
    shares: FloatArray


@dataclass(frozen=True)
class Panel:
    """One layer under one scheme and activation.

    Attributes:
        activation, scheme, layer: which.
        mean, std, saturated: as in `LayerStatistics`.
        histogram: of the activations.
        predicted: what mean-field theory says; None where it says nothing.
    """

    activation: str
    scheme: Scheme
    layer: int
    mean: float
    std: float
    saturated: float
    histogram: Histogram
    predicted: "Predicted | None"

    def numbers(self) -> dict[str, float | int | str | None]:
        """The panel as one row of a table; None for a number that is not finite."""
        return {
            "activation": self.activation,
            "scheme": str(self.scheme),
            "layer": self.layer,
            "mean": _finite(self.mean),
            "std": _finite(self.std),
            "predicted_mean": _finite(self.predicted.mean) if self.predicted else None,
            "predicted_std": _finite(self.predicted.std) if self.predicted else None,
            "saturated": self.saturated,
            "below_range": self.histogram.below,
            "above_range": self.histogram.above,
            "clipped": self.histogram.clipped,
            "range_low": float(self.histogram.edges[0]),
            "range_high": float(self.histogram.edges[-1]),
        }


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None


def activation_panels(
    schemes: Sequence[Scheme],
    activations: Sequence[str] = ("sigmoid", "tanh", "relu"),
    *,
    depth: int = 5,
    width: int = 100,
    samples: int = 1000,
    bins: int = 30,
    edges: tuple[float, float] | None = None,
    seed: int = 0,
) -> list[Panel]:
    """The activations of untrained networks, layer by layer.

    Args:
        schemes: from which the weights are drawn.
        activations: names in `ACTIVATIONS`.
        depth: how many hidden layers.
        width: how many inputs, and units of each hidden layer.
        samples: how many inputs are drawn from N(0, 1).
        bins: of each histogram.
        edges: its range; by default what the activation can give, and where that has no bound, what the
            first layer gives, so that growth and decay from there on are seen.
        seed: of inputs and weights.

    Returns:
        In the order of activations, then schemes, then layers.

    Raises:
        UsageError: for an unknown activation, sizes below 1, or a range that is none.

    >>> panels = activation_panels([Scheme("he")], ["relu"], depth=2)
    >>> [(panel.layer, round(panel.std, 1)) for panel in panels]
    [(1, 0.8), (2, 0.8)]
    """
    for name, number in (("depth", depth), ("width", width), ("samples", samples), ("bins", bins)):
        if number < 1:
            raise UsageError(f"{name} must be 1 or more, not {number}")
    if edges is not None and not 0 < edges[1] - edges[0] < np.inf:
        raise UsageError(
            f"a range goes from a smaller to a larger finite number, not from {edges[0]} to {edges[1]}"
        )
    if edges is not None and not (np.diff(np.linspace(*edges, bins + 1)) > 0).all():
        raise UsageError(f"the range from {edges[0]} to {edges[1]} cannot be cut into {bins} bins")
    inputs = stream(seed, Purpose.INPUTS).standard_normal((samples, width))
    panels = []
    for name in activations:
        with np.errstate(over="ignore"):
            ensemble = Ensemble.from_schemes([width] * (depth + 1) + [1], schemes, seed, name)
        for scheme, layers in zip(schemes, measure_layers(ensemble, inputs), strict=True):
            shown = edges or _edges(name, layers[0])
            counted = [layer.histogram(shown, bins) for layer in layers]
            predicted = _predict(scheme, ensemble.sizes, name, counted)
            panels += [
                Panel(name, scheme, one.layer, one.mean, one.std, one.saturated, bars, said)
                for one, bars, said in zip(layers, counted, predicted, strict=True)
            ]
    return panels


def _predict(
    scheme: Scheme, sizes: tuple[int, ...], activation: str, counted: Sequence[Histogram]
) -> Sequence[Predicted | None]:
    """For inputs from N(0, 1)."""
    if not scheme.has_theory:
        return [None] * len(counted)
    layers = predict_layers(scheme, sizes, activation)
    return [
        Predicted(layer.mean, layer.std, predict_shares(activation, layer.q, one.edges))
        for layer, one in zip(layers, counted, strict=True)
    ]


def _edges(name: str, first: LayerStatistics) -> tuple[float, float]:
    """The activation's bounds; where it has none, those of the first layer's values."""
    low, high = get_activation(name).bounds
    values = first.activations[np.isfinite(first.activations)]
    reach = float(np.abs(values).max()) if values.size and np.abs(values).max() > 0 else 1.0
    return (low if np.isfinite(low) else -reach), (high if np.isfinite(high) else reach)
