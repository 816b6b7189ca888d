"""A list of histories, as a table on the screen and in a notebook, as arrays, and as a DataFrame."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from initlab.errors import UsageError
from initlab.nn.arrays import FloatArray
from initlab.tables import html_table
from initlab.training.history import Condition, History, group_by_label
from initlab.training.tables import condition_table, screen_table

if TYPE_CHECKING:
    from pandas import DataFrame


class Histories(list[History]):
    """The histories of a comparison, network by network.

    >>> history = History(label="he", losses=np.linspace(2.3, 0.1, 100), test_accuracy=0.9)
    >>> Histories([history]).of("he").numbers("test_accuracy").tolist()
    [0.9]
    """

    def of(self, label: str) -> "Histories":
        """Those of one label.

        Raises:
            UsageError: when there are none.
        """
        chosen = Histories(history for history in self if history.label == label)
        if not chosen:
            labels = ", ".join(dict.fromkeys(history.label for history in self))
            raise UsageError(f"no network is called {label!r}; there are {labels}")
        return chosen

    @property
    def losses(self) -> FloatArray:
        """(networks, steps), nan after a network has diverged."""
        steps = max(len(history.losses) for history in self)
        curves = np.full((len(self), steps), np.nan)
        for curve, history in zip(curves, self, strict=True):
            curve[: len(history.losses)] = history.losses
        return curves

    def numbers(self, name: str, missing: float = np.nan) -> npt.NDArray[np.float64]:
        """One number of each history, (networks,).

        Args:
            name: an attribute of `History`, as "test_accuracy".
            missing: stands for None.
        """
        values = [getattr(history, name) for history in self]
        return np.array([missing if value is None else value for value in values], np.float64)

    def conditions(self) -> list[Condition]:
        """The histories of each label together, over seeds."""
        return group_by_label(self)

    def to_frame(self) -> "DataFrame":
        """A pandas DataFrame with a row for each network.

        Raises:
            UsageError: when pandas is not installed.
        """
        return data_frame(history.row() for history in self)

    def report(self, target: str | Path | None = None) -> str:
        """One HTML page of these histories, which a notebook shows; see `initlab.report`.

        Args:
            target: the file to write, in an existing folder; none by default.

        Raises:
            UsageError: without the packages of the extra `report`.
            StorageError: when the file cannot be written.
        """
        import initlab  # pages stand floors above; the front door of the package leads there

        return initlab.report(self, target)

    def __repr__(self) -> str:
        return screen_table(self.conditions()) if self else "no histories"

    def _repr_html_(self) -> str:
        return html_table(condition_table(self.conditions()))


def data_frame(rows: Iterable[dict[str, Any]]) -> "DataFrame":
    """Rows as a pandas DataFrame.

    Raises:
        UsageError: when pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise UsageError("to_frame needs pandas: pip install pandas") from None
    return pandas.DataFrame(list(rows))
