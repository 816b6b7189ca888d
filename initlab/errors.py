"""The errors that a person can cause, each with the exit code of the command line.

Every mistake is one line: what was given, where it stands, what is accepted, and what was perhaps meant.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from numbers import Integral


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


def is_whole(value: object) -> bool:
    """Whether a value counts something: a whole number, which True and False are not.

    >>> is_whole(3), is_whole(3.0), is_whole(True)
    (True, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def shortened(value: object) -> str:
    """A value as it appears in a message: quoted, and cut to sixty characters.

    >>> shortened("he"), len(shortened("x" * 1000))
    ("'he'", 60)
    """
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_FEW = 8  # names that a message lists
# What other programs and books call things.
_ELSEWHERE = {
    "gaussian": "normal",
    "jax": "flax",
    "learning_rate": "lr",
    "linear": "identity",
    "logistic": "sigmoid",
    "msra": "he",
    "mse": "squared_error",
    "nll": "cross_entropy",
    "pytorch": "torch",
    "silu": "swish",
    "softmax": "cross_entropy",
    "std": "normal",
    "tensorflow": "keras",
}
_NEAREST = 3  # names that it proposes where there are more


def unknown_name(kind: str, given: str, accepted: Iterable[str], lists: str = "") -> str:
    """The message for an unknown name: similar names, then all names, or the command that lists them.

    Args:
        kind: what the name stands for, for example "activation".
        given: the name that nobody registered.
        accepted: the names that exist.
        lists: the command that lists all names; with it, a message does not list more than a few.

    >>> unknown_name("activation", "rleu", ["relu", "tanh"])
    "unknown activation 'rleu'; did you mean 'relu'? Known: relu, tanh"
    >>> unknown_name("condition", "he, skip", ["he", "he, skip 2"])
    "unknown condition 'he, skip'; did you mean 'he, skip 2'? Known: 'he', 'he, skip 2'"
    >>> unknown_name("scheme", "he_nrmal", ["he", "he_normal", *"abcdefgh"], lists="initlab schemes")
    "unknown scheme 'he_nrmal'; did you mean 'he_normal'? `initlab schemes` lists all"
    """
    names = sorted(accepted)
    if not names:
        return f"unknown {kind} {shortened(given)}; there is none"
    brief = bool(lists) and len(names) > _FEW
    nearest = similar(given, names, _NEAREST if brief else 1)
    hint = f"; did you mean {alternatives(map(repr, nearest))}? " if nearest else "; "
    introduction = "Known" if nearest else "known"
    return f"unknown {kind} {shortened(given)}{hint}" + (
        f"`{lists}` lists all" if brief else f"{introduction}: {_listed(names)}"
    )


def _listed(names: Sequence[str]) -> str:
    """Names in a row, in quotes where a comma is part of one, as in the label 'he, skip 2'."""
    return ", ".join(map(repr, names) if any(", " in name for name in names) else names)


def alternatives(texts: Iterable[str]) -> str:
    """Texts in a row.

    >>> alternatives(["a", "b", "c"])
    'a, b or c'
    """
    *others, last = texts
    return f"{', '.join(others)} or {last}" if others else last


def similar(given: str, names: Iterable[str], count: int) -> list[str]:
    """The names most like a given one, the most similar first; alone, the same in another case or elsewhere.

    Args:
        given: as the user wrote it.
        names: that exist.
        count: the most names.

    >>> similar("He", ["he", "lecun", "her"], 3), similar("trunc", ["truncated_normal", "tanh"], 3)
    (['he'], ['truncated_normal'])
    """
    names = list(names)
    # A damaged config may hold a name of thousands of characters, of which the message shows only the first.
    start = given[:60].lower()
    same = [name for name in names if name.lower() == start or name == _ELSEWHERE.get(start)]
    holding = [name for name in names if len(start) >= 3 and start in name.lower()]
    close = get_close_matches(start, names, n=count, cutoff=0.5)
    held = [name for name in names if len(name) >= 4 and name.lower() in start]  # as in results/mnist
    return (same or list(dict.fromkeys([*close, *holding, *held])))[:count]
