"""Schedules at their start, middle and end, and what they refuse."""

import math

import pytest

from initlab.errors import UsageError
from initlab.nn.schedules import SCHEDULES, parse_schedule
from initlab.registry import written_call

EXPECTED = {
    "constant": ({}, [1, 1, 1, 1]),
    "step": ({"every": 25.0, "factor": 0.5}, [1, 0.5, 0.25, 0.125]),
    "cosine": ({"end": 0.1, "warmup": 10.0}, None),
    "warmup": ({"over": 50.0}, [1 / 50, 26 / 50, 1, 1]),
}


def test_every_schedule_is_tried_here():
    assert set(EXPECTED) == set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_at_four_steps_of_a_hundred(name):
    arguments, expected = EXPECTED[name]
    factor = parse_schedule(written_call(name, arguments), 100)
    factors = [factor(step) for step in (0, 25, 50, 99)]
    if expected is None:
        half = [(1 + math.cos(math.pi * (step - 10) / 89)) / 2 for step in (25, 50)]
        expected = [0.1, *(0.1 + 0.9 * factor for factor in half), 0.1]
    assert factors == pytest.approx(expected)


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_factor_is_negative_or_above_one(name):
    for steps in (1, 2, 37):
        factor = parse_schedule(written_call(name, EXPECTED[name][0]), steps)
        assert all(0 <= factor(step) <= 1 for step in range(steps))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("cosin", {}, "did you mean 'cosine'"),
        ("step", {}, "step needs every"),
        ("step", {"every": 0}, "every must be 1 or more"),
        ("step", {"every": 2.5}, "every must be a whole number"),
        ("step", {"every": 1, "factor": 10}, "factor must be from 0 to 1, not 10"),
        ("step", {"every": 1, "factor": -1}, "factor must be from 0 to 1, not -1"),
        ("cosine", {"end": -1}, "end must be from 0 to 1, not -1"),
        ("cosine", {"warmup": -3}, "warmup must be 0 or more, not -3"),
        ("cosine", {"start": 1}, "unknown argument of cosine 'start'"),
    ],
)
def test_the_message_explains_what_is_wrong(name, arguments, message):
    with pytest.raises(UsageError, match=message):
        parse_schedule(written_call(name, arguments), 10)
