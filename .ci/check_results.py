"""Regenerate what the book's experiments left in `results/`, and compare: numbers, not pixels.

    python .ci/check_results.py [EXPERIMENT ...]

The claims of all experiments are checked by `initlab reproduce --quick --check`.

The tolerances come from measuring: the same float32 trainings on four OpenBLAS kernels (Haswell, Zen,
SkylakeX, Nehalem) differ by at most 0.0037 in any single loss, and by 0.0004 in any number of a summary.
"""

import csv
import math
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
ABSOLUTE = {
    "curves.csv": 0.01,
    "summary.csv": 0.001,
    "published.csv": 0.001,
    "final_accuracies.csv": 0.1,  # of 1000 images, after training at the edge of stability
}
ABSOLUTE_OTHERWISE, RELATIVE = 1e-6, 1e-3


def differences(committed: Path, fresh: Path) -> list[str]:
    """What differs between two tables beyond rounding."""
    with committed.open() as one, fresh.open() as other:
        rows, new_rows = list(csv.reader(one)), list(csv.reader(other))
    if len(rows) != len(new_rows):
        return [f"{len(rows)} rows are committed, {len(new_rows)} came out"]
    absolute = ABSOLUTE.get(committed.name, ABSOLUTE_OTHERWISE)
    return [
        f"line {line}, {rows[0][column]}: {old!r} is committed, {new!r} came out"
        for line, (row, new_row) in enumerate(zip(rows, new_rows, strict=True), start=1)
        for column, (old, new) in enumerate(zip(row, new_row, strict=True))
        if not same(old, new, absolute)
    ]


def same(old: str, new: str, absolute: float) -> bool:
    try:
        return math.isclose(float(old), float(new), rel_tol=RELATIVE, abs_tol=absolute)
    except ValueError:
        return old == new


def check(script: Path) -> list[str]:
    """Run one experiment into an empty folder and compare every table it is known by."""
    committed = ROOT / "results" / script.stem
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, script, folder], check=True)
        fresh = Path(folder) / script.stem
        tables = sorted(path.name for path in committed.glob("*.csv"))
        if tables != sorted(path.name for path in fresh.glob("*.csv")) or not tables:
            return [f"{script.stem}: the tables committed are not those that came out"]
        return [
            f"{script.stem}/{name}: {difference}"
            for name in tables
            for difference in differences(committed / name, fresh / name)
        ]


def main(names: list[str]) -> int:
    scripts = [ROOT / "experiments" / f"{name}.py" for name in names] or sorted(
        ROOT.glob("experiments/book_*.py")
    )
    drifted = [line for script in scripts for line in check(script)]
    print("\n".join(drifted[:50]) or f"{len(scripts)} experiments give the committed numbers")
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
