"""What does not fit into memory is refused before anything is allocated."""

import subprocess
import sys
from pathlib import Path

import pytest

from initlab.errors import UsageError
from initlab.runner import memory
from initlab.runner.config import load_experiment
from initlab.runner.grid import expand
from initlab.runner.reports import preview
from initlab.runner.sweep import Choice, plan, run_experiment

HUGE = ["network.hidden=30000x2", "sweep.seed=[0, 1]", "sweep.init=[he]", "train.optimizer.name=adam"]


def free(monkeypatch, gigabytes):
    monkeypatch.setattr(memory, "available", lambda: gigabytes * 1e9)


@pytest.mark.parametrize("begin", [run_experiment, preview])
def test_too_large_networks_are_refused_with_numbers(small_config, tmp_path, monkeypatch, begin):
    """900 million parameters, four times in float32: 14.4 GB; signals; and a layer in float64, 7.2 GB."""
    free(monkeypatch, 10)
    with pytest.raises(UsageError, match=r"2 cohorts at a time needs 45\.0 GB .* 10\.0 GB are free; smaller"):
        begin(load_experiment(small_config, HUGE), tmp_path / "r", Choice(jobs=2))
    free(monkeypatch, 30)
    with pytest.raises(UsageError, match="--jobs 1 fits"):
        begin(load_experiment(small_config, HUGE), tmp_path / "r", Choice(jobs=2))
    assert not (tmp_path / "r/small/runs.sqlite").exists()


def test_what_fits_is_trained(small_config, tmp_path, monkeypatch):
    free(monkeypatch, 1)
    assert run_experiment(load_experiment(small_config), tmp_path / "r", Choice(jobs=0)).trained == 6


def test_where_the_system_does_not_tell_nothing_is_refused(small_config, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: None)
    memory.check_memory(plan(expand(load_experiment(small_config, HUGE)), 1), 1)


MEASURE = """
import sys
from pathlib import Path
from initlab.runner.config import load_experiment
from initlab.runner.grid import expand
from initlab.runner.sweep import train_cohort
cohort = tuple(expand(load_experiment(sys.argv[1], sys.argv[2:])))
def most():  # the most memory that this process has had
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = most()
train_cohort(cohort)
print(most() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_estimate_is_near_what_a_training_takes(small_config, optimizer):
    """A little too high here, for it counts an evaluation on 1000 examples, and there are 200."""
    overrides = ["network.hidden=5000x2", "sweep.init=[he]", "sweep.seed=[0]", "train.steps=2", "figures=[]"]
    overrides.append(f"train.optimizer={{name: {optimizer}, lr: 0.001}}")
    command = [sys.executable, "-c", MEASURE, str(small_config), *overrides]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    estimate = memory.needed(expand(load_experiment(small_config, overrides)))
    assert 0.55 < int(done.stdout) / estimate < 1.2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.parametrize("batches", ["with_replacement", "full"])
def test_the_estimate_is_near_what_a_cohort_of_convolutional_networks_takes(batches):
    """Of eight LeNets the largest cohort that is trained at a time."""
    config = str(Path(__file__).parents[2] / "configs/lenet.yaml")
    overrides = [
        "sweep.init=[he, xavier]",
        "train.steps=2",
        "data.train_size=3000",
        f"train.batches={batches}",
    ]
    runs = expand(load_experiment(config, [*overrides, "sweep.seed=[0, 1, 2, 3]"]))
    cohort = max(plan(runs, 1), key=len)
    assert len({run.settings.seed for run in cohort}) == 1
    labels = [run.settings.init.label or str(run.settings.init) for run in cohort]
    own = [*overrides, f"sweep.init=[{', '.join(labels)}]", f"sweep.seed=[{cohort[0].settings.seed}]"]
    command = [sys.executable, "-c", MEASURE, config, *own]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 1 / 1.5 < int(done.stdout) / memory.needed(cohort) < 1.5
