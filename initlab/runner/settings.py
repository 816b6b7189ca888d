"""What a run and a config consist of: validated, frozen models, from which the JSON schema follows.

`Settings` is all that determines one run; `Frame` is what a config holds besides, its sweep above all.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from initlab.data.datasets import DATASETS, Dataset, canonical_name, first_images, open_dataset
from initlab.data.inputs import INPUTS, Prepare, check_inputs, prepare_inputs
from initlab.errors import unknown_name
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.calls import read_call
from initlab.nn.initializers import DIALECTS, Scheme
from initlab.nn.losses import LOSSES
from initlab.nn.normalization import PLACES, BatchNorm
from initlab.nn.optimizers import OPTIMIZERS, check_optimizer
from initlab.nn.schedules import SCHEDULES, check_schedule
from initlab.nn.starts import Start


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _known(kind: str, registry: Mapping[str, Any]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in registry:
            raise ValueError(unknown_name(kind, name, registry))
        return name

    return check


def _names(registry: Mapping[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": sorted(registry)})


def _calls(registry: Iterable[str]) -> WithJsonSchema:
    """Names that may carry arguments in brackets."""
    with_arguments = {"type": "string", "pattern": f"^({'|'.join(sorted(registry))})\\s*\\("}
    return WithJsonSchema({"anyOf": [{"type": "string", "enum": sorted(registry)}, with_arguments]})


def _schedule(text: str) -> str:
    name, arguments = read_call("schedule", text)
    check_schedule(name, arguments)
    return text.strip()


def _batch_norm(text: str) -> str:
    BatchNorm.parse(text)
    return text.strip()


def _drawn_anew(batches: str) -> str | None:
    """Drawing with replacement is what is done where nothing is told."""
    return None if batches == "with_replacement" else batches


def _layer_sizes(value: Any) -> Any:
    """`100x4` is short for [100, 100, 100, 100]."""
    short = re.fullmatch(r"([1-9]\d{0,5})x(\d{1,4})", value) if isinstance(value, str) else None
    if short:
        return (int(short[1]),) * int(short[2])
    return tuple(value) if isinstance(value, list) else value


def _one_line(label: str) -> str:
    if not label.isprintable():
        raise ValueError(f"a label has no line breaks or control characters: {label[:60]!r}")
    if label.startswith("_"):
        raise ValueError(f"a label does not begin with '_': {label!r}")
    return label


Width = Annotated[int, Field(ge=1, le=100_000)]

_HIDDEN_SCHEMA = {
    "anyOf": [
        {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 100_000}, "maxItems": 1000},
        {"type": "string", "pattern": r"^[1-9]\d{0,5}x\d{1,4}$"},
    ],
    "description": "Units of each hidden layer: [100, 100], or 100x2 for short.",
}

_INIT_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "scheme": {"type": "string"},
                "first": {"type": "string"},
                "last": {"type": "string"},
                "bias": {"type": "string"},
                "label": {"type": "string", "maxLength": 40},
            },
            "required": ["scheme"],
        },
    ],
    "description": "A scheme: he, std=0.01, or {scheme: he, label: Mine, bias: std=0.1, last: xavier}.",
}


class DataSettings(_Frozen):
    """What the networks are shown: a dataset by name, or a folder of IDX files."""

    name: Annotated[str, AfterValidator(canonical_name), _calls(DATASETS)] = "mnist"
    path: str | None = None
    inputs: Annotated[str, AfterValidator(check_inputs), _calls(INPUTS)] = "unit"
    train_size: Annotated[int, Field(ge=1)] | None = None

    def open(self) -> tuple[Dataset, Prepare]:
        """The dataset, and what makes floats of its images."""
        dataset = first_images(open_dataset(self.name, self.path), self.train_size)
        return dataset, prepare_inputs(self.inputs, dataset)


class NetworkSettings(_Frozen):
    """The hidden layers; the first and last size follow from the data."""

    hidden: Annotated[
        tuple[Width, ...],
        BeforeValidator(_layer_sizes),
        Field(max_length=1000),
        WithJsonSchema(_HIDDEN_SCHEMA),
    ]
    activation: Annotated[str, AfterValidator(_known("activation", ACTIVATIONS)), _names(ACTIVATIONS)]
    batch_norm: Annotated[str, AfterValidator(_batch_norm), _calls(PLACES)] | None = None

    @property
    def normalization(self) -> BatchNorm | None:
        """Batch Normalization before or after the activation function, or none."""
        return None if self.batch_norm is None else BatchNorm.parse(self.batch_norm)


class OptimizerSettings(BaseModel):
    """A name, and the arguments that this optimizer takes."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, float] = Field(init=False)
    name: Annotated[str, _names(OPTIMIZERS)] = "sgd"

    @model_validator(mode="after")
    def _check(self) -> "OptimizerSettings":
        check_optimizer(self.name, self.arguments)
        return self

    @property
    def arguments(self) -> dict[str, float]:
        """All but the name."""
        return dict(self.__pydantic_extra__ or {})


