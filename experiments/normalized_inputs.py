"""Normalized inputs, and weights from 0 to 1: what Chinese, German and Russian texts say before any rule.

The Chinese question lists normalized data first among the remedies for networks that are hard to train. The
German answer and the Russian notes need them: the law Var y = n Var(w) Var(x) holds for means of 0. Networks
of {depth} layers of {width} units learn MNIST from raw pixels (0 to 255), pixels / 255, normalized pixels
(mean 0, variance 1 over all pixels), and pixels normalized one by one (per pixel): {seeds} seeds, batches of
{batch_size}, each with the rate of {rates} whose mean loss of {rate_seeds} seeds on {held_out} held-out
training images is lowest after the most steps. The law is measured over {samples} inputs and {units} units
for each of {networks} seeds. The Russian notes also warn of weights from the interval 0 to 1 (the text has
lost its end, and we read it so), and say that in hard cases the start decides whether a network converges at
all: ReLU networks of {deep} and of {shallow} layers of {narrow}, {pairs} seeds, batches of {small_batch},
each at the best rate of {few_rates}.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, measure_layers, open_dataset, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline, label_ends, mean_and_range
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Normalized inputs, and weights from 0 to 1",
    question="remedy",
    finding="Raw pixels are the hardest to learn from, at the best rate too; weights from 0 to 1 make all "
    "units alike, and hardly anything is learnt.",
    network={"depth": 3, "width": 100},
    training={
        "steps": (200, 1000),
        "batch_size": 50,
        "seeds": 5,
        "rate_seeds": 2,
        "held_out": 2000,
        "last": 50,
        "span": 20,
    },
    rates={"rates": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)},
    untrained={"samples": 1000, "units": 1000, "networks": 20},
    decided={
        "deep": 10,
        "shallow": 2,
        "narrow": 30,
        "long_steps": (500, 1500),
        "small_batch": 32,
        "pairs": 40,
    },
    few={"few_rates": (0.1, 0.3), "converged": 1.0},
    quick={
        "steps": (20, 60),
        "long_steps": (10, 30),
        "pairs": 20,
        "networks": 5,
        "last": 10,
        "span": 10,
        "held_out": 500,
        "rates": (0.003, 0.03, 0.3),
        "units": 200,
        "samples": 300,
    },
)
CHINESE = "Chinese question on the initialization of deep networks, its list of remedies"
RUSSIAN = "Russian notes on the initialization of weights"
INPUTS = {"raw": "raw", "unit": "/ 255", "standardized": "normalized", "per_pixel": "per pixel"}
STARTS = {"relu": "he", "tanh": "xavier"}
POSITIVE, CENTRED = "uniform(bound=0.5, mean=0.5)", "uniform(bound=0.5)"


def images(inputs):
    """Images of MNIST without the test set, which is not needed."""
    examples = prepared_examples(open_dataset("mnist"), inputs)
    return replace(examples, test_inputs=examples.test_inputs[:0], test_labels=examples.test_labels[:0])


def best(s, starts, inputs, budgets, **how):
    """Losses of each start at its best rate, (seeds, steps); 10 after a network has diverged."""
    held_out = {"validation": s.held_out, "by": "loss", "choosing": {"seeds": range(s.rate_seeds)}}
    histories = train_at_best_rate(starts, images(inputs), steps=max(budgets), **held_out, **how)
    return {start: np.nan_to_num(histories.of(start).losses, nan=10.0) for start in starts}


@exhibit.kept
def curves(s, activation, inputs):
    """Losses from the start that suits the activation, and from weights from 0 to 1, (seeds, steps)."""
    how = {"hidden": [s.width] * s.depth, "activation": activation, "rates": s.rates}
    starts = [STARTS[activation], POSITIVE] if inputs == "standardized" else [STARTS[activation]]
    return best(s, starts, inputs, s.steps, batch_size=s.batch_size, seeds=range(s.seeds), **how)


def final(s, activation, inputs, steps, start=None):
    """Of each seed."""
    losses = curves(s, activation, inputs)[start or STARTS[activation]]
    return losses[:, steps - s.last : steps].mean(axis=1)


@exhibit.claim(CHINESE, budgets="steps", low=0.0, reason="easier: a lower loss at the best rate")
def scaling_helps(s, steps):
    """Networks are easier to train on normalized data: on pixels / 255 than on pixels from 0 to 255.

    Measured: mean training loss of the last {last} steps on raw pixels, less that on pixels / 255, in nats.

    With first weights 255 times as small, raw pixels would give the same signals, but not the same training:
    gradients on the first weights are 255 times as large, and force a small rate on all layers.
    """
    return {name: final(s, name, "raw", steps) - final(s, name, "unit", steps) for name in STARTS}


@exhibit.claim(CHINESE, budgets="steps", low=0.0, reason="easier: a lower loss at the best rate")
def centring_helps(s, steps):
    """Networks are easier to train on inputs of mean 0 and variance 1 than on pixels / 255.

    Measured: mean training loss of the last {last} steps on pixels / 255, less that on normalized ones, in
    nats.

    Here it adds little to what the scale has done.
    """
    return {
        f"{name}, {INPUTS[inputs]}": final(s, name, "unit", steps) - final(s, name, inputs, steps)
        for name in STARTS
        for inputs in ("standardized", "per_pixel")
    }


def law_ratio(s, inputs, scheme):
    """Var y over n Var(w) Var(x), of each seed."""
    return np.array([one_ratio(s, inputs_of(s, inputs, seed), scheme, seed) for seed in range(s.networks)])


def one_ratio(s, x, scheme, seed):
    w = initialize([x.shape[1], s.units, 1], [scheme], seed, "identity", "float64").weights[0][0]
    return (x @ w).var() / (len(w) * w.var() * x.var())


def inputs_of(s, inputs, seed):
    """Images of MNIST, or numbers from N(0, 1)."""
    rng = stream(seed, Purpose.INPUTS)
    if inputs == "N(0, 1)":
        return rng.standard_normal((s.samples, s.width))
    images = prepared_examples(open_dataset("mnist"), inputs, "float64").train_inputs
    return images[rng.integers(len(images), size=s.samples)]


LAW = "Var y over n Var(w) Var(x), over inputs and units"


@exhibit.claim(
    f"{RUSSIAN}, on random numbers; German answer on initial weights near 0",
    quantity=LAW,
    low=0.95,
    high=1.05,
    reason="equal: within 5 %",
    is_identity=True,
)
def law_of_normalized(s):
    """With normalized inputs and weights of mean 0, Var y = n Var(w) Var(x).

    With weights of mean 0 pixels need not be independent of each other, nor have one variance each.
    """
    cases = {
        "N(0, 1)": "N(0, 1)",
        "standardized": "MNIST, normalized",
        "per_pixel": "MNIST, normalized per pixel",
    }
    return {name: law_ratio(s, inputs, CENTRED) for inputs, name in cases.items()}


@exhibit.claim(
    f"{RUSSIAN}, on random numbers",
    quantity=LAW,
    low=1.05,
    reason="not equal: more than 5 % larger",
    is_identity=True,
)
def law_of_others(s):
    """Without normalized inputs, or with weights of another mean, the variance is larger than that.

    Of independent numbers the variance is n (Var(w) Var(x) + Var(w) E[x]^2 + E[w]^2 Var(x)). MNIST is mostly
    black, so that its mean adds little. A mean of the weights adds up what neighbouring pixels share.
    """
    return {
        "pixels / 255": law_ratio(s, "unit", CENTRED),
        "N(0, 1), weights from 0 to 1": law_ratio(s, "N(0, 1)", POSITIVE),
        "MNIST of mean 0, weights from 0 to 1": law_ratio(s, "standardized", POSITIVE),
    }


@lru_cache
def positive_layers(s, activation):
    """The hidden layers of each network with weights from 0 to 1, shown pixels / 255."""
    sizes = [784, *[s.width] * s.depth, 10]
    return [
        measure_layers(
            initialize(sizes, [POSITIVE], seed, activation, "float64"), inputs_of(s, "unit", seed)
        )[0]
        for seed in range(s.networks)
    ]


def alike(layer):
    """The mean correlation between the pre-activations of two units, over inputs."""
    correlations = np.corrcoef(layer.pre_activations, rowvar=False)
    return correlations[~np.eye(len(correlations), dtype=bool)].mean()


BAD = f"{RUSSIAN}, introduction; what is bad about it is our explanation"


@exhibit.claim(BAD, low=0.9, reason="alike: a correlation of at least 0.9")
def positive_units_alike(s):
    """With weights from 0 to 1 all units of a ReLU layer do nearly the same.

    Measured: the mean correlation between the pre-activations of two units, over inputs.

    Every unit sums up its inputs: the common sum outweighs what distinguishes the units.
    """
    networks = positive_layers(s, "relu")
    return {
        f"in the {name} layer": [alike(own[i]) for own in networks]
        for name, i in (("first", 0), ("last", -1))
    }


@exhibit.claim(BAD, low=10, reason="explode: tenfold in every layer", is_ratio=True)
def positive_explodes(s):
    """With weights from 0 to 1 signals explode in ReLU networks.

    Measured: the factor of the pre-activations' mean square from one layer to the next, the geometric mean.

    Theory: (n / 2)^2 for n units of equal outputs.
    """
    networks = positive_layers(s, "relu")
    return [(own[-1].length / own[0].length) ** (1 / (s.depth - 1)) for own in networks]


@exhibit.claim(BAD, low=0.9, reason="saturated: nine in ten")
def positive_saturates(s):
    """With weights from 0 to 1 the units of tanh and sigmoid networks are saturated.

    Measured: the fraction of units and inputs with a slope below a twentieth of the steepest, in the layer
    where it is smallest.
    """
    return {
        name: [min(layer.saturated for layer in own) for own in positive_layers(s, name)]
        for name in ("tanh", "sigmoid")
    }


@exhibit.claim(
    f"{RUSSIAN}, introduction",
    budgets="steps",
    low=0.0,
    reason="not the best: a higher loss",
    tried=("300 steps at rates from 1e-14 to 0.1, one seed: no network with ReLU, tanh or sigmoid learns",),
)
def positive_is_not_best(s, steps):
    """Weights from 0 to 1 are not the best choice.

    Measured: mean training loss of the last {last} steps from weights from 0 to 1, less that from He's
    (ReLU) or Xavier's (tanh), on pixels of mean 0 and variance 1, in nats.
    """
    return {
        name: final(s, name, "standardized", steps, POSITIVE) - final(s, name, "standardized", steps)
        for name in STARTS
    }


@exhibit.kept
def good_and_small(s, depth):
    """The losses from He's weights and from std=0.01, (seeds, steps)."""
    how = {"hidden": [s.narrow] * depth, "rates": s.few_rates, "batch_size": s.small_batch}
    return best(s, ["he", "std=0.01"], "unit", s.long_steps, seeds=range(s.pairs), **how)


