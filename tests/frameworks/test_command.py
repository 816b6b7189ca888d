"""`initlab diagnose module:model`: a verdict with code, and errors in words."""

import json
import sys

import pytest

from initlab.cli.references import is_reference, object_of

MODULE = """
import torch
from torch import nn

def build():
    layers = [nn.Linear(20, 16), nn.Tanh()]
    for _ in range(15):
        layers += [nn.Linear(16, 16), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(16, 3))

def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(30, 20, generator=generator), torch.arange(30) % 3

number = 3
"""


@pytest.fixture
def in_a_folder_of_mine(tmp_path, monkeypatch):
    """With modules that are found from the command line alone."""
    (tmp_path / "my_models.py").write_text(MODULE)
    (tmp_path / "my_broken.py").write_text("import not_installed_anywhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_models", raising=False)


@pytest.mark.usefixtures("in_a_folder_of_mine")
class TestCommand:
    def test_it_prints_the_verdict_and_lines_that_cure(self, initlab_here):
        pytest.importorskip("torch")
        words = ["diagnose", "my_models:build", "--data", "my_models:batch", "--layers"]
        text = initlab_here(*words).stdout
        assert text.startswith("Sequential, 4,467 parameters, sgd: does not train")
        assert "init_(model, 'auto', batch)" in text
        assert sum("linear" in line for line in text.split("verdict")[-1].splitlines()) == 16

    def test_programs_get_json(self, initlab_here):
        pytest.importorskip("torch")
        words = ["diagnose", "my_models:build", "--data", "my_models:batch", "--json", "--seeds", 2]
        found = json.loads(initlab_here(*words).stdout)
        assert (found["verdict"], len(found["severities"])) == ("does not train", 2)
        assert found["cure"]["scheme"] == "auto"

    def test_files_hold_the_picture_and_the_cure(self, initlab_here, tmp_path):
        torch = pytest.importorskip("torch")
        words = ["--figure", "out/layers.svg", "--cure", "out/cure.py", "--seeds", 1]
        text = initlab_here("diagnose", "my_models:build", "--data", "my_models:batch", *words).stdout
        assert "out/cure.py" in text
        assert "linear 0" in (tmp_path / "out" / "layers.svg").read_text()
        import my_models

        names = {"model": my_models.build(), "batch": my_models.batch()}
        exec((tmp_path / "out" / "cure.py").read_text(), names)
        assert not torch.equal(names["model"][0].weight, my_models.build()[0].weight)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["my_models:build"], "a model needs --data MODULE:BATCH"),
            (["my_models:build", "--data", "mnist"], "a model needs --data MODULE:BATCH"),
            (["my_models:build", "--data", "my_models:batch", "--init", "he"], "takes no --init"),
            (["my_models:build", "--data", "my_models:batch", "--figure", "a.gif"], "must end in .png"),
            (["./my_models.py:build", "--data", "my_models:batch"], "did you mean 'my_models:build'?"),
            (["my_models:build", "--data", "./my_models.py:batch"], "did you mean 'my_models:batch'?"),
            (["my_models", "--data", "my_models:batch"], "--data my_models:batch is for a model of your own"),
            (["--cure", "cure.py"], "are for a model of your own"),
            (["my_models:build", "--data", "my_models:batch", "--library", "torhc"], "did you mean 'torch'"),
            (["--init", "he", "--init", "lecun", "--hidden", "5x2", "--figure", "a.png"], "one network"),
            (["my_model:build", "--data", "my_models:batch"], "there is no module my_model here"),
        ],
    )
    def test_what_is_missing_is_told(self, initlab_here, words, message):
        if any(part in message for part in ("no module", "needs --data", "did you mean 'my_models")):
            pytest.importorskip("torch")  # which is missed before anything else
        refused = initlab_here("diagnose", *words)
        assert refused.returncode == 2
        assert message in refused.stderr
        assert "Traceback" not in refused.stderr


