"""This project's own claim: one start, `auto`, trains a network of any activation function at any depth.

Networks of {width} units a layer start from `auto`, which is `shift` for functions that are odd but for a
constant and `mirror` for all others, and from {others}, where `variance` is the variance that theory
recommends for the activation and depth. They learn MNIST by gradient descent in batches of {batch_size}. The
rate is that of {rates} which, with a seed of its own, classifies most of {held_out} held-out training images
after {choosing} steps. Then {seeds} other seeds train with it, and a combination of start, activation and
depth has trained if each of them classifies at least {success} of the test images, of which we take one in
{apart}.

The activations are the {count} of this package, and three made up for this page: `sine`, sin(u), which is
odd and not monotone; `root`, sign(u) (sqrt(1 + |u|) - 1), odd and flatter and flatter; and `wavy`,
max(u, 0) + sin(u) / 2, neither odd nor monotone. Those of the package start from `auto` at depths of
{auto_depths} layers, and from the others at {depths}; the made up ones from `auto` at {own_depths}.

The equations. `mirror` draws units in pairs with pre-activations u and -u, and the next layer takes the
difference of their activations, psi(u) = phi(u) - phi(-u). For relu, gelu, swish and softplus psi(u) = u, so
the untrained network is linear, and with orthogonal weights it keeps all lengths, angles and gradients. For
elu and selu psi is curved, and the pre-activations get the variance at which all layers together multiply
squared gradients by a small factor. For an odd function psi is twice phi, and pairs would never part. So
`shift` takes u = alpha x + beta, and the next layer receives phi(u) less its mean m. A layer then multiplies
squared gradients by alpha^2 E[phi'^2] / Var phi, which is set to the root zeta^(1 / L), L the depth. Of all
such alpha and beta it takes those with the smallest mean beside the spread. The scheme's documentation has
the constants.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from matplotlib.figure import Figure

from initlab import train, train_at_best_rate
from initlab.data.examples import examples_of
from initlab.diagnosis.cures import best_variance
from initlab.gallery import Exhibit
from initlab.init.structured import start_for
from initlab.nn.activations import ACTIVATIONS
from initlab.plotting.elements import headline
from initlab.plotting.style import plain

AUTO, VARIANCE = "auto", "variance"
exhibit = Exhibit(
    __file__,
    __doc__,
    title="One start for any activation and depth",
    question="verdict",
    finding="From one start, chosen by the activation alone, networks of any activation and of any depth up "
    "to fifty layers train; from the usual starts half do not.",
    source="this project's own claim",
    takes="90 minutes on one core",
    network={
        "width": 100,
        "auto_depths": (5, 10, 20, 30, 50),
        "depths": (30,),
        "own_depths": (10, 30),
        "shallow": (3,),
        "widths": (32,),
        "narrow_depth": 20,
    },
    starts={"others": ("he", "xavier", VARIANCE)},
    functions={
        "activations": tuple(ACTIVATIONS),
        "count": len(ACTIVATIONS),
        "own": ("sine", "root", "wavy"),
    },
    training={
        "steps": (125, 500),
        "long_steps": (500, 2000),
        "choosing": 250,
        "batch_size": 64,
        "rates": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
        "held_out": 2000,
        "apart": 5,
        "seeds": 3,
        "success": 0.85,
    },
    adam={"adam_rates": (0.0003, 0.001, 0.003), "adam_depth": 30, "adam_functions": ("relu", "softplus")},
    quick={
        "width": 20,
        "auto_depths": (3, 6),
        "depths": (3, 6),
        "own_depths": (3, 6),
        "shallow": (2,),
        "widths": (12,),
        "narrow_depth": 3,
        "others": ("he", VARIANCE),
        "activations": ("relu", "tanh", "sigmoid", "gelu", "elu"),
        "count": 5,
        "own": ("wavy",),
        "steps": (10, 40),
        "long_steps": (10, 40),
        "choosing": 20,
        "rates": (0.1, 0.3),
        "held_out": 300,
        "apart": 30,
        "adam_rates": (0.003,),
        "adam_depth": 3,
        "adam_functions": ("relu", "softplus"),
    },
)
OWN = {
    "sine": (np.sin, np.cos),
    "root": (
        lambda u: np.sign(u) * (np.sqrt(1 + np.abs(u)) - 1),
        lambda u: 0.5 / np.sqrt(1 + np.abs(u)),
    ),
    "wavy": (lambda u: np.maximum(u, 0) + np.sin(u) / 2, lambda u: (u > 0) + np.cos(u) / 2),
}


@contextmanager
def own_functions() -> Iterator[None]:
    """They are in the registry for a while, as those of a user's file would be."""
    for name, (phi, slope) in OWN.items():

        def function(z, out=None, phi=phi):
            return np.multiply(phi(z), z.dtype.type(1), out=out)

        ACTIVATIONS.register(
            name,
            derivative=lambda z, _a, slope=slope: slope(z).astype(z.dtype),
            bounds=(-np.inf, np.inf),
            steepest=1.5,
            formula=name,
            critical=None,
        )(function)
    try:
        yield
    finally:
        for name in OWN:
            del ACTIVATIONS[name]


