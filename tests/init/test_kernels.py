"""Kernels of convolutions: every law draws them, with the fans and the distribution that libraries give them.

A kernel is (channels, C, k, k) here and in PyTorch, (k, k, C, channels) in Keras and JAX.
"""

import math

import numpy as np
import pytest
from scipy import stats

from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.per_layer import Initialization
from initlab.init.scheme import ALIASES, LIBRARY_NAMES, SCHEMES, KernelShape, Scheme, fans
from initlab.nn.streams import Purpose, stream

# Narrowing, as most are; widening, with more kernels than numbers in one; of 1 x 1; one and three axes.
SHAPES = [(16, 3, 5, 5), (24, 2, 3, 3), (12, 20, 1, 1), (10, 6, 7), (8, 3, 2, 3, 4)]
NETWORK = {"activation": "relu", "depth": 3, "input_square": 1.0, "blocks": 2, "every": 2}
LAYER = {"place": "hidden", "role": "plain"}
ARGUMENTS = {  # of library names that need some, or that are tried with others than their defaults
    "torch:constant": "(val=0.3)",
    "torch:constant_": "(val=0.3)",
    "torch:sparse": "(sparsity=0.5)",
    "torch:sparse_": "(sparsity=0.5)",
    "torch:kaiming_normal": "(mode=fan_out, a=0.5)",
    "torch:kaiming_uniform": "(nonlinearity=tanh)",
    "torch:xavier_normal": "(gain=1.5)",
    "torch:normal": "(mean=0.5, std=0.2)",
    "torch:trunc_normal": "(std=0.02)",
    "torch:trunc_normal_": "(std=0.02)",
    "keras:VarianceScaling": "(scale=3, mode=fan_avg)",
    "keras:variance_scaling": "(mode=fan_out, distribution=uniform)",
    "keras:TruncatedNormal": "(stddev=0.3)",
    "keras:constant": "(value=0.1)",
    "keras:Orthogonal": "(gain=1.5)",
    "jax:variance_scaling": "(scale=2, mode=fan_geo_avg, distribution=truncated_normal)",
    "jax:constant": "(value=0.2)",
}


def text_of(name):
    """A name with the arguments that it needs."""
    if name in LIBRARY_NAMES:
        return name + ARGUMENTS.get(name, "")
    needed = ", ".join(f"{argument}=0.5" for argument in SCHEMES[ALIASES.get(name, name)].required())
    return f"{name}({needed})" if needed else name


def scheme_of(name):
    return Scheme.parse(text_of(name)).within(**NETWORK, **LAYER)


@pytest.mark.parametrize("name", [*SCHEMES, *ALIASES, *LIBRARY_NAMES])
def test_every_name_draws_kernels_of_the_variance_that_it_promises(name):
    """Whose standard error the draws of other seeds tell."""
    scheme, shape = scheme_of(name), SHAPES[0]
    draws = np.stack([scheme.draw(np.random.default_rng(seed), shape) for seed in range(25)])
    assert draws.shape[1:] == shape
    assert np.isfinite(draws).all()
    if scheme.has_theory:
        squares = (draws.reshape(25, -1) ** 2).mean(axis=1)
        error = 5 * squares.std(ddof=1) / math.sqrt(25) + 1e-9 * squares.mean()
        assert abs(squares.mean() - scheme.variance(shape)) <= error


@pytest.mark.parametrize("name", SCHEMES)
def test_kernels_may_have_any_number_of_axes(name):
    for shape in SHAPES:
        kernels = scheme_of(name).draw(np.random.default_rng(0), shape)
        assert kernels.shape == shape
        assert np.isfinite(kernels).all()


@pytest.mark.parametrize("name", [*SCHEMES, *LIBRARY_NAMES])
def test_a_draw_of_kernels_has_the_bits_of_a_run(name):
    start = Initialization.of(text_of(name)).within(**NETWORK)
    for shape in SHAPES[:3]:
        W, b = start.draw(7, 1, 3, shape)
        drawn = scheme_of(name).draw(stream(7, Purpose.WEIGHTS, 1), shape)
        assert (drawn == W).all()
        if start.bias is None:
            np.testing.assert_allclose(b, scheme_of(name).biases(drawn), atol=1e-12)


