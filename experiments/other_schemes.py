"""Five schemes of which the other pages say little, each held against a statement of its source.

Martens's sparse weights and the sparse weights of libraries: tanh units with {few} and with {many} inputs
N(0, 1), layers of {width} units. LeCun's scaled tanh with his weights: inputs N(0, 1), layers of {width}.
Hinton's weights for a restricted Boltzmann machine: {hidden} sigmoid units on images of MNIST. All of these
are not trained; {networks} networks each, {probe} inputs. Normalization within layers, by Kraehenbuehl,
Doersch, Donahue & Darrell: tanh networks of {depth} layers of {width} units; on images that the scheme has
not seen, and after {steps} steps of gradient descent with batches of {batch_size}, {seeds} seeds, at the rate
of {rates} that is best on {held_out} held-out training images (the paper: convolutional networks).
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import initialize, measure_layers, open_dataset, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Sparse, scaled and normalized weights",
    question="signal",
    finding="Units with Martens's sparse weights stay as they are with ever more inputs; those with the "
    "sparse weights of libraries do not.",
    untrained={
        "few": 100,
        "many": 1600,
        "width": 100,
        "hidden": 500,
        "deep": 20,
        "networks": 10,
        "probe": 1000,
    },
    training={"depth": 5, "steps": (100, 300), "batch_size": 50, "rates": (0.03, 0.1, 0.3), "held_out": 2000},
    measuring={"seeds": 5},
    quick={"networks": 5, "probe": 200, "steps": (5, 15), "rates": (0.1,), "held_out": 200},
)
MARTENS = "Martens 2010, Deep learning via Hessian-free optimization, section 5"
SPARSE = {"Lasagne": "sparse", "PyTorch": "sparse(per=input)"}
GROWTH = "the standard deviation of pre-activations with {many} inputs over that with {few}"
SMALL, WITHIN = "std=0.01", "within_layer"
LOOKS = {"lecun_tanh": look("lecun"), "tanh": look("he")}


def gaussian(s, features, seed):
    return stream(seed, Purpose.INPUTS).standard_normal((s.probe, features))


def images(s):
    """Training images that no scheme looks at here, and those before them."""
    inputs = prepared_examples(open_dataset("mnist"), dtype="float64").train_inputs
    return inputs[: s.probe], inputs[s.probe : 2 * s.probe]


def first_layer(s, scheme, features, seed):
    """What `measure_layers` says of one tanh layer with so many inputs."""
    network = initialize([features, s.width, 1], [scheme], seed, "tanh", "float64")
    return measure_layers(network, gaussian(s, features, seed))[0][0]


def growth(s, scheme):
    """Of each network."""
    lengths = [
        [first_layer(s, scheme, features, seed).length for features in (s.few, s.many)]
        for seed in range(s.networks)
    ]
    few, many = np.transpose(lengths)
    return np.sqrt(many / few)


@exhibit.claim(
    source=MARTENS,
    low=-0.05,
    high=0.05,
    reason="does not grow: the same fraction, within 0.05",
)
def martens_units_do_not_saturate_with_fan_in(s):
    """With 15 incoming weights, units do not saturate more when they have more inputs.

    Measured: the fraction of saturated tanh units, with {many} inputs less that with {few}.

    The source leaves the size of the weights open; here it is 1, after Sutskever et al. 2013.
    """
    fractions = [
        [first_layer(s, "martens", features, seed).saturated for features in (s.few, s.many)]
        for seed in range(s.networks)
    ]
    few, many = np.transpose(fractions)
    return many - few


@exhibit.claim(
    source=f"Documentation of PyTorch's sparse_ and Lasagne's Sparse, after {MARTENS}",
    quantity=GROWTH,
    low=0.8,
    high=1.25,
    is_ratio=True,
    reason="as in Martens 2010: no growth, within a fourth",
    otherwise="The sparse weights of libraries are not Martens's: they keep a fraction of the inputs, so "
    "pre-activations grow with the root of the fan-in",
)
def sparse_is_as_martens_has_it(s):
    """The sparse weights of PyTorch and Lasagne are Martens's: pre-activations do not grow with fan-in.

    Both libraries fix the fraction of the weights that are not 0, where Martens fixes their number.
    """
    return {name: growth(s, scheme) for name, scheme in SPARSE.items()}


@exhibit.claim(
    source="Hinton 2010, A practical guide to training restricted Boltzmann machines, section 8",
    high=0.01,
    reason="not very close to 0 or 1: at most one in a hundred within 0.05 of them",
)
def rbm_units_begin_undecided(s):
    """From N(0, 0.01^2) typical inputs do not drive probabilities of hidden units close to 0 or 1.

    Measured: the fraction of activations of {hidden} sigmoid units within 0.05 of 0 or of 1, on images.
    """
    shown, _ = images(s)
    networks = initialize([shown.shape[1], s.hidden, 1], ["rbm"] * s.networks, range(s.networks), "sigmoid")
    networks.forward(shown)
    return (np.abs(networks.activations[0] - 0.5) > 0.45).mean(axis=(1, 2))


@exhibit.kept
def mean_squares(s, activation):
    """Of the activations of each layer from LeCun's weights, (networks, layers)."""
    sizes, values = [s.width] * (s.deep + 1) + [1], []
    for seed in range(s.networks):
        network = initialize(sizes, ["lecun"], seed, activation, "float64")
        network.forward(gaussian(s, s.width, seed))
        values.append([(a**2).mean() for a in network.activations])
    return {"mean_squares": values}


