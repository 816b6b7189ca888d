"""Yang & Hu 2021, Feature learning in infinite-width neural networks (Tensor Programs IV); Yang et al. 2022,
Tensor Programs V: tuning large neural networks via zero-shot hyperparameter transfer.

ReLU networks of two hidden layers learn MNIST, from He's weights with one learning rate for all layers (the
standard parametrization), and from muP with the same weights at width {narrow}. First, {first_steps} steps of
SGD at the rate {sgd_rate} and of Adam at {adam_rate} show by how much the logits of {shown} test images
change, at widths {widths}, in {networks} networks of each. Then networks of {narrow} and {wide} units are
trained for {steps} steps of SGD on {images} training images at each rate of {rates}; the best rate of a seed
is that of the lowest loss on {held_out} of them that are held out. {seeds} seeds; all batches have
{batch_size} images.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import open_dataset, train
from initlab.data.examples import prepared_examples
from initlab.gallery import Exhibit
from initlab.nn.optimizers import Optimizer
from initlab.plotting.elements import headline, mean_and_range
from initlab.plotting.style import look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Learning rates and width",
    question="remedy",
    finding="The first steps from He's weights move the logits of a wider network further, from muP they do "
    "not. The best rate of SGD after some hundred steps is nearly the same at both widths, from either.",
    source="Yang & Hu 2021",
    moving={"first_steps": (4, 12), "widths": (64, 256, 1024), "networks": 10, "shown": 200},
    optimizers={"sgd_rate": 0.05, "adam_rate": 0.002},
    training={
        "steps": (100, 300),
        "batch_size": 64,
        "narrow": 64,
        "wide": 512,
        "rates": tuple(0.01 * 2.0**k for k in range(8)),
        "images": 20_000,
        "held_out": 2000,
        "seeds": 8,
    },
    quick={
        "widths": (64, 256),
        "networks": 5,
        "steps": (5, 15),
        "wide": 128,
        "seeds": 5,
        "images": 2000,
        "held_out": 500,
    },
)
STANDARD, MUP = "He", "muP"
TENSOR_PROGRAMS_V = "Yang et al. 2022"


def scheme_of(s, name):
    """Both have He's variance at the narrow width."""
    return "he" if name == STANDARD else f"mup(scale=2, base={s.narrow})"


def mnist():
    """Images of mean 0 and variance 1."""
    return prepared_examples(open_dataset("mnist"), "standardized", "float32")


def logits_of(shown):
    """A function that tells the logits of some images, for `train(track=...)`."""

    def track(networks):
        return [{"logits": logits.astype(np.float64)} for logits in networks.forward(shown)]

    return track


@exhibit.kept
def changes(s, name, optimizer, steps):
    """The mean absolute change of the logits at each width, (networks,)."""
    examples, rates = mnist(), {"sgd": s.sgd_rate, "adam": s.adam_rate}
    moved = {}
    for width in s.widths:
        histories = train(
            scheme_of(s, name),
            examples,
            hidden=[width, width],
            steps=steps,
            batch_size=s.batch_size,
            optimizer=f"{optimizer}(lr={rates[optimizer]})",
            seeds=range(s.networks),
            track_every=steps,
            track=logits_of(examples.test_inputs[: s.shown]),
        )
        ends = [[entry["logits"] for entry in history.tracked] for history in histories]
        moved[f"{width}"] = np.array([np.abs(last - first).mean() for first, last in ends])
    return moved


def wider(s, name, steps):
    """The change at the largest width over that at the smallest, of networks of one seed."""
    ends = str(max(s.widths)), str(min(s.widths))
    return {
        optimizer: changed[ends[0]] / changed[ends[1]]
        for optimizer in ("sgd", "adam")
        for changed in [changes(s, name, optimizer, steps)]
    }


MOVES = {"budgets": "first_steps", "is_ratio": True}


@exhibit.claim("section 1", **MOVES, low=1.25, reason="further: by more than a quarter")
def standard_steps_grow(s, steps):
    """In the standard parametrization, the first steps move the logits of a wider network further.

    Measured: the mean change of the logits, at the largest width over the smallest, network by network.
    """
    return wider(s, STANDARD, steps)


@exhibit.claim(
    source=f"{TENSOR_PROGRAMS_V}, appendix D",
    **MOVES,
    low=0.5,
    high=2.0,
    reason="as far: within a factor of 2",
)
def mup_steps_keep(s, steps):
    """From muP, the first steps move the logits by as much at every width.

    Measured: the mean change of the logits, at the largest width over the smallest, network by network.

    It is the coordinate check of Tensor Programs V. The limit is one of infinite width; from {narrow} units
    on the change still falls a little, since the logits begin nearer to 0 the wider the network.
    """
    return wider(s, MUP, steps)


@exhibit.kept
def held_out(s, name, width):
    """The loss on held-out images at each budget and rate, infinite where it diverged, (rates, seeds)."""
    rates = [float(rate) for rate in s.rates]
    schemes = [scheme_of(s, name)] * len(rates)
    examples, losses = mnist(), {}
    images = np.arange(s.images)
    shown = examples.train_inputs[images], examples.train_labels[images]
    for steps in s.steps:
        histories = train(
            schemes,
            shown,
            hidden=[width, width],
            steps=steps,
            batch_size=s.batch_size,
            optimizer=Optimizer("sgd", lr=rates),
            seeds=range(s.seeds),
            validation=s.held_out,
        )
        own = np.nan_to_num(histories.numbers("validation_loss"), nan=np.inf)
        losses[f"{steps}"] = own.reshape(len(rates), s.seeds)
    return losses


