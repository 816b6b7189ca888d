"""Library names against the libraries' own draws, or where we cannot install one, against its source."""

import math

import numpy as np
import pytest
from scipy import stats

from initlab.errors import UsageError
from initlab.init.scheme import LIBRARY_NAMES, Scheme

N_IN, N_OUT = 300, 200
ARGUMENTS = {
    "torch:constant": "(val=0.3)",
    "torch:sparse": "(sparsity=0.9)",
    "torch:kaiming_normal": "(mode=fan_out, a=0.5)",
    "torch:kaiming_uniform": "(nonlinearity=tanh)",
    "torch:xavier_normal": "(gain=1.5)",
    "torch:normal": "(mean=0.5, std=0.2)",
    "torch:trunc_normal": "(std=0.02)",
    "keras:VarianceScaling": "(scale=3, mode=fan_avg)",
    "keras:TruncatedNormal": "(stddev=0.3)",
    "jax:variance_scaling": "(scale=2, mode=fan_geo_avg, distribution=truncated_normal)",
    "jax:constant": "(value=0.2)",
}


def draw_torch(name, **arguments):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    if name == "linear":
        W = torch.nn.Linear(N_IN, N_OUT).weight
    else:
        W = getattr(torch.nn.init, f"{name.removesuffix('_')}_")(torch.empty(N_OUT, N_IN), **arguments)
    return W.detach().numpy().T


def draw_keras(name, **arguments):
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    if name == "Dense":
        layer = keras.layers.Dense(N_OUT)
        layer.build((None, N_IN))
        return layer.get_weights()[0]
    camel = "".join(part.capitalize() for part in name.split("_")) if name.islower() else name
    W = getattr(keras.initializers, camel)(**arguments)((N_IN, N_OUT))
    return W.detach().cpu().numpy() if hasattr(W, "detach") else np.asarray(W)


def draw_jax(name, **arguments):
    jax = pytest.importorskip("jax")
    make = getattr(jax.nn.initializers, name)
    direct = name in ("zeros", "ones")
    draw = make if direct else make(**arguments)
    return np.asarray(draw(jax.random.key(0), (N_IN, N_OUT), "float32"))


DRAW = {"torch": draw_torch, "keras": draw_keras, "jax": draw_jax}


@pytest.fixture(autouse=True)
def on_the_torch_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")


def arguments_of(name):
    """The arguments in the form that a library takes."""
    parts = ARGUMENTS.get(name, "").strip("()")
    pairs = (part.split("=") for part in parts.split(", ") if part)
    return {key: value if value[0].isalpha() else float(value) for key, value in pairs}


def same_distribution(ours, theirs):
    if (ours == 0).any() and not (ours == 0).all():
        np.testing.assert_array_equal((ours != 0).sum(), (theirs != 0).sum())
        ours, theirs = ours[ours != 0], theirs[theirs != 0]
    ours, theirs = ours.ravel(), theirs.ravel().astype(np.float64)
    if np.ptp(ours) == 0:
        np.testing.assert_allclose(theirs, ours, rtol=1e-6)
        return
    assert theirs.std() == pytest.approx(ours.std(), rel=0.02)
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in LIBRARY_NAMES if name.split(":")[0] in DRAW])
def test_draws_as_the_library_does(name):
    library, _, theirs = name.partition(":")
    scheme = Scheme.parse(name + ARGUMENTS.get(name, "") if name not in NEEDING else NEEDING[name])
    arguments = arguments_of(name) if name not in NEEDING else given_text(NEEDING[name])
    drawn = DRAW[library](theirs, **arguments)
    ours = scheme.draw(np.random.default_rng(0), (N_IN, N_OUT))
    if scheme.name == "orthogonal":
        gram = drawn.T.astype(np.float64) @ drawn
        np.testing.assert_allclose(gram, ours.T @ ours, atol=1e-4)
    elif scheme.name == "identity":
        np.testing.assert_array_equal(ours, drawn)
    else:
        same_distribution(ours, drawn)


# The second spellings of those that cannot be drawn without arguments.
NEEDING = {
    "torch:constant_": "torch:constant_(val=0.3)",
    "torch:sparse_": "torch:sparse_(sparsity=0.5)",
    "keras:constant": "keras:constant(value=0.1)",
}


def given_text(text):
    key, value = text.partition("(")[2].strip(")").split("=")
    return {key: float(value)}


