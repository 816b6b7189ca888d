"""`initlab diagnose`: the symptoms of a network before training, and a cure."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.terminal import JsonOption, SetOption, app, number, print_json, print_table
from initlab.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from initlab.diagnosis.criteria import Answer
    from initlab.diagnosis.verdict import Diagnosis
    from initlab.init.per_layer import Initialization
    from initlab.nn.normalization import BatchNorm
    from initlab.runner.settings import DataSettings


@app.command()
def diagnose(
    config: Annotated[
        Path | None, typer.Argument(help="Diagnose the networks of this config instead, for example mnist.")
    ] = None,
    init: Annotated[
        list[str] | None, typer.Option(metavar="SCHEME", help="A scheme; repeatable.", show_default="he")
    ] = None,
    activation: Annotated[
        list[str] | None, typer.Option(help="An activation function; repeatable.", show_default="relu")
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(help="The hidden layers, for example 100x20 or 300,100.", show_default="100x5"),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="A dataset, or a folder of IDX files.", show_default="mnist")
    ] = None,
    overrides: SetOption = None,
    samples: Annotated[int, typer.Option(min=2, help="The number of training images.")] = 300,
    seeds: Annotated[int, typer.Option(min=1, help="The number of networks drawn from each scheme.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Predict whether a network will train, and why not.

    Names the symptoms of each layer before training, and a scheme that would cure them. All numbers are
    medians over networks. The verdict holds for plain gradient descent at a good learning rate.
    """
    if config is not None and (init or activation or hidden or data):
        raise UsageError(
            "give either a config, which --set changes, or --init, --activation, --hidden and --data"
        )
    if config is None and overrides:
        raise UsageError("--set changes a config, but no config is given")
    cases = (
        _cases_of_options(init or ["he"], activation or ["relu"], hidden or "100x5", data or "mnist")
        if config is None
        else _cases_of_config(config, overrides or [])
    )
    diagnoses = [case.diagnosis(samples, seeds) for case in cases]
    if as_json:
        print_json([_plain(diagnosis) for diagnosis in diagnoses])
    elif len(diagnoses) == 1:
        _print_details(diagnoses[0])
    else:
        _print_overview(diagnoses)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A network that is to be diagnosed, and its data."""

    start: "Initialization"
    activation: str
    hidden: tuple[int, ...]
    data: "DataSettings"
    batch_norm: "BatchNorm | None" = None

    def diagnosis(self, samples: int, seeds: int) -> "Diagnosis":
        from initlab.diagnosis.verdict import diagnose as diagnose_network

        examples = self.data.examples("float64")
        inputs, labels = examples.train_inputs[:samples], examples.train_labels[:samples]
        return diagnose_network(
            self.start, self.activation, self.hidden, inputs, labels, seeds=seeds, batch_norm=self.batch_norm
        )


def _cases_of_config(config: Path, overrides: "Sequence[str]") -> list[_Case]:
    from initlab.runner.config import load_experiment

    points = [settings for _, settings in load_experiment(config, overrides).points()]
    return _distinct(
        _Case(
            start=settings.init.initialization,
            activation=settings.network.activation,
            hidden=settings.network.hidden,
            data=settings.data,
            batch_norm=settings.network.normalization,
        )
        for settings in points
    )


def _cases_of_options(
    init: "Sequence[str]", activation: "Sequence[str]", hidden: str, data: str
) -> list[_Case]:
    from initlab.data.datasets import canonical_name, is_dataset_name
    from initlab.init.per_layer import Initialization
    from initlab.nn.network import hidden_sizes
    from initlab.runner.settings import DataSettings

    source = DataSettings(name=canonical_name(data)) if is_dataset_name(data) else DataSettings(path=data)
    sizes = hidden_sizes(hidden)
    return _distinct(
        _Case(start=Initialization.of(text), activation=name, hidden=sizes, data=source)
        for name in activation
        for text in init
    )


def _distinct(cases: "Iterable[_Case]") -> list[_Case]:
    return list(dict.fromkeys(cases))


def _print_overview(diagnoses: "Sequence[Diagnosis]") -> None:
    rows = [
        [
            diagnosis.scheme.short,
            diagnosis.activation,
            _shape(diagnosis.sizes),
            diagnosis.verdict,
            ", ".join(diagnosis.words),
            diagnosis.cure.scheme if diagnosis.cure else None,
        ]
        for diagnosis in diagnoses
    ]
    print_table(["scheme", "activation", "layers", "verdict", "symptoms", "theory would take"], rows)


def _shape(sizes: "Sequence[int]") -> str:
    hidden = sizes[1:-1]
    middle = f"{hidden[0]}x{len(hidden)}" if len(set(hidden)) == 1 else "-".join(map(str, hidden))
    return f"{sizes[0]}-{middle}-{sizes[-1]}"


def _print_details(diagnosis: "Diagnosis") -> None:
    network = f"{diagnosis.scheme.short}, {diagnosis.activation}, {_shape(diagnosis.sizes)}"
    typer.echo(f"{network}: {diagnosis.verdict} ({', '.join(diagnosis.words)})\n")
    _print_layers(diagnosis)
    typer.echo("")
    _print_answers(diagnosis)
    for symptom, layers in diagnosis.symptoms.items():
        bound = f"below {symptom.low:.4g}" if symptom.low > 0 else f"above {symptom.high:.4g}"
        typer.echo(f"\n{symptom.word} in {_layers(layers)}: {symptom.number} {bound}")
        typer.echo(f"    The limit: {symptom.reason}.\n    Likely: {symptom.effect}.")
    if diagnosis.cure:
        typer.echo(f"\nTheory would take {diagnosis.cure.scheme}: {diagnosis.cure.why}.")


def _layers(layers: "Sequence[int]") -> str:
    if len(layers) == 1:
        return f"layer {layers[0]}"
    is_range = layers[-1] - layers[0] + 1 == len(layers)
    return f"layers {layers[0]} to {layers[-1]}" if is_range else "layers " + ", ".join(map(str, layers))


def _print_layers(diagnosis: "Diagnosis") -> None:
    from initlab.diagnosis.limits import LAYER_NUMBERS

    print_table(
        ["layer", "std", *LAYER_NUMBERS, "verdict"],
        [
            [
                layer.layer,
                *(number(value, 3) for value in (layer.std, *layer.numbers.values())),
                ", ".join(layer.words),
            ]
            for layer in diagnosis.layers
        ],
    )
    typer.echo(
        f"Medians of {diagnosis.seeds} networks over {diagnosis.samples} images; std: of the activations."
    )
    for name, meaning in LAYER_NUMBERS.items():
        typer.echo(f"{name}: {meaning}.")


def _print_answers(diagnosis: "Diagnosis") -> None:
    from initlab.diagnosis.criteria import NETWORK_NUMBERS

    for answer in diagnosis.answers:
        criterion, mark = answer.criterion, "yes" if answer.met else "NO"
        typer.echo(f"{mark:4}{criterion.question}")
        meaning = NETWORK_NUMBERS[criterion.number]
        typer.echo(f"    {answer.number:.3g}, at most {criterion.high:.3g}: {meaning}.")


def _plain(diagnosis: "Diagnosis") -> dict[str, Any]:
    """The diagnosis for programs."""
    cure = diagnosis.cure
    return {
        "scheme": str(diagnosis.scheme),
        "activation": diagnosis.activation,
        "sizes": list(diagnosis.sizes),
        "verdict": diagnosis.verdict,
        "words": diagnosis.words,
        "layers": [
            {"layer": layer.layer, "std": layer.std, **layer.numbers, "words": layer.words}
            for layer in diagnosis.layers
        ],
        "criteria": [_plain_answer(answer) for answer in diagnosis.answers],
        "cure": {"scheme": str(cure.scheme), "why": cure.why} if cure else None,
    }


def _plain_answer(answer: "Answer") -> dict[str, Any]:
    return {
        "question": answer.criterion.question,
        "met": answer.met,
        "number": answer.number,
        "limit": answer.criterion.high,
        "reason": answer.criterion.reason,
    }
