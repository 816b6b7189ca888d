"""Own code in experiments: permission, identity, workers, and what is written down."""

import ast
import json
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from conftest import record_bytes

from initlab import Experiment, Scheme, load_experiment, load_results
from initlab.errors import StorageError, UsageError
from initlab.init.scheme import SCHEMES
from initlab.nn.activations import ACTIVATIONS
from initlab.own_code import Source, essential
from initlab.runner import own_code
from initlab.runner.grid import expand
from initlab.runner.settings import Settings
from initlab.runner.sweep import Choice, run_experiment

MINE = """
import numpy as np

def draws(rng, shape, a=1.0):
    return a * rng.standard_normal(shape) / np.sqrt(shape[0])

def bent(z):
    return np.maximum(z, 0.1 * z)
"""
CONFIG = """\
name: own
data: {path: small}
network: {hidden: [8, 8], activation: code/mine.py:bent}
train: {steps: 40, batch_size: 16, optimizer: {name: sgd, lr: 0.1}}
sweep:
  init: [he, "./code/mine.py:draws(a=2)", {scheme: code/mine.py:draws, a: 1.5, label: Mine}]
  seed: [0, 1]
"""


@pytest.fixture
def config(small_data):
    tmp_path = small_data.parent
    (tmp_path / "code").mkdir()
    (tmp_path / "code/mine.py").write_text(MINE)
    path = tmp_path / "own.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def trace(tmp_path):
    """A file that exists as soon as the code of `code/mine.py` has run."""
    file = tmp_path / "trace"
    (tmp_path / "code/mine.py").write_text(f"{MINE}\nopen({str(file)!r}, 'w').close()\n")
    return file


def run(experiment, folder, jobs=0):
    return run_experiment(experiment, folder, Choice(jobs=jobs))


def test_all_code_of_a_config_is_refused_with_its_places(config, trace):
    with pytest.raises(UsageError) as refusal:
        load_experiment(config)
    lines = str(refusal.value).split("\n")
    assert [line.removeprefix(str(config)).split(": ")[0] for line in lines] == [":3:39", ":6:14", ":6:52"]
    assert all("--allow-code" in line for line in lines)
    assert not trace.exists()
    load_experiment(config, allow_code=True)
    assert trace.exists()


HIDDEN_PLACES = [
    "init: {}",
    "init: {{scheme: {}}}",
    "init: {{scheme: he, first: {}}}",
    "init: {{scheme: he, last: {}}}",
    "init: {{scheme: he, bias: {}}}",
    "sweep: {{init: [{}]}}",
    "sweep: {{init: [{{scheme: {}}}]}}",
    "sweep: {{init.last: [{}]}}",
    "sweep: {{network: [{{hidden: 8x2, activation: {}}}]}}",
    "sweep: {{network.activation: [relu, {}]}}",
    "sweep: {{zip: [{{network.activation: [{}]}}]}}",
    "sweep: {{init: [he], exclude: [{{init: {}}}]}}",
    "sweep: {{init: [he], exclude: [{{network.activation: {}}}]}}",
    "init: auto(activation={})",
    "init: {{scheme: auto, activation: {}}}",
    "init: {{scheme: he, label: {}}}",
    "description: {}",
    "data: {{inputs: {}}}",
    "train: {{steps: 1, batch_size: 1, loss: {}, optimizer: {{name: {}}}}}",
    "figures: [{}]",
    "sweep: {{seed: [{}]}}",
    "{}: 3",
]


@pytest.mark.parametrize("hidden", HIDDEN_PLACES)
def test_no_place_of_a_config_runs_code_without_permission(config, trace, hidden):
    """Wherever a hostile config writes a reference."""
    text = CONFIG.partition("sweep:")[0].replace("code/mine.py:bent", "relu")
    key = hidden.partition(":")[0]
    lines = [line for line in text.split("\n") if not line.startswith(f"{key}:")]
    for reference in ("code/mine.py:draws", "code/mine.py:bent"):
        written = hidden.format(*[reference] * hidden.count("{}"))
        config.write_text("\n".join([*lines, written, "" if "init" in written else "init: he", ""]))
        with suppress(UsageError):
            load_experiment(config).points()
        assert not trace.exists()


def test_what_a_person_sets_runs_and_is_relative_to_the_current_folder(config, tmp_path, monkeypatch):
    config.write_text(CONFIG.partition("sweep:")[0].replace("code/mine.py:bent", "relu"))
    monkeypatch.chdir(tmp_path / "code")
    experiment = load_experiment(config, ["init=./mine.py:draws", "network.activation=mine.py:bent"])
    settings = experiment.points()[0][1]
    assert (settings.init.scheme.short, settings.network.activation.split("@")[0]) == ("draws", "bent")


