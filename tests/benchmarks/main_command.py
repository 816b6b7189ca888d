"""`initlab run configs/mnist.yaml` against the textbook program: whole processes, in turn, as ratios.

    python tests/benchmarks/main_command.py [ROUNDS]

Also prints the largest resident memory of the command with its workers, counted once for shared pages.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

ROOT = Path(__file__).parents[2]


def resident(process):
    """Proportional set size of a process and its children, in MB."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e6


def timed(command):
    """Seconds and peak memory of a command."""
    start, peak = time.perf_counter(), 0.0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                peak = max(peak, resident(watched))
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
        print(f"initlab: peak resident memory {max(peaks):.0f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
