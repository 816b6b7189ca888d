"""The file of records: what any SQLite tool sees, notes, removals, readers beside a writer."""

import csv
import io
import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from conftest import record_bytes
from pyarrow import parquet

from initlab.runner.config import load_experiment
from initlab.runner.reports import export_rows, parquet_bytes
from initlab.runner.store import Store
from initlab.runner.sweep import Choice, run_experiment

HERE = Choice(jobs=0)


@pytest.fixture
def store(small_config, tmp_path):
    run_experiment(load_experiment(small_config), tmp_path / "r", HERE)
    return Store(tmp_path / "r", "small")


def rows_of(store, query):
    with closing(sqlite3.connect(store.runs.path)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_sqlite_tool_sees_every_loss_to_the_last_bit(small_config, tmp_path, dtype):
    run_experiment(
        load_experiment(small_config, ["name=small", f"train.dtype={dtype}"]), tmp_path / "r", HERE
    )
    store = Store(tmp_path / "r", "small")
    seen = {}
    for name, step, loss in rows_of(store, "SELECT id, step, loss FROM curves ORDER BY id, step"):
        assert step == len(seen.setdefault(name, []))
        seen[name].append(np.inf if loss is None else loss)
    for name, record in store.records():
        assert record.history.losses.dtype == dtype
        exact = record.history.losses.astype(float)
        assert (np.array(seen[name]) == np.where(np.isfinite(exact), exact, np.inf)).all()


def test_any_sqlite_tool_sees_settings_and_results(store):
    query = "SELECT id, outcome, test_accuracy, json_extract(settings, '$.train.steps') FROM runs"
    for name, outcome, accuracy, steps in rows_of(store, query):
        record = store.load(name)
        assert (outcome, accuracy, steps) == (record.outcome, record.history.test_accuracy, 100)


def test_runs_that_share_their_settings_share_a_row(store):
    assert rows_of(store, "SELECT count(*), count(DISTINCT setting) FROM record") == [(6, 3)]
    assert rows_of(store, "SELECT count(*) FROM setting") == [(3,)]


def test_a_note_is_shown_kept_and_taken_back(store, small_config, tmp_path, initlab_here):
    name, results = store.run_ids()[0], ("--results", tmp_path / "r")
    before = record_bytes(store.folder)
    assert "note" not in initlab_here("list", "small", *results).stdout
    initlab_here("note", name, "the one of the lecture", *results)
    shown = json.loads(initlab_here("list", "small", "--json", *results).stdout)["runs"]
    assert {row["run"]: row["note"] for row in shown if row["note"]} == {name: "the one of the lecture"}
    exported = list(csv.DictReader(io.StringIO(initlab_here("export", "small", *results).stdout)))
    assert [row["note"] for row in exported].count("the one of the lecture") == 1
    initlab_here("export", "small", "--parquet", tmp_path / "runs.parquet", *results)
    table = parquet.read_table(tmp_path / "runs.parquet").to_pylist()
    assert table == export_rows(store)
    run_experiment(load_experiment(small_config), tmp_path / "r", Choice(jobs=0, force=True))
    assert store.runs.notes() == {name: "the one of the lecture"}
    initlab_here("note", f"small/{name}", "", *results)
    assert store.runs.notes() == {}
    assert record_bytes(store.folder) == before


def test_records_are_removed_after_asking(store, tmp_path, initlab_here):
    results = ("--results", tmp_path / "r")
    before = record_bytes(store.folder)
    asked = initlab_here("remove", "small", "he-", *results)
    assert asked.returncode != 0
    assert "2 runs begin with" in asked.stderr
    refused = initlab_here("remove", "small", "he-relu-8x2-seed0", *results)  # no terminal to answer
    assert refused.returncode != 0
    assert record_bytes(store.folder) == before
    done = initlab_here("remove", "small", "he-relu-8x2-seed0", "--yes", *results)
    assert "1 records removed" in done.stderr
    left = record_bytes(store.folder)
    assert {name: before[name] for name in left} == left
    assert [name for name in before if name not in left] == [n for n in before if "he-relu-8x2-seed0" in n]
    initlab_here("remove", "small", "--yes", *results)
    assert store.run_ids() == []
    assert rows_of(store, "SELECT count(*) FROM setting") == [(0,)]


def test_what_a_config_does_not_reach_is_cleaned(store, small_config, tmp_path, initlab_here):
    words = (small_config, "--results", tmp_path / "r", "--yes")
    assert "nothing to remove" in initlab_here("clean", *words).stderr
    run_experiment(load_experiment(small_config, ["name=small", "train.steps=50"]), tmp_path / "r", HERE)
    assert len(store.run_ids()) == 12
    done = initlab_here("clean", *words)
    assert "6 records removed" in done.stderr
    assert len(done.stdout.splitlines()) == 6
    assert run_experiment(load_experiment(small_config), tmp_path / "r", HERE).trained == 0


def test_a_reader_beside_an_open_transaction_sees_what_was_there(store):
    before = {name for name, record in store.records() if record is not None}
    with closing(sqlite3.connect(store.runs.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM record")
        assert {name for name, record in store.records() if record is not None} == before
        assert store.runs.outcomes().total() == 6
        writer.execute("ROLLBACK")


def test_the_largest_seed_is_kept(small_config, tmp_path):
    """SQLite's own numbers end at 2^63."""
    experiment = load_experiment(
        small_config, ["name=small", "sweep.init=[he]", f"sweep.seed=[{2**64 - 1}, {2**63}, 1]"]
    )
    run_experiment(experiment, tmp_path / "r", HERE)
    seeds = {record.identity["seed"] for _, record in Store(tmp_path / "r", "small").records()}
    assert seeds == {2**64 - 1, 2**63, 1}
    assert run_experiment(experiment, tmp_path / "r", HERE).trained == 0


def test_nothing_from_a_file_steers_the_terminal(store, tmp_path, initlab_here):
    results = ("--results", tmp_path / "r")
    refused = initlab_here("note", store.run_ids()[0], "\x1b[2J", *results)
    assert (refused.returncode, "one line without control characters" in refused.stderr) == (2, True)
    store.runs.note(store.run_ids()[0], "\x1b[2J")  # as in a folder from elsewhere
    with closing(sqlite3.connect(store.runs.path)) as connection, connection:
        connection.execute("UPDATE record SET id = ? WHERE id = ?", ("evil\x1b[2J", store.run_ids()[1]))
    for words in (["list", "small"], ["verify"], ["remove", "small"]):
        done = initlab_here(*words, *results)
        assert "\x1b" not in done.stdout + done.stderr
        assert "\\x1b[2J" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["remove", "nowhere"], "unknown experiment 'nowhere'"),
        (["remove", "small", "hee"], "no run is called"),
        (["note", "he-", "x"], "2 runs begin with"),
        (["clean", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_wrong_words_are_refused_and_nothing_is_removed(store, tmp_path, initlab_here, words, message):
    before = record_bytes(store.folder)
    done = initlab_here(*words, "--results", tmp_path / "r")
    assert done.returncode in (2, 5)
    assert message in done.stderr
    assert record_bytes(store.folder) == before


def test_a_parquet_column_of_several_types_becomes_text():
    rows = [{"seed": 2**70, "lr": 1, "x": 0.5}, {"seed": 1, "lr": "cosine", "x": None}, {"lr": 0.1, "x": 3}]
    table = parquet.read_table(io.BytesIO(parquet_bytes(rows))).to_pydict()
    assert table == {"seed": [str(2**70), "1", None], "lr": ["1", "cosine", "0.1"], "x": [0.5, None, 3.0]}
