"""Histograms of untrained networks: schemes, activations, sizes -> Panels, one for each layer.

The experiment of Saito's "Deep Learning from Scratch", section 6.2: normal inputs, equal layers, no biases.
Every scheme and activation of a seed is given the same inputs and the same underlying draws. What is counted
is one of `QUANTITIES`; to add one, write how it is read off a layer, and what theory says of it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from initlab.analysis.finite_width import Spread, predict_spreads
from initlab.analysis.measure import Histogram, LayerStatistics, histogram, measure_layers, samples_of
from initlab.analysis.theory import (
    LayerPrediction,
    predict_gradient_shares,
    predict_layers,
    predict_shares,
)
from initlab.errors import UsageError, unknown_name
from initlab.nn.activations import get_activation
from initlab.nn.arrays import FloatArray
from initlab.nn.initializers import Scheme
from initlab.nn.network import Ensemble
from initlab.nn.streams import Purpose, stream

_CLASSES = 10


@dataclass(frozen=True)
class Predicted:
    """What theory says of a panel.

    Attributes:
        mean, std: of infinitely wide layers.
        spread: how far the standard deviation of one network of this width scatters around that, as the
            standard deviation over networks; None where it is not known.
        shares: of each bin; None where they are not known.
    """

    mean: float
    std: float
    spread: float | None = None
    shares: FloatArray | None = None


@dataclass(frozen=True)
class Panel:
    """One layer under one scheme and activation.

    Attributes:
        what: a name in `QUANTITIES`.
        activation, scheme, layer: which.
        mean, std: of the quantity, over units and samples.
        saturated: as in `LayerStatistics`.
        histogram: of the quantity.
        predicted: what mean-field theory says; None where it says nothing.
    """

    what: str
    activation: str
    scheme: Scheme
    layer: int
    mean: float
    std: float
    saturated: float
    histogram: Histogram
    predicted: Predicted | None

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
            "predicted_std_spread": _finite(self.predicted.spread) if self.predicted else None,
            "saturated": self.saturated,
            "below_range": self.histogram.below,
            "above_range": self.histogram.above,
            "clipped": self.histogram.clipped,
            "range_low": float(self.histogram.edges[0]),
            "range_high": float(self.histogram.edges[-1]),
        }


def _finite(number: float | None) -> float | None:
    return number if number is not None and np.isfinite(number) else None


@dataclass(frozen=True)
class Theory:
    """What is said of all layers of a network that is drawn from a scheme."""

    scheme: Scheme
    layers: Sequence[LayerPrediction]
    spreads: Sequence[Spread]


Layers = Sequence[LayerStatistics]
Edges = tuple[float, float]


@dataclass(frozen=True)
class Quantity:
    """What of a layer is counted.

    Attributes:
        title: as it heads a figure.
        values: `values(layer)` reads it off.
        edges: `edges(layers)` is the range in which growth and decay through the layers are seen.
        predict: `predict(theory, layers, i, edges)` is what theory says of layer i, `layers` being all the
            measured ones.
    """

    title: str
    values: Callable[[LayerStatistics], FloatArray]
    edges: Callable[[Layers], Edges]
    predict: Callable[[Theory, Layers, int, FloatArray], Predicted | None]


def _activation_edges(layers: Layers) -> Edges:
    """The activation's bounds; where it has none, those of the first layer's values."""
    low, high = layers[0].activation.bounds
    values = layers[0].activations[np.isfinite(layers[0].activations)]
    reach = float(np.abs(values).max(initial=0)) or 1.0
    return (low if np.isfinite(low) else -reach), (high if np.isfinite(high) else reach)


def _around_zero(values: FloatArray) -> Edges:
    """Four standard deviations to either side."""
    with np.errstate(all="ignore"):
        reach = 4 * float(np.sqrt((values.astype(np.float64) ** 2).mean()))
    return (-reach, reach) if 0 < reach < np.inf else (-1.0, 1.0)


def _gradients(layer: LayerStatistics) -> FloatArray:
    assert layer.gradients is not None
    return layer.gradients


def _weight_gradients(layer: LayerStatistics) -> FloatArray:
    assert layer.weight_gradients is not None
    return layer.weight_gradients


def _predict_activations(theory: Theory, layers: Layers, i: int, edges: FloatArray) -> Predicted:
    said = theory.layers[i]
    shares = predict_shares(layers[i].activation.name, said.q, edges)
    return Predicted(said.mean, said.std, theory.spreads[i].activation_std, shares)


def _predict_pre_activations(theory: Theory, _layers: Layers, i: int, edges: FloatArray) -> Predicted:
    q, spread = theory.layers[i].q, theory.spreads[i].pre_activation_std
    return Predicted(0.0, math.sqrt(q), spread, predict_shares("identity", q, edges))


def _predict_gradients(theory: Theory, layers: Layers, i: int, edges: FloatArray) -> Predicted | None:
    """Theory tells how gradients change from layer to layer; their size at the last one is measured."""
    said = theory.layers[i]
    std = layers[-1].gradient_std * said.gradient
    if not 0 < std < np.inf:
        return None
    shares = predict_gradient_shares(layers[i].activation.name, said.q, std, edges)
    return Predicted(0.0, std, None, shares)


def _predict_weights(theory: Theory, layers: Layers, i: int, _edges: FloatArray) -> Predicted:
    n_in, n_out = layers[i].weights.shape
    return Predicted(0.0, math.sqrt(theory.scheme.variance((n_in, n_out))))


QUANTITIES = {
    "activations": Quantity(
        "Activations", lambda layer: layer.activations, _activation_edges, _predict_activations
    ),
    "preactivations": Quantity(
        "Pre-activations",
        lambda layer: layer.pre_activations,
        lambda layers: _around_zero(layers[0].pre_activations),
        _predict_pre_activations,
    ),
    "gradients": Quantity(
        "Gradients with respect to the pre-activations",
        _gradients,
        lambda layers: _around_zero(_gradients(layers[-1])),
        _predict_gradients,
    ),
    "weights": Quantity(
        "Weights",
        lambda layer: layer.weights,
        lambda layers: _around_zero(layers[0].weights),
        _predict_weights,
    ),
    "weight_gradients": Quantity(
        "Gradients with respect to the weights",
        _weight_gradients,
        lambda layers: _around_zero(_weight_gradients(layers[-1])),
        lambda *_: None,
    ),
}


def layer_panels(
    schemes: Sequence[Scheme],
    activations: Sequence[str] = ("sigmoid", "tanh", "relu"),
    *,
    what: str = "activations",
    depth: int = 5,
    width: int = 100,
    samples: int = 1000,
    bins: int = 30,
    edges: Edges | None = None,
    seed: int = 0,
) -> list[Panel]:
    """Histograms of untrained networks, layer by layer.

    Args:
        schemes: from which the weights are drawn.
        activations: names in `ACTIVATIONS`.
        what: a name in `QUANTITIES`; gradients are those of the cross-entropy of ten random classes, of each
            sample with respect to pre-activations, of the mean over samples with respect to weights.
        depth: how many hidden layers.
        width: how many inputs, and units of each hidden layer.
        samples: how many inputs are drawn from N(0, 1).
        bins: of each histogram.
        edges: its range; by default for activations what the function can give, and where that has no
            bound, what the first layer gives; for the others, four standard deviations of the first layer,
            or of the last for gradients: so that growth and decay from there on are seen.
        seed: of inputs and weights.

    Returns:
        In the order of activations, then schemes, then layers.

    Raises:
        UsageError: for an unknown activation or quantity, sizes below 1, or a range that is none.

    >>> panels = layer_panels([Scheme("he")], ["relu"], depth=2)
    >>> [(panel.layer, round(panel.std, 1)) for panel in panels]
    [(1, 0.8), (2, 0.8)]
    """
    for name, number in (("depth", depth), ("width", width), ("samples", samples), ("bins", bins)):
        if number < 1:
            raise UsageError(f"{name} must be 1 or more, not {number}")
    if what not in QUANTITIES:
        raise UsageError(unknown_name("quantity", what, QUANTITIES))
    if edges is not None:
        _check_edges(edges, bins)
    rng = stream(seed, Purpose.INPUTS)
    inputs, labels = rng.standard_normal((samples, width)), rng.integers(_CLASSES, size=samples)
    panels = []
    for name in activations:
        get_activation(name)
        with np.errstate(over="ignore"):
            sizes = [width] * (depth + 1) + [_CLASSES]
            ensemble = Ensemble.from_schemes(sizes, schemes, seed, name, samples=samples_of(inputs))
        for scheme, layers in zip(schemes, measure_layers(ensemble, inputs, labels), strict=True):
            panels += _panels(what, scheme, layers, ensemble.sizes, edges, bins)
    return panels


def _check_edges(edges: Edges, bins: int) -> None:
    if not 0 < edges[1] - edges[0] < np.inf:
        raise UsageError(
            f"a range goes from a smaller to a larger finite number, not from {edges[0]} to {edges[1]}"
        )
    if not (np.diff(np.linspace(*edges, bins + 1)) > 0).all():
        raise UsageError(f"the range from {edges[0]} to {edges[1]} cannot be cut into {bins} bins")


def _panels(
    what: str, scheme: Scheme, layers: Layers, sizes: Sequence[int], edges: Edges | None, bins: int
) -> list[Panel]:
    """For inputs from N(0, 1)."""
    quantity, activation = QUANTITIES[what], layers[0].activation.name
    shown = edges or quantity.edges(layers)
    theory = _theory(scheme, sizes, activation, len(layers[0].activations)) if scheme.has_theory else None
    panels = []
    for i, layer in enumerate(layers):
        values = quantity.values(layer)
        counted = histogram(values, shown, bins)
        predicted = quantity.predict(theory, layers, i, counted.edges) if theory else None
        with np.errstate(all="ignore"):
            mean, std = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
        panels.append(
            Panel(what, activation, scheme, layer.layer, mean, std, layer.saturated, counted, predicted)
        )
    return panels


def _theory(scheme: Scheme, sizes: Sequence[int], activation: str, samples: int) -> Theory:
    layers = predict_layers(scheme, sizes, activation)
    return Theory(scheme.within(activation), layers, predict_spreads(scheme, sizes, activation, samples))
