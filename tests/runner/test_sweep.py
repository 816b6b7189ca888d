"""The whole command as a function: records, reuse, damage, grouping, tables."""

import csv
import time
from dataclasses import replace
from importlib.metadata import Distribution, PackageNotFoundError

import numpy as np
import pytest
from conftest import changed, record_bytes

import initlab
from initlab.errors import LockedError, StorageError, UsageError
from initlab.runner import figures, provenance, sweep
from initlab.runner.config import load_experiment
from initlab.runner.grid import cohorts, expand
from initlab.runner.reports import preview
from initlab.runner.store import Store, table_text
from initlab.runner.sweep import Choice, run_experiment

HERE = Choice(jobs=0)


@pytest.fixture
def experiment(small_config):
    return load_experiment(small_config)


def test_a_second_time_nothing_is_trained_and_the_tables_are_the_same(experiment, tmp_path):
    first = run_experiment(experiment, tmp_path / "r", choice=HERE)
    tables = {name: (tmp_path / "r/small" / name).read_bytes() for name in ("summary.csv", "curves.csv")}
    again = run_experiment(experiment, tmp_path / "r", choice=HERE)
    assert (first.trained, first.reused, again.trained, again.reused) == (6, 0, 0, 6)
    assert tables == {name: (tmp_path / "r/small" / name).read_bytes() for name in tables}


def test_records_are_the_same_bytes_however_they_were_trained(experiment, tmp_path, monkeypatch):
    run_experiment(experiment, tmp_path / "serial", choice=HERE)
    expected = record_bytes(tmp_path / "serial/small")
    assert len(expected) == 6
    run_experiment(experiment, tmp_path / "two", choice=Choice(jobs=2))
    assert record_bytes(tmp_path / "two/small") == expected
    for largest in (1, 2):
        monkeypatch.setattr(sweep, "plan", lambda runs, _, size=largest: cohorts(runs, size))
        run_experiment(experiment, tmp_path / f"cut{largest}", choice=HERE)
        assert record_bytes(tmp_path / f"cut{largest}/small") == expected


def test_a_new_seed_trains_only_what_is_new(small_config, tmp_path):
    run_experiment(load_experiment(small_config), tmp_path / "r", choice=HERE)
    before = record_bytes(tmp_path / "r/small")
    more = run_experiment(
        load_experiment(small_config, ["name=small", "sweep.seed=[0, 1, 2]"]), tmp_path / "r", choice=HERE
    )
    assert (more.trained, more.reused) == (3, 6)
    after = record_bytes(tmp_path / "r/small")
    assert {name: after[name] for name in before} == before


HARMS = (
    "losses = substr(losses, 5)",
    "losses = NULL",
    "test_accuracy = 0.99",
    "outcome = 'diverged'",
    "seed = 7",
    "setting = (SELECT max(digest) FROM setting)",
    "checksum = x'00'",
    "tracked = '[]'",
    "cause = 'none'",
)


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_record_counts_as_missing_and_is_mended(experiment, tmp_path, harm):
    run_experiment(experiment, tmp_path, choice=HERE)
    expected = record_bytes(tmp_path / "small")
    name = min(expected)
    with changed(tmp_path / "small") as connection:
        connection.execute(f"UPDATE record SET {harm} WHERE id = ?", (name,))
    assert record_bytes(tmp_path / "small") != expected
    assert Store(tmp_path, "small").load(name) is None
    assert run_experiment(experiment, tmp_path, choice=HERE).trained == 1
    assert record_bytes(tmp_path / "small") == expected


def test_a_record_that_says_another_run_is_not_used(experiment, tmp_path):
    """Whole, but under the name of a run with other settings."""
    run_experiment(experiment, tmp_path, choice=HERE)
    store = Store(tmp_path, "small")
    expected = record_bytes(tmp_path / "small")
    first, second = list(expected)[:2]
    store.runs.write([(replace(store.load(first), id=second), {})])
    assert store.load(second) is not None
    assert run_experiment(experiment, tmp_path, choice=HERE).trained == 1
    assert record_bytes(tmp_path / "small") == expected


def test_the_record_says_what_was_run(experiment, tmp_path):
    run_experiment(experiment, tmp_path, choice=HERE)
    records = [record for _, record in Store(tmp_path, "small").records()]
    assert {record.outcome for record in records} == {"finished", "diverged"}
    for record in records:
        assert record.identity["train"]["steps"] == 100
        assert "path" not in record.identity["data"]
        assert (record.history.test_accuracy is None) == (record.outcome == "diverged")


