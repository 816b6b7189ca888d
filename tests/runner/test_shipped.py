"""Configs by name, from a checkout and from a wheel."""

from pathlib import Path

import pytest

from initlab.errors import UsageError
from initlab.runner import shipped
from initlab.runner.config import load_experiment
from initlab.runner.shipped import (
    descriptions,
    find_config,
    renamed_config,
    shipped_config,
    shipped_configs,
    shipped_folder,
)
from initlab.runner.yaml_text import read_yaml

CONFIGS = Path(__file__).parents[2] / "configs"


def test_all_configs_have_a_name():
    assert shipped_configs() == {path.stem: path for path in CONFIGS.glob("*.yaml")}


def test_a_name_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_experiment("mnist").name == "mnist"


def test_a_wheel_holds_the_configs_within_the_package_and_looks_nowhere_else(tmp_path, monkeypatch):
    for folder in ("package/configs", "configs", "experiments"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "mine.yaml").write_text("")
    (tmp_path / "configs/a_strangers.yaml").write_text("")
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "package")
    assert shipped_configs() == {"mine": tmp_path / "package/configs/mine.yaml"}
    assert not shipped_folder("experiments").exists()


def test_a_file_comes_before_a_shipped_config_and_a_folder_after(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mnist").mkdir()
    assert find_config("mnist") == CONFIGS / "mnist.yaml"
    Path("schemes").write_text("")
    assert find_config("schemes") == Path("schemes")


@pytest.mark.parametrize("path", ["mnist.yaml", "./mnist", "a/mnist", "", ".", "a" * 5000])
def test_a_path_is_left_alone(path):
    assert find_config(path) == Path(path)


def test_an_unknown_name_comes_with_near_ones():
    with pytest.raises(
        UsageError, match=r"unknown config 'mnits'; did you mean 'mnist'\? .*; or give the path"
    ):
        find_config("mnits")


def test_shipped_config_knows_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mnist").write_text("")
    assert shipped_config("mnist") == CONFIGS / "mnist.yaml"
    with pytest.raises(UsageError, match="did you mean 'mnist'"):
        shipped_config("mnits")


@pytest.mark.parametrize("source", shipped_configs())
def test_a_copy_has_another_name_and_the_same_values_and_comments(source):
    original = shipped_config(source).read_text()
    copy = renamed_config(source, "true")
    assert read_yaml(copy, "").tree == {**read_yaml(original, "").tree, "name": "true"}
    comments = [line.partition("#")[2] for line in original.splitlines() if "#" in line]
    kept = [line.partition("#")[2] for line in copy.splitlines() if "#" in line]
    assert kept == [text for text in comments if text and "yaml-language-server" not in text]


def test_every_config_is_described():
    assert set(descriptions()) == set(shipped_configs())
    assert all(20 < len(text) < 110 for text in descriptions().values())
