"""Whether a training fits into memory, before anything is allocated: cohorts, workers -> bytes -> refusal."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from initlab.errors import UsageError
from initlab.nn.architecture import count, flat_size
from initlab.runner.grid import Run, examples_in_a_batch
from initlab.training.loop import EVALUATION_BATCH

# Arrays of the size of all parameters, besides these and their gradients.
_STATES = {"sgd": 0, "momentum": 1, "nesterov": 1, "adagrad": 1, "rmsprop": 1}
_MOST_STATES = 2
_PROCESS = 150e6  # bytes of Python, NumPy and this package
_INFO, _LIMIT, _USED = (
    Path("/proc/meminfo"),
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory.current"),
)


def check_memory(cohorts: Sequence[Sequence[Run]], workers: int) -> None:
    """Refuse what does not fit.

    Args:
        cohorts: what is to be trained.
        workers: how many cohorts are trained at a time.

    Raises:
        UsageError: with what is needed, what is free, and what would fit.
    """
    free = available()
    if free is None or not cohorts:
        return
    largest = max(cohorts, key=needed)
    each, at_once = needed(largest) + _PROCESS, min(workers, len(cohorts))
    if each * at_once <= free:
        return
    fitting = int(free // each)
    hint = f"--jobs {fitting} fits" if fitting else "smaller layers or batches need less"
    raise UsageError(
        f"training {at_once} cohorts at a time needs {_shown(each * at_once)} of memory, and {_shown(free)} "
        f"are free; {hint}"
    )


def needed(cohort: Sequence[Run]) -> float:
    """Bytes of a cohort's arrays: parameters, gradients, optimizer, kept weights, signals, losses, a draw.

    Weights are drawn layer by layer, in float64.
    """
    sizes, train = cohort[0].sizes, cohort[0].settings.train
    cost = count(sizes)
    copies = 2 + _STATES.get(train.optimizer.name, _MOST_STATES) + len(cohort[0].kept_steps)
    batch_size = examples_in_a_batch(cohort[0])
    signals = 3 * (batch_size + EVALUATION_BATCH) * cost.units + batch_size * flat_size(sizes[0])
    each = np.dtype(train.dtype).itemsize * float(copies * cost.parameters + signals + train.steps)
    return len(cohort) * each + 8.0 * cost.largest


def available() -> float | None:
    """Bytes that this process and its children may still use; None where the system does not tell."""
    try:
        lines = dict(line.split(":", 1) for line in _INFO.read_text().splitlines())
        free = 1024.0 * int(lines["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError):
        return None
    try:
        return min(free, float(int(_LIMIT.read_text()) - int(_USED.read_text())))
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def _shown(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
