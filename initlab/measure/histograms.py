"""Histograms of networks, layer by layer: schemes or an ensemble -> Panels.

`layer_panels` draws untrained networks, in the experiment of Saito's "Deep Learning from Scratch", section
6.2: normal inputs, equal layers, no biases. Every scheme and activation gets the same inputs and the same
underlying draws. `network_panels` takes any networks, trained ones too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.per_layer import SchemeLike, as_initializations
from initlab.init.scheme import Scheme
from initlab.measure.intervals import finite_or_none
from initlab.measure.layers import measure_layers
from initlab.measure.probes import Hidden, check_at_least, probe_sizes, random_probe
from initlab.measure.quantities import QUANTITIES, Edges, Layers, Predicted, Theory
from initlab.nn.activations import ACTIVATIONS, ActivationName, as_list
from initlab.nn.architecture import SkipLike, as_skip
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.network import Ensemble
from initlab.nn.normalization import NormLike, as_norm
from initlab.theory.layers import silence


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts of values in equal bins, and of those outside.

    Attributes:
        edges: (bins + 1,).
        counts: (bins,).
        below, above: how many values lie outside the edges; `above` counts nan too.
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


def histogram(values: FloatArray, edges: Edges, bins: int) -> Histogram:
    """Count values in equal bins; nothing is dropped silently.

    Args:
        values: of any shape.
        edges: the lowest and the highest value that is counted in a bin.
        bins: how many.

    >>> histogram(np.array([-1.0, 0.2, 1.0, 7.0]), (0.0, 1.0), 2)
    Histogram(edges=array([0. , 0.5, 1. ]), counts=array([1, 1]), below=1, above=1)
    """
    low, high = edges
    values = values.astype(np.float64)
    inside = values[(values >= low) & (values <= high)]
    counts, borders = np.histogram(inside, bins, edges)
    below = int((values < low).sum())
    return Histogram(edges=borders, counts=counts, below=below, above=values.size - inside.size - below)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One layer of one network.

    Attributes:
        what: a name in `QUANTITIES`.
        activation: its name.
        label: of the network, as a figure shows it.
        scheme: from which its weights were drawn, by which a figure chooses its colour; None where it is not
            known.
        layer: counted from 1 at the first hidden layer.
        mean, std: of the quantity, over units and samples.
        saturated: as in `LayerStatistics`.
        histogram: of the quantity.
        predicted: what mean-field theory predicts; None where it does not apply.
    """

    what: str
    activation: str
    label: str
    scheme: Scheme | None
    layer: int
    mean: float
    std: float
    saturated: float
    histogram: Histogram
    predicted: Predicted | None

    def numbers(self) -> dict[str, float | int | str | None]:
        """The panel as one row of a table; None for a number that is not finite."""
        predicted = self.predicted
        return {
            "activation": self.activation,
            "scheme": str(self.scheme or self.label),
            "layer": self.layer,
            "mean": finite_or_none(self.mean),
            "std": finite_or_none(self.std),
            "predicted_mean": finite_or_none(predicted.mean) if predicted else None,
            "predicted_std": finite_or_none(predicted.std) if predicted else None,
            "predicted_std_spread": finite_or_none(predicted.spread) if predicted else None,
            "saturated": self.saturated,
            "below_range": self.histogram.below,
            "above_range": self.histogram.above,
            "clipped": self.histogram.clipped,
            "range_low": float(self.histogram.edges[0]),
            "range_high": float(self.histogram.edges[-1]),
        }


@dataclass(frozen=True)
class _View:
    """How a network's layers are counted: what of them, in how many bins, in which range."""

    what: str
    bins: int
    edges: Edges | None

    def __post_init__(self) -> None:
        QUANTITIES[self.what]
        check_at_least(1, bins=self.bins)
        if self.edges is not None:
            _check_edges(self.edges, self.bins)


@dataclass(frozen=True)
class _Subject:
    """A network whose layers are counted: its label, and what is known of its origin."""

    label: str
    scheme: Scheme | None = None
    theory: Theory | None = None


def _check_edges(edges: Edges, bins: int) -> None:
    if not 0 < edges[1] - edges[0] < np.inf:
        raise UsageError(
            f"a range goes from a smaller to a larger finite number, not from {edges[0]} to {edges[1]}"
        )
    # Of two numbers that are almost equal, rounding may leave some bins without width.
    if not (np.diff(np.linspace(*edges, bins + 1)) > 0).all():
        raise UsageError(f"the range from {edges[0]} to {edges[1]} cannot be cut into {bins} bins")


