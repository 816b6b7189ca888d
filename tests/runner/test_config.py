"""Configs: the shipped ones, every mistake at once with its place, overrides."""

import json
from pathlib import Path

import jsonschema
import pytest
from conftest import write_dataset

from initlab.data.datasets import DATASETS, whereabouts
from initlab.data.inputs import INPUTS
from initlab.errors import InitlabError, StorageError, UsageError
from initlab.init.scheme import SCHEMES
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.losses import LOSSES
from initlab.nn.optimizers import OPTIMIZERS
from initlab.nn.schedules import SCHEDULES
from initlab.runner.config import load_experiment
from initlab.runner.figures import FIGURES
from initlab.runner.grid import expand
from initlab.runner.reports import resolved_lines
from initlab.runner.settings import config_schema
from initlab.runner.yaml_text import read_yaml, write_yaml

SHIPPED = sorted(Path(__file__).parents[2].glob("configs/*.yaml"))

GOOD = """\
name: good
network: {hidden: 8x2, activation: relu}
train: {steps: 10, batch_size: 4, optimizer: {name: sgd, lr: 0.1}}
init: he
"""


def load(tmp_path, text, overrides=()):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return load_experiment(path, overrides)


def mistakes(tmp_path, text, overrides=()):
    with pytest.raises(UsageError) as error:
        load(tmp_path, text, overrides)
    return str(error.value).replace(str(tmp_path) + "/", "").splitlines()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_configs_are_valid_and_named_after_their_file(path):
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    if whereabouts(experiment.points()[0][1].data.name) == "not fetched":
        pytest.skip("its data is not fetched")
    assert expand(experiment)


def word(text):
    """The name before its arguments."""
    return text.partition("(")[0]


IN_A_CONFIG = {
    "schemes": (SCHEMES, lambda settings: settings.init.scheme.name),
    "activations": (ACTIVATIONS, lambda settings: settings.network.activation),
    "optimizers": (OPTIMIZERS, lambda settings: settings.train.optimizer.name),
    "schedules": (SCHEDULES, lambda settings: word(settings.train.schedule or "constant")),
    "losses": (LOSSES, lambda settings: settings.train.loss),
    "inputs": (INPUTS, lambda settings: word(settings.data.inputs)),
    "datasets": (set(DATASETS) - {"kmnist"}, lambda settings: word(settings.data.name)),
    "batches": (["without_replacement", "full", None], lambda settings: settings.train.batches),
}


@pytest.mark.parametrize("kind", IN_A_CONFIG)
def test_every_entry_of_a_registry_is_in_a_shipped_config(kind):
    registry, name_of = IN_A_CONFIG[kind]
    points = [settings for path in SHIPPED for _, settings in load_experiment(path).points()]
    assert {name_of(settings) for settings in points} == set(registry)


def test_every_figure_is_in_a_shipped_config():
    texts = [text for path in SHIPPED for text in load_experiment(path).figures]
    assert {text.partition("(")[0] for text in texts} == set(FIGURES)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_an_editor_finds_the_schema_of_a_shipped_config(path):
    assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")


def test_the_shipped_schema_is_that_of_the_models():
    """Otherwise: initlab config schema > configs/schema.json"""
    assert json.loads((SHIPPED[0].parent / "schema.json").read_text()) == config_schema()


def test_the_schema_accepts_what_is_shipped_and_refuses_what_is_not():
    validator = jsonschema.Draft202012Validator(config_schema())
    for path in SHIPPED:
        tree = read_yaml(path.read_text(), path.name).tree
        validator.validate(tree)
        for wrong in ({"seeds": 3}, {"network": {"hidden": "many", "activation": "relu"}}, {"name": "a/b"}):
            assert list(validator.iter_errors({**tree, **wrong}))


