"""Slides on Saito's Deep Learning from Scratch, section 6.2: He's weights "for ReLU and its derivatives".

The slides recommend He's weights for ReLU and the functions derived from it, and write their standard
deviation as 2/sqrt(n), where He et al. 2015 have sqrt(2/n): twice the variance. Before training, {networks}
networks of {layers} hidden layers of {wide} units are shown {probe} inputs from N(0, 1); the length of a
layer is the mean square of its pre-activations. For training, ReLU networks of {shallow} and of {deep} layers
of {width} units learn MNIST by gradient descent in batches of {batch_size}, {seeds} seeds. Each start has,
for each depth and number of steps, the rate of {rates} with the lowest loss on {held_out} held-out training
images. A loss counts as {most} nats at most, and so does one that diverges.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, train_at_best_rate
from initlab.gallery import Exhibit
from initlab.measure.probes import equal_layers, random_probe
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look, look
from initlab.theory.mean_field import length_map

exhibit = Exhibit(
    __file__,
    __doc__,
    title="He's weights for the relatives of ReLU",
    question="signal",
    finding="Under He's weights signals grow through elu and softplus and fade through gelu and swish, all "
    "by far; twice the variance harms deep ReLU networks.",
    source="Japanese slides on Saito, Deep Learning from Scratch, section 6.2",
    untrained={"layers": 30, "wide": 300, "networks": 10, "probe": 50},
    trained={"shallow": 4, "deep": 16, "width": 100, "batch_size": 50, "most": 10},
    training={"steps": (100, 300), "rates": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1), "held_out": 5000},
    measuring={"last": 20, "seeds": 5},
    quick={"networks": 5, "wide": 100, "deep": 12, "width": 30, "steps": (30, 90), "last": 10},
)
HE, SLIDE = "he", "slide:he"
NAMES = {HE: "He, sqrt(2/n)", SLIDE: "the slides, 2/sqrt(n)"}
CLOSE, OTHERS = ("relu", "leaky_relu"), ("elu", "gelu", "swish", "softplus")
LOOKS = {
    "relu": Look("#D55E00", "D", "-"),
    "leaky_relu": Look("#56B4E9", "^", "--"),
    "elu": Look("#0072B2", "o", "-."),
    "softplus": Look("#009E73", "s", ":"),
    "gelu": Look("#CC79A7", "v", "--"),
    "swish": Look("#000000", "P", ":"),
}


@exhibit.kept
def lengths(s, activation, scheme=HE):
    """The mean square of each layer's pre-activations, (networks, layers)."""
    measured = []
    for seed in range(s.networks):
        network = initialize(equal_layers(s.layers, s.wide), [scheme], seed, activation, "float64")
        network.forward(random_probe(seed, s.probe, s.wide)[0])
        measured.append([(z**2).mean() for z in network.pre_activations[:-1]])
    return {"lengths": measured}


def last_over_first(s, activations):
    """The length of the last layer over that of the first, of each network, by activation function."""
    measured = {name: lengths(s, name)["lengths"] for name in activations}
    return {name: squares[:, -1] / squares[:, 0] for name, squares in measured.items()}


def predicted(s, activation, scale=2.0):
    """The lengths in mean-field theory, (layers,)."""
    chain = [scale]
    while len(chain) < s.layers:
        chain.append(length_map(activation, chain[-1], scale))
    return np.array(chain)


KEPT = {
    "quantity": "the length of layer {layers} over that of layer 1",
    "low": 0.5,
    "high": 2.0,
    "reason": "kept: within a factor of 2",
    "is_ratio": True,
}


@exhibit.claim(**KEPT)
def he_suits_relu_and_leaky_relu(s):
    """He's weights keep the length of signals through ReLU and its leaky form.

    Leaky ReLU of slope a needs 2 / (1 + a^2) instead of 2, which for a slope of a hundredth is the same. What
    is kept is the mean over networks; single networks scatter around it, and the typical one lies below it,
    the more the deeper and narrower it is (Hanin & Rolnick 2018). More networks, or wider ones, would decide.
    """
    return last_over_first(s, CLOSE)


@exhibit.claim(
    **KEPT,
    otherwise="Under He's weights signals grow through elu and softplus, and fade through gelu and swish",
)
def he_suits_the_other_relatives(s):
    """He's weights keep it through the other functions derived from ReLU.

    They are no multiples of themselves under scaling, so no variance keeps every length. Close to 0, gelu and
    swish are z/2, and lose half of the length in each layer once it is small; elu and softplus do not give 0
    for negative inputs, and add to the length in each layer.
    """
    return last_over_first(s, OTHERS)


@exhibit.claim(
    "the standard deviation 2/sqrt(n)",
    low=0.9,
    high=1.1,
    reason="suits: within a tenth of 1",
    is_ratio=True,
    otherwise="With the standard deviation 2/sqrt(n) activations grow by a factor of sqrt 2 a layer",
)
def slides_std_suits_relu(s):
    """The standard deviation 2/sqrt(n) suits ReLU.

    Measured: the factor by which a layer multiplies the standard deviation of pre-activations, the geometric
    mean over {layers} layers.

    The slip is easily made: sqrt(2/n) and 2/sqrt(n) look alike. Its factor is that of twice the variance.
    """
    squares = lengths(s, "relu", SLIDE)["lengths"]
    return (squares[:, -1] / squares[:, 0]) ** (0.5 / (s.layers - 1))