def test_tables_are_tidy(experiment, tmp_path):
    outcome = run_experiment(experiment, tmp_path, choice=HERE)
    with (tmp_path / "small/summary.csv").open() as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["he", "std=0.01", "huge"]
    he, _, huge = outcome.conditions
    finals = [np.mean(history.losses[-25:], dtype=float) for history in he.histories]
    assert float(rows["he"]["final_loss"]) == pytest.approx(np.mean(finals), rel=1e-5)
    half = 12.706205 * np.std(finals, ddof=1) / np.sqrt(2)
    assert float(rows["he"]["final_loss_high"]) == pytest.approx(np.mean(finals) + half, rel=1e-4)
    assert rows["huge"]["diverged"] == "2"
    assert rows["huge"]["final_loss"] == rows["huge"]["test_accuracy"] == ""
    with (tmp_path / "small/curves.csv").open() as file:
        curves = list(csv.DictReader(file))
    diverged = sum(len(history.losses) for history in huge.histories)
    assert len(curves) == 4 * 100 + diverged
    assert float(curves[0]["loss"]) == pytest.approx(he.histories[0].losses[0], rel=1e-5)


def test_a_folder_in_use_is_reported_and_left_alone(experiment, tmp_path):
    with Store(tmp_path, "small").lock(), pytest.raises(LockedError, match="another initlab"):
        run_experiment(experiment, tmp_path, choice=HERE)
    assert run_experiment(experiment, tmp_path, choice=HERE).trained == 6


def test_a_file_in_the_place_of_the_folder_is_reported(experiment, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Not a directory"):
        run_experiment(experiment, tmp_path / "file", choice=HERE)


def test_a_checkout_that_is_not_installed_knows_its_version(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(Distribution, "from_name", missing)
    assert provenance.describe()["initlab"] == initlab.__version__


def test_provenance_is_beside_the_records_not_in_them(experiment, tmp_path):
    run_experiment(experiment, tmp_path, choice=HERE)
    store = Store(tmp_path, "small")
    for name in store.run_ids():
        origin = store.provenance(name)
        assert {
            "host",
            "command",
            "fingerprint",
            "git_commit",
            "git_diff",
            "started",
            "finished",
        } <= origin.keys()
        assert origin["fingerprint"]["blas"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.train_size=1000000", "train_size is 1,000,000, but there are"),
        ("data.inputs=whitened(components=500)", "components must be from 1 to"),
    ],
)
def test_data_that_cannot_be_prepared_are_refused_before_the_training(
    small_config, tmp_path, override, message
):
    with pytest.raises(UsageError, match=message):
        run_experiment(load_experiment(small_config, [override]), tmp_path, HERE)
    with pytest.raises(UsageError, match=message):
        preview(load_experiment(small_config, [override]), tmp_path, HERE)
    assert not Store(tmp_path, "small").run_ids()


def test_no_cell_of_a_table_is_a_formula():
    cells = ["=1+1", "+1", "-1.5", "-inf", "-x", "@sum", "he", -3, None]
    text = table_text(["cell"], [[cell] for cell in cells])
    assert text.splitlines() == ["cell", "'=1+1", "+1", "-1.5", "-inf", "'-x", "'@sum", "he", "-3", '""']


def test_progress_is_reported_from_zero_to_all(experiment, tmp_path):
    steps = []
    run_experiment(experiment, tmp_path, choice=HERE, progress=lambda *step: steps.append(step))
    assert steps[0] == (0, 6)
    assert steps[-1] == (6, 6)
    assert steps == sorted(steps)


def test_cohorts_hold_all_runs_once_and_of_one_seed_where_they_are_full(experiment):
    runs = expand(experiment)
    for largest, seeds in ((1, [1] * 6), (2, [1, 1, 2]), (3, [1, 1]), (100, [1, 1])):
        groups = cohorts(runs, largest)
        assert sorted(run.id for group in groups for run in group) == sorted(run.id for run in runs)
        assert [len({run.settings.seed for run in group}) for group in groups] == seeds
        assert max(map(len, groups)) <= largest


def test_what_is_loaded_beside_the_training_is_there_before_anything_is_drawn(
    small_config, tmp_path, monkeypatch
):
    loaded = []

    def import_slowly(name):
        time.sleep(3)
        loaded.append(name)

    monkeypatch.setattr(figures, "import_module", import_slowly)
    monkeypatch.setattr(sweep, "draw_figures", lambda _outcome: loaded.append("drawn"))
    short = load_experiment(small_config, ["train.steps=1"])
    run_experiment(short, tmp_path, Choice(jobs=1))
    assert loaded == ["scipy.special", "initlab.plotting.tracking", "drawn"]
