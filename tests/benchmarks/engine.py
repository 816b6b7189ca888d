"""The training loop against the machine, a textbook program, PyTorch and JAX, side by side in one run.

    pip install -e '.[bench]' && python tests/benchmarks/engine.py

Every contender trains the same shapes in float32 (the textbook program in float64, as it is) on the same
batches with plain SGD, on all cores; each is set up and warmed before it is timed. Rounds go through all
contenders in turn, so that what disturbs the machine disturbs all; a figure is the median of the rounds. "The
floor" is the matrix products of the same steps, in the same cohorts and workers, with nothing between them.
Writes `results/benchmarks/engine.csv`, `growth.csv`, `machine.json` and two figures. The whole command
against the textbook program is timed by `main_command.py` beside this file.
"""

import csv
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))

import engine_figures

from initlab import Ensemble, Optimizer
from initlab.init.networks import initialize
from initlab.nn.streams import Purpose, stream
from initlab.runner import provenance
from initlab.runner.executors import open_processes
from initlab.runner.sweep import available_cores
from initlab.training.train import CACHE_BYTES, working_set_bytes

RESULTS = Path(__file__).parents[2] / "results" / "benchmarks"
ROUNDS = 7
SECONDS = 0.5
REST = 0.2  # the threads of BLAS, OpenMP and XLA go on spinning for a while
BATCHES = 20
LR = 1e-4
CORES = available_cores()


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

    def cohorts(self) -> list["Workload"]:
        """As the runner cuts them: what fits the cache, and four for each worker where there are as many."""
        fitting = CACHE_BYTES // working_set_bytes(self.sizes, self.batch, 4)
        size = max(1, min(fitting, self.networks // (4 * CORES)))
        full, rest = divmod(self.networks, size)
        return [replace(self, networks=n) for n in [size] * full + [rest] * bool(rest)]


BOOK = Workload("a: 784-100x4-10 ReLU, batch 128", (100,) * 4, "relu", 128, 20)
DEEP = Workload("b: 784-100x50-10 tanh, batch 64", (100,) * 50, "tanh", 64, 20)
SMALL = Workload("c: 784-16x4-10 ReLU, batch 64", (16,) * 4, "relu", 64, 500)
WORKLOADS = [
    *(replace(BOOK, networks=n) for n in (1, 4, 20, 60)),
    DEEP,
    *(replace(SMALL, networks=n) for n in (60, 500)),
]


@lru_cache(maxsize=4)
def batches(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (BATCHES, batch, 784) like pixels, and labels."""
    rng = stream(0, Purpose.BATCHES)
    inputs = rng.random((BATCHES, batch, 784), dtype=np.float32)
    return inputs, rng.integers(10, size=(BATCHES, batch))


@lru_cache(maxsize=32)
def ensemble(workload: Workload, number: int) -> Ensemble:
    seeds = [1000 * number + m for m in range(workload.networks)]
    schemes = [workload.init] * workload.networks
    return initialize(workload.sizes, schemes, seeds, workload.activation)


def initlab_steps(workload: Workload, number: int, steps: int) -> None:
    networks, sgd = ensemble(workload, number), Optimizer("sgd", lr=LR)
    inputs, labels = batches(workload.batch)
    with threadpool_limits(1), np.errstate(all="ignore"):
        for step in range(steps):
            networks.train_step(inputs[step % BATCHES], labels[step % BATCHES], sgd)


def floor_steps(workload: Workload, number: int, steps: int) -> None:
    """The matrix products of a step alone, in the arrays of the ensemble."""
    e = ensemble(workload, number)
    inputs, labels = batches(workload.batch)
    if not e.activations:
        e.loss(inputs[0], labels[0])
    zs, deltas, grads = e.pre_activations, [np.zeros_like(z) for z in e.pre_activations], e.weight_gradients
    with threadpool_limits(1), np.errstate(all="ignore"):
        for step in range(steps):
            signals = [inputs[step % BATCHES], *e.activations]
            for W, signal, z in zip(e.weights, signals, zs, strict=True):
                np.matmul(signal, W, out=z)
            for layer in reversed(range(len(e.weights))):
                np.matmul(signals[layer].swapaxes(-1, -2), deltas[layer], out=grads[layer])
                if layer:
                    np.matmul(deltas[layer], e.weights[layer].swapaxes(-1, -2), out=deltas[layer - 1])


def peak_products(size: int, steps: int) -> None:
    a = np.random.default_rng(0).random((size, size), dtype=np.float32)
    with threadpool_limits(1):
        for _ in range(steps):
            a @ a


Run = Callable[[int], None]


class Pool:
    """One worker process for each core. A cohort stays with its worker, which keeps its networks."""

    def __init__(self, stack: ExitStack) -> None:
        self.workers = [stack.enter_context(open_processes(1)) for _ in range(CORES)]

    def run(self, function: Callable[[Workload, int, int], None], workload: Workload) -> Run:
        cohorts = list(enumerate(workload.cohorts()))

        def steps(count: int) -> None:
            shares = [(worker, cohorts[i::CORES]) for i, worker in enumerate(self.workers)]
            tasks = [worker.submit(each, function, share, count) for worker, share in shares if share]
            for task in tasks:
                task.result()

        return steps


def each(
    function: Callable[[Workload, int, int], None], cohorts: list[tuple[int, Workload]], steps: int
) -> None:
    for number, cohort in cohorts:
        function(cohort, number, steps)


def textbook(workload: Workload) -> Run:
    from textbook import Network

    inputs, labels = batches(workload.batch)
    inputs = inputs.astype(np.float64)
    start = ensemble(replace(workload, networks=1), 0)
    weights, biases = [W[0] for W in start.weights], [b[0] for b in start.biases]
    networks = [Network(weights, biases, workload.activation) for _ in range(workload.networks)]

    def steps(count: int) -> None:
        with np.errstate(all="ignore"):
            for network in networks:
                for step in range(count):
                    network.step(inputs[step % BATCHES], labels[step % BATCHES], LR)

    return steps


def torch_eager(workload: Workload) -> Run:
    """One network after the other, as a tutorial writes it."""
    import torch
    from torch import nn

    inputs, labels = map(torch.from_numpy, batches(workload.batch))
    function = {"relu": nn.ReLU, "tanh": nn.Tanh}[workload.activation]

    def network():
        layers = [part for n, m in pairwise(workload.sizes) for part in (nn.Linear(n, m), function())]
        model = nn.Sequential(*layers[:-1])
        return model, torch.optim.SGD(model.parameters(), lr=LR)

    networks, loss = [network() for _ in range(workload.networks)], nn.CrossEntropyLoss()

    def steps(count: int) -> None:
        for model, optimizer in networks:
            for step in range(count):
                optimizer.zero_grad()
                loss(model(inputs[step % BATCHES]), labels[step % BATCHES]).backward()
                optimizer.step()

    return steps


def torch_stacked(workload: Workload) -> Run:
    """All networks in one stack of batched products; no Python for each network."""
    import torch

    inputs, labels = map(torch.from_numpy, batches(workload.batch))
    M, B = workload.networks, workload.batch
    function = {"relu": torch.relu, "tanh": torch.tanh}[workload.activation]
    shapes = list(pairwise(workload.sizes))
    weights = [(torch.randn(M, n, m) * (2 / n) ** 0.5).requires_grad_() for n, m in shapes]
    biases = [torch.zeros(M, 1, m, requires_grad=True) for _, m in shapes]
    parameters = weights + biases

    def steps(count: int) -> None:
        for step in range(count):
            signal = inputs[step % BATCHES].expand(M, B, 784)
            for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
                z = torch.baddbmm(b, signal, W)
                signal = z if layer == len(weights) - 1 else function(z)
            target = labels[step % BATCHES].repeat(M)
            loss = torch.nn.functional.cross_entropy(signal.reshape(M * B, 10), target) * M
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                torch._foreach_add_(parameters, gradients, alpha=-LR)

    return steps


COMPILE_SECONDS: dict[str, float] = {}


def jax_compiled(workload: Workload) -> Run:
    """vmap over the networks, a scan over the batches, compiled once."""
    import jax
    import jax.numpy as jnp

    function = {"relu": jax.nn.relu, "tanh": jnp.tanh}[workload.activation]
    inputs, labels = map(jnp.asarray, batches(workload.batch))

    def loss(parameters, x, y):
        for layer, (W, b) in enumerate(parameters):
            z = x @ W + b
            x = z if layer == len(parameters) - 1 else function(z)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1)
        return -chosen.mean()

    gradients = jax.vmap(jax.grad(loss), in_axes=(0, None, None))

    def one(parameters, batch):
        slopes = gradients(parameters, *batch)
        return jax.tree.map(lambda w, g: w - LR * g, parameters, slopes), None

    compiled = jax.jit(lambda parameters: jax.lax.scan(one, parameters, (inputs, labels))[0])
    M, keys = workload.networks, jax.random.split(jax.random.key(0), 99)
    state = [
        (jax.random.normal(key, (M, n, m)) * (2 / n) ** 0.5, jnp.zeros((M, m)))
        for key, (n, m) in zip(keys, pairwise(workload.sizes), strict=False)
    ]
    start = time.perf_counter()
    state = jax.block_until_ready(compiled(state))
    COMPILE_SECONDS[label(workload)] = time.perf_counter() - start

    def steps(count: int) -> None:
        nonlocal state
        for _ in range(max(1, count // BATCHES)):
            state = jax.block_until_ready(compiled(state))

    return steps


def label(workload: Workload) -> str:
    return f"{workload.name}, {workload.networks} network{'s' * (workload.networks > 1)}"


def calibrated(name: str, run: Run) -> tuple[Run, int]:
    """The run, warmed, and how many steps take about half a second: whole scans for JAX."""
    unit = BATCHES if name == "jax" else 1
    run(unit)
    start = time.perf_counter()
    run(unit)
    each = time.perf_counter() - start
    return run, max(1, min(2000, round(SECONDS / each))) * unit


def measure(contenders: dict[str, Run]) -> dict[str, list[float]]:
    """Seconds of one step of all networks, for each round; the rounds begin with each contender in turn."""
    ready = {name: calibrated(name, run) for name, run in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in ready}
    for turn in range(ROUNDS):
        order = [*ready][turn % len(ready) :] + [*ready][: turn % len(ready)]
        for name in order:
            run, steps = ready[name]
            time.sleep(REST)
            start = time.perf_counter()
            run(steps)
            times[name].append((time.perf_counter() - start) / steps)
    return times


def compare(pool: Pool) -> list[dict[str, object]]:
    rows = []
    for workload in WORKLOADS:
        contenders = {
            "floor": pool.run(floor_steps, workload),
            "initlab": pool.run(initlab_steps, workload),
            "torch stacked": torch_stacked(workload),
            "jax": jax_compiled(workload),
            "torch eager": torch_eager(workload),
            "textbook": textbook(workload),
        }
        times = measure(contenders)
        for name, values in times.items():
            ratios = [value / ours for value, ours in zip(values, times["initlab"], strict=True)]
            row = {"workload": label(workload), "contender": name, "ms_per_step": 1e3 * median(values)}
            row |= {"ms_low": 1e3 * min(values), "ms_high": 1e3 * max(values)}
            row |= {"times_initlab": median(ratios), "low": min(ratios), "high": max(ratios)}
            row["compile_seconds"] = COMPILE_SECONDS[label(workload)] if name == "jax" else ""
            rows.append(row)
            figures = f"{1e3 * median(values):9.3f} ms {median(ratios):7.2f} x initlab"
            print(f"{label(workload):48} {name:14} {figures}", flush=True)
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


def growth(pool: Pool) -> list[dict[str, object]]:
    """Milliseconds of a step against one size after the other, with the exponent over the larger half."""
    rows = []
    for quantity, workloads in GROWTH.items():
        sizes = [SIZE[quantity](workload) for workload in workloads]
        runs = {str(size): pool.run(initlab_steps, w) for size, w in zip(sizes, workloads, strict=True)}
        times = [median(values) for values in measure(runs).values()]
        half = len(sizes) // 2
        exponent = np.polyfit(np.log(sizes[half:]), np.log(times[half:]), 1)[0]
        print(f"time grows with {quantity} as its power {exponent:.2f}")
        rows += [
            {"quantity": quantity, "size": size, "ms_per_step": 1e3 * seconds, "exponent": exponent}
            for size, seconds in zip(sizes, times, strict=True)
        ]
    return rows


def subnormal_ratio(pool: Pool) -> list[float]:
    """A step of 50 tanh layers that start from std=0.01 over one that start from the book's Xavier."""
    deep = replace(DEEP, networks=4)
    times = measure(
        {
            "tiny": pool.run(initlab_steps, replace(deep, init="std=0.01")),
            "level": pool.run(initlab_steps, replace(deep, init="book:xavier")),
        }
    )
    return [tiny / level for tiny, level in zip(times["tiny"], times["level"], strict=True)]


def sgemm_gflops(pool: Pool, workers: int) -> float:
    size, steps = 1500, 20
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for task in [worker.submit(peak_products, size, steps) for worker in pool.workers[:workers]]:
            task.result()
        best = max(best, workers * steps * 2 * size**3 / (time.perf_counter() - start) / 1e9)
    return best


def write(name: str, rows: list[dict[str, object]]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})


def main() -> None:
    import jax
    import torch

    with ExitStack() as stack:
        pool = Pool(stack)
        rows = compare(pool)
        curves = growth(pool)
        ratios = subnormal_ratio(pool)
        one, all_cores = sgemm_gflops(pool, 1), sgemm_gflops(pool, CORES)
    print(f"std=0.01 at 50 layers costs {median(ratios):.2f} times the level case")
    machine = {
        **provenance.fingerprint(),
        "cores": CORES,
        "torch": torch.__version__,
        "jax": jax.__version__,
        "sgemm_gflops_one_core": round(one),
        "sgemm_gflops_all_cores": round(all_cores),
        "subnormal_ratio": round(median(ratios), 3),
        "blas_environment": {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS_")},
    }
    print(json.dumps(machine, indent=1))
    write("engine.csv", rows)
    write("growth.csv", curves)
    (RESULTS / "machine.json").write_text(json.dumps(machine, indent=1) + "\n")
    engine_figures.main()


if __name__ == "__main__":
    main()
