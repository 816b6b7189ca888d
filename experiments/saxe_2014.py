"""Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in deep linear nets.

Linear networks of {depths} hidden layers of {width} units learn MNIST, whitened to {components} components
(the paper: the same task, depths to 100), by squared error on the logits, {seeds} seeds. The gradient of a
linear network depends on means and covariances of the data alone. So {per_class} points for each class, with
the class means of all training images and the identity as covariance, stand for the images, and every step is
one of full gradient descent. Orthogonal weights are compared with Gaussian ones of the same variance. The
learning time is the first step whose loss has fallen by {percent} % of the way from the loss of zero logits
to that of the best linear classifier. Of the rates {scaled_rates}, each divided by the number of hidden
layers, each scheme has at each depth the one that learns fastest in the mean of {rate_seeds} seeds, or, where
none learns in {search} steps, the one with the lowest loss then. Because that takes too few steps for a good
resolution, times are measured at 1 / {divisor} of this rate. The exact solution of one mode of a network with
one hidden layer is compared with gradient descent on that mode, at a rate of {mode_rate}.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, open_dataset, train, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Deep linear networks",
    question="depth",
    finding="Orthogonal weights learn as fast through many linear layers as through few; Gaussian weights of "
    "the same variance do not.",
    source="Saxe, McClelland & Ganguli 2014",
    network={"depths": (4, 8, 16, 32, 64), "width": 64},
    data={"components": 50, "per_class": 10},
    training={
        "percent": 99,
        "steps": (800, 2400),
        "search": 200,
        "scaled_rates": tuple(float(rate) for rate in np.geomspace(0.25, 16, 13)),
        "divisor": 4,
    },
    measuring={"seeds": 5, "rate_seeds": 2, "mode_rate": 0.002},
    quick={
        "depths": (4, 16),
        "width": 32,
        "components": 20,
        "per_class": 5,
        "steps": (300, 900),
        "search": 40,
        "divisor": 2,
    },
)
SCHEMES = {"orthogonal": "orthogonal", "lecun": "Gaussian"}
SLOWDOWN = "learning time at the greatest depth over that at the smallest; a network that has not learned by "
SLOWDOWN += "the last step counts as if it did one step later"


@exhibit.kept
def learning_times(s, depth, scheme):
    """In steps, (seeds,), and the best rate; one step more than all where a network does not learn."""
    data = points_like_mnist(s.components, s.per_class)
    goal = loss_on_the_way(**data, percent=s.percent)
    how = {
        "data": (data["inputs"], data["labels"]),
        "hidden": [s.width] * depth,
        "activation": "identity",
        "loss": "squared_error_logits",
        "drawing": "full",
    }
    rates = [rate / depth for rate in s.scaled_rates]
    best = train_at_best_rate(
        scheme,
        **how,
        steps=s.search,
        seeds=range(s.rate_seeds),
        rates=rates,
        validation=0,
        by=lambda history: speed(history.losses, goal),
    )[0].learning_rate
    sizes = (s.components, *how["hidden"], 10)
    networks = initialize(sizes, [scheme] * s.seeds, range(s.seeds), how["activation"])
    how["optimizer"] = f"sgd(lr={best / s.divisor})"
    losses = losses_until(goal, networks, max(s.steps), s.search, **how)
    return {"times": first_steps(losses, goal), "rate": best}


def losses_until(goal, networks, steps, at_once, **how):
    """Of each network, so many steps at a time, as far as one of them has not reached the goal."""
    losses = np.empty((networks.networks, 0))
    while losses.shape[1] < steps and not (losses <= goal).any(axis=1).all():
        losses = np.hstack([losses, train(networks, **how, steps=at_once).losses])
    return losses


@exhibit.kept
def points_like_mnist(components, per_class):
    """As many points of each class, with MNIST's class means and the identity as covariance; labels."""
    examples = prepared_examples(open_dataset("mnist"), f"whitened(components={components})", "float64")
    images, labels = examples.train_inputs[:], examples.train_labels
    means = np.array([images[labels == k].mean(axis=0) for k in range(10)])
    noise = stream(0, Purpose.INPUTS).standard_normal((10, per_class, components))
    noise -= noise.mean(axis=1, keepdims=True)
    white, _ = np.linalg.qr(noise.reshape(10 * per_class, components))
    within = np.linalg.cholesky(np.eye(components) - means.T @ means / 10)
    spread = (10 * per_class) ** 0.5 * white @ within.T
    inputs = np.repeat(means, per_class, axis=0) + spread
    return {"inputs": inputs, "labels": np.repeat(np.arange(10), per_class)}


def loss_on_the_way(inputs, labels, percent):
    """The loss after so much of the way from zero logits to linear regression on one-hot labels."""
    targets, inputs = np.eye(10)[labels], np.column_stack([inputs, np.ones(len(inputs))])
    weights, *_ = np.linalg.lstsq(inputs, targets, rcond=None)
    start, end = (targets**2).mean(), ((inputs @ weights - targets) ** 2).mean()
    return start - percent / 100 * (start - end)


