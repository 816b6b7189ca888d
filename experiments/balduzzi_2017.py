"""Balduzzi, Frean, Leary, Lewis, Ma & McWilliams 2017, The shattered gradients problem.

Before training: ReLU networks of {width} units with one output, {networks} of each kind, are shown {points}
inputs around a circle whose two axes are N(0, 1), and {points} inputs N(0, 1) without relation to each other
(the paper: a line, with one input and 200 units). The gradient of the output with respect to the input is
taken at each of them; the correlation of two gradients is the mean of their products over the mean square.
Training: ReLU networks of {deep} hidden layers learn MNIST by plain gradient descent, batches of
{batch_size}, {seeds} seeds, for {steps} steps; at each budget every start has the rate of {rates} that is
best on {held_out} held-out training images; accuracies are on {tested} test images (the paper: convolutional
networks on CIFAR-10). `mirror` is the paper's looks-linear start.
"""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, open_dataset, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Gradients that shatter",
    question="depth",
    finding="In deep ReLU networks gradients of neighbouring inputs come apart; a start that looks linear "
    "keeps them equal, and learns through {deep} layers.",
    source="Balduzzi et al. 2017",
    network={"width": 100, "deep": 80, "shallow": 2, "depths": (1, 2, 5, 10, 20, 40, 80)},
    untrained={"networks": 20, "points": 64, "halvings": (5, 10)},
    training={"steps": (50, 150), "batch_size": 32, "rates": (0.003, 0.01, 0.03), "held_out": 1000},
    measuring={"seeds": 5, "tested": 2000},
    quick={
        "depths": (1, 5, 20),
        "networks": 5,
        "steps": (3, 20),
        "rates": (0.01,),
        "tested": 200,
        "held_out": 100,
    },
)
HE, ORTHOGONAL, LINEAR = SCHEMES = ("he", "orthogonal(gain=relu)", "mirror(input_square=1)")
NAMES = {HE: "He", ORTHOGONAL: "orthogonal", LINEAR: "looks-linear"}
NEIGHBOURS = "correlation of the gradients at neighbouring inputs of the circle"
ACCURACY = "the fraction of test images that the trained network classifies correctly"


def circle_of(s, rng):
    """Points around a circle, (points, width), neighbours side by side."""
    angle = 2 * np.pi * np.arange(s.points) / s.points
    return np.column_stack([np.cos(angle), np.sin(angle)]) @ rng.standard_normal((2, s.width))


def input_gradients(networks, inputs):
    """Of the one output of each network at each input, (networks, inputs, n_0)."""
    logits = networks.forward(inputs)
    networks.backward(np.ones_like(logits))
    return networks.pre_activation_gradients[0] @ networks.weights[0].swapaxes(1, 2)


@exhibit.kept
def correlations(s, scheme, depth):
    """Of the gradients of each network, for neighbours on the circle and for unrelated inputs."""
    values = {"neighbours": [], "unrelated": []}
    for seed in range(s.networks):
        network = initialize([s.width, *[s.width] * depth, 1], [scheme], seed, "relu", "float64")
        rng = stream(seed, Purpose.INPUTS)
        on_circle, anywhere = circle_of(s, rng), rng.standard_normal((s.points, s.width))
        gradients = input_gradients(network, on_circle)[0]
        neighbours = (gradients * np.roll(gradients, 1, axis=0)).sum() / (gradients**2).sum()
        values["neighbours"].append(neighbours)
        values["unrelated"].append(unrelated(input_gradients(network, anywhere)[0]))
    return values


def unrelated(gradients):
    """The mean product of two different gradients, over the mean square."""
    products = gradients @ gradients.T
    others = products.sum() - np.trace(products)
    return others / (len(products) - 1) / np.trace(products)


@exhibit.claim("figure 1", quantity=NEIGHBOURS, low=0.8, reason="brown noise: at least 0.8")
def shallow_gradients_resemble_brown_noise(s):
    """In shallow networks gradients resemble brown noise: those of neighbours are nearly the same."""
    return correlations(s, HE, s.shallow)["neighbours"]


@exhibit.claim(
    "figure 1",
    quantity=NEIGHBOURS,
    high=0.2,
    reason="white noise has no correlation; resembles it: at most 0.2",
    otherwise="Through {deep} layers the gradients of neighbouring inputs differ, but are no white noise yet",
    tried=("a probe gave 0.16 before the range was set",),
)
def deep_gradients_resemble_white_noise(s):
    """In deep networks, here of {deep} layers, gradients resemble white noise.

    In wide networks the correlation is about (1 + L a / 3 pi)^-3 for L layers and inputs at the angle a.
    """
    return correlations(s, HE, s.deep)["neighbours"]


@exhibit.claim(
    "theorem 1",
    low=0.5,
    high=2.0,
    is_ratio=True,
    reason="2^-L: within a factor of 2",
    otherwise="The correlation falls with depth, but far more slowly than by a half in each layer",
)
def correlation_halves_in_each_layer(s):
    """The correlation between gradients falls with the depth L as 2^-L.

    Measured: the correlation of the gradients at unrelated inputs, over 2^-L.

    The theorem supposes that a quarter of the units is active for both inputs in every layer. But ReLU layers
    make all signals alike, so ever more units are active for both, and the fall slows down to a power of L.
    """
    return {
        f"through {depth} layers": correlations(s, HE, depth)["unrelated"] * 2.0**depth
        for depth in s.halvings
    }


