"""Full disks, folders that cannot be written, damaged records."""

import random
import subprocess
import sys

import pytest
from conftest import record_bytes

from initlab import files
from initlab.errors import StorageError
from initlab.runner.config import load_experiment
from initlab.runner.reports import run_rows
from initlab.runner.store import Store
from initlab.runner.sweep import Choice, run_experiment

HERE = Choice(jobs=0)


@pytest.fixture
def experiment(small_config):
    return load_experiment(small_config)


@pytest.fixture
def expected(experiment, tmp_path):
    run_experiment(experiment, tmp_path / "expected", HERE)
    return record_bytes(tmp_path / "expected/small")


def initlab_run(config, results):
    words = ["run", config, "--results", results, "--jobs", "1"]
    command = [sys.executable, "-m", "initlab", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def mounted(tmp_path):
    """Mount a small file system in memory, where the system lets us."""
    folder = tmp_path / "mounted"
    folder.mkdir()

    def mount(*options):
        words = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        done = subprocess.run(words, capture_output=True)
        if done.returncode:
            pytest.skip("needs the right to mount")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True)


def check_reported(done):
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("initlab:")]) == 1


@pytest.mark.parametrize("kilobytes", [4, 16, 32, 48, 64, 96, 128])
def test_a_full_disk_loses_nothing_and_is_mended_by_room(small_config, expected, mounted, kilobytes):
    folder = mounted(f"size={kilobytes}k")
    done = initlab_run(small_config, folder)
    check_reported(done)
    assert "No space left" in done.stderr
    kept = {name for name, record in Store(folder, "small").records() if record is not None}
    subprocess.run(["mount", "-o", "remount,size=10m", str(folder)], check=True)
    again = initlab_run(small_config, folder)
    assert again.returncode == 0, again.stderr
    assert f"{len(kept)} had a record already" in again.stderr
    assert record_bytes(folder / "small") == expected


def test_a_disk_that_fills_at_each_step_of_writing(small_config, tmp_path, monkeypatch):
    experiment = load_experiment(small_config, ["sweep.init=[he]", "train.steps=20", "figures=[]"])
    run_experiment(experiment, tmp_path / "expected", HERE)
    expected = record_bytes(tmp_path / "expected/small")
    for failing in range(1, 200):
        left = failing

        def checkpoint(_step, path):
            nonlocal left
            left -= 1
            if left == 0:
                raise OSError(28, "No space left on device", str(path))

        monkeypatch.setattr(files, "checkpoint", checkpoint)
        results = tmp_path / f"r{failing}"
        try:
            run_experiment(experiment, results, HERE)
            break
        except StorageError as error:
            message = str(error)
        assert "No space left on device" in message
        monkeypatch.setattr(files, "checkpoint", lambda _step, _path: None)
        run_experiment(experiment, results, HERE)
        assert record_bytes(results / "small") == expected
    assert failing > 30


def test_a_read_only_folder(small_config, mounted):
    done = initlab_run(small_config, mounted("ro"))
    check_reported(done)
    assert "Read-only file system" in done.stderr


def test_a_file_in_the_place_of_each_folder(small_config, expected, tmp_path):
    for place in ("r", "r/small", "r/small/runs"):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("in the way")
        check_reported(initlab_run(small_config, tmp_path / "r"))
        assert file.read_text() == "in the way"
        file.unlink()
    assert initlab_run(small_config, tmp_path / "r").returncode == 0
    assert record_bytes(tmp_path / "r/small") == expected


class TestDamage:
    @pytest.fixture
    def store(self, experiment, tmp_path):
        run_experiment(experiment, tmp_path / "r", HERE)
        return Store(tmp_path / "r", "small")

    def check_noticed(self, store, name):
        assert store.load(name) is None
        outcomes = {row["run"]: row["outcome"] for row in run_rows(store)}
        assert outcomes.pop(name) == "damaged"
        assert len(outcomes) == 5
        assert "damaged" not in outcomes.values()

    def test_cut_off_at_every_byte(self, store, experiment, tmp_path, expected):
        name = store.run_ids()[0]
        for file in (store.runs / name / "record.json", store.runs / name / "losses.npy"):
            content = file.read_bytes()
            for length in range(len(content)):
                file.write_bytes(content[:length])
                assert store.load(name) is None or content[:length].strip() == content.strip()
            file.write_bytes(content[: len(content) // 2])
            self.check_noticed(store, name)
            assert run_experiment(experiment, tmp_path / "r", HERE).trained == 1
        assert record_bytes(tmp_path / "r/small") == expected

    def test_five_hundred_random_flips(self, store, experiment, tmp_path, expected):
        rng = random.Random(0)
        for i in range(500):
            name = rng.choice(store.run_ids())
            file = store.runs / name / rng.choice(["record.json", "losses.npy"])
            whole = file.read_bytes()
            content = bytearray(whole)
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            file.write_bytes(content)
            assert store.load(name) is None or content.split() == whole.split()
            if i % 50 == 0:
                assert run_experiment(experiment, tmp_path / "r", HERE).trained <= 1
                assert record_bytes(tmp_path / "r/small") == expected or store.load(name) is not None
            file.write_bytes(whole)

    @pytest.mark.parametrize("content", [b"null", b"[]", b"{}", b'{"checksum": 1}', b"[" * 100_000, b"\xff"])
    def test_other_content(self, store, content):
        name = store.run_ids()[0]
        (store.runs / name / "record.json").write_bytes(content)
        self.check_noticed(store, name)

    def test_a_record_of_another_run_in_its_place(self, store):
        victim, source = store.run_ids()[:2]
        for file in ("record.json", "losses.npy"):
            (store.runs / victim / file).write_bytes((store.runs / source / file).read_bytes())
        self.check_noticed(store, victim)

    def test_damaged_provenance_bears_on_nothing(self, store, experiment, tmp_path, expected):
        for file in [store.folder / "provenance.json", *store.runs.glob("*/provenance.json")]:
            file.write_bytes(b"{")
        assert run_experiment(experiment, tmp_path / "r", HERE).trained == 0
        assert store.provenance(store.run_ids()[0]) == {}
        (store.runs / ".DS_Store").write_text("stray")
        run_experiment(experiment, tmp_path / "r", Choice(jobs=0, force=True))
        assert "host" in store.provenance(store.run_ids()[0])
        assert (store.folder / "provenance.damaged.json").read_bytes() == b"{"
        assert len(store.run_ids()) == 6
        (store.runs / ".DS_Store").unlink()
        assert record_bytes(tmp_path / "r/small") == expected
