"""Workers elsewhere: other code is refused, another processor is refused or told."""

from dataclasses import replace

import pytest

from initlab.errors import DataError, InitlabError
from initlab.runner import provenance, sweep
from initlab.runner.config import load_experiment
from initlab.runner.reports import verify
from initlab.runner.store import Store
from initlab.runner.sweep import Choice, run_experiment


def elsewhere(monkeypatch, **changes):
    """Tasks come back as from another worker."""
    train, away = sweep.train_cohort, replace(provenance.origin(), host="far-away", **changes)
    monkeypatch.setattr(sweep, "train_cohort", lambda cohort: replace(train(cohort), origin=away))


def test_a_worker_with_other_code_is_refused_by_its_name(small_config, tmp_path, monkeypatch):
    elsewhere(monkeypatch, numerics="changed")
    for mixed in (False, True):
        with pytest.raises(InitlabError, match="the worker on far-away has other code"):
            run_experiment(load_experiment(small_config), tmp_path / "r", Choice(jobs=0, mixed=mixed))
    assert Store(tmp_path / "r", "small").run_ids() == []


def test_a_worker_with_another_processor_is_refused_or_told(small_config, tmp_path, monkeypatch):
    other = provenance.fingerprint() | {"processor": "Abacus 3000"}
    elsewhere(monkeypatch, fingerprint=other)
    experiment, store = load_experiment(small_config), Store(tmp_path / "r", "small")
    with pytest.raises(InitlabError, match=r"far-away .*processor Abacus 3000, not .*--mixed"):
        run_experiment(experiment, tmp_path / "r", Choice(jobs=0))
    assert store.run_ids() == []
    run_experiment(experiment, tmp_path / "r", Choice(jobs=0, mixed=True))
    assert sorted(verify(store).foreign) == store.run_ids()
    origin = store.provenance(store.run_ids()[0])
    assert (origin["host"], origin["fingerprint"]) == ("far-away", other)


def test_the_digest_of_the_code_changes_with_what_decides_numbers(tmp_path, monkeypatch):
    before = provenance.numerics()
    package = tmp_path / "initlab"
    for name, text in {"nn/optimizers.py": "lr = 1", "plotting/loss.py": "color = 1"}.items():
        (package / name).parent.mkdir(parents=True)
        (package / name).write_text(text)
    monkeypatch.setattr(provenance, "_SOURCES", package / "runner")
    first = provenance.numerics()
    (package / "plotting/loss.py").write_text("color = 2")
    assert provenance.numerics() == first != before
    (package / "nn/optimizers.py").write_text("lr = 2")
    assert provenance.numerics() != first


def test_data_that_change_during_a_training_leave_no_record(small_config, small_data, tmp_path, monkeypatch):
    """Files are mapped: what is written into them in place is trained on."""
    train = sweep.train_settings

    def changing(*given):
        with (small_data / "train-images-idx3-ubyte").open("r+b") as file:
            file.seek(500)
            file.write(b"\xff" * 2000)
        return train(*given)

    monkeypatch.setattr(sweep, "train_settings", changing)
    with pytest.raises(DataError, match="changed during the training"):
        run_experiment(load_experiment(small_config), tmp_path / "r", Choice(jobs=0))
    assert Store(tmp_path / "r", "small").run_ids() == []
