"""Japanese slides on Saito's "Deep Learning from Scratch", section 6.2: why the weights are not simply all 0.

The slides derive the gradients of two sigmoid units: equal units have equal gradients, and so they stay equal
for ever. They show no training; the network, its width and its steps are ours. Here a 784-{units}-10 network
learns MNIST by {steps} steps of gradient descent, rate {rate}, batches of {batch_size}, {seeds} seeds: from
zeros, from {constant} everywhere, from {constant} and normal noise, from Xavier's weights, and from Xavier's
with output weights of 0. The seed sets weights and batches; where all weights are equal, it sets only the
batches. All is in float64, because training amplifies rounding like any other noise.
"""

from itertools import product

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Initialization, Scheme, train
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import distinct_looks

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Equal units stay equal",
    question="symmetry",
    finding="Units with equal weights stay equal and work as one unit. With noise in the weights they learn; "
    "with more noise, sooner.",
    network={"units": 16},
    training={"steps": 1000, "batch_size": 100, "rate": 0.1, "every": 50},
    measuring={"more_units": 20, "seeds": 5, "constant": 0.01, "noises": (1e-6, 1e-4, 1e-2)},
    quick={"steps": 200},
)
ACTIVATIONS, EQUAL, HALF_ZERO = ("sigmoid", "tanh", "relu"), ("zeros", "constant"), "Xavier, output weights 0"
PANELS = {"distinct_units": "distinct hidden units", "train_accuracy": "accuracy on training images"}
SLIDES = "Japanese slides on Saito, Deep Learning from Scratch, 6.2"
CLASSIFIED = "the fraction of test images that the trained network classifies correctly"
ONE_CLASS = "the most frequent class for every image gives 0.1135"


def starts(s):
    """How networks begin, by name."""
    equal = {"zeros": "zeros", "constant": f"constant(value={s.constant})"}
    noisy = {f"noise of {noise:g}": f"normal(mean={s.constant}, std={noise})" for noise in s.noises}
    last_zero = Initialization(Scheme("xavier"), last=Scheme("zeros"))
    return {**equal, **noisy, "Xavier": "xavier", HALF_ZERO: last_zero}


