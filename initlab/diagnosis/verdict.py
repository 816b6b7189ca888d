"""The verdict on a network before its training: scheme, layers, data -> symptoms, criteria, verdict, cure.

    networks drawn with several seeds -> forward, backward -> numbers of each layer -> symptoms -> verdict

All numbers are medians over the seeds. The verdict is about plain gradient descent at a good learning rate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from initlab.diagnosis.criteria import CRITERIA, Answer, network_numbers
from initlab.diagnosis.cures import Cure, find_cure
from initlab.diagnosis.limits import (
    LAYER_NUMBERS,
    SYMPTOMS,
    Numbers,
    Symptom,
    layer_numbers,
    symptoms_of,
    words_of,
)
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.per_layer import Initialization, SchemeLike
from initlab.init.scheme import Scheme
from initlab.measure.layers import LayerStatistics, dissimilarity, measure_layers
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.arrays import FloatArray, IntArray
from initlab.nn.losses import cross_entropy
from initlab.nn.network import Ensemble, hidden_sizes
from initlab.nn.normalization import BatchNorm
from initlab.training.tables import aligned, html_table

_MOST_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class LayerDiagnosis:
    """One hidden layer.

    Attributes:
        layer: counted from 1.
        units: how many.
        std: of the activations, the median over the seeds.
        numbers: those named in `LAYER_NUMBERS`, medians over the seeds.
        symptoms: the worst first; none in a healthy layer.
    """

    layer: int
    units: int
    std: float
    numbers: Numbers
    symptoms: list[Symptom]

    @property
    def words(self) -> list[str]:
        """The words of its symptoms, or "healthy"."""
        return words_of(self.symptoms)


@dataclass(frozen=True, kw_only=True, repr=False)
class Diagnosis:
    """The verdict on the networks of one scheme, activation and shape.

    Attributes:
        start: the schemes of the weights and biases.
        activation: of the hidden layers.
        sizes: (n_0, ..., n_{L+1}): inputs, units of each hidden layer, classes.
        seeds: how many networks were drawn.
        samples: how many inputs they were shown.
        layers: each hidden layer.
        answers: to each criterion.
        cure: what theory recommends instead; None for a healthy network.
    """

    start: Initialization
    activation: str
    sizes: tuple[int, ...]
    seeds: int
    samples: int
    layers: list[LayerDiagnosis]
    answers: list[Answer]
    cure: Cure | None

    @property
    def scheme(self) -> Scheme:
        """That of the hidden layers' weights."""
        return self.start.scheme

    @property
    def symptoms(self) -> dict[Symptom, list[int]]:
        """All symptoms, the worst first, each with the layers that have it."""
        layers = {
            symptom: [layer.layer for layer in self.layers if symptom in layer.symptoms]
            for symptom in SYMPTOMS
        }
        return {symptom: numbers for symptom, numbers in layers.items() if numbers}

    @property
    def words(self) -> list[str]:
        """The words of all symptoms, the worst first, or "healthy"."""
        return words_of(list(self.symptoms))

    @property
    def verdict(self) -> str:
        """ "trains", "trains slowly" or "does not train"."""
        if any(symptom.fatal for symptom in self.symptoms):
            return "does not train"
        return "trains slowly" if self.symptoms else "trains"

    def __repr__(self) -> str:
        return "\n".join([self._headline(), aligned(self._table()), *self._conclusions()])

    def _repr_html_(self) -> str:
        conclusions = "<br>".join(map(escape, self._conclusions()))
        return f"<p><b>{escape(self._headline())}</b></p>{html_table(self._table())}<p>{conclusions}</p>"

    def _headline(self) -> str:
        words = f" ({', '.join(self.words)})" if self.symptoms else ""
        return (
            f"{self.start}, {self.activation}, {'-'.join(map(str, _runs(self.sizes)))}: {self.verdict}{words}"
        )

    def _table(self) -> list[list[str]]:
        """Ten layers at most, evenly spread from the first to the last."""
        count = min(len(self.layers), _MOST_ROWS)
        shown = np.linspace(0, len(self.layers) - 1, count).round().astype(int)
        return [["layer", "std", *LAYER_NUMBERS, ""], *(_row(self.layers[i]) for i in shown)]

    def _conclusions(self) -> list[str]:
        lines = [
            f"{symptom.word} in {layer_range(layers)} ({symptom.bound}): {symptom.effect}"
            for symptom, layers in self.symptoms.items()
        ]
        return [*lines, f"Theory recommends {self.cure.scheme}: {self.cure.why}"] if self.cure else lines


def _row(layer: LayerDiagnosis) -> list[str]:
    numbers = [f"{value:.3g}" for value in (layer.std, *layer.numbers.values())]
    return [str(layer.layer), *numbers, ", ".join(layer.words)]


