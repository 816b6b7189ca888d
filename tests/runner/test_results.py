"""Results: read again from their folder, as tables and as a DataFrame; each record is read once."""

import sys
from collections import Counter

import pytest

from initlab import Experiment, load_results, run_experiment
from initlab.errors import StorageError, UsageError
from initlab.runner import database
from initlab.runner.sweep import Choice

HERE = Choice(jobs=0)


@pytest.fixture
def experiment(small_data):
    return Experiment(
        name="small",
        data={"path": small_data},
        network={"hidden": [8, 8], "activation": "relu"},
        train={"steps": 30, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.1}},
        sweep={"init": ["he", {"scheme": "normal(std=1e6)", "label": "huge"}], "seed": range(2)},
    )


@pytest.fixture
def results(experiment, tmp_path):
    return run_experiment(experiment, tmp_path, HERE)


def test_loaded_results_are_those_of_the_training(results, tmp_path):
    loaded = load_results(tmp_path / "small")
    assert (results.trained, results.reused) == (4, 0)
    assert (loaded.trained, loaded.reused) == (0, 4)
    assert loaded.summary() == results.summary()
    assert loaded.curves() == results.curves()
    assert [run.id for run in loaded.runs] == [run.id for run in results.runs]
    assert repr(loaded) == repr(results)
    assert loaded._repr_html_() == results._repr_html_()


def test_the_data_frame_has_a_row_for_each_run(results, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = load_results(tmp_path / "small").to_frame()
    pandas.testing.assert_frame_equal(frame, results.to_frame())
    assert frame[["init", "seed", "outcome"]].values.tolist() == [
        ["he", 0, "finished"],
        ["he", 1, "finished"],
        ["huge", 0, "diverged"],
        ["huge", 1, "diverged"],
    ]
    assert frame["final_loss"].notna().tolist() == [True, True, False, False]


def test_a_data_frame_without_pandas_is_refused_in_words(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="to_frame needs pandas: pip install pandas"):
        results.to_frame()


def test_a_condition_is_found_by_its_label(results):
    assert len(results.of("he").histories) == 2
    with pytest.raises(UsageError, match="unknown condition 'hee'; did you mean 'he'"):
        results.of("hee")


@pytest.mark.usefixtures("results")
def test_a_folder_without_records_is_refused_in_words(tmp_path):
    (tmp_path / "small/runs.sqlite").unlink()
    with pytest.raises(UsageError, match="small: no run has a record; train with `initlab run"):
        load_results(tmp_path / "small")
    with pytest.raises(StorageError, match="cannot read the config"):
        load_results(tmp_path / "nowhere")


@pytest.fixture
def readings(monkeypatch):
    """How often each record was read, by id."""
    counts, read = Counter(), database._read

    def counting(connection, name, setting):
        counts[name] += 1
        return read(connection, name, setting)

    monkeypatch.setattr(database, "_read", counting)
    return counts


@pytest.mark.parametrize("command", ["run", "list small", "export small", "verify", "compare he-relu"])
@pytest.mark.usefixtures("results")
def test_a_command_that_trains_nothing_reads_each_record_once(command, tmp_path, readings, initlab_here):
    first, *words = command.split()
    if first == "run":
        words = [tmp_path / "small/experiment.yaml", "--jobs", "0"]
    elif first == "compare":
        words = [f"{words[0]}-8x2-seed{seed}" for seed in (0, 1)]
    done = initlab_here(first, *words, "--results", tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(readings.values()) <= {0, 1}
    assert sum(readings.values()) == (2 if first == "compare" else 4)


@pytest.mark.usefixtures("results")
def test_loading_results_reads_each_record_once(tmp_path, readings):
    loaded = load_results(tmp_path / "small")
    loaded.summary(), loaded.curves(), repr(loaded)
    assert sum(readings.values()) == 4


def test_a_notebook_shows_how_many_runs_failed(results, tmp_path):
    assert "failed" not in results._repr_html_()
    run = results.runs[0]
    results.store.save([(run, "no such luck")], {})
    loaded = load_results(tmp_path / "small")
    assert "<th>failed</th>" in loaded._repr_html_()
    assert "<td>1 of 2</td>" in loaded._repr_html_()


def test_the_table_of_layers_goes_with_the_tracking(experiment, tmp_path):
    config = {**experiment.document.tree, "figures": []}
    tracked = {**config, "train": {**config["train"], "track_every": 10}}
    path = tmp_path / "small/layers.csv"
    run_experiment(Experiment(tracked), tmp_path, HERE)
    assert path.exists()
    run_experiment(Experiment(config), tmp_path, HERE)
    assert not path.exists()


def test_a_table_of_layers_has_the_same_columns_when_records_are_read_again(tmp_path, small_data):
    experiment = Experiment(
        name="small",
        data={"path": small_data},
        network={"hidden": [8, 8], "activation": "relu"},
        train={"steps": 4, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.1}, "track_every": 2},
        sweep={"init": ["he"]},
    )
    trained = run_experiment(experiment, tmp_path, HERE)
    written = (tmp_path / "small/layers.csv").read_bytes()
    load_results(tmp_path / "small").write_tables()
    assert (tmp_path / "small/layers.csv").read_bytes() == written
    (history,) = trained.histories
    first = dict(zip(*(line.split(",") for line in written.decode().splitlines()[:2]), strict=True))
    assert float(first["std"]) == pytest.approx(history.tracked[0]["layers"]["std"][0], rel=1e-5)
