"""Datasets made of random numbers: their statistics, their identity, and how their names are read."""

import json

import jsonschema
import numpy as np
import pytest
from conftest import idx_bytes
from typer.testing import CliRunner

from initlab.cli import app
from initlab.data.datasets import DATASETS, canonical_name, is_dataset_name, open_dataset
from initlab.data.synthetic import clusters, teacher
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.nn.optimizers import Optimizer
from initlab.runner.config import load_experiment
from initlab.runner.grid import expand
from initlab.runner.settings import config_schema

SYNTHETIC = {"clusters": clusters, "teacher": teacher}


def features(images):
    return (images.astype(np.float64) - 128) / 32


@pytest.mark.parametrize("name", SYNTHETIC)
def test_the_same_arguments_give_the_same_numbers_and_other_seeds_others(name):
    one, again, other = SYNTHETIC[name](), SYNTHETIC[name](seed=0), SYNTHETIC[name](seed=1)
    assert one.sha256 == again.sha256 != other.sha256
    assert (one.train_images == again.train_images).all()
    assert not (one.train_images[:2000] == one.test_images).all()


@pytest.mark.parametrize("name", SYNTHETIC)
def test_equal_numbers_have_an_equal_digest_wherever_they_come_from(name, tmp_path):
    made = SYNTHETIC[name](train=500, test=100)
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = getattr(made, f"{part}_images"), getattr(made, f"{part}_labels")
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx_bytes(images.reshape(len(images), 1, -1)))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    assert open_dataset(path=tmp_path).sha256 == made.sha256


@pytest.mark.parametrize("name", SYNTHETIC)
def test_features_have_mean_0_and_variance_1_and_cannot_be_written(name):
    made = SYNTHETIC[name](features=200, classes=100)
    x = features(made.train_images)
    # Over 100 x 200 centres and 10,000 x 200 noises; rounding adds (1/32)^2 / 12.
    assert x.mean() == pytest.approx(0, abs=4 / np.sqrt(100 * 200))
    assert x.var() == pytest.approx(1, abs=4 * np.sqrt(2 / (100 * 200)))
    assert (made.pixels, made.classes) == (200, 100)
    assert made.train_images.dtype == made.train_labels.dtype == np.uint8
    assert not made.train_images.flags.writeable
    assert not made.test_labels.flags.writeable


@pytest.mark.parametrize("spread", [0.1, 0.5, 2.0])
def test_noise_has_the_spread_that_is_asked_for(spread):
    made = clusters(features=300, classes=10, spread=spread)
    x, y = features(made.train_images), made.train_labels
    centres = np.stack([x[y == label].mean(axis=0) for label in range(10)])
    noise = (x - centres[y]).std()
    assert noise / centres.std() == pytest.approx(spread, rel=0.06)


def test_clusters_are_equally_frequent_in_training_and_test():
    made = clusters(classes=7, train=700, test=140)
    assert np.bincount(made.train_labels).tolist() == [100] * 7
    assert np.bincount(made.test_labels).tolist() == [20] * 7


@pytest.mark.parametrize("arguments", [{}, {"classes": 2}, {"depth": 10}, {"depth": 0}, {"features": 500}])
@pytest.mark.parametrize("seed", range(3))
def test_a_teachers_classes_are_not_too_unequal(arguments, seed):
    made = teacher(**arguments, seed=seed)
    shares = np.bincount(made.train_labels, minlength=made.classes) / len(made.train_labels)
    assert shares.min() > 0.25 / made.classes
    assert shares.max() < 2.5 / made.classes


def test_a_network_learns_what_the_teacher_knows_beyond_its_training_set():
    made = teacher(features=10, classes=3, hidden=10, depth=1, train=20_000)
    network, optimizer = initialize([10, 50, 3], ["he"]), Optimizer("sgd", lr=0.2)
    inputs, labels = features(made.train_images), made.train_labels
    rng = np.random.default_rng(0)
    for _ in range(6000):
        batch = rng.integers(len(labels), size=100)
        network.train_step(inputs[batch], labels[batch], optimizer)
    right = network.forward(features(made.test_images))[0].argmax(axis=1) == made.test_labels
    assert right.mean() > 0.95


