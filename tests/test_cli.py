"""The command as a person uses it: its output and exit code.

A process of its own where imports, signals or workers matter; else within this one, which is quicker.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from initlab import __version__
from initlab.init.scheme import SCHEMES
from initlab.runner import memory
from initlab.runner.config import load_experiment
from initlab.runner.shipped import shipped_configs
from initlab.runner.store import Store
from initlab.tables import cell_width


def initlab(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "initlab", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_help_loads_neither_numpy_nor_matplotlib():
    code = (
        "import sys; sys.argv = ['initlab', '--help']\n"
        "from initlab.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'numpy', 'matplotlib', 'pydantic', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_version_loads_neither_numpy_nor_matplotlib():
    code = (
        "import sys; sys.argv = ['initlab', '--version']\n"
        "from initlab.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'numpy', 'matplotlib', 'pydantic', 'yaml'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == f"initlab {__version__}\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("initlab re", "report remove reproduce"),
        ("initlab run mnist --js", "--json"),
        ("initlab run m", "mnist mine.yaml"),
        ("initlab config show sc", "schedules schemes schemes_sigmoid schemes_unscaled"),
        ("initlab new x --from mi", ""),
        ("initlab depth --init he", "he he_normal he_uniform"),
        ("initlab diagnose --activation si", "sigmoid"),
        ("initlab diagnose --optimizer ada", "adagrad adam adamw"),
        ("initlab fetch k", "kmnist"),
        ("initlab claims symm", "symmetry"),
        ("initlab list s", "small"),
        ("initlab list --results elsewhere s", ""),
        ("initlab frobnicate x", ""),
    ],
)
def test_completion_loads_neither_numpy_nor_matplotlib(words, completed, tmp_path):
    code = (
        "import sys; sys.argv = ['initlab']\n"
        "from initlab.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'numpy', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    asked = {"_INITLAB_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    (tmp_path / "mine.yaml").touch()
    Store(tmp_path / "results", "small").runs.path.parent.mkdir(parents=True)
    Store(tmp_path / "results", "small").runs.path.touch()
    environment = {**os.environ, **asked, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.split()) == (0, completed.split()), done.stderr


@pytest.mark.parametrize("words", [[], ["config"]], ids=["initlab", "initlab config"])
def test_the_help_of_each_command_fits_a_line(initlab_here, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    _, _, commands = initlab_here(*words, "--help").stdout.partition("Commands:\n")
    lines = commands.splitlines()
    assert lines
    assert not [line for line in lines if line.endswith("...")]


def test_a_shipped_config_is_run_by_its_name_from_any_folder(initlab_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ["--set", "name=mnist"]
    few += ["--set", "train.steps=2", "--set", "sweep.seed=[0]", "--set", "sweep.init=[he]"]
    done = initlab_here("run", "mnist", "--jobs", 0, "--quiet", *few)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/mnist/loss.png").is_file()


def test_the_shipped_configs_are_listed(initlab_here):
    done = initlab_here("run", "--list")
    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines()[1:] if not line.startswith(" ")]
    assert names == sorted(shipped_configs())


def test_new_writes_a_config_that_runs_and_overwrites_nothing(initlab_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = initlab_here("new", "mine.yaml", "--from", "mnist")
    assert (done.returncode, done.stderr) == (0, "Edit mine.yaml, then train it: initlab run mine.yaml\n")
    assert load_experiment("mine.yaml").name == "mine"
    (tmp_path / "mine.yaml").write_text("edited")
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "elsewhere")
    for name in ("mine", "dangling"):
        done = initlab_here("new", name)
        assert (done.returncode, f"{name}.yaml exists already" in done.stderr) == (2, True)
    assert (tmp_path / "mine.yaml").read_text() == "edited"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling.yaml", "mine.yaml"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["../mine"], "'../mine': the name must be a plain name"),
        (["mine", "--from", "mnits"], "unknown config 'mnits'; did you mean 'mnist'"),
        (["mine", "--from", "./other.yaml"], "unknown config './other.yaml'"),
    ],
)
def test_new_refuses_before_it_writes(initlab_here, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    done = initlab_here("new", *words)
    assert (done.returncode, message in done.stderr, list(tmp_path.iterdir())) == (2, True, [])


def test_training_loads_no_matplotlib():
    code = "import sys, initlab.runner.sweep; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_run_prints_a_table_writes_everything_and_trains_nothing_twice(initlab_here, small_config, tmp_path):
    first = initlab("run", small_config, "--results", tmp_path / "r", "--jobs", 2)
    assert first.returncode == 0, first.stderr
    assert [line.split()[0] for line in first.stdout.splitlines()[1:]] == ["he", "std=0.01", "huge"]
    assert "2 of 2, at step 1" in first.stdout
    assert "6 runs trained, 0 had a record already" in first.stderr
    assert "Traceback" not in first.stderr
    assert "Warning" not in first.stderr
    folder = tmp_path / "r" / "small"
    written = {path.name for path in folder.iterdir()} - {".lock", ".tables.json"}
    expected = {"experiment.yaml", "provenance.json", "summary.csv", "curves.csv", "runs.sqlite"}
    assert written == expected | {"loss.png", "loss.svg"}
    pictures = {name: (folder / name).read_bytes() for name in ("loss.png", "loss.svg")}
    (folder / "loss.png").unlink()
    second = initlab_here("run", small_config, "--results", tmp_path / "r")
    assert second.stdout == first.stdout
    assert "0 runs trained, 6 had a record already" in second.stderr
    assert {name: (folder / name).read_bytes() for name in pictures} == pictures


def test_run_json_is_for_programs(initlab_here, small_config, tmp_path):
    done = initlab_here("run", small_config, "--jobs", 0, "--results", tmp_path / "r", "--json", "--quiet")
    assert [row["label"] for row in json.loads(done.stdout)["conditions"]] == ["he", "std=0.01", "huge"]
    assert done.stderr == ""


def test_set_overrides_the_config(initlab_here, small_config, tmp_path):
    done = initlab_here(
        "run",
        small_config,
        "--jobs",
        0,
        "--results",
        tmp_path,
        "--set",
        "sweep.init=[lecun]",
        "--set",
        "train.steps=3",
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("lecun")
    assert (tmp_path / "small+init-lecun+steps3/loss.png").is_file()


@pytest.mark.usefixtures("small_config")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nowhere.yaml"], 5, "nowhere.yaml: cannot read the config: No such file"),
        (["run", "nowhere"], 2, "unknown config 'nowhere'; `initlab run --list` lists all"),
        (["run", "mnits"], 2, "unknown config 'mnits'; did you mean 'mnist'?"),
        (["run", "smal"], 2, "unknown config 'smal'; did you mean 'small.yaml'?"),
        (["run", "smal.yaml"], 5, "No such file or directory; did you mean 'small.yaml'?"),
        (["run", "mnist.yaml"], 5, "No such file or directory; did you mean 'mnist'?"),
        (["config", "show", "mnits"], 2, "unknown config 'mnits'; did you mean 'mnist'?"),
        (["run", "."], 5, "cannot read the config: Is a directory"),
        (["run", "broken.yaml"], 2, "broken.yaml:2:6: a ':' where no key may stand"),
        (["run", "small.yaml", "--set", "trian.steps=1"], 2, "unknown key 'trian'; did you mean 'train'?"),
        (["run", "small.yaml", "--set", "init=xaveir"], 2, "did you mean 'xavier', '"),
        (
            ["run", "small.yaml", "--set", "network.hidden=[-8]"],
            2,
            "network.hidden.0 must be 1 or more",
        ),
        (["run", "small.yaml", "--set", "figures=[lsos]"], 2, "unknown figure 'lsos'; did you mean 'loss'?"),
        (["run", "small.yaml", "--set", "data.path=none"], 3, "none: no such folder of IDX files"),
        (
            ["run", "small.yaml", "--set", "data.path=cut"],
            3,
            "cut/train-images-idx3-ubyte: truncated",
        ),
        (
            ["run", "small.yaml", "--results", "small.yaml"],
            5,
            "small.yaml/small: cannot write: Not a",
        ),
        (["run", "small.yaml", "--jobs", "-1"], 2, "--jobs must be 0 or more, not '-1'"),
        (["run", "small.yaml", "--jobs", "two"], 2, "--jobs must be a whole number, not 'two'"),
        (["run", "small.yaml", "--jobs"], 2, "Option '--jobs' requires an argument"),
        (["run", "small.yaml", "--job", "2"], 2, "unknown option '--job'; did you mean '--jobs'"),
        (["run", "small.yaml", "small.yaml"], 2, "(small.yaml); `initlab run --help` explains it"),
        (["run"], 2, "initlab: run needs CONFIG: A YAML file, or the name of a shipped config"),
        (["config", "shw"], 2, "unknown command 'shw'; did you mean 'show'?"),
        (["--vresion"], 2, "unknown option '--vresion'; did you mean '--version'?"),
        (["histogram", "--init", "hee"], 2, "unknown scheme 'hee'; did you mean 'he'?"),
        (["histogram", "--activation", "rleu"], 2, "unknown activation 'rleu'; did you mean 'relu'?"),
        (["histogram", "--depth", "0"], 2, "depth must be 1 or more, not 0"),
        (["depth", "--depth", "1"], 2, "depth must be 2 or more, not 1"),
        (["histogram", "--width", "-5"], 2, "width must be 1 or more, not -5"),
        (
            ["histogram", *(f"--init=std={i}" for i in range(1, 102))],
            2,
            "holds 100 schemes, not 101",
        ),
        (["histogram", "--range", "1,0"], 2, "a range goes from a smaller to a larger"),
        (["histogram", "--range", "wide"], 2, "--range wide: write two numbers"),
        (["histogram", "--output", "a.txt"], 2, "--output a.txt: the name must end in .png, .svg or .pdf"),
        (["histogram", "--output", "small.yaml/a.png"], 5, "small.yaml: not a folder"),
        (["histogram", "--init", "He"], 2, "'He'; did you mean 'he'? `initlab schemes` lists all"),
        (["histogram", "--init", "0.01"], 2, "cannot read the scheme '0.01'; did you mean std=0.01?"),
        (["histogram", "--init", "he,std=1"], 2, "repeat the option, as in --init he --init std=1"),
        (["depth", "--init", "he, lecun"], 2, "repeat the option, as in --init he --init lecun"),
        (["depth", "--activation", "relu,tanh"], 2, "as in --activation relu --activation tanh"),
        (["histogram", "--activation", "relu,tanh"], 2, "as in --activation relu --activation tanh"),
        (["explain", "torch:lin"], 2, "`initlab schemes --source torch` lists all"),
        (["depth", "--init", "./none.py:f"], 5, "./none.py:f: cannot read the file: No such file"),
        (["depth", "--activation", "./none.py:f"], 5, "./none.py:f: cannot read the file: No such file"),
        (["run", "mnist", "--jobs", "0", "--dask", "tcp://x:1"], 2, "--jobs 0 trains in this process, and"),
        (["diagnose", "--library", "tensorflow"], 2, "did you mean 'keras'? Known: flax, keras, torch"),
        (["schemes", "glort"], 2, "no scheme has 'glort'; did you mean 'glorot'? `initlab schemes` lists"),
        (["schemes", "he_nromal", "glorot"], 2, "did you mean 'he_normal'? `initlab schemes` lists all"),
        (["schemes", "--source", "toch"], 2, "no scheme has '--source toch'; did you mean 'torch'?"),
        (["histogram", "--depth", "100000"], 2, "--depth must be 1000 or less, not '100000'"),
        (["depth", "--width", "1000000"], 2, "--width must be 100000 or less"),
        (["histogram", "--init", "./mine.py"], 2, "name a function of the file, as ./mine.py:f"),
        (["histogram", "--init", "std"], 2, "unknown scheme 'std'; did you mean 'normal'?"),
        (["explain", "he", "--layer", "99999x99999"], 2, "at most 10,000,000 weights, not 9,999,800,001"),
        (["run", "mnist", "--mixed"], 2, "--mixed is for the workers of --dask"),
        (["run", "mnist", "--set", "a." * 5000 + "b=3"], 2, ": nested more than 20 levels deep"),
        (["run", "mnist", "--set", "train.clip=0"], 2, "train.clip must be above 0, not 0"),
        (["reproduce", "symmetry", "--quick", "--results", "small.yaml"], 5, "small.yaml"),
        (["reproduce", "symmetry", "--results", "small.yaml"], 5, "small.yaml: not a folder"),
        (["fetch", "--force"], 2, "unknown option '--force'; known: --help"),
        (["list"], 5, "results: there is no such folder of results; `initlab run` makes one"),
        (["compare", "a", "b"], 5, "results: there is no such folder of results"),
        (["claims", "symetry"], 2, "unknown experiment 'symetry'; did you mean 'symmetry'"),
        (["fetch", "kmnist", "mnits"], 2, "unknown dataset 'mnits'; did you mean 'mnist'?"),
        (["histogram", "--init", "he", "xavier"], 2, "(xavier); repeat an option for another value"),
        (["hist"], 2, "unknown command 'hist'; did you mean 'list', 'histogram' or 'site'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_reported_in_words_with_its_exit_code(
    initlab_here, small_data, tmp_path, arguments, code, message, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text("name: x\n  bad: [1,\n")
    (tmp_path / "cut").mkdir()
    for file in small_data.iterdir():
        (tmp_path / "cut" / file.name).write_bytes(file.read_bytes()[:1000])
    done = initlab_here(*arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_a_run_or_experiment_that_nobody_recorded_is_told_with_similar_names(
    initlab_here, small_config, tmp_path
):
    few = ["--set", "name=small", "--set", "train.steps=2", "--jobs", 0, "--quiet"]
    few += ["--results", tmp_path / "r"]
    assert initlab_here("run", small_config, *few).returncode == 0
    compared = initlab_here("compare", "smal", "he-relu", "--results", tmp_path / "r")
    assert "no run is called 'smal'; did you mean 'small" in compared.stderr
    listed = initlab_here("list", "smal", "--results", tmp_path / "r")
    assert "unknown experiment 'smal'; did you mean 'small'?" in listed.stderr


def test_an_id_that_list_has_shortened_is_accepted_and_all_fits_the_terminal(
    initlab_here, small_config, tmp_path
):
    label = "日本語の長い名前" * 3
    scheme = "variance_scaling(scale=1.3, fan=average, distribution=uniform)"
    few = ["--set", "name=small", "--set", "train.steps=2", "--set", "network.hidden=[8, 9, 7]"]
    few += ["--set", f'sweep.init=[{{scheme: "{scheme}", label: {label}}}]', "--results", tmp_path / "r"]
    printed = [
        initlab_here("run", small_config, *few, "--jobs", 0),
        initlab_here("run", small_config, *few, "--dry-run"),
        initlab_here("list", "small", "--results", tmp_path / "r"),
        initlab_here("compare", "small", "small", "--results", tmp_path / "r"),
    ]
    assert [done.returncode for done in printed] == [0, 0, 0, 0]
    assert max(cell_width(line) for done in printed for line in done.stdout.splitlines()) <= 80
    shown = [line.split()[0] for line in printed[2].stdout.splitlines()[1:]]
    assert all("..." in name for name in shown)
    for name in (shown[0], f"small/{shown[0]}", shown[0].replace("...", "…")):
        done = initlab_here("note", name, "a note", "--results", tmp_path / "r")
        assert done.returncode == 0, done.stderr
    assert initlab_here("compare", *shown, "--results", tmp_path / "r").returncode == 0
    assert initlab_here("remove", "small", *shown, "--yes", "--results", tmp_path / "r").returncode == 0
    assert Store(tmp_path / "r", "small").run_ids() == []


def test_what_is_shipped_needs_no_fetching(initlab_here):
    done = initlab_here("fetch", "mnist")
    assert (done.returncode, done.stderr) == (0, "mnist: shipped; there is nothing to fetch\n")


def test_a_run_that_cannot_be_trained_is_recorded_with_its_cause_while_the_rest_goes_on(
    initlab_here, small_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(memory, "available", lambda: None)  # else the whole is refused before
    words = ["run", small_config, "--jobs", 0, "--results", tmp_path, "--set", "sweep.init=[he]"]
    words += ["--set", "sweep.network.hidden=[8x2, 100000x50]"]
    done = initlab_here(*words)
    assert done.returncode == 1
    assert done.stderr.count("failed: not enough memory for this network or batch") == 2
    assert "4 runs trained" in done.stderr
    again = initlab_here(*words)
    assert again.returncode == 1
    assert "0 runs trained, 4 had a record" in again.stderr
    retried = initlab_here(*words, "--retry-failed")
    assert "2 runs trained, 2 had a record" in retried.stderr


def test_histogram_draws_and_prints_the_same_numbers(initlab_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["histogram", "--init", "he", "--init", "std=1", "--depth", 3]
    table = initlab_here(*words)
    assert table.returncode == 0, table.stderr
    lines = [line for line in table.stdout.splitlines() if line.startswith(("he ", "std=1 "))]
    assert len(lines) == 3 * 2 * 3
    assert (tmp_path / "results/histogram/he-std=1.png").is_file()
    rows = json.loads(initlab_here(*words, "--json", "--output", "a.svg").stdout)["layers"]
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    for row, line in zip(rows, lines, strict=True):
        assert f"{row['std']:.3g}" in line.split()
        assert f"{row['below_range'] + row['above_range']:,}" == line.split()[-1]


def test_many_histograms_become_a_figure_for_each_activation(initlab_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ["--depth", 1, "--width", 5, "--samples", 9, "--output", "a.png"]
    schemes = [word for name in ("he", "xavier", "lecun", "std=1") for word in ("--init", name)]
    done = initlab_here("histogram", *schemes, *few, "--activation", "relu", "--activation", "tanh")
    assert done.returncode == 0, done.stderr
    assert "Written: a-relu.png, a-tanh.png" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-relu.png", "a-tanh.png"]
    assert "Written: a.png" in initlab_here("histogram", *schemes, *few, "--activation", "relu").stderr


def test_histogram_options(initlab_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--activation", "tanh", "--depth", 2, "--width", 30, "--samples", 50, "--bins", 7, "--seed", 3]
    done = initlab_here("histogram", *options, "--range", "0,1", "--json")
    rows = json.loads(done.stdout)["layers"]
    assert [row["layer"] for row in rows] == [1, 2]
    assert 0.3 < rows[0]["clipped"] < 0.7
    assert rows[0]["below_range"] == round(rows[0]["clipped"] * 30 * 50)


def test_depth_draws_and_prints_predicted_and_measured(initlab_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["depth", "--init", "he", "--activation", "relu", "--depth", 6, "--width", 50, "--seeds", 3]
    done = initlab_here(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split()[-1] == "1"
    assert (tmp_path / "results/depth/he-relu.png").is_file()
    rows = json.loads(initlab_here(*words, "--json").stdout)["layers"]
    assert [row["layer"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["activation_std_low"] <= rows[0]["activation_std"] <= rows[0]["activation_std_high"]


@pytest.mark.parametrize(("sent", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_that_comes_within_a_destructor_is_not_lost(sent, code):
    script = f"""
