"""What layers do while they are trained: networks -> the same few numbers of each layer, now and then."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from initlab.analysis.measure import LayerStatistics, measure_layers
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.network import Ensemble

# Attributes of `LayerStatistics`.
TRACKED = ("mean", "std", "saturated", "distinct_units", "gradient_std", "weight_gradient_std")
PROBE = 1000


def track(ensemble: Ensemble, step: int, inputs: FloatArray, labels: IntArray) -> list[dict[str, Any]]:
    """One entry for each network; the networks are not changed.

    Args:
        ensemble: M networks.
        step: how many updates they have had.
        inputs, labels: (B, n_0) and (B,), the same at every step.

    Returns:
        For each network `step`, `train_accuracy` (the fraction of these samples that it classifies), and
        `layers`, a mapping of each name in `TRACKED` to its values layer by layer; None for those that are
        not finite.

    >>> ensemble = Ensemble.from_schemes([4, 6, 3], ["zeros"])
    >>> entry = track(ensemble, 0, np.eye(4), np.array([0, 1, 2, 0]))[0]
    >>> entry["train_accuracy"], entry["layers"]["distinct_units"]
    (0.5, [1])
    """
    copy = ensemble.keep(np.arange(ensemble.networks))
    with np.errstate(all="ignore"):
        accuracies = copy.accuracy(inputs, labels)
        networks = measure_layers(copy, inputs, labels)
        return [
            {"step": step, "train_accuracy": float(accuracy), "layers": _numbers(layers)}
            for accuracy, layers in zip(accuracies, networks, strict=True)
        ]


def _numbers(layers: Sequence[LayerStatistics]) -> dict[str, list[float | None]]:
    values = {name: [getattr(layer, name) for layer in layers] for name in TRACKED}
    return {name: [one if np.isfinite(one) else None for one in row] for name, row in values.items()}
