"""Uniform or normal weights, which rule for which function, and RMSProp after a bad start.

The Italian article gives each initializer in a normal and in a uniform form, as if there were nothing to
choose between them: measured in ReLU networks from He's weights and in tanh networks from Xavier's and
LeCun's, of {shallow} and of {deep} layers of {width}, {pairs} seeds, {few_steps} steps at rate {rate} for
both forms; a seed gives both the same batches. Xavier's and LeCun's rules "suit" a function where networks
learn: a loss of at most {learnt} nats, where knowing nothing costs ln 10 = 2.303. The Chinese question
proposes RMSProp instead of gradient descent where training is hard: tried on ReLU networks from std=0.01.
Both with {steps} steps, {seeds} seeds, and the rate of {rates} (RMSProp: {small_rates}) whose loss on
{held_out} held-out training images is lowest after the most steps, of {rate_seeds} seed. MNIST, pixels / 255.
Batches of {batch_size} throughout.
"""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from initlab import open_dataset, train, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.measure.intervals import mean_interval
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Uniform or normal; which rule for which function",
    question="depth",
    finding="Uniform and normal weights of one variance train alike; RMSProp rescues shallow networks from "
    "weights that are too small.",
    network={"width": 50, "shallow": 3, "deep": 10, "batch_size": 50},
    pairs={"few_steps": (100, 400), "rate": 0.1, "pairs": 40},
    training={"steps": (300, 1000), "seeds": 5, "held_out": 2000, "last": 50, "span": 20, "learnt": 1.0},
    rates={"rates": (0.1, 0.3, 1.0, 3.0), "small_rates": (0.0003, 0.001, 0.003), "rate_seeds": 1},
    quick={
        "few_steps": (10, 30),
        "pairs": 5,
        "steps": (20, 60),
        "held_out": 300,
        "last": 10,
        "rates": (0.1, 0.3),
        "small_rates": (0.001, 0.003),
    },
)
ITALIAN = "Semih Gülüm, Inizializzazione dei pesi"
RUSSIAN = "Russian notes on the initialization of weights"
JAPANESE = "Japanese slides on Saito, Deep Learning from Scratch, 6.2"
PAIRS = {  # the uniform form has the same variance
    "He, ReLU": ("he", "he_uniform", "relu"),
    "Xavier, tanh": ("xavier", "xavier_uniform", "tanh"),
    "LeCun, tanh": ("lecun", "lecun_uniform", "tanh"),
}
METHODS = {
    "std=0.01, gradient descent": ("std=0.01", "sgd"),
    "std=0.01, RMSProp": ("std=0.01", "rmsprop"),
    "He, gradient descent": ("he", "sgd"),
}
SMALL, RESCUED, GOOD = METHODS
LOSS = "mean training loss of the last {last} steps, in nats"


def mnist():
    """Without the test set, which is not needed."""
    examples = prepared_examples(open_dataset("mnist"))
    return replace(examples, test_inputs=examples.test_inputs[:0], test_labels=examples.test_labels[:0])


def final(s, losses):
    """The mean of the last steps; 10 for a network that has diverged."""
    return np.nan_to_num(losses[:, -s.last :], nan=10.0).mean(axis=1)


@exhibit.kept
def both_forms(s, pair, depth, steps):
    """Final losses from normal and from uniform weights, (pairs,)."""
    normal, uniform, activation = PAIRS[pair]
    histories = train(
        [normal, uniform],
        mnist(),
        hidden=[s.width] * depth,
        activation=activation,
        steps=steps,
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rate})",
        seeds=range(s.pairs),
    )
    return {form: final(s, histories.of(form).losses) for form in (normal, uniform)}


def difference(s, pair, depth, steps):
    """Uniform less normal, in standard deviations over seeds, of each pair."""
    normal, uniform = both_forms(s, pair, depth, steps).values()
    return (uniform - normal) / np.sqrt((normal.var(ddof=1) + uniform.var(ddof=1)) / 2)


@exhibit.claim(
    f"{ITALIAN}, sections 3 to 5",
    budgets="few_steps",
    low=-1.0,
    high=1.0,
    reason="none that counts: less than another seed makes",
    unit="pairs",
)
def forms_are_alike(s, steps):
    """Uniform and normal weights of the same variance make no difference.

    Measured: final loss from uniform weights less that from normal ones, over the standard deviation between
    seeds.

    A seed's batches are the same for both forms, its weights are not.
    """
    return {
        f"{pair}, {depth} layers": difference(s, pair, depth, steps)
        for pair in PAIRS
        for depth in (s.shallow, s.deep)
    }


@exhibit.kept
def curves(s, scheme, activation, depth, optimizer):
    """Losses at the best rate, (seeds, steps)."""
    histories = train_at_best_rate(
        [scheme],
        mnist(),
        hidden=[s.width] * depth,
        activation=activation,
        steps=max(s.steps),
        batch_size=s.batch_size,
        optimizer=optimizer,
        rates=s.small_rates if optimizer == "rmsprop" else s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        choosing={"seeds": range(s.rate_seeds)},
    )
    return {"losses": histories.losses}


def reached(s, scheme, activation, steps):
    """Final losses of gradient descent, by depth."""
    return {
        f"{activation}, {depth} layers": final(
            s, curves(s, scheme, activation, depth, "sgd")["losses"][:, :steps]
        )
        for depth in (s.shallow, s.deep)
    }