def test_a_network_has_these_kernels():
    ensemble = initialize(
        [(3, 9, 9), "conv(16, kernel=5)", "conv(4, kernel=3)", 5], "xavier", 7, dtype="float64"
    )
    for layer, shape in enumerate([(16, 3, 5, 5), (4, 16, 3, 3), (36, 5)]):
        drawn = Scheme("xavier").draw(stream(7, Purpose.WEIGHTS, layer), shape)
        assert (ensemble.weights[layer][0] == drawn).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_kernels_are_the_columns_of_the_matrix(shape):
    kernels = Scheme("he").draw(np.random.default_rng(0), shape)
    matrix = Scheme("he").draw(np.random.default_rng(0), KernelShape(shape))
    assert (kernels.reshape(shape[0], -1) == matrix.T).all()


@pytest.mark.parametrize("shape", [(5,), (), 7, (3, 0), (3, 2.5), (3, True), "34", (16, 3, 5, -5), None])
def test_a_shape_that_no_weights_have_is_refused(shape):
    for use in (
        lambda: Scheme("he").draw(np.random.default_rng(0), shape),
        lambda: Scheme("he").variance(shape),
    ):
        with pytest.raises(UsageError, match=r"a shape is \(n_in, n_out\) or \(channels, C, k, k\), not"):
            use()


@pytest.mark.parametrize("shape", SHAPES)
class TestFans:
    def test_of_pytorch(self, shape):
        torch = pytest.importorskip("torch")
        assert fans(shape) == torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))

    def test_of_keras(self, shape):
        pytest.importorskip("keras")
        from keras.src.initializers.random_initializers import compute_fans

        assert fans(shape) == compute_fans(channels_last(shape))

    def test_of_jax(self, shape):
        pytest.importorskip("jax")
        from jax._src.nn.initializers import _compute_fans

        assert fans(shape) == _compute_fans(channels_last(shape))

    def test_of_lasagne(self, shape):
        """He's std is sqrt(1 / the product of shape[1:]); in Glorot's, sqrt(2 / ((n1 + n2) r)), n1 and n2 are
        the first two numbers of the shape and r, the receptive field, is the product of the others.
        """
        receptive = math.prod(shape[2:])
        assert fans(shape)[0] == math.prod(shape[1:])
        assert sum(fans(shape)) == (shape[0] + shape[1]) * receptive
        assert Scheme.parse("lasagne:HeNormal").variance(shape) == pytest.approx(1 / math.prod(shape[1:]))
        glorot = 2 / ((shape[0] + shape[1]) * receptive)
        assert Scheme.parse("lasagne:GlorotUniform").variance(shape) == pytest.approx(glorot)


def channels_last(shape):
    channels, inputs, *kernel = shape
    return (*kernel, inputs, channels)


def channels_first(kernels):
    return np.moveaxis(np.asarray(kernels), (-1, -2), (0, 1))


# The libraries' own draws


@pytest.fixture
def on_the_torch_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")


def draw_torch(name, shape, **arguments):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    if name == "linear":  # whose law nn.Conv2d has too
        kernels = torch.nn.Conv2d(shape[1], shape[0], shape[2:]).weight
    else:
        kernels = getattr(torch.nn.init, f"{name.removesuffix('_')}_")(torch.empty(shape), **arguments)
    return kernels.detach().numpy()


def draw_keras(name, shape, **arguments):
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    if name == "Dense":  # whose law Conv2D has too
        layer = keras.layers.Conv2D(shape[0], shape[2:])
        layer.build((None, 9, 9, shape[1]))
        return channels_first(layer.get_weights()[0])
    camel = "".join(part.capitalize() for part in name.split("_")) if name.islower() else name
    kernels = getattr(keras.initializers, camel)(**arguments)(channels_last(shape))
    return channels_first(kernels.detach().cpu().numpy() if hasattr(kernels, "detach") else kernels)


def draw_jax(name, shape, **arguments):
    jax = pytest.importorskip("jax")
    make = getattr(jax.nn.initializers, name)
    draw = make if name in ("zeros", "ones") else make(**arguments)
    return channels_first(draw(jax.random.key(0), channels_last(shape), "float32"))


DRAW = {"torch": draw_torch, "keras": draw_keras, "jax": draw_jax}
KERNEL_NAMES = [
    name
    for name in LIBRARY_NAMES
    # The libraries draw the last two for matrices alone.
    if name.split(":")[0] in DRAW and Scheme.parse(text_of(name)).name not in ("sparse", "identity")
]


def arguments_of(name):
    pairs = (part.split("=") for part in ARGUMENTS.get(name, "").strip("()").split(", ") if part)
    return {key: value if value[0].isalpha() else float(value) for key, value in pairs}


