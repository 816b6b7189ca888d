"""The training loop against the machine, a textbook program, PyTorch and JAX, side by side in one run.

    pip install -e '.[bench]' && python tests/benchmarks/engine.py

Every contender trains networks of the same shapes on batches of MNIST that it draws and prepares itself; see
`contenders.py`. Each is timed in one process that has all cores, with a process for each core that has one
thread and an equal share of the networks, and, where it stacks networks, with such processes and initlab's
cohorts; the best of these counts. Rounds go through all contenders in turn, so that what disturbs the machine
disturbs all; a round in which other programs took more than a twentieth of the processors is thrown away, and
counted. A figure is the median of the rounds. "The floor" is the matrix products of the same steps, in
initlab's cohorts and workers, with nothing between them.

Writes `results/benchmarks/engine.csv`, `growth.csv`, `machine.json` and two figures. The whole command
against the textbook program is timed by `main_command.py` beside this file.
"""

import csv
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import contenders
import engine_figures
import numpy as np
import psutil

from initlab.runner import provenance
from initlab.runner.sweep import available_cores
from initlab.training.train import CACHE_BYTES, working_set_bytes

RESULTS = Path(__file__).parents[2] / "results" / "benchmarks"
ROUNDS = 5
SECONDS = 0.5
REST = 0.1  # the threads of BLAS, OpenMP and XLA go on spinning for a while
FOREIGN = 0.05
CORES = available_cores()
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
Run = Callable[[int], None]


