"""He, Zhang, Ren & Sun 2015, on convolutional networks.

The paper's very deep networks are convolutional; `he_2015` has dense ones. Here plain ReLU networks of
{shallow} and {deep} convolutions, with kernels of 3, {channels} channels and a border of zeros, learn MNIST,
reduced to {side} x {side} pixels by means of {pool} x {pool}, by plain gradient descent: {steps} steps,
batches of {batch_size}, {seeds} seeds. Each start has the rate of {rates} whose loss on {held_out} held-out
training images is lowest after the most steps, of {rate_seeds} seed. Xavier's weights are the paper's, of
variance 1/n_in, where n_in counts the pixels that a kernel sees in all channels.

In untrained networks of {deep} layers of {untrained_channels} channels, {untrained_seeds} seeds, {images}
images, we follow the mean square of the pre-activations, with the border of zeros and with images that
continue from their opposite side. Theory starts from what is measured in the first layer, pixel by pixel: the
next layer's mean square is that of the pixels that a kernel sees, zeros included, times n_in Var(w) / 2.
"""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, open_dataset, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline, label_ends, mean_and_range
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Very deep convolutional networks",
    question="depth",
    finding="From He's weights deep convolutional networks learn, from Xavier's they stand still; a border "
    "of zeros takes a part of the signal, which He's rule does not count.",
    source="He et al. 2015",
    network={"shallow": 22, "deep": 30, "channels": 12, "pool": 4, "side": 7},
    training={
        "steps": (300, 1000),
        "batch_size": 16,
        "rates": (0.01, 0.03),
        "rate_seeds": 1,
        "held_out": 2000,
    },
    measuring={"seeds": 5, "last": 100, "span": 20},
    signal={"untrained_channels": 64, "untrained_seeds": 20, "images": 20},
    quick={
        "shallow": 6,
        "deep": 8,
        "channels": 6,
        "steps": (20, 60),
        "rates": (0.03,),
        "last": 10,
        "held_out": 300,
        "untrained_channels": 16,
        "images": 10,
    },
)
SCHEMES = {"he": "He", "lecun": "Xavier (1/n)"}
GAINS = {"he": 2.0, "lecun": 1.0}  # n_in Var(w)
BORDERS = {"circular": "around", "zeros": "zeros"}
KNOWS_NOTHING = "knowing nothing costs ln 10 = 2.303"
FINAL = "mean loss of the last {last} steps, in nats"


def hidden_layers(s, depth, channels, border="zeros"):
    """Pooling, then the convolutions."""
    return [f"average({s.pool})", *[f"conv({channels}, kernel=3, padding=same, border={border})"] * depth]


def mnist():
    """Without the test set, which is not needed."""
    examples = prepared_examples(open_dataset("mnist"))
    return replace(examples, test_inputs=examples.test_inputs[:0], test_labels=examples.test_labels[:0])


@exhibit.kept
def losses(s, depth):
    """Of each scheme at its best rate, (seeds, steps)."""
    histories = train_at_best_rate(
        list(SCHEMES),
        mnist(),
        hidden=hidden_layers(s, depth, s.channels),
        steps=max(s.steps),
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        choosing={"seeds": range(s.rate_seeds)},
    )
    return {scheme: np.nan_to_num(histories.of(scheme).losses, nan=10.0) for scheme in SCHEMES}


def final_loss(s, depth, scheme, steps):
    """Of each seed."""
    return losses(s, depth)[scheme][:, steps - s.last : steps].mean(axis=1)


@exhibit.claim(
    "figure 2",
    quantity=FINAL,
    budgets="steps",
    high=1.5,
    reason=f"{KNOWS_NOTHING}; converge: at most 1.5",
    tried=("8 channels, two seeds, 600 steps, rate 0.03: 0.8 from He's weights, 2.3 from Xavier's",),
)
def both_converge_at_22(s, steps):
    """With {shallow} layers networks converge from both, He's and Xavier's weights.

    The paper trains for many more steps, with momentum.
    """
    return {SCHEMES[scheme]: final_loss(s, s.shallow, scheme, steps) for scheme in SCHEMES}


@exhibit.claim(
    "figure 2",
    budgets="steps",
    low=0.1,
    reason="faster: a difference above 0.1",
    tried=("with the last bits of another processor: undecided, 0.39 after 300 steps and 1.1 after 1000",),
)
def he_sooner_at_22(s, steps):
    """With {shallow} layers learning is faster from He's weights.

    Measured: mean loss of all steps from Xavier's weights minus that from He's, in nats.
    """
    both = losses(s, s.shallow)
    return (both["lecun"] - both["he"])[:, :steps].mean(axis=1)


@exhibit.claim(
    "figure 3",
    quantity=FINAL,
    budgets="steps",
    low=2.2,
    reason=f"{KNOWS_NOTHING}; stalls: at least 2.2",
    tried=("8 channels, two seeds, 600 steps, rates 0.03 and 0.1: stalls; at 0.1 He's weights do too",),
)
def xavier_stalls_at_30(s, steps):
    """With {deep} layers learning from Xavier's weights stalls.

    Each layer halves the mean square, and the border takes its part.
    """
    return final_loss(s, s.deep, "lecun", steps)


@exhibit.claim(
    "figure 3",
    quantity=FINAL,
    budgets="steps",
    high=1.5,
    reason="converge: at most 1.5",
    tried=(
        "8 channels, two seeds, 600 steps, rate 0.03: 2.05 and 2.29, they have hardly begun",
        "16 channels, two seeds, 480 steps, rate 0.03: 1.35 and 1.24",
    ),
)
def he_learns_at_30(s, steps):
    """With {deep} layers networks still converge from He's weights."""
    return final_loss(s, s.deep, "he", steps)


