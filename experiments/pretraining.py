"""Hinton et al. 2006 and Bengio et al. 2007: greedy layer-wise pretraining of deep sigmoid networks.

Hinton, Osindero & Teh, A fast learning algorithm for deep belief nets; Bengio, Lamblin, Popovici &
Larochelle, Greedy layer-wise training of deep networks. Sigmoid networks of {depths} hidden layers of {width}
units start from std=0.01, from four times Glorot's weights, or are pretrained: layer by layer, with {batches}
batches of {batch_size} for each, as restricted Boltzmann machines, as plain autoencoders as in Bengio et al.
2007, or as denoising ones. Then they learn MNIST by up to {steps} steps of plain gradient descent, with
{seeds} seeds for each depth; networks without pretraining take as many steps more as pretraining has batches.
Each start has that of the rates {rates} with the highest mean accuracy of {rate_seeds} seeds on {held_out}
held-out training images at the end. Accuracies are measured every {every} steps on {images} test images. The
papers train far longer and wider, and compare test errors of 1.2 to 2.4 %; we compare the order only.
"""

from itertools import product

import numpy as np
from matplotlib.figure import Figure

from initlab import open_dataset, train_at_best_rate
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.init.networks import initialize
from initlab.init.pretraining import contrastive_divergence
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import Look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Greedy layer-wise pretraining",
    question="remedy",
    finding="From small random weights a deep sigmoid network does not learn; pretrained it does, and from "
    "weights of the right scale it does so without pretraining.",
    network={"depths": (2, 5), "deep": 5, "width": 50},
    training={"steps": (400, 1200), "batch_size": 50, "rates": (0.3, 1.0), "rate_seeds": 3, "held_out": 5000},
    pretraining={"batches": 200, "stds": (0.001, 0.01, 0.1, 1.0), "rbm_steps": (200, 600), "rbm_rate": 0.1},
    measuring={"seeds": 10, "images": 1000, "every": 50, "last": 50},
    quick={
        "depths": (1, 2),
        "deep": 2,
        "width": 20,
        "steps": (20, 60),
        "rates": (1.0,),
        "batches": 20,
        "rbm_steps": (20, 60),
        "every": 20,
        "last": 10,
        "held_out": 500,
        "images": 200,
    },
)
SMALL, GLOROT = PLAIN = ("std=0.01", "4 x Glorot")
MACHINES, ENCODERS, DENOISING = PRETRAINED = ("Boltzmann machines", "autoencoders", "denoising autoencoders")
LOOKS = {
    SMALL: Look("#000000", "o", ":"),
    GLOROT: Look("#56B4E9", "<", "-"),
    MACHINES: Look("#0072B2", "P", "--"),
    ENCODERS: Look("#D55E00", "D", "-."),
    DENOISING: Look("#009E73", "d", ":"),
}
BENGIO = "Bengio et al. 2007"
ANSWER = "Chinese answer, after Bengio 2012, Practical recommendations for gradient-based training"
BEFORE = "width 100, 600 batches a layer, 1000 steps at one rate, unequal budgets, 5 seeds: "


def schemes(s):
    """By the name of the start."""
    how = f"steps={s.batches}, batch_size={s.batch_size}"
    return {
        SMALL: "std=0.01",
        GLOROT: "xavier_sigmoid",
        MACHINES: f"pretrained_rbm({how})",
        ENCODERS: f"pretrained_autoencoder({how}, noise=0)",
        DENOISING: f"pretrained_autoencoder({how})",
    }


def before(s, depth, start):
    """The batches of pretraining, without the one that each layer looks at before it learns."""
    return depth * s.batches if start in PRETRAINED else 0


@exhibit.kept
def trained(s, depth, start):
    """Accuracies (seeds, times); all starts see as many batches in all."""
    examples = prepared_examples(open_dataset("mnist"))
    images, labels = examples.test_inputs[: s.images], examples.test_labels[: s.images]
    seeds = range(depth * s.seeds, (depth + 1) * s.seeds)
    histories = train_at_best_rate(
        schemes(s)[start],
        examples,
        hidden=[s.width] * depth,
        activation="sigmoid",
        steps=s.steps[-1] + depth * s.batches - before(s, depth, start),
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        seeds=seeds,
        choosing={"seeds": seeds[: s.rate_seeds], "track": None, "track_every": None},
        track=lambda networks: [{"accuracy": own} for own in networks.accuracy(images, labels)],
        track_every=s.every,
    )
    curves = [[entry["accuracy"] for entry in history.tracked] for history in histories]
    return {"accuracy": curves, "rate": histories.numbers("learning_rate")}