class TrainSettings(_Frozen):
    """How the networks are trained."""

    steps: Annotated[int, Field(ge=1, le=100_000_000)]
    batch_size: Annotated[int, Field(ge=1, le=100_000)]
    loss: Annotated[str, AfterValidator(_known("loss", LOSSES)), _names(LOSSES)] = "cross_entropy"
    optimizer: OptimizerSettings
    dtype: Literal["float32", "float64"] = "float32"
    schedule: Annotated[str, AfterValidator(_schedule), _calls(SCHEDULES)] | None = None
    batches: (
        Annotated[Literal["with_replacement", "without_replacement", "full"], AfterValidator(_drawn_anew)]
        | None
    ) = None
    weight_decay: Annotated[float, Field(gt=0)] | None = None
    clip: Annotated[float, Field(gt=0)] | None = None
    track_every: Annotated[int, Field(ge=1)] | None = None


class InitSettings(_Frozen):
    """A scheme, written `he`, `normal(std=0.01)` or `std=0.01`; or a mapping, which may tell more.

    There `first` and `last` are schemes of the first and the last layer's weights, `bias` is one for all
    biases, and `label` is how figures and tables call it.
    """

    scheme: str
    first: str | None = None
    last: str | None = None
    bias: str | None = None
    label: Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_one_line)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str):
            foreign = value.partition("(")[0].strip() in DIALECTS
            return {"scheme": str(Scheme.parse(value)), "label": value.strip()[:40] if foreign else None}
        if not isinstance(value, dict) or not isinstance(value.get("scheme"), str):
            raise ValueError("a scheme is written he, std=0.01, or {scheme: he, label: Mine}")
        arguments = {k: v for k, v in value.items() if k not in cls.model_fields}
        start = _start(Scheme.parse(value["scheme"], arguments), value)
        told = {name: str(getattr(start, name)) for name in _OTHERS if getattr(start, name) is not None}
        return {"scheme": str(start.scheme), **told, "label": value.get("label")}

    @property
    def start(self) -> Start:
        """The schemes of all layers."""
        return _start(Scheme.parse(self.scheme), self.model_dump())

    def __str__(self) -> str:
        others = [f"{name} {Scheme.parse(text).short}" for name in _OTHERS if (text := getattr(self, name))]
        return self.label or ", ".join([Scheme.parse(self.scheme).short, *others])


_OTHERS = ("first", "last", "bias")


def _start(scheme: Scheme, told: Mapping[str, Any]) -> Start:
    """From the texts of the other schemes."""
    for name in _OTHERS:
        if not isinstance(told.get(name), str | None):
            raise ValueError(f"{name} is a scheme, written like he or normal(std=0.1)")
    return Start(scheme, **{name: Scheme.parse(told[name]) for name in _OTHERS if told.get(name) is not None})


class Settings(_Frozen):
    """All that determines one run."""

    data: DataSettings = DataSettings()
    network: NetworkSettings
    train: TrainSettings
    init: Annotated[InitSettings, WithJsonSchema(_INIT_SCHEMA)]
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0

    def identity(self) -> dict[str, Any]:
        """The settings as plain values, without what does not bear on any number: labels and places.

        A key that is not used (None) is left out, so that a key added later changes no finished run's name.
        """
        unseen: Any = {"init": {"label"}, "data": {"path", "name"}}
        return self.model_dump(mode="json", exclude=unseen, exclude_none=True)


Values = Annotated[list[Any], Field(min_length=1)]


class Sweep(BaseModel):
    """For each dotted key, its values; every combination is a run.

    Within one entry of `zip` the keys go through their values together. What `exclude` describes is left out.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Values] = Field(init=False)
    zip: list[Annotated[dict[str, Values], Field(min_length=1)]] = []
    exclude: list[Annotated[dict[str, Any], Field(min_length=1)]] = []


class Frame(_Frozen):
    """What a config holds besides the settings."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    description: str = ""
    sweep: Sweep = Sweep()
    figures: list[str] = []


def config_schema() -> dict[str, Any]:
    """The JSON schema of a config, by which an editor completes and checks it.

    >>> sorted(config_schema()["required"])
    ['name']
    """
    frame, settings = Frame.model_json_schema(), Settings.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "initlab experiment",
        "type": "object",
        "additionalProperties": False,
        "properties": {**frame["properties"], **settings["properties"]},
        "required": frame["required"],
        "$defs": {**frame["$defs"], **settings["$defs"]},
    }
