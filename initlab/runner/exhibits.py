"""What one experiment leaves: figures, tables and decided claims -> results/<name>/, with a readable page.

An experiment is a script with a docstring, its methods section, and `main(results, quick)`, which fills an
`Exhibit`. What it measures or trains is kept in `results/training`, where it is used again.
"""

import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initlab.analysis.claims import Claim, Finding, Measured, Outcome, decide
from initlab.errors import UsageError
from initlab.runner.store import Store

Arrays = dict[str, NDArray[Any]]


class Exhibit:
    """What one experiment leaves in `results/<name>/`.

    Args:
        results: the folder of all results.
        name: the experiment's.
        title: what it is, in a few words.
        about: its docstring, which becomes the text of its page.
        quick: whether this is the reduced form, which the page says.
    """

    def __init__(self, results: str | Path, name: str, title: str, about: str, quick: bool = False) -> None:
        self.store = Store(results, name)
        self.name, self.title, self.about, self.quick = name, title, about, quick
        self.outcomes: list[Outcome] = []
        self.figures: list[tuple[str, str]] = []

    @property
    def training(self) -> Path:
        """The folder, beside the exhibits, for what takes long and is kept: records, arrays."""
        return self.store.folder.parent / "training"

    def kept(self, measure: Callable[..., Mapping[str, ArrayLike]], *arguments: Any) -> Arrays:
        """The arrays that a function of the script returns by name: computed once, and read from then on.

        They are computed again after any change of the function, of the functions and constants of the script
        that it uses, of the code of `nn`, `data` or `analysis`, or of NumPy: changed code never meets old
        numbers.

        Args:
            measure: the function; it depends on its arguments alone.
            arguments: whose `repr` tells them apart.
        """
        store, code = Store(self.training, self.name), _digest(_code_of(measure))
        name = f"{measure.__name__}-{_digest(repr(arguments))}"
        arrays = store.load_arrays(name)
        if arrays is None or str(arrays["code"]) != code:
            measured = {key: np.asarray(value) for key, value in measure(*arguments).items()}
            arrays = measured | {"code": np.array(code)}
            store.save_arrays(name, arrays)
        return {key: array for key, array in arrays.items() if key != "code"}

    def figure(self, name: str, pictures: Mapping[str, bytes], caption: str) -> None:
        """Add a figure, as bytes by suffix, with what is seen in it."""
        self.store.write_figure(name, dict(pictures))
        self.figures.append((name, caption))

    def table(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Add a tidy table; numbers are written to five digits."""
        cells = [[_cell(value) for value in row.values()] for row in rows]
        self.store.write_table(name, list(rows[0]), cells)

    def claim(self, claim: Claim, measured: Measured) -> Outcome:
        """Decide a claim, and keep it for the page."""
        if claim.name in {outcome.claim.name for outcome in self.outcomes}:
            raise UsageError(f"{self.name} has two claims called {claim.name!r}")
        self.outcomes.append(decide(claim, measured))
        return self.outcomes[-1]

    def close(self) -> None:
        """Write `claims.json` and the page."""
        self.store.write_text("claims.json", _json({"title": self.title, "claims": self._plain()}))
        self.store.write_text("README.md", "\n".join(self._page()) + "\n")

    def _plain(self) -> list[dict[str, Any]]:
        return [_plain(outcome) for outcome in self.outcomes]

    def _page(self) -> list[str]:
        lines = [f"# {self.title}", "", *self.about.strip().splitlines(), ""]
        if self.quick:
            lines += ["*The reduced form, by `--quick`.*", ""]
        for name, caption in self.figures:
            lines += [f"![{name}]({name}.png)", "", caption, ""]
        for outcome in self.outcomes:
            lines += _section(outcome)
        return lines


def _section(outcome: Outcome) -> list[str]:
    """A claim on the page: statement, source, numbers, verdict, lesson."""
    claim = outcome.claim
    why = f": {outcome.depends_on}" if outcome.depends_on else ""
    lines = [f"## {claim.statement}", "", f"**{outcome.verdict}**{why}", ""]
    lines += [f"- Source: {claim.source}"]
    lines += [f"- Measured: {claim.quantity}", *(f"  - {_shown(one)}" for one in outcome.findings)]
    lines += [f"- Decided by: {claim.range} ({claim.reason})"]
    return [*lines, "", claim.lesson, ""] if claim.lesson else [*lines, ""]


def _shown(finding: Finding) -> str:
    interval = finding.interval
    ends = f"95 % interval {interval.low:.4g} to {interval.high:.4g}"
    numbers = f"{interval.mean:.4g} ({ends}, {interval.count} seeds)"
    return f"{finding.setting}: {numbers}" if finding.setting else numbers


def _plain(outcome: Outcome) -> dict[str, Any]:
    claim = outcome.claim
    return {
        "name": claim.name,
        "statement": claim.statement,
        "source": claim.source,
        "quantity": claim.quantity,
        "range": claim.range,
        "reason": claim.reason,
        "verdict": outcome.verdict,
        "depends_on": outcome.depends_on,
        "lesson": claim.lesson,
        "findings": [
            {
                "setting": one.setting,
                "mean": _rounded(one.interval.mean),
                "low": _rounded(one.interval.low),
                "high": _rounded(one.interval.high),
                "seeds": one.interval.count,
                "verdict": one.verdict,
            }
            for one in outcome.findings
        ],
    }


def _code_of(measure: Callable[..., Any]) -> str:
    """The text of a function, of all that it uses of its script, and of what computes in initlab."""
    first = inspect.unwrap(measure)
    texts, waiting, seen = [_package_code()], [first], set[str]()
    while waiting:
        function = waiting.pop()
        texts.append(inspect.getsource(function))
        for name in sorted((_names(function.__code__) & set(function.__globals__)) - seen):
            seen.add(name)
            value = inspect.unwrap(function.__globals__[name])
            if inspect.isfunction(value) and value.__module__ == first.__module__:
                waiting.append(value)
            elif not callable(value) and not inspect.ismodule(value):
                texts.append(f"{name} = {value!r}")
    return "\n".join(texts)


def _names(code: CodeType) -> set[str]:
    """What it calls by name, in its inner functions too."""
    inner = [_names(part) for part in code.co_consts if isinstance(part, CodeType)]
    return set(code.co_names).union(*inner)


@cache
def _package_code() -> str:
    package = Path(__file__).parents[1]
    files = (file for floor in ("nn", "data", "analysis") for file in sorted((package / floor).glob("*.py")))
    return "".join(file.read_text(encoding="utf-8") for file in files) + np.__version__


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _cell(value: Any) -> Any:
    return f"{value:.5g}" if isinstance(value, float) else value


def _json(tree: Any) -> str:
    return json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def run_script(main: Callable[[str, bool], None]) -> None:
    """Run an experiment as a program: `python experiments/NAME.py [RESULTS] [--quick]`."""
    arguments = [word for word in sys.argv[1:] if word != "--quick"]
    main(arguments[0] if arguments else "results", "--quick" in sys.argv[1:])
