"""Theory of skips, normalization and convolution, against real wide networks, by their sampling error."""

import numpy as np
import pytest

from initlab import Initialization, Scheme
from initlab.init.networks import initialize
from initlab.measure.layers import measure_layers
from initlab.nn.architecture import Skip
from initlab.nn.normalization import BatchNorm, LayerNorm
from initlab.theory.layers import predict_correlations, predict_layers
from initlab.theory.signals import DRAWS

WIDE = [400] * 7 + [10]
IMAGES = [(40, 6, 6), *["conv(40, kernel=3, padding=same, border=circular)"] * 4, 10]
SEEDS, SAMPLES = 12, 60
BIASED = Initialization(Scheme("lecun"), bias=Scheme.parse("std=1"))
BATCH, LAYER = BatchNorm(eps=1e-12), LayerNorm(eps=1e-12)


def skip(text):
    return Skip.parse(text)


def with_border(border):
    return [(40, 6, 6), *[f"conv(40, kernel=3, padding=same, border={border})"] * 4, 10]


# Sizes, scheme, activation, normalization, skip.
NETWORKS = {
    "every layer": (WIDE, "he", "relu", None, skip("1")),
    "every second layer": (WIDE, "he", "relu", None, skip("2")),
    "tanh": (WIDE, "lecun", "tanh", None, skip("every=2, scale=0.7")),
    "by blocks": (WIDE, "he", "relu", None, skip("every=1, scale=1/sqrt(blocks)")),
    "learned": (WIDE, "he", "relu", None, skip("every=2, scale=learned")),
    "no branch": (WIDE, "he", "relu", None, skip("every=2, scale=0")),
    "biases": (WIDE, "torch:linear", "sigmoid", None, skip("2")),
    "large biases": (WIDE, BIASED, "tanh", None, skip("1")),
    "post": (WIDE, "he", "relu", None, skip("every=1, order=post")),
    "post of two": (WIDE, "he", "relu", None, skip("every=2, order=post")),
    "post tanh": (WIDE, "lecun", "tanh", None, skip("every=1, scale=0.5, order=post")),
    "layer norm": (WIDE, "he", "relu", LAYER, None),
    "layer norm after": (WIDE, "he", "relu", LayerNorm("after"), None),
    "layer norm, sigmoid": (WIDE, "std=0.1", "sigmoid", LAYER, None),
    "layer norm and skip": (WIDE, "he", "relu", LAYER, skip("2")),
    "layer norm after and skip": (WIDE, "he", "relu", LayerNorm("after"), skip("1")),
    "layer norm and post": (WIDE, "he", "relu", LAYER, skip("every=2, order=post")),
    "layer norm after and post": (WIDE, "he", "relu", LayerNorm("after"), skip("every=1, order=post")),
    "small weights, large eps": (WIDE, "std=0.001", "tanh", LayerNorm(eps=1e-3), None),
    "convolution": (IMAGES, "he", "relu", None, None),
    "convolution, tanh": (IMAGES, "std=0.08", "tanh", None, None),
    "border of zeros": (with_border("zeros"), "he", "tanh", None, None),
    "strides, no border": (
        [(40, 11, 11), "conv(50, kernel=3, stride=2)", "conv(60, kernel=2)", "conv(40, kernel=3)", 200, 10],
        "he", "relu", None, None,
    ),
    "stride and circular border": (
        [(40, 7, 7), *["conv(50, kernel=3, stride=2, padding=2, border=circular)"] * 2, 100, 10],
        "xavier", "tanh", None, None,
    ),
    "residual convolution": (with_border("zeros"), "he", "relu", None, skip("2")),
    "normalized convolution": (with_border("zeros"), "he", "relu", LAYER, skip("1")),
    "averages": ([(40, 6, 6), "conv(60, kernel=3)", "average(2)", "conv(80, kernel=2)", 200, 10],
                 "he", "relu", None, None),
    "maxima": ([(40, 9, 9), "conv(60, kernel=3)", "pool(3)", "conv(80, kernel=2)", 200, 10],
               "he", "relu", None, None),
    "maxima, tanh": ([(40, 8, 8), *["conv(60, kernel=3)", "pool(2)"] , 200, 100, 10],
                     "std=0.06", "tanh", None, None),
    "maxima of maxima": ([(40, 10, 10), "conv(60, kernel=3)", "pool(2)", "pool(2)", 200, 10],
                         "he", "relu", None, None),
}  # fmt: skip


