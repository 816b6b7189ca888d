"""YAML file, overrides -> Experiment: validated whole, every mistake told with its place.

`Settings` is all that determines one run. An `Experiment` is a tree of settings and a sweep over some of
them; the defaults below are the book's MNIST comparison.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from initlab.data.datasets import DATASETS
from initlab.data.inputs import INPUTS
from initlab.errors import StorageError, UsageError, unknown_name
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.initializers import Scheme
from initlab.nn.losses import LOSSES
from initlab.nn.optimizers import check_optimizer
from initlab.runner.yaml_text import Document, YamlError, nearest, read_scalar, read_yaml
from initlab.runner.yaml_text import Path as Keys


class ConfigError(UsageError):
    """All mistakes of a config, one in a line."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = list(dict.fromkeys(mistakes))
        super().__init__("\n".join(self.mistakes))


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _known(kind: str, registry: Mapping[str, Any]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in registry:
            raise ValueError(unknown_name(kind, name, registry))
        return name

    return check


def _layer_sizes(value: Any) -> Any:
    """`100x4` is short for [100, 100, 100, 100]."""
    short = re.fullmatch(r"(\d{1,6})x(\d{1,4})", value) if isinstance(value, str) else None
    if short:
        return (int(short[1]),) * int(short[2])
    return tuple(value) if isinstance(value, list) else value


Width = Annotated[int, Field(ge=1, le=100_000)]


class DataSettings(_Frozen):
    """What the networks are shown."""

    name: Annotated[str, AfterValidator(_known("dataset", DATASETS))] = "mnist"
    path: str | None = None
    inputs: Annotated[str, AfterValidator(_known("input preparation", INPUTS))] = "unit"


class NetworkSettings(_Frozen):
    """The hidden layers; the first and last size follow from the data."""

    hidden: Annotated[tuple[Width, ...], BeforeValidator(_layer_sizes), Field(max_length=1000)]
    activation: Annotated[str, AfterValidator(_known("activation", ACTIVATIONS))]


class OptimizerSettings(BaseModel):
    """A name, and the arguments that this optimizer takes."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, float] = Field(init=False)
    name: str = "sgd"

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
    loss: Annotated[str, AfterValidator(_known("loss", LOSSES))] = "cross_entropy"
    optimizer: OptimizerSettings
    dtype: Literal["float32", "float64"] = "float32"


def _one_line(label: str) -> str:
    if not label.isprintable():
        raise ValueError(f"a label has no line breaks or control characters: {label[:60]!r}")
    return label


class InitSettings(_Frozen):
    """A scheme, written `he`, `normal(std=0.01)` or `std=0.01`, or as a mapping, which may carry a label."""

    scheme: str
    label: Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_one_line)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"scheme": str(Scheme.parse(value))}
        if not isinstance(value, dict) or not isinstance(value.get("scheme"), str):
            raise ValueError("a scheme is written he, std=0.01, or {scheme: he, label: Mine}")
        arguments = {k: v for k, v in value.items() if k not in ("scheme", "label")}
        return {"scheme": str(Scheme.parse(value["scheme"], arguments)), "label": value.get("label")}

    def __str__(self) -> str:
        return self.label or Scheme.parse(self.scheme).short


class Settings(_Frozen):
    """All that determines one run."""

    data: DataSettings = DataSettings()
    network: NetworkSettings
    train: TrainSettings
    init: InitSettings
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0


class _Frame(_Frozen):
    """What a config holds besides the settings."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    description: str = ""
    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    figures: list[str] = []


@dataclass(frozen=True)
class Experiment:
    """What one config file describes.

    Attributes:
        name: of its folder in the results.
        description: a sentence for the reader.
        tree: the settings that all runs share, as they were written.
        sweep: for each swept dotted key, its values as they were written.
        figures: the names of what is drawn of it.
        places: where in the config each value stands.
    """

    name: str
    description: str
    tree: dict[str, Any]
    sweep: dict[str, list[Any]]
    figures: tuple[str, ...]
    places: dict[Keys, str]

    def place(self, *keys: str | int) -> str:
        """Where the value with these keys stands, or the nearest one that holds it."""
        return nearest(self.places, keys)

    def points(self) -> list[tuple[dict[str, Any], Settings]]:
        """The product of the sweep, the last key running fastest: swept values and settings of each run."""
        points = []
        for values in product(*self.sweep.values()):
            chosen = dict(zip(self.sweep, values, strict=True))
            points.append((chosen, Settings.model_validate(_with(self.tree, chosen))))
        return points

    def resolved(self) -> dict[str, Any]:
        """The experiment as a config that says everything, for `experiment.yaml`."""
        frame = {"name": self.name, "description": self.description}
        return {**frame, **self.tree, "sweep": self.sweep, "figures": list(self.figures)}


def load_experiment(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read and validate a config.

    Args:
        path: a YAML file.
        overrides: texts `train.optimizer.lr=1e-3`, read by the same rules; a later one wins.

    Raises:
        ConfigError: with all mistakes, each with file, line and column, the value and what is accepted.
        StorageError: when the file cannot be read.
    """
    path = Path(path)
    document = read_yaml(_read_text(path), str(path))
    if not isinstance(document.tree, dict):
        raise ConfigError([f"{path}: a config is a mapping, as in `name: mnist`"])
    for override in overrides:
        _override(document, override)
    _anchor_data_path(document.tree, path.parent)
    return _Checker(document, str(path)).experiment()


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read((1 << 20) + 1).decode("utf-8")
    except OSError as error:
        raise StorageError(f"{path}: cannot read the config: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            [f"{path}: not UTF-8 text: byte {error.start} is {error.object[error.start]:#x}"]
        ) from None
    except ValueError as error:
        raise ConfigError([f"{str(path)[:60]!r}: not a path: {error}"]) from None


def _override(document: Document, text: str) -> None:
    key, equals, value = text.partition("=")
    keys = _keys(key.strip())
    origin = f"--set {text[:100]}"
    if not equals or not all(keys):
        raise ConfigError([f"{origin}: write it like --set train.optimizer.lr=1e-3"])
    try:
        _put(document.tree, keys, _read_value(value.strip(), origin))
    except TypeError:
        raise ConfigError([f"{origin}: {key!r} lies within a value that is not a mapping"]) from None
    sections = ({("sweep", key.strip())} if keys[0] != "sweep" else set()) | {keys}
    for section in sections:
        document.move(section, origin)
    if isinstance(document.tree.get("sweep"), dict):
        document.tree["sweep"].pop(key.strip(), None)


def _keys(dotted: str) -> Keys:
    """`sweep.train.steps` names the key `train.steps` of the sweep; any other dot leads one level down."""
    if dotted.startswith("sweep."):
        return ("sweep", dotted.removeprefix("sweep."))
    return tuple(dotted.split("."))


def _read_value(text: str, origin: str) -> Any:
    if not text.startswith(("[", "{", '"', "'")):
        return read_scalar(text)
    try:
        return read_yaml(text, origin).tree
    except YamlError as error:
        raise ConfigError([f"{origin}: cannot read the value: {str(error).rpartition(': ')[2]}"]) from None


def _put(tree: dict[str, Any], keys: Keys, value: Any) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(str(key), {})
        if not isinstance(tree, dict):
            raise TypeError(key)
    tree[str(keys[-1])] = value


def _with(tree: dict[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with each swept dotted key set to its chosen value."""
    tree = deepcopy(tree)
    for key, value in chosen.items():
        _put(tree, tuple(key.split(".")), value)
    return tree


def _fits(tree: dict[str, Any], dotted: str) -> bool:
    try:
        _with(tree, {dotted: None})
    except TypeError:
        return False
    return True


def _anchor_data_path(tree: dict[str, Any], folder: Path) -> None:
    """A relative `data.path` is meant from the config's own folder."""
    swept = _lists(tree.get("sweep"))
    for data in [tree.get("data"), *swept.get("data", [])]:
        if isinstance(data, dict) and isinstance(data.get("path"), str):
            data["path"] = _absolute(folder, data["path"])
    for i, path in enumerate(swept.get("data.path", [])):
        if isinstance(path, str):
            swept["data.path"][i] = _absolute(folder, path)


def _absolute(folder: Path, path: str) -> str:
    return os.path.abspath(folder / path)


@dataclass
class _Checker:
    """Validates a document, collecting its mistakes."""

    document: Document
    name: str

    def experiment(self) -> Experiment:
        tree = dict(self.document.tree)
        frame_tree = {key: tree.pop(key) for key in _Frame.model_fields if key in tree}
        mistakes: list[str] = []
        frame: _Frame | None = None
        try:
            frame = _Frame.model_validate(frame_tree)
        except ValidationError as error:
            mistakes += self.explain(error, {})
        sweep = {key: list(values) for key, values in _lists(frame_tree.get("sweep")).items()}
        mistakes += self.settings_mistakes(tree, sweep)
        if frame is None or mistakes:
            raise ConfigError(sorted(mistakes, key=_by_place))
        figures = tuple(frame.figures)
        return Experiment(frame.name, frame.description, tree, sweep, figures, self.document.places)

    def settings_mistakes(self, tree: dict[str, Any], sweep: dict[str, list[Any]]) -> list[str]:
        """Try every swept value once, beside the first values of the other keys."""
        misplaced = [key for key in sweep if not _fits(tree, key)]
        if misplaced:
            places = self.document.key_places
            return [
                f"{places['sweep', key]}: {key!r} lies within a value that holds no keys" for key in misplaced
            ]
        first = dict.fromkeys(sweep, 0)
        trials = [first] + [{**first, key: i} for key, values in sweep.items() for i in range(1, len(values))]
        mistakes: list[str] = []
        for trial in trials:
            try:
                Settings.model_validate(_with(tree, {key: sweep[key][i] for key, i in trial.items()}))
            except ValidationError as error:
                mistakes += self.explain(error, trial)
            except TypeError as error:
                mistakes.append(
                    f"{self.name}: sweep: {error.args[0]!r} is not a mapping that holds more keys"
                )
        return mistakes

    def explain(self, error: ValidationError, trial: Mapping[str, int]) -> list[str]:
        return [self.mistake(dict(details), trial) for details in error.errors(include_url=False)]

    def mistake(self, details: dict[str, Any], trial: Mapping[str, int]) -> str:
        keys: Keys = tuple(details["loc"])
        dotted = ".".join(map(str, keys)) or "the config"
        written = _written(keys, trial)
        kind, given = details["type"], _shown(details["input"])
        if kind == "extra_forbidden":
            place = self.document.key_places.get(written) or self.place(written)
            message = unknown_name("key", str(keys[-1]), _accepted(keys[:-1]))
            return f"{place}: {message}"
        if kind == "missing":
            return f"{self.place(written[:-1])}: the key {dotted!r} is missing"
        if kind == "value_error":
            return f"{self.place(written)}: {dotted}: {details['msg'].removeprefix('Value error, ')}"
        return f"{self.place(written)}: {dotted} must be {_wanted(details)}, not {given}"

    def place(self, keys: Keys) -> str:
        """Where the value stands; a missing key of the whole config stands nowhere but in its file."""
        return nearest(self.document.places, keys) if keys else self.name


_WANTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "string_pattern_mismatch": "a plain name of letters, digits, '.', '_' and '-', at most 64",
    "string_too_long": "at most {max_length} characters long",
    "string_too_short": "at least {min_length} characters long",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "list_type": "a list",
    "tuple_type": "a list, as [100, 100], or 100x2 for short",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "too_short": "a list with something in it",
    "too_long": "a list of at most {max_length}",
    "literal_error": "{expected}",
}


def _wanted(details: Mapping[str, Any]) -> str:
    """What is accepted instead, in words."""
    if details["type"] in _WANTED:
        return _WANTED[details["type"]].format(**details.get("ctx", {}))
    return str(details["msg"]).lower()


def _lists(sweep: Any) -> dict[str, list[Any]]:
    if not isinstance(sweep, dict):
        return {}
    return {key: values for key, values in sweep.items() if isinstance(values, list) and values}


def _written(keys: Keys, trial: Mapping[str, int]) -> Keys:
    """Where in the document the value of these settings' keys was written: perhaps in the sweep."""
    for swept, index in trial.items():
        path = tuple(swept.split("."))
        if keys[: len(path)] == path:
            return ("sweep", swept, index, *keys[len(path) :])
    return keys


def _accepted(keys: Keys) -> list[str]:
    """The keys accepted within the model that the keys lead to."""
    model: type[BaseModel] = Settings
    for key in keys:
        annotation = model.model_fields[str(key)].annotation if str(key) in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    extra = _Frame.model_fields if model is Settings else {}
    return [*model.model_fields, *extra]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _by_place(mistake: str) -> tuple[str, int, int]:
    found = re.match(r"(.*?):(\d+):(\d+): ", mistake)
    return (found[1], int(found[2]), int(found[3])) if found else ("", 0, 0)