def test_records_have_the_same_bytes_from_workers_that_see_no_file(config, tmp_path):
    experiment = load_experiment(config, allow_code=True)
    (tmp_path / "code/mine.py").unlink()
    expected = None
    for jobs in (0, 1, 2):
        outcome = run(experiment, tmp_path / f"r{jobs}", jobs)
        assert not outcome.failed
        records = record_bytes(tmp_path / f"r{jobs}/own")
        assert expected in (None, records)
        expected = records
    labels = [group.condition.label for group in outcome.groups]
    assert labels == ["he", "draws(a=2)", "Mine"]


def test_a_changed_file_gives_new_runs_and_a_moved_one_the_same(config, tmp_path):
    before = load_experiment(config, allow_code=True)
    ids = [each.id for each in expand(before)]
    assert len(set(ids)) == 6
    assert all("bent-8x2" in name and "@" not in name for name in ids)
    first = run(before, tmp_path / "r")
    assert (first.trained, run(before, tmp_path / "r").trained) == (6, 0)
    summary = tmp_path / "r/own/summary.csv"
    written = summary.read_bytes()

    moved = tmp_path / "other.py"
    moved.write_text(MINE)
    config.write_text(CONFIG.replace("./code/mine.py", "other.py").replace("code/mine.py", "./other.py"))
    assert [each.id for each in expand(load_experiment(config, allow_code=True))] == ids

    moved.write_text(MINE.replace("0.1 * z", "0.2 * z"))
    changed = load_experiment(config, allow_code=True)
    assert not set(ids) & {each.id for each in expand(changed)}
    assert run(changed, tmp_path / "r").trained == 6
    assert summary.read_bytes() != written

    moved.write_text(MINE)
    assert run(load_experiment(config, allow_code=True), tmp_path / "r").trained == 0
    assert summary.read_bytes() == written


def test_what_is_written_can_be_run_again_and_holds_the_source(config, tmp_path):
    run(load_experiment(config, allow_code=True), tmp_path / "r")
    folder = tmp_path / "r/own"
    with pytest.raises(UsageError, match="--allow-code"):
        load_results(folder)
    results = load_results(folder, allow_code=True)
    assert len(results.runs) == 6
    assert f"activation: {tmp_path}/code/mine.py:bent\n" in (folder / "experiment.yaml").read_text()
    (session,) = json.loads((folder / "provenance.json").read_text()).values()
    assert set(session["own_code"].values()) == {MINE}


@pytest.mark.usefixtures("config")
def test_an_experiment_in_python_asks_too(tmp_path, small_data):
    given = {
        "name": "own",
        "data": {"path": str(small_data)},
        "network": {"hidden": "8x2", "activation": f"{tmp_path}/code/mine.py:bent"},
        "train": {"steps": 5, "batch_size": 8, "optimizer": {"lr": 0.1}},
    }
    with pytest.raises(UsageError, match=r"network\.activation: .*allow_code=True"):
        Experiment(given, init="he")
    scheme = Scheme.parse(f"{tmp_path}/code/mine.py:draws")
    experiment = Experiment(given, init=scheme, allow_code=True)
    assert run(experiment, tmp_path / "r").trained == 1


def test_a_function_without_a_file_has_no_records(config):
    scheme = Scheme.of(lambda rng, shape: rng.standard_normal(shape))
    activation = ACTIVATIONS.resolve(lambda z: np.maximum(z, 0.3 * z))
    for setting in (f"sweep.init=[{scheme}]", f"network.activation={activation}"):
        with pytest.raises(UsageError, match="function has no file"):
            load_experiment(config, [setting], allow_code=True)


def test_identities_without_own_code_are_what_they_were(small_config):
    """Published runs would otherwise be trained again."""
    ids = [each.id for each in expand(load_experiment("mnist"))]
    assert ids[0] == "normal-std-1-relu-100x4-seed0-ba16c9044484"
    assert all(not each.code for each in expand(load_experiment(small_config)))


