"""The gallery: an experiment is run, its page and claims are written, and drift is found."""

import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from initlab.errors import UsageError
from initlab.gallery import Exhibit, kept
from initlab.gallery.claims import decide
from initlab.gallery.comparison import drifts, machine_note
from initlab.gallery.kept import code_of
from initlab.gallery.pages import read_exhibits, write_index
from initlab.gallery.reproduce import chosen_experiments, experiments, load
from initlab.runner.config import Experiment
from initlab.runner.executors import open_processes
from initlab.runner.provenance import fingerprint, machine_text
from initlab.runner.store import hold
from initlab.runner.sweep import Choice

SCRIPT = '''"""A number is written down {seeds} times."""

from initlab.gallery import Exhibit

exhibit = Exhibit(
    __file__, __doc__, title="Is it level?", question="signal", finding="It is level.", height=HEIGHT, seeds=5
)


@exhibit.claim(source="nobody", quantity="its height", low=0.5, high=1.5, reason="near 1",
               otherwise="It is high")
def level(s):
    'It is level.'
    return [s.height + i / 100 for i in range(s.seeds)]


@exhibit.table(tolerance=0.001)
def heights(s):
    return [{"seed": i, "height": height} for i, height in enumerate(level(s))]
'''


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "experiments").mkdir()
    write_script(tmp_path, 1.0)
    return tmp_path


def write_script(checkout, height):
    (checkout / "experiments" / "level.py").write_text(SCRIPT.replace("HEIGHT", str(height)))


def initlab(checkout, *arguments):
    """In this folder; experiments are run within the command, unless the test asks for workers."""
    alone = ["--jobs", "0"] if arguments[0] == "reproduce" and "--jobs" not in arguments else []
    command = [sys.executable, "-m", "initlab", *arguments, *alone]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=120)


def test_reproduce_writes_page_claims_and_index(checkout):
    done = initlab(checkout, "reproduce")
    assert done.returncode == 0, done.stderr
    folder = checkout / "results" / "level"
    page = (folder / "README.md").read_text()
    assert "# Is it level?" in page
    assert "**The claim is confirmed**" in page
    assert "A number is written down 5 times." in page
    assert "1.02 (95 % interval 1 to 1.04, 5 seeds)" in page
    assert "| height | 1 |" in page
    assert (folder / "heights.csv").read_text().startswith("seed,height\n0,1\n1,1.01\n")
    index = (checkout / "results" / "README.md").read_text()
    assert "What happens to signals and gradients before training?" in index
    assert "**[Is it level?](level/README.md)**: It is level. (1 claim: 1 confirmed)" in index
    lines = initlab(checkout, "claims").stdout.splitlines()
    assert lines[0] == "confirmed: level.level"
    assert lines[-1] == "    expected: 0.5 to 1.5; measured: 1.02"
    listed = json.loads(initlab(checkout, "claims", "--json").stdout)
    assert (listed["claims"][0]["experiment"], listed["claims"][0]["verdict"]) == ("level", "confirmed")


def test_check_names_what_drifted_and_changes_nothing(checkout):
    initlab(checkout, "reproduce")
    committed = (checkout / "results" / "level" / "claims.json").read_bytes()
    assert initlab(checkout, "reproduce", "--check").returncode == 0
    write_script(checkout, 1.2)
    moved = initlab(checkout, "reproduce", "--check")
    assert moved.returncode == 1
    assert "level/level: 1.02 is committed, 1.22 came out" in moved.stdout
    write_script(checkout, 3.0)
    far = initlab(checkout, "reproduce", "--check").stdout
    assert "confirmed is committed, refuted came out" in far
    assert "level/heights.csv: line 2, height: '1' is committed, '3' came out" in far
    assert (checkout / "results" / "level" / "claims.json").read_bytes() == committed


def test_drift_on_another_machine_names_both_and_the_kernels(checkout):
    initlab(checkout, "reproduce")
    path = checkout / "results" / "level" / "claims.json"
    tree = json.loads(path.read_text())
    assert tree["machines"] == [fingerprint()]
    assert f"Measured with {machine_text(fingerprint())}." in (path.parent / "README.md").read_text()
    tree["machines"] = [{"processor": "Abacus 3000", "numpy": "1.0", "blas": ["openblas 0.1 Beads"]}]
    path.write_text(json.dumps(tree))
    assert "Abacus" not in initlab(checkout, "reproduce", "--check").stderr
    write_script(checkout, 1.2)
    drifted = initlab(checkout, "reproduce", "--check").stderr
    assert "level: measured with Abacus 3000, NumPy 1.0, openblas 0.1 Beads, and now with" in drifted
    assert "OPENBLAS_CORETYPE=Beads uses the same kernels." in drifted


