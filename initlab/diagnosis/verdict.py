"""The verdict on a network before its training: scheme, layers, data -> symptoms, criteria, verdict, cure.

    networks drawn with several seeds -> forward, backward -> numbers of each layer -> symptoms -> verdict
    proposals -> each diagnosed in the same way -> the healthiest is the cure, if it is healthy

All numbers are medians over the seeds. The verdict is about some hundred steps at a good learning rate.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from itertools import chain
from typing import Any

import numpy as np

from initlab.diagnosis.criteria import CRITERIA, Answer, network_numbers
from initlab.diagnosis.cures import Proposal, propose
from initlab.diagnosis.limits import (
    LAYER_NUMBERS,
    SYMPTOMS,
    Numbers,
    Symptom,
    failing_limit,
    layer_numbers,
    ratio,
    severity,
    symptoms_of,
    verdict_on,
    words_of,
)
from initlab.diagnosis.record import record_of, record_of_others
from initlab.diagnosis.summary import summary_rows
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.per_layer import Initialization, SchemeLike
from initlab.init.scheme import Scheme
from initlab.measure.layers import LayerStatistics, dissimilarity, measure_layers
from initlab.nn.activations import ACTIVATIONS, ActivationName
from initlab.nn.architecture import Skip, SkipLike, as_skip, hidden_sizes
from initlab.nn.arrays import FloatArray, IntArray, as_floats
from initlab.nn.losses import cross_entropy
from initlab.nn.network import Ensemble
from initlab.nn.normalization import BatchNorm, Norm, NormLike, as_norm
from initlab.nn.optimizers import OPTIMIZERS
from initlab.own_code import shown
from initlab.tables import html_table
from initlab.theory.layers import predict_correlations, predict_layers, silence
from initlab.threads import one_thread

_SMALLER = "1/sqrt(blocks)"
_WHY_SMALLER = "all branches together then add about as much to the signal as it has without them"
_GOOD_ENOUGH = 1.5  # a severity at which no further proposal is diagnosed: half the limit
NOTHING_HELPS = (
    "No start that was tried is healthy, neither with Batch Normalization nor with fewer layers; skip "
    "connections or wider layers may help"
)


@dataclass(frozen=True, kw_only=True)
class LayerDiagnosis:
    """One hidden layer.

    Attributes:
        layer: counted from 1.
        units: how many.
        std: of the activations, the median over the seeds.
        numbers: those named in `LAYER_NUMBERS`, medians over the seeds.
        symptoms: the worst first; none in a healthy layer, or in one that is bypassed.
        is_bypassed: whether a skip connection leads around it. What ails it then ails no other layer, and it
            may have no gradient at first, as where a branch begins at zero.
    """

    layer: int
    units: int
    std: float
    numbers: Numbers
    symptoms: list[Symptom]
    is_bypassed: bool = False

    @property
    def words(self) -> list[str]:
        """The words of its symptoms, or "healthy"; "bypassed" where nothing is judged."""
        return ["bypassed"] if self.is_bypassed else words_of(self.symptoms)


@dataclass(frozen=True, kw_only=True)
class Cure:
    """A change of the network that was diagnosed itself, and found healthy.

    Attributes:
        scheme: to draw the weights from.
        why: the reason, as a sentence without its full stop.
        severity: of the changed network.
        depth: hidden layers, where fewer than the network has are needed.
        batch_norm: whether Batch Normalization is needed, which the network does not have.
        skip: the skip connections, where branches of a smaller scale are needed.
    """

    scheme: Scheme
    why: str
    severity: float
    depth: int | None = None
    batch_norm: bool = False
    skip: Skip | None = None

    def __str__(self) -> str:
        if self.skip:
            return f"{self.scheme} with skip({self.skip})"
        if self.batch_norm:
            return f"{self.scheme} with Batch Normalization"
        return f"{self.scheme} with {self.depth} hidden layers" if self.depth else str(self.scheme)


@dataclass(frozen=True, kw_only=True, repr=False)
class Diagnosis:
    """The verdict on the networks of one scheme, activation and shape.

    Attributes:
        start: the schemes of the weights and biases.
        activation: of the hidden layers.
        sizes: (n_0, ..., n_{L+1}): inputs, units of each hidden layer, classes.
        seeds: how many networks were drawn.
        samples: how many inputs they were shown.
        input_square, input_correlation: E[x^2] of the inputs, and the mean cosine of two of them.
        optimizer: for which the verdict holds.
        norm: Batch or Layer Normalization of the hidden layers.
        skip: skip connections.
        layers: each hidden layer.
        severities: of each network alone, (seeds,).
        answers: to each criterion.
        cure: what to use instead; None for a healthy network, or where nothing that was tried is healthy.
    """

    start: Initialization
    activation: str
    sizes: tuple[int | str, ...]
    seeds: int
    samples: int
    input_square: float
    input_correlation: float
    optimizer: str
    norm: Norm | None
    skip: Skip | None
    layers: list[LayerDiagnosis]
    severities: list[float]
    answers: list[Answer]
    cure: Cure | None = None

    @property
    def scheme(self) -> Scheme:
        """That of the hidden layers' weights."""
        return self.start.scheme

    @property
    def judged(self) -> list[LayerDiagnosis]:
        """The layers that all paths from the inputs to the loss pass."""
        return [layer for layer in self.layers if not layer.is_bypassed]

    @property
    def symptoms(self) -> dict[Symptom, list[int]]:
        """All symptoms, the worst first, each with the layers that have it."""
        layers = {
            symptom: [layer.layer for layer in self.layers if symptom in layer.symptoms]
            for symptom in SYMPTOMS
        }
        return {symptom: numbers for symptom, numbers in layers.items() if numbers}

    @cached_property
    def predicted(self) -> dict[str, list[float]]:
        """What theory says of `FACTORS` in each layer, by name; empty where it is silent.

        Of real images it is approximate: they are unequally bright, and their pixels have neighbours.
        """
        if silence(self.start, self.norm, self.input_correlation) is not None:
            return {}
        network: dict[str, Any] = {
            "scheme": self.start,
            "sizes": self.sizes,
            "activation": self.activation,
            "input_square": self.input_square,
            "input_correlation": self.input_correlation,
            "norm": self.norm,
            "skip": self.skip,
        }
        layers, correlations = predict_layers(**network), predict_correlations(**network)
        gradients = [
            layer.gradient**2 * layer.hidden.z.square.size * (layer.hidden.size if self.norm else 1.0)
            for layer in layers
        ]
        sizes = [1.0 if self.norm else layer.q for layer in layers]
        return {
            "signal": [ratio(size, sizes[0]) for size in sizes],
            "gradient": [ratio(gradient, gradients[-1]) for gradient in gradients],
            "difference": [(1 - c) / ((1 - self.input_correlation) or math.nan) for c in correlations],
        }

    @property
    def words(self) -> list[str]:
        """The words of all symptoms, the worst first, or "healthy"."""
        return words_of(list(self.symptoms))

    @property
    def severity(self) -> float:
        """The largest |ln| of a layer's factors; see `limits.severity`."""
        return max(severity(layer.numbers, self.optimizer) for layer in self.judged)

    @property
    def verdict(self) -> str:
        """ "trains", "in doubt" or "does not train"."""
        is_fatal = any(symptom.fatal for symptom in self.symptoms)
        return verdict_on(self.severity, is_fatal, failing_limit(self.optimizer, self.is_perceptron))

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.summary(), strict=True)]
        rows = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in self.summary()]
        return "\n".join([self.headline(), *rows, *self.conclusions()])

    def _repr_html_(self) -> str:
        conclusions = "<br>".join(map(escape, self.conclusions()))
        table = html_table([["", "question", "worst"], *self.summary()])
        return f"<p><b>{escape(self.headline())}</b></p>{table}<p>{conclusions}</p>"

    def table(self) -> list[list[str]]:
        """The numbers of every layer, under a header; in brackets what theory says."""
        return [["layer", "std", *LAYER_NUMBERS, ""], *map(self._row, self.layers)]

    def _row(self, layer: LayerDiagnosis) -> list[str]:
        cells = {name: f"{value:.3g}" for name, value in layer.numbers.items()}
        for name, predicted in self.predicted.items():
            cells[name] += f" ({predicted[layer.layer - 1]:.3g})"
        return [str(layer.layer), f"{layer.std:.3g}", *cells.values(), ", ".join(layer.words)]

    def summary(self) -> list[list[str]]:
        """For each question the answer, and the number of the layer where it is worst."""
        names = [f"layer {layer.layer}" for layer in self.judged]
        return summary_rows([layer.numbers for layer in self.judged], names)

    @property
    def network(self) -> str:
        """Its layers, normalization and skip connections, as "784-100x5-10, skip(every=2)"."""
        layers = "-".join(map(str, _runs(self.sizes)))
        if self.norm:
            layers += f", {type(self.norm).__name__} {self.norm.place}"
        if self.skip:
            layers += f", skip({self.skip})"
        return layers

    def headline(self) -> str:
        """The network and its verdict, in a line."""
        words = ", ".join(self.words)
        return (
            f"{self.start}, {shown(self.activation)}, {self.network}, {self.optimizer}: {self.verdict} "
            f"({words}; severity {self.severity:.1f}{self._range()})"
        )

    def _range(self) -> str:
        """How far the severities of the single networks lie apart, where a digit shows it."""
        low, high = (f"{end(self.severities):.1f}" for end in (min, max))
        return "" if low == high else f", single networks {low} to {high}"

    @property
    def is_perceptron(self) -> bool:
        """Whether the network has dense layers alone, one behind the other."""
        is_dense = all(isinstance(size, int) for size in self.sizes)
        return is_dense and self.norm is None and self.skip is None

    def _record(self) -> str:
        """How often such a verdict was right, as a sentence."""
        if self.is_perceptron:
            return record_of(self.verdict, self.optimizer)
        pools = [size for size in self.sizes if isinstance(size, str) and not size.startswith("conv")]
        return record_of_others(self.verdict, self.optimizer, has_pooling=bool(pools))

    def conclusions(self) -> list[str]:
        """How often such a verdict was right, each symptom with its effect, and the cure; a sentence each."""
        lines = [self._record()]
        lines += [
            f"{symptom.word} in {layer_range(layers)} ({symptom.bound}): {symptom.effect}"
            for symptom, layers in self.symptoms.items()
        ]
        if self.cure:
            return [*lines, f"Try {self.cure}, which is healthy here: {self.cure.why}"]
        return lines if self.verdict == "trains" else [*lines, NOTHING_HELPS]