import signal, sys, time
from initlab import cli
class Doomed:
    def __del__(self):
        signal.raise_signal(signal.{sent})
@cli.app.command()
def doomed():
    Doomed()
    time.sleep(20)
sys.argv = ["initlab", "doomed"]
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, "")


def test_schemes_lists_all_with_formula_and_source(initlab_here):
    listed = json.loads(initlab_here("schemes", "--json").stdout)
    rows = listed["schemes"]
    assert {row["name"] for row in rows} == set(SCHEMES)
    text = " ".join(initlab_here("schemes").stdout.split())
    assert all(text.count(f"{row['formula']} {row['source']}") == 1 for row in rows)


def test_schemes_are_filtered_by_words_and_by_source(initlab_here):
    he = json.loads(initlab_here("schemes", "he", "--json").stdout)
    assert [row["name"] for row in he["schemes"]] == ["he", "he_uniform", "slide:he"]
    assert "torch:kaiming_normal_" in he["names_elsewhere"]
    torch = json.loads(initlab_here("schemes", "--source", "torch", "--json").stdout)
    assert all(name.startswith("torch:") for name in torch["names_elsewhere"])
    assert "he" not in [row["name"] for row in torch["schemes"]]
    none = initlab_here("schemes", "zzz")
    assert (none.returncode, "no scheme has 'zzz'" in none.stderr) == (2, True)