@exhibit.kept
def losses(s, depth, steps):
    """Training losses at the best rate by scheme, (seeds, steps), and these rates."""
    histories = train_at_best_rate(
        [HE, SLIDE],
        hidden=[s.width] * depth,
        steps=steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
    )
    of = {scheme: histories.of(scheme) for scheme in (HE, SLIDE)}
    rates = {f"rate of {scheme}": own.numbers("learning_rate") for scheme, own in of.items()}
    return rates | {scheme: np.fmin(own.losses, s.most) for scheme, own in of.items()}


def final_loss(s, scheme, depth, steps):
    """Of each seed."""
    return losses(s, depth, steps)[scheme][:, -s.last :].mean(axis=1)


def loss_of_the_slip(s, depth, steps):
    """By how much the loss is higher than from He's weights."""
    return final_loss(s, SLIDE, depth, steps) - final_loss(s, HE, depth, steps)


AS_WELL = {
    "budgets": "steps",
    "quantity": "mean loss of the last {last} steps from the slides' weights less that from He's, in nats",
    "high": 0.1,
    "reason": "as well: at most 0.1 nats more",
}


@exhibit.claim(
    "He's weights learn fastest, figure", **AS_WELL, otherwise="Even with {shallow} layers the slip costs"
)
def shallow_networks_learn_as_well(s, steps):
    """With {shallow} layers, networks learn as well from the slides' weights as from He's.

    Over few layers the factor is small, 2^({shallow}/2), and training makes up for it.
    """
    return loss_of_the_slip(s, s.shallow, steps)


@exhibit.claim(
    "He's weights learn fastest, figure",
    **AS_WELL,
    otherwise="With {deep} layers the slip costs a great deal",
)
def deep_networks_learn_as_well(s, steps):
    """With {deep} layers, networks learn as well from the slides' weights as from He's.

    The logits are 2^({deep}/2) times as large before the first step, and the gradients too.
    """
    return loss_of_the_slip(s, s.deep, steps)


@exhibit.figure(
    "Left: lengths under He's weights, the mean of {networks} networks and their range; thin lines: "
    "mean-field theory. Right: training loss of {deep} ReLU layers, the mean of {seeds} seeds and their "
    "range, averaged over {last} steps."
)
def lengths_and_training(s):
    figure = Figure(figsize=(9.6, 3.8))
    headline(figure, "Under He's variance elu and softplus grow, gelu and swish fade; twice as much harms")
    left, right = figure.subplots(1, 2)
    numbers = np.arange(1, s.layers + 1)
    for name, style in LOOKS.items():
        mean_and_range(left, numbers, lengths(s, name)["lengths"], style, name)
        left.plot(numbers, predicted(s, name), color=style.color, linewidth=0.8)
    left.set(xlabel="layer", ylabel="mean square of pre-activations", yscale="log", ylim=(1e-8, 1e3))
    left.set_title("Before training, sqrt(2/n)")
    left.legend(loc="lower left", fontsize=8)
    for scheme, name in NAMES.items():
        curves = losses(s, s.deep, s.steps[-1])[scheme]
        means = curves.reshape(len(curves), -1, s.last).mean(axis=2)
        mean_and_range(right, s.last * np.arange(1, means.shape[1] + 1), means, look(scheme), name)
    right.axhline(np.log(10), color="#555555", linewidth=0.8, linestyle=":")
    right.text(s.steps[-1], np.log(10) + 0.3, "dotted: ln 10, nothing known", ha="right", fontsize=8)
    right.set(xlabel="training step", ylabel="training loss (nats)", ylim=(0, 1.03 * s.most))
    right.set_title(f"Training, {s.deep} ReLU layers")
    right.legend(loc="upper right")
    return figure


@exhibit.table()
def growth(s):
    rows = [(name, HE, 2.0) for name in (*CLOSE, *OTHERS)] + [("relu", SLIDE, 4.0)]
    return [
        {
            "activation": name,
            "scheme": scheme,
            "length_last_over_first": float(np.mean(squares[:, -1] / squares[:, 0])),
            "theory": float(theory[-1] / theory[0]),
            "factor_of_last_layer": float(np.mean(squares[:, -1] / squares[:, -2])),
        }
        for name, scheme, scale in rows
        for squares, theory in [(lengths(s, name, scheme)["lengths"], predicted(s, name, scale))]
    ]


@exhibit.table()
def final_losses(s):
    return [
        {
            "depth": depth,
            "steps": steps,
            "scheme": scheme,
            "rate": float(losses(s, depth, steps)[f"rate of {scheme}"][0]),
            "final_loss": float(final_loss(s, scheme, depth, steps).mean()),
        }
        for depth in (s.shallow, s.deep)
        for steps in s.steps
        for scheme in NAMES
    ]
