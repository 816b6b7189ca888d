"""Does initialization still matter, with Batch Normalization and Adam?

Texts on initial weights are of the time of plain gradient descent. Four schemes (std=0.01, 1/sqrt(n), He, and
the still wider 2/sqrt(n) of Japanese slides, `slide:he`) are trained on MNIST with tanh and with ReLU, in 3
and in 12 layers of 100, by gradient descent of rate 0.1 and by Adam of rate 0.001, without and with Batch
Normalization before the activation function: 300 steps, batches of 100, five seeds. What counts is the
accuracy on test images, and how far the best and the worst scheme lie apart in it. Rates are not tuned to the
scheme, which is how most networks are trained; after more steps slow starts would catch up a little.

    python experiments/still_matters.py [RESULTS] [--quick]
"""

from itertools import product

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from initlab import Ensemble, Optimizer, Purpose, Scheme, open_dataset, stream
from initlab.analysis.claims import Claim
from initlab.data.inputs import prepare_inputs
from initlab.nn.normalization import BatchNorm
from initlab.plotting.marks import headline, pictures
from initlab.plotting.style import look, styled
from initlab.runner.exhibits import Exhibit, run_script

SEEDS = range(5)
SCHEMES = [Scheme.parse(text) for text in ("std=0.01", "lecun", "he", "slide:he")]
OPTIMIZERS = {"SGD": ("sgd", 0.1), "Adam": ("adam", 0.001)}
RULES = {"no BN": None, "BN": BatchNorm("before")}
BATCH, SHALLOW = 100, 3
TITLE = "Batch Normalization levels the schemes in 3 layers; in 12, std=0.01 with SGD still fails or lags"

RANGE = "the test accuracy of the best scheme less that of the worst, of four, after 300 steps"
NORMALIZED = Claim(
    "bn_levels",
    "With Batch Normalization the initial weights do not matter",
    'a common reading of Ioffe & Szegedy 2015, Batch Normalization, abstract: "less careful"',
    RANGE,
    "five per cent of the images between best and worst",
    high=0.05,
    lesson="Normalized pre-activations do not know the scale of their weights. What the scale still sets is "
    "how far a step turns the weights, probably the reason for what is left: large ones turn slowly, small "
    "ones at once. In 3 layers this makes no difference to speak of; in 12 it does, most with gradient "
    "descent, whose steps do not shrink with the weights.",
)
NARROWER = Claim(
    "bn_less_careful",
    "With Batch Normalization one may be less careful about initialization",
    "Ioffe & Szegedy 2015, Batch Normalization, abstract",
    f"{RANGE}: with Batch Normalization, over that without",
    "less careful: at most half as far apart",
    high=0.5,
    lesson="In 12 layers of tanh and gradient descent it is not so: the narrowest start lags behind with it, "
    "as it does without.",
)
ADAM = Claim(
    "adam_makes_up",
    "Adam, whose steps do not depend on the gradients' size, makes up for weights of std=0.01",
    "a common reading of Kingma & Ba 2015, Adam, section 2.1",
    "the test accuracy of the best scheme less that of std=0.01, with Adam and without Batch Normalization",
    "within five per cent of the images of the best",
    high=0.05,
    lesson="In 300 steps: in 3 layers little is lost, in 12 nothing is learnt. Adam scales gradients up as "
    "far as they exceed its epsilon of 1e-8, and those of 12 layers of small weights probably do not.",
)
DEEP = Claim(
    "deep_needs_scheme",
    "A network of 12 layers learns or does not, depending on the scheme",
    "He et al. 2015, Delving deep into rectifiers, section 2.2; there convolutional nets of 22 and 30 layers",
    RANGE + ", with gradient descent and without Batch Normalization",
    "between a network that has learnt and one that has not lie at least half of the images",
    low=0.5,
    lesson="A layer's gain is multiplied twelve times.",
)
FORGIVING = Claim(
    "shallow_forgives",
    "A network of 3 layers learns from any of the schemes",
    "the use of std=0.01 in texts before 2010; the contrary of Saito, Deep Learning from Scratch, 6.2",
    RANGE + ", with gradient descent and without Batch Normalization",
    "ten per cent of the images between best and worst",
    high=0.1,
    lesson="With std=0.01, a layer of 100 passes on a tenth of its signal and of its gradient: three are "
    "enough to hold a network up for many steps.",
)

Condition = tuple[str, str, str, int]
Accuracies = dict[str, list[float]]