def layer_panels(
    schemes: SchemeLike | Sequence[SchemeLike],
    activations: ActivationName | Sequence[ActivationName] = ("sigmoid", "tanh", "relu"),
    *,
    what: str = "activations",
    depth: int = 5,
    width: int = 100,
    samples: int = 1000,
    bins: int = 30,
    edges: Edges | None = None,
    seed: int = 0,
    hidden: Hidden | None = None,
    norm: NormLike | None = None,
    skip: SkipLike | None = None,
) -> list[Panel]:
    """Histograms of untrained networks, layer by layer, with what theory predicts.

    Args:
        schemes: from which the weights are drawn, as "he" or "std=0.01".
        activations: one name, as "relu", or function of your own, or several.
        what: "activations", "preactivations", "gradients", "weights" or "weight_gradients". Gradients are
            those of the cross-entropy of ten random classes: of each sample with respect to pre-activations,
            of the mean over samples with respect to weights.
        depth: how many hidden layers of one width, unless `hidden` says otherwise.
        width: how many inputs, and units of each of these layers.
        samples: how many inputs are drawn from N(0, 1).
        bins: of each histogram.
        edges: the range of the histograms. By default it is that of the quantity in one layer, so that growth
            and decay from there are visible: for activations the function's bounds, or the first layer's
            values; else four standard deviations in the first layer, or in the last one for gradients.
        seed: of inputs and weights.
        hidden: the hidden layers, as "conv(16, kernel=5), pool(2), 100"; `width` inputs are then an image.
        norm: Batch or Layer Normalization of the hidden layers, as "batch" or "layer(place=after)";
            none by default.
        skip: skip connections, as 2 or "every=2, scale=0.5"; none by default.

    Returns:
        In the order of activations, then schemes, then layers.

    Raises:
        UsageError: for an unknown scheme, activation or quantity, sizes below 1, or an impossible range.

    >>> panels = layer_panels(["he"], ["relu"], depth=2)
    >>> [(panel.layer, round(panel.std, 1)) for panel in panels]
    [(1, 0.8), (2, 0.8)]
    """
    view = _View(what, bins, edges)
    check_at_least(1, depth=depth, width=width, samples=samples)
    starts = as_initializations(schemes)
    inputs, labels = random_probe(seed, samples, width)
    sizes, panels = probe_sizes(depth, width, hidden), []
    norms, skips = as_norm(norm), as_skip(skip)
    for name in [ACTIVATIONS.resolve(activation) for activation in as_list(activations)]:
        with np.errstate(over="ignore"):
            ensemble = initialize(sizes, starts, seed, name, data=inputs, norm=norms, skip=skips)
        for start, layers in zip(starts, measure_layers(ensemble, inputs, labels), strict=True):
            known = silence(start, norms) is None
            theory = Theory.of(start, sizes, name, samples, norms, skips) if known else None
            panels += _panels(view, _Subject(str(start), start.scheme, theory), layers)
    return panels


def network_panels(
    ensemble: Ensemble,
    inputs: FloatArray,
    labels: IntArray | None = None,
    *,
    what: str = "activations",
    names: Sequence[str] | None = None,
    bins: int = 30,
    edges: Edges | None = None,
) -> list[Panel]:
    """Histograms of given networks, trained or not, layer by layer; theory predicts nothing of them.

    Args:
        ensemble: M networks.
        inputs: (B, n_0) for all networks, or (M, B, n_0).
        labels: (B,) or (M, B), which only gradients need.
        what: "activations", "preactivations", "gradients", "weights" or "weight_gradients".
        names: of the networks, one for each, by default "network 0" and so on; a network that is named like a
            scheme, as "he", gets the scheme's colour.
        bins: of each histogram.
        edges: the range of the histograms; by default as for `layer_panels`.

    Returns:
        In the order of networks, then layers.

    Raises:
        UsageError: for an unknown quantity, gradients without labels, too few names, or an impossible range.

    >>> networks = initialize([100, 50, 50, 10], ["he", "xavier"])
    >>> x = np.random.default_rng(0).standard_normal((200, 100))
    >>> [(panel.label, panel.layer) for panel in network_panels(networks, x, names=["he", "xavier"])]
    [('he', 1), ('he', 2), ('xavier', 1), ('xavier', 2)]
    """
    view = _View(what, bins, edges)
    if QUANTITIES[what].needs_labels and labels is None:
        raise UsageError(f"{what} need labels; give those of the inputs")
    if not ensemble.activations:
        raise UsageError(f"{ensemble} has no hidden layer, of which a histogram could be drawn")
    if names is None:
        names = [f"network {row}" for row in range(ensemble.networks)]
    if len(names) != ensemble.networks:
        raise UsageError(f"{ensemble.networks} networks but {len(names)} names; give one for each network")
    networks = measure_layers(ensemble, inputs, labels)
    return [
        panel
        for name, layers in zip(names, networks, strict=True)
        for panel in _panels(view, _Subject(name), layers)
    ]


def _panels(view: _View, subject: _Subject, layers: Layers) -> list[Panel]:
    """All layers of one network, in one range."""
    edges = view.edges or QUANTITIES[view.what].edges(layers)
    return [_panel(view, subject, layers, i, edges) for i in range(len(layers))]


def _panel(view: _View, subject: _Subject, layers: Layers, i: int, edges: Edges) -> Panel:
    quantity, layer, theory = QUANTITIES[view.what], layers[i], subject.theory
    values = quantity.values(layer)
    counted = histogram(values, edges, view.bins)
    with np.errstate(all="ignore"):
        mean, std = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    return Panel(
        what=view.what,
        activation=layer.activation.name,
        label=subject.label,
        scheme=subject.scheme,
        layer=layer.layer,
        mean=mean,
        std=std,
        saturated=layer.saturated,
        histogram=counted,
        predicted=quantity.predict(theory, layers, i, counted.edges) if theory else None,
    )
