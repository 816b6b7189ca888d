"""The verdict on a network before its training: scheme, layers, data -> what ails which layer, and the cure.

    networks drawn with several seeds -> forward, backward -> numbers of each layer -> words -> verdict

A word is given where a number passes its limit in the median over the seeds. Most limits are one and the
same: a factor e^6 in a squared quantity, six of the depth scales of mean-field theory, beyond which
Schoenholz et al. 2017 (Deep information propagation, section 5) found networks untrainable. To add a word,
write an entry of `SYMPTOMS`; a question to the whole network, one of `CRITERIA`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from initlab.analysis.explain import TRAINABLE_SCALES, outlook
from initlab.analysis.measure import (
    SATURATED_SLOPE,
    LayerStatistics,
    dissimilarity,
    measure_layers,
    samples_of,
)
from initlab.analysis.theory import expectation, functions_of, predict_layers
from initlab.errors import UsageError
from initlab.nn.activations import ACTIVATIONS, get_activation
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.initializers import Scheme
from initlab.nn.losses import cross_entropy
from initlab.nn.network import Ensemble
from initlab.nn.normalization import BatchNorm
from initlab.nn.starts import Start

Numbers = dict[str, float]

_FAR = math.exp(TRAINABLE_SCALES)
_SCALES = f"e^{TRAINABLE_SCALES} = {_FAR:.0f}, {TRAINABLE_SCALES} depth scales: deeper networks did not train"
_CURE_SATURATED = 0.25
_CURE_MARGIN = 2
_WIDTH = 100


@dataclass(frozen=True)
class Symptom:
    """What a layer is called whose number lies beyond a limit.

    Attributes:
        word: the name of the trouble.
        number: which of the layer's numbers is looked at.
        low, high: healthy values.
        reason: of the limit.
        effect: what training will probably do.
        fatal: whether a network with it is said not to train; else it trains slowly.
    """

    word: str
    number: str
    low: float
    high: float
    reason: str
    effect: str
    fatal: bool = True

    def holds(self, numbers: Numbers) -> bool:
        """Whether the layer has it; a number that does not exist (nan) is no evidence."""
        return numbers[self.number] < self.low or numbers[self.number] > self.high


LAYER_NUMBERS = {
    "signal": "the mean square of its pre-activations, relative to the first layer's",
    "gradient": "the mean square of the loss's gradients on them, relative to the last hidden layer's",
    "difference": "how far inputs differ in it (1 - cosine), relative to the inputs themselves",
    "saturated": "the fraction of slopes below 5 % of the steepest; for functions with two bounds",
    "dead": "the fraction of units whose slope is 0 for every input",
    "distinct": "the fraction of units that differ from all others",
}

SYMPTOMS = (
    Symptom(
        "symmetric",
        "distinct",
        0.5,
        math.inf,
        "equal units get equal gradients and stay equal",
        "the layer stays as good as a few units, however wide it is",
    ),
    Symptom(
        "dead",
        "dead",
        -math.inf,
        0.5,
        "most units have slope 0 for every input",
        "their weights get no gradient and never change",
    ),
    Symptom(
        "exploding",
        "signal",
        -math.inf,
        _FAR,
        _SCALES,
        "the first steps overflow, or only a tiny rate survives",
    ),
    Symptom(
        "exploding",
        "gradient",
        -math.inf,
        _FAR,
        _SCALES,
        "a rate that suits one end of the network throws the other about",
    ),
    Symptom(
        "collapsed",
        "difference",
        1 / _FAR,
        math.inf,
        _SCALES,
        "all inputs look alike from here on: one class for every input",
    ),
    Symptom(
        "vanishing",
        "signal",
        1 / _FAR,
        math.inf,
        _SCALES,
        "the logits hardly depend on the input, and gradients on weights are tiny",
    ),
    Symptom(
        "vanishing",
        "gradient",
        1 / _FAR,
        math.inf,
        _SCALES,
        "the layers below hardly learn",
    ),
    Symptom(
        "saturated",
        "saturated",
        -math.inf,
        0.5,
        "most slopes are almost 0",
        "these units change slowly; large weights may still carry gradients past them",
        fatal=False,
    ),
)


@dataclass(frozen=True)
class Criterion:
    """A question to the whole network, after an Italian article's criteria for a good initialization.

    Attributes:
        question: answered yes by a healthy network.
        number: which of the network's numbers is looked at.
        high: up to where it is.
        reason: of the limit.
    """

    question: str
    number: str
    high: float
    reason: str


NETWORK_NUMBERS = {
    "first_loss": "the cross-entropy before the first step, in units of ln(classes)",
    "most_saturated": "the fraction of saturated slopes in the layer that has most",
    "signal_growth": "the largest of the layers' signals, relative to the first layer's",
    "gradient_ratio": "the largest mean square gradient of a layer over the smallest",
    "mean_shift": "the largest |mean| of a layer's pre-activations, in units of their size over sqrt(n)",
    "variance_ratio": "the largest variance of a layer's activations over the smallest",
}

CRITERIA = (
    Criterion(
        "Does the loss begin small?",
        "first_loss",
        2.0,
        "knowing nothing costs ln(classes); beyond twice that, the network is sure and wrong",
    ),
    Criterion("Are most units not saturated?", "most_saturated", 0.5, "most: more than half"),
    Criterion("Do activations not explode?", "signal_growth", _FAR, _SCALES),
    Criterion("Are gradients similar in all layers?", "gradient_ratio", _FAR, _SCALES),
    Criterion(
        "Is the mean pre-activation near 0?",
        "mean_shift",
        3.0,
        "what chance leaves of n weights of mean 0; activations of ReLU and sigmoid cannot have mean 0",
    ),
    Criterion("Is the variance level through the layers?", "variance_ratio", _FAR, _SCALES),
)


@dataclass(frozen=True)
class LayerDiagnosis:
    """One hidden layer: its numbers, named in `LAYER_NUMBERS`, as medians over the seeds, and what it has."""

    layer: int
    units: int
    std: float
    numbers: Numbers
    symptoms: list[Symptom]

    @property
    def words(self) -> list[str]:
        """All that ails it, or that it is healthy."""
        return list(dict.fromkeys(symptom.word for symptom in self.symptoms)) or ["healthy"]


@dataclass(frozen=True)
class Answer:
    """A criterion, its number as the median over the seeds, and whether it is met."""

    criterion: Criterion
    number: float

    @property
    def met(self) -> bool:
        """Whether the number is within the limit; one that does not exist is not."""
        return self.number <= self.criterion.high


@dataclass(frozen=True)
class Cure:
    """What theory would have instead: a scheme for this activation and depth, and why."""

    scheme: Scheme
    why: str


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on the networks of one scheme, activation and shape.

    Attributes:
        scheme, activation, sizes: which, sizes with inputs and classes.
        seeds, samples: how many networks were drawn, and inputs shown.
        layers: each hidden layer.
        answers: to each criterion.
        cure: None where nothing ails it.
    """

    scheme: Scheme
    activation: str
    sizes: tuple[int, ...]
    seeds: int
    samples: int
    layers: list[LayerDiagnosis]
    answers: list[Answer]
    cure: Cure | None

    @property
    def symptoms(self) -> dict[Symptom, list[int]]:
        """All that ails it, each with the layers that have it."""
        found = {
            symptom: [one.layer for one in self.layers if symptom in one.symptoms] for symptom in SYMPTOMS
        }
        return {symptom: layers for symptom, layers in found.items() if layers}

    @property
    def words(self) -> list[str]:
        """All that ails any layer, the worst first, or that it is healthy."""
        return list(dict.fromkeys(symptom.word for symptom in self.symptoms)) or ["healthy"]

    @property
    def verdict(self) -> str:
        """ "trains", "trains slowly" or "does not train"."""
        if any(symptom.fatal for symptom in self.symptoms):
            return "does not train"
        return "trains slowly" if self.symptoms else "trains"