def _runs(sizes: Sequence[int | str]) -> list[int | str]:
    """Inputs, hidden layers and classes, with equal hidden layers as 100x20."""
    hidden = sizes[1:-1]
    equal = len(hidden) > 1 and len(set(hidden)) == 1
    return [sizes[0], *([f"{hidden[0]}x{len(hidden)}"] if equal else hidden), sizes[-1]]


def layer_range(layers: Sequence[int]) -> str:
    """Rising numbers of layers as they are read.

    >>> layer_range([3]), layer_range([2, 3, 4]), layer_range([1, 4])
    ('layer 3', 'layers 2 to 4', '2 of the layers 1 to 4')
    """
    if len(layers) == 1:
        return f"layer {layers[0]}"
    ends = f"layers {layers[0]} to {layers[-1]}"
    whole = layers[-1] - layers[0] + 1 == len(layers)
    return ends if whole else f"{len(layers)} of the {ends}"


def diagnose(
    scheme: SchemeLike,
    activation: ActivationName,
    hidden: str | Sequence[int | str],
    inputs: FloatArray,
    labels: IntArray,
    *,
    seeds: int = 5,
    norm: NormLike | None = None,
    skip: SkipLike | None = None,
    optimizer: str = "sgd",
    cure: bool = True,
) -> Diagnosis:
    """Diagnose each layer before training, and predict whether training will succeed.

    Args:
        scheme: of all weights, as "he", or an `Initialization` with schemes for layers and biases.
        activation: a name, as "relu", or a function of your own.
        hidden: units of each hidden layer, at least one, as [100, 100] or "100x2", or other layers, as
            "conv(16, kernel=5), 100".
        inputs: (B, n_0) as training will show them; some hundreds are enough.
        labels: (B,) from 0 on.
        seeds: how many networks are drawn; all numbers are medians over them.
        norm: Batch or Layer Normalization of the hidden layers, as "batch" or "layer(place=after)";
            none by default.
        skip: skip connections, as 2 or "every=2, scale=0.5"; none by default.
        optimizer: its name, as "sgd" or "adam"; those that rescale each gradient forgive more.
        cure: whether to look for a cure where the network is not healthy.

    Raises:
        UsageError: for an unknown scheme, activation or optimizer, no hidden layer, or fewer than two inputs.

    >>> rng = np.random.default_rng(0)
    >>> inputs, labels = rng.standard_normal((100, 50)), rng.integers(10, size=100)
    >>> for scheme in ("he", "std=0.01"):
    ...     diagnosis = diagnose(scheme, "relu", "50x10", inputs, labels)
    ...     print(diagnosis.words, diagnosis.verdict, diagnosis.cure and diagnosis.cure.scheme)
    ['healthy'] trains None
    ['vanishing'] does not train auto
    """
    how: dict[str, Any] = {"seeds": seeds, "norm": norm, "skip": skip, "optimizer": optimizer}
    return diagnose_each([scheme], activation, hidden, inputs, labels, **how, cure=cure)[0]