def measured(sizes, scheme, activation, norm, skips, samples=SAMPLES):
    """For each seed q, mean, std and gradient of each layer, and the cosine of two samples."""
    numbers = []
    inputs = int(np.prod(sizes[0]))
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        network = initialize(sizes, [scheme], seed, activation, "float64", norm=norm, skip=skips)
        x, labels = rng.standard_normal((samples, inputs)), rng.integers(10, size=samples)
        layers = measure_layers(network, x, labels)[0]
        last = layers[-1].gradient_std
        numbers.append(
            [
                (layer.length, layer.mean, layer.std, layer.gradient_std / last, 1 - layer.dissimilarity)
                for layer in layers
            ]
        )
    return np.array(numbers)


def predicted(sizes, scheme, activation, norm, skips):
    layers = predict_layers(scheme, sizes, activation, norm=norm, skip=skips)
    cs = predict_correlations(scheme, sizes, activation, norm=norm, skip=skips)
    return np.array(
        [(layer.q, layer.mean, layer.std, layer.gradient, c) for layer, c in zip(layers, cs, strict=True)]
    )


def sampling_error(values, expected):
    """How far a mean over seeds may lie from what is expected.

    That is five standard errors; and, since a statistic of n units scatters by a share s = O(1/sqrt(n)),
    what is left of its mean at the second order, s^2. The correlation also has the error of the draws.
    """
    scatter = values.std(axis=0, ddof=1)
    second_order = 2 * scatter**2 / np.maximum(np.abs(expected), scatter + 1e-300)
    allowed = 5 * scatter / np.sqrt(len(values)) + second_order + 1e-12
    allowed[:, -1] += 3 / np.sqrt(DRAWS)
    return allowed


@pytest.mark.parametrize("name", NETWORKS)
def test_wide_networks_behave_as_predicted(name):
    values, expected = measured(*NETWORKS[name]), predicted(*NETWORKS[name])
    far = np.abs(values.mean(axis=0) - expected) / sampling_error(values, expected)
    assert (far <= 1).all(), far.round(1)


NORMALIZED = {
    "skip": (WIDE, "he", "relu", BATCH, skip("every=1, scale=0.8")),
    "post": (WIDE, "he", "tanh", BATCH, skip("every=2, order=post")),
    "after": (WIDE, "xavier", "relu", BatchNorm("after", eps=1e-12), skip("1")),
    "after, post": (WIDE, "xavier", "relu", BatchNorm("after", eps=1e-12), skip("every=1, order=post")),
    "convolution": (with_border("circular"), "he", "relu", BATCH, skip("2")),
}


@pytest.mark.parametrize("name", NORMALIZED)
def test_networks_with_batch_normalization_behave_as_predicted(name):
    """A batch of B samples differs from a large one by a share of 1 / B in each layer."""
    values, expected = measured(*NORMALIZED[name], samples=300), predicted(*NORMALIZED[name])
    layers = np.arange(1, len(expected) + 1)[:, None]
    small_batch = 2 * layers / 300 * np.maximum(np.abs(expected), 1)
    far = np.abs(values.mean(axis=0) - expected) / (sampling_error(values, expected) + small_batch)
    assert (far <= 1).all(), far.round(1)