def test_the_books_comparison():
    points = load_experiment(SHIPPED[[p.stem for p in SHIPPED].index("mnist")]).points()
    assert len(points) == 20
    settings = points[0][1]
    assert settings.network.hidden == (100, 100, 100, 100)
    assert (settings.train.steps, settings.train.batch_size) == (2000, 128)
    assert settings.train.optimizer.arguments == {"lr": 0.01}
    assert [str(s.init) for _, s in points[::5]] == ["std=1", "std=0.01", "Xavier", "He"]
    assert [s.seed for _, s in points[:5]] == [0, 1, 2, 3, 4]


def test_short_forms_and_defaults(tmp_path):
    ((_, settings),) = load(tmp_path, GOOD).points()
    assert settings.network.hidden == (8, 8)
    assert settings.data.name == "mnist"
    assert settings.train.dtype == "float32"
    assert settings.seed == 0


@pytest.mark.parametrize(
    ("optimizer", "init"),
    [
        ("{name: adam, lr: 0.01, beta1: 0.9}", "he"),
        ("{eps: 1.0e-8, lr: 0.01, name: adam}", "he(scale=2)"),
    ],
)
def test_the_same_settings_are_one_run_however_they_are_written(tmp_path, optimizer, init):
    plain = load(tmp_path, GOOD, ["train.optimizer={name: adam, lr: 0.01}", "init=he"])
    other = load(tmp_path, GOOD, [f"train.optimizer={optimizer}", f"init={init}"])
    assert [run.id for run in expand(other)] == [run.id for run in expand(plain)]