def diagnose_each(
    schemes: Sequence[SchemeLike],
    activation: ActivationName,
    hidden: str | Sequence[int | str],
    inputs: FloatArray,
    labels: IntArray,
    *,
    seeds: int = 5,
    norm: NormLike | None = None,
    skip: SkipLike | None = None,
    optimizer: str = "sgd",
    cure: bool = True,
) -> list[Diagnosis]:
    """The diagnosis of each scheme in networks of one shape, as by `diagnose`; a cure is tried once for all.

    Args:
        schemes: each of all weights, as for `diagnose`.
        activation, hidden, inputs, labels, seeds, norm, skip, optimizer, cure: as for `diagnose`.

    Raises:
        UsageError: as `diagnose`.

    >>> inputs, labels = np.random.default_rng(0).standard_normal((100, 50)), np.arange(100) % 10
    >>> [each.verdict for each in diagnose_each(["he", "std=0.01"], "relu", "50x10", inputs, labels)]
    ['trains', 'does not train']
    """
    name = ACTIVATIONS.resolve(activation)
    OPTIMIZERS[optimizer]  # an unknown name is told here
    units = hidden_sizes(hidden)
    inputs, labels = as_floats("inputs", inputs, None), np.asarray(labels)
    if not units or len(inputs) < 2 or seeds < 1:
        raise UsageError("a diagnosis needs at least one hidden layer, two inputs and one seed")
    patient = _Patient(name, inputs, labels, seeds, optimizer)
    network = _Shape(tuple(units), as_norm(norm), as_skip(skip))
    # Threads of BLAS gain little on matrices of this size, and wait for each other on a busy machine.
    with one_thread():
        return [_cured(patient, Initialization.of(scheme), network, cure) for scheme in schemes]