def test_explain_prints_law_names_and_theory(initlab_here):
    text = initlab_here("explain", "torch:linear", "--layer", "784x100").stdout
    assert "torch:linear is classic" in text
    assert "sigma_w^2 = n_in Var W = 0.3333" in text
    explanation = json.loads(initlab_here("explain", "he", "--json").stdout)
    (relu,) = [outlook for outlook in explanation["outlooks"] if outlook["activation"] == "relu"]
    assert (explanation["sigma_w2"], relu["regime"], relu["deepest"]) == (2, "critical", None)
    wrong = initlab_here("explain", "he", "--layer", "big")
    assert (wrong.returncode, "write inputs and units" in wrong.stderr) == (2, True)


def test_explain_tells_the_biases_that_belong_to_a_layer_of_a_library(initlab_here):
    words = ["explain", "torch:linear", "--layer", "784x100", "--activation", "relu"]
    text = initlab_here(*words).stdout
    assert "Its biases are classic: std 0.02062, sigma_b^2 = Var b = 0.0004252\n" in text
    assert "In wide networks with these biases" in text
    explanation = json.loads(initlab_here(*words, "--json").stdout)
    assert (explanation["bias"], explanation["sigma_b2"] * 784) == ("classic", pytest.approx(1 / 3))
    without = json.loads(initlab_here("explain", "he", "--json").stdout)
    assert (without["bias"], without["sigma_b2"]) == (None, 0)


