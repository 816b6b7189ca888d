"""Klambauer, Unterthiner, Mayr & Hochreiter 2017, Self-normalizing neural networks.

SELU networks of {layers} hidden layers of {wide} units have weights of variance 1/n_in and no biases, as in
the paper. {networks} of them are shown {probe} inputs each, whose entries are normal with the means and
standard deviations {inputs}; mean and variance of a layer are taken over its units and all inputs. For
training, networks of {deep} layers of {width} learn MNIST by gradient descent in batches of {batch_size},
{seeds} seeds: SELU from these weights, and ReLU from He's weights, without and with Batch Normalization. Each
kind of network has the rate of {rates} whose loss on {held_out} held-out training images is lowest after the
most steps, of {rate_seeds} seed. The paper trains on 121 data sets of the UCI collection, and reports
which network is best there; its figure 1 trains on MNIST too, with up to 32 layers.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, measure_layers, train_at_best_rate
from initlab.gallery import Exhibit
from initlab.measure.probes import equal_layers, random_probe
from initlab.nn.normalization import BatchNorm
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look
from initlab.theory.mean_field import gradient_factor

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Self-normalizing networks",
    question="signal",
    finding="SELU layers bring any inputs to mean 0 and variance 1; gradients grow slowly with depth; deep "
    "SELU networks learn sooner than ReLU networks.",
    source="Klambauer et al. 2017",
    untrained={"layers": 64, "wide": 500, "networks": 10, "probe": 100},
    shown={"inputs": ("0 and 1", "0 and 0.1", "1 and 3")},
    trained={"deep": 32, "width": 100, "batch_size": 50, "rates": (0.01, 0.03, 0.1, 0.3)},
    training={"steps": (150, 500), "last": 50, "held_out": 5000, "seeds": 5, "rate_seeds": 1},
    quick={"networks": 5, "wide": 200, "deep": 12, "width": 50, "steps": (30, 90), "last": 10},
)
SELU, RELU, NORMALIZED = "SELU", "ReLU, He", "ReLU, He, Batch Normalization"
KINDS = {SELU: ("selu", "lecun"), RELU: ("relu", "he"), NORMALIZED: ("relu", "he")}
LOOKS = {
    SELU: Look("#0072B2", "o", "-"),
    RELU: Look("#D55E00", "D", "--"),
    NORMALIZED: Look("#000000", "s", ":"),
}


@exhibit.kept
def layers(s, inputs):
    """Mean and variance of each layer's activations, and its squared gradient, (networks, layers)."""
    mean, std = (float(number) for number in inputs.split(" and "))
    measured = []
    for seed in range(s.networks):
        noise, labels = random_probe(seed, s.probe, s.wide)
        network = initialize(equal_layers(s.layers, s.wide), ["lecun"], seed, "selu")
        measured += measure_layers(network, mean + std * noise, labels)
    names = {"means": "mean", "stds": "std", "gradient_stds": "gradient_std"}
    return {
        what: np.array([[getattr(layer, name) for layer in network] for network in measured])
        for what, name in names.items()
    }


def at_each_input(s, number):
    """A number of each network, by the mean and standard deviation of its inputs."""
    return {f"inputs of mean and std {inputs}": number(layers(s, inputs)) for inputs in s.inputs}


@exhibit.claim("theorems 1 to 3", low=0.9, high=1.1, reason="1, give or take a tenth")
def variance_converges_to_one(s):
    """The variance of the activations converges to 1, whatever it is in the inputs.

    Measured: the variance of the activations of layer {layers}.

    Theorem 1 is about means near 0 and variances of 0.8 to 1.5, which converge. Theorems 2 and 3 only say
    that variances of 3 to 16 fall, and that those of 0.02 to 0.16 rise.
    """
    return at_each_input(s, lambda measured: measured["stds"][:, -1] ** 2)


@exhibit.claim("theorem 1", low=-0.1, high=0.1, reason="0, give or take a tenth of the standard deviation")
def mean_converges_to_zero(s):
    """The mean of the activations converges to 0.

    Measured: the mean of the activations of layer {layers}.
    """
    return at_each_input(s, lambda measured: measured["means"][:, -1])


@exhibit.claim(
    "abstract",
    low=0.1,
    high=10.0,
    reason="neither vanish nor explode: within a factor of 10",
    is_ratio=True,
    otherwise="Squared gradients of SELU networks grow exponentially with depth, though slowly",
)
def gradients_neither_vanish_nor_explode(s):
    """Vanishing and exploding gradients are impossible.

    Measured: mean squared gradient on the pre-activations of the first layer over that of layer {layers}, for
    inputs of mean 0 and variance 1.

    The paper bounds the variance of the activations, and concludes about gradients. At the fixed point the
    mean squared slope of SELU is 1.071, not 1, so the squared gradient grows by 7 % a layer on its way back.
    That is little in most networks, and much less than under other starts that miss the critical variance,
    but it is exponential.
    """
    stds = layers(s, s.inputs[0])["gradient_stds"]
    return (stds[:, 0] / stds[:, -1]) ** 2


