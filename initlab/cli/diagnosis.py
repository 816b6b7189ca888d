"""`initlab diagnose`: the symptoms of a network before training, and a cure."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initlab.cli.architectures import NormOption, SkipOption
from initlab.cli.completion import (
    activation_names,
    config_names,
    dataset_names,
    optimizer_names,
    scheme_names,
)
from initlab.cli.models import Output, diagnosis_of_model, known_library, show_model
from initlab.cli.pictures import Drawing, SizeOption, StyleOption
from initlab.cli.references import is_reference
from initlab.cli.terminal import (
    ACTIVATION_HELP,
    SCHEME_HELP,
    AllowCodeOption,
    JsonOption,
    SetOption,
    app,
    number,
    print_json,
    print_table,
    print_text,
    repeated,
)
from initlab.errors import DataError, UsageError, require, unknown_name
from initlab.own_code import shown
from initlab.tables import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from initlab.diagnosis.criteria import Answer
    from initlab.diagnosis.verdict import Cure, Diagnosis
    from initlab.runner.cases import Case
    from initlab.training.history import History


ConfigOrModel = Annotated[
    Path | None,
    typer.Argument(
        metavar="[CONFIG|MODULE:MODEL]",
        help="A config, for example mnist; or a model of a Python module, or a function that builds "
        "one. Importing a module runs its code.",
        autocompletion=config_names,
    ),
]
InitOption = Annotated[
    list[str] | None,
    typer.Option(metavar="SCHEME", help=SCHEME_HELP, show_default="he", autocompletion=scheme_names),
]
ActivationOption = Annotated[
    list[str] | None, typer.Option(help=ACTIVATION_HELP, show_default="relu", autocompletion=activation_names)
]
HiddenOption = Annotated[
    str | None,
    typer.Option(
        help='The hidden layers: 100x20, or "conv(16, kernel=5), pool(2), 100".', show_default="100x5"
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        help="A dataset, or a folder of IDX files; for a model MODULE:BATCH, of (inputs, targets).",
        show_default="mnist",
        autocompletion=dataset_names,
    ),
]
SamplesOption = Annotated[int, typer.Option(min=2, help="The number of training images.")]
SeedsOption = Annotated[int, typer.Option(min=1, help="The number of networks drawn from each scheme.")]
OptimizerOption = Annotated[
    str | None,
    typer.Option(help="The optimizer that will train.", show_default="sgd", autocompletion=optimizer_names),
]
LayersOption = Annotated[bool, typer.Option("--layers", help="Print the numbers of every layer.")]
TrainOption = Annotated[
    int | None, typer.Option(min=1, metavar="STEPS", help="Train the network and its cure.")
]
FigureOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw the layers: a .png, .svg or .pdf.")
]
CureOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the lines that cure a model of your own.")
]
LibraryOption = Annotated[
    str | None,
    typer.Option(
        help="Whose models a function builds: torch, keras or flax.",
        show_default="torch",
        callback=known_library,
    ),
]


@app.command()
def diagnose(
    config: ConfigOrModel = None,
    init: InitOption = None,
    activation: ActivationOption = None,
    hidden: HiddenOption = None,
    norm: NormOption = None,
    skip: SkipOption = None,
    data: DataOption = None,
    overrides: SetOption = None,
    allow_code: AllowCodeOption = False,
    samples: SamplesOption = 300,
    seeds: SeedsOption = 5,
    optimizer: OptimizerOption = None,
    layers: LayersOption = False,
    train: TrainOption = None,
    figure: FigureOption = None,
    style: StyleOption = "screen",
    size: SizeOption = None,
    cure: CureOption = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict whether a network will train, and why not.

    Names the symptoms before training, and a start that was diagnosed in the same way and is healthy. All
    numbers are medians over networks. The verdict holds for some hundred steps at a good learning rate.
    """
    from initlab.runner.cases import cases_of
    from initlab.runner.config import load_experiment

    require(figure is not None or (style == "screen" and size is None), "--style and --size are for --figure")
    drawing = Drawing(target=figure, style=style, size=size, option="--figure") if figure else None
    if config is not None and is_reference(str(config)):
        if init or activation or hidden or norm or skip or overrides or train:
            options = "--init, --activation, --hidden, --norm, --skip, --set or --train"
            raise UsageError(f"a model takes no {options}")
        model = diagnosis_of_model(str(config), data, optimizer or "sgd", seeds, library)
        show_model(model, Output(layers=layers, as_json=as_json, figure=drawing, cure=cure))
        return
    if cure or library:
        raise UsageError("--cure and --library are for a model of your own, MODULE:MODEL")
    if config is not None and data is not None and is_reference(data):
        given = plain(str(config))
        raise UsageError(f"--data {data} is for a model of your own, MODULE:MODEL, which {given} is not")
    if config is not None:
        _refuse_beside_a_config(config, bool(init or activation or hidden or norm or skip or data), optimizer)
        cases = cases_of(load_experiment(config, overrides or [], allow_code=allow_code))
    elif overrides:
        raise UsageError("--set changes a config, but no config is given")
    else:
        inits, activations = (
            repeated("--init", init or ["he"]),
            repeated("--activation", activation or ["relu"]),
        )
        cases = _cases_of_options(
            inits, activations, hidden or "100x5", norm, skip, data or "mnist", optimizer or "sgd"
        )
    if drawing and len(cases) > 1:
        raise UsageError(f"--figure draws one network, not {len(cases)}")
    diagnoses = [case.diagnosis(samples, seeds) for case in cases]
    if drawing:
        from initlab.plotting.diagnosis import network_figure

        drawing.write(lambda: network_figure(diagnoses[0]))
    trials = [case.trial(diagnosis, train) for case, diagnosis in zip(cases, diagnoses, strict=True)]
    if as_json:
        print_json({"networks": [_plain(*pair) for pair in zip(diagnoses, trials, strict=True)]})
    elif len(diagnoses) == 1:
        _print_details(diagnoses[0], trials[0], train, layers)
    else:
        _print_overview(diagnoses, trials)


