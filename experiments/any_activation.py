"""This project's own claim: one start, `auto`, trains a network of any activation function at any depth.

Networks of {width} units a layer start from `auto`, which is `shift` for functions that are odd but for a
constant and `mirror` for all others, and from {others}. Of these, `variance` is the variance that theory
recommends for the activation and depth, `nn.Linear` PyTorch's default with its biases, and `AnyInit` what
version 0.4.0 of that package draws, whose variances are in `experiments/peers/anyinit.csv`; it sees neither
erf nor the identity. The networks learn MNIST by gradient descent in batches of {batch_size}. The rate is
that of {rates} which, with a seed of its own, classifies most of {held_out} held-out training images after
{choosing} steps. Then {seeds} other seeds train with it, and a combination of start, activation and depth has
trained if each of them classifies at least {success} of the test images, of which we take one in {apart}.

The activations are the {count} of this package, and three made up for this page: `sine`, sin(u), which is
odd and not monotone; `root`, sign(u) (sqrt(1 + |u|) - 1), odd and flatter and flatter; and `wavy`,
max(u, 0) + sin(u) / 2, neither odd nor monotone. Those of the package start from `auto` at depths of
{auto_depths} layers, and of {deepest}; from the others at {depths}; the made up ones from `auto` at
{own_depths}. From `auto` and from {rivals}, which no other start surpasses at {rival_depth} layers, networks
of {other_depth} layers of {widths} units train, too; and those of {rival_depth} layers for {long_steps}
steps at the rate chosen before, without the held-out images.

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

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from initlab import Scheme, train, train_at_best_rate
from initlab.data.examples import examples_of
from initlab.diagnosis.cures import best_variance
from initlab.gallery import Exhibit
from initlab.init.per_layer import Initialization
from initlab.init.structured import start_for
from initlab.nn.activations import ACTIVATIONS
from initlab.plotting.elements import headline
from initlab.plotting.style import plain

AUTO, VARIANCE, LINEAR, ANYINIT = "auto", "variance", "nn.Linear", "AnyInit"
exhibit = Exhibit(
    __file__,
    __doc__,
    title="One start for any activation and depth",
    question="verdict",
    finding="From one start, chosen by the activation alone, networks of any activation and of any depth up "
    "to a hundred layers train; from the usual starts at least half do not.",
    source="this project's own claim",
    takes="four hours on one core",
    network={
        "width": 100,
        "auto_depths": (5, 10, 20, 30, 50),
        "deepest": 100,
        "depths": (10, 30),
        "own_depths": (10, 30),
        "shallow": (3,),
        "widths": (32, 256),
        "other_depth": 20,
    },
    starts={
        "others": ("he", "xavier", VARIANCE, "orthogonal", "lsuv", LINEAR, ANYINIT),
        "rivals": ("xavier", "orthogonal"),
        "rival_depth": 30,
    },
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
        "deep_success": 0.8,
    },
    adam={"adam_rates": (0.0003, 0.001, 0.003), "adam_depth": 30, "adam_functions": ("relu", "softplus")},
    quick={
        "width": 20,
        "auto_depths": (3, 6),
        "deepest": 10,
        "depths": (3, 6),
        "own_depths": (3, 6),
        "shallow": (2,),
        "widths": (12,),
        "other_depth": 3,
        "others": ("he", VARIANCE, LINEAR, ANYINIT),
        "rivals": ("he",),
        "rival_depth": 6,
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


def start_of(name, activation, depth):
    """The scheme, or schemes, for which a name on this page stands."""
    if name == VARIANCE:
        return Initialization(best_variance(activation, depth).scheme)
    if name == LINEAR:
        return Initialization(Scheme("classic"), bias=Scheme("classic"))
    return from_anyinit(activation) if name == ANYINIT else Initialization.of(name)


@cache
def from_anyinit(activation):
    """Normal weights of its variances."""
    with (Path(__file__).parent / "peers" / "anyinit.csv").open(encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["activation"] == activation)
    first, hidden, last = (
        Scheme("variance_scaling", {"scale": float(row[place])}) for place in ("first", "hidden", "last")
    )
    return Initialization(hidden, first=first, last=last)


@exhibit.kept
def accuracies(s, start, activation, hidden, budgets, optimizer, rates):
    """On the test images, (budgets, seeds), 0 where a network diverged; and the rate that was chosen."""
    choosing = {"steps": s.choosing, "seeds": 0, "track": None, "track_every": None}
    return measured(s, start, activation, hidden, budgets, optimizer, rates, choosing=choosing)


@exhibit.kept
def shallow_accuracies(s, start, activation, hidden, budgets, rates):
    """The same at the rate that is best for these seeds after the shorter training."""
    choosing = {"steps": min(budgets), "track": None, "track_every": None}
    return measured(s, start, activation, hidden, budgets, "sgd", rates, choosing=choosing)


def measured(s, start, activation, hidden, budgets, optimizer, rates, choosing):
    examples = examples_of("mnist")
    tested = examples.test_inputs[:: s.apart], examples.test_labels[:: s.apart]

    def track(networks):
        return [{"accuracy": float(accuracy)} for accuracy in networks.accuracy(*tested)]

    with own_functions():
        histories = train_at_best_rate(
            start,
            examples,
            rates=rates,
            optimizer=optimizer,
            steps=max(budgets),
            seeds=range(1, s.seeds + 1),
            validation=s.held_out,
            hidden=list(hidden),
            activation=activation,
            batch_size=s.batch_size,
            track=track,
            track_every=min(budgets),
            choosing=choosing,
        )
    after = [[accuracy_after(history, budget) for history in histories] for budget in budgets]
    return {"accuracies": after, "rate": histories[0].learning_rate}


@exhibit.kept
def longer_accuracies(s, start, activation, hidden, rate):
    """After each of the longer budgets, (budgets, seeds), at the rate chosen for the shorter ones."""
    examples = examples_of("mnist")
    tested = examples.test_inputs[:: s.apart], examples.test_labels[:: s.apart]

    def track(networks):
        return [{"accuracy": float(accuracy)} for accuracy in networks.accuracy(*tested)]

    histories = train(
        start,
        examples,
        optimizer=f"sgd(lr={rate!r})",
        steps=max(s.long_steps),
        validation=s.held_out,
        seeds=range(1, s.seeds + 1),
        hidden=list(hidden),
        activation=activation,
        batch_size=s.batch_size,
        track=track,
        track_every=min(s.long_steps),
    )
    return {
        "accuracies": [[accuracy_after(history, steps) for history in histories] for steps in s.long_steps]
    }


def accuracy_after(history, step):
    """0 where the network had diverged by then."""
    entries = {entry["step"]: entry["accuracy"] for entry in history.tracked}
    return entries.get(step, 0.0)


def reached(s, start, activation, depth, steps, width=None):
    """The accuracy after some steps of one start, (seeds,)."""
    hidden = (width or s.width,) * depth
    scheme = start_of(start, activation, depth)
    numbers = accuracies(s, scheme, activation, hidden, s.steps, "sgd", s.rates)
    return numbers["accuracies"][s.steps.index(steps)]


def reached_later(s, start, activation, depth, steps):
    """The same after one of the longer budgets, (seeds,)."""
    scheme, hidden = start_of(start, activation, depth), (s.width,) * depth
    rate = float(accuracies(s, scheme, activation, hidden, s.steps, "sgd", s.rates)["rate"])
    numbers = longer_accuracies(s, scheme, activation, hidden, rate)
    return numbers["accuracies"][s.long_steps.index(steps)]


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
    quantity="the lowest test accuracy of the seeds",
    low=0.8,
    reason="trained: at least {deep_success}",
    unit="activations",
)
def auto_trains_very_deep_networks(s, steps):
    """From `auto`, networks of {deepest} layers train."""
    return [reached(s, AUTO, activation, s.deepest, steps).min() for activation in s.activations]


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


NOT_ALL = {
    "quantity": "the share of activations whose networks have trained",
    "high": 0.8,
    "reason": "not all: at most 0.8",
    "unit": "activations",
}


@exhibit.claim(budgets="steps", **NOT_ALL)
def other_starts_do_not(s, steps):
    """No other start trains as many deep networks."""
    depth = max(s.depths)
    return {f"{start} at {depth} layers": trained(s, start, steps, [depth]) for start in s.others}


@exhibit.claim(
    budgets="steps",
    quantity="the share of activations whose networks have trained, from `auto` less from another start",
    low=0.0,
    reason="more: a difference above 0",
    unit="activations",
)
def auto_is_ahead_at_medium_depth(s, steps):
    """At medium depth, too, `auto` trains more networks than any other start."""
    depth = min(s.depths)
    own = trained(s, AUTO, steps, [depth]).astype(float)
    return {f"{start} at {depth} layers": own - trained(s, start, steps, [depth]) for start in s.others}


@exhibit.claim(budgets="long_steps", **NOT_ALL)
def longer_training_does_not_replace_the_start(s, steps):
    """Trained longer, the best of the other starts leave many networks of {rival_depth} layers untrained."""
    return {start: trained_later(s, start, steps) for start in s.rivals}


def trained_later(s, start, steps):
    """For each activation."""
    lowest = [reached_later(s, start, name, s.rival_depth, steps).min() for name in s.activations]
    return np.array(lowest) >= s.success


@exhibit.claim(
    budgets="long_steps",
    quantity="the share of activations whose networks have trained",
    low=0.9,
    reason="almost all: at least 0.9",
    unit="activations",
)
def auto_trains_for_longer(s, steps):
    """From `auto`, networks of {rival_depth} layers train for longer, too.

    The exception is relu, of which one seed diverges early, at the rate that suited the choosing seed.
    """
    return trained_later(s, AUTO, steps)


SHALLOW = ("he", "xavier", VARIANCE)


@exhibit.claim(
    budgets="long_steps",
    low=-0.01,
    reason="not worse: by at most one image in a hundred",
    unit="combinations",
    tried=("the rate of the choosing seed alone: undecided, for with selu it made other seeds diverge",),
)
def auto_is_not_worse_when_shallow(s, steps):
    """In shallow networks, where the usual starts train, `auto` is as good as the best of them.

    Measured: mean test accuracy from `auto`, less that from the best of he, xavier and variance, in networks
    of {shallow} layers; here the rate is the best for all seeds after the shorter training.
    """
    return [
        means[AUTO] - max(mean for start, mean in means.items() if start != AUTO)
        for activation in s.activations
        for depth in s.shallow
        for means in [shallow(s, activation, depth, steps)]
    ]


def shallow(s, activation, depth, steps):
    """Mean accuracy by start."""
    numbers = {
        start: shallow_accuracies(
            s, start_of(start, activation, depth), activation, (s.width,) * depth, s.long_steps, s.rates
        )
        for start in (AUTO, *SHALLOW)
    }
    row = s.long_steps.index(steps)
    return {start: float(each["accuracies"][row].mean()) for start, each in numbers.items()}


@exhibit.claim(
    budgets="steps",
    quantity="the share of activations whose networks have trained",
    low=0.9,
    reason="almost all: at least 0.9",
    unit="activations",
)
def auto_trains_other_widths(s, steps):
    """From `auto`, narrower and wider networks train, too, here of {other_depth} layers."""
    return {f"width {width}": trained_at_width(s, AUTO, steps, width) for width in s.widths}


def trained_at_width(s, start, steps, width):
    """For each activation."""
    lowest = [reached(s, start, name, s.other_depth, steps, width).min() for name in s.activations]
    return np.array(lowest) >= s.success


@exhibit.claim(budgets="steps", **NOT_ALL)
def width_does_not_replace_the_start(s, steps):
    """From the best of the other starts, many of those narrow and wide networks do not train."""
    return {
        f"{start} at width {width}": trained_at_width(s, start, steps, width)
        for start in s.rivals
        for width in s.widths
    }


def with_adam(s, start, activation, steps):
    """Accuracies, (seeds,)."""
    hidden = (s.width,) * s.adam_depth
    scheme = Initialization.of(start)
    numbers = accuracies(s, scheme, activation, hidden, s.steps, "adam", s.adam_rates)
    return numbers["accuracies"][s.steps.index(steps)]


@exhibit.claim(
    budgets="steps",
    quantity="test accuracy with Adam, from `mirror` less that from `shift`",
    low=0.2,
    reason="far ahead: by at least 0.2",
    unit="networks",
    otherwise="With Adam, networks of {adam_depth} layers of {adam_functions} train from `shift` almost as "
    "well as from `mirror`",
    tried=(
        "a probe at the rate 0.001 alone: 0.09 for relu and 0.28 for softplus from shift",
        "shift without a search for the bias of relu, by mistake: 0.72 to 0.77, and confirmed",
    ),
)
def shift_does_not_suit_relu_under_adam(s, steps):
    """With Adam, networks of {adam_depth} layers of {adam_functions} need `mirror`: from `shift` they hardly
    train.

    At the best of these rates they train from `shift`, too, only a little worse.
    """
    return np.concatenate(
        [
            with_adam(s, AUTO, activation, steps) - with_adam(s, "shift", activation, steps)
            for activation in s.adam_functions
        ]
    )


def title(s):
    """What the figure says, counted."""
    steps, depth = s.steps[-1], s.depths[-1]
    every, own = trained(s, AUTO, steps, s.auto_depths), trained(s, AUTO, steps, [depth])
    best = max(int(trained(s, start, steps, [depth]).sum()) for start in s.others)
    return (
        f"Up to {s.auto_depths[-1]} layers, auto trains {every.sum()} of {len(every)} networks; "
        f"at {depth} layers {own.sum()} of {len(own)}, the best other start {best}"
    )


def shown_depths(s, start):
    return (*s.auto_depths, s.deepest) if start == AUTO else s.depths


@exhibit.figure(
    "Test accuracy after the longer training at the best rate, the lowest of {seeds} seeds, of networks of "
    "{width} units a layer, by start and hidden layers. Crosses: less than {success}, the line in the colour "
    "bar."
)
def any_activation(s):
    columns = {
        AUTO: [(AUTO, depth) for depth in shown_depths(s, AUTO)],
        "other starts": [(start, depth) for start in s.others for depth in s.depths],
    }
    figure = Figure(figsize=(2.6 + 0.42 * sum(map(len, columns.values())), 5.4))
    headline(figure, title(s))
    widths = [len(own) for own in columns.values()]
    panels = figure.subplots(1, 2, sharey=True, squeeze=False, width_ratios=widths)[0]
    for axes, (name, own) in zip(panels, columns.items(), strict=True):
        image = draw_map(s, axes, own)
        axes.set(title=name)
    panels[0].set_xticks(range(widths[0]), [str(depth) for _, depth in columns[AUTO]])
    panels[0].set_xlabel("hidden layers")
    names = [f"{start}, {depth}" for start, depth in columns["other starts"]]
    panels[1].set_xticks(range(widths[1]), names, rotation=45, ha="right", rotation_mode="anchor")
    bar = figure.colorbar(image, ax=panels, label="test accuracy, lowest seed", shrink=0.8)
    bar.ax.axhline(s.success, color="black", linewidth=1)
    return figure


def draw_map(s, axes, columns):
    """A row for each activation, a column for each start and depth."""
    lowest = np.array(
        [
            [reached(s, start, activation, depth, s.steps[-1]).min() for start, depth in columns]
            for activation in s.activations
        ]
    )
    for (y, x), accuracy in np.ndenumerate(lowest):
        if accuracy < s.success:
            color = "white" if accuracy < 0.6 else "black"
            axes.text(x, y, "\u00d7", color=color, ha="center", va="center", fontsize=10)
    axes.set_yticks(range(len(s.activations)), [plain(name) for name in s.activations])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return axes.imshow(lowest, cmap="cividis", vmin=0, vmax=1, aspect="auto")


@exhibit.table(tolerance=0.1)
def accuracies_by_start(s):
    cells = [
        (start, activation, depth, s.width)
        for start in (AUTO, *s.others)
        for activation in s.activations
        for depth in shown_depths(s, start)
    ]
    cells += [(AUTO, name, depth, s.width) for name in s.own for depth in s.own_depths]
    cells += [
        (start, name, s.other_depth, width)
        for start in (AUTO, *s.rivals)
        for width in s.widths
        for name in s.activations
    ]
    return [
        {"start": start, "scheme": str(start_of(start, activation, depth)), "activation": activation}
        | {"depth": depth, "width": width, "steps": steps}
        | {"lowest": float(values.min()), "mean": float(values.mean())}
        for start, activation, depth, width in cells
        for steps in s.steps
        for values in [reached(s, start, activation, depth, steps, width)]
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


@exhibit.table(tolerance=0.1)
def longer_training(s):
    return [
        {"start": start, "activation": name, "depth": depth, "steps": steps, "lowest": float(values.min())}
        for depth in [s.rival_depth]
        for start in (AUTO, *s.rivals)
        for name in s.activations
        for steps in s.long_steps
        for values in [reached_later(s, start, name, depth, steps)]
    ]


@exhibit.table()
def chosen_starts(s):
    with own_functions():
        return [{"activation": name, "auto": start_for(name)} for name in (*s.activations, *s.own)]
