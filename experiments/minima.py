"""Which minimum training reaches: the start against the order of the examples.

An Italian article says that training can converge to any of the possible local minima, depending on where it
starts. Here ReLU networks of two layers of {width} units from He's weights learn MNIST by plain gradient
descent: rate {rate}, batches of {batch_size}, {steps} steps. In each of {trials} trials we train three
networks: one; one from the same start on other batches; and one from another start on the same batches. From
the first we walk to each of the others on a straight line of {points} points. The barrier is the largest
error on {images} training images on this line less the mean of its ends; Frankle et al. 2020 call two
networks connected where it is less than 2 %. Hidden units may be numbered in any order. So we also renumber
the units of the other network, layer by layer, such that their activations on these images correlate best
with those of the first (Entezari et al. 2022 search for such an order too). A minimum here is where training
stands after its steps, at a constant rate; the error is small then, but not yet level.
"""

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

from initlab import initialize, open_dataset, train
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look
from initlab.training.loop import evaluate

exhibit = Exhibit(
    __file__,
    __doc__,
    title="The start chooses among minima",
    question="verdict",
    finding="Two starts end at different minima, which are equally good, with a barrier between them; two "
    "orders of batches from one start end in one valley.",
    source="Italian article on weight initialization",
    network={"width": 100},
    training={"rate": 0.1, "batch_size": 100, "steps": (600, 3000)},
    measuring={"trials": 20, "images": 2000, "points": 11},
    quick={"trials": 5, "steps": (30, 90), "width": 50, "images": 500},
)
BATCHES, START, RENUMBERED = "same start, other batches", "other start", "other start, renumbered"
LOOKS = {
    BATCHES: Look("#0072B2", "o", "-"),
    START: Look("#D55E00", "s", "--"),
    RENUMBERED: Look("#009E73", "D", "-."),
}
DISTANCES = ("apart", "apart_from_one_start", "travelled")
# Seeds of the trials lie far apart, so that no trial shares weights or batches with another.
OTHER = 1000
CONNECTED = 0.02


@exhibit.kept
def solutions(s, steps):
    """What the trials gave, each (trials, ...)."""
    examples = prepared_examples(open_dataset("mnist"))
    shown = examples.train_inputs[: s.images], examples.train_labels[: s.images]
    rows = []
    for trial in range(s.trials):
        sizes = [examples.features, s.width, s.width, examples.classes]
        networks = initialize(sizes, ["he"] * 3, [trial, trial, OTHER + trial])
        starts = networks.keep(np.arange(3))
        histories = train(
            networks,
            examples,
            steps=steps,
            batch_size=s.batch_size,
            optimizer=f"sgd(lr={s.rate})",
            seeds=[trial, OTHER + trial, trial],
        )
        rows.append(
            {
                "apart": distance(networks, 0, networks, 2),
                "apart_from_one_start": distance(networks, 0, networks, 1),
                "travelled": distance(networks, 0, starts, 0),
                "accuracy": histories.numbers("test_accuracy"),
                "differ": differ(networks, examples.test_inputs[:]),
                **errors_on_lines(networks, *shown, s.points),
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]}


def distance(networks, row, others, other):
    """Between all parameters of two networks."""
    return float(np.linalg.norm(networks.parameters[row] - others.parameters[other]))


def differ(networks, inputs):
    """The share of inputs to which the first network gives another class than each of the others."""
    classes = networks.forward(inputs).argmax(axis=2)
    return (classes[1:] != classes[0]).mean(axis=1)


def errors_on_lines(networks, inputs, labels, points):
    """From the first network to each of the others, and to the last one renumbered."""
    renumbered = aligned(networks.keep([0, 2]), inputs)
    ends = {
        BATCHES: networks.parameters[1],
        START: networks.parameters[2],
        RENUMBERED: renumbered.parameters[0],
    }
    errors = {}
    for name, end in ends.items():
        line = networks.keep(np.zeros(points, int))
        line.parameters += np.linspace(0, 1, points)[:, None] * (end - networks.parameters[0])
        errors[name] = 1 - evaluate(line, inputs, labels, "cross_entropy")[1]
    return errors


def aligned(pair, inputs):
    """The second of two networks, its hidden units renumbered so that they resemble those of the first."""
    pair.forward(inputs)
    renumbered = pair.keep([1])
    for layer, (ones, others) in enumerate(pair.activations):
        _, order = linear_sum_assignment(correlations(ones, others), maximize=True)
        for array in (renumbered.weights[layer], renumbered.biases[layer]):
            array[...] = array[..., order]
        renumbered.weights[layer + 1][...] = renumbered.weights[layer + 1][:, order]
    return renumbered


