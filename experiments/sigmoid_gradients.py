"""Texts after Saito, Deep Learning from Scratch, section 6.2, on what saturation does to gradients.

The texts say that weights of std=1 saturate sigmoid units, so that gradients vanish, and that Xavier's
weights cure it. The units do saturate. But a gradient passes a layer through its slopes *and* its weights,
and weights of std=1 are ten times as large as Xavier's in a layer of {width}: in mean square they make up for
the small slopes. {depth} such layers, {samples} inputs N(0, 1), no biases; measured over {networks} networks,
and predicted by mean-field theory. Then {trained_depth} layers of {width} are trained on MNIST from the same
weights: {steps} steps of gradient descent, batches of {batch_size}, {seeds} seeds, each start at the rate of
{rates} that has the lowest mean loss on {held_out} held-out training images.
"""

from functools import lru_cache

import numpy as np

from initlab import Scheme, depth_figure, depth_profiles, train_at_best_rate
from initlab.gallery import Exhibit
from initlab.measure.intervals import mean_interval

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Do saturated sigmoids stop the gradient?",
    question="signal",
    finding="Saturated sigmoids of large weights pass gradients on and learn; the well spread ones of "
    "Xavier's weights pass next to none and hardly learn.",
    untrained={"depth": 10, "width": 100, "samples": 1000, "networks": 20},
    trained={"trained_depth": 5, "steps": 1000, "batch_size": 100, "seeds": 5, "last": 50},
    rate={"rates": (0.03, 0.3, 1.0, 3.0), "held_out": 5000},
    quick={"networks": 5, "steps": 200},
)
SCHEMES = ("std=1", "std=0.01", "book:xavier", "he")
STARTS = ("std=1", "std=0.01", "book:xavier", "xavier_sigmoid")
TITLE = "Sigmoid: std=1 saturates the units, and yet its gradients reach the first layer"
TEXTS = "texts after Saito, Deep Learning from Scratch, 6.2"
QUANTITY = (
    "by what a layer multiplies squared gradients on their way back, the geometric mean over {depth} layers"
)


@lru_cache
def profiles(s):
    """Of each scheme."""
    schemes = [Scheme.parse(text) for text in SCHEMES]
    shape = {"depth": s.depth, "width": s.width, "samples": s.samples, "seeds": s.networks}
    return depth_profiles(schemes, ["sigmoid"], **shape)


def gradient_factor(s, scheme):
    """Of each network."""
    return next(one.gradient_factor for one in profiles(s) if one.scheme == Scheme.parse(scheme))


@exhibit.claim(
    source=TEXTS,
    quantity=QUANTITY,
    high=0.5,
    reason="gradients vanish if a layer keeps at most half of their square",
    otherwise="With weights of std=1, sigmoid units saturate, and their gradients survive",
)
def std1_vanishes(s):
    """With weights of std=1, sigmoid units saturate and their gradients vanish.

    Small slopes and large weights make up for each other: theory says 0.94 a layer.
    """
    return gradient_factor(s, "std=1")


@exhibit.claim(
    source=TEXTS,
    quantity=QUANTITY,
    low=0.5,
    reason="they do not vanish where a layer keeps at least half of their square",
    otherwise="With the book's Xavier weights sigmoid gradients vanish",
)
def xavier_cures(s):
    """The book's Xavier weights, 1/sqrt(n_in), keep sigmoid gradients from vanishing.

    Xavier's rule assumes slope 1 at 0, as tanh has it. The sigmoid's slope is 1/4, so a layer keeps about a
    sixteenth of the squared gradient. Well spread activations do not show it: look at gradients too.
    """
    return gradient_factor(s, "book:xavier")


@exhibit.claim(
    source="Italian article on initialization techniques, on random initialization",
    quantity=QUANTITY,
    low=0.5,
    reason="they do not vanish where a layer keeps at least half of their square",
    otherwise="With a standard deviation of 0.01 sigmoid gradients vanish fastest of all",
)
def small_std_cures(s):
    """A standard deviation of 0.01 solves the lost gradient of saturated sigmoids.

    Units at 1/2 have the steepest slope, 1/4, but such small weights pass on next to nothing: theory says
    0.0006 a layer.
    """
    return gradient_factor(s, "std=0.01")


@exhibit.kept
def final_losses(s):
    """The mean loss of the last steps from each start at its best rate, (seeds,)."""
    histories = train_at_best_rate(
        STARTS,
        hidden=[s.width] * s.trained_depth,
        activation="sigmoid",
        steps=s.steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
    )
    return {scheme: histories.of(scheme).losses[:, -s.last :].mean(axis=1) for scheme in STARTS}


@exhibit.claim(
    source="Japanese slides on Saito, Deep Learning from Scratch, 6.2; Italian article, on random "
    "initialization",
    low=0.0,
    reason="more slowly: a higher loss",
    otherwise="From std=1 sigmoid networks end at a lower loss than from Xavier's weights",
)
def std1_learns_slower(s):
    """From std=1 sigmoid networks learn more slowly than from Xavier's weights, as saturation loses
    gradients.

    Measured: mean loss of the last {last} steps from std=1, less that from 1/sqrt(n), in nats.

    From the book's Xavier the mean loss stays near ln 10. Four times Glorot's weights, made for the sigmoid,
    are better than both (`training.csv`).
    """
    losses = final_losses(s)
    return losses["std=1"] - losses["book:xavier"]


@exhibit.figure(f"{TITLE}. Lines: theory; points: the mean of {{networks}} networks, and their range.")
def depth(s):
    return depth_figure(profiles(s), TITLE)


@exhibit.table()
def training(s):
    return [{"scheme": scheme, "loss": float(np.mean(losses))} for scheme, losses in final_losses(s).items()]


@exhibit.table()
def gradient_factors(s):
    return [_row(profile, mean_interval(profile.gradient_factor)) for profile in profiles(s)]


def _row(profile, interval):
    return {
        "scheme": profile.scheme.short,
        "seeds": interval.count,
        "gradient_factor": interval.mean,
        "low_95": interval.low,
        "high_95": interval.high,
        "predicted": profile.predicted_gradient_factor,
    }


@exhibit.table()
def layers(s):
    return [row for profile in profiles(s) for row in profile.rows()]
