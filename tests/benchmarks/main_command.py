"""`initlab run configs/mnist.yaml` against the textbook program: whole processes, in turn, as ratios.

    python tests/benchmarks/main_command.py [ROUNDS]

Also prints the largest resident memory of the command with its workers, in which shared pages count once, and
that of one worker.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import psutil

ROOT = Path(__file__).parents[2]


def resident(process):
    """Proportional set size of a process with its children, and the largest of a child, in MB."""
    sizes = []
    for member in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            sizes.append(member.memory_full_info().pss / 1e6)
    return np.array([sum(sizes), max(sizes[1:], default=0.0)])


def timed(command):
    """Seconds and peak memory of a command."""
    start, peak = time.perf_counter(), np.zeros(2)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                peak = np.maximum(peak, resident(watched))
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{command} failed with {process.returncode}")
    return time.perf_counter() - start, peak


def main(rounds=3):
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs, peaks = [], [], []
        for i in range(rounds):
            run = [sys.executable, "-m", "initlab", "run", "configs/mnist.yaml", "--quiet", "--results"]
            seconds, peak = timed([*run, f"{folder}/{i}"])
            ours.append(seconds)
            peaks.append(peak)
            theirs.append(
                timed([sys.executable, "tests/benchmarks/textbook_mnist.py", f"{folder}/{i}.png"])[0]
            )
            print(f"initlab {ours[-1]:.1f} s, textbook {theirs[-1]:.1f} s, ratio {theirs[-1] / ours[-1]:.2f}")
        ratios = sorted(other / one for one, other in zip(ours, theirs, strict=True))
        print(f"textbook / initlab: median {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        together, worker = np.max(peaks, axis=0)
        print(f"initlab: peak resident memory {together:.0f} MB, of which a worker {worker:.0f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
