"""Examples of plain arrays: what is accepted, and what is refused."""

import numpy as np
import pytest

from initlab.data.examples import array_examples, examples_of
from initlab.errors import UsageError

X, Y = np.zeros((6, 3)), np.array([0, 1, 2, 0, 1, 2])


def test_arrays_become_examples():
    examples = examples_of((X, Y, X[:2], [3, 0]), dtype="float64")
    assert (examples.features, examples.classes) == (3, 4)
    assert (examples.train_inputs.dtype, len(examples.test_inputs)) == (np.float64, 2)
    assert array_examples((X, Y)).test_inputs.shape == (0, 3)
    assert array_examples((X, Y, X[:0], Y[:0])).classes == 3


def test_examples_are_held_out_from_the_end():
    examples = array_examples((X, Y)).hold_out(2)
    assert (len(examples.train_inputs), examples.validation_labels.tolist()) == (4, [1, 2])
    with pytest.raises(UsageError, match="cannot hold out 6 of 6"):
        array_examples((X, Y)).hold_out(6)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((X,), "not 1 arrays"),
        ((X, Y[:5]), r"training inputs are \(N, n_0\) and labels \(N,\), not \(6, 3\) and \(5,\)"),
        ((X[0], Y[:3]), "training inputs are"),
        ((X, Y + 0.5), "training labels must be whole numbers"),
        ((X, Y - 1), "training labels must be whole numbers from 0 on"),
        ((X[:0], Y[:0]), "there are no training examples"),
        ((X, Y, X, Y[:5]), "test inputs are"),
        ((X, Y, X, Y / 2), "test labels must be whole numbers"),
        ((X, Y, X[:, :2], Y), "test inputs have 2 numbers, training inputs 3"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, message):
    with pytest.raises(UsageError, match=message):
        array_examples(arrays)


@pytest.mark.parametrize(
    ("scale", "shift", "words"),
    [(255, 0, "go up to 255, .* scale them, as by x / 255$"), (-500, 9, r"go up to 4.*- x.mean\(axis=0")],
)
def test_inputs_that_nobody_scaled_are_used_with_a_warning(scale, shift, words):
    x = scale * np.random.default_rng(0).random((50, 4)).round(2) + shift
    x[0, 0] = scale + shift
    with pytest.warns(UserWarning, match=words):
        examples = array_examples((x, np.arange(50) % 3))
    assert np.array_equal(examples.train_inputs, x.astype(np.float32))


def test_scaled_inputs_raise_no_warning():
    x = np.random.default_rng(0).standard_normal((50, 4))
    for scaled in (x, x * 9, x * 0, x[:1]):
        array_examples((scaled, np.arange(len(scaled)) % 3))