@dataclass(frozen=True)
class Workload:
    """Networks of one shape, trained on the same batches."""

    name: str
    hidden: tuple[int, ...]
    activation: str
    batch: int
    networks: int
    init: str = "he"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (784, *self.hidden, 10)

    @property
    def label(self) -> str:
        return f"{self.name}, {self.networks} network{'s' * (self.networks > 1)}"

    def cut(self, size: int) -> list["Workload"]:
        full, rest = divmod(self.networks, size)
        return [replace(self, networks=n) for n in [size] * full + [rest] * bool(rest)]

    def whole(self) -> list["Workload"]:
        return [self]

    def shares(self) -> list["Workload"]:
        """One for each core."""
        return self.cut(-(-self.networks // CORES))

    def cohorts(self) -> list["Workload"]:
        """As the runner cuts them: what fits the cache, and four for each worker where there are as many."""
        fitting = CACHE_BYTES // working_set_bytes(self.sizes, self.batch, 4)
        return self.cut(max(1, min(fitting, self.networks // (4 * CORES))))


BOOK = Workload("784-100x4-10 ReLU, batch 128", (100,) * 4, "relu", 128, 20)
DEEP = Workload("784-100x50-10 tanh, batch 64", (100,) * 50, "tanh", 64, 20)
SMALL = Workload("784-16x4-10 ReLU, batch 64", (16,) * 4, "relu", 64, 500)
WORKLOADS = [*(replace(BOOK, networks=n) for n in (1, 20, 60)), DEEP, replace(SMALL, networks=1), SMALL]

WHOLE, SHARES, COHORTS = "one process", "a share for each core", "cohorts for each core"
ARRANGEMENTS = {
    "floor": [COHORTS],
    "initlab": [COHORTS],
    "jax_scan": [WHOLE, SHARES, COHORTS],
    "torch_stacked": [WHOLE, SHARES, COHORTS],
    "torch_compiled": [WHOLE, SHARES],
    "torch_eager": [WHOLE, SHARES],
    "textbook32": [WHOLE, SHARES],
    "textbook64": [WHOLE, SHARES],
}

_runs: dict[tuple[str, Workload, int], Run] = {}


def take_steps(contender: str, cohorts: list[tuple[int, Workload]], steps: int) -> None:
    """The task of a worker, which keeps the networks that it has begun."""
    for number, cohort in cohorts:
        key = (contender, cohort, number)
        if key not in _runs:
            _runs[key] = getattr(contenders, contender)(cohort)
        _runs[key](steps)


def forget() -> None:
    _runs.clear()


class Pool:
    """Worker processes, each with its own networks.

    Args:
        workers: how many.
        environment: of each.
    """

    def __init__(self, workers: int, environment: dict[str, str]) -> None:
        with environment_of(environment):
            self.workers = [ProcessPoolExecutor(1, get_context("spawn")) for _ in range(workers)]
            self.pids = [worker.submit(os.getpid).result() for worker in self.workers]

    def run(self, contender: str, cohorts: list[Workload]) -> Run:
        numbered = list(enumerate(cohorts))
        shares = [(worker, numbered[i :: len(self.workers)]) for i, worker in enumerate(self.workers)]

        def steps(count: int) -> None:
            tasks = [worker.submit(take_steps, contender, share, count) for worker, share in shares if share]
            for task in tasks:
                task.result()

        return steps

    def forget(self) -> None:
        for worker in self.workers:
            worker.submit(forget).result()


@contextmanager
def environment_of(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Machine:
    """The processes of the benchmark, and how busy they and others are."""

    def __init__(self) -> None:
        self.wide, self.narrow = Pool(1, {}), Pool(CORES, ONE_THREAD)
        self.own = [psutil.Process(pid) for pid in (os.getpid(), *self.wide.pids, *self.narrow.pids)]
        self.thrown_away, self.foreign = 0, [0.0]

    def run(self, contender: str, arrangement: str, workload: Workload) -> Run:
        if arrangement == WHOLE:
            return self.wide.run(contender, workload.whole())
        cohorts = workload.cohorts() if arrangement == COHORTS else workload.shares()
        return self.narrow.run(contender, cohorts)

    def busy(self) -> tuple[float, float]:
        """Processor seconds of all programs, and of ours."""
        all_programs = psutil.cpu_times()
        idle = all_programs.idle + getattr(all_programs, "iowait", 0.0)
        return sum(all_programs[:8]) - idle, sum(sum(each.cpu_times()[:2]) for each in self.own)

    def timed(self, run: Run, steps: int) -> float | None:
        """Seconds of a step; None where others were at work."""
        time.sleep(REST)
        (everyone, ours), start = self.busy(), time.perf_counter()
        run(steps)
        seconds, (everyone_then, ours_then) = time.perf_counter() - start, self.busy()
        foreign = ((everyone_then - everyone) - (ours_then - ours)) / (seconds * CORES)
        if foreign > FOREIGN:
            self.thrown_away += 1
            return None
        self.foreign.append(max(foreign, 0.0))
        return seconds / steps

    def forget(self) -> None:
        self.wide.forget()
        self.narrow.forget()


def calibrated(contender: str, run: Run) -> tuple[Run, int]:
    """The run, warmed, and how many steps take about half a second: whole scans for JAX."""
    unit = contenders.SCAN if contender == "jax_scan" else 1
    for _ in range(3):
        run(unit)
    start = time.perf_counter()
    run(unit)
    each = time.perf_counter() - start
    return run, max(1, min(2000, round(SECONDS / each))) * unit


def measure(machine: Machine, ready: dict[str, tuple[Run, int]]) -> dict[str, list[float]]:
    """Seconds of one step of all networks, for each round that nobody disturbed."""
    times: dict[str, list[float]] = {name: [] for name in ready}
    for turn in range(3 * ROUNDS):
        order = [*ready][turn % len(ready) :] + [*ready][: turn % len(ready)]
        measured = {name: machine.timed(*ready[name]) for name in order}
        if None not in measured.values():
            for name, seconds in measured.items():
                times[name].append(seconds)
        if len(times[order[0]]) == ROUNDS:
            break
    return times


def compare(machine: Machine, workloads: list[Workload]) -> list[dict[str, object]]:
    rows = []
    for workload in workloads:
        ready = {}
        for contender, arrangements in ARRANGEMENTS.items():
            for arrangement in arrangements if workload.networks > 1 else arrangements[:1]:
                run = machine.run(contender, arrangement, workload)
                try:
                    ready[f"{contender}, {arrangement}"] = calibrated(contender, run)
                except Exception as error:
                    print(f"{workload.label}: {contender} in {arrangement} does not run: {error!r:.200}")
        times = measure(machine, ready)
        machine.forget()
        ours = times[f"initlab, {COHORTS}"]
        for name, values in times.items():
            ratios = [value / own for value, own in zip(values, ours, strict=True)]
            contender, _, arrangement = name.partition(", ")
            row: dict[str, object] = {"workload": workload.label, "contender": contender}
            row |= {"arrangement": arrangement, "ms_per_step": 1e3 * median(values)}
            row |= {"times_initlab": median(ratios), "low": min(ratios), "high": max(ratios)}
            rows.append(row | {"rounds": len(values)})
            figures = f"{1e3 * median(values):9.3f} ms {median(ratios):7.2f} x initlab"
            print(f"{workload.label:44} {name:38} {figures}", flush=True)
    return rows


GROWTH = {
    "networks": [replace(BOOK, networks=n) for n in (1, 2, 5, 10, 20, 40, 80)],
    "width": [replace(BOOK, networks=8, hidden=(n,) * 4) for n in (10, 20, 50, 100, 200, 400)],
    "depth": [replace(BOOK, networks=8, hidden=(100,) * n) for n in (1, 2, 5, 10, 20, 50)],
    "batch": [replace(BOOK, networks=8, batch=n) for n in (8, 16, 32, 64, 128, 256)],
}
SIZE: dict[str, Callable[[Workload], int]] = {
    "networks": lambda w: w.networks,
    "width": lambda w: w.hidden[0],
    "depth": lambda w: len(w.hidden),
    "batch": lambda w: w.batch,
}


def growth(machine: Machine) -> list[dict[str, object]]:
    """Milliseconds of a step against one size after the other, with the exponent over the larger half."""
    rows = []
    for quantity, workloads in GROWTH.items():
        sizes = [SIZE[quantity](workload) for workload in workloads]
        runs = [machine.run("initlab", COHORTS, workload) for workload in workloads]
        ready = {str(size): calibrated("initlab", run) for size, run in zip(sizes, runs, strict=True)}
        times = [median(values) for values in measure(machine, ready).values()]
        half = len(sizes) // 2
        exponent = np.polyfit(np.log(sizes[half:]), np.log(times[half:]), 1)[0]
        print(f"time grows with {quantity} as its power {exponent:.2f}")
        rows += [
            {"quantity": quantity, "size": size, "ms_per_step": 1e3 * seconds, "exponent": exponent}
            for size, seconds in zip(sizes, times, strict=True)
        ]
        machine.forget()
    return rows


def subnormal_ratio(machine: Machine) -> float:
    """A step of 50 tanh layers that start from std=0.01 over one that start from the book's Xavier."""
    deep, starts = replace(DEEP, networks=4), ("std=0.01", "xavier")
    runs = [machine.run("initlab", COHORTS, replace(deep, init=init)) for init in starts]
    ready = {init: calibrated("initlab", run) for init, run in zip(starts, runs, strict=True)}
    tiny, level = measure(machine, ready).values()
    return median(one / other for one, other in zip(tiny, level, strict=True))


def products(size: int, count: int) -> None:
    a = np.random.default_rng(0).random((size, size), dtype=np.float32)
    for _ in range(count):
        a @ a


def sgemm_gflops(machine: Machine, workers: int) -> float:
    size, count = 1500, 20
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for task in [worker.submit(products, size, count) for worker in machine.narrow.workers[:workers]]:
            task.result()
        best = max(best, workers * count * 2 * size**3 / (time.perf_counter() - start) / 1e9)
    return best


def write(name: str, rows: list[dict[str, object]]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})


def versions() -> dict[str, str]:
    import jax
    import torch

    return {"torch": torch.__version__, "jax": jax.__version__}


def main() -> None:
    machine = Machine()
    rows = compare(machine, WORKLOADS)
    curves, ratio = growth(machine), subnormal_ratio(machine)
    described = {
        **provenance.fingerprint(),
        "cores": CORES,
        **versions(),
        "sgemm_gflops_one_core": round(sgemm_gflops(machine, 1)),
        "sgemm_gflops_all_cores": round(sgemm_gflops(machine, CORES)),
        "subnormal_ratio": round(ratio, 3),
        "timings_thrown_away": machine.thrown_away,
        "foreign_load_of_the_rest": round(float(np.mean(machine.foreign)), 3),
    }
    print(json.dumps(described, indent=1))
    write("engine.csv", rows)
    write("growth.csv", curves)
    (RESULTS / "machine.json").write_text(json.dumps(described, indent=1) + "\n")
    engine_figures.main()


if __name__ == "__main__":
    main()
