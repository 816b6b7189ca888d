"""A record's bytes, however the work was spread, ordered, cut, or moved."""

import random
import shutil
import socket
import subprocess
import sys
import time

import pytest
from conftest import record_bytes

from initlab.errors import StorageError, UsageError
from initlab.runner import executors, sweep
from initlab.runner.config import load_experiment
from initlab.runner.grid import cohorts
from initlab.runner.sweep import Choice, run_experiment


@pytest.fixture
def experiment(small_config):
    return load_experiment(small_config)


@pytest.fixture
def expected(experiment, tmp_path):
    run_experiment(experiment, tmp_path / "expected", Choice(jobs=0))
    return record_bytes(tmp_path / "expected/small")


@pytest.fixture
def dask_cluster():
    """The address of a scheduler with two workers, each a process of its own; and the workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1"]
    options = ["--no-dashboard"]
    commands = [[*scheduler, "--port", str(port), *options], *[[*worker, *options]] * 2]
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    yield address, processes[1:]
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_processes(experiment, expected, tmp_path, jobs):
    run_experiment(experiment, tmp_path / "r", Choice(jobs=jobs))
    assert record_bytes(tmp_path / "r/small") == expected


@pytest.mark.filterwarnings("default")
def test_dask_with_code_of_ones_own(small_config, tmp_path, dask_cluster):
    file = tmp_path / "mine.py"
    file.write_text(
        "def bent(z): return abs(z) / 2\ndef draws(rng, shape): return rng.normal(0, 0.3, shape)\n"
    )
    changes = [f"sweep.init=[he, {file}:draws]", f"network.activation={file}:bent", "name=small"]
    experiment = load_experiment(small_config, changes)
    file.unlink()
    run_experiment(experiment, tmp_path / "expected", Choice(jobs=0))
    outcome = run_experiment(experiment, tmp_path / "r", Choice(dask=dask_cluster[0]))
    assert not outcome.failed
    assert record_bytes(tmp_path / "r/small") == record_bytes(tmp_path / "expected/small")


@pytest.mark.filterwarnings("default")
def test_dask_with_two_workers(experiment, expected, tmp_path, dask_cluster):
    address, _ = dask_cluster
    run_experiment(experiment, tmp_path / "r", Choice(dask=address))
    assert record_bytes(tmp_path / "r/small") == expected


@pytest.mark.filterwarnings("default")
def test_dask_with_a_worker_that_is_killed(small_config, tmp_path, dask_cluster):
    address, workers = dask_cluster
    longer = load_experiment(small_config, ["name=small", "train.steps=3000", "sweep.seed=[0, 1, 2, 3]"])
    run_experiment(longer, tmp_path / "expected", Choice(jobs=0))

    def kill_one(done, _total):
        if done:
            workers[0].kill()

    outcome = run_experiment(longer, tmp_path / "r", Choice(dask=address), kill_one)
    assert not outcome.failed
    assert record_bytes(tmp_path / "r/small") == record_bytes(tmp_path / "expected/small")
    assert workers[0].wait() != 0


@pytest.mark.filterwarnings("default")
def test_dask_without_workers_is_waited_for_but_not_for_ever(
    experiment, tmp_path, dask_cluster, monkeypatch, caplog
):
    address, workers = dask_cluster
    for worker in workers:
        worker.kill()
        worker.wait()
    monkeypatch.setattr(executors, "SECONDS_TO_GAIN_WORKERS", 2)
    with pytest.raises(StorageError, match="no workers yet after 2 s; start some") as error:
        run_experiment(experiment, tmp_path, Choice(dask=address))
    assert error.value.exit_code == 5
    assert "no workers yet; waiting 2 s for one" in caplog.text


@pytest.mark.parametrize("size", [1, 2, 3])
def test_shuffled_and_cut_differently(experiment, expected, tmp_path, monkeypatch, size):
    def shuffled(runs, _workers):
        runs = random.Random(size).sample(runs, len(runs))
        return random.Random(size).sample(groups := cohorts(runs, size), len(groups))

    monkeypatch.setattr(sweep, "plan", shuffled)
    run_experiment(experiment, tmp_path / "r", Choice(jobs=0))
    assert record_bytes(tmp_path / "r/small") == expected


def test_a_folder_moved_with_its_data_needs_no_training(small_data, expected, tmp_path):
    shutil.move(tmp_path / "expected", tmp_path / "elsewhere")
    (tmp_path / "new").mkdir()
    shutil.move(small_data, tmp_path / "new/data")
    moved = load_experiment(tmp_path / "small.yaml", [f"data.path={tmp_path}/new/data"])
    outcome = run_experiment(moved, tmp_path / "elsewhere", Choice(jobs=0))
    assert outcome.trained == 0
    assert record_bytes(tmp_path / "elsewhere/small") == expected


def test_no_scheduler_is_reported_in_words(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "_SECONDS_TO_REACH_DASK", 1)
    start = time.monotonic()
    with pytest.raises(StorageError, match="no scheduler answers"):
        run_experiment(experiment, tmp_path, Choice(dask="tcp://127.0.0.1:9"))
    assert time.monotonic() - start < 30
    with pytest.raises(UsageError, match="--dask nonsense"):
        run_experiment(experiment, tmp_path, Choice(dask="nonsense://x"))
