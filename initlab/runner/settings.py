"""The parts of a run and of a config as validated, frozen models, from which the JSON schema follows.

`Settings` determines one run; `Frame` is the rest of a config, above all its sweep.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    WrapValidator,
    field_validator,
    model_validator,
)

from initlab.data.datasets import DATASETS, canonical_name, first_images, open_dataset
from initlab.data.examples import Examples, prepared_examples
from initlab.data.folders import Dataset
from initlab.data.inputs import INPUTS
from initlab.errors import require, shortened, unknown_name
from initlab.init.per_layer import Initialization
from initlab.init.scheme import ALIASES, LIBRARY_NAMES, SCHEMES, Scheme, library_name
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.architecture import HIDDEN_LAYERS, Skip, hidden_sizes
from initlab.nn.losses import LOSSES
from initlab.nn.normalization import LAYER_NORM_PLACES, NORMS, PLACES, BatchNorm, LayerNorm, Norm
from initlab.nn.optimizers import OPTIMIZERS, check_optimizer
from initlab.nn.schedules import SCHEDULES, parse_schedule
from initlab.own_code import is_reference, names_in, refusal, shown
from initlab.plotting.appearance import FORMATS, STYLES, check_formats, read_size
from initlab.registry import Registry, parameters_of, written_call
from initlab.runner.boundary import Outcome


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _name_in(registry: Registry[Any]) -> AfterValidator:
    """Accepts a name in the registry."""

    def check(name: str) -> str:
        registry[name]
        return name

    return AfterValidator(check)


def _activation(name: str) -> str:
    """Accepts a name of ours, of an installed package's, or of code that has been loaded already."""
    require(not is_reference(name), refusal(name))
    return _with_source(ACTIVATIONS.known(name))


def _parsed(registry: Registry[Any]) -> AfterValidator:
    """Accepts a name in the registry, perhaps with arguments."""
    return AfterValidator(registry.canonical)


def _names(registry: Mapping[str, Any]) -> WithJsonSchema:
    """The schema of plain names."""
    return WithJsonSchema({"type": "string", "enum": sorted(registry)})


def _calls(registry: Iterable[str]) -> WithJsonSchema:
    """The schema of names that may have arguments in brackets."""
    with_arguments = {"type": "string", "pattern": f"^({'|'.join(sorted(registry))})\\s*\\("}
    return WithJsonSchema({"anyOf": [{"type": "string", "enum": sorted(registry)}, with_arguments]})


def _schedule(text: str) -> str:
    parse_schedule(text, steps=1)
    return text.strip()


def _batch_norm(text: str) -> str:
    BatchNorm.parse(text)
    return text.strip()


def _layer_norm(text: str) -> str:
    LayerNorm.parse(text)
    return text.strip()


def _skip(value: Any) -> Any:
    """`2`, `every=2, scale=0.5` and {every: 2, scale: 0.5} as one text."""
    if isinstance(value, dict):
        value = ", ".join(f"{key}={given}" for key, given in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return str(Skip.parse(value)) if isinstance(value, str) else value


def _no_default(batches: str) -> str | None:
    """None for drawing with replacement: a key added later takes no part in the identity of older runs."""
    return None if batches == "with_replacement" else batches


def _layer_sizes(value: Any) -> Any:
    """`100x4` is short for [100, 100, 100, 100]; other layers are texts, as conv(16, kernel=5)."""
    texts = isinstance(value, list | tuple) and any(isinstance(layer, str) for layer in value)
    if isinstance(value, str) or texts:
        return hidden_sizes(value)
    return tuple(value) if isinstance(value, list) else value


def _rectangle(hidden: Any, width: Any, depth: Any) -> Any:
    """The units of each layer, of which the width or the number of layers is given apart."""
    for name, given, most in (("width", width, 100_000), ("depth", depth, 1000)):
        if given is not None and not (type(given) is int and 1 <= given <= most):
            raise ValueError(f"{name} must be a whole number from 1 to {most:,}, not {shortened(given)}")
    layers = _layer_sizes(hidden) if hidden is not None else ()
    if not isinstance(layers, tuple):
        return hidden  # its own message follows
    if width is None and len(set(layers)) != 1:
        raise ValueError("depth needs width, or hidden layers of one width")
    if depth is None and not layers:
        raise ValueError("width needs depth, or hidden layers")
    return (layers[0] if width is None else width,) * (len(layers) if depth is None else depth)


def _one_line(label: str) -> str:
    if not label.isprintable():
        raise ValueError(f"a label must have no line breaks or control characters: {label[:60]!r}")
    if label.startswith("_"):  # matplotlib leaves such labels out of a legend
        raise ValueError(f"a label must not begin with '_': {label!r}")
    return label


def _with_hidden(network: dict[str, Any]) -> dict[str, Any]:
    """`layers` as `hidden`."""
    if "layers" not in network:
        return network
    if "hidden" in network:
        raise ValueError("give hidden or layers, which mean the same, not both")
    return {("hidden" if key == "layers" else key): given for key, given in network.items()}


def _with_norm(network: dict[str, Any]) -> dict[str, Any]:
    """`norm: batch(place=after)` as `batch_norm: after`."""
    if "norm" not in network:
        return network
    others = {key: given for key, given in network.items() if key != "norm"}
    if network["norm"] is None:
        return others
    for longer in ("batch_norm", "layer_norm"):
        require(network.get(longer) is None, f"give norm or {longer}, not both")
    kind, arguments = NORMS.parse(network["norm"])
    place = arguments.pop("place", "before")
    return {**others, f"{kind}_norm": written_call(place, arguments)}


_SKIP_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "every": {"type": "integer", "minimum": 1},
                "scale": {"anyOf": [{"type": "number"}, {"type": "string"}]},
                "order": {"enum": ["pre", "post"]},
            },
            "additionalProperties": False,
        },
    ],
    "description": "Skip connections: 2, or {every: 2, scale: 1/sqrt(blocks), order: post}.",
}


