"""The driver killed at any moment, workers killed, signals: nothing is lost, nothing trained twice.

pytest tests/faults -m long        # the long form
"""

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
from conftest import record_bytes
from faults import tasks

from initlab.runner import sweep
from initlab.runner.config import load_experiment
from initlab.runner.store import Store
from initlab.runner.sweep import Choice, run_experiment

DRIVER = """
import os, signal, sys
from initlab import files
from initlab.cli import main

left = int(sys.argv.pop(1))
def checkpoint(step, path):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
files.checkpoint = checkpoint
main()
print("steps", -left, file=sys.stderr)
"""
# main() leaves by sys.exit only when something is wrong or by typer's own, so count on the way out too.
COUNTER = DRIVER.replace("main()\n", "try: main()\nexcept SystemExit: pass\n")


def drive(steps, config, results, *arguments):
    """Run the command in this process's place, to be killed at that step of writing."""
    command = [sys.executable, "-c", COUNTER, str(steps), "run", config, "--results", results, "--jobs", "0"]
    return subprocess.run([*map(str, command), *arguments], capture_output=True, text=True, timeout=120)


def command(config, results, *arguments):
    words = ["run", config, "--results", results, *arguments]
    return [sys.executable, "-m", "initlab", *map(str, words)]


def finished(results):
    return {name for name, record in Store(results, "small").records() if record is not None}


def check_mended(config, results, expected, kept, *overrides):
    """Run again: exactly what had no record is trained, and all records are those of an undisturbed run."""
    again = run_experiment(load_experiment(config, overrides), results, Choice(jobs=0))
    assert again.reused == len(kept)
    assert record_bytes(results / "small") == expected
    assert not list(results.rglob("*.part"))


@pytest.fixture
def expected(small_config, tmp_path):
    def of(*overrides):
        folder = tmp_path / "expected"
        run_experiment(load_experiment(small_config, overrides), folder, Choice(jobs=0))
        return record_bytes(folder / "small")

    return of


def kill_at_each_step(small_config, tmp_path, expected, stride, *overrides):
    arguments = [word for override in overrides for word in ("--set", override)]
    records = expected(*overrides)
    stderr = drive(10**6, small_config, tmp_path / "count", *arguments).stderr
    steps = 10**6 - int(stderr.rpartition("steps")[2].strip().lstrip("-"))
    assert steps > 20
    for step in range(1, steps + 1, stride):
        results = tmp_path / f"kill{step}"
        died = drive(step, small_config, results, *arguments)
        assert died.returncode == -signal.SIGKILL
        check_mended(small_config, results, records, finished(results), *overrides)


TWO_RUNS = ("name=small", "sweep.init=[he]", "train.steps=20", "figures=[]")


def test_killed_at_every_fifth_step_of_writing(small_config, tmp_path, expected):
    kill_at_each_step(small_config, tmp_path, expected, 5, *TWO_RUNS)


def test_killed_while_weights_are_written(small_config, tmp_path, expected):
    """Whoever has a record has weights; at the end the files are those of an undisturbed run."""
    overrides = (*TWO_RUNS, "save_weights=[0, last]")
    kill_at_each_step(small_config, tmp_path, expected, 3, *overrides)
    files = {path.name: path.read_bytes() for path in (tmp_path / "expected/small/weights").iterdir()}
    assert len(files) == 2
    for weights in tmp_path.glob("kill*/small/weights"):
        assert {path.name: path.read_bytes() for path in weights.iterdir()} == files


@pytest.mark.long
def test_killed_at_every_step_of_writing(small_config, tmp_path, expected):
    kill_at_each_step(small_config, tmp_path, expected, 1, "name=small", "train.steps=20")


LONGER = ("name=small", "train.steps=1500", "sweep.seed=[0, 1, 2, 3, 4, 5]")
LONGER_ARGUMENTS = [word for override in LONGER for word in ("--set", override)]


def wait_for(path):
    """Until the command is past Python's own start, whose answer to a signal is not ours."""
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def end_at_a_random_moment(small_config, results, sent, delay):
    """Start with two workers, send the signal, and return the exit code once no process is left."""
    words = command(small_config, results, "--jobs", "2", *LONGER_ARGUMENTS)
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    wait_for(results / "small")
    time.sleep(delay)
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(sent)
    stderr = process.communicate(timeout=60)[1]
    if sent != signal.SIGKILL:  # a worker that was just starting may say that its driver is gone
        assert "Traceback" not in stderr
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    return process.returncode


def end_and_mend(small_config, tmp_path, expected, sent, code, times):
    records, rng, codes = expected(*LONGER), random.Random(int(sent)), set()
    for i in range(times):
        results = tmp_path / f"ended{i}"
        ended = end_at_a_random_moment(small_config, results, sent, rng.uniform(0, 2))
        if ended == -sent != code:  # Python has taken its handlers down: the command had done its work
            assert len(finished(results)) == 18
            ended = 0
        codes.add(ended)
        check_mended(small_config, results, records, finished(results), *LONGER)
    assert codes <= {code, 0}
    assert code in codes