def accuracy(s, depth, start, steps):
    """After so many supervised steps, (seeds,)."""
    return trained(s, depth, start)["accuracy"][:, steps // s.every]


def accuracy_in_all(s, depth, start, steps):
    """After as many batches in all as a pretrained network has been shown after so many steps, (seeds,)."""
    return accuracy(s, depth, start, steps + depth * s.batches - before(s, depth, start))


@exhibit.claim(
    source=f"{BENGIO}, abstract: from random weights it appears to get stuck in poor solutions",
    budgets="steps",
    high=0.5,
    reason="poor: at most half of the images",
    tried=(f"{BEFORE}0.11 from std=0.01, 0.93 from four times Glorot's",),
)
def random_gets_stuck(s, steps):
    """From random weights, training of a deep network gets stuck in poor solutions.

    Measured: test accuracy of {deep} layers after as many batches as pretrained networks are shown in all.

    What is missing from the small weights is their scale, not knowledge of the data.
    """
    return {f"from {start}": accuracy_in_all(s, s.deep, start, steps) for start in PLAIN}


@exhibit.claim(
    source=f"{BENGIO}, abstract; Hinton et al. 2006",
    budgets="steps",
    low=0.5,
    reason="has learnt: more than half of the images",
    tried=(f"{BEFORE}0.93 and 0.94",),
)
def pretrained_trains(s, steps):
    """Pretrained layer by layer, a deep sigmoid network trains.

    Measured: test accuracy of {deep} layers.
    """
    return {start: accuracy(s, s.deep, start, steps) for start in PRETRAINED}


@exhibit.claim(
    source=f"{BENGIO}, table 2: 1.2 against 1.4 % test error",
    budgets="steps",
    low=0.0,
    reason="better: a difference above 0",
    otherwise="Plain autoencoders make a better start than Boltzmann machines, in so short a training",
    tried=(f"{BEFORE}-0.004 against denoising autoencoders, refuted",),
)
def rbm_beats_autoencoder(s, steps):
    """Boltzmann machines make a better start than plain autoencoders.

    Measured: test accuracy of {deep} layers from Boltzmann machines, minus that from plain autoencoders.

    Our training is short, and the paper's difference is a fifth of a per cent of the images.
    """
    return accuracy(s, s.deep, MACHINES, steps) - accuracy(s, s.deep, ENCODERS, steps)


def gains(s, steps):
    """Test accuracy with pretraining minus that without, of all depths and seeds, by what is compared."""
    return {
        f"{start} against {plain}": np.concatenate(
            [accuracy(s, depth, start, steps) - accuracy(s, depth, plain, steps) for depth in s.depths]
        )
        for plain, start in product(PLAIN, PRETRAINED)
    }


EARLIER = {
    "tried": ("against 4 x Glorot alone, also with as many batches in all: there it failed for all kinds",)
}


@exhibit.claim(
    source=ANSWER, budgets="steps", low=0.5, reason="mostly: more than half", unit="networks", **EARLIER
)
def mostly_helps(s, steps):
    """Pretraining mostly helps.

    Measured: the fraction of networks, of {depths} layers, that classify more test images pretrained than
    from random weights, after as many supervised steps.

    It helps where the random weights have the wrong scale. Against the right scale it does not, although it
    is given its own batches on top of as many steps.
    """
    return {name: own > 0 for name, own in gains(s, steps).items()}


@exhibit.claim(
    source=ANSWER,
    budgets="steps",
    high=0.25,
    reason="seldom: at most a quarter",
    unit="networks",
    **EARLIER,
)
def seldom_hurts(s, steps):
    """Pretraining seldom hurts.

    Measured: the fraction of networks, of {depths} layers, that classify at least one per cent fewer of the
    test images pretrained than from random weights, after as many supervised steps.

    Our pretraining is short. What it costs against the right scale becomes less with more steps.
    """
    return {name: own <= -0.01 for name, own in gains(s, steps).items()}


@exhibit.claim(source=ANSWER, budgets="steps", low=1, is_ratio=True, reason="more: above 1")
def costs_time(s, steps):
    """Pretraining costs time.

    Measured: batches, those of pretraining included, until a pretrained network of {deep} layers is as
    accurate as one from four times Glorot's weights after the budget, divided by the budget. A network that
    never is counts with all its batches.
    """
    goals = accuracy(s, s.deep, GLOROT, steps)
    return {
        start: (before(s, s.deep, start) + steps_to(trained(s, s.deep, start)["accuracy"], goals, s.every))
        / steps
        for start in PRETRAINED
    }


def steps_to(accuracies, goals, every):
    """The first step at which each seed reaches its goal; the last step, where it never does."""
    reached = accuracies >= goals[:, None]
    reached[:, -1] = True
    return reached.argmax(axis=1) * every


@exhibit.kept
def errors(s, std):
    """Of one Boltzmann machine, the mean squared error of reconstructions, (seeds, steps)."""
    inputs = prepared_examples(open_dataset("mnist")).train_inputs
    return {"errors": [learning(s, inputs, std, seed) for seed in range(s.seeds)]}


def learning(s, inputs, std, seed):
    """The errors of one machine at each step."""
    network = initialize([inputs.shape[1], s.width, 10], [f"std={std}"], seed, "sigmoid")
    batches = stream(seed, Purpose.SAMPLES)
    learn = contrastive_divergence(stream(seed, Purpose.ADAPTATION), s.rbm_steps[-1], s.rbm_rate, 1)

    def next_batch():
        return inputs[batches.integers(len(inputs), size=s.batch_size)]

    return list(learn(next_batch, network.weights[0][0], network.biases[0][0]))


def final_error(s, std, steps):
    """The mean of the last steps, (seeds,)."""
    return errors(s, std)["errors"][:, steps - s.last : steps].mean(axis=1)


@exhibit.claim(
    source="Chinese answer, after Hinton 2010, A practical guide to training restricted Boltzmann machines",
    budgets="rbm_steps",
    high=1.1,
    is_ratio=True,
    reason="a good start: within a tenth of the best",
)
def small_weights_suit_machines(s, steps):
    """Normal weights of std=0.01 or std=0.1 are good starts for Boltzmann machines.

    Measured: mean squared error of the reconstructions of one machine of {width} units in the last {last}
    steps, divided by the smallest of those from {stds} as the standard deviation.
    """
    best = np.min([final_error(s, std, steps) for std in s.stds], axis=0)
    return {f"from std={std:g}": final_error(s, std, steps) / best for std in s.stds[1:3]}


@exhibit.figure(
    "Accuracy on {images} test images: the means of {seeds} seeds, and their range. Curves of pretrained "
    "networks begin after the batches that pretraining takes; all networks are shown as many batches in all."
)
def equal_budgets(s):
    figure = Figure(figsize=(10, 4.2))
    headline(figure, "Deep sigmoid networks with and without pretraining, as many batches in all")
    for axes, depth in zip(figure.subplots(1, 2, sharey=True), s.depths, strict=True):
        for start, look in LOOKS.items():
            curves = trained(s, depth, start)["accuracy"]
            times = before(s, depth, start) + s.every * np.arange(curves.shape[1])
            mean_and_range(axes, times, curves, look, start)
        axes.set(xlabel="batches in all", ylim=(0, 1), title=f"{depth} hidden layers")
    figure.axes[0].set_ylabel("accuracy on test images")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


@exhibit.table(tolerance=0.05)
def accuracies(s):
    return [
        {"depth": depth, "start": start, "rate": float(trained(s, depth, start)["rate"][0]), "steps": steps}
        | {"after_steps": float(accuracy(s, depth, start, steps).mean())}
        | {"after_batches_in_all": float(accuracy_in_all(s, depth, start, steps).mean())}
        for depth in s.depths
        for start in LOOKS
        for steps in s.steps
    ]


@exhibit.table(tolerance=0.01)
def machines(s):
    return [
        {"std": std, "steps": steps, "error": float(final_error(s, std, steps).mean())}
        for std in s.stds
        for steps in s.rbm_steps
    ]