Width = Annotated[int, Field(ge=1, le=100_000)]
# A dense layer's units; other layers are texts, which have been read already.
HiddenLayer = Annotated[
    Width,
    WrapValidator(lambda layer, check: layer if isinstance(layer, str) else check(layer)),
    PlainSerializer(lambda layer: layer),
]
Hidden = Annotated[tuple[HiddenLayer, ...], BeforeValidator(_layer_sizes), Field(max_length=1000)]

_UNITS_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 100_000}

_HIDDEN_SCHEMA = {
    "anyOf": [
        {"type": "array", "items": {"anyOf": [_UNITS_SCHEMA, {"type": "string"}]}, "maxItems": 1000},
        {"type": "string", "pattern": rf"^\s*([1-9]|({'|'.join(HIDDEN_LAYERS)})\s*\()"},
    ],
    "description": "Hidden layers: [100, 100], 100x2 for short, or conv(16, kernel=5), pool(2), 100.",
}

_INIT_SCHEMA = {
    "anyOf": [
        # These names are completed by an editor, and by the shell.
        {"type": "string", "enum": sorted([*SCHEMES, *ALIASES, *LIBRARY_NAMES])},
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


_ACTIVATION_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "enum": sorted(ACTIVATIONS)},
            {"type": "string", "pattern": r"\.py:\w+$", "description": "Your own, as ./mine.py:mish."},
        ]
    }
)


def _with_width_and_depth(schema: dict[str, Any]) -> None:
    """Add to the schema of a network what may stand in the place of `hidden`."""
    for name, most in (("width", 100_000), ("depth", 1000)):
        schema["properties"][name] = {"type": "integer", "minimum": 1, "maximum": most}
    schema["required"].remove("hidden")
    schema["anyOf"] = [{"required": ["hidden"]}, {"required": ["width", "depth"]}]


class DataSettings(_Frozen):
    """The data: a dataset by name or a folder of IDX files, and how its images become inputs."""

    name: Annotated[str, AfterValidator(canonical_name), _calls(DATASETS)] = "mnist"
    path: str | None = None
    inputs: Annotated[str, _parsed(INPUTS), _calls(INPUTS)] = "unit"
    train_size: Annotated[int, Field(ge=1)] | None = None

    def dataset(self) -> Dataset:
        """The dataset, opened."""
        return first_images(open_dataset(self.name, self.path), self.train_size)

    def examples(self, dtype: str = "float32") -> Examples:
        """The dataset's examples, prepared as inputs."""
        return prepared_examples(self.dataset(), self.inputs, dtype)