def same_distribution(ours, theirs):
    """The mean, the variance, the bounds, and every quantile (Kolmogorov and Smirnov)."""
    ours, theirs = ours.ravel(), theirs.ravel().astype(np.float64)
    if np.ptp(ours) == 0:
        np.testing.assert_allclose(theirs, ours, rtol=1e-6)
        return
    scale = ours.std()
    assert theirs.mean() == pytest.approx(ours.mean(), abs=6 * scale / math.sqrt(ours.size))
    assert theirs.std() == pytest.approx(scale, rel=0.02)
    if stats.kurtosis(ours) < -0.5:  # uniform or cut, so that there are bounds
        # On PyTorch, 4 in a million numbers of a cut normal of Keras lie beyond the cut; so not the extremes.
        ends = [np.quantile(each, [1e-4, 1 - 1e-4]) for each in (ours, theirs)]
        np.testing.assert_allclose(*ends, atol=0.01 * scale)
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-3


def same_products(ours, theirs):
    """Of the kernels as rows, or as columns where there are more kernels than numbers in one."""
    rows = [kernels.reshape(len(kernels), -1).astype(np.float64) for kernels in (ours, theirs)]
    rows = [each if each.shape[0] <= each.shape[1] else each.T for each in rows]
    np.testing.assert_allclose(*(each @ each.T for each in rows), atol=1e-4)


@pytest.mark.usefixtures("on_the_torch_backend")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_kernels_are_drawn_as_the_library_does(name):
    library, _, theirs = name.partition(":")
    scheme = Scheme.parse(text_of(name))
    for shape in ((96, 24, 5, 5), (96, 2, 3, 3)) if scheme.name == "orthogonal" else ((96, 24, 5, 5),):
        drawn = DRAW[library](theirs, shape, **arguments_of(name))
        ours = scheme.draw(np.random.default_rng(0), shape)
        assert drawn.shape == ours.shape
        (same_products if scheme.name == "orthogonal" else same_distribution)(ours, drawn)


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonal_kernels_are_orthonormal_rows_or_columns(shape):
    rows = Scheme("orthogonal").draw(np.random.default_rng(0), shape).reshape(shape[0], -1)
    small = rows if rows.shape[0] <= rows.shape[1] else rows.T
    np.testing.assert_allclose(small @ small.T, np.eye(len(small)), atol=1e-12)


# What the libraries' own tests of their initializers ask of draws, put to ours in their layouts


def drawn_in_keras_layout(text, shape):
    """A matrix (n_in, n_out), or kernels (k, k, C, channels)."""
    if len(shape) == 2:
        return Scheme.parse(text).draw(np.random.default_rng(0), shape)
    *kernel, inputs, channels = shape
    return np.moveaxis(
        Scheme.parse(text).draw(np.random.default_rng(0), (channels, inputs, *kernel)), (0, 1), (-1, -2)
    )


def drawn_in_lasagne_layout(text, shape):
    """A matrix (n_in, n_out), kernels (channels, C, k, k), or with c01b (C, k, k, channels)."""
    if "c01b=True" not in text:
        return Scheme.parse(text).draw(np.random.default_rng(0), shape)
    inputs, rows, columns, channels = shape
    return np.moveaxis(
        Scheme.parse(text).draw(np.random.default_rng(0), (channels, inputs, rows, columns)), 0, -1
    )


