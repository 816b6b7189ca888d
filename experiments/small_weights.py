"""Is smaller better? Three texts on weights near 0, and how deep the network is.

A Stanford tutorial draws weights and biases from a normal law of std=0.01. A German answer warns that smaller
is not better, above all where the network is deep, because gradients are proportional to the weights:
training then takes much longer, or never ends. A Russian article says that a factor n Var w of the variance
above 1 or below 1 harms training. Networks of {width} units learn MNIST by plain gradient descent, {steps}
steps, batches of {batch_size}, {seeds} seeds. ReLU networks of {depths} layers start from {gains} times He's
standard deviation, at the rate {rate}. So do {trials} networks of {middle} layers that we wait for, from
{small} times: they have learnt when the mean loss of {span} steps is at most {goal}. Networks of one hidden
layer and of {middle} start from std=0.01 and from Xavier's weights at the same rate. For the factor n Var w,
tanh and ReLU networks of {deep} layers start at {factors} times the factor that keeps the variance, which is
1 for tanh and 2 for ReLU, each at the rate of {rates} with the lowest loss on {held_out} held-out training
images, of {rate_seeds} seed. A loss beyond {worst}, or of a network that has diverged, counts as
{worst}.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Initialization, Scheme, train, train_at_best_rate
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline, label_ends, mean_and_range
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Is smaller better?",
    question="depth",
    finding="Weights below He's cost a shallow network little; the deeper it is, the longer it stands still "
    "before it learns.",
    network={"width": 64, "depths": (2, 5, 10, 20), "gains": (0.25, 0.5, 1, 2), "middle": 5, "deep": 10},
    training={
        "steps": (250, 750),
        "batch_size": 64,
        "rate": 0.1,
        "rates": (0.001, 0.01, 0.1),
        "rate_seeds": 1,
        "held_out": 5000,
    },
    factors={"factors": (0.25, 0.5, 1, 2, 4, 16)},
    waiting={
        "small": (0.1, 0.25, 0.5, 1),
        "waiting_steps": (600, 1800),
        "trials": 20,
        "span": 20,
        "goal": 1.0,
    },
    measuring={"last": 50, "seeds": 5, "worst": 2.5},
    quick={
        "width": 32,
        "deep": 5,
        "depths": (2, 5),
        "steps": (10, 30),
        "last": 10,
        "waiting_steps": (20, 60),
        "trials": 6,
        "rates": (0.03,),
    },
)
GERMAN = "German answer on initial weights near 0"
STANFORD = "Stanford tutorial on back-propagation, as the German question quotes it"
RUSSIAN = "Russian article on weight initialization"
SMALL = Scheme.parse("std=0.01")
TUTORIAL, NO_BIASES, USUAL = (
    Initialization(SMALL, bias=SMALL),
    Initialization(SMALL),
    Initialization.of("xavier"),
)
KEEPS = {"tanh": 1, "relu": 2}
LOOKS = [
    Look("#0072B2", "o", "-"),
    Look("#009E73", "s", "--"),
    Look("#E69F00", "D", "-."),
    Look("#D55E00", "^", ":"),
]


@exhibit.kept
def by_gain(s, depth):
    """The losses of ReLU networks, (gains, seeds, steps)."""
    histories = train(
        [f"he(gain={gain})" for gain in s.gains],
        hidden=[s.width] * depth,
        steps=s.steps[-1],
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rate})",
        seeds=range(s.seeds),
    )
    return {"losses": curves(histories, s.worst).reshape(len(s.gains), s.seeds, -1)}


def curves(histories, worst):
    """At most the worst loss, which counts from where a network diverged."""
    return np.minimum(np.nan_to_num(histories.losses, nan=worst), worst)


def final_loss(s, depth, gain, steps):
    """The mean of the last steps, (seeds,)."""
    return by_gain(s, depth)["losses"][s.gains.index(gain), :, steps - s.last : steps].mean(axis=1)


def harm(s, depth, gain, steps):
    """How much higher the final loss is than from He's weights, (seeds,)."""
    return final_loss(s, depth, gain, steps) - final_loss(s, depth, 1, steps)


TRIED = "200 and 600 steps: {}"


@exhibit.claim(
    source=GERMAN,
    budgets="steps",
    low=0.1,
    reason="worse: at least 0.1 nats",
    tried=(TRIED.format("held through 5 layers or more; 0.1 and 0.05 nats through 2"),),
)
def smaller_is_worse(s, steps):
    """Smaller numbers do not work better but worse.

    Measured: mean loss of the last {last} steps from half of He's standard deviation minus that from He's, in
    nats.
    """
    return {f"{depth} layers": harm(s, depth, 0.5, steps) for depth in s.depths}


