"""The errors that a person can cause, each with the exit code of the command line.

Every mistake is one line: what was given, where it stands, what is accepted, and what was perhaps meant.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class InitlabError(Exception):
    """An error that the user can correct; the command line shows its message, without a traceback."""

    exit_code = 1


class UsageError(InitlabError, ValueError):
    """A wrong argument, scheme or config."""

    exit_code = 2


class ConfigError(UsageError):
    """All mistakes of a config, one on each line."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = list(dict.fromkeys(mistakes))
        super().__init__("\n".join(self.mistakes))


class DataError(InitlabError):
    """A dataset that is missing, damaged, or in another format."""

    exit_code = 3


class LockedError(InitlabError):
    """Another process is working on the same experiment."""

    exit_code = 4


class StorageError(InitlabError):
    """A file or folder that cannot be read or written."""

    exit_code = 5


def require(condition: bool, message: str) -> None:
    """Refuse what the user gave unless a condition holds.

    Args:
        condition: what must be true.
        message: what is accepted, and what was given instead.

    Raises:
        UsageError: with the message, when the condition is false.

    >>> require(0.5 > 0, "std must be above 0, not 0.5")
    """
    if not condition:
        raise UsageError(message)


def shortened(value: object) -> str:
    """A value as it appears in a message: quoted, and cut to sixty characters.

    >>> shortened("he"), len(shortened("x" * 1000))
    ("'he'", 60)
    """
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def unknown_name(kind: str, given: str, accepted: Iterable[str]) -> str:
    """The message for an unknown name: first the most similar name, if there is one, then all names.

    Args:
        kind: what the name stands for, for example "activation".
        given: the name that nobody registered.
        accepted: the names that exist.

    >>> unknown_name("activation", "rleu", ["relu", "tanh"])
    "unknown activation 'rleu'; did you mean 'relu'? Known: relu, tanh"
    """
    names = sorted(accepted)
    # A damaged config may hold a name of thousands of characters, of which the message shows only the first.
    nearest = get_close_matches(given[:60].lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]!r}? Known: " if nearest else "; known: "
    return f"unknown {kind} {shortened(given)}{hint}{', '.join(names)}"
