"""The record of a run: what it depends on, how it ended, its numbers."""

from dataclasses import dataclass, replace
from typing import Any

from initlab.runner.grid import Run
from initlab.training.history import History

OUTCOMES = ("finished", "diverged", "failed")


@dataclass(frozen=True, kw_only=True)
class Record:
    """The record of a run.

    Attributes:
        id: of the run.
        identity: everything that the numbers depend on.
        outcome: "finished", "diverged", or "failed" where the program, not the network, went wrong.
        history: losses and results; None for a failed run.
        cause: why the run failed.
    """

    id: str
    identity: dict[str, Any]
    outcome: str
    history: History | None
    cause: str | None = None

    def numbers(self) -> dict[str, Any]:
        """The results by name; None where one is missing."""
        names = ("diverged_at", "final_loss", "test_loss", "test_accuracy")
        return {name: getattr(self.history, name, None) for name in names}


def record_of(run: Run, result: History | str) -> Record:
    """The record of a run.

    Args:
        run: that was trained.
        result: its history; or why it could not be trained, in one line.
    """
    if isinstance(result, str):
        return Record(id=run.id, identity=run.identity, outcome="failed", history=None, cause=result)
    outcome = "finished" if result.diverged_at is None else "diverged"
    # Its networks are files of their own.
    history = replace(result, networks={})
    return Record(id=run.id, identity=run.identity, outcome=outcome, history=history)
