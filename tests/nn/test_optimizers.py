"""Every optimizer against PyTorch, step for step, and against itself alone."""

import numpy as np
import pytest

from initlab.errors import UsageError
from initlab.nn.optimizers import OPTIMIZERS, Optimizer, clip_gradients, decay_weights
from initlab.registry import parameters_of

TORCH = {
    "sgd": ("SGD", {}, {}),
    "momentum": ("SGD", {"momentum": 0.8}, {"momentum": 0.8}),
    "nesterov": ("SGD", {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {}, {}),
    "rmsprop": ("RMSprop", {"decay": 0.9}, {"alpha": 0.9}),
    "adam": ("Adam", {}, {}),
    "adamw": ("AdamW", {"decay": 0.1, "beta1": 0.8}, {"weight_decay": 0.1, "betas": (0.8, 0.999)}),
}


def test_every_optimizer_is_tried_here():
    assert set(TORCH) == set(OPTIMIZERS)


def gradient(w):
    """The gradient of a bumpy bowl, on which different optimizers take different paths."""
    return w * np.arange(1, w.shape[-1] + 1) + np.sin(3 * w)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    theirs_name, ours, theirs = TORCH[name]
    start = np.random.default_rng(0).standard_normal((1, 6))
    w, step = start.copy(), Optimizer(name, lr=0.05, **ours)
    twin = torch.tensor(start, requires_grad=True)
    optimizer = getattr(torch.optim, theirs_name)([twin], lr=0.05, **theirs)
    for _ in range(100):
        step(w, gradient(w))
        twin.grad = torch.tensor(gradient(twin.detach().numpy()))
        optimizer.step()
        np.testing.assert_allclose(w, twin.detach().numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_takes_the_same_steps_in_an_ensemble_and_alone(name, dtype):
    start = np.random.default_rng(0).standard_normal((3, 7)).astype(dtype)
    rates = [0.1, 0.01, 0.001]
    w, step = start.copy(), Optimizer(name, lr=rates)
    for i in range(20):
        step(w, gradient(w).astype(dtype))
        if i == 9:
            w = w[[0, 2]].copy()
            step.keep(np.array([0, 2]))
    for row, network in ((0, 0), (1, 2)):
        alone, own = start[[network]].copy(), Optimizer(name, lr=rates[network])
        for _ in range(20):
            own(alone, gradient(alone).astype(dtype))
        assert (alone[0] == w[row]).all()
        assert alone.dtype == dtype


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("with_factors", [False, True])
def test_one_rate_for_all_and_one_for_each_give_the_same_bits(name, with_factors):
    """Also where a float64 rate and its factor would be rounded once, or twice."""
    rng = np.random.default_rng(0)
    start, rates = rng.standard_normal((300, 7)).astype(np.float32), rng.uniform(0.01, 0.1, 300)
    factors = rng.uniform(0.1, 3, start.shape).astype(np.float32) if with_factors else None
    more = {"decay": 0.5} if name == "adamw" else {}
    together, step = start.copy(), Optimizer(name, lr=rates, **more)
    step.factors = factors
    step(together, gradient(together).astype(np.float32), 0.3)
    for row, rate in enumerate(rates):
        alone, own = start[[row]].copy(), Optimizer(name, lr=rate, **more)
        own.factors = None if factors is None else factors[[row]]
        own(alone, gradient(alone).astype(np.float32), 0.3)
        assert alone[0].tobytes() == together[row].tobytes()


def test_factors_of_another_shape_are_refused():
    step = Optimizer("sgd", lr=0.1)
    step.factors = np.ones((1, 3))
    with pytest.raises(UsageError, match=r"must be \(2, 5\), not \(1, 3\)"):
        step(np.ones((2, 5)), np.ones((2, 5)))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_networks_that_share_a_rate_go_on_when_one_has_left(name):
    start = np.random.default_rng(0).standard_normal((3, 7))
    w, step = start.copy(), Optimizer(name, lr=0.1)
    alone, own = start[[2]].copy(), Optimizer(name, lr=0.1)
    for i in range(6):
        step(w, gradient(w))
        own(alone, gradient(alone))
        if i == 2:
            w = w[[0, 2]].copy()
            step.keep(np.array([0, 2]))
    assert w[1].tobytes() == alone[0].tobytes()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_downhill(name):
    w, step = np.full((1, 4), 3.0), Optimizer(name, lr=0.05)
    for _ in range(300):
        step(w, w.copy())
    assert np.abs(w).max() < 2.9


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_factor_of_a_schedule_multiplies_the_rate(name):
    start = np.ones((2, 3))
    with_factor, with_rate = start.copy(), start.copy()
    Optimizer(name, lr=0.1)(with_factor, gradient(start), 0.25)
    Optimizer(name, lr=0.025)(with_rate, gradient(start))
    np.testing.assert_allclose(with_factor, with_rate, rtol=1e-14)
    assert (with_factor != start).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_default_written_out_gives_the_same_bits_in_float32(name):
    """`1 - 0.999` would have other bits if 0.999 were rounded to float32 first."""
    parameters = parameters_of(OPTIMIZERS[name]).values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    plain = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    written = plain.copy()
    by_default, written_out = Optimizer(name, lr=0.01), Optimizer(name, lr=0.01, **defaults)
    for _ in range(50):
        by_default(plain, gradient(plain).astype(np.float32))
        written_out(written, gradient(written).astype(np.float32))
    assert plain.tobytes() == written.tobytes()


def test_a_text_is_read_with_its_arguments():
    adam = Optimizer.parse("adam(beta1=0.8, lr=1e-3)")
    assert repr(adam) == "Optimizer('adam', beta1=0.8, lr=0.001)"
    assert adam.update is OPTIMIZERS["adam"]
    assert repr(Optimizer("sgd", lr=[0.1, 0.2])) == "Optimizer('sgd', lr=[0.1, 0.2])"
    with pytest.raises(UsageError, match="sgd needs lr"):
        Optimizer.parse("sgd")


def test_a_fresh_optimizer_has_the_rates_of_its_networks_and_no_memory():
    used = Optimizer("momentum", lr=[0.1, 0.2, 0.3], momentum=0.5)
    used(np.ones((3, 2)), np.ones((3, 2)))
    fresh = used.fresh(np.array([2, 0]))
    assert repr(fresh) == "Optimizer('momentum', lr=[0.3, 0.1], momentum=0.5)"
    w = np.zeros((2, 2))
    fresh(w, np.ones((2, 2)))
    np.testing.assert_allclose(w, [[-0.3, -0.3], [-0.1, -0.1]])
    assert used.memory["velocity"].shape == (3, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clipping_gives_each_network_the_same_bits_in_an_ensemble_and_alone(dtype):
    gradients = np.random.default_rng(0).standard_normal((5, 1003)).astype(dtype)
    clipped = gradients.copy()
    clip_gradients(clipped, 1.0)
    np.testing.assert_allclose(np.linalg.norm(clipped, axis=1), 1, rtol=1e-5)
    for row in range(5):
        alone = gradients[[row]].copy()
        clip_gradients(alone, 1.0)
        assert alone.tobytes() == clipped[[row]].tobytes()


def test_a_gradient_whose_square_overflows_float32_is_clipped():
    gradients = np.array([[3e30, 4e30], [3.0, 4.0]], np.float32)
    clip_gradients(gradients, 1.0)
    np.testing.assert_allclose(gradients, [[0.6, 0.8]] * 2, rtol=1e-6)


def test_clipping_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    gradients = np.random.default_rng(0).standard_normal((4, 50)) * [[0.01], [1], [10], [1e6]]
    clipped = gradients.copy()
    clip_gradients(clipped, 2.0)
    for row, ours in zip(gradients, clipped, strict=True):
        twin = torch.zeros(50, dtype=torch.float64, requires_grad=True)
        twin.grad = torch.tensor(row)
        torch.nn.utils.clip_grad_norm_([twin], 2.0)
        np.testing.assert_allclose(ours, twin.grad.numpy(), rtol=1e-12)


def test_a_gradient_that_is_not_finite_is_not_hidden_by_clipping():
    gradients = np.array([[np.inf, 1.0], [np.nan, 1.0], [3.0, 4.0]])
    clip_gradients(gradients, 1.0)
    assert np.isinf(gradients[0, 0])
    assert np.isnan(gradients[1, 0])
    np.testing.assert_allclose(gradients[2], [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize(("name", "ours", "theirs"), [(n, o, t) for n, (_, o, t) in TORCH.items()])
def test_weight_decay_is_that_of_pytorch(name, ours, theirs):
    torch = pytest.importorskip("torch")
    if name == "adamw":
        pytest.skip("its decay is its own")
    start = np.random.default_rng(0).standard_normal((1, 6))
    w, step = start.copy(), Optimizer(name, lr=0.05, **ours)
    twin = torch.tensor(start, requires_grad=True)
    optimizer = getattr(torch.optim, TORCH[name][0])([twin], lr=0.05, weight_decay=0.3, **theirs)
    for _ in range(20):
        g = gradient(w)
        decay_weights(g, w, 0.3)
        step(w, g)
        twin.grad = torch.tensor(gradient(twin.detach().numpy()))
        optimizer.step()
    np.testing.assert_allclose(w, twin.detach().numpy(), rtol=1e-11)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("adm", {"lr": 0.1}, "did you mean 'adam'"),
        ("sgd", {"rate": 0.1}, "unknown argument of sgd 'rate'; known: lr"),
        ("adam", {"lr": 0.1, "beta": 0.9}, "unknown argument of adam 'beta'"),
        ("adam", {}, "adam needs lr"),
        ("momentum", {"lr": 0.1, "momentum": 1.0}, "momentum of momentum must be below 1"),
        ("rmsprop", {"lr": -0.1}, "lr must be 0 or more"),
        ("rmsprop", {"lr": 0.1, "decay": 1.5}, "decay of rmsprop must be below 1, not 1.5"),
        ("adam", {"lr": 0.1, "beta1": [0.9, np.nan]}, "beta1 must be 0 or more"),
    ],
)
def test_the_message_explains_what_is_wrong(name, arguments, message):
    with pytest.raises(UsageError, match=message):
        Optimizer(name, **arguments)
