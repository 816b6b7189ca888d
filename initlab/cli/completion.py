"""What the shell completes beside commands and options: names of configs, schemes, experiments.

It answers at once, so nothing here loads NumPy: the names of registries stand in the shipped schema of
configs, which a test holds equal to them.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer


def shipped_names(incomplete: str) -> list[str]:
    """Shipped configs."""
    from initlab.runner.shipped import shipped_configs

    return _beginning(incomplete, shipped_configs())


def config_names(incomplete: str) -> list[str]:
    """Shipped configs, and the YAML files here."""
    return [*shipped_names(incomplete), *_beginning(incomplete, sorted(map(str, Path().glob("*.yaml"))))]


def scheme_names(incomplete: str) -> list[str]:
    """Schemes, without the names of other libraries: the colon in them ends a word in some shells."""
    names = _schema()["properties"]["init"]["anyOf"][0]["enum"]
    return _beginning(incomplete, [name for name in names if ":" not in name])


def activation_names(incomplete: str) -> list[str]:
    """Activation functions."""
    return _beginning(incomplete, _setting("NetworkSettings", "activation")["anyOf"][0]["enum"])


def dataset_names(incomplete: str) -> list[str]:
    """Datasets."""
    return _beginning(incomplete, _setting("DataSettings", "name")["anyOf"][0]["enum"])


def optimizer_names(incomplete: str) -> list[str]:
    """Optimizers."""
    return _beginning(incomplete, _setting("OptimizerSettings", "name")["enum"])


def record_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Experiments that have records in the results.

    Args:
        ctx: of the command, with its `--results`.
        incomplete: what is typed so far.
    """
    results = Path(ctx.params.get("results") or "results")
    return _beginning(incomplete, sorted(file.parent.name for file in results.glob("*/runs.sqlite")))


def exhibit_names(incomplete: str) -> list[str]:
    """Experiments of the gallery."""
    from initlab.runner.shipped import shipped_folder

    return _beginning(incomplete, sorted(file.stem for file in shipped_folder("experiments").glob("*.py")))


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _schema() -> Any:
    from initlab.runner.shipped import shipped_folder

    return json.loads((shipped_folder("configs") / "schema.json").read_text("utf-8"))


def _setting(section: str, key: str) -> Any:
    return _schema()["$defs"][section]["properties"][key]
