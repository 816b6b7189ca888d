"""The networks are drawn by chance, and each counts under the verdict that it got before its training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from initlab.gallery.reproduce import load
from initlab.init.networks import initialize
from initlab.nn.architecture import hidden_sizes

residual = load(Path(__file__).parents[2] / "experiments" / "diagnosis_residual.py")
SETTINGS = residual.exhibit.settings
CELLS = residual.cells_of(SETTINGS.replace(cells=1000), 5)
SMALL = residual.exhibit.quick.replace(widths=(10,), most_depth=6, ill_cells=3)


def outcome(verdict, trained, **others):
    return residual.Outcome(
        **{"cell": CELLS[0], "draw": SETTINGS.mixed[0], "verdict": verdict, "severity": 0.0}
        | {"plain_verdict": verdict, "share": 1.0, "trained": trained, **others}
    )


@pytest.fixture
def given(monkeypatch):
    def give(*outcomes):
        monkeypatch.setattr(residual, "outcomes", lambda _settings, _steps: list(outcomes))

    return give


def test_every_kind_of_network_is_drawn_and_no_perceptron():
    assert {cell.activation for cell in CELLS} == set(SETTINGS.activations)
    assert {cell.norm for cell in CELLS} == {*SETTINGS.norms} - {"none"} | {""}
    assert {cell.scheme for cell in CELLS} == {*SETTINGS.schemes, *SETTINGS.zero_branches}
    assert {cell.optimizer for cell in CELLS} == set(SETTINGS.optimizers)
    assert {outcome("trains", True, cell=cell).kind for cell in CELLS} == {*residual.MARKERS}
    assert all(cell.norm or cell.skip or "conv" in cell.hidden for cell in CELLS)
    for every in SETTINGS.blocks[1:]:
        for scale in SETTINGS.scales:
            assert any(cell.skip.startswith(f"every={every}") and scale in cell.skip for cell in CELLS)
    assert any("order=post" in cell.skip for cell in CELLS)
    depths = [len(hidden_sizes(cell.hidden)) for cell in CELLS]
    assert (min(depths), max(depths)) == (SETTINGS.least_depth, SETTINGS.most_depth)


def test_a_drawn_network_can_be_initialized():
    for cell in CELLS[:100]:
        hidden = [size if isinstance(size, str) else 4 for size in hidden_sizes(cell.hidden)]
        network = cell.network
        arguments = {name: network[name] for name in ("activation", "norm", "skip")}
        initialize([784, *hidden, 10], cell.scheme, **arguments)


def test_a_draw_is_the_same_again_and_a_longer_one_begins_with_it():
    assert residual.cells_of(SETTINGS, 5) == CELLS[: SETTINGS.cells]
    assert residual.cells_of(SETTINGS, 6) != CELLS[: SETTINGS.cells]


def test_some_draws_leave_out_all_networks_but_those_that_are_said_not_to_train():
    ill, mixed = (residual.cells_of(SMALL, draw) for draw in (SMALL.ill[0], SMALL.mixed[0]))
    assert len(ill) == SMALL.ill_cells
    assert {residual.verdict(SMALL, cell) for cell in ill} == {"does not train"}
    assert len({residual.verdict(SMALL, cell) for cell in mixed}) > 1


def test_zero_branches_are_what_a_perceptrons_comparison_gets_wrong():
    cell = residual.Cell(
        hidden="20x10",
        activation="relu",
        norm="",
        skip="every=2, scale=learned",
        scheme="skipinit",
        optimizer="sgd",
    )
    assert residual.verdict(SMALL, cell) == "trains"
    assert residual.plain_verdict(SMALL, cell) == "does not train"


def test_the_comparison_as_in_a_perceptron_is_the_same_for_a_perceptron():
    cell = replace(CELLS[0], hidden="12x4", norm="", skip="", scheme="he", activation="tanh")
    usual, plain = residual.numbers(SMALL, cell), residual.as_in_a_perceptron(SMALL, cell)
    for name, values in usual.items():
        np.testing.assert_allclose(plain[name], values, rtol=1e-6)


def test_each_network_is_a_trial_under_its_own_verdict(given):
    given(
        outcome("trains", True),
        outcome("trains", False),
        outcome("in doubt", True),
        outcome("does not train", False),
    )
    assert residual.trains_is_right(SETTINGS, 450).tolist() == [True, False]
    assert residual.does_not_train_is_right(SETTINGS, 450).tolist() == [True]


def test_a_doubt_is_no_right_prediction_and_chosen_networks_are_not_compared(given):
    given(
        outcome("trains", True, plain_verdict="does not train"),
        outcome("in doubt", True, plain_verdict="trains"),
        outcome("does not train", True, plain_verdict="in doubt"),
        outcome("does not train", False, draw=SETTINGS.ill[0], plain_verdict="trains"),
    )
    assert residual.reasons_help(SETTINGS, 450) == [1.0, -1.0, 0.0]