class NetworkSettings(_Frozen):
    """The hidden layers; the sizes of input and output follow from the data.

    `width` and `depth`, each above 0, may be given in the place of `hidden`, or change it; `layers` is
    another word for `hidden`. `norm: batch` and `norm: layer` are short for `batch_norm` and `layer_norm`
    before the activation function; `norm: batch(place=after)` for after it.
    """

    hidden: Annotated[Hidden, WithJsonSchema(_HIDDEN_SCHEMA)]
    activation: Annotated[str, AfterValidator(_activation), _ACTIVATION_SCHEMA]
    batch_norm: Annotated[str, AfterValidator(_batch_norm), _calls(PLACES)] | None = None
    layer_norm: Annotated[str, AfterValidator(_layer_norm), _calls(LAYER_NORM_PLACES)] | None = None
    skip: Annotated[str, BeforeValidator(_skip), WithJsonSchema(_SKIP_SCHEMA)] | None = None

    model_config = ConfigDict(json_schema_extra=_with_width_and_depth)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        """One way to write each network, so that a record does not depend on how it was written."""
        if not isinstance(value, dict):
            return value
        value = _with_norm(_with_hidden(value))
        if not {"width", "depth"} & set(value):
            return value
        others = {key: value[key] for key in value if key not in ("width", "depth", "hidden")}
        return {**others, "hidden": _rectangle(value.get("hidden"), value.get("width"), value.get("depth"))}

    @model_validator(mode="after")
    def _check(self) -> "NetworkSettings":
        require(not (self.batch_norm and self.layer_norm), "give batch_norm or layer_norm, not both")
        return self

    @property
    def width(self) -> int | None:
        """The units of each hidden layer; None where layers differ, are not dense, or there are none."""
        first = self.hidden[0] if len(set(self.hidden)) == 1 else None
        return first if isinstance(first, int) else None

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return len(self.hidden)

    @property
    def normalization(self) -> Norm | None:
        """Batch or Layer Normalization before or after the activation function, or none."""
        if self.layer_norm is not None:
            return LayerNorm.parse(self.layer_norm)
        return None if self.batch_norm is None else BatchNorm.parse(self.batch_norm)


class OptimizerSettings(BaseModel):
    """The name of an optimizer, and its arguments."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, float] = Field(init=False)
    name: Annotated[str, _names(OPTIMIZERS)] = "sgd"

    @model_validator(mode="before")
    @classmethod
    def _without_defaults(cls, given: Any) -> Any:
        """So the same settings have one record, however they were written."""
        name = given.get("name", "sgd") if isinstance(given, dict) else None
        if not isinstance(name, str) or name not in OPTIMIZERS:
            return given
        parameters = parameters_of(OPTIMIZERS[name])
        return {k: v for k, v in given.items() if k not in parameters or v != parameters[k].default}

    @model_validator(mode="after")
    def _check(self) -> "OptimizerSettings":
        check_optimizer(self.name, self.arguments)
        return self

    @property
    def arguments(self) -> dict[str, float]:
        """All keys except the name."""
        return dict(self.__pydantic_extra__ or {})


class TrainSettings(_Frozen):
    """How the networks are trained."""

    steps: Annotated[int, Field(ge=1, le=100_000_000)]
    batch_size: Annotated[int, Field(ge=1, le=100_000)]
    loss: Annotated[str, _name_in(LOSSES), _names(LOSSES)] = "cross_entropy"
    optimizer: OptimizerSettings
    dtype: Literal["float32", "float64"] = "float32"
    schedule: Annotated[str, AfterValidator(_schedule), _calls(SCHEDULES)] | None = None
    batches: (
        Annotated[Literal["with_replacement", "without_replacement", "full"], AfterValidator(_no_default)]
        | None
    ) = None
    weight_decay: Annotated[float, Field(gt=0)] | None = None
    clip: Annotated[float, Field(gt=0)] | None = None
    track_every: Annotated[int, Field(ge=1)] | None = None


def _with_source(text: str) -> str:
    """Refuse functions of a notebook, whose names are no digests, and which no worker could load."""
    for name in names_in(text):
        message = f"{shown(name)} has no file, of which a record could hold the digest; write it into one"
        require(bool(SCHEMES.source(name) or ACTIVATIONS.source(name)), message)
    return text


def _scheme(value: Any) -> Scheme:
    if isinstance(value, Scheme):
        _with_source(str(value))
        return value
    if not isinstance(value, str):
        raise ValueError("a scheme is written like he or normal(std=0.1)")
    return _parsed_scheme(value)


def _parsed_scheme(text: str, more: Mapping[str, Any] | None = None) -> Scheme:
    """A scheme without a file's code, which `runner.own_code` has replaced where it is allowed."""
    require(not is_reference(text), refusal(text))
    scheme = Scheme.parse(text, more)
    _with_source(str(scheme))
    return scheme


SchemeField = Annotated[
    Scheme, PlainValidator(_scheme), PlainSerializer(str), WithJsonSchema({"type": "string"})
]