def test_diagnose_prints_questions_and_a_cure_that_it_tries(initlab_here):
    options = ["--init", "std=0.01", "--activation", "tanh", "--hidden", "20x6"]
    text = initlab_here("diagnose", *options).stdout
    assert text.startswith("std=0.01, tanh, 784-20x6-10, sgd: does not train (vanishing; severity ")
    assert "\nTry auto, which is healthy here: " in text
    assert len(text.splitlines()) <= 30
    longer = initlab_here("diagnose", *options, "--layers", "--train", "40", "--optimizer", "adam").stdout
    assert "784-20x6-10, adam: " in longer
    first, second = (line for line in longer.splitlines() if line.startswith("After 40 steps from "))
    assert first.startswith("After 40 steps from std=0.01, at rate ")
    assert second.startswith("After 40 steps from auto, at rate ")
    assert "\nlayer " in longer
    assert "Are most units not saturated?" in longer
    assert "bypassed" not in longer


def test_diagnose_says_which_layers_it_does_not_judge(initlab_here):
    options = ["--init", "fixup", "--hidden", "20x4", "--skip", "2", "--layers"]
    lines = initlab_here("diagnose", *options).stdout.splitlines()
    assert "sgd: trains" in " ".join(lines[:2])
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("layer ")) :]
    layers = {line.split()[0]: line.split()[-1] for line in table if line[:1].isdigit()}
    assert layers == {"1": "healthy", "2": "bypassed", "3": "healthy", "4": "healthy"}
    assert "bypassed: a skip connection leads around the layer, which is not judged." in lines


