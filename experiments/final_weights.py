"""Where weights end: half of them positive, their mean near 0, and how far they moved.

Two texts argue about the start from the end. The Italian article explains zero weights by the assumption that
half of the final weights are positive and half negative. The German answer expects their mean near 0, given
normalized data; a positive weight has a longer way to go where it should be negative; so begin near 0. Here
ReLU networks of {depth} layers of {width} units learn MNIST, {steps} steps, batches of {batch_size}, {seeds}
seeds, from He's and Xavier's weights and from std=0.01, each at the rate of {rates} that ends with the lowest
loss on {held_out} held-out training images. Inputs are pixels / 255 or, where the claim needs normalized
data, pixels of mean 0 and variance 1. Weights, without biases, are compared with their own start, by layer.
"""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from initlab import open_dataset, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Where the weights end",
    question="symmetry",
    finding="Weights end near where they began, except small ones, which move farthest and often "
    "change sign; about half end positive.",
    network={"depth": 2, "width": 100, "shown_layer": 2, "shown_every": 5},
    training={"steps": (600, 2400), "batch_size": 50, "rates": (0.03, 0.1, 0.3), "held_out": 2000},
    measuring={"seeds": 5, "last": 50},
    quick={"steps": (50, 150), "held_out": 200, "last": 10, "rates": (0.1, 0.3)},
)
STARTS = {"he": "He", "xavier": "Xavier", "std=0.01": "std=0.01"}
NORMALIZED = "standardized"
GERMAN = "German answer on initial weights near 0, second paragraph"


def mnist(inputs):
    """Without the test set, which is not needed."""
    examples = prepared_examples(open_dataset("mnist"), inputs)
    return replace(examples, test_inputs=examples.test_inputs[:0], test_labels=examples.test_labels[:0])


def copies(networks):
    """The weights of each network, layer by layer."""
    return [{"weights": [W[i].copy() for W in networks.weights]} for i in range(networks.networks)]


@exhibit.kept
def trained(s, start, inputs, steps):
    """Numbers of each layer, (seeds, layers), final losses, and one layer's weights of one network."""
    histories = train_at_best_rate(
        [start],
        mnist(inputs),
        hidden=[s.width] * s.depth,
        steps=steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        track=copies,
        track_every=steps,
    )
    ways = [[entry["weights"] for entry in history.tracked] for history in histories]
    numbers = [[of_layer(*layer) for layer in zip(*way, strict=True)] for way in ways]
    before, after = (weights[s.shown_layer - 1] for weights in ways[0])
    return {name: [[layer[name] for layer in own] for own in numbers] for name in numbers[0][0]} | {
        "loss": histories.losses[:, -s.last :].mean(axis=1),
        "before": before,
        "after": after,
    }


def of_layer(before, after):
    """Numbers of its weights at the start and at the end."""
    changed, moved = (before > 0) != (after > 0), np.abs(after - before)
    return {
        "positive": (after > 0).mean(),
        "mean_over_std": after.mean() / after.std(),
        "changed": changed.mean(),
        "moved_if_changed": moved[changed].mean() if changed.any() else np.nan,
        "moved_if_kept": moved[~changed].mean(),
        "square_moved": (moved.astype(float) ** 2).sum(),
        "square_before": (before.astype(float) ** 2).sum(),
    }


def farthest(values, middle):
    """Of each seed, the value of the layer that is farthest from the middle."""
    return np.take_along_axis(values, np.abs(values - middle).argmax(axis=1)[:, None], axis=1)[:, 0]


@exhibit.claim(
    "Semih Gülüm, Inizializzazione dei pesi, section 1",
    budgets="steps",
    low=0.45,
    high=0.55,
    reason="half: within a tenth of it",
)
def half_are_positive(s, steps):
    """Half of the final weights are positive, half are negative.

    Measured: the fraction of positive weights in the layer where it is farthest from a half, on pixels / 255.

    So they were at the start. It does not follow that 0 is a good start.
    """
    return {
        f"from {name}": farthest(trained(s, start, "unit", steps)["positive"], 0.5)
        for start, name in STARTS.items()
    }


@exhibit.claim(
    GERMAN, budgets="steps", low=-0.1, high=0.1, reason="near 0: within a tenth of a standard deviation"
)
def mean_is_near_zero(s, steps):
    """Given normalized data, the mean of the weights is 0 or near it.

    Measured: the mean of a layer's final weights over their standard deviation, in the layer where it is
    farthest from 0, on pixels of mean 0 and variance 1.
    """
    return {
        f"from {name}": farthest(trained(s, start, NORMALIZED, steps)["mean_over_std"], 0)
        for start, name in STARTS.items()
    }