def diagnose(
    scheme: Scheme | Start,
    activation: str,
    hidden: Sequence[int],
    inputs: FloatArray,
    labels: IntArray,
    *,
    seeds: int = 5,
    batch_norm: BatchNorm | None = None,
) -> Diagnosis:
    """Say before training what ails each layer, and whether plain gradient descent will succeed.

    Args:
        scheme: of all weights, or a start with schemes for layers and biases.
        activation: a name in `ACTIVATIONS`.
        hidden: units of each hidden layer, at least one.
        inputs: (B, n_0) as training will show them, some hundreds.
        labels: (B,) from 0 on.
        seeds: how many networks are drawn; all numbers are medians over them.
        batch_norm: Batch Normalization of the hidden layers; none by default.

    Raises:
        UsageError: for an unknown activation, no hidden layer, or fewer than two inputs.

    >>> rng = np.random.default_rng(0)
    >>> inputs, labels = rng.standard_normal((100, 50)), rng.integers(10, size=100)
    >>> for scheme in ("he", "std=0.01"):
    ...     found = diagnose(Scheme.parse(scheme), "relu", [50] * 10, inputs, labels)
    ...     print(found.words, found.verdict, found.cure and found.cure.scheme)
    ['healthy'] trains None
    ['vanishing'] does not train he
    """
    get_activation(activation)
    if not hidden or len(inputs) < 2 or seeds < 1:
        raise UsageError("a diagnosis needs at least one hidden layer, two inputs and one seed")
    sizes = (inputs.shape[1], *hidden, int(labels.max()) + 1)
    with np.errstate(all="ignore"):
        ensemble = Ensemble.from_schemes(
            sizes, [scheme] * seeds, range(seeds), activation, "float64", samples_of(inputs), batch_norm
        )
        networks = measure_layers(ensemble, inputs, labels)
        first_losses = cross_entropy(ensemble.pre_activations[-1], labels)[0] / math.log(max(sizes[-1], 2))
        apart = dissimilarity(inputs.astype(np.float64))
        by_seed = [_layer_numbers(layers, apart) for layers in networks]
        whole = [_network_numbers(*pair) for pair in zip(networks, first_losses, strict=True)]
    numbers = [_medians(same) for same in zip(*by_seed, strict=True)]
    stds = np.median([[layer.std for layer in layers] for layers in networks], axis=0)
    layers = [
        LayerDiagnosis(i + 1, hidden[i], float(stds[i]), one, [s for s in SYMPTOMS if s.holds(one)])
        for i, one in enumerate(numbers)
    ]
    found = _medians(whole)
    answers = [Answer(criterion, found[criterion.number]) for criterion in CRITERIA]
    ill = any(layer.symptoms for layer in layers)
    better = find_cure(activation, len(hidden)) if ill else None
    return Diagnosis(Start.of(scheme).scheme, activation, sizes, seeds, len(inputs), layers, answers, better)


