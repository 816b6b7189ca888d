"""Full disks, folders that cannot be written, damaged records."""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest
from conftest import changed, record_bytes

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


@pytest.mark.long
def test_a_disk_that_another_fills_at_random_moments(small_config, tmp_path, mounted):
    overrides = ("name=small", "train.steps=1500", "sweep.seed=[0, 1, 2, 3, 4, 5]")
    words = [word for override in overrides for word in ("--set", override)]
    run_experiment(load_experiment(small_config, overrides), tmp_path / "expected", HERE)
    folder, rng, codes = mounted("size=10m"), random.Random(0), set()
    for i in range(20):
        results = folder / f"r{i}"
        command = [sys.executable, "-m", "initlab", "run", small_config, "--results", results, *words]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        time.sleep(rng.uniform(0, 5))
        subprocess.run(["cp", "/dev/zero", folder / "filler"], stderr=subprocess.DEVNULL)
        stderr = process.communicate(timeout=60)[1]
        assert "Traceback" not in stderr
        codes.add(process.returncode)
        kept = [record for _, record in Store(results, "small").records() if record is not None]
        (folder / "filler").unlink()
        assert run_experiment(load_experiment(small_config, overrides), results, HERE).reused == len(kept)
        assert record_bytes(results / "small") == record_bytes(tmp_path / "expected/small")
        shutil.rmtree(results)
    assert codes == {0, 5}


def test_a_disk_that_fills_at_each_step_of_writing(small_config, tmp_path, monkeypatch):
    experiment = load_experiment(
        small_config, ["name=small", "sweep.init=[he]", "train.steps=20", "figures=[]"]
    )
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
    assert failing > 25


def test_a_read_only_folder(small_config, mounted):
    done = initlab_run(small_config, mounted("ro"))
    check_reported(done)
    assert "Read-only file system" in done.stderr


def test_a_file_in_the_place_of_each_folder(small_config, expected, tmp_path):
    for place in ("r", "r/small"):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("in the way")
        check_reported(initlab_run(small_config, tmp_path / "r"))
        assert file.read_text() == "in the way"
        file.unlink()
    (tmp_path / "r/small/runs.sqlite").mkdir(parents=True)
    check_reported(initlab_run(small_config, tmp_path / "r"))
    (tmp_path / "r/small/runs.sqlite").rmdir()
    assert initlab_run(small_config, tmp_path / "r").returncode == 0
    assert record_bytes(tmp_path / "r/small") == expected


