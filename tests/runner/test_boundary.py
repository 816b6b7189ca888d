"""Boundaries: bisection against functions that are known, and whole experiments against their grids."""

import csv
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from conftest import record_bytes

from initlab.errors import ConfigError, UsageError
from initlab.plotting.boundary import Band, BandNames, Edge, boundary_figure
from initlab.runner import figures, sweep
from initlab.runner.boundary import Outcome, flips, lattice, next_positions, sides
from initlab.runner.config import load_experiment
from initlab.runner.grid import cohorts
from initlab.runner.reports import preview, unreached
from initlab.runner.results import load_results
from initlab.runner.sweep import Choice, run_experiment
from initlab.training.history import History

HERE = Choice(jobs=0)


def search(found, outcome):
    """All outcomes that a search tries, and its rounds."""
    tried, rounds = {}, 0
    while new := next_positions(found, tried):
        tried |= {position: outcome(found.values[position]) for position in new}
        rounds += 1
    return tried, rounds


def grid_flips(found, outcome):
    return flips({i: outcome(value) for i, value in enumerate(found.values)})


DEFAULT = lattice(0.001, 3, log=True)


@pytest.mark.parametrize("threshold", [0.0010001, 0.0123, 0.5, 1.0, 2.9999])
def test_a_monotone_outcome_flips_where_it_is_known_to(threshold):
    tried, rounds = search(DEFAULT, lambda value: value > threshold)
    ((a, b),) = flips(tried)
    lower, upper = DEFAULT.values[a], DEFAULT.values[b]
    assert lower <= threshold < upper <= lower * 1.1 * (1 + 1e-5)
    assert sides(tried, [(a, b)]) == ["above"]
    assert len(tried) <= len(DEFAULT.values) / 5
    assert rounds <= 5


@pytest.mark.parametrize(("low", "high"), [(0.01, 0.3), (0.0011, 2.9), (0.05, 0.21)])
def test_an_outcome_in_the_middle_has_two_boundaries_those_of_the_grid(low, high):
    def outcome(value):
        return low < value < high

    tried, _ = search(DEFAULT, outcome)
    assert flips(tried) == grid_flips(DEFAULT, outcome)
    assert sides(tried, flips(tried)) == ["above", "below"]
    assert len(tried) <= len(DEFAULT.values) / 5


@pytest.mark.parametrize("always", [True, False])
def test_without_a_flip_the_first_round_is_the_last(always):
    tried, rounds = search(DEFAULT, lambda _: always)
    assert (len(tried), rounds, flips(tried)) == (7, 1, [])


def test_a_linear_scale_is_divided_by_distance_down_to_two_percent():
    found = lattice(-1, 1, log=False)
    tried, _ = search(found, lambda value: value < 0.123)
    ((a, b),) = flips(tried)
    assert found.values[a] < 0.123 <= found.values[b] <= found.values[a] + 0.04 + 1e-6
    assert len(tried) <= len(found.values) / 5


def test_whole_numbers_are_tried_once_each():
    found = lattice(1, 100, log=True, whole=True)
    assert all(isinstance(value, int) for value in found.values)
    tried, _ = search(found, lambda value: value <= 37)
    ((a, b),) = flips(tried)
    assert found.values[a] <= 37 < found.values[b]


def test_a_failed_run_leaves_its_flip_wide_and_ends_the_search():
    middle = (DEFAULT.first[2] + DEFAULT.first[3]) // 2
    failed = DEFAULT.values[middle]
    tried, _ = search(DEFAULT, lambda value: None if value == failed else value > 0.03)
    assert flips(tried) == [(DEFAULT.first[2], DEFAULT.first[3])]


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("points", [None, 2, 3, 12, 1000])
@pytest.mark.parametrize("within", [1.01, 1.5, 2.5])
def test_no_search_tries_more_than_the_most(log, points, within):
    found = lattice(1, 3, log=log, within=within, points=points)
    first = {position: i % 2 == 0 for i, position in enumerate(found.first)}
    tried = dict(first)
    while new := next_positions(found, tried):
        # The worst case: what is left is always the wider part.
        for position in new:
            a, b = next((a, b) for a, b in flips(tried) if a < position < b)
            tried[position] = tried[a] if b - position >= position - a else tried[b]
    assert len(tried) <= found.most <= len(found.values)
    assert all(b - a == 1 for a, b in flips(tried))


def test_too_fine_a_lattice_is_refused():
    with pytest.raises(UsageError, match="values; 100,000 are the most"):
        lattice(1, 10, log=True, within=1 + 1e-12)
    with pytest.raises(UsageError, match="six digits"):
        lattice(1, 1.0001, log=False, within=0.0000001)


FINISHED = History(losses=[2.0] * 5 + [0.1] * 40, test_accuracy=0.9, test_loss=0.4)
DIVERGED = History(losses=[2.0, 0.1, math.inf], diverged_at=2)


