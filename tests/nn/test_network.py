"""The network against independent means: a textbook program, finite differences, and itself alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook import Network

from initlab import Ensemble, Optimizer, Scheme, open_dataset
from initlab.analysis.measure import samples_of
from initlab.errors import UsageError
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.initializers import INITIALIZERS
from initlab.nn.losses import LOSSES

EXAMPLES = {"value": 0.1, "std": 0.3, "bound": 0.3, "steps": 3}
SHORTER = {"steps"}
ALL_SCHEMES = [
    Scheme(
        name,
        {argument: EXAMPLES[argument] for argument in (*known.required(), *SHORTER & {*known.parameters()})},
    )
    for name, known in INITIALIZERS.items()
]
SEVEN = ["he", "xavier", "lecun_uniform", "std=0.05", "uniform(bound=0.1)", "he_uniform", "std=0.2"]


def mnist_batches(steps, batch_size=64):
    dataset, rng = open_dataset("mnist"), np.random.default_rng(3)
    for _ in range(steps):
        chosen = rng.integers(60_000, size=batch_size)
        yield dataset.train_images[chosen] / 255.0, dataset.train_labels[chosen]


@pytest.mark.parametrize("networks", [1, 7])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_every_loss_of_400_steps_is_the_textbooks(activation, networks):
    sizes = [784, 50, 50, 50, 10]
    ensemble = Ensemble.from_schemes(sizes, SEVEN[:networks], 5, activation, "float64")
    alone = [
        Network([W[m] for W in ensemble.weights], [b[m] for b in ensemble.biases], activation)
        for m in range(networks)
    ]
    sgd = Optimizer("sgd", lr=0.1)
    worst = 0.0
    for inputs, labels in mnist_batches(400):
        ours = ensemble.train_step(inputs, labels, sgd)
        theirs = np.array([network.step(inputs, labels, 0.1) for network in alone])
        worst = max(worst, float(np.abs(ours - theirs).max()))
    assert worst < 1e-9


def random_problem(rng, networks, batch_size=6):
    return rng.standard_normal((networks, batch_size, 7)), rng.integers(3, size=(networks, batch_size))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scheme", ALL_SCHEMES, ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_central_differences(activation, scheme, loss):
    """Along random directions, each network of an ensemble on its own."""
    if scheme.is_open and ACTIVATIONS[activation].critical is None:
        pytest.skip(f"no variance is critical for {activation}")
    if scheme.name == "pretrained_rbm" and activation != "sigmoid":
        pytest.skip("for sigmoid networks")
    rng = np.random.default_rng(0)
    seen = samples_of(rng.random((50, 7)))
    ensemble = Ensemble.from_schemes([7, 6, 5, 3], [scheme] * 3, [0, 1, 2], activation, "float64", seen)
    ensemble.parameters += 0.1 * rng.standard_normal(ensemble.parameters.shape)
    inputs, labels = random_problem(rng, 3)
    ensemble.loss(inputs, labels, loss)
    analytic_gradients, start = ensemble.gradients.copy(), ensemble.parameters.copy()
    for _ in range(4):
        direction = rng.standard_normal(start.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        step = 1e-5
        ensemble.parameters[...] = start + step * direction
        ahead = ensemble.loss(inputs, labels, loss)
        ensemble.parameters[...] = start - step * direction
        behind = ensemble.loss(inputs, labels, loss)
        numeric = (ahead - behind) / (2 * step)
        analytic = (analytic_gradients * direction).sum(axis=1)
        scale = np.maximum(np.abs(analytic), np.linalg.norm(analytic_gradients, axis=1) * 0.1)
        rounding = 4 * np.finfo(np.float64).eps * ahead / step
        assert (np.abs(numeric - analytic) < 1e-6 * scale + rounding).all(), (numeric, analytic)


def histories(schemes, sizes, steps, dtype, own_inputs, activation="relu"):
    """Losses (steps, M); with own inputs, network m is fed its own batches."""
    ensemble = Ensemble.from_schemes(sizes, schemes, 0, activation, dtype)
    sgd, rng = Optimizer("sgd", lr=0.1), np.random.default_rng(1)
    losses = []
    for _ in range(steps):
        inputs = rng.standard_normal((12, 33, sizes[0])).astype(dtype)
        labels = rng.integers(sizes[-1], size=(12, 33))
        if own_inputs is None:
            losses.append(ensemble.train_step(inputs[0], labels[0], sgd))
        else:
            losses.append(ensemble.train_step(inputs[own_inputs], labels[own_inputs], sgd))
    return np.array(losses)


TWELVE = [f"std={0.02 * (m + 1):.2f}" for m in range(12)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(20, 10), (784, 100, 100, 10), (17, 1, 5, 3), (5, 9, 1)], ids=str)
def test_a_network_has_the_same_bits_in_an_ensemble_of_twelve_and_alone(sizes, dtype, activation):
    for shared in (True, False):
        together = histories(TWELVE, sizes, 10, dtype, None if shared else slice(None), activation)
        for m in (0, 5, 11):
            alone = histories([TWELVE[m]], sizes, 10, dtype, None if shared else [m], activation)
            assert together[:, m].tobytes() == alone[:, 0].tobytes()


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    batch_size=st.integers(1, 40),
    networks=st.integers(2, 9),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_rows_never_mix_whatever_the_shapes(sizes, batch_size, networks, dtype):
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((batch_size, sizes[0])).astype(dtype)
    labels = rng.integers(sizes[-1], size=batch_size)
    schemes = TWELVE[:networks]
    together = Ensemble.from_schemes(sizes, schemes, 0, "tanh", dtype)
    losses = together.loss(inputs, labels)
    for m, scheme in enumerate(schemes):
        alone = Ensemble.from_schemes(sizes, [scheme], 0, "tanh", dtype)
        assert alone.loss(inputs, labels)[0].tobytes() == losses[m].tobytes()
        assert alone.gradients[0].tobytes() == together.gradients[m].tobytes()


def test_keeping_some_networks_changes_nothing_for_them():
    rng = np.random.default_rng(0)
    inputs, labels = rng.standard_normal((8, 6)).astype("float32"), rng.integers(4, size=8)
    whole = Ensemble.from_schemes([6, 5, 4], ["he", "xavier", "lecun"])
    kept = whole.keep(np.array([0, 2]))
    optimizer, same = Optimizer("sgd", lr=[0.1, 0.2, 0.3]), Optimizer("sgd", lr=[0.1, 0.2, 0.3])
    same.keep(np.array([0, 2]))
    for _ in range(3):
        all_losses = whole.train_step(inputs, labels, optimizer)
        some_losses = kept.train_step(inputs, labels, same)
        assert some_losses.tobytes() == all_losses[[0, 2]].tobytes()


def test_every_scheme_of_a_seed_has_the_same_underlying_draws():
    ensemble = Ensemble.from_schemes([30, 20, 10], ["std=1", "std=0.01", "he"], 7, dtype="float64")
    for W in ensemble.weights:
        np.testing.assert_allclose(W[1], 0.01 * W[0], rtol=1e-12)
        np.testing.assert_allclose(W[2], W[0] * np.sqrt(2 / W.shape[1]), rtol=1e-12)
    assert not np.allclose(ensemble.weights[1][0][:10], ensemble.weights[0][0][:10, :10])


def test_weights_can_be_read_and_set():
    ensemble = Ensemble.from_schemes([3, 2], ["zeros", "zeros"], dtype="float64")
    ensemble.weights[0][1] = [[1, 2], [3, 4], [5, 6]]
    ensemble.biases[0][1] = [10, 20]
    assert ensemble.forward(np.array([[1.0, 1.0, 1.0]])).tolist() == [[[0, 0]], [[19, 32]]]
    copy = Ensemble(ensemble.weights, ensemble.biases, dtype="float64")
    assert (copy.parameters == ensemble.parameters).all()
    copy.set_weights([np.ones((3, 2))])
    assert copy.forward(np.array([[1.0, 1.0, 1.0]]))[1].tolist() == [[13, 23]]


def test_accuracy_counts_the_largest_logit():
    network = Ensemble([np.eye(3)], dtype="float64")
    assert network.accuracy(np.eye(3), np.array([0, 1, 0])).tolist() == [2 / 3]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ensemble([]), "shape"),
        (lambda: Ensemble([np.ones(3)]), "shape"),
        (lambda: Ensemble([np.ones((2, 3)), np.ones((4, 5))]), "do not fit"),
        (lambda: Ensemble([np.ones((2, 3))], [np.ones(4)]), r"biases of layer 0 .* \(4,\)"),
        (lambda: Ensemble([np.ones((2, 3))], [np.ones(3)] * 2), "2 arrays of biases for 1 layers"),
        (lambda: Ensemble([np.ones((2, 3))], activation="rleu"), "did you mean 'relu'"),
        (lambda: Ensemble([np.ones((2, 3))], dtype="float16"), "float32 or float64"),
        (lambda: Ensemble.from_schemes([2], ["he"]), "at least two"),
        (lambda: Ensemble.from_schemes([2, -1], ["he"]), "from 1 on"),
        (lambda: Ensemble.from_schemes([2, 2], []), "0 schemes"),
        (lambda: Ensemble.from_schemes([2, 2], ["he", "he"], [1]), "2 schemes but 1 seeds"),
        (lambda: Ensemble.from_schemes([2, 2], ["hee"]), "did you mean 'he'"),
        (lambda: Optimizer("sdg", lr=0.1), "did you mean 'sgd'"),
        (lambda: Optimizer("sgd", rate=0.1), "known: lr"),
        (lambda: Optimizer("sgd"), "needs lr"),
    ],
)
def test_wrong_arguments_are_told_in_words(make, message):
    with pytest.raises(UsageError, match=message):
        make()
