"""A person's own schemes, in files and in notebooks: what they draw, what is refused, what theory knows."""

import numpy as np
import pytest

import initlab
from initlab import Initialization, Scheme, train
from initlab.errors import InitlabError, UsageError
from initlab.init.scheme import SCHEMES

MINE = '''
import numpy as np
from initlab import scheme

@scheme(formula="W ~ L(0, b)", source="mine", variance=lambda shape, a=1.0: a**2 / shape[0])
def laplace(rng, shape, a=1.0):
    """Not shown: there is a formula."""
    return rng.laplace(size=shape) * a / np.sqrt(2 * shape[0])

def my_he(rng, shape):
    """He's law again."""
    return rng.standard_normal(shape) * np.sqrt(2 / shape[0])

def signs(rng, shape, *, std, kind="symmetric", count: int = 1):
    return rng.choice([-std, std], shape) * count
'''


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    return file


def test_a_function_of_a_file_is_a_scheme_with_arguments(mine):
    scheme = Scheme.parse(f"{mine}:laplace(a=2)")
    W = scheme.draw(np.random.default_rng(0), (200, 300))
    np.testing.assert_allclose(W.var(), 4 / 200, rtol=0.05)
    assert scheme.short == str(Initialization(scheme)) == "laplace(a=2)"
    assert scheme == Scheme.parse(str(scheme)) == Scheme.parse(f"{mine}:laplace(a=2.0)")
    law = SCHEMES[scheme.name]
    assert (law.formula, law.source) == ("W ~ L(0, b)", "mine")
    assert SCHEMES[Scheme.parse(f"{mine}:my_he").name].formula == "He's law again."


def test_the_name_holds_the_content_of_the_file_and_not_its_place(mine, tmp_path):
    before = Scheme.parse(f"{mine}:my_he")
    moved = tmp_path / "elsewhere" / "other.py"
    moved.parent.mkdir()
    moved.write_bytes(mine.read_bytes())
    assert Scheme.parse(f"{moved}:my_he") == before
    mine.write_text(MINE.replace("2 / shape", "3 / shape"))
    after = Scheme.parse(f"{mine}:my_he")
    assert after != before
    assert (
        after.draw(np.random.default_rng(0), (3, 3)).std()
        > before.draw(np.random.default_rng(0), (3, 3)).std()
    )


def test_a_copy_of_he_trains_to_the_same_bits(mine):
    rng = np.random.default_rng(0)
    data = rng.standard_normal((100, 5)), rng.integers(3, size=100)
    ours, own = train(["he", f"{mine}:my_he"], data, steps=30, hidden="8x2")
    np.testing.assert_array_equal(ours.losses, own.losses)
    assert own.label == "my_he"


def test_theory_predicts_from_the_variance_alone(mine):
    profile, dark = initlab.depth_profiles([f"{mine}:laplace", f"{mine}:my_he"], ["relu"], depth=4)
    assert profile.predicted_gradient_factor == pytest.approx(0.5)
    assert profile.gradient_factor.mean() == pytest.approx(0.5, rel=0.1)
    assert dark.predicted is None
    assert initlab.explain(f"{mine}:laplace(a=2)").sigma_w2 == 4


def test_a_function_of_a_notebook_is_a_scheme():
    def scaled(rng, shape, factor=1.0):
        return factor * rng.standard_normal(shape) / np.sqrt(shape[0])

    ensemble = initlab.initialize([50, 60, 10], [scaled, Scheme.of(scaled, factor=2.0), "lecun"])
    np.testing.assert_array_equal(ensemble.weights[0][1], 2 * ensemble.weights[0][0])
    np.testing.assert_array_equal(ensemble.weights[0][2], ensemble.weights[0][0])
    assert initlab.initialize([5, 6, 3], scaled).networks == 1
    assert str(Initialization.of(scaled)) == "scaled"


def test_arguments_are_numbers_unless_the_function_says_otherwise(mine):
    assert Scheme.parse(f"{mine}:signs(std=1, kind=odd)").arguments == {"std": 1.0, "kind": "odd"}
    for text, message in (
        ("signs", "needs std"),
        ("signs(std=1, count=1.5)", "count must be a whole number"),
        ("signs(std=x)", "std must be a finite number"),
        ("signs(std=1, cnt=2)", "did you mean 'count'"),
        ("laplace(b=1)", "unknown argument"),
        ("my_he(a=1)", "takes no arguments"),
        ("my_eh", "did you mean 'my_he'"),
    ):
        with pytest.raises(UsageError, match=message):
            Scheme.parse(f"{mine}:{text}")


