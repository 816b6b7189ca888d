"""Two experiments, compared by condition and seed."""

import json

import numpy as np
import pytest

from initlab.errors import UsageError
from initlab.runner.config import load_experiment
from initlab.runner.pairs import paired
from initlab.runner.results import load_results
from initlab.runner.sweep import Choice, run_experiment

HERE = Choice(jobs=0)
SHORT = ["name=short", "train.steps=20", "sweep.seed=range(3)"]
LONG = ["name=long", "train.steps=60", "sweep.seed=range(1, 5)", "sweep.init=[he, std=0.01, xavier]"]


@pytest.fixture
def two(small_config, tmp_path):
    for overrides in (SHORT, LONG):
        run_experiment(load_experiment(small_config, overrides), tmp_path, HERE)
    return [load_results(tmp_path / name) for name in ("short", "long")]


def test_runs_of_one_condition_and_seed_are_pairs(two):
    pairings = paired(*two)
    assert [pairing.label for pairing in pairings] == ["he", "std=0.01"]  # huge and xavier are not shared
    accuracy = [
        {
            (dict(run.condition)["init"], run.settings.seed): each.records[run.id].history.test_accuracy
            for run in each.runs
        }
        for each in two
    ]
    for pairing in pairings:
        pairs = [(accuracy[0][pairing.label, seed], accuracy[1][pairing.label, seed]) for seed in (1, 2)]
        assert pairing.seeds == 2
        assert pairing.first == pytest.approx(np.mean([a for a, _ in pairs]))
        assert pairing.difference.mean == pytest.approx(np.mean([b - a for a, b in pairs]))
        # t of one degree of freedom at 97.5 % is 12.706
        spread = abs(pairs[0][1] - pairs[0][0] - (pairs[1][1] - pairs[1][0])) / 2
        assert pairing.difference.half_width == pytest.approx(12.7062 * spread, rel=1e-4)


def test_diverged_runs_are_counted_and_left_out(small_config, tmp_path):
    for name, steps in (("a", 5), ("b", 6)):
        overrides = [f"name={name}", f"train.steps={steps}"]
        run_experiment(load_experiment(small_config, overrides), tmp_path, HERE)
    pairings = paired(*(load_results(tmp_path / name) for name in "ab"), "final_loss")
    huge = pairings[2]
    assert (huge.label, huge.lost, huge.first, huge.difference) == ("huge", (2, 2), None, None)
    assert pairings[0].lost == (0, 0)


def test_nothing_in_common(two, small_config, tmp_path):
    overrides = ["name=other", "sweep.seed=[7]", "train.steps=2"]
    run_experiment(load_experiment(small_config, overrides), tmp_path, HERE)
    with pytest.raises(UsageError, match="short and other have no condition and seed in common"):
        paired(two[0], load_results(tmp_path / "other"))


@pytest.mark.usefixtures("two")
def test_the_command_shows_settings_and_differences(initlab_here, tmp_path):
    words = ("compare", "short", "long", "--results", tmp_path)
    done = initlab_here(*words)
    assert done.stdout.splitlines()[0] == "train.steps: 20 | 60"
    assert "±" in done.stdout
    assert "of 2 differences have a 95 % interval over seeds that leaves 0 out" in done.stderr
    tree = json.loads(initlab_here(*words, "--by", "final_loss", "--json").stdout)
    assert tree["settings"] == {"train.steps": ["20", "60"]}
    assert [each["seeds"] for each in tree["conditions"]] == [2, 2]
    assert initlab_here(*words, "--by", "loss").returncode == 2


@pytest.mark.usefixtures("two")
def test_the_name_that_does_not_exist_is_blamed(initlab_here, tmp_path):
    for words in (("short", "lnog"), ("lnog", "short")):
        done = initlab_here("compare", *words, "--results", tmp_path)
        assert (done.returncode, "unknown experiment 'lnog'; did you mean 'long'" in done.stderr) == (2, True)
