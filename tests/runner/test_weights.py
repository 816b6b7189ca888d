"""The weights of runs: kept where asked for, the same bytes always, believed only whole, removed along."""

import json
import zipfile

import numpy as np
import pytest
import yaml

from initlab import load_results
from initlab.errors import ConfigError, StorageError
from initlab.measure.layers import measure_layers
from initlab.runner.config import load_experiment
from initlab.runner.grid import expand
from initlab.runner.reports import preview, verify
from initlab.runner.saved import saved_panels
from initlab.runner.store import Store
from initlab.runner.sweep import Choice, run_experiment
from initlab.runner.weights import networks_of, weight_arrays

HERE = Choice(jobs=0)
ASKED = ("name=small", "save_weights=[0, 40, last]")


def train(config, results, *overrides, choice=HERE):
    told = []
    experiment = load_experiment(config, overrides)
    return run_experiment(experiment, results, choice, tell=told.append), told


def weight_bytes(results):
    return {path.name: path.read_bytes() for path in (results / "small/weights").iterdir()}


def test_the_files_are_the_same_bytes_however_the_runs_were_trained(small_config, tmp_path):
    train(small_config, tmp_path / "a", *ASKED)
    train(small_config, tmp_path / "b", *ASKED, choice=Choice(jobs=2))
    expected = weight_bytes(tmp_path / "a")
    assert len(expected) == 6
    assert weight_bytes(tmp_path / "b") == expected


def test_numpy_opens_a_file_by_names(small_config, tmp_path):
    results, _ = train(small_config, tmp_path, *ASKED, "network.batch_norm=after")
    run = results.runs[0]
    with np.load(tmp_path / f"small/weights/{run.id}.npz", allow_pickle=False) as arrays:
        assert arrays["steps"].tolist() == [0, 40, 100]
        shapes = {name: arrays[name].shape for name in arrays}
    assert shapes["weights_0"] == (3, 16, 8)
    assert shapes["running_variances_1"] == shapes["scales_1"] == (3, 8)


def test_runs_with_records_are_trained_again_for_weights_alone_and_once(small_config, tmp_path):
    first, told = train(small_config, tmp_path, "name=small")
    assert (first.trained, told) == (6, [])
    assert not (tmp_path / "small/weights").exists()
    again, told = train(small_config, tmp_path, *ASKED)
    assert again.trained == 6
    assert told == ["6 runs are trained again: their records are there, but not their weights"]
    for asked in (ASKED, ("name=small", "save_weights=40"), ("name=small",)):
        assert train(small_config, tmp_path, *asked)[0].trained == 0
    more, _ = train(small_config, tmp_path, "name=small", "save_weights=[50]")
    assert more.trained == 4  # the two that diverge do so before


def test_a_run_that_diverged_has_the_weights_before_and_is_not_trained_for_others(small_config, tmp_path):
    results, _ = train(small_config, tmp_path, *ASKED)
    diverged = [run for run in results.runs if results.records[run.id].outcome == "diverged"]
    assert len(diverged) == 2
    for run in diverged:
        steps = results.store.load_weights(run.id)["steps"].tolist()
        assert steps == [0]
    assert train(small_config, tmp_path, *ASKED)[0].trained == 0


HARMS = {
    "a bit": lambda content: content[:-400] + bytes([content[-400] ^ 1]) + content[-399:],
    "cut": lambda content: content[:-100],
    "empty": lambda _: b"",
    "text": lambda _: b"steps",
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=list(HARMS))
def test_a_damaged_file_is_found_and_mended(small_config, tmp_path, initlab_here, harm):
    train(small_config, tmp_path, *ASKED)
    expected = weight_bytes(tmp_path)
    name = min(expected)
    (tmp_path / "small/weights" / name).write_bytes(harm(expected[name]))
    check = verify(Store(tmp_path, "small"))
    assert (check.damaged, check.damaged_weights) == ([], [name.removesuffix(".npz")])
    done = initlab_here("verify", "--results", tmp_path)
    assert done.returncode == 1
    assert f"small/weights/{name}: damaged" in done.stderr
    assert train(small_config, tmp_path, *ASKED)[0].trained == 1
    assert weight_bytes(tmp_path) == expected


def test_weights_of_another_run_are_not_taken_for_these(small_config, tmp_path):
    results, _ = train(small_config, tmp_path, *ASKED)
    a, b = (tmp_path / f"small/weights/{run.id}.npz" for run in results.runs[:2])
    b.write_bytes(a.read_bytes())
    assert verify(results.store).damaged_weights == [b.stem]
    assert train(small_config, tmp_path, *ASKED)[0].trained == 1