@exhibit.kept
def accuracies(s, starts, activation, hidden, budgets, optimizer, rates):
    """On the test images, of each start (budgets, seeds); 0 where a network diverged; and its rate."""
    examples = examples_of("mnist")
    tested = examples.test_inputs[:: s.apart], examples.test_labels[:: s.apart]
    how = {"hidden": list(hidden), "activation": activation, "batch_size": s.batch_size}

    def track(networks):
        return [{"accuracy": float(accuracy)} for accuracy in networks.accuracy(*tested)]

    with own_functions():
        chosen = train_at_best_rate(
            list(starts),
            examples,
            rates=rates,
            optimizer=optimizer,
            steps=s.choosing,
            seeds=0,
            validation=s.held_out,
            **how,
        )
        numbers = {}
        for start, choice in zip(starts, chosen, strict=True):
            histories = train(
                start,
                examples,
                optimizer=f"{optimizer}(lr={choice.learning_rate!r})",
                steps=max(budgets),
                seeds=range(1, s.seeds + 1),
                track=track,
                track_every=min(budgets),
                **how,
            )
            numbers[start] = [
                [accuracy_after(history, budget) for history in histories] for budget in budgets
            ]
            numbers[f"rate of {start}"] = choice.learning_rate
    return numbers


def accuracy_after(history, step):
    """0 where the network had diverged by then."""
    entries = {entry["step"]: entry["accuracy"] for entry in history.tracked}
    return entries.get(step, 0.0)


@cache
def text_of(start, activation, depth):
    """The scheme; `variance` stands for another one for each activation and depth."""
    return str(best_variance(activation, depth).scheme) if start == VARIANCE else start


def reached(s, start, activation, depth, steps, width=None):
    """The accuracy after some steps of one start, (seeds,)."""
    starts = (AUTO,) if start == AUTO else tuple(text_of(other, activation, depth) for other in s.others)
    hidden = (width or s.width,) * depth
    # A start that stands twice among the others is trained once.
    numbers = accuracies(s, tuple(dict.fromkeys(starts)), activation, hidden, s.steps, "sgd", s.rates)
    return numbers[text_of(start, activation, depth)][s.steps.index(steps)]


def trained(s, start, steps, depths):
    """Of each combination of activation and depth, whether its worst seed classifies enough."""
    return np.array(
        [
            reached(s, start, activation, depth, steps).min() >= s.success
            for activation in s.activations
            for depth in depths
        ]
    )


ALMOST_ALL = {"low": 0.9, "reason": "almost all: at least 0.9", "unit": "combinations"}


@exhibit.claim(budgets="steps", quantity="the share of combinations that have trained", **ALMOST_ALL)
def auto_trains_everything(s, steps):
    """From `auto`, networks of every activation of this package train, at every depth up to 50 layers.

    The shorter budget shows who is quick: sigmoids and linear networks are not. The exception after the
    longer one is elu in the shallowest: the rate that suited the choosing seed best makes another diverge.
    """
    return trained(s, AUTO, steps, s.auto_depths)


@exhibit.claim(
    budgets="steps",
    quantity="test accuracy of networks of an activation made up for this page",
    low=0.85,
    reason="trained: at least 0.85",
    unit="networks",
)
def auto_trains_own_functions(s, steps):
    """From `auto`, networks train with functions that nobody had in mind when it was made."""
    return {
        name: np.concatenate([reached(s, AUTO, name, depth, steps) for depth in s.own_depths])
        for name in s.own
    }


@exhibit.claim(
    budgets="steps",
    quantity="the share of combinations that have trained",
    high=0.8,
    reason="not all: at most 0.8",
    unit="combinations",
)
def other_starts_do_not(s, steps):
    """No other start trains as many."""
    return {start: trained(s, start, steps, s.depths) for start in s.others}


SHALLOW = ("he", "xavier", VARIANCE)


@exhibit.claim(
    budgets="long_steps",
    quantity="mean test accuracy from `auto`, less that from the best of he, xavier and variance",
    low=-0.01,
    reason="not worse: by at most one image in a hundred",
    unit="combinations",
)
def auto_is_not_worse_when_shallow(s, steps):
    """In shallow networks, where the usual starts train, `auto` is as good as the best of them.

    All but selu are. There, the rate that suited the choosing seed best after {choosing} steps makes others
    diverge, from `auto` as from he.
    """
    return [
        means[AUTO] - max(mean for start, mean in means.items() if start != AUTO)
        for activation in s.activations
        for depth in s.shallow
        for means in [shallow(s, activation, depth, steps)]
    ]


def shallow(s, activation, depth, steps):
    """Mean accuracy by start."""
    starts = (AUTO, *dict.fromkeys(text_of(start, activation, depth) for start in SHALLOW))
    numbers = accuracies(s, starts, activation, (s.width,) * depth, s.long_steps, "sgd", s.rates)
    return {start: float(numbers[start][s.long_steps.index(steps)].mean()) for start in starts}


