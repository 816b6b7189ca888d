"""Chizat, Oyallon & Bach 2019, On lazy training, and Neal 1996: how the size of the start tells the future.

A model that is multiplied by alpha can fit its data while its weights hardly move: then it follows its
linearization at the start. The paper multiplies the output. We multiply the weights of a ReLU network of one
hidden layer of {width} units, whose biases begin at 0, by the square root of alpha, which multiplies the
output by alpha, and divide the rate {rate} by alpha: for gradient flow both are the same training of the same
model, but for the biases. As in the paper, each unit has a twin with the opposite output weight, so that the
output begins at 0; we also train networks without twins. The task is {images} images of MNIST, squared error
on the logits, {steps} steps, batches of {batch_size}, alpha {alphas}, {seeds} seeds. What is said of outputs
is measured on {shown} test images. Exponents are slopes in logarithms, over alpha {lazy}. For the outputs at
the start we draw, {groups} times, {drawn} networks of each width of {widths}, with {outputs} outputs and He's
weights; in each group they are shown one input N(0, 1) of {inputs} numbers.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Optimizer, initialize, open_dataset, train
from initlab.data.datasets import first_images
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Lazy training",
    question="verdict",
    finding="The larger the output at the start is scaled, the less weights move, as 1 / scale, provided "
    "that the output itself begins at 0.",
    source="Chizat, Oyallon & Bach 2019",
    network={"width": 100, "alphas": (0.25, 1, 4, 16, 64), "lazy": (4, 16, 64)},
    training={"images": 1000, "batch_size": 100, "rate": 0.02, "steps": (300, 1000)},
    measuring={"shown": 500, "seeds": 5},
    untrained={"widths": (8, 32, 128), "outputs": 1000, "inputs": 10, "drawn": 300, "groups": 10},
    quick={"steps": (20, 60), "alphas": (1, 4, 16), "lazy": (4, 16), "drawn": 25, "widths": (8, 32)},
)
GAUSSIAN = "Neal 1996, Bayesian Learning for Neural Networks; to first order Yaida 2020"
TWINS = {True: "output 0 at the start", False: "any output at the start"}
LOOKS = {True: Look("#0072B2", "o", "-"), False: Look("#D55E00", "s", "--")}


def scaled_networks(alphas, width, seed, twins):
    """A network for each alpha, whose output is alpha times that of the same weights at alpha 1."""
    schemes = [f"he(gain={alpha**0.5})" for alpha in alphas]
    if not twins:
        return initialize([784, width, 10], schemes, seed, dtype="float64")
    W, V = initialize([784, width // 2, 10], schemes, seed, dtype="float64").weights
    return Ensemble([np.concatenate([W, W], axis=2), np.concatenate([V, -V], axis=1)], dtype="float64")


@exhibit.kept
def trained(s, twins, steps):
    """What training changes, each (seeds, alphas)."""
    examples = prepared_examples(first_images(open_dataset("mnist"), s.images), dtype="float64")
    shown, rows = examples.test_inputs[: s.shown], []
    for seed in range(s.seeds):
        networks = scaled_networks(s.alphas, s.width, seed, twins)
        start = networks.keep(np.arange(len(s.alphas)))
        histories = train(
            networks,
            examples,
            steps=steps,
            batch_size=s.batch_size,
            optimizer=Optimizer("sgd", lr=[s.rate / alpha for alpha in s.alphas]),
            loss="squared_error_logits",
            seeds=seed,
        )
        rows.append(
            {
                "moved": length(networks.parameters - start.parameters) / length(start.parameters),
                "off_tangent": off_tangent(start, networks, shown),
                "flipped": (active(start, shown) != active(networks, shown)).mean(axis=(1, 2)),
                "accuracy": histories.numbers("test_accuracy", missing=0.1),
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]}


def length(vectors):
    """Of each network's numbers."""
    return np.linalg.norm(vectors.reshape(len(vectors), -1), axis=1)


def active(networks, inputs):
    """Which hidden units are on, (networks, inputs, units)."""
    networks.forward(inputs)
    return networks.pre_activations[0] > 0