@exhibit.claim(
    source=GERMAN,
    budgets="steps",
    low=0.5,
    reason="above all: half a nat more",
    tried=(TRIED.format("only the most layers: failed and held"),),
)
def above_all_when_deep(s, steps):
    """The deeper the network, the more a small start harms.

    Measured: the same difference minus that through the fewest layers, in nats.

    The difference shows what a small start costs only where the network learns from He's weights within the
    budget, and from half of them does not.
    """
    shallow = harm(s, s.depths[0], 0.5, steps)
    return {f"{depth} layers": harm(s, depth, 0.5, steps) - shallow for depth in s.depths[1:]}


@exhibit.kept
def waits(s):
    """The step at which each of many networks has learnt, (gains, trials); 0 for never."""
    histories = train(
        [f"he(gain={gain})" for gain in s.small],
        hidden=[s.width] * s.middle,
        steps=s.waiting_steps[-1],
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rate})",
        seeds=range(s.trials),
    )
    return {"steps": first_steps(histories.losses, s.span, s.goal).reshape(len(s.small), s.trials)}


def first_steps(losses, span, goal):
    """Of each network the end of the first span of steps whose mean loss is at most the goal; 0 for none."""
    means = losses[:, : losses.shape[1] // span * span].reshape(len(losses), -1, span).mean(axis=2)
    reached = means <= goal
    return np.where(reached.any(axis=1), span * (reached.argmax(axis=1) + 1), 0)


def wait(s, gain, patience):
    """Of each trial; the whole budget where a network has not learnt within it."""
    steps = waits(s)["steps"][s.small.index(gain)]
    return np.where(steps, np.minimum(steps, patience), patience)


@exhibit.claim(
    source=GERMAN,
    budgets="waiting_steps",
    low=3.0,
    is_ratio=True,
    reason="much longer: three times",
    unit="networks",
)
def much_longer(s, patience):
    """Very small weights make training much, much longer.

    Measured: steps until a network of {middle} layers has learnt from half of He's standard deviation, over
    those from He's; a network that has not learnt counts with the whole budget.

    Where many have not learnt, the ratio is a lower bound.
    """
    return wait(s, 0.5, patience) / wait(s, 1, patience)


@exhibit.claim(
    source=GERMAN,
    budgets="waiting_steps",
    low=0.5,
    reason="never: most of the networks",
    unit="networks",
    tried=("0.35 times He's: 0.95 of the networks after 600 steps, none after 1800",),
)
def or_never(s, patience):
    """Or training is never completed.

    Measured: the share of networks of {middle} layers that have not learnt.

    Never means: within the budget. Gradients are small and not 0, so a plateau may end after any budget.
    """
    return {
        f"{gain} times He's": (steps == 0) | (steps > patience)
        for gain, steps in zip(s.small, waits(s)["steps"], strict=True)
        if gain < 0.5
    }


@exhibit.kept
def accuracies(s, depth, activation, steps):
    """On test images from the tutorial's start, from it without biases, and from Xavier's, (seeds,)."""
    histories = train(
        [TUTORIAL, NO_BIASES, USUAL],
        hidden=[s.width] * depth,
        activation=activation,
        steps=steps,
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rate})",
        seeds=range(s.seeds),
    )
    return dict(zip(("tutorial", "no biases", "usual"), by_scheme(histories, s.seeds), strict=True))


def by_scheme(histories, seeds):
    """Test accuracies, (schemes, seeds)."""
    return histories.numbers("test_accuracy", missing=0.1).reshape(-1, seeds)


@exhibit.claim(
    source=STANFORD,
    budgets="steps",
    low=-0.01,
    high=0.01,
    reason="as good: within one image in a hundred",
    tried=(TRIED.format("confirmed"),),
)
def biases_may_be_drawn_too(s, steps):
    """Biases may be drawn like the weights.

    Measured: one hidden layer: test accuracy with biases of std=0.01 minus that with biases 0.
    """
    return {
        activation: accuracies(s, 1, activation, steps)["tutorial"]
        - accuracies(s, 1, activation, steps)["no biases"]
        for activation in ("sigmoid", "tanh", "relu")
    }


@exhibit.claim(
    source=STANFORD,
    budgets="steps",
    low=-0.01,
    reason="good: at most one image in a hundred behind",
    tried=(TRIED.format("behind by 0.41 to 0.01 with one hidden layer, by 0.8 with 5"),),
)
def small_is_a_good_start(s, steps):
    """Normal weights and biases of std=0.01 are a good start.

    Measured: test accuracy from them minus that from Xavier's weights.

    The tutorial has networks of one hidden layer in mind, and there the gap closes. Sigmoid networks of
    {middle} layers are left out: they learn from neither start in so few steps.
    """
    networks = [("sigmoid", 1), ("tanh", 1), ("relu", 1), ("tanh", s.middle), ("relu", s.middle)]
    return {
        f"{activation} of depth {depth}": lead(s, depth, activation, steps) for activation, depth in networks
    }


