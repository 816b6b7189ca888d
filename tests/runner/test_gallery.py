"""The gallery: an experiment is run, its page and claims are written, and drift is found."""

import json
import subprocess
import sys

import numpy as np
import pytest

from initlab.analysis.claims import Claim
from initlab.errors import UsageError
from initlab.runner.executors import open_processes
from initlab.runner.exhibits import Exhibit
from initlab.runner.gallery import (
    chosen_experiments,
    drifted,
    experiments,
    read_claims,
    write_index,
)
from initlab.runner.store import hold
from initlab.runner.sweep import Choice

SCRIPT = '''"""Is a number what it was?

A number is written down five times."""

from initlab.analysis.claims import Claim
from initlab.runner.exhibits import Exhibit, run_script

CLAIM = Claim("level", "It is level", "nobody", "its height", "near 1", low=0.5, high=1.5)


def main(results="results", quick=False):
    exhibit = Exhibit(results, "level", "Is it level?", __doc__, quick)
    exhibit.table("heights", [{"seed": i, "height": HEIGHT + i / 100} for i in range(5)])
    exhibit.claim(CLAIM, [HEIGHT + i / 100 for i in range(5)])
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
'''


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "experiments").mkdir()
    write_script(tmp_path, 1.0)
    return tmp_path


def write_script(checkout, height):
    (checkout / "experiments" / "level.py").write_text(SCRIPT.replace("HEIGHT", str(height)))


def initlab(checkout, *arguments):
    command = [sys.executable, "-m", "initlab", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=120)


def test_reproduce_writes_page_claims_and_index(checkout):
    done = initlab(checkout, "reproduce")
    assert done.returncode == 0, done.stderr
    folder = checkout / "results" / "level"
    page = (folder / "README.md").read_text()
    assert "# Is it level?" in page
    assert "**confirmed**" in page
    assert "1.02 (95 % interval 1 to 1.04, 5 seeds)" in page
    assert (folder / "heights.csv").read_text().startswith("seed,height\n0,1\n1,1.01\n")
    assert "1 claims: 1 confirmed" in (checkout / "results" / "README.md").read_text()
    told = initlab(checkout, "claims").stdout.splitlines()
    assert told[1].split() == ["level", "confirmed", "level", "1.02", "0.5", "to", "1.5"]
    listed = json.loads(initlab(checkout, "claims", "--json").stdout)
    assert (listed[0]["experiment"], listed[0]["verdict"]) == ("level", "confirmed")


def test_check_names_what_drifted_and_changes_nothing(checkout):
    initlab(checkout, "reproduce")
    committed = (checkout / "results" / "level" / "claims.json").read_bytes()
    assert initlab(checkout, "reproduce", "--check").returncode == 0
    write_script(checkout, 1.2)
    moved = initlab(checkout, "reproduce", "--check")
    assert moved.returncode == 1
    assert "level/level: 1.02 is committed, 1.22 came out" in moved.stdout
    write_script(checkout, 3.0)
    assert "confirmed is committed, refuted came out" in initlab(checkout, "reproduce", "--check").stdout
    assert (checkout / "results" / "level" / "claims.json").read_bytes() == committed


def test_the_quick_form_has_a_folder_of_its_own(checkout):
    assert initlab(checkout, "reproduce", "--quick").returncode == 0
    assert [path.name for path in (checkout / "results").iterdir()] == ["quick"]
    assert "reduced form" in (checkout / "results" / "quick" / "level" / "README.md").read_text()
    assert initlab(checkout, "reproduce", "--quick", "--check").returncode == 0
    assert initlab(checkout, "reproduce", "--check").returncode == 1


def test_experiments_are_listed_with_what_they_are(checkout):
    assert "Is a number what it was?" in initlab(checkout, "reproduce", "--list").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["reproduce", "levle"], "did you mean 'level'"), (["reproduce", "x"], "known: level")],
)
def test_unknown_experiments_are_told(checkout, arguments, told):
    done = initlab(checkout, *arguments)
    assert (done.returncode, told in done.stderr) == (2, True)


def test_outside_a_checkout_the_message_says_so(tmp_path):
    done = initlab(tmp_path, "reproduce")
    assert (done.returncode, "come with a checkout" in done.stderr) == (2, True)
    assert initlab(tmp_path, "claims").returncode == 0


def test_an_experiment_may_not_have_two_claims_of_one_name(tmp_path):
    claim = Claim("one", "It is", "nobody", "it", "so", low=0)
    exhibit = Exhibit(tmp_path, "x", "X", "About x.")
    exhibit.claim(claim, [1, 2, 3, 4, 5])
    with pytest.raises(UsageError, match="two claims called 'one'"):
        exhibit.claim(claim, [1, 2, 3, 4, 5])


def test_a_claim_that_is_in_one_place_alone_has_drifted(tmp_path):
    for name, claims in (("a", ["one"]), ("b", ["one", "two"])):
        exhibit = Exhibit(tmp_path, name, "X", "About x.")
        for claim in claims:
            exhibit.claim(Claim(claim, "It is", "nobody", "it", "so", low=0), [1, 2, 3, 4, 5])
        exhibit.close()
    assert drifted(tmp_path / "a", tmp_path / "b") == ["two: is not in both"]
    assert set(read_claims(tmp_path)) == {"a", "b"}
    write_index(tmp_path)
    assert chosen_experiments([], {"x": tmp_path}) == [tmp_path]
    with pytest.raises(UsageError):
        experiments(tmp_path / "none")


