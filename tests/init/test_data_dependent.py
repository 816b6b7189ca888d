"""Schemes that look at data: what they promise on deep networks and MNIST, and that networks do not mix."""

import numpy as np
import pytest

from initlab import Scheme, open_dataset
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.per_layer import Initialization
from initlab.init.scheme import SCHEMES
from initlab.nn.architecture import Skip
from initlab.nn.layers import Residual
from initlab.nn.streams import Purpose, stream

ADAPTIVE = {
    "lsuv": "lsuv",
    "within_layer": "within_layer",
    "pretrained_rbm": "pretrained_rbm(steps=5)",
    "pretrained_autoencoder": "pretrained_autoencoder(steps=5)",
}
IMAGES = open_dataset("mnist").train_images[:2000].astype(np.float32) / 255


def network(scheme, sizes, activation="tanh", seed=0, dtype="float32"):
    return initialize(sizes, [scheme], seed, activation, dtype, data=IMAGES)


def sample(count=1000):
    """The images that a scheme of seed 0 looks at."""
    return IMAGES[stream(0, Purpose.SAMPLES).integers(len(IMAGES), size=count)]


def test_every_scheme_that_looks_at_data_is_tried_here():
    assert set(ADAPTIVE) == {name for name, law in SCHEMES.items() if law.adapt is not None}


@pytest.mark.parametrize("activation", ["tanh", "relu", "elu"])
@pytest.mark.parametrize("tolerance", [0.1, 0.001])
def test_lsuv_gives_unit_variance_to_its_tolerance_in_fifty_layers(activation, tolerance):
    text = f"lsuv(tolerance={tolerance})"
    ensemble = network(text, [784] + [100] * 50 + [10], activation, dtype="float64")
    ensemble.forward(sample())
    variances = [float(z.var()) for z in ensemble.pre_activations]
    assert len(variances) == 51
    assert np.abs(np.array(variances) - 1).max() <= tolerance


def test_lsuv_needs_several_divisions_only_where_there_are_biases():
    """With biases b, W / std(z) leaves another variance; ten divisions come near to 1."""
    bias = Scheme.parse("normal(std=0.3)")
    for iterations, reached in ((1, False), (10, True)):
        scheme = Scheme.parse(f"lsuv(tolerance=0.001, iterations={iterations})")
        ensemble = network(Initialization(scheme, bias=bias), [784, 100, 10], dtype="float64")
        ensemble.forward(sample())
        assert (abs(float(ensemble.pre_activations[0].var()) - 1) <= 0.001) == reached


def test_the_weights_of_lsuv_stay_orthogonal():
    W = network("lsuv", [784, 100, 100, 10], dtype="float64").weights[1][0]
    gram = W.T @ W
    np.testing.assert_allclose(gram, gram[0, 0] * np.eye(100), atol=1e-12 * gram[0, 0])


def test_within_layer_normalizes_every_unit():
    ensemble = network("within_layer", [784, 100, 50, 10], "relu", dtype="float64")
    ensemble.forward(sample())
    for z in ensemble.pre_activations:
        np.testing.assert_allclose(z[0].mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(z[0].std(axis=0), 1, rtol=1e-9)


def test_a_unit_with_the_same_output_for_all_inputs_stays_as_it_was_drawn():
    blank = np.zeros((50, 6), np.float32)
    adapted, drawn = (initialize([6, 5, 3], [name], data=blank) for name in ("within_layer", "lecun"))
    assert (adapted.parameters == drawn.parameters).all()


# Beyond the perceptron: sizes, and skip connections.
DEEPER = {
    "convolutions": ([784, "conv(6, kernel=5)", "pool(2)", "conv(8, kernel=3, padding=same)", 30, 10], None),
    "a skip before the activation": ([784] + [40] * 6 + [10], Skip(2)),
    "a skip after it": ([784] + [40] * 5 + [10], Skip(2, 0.5, "post")),
    "learned": ([784] + [40] * 5 + [10], Skip(2, "learned")),
    "residual convolutions": ([784, *["conv(5, kernel=3, padding=same)"] * 5, "average(4)", 10], Skip(2)),
}


def outputs_of_layers(ensemble, inputs):
    """z of each dense layer and convolution of the first network, by a walk of our own: values x units."""
    outputs = []

    def through(layers, x):
        for layer in layers:
            if isinstance(layer, Residual):
                scale = layer.parameters[0][0] if layer.scale == "learned" else layer.scale
                x = x + scale * through(layer.branch, x)
                continue
            x = layer.forward(x).copy()
            if layer.is_affine:
                outputs.append(x[0] if x.ndim == 3 else np.moveaxis(x[0], 0, -1).reshape(-1, len(x[0])))
        return x

    through(ensemble.layers, np.asarray(inputs, ensemble.dtype))
    assert len(outputs) == len(ensemble.weights)
    return outputs


@pytest.mark.parametrize(("sizes", "skip"), DEEPER.values(), ids=DEEPER)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
class TestBeyondPerceptrons:
    def test_lsuv_gives_every_layer_unit_variance(self, sizes, skip, activation):
        """And each W stays an orthogonal matrix times a number."""
        scheme = "lsuv(tolerance=0.001, batch_size=300)"
        ensemble = initialize(sizes, scheme, 0, activation, "float64", data=IMAGES, skip=skip)
        drawn = initialize(sizes, "orthogonal", 0, activation, "float64", skip=skip)
        for z in outputs_of_layers(ensemble, sample(300)):
            assert z.var() == pytest.approx(1, abs=0.001)
        for W, before in zip(ensemble.weights, drawn.weights, strict=True):
            ratio = W / before
            np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-9)
        assert not any(b.any() for b in ensemble.biases)
        assert ensemble.batches_before[0] == 1

    def test_within_layer_normalizes_every_unit_and_channel(self, sizes, skip, activation):
        scheme = "within_layer(batch_size=300)"
        ensemble = initialize(sizes, scheme, 0, activation, "float64", data=IMAGES, skip=skip)
        for z in outputs_of_layers(ensemble, sample(300)):
            np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-9)
            np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-9)

    @pytest.mark.parametrize("scheme", ["lsuv(batch_size=50)", "within_layer(batch_size=50)"])
    def test_company_makes_no_difference(self, sizes, skip, activation, scheme):
        schemes = ["he", scheme, scheme]
        together = initialize(sizes, schemes, [0, 1, 2], activation, data=IMAGES, skip=skip)
        for row, each in enumerate(schemes):
            alone = initialize(sizes, each, row, activation, data=IMAGES, skip=skip)
            assert (together.parameters[row] == alone.parameters[0]).all()


