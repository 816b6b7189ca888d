"""The networks are drawn by chance alone, and each counts once, under the verdict that it got before."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from initlab.gallery.reproduce import load
from initlab.init.scheme import SCHEMES, Scheme
from initlab.nn.activations import ACTIVATIONS

diagnosis = load(Path(__file__).parents[2] / "experiments" / "diagnosis.py")
SETTINGS = diagnosis.exhibit.settings
MANY = SETTINGS.replace(cells=2000)
CELLS = diagnosis.cells_of(MANY, 5)


def outcome(verdict, trained, optimizer="sgd", gradient=0.0, depth=3):
    cell = diagnosis.Cell(
        activation="relu", hidden=(9,) * depth, scheme="he", bias="", data="mnist", optimizer=optimizer
    )
    return diagnosis.Outcome(
        cell=cell,
        draw=1,
        verdict=verdict,
        severity=0.0,
        gradient=gradient,
        accuracy=0.5,
        trained=trained,
    )


@pytest.fixture
def given(monkeypatch):
    def give(*outcomes):
        monkeypatch.setattr(diagnosis, "outcomes", lambda _settings, _steps: list(outcomes))

    return give


def test_every_kind_of_network_is_drawn():
    assert {cell.activation for cell in CELLS} == {*ACTIVATIONS, "bump"}
    assert {cell.data for cell in CELLS} == set(SETTINGS.datasets)
    assert {cell.optimizer for cell in CELLS} == set(SETTINGS.optimizers)
    assert {cell.bias for cell in CELLS} == {"", "classic"}
    drawn = {Scheme.parse(cell.scheme).name for cell in CELLS}
    left_out = {name for name in SCHEMES if "pretrained" not in name} - drawn - diagnosis.FOR_OTHERS
    assert left_out == {"constant", "sparse"} - drawn
    depths = [len(cell.hidden) for cell in CELLS]
    assert (min(depths), max(depths)) == (SETTINGS.least_depth, SETTINGS.most_depth)
    assert np.exp(np.log(depths).mean()) == pytest.approx((3 * 80) ** 0.5, rel=0.05)
    uniform = Counter(cell.hidden[0] for cell in CELLS if len(set(cell.hidden)) == 1)
    assert set(SETTINGS.widths) <= set(uniform)
    assert sum(len(set(cell.hidden)) > 1 for cell in CELLS) == pytest.approx(2000 * 2 / 7, rel=0.1)


def test_a_draw_is_the_same_again_and_a_longer_one_begins_with_it():
    assert diagnosis.cells_of(SETTINGS, 5) == CELLS[: SETTINGS.cells]
    assert diagnosis.cells_of(SETTINGS, 6) != CELLS[: SETTINGS.cells]


def test_a_scheme_without_a_value_for_an_activation_is_not_drawn():
    assert not any(cell.scheme == "critical" and cell.activation in ("gelu", "bump") for cell in CELLS)


def test_each_network_is_a_trial_under_its_own_verdict(given):
    given(outcome("trains", True), outcome("in doubt", False), outcome("trains", False, "adam"))
    right = diagnosis.trains_is_right(SETTINGS, 300)
    assert {name: values.tolist() for name, values in right.items()} == {"sgd": [True], "adam": [False]}
    given(outcome("does not train", False), outcome("trains", False), outcome("does not train", True))
    assert diagnosis.does_not_train_is_right(SETTINGS, 300)["sgd"].tolist() == [True, False]


def test_an_alternative_gets_the_limit_that_suits_it_best(given):
    assert diagnosis.best_in_hindsight([1, 2, 3, 4], [True, True, False, False]).all()
    assert diagnosis.best_in_hindsight([1, 2, 3, 4], [True, True, False, True]).sum() == 3
    assert diagnosis.best_in_hindsight([1, 2], [False, False]).all()
    given(
        outcome("trains", True, depth=9), outcome("does not train", False, depth=3), outcome("in doubt", True)
    )
    better = diagnosis.verdict_beats_simpler_rules(SETTINGS, 300)
    assert better["than the depth alone"].sum() == 1


def test_anyinit_was_asked_about_every_network_and_passes_where_most_drawn_ones_do(given, monkeypatch):
    passes = diagnosis.anyinit_passes()
    for settings in (SETTINGS, diagnosis.exhibit.quick):
        for draw in settings.draws:
            cells = filter(diagnosis.is_there, diagnosis.cells_of(settings, draw))
            assert all(tuple(cell.described().values()) in passes for cell in cells)
    right = outcome("trains", True)
    monkeypatch.setattr(diagnosis, "anyinit_passes", lambda: {tuple(right.cell.described().values()): False})
    given(right, outcome("does not train", False), outcome("in doubt", True))
    assert diagnosis.verdict_beats_anyinit(SETTINGS, 300) == [1.0, 0.0]
