"""`initlab diagnose`: what ails a network before training, and what would cure it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.terminal import JsonOption, SetOption, app, finite, print_json, print_table
from initlab.errors import UsageError, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from initlab.analysis.diagnosis import Diagnosis
    from initlab.nn.normalization import BatchNorm
    from initlab.nn.starts import Start
    from initlab.runner.settings import DataSettings


@app.command()
def diagnose(
    config: Annotated[
        Path | None, typer.Argument(help="Diagnose what this config sweeps, in place of the options.")
    ] = None,
    init: Annotated[
        list[str] | None, typer.Option(metavar="SCHEME", help="A scheme; repeatable.", show_default="he")
    ] = None,
    activation: Annotated[
        list[str] | None, typer.Option(help="An activation function; repeatable.", show_default="relu")
    ] = None,
    hidden: Annotated[
        str | None, typer.Option(help="Hidden layers, as 100x20.", show_default="100x5")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="A dataset, or a folder of IDX files.", show_default="mnist")
    ] = None,
    overrides: SetOption = None,
    samples: Annotated[int, typer.Option(min=2, help="Training images that are shown.")] = 300,
    seeds: Annotated[int, typer.Option(min=1, help="Networks drawn from each scheme.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Say before training whether a network will train, what ails which layer, and what would cure it.

    Numbers are medians over networks drawn anew. The verdict is about plain gradient descent at a good rate.
    """
    if config is not None and (init or activation or hidden or data):
        raise UsageError(
            "give either a config (--set changes it) or --init, --activation, --hidden and --data"
        )
    if config is None and overrides:
        raise UsageError("--set changes a config, and there is none")
    cases = (
        _of_options(init or ["he"], activation or ["relu"], hidden or "100x5", data or "mnist")
        if config is None
        else _of_config(config, overrides or [])
    )
    found = [case.diagnosis(samples, seeds) for case in cases]
    if as_json:
        print_json([_plain(one) for one in found])
    elif len(found) == 1:
        _print_details(found[0])
    else:
        _print_overview(found)


@dataclass(frozen=True)
class _Case:
    """One network that is to be diagnosed, and what it is shown."""

    start: "Start"
    activation: str
    hidden: tuple[int, ...]
    data: "DataSettings"
    batch_norm: "BatchNorm | None" = None

    def diagnosis(self, samples: int, seeds: int) -> "Diagnosis":
        from initlab.analysis.diagnosis import diagnose as diagnose_network

        dataset, prepare = self.data.open()
        inputs = prepare(dataset.train_images[:samples], "float64")
        labels = dataset.train_labels[:samples]
        return diagnose_network(
            self.start, self.activation, self.hidden, inputs, labels, seeds=seeds, batch_norm=self.batch_norm
        )


def _of_config(config: Path, overrides: "Sequence[str]") -> list[_Case]:
    from initlab.runner.config import load_experiment

    points = [settings for _, settings in load_experiment(config, overrides).points()]
    return _distinct(
        _Case(one.init.start, one.network.activation, one.network.hidden, one.data, one.network.normalization)
        for one in points
    )


def _of_options(init: "Sequence[str]", activation: "Sequence[str]", hidden: str, data: str) -> list[_Case]:
    from initlab.data.datasets import canonical_name, is_dataset_name
    from initlab.nn.starts import Start
    from initlab.runner.settings import DataSettings

    shown = DataSettings(name=canonical_name(data)) if is_dataset_name(data) else DataSettings(path=data)
    sizes = _sizes(hidden)
    return _distinct(_Case(Start.of(text), name, sizes, shown) for name in activation for text in init)


def _distinct(cases: "Iterable[_Case]") -> list[_Case]:
    return list(dict.fromkeys(cases))


def _sizes(text: str) -> tuple[int, ...]:
    """Units of each hidden layer, from `100x20` or `300,100`."""
    repeated = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,3})", text)
    if repeated:
        return (int(repeated[1]),) * int(repeated[2])
    if re.fullmatch(r"[1-9]\d{0,5}(,[1-9]\d{0,5})*", text):
        return tuple(map(int, text.split(",")))
    raise UsageError(f"--hidden {shortened(text)}: write units and layers, as 100x20, or units as 300,100")