SIGNALS = [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_ended_at_random_moments(small_config, tmp_path, expected, sent, code):
    end_and_mend(small_config, tmp_path, expected, sent, code, 3)


@pytest.mark.long
@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_ended_at_fifty_random_moments(small_config, tmp_path, expected, sent, code):
    end_and_mend(small_config, tmp_path, expected, sent, code, 50)


@pytest.mark.parametrize("delay", [0.2, 0.4, 0.6, 0.8, 1.5])
def test_interrupted_as_from_a_terminal(small_config, tmp_path, delay):
    """Ctrl-C goes to every process of the group; the workers stay silent, those that are starting, too."""
    words = command(
        small_config, tmp_path / "r", "--jobs", "2", *LONGER_ARGUMENTS, "--set", "train.steps=20000"
    )
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(tmp_path / "r" / "small")
    time.sleep(delay)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert not psutil.wait_procs(children, timeout=20)[1]


def test_interrupted_while_a_worker_is_stopped(small_config, tmp_path):
    """A stopped process answers nothing but SIGKILL."""
    words = command(
        small_config, tmp_path / "r", "--jobs", "2", *LONGER_ARGUMENTS, "--set", "train.steps=20000"
    )
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    wait_for(tmp_path / "r" / "small")
    time.sleep(1.5)
    children = psutil.Process(process.pid).children(recursive=True)
    for child in children:
        if "spawn_main" in " ".join(child.cmdline()):  # a worker, and not Python's tracker of resources
            child.suspend()
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert (process.returncode, "Traceback" in stderr) == (130, False)
    assert children
    assert not psutil.wait_procs(children, timeout=20)[1]


@pytest.fixture
def tried(small_config, tmp_path, monkeypatch):
    """Run the small experiment with another task for the workers."""

    def run(task, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setattr(sweep, "train_cohort", task)
        return run_experiment(load_experiment(small_config), tmp_path / "r", Choice(jobs=2))

    return run


def test_a_killed_worker_is_replaced_and_its_cohort_tried_again(tried, tmp_path, expected):
    outcome = tried(tasks.kill_worker_once, INITLAB_TEST_MARK=tmp_path / "mark")
    assert (tmp_path / "mark").exists()
    assert not outcome.failed
    assert record_bytes(tmp_path / "r/small") == expected()


def test_runs_that_kill_their_workers_are_failed_and_the_rest_goes_on(tried, tmp_path, expected):
    whole = expected()
    outcome = tried(tasks.kill_worker_of_seed_one)
    assert {record.identity["seed"] for record in outcome.failed} == {1}
    assert {record.cause for record in outcome.failed} == {"killed its worker 2 times"}
    ours = record_bytes(tmp_path / "r/small")
    assert all(ours[name] == whole[name] for name in whole if "seed0" in name)


def test_one_that_fails_takes_no_other_of_its_cohort_along(tried, monkeypatch):
    monkeypatch.setattr(sweep, "plan", lambda runs, _: sweep.cohorts(runs, 3))
    outcome = tried(tasks.fail_for_he)
    assert {record.cause for record in outcome.failed} == {"RuntimeError: no such luck with He"}
    assert {record.identity["init"]["scheme"] for record in outcome.failed} == {"he"}
    assert len(outcome.failed) == 2


def test_a_failure_never_replaces_a_finished_record(small_config, tmp_path, monkeypatch, expected):
    whole = expected()
    experiment = load_experiment(small_config)
    run_experiment(experiment, tmp_path / "r", Choice(jobs=0))
    monkeypatch.setattr(sweep, "train_cohort", tasks.fail_for_he)
    run_experiment(experiment, tmp_path / "r", Choice(jobs=0, force=True))
    assert record_bytes(tmp_path / "r/small") == whole


def test_workers_that_cannot_start_are_no_fault_of_the_runs(small_config, tmp_path):
    """A script without the guard that spawned processes need, read from standard input."""
    script = "from initlab import *\nfrom initlab.runner.sweep import Choice\n"
    script += (
        f"run_experiment(load_experiment({str(small_config)!r}), {str(tmp_path / 'r')!r}, Choice(jobs=1))"
    )
    done = subprocess.run([sys.executable], input=script, capture_output=True, text=True, timeout=120)
    assert "no worker process can start" in done.stderr
    assert not Store(tmp_path / "r", "small").run_ids()


def test_failed_runs_are_tried_again_on_request(tried, small_config, tmp_path, expected, monkeypatch):
    tried(tasks.fail_for_he)
    monkeypatch.setattr(sweep, "train_cohort", tasks.train_cohort)
    experiment = load_experiment(small_config)
    left = run_experiment(experiment, tmp_path / "r", Choice(jobs=0))
    assert (left.trained, len(left.failed)) == (0, 2)
    again = run_experiment(experiment, tmp_path / "r", Choice(jobs=0, retry_failed=True))
    assert (again.trained, again.failed) == (2, [])
    assert record_bytes(tmp_path / "r/small") == expected()


def test_forced_runs_are_trained_again_to_the_same_bytes(small_config, tmp_path, expected):
    experiment = load_experiment(small_config)
    for _ in range(2):
        outcome = run_experiment(experiment, tmp_path / "r", Choice(jobs=0, force=True))
        assert outcome.trained == 6
        assert record_bytes(tmp_path / "r/small") == expected()


def start_many(count, words):
    processes = [
        subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        for _ in range(count)
    ]
    return [(process.communicate(timeout=120)[1], process.returncode) for process in processes]


@pytest.mark.parametrize("count", [2, 8])
def test_many_commands_at_once_train_each_run_once(small_config, tmp_path, expected, count):
    commands = start_many(count, command(small_config, tmp_path / "r", "--jobs", "1"))
    assert {code for _, code in commands} <= {0, 4}
    trained = [int(stderr.split(" runs trained")[0].split()[-1]) for stderr, code in commands if code == 0]
    assert sum(trained) == 6
    assert all("another initlab is at work" in stderr for stderr, code in commands if code == 4)
    assert record_bytes(tmp_path / "r/small") == expected()


def test_the_lock_of_a_killed_holder_needs_no_removal(small_config, tmp_path):
    end_at_a_random_moment(small_config, tmp_path / "r", signal.SIGKILL, 1.5)
    done = subprocess.run(
        command(small_config, tmp_path / "r", *LONGER_ARGUMENTS), capture_output=True, timeout=120
    )
    assert done.returncode == 0
