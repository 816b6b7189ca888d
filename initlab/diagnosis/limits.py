"""The limits of a healthy layer, and the symptom beyond each: the numbers of a layer -> what ails it.

Three numbers of a layer are factors, which are 1 where the layer keeps what it receives: signal, gradient and
difference. The *severity* of a network is the largest |ln| of them over all layers that no skip connection
leads around. Up to `TRAINS` a network trains, beyond `FAILS` it does not (see `failing_limit`), and between
the two it is in doubt. To add a symptom, write an entry of `SYMPTOMS`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from initlab.measure.layers import LayerStatistics

Numbers = dict[str, float]

# Fitted in a probe of 416 networks under gradient descent, of 14 activations: of 247 up to e^3, 210
# classified 85 % of the test images after 500 steps; of 89 beyond e^8.5, none. experiments/diagnosis.py tries
# the limits on other perceptrons, and experiments/diagnosis_residual.py on networks with skip connections,
# normalization and convolutions, to which nothing was fitted.
TRAINS, FAILS = 3.0, 8.0
# Optimizers that divide each gradient by its own size forgive gradients of e^13.7, as far as others do e^8.
_FORGIVENESS = FAILS / 13.7
ADAPTIVE = ("adagrad", "rmsprop", "adam", "adamw")
# With these, half of the networks with skip connections, normalization or convolutions trained at severities
# from 8 to 36. Adam's eps of 1e-8 sets an end, by reason: a smaller gradient is no longer divided by its own
# size, and its mean square is e^-36.8.
_EPS_FAILS = -2 * math.log(1e-8)

FACTOR_LIMIT = math.exp(TRAINS)
FACTOR_REASON = f"a factor of e^{TRAINS:g} = {FACTOR_LIMIT:.0f}; most networks within it train"

LAYER_NUMBERS = {
    "signal": "the mean square of the pre-activations, relative to the first layer's; 1 in a normalized "
    "network",
    "gradient": "the mean square of the pre-activations' gradients, relative to the last hidden layer's; "
    "in images the sum over the places of a channel; in a normalized network that of relative changes",
    "difference": "how much the samples differ in this layer (1 - cosine), relative to the inputs",
    "saturated": "the fraction of slopes below 5 % of the steepest, for functions with two bounds",
    "dead": "the fraction of units whose slope is 0 for every input",
    "distinct": "the fraction of units that compute something of their own",
}
FACTORS = ("signal", "gradient", "difference")


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """A trouble that a layer has if one of its numbers lies beyond a limit.

    Attributes:
        word: the name of the trouble.
        number: a name in `LAYER_NUMBERS`.
        low, high: the ends of the healthy values.
        reason: for the limit.
        effect: the likely effect on training.
        fatal: whether a network with this symptom does not train, however small its severity.
    """

    word: str
    number: str
    low: float = -math.inf
    high: float = math.inf
    reason: str = FACTOR_REASON
    effect: str
    fatal: bool = False

    @property
    def bound(self) -> str:
        """The limit that was passed, as "signal below 0.0498"."""
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
        fatal=True,
    ),
    Symptom(
        word="dead",
        number="dead",
        high=0.5,
        reason="most units have slope 0 for every input",
        effect="the weights of these units get no gradient and never change",
        fatal=True,
    ),
    Symptom(
        word="exploding",
        number="signal",
        high=FACTOR_LIMIT,
        effect="the first steps overflow, or only a tiny learning rate works",
    ),
    Symptom(
        word="exploding",
        number="gradient",
        high=FACTOR_LIMIT,
        effect="a learning rate that suits one end of the network is far too large for the other",
    ),
    Symptom(
        word="collapsed",
        number="difference",
        low=1 / FACTOR_LIMIT,
        effect="all inputs look alike from this layer on, and get the same class",
    ),
    Symptom(
        word="vanishing",
        number="signal",
        low=1 / FACTOR_LIMIT,
        effect="the logits hardly depend on the input, and the weights get tiny gradients",
    ),
    Symptom(
        word="vanishing",
        number="gradient",
        low=1 / FACTOR_LIMIT,
        effect="the layers up to this one hardly learn",
    ),
    Symptom(
        word="saturated",
        number="saturated",
        high=0.5,
        reason="most slopes are almost 0; a remark, for it does not tell who trains from who does not",
        effect="these units change slowly, although large weights may still carry gradients through them",
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


def severity(numbers: Numbers, optimizer: str = "sgd") -> float:
    """How far a layer is from keeping what it receives: the largest |ln| of its factors.

    Args:
        numbers: of the layer; a factor that is nan is no evidence.
        optimizer: its name. For those in `ADAPTIVE` the gradient's |ln| counts 8 / 13.7.

    >>> severity({"signal": 1.0, "gradient": math.exp(-4), "difference": 0.5})
    4.0
    """
    sizes = {name: _log_size(numbers[name]) for name in FACTORS}
    if optimizer in ADAPTIVE:
        sizes["gradient"] *= _FORGIVENESS
    return max(sizes.values())


def _log_size(factor: float) -> float:
    if math.isnan(factor):
        return 0.0
    return abs(math.log(factor)) if 0 < factor < math.inf else math.inf


def failing_limit(optimizer: str, is_perceptron: bool) -> float:
    """The severity beyond which a network does not train.

    Args:
        optimizer: its name.
        is_perceptron: whether the network has dense layers alone, one behind the other.

    >>> failing_limit("adam", True), round(failing_limit("adam", False), 1), failing_limit("sgd", False)
    (8.0, 36.8, 8.0)
    """
    return _EPS_FAILS if optimizer in ADAPTIVE and not is_perceptron else FAILS


def verdict_on(size: float, is_fatal: bool, limit: float = FAILS) -> str:
    """ "trains", "in doubt" or "does not train".

    Args:
        size: the severity, the largest over all layers.
        is_fatal: whether a layer has a fatal symptom.
        limit: from which size on a network does not train; see `failing_limit`.

    >>> [verdict_on(size, False) for size in (0.5, 5.0, 20.0)]
    ['trains', 'in doubt', 'does not train']
    """
    if is_fatal or size > limit:
        return "does not train"
    return "trains" if size <= TRAINS else "in doubt"


def layer_numbers(layers: Sequence[LayerStatistics], input_difference: float) -> list[Numbers]:
    """The `LAYER_NUMBERS` of each layer of one network.

    Args:
        layers: all hidden layers, measured with labels.
        input_difference: the dissimilarity of the inputs.
    """
    first, last = layers[0], layers[-1]
    return [
        {
            "signal": ratio(signal_size(layer), signal_size(first)),
            "gradient": ratio(unit_gradient(layer), unit_gradient(last)),
            "difference": layer.dissimilarity / input_difference if input_difference else math.nan,
            "saturated": saturated_fraction(layer),
            "dead": layer.dead,
            "distinct": layer.distinct_units / layer.pre_activations.shape[1],
        }
        for layer in layers
    ]


def signal_size(layer: LayerStatistics) -> float:
    """The mean square of the pre-activations; 1 where a normalization takes it away, unless it overflows."""
    return 1.0 if layer.is_normalized and math.isfinite(layer.length) else layer.length


def unit_gradient(layer: LayerStatistics) -> float:
    """The mean square gradient of a unit; for a channel of images, the sum over its places.

    A kernel's gradient adds up those of all places, as many as 576 in a first layer: each may be small. Where
    a normalization takes a layer's size away, the gradient is that of relative changes.

    Args:
        layer: measured with labels.
    """
    std = layer.relative_gradient_std if layer.is_normalized else layer.gradient_std
    return float(std**2 * layer.pre_activations[0, 0].size)


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
