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
from initlab.runner.store import Store


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


@pytest.mark.parametrize("words", [[], ["config"]], ids=["initlab", "initlab config"])
def test_the_help_of_each_command_fits_a_line(initlab_here, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    _, _, commands = initlab_here(*words, "--help").stdout.partition("Commands:\n")
    lines = commands.splitlines()
    assert lines
    assert not [line for line in lines if line.endswith("...")]


def test_a_shipped_config_is_run_by_its_name_from_any_folder(initlab_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ["--set", "train.steps=2", "--set", "sweep.seed=[0]", "--set", "sweep.init=[he]"]
    done = initlab_here("run", "mnist", "--jobs", 0, "--quiet", *few)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/mnist/loss.png").is_file()


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
    assert [row["label"] for row in json.loads(done.stdout)] == ["he", "std=0.01", "huge"]
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


@pytest.mark.usefixtures("small_config")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nowhere.yaml"], 5, "nowhere.yaml: cannot read the config: No such file"),
        (["run", "nowhere"], 2, "unknown config 'nowhere'; known: activations, "),
        (["run", "mnits"], 2, "unknown config 'mnits'; did you mean 'mnist'?"),
        (["config", "show", "mnits"], 2, "unknown config 'mnits'; did you mean 'mnist'?"),
        (["run", "."], 5, "cannot read the config: Is a directory"),
        (["run", "broken.yaml"], 2, "broken.yaml:2:6: mapping values are not allowed"),
        (["run", "small.yaml", "--set", "trian.steps=1"], 2, "unknown key 'trian'; did you mean 'train'?"),
        (["run", "small.yaml", "--set", "init=xaveir"], 2, "did you mean 'xavier'?"),
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
        (["run", "small.yaml", "--jobs", "-1"], 2, "--jobs"),
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
        (["histogram", "--output", "small.yaml/a.png"], 5, "small.yaml"),
        (["hist"], 2, "No such command 'hist'"),
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
    assert len(done.stderr.splitlines()) == 1 or "Usage" in done.stderr


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
    assert len(table.stdout.splitlines()) == 1 + 3 * 2 * 3
    assert (tmp_path / "results/histogram/he-std=1.png").is_file()
    rows = json.loads(initlab_here(*words, "--json", "--output", "a.svg").stdout)
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    for row, line in zip(rows, table.stdout.splitlines()[1:], strict=True):
        assert f"{row['std']:.4g}" in line.split()
        assert f"{row['above_range']:,}" == line.split()[-1]


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
    rows = json.loads(done.stdout)
    assert [row["layer"] for row in rows] == [1, 2]
    assert 0.3 < rows[0]["clipped"] < 0.7
    assert rows[0]["below_range"] == round(rows[0]["clipped"] * 30 * 50)


def test_depth_draws_and_prints_predicted_and_measured(initlab_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["depth", "--init", "he", "--activation", "relu", "--depth", 6, "--width", 50, "--seeds", 3]
    done = initlab_here(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[-1] == "1"
    assert (tmp_path / "results/depth/he-relu.png").is_file()
    rows = json.loads(initlab_here(*words, "--json").stdout)
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
    text = initlab_here("schemes").stdout
    assert all(row["formula"] in text and row["source"] in text for row in rows)


def test_explain_prints_law_names_and_theory(initlab_here):
    text = initlab_here("explain", "torch:linear", "--layer", "784x100").stdout
    assert "torch:linear is classic" in text
    assert "sigma_w^2 = n_in Var W = 0.3333" in text
    explanation = json.loads(initlab_here("explain", "he", "--json").stdout)
    (relu,) = [outlook for outlook in explanation["outlooks"] if outlook["activation"] == "relu"]
    assert (explanation["sigma_w2"], relu["regime"], relu["deepest"]) == (2, "critical", None)
    wrong = initlab_here("explain", "he", "--layer", "big")
    assert (wrong.returncode, "write inputs and units" in wrong.stderr) == (2, True)


def test_diagnose_prints_questions_and_a_cure_that_it_tries(initlab_here):
    options = ["--init", "std=0.01", "--activation", "tanh", "--hidden", "20x6"]
    text = initlab_here("diagnose", *options).stdout
    assert text.startswith("std=0.01, tanh, 784-20x6-10, sgd: does not train (vanishing; severity ")
    assert "\nTry auto, which is healthy here: " in text
    assert len(text.splitlines()) <= 25
    longer = initlab_here("diagnose", *options, "--layers", "--train", "40", "--optimizer", "adam").stdout
    assert "784-20x6-10, adam: " in longer
    first, second = (line for line in longer.splitlines() if line.startswith("After 40 steps from "))
    assert first.startswith("After 40 steps from std=0.01, at rate ")
    assert second.startswith("After 40 steps from auto, at rate ")
    assert "\nlayer " in longer
    assert "Are most units not saturated?" in longer


def test_diagnose_for_programs(initlab_here):
    run = initlab_here("diagnose", "--init", "zeros", "--hidden", "50,20", "--json", "--train", "20")
    (diagnosis,) = json.loads(run.stdout)
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
    assert (refused.returncode, f"Invalid value for '{words[1]}'" in refused.stderr) == (2, True)
