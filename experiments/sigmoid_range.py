"""Which function needs four times Glorot's range, tanh or the sigmoid?

A Chinese question and its answer give, after Glorot & Bengio 2010 and a deep learning tutorial, uniform
weights of the range r = sqrt(6/(n_in + n_out)) for the sigmoid and 4 r for tanh (their root signs are lost).
Theano's tutorial and Bengio 2012, Practical recommendations, have it the other way round, and the paper has r
for tanh. Both readings are measured. Untrained: {depth} layers of {width} units, {samples} inputs from N(0,
1), {networks} networks. Trained on MNIST: {layers} layers of {narrow}, {steps} steps, batches of
{batch_size}, {seeds} seeds, each at the rate of {rates} whose mean loss of {rate_seeds} seeds on {held_out}
held-out training images is lowest after the most steps.
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
    title="Four times the range: for tanh or for the sigmoid?",
    question="signal",
    finding="Deep sigmoid networks need the range four times as large, tanh networks do not: the Chinese "
    "texts have exchanged the two.",
    untrained={"depth": 10, "width": 100, "samples": 300, "networks": 20},
    trained={"layers": (2, 5), "narrow": 50, "steps": (300, 1000), "batch_size": 50, "seeds": 5},
    rate={"rates": (0.03, 0.1, 0.3, 1.0, 3.0), "held_out": 2000, "rate_seeds": 2, "last": 50, "span": 20},
    quick={
        "networks": 10,
        "steps": (20, 60),
        "held_out": 300,
        "last": 10,
        "rates": (0.1, 1.0),
        "samples": 100,
    },
)
RANGES = {"r": "xavier_uniform", "4 r": "xavier_sigmoid_uniform"}
PRINTED = {"sigmoid": "r", "tanh": "4 r"}
EXCHANGED = {"sigmoid": "4 r", "tanh": "r"}
CHINESE = "Chinese question on the initialization of deep networks and its answer"
THEANO = "Theano's deep learning tutorial; Bengio 2012, Practical recommendations"


@lru_cache
def factors(s, activation, size):
    """Of each network, by what a layer multiplies what differs between inputs, and squared gradients."""
    networks = [layers_of(s, activation, size, seed) for seed in range(s.networks)]
    return {
        "signal": np.array([growth(over_inputs(own[-1]) / over_inputs(own[0]), own) for own in networks]),
        "gradient": np.array(
            [growth((own[0].gradient_std / own[-1].gradient_std) ** 2, own) for own in networks]
        ),
        "saturated": np.array([np.mean([layer.saturated for layer in own]) for own in networks]),
    }


def layers_of(s, activation, size, seed):
    """The hidden layers of an untrained network."""
    rng = stream(seed, Purpose.INPUTS)
    inputs, labels = rng.standard_normal((s.samples, s.width)), rng.integers(10, size=s.samples)
    sizes = [s.width] * (s.depth + 1) + [10]
    return measure_layers(initialize(sizes, [RANGES[size]], seed, activation, "float64"), inputs, labels)[0]


def over_inputs(layer):
    """The variance of a unit's activation over inputs, mean over units."""
    return layer.activations.var(axis=0).mean()


def growth(ratio, layers):
    """For each layer, the geometric mean."""
    return ratio ** (1 / (len(layers) - 1))


def measured(s, reading, what):
    """Of both functions, by that reading."""
    return {
        f"{activation}, {size}": factors(s, activation, size)[what] for activation, size in reading.items()
    }


KEPT = {"low": 0.5, "high": 2.0, "reason": "keeps: within a factor of 2 a layer", "is_ratio": True}
MEAN = "the geometric mean over {depth} layers"
SIGNAL = f"by what a layer multiplies the variance of activations over inputs, {MEAN}"
GRADIENT = f"by what a layer multiplies squared gradients on their way back, {MEAN}"


@exhibit.claim(CHINESE, quantity=SIGNAL, **KEPT)
def printed_ranges_keep_signals(s):
    """Weights from +-r for the sigmoid and +-4 r for tanh keep signals.

    The sigmoid's slope is at most 1/4: a layer keeps a sixteenth of what distinguishes the inputs. Saturated
    tanh units keep their variance at any size.
    """
    return measured(s, PRINTED, "signal")


@exhibit.claim(
    CHINESE,
    quantity=GRADIENT,
    otherwise="Sigmoid gradients vanish with weights from +-r, tanh gradients grow with weights from +-4 r",
    **KEPT,
)
def printed_ranges_keep_gradients(s):
    """Weights from +-r for the sigmoid and +-4 r for tanh keep gradients."""
    return measured(s, PRINTED, "gradient")