def test_all_mistakes_come_at_once_in_order_with_place_and_hint(tmp_path):
    lines = mistakes(
        tmp_path,
        "name: ../evil\n"
        "network: {hidden: [8, -3], activation: rleu, wdith: 3}\n"
        "train: {steps: 2.5, batch_size: yes, optimizer: {name: sdg, lr: 0.1}}\n"
        "seeds: 3\n"
        "sweep:\n"
        "  init: [he, xaveir, {scheme: normal, std: -1}, 7]\n"
        "  seed: [-1, a]\n"
        "  network.activaton: [relu]\n",
    )
    starts = [
        "c.yaml:1:7: name must be a plain name",
        "c.yaml:2:23: network.hidden.1 must be 1 or more, not -3",
        "c.yaml:2:40: network.activation: unknown activation 'rleu'; did you mean 'relu'?",
        "c.yaml:2:46: unknown key 'wdith'; did you mean 'width'?",
        "c.yaml:3:16: train.steps must be a whole number, not 2.5",
        "c.yaml:3:33: train.batch_size must be a whole number, not 'yes'",
        "c.yaml:3:56: train.optimizer.name: unknown optimizer 'sdg'; did you mean 'sgd'?",
        "c.yaml:4:1: unknown key 'seeds'; did you mean 'seed'?",
        "c.yaml:6:14: init: unknown scheme 'xaveir'; did you mean 'xavier', '",
        "c.yaml:6:44: init.std: std must be 0 or more, not -1",
        "c.yaml:6:49: init: a scheme is written he",
        "c.yaml:7:10: seed must be 0 or more, not -1",
        "c.yaml:7:14: seed must be a whole number, not 'a'",
        "c.yaml:8:3: unknown key 'activaton'; did you mean 'activation'?",
    ]
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a config is a mapping"),
        ("- 1", "a config is a mapping"),
        (GOOD.replace("init: he\n", ""), "c.yaml: the key 'init' is missing"),
        (GOOD.replace("name: good\n", ""), "c.yaml: the key 'name' is missing"),
        (GOOD.replace("steps: 10, ", ""), "c.yaml:3:8: the key 'train.steps' is missing"),
        (GOOD.replace(", lr: 0.1", ""), "c.yaml:3:53: train.optimizer.name: sgd needs lr"),
        (GOOD.replace("lr: 0.1", "lr: .nan"), "lr must be a finite number, not nan"),
        (GOOD.replace("lr: 0.1", "lr: fast"), "lr must be a number, not 'fast'"),
        (GOOD + "sweep: 5\n", "c.yaml:5:8: sweep must be a mapping"),
        (
            GOOD + "sweep: {seed: 5}\n",
            "c.yaml:5:15: sweep.seed must be a list or a range, as",
        ),
        (GOOD + "sweep: {seed: []}\n", "a list with at least one value, not []"),
        (
            GOOD + "sweep: {train.steps.x: [1]}\n",
            "c.yaml:5:9: 'train.steps.x' lies within a value",
        ),
        (GOOD.replace("init: he", 'init: {scheme: he, label: "a\\nb"}'), "no line breaks"),
        (GOOD.replace("hidden: 8x2", "hidden: many"), "network.hidden: cannot read the layers 'many'"),
        (GOOD + "data: {name: minst}\n", "c.yaml:5:14: data.name: unknown dataset 'minst'; did you mean"),
        (GOOD.replace("lr: 0.1", "lr: '0,1'"), "lr must be a number, not '0,1'; did you mean 0.1?"),
        (GOOD.replace("lr: 0.1", "lr: 10%"), "not '10%'; did you mean 0.1?"),
        (GOOD.replace("lr: 0.1", "lr: "), "lr must be a number, not empty"),
        (GOOD.replace("steps: 10", "steps: 1e3"), "not 1000.0; did you mean 1000?"),
        (GOOD.replace("steps: 10", "steps: '1,000'"), "not '1,000'; did you mean 1000?"),
        (GOOD.replace("steps: 10", "steps: [1, 2]"), "several values go below sweep, as train.steps: [...]"),
        (GOOD.replace("init: he", "init: [he, xavier]"), "several values go below sweep, as init: [...]"),
        (GOOD.replace("init: he", "init: 0.01"), "did you mean std=0.01?"),
        (
            GOOD + "data: mnist\n",
            "c.yaml:5:7: data must be a mapping of keys to values, not 'mnist'; write data: {name: mnist}",
        ),
        (GOOD + "sweep: {init: he}\n", ", not 'he'; write init: [he]"),
        (
            GOOD.replace("init: he\n", "sweep: {init: he, init.gain: [1, 2]}\n"),
            "sweep.init must be a list or a range",
        ),
        (
            GOOD.replace("init: he", "init: {scheme: he(gain=2), gain: 1}"),
            "gain is given twice: in the scheme",
        ),
        (
            GOOD.replace("{name: sgd, lr: 0.1}", '"momentum(lr=0.1, momentum = 0.8)"'),
            "write train.optimizer: {name: momentum, lr: 0.1, momentum: 0.8}",
        ),
        (GOOD.replace("hidden: 8x2", "hidden: 8x2, nrm: layer"), "unknown key 'nrm'; did you mean 'norm'?"),
        (GOOD + "sweep: {train: {steps: [1]}}\n", "write train.steps: [...]"),
        (GOOD + "sweep: {lr: [1, 2]}\n", "c.yaml:5:9: unknown key 'lr'; did you mean 'train.optimizer.lr'?"),
        (
            GOOD + "sweep: {optimizer.lr: [1]}\n",
            "c.yaml:5:9: unknown key 'optimizer'; did you mean 'train.opt",
        ),
        (GOOD + "figures: loss\n", "figures must be a list, not 'loss'; write figures: [loss]"),
        (GOOD + "seed: range(3)\n", "seed must be a whole number, not 'range(3)'; a range goes below sweep"),
    ],
)
def test_one_mistake(tmp_path, text, message):
    lines = mistakes(tmp_path, text)
    assert len(lines) == 1
    assert message in lines[0]


def test_overrides(tmp_path):
    text = GOOD + "sweep: {train.steps: [1, 2], seed: [0, 1]}\n"
    overrides = ["train.optimizer.lr=1e-3", "train.steps=7", "sweep.seed=[5, 6, 7]", "init=std=0.5"]
    points = load(tmp_path, text, overrides).points()
    assert [s.seed for _, s in points] == [5, 6, 7]
    assert {s.train.steps for _, s in points} == {7}
    assert points[0][1].train.optimizer.arguments == {"lr": 0.001}
    assert str(points[0][1].init.scheme) == "normal(std=0.5)"


