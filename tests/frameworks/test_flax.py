"""Flax models: the numbers of our own networks, functions put together from steps, and nothing changed."""

import doctest
from itertools import pairwise

import numpy as np
import pytest

jax = pytest.importorskip("jax")
nnx = pytest.importorskip("flax.nnx")

import jax.numpy as jnp  # noqa: E402

from initlab.diagnosis.verdict import diagnose as diagnose_own  # noqa: E402
from initlab.errors import UsageError  # noqa: E402
from initlab.flax import diagnose  # noqa: E402
from initlab.frameworks import flax as api  # noqa: E402
from initlab.frameworks.flax import trace_of  # noqa: E402
from initlab.frameworks.jax_program import program_of  # noqa: E402
from initlab.frameworks.steps import first_steps, order_of  # noqa: E402
from initlab.init.networks import initialize  # noqa: E402

RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((60, 30))
LABELS = RNG.integers(5, size=60)
BATCH = INPUTS.astype(np.float32), LABELS
OURS = {"relu": nnx.relu, "tanh": nnx.tanh, "gelu": nnx.gelu, "swish": nnx.silu, "sigmoid": nnx.sigmoid}
FUNCTIONS = {
    "relu": [nnx.relu, lambda z: jnp.maximum(z, 0), lambda z: jnp.where(z > 0, z, 0)],
    "gelu": [nnx.gelu, lambda z: nnx.gelu(z, approximate=False)],
    "silu": [nnx.silu, lambda z: z * nnx.sigmoid(z)],
    "tanh": [nnx.tanh, lambda z: 2 * nnx.sigmoid(2 * z) - 1],
    "softplus": [nnx.softplus, lambda z: jnp.log1p(jnp.exp(z))],
    "elu": [nnx.elu],
    "selu": [nnx.selu],
    "softsign": [nnx.soft_sign],
    "hardtanh": [nnx.hard_tanh, lambda z: jnp.clip(z, -1, 1)],
    "function": [jax.nn.mish, lambda z: jnp.sin(z)],
}