def _medians(same: Sequence[Numbers]) -> Numbers:
    return {name: float(np.median([one[name] for one in same])) for name in same[0]}


def _ratio(one: float, other: float) -> float:
    """Of two mean squares: infinite where the first is not finite, nan for 0 / 0.

    >>> _ratio(1.0, 0.0), _ratio(0.0, 0.0)
    (inf, nan)
    """
    if not math.isfinite(one):
        return math.inf
    return one / other if other else (math.inf if one else math.nan)


def _layer_numbers(layers: Sequence[LayerStatistics], apart: float) -> list[Numbers]:
    """`LAYER_NUMBERS` of each layer of one network, whose inputs differ by `apart`."""
    return [
        {
            "signal": _ratio(layer.length, layers[0].length),
            "gradient": _ratio(layer.gradient_std**2, layers[-1].gradient_std ** 2),
            "difference": layer.dissimilarity / apart if apart else math.nan,
            "saturated": _saturated(layer),
            "dead": layer.dead,
            "distinct": layer.distinct_units / layer.pre_activations.shape[1],
        }
        for layer in layers
    ]


def _saturated(layer: LayerStatistics) -> float:
    """0 for functions like ReLU, half of whose slopes are 0 in health."""
    return layer.saturated if all(map(math.isfinite, layer.activation.bounds)) else 0.0


