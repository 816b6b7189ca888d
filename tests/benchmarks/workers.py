"""How workers are started, fed and loaded: the measurements behind `runner/executors.py` and `grid.py`.

    python tests/benchmarks/workers.py

Prints, as medians of interleaved rounds: the seconds until a new worker has trained its first cohort, by
start method; the milliseconds to hand a cohort its data mapped from the disk, and pickled; and the
microseconds of one network's step by the size of its cohort.
"""

import multiprocessing
import pickle
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from threadpoolctl import threadpool_limits

from initlab.data.datasets import open_dataset
from initlab.runner.config import load_experiment
from initlab.runner.sweep import train_settings

CONFIG = Path(__file__).parents[2] / "configs/mnist.yaml"
ROUNDS = 5


def settings(overrides, count):
    points = load_experiment(CONFIG, overrides).points()
    return [settings for _, settings in points][:count]


def seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def start_and_train(method, cohort):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, context) as executor:
        executor.submit(train_settings, cohort).result()


def table(title, rows):
    print(title)
    for name, values in rows.items():
        print(f"  {name:>24}  {median(values):8.2f}  ({min(values):.2f} to {max(values):.2f})")


def interleaved(functions):
    rows = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            rows[name].append(function())
    return rows


def main():
    one_step = settings(["train.steps=1", "sweep.seed=[0]", "sweep.init=[he]"], 1)
    methods = ("fork", "forkserver", "spawn")
    starts = {m: lambda m=m: seconds(start_and_train, m, one_step) for m in methods}
    table("seconds until the first cohort of one step is trained", interleaved(starts))

    dataset = open_dataset("mnist")
    hand_over = {
        "mapped by the worker": lambda: 1e3 * seconds(open_dataset.__wrapped__, "mnist"),
        "pickled by the driver": lambda: 1e3 * seconds(lambda: pickle.loads(pickle.dumps(dataset))),
    }
    table("milliseconds to hand over MNIST", interleaved(hand_over))

    for shape in ("100x4", "16x4"):
        steps = 100 if shape == "100x4" else 400
        wide = [f"std={0.01 + 0.001 * i:.3f}" for i in range(64)]
        override = [f"network.hidden={shape}", f"train.steps={steps}", "sweep.seed=[0]"]
        cohort = settings([*override, f"sweep.init=[{', '.join(wide)}]"], 64)

        def per_step(size, cohort=cohort, steps=steps):
            with threadpool_limits(1):
                return 1e6 * seconds(train_settings, cohort[:size]) / size / steps

        sizes = (1, 2, 4, 8, 16, 32, 64)
        table(
            f"microseconds of one network's step, {shape}, by cohort size",
            interleaved({str(size): lambda size=size: per_step(size) for size in sizes}),
        )


if __name__ == "__main__":
    main()