class Chain(nnx.Module):
    def __init__(self, rngs, activation=nnx.relu, depth=6, width=20):
        sizes = [30, *[width] * depth, 5]
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in pairwise(sizes)])
        self.activation = activation

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class Block(nnx.Module):
    def __init__(self, rngs):
        self.norm, self.drop = nnx.LayerNorm(16, rngs=rngs), nnx.Dropout(0.2, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(4, 16, decode=False, rngs=rngs)
        self.mlp = nnx.Linear(16, 16, rngs=rngs)

    def __call__(self, x):
        x = x + self.drop(self.attention(self.norm(x)))
        return x + self.mlp(nnx.gelu(x))


class Transformer(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(11, 16, rngs=rngs)
        self.blocks = nnx.List([Block(rngs) for _ in range(2)])
        self.norm, self.head = nnx.RMSNorm(16, rngs=rngs), nnx.Linear(16, 11, rngs=rngs)

    def __call__(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class ResNet(nnx.Module):
    def __init__(self, rngs):
        self.stem = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.norms = nnx.List([nnx.BatchNorm(8, rngs=rngs) for _ in range(2)])
        self.layers = nnx.List([nnx.Conv(8, 8, (3, 3), rngs=rngs) for _ in range(2)])
        self.head = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x):
        x = self.stem(x)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(nnx.relu(norm(x)))
        return self.head(x.mean((1, 2)))


TOKENS = RNG.integers(11, size=(6, 9))
IMAGES = RNG.random((8, 10, 10, 3), np.float32)
FAMILIES = {
    "chain": (Chain, BATCH),
    "transformer": (Transformer, (TOKENS, TOKENS)),
    "resnet": (ResNet, (IMAGES, np.arange(8) % 5)),
}


def twin(network, activation):
    """A Flax model with the weights of our network."""
    model = Chain(nnx.Rngs(0), activation)
    for layer, W, b in zip(model.layers, network.weights, network.biases, strict=True):
        layer.kernel[...], layer.bias[...] = jnp.asarray(W[0]), jnp.asarray(b[0])
    return model


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("scheme", ["he", "std=0.05"])
def test_the_same_weights_have_the_numbers_of_our_networks(name, scheme):
    network = initialize([30, *[20] * 6, 5], [scheme], 0, name, "float64", data=INPUTS)
    ours = diagnose_own(scheme, name, [20] * 6, INPUTS, LABELS, seeds=1, cure=False)
    theirs = diagnose(twin(network, OURS[name]), BATCH)
    assert len(theirs.stages) == 6
    for layer, stage in zip(ours.layers, theirs.stages, strict=True):
        # JAX computes in float32, and by default with tanh's form of GELU.
        near = pytest.approx(layer.numbers, rel=2e-2 if name == "gelu" else 2e-3, abs=2e-3, nan_ok=True)
        assert stage.numbers == near
        assert stage.kind == "linear"
    assert theirs.verdict == ours.verdict


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_first_steps_are_those_of_our_networks(optimizer):
    network = initialize([30, *[20] * 6, 5], ["he"], 0, "tanh", "float64", data=INPUTS)
    exchanged = LABELS[order_of(len(LABELS))]

    def gradients(values, labels=LABELS):
        network.parameters[...] = values["all"]
        network.loss(INPUTS, labels)
        return {"all": network.gradients.copy()}

    theirs = diagnose(twin(network, nnx.tanh), BATCH, optimizer=optimizer).first
    start, loss = {"all": network.parameters.copy()}, float(network.loss(INPUTS, LABELS)[0])
    ours = first_steps(loss, gradients(start), gradients(start, exchanged), start, gradients, optimizer)
    for name in ("loss", "pull", "highest"):
        assert getattr(theirs, name) == pytest.approx(getattr(ours, name), rel=0.02)


@pytest.mark.parametrize(("name", "function"), [(n, f) for n, each in FUNCTIONS.items() for f in each])
def test_a_function_is_known_by_its_values(name, function):
    found = trace_of(Chain(nnx.Rngs(0), function), BATCH)
    kinds = [each.kind for each in found.operations if each.index < found.stages[-1].index]
    assert kinds == ["linear", name] * 5


class Flattened(nnx.Module):
    def __init__(self, rngs):
        self.stem, self.head = nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.Linear(400, 5, rngs=rngs)

    def __call__(self, x):
        return self.head(nnx.gelu(nnx.relu(self.stem(x).reshape(len(x), -1))))


def test_functions_of_a_result_in_another_shape():
    found = trace_of(Flattened(nnx.Rngs(0)), (IMAGES, np.arange(8) % 5))
    assert [each.kind for each in found.operations[:2]] == ["conv2d", "function"]
    assert found.operations[1].shape == (8, 400)


@jax.custom_jvp
def centred(x):
    """With a derivative of its own, as ReLU has, but it looks at all units."""
    return x - x.mean(axis=-1, keepdims=True)


centred.defjvp(lambda given, tangents: (centred(*given), centred(*tangents)))


@pytest.mark.parametrize("function", [centred, nnx.softmax])
def test_what_looks_at_all_units_kills_none(function):
    found = trace_of(Chain(nnx.Rngs(0), function), BATCH)
    assert all(each.dead == 0 for each in found.operations)


@pytest.mark.parametrize("family", FAMILIES)
class TestFamilies:
    def test_all_parameters_are_seen(self, family):
        build, batch = FAMILIES[family]
        assert trace_of(build(nnx.Rngs(0)), batch).seen == 1

    def test_gradients_are_those_of_jax(self, family):
        build, (inputs, targets) = FAMILIES[family]
        model = build(nnx.Rngs(0))
        found = {each.name: each.gradient for each in trace_of(model, (inputs, targets)).weights}
        model.train()
        gradients = nnx.grad(
            lambda own: api.default_loss(own(jnp.asarray(inputs)), jnp.asarray(targets)),
            argnums=nnx.DiffState(0, nnx.Param),
        )(model)
        theirs = {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(gradients)}
        assert found.keys() == theirs.keys()
        if family != "transformer":  # dropout draws anew
            squares = {name: float(jnp.square(each[...]).mean()) for name, each in theirs.items()}
            assert found == pytest.approx(squares, rel=1e-3, abs=1e-9)

    def test_nothing_changes(self, family):
        build, batch = FAMILIES[family]
        model = build(nnx.Rngs(0))
        before = [np.array(leaf) for leaf in jax.tree.leaves(_plain(model))]
        calls = {each: each.__call__ for each in (nnx.Linear, nnx.Conv, nnx.BatchNorm, build)}
        diagnose(model, batch)
        after = [np.array(leaf) for leaf in jax.tree.leaves(_plain(model))]
        assert all(a.tobytes() == b.tobytes() for a, b in zip(before, after, strict=True))
        assert all(each.__call__ is call for each, call in calls.items())


def _plain(model):
    """All numbers of a model, those of its random state too."""
    state = nnx.split(model)[1]
    return jax.tree.map(
        lambda leaf: jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf,
        state,
    )


def test_a_transformers_stages_are_its_sums():
    diagnosis = diagnose(Transformer, (TOKENS, TOKENS), draws=2)
    assert [stage.kind for stage in diagnosis.stages] == ["embedding", "add", "add", "add", "rms_norm"]


def test_the_value_of_a_program_is_that_of_the_function():
    def function(x):
        return jax.checkpoint(lambda y: jax.jit(jnp.tanh)(y) * nnx.softmax(y))(x).sum()

    x = jnp.linspace(-1, 1, 7)
    program = program_of(function, x)
    assert float(program.run([x])[program.outputs[0].number]) == pytest.approx(float(function(x)), rel=1e-6)


def test_an_exception_of_the_model_passes_and_leaves_nothing_behind():
    class Broken(nnx.Module):
        def __call__(self, _x):
            raise ZeroDivisionError("mine")

    original = Broken.__call__
    with pytest.raises(ZeroDivisionError, match="mine"):
        diagnose(Broken(), BATCH)
    assert Broken.__call__ is original


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model", BATCH), "a model is a flax.nnx.Module or a function that builds one, not str"),
        ((lambda _: 3, BATCH), "returned int"),
        ((Chain, BATCH[0]), r"a batch is \(inputs, targets\)"),
        ((Chain, (BATCH[0][:1], BATCH[1][:1])), "two samples or more"),
    ],
)
def test_what_does_not_fit_is_told(arguments, message):
    with pytest.raises(UsageError, match=message):
        diagnose(*arguments)


def test_the_examples_run():
    assert doctest.testmod(api).failed == 0
