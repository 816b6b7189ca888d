"""Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in deep linear nets.

Linear networks of {depths} hidden layers of {width} units learn MNIST, whitened to {components} components
(the paper: the same task, depths to 100), by squared error on the logits: {images} images, {steps} steps of
gradient descent, batches of {batch_size}, {seeds} seeds. Orthogonal weights are compared with Gaussian ones
of the same variance. Of the rates {rates}, each scheme has at each depth the one with the lowest mean loss on
{held_out} held-out images after the last step (the paper: the one that learns fastest). The learning time is
the first step whose loss has fallen by {percent} % of the way from the loss of zero logits to that of the
best linear classifier. The exact solution of one mode of a network with one hidden layer is compared with
gradient descent on that mode.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import open_dataset, train_at_best_rate
from initlab.data.datasets import first_images
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Deep linear networks",
    question="depth",
    finding="Through many layers Gaussian weights learn more slowly than orthogonal ones; gradient descent "
    "on one mode follows the exact solution.",
    source="Saxe, McClelland & Ganguli 2014",
    network={"depths": (2, 8, 16), "width": 64},
    training={
        "components": 50,
        "images": 10_000,
        "held_out": 5000,
        "steps": 150,
        "batch_size": 200,
        "rates": tuple(float(rate) for rate in np.geomspace(0.1, 6, 5)),
        "percent": 70,
    },
    measuring={"seeds": 5},
    quick={"steps": 50},
)
SCHEMES = {"orthogonal": "orthogonal", "lecun": "Gaussian"}
SLOWDOWN = "learning time at the greatest depth over that at the smallest, each at its best rate"


@exhibit.kept
def learning_times(s, depth):
    """From each scheme at its best rate, in steps, (seeds,)."""
    images = first_images(open_dataset("mnist"), s.images + s.held_out)
    examples = prepared_examples(images, f"whitened(components={s.components})")
    histories = train_at_best_rate(
        list(SCHEMES),
        examples,
        hidden=[s.width] * depth,
        activation="identity",
        loss="squared_error_logits",
        steps=s.steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
    )
    goal = loss_on_the_way(examples.train_inputs[: s.images], examples.train_labels[: s.images], s.percent)
    return {scheme: first_steps(histories.of(scheme).losses, goal, s.steps) for scheme in SCHEMES}


def loss_on_the_way(inputs, labels, percent):
    """The loss after so much of the way from zero logits to linear regression on one-hot labels."""
    targets = np.eye(10)[labels]
    weights, *_ = np.linalg.lstsq(inputs.astype(np.float64), targets, rcond=None)
    start, end = (targets**2).mean(), ((inputs @ weights - targets) ** 2).mean()
    return start - percent / 100 * (start - end)


def first_steps(losses, goal, steps):
    """Of each network the first step, counted from 1, whose loss is at most the goal; steps + 1 for none."""
    reached = losses <= goal
    return np.where(reached.any(axis=1), reached.argmax(axis=1), steps) + 1


def slowdown(s, scheme):
    """The learning time at the greatest depth over that at the smallest, (seeds,)."""
    return learning_times(s, s.depths[-1])[scheme] / learning_times(s, s.depths[0])[scheme]


@exhibit.claim(
    "section 3, figure 6", quantity=SLOWDOWN, high=2.0, reason="does not grow: at most a factor of 2"
)
def orthogonal_time_flat(s):
    """From orthogonal weights the learning time does not grow with depth.

    The time at the chosen rate even falls at the greatest depth; the paper, to 100 layers, finds that it is
    constant beyond some depth.
    """
    return slowdown(s, "orthogonal")


@exhibit.claim("section 3, figure 6", quantity=SLOWDOWN, low=2.0, reason="grows: at least a factor of 2")
def gaussian_time_grows(s):
    """From scaled Gaussian weights the learning time grows with depth.

    The rate with the lowest loss in the end is not always the fastest: a larger rate may learn sooner but end
    at a higher loss. So the factor depends on how the rate is chosen.
    """
    return slowdown(s, "lecun")


@exhibit.claim(
    "section 1.2, eq. 9", high=0.02, reason="it follows the curve: at most 0.02 away at small rates"
)
def exact_solution(s):
    """A mode of a network with one hidden layer grows by tau du/dt = 2 u (s - u), a sigmoid in time.

    Measured: the largest distance of gradient descent from that curve, over the mode's final strength s.
    """
    return [mode_error(seed) for seed in range(s.seeds)]


def mode_error(seed, rate=0.002):
    """Gradient descent on `(s - b a)^2 / 2` from a = b small, against the exact curve of u = b a."""
    rng = np.random.default_rng(seed)
    s = float(rng.uniform(1, 4))
    a = b = float(rng.uniform(0.01, 0.1))
    start, worst = a * b, 0.0
    for step in range(1, int(8 / (s * rate))):
        a, b = a + rate * b * (s - a * b), b + rate * a * (s - a * b)
        grown = np.exp(2 * s * rate * step)
        worst = max(worst, abs(a * b - s * grown / (grown - 1 + s / start)) / s)
    return worst


@exhibit.figure("Learning time at the best rate of each scheme and depth. Points are seeds, lines means.")
def times(s):
    figure = Figure(figsize=(6.0, 3.8))
    axes = figure.add_subplot(xlabel="hidden layers", ylabel=f"steps to learn ({s.percent} % of the way)")
    for scheme, name in SCHEMES.items():
        style, each = look(scheme), np.array([learning_times(s, depth)[scheme] for depth in s.depths])
        axes.plot(s.depths, each, style.marker, color=style.color, alpha=0.6)
        axes.plot(s.depths, each.mean(axis=1), style.dash, color=style.color, marker=style.marker, label=name)
    axes.set(ylim=(0, None), xticks=s.depths)
    axes.set_title("Gaussian weights learn slowest through the most layers")
    axes.legend(loc="upper left")
    return figure


@exhibit.table()
def steps_to_learn(s):
    return [
        {"depth": depth, "scheme": scheme, "seed": seed, "steps": int(value)}
        for depth in s.depths
        for scheme in SCHEMES
        for seed, value in enumerate(learning_times(s, depth)[scheme])
    ]
