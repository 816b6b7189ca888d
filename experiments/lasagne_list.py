"""A Chinese answer on the initialization of deep networks: the initializers of the library Lasagne, by name.

The answer copies the list and trains nothing. Here each entry, with its own defaults, begins a ReLU network
of {depth} hidden layers of {width} units on MNIST: {steps} steps of plain gradient descent, batches of
{batch_size}, {seeds} seeds; at each budget every entry has the rate of {rates} that is best on {held_out}
held-out training images. The entries Glorot and He take another initializer as an argument; with Normal and
Uniform they are the entries GlorotNormal to HeUniform. For the answer's recipe of an orthogonal matrix, u
of `np.linalg.svd` of a normal matrix, and for the scheme `orthogonal`: {matrices} matrices of order {order}.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Scheme, train_at_best_rate
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline

exhibit = Exhibit(
    __file__,
    __doc__,
    title="The initializers of Lasagne",
    question="verdict",
    finding="Of Lasagne's initializers those that scale with the layer learn; those of a fixed small size "
    "do not begin so soon.",
    source="Chinese answer on the initialization of deep networks",
    network={"depth": 5, "width": 100},
    training={"steps": (150, 500), "batch_size": 50, "rates": (0.03, 0.1, 0.3), "held_out": 2000},
    measuring={"seeds": 5, "matrices": 2000, "order": 8},
    quick={"steps": (5, 15), "rates": (0.1,), "held_out": 200},
)
ENTRIES = (
    "Constant",
    "Normal",
    "Uniform",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Orthogonal",
    "Sparse",
)
LIST = "its list of Lasagne's initializers"
POSITIVE = "the fraction of matrices whose first entry is above 0"
HALF = "uniform: as often as not, within 0.05 of a half"


@exhibit.kept
def reached(s, steps):
    """The test accuracy and the rate of each seed, by entry, at the best rate."""
    histories = train_at_best_rate(
        [f"lasagne:{entry}" for entry in ENTRIES],
        hidden=[s.width] * s.depth,
        steps=steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        seeds=range(s.seeds),
    )
    shape = (len(ENTRIES), s.seeds)
    return {
        "accuracy": histories.numbers("test_accuracy", missing=0.1).reshape(shape),
        "rate": histories.numbers("learning_rate").reshape(shape),
    }


def accuracy_of(s, entry, steps):
    """Of each seed."""
    return reached(s, steps)["accuracy"][ENTRIES.index(entry)]


@exhibit.claim(
    LIST,
    budgets="steps",
    low=0.5,
    reason="learns: at least half of the images; the most frequent class is 0.1135 of them",
    otherwise="No entry learns with its defaults",
)
def every_entry_learns(s, steps):
    """The list holds ways to initialize a network: with its defaults, an entry begins one that learns.

    Measured: the fraction of test images that the trained network classifies correctly.

    Entries whose size follows from that of the layer learn. A fixed standard deviation of 0.01 passes on less
    than a tenth of the signal in each layer, and Sparse still less. A constant, by default 0, leaves all
    units equal.
    """
    return {f"for {entry}": accuracy_of(s, entry, steps) for entry in ENTRIES}


@exhibit.claim(
    "its first paragraph, after Bengio 2012",
    budgets="steps",
    high=0.12,
    reason="nothing: the most frequent class for every image gives 0.1135",
)
def constant_learns_nothing(s, steps):
    """To break the symmetry, weights should not be 0, as Constant sets them by default.

    Measured: the fraction of test images that the network from Constant classifies correctly.

    With ReLU only the output biases learn; what else is possible is in `symmetry`.
    """
    return accuracy_of(s, "Constant", steps)


@exhibit.claim(
    LIST,
    budgets="steps",
    low=-0.02,
    high=0.02,
    reason="no difference: within 0.02",
    otherwise="At one variance, normal and uniform weights do differ",
)
def distribution_does_not_matter(s, steps):
    """Sampled from a normal or a uniform distribution of the same variance, weights learn alike.

    Measured: the test accuracy from normal weights minus that from uniform ones.

    The list offers both without a word on the choice. After few steps chance, and the choice of the rate,
    move accuracies more than later.
    """
    return {
        f"for {name}": accuracy_of(s, f"{name}Normal", steps) - accuracy_of(s, f"{name}Uniform", steps)
        for name in ("Glorot", "He")
    }


def svd_factor(seed, order):
    """The answer's recipe: u of the singular value decomposition of a normal matrix."""
    return np.linalg.svd(stream(seed, Purpose.WEIGHTS).standard_normal((order, order)))[0]


def first_entries(s, draw):
    """Whether the first entry is positive, of each matrix."""
    return np.array([draw(seed)[0, 0] > 0 for seed in range(s.matrices)])


@exhibit.claim(
    "its recipe of an orthogonal matrix",
    quantity=POSITIVE,
    unit="matrices",
    low=0.45,
    high=0.55,
    reason=HALF,
    otherwise="u of the decomposition is orthogonal, but not every orthogonal matrix is equally likely",
    tried=("a probe had shown that the signs lean to one side before the range was set",),
)
def svd_gives_a_random_orthogonal_matrix(s):
    """u of the singular value decomposition of a normal matrix is a random orthogonal matrix.

    The decomposition leaves the signs of u's columns open, and the algorithm chooses them, not chance. Where
    the next layer's weights are symmetric around 0 this does no harm. The recipe also works for square
    layers only.
    """
    return first_entries(s, lambda seed: svd_factor(seed, s.order))


@exhibit.claim(
    source="Mezzadri 2007, How to generate random matrices from the classical compact groups",
    quantity=POSITIVE,
    unit="matrices",
    low=0.45,
    high=0.55,
    reason=HALF,
)
def corrected_signs_make_it_uniform(s):
    """With corrected signs, as in the scheme `orthogonal`, every orthogonal matrix is equally likely."""
    scheme, shape = Scheme("orthogonal"), (s.order, s.order)
    return first_entries(s, lambda seed: scheme.draw(stream(seed, Purpose.WEIGHTS), shape))


@exhibit.figure(
    "Accuracy on test images from each entry with its defaults; a mark for each of {seeds} seeds. The dotted "
    "line is the share of the most frequent class."
)
def accuracy(s):
    figure = Figure(figsize=(9, 3.6))
    headline(figure, "Which of Lasagne's initializers learn with their defaults")
    for axes, steps in zip(figure.subplots(1, 2, sharey=True), s.steps, strict=True):
        for place, entry in enumerate(ENTRIES[::-1]):
            axes.plot(accuracy_of(s, entry, steps), [place] * s.seeds, "o", color="#0072B2", alpha=0.6)
        axes.axvline(0.1135, color="#555555", linewidth=0.8, linestyle=":")
        axes.set(xlim=(0, 1), xlabel="test accuracy", title=f"after {steps} steps")
        axes.set_yticks(range(len(ENTRIES)), ENTRIES[::-1])
    return figure


@exhibit.table()
def accuracies(s):
    return [
        {"entry": entry, "scheme": str(Scheme.parse(f"lasagne:{entry}")), "steps": steps, "seed": seed}
        | {"rate": float(rate), "accuracy": float(accuracy)}
        for steps in s.steps
        for entry, *columns in zip(ENTRIES, *reached(s, steps).values(), strict=True)
        for seed, (accuracy, rate) in enumerate(zip(*columns, strict=True))
    ]