@pytest.mark.parametrize("blas", [[], [""], ["a Beads", "b Pebbles"]])
def test_machines_without_one_kind_of_kernels_suggest_none(tmp_path, blas):
    machine = {"processor": "Abacus\x1b[31m", "numpy": "1.0", "blas": blas}
    for name, machines in (("old", [machine]), ("new", [fingerprint()])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "claims.json").write_text(
            json.dumps({"title": "X", "claims": [], "machines": machines})
        )
    note = machine_note(tmp_path / "old", tmp_path / "new")
    assert note.startswith("measured with Abacus")
    assert ("OPENBLAS_CORETYPE" in note, "\x1b" in note) == (False, False)


def test_the_quick_form_has_a_folder_of_its_own(checkout):
    assert initlab(checkout, "reproduce", "--quick").returncode == 0
    assert [path.name for path in (checkout / "results").iterdir()] == ["quick"]
    assert "reduced form" in (checkout / "results" / "quick" / "level" / "README.md").read_text()
    assert initlab(checkout, "reproduce", "--quick", "--check").returncode == 0
    assert initlab(checkout, "reproduce", "--check").returncode == 1


def test_experiments_are_listed_with_what_they_are(checkout):
    assert "Is it level?" in initlab(checkout, "reproduce", "--list").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["reproduce", "levle"], "did you mean 'level'"), (["reproduce", "x"], "known: level")],
)
def test_unknown_experiments_are_refused_with_near_names(checkout, arguments, message):
    done = initlab(checkout, *arguments)
    assert (done.returncode, message in done.stderr) == (2, True)


def test_a_script_without_an_exhibit_is_named(checkout):
    (checkout / "experiments" / "empty.py").write_text("")
    done = initlab(checkout, "reproduce", "empty", "--jobs", "0")
    assert done.returncode == 1
    assert "experiments/empty.py: an experiment needs `exhibit = Exhibit(...)`" in done.stderr
    assert "Traceback" not in done.stderr


def test_outside_a_checkout_the_experiments_are_those_of_the_package(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "a_strangers.py").write_text("raise SystemExit('it was run')")
    done = initlab(tmp_path, "reproduce", "lasagne_list", "--list")
    assert (done.returncode, done.stdout.splitlines()[1].split()[0]) == (0, "lasagne_list"), done.stderr


def test_without_results_the_published_claims_are_printed_and_checked(tmp_path):
    done = initlab(tmp_path, "claims", "lasagne_list")
    assert (done.returncode, len(done.stdout.splitlines()) > 1) == (0, True)
    assert "results holds no claims yet; these are the published ones." in done.stderr
    done = initlab(tmp_path, "reproduce", "lasagne_list", "--quick", "--check")
    assert (done.returncode, "no claims drifted from the earlier results" in done.stderr) == (0, True)
    assert not (tmp_path / "results").exists()


def test_the_index_names_the_sources_although_few_experiments_were_reproduced(tmp_path):
    exhibit("symmetry").run(tmp_path)
    sources = tmp_path / "sources.yaml"
    claims = "[symmetry.first, final_weights.mean_is_near_zero]"
    sources.write_text(
        f"de: {{title: A, language: German, statements: [{{says: It is so., claims: {claims}}}]}}"
    )
    write_index(tmp_path, sources)
    row = "| It is so. | [first](symmetry/README.md): confirmed; mean is near zero: not reproduced here |"
    assert row in (tmp_path / "README.md").read_text()


def exhibit(name="x", claims=("first",), **settings):
    made = Exhibit(
        f"{name}.py", "About {n}.", title="X", question="book", finding="It is so.", n=1, **settings
    )
    for claim in claims:

        def measure(_s):
            return [1, 2, 3, 4, 5]

        measure.__name__ = claim
        made.claim("It is {n}", source="nobody", quantity="it", reason="so", low=0)(measure)
    return made


def test_an_experiment_may_not_have_two_claims_of_one_name():
    with pytest.raises(UsageError, match="two claims called 'first'"):
        exhibit(claims=("first", "first"))