@pytest.mark.parametrize(
    ("text", "finished", "diverged"),
    [
        ("trained", True, False),
        ("diverged", False, True),
        ("test_accuracy > .85", True, False),
        ("test_accuracy>9e-1", False, False),
        ("test_accuracy < 0.5", False, True),
        ("test_loss < 1", True, False),
        ("test_loss > 1", False, True),
    ],
)
def test_outcomes(text, finished, diverged):
    outcome = Outcome.parse(text)
    for history, wanted in ((FINISHED, finished), (DIVERGED, diverged)):
        assert outcome.of(History(**{**vars(history), "losses": np.array(history.losses)})) is wanted


@pytest.mark.parametrize("text", ["learned", "test_accuracy", "test_accuracy >= 1", "accuracy > 1", "> 1"])
def test_other_outcomes_are_refused(text):
    with pytest.raises(UsageError, match="must be trained, diverged, or a limit"):
        Outcome.parse(text)


SMALL = (
    *(
        "name=small",
        "train.steps=60",
        "figures=[]",
        "sweep.init=[normal, {scheme: normal, label: again, last: he}]",
    ),
    "boundary={over: init.std, between: [0.001, 2], of: trained}",
)


@pytest.fixture
def experiment(small_config):
    return load_experiment(small_config, SMALL)


@pytest.fixture
def done(experiment, tmp_path):
    return run_experiment(experiment, tmp_path / "done", HERE)


def table(folder):
    with (folder / "boundary.csv").open() as file:
        return list(csv.DictReader(file))


def grid_answer(small_config, tmp_path, values):
    """Where the outcome flips for each condition and seed, by training the whole grid."""
    swept = f"sweep.init.std=[{', '.join(map(str, values))}]"
    every = run_experiment(
        load_experiment(small_config, [*SMALL, "boundary=null", swept]), tmp_path / "g", HERE
    )
    trained = {}
    for run in every.runs:
        condition = (run.label.startswith("again"), run.settings.seed)
        outcome = every.records[run.id].history.steps_to_reach(0.5) is not None
        trained.setdefault(condition, []).append((run.settings.init.scheme.arguments["std"], outcome))
    return {
        condition: [(a, b) for (a, before), (b, after) in pairwise(pairs) if before != after]
        for condition, pairs in trained.items()
    }


def test_the_boundary_is_that_of_the_grid_in_at_most_a_fifth_of_its_runs(done, small_config, tmp_path):
    expected = grid_answer(small_config, tmp_path, done.experiment.lattice.values)
    found = {}
    for row in table(done.store.folder):
        pair = (float(row["lower"]), float(row["upper"])) if row["lower"] else None
        found.setdefault((row["condition"] == "again", int(row["seed"])), []).append(pair)
    assert {key: [pair for pair in pairs if pair] for key, pairs in found.items()} == expected
    assert any(expected.values())
    assert done.boundaries.runs == len(done.runs) == done.trained <= done.boundaries.grid / 5


def test_the_same_bytes_however_it_was_run_and_nothing_is_trained_twice(
    experiment, done, tmp_path, monkeypatch
):
    expected, rows = record_bytes(done.store.folder), table(done.store.folder)
    again = run_experiment(experiment, tmp_path / "done", HERE)
    assert (again.trained, again.reused) == (0, len(expected))
    run_experiment(experiment, tmp_path / "two", Choice(jobs=2))
    monkeypatch.setattr(sweep, "plan", lambda runs, _: cohorts(runs, 1))
    run_experiment(experiment, tmp_path / "alone", HERE)
    for folder in (tmp_path / "two/small", tmp_path / "alone/small"):
        assert record_bytes(folder) == expected
        for name in ("boundary.csv", "summary.csv", "curves.csv"):
            assert (folder / name).read_bytes() == (done.store.folder / name).read_bytes()
    assert rows == table(tmp_path / "two/small")


def test_an_interruption_in_any_round_is_gone_on_from(experiment, done, tmp_path):
    expected = record_bytes(done.store.folder)
    for last in range(1, len(expected), 8):

        def interrupt(recorded, _total, last=last):
            if recorded >= last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_experiment(experiment, tmp_path / f"i{last}", HERE, interrupt)
        before = len(record_bytes(tmp_path / f"i{last}/small"))
        trained = run_experiment(experiment, tmp_path / f"i{last}", HERE).trained
        assert before > 0
        assert before + trained == len(expected)
        assert record_bytes(tmp_path / f"i{last}/small") == expected
        assert table(tmp_path / f"i{last}/small") == table(done.store.folder)


def test_all_trained_anew_gives_the_same(experiment, done, tmp_path):
    anew = run_experiment(experiment, tmp_path / "done", Choice(jobs=0, force=True))
    assert anew.trained == len(done.runs)


