"""Registries: names, arguments, and what they say of a wrong text."""

import math
from functools import partial
from typing import Literal

import pytest

from initlab.errors import UsageError, require, shortened, similar, unknown_name
from initlab.registry import Registry, written_call


@pytest.fixture
def noises():
    """A registry with a function for each kind of argument."""
    registry = Registry("noise")

    @registry.register()
    def gaussian(*, std: float, mean: float = 0.0):
        return std, mean

    @registry.register("salt", "pepper")
    def impulses(*, count: int = 3, side: Literal["low", "high"] = "low"):
        return count, side

    @registry.register()
    def scaled(*, gain: float | Literal["relu", "tanh"] = 1.0, label: str = ""):
        return gain, label

    @registry.register()
    def silence():
        return 0

    return registry


def test_a_function_is_registered_under_its_own_name_and_returned(noises):
    @noises.register()
    def pink(*, std: float = 1.0):
        return std

    assert noises["pink"] is pink


def test_a_function_may_have_several_names(noises):
    assert noises["salt"] is noises["pepper"]
    assert "impulses" not in noises


def test_an_entry_may_be_built_from_the_function_and_attributes():
    colours = Registry("colour", make=lambda *, name, function, hue: (name, function(), hue))
    colours.register("red", "scarlet", hue=0)(lambda: "drawn")
    assert colours["scarlet"] == ("scarlet", "drawn", 0)


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("silence", "silence", {}),
        ("silence()", "silence", {}),
        ("  gaussian ( std = 1e-2 ) ", "gaussian", {"std": 0.01}),
        ("gaussian(mean=-1, std=2)", "gaussian", {"std": 2.0, "mean": -1.0}),
        ("salt(count=5)", "salt", {"count": 5}),
        ("salt(count=5.0, side=high)", "salt", {"count": 5, "side": "high"}),
        ("scaled(gain=1.5)", "scaled", {"gain": 1.5}),
        ("scaled(gain=tanh, label=mine)", "scaled", {"gain": "tanh", "label": "mine"}),
    ],
)
def test_a_text_is_read_into_a_name_and_typed_arguments(noises, text, name, arguments):
    parsed = noises.parse(text)
    assert parsed == (name, arguments)
    assert list(parsed[1]) == list(arguments)
    assert [type(value) for value in parsed[1].values()] == [type(value) for value in arguments.values()]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("silence()", "silence"),
        ("gaussian( mean=1.0,std=1e-1 )", "gaussian(std=0.1, mean=1)"),
        ("salt(side=high, count=5.0)", "salt(count=5, side=high)"),
        ("gaussian(std=1e300)", "gaussian(std=1e+300)"),
    ],
)
def test_the_canonical_text_has_the_order_of_the_signature_and_reads_back(noises, text, canonical):
    assert noises.canonical(text) == canonical
    assert noises.parse(canonical) == noises.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gausian", "unknown noise 'gausian'; did you mean 'gaussian'? Known: gaussian, pepper, salt,"),
        ("x", "unknown noise 'x'; known: gaussian, pepper, salt, scaled, silence"),
        ("gaussian", "gaussian needs std, as in gaussian(std=0.1)"),
        ("gaussian(sd=1)", "unknown argument of gaussian 'sd'; did you mean 'std'? Known: mean, std"),
        ("silence(loud=1)", "silence takes no arguments"),
        ("gaussian(std=wide)", "std must be a finite number, not 'wide'"),
        ("gaussian(std=nan)", "std must be a finite number, not nan"),
        ("gaussian(std=-inf)", "std must be a finite number, not -inf"),
        ("gaussian(std=1, std=2)", "cannot read 'std=2'; write name=value, each name once"),
        ("gaussian(1)", "cannot read '1'; write name=value, each name once"),
        (
            "gaussian(std=1",
            "cannot read the noise 'gaussian(std=1'; write it like name or name(argument=0.1)",
        ),
        ("", "cannot read the noise ''"),
        ("gaussian(std=0,01)", "cannot read '01'; write name=value, each name once; did you mean std=0.01?"),
        ("salt(count=2.5)", "count must be a whole number, not 2.5"),
        ("salt(side=hig)", "unknown side 'hig'; did you mean 'high'? Known: high, low"),
        ("salt(side=1)", "unknown side '1.0'"),
        ("scaled(gain=rleu)", "unknown gain 'rleu'; did you mean 'relu'? Known: relu, tanh"),
    ],
)
def test_the_message_says_what_is_wrong_and_what_is_accepted(noises, text, message):
    with pytest.raises(UsageError) as error:
        noises.parse(text)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("value", [True, None, [1.0], math.nan])
def test_values_that_are_no_numbers_are_refused(noises, value):
    from initlab.registry import checked_arguments, parameters_of

    with pytest.raises(UsageError, match="std must be a finite number"):
        checked_arguments("gaussian", parameters_of(noises["gaussian"]), {"std": value})


def test_a_family_of_partial_functions_keeps_the_checks_of_its_law(noises):
    noises.register("unit")(partial(noises["gaussian"], std=1.0))
    assert noises.parse("unit(mean=2)") == ("unit", {"mean": 2.0})


def test_numbers_are_written_in_their_shortest_form():
    arguments = {"a": 2.0, "b": 0.5, "c": 3, "d": "tanh", "e": 1e-7}
    assert written_call("f", arguments) == "f(a=2, b=0.5, c=3, d=tanh, e=1e-07)"


def test_where_names_are_many_a_message_proposes_three_and_the_command_that_lists_all():
    names = [f"name{number}" for number in range(20)] + ["other", "Trunk"]
    few = unknown_name("thing", "name", names, "initlab things")
    assert few.count("'name") == 4, few
    assert few.endswith("`initlab things` lists all")
    assert (
        unknown_name("thing", "zzz", names, "initlab things")
        == "unknown thing 'zzz'; `initlab things` lists all"
    )
    assert "other" in unknown_name("thing", "zzz", names)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("HE", ["he"]),
        ("trunc", ["truncated_normal"]),
        ("msra", ["he"]),
        ("zzz", []),
        ("he_nrm", ["he_normal", "he"]),
    ],
)
def test_similar_names(given, meant):
    assert similar(given, ["he", "he_normal", "truncated_normal", "tanh"], 2) == meant


def test_a_text_of_several_names_is_no_name(noises):
    with pytest.raises(UsageError, match="cannot read the noise 'salt,pepper'; give each by itself"):
        noises.parse("salt,pepper")


@pytest.mark.parametrize("value", [3, None, ["salt"]])
def test_a_name_must_be_a_text(noises, value):
    with pytest.raises(UsageError, match="must be a text, not"):
        noises.parse(value)
    with pytest.raises(UsageError, match="must be one name, not"):
        noises[value]


def test_long_values_are_cut_in_messages():
    assert len(shortened("x" * 10_000)) == 60
    assert len(unknown_name("scheme", "x" * 10_000, ["he"])) < 120


def test_require_raises_its_message_for_a_false_condition_alone():
    require(True, "never shown")
    with pytest.raises(UsageError, match="std must be above 0"):
        require(False, "std must be above 0")