def _cured(patient: "_Patient", start: Initialization, network: "_Shape", cure: bool) -> Diagnosis:
    diagnosis = patient.diagnosis(start, network)
    if not cure or diagnosis.verdict == "trains":
        return diagnosis
    return replace(diagnosis, cure=_find_cure(patient, diagnosis.scheme, network))


@dataclass(frozen=True)
class _Shape:
    """The hidden layers of a network, their normalization, and its skip connections."""

    units: tuple[int | str, ...]
    norm: Norm | None
    skip: Skip | None


@dataclass(frozen=True)
class _Patient:
    """What stays the same while starts and depths are tried."""

    activation: str
    inputs: FloatArray
    labels: IntArray
    seeds: int
    optimizer: str
    tried: "dict[tuple[Initialization, _Shape], Diagnosis]" = field(default_factory=dict)

    @np.errstate(all="ignore")  # signals that overflow are a result
    def diagnosis(self, start: Initialization, network: _Shape) -> Diagnosis:
        """Without a cure."""
        sizes = (self.inputs.shape[1], *network.units, int(self.labels.max()) + 1)
        ensemble = initialize(
            sizes,
            [start] * self.seeds,
            range(self.seeds),
            self.activation,
            "float64",
            data=self.inputs,
            norm=network.norm,
            skip=network.skip,
        )
        networks = measure_layers(ensemble, self.inputs, self.labels)
        difference = dissimilarity(self.inputs.astype(np.float64))
        numbers = [layer_numbers(layers, difference) for layers in networks]
        layers = _layers(networks, numbers)
        return Diagnosis(
            start=start,
            activation=self.activation,
            sizes=sizes,
            seeds=self.seeds,
            samples=len(self.inputs),
            input_square=float(np.mean(np.square(self.inputs, dtype=np.float64))),
            input_correlation=1 - difference,
            optimizer=self.optimizer,
            norm=network.norm,
            skip=network.skip,
            layers=layers,
            severities=[_severity(layers, own, self.optimizer) for own in numbers],
            answers=_answers(networks, _first_losses(ensemble, self.labels)),
        )

    def try_starts(self, network: _Shape, proposals: Iterable[Proposal]) -> tuple[float, Proposal] | None:
        """The first proposal that is good enough, else the healthiest, if healthy; with its severity."""
        healthy: list[tuple[float, Proposal]] = []
        for proposal in proposals:
            if proposal.scheme.is_data_dependent and network.norm is not None:
                continue  # both rescale the layers
            diagnosis = self._once(Initialization.of(proposal.scheme), network)
            if diagnosis.verdict == "trains":
                healthy.append((diagnosis.severity, proposal))
                if diagnosis.severity <= _GOOD_ENOUGH:
                    break
        return min(healthy, key=lambda pair: pair[0], default=None)

    def _once(self, start: Initialization, network: _Shape) -> Diagnosis:
        if (start, network) not in self.tried:
            self.tried[start, network] = self.diagnosis(start, network)
        return self.tried[start, network]