@exhibit.claim(
    budgets="steps",
    quantity="the share of activations whose networks have trained",
    low=0.9,
    reason="almost all: at least 0.9",
    unit="activations",
)
def auto_trains_narrow_networks(s, steps):
    """From `auto`, narrow networks train, too, here of {narrow_depth} layers."""
    return {
        f"width {width}": np.array(
            [
                reached(s, AUTO, activation, s.narrow_depth, steps, width).min() >= s.success
                for activation in s.activations
            ]
        )
        for width in s.widths
    }


def with_adam(s, start, activation, steps):
    """Accuracies, (seeds,)."""
    starts = (AUTO, "shift")
    hidden = (s.width,) * s.adam_depth
    numbers = accuracies(s, starts, activation, hidden, s.steps, "adam", s.adam_rates)
    return numbers[start][s.steps.index(steps)]


@exhibit.claim(
    budgets="steps",
    quantity="test accuracy with Adam, from `mirror` less that from `shift`",
    low=0.2,
    reason="far ahead: by at least 0.2",
    unit="networks",
    tried=("a probe at the rate 0.001 alone: 0.09 for relu and 0.28 for softplus from shift",),
)
def shift_does_not_suit_relu_under_adam(s, steps):
    """With Adam, networks of {adam_depth} layers of {adam_functions} need `mirror`: from `shift` they hardly
    train.

    At the best of these rates, relu falls far behind from `shift`, and softplus hardly.
    """
    return np.concatenate(
        [
            with_adam(s, AUTO, activation, steps) - with_adam(s, "shift", activation, steps)
            for activation in s.adam_functions
        ]
    )


def title(s):
    """What the figure says, counted."""
    steps, depths = s.steps[-1], " and ".join(map(str, s.depths))
    every, own = trained(s, AUTO, steps, s.auto_depths), trained(s, AUTO, steps, s.depths)
    best = max(int(trained(s, start, steps, s.depths).sum()) for start in s.others)
    return (
        f"auto trains {every.sum()} of {len(every)} networks; "
        f"at {depths} layers {own.sum()} of {len(own)}, the best other start {best}"
    )


@exhibit.figure(
    "Test accuracy after the longer training at the best rate, the lowest of {seeds} seeds, of networks of "
    "{width} units a layer. Crosses: less than {success}. The line in the colour bar is that limit."
)
def any_activation(s):
    starts = (AUTO, *s.others)
    figure = Figure(figsize=(2.0 + 1.55 * len(starts), 5.2))
    headline(figure, title(s))
    panels = figure.subplots(
        1, len(starts), sharey=True, squeeze=False, width_ratios=[2, *[1] * (len(starts) - 1)]
    )[0]
    for axes, start in zip(panels, starts, strict=True):
        depths = s.auto_depths if start == AUTO else s.depths
        image = draw_map(s, axes, start, depths)
    bar = figure.colorbar(image, ax=panels, label="test accuracy, lowest seed", shrink=0.8)
    bar.ax.axhline(s.success, color="black", linewidth=1)
    return figure


def draw_map(s, axes, start, depths):
    """One start: a row for each activation, a column for each depth."""
    lowest = np.array(
        [
            [reached(s, start, activation, depth, s.steps[-1]).min() for depth in depths]
            for activation in s.activations
        ]
    )
    for (y, x), accuracy in np.ndenumerate(lowest):
        if accuracy < s.success:
            color = "white" if accuracy < 0.6 else "black"
            axes.text(x, y, "\u00d7", color=color, ha="center", va="center", fontsize=10)
    axes.set_xticks(range(len(depths)), map(str, depths))
    axes.set_yticks(range(len(s.activations)), [plain(name) for name in s.activations])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set(title=plain(start), xlabel="hidden layers")
    return axes.imshow(lowest, cmap="cividis", vmin=0, vmax=1, aspect="auto")


@exhibit.table(tolerance=0.1)
def accuracies_by_start(s):
    rows = [
        (start, activation, depth, steps)
        for start in (AUTO, *s.others)
        for activation in s.activations
        for depth in (s.auto_depths if start == AUTO else s.depths)
        for steps in s.steps
    ]
    rows += [(AUTO, name, depth, steps) for name in s.own for depth in s.own_depths for steps in s.steps]
    return [
        {"start": start, "scheme": text_of(start, activation, depth), "activation": activation}
        | {"depth": depth, "steps": steps, "lowest": float(values.min()), "mean": float(values.mean())}
        for start, activation, depth, steps in rows
        for values in [reached(s, start, activation, depth, steps)]
    ]


@exhibit.table(tolerance=0.1)
def shallow_networks(s):
    return [
        {"activation": activation, "depth": depth, "steps": steps, "start": start, "mean": mean}
        for activation in s.activations
        for depth in s.shallow
        for steps in s.long_steps
        for start, mean in shallow(s, activation, depth, steps).items()
    ]


@exhibit.table()
def chosen_starts(s):
    with own_functions():
        return [{"activation": name, "auto": start_for(name)} for name in (*s.activations, *s.own)]
