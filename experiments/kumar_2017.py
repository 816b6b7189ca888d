"""Kumar 2017, On weight initialization in deep neural networks.

For an activation function g that is differentiable at 0, the paper replaces g by its tangent at 0, asks that
activations have variance 1 in every layer, and obtains weights of variance 1 / (n g'(0)^2 (1 + g(0)^2)):
12.8/n for the sigmoid, a standard deviation of 3.6/sqrt(n). Before training, {networks} sigmoid networks of
{layers} hidden layers of {wide} units are shown {probe} inputs from N(0, 1). For training, sigmoid networks
of {deep} layers of {width} units learn MNIST by gradient descent in batches of {batch_size}, {seeds} seeds.
Each start has the rate of {rates} whose mean loss of {rate_seeds} seeds on {held_out} held-out training
images is lowest after the most steps. Xavier's weights have variance 1/n, as in the paper.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, measure_layers, phase, train_at_best_rate
from initlab.gallery import Exhibit
from initlab.measure.probes import equal_layers, random_probe
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Weights for deep sigmoid networks",
    question="depth",
    finding="Weights of standard deviation 3.6/sqrt(n) do not give sigmoids variance one, but gradients "
    "vanish far less than with Xavier's.",
    source="Kumar 2017",
    untrained={"layers": 10, "wide": 300, "networks": 30, "probe": 100},
    trained={"deep": 6, "width": 100, "batch_size": 50, "rates": (0.1, 0.5, 2.0)},
    training={"steps": (500, 1500), "last": 100, "held_out": 5000, "seeds": 5, "rate_seeds": 2},
    quick={"wide": 100, "networks": 5, "deep": 3, "width": 50, "steps": (60, 180), "last": 20},
)
KUMAR, XAVIER = "variance_scaling(scale=12.8)", "lecun"
NAMES = {KUMAR: "Kumar, 3.6/sqrt(n)", XAVIER: "Xavier, 1/sqrt(n)"}
LOOKS = {KUMAR: Look("#D55E00", "D", "-"), XAVIER: Look("#009E73", "s", "--")}


def variance_for(value, slope):
    """n times the variance of the weights, for an activation function with this value and slope at 0."""
    return 1 / (slope**2 * (1 + value**2))


@exhibit.kept
def layers(s, scheme, activation="sigmoid"):
    """Variance and mean square of activations, and squared gradients, (networks, layers)."""
    measured = []
    for seed in range(s.networks):
        network = initialize(equal_layers(s.layers, s.wide), [scheme], seed, activation, "float64")
        measured += measure_layers(network, *random_probe(seed, s.probe, s.wide))
    return {
        "variances": [[layer.std**2 for layer in network] for network in measured],
        "squares": [[layer.std**2 + layer.mean**2 for layer in network] for network in measured],
        "gradients": [[layer.gradient_std**2 for layer in network] for network in measured],
    }


def gradient_factor(s, scheme):
    """Of squared gradients per layer, on the way back, of each network."""
    gradients = layers(s, scheme)["gradients"]
    return (gradients[:, 0] / gradients[:, -1]) ** (1 / (s.layers - 1))


@exhibit.claim(
    "the sigmoid",
    low=12.7,
    high=12.9,
    reason="12.8, as it is rounded",
    is_identity=True,
)
def formula_gives_sigmoids_12_8(s):
    """For the sigmoid the formula gives a variance of 12.8/n.

    Measured: 1 / (g'(0)^2 (1 + g(0)^2)), with 1/2 and 1/4 for the sigmoid's value and slope at 0.
    """
    return [variance_for(0.5, 0.25)] * s.seeds


@exhibit.claim(
    "the derivation",
    low=0.5,
    high=2.0,
    reason="1, within a factor of 2",
    otherwise="With 3.6/sqrt(n), sigmoid activations have a variance of about a tenth",
)
def activations_have_variance_one(s):
    """With the standard deviation 3.6/sqrt(n) the activations of sigmoids have variance 1 in every layer.

    Measured: the variance of the activations of layer {layers}, over units and inputs.

    Values between 0 and 1 have a variance of a quarter at most. The tangent at 0 is no approximation where
    pre-activations have a standard deviation of 2: the sigmoid bends long before.
    """
    return layers(s, KUMAR)["variances"][:, -1]


@exhibit.claim(
    "the derivation",
    low=0.8,
    high=1.25,
    reason="the same: within a fifth",
    is_ratio=True,
)
def activations_keep_their_variance(s):
    """With it the activations of sigmoids have the same variance in all layers.

    Measured: the variance of the activations of layer {layers} over that of layer 2.

    So do activations under any weights, once the length has reached its fixed point; this says little.
    """
    variances = layers(s, KUMAR)["variances"]
    return variances[:, -1] / variances[:, 1]


@exhibit.claim(
    "Xavier's weights are too small for sigmoids",
    low=3.0,
    reason="far less: at least 3 times the factor",
    is_ratio=True,
)
def gradients_vanish_less_than_with_xavier(s):
    """With it gradients vanish far less than with Xavier's weights.

    Measured: the factor of squared gradients per layer, over that from Xavier's weights.

    Theory says 0.35 for 3.6/sqrt(n), and 0.06 for 1/sqrt(n). So gradients vanish from both, and the variance
    at which they would not, without biases, is about eight times the paper's.
    """
    return gradient_factor(s, KUMAR) / gradient_factor(s, XAVIER)


@exhibit.claim(
    "rectifiers",
    low=0.8,
    high=1.25,
    reason="the same: within a fifth",
    is_ratio=True,
    tried=("10 networks: confirmed, but not at 99.9 %",),
)
def relu_keeps_its_mean_square(s):
    """With weights of variance 2/n the mean square of ReLU activations is the same in all layers.

    Measured: the mean square of the activations of layer {layers} over that of layer 1.

    The paper derives He's rule in its own way.
    """
    squares = layers(s, "he", "relu")["squares"]
    return squares[:, -1] / squares[:, 0]


@exhibit.kept
def losses(s, scheme):
    """Training losses at the best rate, (seeds, steps); a network that diverges costs 10 nats."""
    histories = train_at_best_rate(
        [scheme],
        hidden=[s.width] * s.deep,
        activation="sigmoid",
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


def final_loss(s, scheme, steps):
    """Of each seed."""
    return losses(s, scheme)["losses"][:, steps - s.last : steps].mean(axis=1)


FINAL = "mean loss of the last {last} steps, in nats"
NOTHING = "knowing nothing costs ln 10 = 2.303"


@exhibit.claim(
    "experiments", budgets="steps", quantity=FINAL, high=1.5, reason=f"{NOTHING}; train: at most 1.5"
)
def kumar_trains(s, steps):
    """Sigmoid networks of {deep} layers train from weights of standard deviation 3.6/sqrt(n)."""
    return final_loss(s, KUMAR, steps)


@exhibit.claim(
    "experiments", budgets="steps", quantity=FINAL, low=2.2, reason=f"{NOTHING}; do not: at least 2.2"
)
def xavier_does_not(s, steps):
    """Sigmoid networks of {deep} layers do not train from Xavier's weights.

    Fewer layers shorten the plateau: the reduced form of this page has half as many, and they begin to learn.
    """
    return final_loss(s, XAVIER, steps)


@exhibit.figure(
    "Left: squared gradients of {networks} untrained networks, their mean and range; thin lines: mean-field "
    "theory. Right: training loss, the mean of {seeds} seeds and their range, averaged over {last} steps."
)
def gradients_and_training(s):
    figure = Figure(figsize=(9.4, 3.7))
    headline(figure, "In sigmoid networks gradients vanish, less from Kumar's weights than from Xavier's")
    left, right = figure.subplots(1, 2)
    numbers = np.arange(1, s.layers + 1)
    for (scheme, name), scale in zip(NAMES.items(), (12.8, 1.0), strict=True):
        gradients = layers(s, scheme)["gradients"]
        mean_and_range(left, numbers, gradients / gradients[:, -1:], LOOKS[scheme], name)
        theory = phase("sigmoid", scale).chi ** (s.layers - numbers)
        left.plot(numbers, theory, color=LOOKS[scheme].color, linewidth=0.8)
        curves = losses(s, scheme)["losses"]
        means = curves.reshape(len(curves), -1, s.last).mean(axis=2)
        mean_and_range(right, s.last * np.arange(1, means.shape[1] + 1), means, LOOKS[scheme], name)
    left.set(xlabel="layer", ylabel="squared gradient, last layer = 1", yscale="log", title="Before training")
    left.legend(loc="lower right")
    right.axhline(np.log(10), color="#555555", linewidth=0.8, linestyle=":")
    right.text(s.steps[-1], np.log(10) + 0.15, "dotted: ln 10, nothing known", ha="right", fontsize=8)
    right.set(xlabel="training step", ylabel="training loss (nats)", ylim=(0, 2.6))
    right.set_title(f"Training, {s.deep} sigmoid layers")
    right.legend(loc="center right")
    return figure


@exhibit.table()
def final_losses(s):
    return [
        {
            "scheme": scheme,
            "steps": steps,
            "rate": float(losses(s, scheme)["rates"][0]),
            "seed": seed,
            "final_loss": float(value),
        }
        for scheme in NAMES
        for steps in s.steps
        for seed, value in enumerate(final_loss(s, scheme, steps))
    ]