def test_diagnose_for_programs(initlab_here):
    run = initlab_here("diagnose", "--init", "zeros", "--hidden", "50,20", "--json", "--train", "20")
    (diagnosis,) = json.loads(run.stdout)["networks"]
    assert (diagnosis["sizes"], diagnosis["words"][0]) == ([784, 50, 20, 10], "symmetric")
    assert diagnosis["cure"]["scheme"] == "auto"
    assert [trained["start"] for trained in diagnosis["trained"]] == ["zeros", "auto"]


def test_diagnose_reads_a_config(initlab_here):
    config = Path(__file__).parents[1] / "configs" / "mnist.yaml"
    lines = initlab_here("diagnose", config).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["std=1", "std=0.01", "book:xavier", "he"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hidden", "100xx3"], "write units and layers"),
        (["--activation", "rleu"], "did you mean 'relu'"),
        (["--data", "nowhere"], "no such folder"),
        (["--data", "mnits"], "unknown dataset 'mnits'; did you mean 'mnist'?"),
        (["--init", "he,xavier"], "repeat the option"),
        (["--init", "he", "xavier"], "xavier: give either a config"),
        (["configs.yaml", "--init", "he"], "either a config"),
        (["--set", "name=x"], "no config is given"),
        (["mnist", "--optimizer", "adam"], "the config names the optimizer"),
        (["--optimizer", "adma"], "did you mean 'adam'"),
    ],
)
def test_diagnose_refuses_what_it_cannot_read(initlab_here, arguments, message):
    code = 3 if "--data" in arguments else 2
    refused = initlab_here("diagnose", *arguments)
    assert (refused.returncode, message in refused.stderr) == (code, True), refused.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_ends_with_its_code_and_can_be_run_again(small_config, tmp_path, sent, code):
    longer = [
        "--set",
        "name=small",
        "--set",
        "train.steps=4000",
        "--set",
        "sweep.seed=[0, 1, 2, 3, 4, 5]",
        "--results",
        str(tmp_path),
    ]
    command = [sys.executable, "-m", "initlab", "run", str(small_config), "--jobs", "2", *longer]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not Store(tmp_path, "small").run_ids() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sent)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in stderr
    kept = len(Store(tmp_path, "small").run_ids())
    told = re.search(r"Interrupted after (\d+) of 18 runs. They are recorded; .*\n$", stderr)
    assert told is not None
    assert kept - 2 <= int(told[1]) <= kept  # a cohort may be recorded while nobody has been told yet
    again = initlab("run", small_config, *longer)
    assert f"{18 - kept} runs trained, {kept} had a record already" in again.stderr


