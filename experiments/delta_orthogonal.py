"""Xiao, Bahri, Sohl-Dickstein, Schoenholz & Pennington 2018, Dynamical isometry of convolutional networks.

Plain tanh networks of {shallow} and {deep} convolutions, without normalization or skip connections, learn
MNIST by plain gradient descent: {steps} steps, batches of {batch_size}, {seeds} seeds. Kernels of 3,
{channels} channels, images reduced to {side} x {side} pixels by means of {pool} x {pool}, and continued from
their opposite side. Three starts draw the convolutions, all of the critical variance n_in Var(w) = 1 and
without biases: Gaussian kernels; orthogonal kernels, the weights of a layer as an orthogonal matrix of
channels and kernel pixels; and delta-orthogonal ones, whose middle pixel holds an orthogonal matrix of
channels, and the others 0. The first and the last layer are Gaussian in all of them. Each start has the rate
of {rates} whose loss on {held_out} held-out training images is lowest after the most steps, of {rate_seeds}
seeds.

In untrained networks, {jacobian_seeds} seeds, we take the Jacobian of the last convolution's activations by
the first one's pre-activations, around an image. Its singular values are the factors by which the network
stretches directions, and isometry means that all of them are near each other.
"""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from initlab import Initialization, Scheme, initialize, open_dataset, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look, look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="A hundred convolutions",
    question="depth",
    finding="Through a hundred convolutions, delta-orthogonal kernels keep most directions of the signal, "
    "and networks learn; Gaussian kernels of equal variance keep few, and networks learn little.",
    source="Xiao et al. 2018",
    network={"shallow": 20, "deep": 100, "channels": 8, "pool": 7, "side": 4},
    training={
        "steps": (150, 450),
        "batch_size": 16,
        "rates": (0.003, 0.01, 0.03, 0.1),
        "rate_seeds": 2,
        "held_out": 1000,
    },
    measuring={"seeds": 5, "last": 50, "span": 15, "jacobian_seeds": 10},
    quick={
        "shallow": 4,
        "deep": 12,
        "channels": 4,
        "steps": (15, 45),
        "rates": (0.01,),
        "rate_seeds": 1,
        "held_out": 200,
        "last": 10,
        "jacobian_seeds": 5,
    },
)
GAUSSIAN, ORTHOGONAL, DELTA = "lecun", "orthogonal", "delta_orthogonal"
STARTS = {GAUSSIAN: "Gaussian", ORTHOGONAL: "orthogonal", DELTA: "delta-orthogonal"}
FINAL = "mean loss of the last {last} steps, in nats"
KNOWS_NOTHING = "knowing nothing costs ln 10 = 2.303"


def mnist():
    """Without the test set, which is not needed."""
    examples = prepared_examples(open_dataset("mnist"))
    return replace(examples, test_inputs=examples.test_inputs[:0], test_labels=examples.test_labels[:0])


def hidden_layers(s, depth):
    """Pooling, then the convolutions."""
    convolution = f"conv({s.channels}, kernel=3, padding=same, border=circular)"
    return [f"average({s.pool})", *[convolution] * depth]


def start_of(scheme):
    """The scheme for all layers but the first and the last, so that these do not differ."""
    gaussian = Scheme(GAUSSIAN)
    return Initialization(Scheme(scheme), first=gaussian, last=gaussian)


@exhibit.kept
def trained(s, depth):
    """Of each start at its best rate the losses, (seeds, steps), and the rate."""
    histories = train_at_best_rate(
        [start_of(scheme) for scheme in STARTS],
        mnist(),
        hidden=hidden_layers(s, depth),
        activation="tanh",
        steps=max(s.steps),
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        by="loss",
        seeds=range(s.seeds),
        choosing={"seeds": range(s.rate_seeds)},
    )
    measured = {}
    for scheme in STARTS:
        own = histories.of(str(start_of(scheme)))
        measured[scheme] = np.nan_to_num(own.losses, nan=10.0)
        measured[f"rate of {scheme}"] = own[0].learning_rate
    return measured


def final_loss(s, depth, scheme, steps):
    """Of each seed, (seeds,)."""
    return trained(s, depth)[scheme][:, steps - s.last : steps].mean(axis=1)


@exhibit.claim(
    "abstract",
    quantity=FINAL,
    budgets="steps",
    high=1.8,
    reason=f"{KNOWS_NOTHING}; trains: at most 1.8",
    tried=(
        "one seed, 300 steps, all layers delta-orthogonal, before the range was set: 1.1",
        "rates up to 0.03, or chosen by one seed: confirmed",
    ),
)
def delta_trains(s, steps):
    """Plain convolutional networks of {deep} layers train from delta-orthogonal kernels."""
    return final_loss(s, s.deep, DELTA, steps)


@exhibit.claim(
    "experiments with other kernels",
    quantity=FINAL,
    budgets="steps",
    low=1.8,
    reason=f"{KNOWS_NOTHING}; does not train: at least 1.8",
    tried=(
        "one seed, 300 steps, before the range was set: 1.9 and 2.0",
        "rates chosen by one seed: confirmed",
    ),
)
def others_do_not(s, steps):
    """With {deep} layers, networks from other kernels of the same variance do not train.

    The paper's orthogonal kernels spread over all pixels are others than ours: they keep lengths exactly.
    """
    return {f"from {STARTS[scheme]} kernels": final_loss(s, s.deep, scheme, steps) for scheme in OTHERS}


OTHERS = (GAUSSIAN, ORTHOGONAL)