def _refuse_beside_a_config(config: Path, has_options: bool, optimizer: str | None) -> None:
    """What a config says cannot be said a second time."""
    if has_options:
        raise UsageError(
            f"{plain(str(config))}: give either a config, which --set changes, or --init, --activation, "
            "--hidden, --norm, --skip and --data; repeat an option for another value"
        )
    if optimizer:
        raise UsageError("the config names the optimizer; change it by --set train.optimizer=...")


def _cases_of_options(
    init: "Sequence[str]",
    activation: "Sequence[str]",
    hidden: str,
    norm: str | None,
    skip: str | None,
    data: str,
    optimizer: str,
) -> "list[Case]":
    from initlab.data.datasets import DATASETS, canonical_name, is_dataset_name
    from initlab.init.per_layer import Initialization
    from initlab.nn.activations import ACTIVATIONS
    from initlab.nn.architecture import Skip, hidden_sizes
    from initlab.nn.normalization import parse_norm
    from initlab.runner.cases import Case, distinct
    from initlab.runner.settings import DataSettings

    if not is_dataset_name(data) and not os.path.exists(data):
        unknown = unknown_name("dataset", data, DATASETS)
        raise DataError(f"--data: {unknown}; and there is no such folder of IDX files")
    source = DataSettings(name=canonical_name(data)) if is_dataset_name(data) else DataSettings(path=data)
    sizes = hidden_sizes(hidden)
    norms, skips = parse_norm(norm) if norm else None, Skip.parse(skip) if skip else None
    return distinct(
        Case(
            start=Initialization.of(text),
            activation=name,
            hidden=sizes,
            data=source,
            optimizer=optimizer,
            norm=norms,
            skip=skips,
        )
        for name in map(ACTIVATIONS.resolve, activation)
        for text in init
    )