@exhibit.claim(THEANO, quantity=SIGNAL, **KEPT)
def exchanged_ranges_keep_signals(s):
    """Weights from +-4 r for the sigmoid and +-r for tanh keep signals.

    Four times the weights make up for the slope 1/4 that a sigmoid has at 0; elsewhere it is less steep. So
    4 r loses signals too, but far more slowly than r.
    """
    return measured(s, EXCHANGED, "signal")


@exhibit.claim(THEANO, quantity=GRADIENT, **KEPT)
def exchanged_ranges_keep_gradients(s):
    """Weights from +-4 r for the sigmoid and +-r for tanh keep gradients.

    What holds for signals holds for gradients.
    """
    return measured(s, EXCHANGED, "gradient")


def mnist():
    """Without the test set, which is not needed."""
    examples = prepared_examples(open_dataset("mnist"))
    return replace(examples, test_inputs=examples.test_inputs[:0], test_labels=examples.test_labels[:0])


@exhibit.kept
def curves(s, activation, layers):
    """Losses from each range at its best rate, (seeds, steps); 10 after a network has diverged."""
    histories = train_at_best_rate(
        list(RANGES.values()),
        mnist(),
        hidden=[s.narrow] * layers,
        activation=activation,
        steps=max(s.steps),
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        choosing={"seeds": range(s.rate_seeds)},
    )
    return {size: np.nan_to_num(histories.of(scheme).losses, nan=10.0) for size, scheme in RANGES.items()}


def lead(s, activation, steps):
    """Of the printed range over the other one, by the number of layers."""
    ends = {
        layers: {
            size: own[:, steps - s.last : steps].mean(axis=1)
            for size, own in curves(s, activation, layers).items()
        }
        for layers in s.layers
    }
    return {
        f"{layers} layers": own[EXCHANGED[activation]] - own[PRINTED[activation]]
        for layers, own in ends.items()
    }


@exhibit.claim(
    CHINESE,
    budgets="steps",
    low=0.0,
    reason="better: a lower loss",
    otherwise="Sigmoid networks train better from weights of +-4 r than of +-r",
)
def sigmoid_trains_from_r(s, steps):
    """Sigmoid networks train better from weights of +-r than of +-4 r.

    Measured: mean training loss of the last {last} steps from 4 r, less that from r, in nats.

    Few layers can do with either range.
    """
    return lead(s, "sigmoid", steps)


@exhibit.claim(
    CHINESE,
    budgets="steps",
    low=0.0,
    reason="better: a lower loss",
    otherwise="Tanh networks train better from weights of +-r than of +-4 r",
)
def tanh_trains_from_4r(s, steps):
    """Tanh networks train better from weights of +-4 r than of +-r.

    Measured: mean training loss of the last {last} steps from r, less that from 4 r, in nats.
    """
    return lead(s, "tanh", steps)


LOOKS = {"r": Look("#56B4E9", "v", "-"), "4 r": Look("#D55E00", "D", "--")}


@exhibit.figure(
    "Each range at its best rate, through the larger number of layers. Lines: the mean of {seeds} seeds, "
    "averaged over {span} steps. Bands: from the smallest to the largest."
)
def loss(s):
    figure = Figure(figsize=(8.6, 3.5))
    steps, layers = max(s.steps), max(s.layers)
    headline(figure, f"{layers} sigmoid layers need four times Glorot's range; tanh trains better without")
    for axes, activation in zip(figure.subplots(1, 2, sharey=True), PRINTED, strict=True):
        for size, losses in curves(s, activation, layers).items():
            means = losses.reshape(len(losses), -1, s.span).mean(axis=2)
            mean_and_range(axes, np.arange(s.span, steps + 1, s.span), means, LOOKS[size], f"±{size}")
        axes.set(xlabel="training step", ylim=(0, 2.6), title=f"{activation}, {layers} layers")
        label_ends(axes)
    figure.axes[0].set_ylabel("training loss (nats)")
    return figure


@exhibit.table()
def untrained(s):
    return [
        {"activation": activation, "range": size}
        | {name: float(values.mean()) for name, values in factors(s, activation, size).items()}
        for activation in PRINTED
        for size in RANGES
    ]


@exhibit.table(tolerance=0.1)
def final_losses(s):
    return [
        {"activation": activation, "layers": layers, "steps": steps, "range": size}
        | {"loss": float(own[:, steps - s.last : steps].mean())}
        for activation in PRINTED
        for layers in s.layers
        for steps in s.steps
        for size, own in curves(s, activation, layers).items()
    ]