@pytest.mark.parametrize("scheme", ["lsuv(tolerance=0.001)", "within_layer"])
def test_pytorch_sees_the_same_statistics(scheme):
    """In its own convolutions, with our weights."""
    torch = pytest.importorskip("torch")
    sizes, _ = DEEPER["convolutions"]
    ensemble = initialize(sizes, scheme, data=IMAGES, dtype="float64")
    pairs = zip(ensemble.weights[:2], ensemble.biases[:2], strict=True)
    (W, b), (V, c) = ([torch.tensor(array[0]) for array in pair] for pair in pairs)
    functional = torch.nn.functional
    first = functional.conv2d(torch.tensor(sample()).double().reshape(-1, 1, 28, 28), W, b)
    second = functional.conv2d(functional.max_pool2d(first.relu(), 2), V, c, padding=1)
    for z in (first, second):
        assert float(z.var()) == pytest.approx(1, abs=0.001)
        means, variances = z.mean((0, 2, 3)), z.var((0, 2, 3), unbiased=False)
        each = torch.allclose(means, 0 * means, atol=1e-9) and torch.allclose(variances, 1 + 0 * variances)
        assert each == (scheme == "within_layer")


@pytest.mark.parametrize("name", ["pretrained_rbm", "pretrained_autoencoder"])
@pytest.mark.parametrize("case", ["convolutions", "a skip before the activation"])
def test_pretraining_is_for_dense_layers_alone(name, case):
    sizes, skip = DEEPER[case]
    with pytest.raises(UsageError, match=f"{name} trains dense layers alone, one by one; for conv"):
        initialize(sizes, f"{name}(steps=5)", 0, "sigmoid", data=IMAGES, skip=skip)


@pytest.mark.parametrize("text", ADAPTIVE.values(), ids=ADAPTIVE)
def test_a_network_is_adapted_in_an_ensemble_as_it_is_alone(text):
    sizes = [784, 20, 20, 10]
    schemes = ["he", text, text, "std=0.01"]
    together = initialize(sizes, schemes, [0, 1, 2, 3], "sigmoid", data=IMAGES)
    for row, scheme in enumerate(schemes):
        assert (together.parameters[row] == network(scheme, sizes, "sigmoid", row).parameters[0]).all()
    assert together.batches_before[0] == 0
    assert together.batches_before[1] > 0
    assert together.parameters.dtype == np.float32


@pytest.mark.parametrize("text", ADAPTIVE.values(), ids=ADAPTIVE)
def test_without_data_the_message_says_so(text):
    with pytest.raises(UsageError, match="looks at data, and there is none"):
        initialize([4, 3, 2], [text], activation="sigmoid")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lsuv(tolerance=0)", "tolerance must be above 0"),
        ("lsuv(iterations=1.5)", "iterations must be a whole number, not 1.5"),
        ("lsuv(iterations=0)", "iterations must be 1 or more, not 0"),
        ("lsuv(batch_size=1)", "batch_size must be 2 or more, not 1"),
        ("within_layer(batch_size=0)", "batch_size must be 2 or more, not 0"),
        ("pretrained_rbm(k=0)", "k must be 1 or more, not 0"),
        ("pretrained_rbm(lr=0)", "lr must be above 0"),
        ("pretrained_autoencoder(noise=1)", "noise must be from 0 to below 1"),
        ("pretrained_autoencoder(steps=0)", "steps must be 1 or more, not 0"),
        ("pretrained_autoencoder(batch_size=2.5)", "batch_size must be a whole number, not 2.5"),
        ("lsuv(tolerence=0.1)", "did you mean 'tolerance'"),
    ],
)
def test_wrong_arguments_are_refused_when_the_scheme_is_read(text, message):
    with pytest.raises(UsageError, match=message):
        Scheme.parse(text)


def test_whole_numbers_are_written_without_a_point():
    assert (
        str(Scheme.parse("lsuv(iterations=20.0, batch_size=2e3)")) == "lsuv(iterations=20, batch_size=2000)"
    )