def test_a_figure_has_a_table_of_its_name_and_no_other_has_it(tmp_path):
    made = exhibit(claims=("first",))

    @made.figure("A line.")
    def line(_s):
        figure = Figure()
        figure.subplots().plot([0, 1], [0.25, 1 / 3], label="he")
        return figure

    made.run(tmp_path)
    (folder,) = tmp_path.glob("*/line.csv")
    assert folder.read_text() == "part,series,x,y\nline,he,0,0.25\nline,he,1,0.33333\n"
    with pytest.raises(UsageError, match="two figures or tables called 'line'"):
        made.table()(line)


BUDGETED = {"title": "X", "question": "book", "finding": ""}


def test_a_claim_about_training_is_measured_at_each_of_its_budgets():
    made = Exhibit("x.py", "", **BUDGETED, steps=(100, 300))

    @made.claim(budgets="steps", low=200, reason="it grows")
    def grows(_s, steps):
        return {"tanh": [10 * steps] * 5, "relu": [steps] * 5}

    (claim, measure), *_ = made.claims
    outcome = decide(claim, measure(made.settings))
    assert outcome.verdict == "mixed"
    assert outcome.details == "holds for tanh and relu after 300 steps; fails for relu after 100 steps"
    assert [finding.circumstance for finding in outcome.findings][:2] == [
        "tanh after 100 steps",
        "relu after 100 steps",
    ]


@pytest.mark.parametrize("steps", [300, (300,), (200, 599)])
def test_budgets_are_two_and_a_factor_of_three_apart(steps):
    made = Exhibit("x.py", "", **BUDGETED, steps=steps)
    with pytest.raises(UsageError, match="not two budgets at least a factor of 3 apart"):
        made.claim(budgets="steps", low=0, reason="")(lambda _s, _steps: [1.0] * 5)


def test_the_text_of_a_claim_is_its_docstring():
    made = Exhibit("x.py", "", **BUDGETED, source="He et al. 2015")

    @made.claim("section 2.2", low=0, reason="it is")
    def holds(_s):
        """It holds
        everywhere.

        Measured: its height,
        in metres.

        It was tried.

        Twice.
        """
        return [1.0] * 5

    claim = made.claims[0][0]
    assert (claim.statement, claim.quantity) == ("It holds everywhere", "its height, in metres")
    assert (claim.lesson, claim.source) == ("It was tried.\n\nTwice.", "He et al. 2015, section 2.2")


def test_a_claim_that_is_in_one_place_alone_has_drifted(tmp_path):
    exhibit("a").run(tmp_path)
    exhibit("b", claims=("first", "second")).run(tmp_path)
    assert drifts(tmp_path / "a", tmp_path / "b") == ["second: is not in both"]
    assert set(read_exhibits(tmp_path)) == {"a", "b"}
    write_index(tmp_path)
    assert "2 claims: 2 confirmed" in (tmp_path / "README.md").read_text()
    assert chosen_experiments([], {"x": tmp_path}) == [tmp_path]
    with pytest.raises(UsageError):
        experiments(tmp_path / "none")


def test_an_unknown_setting_in_a_text_or_a_function_is_refused_with_near_names(tmp_path):
    made = exhibit(width=3)
    made.about = "Layers of {widht}"
    with pytest.raises(UsageError, match="unknown setting 'widht'; did you mean 'width'"):
        made.run(tmp_path)
    with pytest.raises(AttributeError, match="did you mean 'width'"):
        _ = made.settings.widht
    with pytest.raises(UsageError, match="did you mean 'width'"):
        Exhibit("x.py", "", title="X", question="book", finding="", width=3, quick={"widht": 2})


def test_changing_a_setting_changes_the_page(tmp_path):
    pages = []
    for width in (3, 4):
        made = exhibit(width=width)
        made.about = "Layers of {width}."
        made.run(tmp_path / str(width))
        pages.append((tmp_path / str(width) / "x" / "README.md").read_text())
    assert "Layers of 3." in pages[0]
    assert "Layers of 4." in pages[1]
    assert pages[0] != pages[1]


