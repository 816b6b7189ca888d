"""Signal and gradient through depth: schemes, activation -> Profiles over seeds, measured and predicted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from initlab.analysis.measure import samples_of
from initlab.analysis.theory import LayerPrediction, predict_layers
from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray
from initlab.nn.initializers import Scheme
from initlab.nn.network import Ensemble
from initlab.nn.streams import Purpose, stream

_CLASSES = 10


@dataclass(frozen=True)
class Profile:
    """One scheme under one activation, layer by layer.

    Attributes:
        activation, scheme: which.
        activation_std: of the activations of each hidden layer, (seeds, depth).
        gradient_std: of the loss's gradient with respect to the pre-activations of each hidden layer,
            relative to that of the last hidden layer, (seeds, depth).
        predicted: what mean-field theory says of each layer; None where it says nothing.
    """

    activation: str
    scheme: Scheme
    activation_std: FloatArray
    gradient_std: FloatArray
    predicted: list[LayerPrediction] | None

    @property
    def gradient_factor(self) -> FloatArray:
        """By what a layer multiplies squared gradients on the way back, (seeds,): its geometric mean."""
        layers = self.gradient_std.shape[1]
        return np.asarray(self.gradient_std[:, 0] ** (2 / (layers - 1)))

    @property
    def predicted_gradient_factor(self) -> float | None:
        """The same as theory has it."""
        if self.predicted is None:
            return None
        return float(self.predicted[0].gradient ** (2 / (len(self.predicted) - 1)))

    def rows(self) -> list[dict[str, Any]]:
        """One for each layer: mean and extremes over the seeds, and the prediction."""
        return [self._row(layer) for layer in range(self.activation_std.shape[1])]

    def _row(self, layer: int) -> dict[str, Any]:
        row = {"activation": self.activation, "scheme": str(self.scheme), "layer": layer + 1}
        predicted = self.predicted[layer] if self.predicted else None
        pairs = (("activation_std", "std"), ("gradient_std", "gradient"))
        for name, said in pairs:
            values = getattr(self, name)[:, layer]
            row |= {name: _finite(values.mean()), f"{name}_low": _finite(values.min())}
            row |= {f"{name}_high": _finite(values.max())}
            row |= {f"predicted_{name}": _finite(getattr(predicted, said)) if predicted else None}
        return row


def _finite(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def depth_profiles(
    schemes: Sequence[Scheme],
    activations: Sequence[str],
    *,
    depth: int = 20,
    width: int = 100,
    samples: int = 300,
    seeds: int = 5,
) -> list[Profile]:
    """Follow activations forward and gradients backward through untrained networks.

    Args:
        schemes: from which the weights are drawn; biases are 0.
        activations: names in `ACTIVATIONS`.
        depth: hidden layers, from 2 on.
        width: inputs, and units of each hidden layer.
        samples: inputs from N(0, 1), with labels of ten classes at random.
        seeds: how many networks are drawn from each scheme.

    Returns:
        In the order of activations, then schemes.

    Raises:
        UsageError: for an unknown activation, or sizes that are too small.

    >>> profile = depth_profiles([Scheme("he")], ["relu"], depth=5, width=50, seeds=2)[0]
    >>> profile.activation_std.shape, round(profile.predicted_gradient_factor, 6)
    ((2, 5), 1.0)
    """
    least = {"depth": 2, "width": 1, "samples": 1, "seeds": 1}
    given = {"depth": depth, "width": width, "samples": samples, "seeds": seeds}
    for name, number in given.items():
        if number < least[name]:
            raise UsageError(f"{name} must be {least[name]} or more, not {number}")
    sizes = [width] * (depth + 1) + [_CLASSES]
    return [_profile(scheme, name, sizes, samples, seeds) for name in activations for scheme in schemes]


def _profile(scheme: Scheme, name: str, sizes: Sequence[int], samples: int, seeds: int) -> Profile:
    with np.errstate(all="ignore"):
        measured = [_measure(scheme, name, sizes, samples, seed) for seed in range(seeds)]
    predicted = predict_layers(scheme, sizes, name) if scheme.has_theory else None
    forward, backward = (np.array(values) for values in zip(*measured, strict=True))
    return Profile(name, scheme, forward, backward, predicted)


def _measure(
    scheme: Scheme, name: str, sizes: Sequence[int], samples: int, seed: int
) -> tuple[list[float], list[float]]:
    rng = stream(seed, Purpose.INPUTS)
    inputs, labels = rng.standard_normal((samples, sizes[0])), rng.integers(_CLASSES, size=samples)
    ensemble = Ensemble.from_schemes(sizes, [scheme], seed, name, "float64", samples_of(inputs))
    ensemble.loss(inputs, labels)
    forward = [float(a[0].std()) for a in ensemble.activations]
    backward = [float(np.sqrt((d[0] ** 2).mean())) for d in ensemble.pre_activation_gradients]
    return forward, [value / backward[-1] if backward[-1] else np.nan for value in backward]