def _print_overview(diagnoses: "Sequence[Diagnosis]", trials: "Sequence[dict[str, History]]") -> None:
    rows = [
        [
            str(diagnosis.start),
            shown(diagnosis.activation),
            diagnosis.network,
            diagnosis.verdict,
            ", ".join(diagnosis.words),
            str(diagnosis.cure) if diagnosis.cure else None,
            *(number(history.test_accuracy, 3) for history in trial.values()),
        ]
        for diagnosis, trial in zip(diagnoses, trials, strict=True)
    ]
    longest = max(map(len, trials))
    header = ["scheme", "activation", "layers", "verdict", "symptoms", "cure", "accuracy", "cured"]
    rows = [[*row, *[None] * (6 + longest - len(row))] for row in rows]
    print_table(header[: 6 + longest], rows)


def _print_details(
    diagnosis: "Diagnosis", trial: "dict[str, History]", steps: int | None, layers: bool
) -> None:
    for line in repr(diagnosis).splitlines():
        print_text(line)
    for name, history in trial.items():
        accuracy = history.test_accuracy
        reached = "diverged" if accuracy is None else f"{accuracy:.1%} of the test set"
        typer.echo(f"After {steps} steps from {name}, at rate {history.learning_rate:g}: {reached}.")
    typer.echo(f"\nMedians of {diagnosis.seeds} networks over {diagnosis.samples} training examples.")
    if layers:
        from initlab.diagnosis.limits import LAYER_NUMBERS

        header, *rows = diagnosis.table()
        typer.echo("")
        print_table([*header[:-1], "verdict"], rows)
        typer.echo("std: of the activations.")
        if diagnosis.predicted:
            images = not all(isinstance(size, int) for size in diagnosis.sizes)
            pixels = ", and of images whose pixels are independent" if images else ""
            print_text(f"In brackets: what theory says of wide layers{pixels}.")
        for name, meaning in LAYER_NUMBERS.items():
            print_text(f"{name}: {meaning}.")
        if any(layer.is_bypassed for layer in diagnosis.layers):
            print_text("bypassed: a skip connection leads around the layer, which is not judged.")
        typer.echo("")
        _print_answers(diagnosis)


def _print_answers(diagnosis: "Diagnosis") -> None:
    from initlab.diagnosis.criteria import NETWORK_NUMBERS

    for answer in diagnosis.answers:
        criterion, mark = answer.criterion, "yes" if answer.met else "NO"
        typer.echo(f"{mark:4}{criterion.question}")
        meaning = NETWORK_NUMBERS[criterion.number]
        print_text(f"{answer.number:.3g}, at most {criterion.high:.3g}: {meaning}.", indent=4)


def _plain(diagnosis: "Diagnosis", trial: "dict[str, History]") -> dict[str, Any]:
    """The diagnosis for programs."""
    cure = diagnosis.cure
    return {
        "scheme": str(diagnosis.scheme),
        "activation": diagnosis.activation,
        "sizes": list(diagnosis.sizes),
        "normalization": str(diagnosis.norm) if diagnosis.norm else None,
        "skip": str(diagnosis.skip) if diagnosis.skip else None,
        "optimizer": diagnosis.optimizer,
        "verdict": diagnosis.verdict,
        "severity": diagnosis.severity,
        "severities": diagnosis.severities,
        "words": diagnosis.words,
        "layers": [
            {
                "layer": layer.layer,
                "std": layer.std,
                **layer.numbers,
                **{f"predicted_{name}": values[i] for name, values in diagnosis.predicted.items()},
                "words": layer.words,
            }
            for i, layer in enumerate(diagnosis.layers)
        ],
        "criteria": [_plain_answer(answer) for answer in diagnosis.answers],
        "cure": _plain_cure(cure) if cure else None,
        "trained": [
            {"start": name, "rate": history.learning_rate, "test_accuracy": history.test_accuracy}
            for name, history in trial.items()
        ],
    }


def _plain_cure(cure: "Cure") -> dict[str, Any]:
    texts = {"scheme": str(cure.scheme), "skip": str(cure.skip) if cure.skip else None}
    return {"start": str(cure), **asdict(cure), **texts}


def _plain_answer(answer: "Answer") -> dict[str, Any]:
    return {
        "question": answer.criterion.question,
        "met": answer.met,
        "number": answer.number,
        "limit": answer.criterion.high,
        "reason": answer.criterion.reason,
    }
