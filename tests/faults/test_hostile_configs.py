"""Mutated, random and hostile configs: an answer in words, quickly, and nothing outside the results folder.

pytest tests/faults -m long        # 20,000 mutated and 5,000 structured ones
"""

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from initlab.errors import InitlabError
from initlab.runner.config import load_experiment

SHIPPED = (Path(__file__).parents[2] / "configs/mnist.yaml").read_text()
SLOWEST = 1.0

PIECES = [
    "[", "]", "{", "}", ": ", "- ", "#", "&a ", "*a", "!!python/object:os.system ", "|", ">", "'", '"', "%",
    "---\n", "\t", "\0", "\x85", "\u2028", "\ud800", "\U0001f600", "重", "1e999", "-1", "0x", ".nan", ".inf",
    "9" * 50, "null", "yes", "<<: ", "? ", "std=", "he(", "normal(std=1e308)", "uniform(bound=-1)", "../",
    "$",     "a" * 10_000, "\n", "\n\n  ", "sweep:", "zip:", "exclude:", "seed:", "[" * 100, "{a: " * 50,
]  # fmt: skip


def mutated(rng):
    text = SHIPPED
    for _ in range(rng.randint(1, 8)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice([0, 0, 1, 2, 10, 100]))
        piece = rng.choice([rng.choice(PIECES), chr(rng.randrange(0x10FFFF)), text[end : end + 40], ""])
        text = text[:start] + piece + text[end:]
    return text


VALUES = [
    None, True, 0, -1, 1, 3, 10**30, 0.5, -0.5, 1e308, float("nan"), float("inf"), "", "he", "std=1", "relu",
    "sgd", "mnist", "x" * 3000, "../../etc", "$HOME", "a\nb", "重み", "100x4", "4x9999", "_", [], {}, [[]],
    [1, 2], ["he", "xavier"], [8, 8], {"scheme": "he"}, {"scheme": "he", "label": "$\\frac{"},
    {"name": "sgd"}, {"name": "sgd", "lr": 0.1}, [{"seed": [0, 1]}], {"init": ["he"]}, [{"init": "he"}],
    list(range(300)),
]  # fmt: skip
KEYS = [
    "name", "description", "data", "network", "train", "init", "seed", "sweep", "figures", "path", "inputs",
    "hidden", "activation", "steps", "batch_size", "loss", "optimizer", "dtype", "lr", "scheme", "label",
    "zip", "exclude", "train.steps", "network.hidden", "data.path", "init.scheme", "train.optimizer.lr", "",
    ".", "a.b.c",
]  # fmt: skip


def structured(rng, depth=0):
    """A random tree of keys and values that a config might have."""
    if depth > 3 or rng.random() < 0.3:
        return rng.choice(VALUES)
    if depth and rng.random() < 0.3:
        return [structured(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    if depth == 0 and rng.random() < 0.7:
        return nearly_valid(rng)
    return {key: structured(rng, depth + 1) for key in rng.sample(KEYS, rng.randint(0, 8))}


def nearly_valid(rng):
    """A valid config with a value or two changed, and a sweep of random keys."""
    tree = {"name": "x", "network": {"hidden": [4], "activation": "relu"}, "init": "he", "seed": 0}
    tree["train"] = {"steps": 1, "batch_size": 1, "optimizer": {"name": "sgd", "lr": 0.1}}
    for _ in range(rng.randint(0, 2)):
        section = rng.choice([tree, tree["network"], tree["train"], tree["train"]["optimizer"]])
        section[rng.choice([*section, rng.choice(KEYS)])] = rng.choice(VALUES)
        if not all(isinstance(tree.get(key), dict) for key in ("network", "train")):
            return tree
        if not isinstance(tree["train"].get("optimizer"), dict):
            return tree
    tree["sweep"] = {
        rng.choice(KEYS): rng.choices(VALUES, k=rng.randint(1, 3)) for _ in range(rng.randint(0, 2))
    }
    return tree


def text_of(tree):
    import yaml

    return yaml.safe_dump(tree, allow_unicode=True)


def answers(texts, folder):
    """Load each; returns how many were valid, and the longest time."""
    valid, slowest = 0, 0.0
    path = folder / "c.yaml"
    for text in texts:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        start = time.perf_counter()
        try:
            load_experiment(path).points()
            valid += 1
        except InitlabError as error:
            message = str(error)
            assert message
            assert all(len(line) < 3000 for line in message.splitlines())
        slowest = max(slowest, time.perf_counter() - start)
    return valid, slowest


def try_configs(tmp_path, mutations, structures):
    rng = random.Random(0)
    for make, count in ((mutated, mutations), (lambda rng: text_of(structured(rng)), structures)):
        valid, slowest = answers((make(rng) for _ in range(count)), tmp_path)
        print(f"{count} configs, {valid} valid, slowest answer {slowest:.2f} s")
        assert 0 < valid < count


def test_mutated_and_structured_configs(tmp_path):
    try_configs(tmp_path, 1500, 800)


@pytest.mark.long
def test_many_mutated_and_structured_configs(tmp_path):
    try_configs(tmp_path, 20_000, 5_000)


def test_overrides(small_config):
    """Random keys and values: valid, or an error in words, never another."""
    rng = random.Random(0)
    for _ in range(2000):
        key = rng.choice(KEYS) if rng.random() < 0.7 else "sweep." + rng.choice(KEYS)
        value = rng.choice([*PIECES, *map(str, VALUES)])
        with contextlib.suppress(InitlabError):
            load_experiment(small_config, [f"{key}={value}"]).points()


HOSTILE = ["../evil", "/tmp/evil", "a/b", "..", ".", "$HOME", "a\nb", "x" * 10_000, "重み", "-rf", "", "c\0"]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name)[:20])
def test_hostile_names_write_nothing_outside_the_results(small_config, tmp_path, name):
    if "\0" in name:
        small_config.write_text(small_config.read_text().replace("name: small", f'name: "{name[:-1]}\\0"'))
        override = []
    else:
        override = ["--set", f"name={name}"]
    before = set(tmp_path.rglob("*"))
    words = ["run", small_config, "--results", tmp_path / "r" / "s", "--jobs", "0", *override]
    done = subprocess.run(
        [sys.executable, "-m", "initlab", *map(str, words)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("label", ["../x", "$x^2$", "a" * 40, "重み", "<b>", "{0}", "%s", "\\n", "="])
def test_hostile_labels_are_labels(small_config, tmp_path, label):
    from initlab.runner.sweep import Choice, run_experiment

    override = f"sweep.init=[{{scheme: he, label: '{label}'}}]"
    experiment = load_experiment(small_config, ["name=small", override, "train.steps=2", "sweep.seed=[0]"])
    outcome = run_experiment(experiment, tmp_path / "r", Choice(jobs=0))
    assert outcome.conditions[0].label == label
    assert label in (tmp_path / "r/small/summary.csv").read_text()
    again = load_experiment(tmp_path / "r/small/experiment.yaml")
    assert again.points()[0][1].init.label == label
