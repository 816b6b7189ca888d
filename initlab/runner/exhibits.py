"""The gallery: experiments/*.py -> figures, tables and claims in results/, each with a readable page.

An experiment is a script with a docstring, its methods section, and `main(results, quick)`, which fills
an `Exhibit`. It is found in the folder `experiments` of a checkout. What it trains by a config has its
records in `results/training`, where they are used again.
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from initlab.analysis.claims import Claim, Finding, Measured, Outcome, decide
from initlab.errors import StorageError, UsageError, unknown_name
from initlab.runner.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        """The folder for the records of what is trained by configs, beside the exhibits."""
        return self.store.folder.parent / "training"

    def figure(self, name: str, pictures: "Mapping[str, bytes]", caption: str) -> None:
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


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _cell(value: Any) -> Any:
    return f"{value:.5g}" if isinstance(value, float) else value


def _json(tree: Any) -> str:
    return json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def experiments(folder: Path = Path("experiments")) -> dict[str, Path]:
    """The scripts of a checkout by name.

    Raises:
        UsageError: where there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(
            f"no folder {folder} here: experiments come with a checkout of initlab; run it there"
        )
    return {path.stem: path for path in sorted(folder.glob("*.py"))}


def chosen_experiments(names: Sequence[str], known: dict[str, Path]) -> list[Path]:
    """The scripts of the given names; all, when none is given.

    Raises:
        UsageError: for an unknown name.
    """
    for name in names:
        if name not in known:
            raise UsageError(unknown_name("experiment", name, known))
    return [known[name] for name in names or known]


def load(script: Path) -> ModuleType:
    """The script as a module, which is not run."""
    specification = importlib.util.spec_from_file_location(f"experiment_{script.stem}", script)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    specification.loader.exec_module(module)
    return module


def reproduce(script: Path, results: Path, quick: bool) -> None:
    """Run an experiment into its folder of the results, or of `results/quick` in the reduced form."""
    with threadpool_limits(1):  # stacks of small products; threads would wait for each other
        load(script).main(str(results / "quick" if quick else results), quick)


def read_claims(results: Path) -> dict[str, dict[str, Any]]:
    """`claims.json` of each experiment that has one.

    Raises:
        StorageError: when one cannot be read.
    """
    found = {}
    for path in sorted(results.glob("*/claims.json")):
        try:
            found[path.parent.name] = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise StorageError(f"{path}: cannot read the claims: {error}") from error
    return found


def write_index(results: Path) -> None:
    """The page of all experiments, `results/README.md`: a picture, the verdicts, and a link for each."""
    lines = ["# The gallery", "", _INTRODUCTION, ""]
    for name, exhibit in read_claims(results).items():
        verdicts = [claim["verdict"] for claim in exhibit["claims"]]
        counts = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts))
        lines += [f"## [{exhibit['title']}]({name}/README.md)", "", f"{len(verdicts)} claims: {counts}.", ""]
        picture = next(iter(sorted((results / name).glob("*.png"))), None)
        if picture:
            lines += [f'<img src="{name}/{picture.name}" width="420" alt="{exhibit["title"]}">', ""]
    (results / "README.md").write_text("\n".join(lines), encoding="utf-8")


_INTRODUCTION = """Published claims about the initial weights of networks, each held against measurements over
at least five seeds: confirmed, refuted, or depending on something. `initlab reproduce` makes all of it."""


def drifted(committed: Path, fresh: Path) -> list[str]:
    """What of an experiment's claims differs from what is committed.

    A verdict must be the same. A mean may move by a quarter of its interval: what differs between machines is
    rounding, which in a training moves a number far less than another seed does.
    """
    old, new = (_by_name(folder) for folder in (committed, fresh))
    lines = [f"{name}: is not in both" for name in sorted(set(old) ^ set(new))]
    for name in sorted(set(old) & set(new)):
        lines += [f"{name}: {line}" for line in _differences(old[name], new[name])]
    return lines


def _by_name(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "claims.json"
    if not path.is_file():
        return {}
    return {claim["name"]: claim for claim in json.loads(path.read_bytes())["claims"]}


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    lines = []
    if old["verdict"] != new["verdict"]:
        lines.append(f"{old['verdict']} is committed, {new['verdict']} came out")
    for before, after in zip(old["findings"], new["findings"], strict=False):
        width = max(before["high"] - before["low"], after["high"] - after["low"])
        allowed = max(width / 4, 1e-3 * abs(before["mean"]), 1e-6)
        if abs(before["mean"] - after["mean"]) > allowed:
            told = f"{before['mean']} is committed, {after['mean']} came out"
            lines.append(f"{before['setting']}: {told}" if before["setting"] else told)
    return lines


def run_script(main: Callable[[str, bool], None]) -> None:
    """Run an experiment as a program: `python experiments/NAME.py [RESULTS] [--quick]`."""
    arguments = [word for word in sys.argv[1:] if word != "--quick"]
    main(arguments[0] if arguments else "results", "--quick" in sys.argv[1:])
