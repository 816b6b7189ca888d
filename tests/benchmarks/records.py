"""What many records cost: writing, `list`, `verify`, running again, and their size on the disk.

python tests/benchmarks/records.py [RUNS]      100,000 by default; some minutes, 100 MB in a temporary folder
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from initlab.nn.arrays import FloatArray
from initlab.runner.config import Experiment
from initlab.runner.grid import Run, expand
from initlab.runner.reports import preview
from initlab.runner.store import Store
from initlab.runner.sweep import Choice
from initlab.training.history import History

STEPS, COHORT = 100, 500


def experiment(runs: int) -> Experiment:
    return Experiment(
        name="many",
        data={"name": "clusters(features=8, classes=3, train=300)"},
        network={"hidden": "16x4", "activation": "relu"},
        train={"steps": STEPS, "batch_size": 32, "optimizer": {"name": "sgd", "lr": 0.1}},
        sweep={"init": ["he", "xavier", "lecun", "std=0.01"], "seed": list(range(runs // 4))},
    )


def history(run: Run, losses: FloatArray) -> History:
    return History(scheme="he", seed=run.settings.seed, losses=losses, test_loss=1.0, test_accuracy=0.5)


def seconds(what: str, start: float) -> None:
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


def command(*words: object) -> None:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "initlab", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seconds(f"initlab {words[0]}", start)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        many = experiment(runs)
        every = expand(many)
        seconds(f"expanding {len(every):,} runs", start)
        store = Store(folder, "many")
        start = time.perf_counter()
        with store.lock():
            store.write_experiment(many.resolved())
            for first in range(0, len(every), COHORT):
                cohort = every[first : first + COHORT]
                losses = rng.random((len(cohort), STEPS)).astype(np.float32)
                histories = zip(cohort, map(history, cohort, losses), strict=True)
                store.save(histories, {"session": "one", "finished": "now", "cohort_seconds": 1.0})
        seconds(f"writing them, {COHORT} at a time", start)
        print(f"size: {store.runs.path.stat().st_size / 1e6:.0f} MB", flush=True)
        for words in (["list"], ["verify", "many"]):
            command(*words, "--results", folder)
        start = time.perf_counter()
        assert not preview(many, folder, Choice()).missing
        seconds("seeing that none is missing", start)
        for _ in range(2):
            command("run", Path(folder) / "many" / "experiment.yaml", "--results", folder, "--quiet")


if __name__ == "__main__":
    main()