def test_a_dry_run_shows_the_first_round_and_the_most_runs(experiment, done, tmp_path):
    plan = preview(experiment, tmp_path / "new", HERE)
    found = experiment.lattice
    assert len(plan.missing) == len(plan.runs) == 4 * len(found.first)
    assert (plan.most, plan.grid) == (4 * found.most, 4 * len(found.values))
    assert len(done.runs) <= plan.most
    assert not preview(experiment, tmp_path / "done", HERE).missing


def test_records_of_later_rounds_are_reached_and_loaded(experiment, done):
    assert unreached(experiment, done.store) == []
    loaded = load_results(done.store.folder)
    assert [run.id for run in loaded.runs] == [run.id for run in done.runs]
    assert loaded.boundaries.row() == done.boundaries.row()
    assert loaded.boundaries.summaries[-1].settings["init"] == {
        "scheme": "normal",
        "label": "again",
        "last": "he",
    }
    stds = [row["init.std"] for row in loaded.rows()]
    assert len(set(stds)) > len(experiment.lattice.first)


def test_a_notebook_shows_the_boundaries(done):
    shown = done._repr_html_()
    assert all(each.condition in shown for each in done.boundaries.summaries)
    assert "boundary in init.std" in shown
    assert repr(done).endswith(done.boundaries.used)
    assert "in the first round" in repr(done.experiment)


def test_no_flip_is_told_as_a_result(small_config, tmp_path, initlab_here):
    words = [word for text in SMALL for word in ("--set", text)]
    words += ["--set", "boundary.of=test_accuracy > 2", "--results", tmp_path / "r", "--jobs", 0]
    done = initlab_here("run", small_config, *words)
    assert done.returncode == 0
    assert "nowhere" in done.stdout
    assert f"runs used: {4 * 6} of the 324 of a grid" in done.stdout
    assert "at all or none of the 6 values tried" in done.stdout
    rows = json.loads(initlab_here("run", small_config, *words, "--json").stdout)["boundary"]["conditions"]
    assert {row["holds"] for row in rows} == {"nowhere"}


def test_a_run_that_fails_leaves_the_outcome_open(experiment, tmp_path, monkeypatch):
    train = sweep.train_settings

    def failing(cohort, kept_steps):
        if any(settings.init.scheme.arguments["std"] == 0.001 for settings in cohort):
            raise ValueError("broken")
        return train(cohort, kept_steps)

    monkeypatch.setattr(sweep, "train_settings", failing)
    done = run_experiment(experiment, tmp_path / "r", HERE)
    assert len(done.failed) == 4
    assert all(float(row["lower"]) > 0.001 for row in table(done.store.folder) if row["lower"])


def mistakes(small_config, *texts):
    with pytest.raises(ConfigError) as error:
        load_experiment(small_config, [*SMALL, *texts]).points()
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("boundary.over=init.stdd", "unknown argument of normal 'stdd'; did you mean 'std'?"),
        ("boundary.over=seed", "a boundary lies on a numeric setting, as init.std"),
        ("boundary.over=init", "'init' is swept twice"),
        ("boundary.over=network.activation", "network.activation must be a text, not 0.001"),
        ("boundary.between=3", "boundary.between must be two numbers, as [0.001, 3], not 3"),
        ("boundary.between=[3, 1]", "the smaller one first"),
        ("boundary.between=[-1, 1]", "std must be 0 or more, not -1"),
        ("boundary={over: init.std, between: [0, 1], scale: log}", "a logarithmic scale has no 0"),
        ("boundary.scale=lag", "boundary.scale must be 'log' or 'linear', not 'lag'"),
        ("boundary.within=0.9", "on a log scale it is a factor above 1, at most 2000, not 0.9"),
        ("boundary.within=1.00000001", "100,000 are the most"),
        ("boundary.of=learned", "must be trained, diverged, or a limit"),
        ("boundary.points=1", "boundary.points must be 2 or more, not 1"),
        ("boundary.ovr=1", "unknown key 'ovr'; did you mean 'over'?"),
        ("boundary={over: init.std}", "the key 'boundary.between' is missing"),
        ("train.loss=squared_error", "trained means that the cross_entropy comes down to 0.5"),
        ("sweep.init.std=[1, 2]", "'init.std' is swept twice"),
        ("init.std=3", "the boundary goes through 'init.std'"),
        ("sweep.exclude=[{init.std: 0.001}]", "it leaves out single values of init.std"),
    ],
)
def test_mistakes(small_config, text, message):
    found = mistakes(small_config, text)
    assert message in found
    assert "needs std" not in found or "over" in text


