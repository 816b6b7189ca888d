"""The limits of a healthy layer, and the symptom beyond each: the numbers of a layer -> what ails it.

A layer has a symptom where one of its numbers passes a limit. Most limits are the same: a factor e^6 in a
squared quantity, six of the depth scales of mean-field theory, beyond which Schoenholz et al. 2017 (Deep
information propagation, section 5) found networks untrainable. To add a symptom, write an entry of
`SYMPTOMS`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from initlab.measure.layers import LayerStatistics
from initlab.theory.explain import TRAINABLE_SCALES

Numbers = dict[str, float]

FACTOR_LIMIT = math.exp(TRAINABLE_SCALES)
FACTOR_REASON = (
    f"e^{TRAINABLE_SCALES} = {FACTOR_LIMIT:.0f}, which is {TRAINABLE_SCALES} depth scales: deeper networks "
    "do not train (Schoenholz et al. 2017)"
)

LAYER_NUMBERS = {
    "signal": "the mean square of the pre-activations, relative to the first layer's",
    "gradient": "the mean square of the pre-activations' gradients, relative to the last hidden layer's",
    "difference": "how much the samples differ in this layer (1 - cosine), relative to the inputs",
    "saturated": "the fraction of slopes below 5 % of the steepest, for functions with two bounds",
    "dead": "the fraction of units whose slope is 0 for every input",
    "distinct": "the fraction of units that differ from all others",
}


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """A trouble that a layer has if one of its numbers lies beyond a limit.

    Attributes:
        word: the name of the trouble.
        number: a name in `LAYER_NUMBERS`.
        low, high: the ends of the healthy values.
        reason: for the limit.
        effect: the likely effect on training.
        fatal: whether a network with this symptom does not train; else it trains slowly.
    """

    word: str
    number: str
    low: float = -math.inf
    high: float = math.inf
    reason: str
    effect: str
    fatal: bool = True

    @property
    def bound(self) -> str:
        """The limit that was passed, as "signal below 0.00248"."""
        limit = f"below {self.low:.3g}" if self.low > 0 else f"above {self.high:.3g}"
        return f"{self.number} {limit}"

    def holds(self, numbers: Numbers) -> bool:
        """Whether a layer with these numbers has the symptom; a number that is nan is no evidence."""
        return numbers[self.number] < self.low or numbers[self.number] > self.high


# The worst first.
SYMPTOMS = (
    Symptom(
        word="symmetric",
        number="distinct",
        low=0.5,
        reason="equal units get equal gradients and stay equal",
        effect="the layer works like a few units, however wide it is",
    ),
    Symptom(
        word="dead",
        number="dead",
        high=0.5,
        reason="most units have slope 0 for every input",
        effect="the weights of these units get no gradient and never change",
    ),
    Symptom(
        word="exploding",
        number="signal",
        high=FACTOR_LIMIT,
        reason=FACTOR_REASON,
        effect="the first steps overflow, or only a tiny learning rate works",
    ),
    Symptom(
        word="exploding",
        number="gradient",
        high=FACTOR_LIMIT,
        reason=FACTOR_REASON,
        effect="a learning rate that suits one end of the network is far too large for the other",
    ),
    Symptom(
        word="collapsed",
        number="difference",
        low=1 / FACTOR_LIMIT,
        reason=FACTOR_REASON,
        effect="all inputs look alike from this layer on, and get the same class",
    ),
    Symptom(
        word="vanishing",
        number="signal",
        low=1 / FACTOR_LIMIT,
        reason=FACTOR_REASON,
        effect="the logits hardly depend on the input, and the weights get tiny gradients",
    ),
    Symptom(
        word="vanishing",
        number="gradient",
        low=1 / FACTOR_LIMIT,
        reason=FACTOR_REASON,
        effect="the layers up to this one hardly learn",
    ),
    Symptom(
        word="saturated",
        number="saturated",
        high=0.5,
        reason="most slopes are almost 0",
        effect="these units change slowly, although large weights may still carry gradients through them",
        fatal=False,
    ),
)


def symptoms_of(numbers: Numbers) -> list[Symptom]:
    """The symptoms of a layer with these `LAYER_NUMBERS`, the worst first."""
    return [symptom for symptom in SYMPTOMS if symptom.holds(numbers)]


def words_of(symptoms: Sequence[Symptom]) -> list[str]:
    """Each word once, or "healthy" where there is no symptom.

    >>> words_of(SYMPTOMS[2:4]), words_of([])
    (['exploding'], ['healthy'])
    """
    return list(dict.fromkeys(symptom.word for symptom in symptoms)) or ["healthy"]


def layer_numbers(layers: Sequence[LayerStatistics], input_difference: float) -> list[Numbers]:
    """The `LAYER_NUMBERS` of each layer of one network.

    Args:
        layers: all hidden layers, measured with labels.
        input_difference: the dissimilarity of the inputs.
    """
    first, last = layers[0], layers[-1]
    return [
        {
            "signal": ratio(layer.length, first.length),
            "gradient": ratio(layer.gradient_std**2, last.gradient_std**2),
            "difference": layer.dissimilarity / input_difference if input_difference else math.nan,
            "saturated": saturated_fraction(layer),
            "dead": layer.dead,
            "distinct": layer.distinct_units / layer.pre_activations.shape[1],
        }
        for layer in layers
    ]


def ratio(numerator: float, denominator: float) -> float:
    """The ratio of two mean squares: infinite where the first is not finite, nan for 0 / 0.

    Args:
        numerator: >= 0, or not finite where the signal has overflowed.
        denominator: >= 0.

    >>> ratio(1.0, 0.0), ratio(0.0, 0.0), ratio(math.nan, 1.0)
    (inf, nan, inf)
    """
    if not math.isfinite(numerator):
        return math.inf
    if not denominator:
        return math.inf if numerator else math.nan
    return numerator / denominator


def saturated_fraction(layer: LayerStatistics) -> float:
    """The layer's saturated fraction; 0 for functions like ReLU, of whose slopes half are 0 in health."""
    return layer.saturated if all(map(math.isfinite, layer.activation.bounds)) else 0.0
