"""A person's model, or a function that builds one -> the models that are looked at."""

from collections.abc import Callable
from typing import Any

from initlab.errors import UsageError, require


def models_of(model: Any, kind: type, name: str, draws: int, build: Callable[[int], Any]) -> list[Any]:
    """The model itself; or those that a function builds, under seeds 0, 1, ...

    Args:
        model: what was given.
        kind: the class of models.
        name: of this class, for messages.
        draws: how many are built.
        build: calls the function with its seed.

    Raises:
        UsageError: for what is neither a model nor a function that builds one, and for no draws.
    """
    is_model = isinstance(model, kind)
    require(
        is_model or callable(model),
        f"a model is a {name} or a function that builds one, not {type(model).__name__}",
    )
    require(draws >= 1, f"draws must be 1 or more, not {draws}")
    if is_model:
        return [model]
    models = [build(seed) for seed in range(draws)]
    for each in models:
        if not isinstance(each, kind):
            raise UsageError(f"a function that builds a model returned {type(each).__name__}, no {name}")
    return models