def ends(s, depth, steps):
    """The final loss from He's weights and from std=0.01, (seeds,)."""
    losses = good_and_small(s, depth)
    return {start: own[:, steps - s.last : steps].mean(axis=1) for start, own in losses.items()}


@exhibit.claim(
    f"{RUSSIAN}, introduction",
    budgets="long_steps",
    low=0.75,
    reason="decides: in three quarters of the pairs",
    unit="pairs",
)
def start_decides_when_deep(s, steps):
    """In a hard case the start decides whether the network converges at all.

    Measured: the proportion of seeds with which a network of {deep} layers converges (a loss of at most
    {converged}) from He's weights, and does not from std=0.01.
    """
    losses = ends(s, s.deep, steps)
    return (losses["he"] <= s.converged) & (losses["std=0.01"] > s.converged)


@exhibit.claim(
    f"{RUSSIAN}, introduction",
    budgets="long_steps",
    low=1.25,
    reason="considerable: a loss at least a quarter higher",
    is_ratio=True,
)
def start_matters_when_shallow(s, steps):
    """Even where a network converges from any start, a good one can make a considerable difference.

    Measured: final loss from std=0.01 over that from He's weights, {shallow} layers.
    """
    losses = ends(s, s.shallow, steps)
    return losses["std=0.01"] / losses["he"]