def _network_numbers(layers: Sequence[LayerStatistics], first_loss: float) -> Numbers:
    """`NETWORK_NUMBERS` of one network."""
    gradients = [layer.gradient_std**2 for layer in layers]
    variances = [layer.std**2 for layer in layers]
    return {
        "first_loss": float(first_loss) if math.isfinite(first_loss) else math.inf,
        "most_saturated": max(_saturated(layer) for layer in layers),
        "signal_growth": max(_ratio(layer.length, layers[0].length) for layer in layers),
        "gradient_ratio": _ratio(max(gradients), min(gradients)),
        "mean_shift": max(_shift(layer) for layer in layers),
        "variance_ratio": _ratio(max(variances), min(variances)),
    }


def _shift(layer: LayerStatistics) -> float:
    z = layer.pre_activations
    return abs(float(z.mean())) * math.sqrt(z.shape[1]) / math.sqrt(layer.length) if layer.length else 0.0


def find_cure(activation: str, depth: int) -> Cure:
    """The scheme that theory gives for an activation and a number of hidden layers.

    It is the critical one, which keeps gradients and differences through any depth. But where that would
    saturate many units, as with the sigmoid, it is the smallest variance good for twice the depth; and
    where gradients still fade on their way to the critical state, or there is none, the variance that leaves
    the first layer's gradient as large as the last one's.

    >>> [str(find_cure(name, 10).scheme) for name in ("relu", "tanh", "sigmoid")]
    ['he', 'lecun', 'variance_scaling(scale=55.4)']
    """
    critical = get_activation(activation).critical
    if critical is not None and _saturates(activation, critical) > _CURE_SATURATED:
        enough = _smallest_variance(activation, depth, critical)
        why = f"for {activation} the critical sigma_w^2 = {critical:.4g} saturates many units; this one"
        return Cure(
            _scaled(enough), f"{why} is the smallest that is good for {_CURE_MARGIN} x {depth} layers"
        )
    if critical is not None and abs(_log_gradient(activation, critical, depth)) < TRAINABLE_SCALES / 2:
        return Cure(_scaled(critical), f"sigma_w^2 = {critical:.4g} is critical for {activation}: any depth")
    level = _level_variance(activation, depth)
    why = "leaves the first layer's gradient as large as the last one's"
    return Cure(_scaled(level), f"sigma_w^2 = {level:.3g} {why} through {depth} layers of {activation}")


def _log_gradient(activation: str, sigma_w2: float, depth: int) -> float:
    """Of the first layer's squared gradient over the last one's, as theory has it for inputs of size 1."""
    sizes = [_WIDTH] * (depth + 1) + [1]
    first = predict_layers(Scheme("variance_scaling", {"scale": sigma_w2}), sizes, activation)[0]
    return 2 * math.log(first.gradient)


def _level_variance(activation: str, depth: int) -> float:
    """By bisection between variances with which gradients vanish and explode."""
    low, high = 0.1, 100.0
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        vanishes = _log_gradient(activation, middle, max(depth, 2)) < 0
        low, high = (middle, high) if vanishes else (low, middle)
    return math.sqrt(low * high)


def _saturates(activation: str, sigma_w2: float) -> float:
    """The fraction of saturated slopes in an infinitely deep network."""
    known, length = ACTIVATIONS[activation], outlook(activation, sigma_w2).length
    if not all(map(math.isfinite, known.bounds)):
        return 0.0

    _, slope = functions_of(activation)

    def saturated(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return (np.abs(slope(z)) < SATURATED_SLOPE * known.steepest).astype(np.float64)

    return expectation(saturated, min(max(length, 1e-12), 1e12))


def _smallest_variance(activation: str, depth: int, critical: float) -> float:
    """By bisection: the deeper a network may be, the nearer the variance is to the critical one."""
    low, high = critical / 1000, critical
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        good = outlook(activation, middle).deepest >= _CURE_MARGIN * depth
        low, high = (low, middle) if good else (middle, high)
    return high


def _scaled(sigma_w2: float) -> Scheme:
    """By its name where it has one."""
    names = {"1": "lecun", "2": "he"}
    text = f"{sigma_w2:.3g}"
    return Scheme.parse(names.get(text, f"variance_scaling(scale={text})"))
