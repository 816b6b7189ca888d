"""What a notebook sees: the names of `initlab`, their help, and what they show."""

import inspect
import re
import subprocess
import sys

import pytest

import initlab


def test_dir_lists_the_public_names_and_nothing_else():
    assert dir(initlab) == sorted([*initlab.__all__, "__version__"])
    assert set(initlab.__all__) == set(initlab._HOMES)


@pytest.mark.parametrize("name", initlab.__all__)
def test_every_name_is_documented_with_an_example(name):
    text = inspect.getdoc(getattr(initlab, name))
    assert text
    assert len(text.split("\n")[0]) < 110
    if (
        inspect.isfunction(getattr(initlab, name))
        and len(inspect.signature(getattr(initlab, name)).parameters) > 1
    ):
        assert "Args:" in text


def docstrings(name):
    """The help of a public name, and of the methods of a class."""
    value = getattr(initlab, name)
    methods = vars(value).values() if inspect.isclass(value) else ()
    return [inspect.getdoc(each) or "" for each in (value, *methods) if not isinstance(each, str | tuple)]


@pytest.mark.parametrize("name", initlab.__all__)
def test_help_cites_no_registry_that_a_notebook_cannot_see(name):
    cited = [word for text in docstrings(name) for word in re.findall(r"`([A-Z]{3}[A-Z_]*)`", text)]
    assert cited == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = initlab.trian


def test_importing_it_loads_nothing_heavy():
    code = "import sys, initlab; assert not {'numpy', 'matplotlib', 'pydantic', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_reprs_fit_a_few_lines():
    schemes = ["he", "xavier"]
    shown = [
        initlab.initialize([784, 100, 10], schemes),
        initlab.train(schemes, ([[0.0, 1.0], [1.0, 0.0]] * 20, [0, 1] * 20), steps=3, hidden="4x2"),
        initlab.Optimizer("sgd", lr=0.1),
        initlab.Scheme("he"),
    ]
    for value in shown:
        assert len(repr(value).splitlines()) <= 4
        assert all(len(line) <= 110 for line in repr(value).splitlines())