@exhibit.claim(
    f"{RUSSIAN}, on Xavier's method; {JAPANESE}",
    quantity=LOSS,
    budgets="steps",
    high=1.0,
    reason="suits: the network has learnt, at most 1",
)
def xavier_suits_tanh_and_sigmoid(s, steps):
    """Xavier's rule suits tanh and the sigmoid.

    Its derivation supposes slopes of 1 at 0; the sigmoid has 1/4.
    """
    return reached(s, "xavier", "tanh", steps) | reached(s, "xavier", "sigmoid", steps)


@exhibit.claim(
    f"{RUSSIAN}, on Xavier's method",
    quantity=LOSS,
    budgets="steps",
    low=1.0,
    reason="does not suit: the network has not learnt, more than 1",
    otherwise="ReLU networks of these depths learn from Xavier's weights too",
)
def xavier_does_not_suit_relu(s, steps):
    """Xavier's rule does not suit ReLU.

    It halves the mean square in each layer, which matters through many more layers: see He et al. 2015.
    """
    return reached(s, "xavier", "relu", steps)


@exhibit.claim(
    f"{ITALIAN}, section 5",
    quantity=LOSS,
    budgets="steps",
    high=1.0,
    reason="can be used: the network has learnt, at most 1",
)
def lecun_suits_tanh(s, steps):
    """LeCun's rule can be used with tanh.

    The article counts tanh among the functions that are not symmetric about 0; it is odd.
    """
    return reached(s, "lecun", "tanh", steps)


def method(s, name, depth, steps):
    """The curves of ReLU networks up to a step, (seeds, steps)."""
    scheme, optimizer = METHODS[name]
    return curves(s, scheme, "relu", depth, optimizer)["losses"][:, :steps]


def lead(s, first, second, steps):
    """By how much the second ends lower, by depth."""
    return {
        f"{depth} layers": final(s, method(s, first, depth, steps))
        - final(s, method(s, second, depth, steps))
        for depth in (s.shallow, s.deep)
    }


CHINESE = "Chinese question on the initialization of deep networks, its list of remedies"


@exhibit.claim(CHINESE, budgets="steps", low=0.0, reason="helps: a lower loss")
def rmsprop_helps(s, steps):
    """Where training is hard, from weights that are too small, RMSProp helps instead of gradient descent.

    Measured: final loss of gradient descent from std=0.01, less that of RMSProp, in nats.

    RMSProp divides gradients by their own size, unless they are smaller than its constant against a division
    by 0. Through {deep} layers, theory has them begin far below it.
    """
    return lead(s, SMALL, RESCUED, steps)


@exhibit.claim(CHINESE, budgets="steps", high=0.05, reason="makes up: at most 0.05 nats more")
def rmsprop_makes_up(s, steps):
    """RMSProp makes up for a bad start.

    Measured: final loss of RMSProp from std=0.01, less that of gradient descent from He's weights, in nats.
    """
    return lead(s, RESCUED, GOOD, steps)


LOOKS = (Look("#0072B2", "o", "-"), Look("#CC79A7", "s", "--"), Look("#D55E00", "D", "-."))


@exhibit.figure(
    "Left: each pair as a dot, with the mean and its 95 % interval. Others: ReLU networks, each "
    "at its best rate; the mean of {seeds} seeds, averaged over {span} steps, and their range."
)
def forms_and_rmsprop(s):
    figure = Figure(figsize=(12, 3.8))
    headline(figure, "Uniform or normal makes little difference; RMSProp rescues shallow networks")
    left, *others = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    draw_pairs(s, left)
    for axes, depth in zip(others, (s.shallow, s.deep), strict=True):
        draw_curves(s, axes, depth)
    others[0].legend(loc="center right", fontsize=8)
    return figure


def draw_pairs(s, axes):
    cases = [(pair, depth, steps) for pair in PAIRS for depth in (s.shallow, s.deep) for steps in s.few_steps]
    axes.axvspan(-1, 1, color="#eeeeee")
    for y, case in enumerate(cases):
        values = difference(s, *case)
        interval = mean_interval(values)
        axes.plot(values, np.full(len(values), y), ".", color="#999999", markersize=3)
        axes.errorbar(interval.mean, y, xerr=interval.half_width, color="#000000", marker="D", capsize=3)
    axes.set_yticks(
        range(len(cases)), [f"{pair}, {depth} layers, {steps} steps" for pair, depth, steps in cases]
    )
    axes.set(xlabel="standard deviations between seeds", title="Uniform less normal")
    axes.invert_yaxis()


def draw_curves(s, axes, depth):
    steps = max(s.steps)
    for name, look in zip(METHODS, LOOKS, strict=True):
        losses = np.nan_to_num(method(s, name, depth, steps), nan=10.0)
        means = losses.reshape(len(losses), -1, s.span).mean(axis=2)
        mean_and_range(axes, np.arange(s.span, steps + 1, s.span), means, look, name)
    axes.set(
        xlabel="training step", ylabel="training loss (nats)", ylim=(0, 2.6), title=f"{depth} ReLU layers"
    )


@exhibit.table(tolerance=0.1)
def pairs(s):
    return [
        {"rule": pair, "layers": depth, "steps": steps}
        | {form: float(own.mean()) for form, own in zip(("normal", "uniform"), losses.values(), strict=True)}
        | {"difference": float(difference(s, pair, depth, steps).mean())}
        for pair in PAIRS
        for depth in (s.shallow, s.deep)
        for steps in s.few_steps
        for losses in (both_forms(s, pair, depth, steps),)
    ]
