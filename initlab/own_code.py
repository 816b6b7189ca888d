"""A person's own schemes and activations: a function of a file, of an installed package, or of a notebook.

./mine.py:mish -> Source (text, digest) -> the function, under the name mish@1f2e3d4c5b6a

The digest of the code is a part of the name, and with it of everything that a name decides: a changed file is
another scheme, with other runs; a moved file, or one with other comments, is the same one. `Registry.resolve`
takes them in.
"""

import hashlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from io import StringIO
from itertools import accumulate
from pathlib import Path
from token import COMMENT, DEDENT, ENDMARKER, INDENT, NEWLINE, NL, STRING
from tokenize import TokenError, TokenInfo, generate_tokens
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from initlab.errors import StorageError, UsageError, require, shortened, unknown_name

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = Literal["scheme", "activation"]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_REFERENCE = re.compile(r"\s*(?P<file>.+?\.py):(?P<function>[^\W\d]\w*)\s*(?:\([^()]*\))?\s*")
_NAME = re.compile(r"\b([^\W\d]\w*)@[0-9a-f]{12}\b")
_MARK = "__initlab__"  # the attribute by which a decorator hands its keywords over
_IMPORTED: dict[tuple[str, str], str] = {}  # the digests of installed sources when they were loaded
_LARGEST = 1_000_000  # bytes; a larger file is no file of code
_DIGITS = 12  # of the digest in a name, as in the id of a run


@overload
def scheme(function: Decorated, /) -> Decorated: ...
@overload
def scheme(
    *, formula: str = ..., source: str = ..., variance: Callable[..., float | None] | None = ...
) -> Callable[[Decorated], Decorated]: ...
def scheme(function: Any = None, /, **keywords: Any) -> Any:
    """A decorator that says more of your own scheme, `f(rng, shape, ...) -> W`; a plain function works, too.

    Args:
        function: draws W (n_in, n_out) of floats from the generator rng; shape is (n_in, n_out). Its further
            arguments are those of the scheme, as in `./mine.py:f(a=2)`.
        formula: the distribution in plain text; by default the first line of the docstring.
        source: where it was published.
        variance: `variance(shape, **arguments)` is Var W, from which theory predicts; without it, or where it
            gives None, theory says nothing. Give it only for uncorrelated weights of mean 0.

    >>> import numpy as np
    >>> @scheme(variance=lambda shape, a=1.0: a**2 / shape[0])
    ... def laplace(rng, shape, a=1.0):
    ...     return rng.laplace(size=shape) * a / np.sqrt(2 * shape[0])
    """
    return _marked("scheme", function, keywords)


@overload
def activation(function: Decorated, /) -> Decorated: ...
@overload
def activation(
    *,
    derivative: Callable[[Any], Any] | None = ...,
    formula: str = ...,
    bounds: tuple[float, float] | None = ...,
) -> Callable[[Decorated], Decorated]: ...
def activation(function: Any = None, /, **keywords: Any) -> Any:
    """A decorator that says more of your own activation function `f(z) -> a`; a plain function works, too.

    Args:
        function: elementwise, of an array of any shape, float32 or float64.
        derivative: `derivative(z)` is f'(z); by default central differences, which take two more evaluations.
        formula: f in plain text; by default the first line of the docstring.
        bounds: the infimum and the supremum of f; by default as measured up to |z| = 1e6.

    >>> import numpy as np
    >>> @activation(derivative=np.cos)
    ... def sine(z):
    ...     return np.sin(z)
    """
    return _marked("activation", function, keywords)


def _marked(kind: Kind, function: Any, keywords: dict[str, Any]) -> Any:
    def mark(function: Decorated) -> Decorated:
        setattr(function, _MARK, {"kind": kind, **keywords})
        return function

    return mark if function is None else mark(function)


def keywords_of(kind: str, function: Any) -> dict[str, Any]:
    """The keywords that a function was decorated with; none for a plain function.

    Args:
        kind: what the function is used as.
        function: a person's own.

    Raises:
        UsageError: when it was decorated as the other kind.
    """
    keywords = dict(getattr(function, _MARK, {}))
    decorated = keywords.pop("kind", kind)
    if decorated != kind:
        raise UsageError(
            f"{name_in_python(function)} is decorated as {article(decorated)}, not as {article(kind)}"
        )
    return keywords


def article(kind: str) -> str:
    """The kind with its article.

    >>> article("activation"), article("scheme")
    ('an activation', 'a scheme')
    """
    return f"an {kind}" if kind.startswith("a") else f"a {kind}"