def test_a_boundary_in_whole_numbers(small_config, tmp_path):
    texts = ["name=small", "figures=[]", "train.steps=20", "sweep.init=[he]", "network.hidden=8x1"]
    over = "boundary={over: network.depth, between: [1, 40], of: 'test_accuracy > .5', scale: linear}"
    done = run_experiment(load_experiment(small_config, [*texts, over]), tmp_path / "r", HERE)
    assert {run.settings.network.depth for run in done.runs} <= set(range(1, 41))
    assert all(int(row["upper"]) - int(row["lower"]) == 1 for row in table(done.store.folder) if row["lower"])


NAMES = BandNames(outcome="trained", over="std", x="depth", between=(0.01, 3), is_log=True, seeds=3)
BETWEEN = (
    Edge(holds="above", middle=0.1, low=0.08, high=0.12, seeds=3),
    Edge(holds="below", middle=1.0, low=0.9, high=1.1, seeds=3),
)
NOWHERE = (Edge(holds="nowhere", middle=None, low=None, high=None, seeds=3),)
EVERYWHERE = (Edge(holds="everywhere", middle=None, low=None, high=None, seeds=3),)


def bands(*edges, x=True, groups=("",)):
    return [
        Band(label=f"depth {i} {group}", x=i if x else None, group=group, edges=each)
        for group in groups
        for i, each in enumerate(edges, start=1)
    ]


def shaded(figure):
    """The corners of all bands."""
    return [tuple(corner) for band in figure.axes[0].collections for corner in band.get_paths()[0].vertices]


def test_bands_stand_at_their_numbers_between_the_medians():
    figure = boundary_figure(bands(BETWEEN, BETWEEN[:1], BETWEEN[1:], EVERYWHERE), NAMES)
    above, below = figure.axes[0].containers
    assert above.lines[0].get_xydata().tolist() == [[1, 0.1], [2, 0.1]]
    assert below.lines[0].get_xydata().tolist() == [[1, 1.0], [3, 1.0]]
    corners = shaded(figure)
    assert {(1, 0.1), (1, 1.0), (2, 0.1), (2, 3.0), (3, 0.01), (3, 1.0), (4, 0.01), (4, 3.0)} <= set(corners)
    circles = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert circles.get_xydata().tolist() == [[4, 3.0]]


def test_whole_numbers_have_whole_ticks():
    axes = boundary_figure(bands(BETWEEN, BETWEEN), NAMES).axes[0]
    assert all(tick.is_integer() for tick in axes.get_xticks())


def test_a_cross_stands_where_the_outcome_is_nowhere_found():
    figure = boundary_figure(bands(BETWEEN, NOWHERE), NAMES)
    crosses = next(line for line in figure.axes[0].lines if line.get_marker() == "x")
    assert crosses.get_xydata().tolist() == [[2, 0.01]]
    assert not any(corner[0] == 2 for corner in shaded(figure))
    assert "cross: at no value tried" in figure.legends[0].get_title().get_text()


@pytest.mark.parametrize("many", [{"x": False}, {"groups": [f"group {i}" for i in range(7)]}])
def test_conditions_without_a_number_and_many_groups_have_rows(many):
    shown = bands(NOWHERE, BETWEEN, **many)
    axes = boundary_figure(shown, NAMES).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [band.label for band in shown]
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert bars[1] == pytest.approx((0.1, 1.0))
    assert np.isnan(bars[0]).all()


def test_the_figure_of_an_experiment_is_that_of_its_table(small_config, tmp_path):
    texts = [*SMALL, "sweep.init=[normal]", "sweep.network.depth=[1, 2]", "figures=[boundary]"]
    done = run_experiment(load_experiment(small_config, texts), tmp_path / "r", HERE)
    assert (done.store.folder / "boundary.svg").is_file()
    axes = figures.boundary(done).axes[0]
    middles = {summary.median for summary in done.boundaries.summaries if summary.holds == "above"}
    assert set(axes.containers[0].lines[0].get_ydata()) == middles
    assert axes.get_xlabel() == "depth"


def test_the_figure_needs_a_boundary(small_config, tmp_path):
    experiment = load_experiment(small_config, ["figures=[boundary]"])
    with pytest.raises(ConfigError, match="boundary needs the key boundary, as in"):
        run_experiment(experiment, tmp_path / "r", HERE)


def test_the_interval_is_never_narrower_than_the_resolution(done):
    for summary in done.boundaries.summaries:
        for flip in summary.flips:
            if len(summary.flips) == 1 and flip.lower is not None:
                assert (summary.low, summary.high) == pytest.approx((flip.lower, flip.upper))
    both = next(each for each in done.boundaries.summaries if len(each.flips) == 2 and each.median)
    assert both.low <= min(flip.lower for flip in both.flips) * (1 + 1e-9)
    assert both.high >= max(flip.upper for flip in both.flips) * (1 - 1e-9)
