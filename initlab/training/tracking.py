"""What layers do while they are trained: networks -> the same few numbers of each layer, now and then."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from initlab.data.examples import Examples
from initlab.measure.layers import LayerStatistics, measure_layers
from initlab.nn.network import Ensemble

# Attributes of `LayerStatistics`.
TRACKED = ("mean", "std", "saturated", "distinct_units", "gradient_std", "weight_gradient_std")
PROBE = 1000

Track = Callable[[Ensemble], Sequence[Mapping[str, Any]]]


def layer_tracker(examples: Examples, count: int = PROBE) -> Track:
    """A function that tells what each layer of each network does, for `train(track=...)`.

    Args:
        examples: of which the first training examples are shown, the same at every step.
        count: how many of them.

    Returns:
        A function of an ensemble, which gives for each network `train_accuracy` (the fraction of these
        examples that it classifies), and `layers`, a mapping of each name in `TRACKED` to its values layer
        by layer; None for those that are not finite.

    >>> from initlab.data.examples import array_examples
    >>> examples = array_examples([np.eye(4), [0, 1, 2, 0]])
    >>> entry = layer_tracker(examples)(Ensemble.zeros(1, [4, 6, 3]))[0]
    >>> entry["train_accuracy"], entry["layers"]["distinct_units"]
    (0.5, [1])
    """
    inputs, labels = examples.train_inputs[:count], examples.train_labels[:count]

    def track(ensemble: Ensemble) -> Sequence[Mapping[str, Any]]:
        accuracies = ensemble.accuracy(inputs, labels)
        return [
            {"train_accuracy": float(accuracy), "layers": _numbers(layers)}
            for accuracy, layers in zip(accuracies, measure_layers(ensemble, inputs, labels), strict=True)
        ]

    return track


def _numbers(layers: Sequence[LayerStatistics]) -> dict[str, list[float | None]]:
    values = {name: [getattr(layer, name) for layer in layers] for name in TRACKED}
    return {name: [value if np.isfinite(value) else None for value in row] for name, row in values.items()}
