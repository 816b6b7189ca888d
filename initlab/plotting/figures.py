"""The figures that can be asked for by name: `FIGURES[name](conditions) -> Figure`.

To add one, write its function under `@FIGURES.register(name)`, in a module of this package.
"""

from collections.abc import Callable

from initlab.plotting.style import Figure
from initlab.registry import Registry

FIGURES: Registry[Callable[..., Figure]] = Registry("figure")
