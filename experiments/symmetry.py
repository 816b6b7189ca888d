"""Units that begin equal stay equal: zeros, constants, and the little noise that tells units apart.

Japanese slides on Saito's "Deep Learning from Scratch", section 6.2, ask why weights are not simply all 0,
and derive the gradients of a network of two sigmoid units: where the units are equal, so are their gradients,
for ever. An Italian article says that with zeros all activations are zero and so are the gradients. Here a
784-16-10 network learns MNIST by 1000 steps of gradient descent, rate 0.1, batches of 100, over five seeds:
from zeros, from 0.01 everywhere (0.1 already saturates sigmoid units), from 0.01 and a little noise, from
Xavier's weights, and from those with output weights of 0. A seed chooses weights and batches; from equal
weights it chooses the batches alone. Units count as distinct where they differ by more than rounding on 1000
images. All is in float64, for rounding too is a noise, which training amplifies. The slides show no training;
the network, its width and its steps are ours.

    python experiments/symmetry.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from initlab import Ensemble, Optimizer, Purpose, Scheme, open_dataset, stream
from initlab.analysis.claims import Claim
from initlab.analysis.tracking import track
from initlab.data.inputs import prepare_inputs
from initlab.nn.starts import Start
from initlab.plotting.marks import headline, pictures
from initlab.plotting.style import distinct_looks, styled
from initlab.runner.exhibits import Exhibit, run_script

SEEDS = range(5)
UNITS, BATCH, RATE, EVERY = 16, 100, 0.1, 50
STARTS = {
    "zeros": Start.of("zeros"),
    "0.01": Start.of("constant(value=0.01)"),
    "0.01 and noise of 1e-6": Start.of("normal(mean=0.01, std=0.000001)"),
    "0.01 and noise of 1e-4": Start.of("normal(mean=0.01, std=0.0001)"),
    "0.01 and noise of 1e-2": Start.of("normal(mean=0.01, std=0.01)"),
    "Xavier": Start.of("xavier"),
    "Xavier, output weights 0": Start(Scheme("xavier"), last=Scheme("zeros")),
}
EQUAL = ("zeros", "0.01")
ACTIVATIONS = ("sigmoid", "tanh", "relu")
SLIDES = "Japanese slides on Saito, Deep Learning from Scratch, 6.2"
TITLE = "Units that begin equal stay one unit; noise of a ten-thousandth sets them free"

STAY = Claim(
    "equal_stay_equal",
    "Units of a layer that begin with equal weights stay equal throughout the training",
    SLIDES,
    f"the most distinct units of the hidden layer, of {UNITS}, at any time of the training",
    "equal units are one distinct unit",
    high=1,
    lesson="Equal units receive equal gradients. This holds for every equal start and activation function, "
    "not for zeros alone. On a computer rounding may tell them apart (see `rounding.csv`): 20 units of tanh "
    "fall into two groups, whose sums the library for matrices rounds differently; 16 do not.",
)
NOTHING = Claim(
    "zeros_learn_nothing",
    "From weights that are all 0 the gradients are 0, and the network learns nothing",
    "Italian article on initialization techniques, on zero initialization",
    "the fraction of test images classified after training",
    "one class for every image, the most frequent, gives 0.1135",
    high=0.12,
    lesson="True where phi(0) = 0: with tanh and ReLU only the output biases learn, the frequencies of the "
    "classes. A sigmoid unit gives 1/2 at first, so that the output weights do learn, and then the hidden "
    "ones: all as one effective unit, which tells some of the digits apart.",
)
ANYTHING = Claim(
    "equal_learn_nothing",
    "If all weights are equal, they have the same error and the model learns nothing",
    "German answer on initial weights near 0, second paragraph",
    "the fraction of test images classified after training from 0.01 everywhere",
    "one class for every image gives 0.1135: at most 0.12",
    high=0.12,
    lesson="They stay equal, but they learn: as one unit, which tells two or three digits from the others. "
    "It is the width that is lost, not all learning.",
)
NOISE = Claim(
    "noise_breaks",
    "Some spread of the initial weights is enough to break the symmetry",
    SLIDES,
    "test accuracy of sigmoid units from 0.01 and noise, less that from 0.01 everywhere, same batches",
    "one unit tells few digits apart; many, if they differ, tell at least a fifth of all images more",
    low=0.2,
    lesson="The symmetric state is unstable: small differences grow. How long that takes is a matter of how "
    "small they were, so that in a given number of steps the least noise may not do.",
)
OUTPUT = Claim(
    "output_may_be_zero",
    "Output weights may be 0: there is no symmetry to break among them",
    "Chinese answer, after Bengio 2012, Practical recommendations for gradient-based training",
    "test accuracy of a network with output weights of 0, less that with Xavier's everywhere",
    "no worse than Xavier's, by two per cent of the images",
    low=-0.02,
    lesson="Each output unit has a class of its own, and so a gradient of its own.",
)
FORMULAS = Claim(
    "slide_gradients",
    "The slides' gradients of two units, dL/da_1 = x w_1 (1 - w_1) a_3 (y - t) and so on, are right",
    SLIDES,
    "the largest difference from back-propagation, relative to the largest gradient, at random parameters",
    "rounding",
    high=1e-10,
    lesson="They suppose the cross-entropy of y and t, which the slides do not say: squared error would "
    "bring in a factor y (1 - y).",
)


def formula_error(seed: int) -> float:
    """How far they are off, for `w_i = sigmoid(a_i x + b_i)` and `y = sigmoid(a_3 w_1 + a_4 w_2 + b_3)`."""
    a1, a2, a3, a4, b1, b2, b3, x = np.random.default_rng(seed).standard_normal(8)
    target = seed % 2
    network = Ensemble([[[a1, a2]], [[a3], [a4]]], [[b1, b2], [b3]], "sigmoid", "float64")
    y = 1 / (1 + np.exp(-network.forward(np.array([[x]]))))
    network.backward(y - target)
    w1, w2 = network.activations[0].ravel()
    d = y.item() - target
    h1, h2 = w1 * (1 - w1) * a3 * d, w2 * (1 - w2) * a4 * d
    said = np.array([x * h1, x * h2, h1, h2, w1 * d, w2 * d])
    return float(np.abs(said - network.gradients.ravel()[:-1]).max() / np.abs(said).max())


def train(activation: str, steps: int, units: int = UNITS) -> tuple[list[dict], dict[str, list[float]]]:
    """What is seen of each start and seed every 50 steps, and the test accuracies by start."""
    dataset = open_dataset("mnist")
    prepare = prepare_inputs("unit", dataset)
    probe, labels = prepare(dataset.train_images[:1000], "float64"), dataset.train_labels[:1000]
    ensemble = Ensemble.from_schemes(
        [784, units, 10],
        [start for start in STARTS.values() for _ in SEEDS],
        [*SEEDS] * len(STARTS),
        activation,
    )
    names = [(name, seed) for name in STARTS for seed in SEEDS]
    batches = [stream(seed, Purpose.BATCHES) for seed in SEEDS]
    sgd, rows = Optimizer("sgd", lr=RATE), []
    for step in range(steps + 1):
        if step % EVERY == 0:
            seen = track(ensemble, step, probe, labels)
            rows += [_row(*name, activation, entry) for name, entry in zip(names, seen, strict=True)]
        chosen = np.stack([rng.integers(len(dataset.train_labels), size=BATCH) for rng in batches])
        chosen = np.tile(chosen, (len(STARTS), 1))
        if step < steps:
            ensemble.train_step(
                prepare(dataset.train_images[chosen], "float64"), dataset.train_labels[chosen], sgd
            )
    accuracies = ensemble.accuracy(prepare(dataset.test_images, "float64"), dataset.test_labels)
    return rows, dict(zip(STARTS, accuracies.reshape(len(STARTS), -1).tolist(), strict=True))


def _row(start: str, seed: int, activation: str, entry: dict) -> dict:
    return {
        "activation": activation,
        "start": start,
        "seed": seed,
        "step": entry["step"],
        "train_accuracy": entry["train_accuracy"],
        "distinct_units": entry["layers"]["distinct_units"][0],
    }


@styled
def symmetry_figure(rows: list[dict]) -> Figure:
    """Distinct units and accuracy of sigmoid networks against steps, the mean over seeds."""
    figure = Figure(figsize=(9, 4))
    headline(figure, TITLE)
    panels = {
        "distinct_units": "distinct hidden units of 16",
        "train_accuracy": "accuracy on 1000 training images",
    }
    looks = distinct_looks([str(start.scheme) for start in STARTS.values()])
    for axes, (what, label) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        for name, look in zip(STARTS, looks, strict=True):
            own = [row for row in rows if row["start"] == name and row["activation"] == "sigmoid"]
            steps = sorted({row["step"] for row in own})
            means = [np.mean([row[what] for row in own if row["step"] == step]) for step in steps]
            style = {"color": look.color, "linestyle": look.dash, "marker": look.marker}
            axes.plot(steps, means, markersize=4, markevery=3, label=name, **style)
        axes.set(xlabel="steps", ylabel=label, ylim=(0, None))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def most_distinct(rows: list[dict], activation: str, start: str) -> list[float]:
    """For each seed, the largest number of distinct units at any time."""
    own = [row for row in rows if (row["activation"], row["start"]) == (activation, start)]
    return [max(row["distinct_units"] for row in own if row["seed"] == seed) for seed in SEEDS]


def less(first: list[float], second: list[float]) -> list[float]:
    """The differences seed by seed."""
    return [one - other for one, other in zip(first, second, strict=True)]


@threadpool_limits.wrap(limits=1)
def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "symmetry", "Equal units stay equal", __doc__, quick)
    trained = {activation: train(activation, 200 if quick else 1000) for activation in ACTIVATIONS}
    rows = [row for seen, _ in trained.values() for row in seen]
    reached = {activation: accuracies for activation, (_, accuracies) in trained.items()}
    figure = symmetry_figure(rows)
    exhibit.figure("symmetry", pictures(figure), f"{TITLE}. Sigmoid units; means over five seeds.")
    exhibit.claim(
        STAY,
        {f"{start}, {name}": most_distinct(rows, name, start) for start in EQUAL for name in ACTIVATIONS},
    )
    exhibit.claim(NOTHING, {name: reached[name]["zeros"] for name in ACTIVATIONS})
    exhibit.claim(ANYTHING, {name: reached[name]["0.01"] for name in ACTIVATIONS})
    sigmoid = reached["sigmoid"]
    noisy = [name for name in STARTS if "noise" in name]
    exhibit.claim(NOISE, {name: less(sigmoid[name], sigmoid["0.01"]) for name in noisy})
    pairs = {name: (own["Xavier, output weights 0"], own["Xavier"]) for name, own in reached.items()}
    exhibit.claim(OUTPUT, {name: less(*pair) for name, pair in pairs.items()})
    exhibit.claim(FORMULAS, [formula_error(seed) for seed in range(20)])
    rounded, _ = train("tanh", 200 if quick else 1000, units=20)
    exhibit.table(
        "rounding",
        [_most(rounded, start, 20) for start in EQUAL] + [_most(rows, start, UNITS) for start in EQUAL],
    )
    exhibit.table("training", rows)
    exhibit.table("test_accuracy", [_summary(*one) for one in reached.items()])
    exhibit.close()


def _most(rows: list[dict], start: str, units: int) -> dict:
    return {"units": units, "start": start, "most_distinct": max(most_distinct(rows, "tanh", start))}


def _summary(activation: str, accuracies: dict[str, list[float]]) -> dict:
    means = {name: float(np.mean(values)) for name, values in accuracies.items()}
    return {"activation": activation, **means}


if __name__ == "__main__":
    run_script(main)