def _print_overview(found: "Sequence[Diagnosis]") -> None:
    rows = [
        [
            one.scheme.short,
            one.activation,
            _shape(one.sizes),
            one.verdict,
            ", ".join(one.words),
            one.cure.scheme if one.cure else None,
        ]
        for one in found
    ]
    print_table(["scheme", "activation", "layers", "verdict", "what ails it", "theory would take"], rows)


def _shape(sizes: "Sequence[int]") -> str:
    hidden = sizes[1:-1]
    middle = f"{hidden[0]}x{len(hidden)}" if len(set(hidden)) == 1 else "-".join(map(str, hidden))
    return f"{sizes[0]}-{middle}-{sizes[-1]}"


def _print_details(one: "Diagnosis") -> None:
    shape = _shape(one.sizes)
    typer.echo(f"{one.scheme.short}, {one.activation}, {shape}: {one.verdict} ({', '.join(one.words)})\n")
    _print_layers(one)
    typer.echo("")
    _print_answers(one)
    for symptom, layers in one.symptoms.items():
        bound = f"below {symptom.low:.4g}" if symptom.low > 0 else f"above {symptom.high:.4g}"
        typer.echo(f"\n{symptom.word} in {_layers(layers)}: {symptom.number} {bound}")
        typer.echo(f"    The limit: {symptom.reason}.\n    Likely: {symptom.effect}.")
    if one.cure:
        typer.echo(f"\nTheory would take {one.cure.scheme}: {one.cure.why}.")


def _layers(layers: "Sequence[int]") -> str:
    if len(layers) == 1:
        return f"layer {layers[0]}"
    whole = layers[-1] - layers[0] + 1 == len(layers)
    return f"layers {layers[0]} to {layers[-1]}" if whole else "layers " + ", ".join(map(str, layers))


def _print_layers(one: "Diagnosis") -> None:
    from initlab.analysis.diagnosis import LAYER_NUMBERS

    print_table(
        ["layer", "std", *LAYER_NUMBERS, "verdict"],
        [
            [
                layer.layer,
                f"{layer.std:.3g}",
                *(f"{value:.3g}" for value in layer.numbers.values()),
                ", ".join(layer.words),
            ]
            for layer in one.layers
        ],
    )
    typer.echo(f"Medians of {one.seeds} networks that saw {one.samples} images; std: of the activations.")
    for name, meaning in LAYER_NUMBERS.items():
        typer.echo(f"{name}: {meaning}.")


def _print_answers(one: "Diagnosis") -> None:
    from initlab.analysis.diagnosis import NETWORK_NUMBERS

    for answer in one.answers:
        criterion, met = answer.criterion, "yes" if answer.met else "NO"
        typer.echo(f"{met:4}{criterion.question}")
        meaning = NETWORK_NUMBERS[criterion.number]
        typer.echo(f"    {answer.number:.3g}, at most {criterion.high:.3g}: {meaning}.")


def _plain(one: "Diagnosis") -> dict[str, Any]:
    """For programs; what is infinite or does not exist is null."""
    return {
        "scheme": str(one.scheme),
        "activation": one.activation,
        "sizes": list(one.sizes),
        "verdict": one.verdict,
        "words": one.words,
        "layers": [
            {"layer": layer.layer, "std": finite(layer.std), **_finite(layer.numbers), "words": layer.words}
            for layer in one.layers
        ],
        "criteria": [
            {
                "question": answer.criterion.question,
                "met": answer.met,
                "number": finite(answer.number),
                "limit": answer.criterion.high,
                "reason": answer.criterion.reason,
            }
            for answer in one.answers
        ],
        "cure": {"scheme": str(one.cure.scheme), "why": one.cure.why} if one.cure else None,
    }


def _finite(numbers: dict[str, float]) -> dict[str, float | None]:
    return {name: finite(value) for name, value in numbers.items()}
