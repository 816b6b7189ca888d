"""What trains the same networks as initlab, written as one who knows each library would.

Each function takes a workload and returns another that takes so many steps. A step draws a batch of MNIST's
images, prepares it, and trains all networks of the workload on it by plain gradient descent. What stays the
same between steps is made once, and not timed.
"""

from functools import cache, partial
from itertools import pairwise

import numpy as np

from initlab import Optimizer
from initlab.data.examples import examples_of
from initlab.init.networks import initialize

LR = 1e-4  # nothing is to diverge; the time does not depend on it
SCAN = 20  # steps of JAX in one call


def drawn_batches(examples, size):
    """Batches without end, in NumPy."""
    rng = np.random.default_rng(0)
    while True:
        chosen = rng.integers(len(examples.train_labels), size=size)
        yield examples.train_inputs[chosen], examples.train_labels[chosen]


def ensemble_of(workload):
    seeds = list(range(workload.networks))
    return initialize(workload.sizes, [workload.init] * workload.networks, seeds, workload.activation)


def initlab(workload):
    networks, sgd = ensemble_of(workload), Optimizer("sgd", lr=LR)
    drawn = drawn_batches(examples_of("mnist"), workload.batch)

    @np.errstate(all="ignore")
    def steps(count):
        for _ in range(count):
            networks.train_step(*next(drawn), sgd)

    return steps


def floor(workload):
    """The matrix products of a step alone, in the arrays of the ensemble: no draw, nothing between them."""
    e = ensemble_of(workload)
    inputs, labels = next(drawn_batches(examples_of("mnist"), workload.batch))
    e.loss(inputs, labels)
    signals, gradients = [inputs, *e.activations], e.weight_gradients
    deltas = [np.full_like(z, 1e-3) for z in e.pre_activations]

    def steps(count):
        for _ in range(count):
            for W, signal, z in zip(e.weights, signals, e.pre_activations, strict=True):
                np.matmul(signal, W, out=z)
            for layer in reversed(range(len(e.weights))):
                np.matmul(signals[layer].swapaxes(-1, -2), deltas[layer], out=gradients[layer])
                if layer:
                    np.matmul(deltas[layer], e.weights[layer].swapaxes(-1, -2), out=deltas[layer - 1])

    return steps


def textbook(workload, dtype):
    """A network after the other; all arrays anew in each step."""
    examples = examples_of("mnist", "unit", dtype)
    drawn, functions = drawn_batches(examples, workload.batch), _FUNCTIONS[workload.activation]
    start = ensemble_of(workload)
    networks = [
        ([W[m].astype(dtype) for W in start.weights], [b[m].astype(dtype) for b in start.biases])
        for m in range(workload.networks)
    ]

    def steps(count):
        for _ in range(count):
            x, labels = next(drawn)
            for weights, biases in networks:
                _textbook_step(weights, biases, functions, x, labels)

    return steps


_FUNCTIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
    "tanh": (np.tanh, lambda a: 1 - a * a),
}


def _textbook_step(weights, biases, functions, x, labels):
    function, slope = functions
    signals = [x]
    for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
        z = signals[-1] @ W + b
        signals.append(function(z) if layer < len(weights) - 1 else z)
    delta = np.exp(signals[-1] - signals[-1].max(axis=1, keepdims=True))
    delta /= delta.sum(axis=1, keepdims=True)
    delta[np.arange(len(x)), labels] -= 1
    delta /= len(x)
    for layer in reversed(range(len(weights))):
        dW, db = signals[layer].T @ delta, delta.sum(axis=0)
        if layer:
            delta = (delta @ weights[layer].T) * slope(signals[layer])
        weights[layer] -= LR * dW
        biases[layer] -= LR * db


@cache
def _torch_data():
    import torch

    examples = examples_of("mnist")
    return torch.from_numpy(examples.train_inputs[:]), torch.from_numpy(
        examples.train_labels.astype(np.int64)
    )


def torch_eager(workload):
    """One network after the other, as a tutorial writes it."""
    import torch
    from torch import nn

    images, labels = _torch_data()
    function = {"relu": nn.ReLU, "tanh": nn.Tanh}[workload.activation]

    def network():
        layers = [part for n, m in pairwise(workload.sizes) for part in (nn.Linear(n, m), function())]
        model = nn.Sequential(*layers[:-1])
        return model, torch.optim.SGD(model.parameters(), lr=LR)

    networks, loss = [network() for _ in range(workload.networks)], nn.CrossEntropyLoss()

    def steps(count):
        for _ in range(count):
            chosen = torch.randint(len(images), (workload.batch,))
            x, y = images[chosen], labels[chosen]
            for model, optimizer in networks:
                optimizer.zero_grad()
                loss(model(x), y).backward()
                optimizer.step()

    return steps