@exhibit.kept
def mean_squares(s, scheme, border):
    """E[z^2] of each convolution of untrained networks, pixel by pixel, (seeds, layers, side, side)."""
    sizes = (784, *hidden_layers(s, s.deep, s.untrained_channels, border), 10)
    seeds = range(s.untrained_seeds)
    networks = initialize(sizes, [scheme] * s.untrained_seeds, seeds, "relu")
    networks.forward(mnist().train_inputs[: s.images])
    layers = networks.pre_activations[: s.deep]
    return {"squares": np.stack([np.square(z).mean(axis=(1, 4)) for z in layers], axis=1)}


def predicted(first, gain, border, layers):
    """What theory says of E[z^2] in each layer, (layers, side, side).

    Args:
        first: E[z^2] of the first layer, pixel by pixel.
        gain: n_in Var(w).
        border: "circular" or "zeros".
        layers: how many, the first included.
    """
    maps, side = [first], len(first)
    for _ in range(layers - 1):
        padded = np.pad(maps[-1], 1, mode="wrap" if border == "circular" else "constant")
        windows = [padded[u : u + side, v : v + side] for u in range(3) for v in range(3)]
        maps.append(gain / 2 * np.mean(windows, axis=0))
    return np.array(maps)


def factors(s, scheme, border):
    """By how much a layer multiplies E[z^2], the geometric mean over layers, (seeds,)."""
    squares = mean_squares(s, scheme, border)["squares"].mean(axis=(2, 3))
    return (squares[:, -1] / squares[:, 0]) ** (1 / (s.deep - 1))


@exhibit.claim(
    "section 2.2, equation 10",
    low=0.95,
    high=1.05,
    is_ratio=True,
    reason="kept: within 5 % of 1",
    tried=("32 channels, 50 images: undecided with a border from the opposite side, fails with zeros",),
)
def he_keeps_the_signal(s):
    """He's weights, with n = k^2 c inputs of a kernel, keep the variance of a convolution's responses.

    Measured: by how much a layer multiplies the mean square of the pre-activations, before training.

    The derivation has a kernel see n pixels everywhere. At a border of zeros it sees fewer, which counts
    where images are small. What is kept otherwise is the mean over networks; most networks lie below it, the
    farther the fewer channels they have.
    """
    return {f"with a border of {name}": factors(s, "he", border) for border, name in NAMES.items()}


NAMES = {"circular": "pixels from the opposite side", "zeros": "zeros"}


@exhibit.figure(
    "Left and middle: the mean of {seeds} seeds, averaged over {span} steps, and their range. Right: "
    "untrained networks, the geometric mean of {untrained_seeds} seeds and their range, dashed with a "
    "border of zeros, solid with images that go on around; dotted: theory."
)
def loss_and_signal(s):
    figure, steps = Figure(figsize=(12, 3.8)), max(s.steps)
    headline(figure, "Convolutional networks learn from He's weights; a border of zeros weakens the signal")
    *learning, signal = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    for axes, depth in zip(learning, (s.shallow, s.deep), strict=True):
        for scheme, curves in losses(s, depth).items():
            means = curves.reshape(len(curves), -1, s.span).mean(axis=2)
            mean_and_range(axes, np.arange(s.span, steps + 1, s.span), means, look(scheme), SCHEMES[scheme])
        axes.set(xlabel="training step", ylim=(0, 2.5), title=f"{depth} convolutions")
        label_ends(axes)
    learning[0].set_ylabel("training loss (nats)")
    draw_signal(s, signal)
    return figure


def draw_signal(s, axes):
    layers = np.arange(1, s.deep + 1)
    for scheme, name in SCHEMES.items():
        for border, word in BORDERS.items():
            squares = mean_squares(s, scheme, border)["squares"]
            ratios = squares.mean(axis=(2, 3)) / squares[:, :1].mean(axis=(2, 3))
            drawn = {"color": look(scheme).color}
            theory = predicted(squares[:, 0].mean(axis=0), GAINS[scheme], border, s.deep)
            low, high = ratios.min(axis=0), ratios.max(axis=0)
            axes.fill_between(layers, low, high, **drawn, alpha=0.15, linewidth=0)
            middle = np.exp(np.log(ratios).mean(axis=0))
            dash = "-" if border == "circular" else "--"
            axes.plot(layers, middle, dash, **drawn, label=f"{name}, {word}")
            axes.plot(layers, theory.mean(axis=(1, 2)) / theory[0].mean(), ":", color="#000000")
    axes.set(yscale="log", xlabel="layer", ylabel="mean square, layer 1 = 1", title="Signal, untrained")
    label_ends(axes)


@exhibit.table(tolerance=0.1)
def final_losses(s):
    return [
        {"depth": depth, "scheme": scheme, "steps": steps, "seed": seed, "final_loss": float(value)}
        for depth in (s.shallow, s.deep)
        for scheme in SCHEMES
        for steps in s.steps
        for seed, value in enumerate(final_loss(s, depth, scheme, steps))
    ]


@exhibit.table(tolerance=0.01)
def factor_of_a_layer(s):
    return [
        {"scheme": scheme, "border": border}
        | {"measured": float(np.exp(np.log(factors(s, scheme, border)).mean()))}
        | {"theory": float((theory[-1].mean() / theory[0].mean()) ** (1 / (s.deep - 1)))}
        for scheme in SCHEMES
        for border in BORDERS
        for first in [mean_squares(s, scheme, border)["squares"][:, 0].mean(axis=0)]
        for theory in [predicted(first, GAINS[scheme], border, s.deep)]
    ]