def test_mistakes_within_the_code_have_the_place_of_the_config(config):
    for text, message in (
        ("./code/mine.py:drows", r"own\.yaml:6:14: unknown function of .*did you mean 'draws'"),
        ("./code/mine.py:draws(b=2)", r"own\.yaml:6:14: init.*unknown argument of draws"),
        ("./code/mine.py:bent", r"own\.yaml:6:14: bent must be a function of rng, shape"),
    ):
        config.write_text(CONFIG.replace("./code/mine.py:draws(a=2)", text))
        with pytest.raises(UsageError, match=message):
            load_experiment(config, allow_code=True)
    unread = CONFIG.replace("./code/mine.py:draws(a=2)", "./code/none.py:draws")
    config.write_text(unread)
    with pytest.raises(StorageError, match=r"own\.yaml:6:14: .*none\.py:draws: cannot read the file"):
        load_experiment(config, allow_code=True)
    config.write_text(unread.replace("code/mine.py:bent", "code/mine.py:bnet"))
    with pytest.raises(UsageError, match=r"unknown function(?s:.*)cannot read the file"):
        load_experiment(config, allow_code=True)
    config.write_text(CONFIG.replace("code/mine.py:bent", "'code/mine.py:bent(a=2)'"))
    with pytest.raises(UsageError, match="takes no arguments"):
        load_experiment(config, allow_code=True)


def test_a_scheme_that_fails_for_a_layer_is_a_failed_run(config, tmp_path):
    (tmp_path / "code/mine.py").write_text(MINE.replace("return a", "assert shape[0] < 16\n    return a"))
    outcome = run(load_experiment(config, allow_code=True), tmp_path / "r")
    causes = [record.cause for record in outcome.failed]
    assert len(causes) == 4
    assert all("mine.py:5: draws fails: AssertionError" in cause for cause in causes)


def test_the_commands_ask(initlab_here, config, tmp_path):
    for words in (("run", "--results", tmp_path / "r"), ("diagnose",), ("config", "show"), ("clean",)):
        command, options = words[: 2 if words[0] == "config" else 1], words[len(words) :]
        refused = initlab_here(*command, config, *options)
        assert refused.returncode == 2
        assert "--allow-code" in refused.stderr
    done = initlab_here("run", config, "--allow-code", "--jobs", 0, "--results", tmp_path / "r")
    assert done.returncode == 0
    assert "draws(a=2)" in done.stdout
    shown = initlab_here("config", "show", config, "--allow-code").stdout
    assert f'activation: "{tmp_path}/code/mine.py:bent"' in shown
    assert initlab_here("clean", config, "--allow-code", "--results", tmp_path / "r").returncode == 0
    assert "bent" in initlab_here("diagnose", config, "--allow-code", "--seeds", 1).stdout


def test_a_worker_loads_what_it_was_sent():
    source = Source(
        kind="scheme", function="sent", reference="/nowhere/x.py:sent", text=MINE.replace("draws", "sent")
    )
    own_code.install_code([source])
    assert SCHEMES[source.name].name == source.name
    with pytest.raises(UsageError, match="unknown scheme"):
        own_code.install_code(
            [Source(kind="scheme", function="x", reference="gone", text="", is_installed=True)]
        )


@pytest.mark.parametrize(
    "given",
    [
        {"init": "./code/mine.py:draws"},
        {"init": {"scheme": "he", "last": "./code/mine.py:draws"}},
        {"init": {"scheme": "./code/mine.py:draws", "a": 2}},
        {"init": "he", "network": {"hidden": "8x2", "activation": "./code/mine.py:bent"}},
    ],
)
def test_settings_alone_load_no_file(config, trace, monkeypatch, given):
    """So a place that the search through a config missed could run nothing."""
    monkeypatch.chdir(config.parent)
    shared = {"network": {"hidden": "8x2", "activation": "relu"}}
    shared["train"] = {"steps": 1, "batch_size": 1, "optimizer": {"lr": 0.1}}
    with pytest.raises(ValueError, match="is code, which may do anything"):
        Settings.model_validate({**shared, **given})
    assert not trace.exists()


def test_plots_and_comparisons_of_own_code_ask_too(initlab_here, config, tmp_path):
    results = ("--results", tmp_path / "r")
    for steps in ("10", "20"):
        words = ("run", config, "--allow-code", "--jobs", 0, "--set", f"train.steps={steps}")
        assert initlab_here(*words, *results).returncode == 0
    for words in (["plot", "own+steps10", "--x", "init"], ["compare", "own+steps10", "own+steps20"]):
        refused = initlab_here(*words, *results)
        assert (refused.returncode, "--allow-code" in refused.stderr) == (2, True)
        assert initlab_here(*words, "--allow-code", *results).returncode == 0


