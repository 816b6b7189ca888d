"""A person's own activations: held against ours, which they copy, and what is refused."""

import numpy as np
import pytest

import initlab
from initlab.errors import UsageError
from initlab.init.critical import critical_of
from initlab.init.quadrature import functions_of
from initlab.nn.activations import ACTIVATIONS

COPIES = """
import numpy as np
from initlab import activation

def my_tanh(z): return np.tanh(z)
def my_sigmoid(z): return 1 / (1 + np.exp(-z))
def my_relu(z): return np.maximum(z, 0)
def my_softsign(z): return z / (1 + np.abs(z))
def my_elu(z): return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
def my_swish(z): return z / (1 + np.exp(-z))
def my_identity(z): return z
def my_hard_tanh(z): return np.clip(z, -1, 1)

@activation(derivative=lambda z: (z > 0).astype(z.dtype), formula="max(0, z)")
def exact_relu(z): return np.maximum(z, 0)

def mish(z):
    '''z tanh(log(1 + exp(z)))'''
    return z * np.tanh(np.logaddexp(0, z))
def symlog(z): return np.sign(z) * np.log1p(np.abs(z))
"""


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(COPIES)
    return file


@pytest.mark.parametrize(
    "name", [line[4:].partition("(")[0] for line in COPIES.split("\n") if "def my_" in line]
)
def test_a_copy_of_ours_is_measured_as_ours_is_known(mine, name):
    own, ours = ACTIVATIONS[ACTIVATIONS.resolve(f"{mine}:{name}")], ACTIVATIONS[name.removeprefix("my_")]
    np.testing.assert_allclose(own.bounds, ours.bounds, atol=1e-6)
    np.testing.assert_allclose(own.steepest, ours.steepest, rtol=1e-4)
    for dtype in (np.float32, np.float64):
        z = np.random.default_rng(0).normal(0, 3, (4, 5, 6)).astype(dtype)
        a, room = own.function(z, None), np.empty_like(z)
        np.testing.assert_allclose(a, ours.function(z, None), rtol=1e-5, atol=1e-6)
        assert a.dtype == own.derivative(z, a).dtype == dtype
        assert not np.shares_memory(a, z)
        assert own.function(z, room) is room
        np.testing.assert_array_equal(room, a)
        expected = ours.derivative(z, ours.function(z, None)).astype(dtype)
        np.testing.assert_allclose(own.derivative(z, a), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu", "swish"])
def test_the_critical_variance_is_computed_as_theory_has_it(mine, name):
    computed = critical_of(ACTIVATIONS.resolve(f"{mine}:my_{name}"))
    published = critical_of(name)
    assert computed is None if published is None else computed == pytest.approx(published, rel=1e-4)


def test_an_own_relu_trains_to_the_same_bits(mine):
    rng = np.random.default_rng(0)
    data = rng.standard_normal((100, 5)), rng.integers(3, size=100)
    ours, own, differences = (
        initlab.train("he", data, steps=50, hidden="8x3", activation=name)[0].losses
        for name in ("relu", f"{mine}:exact_relu", f"{mine}:my_relu")
    )
    np.testing.assert_array_equal(ours, own)
    np.testing.assert_allclose(ours, differences, rtol=1e-5)


def test_unknown_functions_are_seen_by_theory_and_measurement(mine):
    mish = ACTIVATIONS[ACTIVATIONS.resolve(f"{mine}:mish")]
    assert mish.bounds == (pytest.approx(-0.308843, abs=1e-6), np.inf)
    assert mish.formula == "z tanh(log(1 + exp(z)))"
    assert ACTIVATIONS[ACTIVATIONS.resolve(f"{mine}:symlog")].bounds == (-np.inf, np.inf)
    profile = initlab.depth_profiles(["he"], [f"{mine}:mish"], depth=4, width=300)[0]
    measured = profile.activation_std.mean(axis=0)
    np.testing.assert_allclose(measured, [layer.std for layer in profile.predicted], rtol=0.1)
    panels = initlab.layer_panels(["auto", "lsuv", "he"], [f"{mine}:mish"], depth=2, samples=200)
    assert all(panel.activation.startswith("mish@") for panel in panels)
    outlook = initlab.explain("he", activations=[f"{mine}:symlog"]).outlooks[0]
    assert outlook.regime == "chaotic"
    rng = np.random.default_rng(0)
    inputs, labels = rng.standard_normal((100, 50)), rng.integers(10, size=100)
    diagnosis = initlab.diagnose("std=0.01", f"{mine}:mish", "50x10", inputs, labels)
    assert diagnosis.verdict == "does not train"
    assert diagnosis.cure is not None
    assert "mish," in repr(diagnosis)


def test_functions_of_a_notebook_are_activations():
    @initlab.activation(derivative=np.cos)
    def sine(z):
        return np.sin(z)

    rng = np.random.default_rng(0)
    data = rng.standard_normal((100, 5)), rng.integers(3, size=100)
    own, plain = (
        initlab.train("lecun", data, steps=20, hidden="8x2", activation=given)[0] for given in (sine, np.sin)
    )
    np.testing.assert_allclose(own.losses, plain.losses, rtol=1e-5)
    assert functions_of(sine)[1] is np.cos
    assert ACTIVATIONS.resolve(sine) == ACTIVATIONS.resolve(sine)
    name = initlab.initialize([5, 6, 3], "he", activation=sine).activation.name
    assert initlab.initialize([5, 6, 3], "he", activation=name).activation.name == name


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return z.sum() + 0 * z", "is not elementwise: at z = .* in one array"),
        ("return z / np.abs(z).max()", "is not elementwise"),
        ("return np.sort(z, axis=None).reshape(z.shape)", "is not elementwise"),
        ("return z + np.random.default_rng().normal(size=z.shape)", "is not elementwise"),
        ("return z[:2]", "gives the shape"),
        ("return 3.0", "gives the shape"),
        ("return (z > 0)", "bool instead of floats"),
        ("return (z > 0).astype(int)", "int64 instead of floats"),
        ("return z + 1j", "complex64 instead of floats"),
        ("return np.log(z)", r"mine\(0\) is -inf in float32"),
        ("return np.sqrt(z)", r"mine\(-0.006\) is nan"),
        ("z += 1; return z", "changes its z"),
        ("return z if z > 0 else 0", r"mine\.py:6: mine fails: ValueError: The truth value"),
        ("import math; return math.tanh(z)", "mine fails: TypeError"),
    ],
)
def test_what_is_not_elementwise_and_finite_is_refused(tmp_path, body, message):
    code = f"import numpy as np\n\n\n\ndef mine(z):\n    {body}\n"
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(UsageError, match=message) as refusal:
        ACTIVATIONS.resolve(f"{tmp_path}/mine.py:mine")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("function", "derivative", "message"),
    [
        ("np.tanh(z)", "1 - np.tanh(z)", "at z = .* it gives .*, but differences give"),
        ("np.tanh(z)", "1 / np.cosh(z)", "differences give"),
        ("np.maximum(z, 0)", "1.0 * (z > 1)", "at z = 0.0.*gives 0, but differences give 1"),
        ("np.tanh(z)", "np.ones(3)", "mine' gives the shape"),
        ("np.tanh(z)", "z / z", r"mine'\(0\) is nan"),
    ],
)
def test_a_wrong_derivative_is_refused_with_its_place(function, derivative, message):
    def mine(z):
        return eval(function, {"np": np, "z": z})

    initlab.activation(derivative=lambda z: eval(derivative, {"np": np, "z": z}))(mine)
    with pytest.raises(UsageError, match=message):
        ACTIVATIONS.resolve(mine)


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0)),
        (lambda z: np.maximum(z, 0), lambda z: 1.0 * (z >= 0)),
        (np.abs, np.sign),
        (lambda z: np.clip(z, -1, 1), lambda z: 1.0 * (np.abs(z) < 1)),
        (lambda z: np.maximum(z, 0.1234 * z), lambda z: np.where(z > 0, 1, 0.1234)),
        (lambda z: np.clip(z / 6 + 0.5, 0, 1), lambda z: np.where(np.abs(z) < 3, 1 / 6, 0)),
        (np.floor, np.zeros_like),
    ],
)
def test_kinks_and_steps_are_no_mistake(function, derivative):
    initlab.activation(derivative=derivative)(mine := lambda z: function(z))
    assert ACTIVATIONS[ACTIVATIONS.resolve(mine)].steepest <= 1


def test_a_name_of_ours_or_the_other_kind_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom initlab import scheme\ndef relu(z): return z\n@scheme\ndef f(z): return z\n"
    )
    with pytest.raises(UsageError, match="initlab has an activation 'relu' already"):
        ACTIVATIONS.resolve(f"{tmp_path}/mine.py:relu")
    with pytest.raises(UsageError, match="f is decorated as a scheme, not as an activation"):
        ACTIVATIONS.resolve(f"{tmp_path}/mine.py:f")


def test_arguments_of_a_scheme_run_no_code(tmp_path):
    """A config may hold such a text, and only its own keys are asked for permission."""
    trace = tmp_path / "trace"
    (tmp_path / "mine.py").write_text(f"open({str(trace)!r}, 'w')\ndef f(z): return z\n")
    for text in (f"auto(activation={tmp_path}/mine.py:f)", f"critical(activation={tmp_path}/mine.py:f)"):
        with pytest.raises(UsageError):
            initlab.initialize([5, 6, 3], text)
    assert not trace.exists()
