"""Signal and gradient through depth: schemes, activations -> Profiles over seeds, measured and predicted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from initlab.init.networks import initialize
from initlab.init.per_layer import Initialization, SchemeLike, as_initializations
from initlab.init.scheme import Scheme
from initlab.measure.intervals import finite_or_none
from initlab.measure.layers import measure_layers
from initlab.measure.probes import check_at_least, equal_layers, random_probe
from initlab.nn.activations import ACTIVATIONS, ActivationName, as_list
from initlab.nn.architecture import Skip, SkipLike, as_skip
from initlab.nn.arrays import FloatArray
from initlab.nn.normalization import Norm, NormLike, as_norm
from initlab.theory.layers import LayerPrediction, predict_layers, silence


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One scheme under one activation, layer by layer.

    Attributes:
        activation: its name.
        label: the scheme, with those for other layers and biases, as a figure shows it.
        scheme: of the hidden layers.
        activation_std: of the activations of each hidden layer, (seeds, depth).
        gradient_std: of the loss's gradient with respect to the pre-activations of each hidden layer,
            relative to that of the last hidden layer, (seeds, depth).
        predicted: what mean-field theory predicts of each layer; None where it does not apply.
    """

    activation: str
    label: str
    scheme: Scheme
    activation_std: FloatArray
    gradient_std: FloatArray
    predicted: list[LayerPrediction] | None

    @property
    def gradient_factor(self) -> FloatArray:
        """The factor by which a layer multiplies squared gradients on the way back, (seeds,).

        It is the geometric mean over the layers, `(std_1^2 / std_L^2)^(1 / (L - 1))`.
        """
        layers = self.gradient_std.shape[1]
        return np.asarray(self.gradient_std[:, 0] ** (2 / (layers - 1)))

    @property
    def predicted_gradient_factor(self) -> float | None:
        """The predicted value of `gradient_factor`."""
        if self.predicted is None:
            return None
        return float(self.predicted[0].gradient ** (2 / (len(self.predicted) - 1)))

    def rows(self) -> list[dict[str, Any]]:
        """One row for each layer: mean and extremes over the seeds, and the prediction."""
        return [self._row(layer) for layer in range(self.activation_std.shape[1])]

    def _row(self, layer: int) -> dict[str, Any]:
        predicted = self.predicted[layer] if self.predicted else None
        std, gradient = (predicted.std, predicted.gradient) if predicted else (None, None)
        return {
            "activation": self.activation,
            "scheme": str(self.scheme),
            "layer": layer + 1,
            **_columns("activation_std", self.activation_std[:, layer], std),
            **_columns("gradient_std", self.gradient_std[:, layer], gradient),
        }


def _columns(name: str, values: FloatArray, predicted: float | None) -> dict[str, float | None]:
    return {
        name: finite_or_none(values.mean()),
        f"{name}_low": finite_or_none(values.min()),
        f"{name}_high": finite_or_none(values.max()),
        f"predicted_{name}": finite_or_none(predicted),
    }


def depth_profiles(
    schemes: SchemeLike | Sequence[SchemeLike],
    activations: ActivationName | Sequence[ActivationName],
    *,
    depth: int = 20,
    width: int = 100,
    samples: int = 300,
    seeds: int = 5,
    norm: NormLike | None = None,
    skip: SkipLike | None = None,
) -> list[Profile]:
    """Follow activations forward and gradients backward through untrained networks.

    Args:
        schemes: from which the weights are drawn, as "he" or "std=0.01"; biases are 0, unless an
            `Initialization` has others.
        activations: one name, as "relu", or function of your own, or several.
        depth: hidden layers, from 2 on.
        width: inputs, and units of each hidden layer.
        samples: inputs from N(0, 1), with labels of ten classes at random.
        seeds: how many networks are drawn from each scheme.
        norm: Batch or Layer Normalization of the hidden layers, as "batch" or "layer(place=after)";
            none by default.
        skip: skip connections, as 2 or "every=2, scale=0.5"; none by default.

    Returns:
        In the order of activations, then schemes.

    Raises:
        UsageError: for an unknown scheme or activation, or sizes that are too small.

    >>> profile = depth_profiles(["he"], ["relu"], depth=5, width=50, seeds=2)[0]
    >>> profile.activation_std.shape, round(profile.predicted_gradient_factor, 6)
    ((2, 5), 1.0)
    """
    check_at_least(2, depth=depth)
    check_at_least(1, width=width, samples=samples, seeds=seeds)
    starts = as_initializations(schemes)
    names = [ACTIVATIONS.resolve(activation) for activation in as_list(activations)]
    probe = _Probe(equal_layers(depth, width), samples, as_norm(norm), as_skip(skip))
    return [_profile(start, name, probe, seeds) for name in names for start in starts]


@dataclass(frozen=True)
class _Probe:
    """What all networks of a comparison have in common."""

    sizes: Sequence[int]
    samples: int
    norm: Norm | None
    skip: Skip | None


def _profile(start: Initialization, activation: str, probe: _Probe, seeds: int) -> Profile:
    with np.errstate(all="ignore"):
        stds = np.array([_stds(start, activation, probe, seed) for seed in range(seeds)])
    return Profile(
        activation=activation,
        label=str(start),
        scheme=start.scheme,
        activation_std=stds[:, 0],
        gradient_std=stds[:, 1],
        predicted=_prediction(start, activation, probe),
    )


def _prediction(start: Initialization, activation: str, probe: _Probe) -> list[LayerPrediction] | None:
    if silence(start, probe.norm) is not None:
        return None
    return predict_layers(start, probe.sizes, activation, norm=probe.norm, skip=probe.skip)


def _stds(
    start: Initialization, activation: str, probe: _Probe, seed: int
) -> tuple[list[float], list[float]]:
    """Of the activations, and of the gradients relative to the last layer's, layer by layer."""
    inputs, labels = random_probe(seed, probe.samples, probe.sizes[0])
    ensemble = initialize(
        probe.sizes, [start], seed, activation, "float64", data=inputs, norm=probe.norm, skip=probe.skip
    )
    layers = measure_layers(ensemble, inputs, labels)[0]
    last = layers[-1].gradient_std
    gradients = [layer.gradient_std / last if last else np.nan for layer in layers]
    return [layer.std for layer in layers], gradients