def test_a_network_of_the_teachers_shape_and_seed_is_not_the_teacher():
    made = teacher(depth=1)
    student = initialize([20, 50, 10], ["he"], 0)
    right = student.forward(features(made.test_images))[0].argmax(axis=1) == made.test_labels
    assert right.mean() < 0.3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clutsers", "unknown dataset 'clutsers'; did you mean 'clusters'"),
        ("clusters(clases=4)", "unknown argument of clusters 'clases'; did you mean 'classes'"),
        ("clusters(classes=4.5)", "classes must be a whole number, not 4.5"),
        ("clusters(classes=many)", "classes must be a finite number, not 'many'"),
        ("clusters(classes=1)", "classes must be from 2 to 256, not 1"),
        ("clusters(spread=-1)", "spread must be from 0 to 1,000, not -1"),
        ("clusters(seed=1e300)", "seed must be from 0 to 4,294,967,295"),
        ("teacher(train=1e9)", "train must be from 1 to 1,000,000, not 1,000,000,000"),
        ("mnist(seed=1)", "mnist takes no arguments"),
        ("clusters(classes=4", "cannot read the dataset"),
        ("", "cannot read the dataset"),
    ],
)
def test_a_wrong_name_is_refused_in_words(name, message):
    for read in (canonical_name, open_dataset):
        with pytest.raises(UsageError) as error:
            read(name)
        assert message in str(error.value)
        assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clusters(train=5)", "5 training samples are too few for 10 classes"),
        ("teacher(features=10000, train=1e6)", "more than the 100,000,000 numbers"),
    ],
)
def test_sizes_that_do_not_fit_each_other_are_refused(name, message):
    with pytest.raises(UsageError, match=message):
        open_dataset(name)


def test_names_are_not_taken_for_folders():
    assert all(is_dataset_name(name) for name in DATASETS)
    assert is_dataset_name("clusters (classes=4)")
    assert not any(is_dataset_name(text) for text in ("", "./mnist", "clusters2", "data(1)"))


def test_the_command_line_takes_a_name_with_arguments():
    words = ["diagnose", "--data", "clusters(classes=4)", "--hidden", "10x2", "--json"]
    (diagnosis,) = json.loads(CliRunner().invoke(app, words).stdout)["networks"]
    assert diagnosis["sizes"] == [20, 10, 10, 4]
    wrong = CliRunner().invoke(app, ["diagnose", "--data", "clusters(classes=1)"])
    assert isinstance(wrong.exception, UsageError)


CONFIG = """\
name: made
data: {name: "teacher( classes=4.0 , train=1e3 )"}
network: {hidden: 8x2, activation: relu}
train: {steps: 10, batch_size: 4, optimizer: {name: sgd, lr: 0.1}}
init: he
"""


def test_a_config_names_it_and_a_run_is_known_by_its_numbers(tmp_path):
    (tmp_path / "made.yaml").write_text(CONFIG)
    (run,) = expand(load_experiment(tmp_path / "made.yaml"))
    assert run.settings.data.name == "teacher(classes=4, train=1000)"
    assert run.data_sha256 == teacher(classes=4, train=1000).sha256
    (same,) = expand(
        load_experiment(tmp_path / "made.yaml", ["data.name=teacher(train=1000,classes=4,seed=0)"])
    )
    (other,) = expand(load_experiment(tmp_path / "made.yaml", ["data.name=teacher(train=1000,classes=5)"]))
    assert same.id == run.id != other.id


def test_a_mistake_in_a_configs_name_is_reported_with_its_place(tmp_path):
    (tmp_path / "made.yaml").write_text(CONFIG.replace("4.0", "1"))
    with pytest.raises(UsageError, match=r"made.yaml:2:14: data.name: classes must be from 2 to 256, not 1"):
        load_experiment(tmp_path / "made.yaml")


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        *((name, True) for name in DATASETS),
        ("clusters(classes=4, spread=1)", True),
        ("teacher()", True),
        ("clutsers(classes=4)", False),
        ("clusters2", False),
    ],
)
def test_the_schema_accepts_names_with_arguments(name, accepted):
    config = {"name": "made", "data": {"name": name}}
    assert jsonschema.Draft202012Validator(config_schema()).is_valid(config) == accepted