@exhibit.claim(
    source="LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, sections 4.4 and 4.6",
    low=0.8,
    high=1.25,
    is_ratio=True,
    reason="about 1: within a fourth",
    otherwise="The scaled tanh keeps the variance from vanishing, but at a level well below 1",
)
def scaled_tanh_keeps_variance_near_1(s):
    """From inputs of variance 1, weights of variance 1/n and 1.7159 tanh(2x/3) give variances near 1.

    Measured: the mean square of the activations of a layer.

    The function takes 1 to 1 and -1 to -1. But it flattens larger pre-activations more than it raises smaller
    ones. Plain tanh, also in the figure, loses the variance altogether.
    """
    values = mean_squares(s, "lecun_tanh")["mean_squares"]
    return {"after 1 layer": values[:, 0], f"after {s.deep} layers": values[:, -1]}


KRAEHENBUEHL = "Kraehenbuehl et al. 2016, Data-dependent initializations of convolutional neural networks"


@exhibit.claim(
    source=f"{KRAEHENBUEHL}, section 3.1",
    high=0.1,
    reason="unit variance: within a tenth of 1, on average over units",
)
def within_layer_makes_units_alike(s):
    """Normalization within layers gives the outputs of every unit unit variance, on other inputs, too.

    Measured: the mean |std - 1| over units of the worst hidden layer, on {probe} images that it has not seen.
    """
    shown, unseen = images(s)
    sizes = [shown.shape[1], *[s.width] * s.depth, 10]
    networks = initialize(sizes, [WITHIN] * s.networks, range(s.networks), "tanh", data=shown)
    networks.forward(unseen)
    return np.max([np.abs(z.std(axis=1) - 1).mean(axis=1) for z in networks.pre_activations[:-1]], axis=0)


@exhibit.kept
def reached(s, steps):
    """The test accuracy of each seed, by scheme, at the best rate."""
    histories = train_at_best_rate(
        [SMALL, WITHIN],
        hidden=[s.width] * s.depth,
        activation="tanh",
        steps=steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        seeds=range(s.seeds),
    )
    return {"accuracy": histories.numbers("test_accuracy", missing=0.1).reshape(2, s.seeds)}


@exhibit.claim(
    source=f"{KRAEHENBUEHL}, experiments",
    budgets="steps",
    low=0.1,
    reason="faster: more accurate by at least 0.1 after as many steps",
)
def within_layer_learns_faster(s, steps):
    """From weights normalized within layers, networks learn faster than from small normal ones, std=0.01.

    Measured: the test accuracy from normalized weights minus that from std=0.01.
    """
    small, within = reached(s, steps)["accuracy"]
    return within - small


@exhibit.figure(
    "The mean square of activations through {deep} layers of {width} units, weights N(0, 1/n): the mean of "
    "{networks} networks and their range. The dotted line is 1."
)
def scaled_tanh(s):
    figure = Figure(figsize=(6.5, 3.6))
    headline(figure, "LeCun's scaled tanh holds a level; plain tanh loses it")
    axes = figure.subplots()
    for activation, style in LOOKS.items():
        values = mean_squares(s, activation)["mean_squares"]
        mean_and_range(axes, np.arange(1, s.deep + 1), values, style, activation)
    axes.axhline(1, color="#555555", linewidth=0.8, linestyle=":")
    axes.set(xlabel="layer", ylabel="mean square", ylim=(0, 1.1))
    axes.set_xticks([1, *range(5, s.deep + 1, 5)])
    axes.legend(loc="center right")
    return figure


@exhibit.table()
def pre_activation_growth(s):
    return [
        {"scheme": scheme, "growth": float(growth(s, scheme).mean())}
        for scheme in ("martens", *SPARSE.values())
    ]
