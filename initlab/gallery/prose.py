"""Prose that is filled in from settings: `{steps} steps` -> `3000 steps`. A page holds no number twice."""

from collections.abc import Mapping
from string import Formatter
from typing import Any

from initlab.errors import UsageError, unknown_name


class Settings:
    """The settings of an experiment: `settings.steps`, each a number, a text, or a tuple of these.

    Args:
        values: by name.

    >>> settings = Settings(width=100, rates=(0.03, 0.1))
    >>> settings.width, settings.replace(width=20).width
    (100, 20)
    """

    def __init__(self, **values: Any) -> None:
        self._values = values
        self._read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name not in values:
            raise AttributeError(unknown_name("setting", name, values))
        self._read.add(name)
        return values[name]

    def used(self) -> dict[str, str]:
        """The settings that were read so far, each as text: what a measurement depends on."""
        return {name: repr(self._values[name]) for name in sorted(self._read)}

    def agrees(self, used: Mapping[str, str]) -> bool:
        """Whether these settings have the values that were used."""
        return all(repr(self._values.get(name)) == value for name, value in used.items())

    def replace(self, **changes: Any) -> "Settings":
        """The settings with some of them changed.

        Raises:
            UsageError: for a name that is not among them.
        """
        for name in changes:
            if name not in self._values:
                raise UsageError(unknown_name("setting", name, self._values))
        return Settings(**{**self._values, **changes})

    def items(self) -> list[tuple[str, Any]]:
        """Names and values, in the order in which they were given."""
        return list(self._values.items())

    def fill(self, template: str) -> str:
        """The text with each `{name}` replaced by the setting's value.

        Raises:
            UsageError: for a name that is not among the settings.

        >>> Settings(rates=(0.03, 0.1), images=60000).fill("at {rates}, {images} images")
        'at 0.03 and 0.1, 60,000 images'
        """
        return _Filler().vformat(template, (), self._values)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"


class _Filler(Formatter):
    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG002
        if key not in kwargs:
            raise UsageError(unknown_name("setting", str(key), map(str, kwargs)))
        return kwargs[str(key)]

    def format_field(self, value: Any, format_spec: str) -> Any:
        return format(value, format_spec) if format_spec else shown(value)


def shown(value: Any) -> str:
    """A setting as a reader writes it: `60,000`, `0.03`, `2, 8 and 16`.

    >>> shown(60000), shown(1e-05), shown((2, 8, 16))
    ('60,000', '1e-05', '2, 8 and 16')
    """
    if isinstance(value, tuple | list):
        *others, last = map(shown, value)
        return f"{', '.join(others)} and {last}" if others else last
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