def drawing(body):
    return f"import numpy as np\ndef mine(rng, shape):\n    {body}\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (drawing("return rng.standard_normal(shape).T"), r"the shape \(3, 2\) instead of \(2, 3\)"),
        (drawing("return rng.integers(2, size=shape)"), "int64 instead of floats"),
        (drawing("return rng.standard_normal(shape) > 0"), "bool instead of floats"),
        (drawing("return np.full(shape, np.nan)"), r"gives nan at \[0, 0\]"),
        (drawing("return 0 * rng.standard_normal(shape) + [0, 1, np.inf]"), r"gives inf at \[0, 2\]"),
        (drawing("return np.random.default_rng().standard_normal(shape)"), "from rng alone"),
        (drawing("return None"), r"the shape \(\)"),
        (drawing("return rng.nope(shape)"), r"mine\.py:3: mine fails: AttributeError"),
        ("def mine(rng): return 1", "must be a function of rng, shape"),
        ("def mine(*, rng, shape): return 1", "must take rng and shape"),
        ("mine = 3", "unknown function of .*mine.py 'mine'"),
        ("def mine(rng, shape:\n  return", r"mine\.py:1: SyntaxError"),
        ("x = 1\ny = 1 / 0", r"mine\.py:2: ZeroDivisionError"),
        ("import sys\nsys.exit(3)", r"mine\.py:2: SystemExit: 3"),
        (
            "from initlab import activation\n@activation\ndef mine(z): return z",
            "an activation, not as a scheme",
        ),
    ],
)
def test_what_does_not_draw_finite_weights_of_the_shape_is_refused(tmp_path, code, message):
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(UsageError, match=message) as refusal:
        Scheme.parse(f"{tmp_path}/mine.py:mine")
    assert "\n" not in str(refusal.value)


def test_a_shape_for_which_it_fails_is_named_when_it_is_drawn(tmp_path):
    (tmp_path / "mine.py").write_text("def mine(rng, shape): return rng.normal(size=shape) / (shape[0] < 9)")
    scheme = Scheme.parse(f"{tmp_path}/mine.py:mine")
    with np.errstate(divide="ignore"), pytest.raises(UsageError, match=r"for the shape \(9, 4\)"):
        scheme.draw(np.random.default_rng(0), (9, 4))


@pytest.mark.parametrize("name", ["he", "kaiming_normal"])
def test_a_name_of_ours_is_not_taken(tmp_path, name):
    (tmp_path / "mine.py").write_text(f"def {name}(rng, shape): return rng.normal(size=shape)")
    with pytest.raises(UsageError, match=f"initlab has a scheme '{name}' already"):
        Scheme.parse(f"{tmp_path}/mine.py:{name}")


def test_a_file_that_is_no_code_is_refused_in_a_line(tmp_path):
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe")
    (tmp_path / "large.py").write_bytes(b"#" * 1_000_001)
    for name, message in (
        ("none", "No such file"),
        ("bytes", "not a file of Python"),
        ("large", "larger than 1,000,000 bytes"),
        ("nul\0", "not a file of Python"),
    ):
        with pytest.raises(InitlabError, match=message):  # a missing file is an error of input
            Scheme.parse(f"{tmp_path}/{name}.py:f")


def test_a_wrong_variance_is_refused(tmp_path):
    code = (
        "from initlab import scheme\n@scheme(variance=lambda shape: {})\n"
        + drawing("return rng.normal(size=shape)").partition("\n")[2]
    )
    for value, message in (
        ("-1.0", "from 0 on, not -1.0"),
        ("'x'", "not 'x'"),
        ("1 / 0", "ZeroDivisionError"),
    ):
        (tmp_path / "mine.py").write_text(code.format(value))
        with pytest.raises(UsageError, match=message):
            Scheme.parse(f"{tmp_path}/mine.py:mine").variance((3, 3))
    (tmp_path / "mine.py").write_text(code.format("None"))
    assert not Scheme.parse(f"{tmp_path}/mine.py:mine").has_theory


def test_ours_are_all_that_a_loop_over_the_registry_meets(mine):
    before = list(SCHEMES)
    name = Scheme.parse(f"{mine}:my_he").name
    assert name in SCHEMES
    assert list(SCHEMES) == before