TRAINING = '''"""It is kept."""

from pathlib import Path

import numpy as np

from initlab.gallery import Exhibit

exhibit = Exhibit(
    __file__, __doc__, title="Kept", question="signal", finding="It is kept.", depths=(1, 2), deep=3, far=1
)
RATE = 10


def scaled(losses):
    return losses / RATE


LAWS = {"plain": scaled}


def deep(s):
    """Of the name of a setting that `train` reads, and not used there."""
    return "unrelated"


@exhibit.kept
@np.errstate(all="ignore")
def train(s, depth):
    """What is trained."""
    with Path("trained.txt").open("a") as log:
        print(depth, file=log)
    s.deep  # what it reads
    return {"loss": [float(LAWS["plain"](loss)) for loss in np.arange(5) / depth], "scheme": ["he"] * 5}


@exhibit.claim("It falls", source="nobody", quantity="loss", high=1, reason="below 1")
def first(s):
    return {str(depth): train(s, depth)["loss"] for depth in s.depths}


@exhibit.claim("It falls", source="nobody", quantity="loss", high=1, reason="below 1")
def loss(s):
    if Path("stop").exists():
        raise OSError("interrupted")
    return train(s, s.deep)["loss"] * s.far
'''


@pytest.fixture
def trainer(checkout):
    (checkout / "experiments" / "training_kept.py").write_text(TRAINING)
    return checkout


def trained(checkout):
    return (checkout / "trained.txt").read_text().split()


def test_what_was_trained_before_a_failure_is_not_trained_again(trainer):
    (trainer / "stop").touch()
    stopped = initlab(trainer, "reproduce")
    assert stopped.returncode == 1
    assert "training_kept failed" in stopped.stderr
    assert "OSError: interrupted" in stopped.stderr
    assert (trainer / "results" / "level" / "claims.json").exists()  # the other went on
    assert trained(trainer) == ["1", "2"]
    (trainer / "stop").unlink()
    assert initlab(trainer, "reproduce").returncode == 0
    assert trained(trainer) == ["1", "2", "3"]
    assert initlab(trainer, "reproduce", "--check").returncode == 0
    assert trained(trainer) == ["1", "2", "3", "1", "2", "3"]  # a check measures anew


