"""What of a layer is counted: QUANTITIES[name] -> values, their range, what theory predicts of them.

To add a quantity, write how its values are read off a layer, in which range they are shown, and what theory
predicts of them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from initlab.init.per_layer import Initialization
from initlab.measure.layers import LayerStatistics
from initlab.nn.architecture import Size, Skip
from initlab.nn.arrays import FloatArray
from initlab.nn.normalization import Norm
from initlab.registry import Registry
from initlab.theory.finite_width import Spread, predict_spreads
from initlab.theory.layers import (
    LayerPrediction,
    predict_gradient_shares,
    predict_layers,
    predict_shares,
)

Layers = Sequence[LayerStatistics]
Edges = tuple[float, float]


def _no_spread() -> None:
    """Stands for a spread that theory does not know."""


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What theory predicts of the values in a histogram.

    Attributes:
        mean, std: of infinitely wide layers.
        shares: of the values in each bin, (bins,); None where they are not known.
        spread_of: gives `spread`.
    """

    mean: float
    std: float
    shares: FloatArray | None = None
    spread_of: Callable[[], float | None] = field(default=_no_spread, repr=False, compare=False)

    @cached_property
    def spread(self) -> float | None:
        """How far the standard deviation in one network of this width scatters around `std`.

        It is a standard deviation over networks; None where it is not known. It takes longer to compute than
        all the rest, so that is done when it is asked for.
        """
        return self.spread_of()


@dataclass(frozen=True)
class Theory:
    """What theory predicts of all hidden layers of a network.

    Attributes:
        layers: for infinite width.
        spread: gives `spreads`.
    """

    layers: Sequence[LayerPrediction]
    spread: Callable[[], Sequence[Spread]]

    @cached_property
    def spreads(self) -> Sequence[Spread]:
        """For this width; empty where they are not known."""
        return self.spread()

    @classmethod
    def of(
        cls,
        start: Initialization,
        sizes: Sequence[Size],
        activation: str,
        samples: int,
        norm: Norm | None = None,
        skip: Skip | None = None,
    ) -> "Theory":
        """The predictions for inputs from N(0, 1).

        Args:
            start: the schemes, which must have a theory.
            sizes: (n_0, ..., n_{L+1}), as for `network_layers`.
            activation: its name.
            samples: how many inputs the network is shown.
            norm: Batch or Layer Normalization of the hidden layers; none by default.
            skip: skip connections; none by default.
        """
        layers = predict_layers(start, sizes, activation, norm=norm, skip=skip)
        units = [size for size in sizes if isinstance(size, int)]
        # The formulas of finite width are those of perceptrons without biases.
        plain = len(units) == len(sizes) and not (start.bias or norm or skip)
        return cls(layers, lambda: predict_spreads(start, units, activation, samples) if plain else [])


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One kind of values that a layer has.

    Attributes:
        title: as it heads a figure.
        needs_labels: whether the values exist only after a backward pass.
        values: `values(layer)` reads them off.
        edges: `edges(layers)` is a range that shows how the values grow or decay through the layers.
        predict: `predict(theory, layers, i, edges)` is what theory predicts of layer i; `layers` are all the
            measured ones, `edges` those of the bins.
    """

    title: str
    needs_labels: bool = False
    values: Callable[[LayerStatistics], FloatArray]
    edges: Callable[[Layers], Edges]
    predict: Callable[[Theory, Layers, int, FloatArray], Predicted | None]


def _activation_edges(layers: Layers) -> Edges:
    """The activation's bounds; where it has none, those of the first layer's values."""
    low, high = layers[0].activation.bounds
    values = layers[0].activations[np.isfinite(layers[0].activations)]
    reach = float(np.abs(values).max(initial=0)) or 1.0
    return (low if np.isfinite(low) else -reach), (high if np.isfinite(high) else reach)


def _edges_around_zero(values: FloatArray) -> Edges:
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
    layer = theory.layers[i]
    shares = predict_shares(layers[i].activation.name, layer.pre_activations, edges)

    def spread() -> float | None:
        return theory.spreads[i].activation_std if theory.spreads else None

    return Predicted(mean=layer.mean, std=layer.std, shares=shares, spread_of=spread)


def _predict_pre_activations(theory: Theory, _layers: Layers, i: int, edges: FloatArray) -> Predicted:
    layer = theory.layers[i]
    mean = float(layer.hidden.z.mean.mean())
    shares = predict_shares("identity", layer.pre_activations, edges)

    def spread() -> float | None:
        return theory.spreads[i].pre_activation_std if theory.spreads else None

    return Predicted(mean=mean, std=math.sqrt(layer.q - mean**2), shares=shares, spread_of=spread)


def _predict_gradients(theory: Theory, layers: Layers, i: int, edges: FloatArray) -> Predicted | None:
    """Theory predicts ratios of gradients between layers; their size in the last layer is measured."""
    layer = theory.layers[i]
    std = layers[-1].gradient_std * layer.gradient
    if not 0 < std < np.inf:
        return None
    if not layer.hidden.is_product:
        return Predicted(mean=0.0, std=std)
    shares = predict_gradient_shares(layers[i].activation.name, layer.pre_activations, std, edges)
    return Predicted(mean=0.0, std=std, shares=shares)


def _predict_weights(theory: Theory, _layers: Layers, i: int, _edges: FloatArray) -> Predicted:
    return Predicted(mean=0.0, std=theory.layers[i].weight_std)


QUANTITIES: Registry[Quantity] = Registry("quantity")
QUANTITIES["activations"] = Quantity(
    title="Activations",
    values=lambda layer: layer.activations,
    edges=_activation_edges,
    predict=_predict_activations,
)
QUANTITIES["preactivations"] = Quantity(
    title="Pre-activations",
    values=lambda layer: layer.pre_activations,
    edges=lambda layers: _edges_around_zero(layers[0].pre_activations),
    predict=_predict_pre_activations,
)
QUANTITIES["gradients"] = Quantity(
    title="Gradients with respect to the pre-activations",
    needs_labels=True,
    values=_gradients,
    edges=lambda layers: _edges_around_zero(_gradients(layers[-1])),
    predict=_predict_gradients,
)
QUANTITIES["weights"] = Quantity(
    title="Weights",
    values=lambda layer: layer.weights,
    edges=lambda layers: _edges_around_zero(layers[0].weights),
    predict=_predict_weights,
)
QUANTITIES["weight_gradients"] = Quantity(
    title="Gradients with respect to the weights",
    needs_labels=True,
    values=_weight_gradients,
    edges=lambda layers: _edges_around_zero(_weight_gradients(layers[-1])),
    predict=lambda *_: None,
)