@pytest.mark.parametrize(
    "words", [["histogram", "--bins", "1e9"], ["histogram", "--bins", 10**9], ["depth", "--samples", 10**9]]
)
def test_sizes_that_no_memory_holds_are_refused(initlab_here, words):
    refused = initlab_here(*words)
    assert (refused.returncode, f"{words[1]} must be " in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["schemes"],
        ["explain", "torch:kaiming_normal"],
        ["explain", "auto"],
        ["explain", "mirror"],
        ["fetch"],
        ["run", "mnist", "--dry-run"],
        ["claims", "--results", Path(__file__).parents[1] / "results"],
        ["diagnose", "--init", "std=0.01", "--activation", "tanh", "--hidden", "20x6", "--layers"],
        ["histogram", "--init", "book:xavier", "--init", "std=0.01", "--activation", "leaky_relu"],
        ["depth", "--init", "xavier_sigmoid_uniform", "--depth", 3],
    ],
    ids=lambda words: " ".join(map(str, words[:2])),
)
def test_what_is_printed_fits_eighty_columns(initlab_here, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    done = initlab_here(*words)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_claims_of_reduced_forms_are_called_so(initlab_here):
    folder = Path(__file__).parents[1] / "results"
    for results, reduced in ((folder, False), (folder / "quick", True)):
        messages = initlab_here("claims", "symmetry", "--results", results).stderr
        assert ("reduced forms" in messages) == reduced


def test_claims_show_the_statements(initlab_here):
    results = Path(__file__).parents[1] / "results"
    listed = json.loads(initlab_here("claims", "symmetry", "--results", results, "--json").stdout)["claims"]
    text = " ".join(initlab_here("claims", "symmetry", "--results", results).stdout.split())
    for claim in listed:
        assert f"{claim['verdict']}: symmetry.{claim['name']} {claim['statement']}" in text


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
    ids=["no terminal", "forced", "refused"],
)
def test_verdicts_are_coloured_where_somebody_sees_them(initlab_here, monkeypatch, environment, coloured):
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    results = Path(__file__).parents[1] / "results"
    text = initlab_here("claims", "symmetry", "--results", results).stdout
    assert ("\x1b[32mconfirmed\x1b[0m" in text) == coloured
    assert ("\x1b" in text) == coloured


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["schemes", "he"], "schemes"),
        (["run", "mnist", "--dry-run"], "runs"),
        (["claims", "symmetry", "--results", Path(__file__).parents[1] / "results"], "claims"),
        (["verify", "--results", "."], "experiments"),
        (["list", "--results", "."], "experiments"),
        (["diagnose", "--hidden", "5x2"], "networks"),
        (["histogram", "--depth", 1], "layers"),
        (["depth", "--depth", 2], "layers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_json_is_an_object_with_a_named_list(initlab_here, tmp_path, monkeypatch, words, name):
    monkeypatch.chdir(tmp_path)
    done = initlab_here(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout)[name], list)


def test_histograms_of_networks_that_are_all_zero(initlab_here, tmp_path):
    output = ("--output", tmp_path / "z.png")
    done = initlab_here("histogram", "--init", "zeros", "--activation", "tanh", *output)
    assert done.returncode == 0, done.stderr
    assert "zeros" in done.stdout
