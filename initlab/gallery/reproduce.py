"""Reproduce: the scripts of experiments/ -> run side by side -> results/<name>/ for each.

An experiment is a script with an `exhibit`, in the folder `experiments` of a checkout or of the package. It
runs in a process of its own, with one thread for linear algebra, and reads again what it has measured or
trained before. The results may also be compared with those that are committed, or came with the package.
"""

import linecache
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from initlab.errors import InitlabError, UsageError, unknown_name
from initlab.gallery.comparison import drifts, machine_note
from initlab.gallery.exhibit import Exhibit, part_of
from initlab.runner.executors import open_processes
from initlab.runner.shipped import shipped_folder
from initlab.runner.store import hold
from initlab.threads import one_thread

Progress = Callable[[list[str]], None]
SOURCES = "sources.yaml"  # beside the scripts


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came of running one experiment.

    Attributes:
        name: the experiment's.
        seconds: how long it took.
        drifts: what differs from what is committed, where that was asked for.
        machines: where both were measured, if something drifted from results of another machine.
        left_out: how long it would have taken; empty where it was run.
        failure: why there is no result, with the traceback unless it is an error of initlab's.
    """

    name: str
    seconds: float
    drifts: tuple[str, ...] = ()
    machines: str = ""
    left_out: str = ""
    failure: str | None = None


def experiments_folder() -> Path:
    """The folder `experiments` here, if one of its scripts has an exhibit; else the one of the package."""
    here = Path("experiments")
    # Many a project has a folder of that name, whose scripts are not ours to run.
    has_exhibit = any(b"Exhibit(" in script.read_bytes() for script in here.glob("*.py"))
    return here if has_exhibit else shipped_folder("experiments")


def experiments(folder: Path) -> dict[str, Path]:
    """The scripts of a folder by name.

    Raises:
        UsageError: where there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"no folder {folder} of experiments")
    return {path.stem: path for path in sorted(folder.glob("*.py"))}


def chosen_experiments(names: Sequence[str], scripts: Mapping[str, Path]) -> list[Path]:
    """The scripts of the given names; all scripts for no names.

    Args:
        names: of experiments.
        scripts: all there are, by name.

    Raises:
        UsageError: for an unknown name.
    """
    for name in names:
        if name not in scripts:
            raise UsageError(unknown_name("experiment", name, scripts, "initlab reproduce --list"))
    return [scripts[name] for name in names or scripts]


def load(script: Path) -> ModuleType:
    """A script as a module with an `exhibit`, which is not run.

    Raises:
        UsageError: when the script has none.
    """
    module, source = ModuleType(f"experiment_{script.stem}"), script.read_text("utf-8")
    module.__file__, sys.modules[module.__name__] = str(script), module
    # The text that runs is remembered (an entry without a time is never read anew): measurements are kept
    # under the text of their code, also where somebody edits the script meanwhile.
    linecache.cache[str(script)] = (len(source), None, source.splitlines(keepends=True), str(script))
    exec(compile(source, str(script), "exec"), module.__dict__)
    if not isinstance(getattr(module, "exhibit", None), Exhibit):
        raise UsageError(f"{script}: an experiment needs `exhibit = Exhibit(...)`")
    return module


def reproduce(script: Path, results: Path, quick: bool, named: bool = True) -> Reproduction:
    """Run an experiment.

    Args:
        script: of the experiment.
        results: its page goes into a folder in here.
        quick: whether the reduced form is meant, which goes into `results/quick`.
        named: whether it was asked for by its name; else a long one is left out.

    Raises:
        LockedError: when another process runs it into the same results.
        StorageError: when the folder cannot be made.
    """
    start = time.monotonic()
    # One thread: products in the experiments are small, and threads would wait for each other.
    with hold(part_of(results, quick) / "training" / "locks" / script.stem), one_thread():
        exhibit = load(script).exhibit
        if exhibit.takes and not named and not quick:
            return Reproduction(name=script.stem, seconds=0.0, left_out=exhibit.takes)
        exhibit.run(results, quick)
    return Reproduction(name=script.stem, seconds=time.monotonic() - start)


def check(script: Path, results: Path, quick: bool, named: bool = True) -> Reproduction:
    """Run an experiment into an empty folder, and compare what comes out with the results.

    Args:
        script: of the experiment.
        results: with its committed page, else that of the package counts; nothing in it changes.
        quick: whether the reduced form is meant.
        named: as for `reproduce`.
    """
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        done = reproduce(script, fresh, quick, named)
        if done.left_out:
            return done
        places = (with_claims(results, script.stem, quick), fresh)
        old, new = (part_of(place, quick) / script.stem for place in places)
        lines = tuple(f"{script.stem}/{line}" for line in drifts(old, new))
        machines = machine_note(old, new) if lines else ""
    return Reproduction(name=script.stem, seconds=done.seconds, drifts=lines, machines=machines)


def with_claims(results: Path, name: str = "*", quick: bool = False) -> Path:
    """The results, if there are claims in them; else the results that came with the package.

    Args:
        results: the folder of all exhibits.
        name: of an exhibit that must have claims; by default any.
        quick: whether the reduced form is meant.
    """
    has_claims = any(part_of(results, quick).glob(f"{name}/claims.json"))
    return results if has_claims else shipped_folder("results")


def run_all(
    task: Callable[[Path, Path, bool, bool], Reproduction],
    scripts: Sequence[Path],
    results: Path,
    quick: bool,
    named: bool,
    jobs: int,
    progress: Progress = lambda _running: None,
) -> Iterator[Reproduction]:
    """Do `reproduce` or `check` for many experiments side by side.

    Args:
        task: one of the two.
        scripts: of the experiments.
        results: the folder of all results.
        quick: whether the reduced form is meant.
        named: whether the experiments were asked for by name; else the long ones are left out.
        jobs: worker processes; 0 does all within this one.
        progress: called about once a second with the names of the experiments at work.

    Returns:
        The outcome of each experiment, as it ends.
    """
    with open_processes(min(jobs, len(scripts))) as executor:
        waiting, flying = list(scripts), dict[Future[Reproduction], str]()
        while waiting or flying:
            while waiting and len(flying) < max(1, jobs):
                script = waiting.pop(0)
                flying[executor.submit(task, script, results, quick, named)] = script.stem
            progress(list(flying.values()))
            for future in wait(flying, timeout=1, return_when=FIRST_COMPLETED).done:
                yield _outcome(flying.pop(future), future)


def _outcome(name: str, future: Future[Reproduction]) -> Reproduction:
    error = future.exception()
    if error is None:
        return future.result()
    is_ours = isinstance(error, InitlabError)
    message = str(error) if is_ours else "".join(traceback.format_exception(error))
    return Reproduction(name=name, seconds=0.0, failure=message.strip())
