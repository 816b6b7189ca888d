"""Every loss against central differences, its definition, and PyTorch; and where the definition overflows."""

import numpy as np
import pytest

from initlab.nn.losses import LOSSES, cross_entropy, squared_error, squared_error_logits


def test_value_and_gradient_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((3, 8, 5)), rng.integers(5, size=8)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    losses, gradient = cross_entropy(logits, labels)
    expected = [-np.log(p[np.arange(8), labels]).mean() for p in probabilities]
    np.testing.assert_allclose(losses, expected, rtol=1e-13)
    np.testing.assert_allclose(gradient, (probabilities - np.eye(5)[labels]) / 8, rtol=1e-12, atol=1e-16)


def test_equal_logits_have_the_logarithm_of_the_number_of_classes_as_their_loss():
    assert cross_entropy(np.zeros((1, 4, 10)), np.arange(4))[0][0] == pytest.approx(2.302585, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_logits_do_not_overflow(dtype):
    logits = np.array([[[1e30, 0, -1e30], [1e4, 0, -1e4]]], dtype)
    losses, gradient = cross_entropy(logits, np.array([0, 1]))
    assert losses[0] == pytest.approx(5e3)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
class TestEveryLoss:
    def test_gradient_is_that_of_central_differences(self, name):
        rng, loss = np.random.default_rng(0), LOSSES[name]
        logits, labels = 2 * rng.standard_normal((2, 4, 5)), rng.integers(5, size=4)
        _, gradient = loss(logits, labels)
        for index in np.ndindex(logits.shape):
            moved = logits.copy()
            moved[index] += 1e-6
            ahead = loss(moved, labels)[0]
            moved[index] -= 2e-6
            behind = loss(moved, labels)[0]
            numeric = (ahead - behind)[index[0]] / 2e-6
            assert gradient[index] == pytest.approx(numeric, rel=1e-6, abs=1e-9)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_network_has_the_same_bits_in_an_ensemble_and_alone(self, name, dtype):
        logits = np.random.default_rng(0).standard_normal((5, 33, 10)).astype(dtype)
        labels = np.arange(33) % 10
        losses, gradient = LOSSES[name](logits, labels)
        assert gradient.dtype == losses.dtype == dtype
        for row in range(5):
            loss_alone, gradient_alone = LOSSES[name](logits[[row]], labels)
            assert loss_alone[0] == losses[row]
            assert (gradient_alone[0] == gradient[row]).all()

    def test_each_network_may_have_labels_of_its_own(self, name):
        logits = np.random.default_rng(0).standard_normal((2, 3, 4))
        labels = np.array([[0, 1, 2], [3, 3, 0]])
        losses, _ = LOSSES[name](logits, labels)
        assert losses[1] == LOSSES[name](logits[1:], labels[1])[0][0]


def test_squared_errors_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    logits, labels = np.random.default_rng(0).standard_normal((1, 8, 5)), np.arange(8) % 5
    onehot = torch.nn.functional.one_hot(torch.tensor(labels), 5).double()
    outputs = {
        squared_error: torch.softmax(torch.tensor(logits[0]), -1),
        squared_error_logits: torch.tensor(logits[0]),
    }
    for loss, output in outputs.items():
        expected = torch.nn.functional.mse_loss(output, onehot).item()
        assert loss(logits, labels)[0][0] == pytest.approx(expected, rel=1e-12)


def test_squared_error_fades_where_a_network_is_sure_and_wrong():
    sure_and_wrong = np.array([[[20.0, 0.0, 0.0]]])
    assert np.abs(squared_error(sure_and_wrong, np.array([1]))[1]).max() < 1e-8
    assert np.abs(cross_entropy(sure_and_wrong, np.array([1]))[1]).max() > 0.9
