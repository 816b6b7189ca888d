"""The weights of a run in one .npz file: networks by step -> arrays with a checksum -> networks.

results/<experiment>/weights/<run-id>.npz, which `np.load` opens:
    steps                           after how many steps each was kept, (S,), in order
    inputs                          how many numbers a network takes, n_0
    weights_0, biases_0, ...        as `Ensemble.arrays` names them, a row for each step
    checksum                        a SHA-256 digest of the run's id and all of these

They are files of their own because each command checks the whole file of records. A file that is missing,
damaged or of another run counts as none: the run is trained again.
"""

import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initlab.errors import StorageError, UsageError, require
from initlab.nn.architecture import Size
from initlab.nn.layers import Shape
from initlab.nn.network import Ensemble
from initlab.runner.grid import Run
from initlab.runner.record import Record
from initlab.runner.settings import NetworkSettings

Arrays = dict[str, NDArray[Any]]


def weight_arrays(run_id: str, networks: Mapping[int, Ensemble]) -> Arrays:
    """The arrays of a file.

    Args:
        run_id: of the run.
        networks: the states of its network, by step; none where it diverged before the first of them.
    """
    steps = sorted(networks)
    arrays: Arrays = {"steps": np.array(steps, np.int64)}
    if steps:
        arrays["inputs"] = np.array(networks[steps[0]].sizes[0], np.int64)
        arrays |= Ensemble.stack([networks[step] for step in steps]).arrays()
    return arrays | {"checksum": _checksum(run_id, arrays)}


def is_whole(run_id: str, arrays: Arrays) -> bool:
    """Whether the arrays of a file are as they were written, and of this run."""
    rest = {name: array for name, array in arrays.items() if name != "checksum"}
    has_steps = rest.get("steps", np.empty(())).ndim == 1
    return has_steps and np.array_equal(arrays.get("checksum", ()), _checksum(run_id, rest))


def networks_of(run: Run, arrays: Arrays) -> dict[int, Ensemble]:
    """The states of a run's network, by step.

    Args:
        run: of the file.
        arrays: of a file that is whole.

    Raises:
        StorageError: for arrays of another network.
    """
    steps = arrays["steps"].tolist()
    if not steps:
        return {}
    network = run.settings.network
    given = {name: arrays[name] for name in arrays if name not in ("steps", "inputs", "checksum")}
    try:
        sizes = (_inputs(arrays), *run.sizes[1:])
        # Before room is made for them, so that a file cannot ask for more than it holds.
        shapes = {name: array.shape[1:] for name, array in given.items()}
        require(shapes == _shapes(sizes, network), "other shapes")
        ensemble = _zeros(len(steps), sizes, network, run.settings.train.dtype)
        ensemble.set_arrays(given)
    except UsageError:
        raise StorageError(f"the weights of {run.id} are those of another network; remove them") from None
    return {step: ensemble.keep(np.array([i])) for i, step in enumerate(steps)}


def _inputs(arrays: Arrays) -> int:
    """n_0, which depends on how the images were prepared."""
    inputs = arrays.get("inputs", np.empty(()))
    require(inputs.shape == () and inputs.dtype.kind == "i", "no number of inputs")
    return int(inputs)


def _zeros(
    networks: int, sizes: tuple[Size, ...], settings: NetworkSettings, dtype: str = "float32"
) -> Ensemble:
    return Ensemble.zeros(networks, sizes, settings.activation, dtype, settings.normalization, settings.skip)


@lru_cache(maxsize=256)
def _shapes(sizes: tuple[Size, ...], settings: NetworkSettings) -> dict[str, Shape]:
    """The shapes of the arrays of a network, by name; no room is made for them."""
    return {name: array.shape[1:] for name, array in _zeros(0, sizes, settings).arrays().items()}


def lacks_weights(run: Run, record: Record, arrays: Arrays | None) -> bool:
    """Whether a run must be trained again for its weights.

    Args:
        run: that may ask for them; a failed one has none.
        record: of the run.
        arrays: of its file; None where it is missing or damaged.
    """
    if not run.kept_steps or record.history is None:
        return False
    diverged_at = record.history.diverged_at
    wanted = {step for step in run.kept_steps if diverged_at is None or step <= diverged_at}
    return arrays is None or not wanted <= set(arrays["steps"].tolist())


def weight_bytes(run: Run) -> int:
    """About how many bytes the weights of a run take on the disk."""
    numbers = sum(map(math.prod, _shapes(run.sizes, run.settings.network).values()))
    return len(run.kept_steps) * numbers * np.dtype(run.settings.train.dtype).itemsize


def _checksum(run_id: str, arrays: Arrays) -> NDArray[np.uint8]:
    digest = hashlib.sha256(run_id.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"\0{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return np.frombuffer(digest.digest(), np.uint8)