def name_in_python(function: Any) -> str:
    """The name of a function; "function" for a lambda."""
    name = getattr(function, "__name__", "")
    return name if name.isidentifier() else "function"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a function comes from, and the code that defines it; a value that we can send to a worker.

    Attributes:
        kind: what the function is: "scheme" or "activation".
        function: its name in Python.
        reference: how it is written here: an absolute path with the function, or an entry point's name.
        text: the source of the whole file or module.
        is_installed: whether it is an entry point of an installed package, which a worker must have, too.
    """

    kind: str
    function: str
    reference: str
    text: str
    is_installed: bool = False

    @property
    def digest(self) -> str:
        """The SHA-256 of the code; see `essential`."""
        return _digest(self.text)

    @property
    def name(self) -> str:
        """The name under which it is registered.

        >>> Source(kind="scheme", function="f", reference="/tmp/a.py:f", text="def f(rng, shape): ...").name
        'f@ce637c22ed7d'
        """
        return f"{self.function}@{self.digest[:_DIGITS]}"

    def load(self) -> Any:
        """The function itself. This runs the code.

        Raises:
            UsageError: when the code fails, or has no such function.
        """
        if self.is_installed:
            # Python imports a module once, whatever happens to its file.
            if _IMPORTED.setdefault((self.kind, self.reference), self.digest) != self.digest:
                raise UsageError(f"{self.reference}: its package changed after it was imported; start again")
            return _imported(_entry_point(self.kind, self.reference))
        file = self.reference.rpartition(":")[0]
        module = _module_of(self.text, file)
        function = getattr(module, self.function, None)
        if not callable(function):
            own = [getattr(value, "__module__", "") == module.__name__ for value in vars(module).values()]
            names = [name for name, is_own in zip(vars(module), own, strict=True) if is_own]
            raise UsageError(unknown_name(f"function of {file}", self.function, names))
        return function


@lru_cache(maxsize=64)
def _digest(text: str) -> str:
    return hashlib.sha256(essential(text).encode()).hexdigest()


def essential(text: str) -> str:
    """A source without what changes no number: comments, docstrings, blank lines, spaces at line ends.

    The rest stays letter by letter. A syntax tree would forgive another layout, too, but Python's versions
    differ in it, and a new Python is no reason to train again. A source that is no Python stays as it is.

    >>> print(essential('''
    ... def f(z):  # mine
    ...     "Docs."
    ...
    ...     return 2 * z
    ... '''))
    def f(z):
        return 2 * z
    """
    text = text.replace("\r\n", "\n")  # as Python reads it, in strings too
    try:
        tokens = list(generate_tokens(StringIO(text).readline))
    except (TokenError, SyntaxError):
        return text
    lines = text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    kept, at = [], 0
    for start, end in _idle(tokens, lines):
        kept.append(text[at : starts[start[0] - 1] + start[1]])
        at = min(starts[end[0] - 1] + end[1], len(text))
    return "".join([*kept, text[at:]]).rstrip("\n")


_LAYOUT = (COMMENT, INDENT, DEDENT, ENDMARKER)
Position = tuple[int, int]


def _idle(tokens: Iterable[TokenInfo], lines: Sequence[str]) -> Iterator[tuple[Position, Position]]:
    """From where to where nothing changes a number, as rows from 1 and columns."""
    statement: list[TokenInfo] = []
    last = (0, 0)  # where the last token ended that is code
    for token in tokens:
        row, column = token.start
        if token.type not in (NL, NEWLINE):
            if token.type not in _LAYOUT:
                statement.append(token)
                last = token.end
            continue
        if last[0] < row:
            yield (row, 0), (row + 1, 0)
        elif token.type == NEWLINE and all(part.type == STRING for part in statement):
            first = statement[0].start
            alone = not lines[first[0] - 1][: first[1]].strip()
            yield ((first[0], 0), (row + 1, 0)) if alone else (first, (row, column))
        else:
            yield last, (row, column)
        if token.type == NEWLINE:
            statement = []


def is_reference(text: str) -> bool:
    """Whether a text names a function of a file, perhaps with arguments.

    >>> is_reference("./mine.py:mish"), is_reference("mine.py:f(a=2)"), is_reference("torch:linear")
    (True, True, False)
    """
    return _REFERENCE.fullmatch(text) is not None


def refusal(text: str) -> str:
    """Why code that a config names does not run.

    Args:
        text: how it is named.
    """
    allowed = "read it, then allow it by --allow-code, in Python by allow_code=True"
    return f"{shortened(text)} is code, which may do anything: {allowed}"


def anchored(text: str, folder: Path) -> str:
    """A reference with its path made absolute; it is relative to the folder.

    Args:
        text: a reference, perhaps with arguments.
        folder: of the config that holds it, or the current one.

    >>> anchored("mine.py:f(a=2)", Path("/lab"))
    '/lab/mine.py:f(a=2)'
    """
    path, rest = text.strip().split(".py:", 1)
    return f"{os.path.abspath(folder / path)}.py:{rest}"


def source_of_file(kind: str, reference: str) -> Source:
    """The source of a function in a file; reads the file, and runs nothing.

    Args:
        kind: what the function is.
        reference: as `./mine.py:mish`, without arguments.

    Raises:
        StorageError: when the file cannot be read.
        UsageError: when it holds no code.
    """
    match = _REFERENCE.fullmatch(reference)
    assert match
    if reference.rstrip().endswith(")"):
        raise UsageError(f"{shortened(reference)}: an activation takes no arguments")
    path = Path(os.path.abspath(Path(match["file"]).expanduser()))
    return Source(
        kind=kind,
        function=match["function"],
        reference=f"{path}:{match['function']}",
        text=_text_of(path, reference),
    )


def _text_of(path: Path, reference: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = content[:_LARGEST].decode(errors="strict" if len(content) <= _LARGEST else "ignore")
    except OSError as error:
        raise StorageError(f"{reference}: cannot read the file: {error.strerror or error}") from None
    except ValueError:
        raise UsageError(f"{shortened(reference)}: not a file of Python: not UTF-8 text") from None
    require(len(content) <= _LARGEST, f"{shortened(reference)}: larger than {_LARGEST:,} bytes")
    return text


@lru_cache(maxsize=64)
def _module_of(text: str, file: str) -> ModuleType:
    """The module of a source, run once; functions of one file share it."""
    module = ModuleType(f"initlab_own_{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}")
    module.__file__ = file
    # Dataclasses and pickle look a module up by its name.
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, file, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise UsageError(f"{_line_of(error, file)}: {described(error)}") from error
    return module


def _line_of(error: BaseException, file: str) -> str:
    if isinstance(error, SyntaxError):
        return f"{file}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}:{lines[-1]}" if lines else file


def described(error: BaseException) -> str:
    """What a person's code raised, in one line.

    >>> described(ValueError("two  words"))
    'ValueError: two words'
    """
    message = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {message}"[:300]


def outcome_of(name: str, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """The value of a person's function; an exception becomes one line with its place.

    Args:
        name: of the function, for the message.
        function: what is called.
        arguments, keywords: with which it is called.

    Raises:
        UsageError: when the function raises anything.
    """
    try:
        return function(*arguments, **keywords)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        code = getattr(function, "__code__", None)
        place = f"{_line_of(error, code.co_filename)}: " if code else ""
        raise UsageError(f"{place}{shown(name)} fails: {described(error)}") from error


def installed(kind: str) -> "dict[str, EntryPoint]":
    """The entry points of installed packages, in the groups `initlab.schemes` and `initlab.activations`.

    Raises:
        UsageError: when two packages offer the same name.
    """
    # Importing it takes 25 ms, a tenth of the time in which --help answers.
    from importlib.metadata import entry_points

    points: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"initlab.{kind}s"):
        if point.name in points and points[point.name].value != point.value:
            packages = " and ".join(sorted({package_of(point), package_of(points[point.name])}))
            raise UsageError(f"the {kind} {point.name!r} is in two installed packages: {packages}")
        points[point.name] = point
    return points


def package_of(point: "EntryPoint") -> str:
    """The package of an entry point, for a reader."""
    return point.dist.name if point.dist else point.module


def source_of_installed(kind: str, name: str) -> Source | None:
    """The source of an installed package's function; None where no package has the name.

    Args:
        kind: what the function is.
        name: of its entry point.

    Raises:
        UsageError: when the module is not there, or is no file of Python.
    """
    point = installed(kind).get(name)
    if point is None:
        return None
    try:
        spec = find_spec(point.module)
    except ImportError as error:
        raise UsageError(f"{kind} {name} of {package_of(point)}: {described(error)}") from error
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise UsageError(f"{kind} {name} of {package_of(point)}: {point.module} is no module with a source")
    return Source(
        kind=kind,
        function=name,
        reference=name,
        text=_text_of(Path(spec.origin), point.module),
        is_installed=True,
    )


def _entry_point(kind: str, name: str) -> "EntryPoint":
    points = installed(kind)
    if name not in points:
        raise UsageError(unknown_name(f"installed {kind}", name, points))
    return points[name]


def _imported(point: "EntryPoint") -> Any:
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise UsageError(f"{point.name} of {package_of(point)}: {described(error)}") from error


def shown(text: str) -> str:
    """Names as a reader sees them, without digests.

    >>> shown("mish@1f2e3d4c5b6a, f@0a1b2c3d4e5f(a=2)"), shown("he")
    ('mish, f(a=2)', 'he')
    """
    return _NAME.sub(r"\1", text)


def names_in(text: str) -> list[str]:
    """The names of a person's own functions in a text.

    >>> names_in("f@0a1b2c3d4e5f(a=2)"), names_in("he")
    (['f@0a1b2c3d4e5f'], [])
    """
    return [match.group() for match in _NAME.finditer(text)]
