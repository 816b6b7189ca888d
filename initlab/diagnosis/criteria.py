"""Criteria: the numbers of a whole network -> answers to questions about a good initialization.

The questions are those of an Italian article on weight initialization. To add one, write an entry of
`CRITERIA`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from initlab.diagnosis.limits import (
    FACTOR_LIMIT,
    FACTOR_REASON,
    Numbers,
    ratio,
    saturated_fraction,
    signal_size,
    unit_gradient,
)
from initlab.measure.layers import LayerStatistics

NETWORK_NUMBERS = {
    "first_loss": "the cross-entropy before the first step, in units of ln(classes)",
    "most_saturated": "the fraction of saturated slopes in the layer that has the most of them",
    "signal_growth": "the largest signal of a layer, relative to the first layer's",
    "gradient_ratio": "the largest mean square gradient of a layer over the smallest; layers that a skip "
    "connection bypasses are left out",
    "mean_shift": "the largest |mean| of a layer's pre-activations, in units of their size over sqrt(n)",
    "variance_ratio": "the largest variance of a layer's activations over the smallest",
}


@dataclass(frozen=True)
class Criterion:
    """A question about the whole network.

    Attributes:
        question: a healthy network answers it with yes.
        number: a name in `NETWORK_NUMBERS`.
        high: the largest value of the number for which the answer is yes.
        reason: for this limit.
    """

    question: str
    number: str
    high: float
    reason: str


CRITERIA = (
    Criterion(
        "Does the loss begin small?",
        "first_loss",
        2.0,
        "equal probabilities cost ln(classes); beyond twice that, the network is sure and wrong",
    ),
    Criterion("Are most units not saturated?", "most_saturated", 0.5, "most means more than half"),
    Criterion("Do activations not explode?", "signal_growth", FACTOR_LIMIT, FACTOR_REASON),
    Criterion("Are gradients similar in all layers?", "gradient_ratio", FACTOR_LIMIT, FACTOR_REASON),
    Criterion(
        "Is the mean pre-activation near 0?",
        "mean_shift",
        3.0,
        "three standard deviations of a mean over n weights of mean 0; the question is about "
        "pre-activations because activations of ReLU and sigmoid cannot have mean 0",
    ),
    Criterion("Is the variance level through the layers?", "variance_ratio", FACTOR_LIMIT, FACTOR_REASON),
)


@dataclass(frozen=True)
class Answer:
    """The answer to a criterion.

    Attributes:
        criterion: the question.
        number: its number, the median over the seeds.
    """

    criterion: Criterion
    number: float

    @property
    def met(self) -> bool:
        """Whether the number is within the limit; nan is not."""
        return self.number <= self.criterion.high


def network_numbers(layers: Sequence[LayerStatistics], first_loss: float) -> Numbers:
    """The `NETWORK_NUMBERS` of one network.

    Args:
        layers: all hidden layers, measured with labels.
        first_loss: the cross-entropy in units of ln(classes).
    """
    gradients = [unit_gradient(layer) for layer in layers if not layer.is_bypassed]
    variances = [layer.std**2 for layer in layers]
    return {
        "first_loss": float(first_loss) if math.isfinite(first_loss) else math.inf,
        "most_saturated": max(saturated_fraction(layer) for layer in layers),
        "signal_growth": max(ratio(signal_size(layer), signal_size(layers[0])) for layer in layers),
        "gradient_ratio": ratio(max(gradients), min(gradients)),
        "mean_shift": max(_mean_shift(layer) for layer in layers),
        "variance_ratio": ratio(max(variances), min(variances)),
    }


def _mean_shift(layer: LayerStatistics) -> float:
    """`|mean z| sqrt(n) / sqrt(mean z^2)`."""
    z = layer.pre_activations
    return abs(float(z.mean())) * math.sqrt(z.shape[1]) / math.sqrt(layer.length) if layer.length else 0.0