@pytest.mark.parametrize("scheme", ["zeros", "std=1e200"])
@pytest.mark.parametrize("how", [{}, {"skip": Skip(1)}, {"skip": Skip(1, 1.0, "post")}, {"norm": BATCH}])
def test_signals_that_vanish_or_overflow_raise_nothing(scheme, how):
    for sizes in (WIDE, [(1, 8, 8), "conv(3, kernel=3)", "pool(2)", 10]):
        for activation in ("relu", "tanh"):
            assert len(predict_layers(scheme, sizes, activation, **how)) == len(
                predict_correlations(scheme, sizes, activation, **how)
            )


def test_inputs_that_are_alike_are_followed():
    """Batch Normalization sees only what differs: a share 1 - c of the inputs' mean square."""
    sizes, shared = [300, 300, 300, 10], 0.75
    numbers = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        x = np.sqrt(shared) * rng.standard_normal(300) + np.sqrt(1 - shared) * rng.standard_normal((200, 300))
        network = initialize(sizes, ["he"], seed, "relu", "float64", norm=BATCH)
        first, last = measure_layers(network, x, rng.integers(10, size=200))[0]
        numbers.append(first.gradient_std / last.gradient_std)
    first, _ = predict_layers("he", sizes, "relu", norm=BATCH, input_correlation=shared)
    assert abs(np.mean(numbers) - first.gradient) < 5 * np.std(numbers) / np.sqrt(SEEDS) + 2 / 200
    plain = predict_correlations("he", sizes, "relu", input_correlation=shared)
    exact = (np.sqrt(1 - shared**2) + shared * (np.pi - np.arccos(shared))) / np.pi
    assert plain == pytest.approx([shared, exact], abs=1e-3)


def test_he_branches_double_the_variance_in_each_block():
    """And with the scale 1 / sqrt(L) it grows by (1 + 1 / L)^L, just below e."""
    sizes = [100] * 51 + [10]
    doubled = predict_layers("he", sizes, "relu", skip=skip("1"))
    assert [layer.q for layer in doubled] == pytest.approx([2.0 ** (i + 1) for i in range(50)])
    scaled = predict_layers("he", sizes, "relu", skip=skip("every=1, scale=1/sqrt(blocks)"))
    assert scaled[-1].q / scaled[0].q == pytest.approx((1 + 1 / 49) ** 49)
    gradients = [layer.gradient**2 for layer in scaled]
    # The last hidden layer's own activation halves the gradient that the sum before it receives.
    assert gradients[0] / gradients[-2] == pytest.approx((1 + 1 / 49) ** 48)


@pytest.mark.parametrize("order", ["pre", "post"])
def test_a_branch_of_zero_is_the_identity(order):
    layers = predict_layers("he", [50] * 6 + [10], "relu", skip=Skip(1, 0.0, order))
    assert [layer.q for layer in layers[1:]] == pytest.approx([2.0 if order == "pre" else 1.0] * 4, rel=0.01)
    assert [layer.gradient for layer in layers[1:]] == pytest.approx([1.0] * 4)


def test_a_circular_border_gives_the_numbers_of_a_dense_network():
    dense = predict_layers("std=0.1", [50 * 9] * 5 + [10], "tanh")
    sizes = [(50, 4, 4), *["conv(50, kernel=3, padding=same, border=circular)"] * 4, 10]
    for image, vector in zip(predict_layers("std=0.1", sizes, "tanh"), dense, strict=True):
        for name in ("q", "mean", "std", "gradient", "weight_std"):
            assert getattr(image, name) == pytest.approx(getattr(vector, name)), name


def test_batch_normalization_explodes_only_without_a_skip():
    """Yang et al. 2019: by 1.467 in a ReLU layer. The branches of a residual sum weigh less and less."""
    sizes = [100] * 31 + [10]
    plain = predict_layers("he", sizes, "relu", norm=BATCH)[1].gradient
    residual = predict_layers("he", sizes, "relu", norm=BATCH, skip=skip("1"))[1].gradient
    assert plain**2 == pytest.approx((np.pi / (np.pi - 1)) ** 28, rel=1e-6)
    assert residual**2 < 1000