def torch_stacked(workload, compiled=False):
    """All networks in one stack: one first layer, a backward pass by hand, updates within the products."""
    import torch

    images, labels = _torch_data()
    M, B, (first, *others) = workload.networks, workload.batch, list(pairwise(workload.sizes))
    relu = workload.activation == "relu"
    # The networks share the batch, so that their first layers are one matrix, network by network.
    W0, b0 = torch.randn(first[0], M * first[1]) * (2 / first[0]) ** 0.5, torch.zeros(M * first[1])
    weights = [torch.randn(M, n, m) * (2 / n) ** 0.5 for n, m in others]
    biases = [torch.zeros(M, 1, m) for _, m in others]
    rows = torch.arange(B)

    def step(x, y):
        z = torch.addmm(b0, x, W0).view(B, M, first[1]).transpose(0, 1)
        signals = [torch.relu(z) if relu else torch.tanh(z)]
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            z = torch.baddbmm(b, signals[-1], W)
            signals.append(torch.relu_(z) if relu else torch.tanh_(z))
        delta = torch.softmax(torch.baddbmm(biases[-1], signals[-1], weights[-1]), dim=2)
        delta[:, rows, y] -= 1
        delta /= B
        for W, b, a in zip(reversed(weights), reversed(biases), reversed(signals), strict=True):
            slope = (a > 0) if relu else 1 - a * a
            below = torch.bmm(delta, W.transpose(1, 2)).mul_(slope)
            W.baddbmm_(a.transpose(1, 2), delta, alpha=-LR)
            b.sub_(delta.sum(1, keepdim=True), alpha=LR)
            delta = below
        shared = delta.transpose(0, 1).reshape(B, -1)
        W0.addmm_(x.t(), shared, alpha=-LR)
        b0.sub_(shared.sum(0), alpha=LR)

    taken = torch.compile(step) if compiled else step

    @torch.no_grad()
    def steps(count):
        for _ in range(count):
            chosen = torch.randint(len(images), (B,))
            taken(images[chosen], labels[chosen])

    return steps


def torch_grouped(workload):
    """All networks as the groups of one convolution, and the stack of one product."""
    import torch
    from torch import nn

    M, (images, labels) = workload.networks, _torch_data()
    first, second = nn.Conv2d(M, 16 * M, 5, groups=M), nn.Conv2d(16 * M, 32 * M, 5, groups=M)
    shapes = [(M, 512, 100), (M, 1, 100), (M, 100, 10), (M, 1, 10)]
    W, b, V, c = (nn.Parameter(0.05 * torch.randn(shape)) for shape in shapes)
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters(), W, b, V, c], lr=LR)

    def logits(x):
        x = x.view(-1, 1, 28, 28).expand(-1, M, 28, 28)
        x = nn.functional.max_pool2d(nn.functional.relu(first(x)), 2)
        x = nn.functional.max_pool2d(nn.functional.relu(second(x)), 2).reshape(-1, M, 512).transpose(0, 1)
        return torch.baddbmm(c, nn.functional.relu(torch.baddbmm(b, x, W)), V)

    def steps(count):
        for _ in range(count):
            chosen = torch.randint(len(images), (workload.batch,))
            optimizer.zero_grad()
            flat = logits(images[chosen]).reshape(-1, 10)
            loss = (
                nn.functional.cross_entropy(flat, labels[chosen].repeat(M), reduction="sum") / workload.batch
            )
            loss.backward()
            optimizer.step()

    return steps


def torch_lenets(workload):
    """One network after the other, as a tutorial writes it."""
    import torch
    from torch import nn

    images, labels = _torch_data()

    def network():
        model = nn.Sequential(
            *(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(512, 100), nn.ReLU(), nn.Linear(100, 10)),
        )
        return model, torch.optim.SGD(model.parameters(), lr=LR)

    networks, loss = [network() for _ in range(workload.networks)], nn.CrossEntropyLoss()

    def steps(count):
        for _ in range(count):
            chosen = torch.randint(len(images), (workload.batch,))
            for model, optimizer in networks:
                optimizer.zero_grad()
                loss(model(images[chosen]), labels[chosen]).backward()
                optimizer.step()

    return steps


def torch_compiled(workload):
    return torch_stacked(workload, compiled=True)


@cache
def _jax_data():
    import jax.numpy as jnp

    examples = examples_of("mnist")
    return jnp.asarray(examples.train_inputs[:]), jnp.asarray(examples.train_labels)


def jax_scan(workload):
    """vmap over the networks, a scan over the steps, compiled, with parameters that are updated in place."""
    import jax
    import jax.numpy as jnp

    images, labels = _jax_data()
    function = {"relu": jax.nn.relu, "tanh": jnp.tanh}[workload.activation]

    def loss(parameters, x, y):
        for layer, (W, b) in enumerate(parameters):
            z = x @ W + b
            x = z if layer == len(parameters) - 1 else function(z)
        return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()

    gradients = jax.vmap(jax.grad(loss), in_axes=(0, None, None))

    def one(images, labels, carried, _):
        parameters, key = carried
        key, own = jax.random.split(key)
        chosen = jax.random.randint(own, (workload.batch,), 0, len(images))
        slopes = gradients(parameters, images[chosen], labels[chosen])
        return (jax.tree.map(lambda w, g: w - LR * g, parameters, slopes), key), None

    @partial(jax.jit, donate_argnums=0)
    def scan(carried, images, labels):
        return jax.lax.scan(partial(one, images, labels), carried, length=SCAN)[0]

    M, keys = workload.networks, jax.random.split(jax.random.key(0), len(workload.sizes))
    carried = (
        [
            (jax.random.normal(key, (M, n, m)) * (2 / n) ** 0.5, jnp.zeros((M, m)))
            for key, (n, m) in zip(keys, pairwise(workload.sizes), strict=False)
        ],
        keys[-1],
    )

    def steps(count):
        nonlocal carried
        for _ in range(count // SCAN):
            carried = jax.block_until_ready(scan(carried, images, labels))

    return steps


def textbook32(workload):
    return textbook(workload, "float32")


def textbook64(workload):
    return textbook(workload, "float64")