@exhibit.claim(
    "experiments with orthogonal kernels",
    budgets="steps",
    low=0.1,
    reason="faster: a difference above 0.1",
    tried=("rates chosen by one seed: undecided likewise",),
)
def delta_is_faster(s, steps):
    """Networks learn faster from delta-orthogonal than from Gaussian kernels.

    Measured: mean loss of all steps from Gaussian kernels less that from delta-orthogonal ones, in nats.
    """
    return {
        f"{depth} layers": (own[GAUSSIAN] - own[DELTA])[:, :steps].mean(axis=1)
        for depth in (s.shallow, s.deep)
        for own in [trained(s, depth)]
    }


@exhibit.kept
def singular_values(s, scheme, depth):
    """Of the Jacobian of the last activations by the first pre-activations, (seeds, directions), falling.

    The last layer is set to the identity, and a gradient of 1 is sent back from each of its outputs.
    """
    directions, seeds = s.channels * s.side**2, s.jacobian_seeds
    sizes = (784, *hidden_layers(s, depth), directions)
    networks = initialize(sizes, [start_of(scheme)] * seeds, range(seeds), "tanh", "float64")
    networks.weights[-1][...] = np.eye(directions)
    image = mnist().train_inputs[:1]
    networks.forward(np.repeat(image, directions, axis=0))
    networks.backward(np.repeat(np.eye(directions)[None], seeds, axis=0))
    gradients = networks.pre_activation_gradients[0].reshape(seeds, directions, directions)
    return {"values": np.linalg.svd(gradients, compute_uv=False)}


def unevenness(s, scheme, depth):
    """The largest singular value over the root mean square of all, (seeds,)."""
    values = singular_values(s, scheme, depth)["values"]
    return values[:, 0] / np.sqrt(np.square(values).mean(axis=1))


@exhibit.claim(
    "abstract: conditions of dynamical isometry",
    high=1.5,
    is_ratio=True,
    reason="isometry: the largest is at most 1.5 of the root mean square",
)
def delta_is_isometric(s):
    """Networks with delta-orthogonal kernels have dynamical isometry: the singular values of their Jacobian
    are near each other.

    Measured: the largest singular value over the root mean square of all, before training.

    The kernels keep every length exactly. What unevenness there is comes from tanh, whose slope is below 1
    where an image is bright, and grows with depth.
    """
    return {f"{depth} layers": unevenness(s, DELTA, depth) for depth in (s.shallow, s.deep)}


@exhibit.claim(
    "abstract: conditions of dynamical isometry",
    low=1.5,
    is_ratio=True,
    reason="no isometry: more than 1.5 of the root mean square",
)
def gaussian_is_not(s):
    """Networks with Gaussian kernels do not have dynamical isometry, at the critical variance either.

    Measured: the largest singular value over the root mean square of all, before training.
    """
    return {f"{depth} layers": unevenness(s, GAUSSIAN, depth) for depth in (s.shallow, s.deep)}


@exhibit.figure(
    "Left and middle: the mean of {seeds} seeds, averaged over {span} steps, and their range. Right: "
    "singular values of untrained networks of {deep} convolutions, the geometric mean of {jacobian_seeds} "
    "seeds and their range; what is below 1e-9 of the largest is not drawn."
)
def loss_and_isometry(s):
    figure, steps = Figure(figsize=(12, 3.8)), max(s.steps)
    headline(figure, "Delta-orthogonal kernels keep most directions, and networks of many layers learn")
    *learning, isometry = figure.subplots(1, 3)
    for axes, depth in zip(learning, (s.shallow, s.deep), strict=True):
        for scheme, style in LOOKS.items():
            means = trained(s, depth)[scheme].reshape(s.seeds, -1, s.span).mean(axis=2)
            mean_and_range(axes, np.arange(s.span, steps + 1, s.span), means, style, STARTS[scheme])
        axes.set(xlabel="training step", ylim=(0, 2.6), title=f"{depth} convolutions")
    learning[0].set_ylabel("training loss (nats)")
    learning[0].legend(loc="lower left", fontsize=8)
    draw_singular_values(s, isometry)
    return figure


LOOKS = {GAUSSIAN: look(GAUSSIAN), ORTHOGONAL: look(ORTHOGONAL), DELTA: Look("#0072B2", "D", "-")}


def draw_singular_values(s, axes):
    for scheme, style in LOOKS.items():
        values = singular_values(s, scheme, s.deep)["values"]
        values = np.where(values > 1e-9 * values[:, :1], values, np.nan)
        shown = np.isfinite(values).all(axis=0)
        x = np.arange(1, values.shape[1] + 1)[shown]
        logs = np.log10(values[:, shown])
        mean_and_range(axes, x, logs, style)
    axes.set(xlabel="direction, from the most stretched", ylabel="log10 of the singular value")
    axes.set_title(f"Jacobian of {s.deep} convolutions")


@exhibit.table(tolerance=0.1)
def learning(s):
    return [
        {"layers": depth, "kernels": STARTS[scheme], "rate": float(own[f"rate of {scheme}"])}
        | {f"loss_{steps}": float(final_loss(s, depth, scheme, steps).mean()) for steps in s.steps}
        | {"largest_singular_value_over_rms": float(np.exp(np.log(uneven).mean()))}
        for depth in (s.shallow, s.deep)
        for scheme in STARTS
        for own in [trained(s, depth)]
        for uneven in [unevenness(s, scheme, depth)]
    ]