def _runs(sizes: Sequence[int]) -> list[int | str]:
    """Inputs, hidden layers and classes, with equal hidden layers as 100x20."""
    hidden = sizes[1:-1]
    equal = len(hidden) > 1 and len(set(hidden)) == 1
    return [sizes[0], *([f"{hidden[0]}x{len(hidden)}"] if equal else hidden), sizes[-1]]


def layer_range(layers: Sequence[int]) -> str:
    """Rising numbers of layers as they are read.

    >>> layer_range([3]), layer_range([2, 3, 4]), layer_range([1, 4])
    ('layer 3', 'layers 2 to 4', 'layers 1, 4')
    """
    if len(layers) == 1:
        return f"layer {layers[0]}"
    whole = layers[-1] - layers[0] + 1 == len(layers)
    return f"layers {layers[0]} to {layers[-1]}" if whole else "layers " + ", ".join(map(str, layers))


def diagnose(
    scheme: SchemeLike,
    activation: str,
    hidden: str | Sequence[int],
    inputs: FloatArray,
    labels: IntArray,
    *,
    seeds: int = 5,
    batch_norm: BatchNorm | None = None,
) -> Diagnosis:
    """Diagnose each layer before training, and predict whether plain gradient descent will succeed.

    Args:
        scheme: of all weights, as "he", or an `Initialization` with schemes for layers and biases.
        activation: a name in `ACTIVATIONS`.
        hidden: units of each hidden layer, at least one, as [100, 100] or "100x2".
        inputs: (B, n_0) as training will show them; some hundreds are enough.
        labels: (B,) from 0 on.
        seeds: how many networks are drawn; all numbers are medians over them.
        batch_norm: Batch Normalization of the hidden layers; none by default.

    Raises:
        UsageError: for an unknown scheme or activation, no hidden layer, or fewer than two inputs.

    >>> rng = np.random.default_rng(0)
    >>> inputs, labels = rng.standard_normal((100, 50)), rng.integers(10, size=100)
    >>> for scheme in ("he", "std=0.01"):
    ...     diagnosis = diagnose(scheme, "relu", "50x10", inputs, labels)
    ...     print(diagnosis.words, diagnosis.verdict, diagnosis.cure and diagnosis.cure.scheme)
    ['healthy'] trains None
    ['vanishing'] does not train he
    """
    ACTIVATIONS[activation]
    start, units = Initialization.of(scheme), hidden_sizes(hidden)
    if not units or len(inputs) < 2 or seeds < 1:
        raise UsageError("a diagnosis needs at least one hidden layer, two inputs and one seed")
    sizes = (inputs.shape[1], *units, int(labels.max()) + 1)
    with np.errstate(all="ignore"):
        ensemble = initialize(
            sizes, [start] * seeds, range(seeds), activation, "float64", data=inputs, batch_norm=batch_norm
        )
        layers, answers = _measure(ensemble, inputs, labels)
    return Diagnosis(
        start=start,
        activation=activation,
        sizes=sizes,
        seeds=seeds,
        samples=len(inputs),
        layers=layers,
        answers=answers,
        cure=find_cure(activation, len(units)) if any(layer.symptoms for layer in layers) else None,
    )


def _measure(
    ensemble: Ensemble, inputs: FloatArray, labels: IntArray
) -> tuple[list[LayerDiagnosis], list[Answer]]:
    networks = measure_layers(ensemble, inputs, labels)
    layers = _layers(networks, dissimilarity(inputs.astype(np.float64)))
    return layers, _answers(networks, _first_losses(ensemble, labels))


def _layers(networks: Sequence[Sequence[LayerStatistics]], input_difference: float) -> list[LayerDiagnosis]:
    by_seed = [layer_numbers(layers, input_difference) for layers in networks]
    numbers = [_medians(same_layer) for same_layer in zip(*by_seed, strict=True)]
    stds = np.median([[layer.std for layer in layers] for layers in networks], axis=0)
    return [
        LayerDiagnosis(
            layer=layer.layer,
            units=layer.pre_activations.shape[1],
            std=float(stds[i]),
            numbers=numbers[i],
            symptoms=symptoms_of(numbers[i]),
        )
        for i, layer in enumerate(networks[0])
    ]


def _answers(networks: Sequence[Sequence[LayerStatistics]], first_losses: FloatArray) -> list[Answer]:
    by_seed = [network_numbers(*pair) for pair in zip(networks, first_losses, strict=True)]
    numbers = _medians(by_seed)
    return [Answer(criterion, numbers[criterion.number]) for criterion in CRITERIA]


def _first_losses(ensemble: Ensemble, labels: IntArray) -> FloatArray:
    """The cross-entropy (M,) of the last forward pass, in units of ln(classes)."""
    losses, _ = cross_entropy(ensemble.pre_activations[-1], labels)
    return np.asarray(losses / math.log(max(ensemble.sizes[-1], 2)))


def _medians(rows: Sequence[Numbers]) -> Numbers:
    return {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
