"""The floors: imports point to the same floor or a lower one, without circles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "initlab"
FLOORS = {
    "errors": 0,
    "own_code": 0,
    "registry": 0,
    "tables": 0,
    "files": 0,
    "threads": 0,
    "nn": 0,
    "init": 1,
    "data": 1,
    "theory": 2,
    "measure": 2,
    "training": 3,
    "diagnosis": 3,
    "plotting": 4,
    "runner": 5,
    "gallery": 6,
    "pages": 6,
    "frameworks": 6,
    "torch": 6,
    "flax": 6,
    "keras": 6,
    "cli": 7,
    "__main__": 8,
}
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
    """The package itself holds nothing but its version and the names of a notebook."""
    return FLOORS[module.split(".")[1]] if "." in module else 0


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    above = [other for other in imported(MODULES[module]) if floor(other) > floor(module)]
    assert not above


def test_there_are_no_circles():
    TopologicalSorter({module: list(imported(path)) for module, path in MODULES.items()}).prepare()


def test_every_folder_is_a_floor_one_level_deep():
    assert {module.split(".")[1] for module in MODULES} == set(FLOORS)
    assert max(module.count(".") for module in MODULES) == 2


def test_the_network_is_numpy_and_the_standard_library_alone_and_knows_no_scheme():
    allowed = {"numpy", "collections", "copy", "dataclasses", "enum", "functools", "inspect", "itertools"}
    allowed |= {"math", "numbers", "re", "typing"}
    for path in (PACKAGE / "nn").glob("*.py"):
        assert {name.split(".")[0] for name in outside(path)} <= allowed, path
        ours = {name.split(".")[1] for name in imported(path)}
        assert ours <= {"nn", "errors", "registry", "threads"}, path


def outside(path):
    """What a file imports from elsewhere than initlab."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
        yield from (name for name in names if not name.startswith("initlab"))


def test_training_is_written_once():
    """Only the loop takes steps; a network's own method and its example aside."""
    users = [path for path in PACKAGE.rglob("*.py") if ".train_step(" in path.read_text()]
    assert {path.relative_to(PACKAGE).as_posix() for path in users} == {"nn/network.py", "training/loop.py"}


def test_no_figure_uses_pyplot():
    assert not [
        path for path in PACKAGE.rglob("*.py") if {"pyplot", "matplotlib.pyplot"} & set(outside(path))
    ]