@exhibit.kept
def trained(s, activation, units, dtype="float64"):
    """Test accuracy (starts, seeds), and what is tracked (starts, seeds, times)."""
    histories = train(
        list(starts(s).values()),
        hidden=[units],
        activation=activation,
        dtype=dtype,
        steps=s.steps,
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rate})",
        seeds=range(s.seeds),
        track_every=s.every,
    )
    entries, shape = [history.tracked for history in histories], (-1, s.seeds, s.steps // s.every + 1)
    distinct = [entry["layers"]["distinct_units"][0] for own in entries for entry in own]
    return {
        "test_accuracy": histories.numbers("test_accuracy").reshape(-1, s.seeds),
        "train_accuracy": np.reshape([entry["train_accuracy"] for own in entries for entry in own], shape),
        "distinct_units": np.reshape(distinct, shape),
    }


def reached(s, activation):
    """The test accuracies of each seed, by start."""
    return dict(zip(starts(s), trained(s, activation, s.units)["test_accuracy"], strict=True))


def most_distinct(s, start, *network):
    """Of each seed, the largest number of distinct units at any time."""
    return trained(s, *network)["distinct_units"][list(starts(s)).index(start)].max(axis=1)


@exhibit.claim(source=SLIDES, high=1, reason="equal units are one distinct unit")
def equal_stay_equal(s):
    """In float64, units of a layer that begin with equal weights stay equal throughout the training.

    Measured: the largest number of different hidden units, of {units}, at any time of the training.

    Equal units receive equal gradients. But rounding may make them differ (`rounding.csv`): in float32,
    {more_units} tanh units fall into groups, whose sums the matrix library rounds differently.
    """
    cases = product(EQUAL, ACTIVATIONS)
    return {f"{name} from {start}": most_distinct(s, start, name, s.units) for start, name in cases}


@exhibit.claim(
    source="Italian article on initialization techniques, on zero initialization",
    quantity=CLASSIFIED,
    high=0.12,
    reason=ONE_CLASS,
)
def zeros_learn_nothing(s):
    """From weights that are all 0 the gradients are 0, and the network learns nothing.

    This is true where phi(0) = 0: with tanh and ReLU only the output biases learn. A sigmoid unit gives 1/2
    at first, so the output weights learn, and then the hidden ones do.
    """
    return {name: reached(s, name)["zeros"] for name in ACTIVATIONS}


@exhibit.claim(
    source="German answer on initial weights near 0, second paragraph",
    quantity=f"{CLASSIFIED}, from {{constant}} everywhere",
    high=0.12,
    reason=ONE_CLASS,
    otherwise="If all weights are equal and not 0, the model still learns a little, with one effective unit",
)
def equal_learn_nothing(s):
    """If all weights are equal, they have the same error and the model learns nothing.

    All units of a layer stay one unit: the network loses its width, but not all learning.
    """
    return {name: reached(s, name)["constant"] for name in ACTIVATIONS}


@exhibit.claim(
    source=SLIDES,
    low=0.2,
    reason="many units classify more than one unit does: the accuracy rises by at least a fifth of all "
    "images",
)
def noise_breaks(s):
    """Some spread of the initial weights is enough to break the symmetry.

    Measured: test accuracy of sigmoid units with noise, minus that from {constant} everywhere.

    Small differences grow: the units soon differ (left panel), but with the smallest noise that does not yet
    show in the accuracy of sigmoid units.
    """
    sigmoid = reached(s, "sigmoid")
    return {f"with {name}": own - sigmoid["constant"] for name, own in sigmoid.items() if "noise" in name}


@exhibit.claim(
    source="Chinese answer, after Bengio 2012, Practical recommendations for gradient-based training",
    low=-0.02,
    reason="at most two per cent of the images below Xavier's",
)
def output_may_be_zero(s):
    """Output weights may be 0: there is no symmetry to break among them.

    Measured: test accuracy of a network with output weights of 0, minus that with Xavier's everywhere.

    Each output unit has a class of its own, and so a gradient of its own; but learning starts later, which
    costs a little.
    """
    return {name: reached(s, name)[HALF_ZERO] - reached(s, name)["Xavier"] for name in ACTIVATIONS}


@exhibit.claim(source=SLIDES, high=1e-10, reason="such differences are rounding")
def slide_gradients(_):
    """The slides' gradients of two units, dL/da_1 = x w_1 (1 - w_1) a_3 (y - t) and so on, are right.

    Measured: the largest difference from back-propagation at random parameters, over the largest gradient.

    The slides do not say that they suppose cross-entropy: squared error adds a factor y (1 - y).
    """
    return [formula_error(seed) for seed in range(20)]


def formula_error(seed):
    """Of the gradients for `w_i = sigmoid(a_i x + b_i)` and `y = sigmoid(a_3 w_1 + a_4 w_2 + b_3)`."""
    a1, a2, a3, a4, b1, b2, b3, x = np.random.default_rng(seed).standard_normal(8)
    network = Ensemble([[[a1, a2]], [[a3], [a4]]], [[b1, b2], [b3]], "sigmoid", "float64")
    error = 1 / (1 + np.exp(-network.forward(np.array([[x]])))) - seed % 2
    network.backward(error)
    (w1, w2), d = network.activations[0].ravel(), error.item()
    h1, h2 = w1 * (1 - w1) * a3 * d, w2 * (1 - w2) * a4 * d
    slides = np.array([x * h1, x * h2, h1, h2, w1 * d, w2 * d])
    return float(np.abs(slides - network.gradients.ravel()[:-1]).max() / np.abs(slides).max())


@exhibit.figure("Sigmoid units, of which there are {units}: the mean of {seeds} seeds, and their range.")
def symmetry(s):
    figure = Figure(figsize=(9, 4))
    headline(figure, "Units with equal weights stay equal; the larger the noise, the sooner they learn")
    looks = distinct_looks([str(Initialization.of(start).scheme) for start in starts(s).values()])
    for axes, (number, label) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        for name, look, curves in zip(starts(s), looks, trained(s, "sigmoid", s.units)[number], strict=True):
            mean_and_range(axes, np.arange(0, s.steps + 1, s.every), curves, look, name, every=3)
        axes.set(xlabel="training step", ylabel=label, ylim=(0, None))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


# Which equal units come to differ depends on how the processor's matrix products round.
@exhibit.table(tolerance=20)
def rounding(s):
    cases = product(("float64", "float32"), (s.units, s.more_units), EQUAL)
    return [
        {"dtype": dtype, "units": units, "start": start}
        | {"most_distinct": int(most_distinct(s, start, "tanh", units, dtype).max())}
        for dtype, units, start in cases
    ]


@exhibit.table(tolerance=0.01)
def training(s):
    return [
        {"activation": activation, "start": start, "seed": seed, "step": time * s.every}
        | {number: float(trained(s, activation, s.units)[number][i, seed, time]) for number in PANELS}
        for activation in ACTIVATIONS
        for i, start in enumerate(starts(s))
        for seed, time in np.ndindex(s.seeds, s.steps // s.every + 1)
    ]


@exhibit.table(tolerance=0.01)
def test_accuracy(s):
    means = {name: trained(s, name, s.units)["test_accuracy"].mean(axis=1) for name in ACTIVATIONS}
    return [
        {"activation": name, **dict(zip(starts(s), own.tolist(), strict=True))} for name, own in means.items()
    ]
