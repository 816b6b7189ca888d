"""Ranges in a sweep."""

import numpy as np
import pytest

from initlab.errors import UsageError
from initlab.runner.config import Experiment, load_experiment
from initlab.runner.ranges import read_range


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("range(4)", [0, 1, 2, 3]),
        (" range( 2, 5 ) ", [2, 3, 4]),
        ("range(5, 0, -2)", [5, 3, 1]),
        ("linspace(.5, 3, 11)", np.linspace(0.5, 3, 11)),
        ("logspace(-3, 0, 13)", np.logspace(-3, 0, 13)),
    ],
)
def test_values_are_those_of_python_and_numpy(text, values):
    assert read_range(text) == pytest.approx(list(values), rel=5e-6)


@pytest.mark.parametrize("text", ["he", "he(scale=2)", "range", "100x4", "", "torch:linear", "range(1) + 1"])
def test_other_texts_are_no_ranges(text):
    assert read_range(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("range(0)", "0 values"),
        ("range(100001)", "100,001 values; a sweep has 1 to 100,000"),
        (f"range({10**30})", "write range"),
        ("range(1.5)", "of whole numbers"),
        ("range()", "write range"),
        ("range(1, 2, 0)", "step must not be 0"),
        ("linspace(0, 1)", "linspace.first, last, count"),
        ("linspace(0, .nan, 3)", "linspace.first, last, count"),
        ("linspace(0, 1, 2.5)", "linspace.first, last, count"),
        ("logspace(0, 400, 3)", "not all finite"),
        ("logspace(a, 2, 3)", "powers of ten"),
        ("range(1", "stands in quotes"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(UsageError, match=message):
        read_range(text)


def test_a_sweep_has_ranges_in_a_config_in_zip_in_set_and_in_python(small_config):
    experiment = load_experiment(
        small_config,
        [
            "sweep.seed=range(3)",
            "sweep.init=[he]",
            "sweep.zip=[{train.steps: 'range(1, 4)', train.optimizer.lr: 'logspace(-2, 0, 3)'}]",
        ],
    )
    steps = [(s.train.steps, s.train.optimizer.arguments["lr"], s.seed) for _, s in experiment.points()]
    assert steps[:4] == [(1, 0.01, 0), (2, 0.1, 0), (3, 1.0, 0), (1, 0.01, 1)]
    assert len(steps) == 9
    assert experiment.resolved()["sweep"]["seed"] == [0, 1, 2]
    tree = experiment.tree
    again = Experiment(name="x", **tree, sweep={"init": ["he"], "seed": "range(5)"})
    assert len(again.points()) == 5


def test_a_mistake_in_a_range_has_its_place(small_config):
    small_config.write_text(small_config.read_text().replace("seed: [0, 1]", "seed: range(a)"))
    with pytest.raises(UsageError, match=r"small.yaml:7:\d+: seed: 'range.a.': write range"):
        load_experiment(small_config)