def off_tangent(start, end, inputs, step=1e-4):
    """How far outputs at the end are from those of the model linearized at the start, over their change."""
    rows = np.arange(start.networks)
    before, after = start.forward(inputs).copy(), end.forward(inputs).copy()
    forth, back = start.keep(rows), start.keep(rows)
    forth.parameters += step * (end.parameters - start.parameters)
    back.parameters -= step * (end.parameters - start.parameters)
    change = (forth.forward(inputs) - back.forward(inputs)) / (2 * step)
    return length(after - before - change) / length(after - before)


def exponents(s, twins, steps):
    """The slope of the relative change over alpha in logarithms, (seeds,)."""
    chosen = [s.alphas.index(alpha) for alpha in s.lazy]
    moved = np.log(trained(s, twins, steps)["moved"][:, chosen])
    return np.polyfit(np.log(s.lazy), moved.T, 1)[0]


@exhibit.claim(
    "section 2",
    budgets="steps",
    low=-1.1,
    high=-0.9,
    reason="-1, a tenth more or less",
    tried=("rate 0.2, 300 steps, one seed: about 0, because such large steps are unstable",),
)
def change_falls_as_one_over_alpha(s, steps):
    """The relative change of the weights falls as 1 / alpha.

    Measured: from output 0, the exponent of the distance from the start over the length of the start.
    """
    return exponents(s, True, steps)


@exhibit.claim(
    "section 2, the condition on the output at the start",
    budgets="steps",
    low=-0.5,
    reason="does not fall as 1 / alpha: at most half that exponent",
)
def output_must_begin_at_zero(s, steps):
    """This needs an output near 0 at the start.

    Measured: from weights without twins, the exponent of the same relative change.

    An output of alpha times something must first be removed, and for that weights move by an amount that does
    not depend on alpha. What matters is the output's size at the start, not that of the weights.
    """
    return exponents(s, False, steps)


@exhibit.claim("section 2", budgets="steps", high=0.05, reason="follows: within a twentieth of the change")
def linearization_is_followed(s, steps):
    """A lazy network follows its linearization at the start.

    Measured: at the largest alpha, distance of the outputs from the linearized model's at the same weights,
    over their change.

    At alpha 1 they part: the figure shows it. The linear model's outputs follow from the start and the data,
    so the future of a lazy network is known before it is trained.
    """
    return trained(s, True, steps)["off_tangent"][:, -1]


@exhibit.claim(
    "section 3.2, stability of activations",
    budgets="steps",
    high=0.02,
    reason="stable: 98 % stay as they are",
)
def lazy_units_stay(s, steps):
    """In lazy training units keep their activation patterns: features are not learnt.

    Measured: at the largest alpha, the share of pairs of unit and image whose unit turns on or off.
    """
    return trained(s, True, steps)["flipped"][:, -1]


@exhibit.claim("section 3", budgets="steps", low=0.01, reason="worse: one image in a hundred")
def lazy_is_less_accurate(s, steps):
    """Lazy training generalizes worse than training that moves the weights.

    Measured: test accuracy at the smallest alpha minus that at the largest, after equal steps.

    Equal steps are equal times of the flow in the paper's units. The paper compares convolutional networks
    after convergence; at equal steps, networks whose weights move have also fitted more of the
    training images.
    """
    accuracy = trained(s, True, steps)["accuracy"]
    return accuracy[:, 0] - accuracy[:, -1]


@exhibit.kept
def kurtosis(s, depth):
    """The excess kurtosis of the outputs over networks, (groups, widths)."""
    return {"excess": [[excess_of_group(s, depth, n, group) for n in s.widths] for group in range(s.groups)]}


def excess_of_group(s, depth, width, group):
    """Over the outputs of networks that are drawn anew, at one input."""
    inputs = stream(group, Purpose.INPUTS).standard_normal((1, s.inputs))
    seeds = range(group * s.drawn, (group + 1) * s.drawn)
    sizes = [s.inputs, *[width] * depth, s.outputs]
    outputs = [initialize(sizes, "he", seed).forward(inputs).astype(np.float64) for seed in seeds]
    return excess_kurtosis(np.concatenate(outputs))


