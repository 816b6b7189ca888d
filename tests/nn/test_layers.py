"""Layers that compose: gradients by finite differences, PyTorch's numbers, the same bits in company."""

import pickle
from copy import deepcopy

import numpy as np
import pytest

from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.nn.architecture import Skip, canonical_layer, parse_layer, stacked
from initlab.nn.convolution import AveragePool, Conv2d, MaxPool
from initlab.nn.layers import Dense, Flatten, Images, Nonlinearity, Residual, walk
from initlab.nn.network import Ensemble
from initlab.nn.normalization import BatchNorm, BatchNormalization, LayerNorm, LayerNormalization
from initlab.nn.optimizers import Optimizer

IMAGE = (2, 9, 8)


def dense(*units):
    return [Dense(n) for n in units]


def convolutions():
    return [Conv2d(3, kernel=3), MaxPool(2), Conv2d(4, kernel=2, padding=1), Dense(5)]


# Each a shape of the inputs, and the list of layers.
NETWORKS = {
    "dense": ((6,), stacked((6,), dense(5, 4), 3, "tanh")),
    "layer norm before": ((6,), stacked((6,), dense(5, 4), 3, "tanh", LayerNorm())),
    "layer norm after": ((6,), stacked((6,), dense(5, 4), 3, "relu", LayerNorm("after"))),
    "skip": ((6,), stacked((6,), dense(*[5] * 6), 3, "tanh", skip=Skip(2, 0.7))),
    "learned skip after": ((6,), stacked((6,), dense(*[5] * 5), 3, "relu", skip=Skip(2, "learned", "post"))),
    "normalized skip": ((6,), stacked((6,), dense(*[5] * 5), 3, "tanh", BatchNorm(), Skip(2, "learned"))),
    "conv": (IMAGE, stacked(IMAGE, convolutions(), 3, "tanh")),
    "conv batch norm": (IMAGE, stacked(IMAGE, convolutions(), 3, "tanh", BatchNorm())),
    "conv layer norm": (IMAGE, stacked(IMAGE, convolutions(), 3, "relu", LayerNorm())),
    "stride and border": (
        IMAGE,
        stacked(IMAGE, [Conv2d(3, 3, stride=2, padding=2), Conv2d(3, 3, padding="same", border="circular")],
                3, "tanh"),
    ),
    "residual convolutions": (
        IMAGE,
        stacked(IMAGE, [*(Conv2d(3, 3, padding="same") for _ in range(5)), AveragePool(4)], 3, "relu",
                BatchNorm("after"), Skip(2, "1/sqrt(blocks)")),
    ),
    "only a branch": ((4,), [Residual([Dense(4), Nonlinearity("tanh")]), Dense(2)]),
    "normalized inputs": ((4,), [BatchNormalization(BatchNorm()), Dense(3), LayerNormalization(LayerNorm()),
                                 Dense(2)]),
    "normalized images": (
        IMAGE,
        [Images(IMAGE), LayerNormalization(LayerNorm()), Conv2d(2, 3), MaxPool(2), Flatten(), Dense(2)],
    ),
    "a branch without a product": ((4,), [Residual([Nonlinearity("tanh")], "learned"), Dense(2)]),
    "a normalized branch at first": (
        (4,),
        [Residual([BatchNormalization(BatchNorm()), Nonlinearity("tanh"), Dense(4)], "learned"), Dense(2)],
    ),
    "a pooled branch at first": (IMAGE, [Images(IMAGE), Residual([MaxPool(1), Conv2d(2, 1)], 0.5), Flatten(),
                                         Dense(2)]),
    "branches in a branch": ((4,), [Residual([Residual([Dense(4)], 0.5), Nonlinearity("tanh"), Dense(4)]),
                                    Dense(2)]),
    "one pixel": (
        (1, 1, 1),
        stacked((1, 1, 1), [Conv2d(3, 1), MaxPool(1), Conv2d(2, 3, padding=1)], 2, "tanh"),
    ),
    "a kernel as large as the image": (
        (2, 3, 5),
        stacked((2, 3, 5), [Conv2d(3, 3), AveragePool(1)], 2, "tanh"),
    ),
    "places that leave pixels out": (IMAGE, stacked(IMAGE, [Conv2d(3, 2, stride=3)], 2, "tanh")),
    "a border wider than the kernel": (IMAGE, stacked(IMAGE, [Conv2d(3, 2, stride=2, padding=4)], 2, "tanh")),
    "a circular border and a stride": (
        IMAGE,
        stacked(IMAGE, [Conv2d(3, 3, stride=2, padding=8, border="circular"), AveragePool(4)], 2, "tanh"),
    ),
    "layer norm of one unit": ((3,), stacked((3,), dense(1, 4), 3, "tanh", LayerNorm())),
    "repeated layers": ((4,), [*[Dense(4), Nonlinearity("tanh")] * 3, Dense(2)]),
    "average at first": (
        IMAGE,
        [Images(IMAGE), AveragePool(2), Conv2d(3, 2), MaxPool(3), Flatten(), Dense(2)],
    ),
}  # fmt: skip