def best_rates(s, name, width, steps):
    """The rate of the lowest loss of each seed, (seeds,)."""
    return np.array(s.rates)[held_out(s, name, width)[str(steps)].argmin(axis=0)]


def transfer(s, name, steps):
    """The best rate of wide networks over that of narrow ones, seed by seed."""
    return best_rates(s, name, s.wide, steps) / best_rates(s, name, s.narrow, steps)


TUNED = {"budgets": "steps", "is_ratio": True}


@exhibit.claim(
    "section 1",
    **TUNED,
    high=2 / 3,
    reason="smaller: below two thirds",
    otherwise="In the standard parametrization, the best rate of SGD does not fall up to width {wide}",
)
def standard_rates_fall(s, steps):
    """In the standard parametrization, the best learning rate falls as the network gets wider.

    Measured: the best rate at width {wide} over that at {narrow}, seed by seed.

    The paper speaks of the limit of infinite width, and of networks that are trained to the end. Here the
    largest rate that does not diverge falls, and lies above the best one at both widths.
    """
    return transfer(s, STANDARD, steps)


@exhibit.claim(
    source=f"{TENSOR_PROGRAMS_V}, abstract",
    **TUNED,
    low=2 / 3,
    high=1.5,
    reason="the same: within a factor of 1.5",
)
def mup_rates_transfer(s, steps):
    """From muP, the learning rate that is best for a narrow network is best for a wide one.

    Measured: the best rate at width {wide} over that at {narrow}, seed by seed.
    """
    return transfer(s, MUP, steps)


@exhibit.claim(
    source=f"{TENSOR_PROGRAMS_V}, section 5", budgets="steps", high=0.0, reason="better: the loss is lower"
)
def transferred_rate_serves_better(s, steps):
    """A rate tuned on narrow networks trains wide ones better from muP than in the standard parametrization.

    Measured: the held-out loss at width {wide}, at the narrow networks' best rate, muP less standard.
    """
    ends = []
    for name in (MUP, STANDARD):
        losses = held_out(s, name, s.wide)[str(steps)]
        rows = held_out(s, name, s.narrow)[str(steps)].argmin(axis=0)
        ends.append(np.minimum(losses[rows, np.arange(s.seeds)], np.log(10) * 2))
    return ends[0] - ends[1]


@exhibit.figure(
    "Left: change of the logits after the fewer of {first_steps} steps; the range is that of {networks} "
    "networks. Right: loss on held-out images after the most steps, the mean of {seeds} seeds; thin lines "
    "are narrow networks, thick ones wide; dots mark the lowest."
)
def widths_and_rates(s):
    figure = Figure(figsize=(12.0, 4.0))
    headline(figure, "From He's weights the first steps grow with width, from muP they do not")
    panels = figure.subplots(1, 3)
    for axes, optimizer in zip(panels, ("sgd", "adam"), strict=False):
        for name, scheme in ((STANDARD, "he"), (MUP, "orthogonal")):
            curves = np.array(
                [changes(s, name, optimizer, min(s.first_steps))[str(width)] for width in s.widths]
            ).T
            mean_and_range(axes, s.widths, curves, look(scheme), name)
        axes.set(xscale="log", xlabel="width", ylabel="change of the logits", ylim=(0, None))
        axes.set_xticks(s.widths, map(str, s.widths))
        axes.minorticks_off()
        axes.set_title({"sgd": "SGD", "adam": "Adam"}[optimizer])
        axes.legend()
    for name, scheme in ((STANDARD, "he"), (MUP, "orthogonal")):
        for width, line in ((s.narrow, 1.0), (s.wide, 2.5)):
            mean = np.minimum(held_out(s, name, width)[str(max(s.steps))], 4.0).mean(axis=1)
            color, dash = look(scheme).color, look(scheme).dash
            panels[2].plot(
                s.rates, mean, color=color, linestyle=dash, linewidth=line, label=f"{name}, {width}"
            )
            panels[2].plot(s.rates[int(mean.argmin())], mean.min(), "o", color=color)
    panels[2].set(xscale="log", yscale="log", xlabel="learning rate", ylabel="held-out loss")
    panels[2].set_title("Which rate is best")
    panels[2].legend()
    return figure


@exhibit.table()
def logits(s):
    return [
        {"start": name, "optimizer": optimizer, "steps": steps, "width": width}
        | {"change": float(changes(s, name, optimizer, steps)[str(width)].mean())}
        for name in (STANDARD, MUP)
        for optimizer in ("sgd", "adam")
        for steps in s.first_steps
        for width in s.widths
    ]


@exhibit.table()
def best(s):
    return [
        {"start": name, "width": width, "steps": steps}
        | {"best_rate": float(np.exp(np.log(best_rates(s, name, width, steps)).mean()))}
        | {"loss": float(held_out(s, name, width)[str(steps)].mean(axis=1).min())}
        for name in (STANDARD, MUP)
        for width in (s.narrow, s.wide)
        for steps in s.steps
    ]