def test_changed_code_settings_and_damaged_files_do_not_bring_old_numbers(trainer):
    script = trainer / "experiments" / "training_kept.py"
    folder = trainer / "results" / "training" / "training_kept"

    def runs_after(*change):
        script.write_text(script.read_text().replace(*change))
        done = initlab(trainer, "reproduce", "training_kept")
        assert done.returncode == 0, done.stderr
        return len(trained(trainer))

    assert runs_after("", "") == 3
    damaged, *_ = sorted(folder.glob("*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert runs_after("", "") == 4
    assert runs_after("RATE = 10", "RATE = 5") == 7  # a constant that it uses
    assert runs_after("/ RATE", "/ RATE * 2") == 10  # a function that it calls
    assert runs_after("deep=3", "deep=4") == 13  # a setting that it reads
    for unrelated in (
        ("What is trained", "What is trained, in other words"),
        ("# what it reads", "# another comment"),
        ('return "unrelated"', 'return "of another matter"'),
        ('title="Kept"', 'title="Kept still"'),
        ("far=1", "far=0.5"),
        ("high=1", "high=2"),
    ):
        assert runs_after(*unrelated) == 13
    assert len(list(folder.glob("*.npz"))) == 4


def test_a_long_experiment_is_run_only_when_it_is_named(checkout):
    script = checkout / "experiments" / "level.py"
    script.write_text(script.read_text().replace('title="', 'takes="a week", title="'))
    unnamed = initlab(checkout, "reproduce")
    assert unnamed.returncode == 0
    assert "level: left out, for it takes a week; name it to run it" in unnamed.stderr
    assert not (checkout / "results" / "level").exists()
    assert initlab(checkout, "reproduce", "--quick").returncode == 0
    assert (checkout / "results" / "quick" / "level" / "claims.json").exists()
    assert initlab(checkout, "reproduce", "level").returncode == 0
    assert (checkout / "results" / "level" / "claims.json").exists()
    unnamed = initlab(checkout, "reproduce", "--check")
    assert (unnamed.returncode, "left out" in unnamed.stderr) == (0, True)


def test_a_script_that_is_edited_while_it_runs_is_known_by_the_text_that_runs(trainer):
    script = trainer / "experiments" / "training_kept.py"
    module = load(script)
    script.write_text(script.read_text().replace("/ RATE", "/ RATE * 2"))
    assert "RATE * 2" not in code_of(module.train)
    assert "RATE * 2" in code_of(load(script).train)


def test_the_number_of_workers_changes_no_byte(trainer):
    def files(folder):
        return {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.suffix != ".lock"
            if path.is_file()
        }

    for jobs in ("0", "1", "2"):
        assert initlab(trainer, "reproduce", "--jobs", jobs, "--results", jobs).returncode == 0
    assert files(trainer / "0") == files(trainer / "1") == files(trainer / "2")
    assert len(files(trainer / "0")) > 6


def test_kept_arrays_come_back_as_they_were(tmp_path):
    measured = {"a": np.array([1.5, np.nan], "float32"), "b": ["he", "std=0.01"]}

    def measure(_s, _rates):
        return measured

    for _ in range(2):
        made = exhibit(claims=())
        arrays = []
        made.claim("It", source="", quantity="", reason="", low=0)(
            lambda s, made=made, arrays=arrays: arrays.append(made.kept(measure)(s, (0.1, 0.2))) or [1] * 5
        )
        made.run(tmp_path)
        assert arrays[0]["a"].tobytes() == measured["a"].tobytes()
        assert arrays[0]["b"].tolist() == measured["b"]
        assert set(arrays[0]) == {"a", "b"}


def test_a_page_names_the_machines_that_measured_not_the_one_that_writes(tmp_path, monkeypatch):
    abacus = {"processor": "Abacus 3000", "numpy": "1.0", "blas": ["openblas 0.1 Beads"]}

    def measure(_s):
        return {"a": [1.0] * 5}

    def machines(made, values):
        made.claim("It", source="", quantity="", reason="", low=0)(values)
        made.run(tmp_path)
        return json.loads((tmp_path / made.name / "claims.json").read_text())["machines"]

    def reading():
        made = exhibit(claims=())
        return machines(made, lambda s: made.kept(measure)(s)["a"])

    monkeypatch.setattr(kept, "fingerprint", lambda: abacus)
    assert reading() == [abacus]
    monkeypatch.undo()
    assert reading() == [abacus]


def test_trainings_are_of_the_machine_that_trained(tmp_path, small_data):
    abacus = {"processor": "Abacus 3000", "numpy": "1.0", "blas": ["openblas 0.1 Beads"]}
    experiment = Experiment(
        name="two",
        data={"path": small_data},
        network={"hidden": [8], "activation": "relu"},
        train={"steps": 2, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.1}},
        sweep={"init": ["he", "xavier"]},
    )

    def machines():
        made = exhibit(claims=())
        made.claim("It", source="", quantity="", reason="", low=0)(
            lambda _s: [made.train(experiment).trained] * 5
        )
        made.run(tmp_path)
        return json.loads((tmp_path / "x" / "claims.json").read_text())["machines"]

    assert machines() == [fingerprint()]
    path = tmp_path / "training" / "two" / "provenance.json"
    tree = json.loads(path.read_text())
    for session in tree.values():
        session["fingerprint"] = abacus
    path.write_text(json.dumps(tree))
    assert machines() == [abacus]


def test_one_experiment_at_a_time_goes_into_a_folder(trainer):
    with hold(trainer / "results" / "training" / "locks" / "level"):
        done = initlab(trainer, "reproduce")
    assert done.returncode == 1
    assert "level failed: results/training/locks/level: another initlab is at work on it" in done.stderr
    assert "Traceback" not in done.stderr
    assert (trainer / "results" / "training_kept" / "claims.json").exists()


def test_claims_of_chosen_experiments(trainer):
    initlab(trainer, "reproduce")
    done = initlab(trainer, "claims", "level")
    assert done.stdout.startswith("confirmed: level.")
    assert "1 claim: 1 confirmed" in done.stderr
    assert "did you mean 'level'" in initlab(trainer, "claims", "levle").stderr


def alone():
    return Choice().alone


def test_a_worker_starts_no_workers_of_its_own():
    assert not alone()
    with open_processes(1) as executor:
        assert executor.submit(alone).result()


def test_results_that_cannot_be_written_are_named(checkout):
    (checkout / "file").touch()
    done = initlab(checkout, "reproduce", "--results", "file")
    assert (done.returncode, "Traceback" in done.stderr) == (5, False)
    assert "file" in done.stderr