class TestDamage:
    """Whatever befell the file: a record is right or missing, and what is left is kept."""

    @pytest.fixture
    def store(self, experiment, tmp_path):
        run_experiment(experiment, tmp_path / "r", HERE)
        return Store(tmp_path / "r", "small")

    @pytest.fixture
    def whole(self, store):
        return {name: described(record) for name, record in store.records()}

    def left(self, store, whole):
        """The runs whose records are still right; no other is read."""
        read = {name: record for name, record in store.records(whole) if record is not None}
        assert {name: described(record) for name, record in read.items()} == {n: whole[n] for n in read}
        assert {row["run"] for row in run_rows(store)} >= set(read)
        return len(read)

    def check_mended(self, store, experiment, left, expected):
        outcome = run_experiment(experiment, store.folder.parent, HERE)
        assert outcome.trained == 6 - left
        assert record_bytes(store.folder) == expected

    def test_cut_off_anywhere(self, store, whole, experiment, expected):
        content, set_aside = store.runs.path.read_bytes(), 0
        for i, length in enumerate(range(1, len(content), 509)):
            store.runs.path.write_bytes(content[:length])
            left = self.left(store, whole)
            if i % 4 == 0:
                self.check_mended(store, experiment, left, expected)
                for aside in store.folder.glob("runs.damaged-*.sqlite"):
                    assert aside.read_bytes() == content[:length]
                    aside.unlink()
                    set_aside += 1
        assert set_aside >= 5

    def test_five_hundred_random_flips(self, store, whole, experiment, expected):
        rng, content, hit = random.Random(0), store.runs.path.read_bytes(), 0
        for i in range(500):
            flipped = bytearray(content)
            flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            store.runs.path.write_bytes(flipped)
            left = self.left(store, whole)
            hit += left < 6
            if i % 25 == 0:
                self.check_mended(store, experiment, left, expected)
        assert hit > 50

    @pytest.mark.parametrize("content", [b"", b"null", b"SQLite format 3\0", b"\xff" * 9000])
    def test_other_content(self, store, whole, experiment, expected, content):
        store.runs.path.write_bytes(content)
        assert self.left(store, whole) == 0
        self.check_mended(store, experiment, 0, expected)
        assert {file.read_bytes() for file in store.folder.glob("runs.damaged-*")} == {content}

    def test_other_tables(self, store, whole, experiment, expected):
        """A trigger would act when a row is written: only our own tables are used."""
        with changed(store.folder) as connection:
            connection.execute(
                "CREATE TRIGGER evil AFTER INSERT ON training BEGIN UPDATE record SET seed = 9; END"
            )
        self.check_mended(store, experiment, self.left(store, whole), expected)

    def test_a_newer_file_is_refused_and_left_as_it_is(self, store, experiment):
        with changed(store.folder) as connection:
            connection.execute("PRAGMA user_version = 99")
        content = store.runs.path.read_bytes()
        with pytest.raises(StorageError, match="written by a newer initlab"):
            run_experiment(experiment, store.folder.parent, HERE)
        assert store.runs.path.read_bytes() == content

    def test_damaged_provenance_bears_on_nothing(self, store, experiment, tmp_path, expected):
        (store.folder / "provenance.json").write_bytes(b"{")
        with changed(store.folder) as connection:
            connection.execute("DELETE FROM training")
        assert run_experiment(experiment, tmp_path / "r", HERE).trained == 0
        assert store.provenance(store.run_ids()[0]) == {}
        run_experiment(experiment, tmp_path / "r", Choice(jobs=0, force=True))
        assert "host" in store.provenance(store.run_ids()[0])
        assert (store.folder / "provenance.damaged.json").read_bytes() == b"{"
        assert record_bytes(tmp_path / "r/small") == expected


def described(record):
    history = record.history
    numbers = (history.test_loss, history.test_accuracy, history.diverged_at)
    return record.identity, record.outcome, numbers, history.losses.tobytes()