def network(name, count=3, rows=None, dtype="float64"):
    """Networks with random weights; scales and shifts are not 1 and 0."""
    shape, layers = NETWORKS[name]
    ensemble = Ensemble.of(count, int(np.prod(shape)), layers, dtype)
    noise = np.random.default_rng(1).standard_normal(ensemble.parameters.shape)
    ensemble.parameters += (0.4 * noise).astype(dtype)
    return ensemble if rows is None else ensemble.keep(np.array(rows))


def batch(name, seed=0, size=5):
    shape, layers = NETWORKS[name]
    rng = np.random.default_rng(seed)
    return rng.standard_normal((size, int(np.prod(shape)))), rng.integers(layers[-1].units, size=size)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_the_slopes_of_the_loss_along_random_directions(name):
    ensemble, (inputs, labels) = network(name), batch(name)
    ensemble.loss(inputs, labels)
    parameters, gradients = ensemble.parameters.copy(), ensemble.gradients.copy()
    assert np.abs(gradients).sum(axis=1).min() > 0
    for seed in range(5):
        direction = np.random.default_rng(seed).standard_normal(parameters.shape)
        ends = []
        for sign in (1, -1):
            ensemble.parameters[...] = parameters + sign * 1e-6 * direction
            ends.append(ensemble.loss(inputs, labels))
        slopes = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(slopes, (gradients * direction).sum(axis=1), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_has_a_gradient_of_its_own(name):
    """A gradient that is right only along a few directions would pass above."""
    ensemble, (inputs, labels) = network(name, count=1), batch(name)
    ensemble.loss(inputs, labels)
    gradients = ensemble.gradients[0].copy()
    chosen = np.random.default_rng(0).permutation(len(gradients))[:40]
    for i in chosen:
        kept, ends = ensemble.parameters[0, i], []
        for step in (1e-6, -1e-6):
            ensemble.parameters[0, i] = kept + step
            ends.append(ensemble.loss(inputs, labels)[0])
        ensemble.parameters[0, i] = kept
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(gradients[i], rel=1e-5, abs=1e-8), i


def torch_layers(torch, layers, shape):
    """The same layers in PyTorch, with the parameters of the first network."""
    nn = torch.nn
    modules = []
    for layer, before in walk_top(layers, shape):
        own = [torch.tensor(parameter[0].copy()) for parameter in layer.parameters]
        if isinstance(layer, Dense):
            twin = nn.Linear(*own[0].shape)
            own[0] = own[0].T.contiguous()
        elif isinstance(layer, Conv2d):
            mode = "zeros" if layer.border == "zeros" else "circular"
            twin = nn.Conv2d(before[0], layer.channels, layer.kernel, layer.stride, layer.padding,
                             padding_mode=mode)  # fmt: skip
        elif isinstance(layer, BatchNormalization):
            twin = (nn.BatchNorm1d if len(before) == 1 else nn.BatchNorm2d)(before[0])
        elif isinstance(layer, LayerNormalization):
            twin = nn.LayerNorm(before[0]) if len(before) == 1 else nn.GroupNorm(1, before[0])
        elif isinstance(layer, Residual):
            twin = torch_residual(torch, layer, before)
        else:
            twin = torch_plain(torch.nn, layer)
        twin = twin.double()
        if own and not isinstance(layer, Residual):
            twin.weight.data, twin.bias.data = own
        modules.append(twin)
    return nn.Sequential(*modules)


def torch_plain(nn, layer):
    """The layers without parameters."""
    match layer:
        case Nonlinearity():
            return {"tanh": nn.Tanh, "relu": nn.ReLU}[layer.activation.name]()
        case MaxPool():
            return nn.MaxPool2d(layer.size)
        case AveragePool():
            return nn.AvgPool2d(layer.size)
        case Flatten():
            return nn.Flatten()
    return nn.Unflatten(1, layer.shape)


def walk_top(layers, shape):
    for layer in layers:
        yield layer, shape
        shape = layer.output_shape(shape)


def torch_residual(torch, layer, shape):
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.branch = torch_layers(torch, layer.branch, shape)
            learned = layer.scale == "learned"
            self.scale = torch.nn.Parameter(torch.tensor(layer.parameters[0][0])) if learned else layer.scale

        def forward(self, x):
            return x + self.scale * self.branch(x)

    return Block()


@pytest.mark.parametrize("name", NETWORKS)
def test_200_steps_of_training_agree_with_pytorch(name):
    torch = pytest.importorskip("torch")
    ensemble = network(name)
    twin = torch_layers(torch, ensemble.layers, (ensemble.sizes[0],))
    sgd, theirs = Optimizer("sgd", lr=0.02), torch.optim.SGD(twin.parameters(), lr=0.02)
    assert sum(p.numel() for p in twin.parameters()) == ensemble.parameters.shape[1]
    for step in range(200):
        inputs, labels = batch(name, step)
        ours = ensemble.train_step(inputs, labels, sgd)
        theirs.zero_grad()
        loss = torch.nn.functional.cross_entropy(twin(torch.tensor(inputs)), torch.tensor(labels))
        loss.backward()
        theirs.step()
        assert ours[0] == pytest.approx(loss.item(), rel=1e-10, abs=1e-12), step
    twin.eval()
    inputs, _ = batch(name, 999)
    expected = twin(torch.tensor(inputs)).detach().numpy()
    np.testing.assert_allclose(ensemble.forward(inputs)[0], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_has_the_same_bits_in_company_and_alone(name, dtype):
    """Also after the network in the middle has left."""
    together, sgd = network(name, dtype=dtype), Optimizer("sgd", lr=0.05)
    for step in range(8):
        together.train_step(*batch(name, step), sgd)
        if step == 4:
            together = together.keep(np.array([0, 2]))
    for row, first_row in enumerate([0, 2]):
        alone = network(name, rows=[first_row], dtype=dtype)
        for step in range(8):
            alone.train_step(*batch(name, step), sgd)
        assert (alone.parameters[0] == together.parameters[row]).all()
        inputs = batch(name)[0]
        assert (alone.forward(inputs)[0] == together.forward(inputs)[row]).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_may_have_inputs_of_their_own(name):
    ensemble, batches = network(name), [batch(name, seed) for seed in range(3)]
    own = ensemble.forward(np.stack([inputs for inputs, _ in batches])).copy()
    for row, (inputs, _) in enumerate(batches):
        assert (network(name, rows=[row]).forward(inputs)[0] == own[row]).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_leaves_what_it_gets(name):
    ensemble = network(name)
    signal = np.stack([batch(name)[0]] * 3)
    for layer in ensemble.layers:
        before = signal.copy()
        after = layer.forward(signal)
        assert (signal == before).all(), layer
        signal = after


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_batches_between_steps_change_no_bit(name, dtype):
    """Evaluation, on more samples or on fewer, uses the same arrays; so do copies that go their own way."""
    plain, disturbed = network(name, dtype=dtype), network(name, dtype=dtype)
    sgd, own = Optimizer("sgd", lr=0.05), Optimizer("sgd", lr=0.05)
    for step in range(6):
        size = (5, 5, 3, 7, 5, 5)[step]
        plain.train_step(*batch(name, step, size), sgd)
        disturbed.forward(batch(name, 90, 11)[0])
        disturbed.accuracy(*batch(name, 91, size))
        disturbed.keep(np.array([1])).train_step(*batch(name, 92, 4), Optimizer("sgd", lr=1.0))
        disturbed.train_step(*batch(name, step, size), own)
        disturbed.forward(batch(name, 93, 1)[0])
    assert disturbed.parameters.tobytes() == plain.parameters.tobytes()
    for ours, undisturbed in zip(disturbed.state(), plain.state(), strict=True):
        assert ours.tobytes() == undisturbed.tobytes()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "copied",
    [
        deepcopy,
        lambda each: pickle.loads(pickle.dumps(each)),
        lambda each: each.keep(np.arange(3)),
        lambda each: Ensemble.stack([each]),
        lambda each: Ensemble.of(3, each.sizes[0], each.layers, "float64"),
    ],
)
def test_a_copy_goes_on_as_the_original_and_leaves_it_alone(name, copied):
    ensemble = network(name)
    ensemble.train_step(*batch(name, 0), Optimizer("sgd", lr=0.05))
    before, copy = ensemble.parameters.copy(), copied(ensemble)
    copy.set_arrays(ensemble.arrays())
    copy.train_step(*batch(name, 1), Optimizer("sgd", lr=0.05))
    assert ensemble.parameters.tobytes() == before.tobytes()
    ensemble.train_step(*batch(name, 1), Optimizer("sgd", lr=0.05))
    assert copy.parameters.tobytes() == ensemble.parameters.tobytes()
    assert copy.forward(batch(name, 2)[0]).tobytes() == ensemble.forward(batch(name, 2)[0]).tobytes()


@pytest.mark.parametrize("name", [name for name in NETWORKS if not network(name).normalizations])
def test_the_gradient_of_a_batch_is_the_mean_of_those_of_its_samples(name):
    """Batch Normalization alone lets samples see each other."""
    ensemble, (inputs, labels) = network(name), batch(name)
    losses = ensemble.loss(inputs, labels)
    gradients = ensemble.gradients.copy()
    singles = [(ensemble.loss(inputs[[i]], labels[[i]]), ensemble.gradients.copy()) for i in range(5)]
    np.testing.assert_allclose(np.mean([loss for loss, _ in singles], axis=0), losses, rtol=1e-12)
    np.testing.assert_allclose(np.mean([g for _, g in singles], axis=0), gradients, rtol=1e-9, atol=1e-13)


def test_batch_normalization_of_a_single_value_gives_the_shift():
    layers = [Dense(3), BatchNormalization(BatchNorm()), Dense(2)]
    ensemble = Ensemble.of(1, 4, layers, "float64")
    ensemble.parameters[...] = np.random.default_rng(0).standard_normal(ensemble.parameters.shape)
    ensemble.loss(np.ones((1, 4)), np.array([0]))
    bn = ensemble.layers[1]
    assert (bn._y[0, 0] == bn.beta[0]).all()
    assert not ensemble.weight_gradients[0].any()
    assert np.isfinite(ensemble.gradients).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_broken_network_is_seen_and_breaks_no_other(name, broken):
    together = network(name)
    together.parameters[1] = broken
    with np.errstate(all="ignore"):
        losses = together.loss(*batch(name))
    assert not np.isfinite(losses[1])
    healthy = network(name)
    assert (np.delete(healthy.loss(*batch(name)), 1) == np.delete(losses, 1)).all()
    assert (np.delete(healthy.gradients, 1, axis=0) == np.delete(together.gradients, 1, axis=0)).all()


@pytest.mark.parametrize("pool", [MaxPool(2), AveragePool(2)])
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_pooling_hides_no_broken_pixel(pool, broken):
    x = np.zeros((1, 1, 2, 2, 4))
    x[0, 0, [0, 0, 1, 1], [0, 1, 0, 1], np.arange(4)] = broken
    hidden = isinstance(pool, MaxPool) and broken == -np.inf  # 0 is larger
    assert (np.isfinite(pool.forward(x)) == hidden).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_inputs_of_a_wrong_shape_are_refused(name):
    ensemble, n = network(name), network(name).sizes[0]
    for shape in [(n,), (5, n + 1), (2, 5, n), (4, 5, n), (0, n), (1, 3, 5, n)]:
        with pytest.raises(UsageError, match="inputs must have the shape"):
            ensemble.forward(np.ones(shape))
    with pytest.raises(UsageError, match="inputs must be an array of numbers"):
        ensemble.forward("pixels")


def test_a_skip_goes_around_no_hidden_layers_too():
    for order in ("pre", "post"):
        assert repr(stacked((4,), [], 2, "relu", skip=Skip(2, order=order))) == "[Dense(2)]"


def test_a_dense_layer_may_have_a_million_units():
    assert initialize([1, 1_000_000, 1], "he").sizes == (1, 1_000_000, 1)


def test_patches_larger_than_the_cache_give_the_same(monkeypatch):
    """A part of the rows at a time, or all at once."""
    whole = network("conv")
    losses = whole.loss(*batch("conv"))
    monkeypatch.setattr("initlab.nn.convolution.PATCH_BYTES", 1)
    parts = network("conv")
    np.testing.assert_allclose(parts.loss(*batch("conv")), losses, rtol=1e-13)
    np.testing.assert_allclose(parts.gradients, whole.gradients, rtol=1e-10, atol=1e-14)


def test_a_skip_goes_around_layers_of_one_shape_alone():
    layers = stacked((6,), dense(5, 5, 5, 4, 4), 3, "relu", skip=Skip(2))
    kinds = [type(layer).__name__ for layer in layers]
    assert kinds == ["Dense", "Residual", "Nonlinearity", "Dense", "Residual", "Nonlinearity", "Dense"]
    assert [len(layer.branch) for layer in layers if isinstance(layer, Residual)] == [4, 2]


@pytest.mark.parametrize(("text", "scale"), [("1/sqrt(blocks)", 24.5), ("1/sqrt(depth)", 50), ("0.25", 16)])
def test_scales_of_skips(text, scale):
    layers = stacked((4,), dense(*[4] * 50), 2, "relu", skip=Skip.parse(f"every=2, scale={text}"))
    blocks = [layer for layer, _ in walk(layers, (4,)) if isinstance(layer, Residual)]
    assert len(blocks) == 25
    assert blocks[0].scale == pytest.approx((25 if scale == 24.5 else scale) ** -0.5)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("conv(channels=4,kernel=3 ,stride=1)", "conv(4, kernel=3)"), (" pool( 2 )", "pool(2)"), ("100", "100"),
     ("conv(4, kernel=3, padding=same)", "conv(4, kernel=3, padding=same)")],
)  # fmt: skip
def test_a_layer_has_one_text(text, canonical):
    assert canonical_layer(text) == canonical == canonical_layer(canonical)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parse_layer("cnv(16, kernel=3)"), "did you mean 'conv"),
        (lambda: parse_layer("conv(16)"), r"conv needs kernel, as in conv\(kernel=3\)"),
        (lambda: parse_layer("conv(16, kernel=3"), "a bracket is open; in a config, quotes keep"),
        (lambda: parse_layer("conv(16, kernel=3) pool(2)"), "write layers with commas between them"),
        (lambda: parse_layer("conv(16, kernal=3)"), "did you mean 'kernel'"),
        (lambda: parse_layer("conv(0, kernel=3)"), "channels of conv must be 1 or more, not 0"),
        (lambda: parse_layer("conv(2, kernel=4, padding=same)"), "needs an odd kernel"),
        (lambda: parse_layer("pool"), "pool needs size"),
        (lambda: stacked((1, 4, 4), [Conv2d(2, 5)], 2, "relu"), "does not fit into images"),
        (lambda: stacked((1, 4, 4), [MaxPool(5)], 2, "relu"), "squares of 5 pixels do not fit"),
        (lambda: stacked((16,), [Conv2d(2, 5)], 2, "relu"), "takes images"),
        (lambda: stacked((1, 4, 4), [Dense(3), Conv2d(2, 3)], 2, "relu"), "takes images"),
        (lambda: Ensemble.of(1, 4, [Residual([Dense(3)])]), "must keep the shape"),
        (lambda: Skip.parse("evry=2"), "did you mean 'every'"),
        (lambda: Skip.parse("0"), "every must be a whole number from 1 on, not 0"),
        (lambda: Skip.parse("every=x"), "every must be a whole number from 1 on, not 'x'"),
        (lambda: Skip.parse("every=inf"), "every must be a whole number from 1 on, not inf"),
        (lambda: Skip.parse("every=2, every=3"), "every is given twice"),
        (lambda: initialize([4, 4, 2], "he", skip=[2]), "every must be a whole number from 1 on"),
        (lambda: initialize([[1, 4, 4], 3, 2], "he"), "shape \\(1, 4, 4\\), in round brackets"),
        (lambda: Ensemble.zeros(1, 5), "at least two whole numbers"),
        (lambda: Ensemble.zeros(-1, [4, 2]), "networks must be a whole number"),
        (lambda: Ensemble.zeros(1, [10**9, 10**9, 10**9]), "no memory holds 2e\\+18 parameters"),
        (lambda: Ensemble.of(1, 4, []), "needs a dense layer or a convolution"),
        (lambda: Ensemble.of(1, 4, Dense(2)), "layers are a list"),
        (lambda: Ensemble.of(1, 4, ["100"]), "layers are a list"),
        (lambda: Ensemble.of(1, 4, [Flatten(), Dense(2)]), "Flatten takes images"),
        (lambda: Images((4, 4)), "shape of images is"),
        (lambda: Residual([Dense(4)], None), "scale of a branch must be a number, or learned, not None"),
        (lambda: BatchNorm(eps=-1.0), "eps of a normalization must be 0 or more"),
        (lambda: BatchNorm(momentum="0.1"), "momentum must be above 0 and at most 1, not '0.1'"),
        (lambda: Skip.parse("every=2, often"), "write 2, or every=2"),
        (lambda: Skip.parse("every=2, scale=much"), "scale must be a number, or learned"),
    ],
)
def test_the_message_explains_what_is_wrong(make, message):
    with pytest.raises(UsageError, match=message):
        make()
