"""Schemes and activations of installed packages, which add them by entry points."""

import json

import pytest

from initlab import Scheme, load_experiment
from initlab.errors import DataError, UsageError
from initlab.init.scheme import SCHEMES
from initlab.nn.activations import ACTIVATIONS
from initlab.runner import own_code
from initlab.runner.grid import expand
from initlab.runner.sweep import Choice, run_experiment

PARTS = """
import numpy as np
from . import FACTOR

def cut(rng, shape, scale=1.0):
    return FACTOR * scale * np.clip(rng.standard_normal(shape), -1, 1) / np.sqrt(shape[0])

def bent(z):
    return np.maximum(z, 0.1 * z)
"""


def install(folder, package, points, code=PARTS):
    """A package as pip leaves it in a folder of the path."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text("FACTOR = 1.0\n")
    (folder / package / "parts.py").write_text(code)
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(points.replace("PACKAGE", package))


POINTS = (
    "[initlab.schemes]\ncut_normal = PACKAGE.parts:cut\n[initlab.activations]\nbent = PACKAGE.parts:bent\n"
)


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    return folder


def test_a_packages_scheme_and_activation_are_names_like_ours(site, small_config, tmp_path):
    install(site, "kinky_a", POINTS)
    scheme = Scheme.parse("cut_normal(scale=2)")
    assert scheme.short == "cut_normal(scale=2)"
    changes = ["sweep.init=[he, cut_normal(scale=2)]", "network.activation=bent", "name=small"]
    experiment = load_experiment(small_config, changes)
    outcomes = [run_experiment(experiment, tmp_path / f"r{jobs}", Choice(jobs=jobs)) for jobs in (0, 1)]
    assert [outcome.trained for outcome in outcomes] == [4, 4]
    assert not any(outcome.failed for outcome in outcomes)
    assert outcomes[0].curves() == outcomes[1].curves()
    written = (tmp_path / "r0/small/experiment.yaml").read_text()
    assert "activation: bent\n" in written
    assert "- cut_normal(scale=2)\n" in written


def test_another_version_of_a_package_is_refused(site, small_config, monkeypatch):
    install(site, "kinky_b", POINTS.replace("bent =", "bent_b ="))
    experiment = load_experiment(small_config, ["network.activation=bent_b"])
    code = expand(experiment)[0].code
    assert [source.reference for source in code] == ["bent_b"]
    (site / "kinky_b/parts.py").write_text(PARTS.replace("0.1", "0.2"))
    own_code.install_code(code)  # in the process that has loaded it
    with pytest.raises(UsageError, match="bent_b: its package changed after it was imported"):
        ACTIVATIONS.resolve("bent_b")
    monkeypatch.setattr("initlab.own_code._IMPORTED", {})
    monkeypatch.delitem(ACTIVATIONS._own, code[0].name)
    with pytest.raises(DataError, match="bent_b: the worker's copy of the package differs"):
        own_code.install_code(code)


def test_nothing_of_a_package_is_imported_before_it_is_used(site, initlab_here, tmp_path):
    trace = tmp_path / "trace"
    install(site, "kinky_c", POINTS, f"open({str(trace)!r}, 'w')\n{PARTS}")
    listed = initlab_here("schemes").stdout
    assert "cut_normal" in listed
    assert "kinky_c" in listed
    rows = json.loads(initlab_here("schemes", "--json").stdout)["installed"]
    assert {"name": "bent", "kind": "activation", "package": "kinky_c"} in rows
    with pytest.raises(UsageError, match="did you mean 'cut_normal'"):
        Scheme.parse("cut_norml")
    assert not trace.exists()


def test_ours_win_and_two_packages_with_one_name_are_refused(site):
    install(site, "kinky_d", "[initlab.schemes]\nhe = PACKAGE.parts:cut\ntwice = PACKAGE.parts:cut\n")
    assert SCHEMES.resolve("he") == "he"
    install(site, "kinky_e", "[initlab.schemes]\ntwice = PACKAGE.parts:cut\n")
    with pytest.raises(UsageError, match="'twice' is in two installed packages: kinky_d and kinky_e"):
        Scheme.parse("twice")


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ("PACKAGE.none:cut", "is no module with a source"),
        ("PACKAGE.parts:none", "kinky_f.*AttributeError"),
        ("math:sin", "is no module with a source"),
    ],
)
def test_a_broken_package_is_named(site, point, message):
    install(site, "kinky_f", f"[initlab.schemes]\nbroken = {point}\n")
    with pytest.raises(UsageError, match=message):
        Scheme.parse("broken")
