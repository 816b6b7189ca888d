"""The gallery: experiments/*.py -> run side by side -> results/<name>/ and an index of them.

An experiment is found in the folder `experiments` of a checkout. It runs in a process of its own, with one
thread for linear algebra; what it has measured or trained before, it reads again.
What comes out may also be compared with what is there.
"""

import importlib.util
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from threadpoolctl import threadpool_limits

from initlab.errors import InitlabError, StorageError, UsageError, unknown_name
from initlab.runner.executors import open_processes
from initlab.runner.store import Store, hold

Progress = Callable[[list[str]], None]


@dataclass(frozen=True)
class Reproduction:
    """What came of running one experiment.

    Attributes:
        name: the experiment's.
        seconds: how long it took.
        drifts: what differs from what is committed, where that was asked for.
        failure: why there is no result, with the traceback unless it is an error of initlab's.
    """

    name: str
    seconds: float
    drifts: tuple[str, ...] = ()
    failure: str | None = None


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


def reproduce(script: Path, results: Path, quick: bool) -> Reproduction:
    """Run an experiment into its folder of the results, or of `results/quick` in the reduced form.

    Raises:
        LockedError: when another process runs it into the same results.
        StorageError: when the folder cannot be made.
    """
    start = time.monotonic()
    part = _part(results, quick)
    # One thread: products in the experiments are small, and threads would wait for each other.
    with hold(part / "training" / "locks" / script.stem), threadpool_limits(1):
        load(script).main(str(part), quick)
    return Reproduction(script.stem, time.monotonic() - start)


def check(script: Path, results: Path, quick: bool) -> Reproduction:
    """Run an experiment into an empty folder, and compare its claims with those in the results."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        done = reproduce(script, fresh, quick)
        found = drifted(*(_part(place, quick) / script.stem for place in (results, fresh)))
    return Reproduction(script.stem, done.seconds, tuple(f"{script.stem}/{line}" for line in found))


def _part(results: Path, quick: bool) -> Path:
    return results / "quick" if quick else results


def run_all(
    task: Callable[[Path, Path, bool], Reproduction],
    scripts: Sequence[Path],
    results: Path,
    quick: bool,
    jobs: int,
    progress: Progress = lambda _running: None,
) -> Iterator[Reproduction]:
    """Do `reproduce` or `check` for many experiments side by side; what comes of each, as it ends.

    Args:
        task: one of the two.
        scripts: of the experiments.
        results: the folder of all results.
        quick: whether the reduced form is meant.
        jobs: worker processes; 0 does all within this one.
        progress: called about once a second with the names of those at work.
    """
    with open_processes(min(jobs, len(scripts))) as executor:
        waiting, flying = list(scripts), dict[Future[Reproduction], str]()
        while waiting or flying:
            while waiting and len(flying) < max(1, jobs):
                script = waiting.pop(0)
                flying[executor.submit(task, script, results, quick)] = script.stem
            progress(list(flying.values()))
            for future in wait(flying, timeout=1, return_when=FIRST_COMPLETED).done:
                yield _outcome(flying.pop(future), future)


def _outcome(name: str, future: Future[Reproduction]) -> Reproduction:
    error = future.exception()
    if error is None:
        return future.result()
    told = str(error) if isinstance(error, InitlabError) else "".join(traceback.format_exception(error))
    return Reproduction(name, 0.0, failure=told.strip())


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
    """The page of all experiments, `results/README.md`: a picture, the verdicts, and a link for each.

    Raises:
        StorageError: when it cannot be written.
    """
    lines = ["# The gallery", "", _INTRODUCTION, ""]
    for name, exhibit in read_claims(results).items():
        verdicts = [claim["verdict"] for claim in exhibit["claims"]]
        counts = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts))
        lines += [f"## [{exhibit['title']}]({name}/README.md)", "", f"{len(verdicts)} claims: {counts}.", ""]
        picture = next(iter(sorted((results / name).glob("*.png"))), None)
        if picture:
            lines += [f'<img src="{name}/{picture.name}" width="420" alt="{exhibit["title"]}">', ""]
    Store(results, ".").write_text("README.md", "\n".join(lines))


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
