"""Input preparations: what each makes of the training images, and what it refuses."""

import numpy as np
import pytest

from initlab.data.datasets import first_images, open_dataset
from initlab.data.inputs import INPUTS, prepare_inputs
from initlab.errors import UsageError

MNIST = first_images(open_dataset("mnist"), 3000)
TEXTS = {
    "unit": "unit",
    "raw": "raw",
    "standardized": "standardized",
    "per_pixel": "per_pixel",
    "whitened": "whitened(components=30)",
}


def prepared(text, dtype="float64"):
    return prepare_inputs(text, MNIST)(MNIST.train_images, dtype)


def test_all_are_tried_here():
    assert set(TEXTS) == set(INPUTS)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_type_shape_and_finiteness(text, dtype):
    x = prepared(text, dtype)
    assert x.dtype == dtype
    assert x.shape == (3000, 30 if "whitened" in text else 784)
    assert np.isfinite(x).all()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_image_is_prepared_by_what_was_learnt_from_the_training_images_alone(text):
    prepare = prepare_inputs(text, MNIST)
    both = prepare(MNIST.test_images[:2], "float64")
    np.testing.assert_allclose(prepare(MNIST.test_images[:1], "float64")[0], both[0], rtol=1e-12, atol=1e-12)


def test_values_are_those_of_the_definition():
    images = MNIST.train_images.astype(np.float64)
    np.testing.assert_allclose(prepared("unit"), images / 255)
    assert (prepared("raw") == images).all()
    np.testing.assert_allclose(prepared("standardized"), (images - images.mean()) / images.std(), rtol=1e-9)
    x = prepared("per_pixel")
    changing = images.std(axis=0) > 0
    np.testing.assert_allclose(x[:, changing].std(axis=0), 1)
    assert (x[:, ~changing] == 0).all()


def test_whitened_components_are_uncorrelated_and_the_leading_ones():
    x = prepared("whitened(components=30)")
    np.testing.assert_allclose(np.cov(x.T, bias=True), np.eye(30), atol=1e-9)
    centred = MNIST.train_images - MNIST.train_images.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False)[:30] ** 2 / 3000
    along = np.linalg.lstsq(x, centred, rcond=None)[0]
    np.testing.assert_allclose((along**2).sum(axis=1), variances, rtol=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unti", "did you mean 'unit'"),
        ("whitened(component=3)", "did you mean 'components'"),
        ("whitened(components=2.5)", "whole number"),
        ("unit(", "cannot read the input preparation"),
    ],
)
def test_wrong_preparations_are_refused_in_words(text, message):
    with pytest.raises(UsageError, match=message):
        INPUTS.canonical(text)


@pytest.mark.parametrize("components", [0, 785])
def test_more_components_than_directions_are_refused(components):
    with pytest.raises(UsageError, match="components must be from 1 to"):
        prepare_inputs(f"whitened(components={components})", MNIST)


def test_more_training_images_than_there_are_are_refused():
    with pytest.raises(UsageError, match="train_size is 60,001, but there are 60,000"):
        first_images(open_dataset("mnist"), 60_001)