def _of_library(text: str | Scheme) -> dict[str, str]:
    """What another library's name says besides its scheme: the words, and the biases of its layer."""
    library = library_name(text) if isinstance(text, str) else None
    if not isinstance(text, str) or library is None:
        return {}
    label = {"label": text.strip()[:40]}
    return label if library.bias is None else {**label, "bias": library.bias}


class InitSettings(_Frozen):
    """A scheme, as `he`, `normal(std=0.01)` or `std=0.01`; or a mapping with more.

    In a mapping, `first` and `last` are the schemes of the first and the last layer's weights, `bias` is that
    of all biases, and `label` is the name in figures and tables. `torch:linear` has the biases of nn.Linear.
    """

    scheme: SchemeField
    first: SchemeField | None = None
    last: SchemeField | None = None
    bias: SchemeField | None = None
    label: Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_one_line)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {**_of_library(value), "scheme": _parsed_scheme(value)}
        if not isinstance(value, dict) or not isinstance(value.get("scheme"), str | Scheme):
            raise ValueError("a scheme is written he, std=0.01, or {scheme: he, label: Mine}")
        fields = {key: value[key] for key in cls.model_fields if key in value}
        arguments = {key: value[key] for key in value if key not in fields}
        scheme = _parsed_scheme(str(value["scheme"]), arguments) if arguments else _scheme(value["scheme"])
        return {**_of_library(value["scheme"]), **fields, "scheme": scheme}

    @model_validator(mode="after")
    def _check(self) -> "InitSettings":
        self.initialization  # noqa: B018  raises for a scheme that is not for biases, or looks at data
        return self

    @cached_property
    def initialization(self) -> Initialization:
        """The schemes of all layers."""
        return Initialization(self.scheme, first=self.first, last=self.last, bias=self.bias)

    def __str__(self) -> str:
        return self.label or str(self.initialization)


class Settings(_Frozen):
    """Everything that determines one run."""

    data: DataSettings = DataSettings()
    network: NetworkSettings
    train: TrainSettings
    init: Annotated[InitSettings, WithJsonSchema(_INIT_SCHEMA)]
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0

    def identity(self) -> dict[str, Any]:
        """The settings as plain values, without labels and places, which change no number.

        A key that is not used (None) is left out, so that a key added later renames no finished run.
        """
        irrelevant: Any = {"init": {"label"}, "data": {"path", "name"}}
        return self.model_dump(mode="json", exclude=irrelevant, exclude_none=True)


_VALUES_SCHEMA = {
    "anyOf": [
        {"type": "array", "minItems": 1},
        {"type": "string", "pattern": r"^(range|linspace|logspace)\s*\("},
    ]
}
Values = Annotated[list[Any], Field(min_length=1), WithJsonSchema(_VALUES_SCHEMA)]