def correlations(ones, others):
    """Of each unit of one layer with each of another, from activations (inputs, units); 0 if constant."""
    ones, others = (units - units.mean(axis=0) for units in (ones, others))
    lengths = np.outer(np.linalg.norm(ones, axis=0), np.linalg.norm(others, axis=0))
    return np.divide(ones.T @ others, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def barrier(s, steps, name):
    """The largest error on the line less the mean of its ends, (trials,)."""
    errors = solutions(s, steps)[name]
    return errors.max(axis=1) - errors[:, [0, -1]].mean(axis=1)


@exhibit.claim(
    budgets="steps",
    low=2.0,
    is_ratio=True,
    reason="its own: the other solution is at least twice as far as its own start",
    unit="trials",
)
def start_decides_where_it_ends(s, steps):
    """Depending on its start, training converges to one or another minimum.

    Measured: distance between the solutions from two starts, over the distance from a start to its solution.

    Training moves a network a little from where it began; the start is most of what its weights are.
    The ratio falls the longer it trains.
    """
    distances = solutions(s, steps)
    return distances["apart"] / distances["travelled"]


@exhibit.claim(
    "there: local minima", budgets="steps", low=CONNECTED, reason="a barrier: at least 2 %", unit="trials"
)
def barrier_between_starts(s, steps):
    """The minima are apart: between the solutions from two starts lies a barrier.

    Measured: the barrier of the training error on the line between them.
    """
    return barrier(s, steps, START)


@exhibit.claim(
    source="Frankle, Dziugaite, Roy & Carbin 2020, section 3, LeNet on MNIST",
    budgets="steps",
    high=CONNECTED,
    reason="connected: less than 2 %, the paper's limit",
    unit="trials",
)
def no_barrier_from_one_start(s, steps):
    """On MNIST the start decides alone: from one start, other batches end in the same valley.

    Measured: the barrier of the training error between the solutions from one start on two orders of batches.

    The paper finds this for its small network on MNIST only; its large ones are decided by the batches of the
    first steps too.
    """
    return barrier(s, steps, BATCHES)


@exhibit.claim(
    source="Entezari, Sedghi, Saukh & Neyshabur 2022, conjecture 1",
    budgets="steps",
    high=CONNECTED,
    reason="connected: less than 2 %",
    unit="trials",
    otherwise="Renumbering the units removes most of the barrier, but not all of it",
    tried=("10 trials: undecided",),
)
def renumbering_removes_the_barrier(s, steps):
    """Up to the numbering of its units, other starts end in the same valley.

    Measured: the barrier of the training error after the units of the other network are renumbered.

    Most of the barrier is a matter of numbering. The conjecture is about wide networks and the best of all
    numberings; ours are not very wide, and our numbering is the one that correlates best.
    """
    return barrier(s, steps, RENUMBERED)


@exhibit.claim(
    source="Choromanska et al. 2015, The loss surfaces of multilayer networks",
    budgets="steps",
    high=0.01,
    reason="equal: less than one image in a hundred",
    unit="trials",
)
def minima_are_equally_good(s, steps):
    """The minima that training reaches are of equal quality.

    Measured: the difference of the test accuracies from two starts, without its sign.
    """
    accuracy = solutions(s, steps)["accuracy"]
    return abs(accuracy[:, 0] - accuracy[:, 2])


@exhibit.claim(
    source="Fort, Hu & Lakshminarayanan 2019, Deep ensembles: a loss landscape perspective",
    budgets="steps",
    low=0.0,
    reason="more: a difference above 0",
    unit="trials",
    tried=("10 trials: undecided",),
)
def starts_disagree_more_than_batches(s, steps):
    """The minima of two starts are different functions: they disagree more than those from one start.

    Measured: share of test images that networks from two starts classify differently, minus that for networks
    from one start on other batches.

    Our networks from two starts share their batches, those of the paper do not. At a constant rate, the last
    batches decide on the doubtful images as much as the start does.
    """
    differing = solutions(s, steps)["differ"]
    return differing[:, 1] - differing[:, 0]


@exhibit.figure(
    "Training error on the straight lines between two trained networks. Means of {trials} trials, and their "
    "range."
)
def lines(s):
    figure = Figure(figsize=(9, 3.8))
    headline(figure, "Error between two trained networks, by what they share")
    for axes, steps in zip(figure.subplots(1, 2, sharey=True), s.steps, strict=True):
        for name, style in LOOKS.items():
            shares = np.linspace(0, 1, s.points)
            mean_and_range(axes, shares, 100 * solutions(s, steps)[name], style, name, every=1)
        axes.set(xlabel="way from one network to the other", ylim=(0, None), title=f"after {steps} steps")
    figure.axes[0].set_ylabel("training error (%)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


@exhibit.table(tolerance=0.05)
def distances_and_barriers(s):
    return [
        {"steps": steps}
        | {
            name: float(solutions(s, steps)[name].mean())
            for name in ("apart", "apart_from_one_start", "travelled")
        }
        | {f"barrier, {name}": float(barrier(s, steps, name).mean()) for name in LOOKS}
        | {"test_accuracy": float(solutions(s, steps)["accuracy"].mean())}
        for steps in s.steps
    ]
