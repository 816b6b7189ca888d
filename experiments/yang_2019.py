"""Yang, Pennington, Rao, Sohl-Dickstein & Schoenholz 2019, A mean field theory of batch normalization.

Networks of {layers} layers with Batch Normalization before the activation function are shown a batch of
inputs from N(0, 1) before training. The rate of explosion is the factor by which a layer multiplies the mean
squared gradient on its pre-activations: the geometric mean over layers {first} to {final}, which leaves out
the ends. {networks} networks each, with 1e-12 added to variances, so that a batch is normalized exactly. For
training, networks of {deep} and of {shallow} layers of {narrow} units learn MNIST by gradient descent in
batches of {batch_size}, {seeds} seeds: ReLU networks from He's weights, and tanh networks from orthogonal
weights. Each kind of network has the rate of {rates} whose mean loss of {rate_seeds} seeds on {held_out}
held-out training images is lowest after the most steps.
"""

import math

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, train_at_best_rate
from initlab.gallery import Exhibit
from initlab.measure.probes import equal_layers, random_probe
from initlab.nn.normalization import BatchNorm
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look
from initlab.theory.layers import predict_layers

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Batch Normalization makes gradients explode",
    question="depth",
    finding="Batch Normalization lets gradients explode with depth at the predicted rates, and very deep "
    "networks with it hardly learn.",
    source="Yang et al. 2019",
    untrained={"layers": 30, "first": 5, "final": 25, "networks": 10},
    sizes={"widths": (250, 1000), "batch": 256, "width": 500, "small_batches": (6, 8, 16)},
    others={"activations": ("tanh", "sigmoid", "softsign", "elu", "selu", "swish")},
    trained={"deep": 60, "shallow": 5, "narrow": 50, "batch_size": 50, "rates": (0.003, 0.03, 0.3)},
    training={"steps": (100, 300), "last": 50, "held_out": 5000, "seeds": 5, "rate_seeds": 2},
    quick={"widths": (100, 250), "width": 200, "networks": 5, "deep": 20, "steps": (20, 60), "last": 20},
)
NORM = BatchNorm("before", eps=1e-12)
RELU_LIMIT = math.pi / (math.pi - 1)
RELU, TANH, PLAIN = "ReLU, Batch Normalization", "tanh, Batch Normalization", "tanh without"
KINDS = {RELU: ("relu", "he", NORM), TANH: ("tanh", "orthogonal", NORM), PLAIN: ("tanh", "orthogonal", None)}
LOOKS = {
    RELU: Look("#D55E00", "D", "-"),
    TANH: Look("#0072B2", "o", "--"),
    PLAIN: Look("#000000", "s", ":"),
}


@exhibit.kept
def squared_gradients(s, activation, width, batch, scheme="he"):
    """On the pre-activations of each layer, the mean over units and samples, (networks, layers)."""
    measured = []
    for seed in range(s.networks):
        sizes = equal_layers(s.layers, width)
        network = initialize(sizes, [scheme], seed, activation, norm=NORM)
        network.loss(*random_probe(seed, batch, width))
        measured.append([np.mean(d**2, dtype=np.float64) for d in network.pre_activation_gradients])
    return {"squares": measured}


def explosion_rate(s, *network):
    """Per layer, of each network."""
    squares = squared_gradients(s, *network)["squares"]
    return (squares[:, s.first - 1] / squares[:, s.final - 1]) ** (1 / (s.final - s.first))


RATE = {"quantity": "the rate of explosion, layers {first} to {final}", "is_ratio": True}


@exhibit.claim(
    "pi / (pi - 1) = 1.467 for wide layers and large batches",
    low=1.42,
    high=1.52,
    reason="1.467, give or take a twentieth",
    **RATE,
)
def relu_explodes_as_predicted(s):
    """With Batch Normalization the squared gradient of ReLU networks grows by 1.467 a layer.

    Over the whole depth the mean is a little smaller, because the layers next to the output grow less.
    """
    return {f"width {width}": explosion_rate(s, "relu", width, s.batch) for width in s.widths}