@exhibit.claim(
    "looks-linear initialization",
    quantity=NEIGHBOURS,
    low=0.999,
    is_identity=True,
    reason="one gradient for all inputs: 1, but for rounding",
)
def looks_linear_gradients_stay(s):
    """From the looks-linear start gradients do not shatter, at any depth.

    The network is linear, so its gradient is the same everywhere.
    """
    return {f"through {depth} layers": correlations(s, LINEAR, depth)["neighbours"] for depth in s.depths[2:]}


def examples_of(s):
    """MNIST with fewer test images, because {deep} layers take long."""
    examples = prepared_examples(open_dataset("mnist"))
    return replace(
        examples, test_inputs=examples.test_inputs[: s.tested], test_labels=examples.test_labels[: s.tested]
    )


@exhibit.kept
def reached(s, steps):
    """The test accuracy and the rate of each seed, by scheme, at the best rate."""
    histories = train_at_best_rate(
        SCHEMES,
        examples_of(s),
        hidden=[s.width] * s.deep,
        steps=steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        seeds=range(s.seeds),
    )
    shape = (len(SCHEMES), s.seeds)
    return {
        "accuracy": histories.numbers("test_accuracy", missing=0.1).reshape(shape),
        "rate": histories.numbers("learning_rate").reshape(shape),
    }


def accuracy_of(s, scheme, steps):
    """Of each seed."""
    return reached(s, steps)["accuracy"][SCHEMES.index(scheme)]


@exhibit.claim(
    "experiments with the looks-linear initialization",
    budgets="steps",
    quantity=ACCURACY,
    low=0.5,
    reason="learns: at least half of the images; guessing gives a tenth",
    tried=("a probe of one network, 150 steps: 0.855",),
)
def looks_linear_learns(s, steps):
    """From the looks-linear start very deep networks learn without skip connections."""
    return accuracy_of(s, LINEAR, steps)


@exhibit.claim(
    "experiments with the looks-linear initialization",
    budgets="steps",
    quantity=ACCURACY,
    high=0.2,
    reason="does not learn: at most twice what guessing gives",
    tried=("a probe of one network, 150 steps: 0.10",),
)
def he_does_not(s, steps):
    """From He's weights they do not learn.

    He's weights keep the mean square of gradients, and so it is not vanishing gradients that stop them.
    """
    return accuracy_of(s, HE, steps)


@exhibit.claim(
    "experiments with the looks-linear initialization",
    budgets="steps",
    quantity=ACCURACY,
    high=0.2,
    reason="does not learn: at most twice what guessing gives",
    tried=("a probe of one network, 150 steps: 0.13",),
)
def orthogonal_does_not(s, steps):
    """From orthogonal weights, scaled for ReLU, they do not learn either."""
    return accuracy_of(s, ORTHOGONAL, steps)


@exhibit.figure(
    "Left: the correlation of gradients at neighbouring inputs, {points} around a circle; the mean of "
    "{networks} networks and their range. Right: accuracy on test images; the mean of {seeds} seeds and "
    "their range."
)
def gradients_and_accuracy(s):
    figure = Figure(figsize=(9, 3.6))
    headline(figure, "Gradients of neighbours come apart with depth, unless the network looks linear")
    left, right = figure.subplots(1, 2)
    for scheme in SCHEMES:
        values = [correlations(s, scheme, depth)["neighbours"] for depth in s.depths]
        mean_and_range(left, s.depths, np.transpose(values), look(scheme), NAMES[scheme])
        accuracies = [accuracy_of(s, scheme, steps) for steps in s.steps]
        mean_and_range(right, s.steps, np.transpose(accuracies), look(scheme), NAMES[scheme])
    left.set(xscale="log", xticks=s.depths, xticklabels=s.depths, ylim=(-0.05, 1.05))
    left.set(xlabel="hidden layers", ylabel="correlation", title="Gradients before training")
    right.set(xlabel="training steps", ylabel="test accuracy", ylim=(0, 1), xticks=s.steps)
    right.set(title=f"{s.deep} layers trained")
    left.minorticks_off()
    left.legend(loc="lower left")
    right.legend(loc="center left")
    return figure


@exhibit.table()
def gradient_correlations(s):
    return [
        {"scheme": scheme, "depth": depth}
        | {name: float(values.mean()) for name, values in correlations(s, scheme, depth).items()}
        for scheme in SCHEMES
        for depth in s.depths
    ]


@exhibit.table()
def accuracies(s):
    return [
        {"scheme": scheme, "steps": steps, "seed": seed, "rate": float(rate), "accuracy": float(accuracy)}
        for steps in s.steps
        for scheme, rates, own in zip(
            SCHEMES, reached(s, steps)["rate"], reached(s, steps)["accuracy"], strict=True
        )
        for seed, (rate, accuracy) in enumerate(zip(rates, own, strict=True))
    ]
