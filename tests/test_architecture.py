"""The floors: imports point to the same floor or a lower one, without circles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "initlab"
FLOORS = {"errors": 0, "nn": 0, "data": 1, "analysis": 2, "runner": 3, "plotting": 4, "cli": 5, "__main__": 6}
MODULES = {
    ".".join(("initlab", *path.relative_to(PACKAGE).with_suffix("").parts)): path
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
}


def imported(path):
    """The modules of initlab that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("initlab"):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("initlab"))


def floor(module):
    return FLOORS[module.split(".")[1]]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    above = [other for other in imported(MODULES[module]) if floor(other) > floor(module)]
    assert not above


def test_there_are_no_circles():
    TopologicalSorter({module: list(imported(path)) for module, path in MODULES.items()}).prepare()


def test_the_network_is_numpy_and_the_standard_library_alone():
    allowed = {"numpy", "initlab", "collections", "dataclasses", "enum", "functools", "inspect", "itertools"}
    allowed |= {"math", "re", "typing"}
    for path in (PACKAGE / "nn").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            assert {name.split(".")[0] for name in names} <= allowed, path


def test_no_figure_uses_pyplot():
    assert not [path for path in PACKAGE.rglob("*.py") if "pyplot" in path.read_text()]
