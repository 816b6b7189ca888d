"""Schemes that look at data: what they promise, on deep networks and on MNIST, and that rows do not mix."""

import numpy as np
import pytest

from initlab import Ensemble, Scheme, open_dataset
from initlab.analysis.measure import samples_of
from initlab.errors import UsageError
from initlab.nn.initializers import INITIALIZERS

ADAPTIVE = {
    "lsuv": "lsuv",
    "within_layer": "within_layer",
    "pretrained_rbm": "pretrained_rbm(steps=5)",
    "pretrained_autoencoder": "pretrained_autoencoder(steps=5)",
}
IMAGES = open_dataset("mnist").train_images[:2000].astype(np.float32) / 255


def started(text, sizes, activation="tanh", seeds=0, dtype="float32"):
    return Ensemble.from_schemes(sizes, [text], seeds, activation, dtype, samples_of(IMAGES))


def test_all_are_tried_here():
    assert set(ADAPTIVE) == {name for name, known in INITIALIZERS.items() if known.adapt is not None}


@pytest.mark.parametrize("activation", ["tanh", "relu", "elu"])
@pytest.mark.parametrize("tolerance", [0.1, 0.001])
def test_lsuv_gives_unit_variance_to_its_tolerance_in_fifty_layers(activation, tolerance):
    text = f"lsuv(tolerance={tolerance})"
    ensemble = started(text, [784] + [100] * 50 + [10], activation, dtype="float64")
    ensemble.forward(samples_of(IMAGES)(0)(1000))
    variances = [float(z.var()) for z in ensemble.pre_activations]
    assert len(variances) == 51
    assert np.abs(np.array(variances) - 1).max() <= tolerance


def test_lsuv_needs_several_divisions_only_where_there_are_biases():
    """With biases b, W / std(z) leaves another variance; with ten divisions it comes near."""
    bias = Scheme.parse("normal(std=0.3)")
    for iterations, reached in ((1, False), (10, True)):
        scheme = Scheme.parse(f"lsuv(tolerance=0.001, iterations={iterations})")
        ensemble = started_with(bias, scheme)
        ensemble.forward(samples_of(IMAGES)(0)(1000))
        assert (abs(float(ensemble.pre_activations[0].var()) - 1) <= 0.001) == reached


def started_with(bias, scheme):
    from initlab.nn.starts import Start

    return started(Start(scheme, bias=bias), [784, 100, 10], dtype="float64")


def test_lsuv_begins_orthogonal():
    W = started("lsuv", [784, 100, 100, 10], dtype="float64").weights[1][0]
    gram = W.T @ W
    np.testing.assert_allclose(gram, gram[0, 0] * np.eye(100), atol=1e-12 * gram[0, 0])


def test_within_layer_normalization_is_that_of_every_unit():
    ensemble = started("within_layer", [784, 100, 50, 10], "relu", dtype="float64")
    ensemble.forward(samples_of(IMAGES)(0)(1000))
    for z in ensemble.pre_activations:
        np.testing.assert_allclose(z[0].mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(z[0].std(axis=0), 1, rtol=1e-9)


def test_a_unit_that_gives_the_same_for_all_inputs_is_left():
    blank = np.zeros((50, 6), np.float32)
    ensemble = Ensemble.from_schemes([6, 5, 3], ["within_layer"], samples=samples_of(blank))
    assert np.isfinite(ensemble.parameters).all()


@pytest.mark.parametrize("text", ADAPTIVE.values(), ids=ADAPTIVE)
def test_a_network_is_adapted_as_if_it_were_alone(text):
    sizes = [784, 20, 20, 10]
    schemes = ["he", text, text, "std=0.01"]
    together = Ensemble.from_schemes(sizes, schemes, [0, 1, 2, 3], "sigmoid", samples=samples_of(IMAGES))
    for row, scheme in enumerate(schemes):
        assert (together.parameters[row] == started(scheme, sizes, "sigmoid", row).parameters[0]).all()
    assert together.batches_before[0] == 0
    assert together.batches_before[1] > 0
    assert together.parameters.dtype == np.float32


@pytest.mark.parametrize("text", ADAPTIVE.values(), ids=ADAPTIVE)
def test_without_data_the_message_says_so(text):
    with pytest.raises(UsageError, match="looks at data, and there is none"):
        Ensemble.from_schemes([4, 3, 2], [text])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lsuv(tolerance=0)", "tolerance must be above 0"),
        ("lsuv(iterations=1.5)", "iterations must be a whole number from 1"),
        ("lsuv(batch_size=1)", "batch_size must be a whole number from 2"),
        ("within_layer(batch_size=0)", "batch_size must be a whole number from 2"),
        ("pretrained_rbm(k=0)", "k must be a whole number from 1"),
        ("pretrained_rbm(lr=0)", "lr must be above 0"),
        ("pretrained_autoencoder(noise=1)", "noise must be from 0 to below 1"),
        ("pretrained_autoencoder(steps=0)", "steps must be a whole number from 1"),
        ("lsuv(tolerence=0.1)", "did you mean 'tolerance'"),
    ],
)
def test_wrong_arguments_are_refused_when_the_scheme_is_read(text, told):
    with pytest.raises(UsageError, match=told):
        Scheme.parse(text)