def test_what_is_set_is_no_longer_swept(tmp_path):
    text = (
        GOOD.replace("init: he\n", "")
        + "sweep: {init: [he, xavier], zip: [{train.steps: [1, 2], seed: [0, 1]}]}\n"
    )
    points = load(tmp_path, text, ["init=lecun", "train.steps=7"]).points()
    assert [(str(s.init.scheme), s.train.steps, s.seed) for _, s in points] == [
        ("lecun", 7, 0),
        ("lecun", 7, 1),
    ]
    points = load(tmp_path, text, ["train={steps: 5, batch_size: 1, optimizer: {lr: 1}}", "seed=4"]).points()
    assert [(str(s.init.scheme), s.train.steps, s.seed) for _, s in points] == [
        ("he", 5, 4),
        ("xavier", 5, 4),
    ]


def test_what_lies_within_a_swept_value_cannot_be_set_beside_it(tmp_path):
    (line,) = mistakes(tmp_path, GOOD + "sweep: {train: [{steps: 1}]}\n", ["train.steps=2"])
    assert line == "--set train.steps=2: 'train' is swept as a whole; set sweep.train instead"


def test_arguments_of_a_scheme_can_be_swept_and_written_out(tmp_path):
    text = GOOD.replace("init: he", "init: {scheme: normal}") + "sweep: {init.std: [0.1, 0.2]}\n"
    experiment = load(tmp_path, text)
    assert [str(s.init.scheme) for _, s in experiment.points()] == ["normal(std=0.1)", "normal(std=0.2)"]
    again = load(tmp_path, write_yaml(experiment.resolved()))
    assert [r.id for r in expand(again)] == [r.id for r in expand(experiment)]
    shown = load(tmp_path, "\n".join(resolved_lines(experiment)))
    assert [r.id for r in expand(shown)] == [r.id for r in expand(experiment)]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD + "description: 'a: b'\nsweep: {zip: [{network.hidden: [8x2], network.activation: [tanh]}]}\n",
        GOOD.replace("init: he", "init: {scheme: he, label: Mine}") + "sweep: {seed: [1, 2]}\n",
        GOOD + "sweep: {init: [he, xavier], exclude: [{init.scheme: he}]}\n",
    ],
)
def test_what_is_shown_reads_back(tmp_path, text):
    experiment = load(tmp_path, text)
    shown = load(tmp_path, "\n".join(resolved_lines(experiment)))
    assert [r.id for r in expand(shown)] == [r.id for r in expand(experiment)]
    assert shown.description == experiment.description


def test_data_and_labels_can_be_excluded(tmp_path):
    write_dataset(tmp_path / "a")
    write_dataset(tmp_path / "b", seed=1)
    text = GOOD.replace("init: he\n", "") + "sweep: {data.path: [a, b], init: [{scheme: he, label: H}, lecun]"
    points = load(tmp_path, text + ", exclude: [{data.path: a, init: he}, {init.label: H}]}\n").points()
    assert [(Path(s.data.path).name, str(s.init.scheme)) for _, s in points] == [
        ("a", "lecun"),
        ("b", "lecun"),
    ]


def test_an_override_may_leave_an_exclusion_idle(tmp_path):
    text = GOOD + "sweep: {init: [he, xavier], exclude: [{init: xavier}]}\n"
    assert len(load(tmp_path, text, ["init=lecun"]).points()) == 1