@exhibit.claim(
    "linear networks, batches of B: (B - 2) / (B - 3)",
    low=0.75,
    high=1.25,
    reason="the predicted excess over 1, give or take a quarter",
)
def linear_networks_explode_in_small_batches(s):
    """In linear networks with Batch Normalization the squared gradient grows by (B - 2) / (B - 3) a layer.

    Measured: the rate of explosion less 1, over the predicted 1 / (B - 3); layers of width {width}.

    Normalization divides by the length of B - 1 random numbers, and the mean of 1 / length^2 exceeds 1 over
    the mean of length^2. Linear networks do not explode in large batches; there the nonlinearity must help.
    """
    return {
        f"batches of {size}": (explosion_rate(s, "identity", s.width, size, "lecun") - 1) * (size - 3)
        for size in s.small_batches
    }


PROBED = ("a limit of 5 % a layer: a small probe gave 5 % for the sigmoid, so the limit was lowered",)


@exhibit.claim("abstract", low=1.01, reason="explode: by at least 1 % a layer", tried=PROBED, **RATE)
def other_activations_explode_too(s):
    """Another activation function does not prevent the explosion.

    They explode more slowly than ReLU, the more slowly the closer they are to linear.
    """
    return {name: explosion_rate(s, name, s.width, s.batch) for name in s.activations}


@exhibit.claim(
    "section 4, with our quadrature",
    low=0.98,
    high=1.02,
    reason="as predicted: within 2 %",
    quantity="the rate of explosion, over E[phi'(z)^2] / Var phi(z) with z from N(0, 1)",
    is_ratio=True,
)
def others_explode_as_predicted(s):
    """Other activations explode at the rates that theory predicts for wide layers and large batches.

    In deep swish networks, a few samples of the batch come to lie far from the others. So their normalized
    pre-activations are not normal, as theory takes them to be.
    """
    sizes = equal_layers(s.layers, s.width)
    return {
        name: explosion_rate(s, name, s.width, s.batch) / predict_layers("he", sizes, name, norm=NORM)[1].chi
        for name in s.activations
    }


@exhibit.claim(
    "abstract",
    low=0.98,
    high=1.02,
    reason="the same: within 2 %",
    is_identity=True,
)
def weight_variance_does_not_matter(s):
    """Another variance of the weights does not prevent the explosion.

    Measured: the rate of explosion of ReLU networks with weights of variance 2/n, over that with 1/(2n);
    width {width}.

    Normalization removes the factor: true by arithmetic.
    """
    small = explosion_rate(s, "relu", s.width, s.batch, "variance_scaling(scale=0.5)")
    return explosion_rate(s, "relu", s.width, s.batch) / small


@exhibit.kept
def losses(s, kind, depth):
    """Training losses at the best rate, (seeds, steps); a network that diverges costs 10 nats."""
    activation, scheme, norm = KINDS[kind]
    histories = train_at_best_rate(
        [scheme],
        hidden=[s.narrow] * depth,
        activation=activation,
        norm=norm,
        steps=max(s.steps),
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        choosing={"seeds": range(s.rate_seeds)},
    )
    rates = histories.numbers("learning_rate")
    return {"losses": np.nan_to_num(histories.losses, nan=10.0), "rates": rates}


def final_loss(s, kind, depth, steps):
    """Of each seed."""
    return losses(s, kind, depth)["losses"][:, steps - s.last : steps].mean(axis=1)


FINAL = "mean training loss of the last {last} steps of ReLU networks, in nats"
NOTHING = "knowing nothing costs ln 10 = 2.303"


@exhibit.claim(
    "abstract", budgets="steps", quantity=FINAL, low=2.0, reason=f"{NOTHING}; do not train: at least 2.0"
)
def deep_networks_do_not_train(s, steps):
    """Networks of {deep} layers with Batch Normalization and without skip connections do not train.

    By theory, the squared gradient on the first layer is billions of times that on the last: a rate that
    moves the last layer breaks the first.
    """
    return final_loss(s, RELU, s.deep, steps)