def test_a_hostile_file_is_neither_unpickled_nor_unpacked_nor_followed(small_config, tmp_path):
    results, _ = train(small_config, tmp_path, *ASKED)
    run, store = results.runs[0], results.store
    path = tmp_path / f"small/weights/{run.id}.npz"
    np.savez(path, steps=np.array([print], dtype=object))
    assert store.load_weights(run.id) is None
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("steps.npy", bytes(50_000_000))
    assert store.load_weights(run.id) is None
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(StorageError, match="not a regular file"):
        store.load_weights(run.id)


def test_arrays_of_another_network_under_a_right_checksum_are_refused(small_config, tmp_path):
    results, _ = train(small_config, tmp_path, *ASKED)
    other, _ = train(small_config, tmp_path / "other", *ASKED, "network.hidden=[8, 9]")
    run = results.runs[0]
    networks = {5: other.network("he", step=0)}
    results.store.save_arrays(f"weights/{run.id}", weight_arrays(run.id, networks))
    with pytest.raises(StorageError, match="another network"):
        results.network("he", step=5)


def test_a_folder_of_weights_that_is_a_link_is_refused(small_config, tmp_path):
    (tmp_path / "r/small").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "r/small/weights").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="a link"):
        train(small_config, tmp_path / "r", *ASKED)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_remove_and_clean_take_the_weights_along(small_config, tmp_path, initlab_here):
    results, _ = train(small_config, tmp_path, *ASKED)
    first = results.runs[0].id
    initlab_here("remove", "small", first, "--results", tmp_path, "--yes")
    assert first not in Store(tmp_path, "small").weight_ids()
    one_seed = ("--set", "name=small", "--set", "sweep.seed=[1]")
    initlab_here("clean", small_config, *one_seed, "--results", tmp_path, "--yes")
    kept = Store(tmp_path, "small")
    assert len(kept.weight_ids()) == 3
    assert kept.weight_ids() == sorted(kept.run_ids())
    assert all("seed1" in name for name in kept.run_ids())


def test_clean_removes_weights_whose_record_is_gone(small_config, tmp_path, initlab_here):
    results, _ = train(small_config, tmp_path, *ASKED)
    orphan = results.runs[0].id
    results.store.runs.remove([orphan])
    done = initlab_here("clean", small_config, "--results", tmp_path, "--yes")
    assert done.returncode == 0, done.stderr
    assert orphan not in results.store.weight_ids()


def test_a_row_that_names_a_path_removes_no_file_elsewhere(small_config, tmp_path):
    results, _ = train(small_config, tmp_path, *ASKED)
    treasure = tmp_path / "treasure.npz"
    treasure.write_bytes(b"mine")
    results.store.remove(["../../treasure", *results.store.weight_ids()])
    assert treasure.exists()
    assert results.store.weight_ids() == []


def test_export_names_the_files(small_config, tmp_path, initlab_here):
    results, _ = train(small_config, tmp_path, *ASKED)
    rows = json.loads(initlab_here("export", "small", "--json", "--results", tmp_path).stdout)["runs"]
    assert {row["weights"] for row in rows} == {f"weights/{run.id}.npz" for run in results.runs}
    train(small_config, tmp_path / "plain", "name=small")
    without = initlab_here("export", "small", "--json", "--results", tmp_path / "plain").stdout
    assert "weights" not in json.loads(without)["runs"][0]


