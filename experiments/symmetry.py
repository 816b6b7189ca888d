"""Japanese slides on Saito's "Deep Learning from Scratch", section 6.2: why the weights are not simply all 0.

The slides derive the gradients of two sigmoid units: equal units have equal gradients, and so they stay equal
for ever. They show no training; the network, its width and its steps are ours. Here a network with one hidden
layer of {units} units learns MNIST by gradient descent in batches of {batch_size}, with {seeds} seeds. At
rate {rate} it starts from zeros, from {constants} everywhere, from {small} and normal noise, from Xavier's
weights, and from Xavier's with output weights of 0 or with PyTorch's random biases; every {every} steps it is
measured on {images} test images. From {half} everywhere it also has the best of the rates {rates}, chosen in
{rate_seeds} seeds on {held_out} held-out training images. The escape from the symmetric state is timed at
rate {escape_rate}, every {escape_every} steps, with {escape_seeds} seeds. The seed sets weights and batches;
where all weights are equal, it sets only the batches. All is in float64, because training amplifies rounding
like any other noise.
"""

from itertools import product

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Initialization, Scheme, measure_layers, open_dataset, train, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look, distinct_looks

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Equal units stay equal",
    question="symmetry",
    finding="Units with equal weights stay equal and work as one unit. Noise in the weights frees them; "
    "a noise ten times smaller delays that only a little.",
    network={"units": 16, "more_units": 20},
    training={"steps": (1000, 3000), "batch_size": 100, "rate": 0.1, "every": 100, "images": 1000},
    rates={"rates": (0.01, 0.1, 1.0), "held_out": 5000, "rate_seeds": 2},
    starts={"small": 0.01, "half": 0.5, "constants": (0.01, 0.5), "noises": (1e-6, 1e-4, 1e-2)},
    escape={
        "exponents": (3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
        "escape_rate": 0.3,
        "escape_steps": (600, 1800),
        "escape_every": 10,
        "freed": 0.5,
        "shown_images": 500,
        "escape_seeds": 10,
    },
    measuring={"seeds": 5},
    quick={
        "steps": (20, 60),
        "every": 20,
        "images": 200,
        "rates": (1.0,),
        "held_out": 1000,
        "escape_seeds": 5,
        "escape_every": 10,
        "exponents": (3, 4, 5),
        "escape_rate": 1.0,
        "escape_steps": (150, 450),
    },
)
ACTIVATIONS = ("sigmoid", "tanh", "relu")
OUTPUT_ZERO, RANDOM_BIASES = "Xavier, output weights 0", "Xavier, random biases"
PANELS = {"distinct_units": "distinct hidden units", "accuracy": "accuracy on test images"}
SLIDES = "Japanese slides on Saito, Deep Learning from Scratch, 6.2"
ITALIAN = "Italian article on initialization techniques"
BENGIO = "Chinese answer, after Bengio 2012, Practical recommendations for gradient-based training"
CLASSIFIED = "the fraction of {images} test images that the trained network classifies correctly"
ONE_CLASS = "the most frequent class for every image gives 0.126 of the first thousand images"
ONE_RATE_1000 = "1000 steps, all test images: "


def starts(s):
    """How networks begin, by name."""
    constants = {f"constant {value:g}": f"constant(value={value})" for value in s.constants}
    noisy = {f"noise of {noise:g}": f"normal(mean={s.small}, std={noise})" for noise in s.noises}
    last_zero = Initialization(Scheme("xavier"), last=Scheme("zeros"))
    biased = Initialization(Scheme("xavier"), bias=Scheme("classic"))
    fair = {"Xavier": "xavier", OUTPUT_ZERO: last_zero, RANDOM_BIASES: biased}
    return {"zeros": "zeros"} | constants | noisy | fair


def equal(s):
    """The starts with equal weights."""
    return tuple(name for name in starts(s) if name.startswith(("zeros", "constant")))


def names_of(s, activation):
    """The starts of an activation's networks; noise is for sigmoid units, as on the slides."""
    return tuple(name for name in starts(s) if activation == "sigmoid" or "noise" not in name)