class Sweep(BaseModel):
    """The values of each swept dotted key, as a list or a range; every combination is a run.

    A range is written `range(10)`, `linspace(0.5, 3, 11)`, or `logspace(-3, 0, 13)` for powers of ten.
    The keys of one entry of `zip` go through their values together. A run that matches an entry of `exclude`
    is left out.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Values] = Field(init=False)
    zip: list[Annotated[dict[str, Values], Field(min_length=1)]] = []
    exclude: list[Annotated[dict[str, Any], Field(min_length=1)]] = []


_OUTCOME_SCHEMA = {
    "anyOf": [
        {"type": "string", "enum": ["trained", "diverged"]},
        {"type": "string", "pattern": r"^\s*(test_accuracy|test_loss|final_loss)\s*[<>]"},
    ]
}


def _outcome(text: str) -> str:
    return Outcome.parse(text).text


def _axis(key: str) -> str:
    require(key != "seed", "a boundary lies on a numeric setting, as init.std; each seed has its own")
    return key


def _ends(ends: list[float]) -> list[float]:
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise ValueError(f"must be two numbers, the smaller one first, as [0.001, 3], not {shortened(ends)}")
    return ends


class BoundarySettings(_Frozen):
    """Find where an outcome flips, by bisection, for each condition and seed of the sweep.

    `over` is the dotted key of a numeric setting, `between` are the ends of its range. The first runs are
    spread over the range, as many as `points` says; then each interval in which the outcome `of` flips is
    halved until it is `within` a factor, or on a linear scale within a distance.
    """

    over: Annotated[str, AfterValidator(_axis)]
    between: Annotated[
        list[float],
        AfterValidator(_ends),
        WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
    ]
    of: Annotated[str, AfterValidator(_outcome), WithJsonSchema(_OUTCOME_SCHEMA)] = "trained"
    scale: Annotated[Literal["log", "linear"] | None, Field(validate_default=True)] = None
    within: float | None = None
    points: Annotated[int, Field(ge=2, le=1000)] | None = None

    @field_validator("scale")
    @classmethod
    def _has_a_logarithm(cls, scale: str | None, info: ValidationInfo) -> str | None:
        ends = info.data.get("between")
        if scale == "log" and ends and ends[0] <= 0:
            raise ValueError(f"a logarithmic scale has no {ends[0]:g}; write linear, or begin above 0")
        return scale or ("log" if ends and ends[0] > 0 else "linear")

    @field_validator("within")
    @classmethod
    def _is_a_width(cls, within: float | None, info: ValidationInfo) -> float | None:
        ends, scale = info.data.get("between"), info.data.get("scale")
        if within is None or not ends or not scale:
            return within
        least, most = (1, ends[1] / ends[0]) if scale == "log" else (0, ends[1] - ends[0])
        what = "a factor" if scale == "log" else "a distance"
        if not least < within <= most:
            raise ValueError(
                f"on a {scale} scale it is {what} above {least}, at most {most:g}, not {within:g}"
            )
        return within

    @property
    def is_log(self) -> bool:
        """Whether the scale is logarithmic: by default where both ends are above 0."""
        return self.scale == "log"


def _not_left(_: str) -> str:
    raise ValueError("a config extends another one in its file; it cannot be set")


def _saved_steps(value: Any) -> tuple[int | str, ...]:
    """Steps after which weights are kept; true stands for the last one."""
    if isinstance(value, bool):
        return ("last",) if value else ()
    each = list(value) if isinstance(value, list | tuple) else [value]
    for step in each:
        if step != "last" and not (type(step) is int and step >= 0):
            raise ValueError(f"give true, false, or steps, as [0, 100, last], not {shortened(step)}")
    return tuple(dict.fromkeys(each))


_STEP_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 0}, {"const": "last"}]}
_SAVE_WEIGHTS_SCHEMA = {
    "anyOf": [{"type": "boolean"}, _STEP_SCHEMA, {"type": "array", "items": _STEP_SCHEMA}],
    "description": "Keep the weights of each run: true for the end, or after steps, as [0, 100, last].",
}

NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$"


def _formats(given: Any) -> Any:
    """The formats in the order in which they are written; one may stand alone."""
    names = [given] if isinstance(given, str) else given
    message = f"the formats are a list, as [png, pdf], not {shortened(given)}"
    require(
        isinstance(names, list | tuple) and bool(names) and {type(name) for name in names} == {str}, message
    )
    return check_formats(names)


def _style(name: str) -> str:
    require(name in STYLES, unknown_name("style", name, STYLES))
    return name


def _size(size: str | float) -> str | float:
    read_size(size)
    return size


_FORMATS_SCHEMA = WithJsonSchema(
    {"type": "array", "items": {"type": "string", "enum": list(FORMATS)}, "minItems": 1}
)


class Plotting(_Frozen):
    """How the figures look and in which formats they are written; it changes no run and no name.

    `size` is column, page, slide, a width in inches, or as 7x4.
    """

    style: Annotated[str, AfterValidator(_style), _names(STYLES)] = "screen"
    size: Annotated[str | float, AfterValidator(_size)] | None = None
    formats: Annotated[tuple[str, ...], BeforeValidator(_formats), _FORMATS_SCHEMA] = ("png", "svg")
    svg_text: bool = False


class Frame(_Frozen):
    """The keys of a config besides the settings of its runs.

    `extends` is followed, and so removed, before a config is validated: see `runner.extends`.
    """

    extends: Annotated[
        str,
        AfterValidator(_not_left),
        Field(description="The config that this one extends: a shipped one by its name, or ./other.yaml."),
    ] = ""
    name: Annotated[str, Field(pattern=NAME)]
    description: str = ""
    sweep: Sweep = Sweep()
    boundary: BoundarySettings | None = None
    figures: list[str] = []
    plotting: Plotting = Plotting()
    save_weights: Annotated[
        tuple[int | str, ...], BeforeValidator(_saved_steps), WithJsonSchema(_SAVE_WEIGHTS_SCHEMA)
    ] = ()


def config_schema() -> dict[str, Any]:
    """The JSON schema of a config; an editor uses it to complete and check configs.

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