@exhibit.claim(GERMAN, budgets="steps", low=1.0, reason="longer: above 1", is_ratio=True)
def other_sign_is_a_longer_way(s, steps):
    """A positive weight that should be negative has a longer way to go, and the other way round.

    Measured: the mean distance moved by weights that changed their sign over that of the others, mean over
    layers.

    Those that change their sign are those that were near 0 or that move far. The distance is the training's,
    not one that a good solution needs.
    """
    return {
        f"from {name}": (own["moved_if_changed"] / own["moved_if_kept"]).mean(axis=1)
        for start, name in STARTS.items()
        for own in (trained(s, start, NORMALIZED, steps),)
    }


@exhibit.claim(
    f"{GERMAN}; that this is frequent is our reading",
    budgets="steps",
    low=0.1,
    reason="frequent: at least a tenth",
    otherwise="From weights of any of these sizes few change their sign in training",
)
def many_change_sign(s, steps):
    """It happens in training that a weight needs the other sign than the one it began with.

    Measured: the fraction of all weights that change their sign, mean over layers.
    """
    return {
        f"from {name}": trained(s, start, NORMALIZED, steps)["changed"].mean(axis=1)
        for start, name in STARTS.items()
    }


def distance(s, start, steps):
    """From start to end, the norm over all weights, of each seed."""
    return np.sqrt(trained(s, start, NORMALIZED, steps)["square_moved"].sum(axis=1))


@exhibit.claim(
    GERMAN,
    budgets="steps",
    high=1.0,
    reason="nearer: below 1",
    otherwise="Small weights begin farther from where they end than larger ones do",
    is_ratio=True,
    tried=(
        "three layers, 50 and 150 steps: confirmed, because networks from std=0.01 had not begun to learn",
    ),
)
def small_start_is_nearer(s, steps):
    """Small weights begin nearer to where weights end.

    Measured: the distance from start to end from std=0.01 over that from larger weights, each at its
    best rate.

    The end is not one point: each start has one of its own. Small weights must grow first, large ones need
    not.
    """
    return {
        f"over {STARTS[start]}": distance(s, "std=0.01", steps) / distance(s, start, steps)
        for start in ("he", "xavier")
    }


@exhibit.claim(
    f"{GERMAN}; near the start instead of near 0 is our addition",
    budgets="steps",
    high=0.5,
    reason="near: at most half of the way from 0",
)
def weights_stay_near_their_start(s, steps):
    """Weights end near where they began.

    Measured: the distance from start to end over the size of the start, norms over all weights.
    """
    return {
        f"from {name}": distance(s, start, steps)
        / np.sqrt(trained(s, start, NORMALIZED, steps)["square_before"].sum(axis=1))
        for start, name in STARTS.items()
    }


@exhibit.figure(
    "One in {shown_every} weights of layer {shown_layer} of one network of each start, on pixels of mean 0 "
    "and variance 1. Grey: the line of weights that did not move; black: those that changed their sign. "
    "Titles: the share of weights that changed it, mean over layers and seeds."
)
def start_and_end(s):
    figure = Figure(figsize=(10.5, 3.7))
    headline(figure, "Large weights stay near their start; small ones are carried off")
    for axes, (start, name) in zip(figure.subplots(1, 3), STARTS.items(), strict=True):
        own = trained(s, start, NORMALIZED, max(s.steps))
        draw(axes, *(own[when].ravel()[:: s.shown_every] for when in ("before", "after")))
        axes.set_title(f"{name}: {100 * own['changed'].mean():.0f} % changed sign")
    figure.axes[0].set_ylabel("weight at the end")
    return figure


def draw(axes, before, after):
    changed = (before > 0) != (after > 0)
    axes.axline((0, 0), slope=1, color="#bbbbbb", linewidth=1)
    for chosen, color in ((~changed, "#56B4E9"), (changed, "#000000")):
        axes.plot(before[chosen], after[chosen], ".", markersize=1.5, color=color, rasterized=True)
    axes.axhline(0, color="#555555", linewidth=0.6)
    axes.axvline(0, color="#555555", linewidth=0.6)
    axes.set_xlabel("weight at the start")


@exhibit.table(tolerance=0.1)
def layers(s):
    names = ("positive", "mean_over_std", "changed", "moved_if_changed", "moved_if_kept")
    return [
        {"start": STARTS[start], "inputs": inputs, "steps": steps, "layer": i + 1}
        | {"final_loss": float(own["loss"].mean())}
        | {name: float(own[name][:, i].mean()) for name in names}
        for start in STARTS
        for inputs in ("unit", NORMALIZED)
        for steps in s.steps
        for own in (trained(s, start, inputs, steps),)
        for i in range(s.depth + 1)
    ]