class TestZipAndExclude:
    SWEEP = """\
sweep:
  init: [he, xavier]
  zip:
    - {network.hidden: [8x2, 8x3, 8x4], train.steps: [10, 20, 30]}
  exclude:
    - {init: he_normal, train.steps: 20}
"""

    def test_zipped_keys_go_together_and_the_excluded_is_left_out(self, tmp_path):
        experiment = load(tmp_path, GOOD + self.SWEEP)
        points = [(str(s.init.scheme), len(s.network.hidden), s.train.steps) for _, s in experiment.points()]
        he, xavier = [("he", 2, 10), ("he", 4, 30)], [("xavier", 2, 10), ("xavier", 3, 20), ("xavier", 4, 30)]
        assert points == he + xavier

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("8x3, 8x4]", "8x3]", "c.yaml:8:7: zipped lists must have the same length: network.hidden has 2"),
            ("20, 30]", "20, -3]", "c.yaml:8:63: train.steps must be 1 or more, not -3"),
            ("train.steps: [", "init: [", "c.yaml:8:41: 'init' is swept twice"),
            ("he_normal", "lecun", "c.yaml:10:7: this excludes no run"),
            ("he_normal", "hee", "unknown scheme 'hee'; did you mean 'he'"),
            ("train.steps: 20}", "train.stps: 20}", "unknown key 'stps'; did you mean 'steps'"),
            ("{init: he_normal, train.steps: 20}", "{seed: 0}", "every run is excluded"),
            ("[he, xavier]", "[he, xavier]\n  init.scheme: [he]", "'init.scheme' is swept twice"),
            ("[he, xavier]", "[he, xavier]\n  name: [a, b]", "'name' is no setting of a run"),
        ],
    )
    def test_mistakes(self, tmp_path, old, new, message):
        assert old in self.SWEEP
        with pytest.raises(UsageError) as error:
            load(tmp_path, GOOD + self.SWEEP.replace(old, new)).points()
        assert message in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.optimizer.lr=fast", "--set train.optimizer.lr=fast: train.optimizer.lr must be a number"),
        ("sweep.init=[he, hee]", "--set sweep.init=[he, hee]: init: unknown scheme 'hee'"),
        ("train.step=1", "--set train.step=1: unknown key 'step'; did you mean 'steps'?"),
        ("steps", "--set steps: write it like --set train.optimizer.lr=1e-3"),
        ("a..b=1", "write it like"),
        ("name.x=1", "lies within a value that is not a mapping"),
        ("sweep.seed=[0", "cannot read the value"),
        ("steps=3", "--set steps=3: unknown key 'steps'; did you mean 'train.steps'?"),
        ("network.depth=0", "--set network.depth=0: network.depth: depth must be a whole number from 1"),
        ("train.optimizer.name=sdg", "--set train.optimizer.name=sdg: train.optimizer.name: unknown optim"),
        (
            "init={scheme: normal, sdt: 1}",
            ": init.sdt: unknown argument of normal 'sdt'; did you mean 'std'?",
        ),
        ("sweep.init.std=[1]", "--set sweep.init.std=[1]: init.std: unknown argument of he 'std'"),
        ("sweep.zip=3", "--set sweep.zip=3: sweep.zip must be a list of mappings, as [{"),
        ("optimizer.lr=3", "--set optimizer.lr=3: unknown key 'optimizer'; did you mean 'train.optimizer'?"),
    ],
)
def test_a_wrong_override_is_blamed_by_its_own_text(tmp_path, override, message):
    (line,) = mistakes(tmp_path, GOOD, [override])
    assert message in line


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sweep.init=hee", "sweep.init must be a list or a range, as [1, 2], "),
        ("sweep.init=[]", "sweep.init must be a list with at least one value"),
        ("sweep=3", "sweep must be a mapping of keys to values, not 3"),
        ("sweep.zip=[{init: he}]", "sweep.zip.0.init must be a list or a range"),
        ("sweep.zip=3", "sweep.zip must be a list of mappings"),
    ],
)
def test_what_a_sweep_that_cannot_be_read_may_hold_is_not_missing(tmp_path, override, message):
    swept = GOOD.replace("init: he\n", "")
    assert swept != GOOD
    (line,) = mistakes(tmp_path, swept, [override])
    assert message in line


def test_what_is_in_no_sweep_is_missing_beside_one_that_cannot_be_read(tmp_path):
    lines = mistakes(tmp_path, GOOD.replace("init: he\n", ""), ["sweep.seed=3"])
    assert ["the key 'init' is missing" in line for line in lines] == [False, True]


def test_a_relative_data_path_is_meant_from_the_configs_folder(tmp_path):
    ((_, settings),) = load(tmp_path, GOOD + "data: {path: digits}\n").points()
    assert settings.data.path == str(tmp_path / "digits")


