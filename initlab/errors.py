"""The errors that a person can cause, each with the exit code that the command line gives it.

Every message is one line: what was given, where, what is accepted and what was perhaps meant.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class InitlabError(Exception):
    """Something a person can put right; shown as its message alone, without a traceback."""

    exit_code = 1


class UsageError(InitlabError, ValueError):
    """A wrong argument, scheme or config."""

    exit_code = 2


class DataError(InitlabError):
    """A dataset that is missing, damaged or of another format."""

    exit_code = 3


class LockedError(InitlabError):
    """Another process is at work on the same experiment."""

    exit_code = 4


class StorageError(InitlabError):
    """A file or folder that cannot be read or written."""

    exit_code = 5


def shortened(value: object) -> str:
    """A value as it stands in a message: quoted, and of at most sixty characters.

    >>> shortened("he"), len(shortened("x" * 1000))
    ("'he'", 60)
    """
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def unknown_name(kind: str, given: str, known: Iterable[str]) -> str:
    """The message for a name that nothing answers to: the nearest known one first, then all of them.

    >>> unknown_name("activation", "rleu", ["relu", "tanh"])
    "unknown activation 'rleu'; did you mean 'relu'? Known: relu, tanh"
    """
    names = sorted(known)
    nearest = get_close_matches(given[:60].lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]!r}? Known: " if nearest else "; known: "
    return f"unknown {kind} {shortened(given)}{hint}{', '.join(names)}"