def test_the_preview_tells_the_size_that_the_files_then_have(small_config, tmp_path, initlab_here):
    experiment = load_experiment(small_config, ["name=small", "sweep.init=[he]", "save_weights=[0, last]"])
    told = preview(experiment, tmp_path, HERE).weight_bytes
    run_experiment(experiment, tmp_path, HERE)
    written = sum(map(len, weight_bytes(tmp_path).values()))
    headers = 2 * 8 * 400
    assert told < written < told + headers
    done = initlab_here("run", small_config, "--dry-run", "--set", "save_weights=true", "--results", tmp_path)
    assert "their records are there, but not their weights" not in done.stderr
    assert "Their weights take about" in done.stderr
    assert str(tmp_path / "small/weights") in done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("first", "give true, false, or steps, as .0, 100, last., not 'first'"),
        ("[0, -1]", "not -1"),
        ("1.5", "not 1.5"),
        ("[101]", "no run has 101 steps; the most are 100"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(small_config, given, words):
    with pytest.raises(ConfigError, match=f"--set save_weights={given}".replace("[", r"\[") + f".*{words}"):
        expand(load_experiment(small_config, [f"save_weights={given}"]))


def test_a_step_that_some_runs_do_not_reach_is_kept_of_the_others(small_config):
    overrides = ["save_weights=[80, last]", "sweep.train.steps=[50, 100]"]
    runs = expand(load_experiment(small_config, overrides))
    assert {(run.settings.train.steps, run.kept_steps) for run in runs} == {(50, (50,)), (100, (80, 100))}


def test_saving_weights_changes_no_id_and_no_name(small_config):
    plain, saving = (load_experiment(small_config, texts) for texts in ([], ["save_weights=true"]))
    assert plain.name == saving.name
    assert [run.id for run in expand(plain)] == [run.id for run in expand(saving)]


def test_results_give_the_network_that_reached_the_recorded_accuracy(small_config, tmp_path):
    train(small_config, tmp_path, *ASKED, "network.batch_norm=before", "sweep.init=[he, xavier]")
    results = load_results(tmp_path / "small")
    examples = results.runs[0].settings.data.examples()
    for run in results.runs:
        record = results.records[run.id]
        network = results.network(run.id)
        accuracy = network.accuracy(examples.test_inputs[:], examples.test_labels)[0]
        assert accuracy == record.history.test_accuracy
        same = results.network(run.label, seed=run.settings.seed)
        assert np.array_equal(same.parameters, network.parameters)
    assert results.network("he", step=0).parameters.shape == network.parameters.shape


@pytest.mark.parametrize(
    ("layers", "arrays"),
    [
        (
            {"hidden": "conv(3, kernel=3), pool(2), 8"},
            {"weights_0": (2, 3, 1, 3, 3), "biases_0": (2, 3), "weights_1": (2, 3, 8)},
        ),
        ({"hidden": "8x3", "skip": 2}, {"weights_2": (2, 8, 8)}),
        ({"hidden": "8x3", "skip": "every=1, scale=learned"}, {"branch_scales_1": (2,)}),
        ({"hidden": "8x2", "norm": "layer"}, {"scales_1": (2, 8), "shifts_0": (2, 8)}),
        (
            {"hidden": "conv(3, kernel=3, padding=1), conv(3, kernel=3, padding=1), 8", "norm": "batch"},
            {"scales_0": (2, 3), "running_means_2": (2, 8), "running_variances_1": (2, 3)},
        ),
    ],
    ids=["convolution", "skip", "learned scale", "layer norm", "convolution with batch norm"],
)
def test_networks_of_every_kind_come_back(small_config, tmp_path, layers, arrays):
    tree = yaml.safe_load(small_config.read_text())
    tree["network"] = {**layers, "activation": "relu"}
    small_config.write_text(yaml.safe_dump(tree))
    asked = ("name=small", "save_weights=[0, last]", "sweep.init=[he]")
    train(small_config, tmp_path / "processes", *asked, choice=Choice(jobs=2))
    train(small_config, tmp_path, *asked)
    assert weight_bytes(tmp_path) == weight_bytes(tmp_path / "processes")
    assert train(small_config, tmp_path, *asked)[0].trained == 0
    results = load_results(tmp_path / "small")
    examples = results.runs[0].settings.data.examples()
    for run in results.runs:
        saved = results.store.load_weights(run.id)
        assert {name: saved[name].shape for name in arrays} == arrays
        network = results.network(run.id)
        accuracy = network.accuracy(examples.test_inputs[:], examples.test_labels)[0]
        assert accuracy == results.records[run.id].history.test_accuracy
        assert not np.array_equal(results.network(run.id, step=0).parameters, network.parameters)
    panels, _ = saved_panels(results, samples=50)
    assert len(panels) == len(network.activations)


def test_a_file_that_claims_more_inputs_than_it_holds_is_refused_without_making_room(small_config, tmp_path):
    results, _ = train(small_config, tmp_path, *ASKED, "network.hidden=[]")
    run = results.runs[0]
    arrays = results.store.load_weights(run.id)
    for inputs in (np.array(10**15), np.array(-1), np.array([16]), np.array("16")):
        with pytest.raises(StorageError, match="another network"):
            networks_of(run, {**arrays, "inputs": inputs})


def boundary(config):
    text = config.read_text().replace("seed: [0, 1]", "seed: [0]").replace("figures: [loss]\n", "")
    over = "boundary: {over: train.optimizer.lr, between: [0.0001, 1], of: test_accuracy > 0.8, within: 1.5}"
    config.write_text("\n".join([text, over, "save_weights: [last, 0]"]))


def test_the_rounds_of_a_boundary_keep_weights_and_mend_them(small_config, tmp_path):
    boundary(small_config)
    asked = ("name=small", "sweep.init=[he]")
    whole, _ = train(small_config, tmp_path, *asked)
    expected = weight_bytes(tmp_path)
    assert sorted(expected) == sorted(f"{run.id}.npz" for run in whole.runs)
    of_first = [run.id for run in expand(whole.experiment)]
    of_later = [run.id for run in whole.runs if run.id not in of_first]
    for name in (of_first[0], of_later[0]):
        (tmp_path / f"small/weights/{name}.npz").unlink()
    assert of_first[0] in preview(whole.experiment, tmp_path, HERE).missing
    again, told = train(small_config, tmp_path, *asked)
    assert (again.trained, len(told)) == (2, 2)
    assert weight_bytes(tmp_path) == expected
    assert preview(whole.experiment, tmp_path, HERE).missing == set()


def histogram(here, results, *words):
    output = results / "histogram.png"
    return here("histogram", "--from", "small", "--results", results, "--output", output, "--json", *words)


def test_histograms_of_saved_networks_are_those_that_python_measures(small_config, tmp_path, initlab_here):
    results, _ = train(small_config, tmp_path, *ASKED)
    done = histogram(initlab_here, tmp_path, "--step", "0", "--step", "last")
    assert done.returncode == 0, done.stderr
    assert "Left out: huge, seed 0 diverged" in done.stderr
    assert (tmp_path / "histogram.png").stat().st_size > 10_000
    layers = json.loads(done.stdout)["layers"]
    assert list(dict.fromkeys(layer["label"] for layer in layers)) == [
        *("he, step 0", "he, at the end", "std=0.01, step 0", "std=0.01, at the end", "huge, step 0"),
    ]
    examples = results.runs[0].settings.data.examples()
    measured = measure_layers(results.network("he"), examples.train_inputs[:1000])[0]
    shown = [layer["std"] for layer in layers if layer["label"] == "he, at the end"]
    assert shown == pytest.approx([layer.std for layer in measured], rel=1e-6)


def test_histograms_agree_with_the_layers_that_were_tracked(small_config, tmp_path, initlab_here):
    overrides = (*ASKED, "train.track_every=40", "network.batch_norm=before")
    results, _ = train(small_config, tmp_path, *overrides)
    words = ("--init", "he", "--seed", "1", "--step", "40", "--samples", "1000")
    layers = json.loads(histogram(initlab_here, tmp_path, *words).stdout)["layers"]
    history = results.records[results.find("he", 1).id].history
    tracked = {entry["step"]: entry["layers"] for entry in history.tracked}[40]
    assert [layer["std"] for layer in layers] == pytest.approx(tracked["std"], rel=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--init", "hee"], "unknown init 'hee'; did you mean 'he'?"),
        (["--activation", "tanh"], "unknown activation of these runs 'tanh'"),
        (["--seed", "7"], "no run has the seed 7; give 0 or 1"),
        (
            ["--step", "41"],
            "he, seed 0 were kept at step 41; it has those of step 0, 40 or 100",
        ),
        (["--step", "1.5"], "--step 1.5: give a number of steps, or last"),
        (["--depth", "3"], "trained networks have their own"),
        (["--what", "wights"], "did you mean 'weights'"),
        (["--from", "smal"], "unknown experiment 'smal'; did you mean 'small'?"),
    ],
)
def test_a_wrong_choice_is_refused_in_one_line(small_config, tmp_path, initlab_here, words, message):
    train(small_config, tmp_path, *ASKED)
    done = histogram(initlab_here, tmp_path, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_experiment_without_weights_says_how_to_keep_them(small_config, tmp_path, initlab_here):
    train(small_config, tmp_path, "name=small")
    done = histogram(initlab_here, tmp_path)
    assert done.returncode == 2
    assert "no weights of he, seed 0 were kept at the end; save_weights, as in" in done.stderr
    assert initlab_here("histogram", "--step", "3").returncode == 2


def test_a_network_without_hidden_layers_has_no_histogram(small_config, tmp_path, initlab_here):
    train(small_config, tmp_path, *ASKED, "network.hidden=[]")
    done = histogram(initlab_here, tmp_path)
    assert (done.returncode, "has no hidden layer" in done.stderr) == (2, True)