@exhibit.claim(
    "as the control", budgets="steps", quantity=FINAL, high=1.5, reason=f"{NOTHING}; train: at most 1.5"
)
def shallow_networks_train(s, steps):
    """Networks of {shallow} layers with Batch Normalization train."""
    return final_loss(s, RELU, s.shallow, steps)


@exhibit.claim(
    "abstract",
    budgets="steps",
    low=0.1,
    reason="harms: a difference above 0.1 nats",
    otherwise="Tanh networks of {deep} layers learn sooner with Batch Normalization than without",
)
def normalization_is_the_cause(s, steps):
    """Batch Normalization itself is the cause: without it, networks of this depth train better.

    Measured: mean loss of the last {last} steps of tanh networks of {deep} layers from orthogonal weights
    with Batch Normalization, less that without it, in nats.

    ReLU networks as deep and narrow have trouble without it, too (Hanin & Rolnick 2018), so tanh is the
    fairer test.
    """
    return final_loss(s, TANH, s.deep, steps) - final_loss(s, PLAIN, s.deep, steps)


@exhibit.figure(
    "Left: {networks} untrained networks with Batch Normalization, width {width}, batches of {batch}, mean "
    "and range; grey: the slope of theory for ReLU. Right: training loss of {deep} layers, the mean of "
    "{seeds} seeds and their range, averaged over {last} steps."
)
def gradients_and_training(s):
    figure = Figure(figsize=(9.6, 3.7))
    headline(figure, "With Batch Normalization, gradients explode, and deep networks hardly learn")
    left, right = figure.subplots(1, 2)
    numbers = np.arange(1, s.layers + 1)
    for name, scheme, kind in (("relu", "he", RELU), ("tanh", "he", TANH), ("identity", "lecun", PLAIN)):
        squares = squared_gradients(s, name, s.width, s.batch, scheme)["squares"]
        label = "linear" if name == "identity" else name
        mean_and_range(left, numbers, squares / squares[:, -1:], LOOKS[kind], label)
    middle = numbers[s.first - 1 : s.final]
    squares = squared_gradients(s, "relu", s.width, s.batch)["squares"]
    at_end = (squares / squares[:, -1:])[:, s.final - 1].mean()
    theory = 2 * at_end * RELU_LIMIT ** (s.final - middle)
    left.plot(middle, theory, color="#7F7F7F", linestyle="-", label="1.467 a layer")
    left.set(xlabel="layer", ylabel="squared gradient, last layer = 1", yscale="log", title="Before training")
    left.legend()
    for kind, style in LOOKS.items():
        curves = losses(s, kind, s.deep)["losses"]
        means = curves.reshape(len(curves), -1, s.last).mean(axis=2)
        mean_and_range(right, s.last * np.arange(1, means.shape[1] + 1), means, style, kind)
    right.axhline(np.log(10), color="#555555", linewidth=0.8, linestyle=":")
    right.text(s.steps[-1], np.log(10) + 0.4, "dotted: ln 10, nothing known", ha="right", fontsize=8)
    right.set(xlabel="training step", ylabel="training loss (nats)", title=f"Training, {s.deep} layers")
    right.set_ylim(0, 3.6)
    right.legend(loc="lower left", fontsize=8)
    return figure


@exhibit.table()
def final_losses(s):
    cases = [(RELU, s.shallow), *((kind, s.deep) for kind in KINDS)]
    return [
        {
            "network": kind,
            "depth": depth,
            "steps": steps,
            "rate": float(losses(s, kind, depth)["rates"][0]),
            "seed": seed,
            "final_loss": float(value),
        }
        for kind, depth in cases
        for steps in s.steps
        for seed, value in enumerate(final_loss(s, kind, depth, steps))
    ]