def speed(losses, goal):
    """A score of a loss curve: the sooner it reaches the goal, the higher; then, the lower it ends."""
    time = int(first_steps(losses[None], goal)[0])
    return -time - (losses[-1] if time > len(losses) else 0)


def first_steps(losses, goal):
    """Of each network the first step, counted from 1, whose loss is at most the goal; one more for none."""
    reached = losses <= goal
    return np.where(reached.any(axis=1), reached.argmax(axis=1), losses.shape[1]) + 1


def times(s, depth, scheme, steps):
    """Of each seed, after so many steps."""
    return np.minimum(learning_times(s, depth, scheme)["times"], steps + 1)


def slowdown(s, scheme, steps):
    """The learning time at the greatest depth over that at the smallest, (seeds,)."""
    return times(s, s.depths[-1], scheme, steps) / times(s, s.depths[0], scheme, steps)


TRIED = "to 70 % of the way, batches of 200 images, depths of 2 to 16, the rate of the lowest final loss: "
TRIED += "times of 3 to 10 steps, which resolve nothing"


@exhibit.claim(
    "section 3, figure 6",
    quantity=SLOWDOWN,
    budgets="steps",
    high=2.0,
    is_ratio=True,
    reason="does not grow: at most a factor of 2",
    tried=(f"{TRIED}; confirmed", "4 and 16 layers, nine rates instead of thirteen: confirmed, not firm"),
)
def orthogonal_time_flat(s, steps):
    """From orthogonal weights the learning time does not grow with depth.

    The product of orthogonal matrices is orthogonal, so all modes pass through any number of layers alike.
    The best rate falls as the depth grows, because the gradients of all layers add up.
    """
    return slowdown(s, "orthogonal", steps)


@exhibit.claim(
    "section 3, figure 6",
    quantity=SLOWDOWN,
    budgets="steps",
    low=2.0,
    is_ratio=True,
    reason="grows: at least a factor of 2",
    tried=(f"{TRIED}; undecided",),
)
def gaussian_time_grows(s, steps):
    """From scaled Gaussian weights the learning time grows with depth.

    At the greatest depth no network learns, neither by the last step nor, at any of the rates, in the
    {search} steps of the search, so the number is a lower bound. A product of Gaussian matrices stretches a
    few directions and shrinks all others.
    """
    return slowdown(s, "lecun", steps)


@exhibit.claim(
    "section 1.3, eq. 10", high=0.02, reason="it follows the curve: at most 0.02 away at small rates"
)
def exact_solution(s):
    """A mode of a network with one hidden layer grows by tau du/dt = 2 u (s - u), a sigmoid in time.

    Measured: the largest distance of gradient descent from that curve, over the mode's final strength s.
    """
    return [mode_error(seed, s.mode_rate) for seed in range(s.seeds)]


def mode_error(seed, rate):
    """Gradient descent on `(s - b a)^2 / 2` from a = b small, against the exact curve of u = b a."""
    rng = stream(seed, Purpose.WEIGHTS)
    s = float(rng.uniform(1, 4))
    a = b = float(rng.uniform(0.01, 0.1))
    start, worst = a * b, 0.0
    for step in range(1, int(8 / (s * rate))):
        a, b = a + rate * b * (s - a * b), b + rate * a * (s - a * b)
        grown = np.exp(2 * s * rate * step)
        worst = max(worst, abs(a * b - s * grown / (grown - 1 + s / start)) / s)
    return worst


@exhibit.figure(
    "Learning time at 1 / {divisor} of the best rate of each scheme and depth. Points are seeds, lines "
    "medians. Points on the dotted line have not learned."
)
def learning_time(s):
    figure, last = Figure(figsize=(6.4, 3.8)), max(s.steps)
    axes = figure.add_subplot(xlabel="hidden layers", ylabel=f"steps to learn ({s.percent} % of the way)")
    for scheme, name in SCHEMES.items():
        style, each = look(scheme), np.array([times(s, depth, scheme, last) for depth in s.depths])
        axes.plot(s.depths, each, style.marker, color=style.color, alpha=0.5)
        axes.plot(s.depths, np.median(each, axis=1), style.dash, color=style.color, label=name)
    axes.axhline(last, color="#555555", linewidth=0.8, linestyle=":")
    axes.text(s.depths[0], 1.1 * last, f"not learned in {last} steps", fontsize=8)
    axes.set(xscale="log", yscale="log", ylim=(10, 2 * last))
    axes.set_xticks(s.depths, s.depths)
    axes.minorticks_off()
    axes.set_title("Learning time of deep linear networks")
    axes.legend(loc="center right")
    return figure


@exhibit.table()
def steps_to_learn(s):
    return [
        {"depth": depth, "scheme": scheme, "seed": seed, "steps": int(value)}
        | {"best_rate": float(learning_times(s, depth, scheme)["rate"])}
        for depth in s.depths
        for scheme in SCHEMES
        for seed, value in enumerate(times(s, depth, scheme, max(s.steps)))
    ]