FAILING = """
import sys
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
batch = torch.randn(20, 4), torch.arange(20) % 3
narrow = torch.randn(20, 5), torch.arange(20) % 3
classes = torch.randn(20, 4), torch.arange(20)

def fails():
    raise ValueError("two\\nlines")

def leaves():
    sys.exit(3)

def of_an_argument(a):
    return net

class Model(nn.Module):
    def forward(self, x):
        return x.undefined

model = Model()
"""


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ("net", "narrow", "my_wrong:net fails with my_wrong:narrow: RuntimeError: mat1 and mat2 shapes"),
        ("net", "classes", "my_wrong:net fails with my_wrong:classes: IndexError: Target "),
        ("net", "fails", "my_wrong:fails fails: {file}:12: ValueError: two lines"),
        ("net", "leaves", "my_wrong:leaves fails: {file}:15: SystemExit: 3"),
        ("fails", "batch", "my_wrong:fails fails with my_wrong:batch: {file}:12: ValueError: two lines"),
        ("of_an_argument", "batch", "TypeError: of_an_argument() missing 1 required positional argument"),
        ("model", "batch", "{file}:22: AttributeError: 'Tensor' object has no attribute 'undefined'"),
        ("nte", "batch", "my_wrong:nte: unknown name 'nte'; did you mean 'net'? `dir(my_wrong)` lists all"),
    ],
)
def test_a_model_or_batch_that_fails_is_one_line(initlab_here, tmp_path, monkeypatch, model, data, message):
    pytest.importorskip("torch")
    (tmp_path / "my_wrong.py").write_text(FAILING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_wrong", raising=False)
    refused = initlab_here("diagnose", f"my_wrong:{model}", "--data", f"my_wrong:{data}")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr
    assert message.format(file=tmp_path / "my_wrong.py") in refused.stderr


FLAX_MODULE = """
import numpy as np
from flax import nnx

class Model(nnx.Module):
    def __init__(self, rngs):
        self.first, self.last = nnx.Linear(20, 16, rngs=rngs), nnx.Linear(16, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.relu(self.first(x)))

model = Model(nnx.Rngs(0))
batch = np.random.default_rng(0).standard_normal((30, 20), np.float32), np.arange(30) % 3
"""


@pytest.mark.parametrize("words", [["my_flax:model"], ["my_flax:Model", "--library", "flax"]])
def test_a_model_of_flax_is_known_and_a_function_told(initlab_here, tmp_path, monkeypatch, words):
    pytest.importorskip("flax")
    (tmp_path / "my_flax.py").write_text(FLAX_MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_flax", raising=False)
    ran = initlab_here("diagnose", *words, "--data", "my_flax:batch")
    assert ran.stdout.startswith("Model, 387 parameters, sgd: trains"), ran.stderr


@pytest.mark.usefixtures("in_a_folder_of_mine")
def test_without_pytorch_the_command_says_what_to_install(initlab_here, monkeypatch):
    monkeypatch.setattr("initlab.cli.models.find_spec", lambda _: None)
    for words in (["--data", "my_models:batch"], [], ["--library", "torch"]):
        refused = initlab_here("diagnose", "my_models:build", *words)
        assert (refused.returncode, "initlab[torch]" in refused.stderr) == (2, True)
        assert ("initlab[keras]" in refused.stderr) == ("--library" not in words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import not_installed_anywhere", "its module needs not_installed_anywhere, which is not installed"),
        ("x = 1\nx = 1 / 0", "my_failing.py:2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)", "my_failing.py:2: SystemExit: 3"),
        ("x = 1\ndef f(:", "my_failing.py:2: SyntaxError: "),
    ],
)
def test_a_module_that_fails_is_told_in_one_line(initlab_here, tmp_path, monkeypatch, text, message):
    pytest.importorskip("torch")
    (tmp_path / "my_failing.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_failing", raising=False)
    refused = initlab_here("diagnose", "my_failing:x", "--data", "my_failing:x")
    assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.usefixtures("in_a_folder_of_mine")
def test_a_module_that_fails_says_so_itself():
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        object_of("my_broken:model")


def test_a_config_is_no_reference():
    names = ("mnist", "configs/mnist.yaml", "C:\\mnist.yaml", "a:b:c", "a:")
    assert not any(map(is_reference, names))
    assert is_reference("package.models:build_2")