def test_the_resolved_experiment_is_a_config_of_the_same_runs(tmp_path):
    experiment = load(tmp_path, GOOD + "sweep: {seed: [0, 1], init: [he, {scheme: xavier, label: X}]}\n")
    again = load(tmp_path, write_yaml(experiment.resolved()))
    assert [r.id for r in expand(again)] == [r.id for r in expand(experiment)]


@pytest.mark.parametrize("path", ["nowhere.yaml", ".", "x" * 5000, "a\0b"])
def test_a_config_that_cannot_be_read(path):
    with pytest.raises(InitlabError) as error:
        load_experiment(path)
    assert isinstance(error.value, StorageError | UsageError)
    assert "\n" not in str(error.value)


def test_text_that_is_no_text(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_experiment(path)


class TestRuns:
    def expand(self, tmp_path, sweep):
        return expand(load(tmp_path, GOOD + f"sweep: {sweep}\n"))

    def test_ids_are_readable_and_differ_with_every_setting(self, tmp_path):
        sweep = "{init: [he, xavier], seed: [0, 1], train.steps: [1, 2], network.hidden: [8x2, 8x3]}"
        ids = {run.id for run in self.expand(tmp_path, sweep)}
        assert len(ids) == 16
        assert any(name.startswith("he-relu-8x3-seed1-") for name in ids)

    def test_an_id_depends_neither_on_the_label_nor_on_how_a_setting_is_written(self, tmp_path):
        short = self.expand(tmp_path, "{init: [std=0.010, he_normal]}")
        long = self.expand(tmp_path, '{init: ["normal(std=1e-2)", {scheme: he, label: Mine}]}')
        assert [run.id for run in short] == [run.id for run in long]

    def test_a_key_added_later_renames_no_run(self):
        """Finished runs are found by their ids: these were given before the newer keys existed."""
        shipped = expand(load_experiment(SHIPPED[0].with_name("mnist.yaml")))
        assert shipped[0].id == "normal-std-1-relu-100x4-seed0-ba16c9044484"
        assert shipped[-1].id == "he-relu-100x4-seed4-b9300ea0ca6f"

    @pytest.mark.parametrize(
        ("sweep", "message"),
        [
            ("{seed: [0, 0]}", "twice"),
            ("{init: [he, he_normal]}", "twice"),
            ("{init: [{scheme: he, label: A}, {scheme: xavier, label: A}]}", "both called 'A'"),
        ],
    )
    def test_ambiguous_sweeps_are_refused(self, tmp_path, sweep, message):
        with pytest.raises(UsageError, match=message):
            self.expand(tmp_path, sweep)


def test_first_last_and_bias_have_schemes_of_their_own_and_can_be_swept(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        GOOD.replace("init: he", "init: {scheme: he, first: lecun, last: glorot_normal}")
        + "sweep: {init.bias: [zeros, std=0.1]}\n"
    )
    points = [settings for _, settings in load_experiment(path).points()]
    assert [str(settings.init) for settings in points] == [
        "he, first lecun, last xavier, bias zeros",
        "he, first lecun, last xavier, bias std=0.1",
    ]
    assert points[1].identity()["init"] == {
        "scheme": "he",
        "first": "lecun",
        "last": "xavier",
        "bias": "normal(std=0.1)",
    }


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("{scheme: he, bias: orthogonal}", "orthogonal is not for biases"),
        ("{scheme: he, first: lsuv}", "lsuv looks at data"),
        ("{scheme: he, last: hee}", "did you mean 'he'"),
        ("{scheme: he, bias: 0.1}", "init.bias: a scheme is written like he"),
        ("{scheme: he, lats: he}", "unknown argument of he 'lats'"),
    ],
)
def test_a_wrong_scheme_of_a_layer_is_reported_with_its_place(tmp_path, init, message):
    path = tmp_path / "own.yaml"
    path.write_text(GOOD.replace("init: he", f"init: {init}"))
    with pytest.raises(UsageError, match=message):
        load_experiment(path)