@exhibit.kept
def trained(s, activation, names, units, dtype="float64"):
    """Distinct units and test accuracy, (starts, seeds, times)."""
    examples = prepared_examples(open_dataset("mnist"), dtype=dtype)
    images, labels = examples.test_inputs[: s.images], examples.test_labels[: s.images]

    def track(networks):
        distinct = [layers[0].distinct_units for layers in measure_layers(networks, images)]
        pairs = zip(distinct, networks.accuracy(images, labels), strict=True)
        return [{"distinct_units": units, "accuracy": accuracy} for units, accuracy in pairs]

    histories = train(
        [starts(s)[name] for name in names],
        examples,
        hidden=[units],
        activation=activation,
        dtype=dtype,
        steps=s.steps[-1],
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.rate})",
        seeds=range(s.seeds),
        track=track,
        track_every=s.every,
    )
    numbers = {name: [[entry[name] for entry in history.tracked] for history in histories] for name in PANELS}
    return {name: np.reshape(values, (len(names), s.seeds, -1)) for name, values in numbers.items()}


def course(s, activation, number):
    """Of each start, (seeds, times)."""
    names = names_of(s, activation)
    return dict(zip(names, trained(s, activation, names, s.units)[number], strict=True))


def reached(s, activation, steps):
    """The test accuracies after so many steps of each seed, by start."""
    return {name: values[:, steps // s.every] for name, values in course(s, activation, "accuracy").items()}


def most_distinct(distinct, steps, every):
    """Of each seed, the largest number of distinct units until then."""
    return distinct[:, : steps // every + 1].max(axis=1)


@exhibit.claim(source=SLIDES, budgets="steps", high=1, reason="equal units are one distinct unit")
def equal_stay_equal(s, steps):
    """In float64, units of a layer that begin with equal weights stay equal throughout the training.

    Measured: the largest number of different hidden units, of {units}, at any time of the training.

    Equal units receive equal gradients. But rounding may make them differ (`rounding.csv`): in float32,
    {more_units} tanh units fall into groups, whose sums the matrix library rounds differently.
    """
    courses = {name: course(s, name, "distinct_units") for name in ACTIVATIONS}
    cases = product(equal(s), ACTIVATIONS)
    return {
        f"{name} from {start}": most_distinct(courses[name][start], steps, s.every) for start, name in cases
    }


@exhibit.claim(
    source=f"{ITALIAN}, on zero initialization",
    quantity=CLASSIFIED,
    budgets="steps",
    high=0.13,
    reason=ONE_CLASS,
    tried=(f"{ONE_RATE_1000}mixed, sigmoid 0.287, the others 0.1135",),
)
def zeros_learn_nothing(s, steps):
    """From weights that are all 0 the gradients are 0, and the network learns nothing.

    This is true where phi(0) = 0: with tanh and ReLU only the output biases learn. A sigmoid unit gives 1/2
    at first, so the output weights learn, and then the hidden ones do.
    """
    return {name: reached(s, name, steps)["zeros"] for name in ACTIVATIONS}


@exhibit.claim(
    source=f"{ITALIAN}, on zero initialization",
    budgets="steps",
    high=0.02,
    reason="it does not matter: no constant leads by more than two per cent of the images",
)
def any_constant_is_like_zero(s, steps):
    """It does not matter to which other constant all weights are set: that is as bad as 0.

    Measured: test accuracy from the better of {constants} everywhere, minus that from 0.

    The units stay equal from any constant. But they are one unit that may learn, where 0 may leave none, and
    too large a constant saturates it.
    """
    accuracies = {name: reached(s, name, steps) for name in ACTIVATIONS}
    return {
        name: np.max([own[start] for start in equal(s)[1:]], axis=0) - own["zeros"]
        for name, own in accuracies.items()
    }


@exhibit.kept
def at_best_rate(s, activation, steps):
    """Test accuracy of all units from {half} everywhere, and of one unit from Xavier's weights, (seeds,)."""
    networks = {"equal": (f"constant(value={s.half})", s.units), "single": ("xavier", 1)}
    return {
        name: train_at_best_rate(
            scheme,
            hidden=[units],
            activation=activation,
            dtype="float64",
            steps=steps,
            batch_size=s.batch_size,
            rates=s.rates,
            validation=s.held_out,
            seeds=range(s.seeds),
            choosing={"seeds": range(s.rate_seeds)},
        ).numbers("test_accuracy", missing=0.1)
        for name, (scheme, units) in networks.items()
    }


@exhibit.claim(
    source=f"{ITALIAN}, introduction: does it make sense to let all start at 0.5?",
    budgets="steps",
    high=0.02,
    reason="no better: at most two per cent of the images",
)
def half_is_one_unit(s, steps):
    """It makes no sense to start all weights at {half}: {units} units train no better than a single one.

    Measured: test accuracy of {units} units from {half}, minus that of one unit from Xavier's weights, each
    at its best rate.
    """
    both = {name: at_best_rate(s, name, steps) for name in ACTIVATIONS}
    return {name: own["equal"] - own["single"] for name, own in both.items()}


@exhibit.claim(
    source="German answer on initial weights near 0, second paragraph",
    quantity=f"{CLASSIFIED}, from {{small}} everywhere",
    budgets="steps",
    high=0.13,
    reason=ONE_CLASS,
    otherwise="If all weights are equal and not 0, the model still learns a little, with one effective unit",
    tried=(f"{ONE_RATE_1000}refuted, 0.26 to 0.34",),
)
def equal_learn_nothing(s, steps):
    """If all weights are equal, they have the same error and the model learns nothing.

    All units of a layer stay one unit: the network loses its width, but not all learning.
    """
    return {name: reached(s, name, steps)[f"constant {s.small:g}"] for name in ACTIVATIONS}


@exhibit.claim(
    source=SLIDES,
    budgets="steps",
    low=0.2,
    reason="many units classify more than one unit does: the accuracy rises by at least a fifth of all "
    "images",
    tried=(f"{ONE_RATE_1000}mixed, with the smallest noise no gain yet",),
)
def noise_breaks(s, steps):
    """Some spread of the initial weights is enough to break the symmetry.

    Measured: test accuracy of sigmoid units with noise, minus that from {small} everywhere.

    Small differences grow: the units soon differ (left panel), but with the smallest noise that does not yet
    show in the accuracy after the shorter training.
    """
    own = reached(s, "sigmoid", steps)
    return {f"with {name}": own[name] - own[f"constant {s.small:g}"] for name in own if "noise" in name}


@exhibit.kept
def escapes(s):
    """The step at which each network is freed, inf if it never is, (noises, seeds)."""
    examples = prepared_examples(open_dataset("mnist"), dtype="float64")
    images, labels = examples.test_inputs[: s.shown_images], examples.test_labels[: s.shown_images]
    histories = train(
        [f"normal(mean={s.small}, std=1e-{exponent})" for exponent in s.exponents],
        examples,
        hidden=[s.units],
        activation="sigmoid",
        dtype="float64",
        steps=s.escape_steps[-1],
        batch_size=s.batch_size,
        optimizer=f"sgd(lr={s.escape_rate})",
        seeds=range(s.escape_seeds),
        track=lambda networks: [{"accuracy": own} for own in networks.accuracy(images, labels)],
        track_every=s.escape_every,
    )
    accuracies = [[entry["accuracy"] for entry in history.tracked] for history in histories]
    return {"steps": first_step(np.array(accuracies), s.freed, s.escape_every).reshape(-1, s.escape_seeds)}


def first_step(accuracies, level, every):
    """The first step at which each network is above the level; inf if it never is."""
    above = accuracies > level
    return np.where(above.any(axis=1), above.argmax(axis=1) * float(every), np.inf)


def later_over_earlier(times):
    """Steps that the second half of the decades of noise costs, over those of the first half, (seeds,)."""
    times = times[1 - len(times) % 2 :]
    middle = times[len(times) // 2]
    return (times[-1] - middle) / (middle - times[0])


@exhibit.claim(
    source="this project's own, from the linear instability of the symmetric state",
    budgets="escape_steps",
    low=0.75,
    high=4 / 3,
    is_ratio=True,
    reason="linear in the logarithm: each decade costs the same, within a third; a square root of the noise "
    "would double the cost every 0.6 decades",
    tried=("half as many seeds: undecided, 1.1 and 0.70",),
)
def escape_is_logarithmic(s, steps):
    """The time that units need to become unequal grows linearly with the logarithm of 1/noise.

    Measured: steps until more than {freed} of {shown_images} test images are classified, which one unit never
    does: those that the smaller half of the noises adds, divided by those that the larger half adds. Noises
    are powers of ten, of which all are taken from which every seed escapes within the budget.

    Differences between units grow exponentially, so a noise ten times smaller costs some steps more, not ten
    times as many. The growth becomes faster while the network learns as one unit: later decades cost less.
    """
    times = escapes(s)["steps"]
    return later_over_earlier(times[(times <= steps).all(axis=1)])


@exhibit.claim(
    source=BENGIO,
    budgets="steps",
    low=-0.02,
    reason="at most two per cent of the images below Xavier's",
    tried=(f"{ONE_RATE_1000}undecided for sigmoid, -0.025; the others hold",),
)
def output_may_be_zero(s, steps):
    """Output weights may be 0: there is no symmetry to break among them.

    Measured: test accuracy of a network with output weights of 0, minus that with Xavier's everywhere.

    Each output unit has a class of its own, and so a gradient of its own; but learning starts later.
    """
    return {name: own[OUTPUT_ZERO] - own["Xavier"] for name, own in after(s, steps).items()}


@exhibit.claim(
    source=BENGIO,
    budgets="steps",
    low=-0.02,
    reason="at most two per cent of the images below random biases",
)
def biases_may_be_zero(s, steps):
    """Biases may begin at 0.

    Measured: test accuracy from Xavier's weights with biases of 0, minus that with PyTorch's random biases.

    Random weights alone break the symmetry.
    """
    return {name: own["Xavier"] - own[RANDOM_BIASES] for name, own in after(s, steps).items()}


def after(s, steps):
    """Test accuracies after so many steps, by activation and start."""
    return {name: reached(s, name, steps) for name in ACTIVATIONS}


@exhibit.claim(source=SLIDES, high=1e-10, reason="such differences are rounding", is_identity=True)
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


@exhibit.figure(
    "Sigmoid units, of which there are {units}: the means of {seeds} seeds, and their range. Right: of "
    "{escape_seeds} seeds, steps at rate {escape_rate} until more than {freed} of the images are classified."
)
def symmetry(s):
    figure = Figure(figsize=(12, 4.2))
    headline(
        figure, "Units with equal weights stay equal; noise frees them, the smaller the noise, the later"
    )
    *panels, right = figure.subplots(1, 3)
    shown = [name for name in names_of(s, "sigmoid") if name not in (OUTPUT_ZERO, RANDOM_BIASES)]
    looks = distinct_looks([str(Initialization.of(starts(s)[name]).scheme) for name in shown])
    for axes, (number, label) in zip(panels, PANELS.items(), strict=True):
        for name, look in zip(shown, looks, strict=True):
            curves = course(s, "sigmoid", number)[name]
            mean_and_range(axes, np.arange(0, s.steps[-1] + 1, s.every), curves, look, name, every=5)
        axes.set(xlabel="training step", ylabel=label, ylim=(0, None))
    times = escapes(s)["steps"]
    freed = np.isfinite(times).all(axis=1)
    noises = 10.0 ** -np.array(s.exponents)[freed]
    mean_and_range(right, noises, times[freed].T, Look("#000000", "o", "-"))
    right.set(xscale="log", xlabel="noise in the weights", ylabel="steps until freed", ylim=(0, None))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


# Which equal units come to differ depends on how the processor's matrix products round.
@exhibit.table(tolerance=20)
def rounding(s):
    return [
        {"dtype": dtype, "units": units, "start": start, "most_distinct": int(distinct.max())}
        for dtype, units in product(("float64", "float32"), (s.units, s.more_units))
        for start, distinct in zip(
            equal(s), trained(s, "tanh", equal(s), units, dtype)["distinct_units"], strict=True
        )
    ]


@exhibit.table(tolerance=0.01)
def training(s):
    return [
        {"activation": activation, "start": start, "seed": seed, "step": time * s.every}
        | {number: float(course(s, activation, number)[start][seed, time]) for number in PANELS}
        for activation in ACTIVATIONS
        for start in names_of(s, activation)
        for seed, time in np.ndindex(s.seeds, s.steps[-1] // s.every + 1)
    ]


@exhibit.table(tolerance=10)
def escape(s):
    return [
        {"noise": f"1e-{exponent}", "seed": seed, "steps": float(time)}
        for exponent, times in zip(s.exponents, escapes(s)["steps"], strict=True)
        for seed, time in enumerate(times)
        if np.isfinite(time)
    ]
