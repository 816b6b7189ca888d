"""YAML as version 1.2 reads it, with places, and what is refused."""

import pytest

from initlab.errors import UsageError
from initlab.runner.yaml_text import read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("-7", -7),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("'true'", "true"),
        ("'1'", "1"),
        ("~", None),
        ("", None),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("9" * 50, "9" * 50),
        (".inf", float("inf")),
        ("{a: [1, x]}", {"a": [1, "x"]}),
    ],
)
def test_values(text, value):
    read = read_yaml(f"key: {text}", "a.yaml").tree["key"]
    assert read == value
    assert type(read) is type(value)


def test_places_are_counted_from_one():
    document = read_yaml("a:\n  b: [x,\n    y]\n", "c.yaml")
    assert document.places["a", "b", 1] == "c.yaml:3:5"
    assert document.key_places["a", "b"] == "c.yaml:2:3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1", "x:2:1: a tab; YAML is indented with spaces"),
        ("a: b: c", "x:1:5: a ':' where no key may stand"),
        ("a: {b: 1\nc: 2", "x:1:4: this '{' is not closed by '}', or a comma is missing before 2:2"),
        ("a:\n  - [1, 2\n", r"x:2:5: this '\[' is not closed by '\]'"),
        ("b: 1\na: 'b", "x:2:4: this quote is not closed"),
        ("a: 1\nb:2\nc: 3\n", "x:2:1: a key without ': ' and a value"),
        ("a: 1\nb: c\0d", "x:2:5: a control character; save the file as UTF-8"),
        ("a: @b", "x:1:4: the character '@' cannot begin a value; quote it"),
        ("a: 1\na: 2", r"x:2:1: duplicate key 'a'; it stands first at x:1:1"),
        ("a: &n 1\nb: *n", r"x:2:4: an alias \(\*n\)"),
        ("a: !!python/name:os.system x", "x:1:4: a tag"),
        ("a: !!str 1", "a tag"),
        ("a: " + "[" * 30 + "]" * 30, "nested more than 20 levels"),
        ("a: 1\n---\nb: 1", "a second document"),
        ("[1]: 2", "a key must be a word"),
        ("a: [1", "x:"),
        ("a: \x07", "x:1:4: a control character"),
        ("a" * 1_100_000, "larger than"),
    ],
)
def test_refused(text, message):
    with pytest.raises(UsageError, match=message):
        read_yaml(text, "x")