LOOKS = (
    Look("#000000", "X", ":"),
    Look("#0072B2", "o", "-"),
    Look("#D55E00", "D", "--"),
    Look("#009E73", "s", "-."),
)


@exhibit.figure(
    "Each at its best rate. Lines: the mean of {seeds} seeds, averaged over {span} steps. Bands: from the "
    "smallest to the largest."
)
def loss(s):
    figure = Figure(figsize=(9.6, 3.6))
    headline(figure, "Raw pixels are hard to learn from, at the best rate too")
    steps = max(s.steps)
    for axes, activation in zip(figure.subplots(1, 2, sharey=True), STARTS, strict=True):
        for (inputs, name), look in zip(INPUTS.items(), LOOKS, strict=True):
            values = curves(s, activation, inputs)[STARTS[activation]]
            means = values.reshape(len(values), -1, s.span).mean(axis=2)
            mean_and_range(axes, np.arange(s.span, steps + 1, s.span), means, look, name)
        axes.set(xlabel="training step", yscale="log", title=f"{activation}, {s.depth} layers")
        label_ends(axes)
    figure.axes[0].set_ylabel("training loss (nats)")
    return figure


@exhibit.table(tolerance=0.05)
def final_losses(s):
    return [
        {"activation": activation, "inputs": inputs, "steps": steps, "start": start}
        | {"loss": float(values[:, steps - s.last : steps].mean())}
        for activation in STARTS
        for inputs in INPUTS
        for steps in s.steps
        for start, values in curves(s, activation, inputs).items()
    ]