KERAS = {  # the mean and the standard deviation, of matrices and of kernels
    ("keras:RandomNormal(mean=0.2, stddev=0.3)", (80, 90)): (0.2, 0.3),
    ("keras:RandomUniform(minval=-1, maxval=3)", (7, 7, 20, 30)): (1, 4 / math.sqrt(12)),
    ("keras:TruncatedNormal(stddev=0.1)", (5, 5, 20, 30)): (0, 0.0879626),
    ("keras:VarianceScaling(scale=2)", (5, 5, 20, 30)): (0, math.sqrt(2 / (25 * 20))),
    ("keras:VarianceScaling(mode=fan_out)", (5, 5, 20, 30)): (0, math.sqrt(1 / (25 * 30))),
    ("keras:VarianceScaling(mode=fan_avg, distribution=uniform)", (5, 5, 20, 30)): (
        0,
        math.sqrt(1 / (25 * 25)),
    ),
    ("keras:VarianceScaling(distribution=untruncated_normal)", (9, 40, 30)): (0, math.sqrt(1 / (9 * 40))),
    ("keras:GlorotUniform", (5, 5, 20, 30)): (0, math.sqrt(2 / (25 * 50))),
    ("keras:GlorotNormal", (3, 3, 3, 40, 20)): (0, math.sqrt(2 / (27 * 60))),
    ("keras:HeNormal", (3, 3, 40, 50)): (0, math.sqrt(2 / 360)),
    ("keras:HeUniform", (200, 300)): (0, math.sqrt(2 / 200)),
    ("keras:LecunNormal", (3, 3, 40, 50)): (0, math.sqrt(1 / 360)),
    ("keras:LecunUniform", (3, 3, 40, 50)): (0, math.sqrt(1 / 360)),
}
LASAGNE = {
    ("lasagne:Normal", (100, 200)): (0, 0.01),
    ("lasagne:Normal(std=0.3, mean=1)", (16, 8, 7, 7)): (1, 0.3),
    ("lasagne:Uniform(range=1)", (300, 400)): (0, 1 / math.sqrt(3)),
    ("lasagne:Uniform(range=(0, 1))", (300, 400)): (0.5, 1 / math.sqrt(12)),
    ("lasagne:Uniform(std=1, mean=5)", (30, 40, 9, 9)): (5, 1),
    ("lasagne:GlorotNormal", (50, 50, 2)): (0, 0.1),
    ("lasagne:GlorotNormal(gain=relu)", (50, 50, 2)): (0, math.sqrt(2) / 10),
    ("lasagne:GlorotNormal(c01b=True)", (25, 2, 2, 75)): (0, math.sqrt(2 / 400)),
    ("lasagne:GlorotUniform", (150, 150, 2)): (0, 0.1 / math.sqrt(3)),
    ("lasagne:GlorotUniform(gain=10)", (150, 450)): (0, 1 / math.sqrt(3)),
    ("lasagne:GlorotUniform(c01b=True)", (75, 2, 2, 75)): (0, 0.1 / math.sqrt(3)),
    ("lasagne:HeNormal", (50, 20, 3, 3)): (0, math.sqrt(1 / 180)),
    ("lasagne:HeNormal(gain=10)", (100, 100)): (0, 1),
    ("lasagne:HeNormal(c01b=True)", (20, 3, 3, 50)): (0, math.sqrt(1 / 180)),
    ("lasagne:HeUniform(c01b=True, gain=relu)", (20, 3, 3, 50)): (0, math.sqrt(2 / 180)),
    ("lasagne:Constant(val=1)", (10, 20, 3)): (1, 0),
}
CASES = [(drawn_in_keras_layout, *case, KERAS[case]) for case in KERAS]
CASES += [(drawn_in_lasagne_layout, *case, LASAGNE[case]) for case in LASAGNE]


@pytest.mark.parametrize(
    ("draw", "text", "shape", "moments"), CASES, ids=lambda value: getattr(value, "__name__", str(value)[:60])
)
def test_draws_have_the_moments_that_the_library_asks_for(draw, text, shape, moments):
    W, (mean, std) = draw(text, shape), moments
    assert W.shape == shape
    assert W.mean() == pytest.approx(mean, abs=5 * std / math.sqrt(W.size) + 1e-12)
    assert W.std() == pytest.approx(std, rel=0.03)
    if "niform" in text:
        bound = math.sqrt(3) * std
        assert 0.98 * bound < W.max() - mean <= bound
        assert 0.98 * bound < mean - W.min() <= bound


@pytest.mark.parametrize("shape", [(100, 200), (200, 100), (100, 50, 80), (60, 4, 3, 3)])
@pytest.mark.parametrize("gain", [1, "relu"])
def test_orthogonal_draws_of_lasagne(shape, gain):
    rows = drawn_in_lasagne_layout(f"lasagne:Orthogonal(gain={gain})", shape).reshape(shape[0], -1)
    small = rows if rows.shape[0] <= rows.shape[1] else rows.T
    np.testing.assert_allclose(small @ small.T, (1 if gain == 1 else 2) * np.eye(len(small)), atol=1e-12)


def test_orthogonal_draws_of_keras():
    kernels = drawn_in_keras_layout("keras:Orthogonal(gain=2)", (3, 3, 8, 24)).reshape(-1, 24)
    np.testing.assert_allclose(kernels.T @ kernels, 4 * np.eye(24), atol=1e-12)