def _find_cure(patient: _Patient, scheme: Scheme, network: _Shape) -> Cure | None:
    """The first change of the network with which a start is healthy."""
    for changed, how in _changes(network):
        proposals = propose(patient.activation, len(network.units))
        if "skip" in how and scheme.branch_scale is None:  # else it needs a scale that is learned
            proposals = chain([Proposal(scheme, _WHY_SMALLER)], proposals)
        best = patient.try_starts(changed, proposals)
        if best is not None:
            return Cure(scheme=best[1].scheme, why=best[1].why, severity=best[0], **how)
    return None


def _changes(network: _Shape) -> Iterator[tuple[_Shape, dict[str, Any]]]:
    """None; branches of a smaller scale; Batch Normalization; fewer layers, half as many each time."""
    yield network, {}
    if network.skip is not None and network.skip.scale != _SMALLER:
        smaller = replace(network.skip, scale=_SMALLER)
        yield replace(network, skip=smaller), {"skip": smaller}
    if not isinstance(network.norm, BatchNorm):
        yield replace(network, norm=BatchNorm()), {"batch_norm": True}
    depth = len(network.units)
    while depth > 1:
        depth //= 2
        yield replace(network, units=network.units[:depth]), {"depth": depth}


def _layers(
    networks: Sequence[Sequence[LayerStatistics]], by_seed: Sequence[Sequence[Numbers]]
) -> list[LayerDiagnosis]:
    numbers = [_medians(same_layer) for same_layer in zip(*by_seed, strict=True)]
    stds = np.median([[layer.std for layer in layers] for layers in networks], axis=0)
    return [
        LayerDiagnosis(
            layer=layer.layer,
            units=layer.pre_activations.shape[1],
            std=float(stds[i]),
            numbers=numbers[i],
            symptoms=[] if layer.is_bypassed else symptoms_of(numbers[i]),
            is_bypassed=layer.is_bypassed,
        )
        for i, layer in enumerate(networks[0])
    ]


def _severity(layers: Sequence[LayerDiagnosis], numbers: Sequence[Numbers], optimizer: str) -> float:
    """That of one network: the largest of its judged layers."""
    pairs = zip(layers, numbers, strict=True)
    return max(severity(own, optimizer) for layer, own in pairs if not layer.is_bypassed)


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