def die_in_a_transaction(path, journal):
    """Leave file and journal as a driver killed between writing its rows and removing the journal does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")  # so that the journal is written before the end
        connection.execute("BEGIN")
        connection.execute("CREATE TEMP TABLE more AS SELECT * FROM record")
        for i in range(10):
            connection.execute(f"UPDATE more SET id = {i} || id")
            connection.execute("INSERT INTO record SELECT * FROM more")
        left = journal.read_bytes()
        connection.execute("COMMIT")
    journal.write_bytes(left)
    return left


class TestElsewhere:
    """A folder that was received from somebody."""

    @pytest.fixture
    def store(self, experiment, tmp_path):
        run_experiment(experiment, tmp_path / "r", HERE)
        return Store(tmp_path / "r", "small")

    @pytest.mark.parametrize("name", ["runs.sqlite", "runs.sqlite-journal"])
    def test_links_and_devices_are_not_opened(self, store, experiment, tmp_path, name):
        path, victim = store.folder / name, tmp_path / "victim"
        victim.write_bytes(store.runs.path.read_bytes())
        path.unlink(missing_ok=True)
        for make in (lambda: path.symlink_to(victim), lambda: os.mkfifo(path)):
            make()
            with pytest.raises(StorageError, match="not a regular file"):
                list(store.records())
            with pytest.raises(StorageError, match="not a regular file"):
                run_experiment(experiment, store.folder.parent, HERE)
            path.unlink()

    def test_a_journal_deletes_no_other_file(self, store, experiment, tmp_path):
        """SQLite deletes the file that a journal names at its end."""
        victim = tmp_path / "victim"
        victim.write_text("precious")
        name = str(victim).encode()
        end = len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big")
        magic = bytes.fromhex("d9d505f920a163d7")
        journal = store.runs.path.with_name("runs.sqlite-journal")
        journal.write_bytes(magic + bytes(504) + (1 << 30).to_bytes(4, "big") + name + end + magic)
        for attempt in (store.run_ids, lambda: run_experiment(experiment, store.folder.parent, HERE)):
            with pytest.raises(StorageError, match="not written by initlab"):
                attempt()
        assert victim.read_text() == "precious"

    def test_what_a_killed_driver_had_not_committed_is_not_read(self, store, experiment):
        """The next run undoes it; who reads before says the same, and leaves the folder as it is."""
        before = store.run_ids()
        journal = store.runs.path.with_name("runs.sqlite-journal")
        left = die_in_a_transaction(store.runs.path, journal)
        assert store.run_ids() == before == [name for name, record in store.records() if record is not None]
        assert journal.read_bytes() == left
        assert run_experiment(experiment, store.folder.parent, HERE).trained == 0
        assert not journal.exists()

    def test_a_link_in_the_place_of_the_old_folder_is_not_followed(self, store, experiment, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        (store.folder / "runs").symlink_to(tmp_path / "elsewhere")
        run_experiment(experiment, store.folder.parent, HERE)
        assert (store.folder / "runs").is_symlink()


def old_folder(store, record):
    """As versions before 1.0 wrote a record."""
    folder = store.folder / "runs" / record.id
    folder.mkdir(parents=True)
    np.save(folder / "losses.npy", record.history.losses)
    losses = hashlib.sha256((folder / "losses.npy").read_bytes()).hexdigest()
    tree = {"format": 1, "id": record.id, "identity": record.identity, "outcome": record.outcome}
    tree |= {**record.numbers(), "cause": None, "files": {"losses.npy": losses}}
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    tree["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "record.json").write_text(json.dumps(tree, indent=1))
    (folder / "provenance.json").write_text('{"session": "then", "finished": "2026-01-01"}')


def test_folders_of_older_versions_are_taken_over_once(experiment, expected, tmp_path):
    run_experiment(experiment, tmp_path / "r", HERE)
    store = Store(tmp_path / "r", "small")
    records = [record for _, record in store.records()]
    store.runs.path.unlink()
    for record in records:
        old_folder(store, record)
    damaged = store.folder / "runs" / records[0].id / "losses.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    odd = '{"session": ["no text"], "finished": {}, "cohort_seconds": 1' + 30 * "0" + "}"
    (store.folder / "runs" / records[2].id / "provenance.json").write_text(odd)
    assert run_experiment(experiment, tmp_path / "r", HERE).trained == 1
    assert record_bytes(store.folder) == expected
    assert store.runs.training(records[1].id)["finished"] == "2026-01-01"
    assert {path.name for path in (store.folder / "runs.before").iterdir()} == set(expected)
    assert run_experiment(experiment, tmp_path / "r", HERE).trained == 0


@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_a_damaged_file_of_records_is_told_by_every_command(small_config, tmp_path, initlab_here, damage):
    results = ("--results", tmp_path)
    initlab_here("run", small_config, "--jobs", 0, *results)
    path = tmp_path / "small/runs.sqlite"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"x" * len(whole))
    for command in (["list"], ["list", "small"], ["export", "small"]):
        done = initlab_here(*command, *results)
        assert (done.returncode, "damaged" in done.stderr) == (0, True), command
    done = initlab_here("verify", *results)
    assert (done.returncode, "small/runs.sqlite: damaged" in done.stderr) == (1, True)
    assert path.read_bytes() != whole
    done = initlab_here("run", small_config, "--jobs", 0, *results)
    assert "The file of records was damaged: it is now runs.damaged-1.sqlite" in done.stderr
    assert initlab_here("verify", *results).returncode == 0
    assert "damaged" not in initlab_here("list", *results).stderr