def test_code_that_ends_python_is_a_mistake_in_it(config):
    (config.parent / "code/mine.py").write_text(f"{MINE}\ndef ends(z):\n    raise SystemExit(0)\n")
    config.write_text(CONFIG.replace("mine.py:bent", "mine.py:ends"))
    with pytest.raises(UsageError, match="ends fails: SystemExit: 0"):
        load_experiment(config, allow_code=True)


def train(config, folder, jobs=0):
    told = []
    experiment = load_experiment(config, allow_code=True)
    return run_experiment(experiment, folder, Choice(jobs=jobs), tell=told.append), told


COMMENTED = """
# What I draw.
import numpy as np

def draws(rng, shape, a=1.0):
    '''Normal weights.

    With a factor.
    '''
    return a * rng.standard_normal(shape) / np.sqrt(shape[0])  # as LeCun


def bent(z):
    # leaky
    return np.maximum(z, 0.1 * z)
"""


def test_comments_train_nothing_again_and_code_does_with_the_reason(config, tmp_path):
    first, told = train(config, tmp_path / "r")
    assert (first.trained, told) == (6, [])
    (tmp_path / "code/mine.py").write_text(COMMENTED)
    assert train(config, tmp_path / "r")[0].trained == 0
    (tmp_path / "code/mine.py").write_text(COMMENTED.replace("0.1", "0.2"))
    again, told = train(config, tmp_path / "r")
    assert again.trained == 6
    assert told == ["6 runs are trained again: mine.py changed since"]
    assert train(config, tmp_path / "r", jobs=1)[1] == []


def test_the_reason_names_the_one_file_that_changed(config, tmp_path):
    (tmp_path / "code/other.py").write_text("def steep(z):\n    return 3.0 * z\n")
    config.write_text(CONFIG.replace("mine.py:bent", "other.py:steep"))
    train(config, tmp_path / "r")
    (tmp_path / "code/mine.py").write_text(MINE.replace("a=1.0", "a=1.1"))
    _, told = train(config, tmp_path / "r")
    assert told == ["4 runs are trained again: mine.py changed since"]
    (tmp_path / "code/other.py").write_text("def steep(z):\n    return 4.0 * z\n")
    _, told = train(config, tmp_path / "r")
    assert told == ["6 runs are trained again: other.py changed since"]


LAYOUTS = {
    "comment": "x = 1  # one",
    "own line": "# one\nx = 1",
    "docstring": '"""One.\n\n# Two.\n"""\nx = 1',
    "blanks": "\n\nx = 1   \n\n\n",
    "windows": "# one\r\nx = 1\r\n",
    "no end": "x = 1",
    "last comment": "x = 1\n# one",
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=list(LAYOUTS))
def test_what_changes_no_number_is_not_part_of_the_code(text):
    assert essential(text) == "x = 1"


CHANGES = [
    ("def f():\n    x = 1\n    return x", "def f():\n    x = 1\nreturn x"),
    ("x = '# one'", "x = '# two'"),
    ('x = """a\n\nb"""', 'x = """a\nb"""'),
    ("x = 'a'  # b", "x = 'b'  # b"),
    ("x = (1,  # one\n     2)", "x = (1,  # one\n     3)"),
    ("x = f'{1} # a'", "x = f'{1} # b'"),
    ("def f(): 'a'; g()", "def f(): 'a'; h()"),
    ("x = (  # open\n", "x = (  # shut\n"),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_may_change_a_number_is_part_of_the_code(before, after):
    assert essential(before) != essential(after)


def test_the_essential_code_of_our_modules_has_their_syntax_trees():
    """The digest leaves nothing out that Python compiles, docstrings aside."""
    for path in Path(own_code.__file__).parent.parent.glob("nn/*.py"):
        text = path.read_text()
        trees = [without_docstrings(ast.parse(each)) for each in (text, filled(essential(text)))]
        assert trees[0] == trees[1]


def filled(text):
    """Functions that had a docstring alone get a body again."""
    return re.sub(r"^( *)((?:def|class) .*:)\n(?!\1 )", r"\1\2 ...\n", text + "\n", flags=re.MULTILINE)


def without_docstrings(tree):
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not is_string(each)] or [ast.Pass()]
            is_idle = len(node.body) == 1 and isinstance(node.body[0], ast.Expr | ast.Pass)
            node.body = [] if is_idle else node.body
    return ast.dump(tree)


def is_string(node):
    value = getattr(node, "value", None)
    return isinstance(node, ast.Expr) and isinstance(value, ast.Constant) and isinstance(value.value, str)