TRAINING = '''"""Is a training kept?

It is."""

from pathlib import Path

import numpy as np

from initlab.analysis.claims import Claim
from initlab.runner.exhibits import Exhibit

CLAIM = Claim("loss", "It falls", "nobody", "loss", "below 1", high=1)


RATE = 10


def scaled(losses):
    return losses / RATE


@np.errstate(all="ignore")
def train(depth):
    with Path("trained.txt").open("a") as log:
        print(depth, file=log)
    return {"loss": [float(scaled(loss)) for loss in np.arange(5) / depth], "scheme": ["he"] * 5}


def main(results, quick):
    exhibit = Exhibit(results, "training_kept", "Kept", __doc__, quick)
    for depth in (1, 2):
        exhibit.claim(Claim(f"loss_{depth}", "It falls", "nobody", "loss", "below 1", high=1),
                      exhibit.kept(train, depth)["loss"])
    if Path("stop").exists():
        raise OSError("interrupted")
    exhibit.claim(CLAIM, exhibit.kept(train, 3)["loss"])
    exhibit.close()
'''


@pytest.fixture
def trainer(checkout):
    (checkout / "experiments" / "training_kept.py").write_text(TRAINING)
    return checkout


def trained(checkout):
    return (checkout / "trained.txt").read_text().split()


def test_what_was_trained_before_a_failure_is_not_trained_again(trainer):
    (trainer / "stop").touch()
    stopped = initlab(trainer, "reproduce")
    assert stopped.returncode == 1
    assert "training_kept failed" in stopped.stderr
    assert "OSError: interrupted" in stopped.stderr
    assert (trainer / "results" / "level" / "claims.json").exists()  # the other went on
    assert trained(trainer) == ["1", "2"]
    (trainer / "stop").unlink()
    assert initlab(trainer, "reproduce").returncode == 0
    assert trained(trainer) == ["1", "2", "3"]
    assert initlab(trainer, "reproduce", "--check").returncode == 0
    assert trained(trainer) == ["1", "2", "3", "1", "2", "3"]  # a check measures anew


def test_changed_code_and_damaged_files_do_not_bring_old_numbers(trainer):
    initlab(trainer, "reproduce", "training_kept")
    folder = trainer / "results" / "training" / "training_kept"
    damaged, *_ = sorted(folder.glob("*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    initlab(trainer, "reproduce", "training_kept")
    assert len(trained(trainer)) == 4
    script = trainer / "experiments" / "training_kept.py"
    script.write_text(script.read_text().replace("RATE = 10", "RATE = 5"))
    initlab(trainer, "reproduce", "training_kept")
    assert len(trained(trainer)) == 7
    script.write_text(script.read_text().replace('"Kept", __doc__', '"Kept still", __doc__'))
    initlab(trainer, "reproduce", "training_kept")
    assert len(trained(trainer)) == 7  # what the training does not use may change
    script.write_text(script.read_text().replace("RATE = 5", "RATE = 6"))
    initlab(trainer, "reproduce", "training_kept")
    assert len(trained(trainer)) == 10
    script.write_text(script.read_text().replace("/ RATE", "/ RATE * 2"))
    initlab(trainer, "reproduce", "training_kept")
    assert len(trained(trainer)) == 13
    assert len(list(folder.glob("*.npz"))) == 3


def test_the_number_of_workers_changes_no_byte(trainer):
    def files(folder):
        return {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.suffix != ".lock"
            if path.is_file()
        }

    for jobs in ("0", "1", "2"):
        assert initlab(trainer, "reproduce", "--jobs", jobs, "--results", jobs).returncode == 0
    assert files(trainer / "0") == files(trainer / "1") == files(trainer / "2")
    assert len(files(trainer / "0")) > 6


def test_kept_arrays_come_back_as_they_were(tmp_path):
    measured = {"a": np.array([1.5, np.nan], "float32"), "b": ["he", "std=0.01"]}

    def measure(_depth, _rates):
        return measured

    for _ in range(2):
        arrays = Exhibit(tmp_path, "x", "X", "About x.").kept(measure, 3, (0.1, 0.2))
        assert arrays["a"].tobytes() == measured["a"].tobytes()
        assert arrays["b"].tolist() == measured["b"]
        assert set(arrays) == {"a", "b"}


def test_one_experiment_at_a_time_goes_into_a_folder(trainer):
    with hold(trainer / "results" / "training" / "locks" / "level"):
        done = initlab(trainer, "reproduce")
    assert done.returncode == 1
    assert "level failed: results/training/locks/level: another initlab is at work on it" in done.stderr
    assert "Traceback" not in done.stderr
    assert (trainer / "results" / "training_kept" / "claims.json").exists()


def test_claims_of_chosen_experiments(trainer):
    initlab(trainer, "reproduce")
    done = initlab(trainer, "claims", "level")
    assert (len(done.stdout.splitlines()), "1 claims: 1 confirmed" in done.stderr) == (2, True)
    assert "did you mean 'level'" in initlab(trainer, "claims", "levle").stderr


def alone():
    return Choice().alone


def test_a_worker_starts_no_workers_of_its_own():
    assert not alone()
    with open_processes(1) as executor:
        assert executor.submit(alone).result()


def test_results_that_cannot_be_written_are_told(checkout):
    (checkout / "file").touch()
    done = initlab(checkout, "reproduce", "--results", "file")
    assert (done.returncode, "Traceback" in done.stderr) == (5, False)
    assert "file" in done.stderr