def excess_kurtosis(values):
    """Of numbers of mean 0: 0 for normal ones."""
    return (values**4).mean() / (values**2).mean() ** 2 - 3


def predicted_excess(width, depth):
    """Of a ReLU network's output: each layer multiplies E f^4 / (E f^2)^2, which is 3, by 1 + 5 / width."""
    return 3 * (1 + 5 / np.asarray(width)) ** depth - 3


@exhibit.claim(
    source=GAUSSIAN, low=-1.15, high=-0.85, reason="-1, and 0.15 more or less", unit="groups of networks"
)
def outputs_become_gaussian(s):
    """Over random networks the output of a wide one is Gaussian, up to terms of 1 / width.

    Measured: with one hidden layer, the exponent of the excess kurtosis over the width.

    For ReLU it is 15 / width. The outputs of one network share its hidden layer: they are uncorrelated, but
    independent only in the limit.
    """
    excess = np.log(kurtosis(s, 1)["excess"])
    return np.polyfit(np.log(s.widths), excess.T, 1)[0]


@exhibit.claim(
    source="Hanin & Nica 2020; Yaida 2020",
    low=3.0,
    is_ratio=True,
    reason="as depth: 4, or nearly",
    unit="groups",
)
def depth_undoes_width(s):
    """What counts is depth over width: four layers are as far from Gaussian as one of a quarter of the width.

    Measured: at the largest width, excess kurtosis through four hidden layers over that through one.
    """
    return kurtosis(s, 4)["excess"][:, -1] / kurtosis(s, 1)["excess"][:, -1]


@exhibit.figure(
    "Left and middle: after the last step, means of {seeds} seeds, and their range. Right: means of {groups} "
    "groups of {drawn} networks, and their range; grey: theory."
)
def change(s):
    figure = Figure(figsize=(11, 3.8))
    headline(figure, "How far weights move, by alpha; how far outputs are from Gaussian, by width")
    left, middle, right = figure.subplots(1, 3)
    for twins, name in TWINS.items():
        arrays = trained(s, twins, s.steps[-1])
        for axes, what in ((left, "moved"), (middle, "off_tangent")):
            mean_and_range(axes, s.alphas, arrays[what], LOOKS[twins], name, every=1)
    for axes, title in ((left, "Relative change of weights"), (middle, "Distance from linearized outputs")):
        axes.set(xscale="log", yscale="log", xlabel="alpha", title=title)
        axes.set_xticks(s.alphas, [f"{alpha:g}" for alpha in s.alphas])
        axes.minorticks_off()
    left.legend(loc="lower left")
    for depth, style in ((1, Look("#009E73", "^", "-")), (4, Look("#CC79A7", "D", "-."))):
        mean_and_range(
            right, s.widths, kurtosis(s, depth)["excess"], style, f"hidden layers: {depth}", every=1
        )
        right.plot(s.widths, predicted_excess(s.widths, depth), color="#7F7F7F", linewidth=0.8)
    right.set(xscale="log", yscale="log", xlabel="width", title="Excess kurtosis of outputs")
    right.set_xticks(s.widths, [str(n) for n in s.widths])
    right.minorticks_off()
    right.legend(loc="lower left")
    return figure


@exhibit.table(tolerance=0.02)
def by_alpha(s):
    return [
        {"twins": twins, "steps": steps, "alpha": alpha}
        | {name: float(values[:, i].mean()) for name, values in trained(s, twins, steps).items()}
        for twins in TWINS
        for steps in s.steps
        for i, alpha in enumerate(s.alphas)
    ]


@exhibit.table(tolerance=0.1)
def excess(s):
    return [
        {"depth": depth, "width": n, "excess": float(kurtosis(s, depth)["excess"][:, i].mean())}
        | {"predicted": float(predicted_excess(n, depth))}
        for depth in (1, 4)
        for i, n in enumerate(s.widths)
    ]
