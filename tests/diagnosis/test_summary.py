"""The summary names the layer that answers each question worst."""

import math

import pytest

from initlab.diagnosis.limits import LAYER_NUMBERS
from initlab.diagnosis.summary import summary_rows

HEALTHY = {"signal": 1.0, "gradient": 1.0, "difference": 1.0, "distinct": 1.0, "dead": 0.0, "saturated": 0.0}
NAMES = ("gradient", "signal", "difference", "distinct", "dead", "saturated")


@pytest.mark.parametrize(
    ("name", "value", "milder"),
    [
        ("gradient", 1e-9, 1e3),
        ("signal", 1e9, 1e-3),
        ("signal", math.inf, 1e9),
        ("difference", 1e-5, 1e-2),
        ("distinct", 0.1, 0.6),
        ("dead", 0.9, 0.4),
        ("saturated", 0.8, 0.3),
    ],
)
def test_the_worst_layer_is_named_and_no_other_question_is_answered_by_it(name, value, milder):
    rows = summary_rows([HEALTHY, HEALTHY | {name: milder}, HEALTHY | {name: value}])
    assert set(NAMES) == set(LAYER_NUMBERS)
    answers = dict(zip(NAMES, rows, strict=True))
    assert answers[name][0] == "no"
    assert answers[name][2].startswith("layer 3: ")
    assert all(row[0] == "yes" for each, row in answers.items() if each != name)


def test_what_cannot_be_measured_is_no_evidence():
    rows = summary_rows([HEALTHY | {"gradient": math.nan}, HEALTHY | {"gradient": 0.5}])
    assert rows[0] == ["yes", "gradients reach all layers", "layer 2: 0.5 of that in layer 2"]


def test_a_number_that_no_layer_has_answers_nothing():
    rows = summary_rows([HEALTHY | {"gradient": math.nan}] * 2)
    assert rows[0][0] == "?"