@np.errstate(all="ignore")
def train(condition: Condition, steps: int, shown: int) -> Accuracies:
    """The test accuracies over seeds from each scheme; what diverged has chosen one class."""
    activation, optimizer, rule, depth = condition
    dataset = open_dataset("mnist")
    prepare = prepare_inputs("unit", dataset)
    sizes, seeds = [784, *[100] * depth, 10], [*SEEDS] * len(SCHEMES)
    schemes = [scheme for scheme in SCHEMES for _ in SEEDS]
    ensemble = Ensemble.from_schemes(sizes, schemes, seeds, activation, batch_norm=RULES[rule])
    name, lr = OPTIMIZERS[optimizer]
    update, batches = Optimizer(name, lr=lr), [stream(seed, Purpose.BATCHES) for seed in SEEDS]
    for _ in range(steps):
        chosen = np.stack([rng.integers(len(dataset.train_labels), size=BATCH) for rng in batches])
        images, labels = prepare(dataset.train_images[chosen], "float32"), dataset.train_labels[chosen]
        both = np.tile(images, (len(SCHEMES), 1, 1)), np.tile(labels, (len(SCHEMES), 1))
        ensemble.train_step(*both, update)
    parts = np.split(np.arange(shown), shown // 1000)
    tests = [(prepare(dataset.test_images[part], "float32"), dataset.test_labels[part]) for part in parts]
    accuracies = np.mean([ensemble.accuracy(*test) for test in tests], axis=0)
    return {
        scheme.short: own.tolist()
        for scheme, own in zip(SCHEMES, accuracies.reshape(len(SCHEMES), -1), strict=True)
    }


def spread(accuracies: Accuracies) -> list[float]:
    """Best less worst scheme, seed by seed."""
    return np.ptp(list(accuracies.values()), axis=0).tolist()


def behind(accuracies: Accuracies, scheme: str) -> list[float]:
    """Best scheme less the given one, seed by seed."""
    return (np.max(list(accuracies.values()), axis=0) - np.asarray(accuracies[scheme])).tolist()


def named(condition: Condition) -> str:
    """In words."""
    activation, optimizer, rule, depth = condition
    return f"{activation}, {optimizer}, {rule}, {depth} layers"


@styled
def dot_figure(trained: dict[Condition, Accuracies]) -> Figure:
    """A row for each condition, a mark for each scheme at its mean accuracy, bars from worst to best seed."""
    figure = Figure(figsize=(9, 6))
    headline(figure, TITLE)
    axes = figure.subplots()
    for i, scheme in enumerate(SCHEMES):
        style = look(str(scheme))
        values = np.array([accuracies[scheme.short] for accuracies in trained.values()])
        rows = np.arange(len(values)) + (i - 1.5) / 6
        means = values.mean(axis=1)
        bars = np.abs([means - values.min(axis=1), values.max(axis=1) - means])
        marks = {"color": style.color, "marker": style.marker, "linestyle": "none", "markersize": 6}
        axes.errorbar(means, rows, xerr=bars, label=scheme.short, elinewidth=0.8, **marks)
    axes.set_yticks(range(len(trained)), [named(condition) for condition in trained])
    axes.set(xlabel="accuracy on test images (chance: 0.1)", xlim=(0, 1), ylim=(len(trained) - 0.4, -0.6))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "still_matters", "Does initialization still matter?", __doc__, quick)
    depths, steps, shown = ((SHALLOW, 6), 40, 2000) if quick else ((SHALLOW, 12), 300, 10_000)
    conditions = [*product(("tanh", "relu"), OPTIMIZERS, RULES, depths)]
    conditions.sort(key=lambda condition: (condition[2], condition[3]), reverse=True)
    with threadpool_limits(1):
        trained = {one: exhibit.kept(train, one, steps, shown) for one in conditions}
    figure = dot_figure(trained)
    exhibit.figure(
        "accuracy", pictures(figure), f"{TITLE}. Marks: means over five seeds; bars: worst to best seed."
    )
    spreads = {condition: spread(accuracies) for condition, accuracies in trained.items()}
    exhibit.claim(NORMALIZED, {named(one): spreads[one] for one in trained if one[2] == "BN"})
    plain = [one for one in trained if one[2] == "no BN"]
    ratios = {(*one[:2], one[3]): np.divide(spreads[*one[:2], "BN", one[3]], spreads[one]) for one in plain}
    exhibit.claim(NARROWER, {f"{a}, {o}, {depth} layers": values for (a, o, depth), values in ratios.items()})
    exhibit.claim(ADAM, {named(one): behind(trained[one], "std=0.01") for one in plain if one[1] == "Adam"})
    descent = [one for one in plain if one[1] == "SGD"]
    exhibit.claim(DEEP, {named(one): spreads[one] for one in descent if one[3] != SHALLOW})
    exhibit.claim(FORGIVING, {named(one): spreads[one] for one in descent if one[3] == SHALLOW})
    exhibit.table("accuracy", [_row(*one) for one in trained.items()])
    exhibit.close()


def _row(condition: Condition, accuracies: Accuracies) -> dict:
    means = {scheme: float(np.mean(values)) for scheme, values in accuracies.items()}
    settings = dict(zip(("activation", "optimizer", "batch_norm", "depth"), condition, strict=True))
    return settings | means | {"range": float(np.mean(spread(accuracies)))}


if __name__ == "__main__":
    run_script(main)