def lead(s, depth, activation, steps):
    """Of the tutorial's start over Xavier's, (seeds,)."""
    reached = accuracies(s, depth, activation, steps)
    return reached["tutorial"] - reached["usual"]


@exhibit.kept
def by_factor(s, activation):
    """The losses at the best rate of each factor, (factors, seeds, steps)."""
    histories = train_at_best_rate(
        [f"variance_scaling(scale={factor * KEEPS[activation]})" for factor in s.factors],
        hidden=[s.width] * s.deep,
        activation=activation,
        steps=s.steps[-1],
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        choosing={"seeds": range(s.rate_seeds)},
    )
    return {"losses": curves(histories, s.worst).reshape(len(s.factors), s.seeds, -1)}


def harm_of_factor(s, activation, factor, steps):
    """How much higher the final loss is than at the factor that keeps the variance, (seeds,)."""
    ends = by_factor(s, activation)["losses"][:, :, steps - s.last : steps].mean(axis=2)
    return ends[s.factors.index(factor)] - ends[s.factors.index(1)]


HARM = "mean loss of the last {last} steps minus that at the factor that keeps the variance, in nats"


@exhibit.claim(
    source=RUSSIAN,
    quantity=HARM,
    budgets="steps",
    low=0.1,
    reason="harms: at least 0.1 nats",
    tried=(TRIED.format("rates 0.03 and 0.1, with which ReLU diverges: tanh unharmed to 4 times"),),
)
def above_one_harms(s, steps):
    """A factor n Var w above 1 harms training: variances grow, and units saturate.

    tanh bounds what grows: a factor somewhat above 1 makes up for its slope, which is below 1 but at 0.
    """
    return {
        f"{activation} at {factor} times": harm_of_factor(s, activation, factor, steps)
        for activation in KEEPS
        for factor in s.factors
        if factor > 1
    }


@exhibit.claim(
    source=RUSSIAN,
    quantity=HARM,
    budgets="steps",
    low=0.1,
    reason="harms: at least 0.1 nats",
    tried=(TRIED.format("rates 0.03 and 0.1: confirmed"),),
)
def below_one_harms(s, steps):
    """A factor n Var w below 1 harms training too: representations shrink to 0.

    At half the factor what is lost is time: the difference fades as training goes on.
    """
    return {
        f"{activation} at {factor} times": harm_of_factor(s, activation, factor, steps)
        for activation in KEEPS
        for factor in s.factors
        if factor < 1
    }


@exhibit.figure(
    "Mean loss of the last {last} steps. Lines: means of {seeds} seeds; bands: from the smallest to the "
    "largest. Dotted: ln 10, knowing nothing."
)
def dose_and_response(s):
    figure = Figure(figsize=(10, 3.8))
    headline(figure, "Loss against the size of the initial weights")
    left, right = figure.subplots(1, 2, sharey=True)
    for depth, style in zip(s.depths, LOOKS, strict=False):
        ends = by_gain(s, depth)["losses"][:, :, -s.last :].mean(axis=2)
        mean_and_range(left, s.gains, ends.T, style, f"{depth} layers", every=1)
    for activation, style in zip(KEEPS, LOOKS, strict=False):
        ends = by_factor(s, activation)["losses"][:, :, -s.last :].mean(axis=2)
        mean_and_range(right, s.factors, ends.T, style, activation, every=1)
    names = ("std over He's", "n Var w over the factor that keeps the variance")
    titles = ("ReLU, all at one rate", f"{s.deep} layers, each at its best rate")
    for axes, values, name, title in zip((left, right), (s.gains, s.factors), names, titles, strict=True):
        axes.set(xscale="log", xlabel=name, ylim=(0, 2.6), title=title)
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()
        axes.axhline(np.log(10), color="#555555", linewidth=0.8, linestyle=":")
        label_ends(axes)
    left.set_ylabel("training loss (nats)")
    return figure


@exhibit.table(tolerance=0.05)
def final_losses(s):
    return [
        {
            "depth": depth,
            "gain": gain,
            "steps": steps,
            "loss": float(final_loss(s, depth, gain, steps).mean()),
        }
        for depth in s.depths
        for gain in s.gains
        for steps in s.steps
    ]


@exhibit.table(tolerance=0.1)
def steps_to_learn(s):
    return [
        {
            "gain": gain,
            "never": float((waits(s)["steps"][i] == 0).mean()),
            "steps": float(wait(s, gain, s.waiting_steps[-1]).mean()),
        }
        for i, gain in enumerate(s.small)
    ]