@exhibit.claim(
    source="Schoenholz et al. 2017, chi at the fixed point of Klambauer et al. 2017",
    low=1.05,
    high=1.09,
    reason="theory: 1.071, give or take two hundredths",
    is_ratio=True,
)
def gradients_grow_as_predicted(s):
    """Squared gradients grow by a factor of 1.071 a layer.

    Measured: the factor per layer, as the geometric mean over all layers; inputs of mean 0 and variance 1.
    """
    return gradients_neither_vanish_nor_explode(s) ** (1 / (s.layers - 1))


@exhibit.kept
def losses(s, kind):
    """Training losses at the best rate, (seeds, steps); a network that diverges costs 10 nats."""
    activation, scheme = KINDS[kind]
    histories = train_at_best_rate(
        [scheme],
        hidden=[s.width] * s.deep,
        activation=activation,
        norm=BatchNorm("before") if kind == NORMALIZED else None,
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


def final_loss(s, kind, steps):
    """Of each seed."""
    return losses(s, kind)["losses"][:, steps - s.last : steps].mean(axis=1)


BETTER = {
    "low": 0.1,
    "reason": "better: lower by at least 0.1 nats",
    "tried": ("rates from 0.003 to 0.1: confirmed, but Batch Normalization took the largest of them",),
}


@exhibit.claim("abstract and experiments", budgets="steps", **BETTER)
def selu_learns_sooner_than_relu(s, steps):
    """Self-normalization lets deep networks learn, better than ReLU does.

    Measured: mean loss of the last {last} steps of ReLU networks of {deep} layers less that of SELU networks,
    in nats.
    """
    return final_loss(s, RELU, steps) - final_loss(s, SELU, steps)


@exhibit.claim("figure 1", budgets="steps", **BETTER)
def selu_learns_sooner_than_batch_norm(s, steps):
    """Deep SELU networks learn sooner than ReLU networks with Batch Normalization.

    Measured: mean loss of the last {last} steps of ReLU networks of {deep} layers with Batch Normalization
    less that of SELU networks, in nats.

    Batch Normalization makes gradients explode with depth (Yang et al. 2019), by far more than SELU does.
    """
    return final_loss(s, NORMALIZED, steps) - final_loss(s, SELU, steps)


@exhibit.figure(
    "Left and middle: the means of {networks} untrained networks and their range, for inputs with these "
    "means and standard deviations; dotted: theory. Right: training loss, the mean of {seeds} seeds and "
    "their range, averaged over {last} steps."
)
def layers_and_training(s):
    figure = Figure(figsize=(11.5, 3.6))
    headline(figure, "SELU layers return to variance 1; squared gradients grow slowly; deep networks learn")
    left, middle, right = figure.subplots(1, 3)
    numbers = np.arange(1, s.layers + 1)
    looks = (Look("#0072B2", "o", "-"), Look("#E69F00", "^", "--"), Look("#CC79A7", "s", "-."))
    for inputs, style in zip(s.inputs, looks, strict=True):
        measured = layers(s, inputs)
        mean_and_range(left, numbers, measured["stds"] ** 2, style, inputs)
        gradients = (measured["gradient_stds"] / measured["gradient_stds"][:, -1:]) ** 2
        mean_and_range(middle, numbers, gradients, style)
    chi = gradient_factor("selu", 1.0, 1.0)
    left.axhline(1, color="#000000", linestyle=":")
    middle.plot(numbers, chi ** (s.layers - numbers), color="#000000", linestyle=":", label="1.071 a layer")
    for kind, style in LOOKS.items():
        curves = losses(s, kind)["losses"]
        blocks = curves[:, : len(curves[0]) // s.last * s.last].reshape(len(curves), -1, s.last).mean(axis=2)
        mean_and_range(right, s.last * np.arange(1, blocks.shape[1] + 1), blocks, style, kind)
    left.set(xlabel="layer", ylabel="variance", yscale="log", title="Activations")
    left.set_ylim(1e-2, 1e2)
    left.legend(title="mean and std of inputs", loc="upper right")
    middle.set(xlabel="layer", ylabel="last layer = 1", yscale="log", title="Squared gradients")
    middle.legend(loc="upper right")
    right.set(xlabel="training step", ylabel="training loss (nats)", ylim=(0, 3.4))
    right.set_title(f"Training, {s.deep} layers")
    right.legend(loc="upper right", fontsize=8)
    return figure


@exhibit.table()
def final_losses(s):
    return [
        {
            "network": kind,
            "steps": steps,
            "rate": float(losses(s, kind)["rates"][0]),
            "seed": seed,
            "final_loss": float(value),
        }
        for kind in KINDS
        for steps in s.steps
        for seed, value in enumerate(final_loss(s, kind, steps))
    ]