LAW = {
    "lasagne:HeNormal": 1 / N_IN,
    "lasagne:HeNormal(gain=relu)": 2 / N_IN,
    "lasagne:HeUniform(gain=0.5)": 0.25 / N_IN,
    "lasagne:GlorotNormal(gain=2)": 8 / (N_IN + N_OUT),
    "lasagne:GlorotUniform": 2 / (N_IN + N_OUT),
    "lasagne:Normal": 1e-4,
    "lasagne:Uniform": 1e-4 / 3,
    "lasagne:Uniform(std=0.2)": 0.04,
    "lasagne:Uniform(range=(0, 1))": 1 / 3,
    "lasagne:Uniform(range=(-0.3, 0.1), std=None)": 0.04 / 3 + 0.01,
    "lasagne:Uniform(range=0.3, mean=5)": 0.03,  # without std, the mean does not count there
    "lasagne:Uniform(std=0.2, mean=5)": 25.04,
    "lasagne:Uniform(std=0)": 0.0,
    "lasagne:HeNormal(gain=relu, c01b=True)": 2 / N_IN,
    "lasagne:GlorotUniform(c01b=False)": 2 / (N_IN + N_OUT),
    "lasagne:Orthogonal(gain=relu)": 2 / N_IN,
    "lasagne:Sparse": 1e-5,
    "lasagne:DenseLayer": 2 / (N_IN + N_OUT),
    "lasagne:Constant": 0.0,
    "book:sigmoid": 1 / N_IN,
    "book:relu": 2 / N_IN,
    "book:he": 2 / N_IN,
}


@pytest.mark.parametrize("text", LAW)
def test_names_of_libraries_that_we_cannot_install_have_the_variance_of_their_source(text):
    W = Scheme.parse(text).draw(np.random.default_rng(0), (N_IN, N_OUT))
    assert (W**2).mean() == pytest.approx(LAW[text], rel=0.04)


def test_every_name_is_tried_here():
    tried = {text.partition("(")[0] for text in LAW}
    assert {name for name in LIBRARY_NAMES if name.split(":")[0] not in DRAW} == tried


@pytest.mark.parametrize("name", LIBRARY_NAMES)
def test_a_name_translates_to_a_scheme(name):
    """Also where the library itself is not installed."""
    text = NEEDING.get(name, name + ARGUMENTS.get(name, ""))
    assert Scheme.parse(text).draw(np.random.default_rng(0), (3, 4)).shape == (3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("torch:kaiming", "did you mean 'torch:kaiming_normal'"),
        ("flax:linear", "known: book:..., jax:..., keras:..., lasagne:..., torch:..."),
        ("torch:sparse", "torch:sparse needs sparsity"),
        ("torch:kaiming_normal(mode=fan)", "unknown mode 'fan'; did you mean 'fan_in'"),
        ("torch:kaiming_normal(gain=2)", "unknown argument of torch:kaiming_normal 'gain'"),
        ("torch:trunc_normal(std=0.5)", "is cut at 2, 4 standard deviations"),
        *(
            (f"lasagne:Uniform(range={given})", f"or (low, high) as (0, 1), not '{given}'")
            for given in ("(1, 0)", "(0, 1, 2)", "(nan, 1)", "(0)", "wide")
        ),
        ("lasagne:Uniform(range=-1)", "range must be a number from 0 on, or (low, high) as"),
        ("lasagne:Uniform(range=(0, (1)))", "cannot read the scheme"),
        ("lasagne:HeNormal(c01b=yes)", "unknown c01b 'yes'; known: False, True"),
    ],
)
def test_the_message_explains_what_is_wrong(text, message):
    with pytest.raises(UsageError) as error:
        Scheme.parse(text)
    assert message in str(error.value)


@pytest.mark.parametrize("given", [(0, 1), [0, 1], "(0, 1)"])
def test_a_range_may_be_a_pair_of_python(given):
    pair = Scheme.parse("lasagne:Uniform", {"range": given})
    assert (
        pair == Scheme.parse("lasagne:Uniform(range=(0, 1))") == Scheme.parse("uniform(bound=0.5, mean=0.5)")
    )


def test_c01b_may_be_a_truth_value_of_python():
    schemes = [Scheme.parse("lasagne:HeUniform", {"c01b": given}) for given in (True, False, "True")]
    assert schemes == [Scheme("lecun_uniform")] * 3


def test_the_gain_of_leaky_relu():
    scheme = Scheme.parse("torch:kaiming_normal(a=1)")
    assert scheme.variance((N_IN, N_OUT)) == pytest.approx(1 / N_IN)
    linear = Scheme.parse(f"torch:kaiming_uniform(a={math.sqrt(5)})")
    assert linear.variance((7, 3)) == pytest.approx(Scheme.parse("torch:linear").variance((7, 3)))
