"""The verdict on a person's model: traces of several draws -> numbers of each stage -> symptoms -> verdict.

A *stage* is a layer, or a residual sum, that all paths from the batch to the loss pass. Its numbers, their
limits and the words are those of `diagnosis.limits`: a perceptron has the symptoms of `initlab diagnose`. The
verdict is that of the first steps, which also see what numbers relative to another layer cannot: how small
the first or the last layer is, and what a normalization or a skip connection repairs.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from initlab.diagnosis.limits import (
    LAYER_NUMBERS,
    SYMPTOMS,
    Numbers,
    Symptom,
    ratio,
    severity,
    symptoms_of,
    verdict_on,
    words_of,
)
from initlab.diagnosis.summary import summary_rows
from initlab.errors import UsageError
from initlab.frameworks.prediction import predict
from initlab.frameworks.steps import FirstSteps, medians
from initlab.frameworks.trace import NONLINEAR, NORMS, Operation, Trace
from initlab.tables import html_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One layer, or residual sum, that all paths pass.

    Attributes:
        name: the module's path.
        kind: the operation, as "linear" or "add".
        shape: of its result.
        numbers: those named in `LAYER_NUMBERS`, medians over the draws; the signal is relative to the first
            stage, the gradient, summed over units and positions, to the last one.
        symptoms: the worst first; none in a healthy stage.
        predicted_signal, predicted_gradient: what theory says of the first draw, from its weights alone; nan
            where it is silent, and before normalizations.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    numbers: Numbers
    symptoms: list[Symptom]
    predicted_signal: float
    predicted_gradient: float


@dataclass(frozen=True, kw_only=True)
class ModelCure:
    """Other weights, which were drawn into a copy of the model, diagnosed, and found healthy.

    Attributes:
        scheme: from which they were drawn.
        why: the reason, as a sentence without its full stop.
        severity: of the copy.
        code: lines that draw them into `model`.
    """

    scheme: str
    why: str
    severity: float
    code: str


# Of the largest entropy; below, most of the weight lies on one position.
_FOCUSED = 0.1

NOTHING_HELPS = (
    "No start that was tried is healthy here; normalization, skip connections or fewer layers may help"
)


@dataclass(frozen=True, kw_only=True, repr=False)
class ModelDiagnosis:
    """The verdict on a model.

    Attributes:
        model: the name of its class.
        optimizer: for which the verdict holds.
        samples: in the batch.
        stages: from the batch to the loss, without the layer that gives the output.
        severities: of each draw alone.
        seen: the share of the parameters that were seen at work.
        traces: everything that was measured, a trace for each draw.
        first: how the optimizer's first steps would go, medians over the draws; None where nothing is known.
        cure: what to draw from instead; None for a healthy model, or where nothing that was tried is healthy.
        is_treated: whether a cure was looked for.
    """

    model: str
    optimizer: str
    samples: int
    stages: list[Stage]
    severities: list[float]
    seen: float
    traces: list[Trace]
    first: FirstSteps | None = None
    cure: ModelCure | None = None
    is_treated: bool = False

    @property
    def severity(self) -> float:
        """The largest |ln| of a stage's factors; see `limits.severity`."""
        return max((severity(stage.numbers, self.optimizer) for stage in self.stages), default=0.0)

    @property
    def symptoms(self) -> dict[Symptom, list[str]]:
        """All symptoms, the worst first, each with the stages that have it."""
        stages = {
            symptom: [stage.name for stage in self.stages if symptom in stage.symptoms]
            for symptom in SYMPTOMS
        }
        return {symptom: names for symptom, names in stages.items() if names}

    @property
    def words(self) -> list[str]:
        """The words of all symptoms, the worst first, and of the first steps, or "healthy"; "partly seen" if
        not all was seen.
        """
        more = self.first.words if self.first else []
        more = more if self._is_whole else [*more, "partly seen"]
        words = words_of(list(self.symptoms))
        return [*(word for word in words if word != "healthy"), *more] if more else words

    @property
    def verdict(self) -> str:
        """ "trains", "in doubt" or "does not train"; never "trains" where not all was seen.

        That of the first steps, where they are known and no symptom is fatal; else, and where they leave a
        doubt about a model that is beyond the limit, that of the severity.
        """
        is_fatal = any(symptom.fatal for symptom in self.symptoms)
        verdict = verdict_on(self.severity, is_fatal)
        is_lost = verdict == "does not train" and self.first and self.first.verdict == "in doubt"
        if self.first and not is_fatal and not is_lost:
            verdict = self.first.verdict
        return "in doubt" if verdict == "trains" and not self._is_whole else verdict

    @property
    def updates(self) -> dict[str, float]:
        """How much a step at `first.rate` changes each weight matrix of the first draw, relative to its size.

        Matrices that are 0, frozen, or reached by no gradient are left out; so are all, where the first steps
        are not known.
        """
        moving = [each for each in self.traces[0].weights if len(each.shape) > 1 and each.is_moving]
        return {each.name: self.first.update(each.square, each.gradient) for each in moving if self.first}

    @property
    def _is_whole(self) -> bool:
        return self.seen >= 1 and bool(self.stages)

    def assert_trains(self) -> None:
        """For a test suite.

        Raises:
            AssertionError: with the whole diagnosis, unless the verdict is "trains".
        """
        if self.verdict != "trains":
            raise AssertionError(repr(self))

    def __repr__(self) -> str:
        rows = self._summary()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([self._headline(), *lines, *self._conclusions()])

    def _repr_html_(self) -> str:
        table = html_table([["", "question", "worst"], *self._summary()])
        conclusions = "<br>".join(map(escape, self._conclusions()))
        return f"<p><b>{escape(self._headline())}</b></p>{table}<p>{conclusions}</p>"

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis for programs."""
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "verdict": self.verdict,
            "severity": self.severity,
            "severities": self.severities,
            "words": self.words,
            "seen": self.seen,
            "samples": self.samples,
            "stages": [
                {"name": stage.name, "kind": stage.kind, "shape": list(stage.shape), **stage.numbers}
                | {"predicted_signal": stage.predicted_signal, "predicted_gradient": stage.predicted_gradient}
                | {"words": words_of(stage.symptoms)}
                for stage in self.stages
            ],
            "attention": [
                {"name": each.name, "entropy": each.entropy, "logits": each.logits}
                for each in self.traces[0].attentions
            ],
            "first_steps": self._first_steps() if self.first else None,
            "cure": asdict(self.cure) if self.cure else None,
        }

    def _first_steps(self) -> dict[str, Any]:
        assert self.first is not None
        more = {"steps": self.first.steps, "rate": self.first.rate, "updates": self.updates}
        return asdict(self.first) | more

    def to_frame(self) -> Any:
        """The stages as a pandas DataFrame, a row for each."""
        import pandas as pd

        return pd.DataFrame(self.to_dict()["stages"])

    def figure(self) -> "Figure":
        """Signal, gradient and difference of each stage, measured and predicted, with the healthy band."""
        from initlab.plotting.diagnosis import diagnosis_figure

        predicted = {
            "signal": [stage.predicted_signal for stage in self.stages],
            "gradient": [stage.predicted_gradient for stage in self.stages],
        }
        names = [stage.name for stage in self.stages]
        numbers = [stage.numbers for stage in self.stages]
        return diagnosis_figure(numbers, names, f"{self.model}: {self.verdict}", predicted)

    def table(self) -> tuple[list[str], list[list[object]]]:
        """A header, and the numbers of every stage."""
        others = [name for name in LAYER_NUMBERS if name not in ("signal", "gradient")]
        header = ["stage", "operation", "signal", "predicted", "gradient", "predicted", *others, "verdict"]
        rows: list[list[object]] = [
            [
                *(stage.name, stage.kind),
                *(stage.numbers["signal"], stage.predicted_signal),
                *(stage.numbers["gradient"], stage.predicted_gradient),
                *(stage.numbers[name] for name in others),
                ", ".join(words_of(stage.symptoms)),
            ]
            for stage in self.stages
        ]
        return header, rows

    def _summary(self) -> list[list[str]]:
        if not self.stages:
            return []
        numbers = [stage.numbers for stage in self.stages]
        return summary_rows(numbers, [stage.name for stage in self.stages])

    def _headline(self) -> str:
        size = sum(weight.size for weight in self.traces[0].weights)
        ends = [f"{end(self.severities):.1f}" for end in (min, max)]
        spread = "" if ends[0] == ends[1] else f", single draws {ends[0]} to {ends[1]}"
        return (
            f"{self.model}, {size:,} parameters, {self.optimizer}: {self.verdict} "
            f"({', '.join(self.words)}; severity {self.severity:.1f}{spread})"
        )

    def _conclusions(self) -> list[str]:
        lines = [
            f"{symptom.word} in {stages_in_words(names)} ({symptom.bound}): {symptom.effect}"
            for symptom, names in self.symptoms.items()
        ]
        if not self.stages:
            lines.append("no layer that all paths pass was found, so nothing was judged")
        if self.seen < 1:
            lines.append(
                f"{self.seen:.1%} of the parameters were seen at work; nothing is said of the others"
            )
        lines += self._of_attention()
        if self.first:
            lines.append(str(self.first))
        return [*lines, *self._of_updates(), *self._advice()]

    def _of_updates(self) -> list[str]:
        """Of the matrices that a step changes least and most."""
        in_order = sorted((value, name) for name, value in self.updates.items())
        if not self.first or len(in_order) < 2:
            return []
        ends = " to ".join(f"{value:.1g} ({name})" for value, name in (in_order[0], in_order[-1]))
        return [f"a step at a rate of {self.first.rate:.1g} changes weights by {ends} of their size"]

    def _of_attention(self) -> list[str]:
        """How attention spreads in the first draw."""
        each = self.traces[0].attentions
        if not each:
            return []
        least = min(each, key=lambda operation: operation.entropy)
        logits = [operation.logits for operation in each]
        share = f"the entropy in {least.name} is {least.entropy:.0%} of that of a mean over all positions"
        text = f"attention: logits of std {min(logits):.2g} to {max(logits):.2g}; {share}"
        return [f"{text}: it looks at one" if least.entropy < _FOCUSED else text]

    def _advice(self) -> list[str]:
        if self.cure:
            return [f"Try {self.cure.scheme}, which is healthy here: {self.cure.why}"]
        is_ill = bool(self.stages) and self._is_whole and self.verdict != "trains"
        return [NOTHING_HELPS] if is_ill and self.is_treated else []


def stages_in_words(names: Sequence[str]) -> str:
    """Names of stages as they are read.

    >>> stages_in_words(["a"]), stages_in_words(["a", "b"]), stages_in_words(list("abcd"))
    ('a', 'a and b', 'a to d, 4 stages')
    """
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]} to {names[-1]}, {len(names)} stages"


def judged(
    model: str,
    traces: Sequence[Trace],
    optimizer: str,
    samples: int,
    first: Sequence[FirstSteps | None] = (),
) -> ModelDiagnosis:
    """The diagnosis of traces, one for each draw of the model.

    Args:
        model: its name.
        traces: at least one.
        optimizer: a name in `OPTIMIZERS`.
        samples: in the batch.
        first: the first steps of each draw, where they were looked at.

    Raises:
        UsageError: where draws differ in their stages, as models do that choose layers by chance.
    """
    # Not by name: some libraries number the layers of all models together.
    layers = [[(stage.kind, stage.shape) for stage in trace.stages] for trace in traces]
    if any(each != layers[0] for each in layers):
        raise UsageError(f"the draws of {model} have different layers; give a model instead of a function")
    by_draw = [stage_numbers(trace) for trace in traces]
    numbers = [_medians(same) for same in zip(*by_draw, strict=True)]
    return ModelDiagnosis(
        model=model,
        optimizer=optimizer,
        samples=samples,
        stages=_stages(traces[0], numbers),
        severities=[max((severity(each, optimizer) for each in own), default=0.0) for own in by_draw],
        seen=min(trace.seen for trace in traces),
        traces=list(traces),
        first=medians([each for each in first if each]) if any(first) else None,
    )


def _stages(trace: Trace, numbers: Sequence[Numbers]) -> list[Stage]:
    predicted = predict(trace)
    first = predicted[trace.stages[0].index].square if trace.stages else math.nan
    return [
        Stage(
            name=stage.name,
            kind=stage.kind,
            shape=stage.shape,
            numbers=own,
            symptoms=symptoms_of(own),
            predicted_signal=math.nan if is_free or not first else predicted[stage.index].square / first,
            predicted_gradient=math.nan if is_free else predicted[stage.index].gradient,
        )
        for stage, own, is_free in zip(trace.stages, numbers, _sizes_are_free(trace), strict=True)
    ]


def stage_numbers(trace: Trace) -> list[Numbers]:
    """The `LAYER_NUMBERS` of each stage of one draw.

    Differences are relative to those of the inputs; of inputs that are integers, as tokens, to those of the
    first stage. Before a normalization that all paths pass, the size of a signal does not matter: there, the
    gradient is that in the logarithm of the size, |d|^2 times the mean square, and the signal is 1.
    """
    stages = trace.stages
    if not stages:
        return []
    free = _sizes_are_free(trace)
    sizes = [1.0 if is_free else stage.square for stage, is_free in zip(stages, free, strict=True)]
    gradients = [
        stage.gradient * stage.square if is_free else stage.gradient
        for stage, is_free in zip(stages, free, strict=True)
    ]
    first = stages[0]
    whole = trace.input_difference if math.isfinite(trace.input_difference) else first.difference
    return [
        {
            "signal": ratio(size, sizes[0]),
            "gradient": math.nan if math.isnan(gradient) else ratio(gradient, gradients[-1]),
            "difference": stage.difference / whole if whole else math.nan,
            **_unit_numbers(trace, stage),
        }
        for stage, size, gradient in zip(stages, sizes, gradients, strict=True)
    ]


def _sizes_are_free(trace: Trace) -> list[bool]:
    """Of each stage, whether a normalization that all paths pass comes after it."""
    last_norm = max((each.index for each in trace.bottlenecks if each.kind in NORMS), default=-1)
    return [stage.index < last_norm for stage in trace.stages]


def _unit_numbers(trace: Trace, stage: Operation) -> Numbers:
    """The worst of the nonlinear functions that take the stage's result."""
    functions = [each for each in trace.consumers[stage.index] if each.kind in NONLINEAR]
    return {
        "saturated": max((each.saturated for each in functions), default=0.0),
        "dead": max((each.dead for each in functions), default=0.0),
        "distinct": min((each.distinct for each in functions), default=1.0),
    }


def _medians(rows: Sequence[Numbers]) -> Numbers:
    return {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
