"""Layer-sequential unit variance: Mishkin & Matas 2016, All you need is a good init.

Orthogonal weights, each layer divided by the standard deviation of its outputs on a batch of 1000 images;
networks of 20 layers of 100 on MNIST, tanh and ReLU, five seeds. Unit variance is measured on 1000 images
that the scheme has not seen. Training is 600 steps of plain gradient descent with batches of 100, at the
better of the rates 0.01 and 0.03; all networks of an activation function are trained in one ensemble. (The
paper trains convolutional networks; these are fully connected.)

    python experiments/lsuv.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Optimizer, Scheme, open_dataset
from initlab.analysis.claims import Claim
from initlab.analysis.measure import samples_of
from initlab.plotting.marks import headline, pictures
from initlab.plotting.style import distinct_looks, plain, styled
from initlab.runner.exhibits import Exhibit, run_script

SOURCE = "Mishkin & Matas 2016"
SCHEMES = {"tanh": ("lsuv", "xavier", "std=0.01"), "relu": ("lsuv", "he", "std=0.01")}
RATES, SEEDS = (0.01, 0.03), 5
UNIT = Claim(
    "unit_variance",
    "LSUV gives the outputs of every layer variance 1",
    f"{SOURCE}, algorithm 1",
    "the largest |Var z - 1| among all layers, on images that the scheme has not seen",
    "the paper's tolerance is 0.1; twice that for other images",
    high=0.2,
)
TRAINS = Claim(
    "trains_where_plain_fails",
    "It trains very deep networks, where small random weights fail",
    f"{SOURCE}, section 4",
    "test accuracy from LSUV minus that from std=0.01, at the better of two rates",
    "fails: a difference of at least 0.5",
    low=0.5,
    lesson="From std=0.01 nothing is learnt by either function.",
)
AS_GOOD = Claim(
    "as_good_as_formulas",
    "It does at least as well as the formulas made for the activation function, Xavier's and He's",
    f"{SOURCE}, section 4.1",
    "test accuracy from LSUV minus that from Xavier's (tanh) or He's weights (ReLU), at the better rate",
    "as well: at most 0.01 below",
    low=-0.01,
)


def variances(activation: str, depth: int, images: np.ndarray) -> np.ndarray:
    """Var z of every layer of each network, on the second thousand of the images, (layers, SEEDS)."""
    seen, unseen = images[:1000], images[1000:2000]
    sizes = [784, *[100] * depth, 10]
    networks = Ensemble.from_schemes(
        sizes, ["lsuv"] * SEEDS, range(SEEDS), activation, samples=lambda _: lambda n: seen[:n]
    )
    networks.forward(unseen)
    return np.array([z.var(axis=(1, 2)) for z in networks.pre_activations])


def accuracies(activation: str, depth: int, steps: int) -> dict[str, list[float]]:
    """Test accuracy of each scheme at the best of the rates, for each seed."""
    mnist = open_dataset("mnist")
    images, test = mnist.train_images[:] / np.float32(255), mnist.test_images / np.float32(255)
    grid = [(s, seed, lr) for s in SCHEMES[activation] for seed in range(SEEDS) for lr in RATES]
    sizes = [784, *[100] * depth, 10]
    schemes, seeds, rates = zip(*grid, strict=True)
    networks = Ensemble.from_schemes(sizes, schemes, seeds, activation, samples=samples_of(images))
    sgd, rng = Optimizer("sgd", lr=rates), np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            chosen = rng.integers(len(images), size=100)
            networks.train_step(images[chosen], mnist.train_labels[chosen], sgd)
        reached = networks.accuracy(test[:5000], mnist.test_labels[:5000])
    best: dict[tuple[str, int], float] = {}
    for (scheme, seed, _), value in zip(grid, reached, strict=True):
        best[scheme, seed] = max(best.get((scheme, seed), 0.0), float(value))
    return {s: [best[s, seed] for seed in range(SEEDS)] for s in SCHEMES[activation]}


def _ahead(found: dict[str, list[float]], other: str) -> list[float]:
    return [ours - theirs for ours, theirs in zip(found["lsuv"], found[other], strict=True)]


@styled
def draw(found: dict[str, dict[str, list[float]]]) -> Figure:
    """A point for each network, column by column."""
    figure = Figure(figsize=(7.2, 3.6))
    for axes, (activation, schemes) in zip(figure.subplots(1, 2, sharey=True), found.items(), strict=True):
        for x, (style, values) in enumerate(
            zip(distinct_looks([str(Scheme.parse(one)) for one in schemes]), schemes.values(), strict=True)
        ):
            axes.plot([x] * len(values), values, style.marker, color=style.color, alpha=0.7)
        axes.set_xticks(range(len(schemes)), [plain(scheme) for scheme in schemes])
        axes.set(title=activation, xlim=(-0.5, len(schemes) - 0.5), ylim=(0, 1))
    figure.axes[0].set_ylabel("test accuracy, better of two rates")
    headline(figure, "20 layers train from LSUV about as from Xavier or He; from std=0.01 not at all")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "lsuv", "Layer-sequential unit variance", __doc__, quick)
    depth, steps = (8, 60) if quick else (20, 600)
    images = open_dataset("mnist").train_images[:2000] / np.float32(255)
    spread = {name: variances(name, depth, images) for name in SCHEMES}
    exhibit.claim(UNIT, {name: np.abs(one - 1).max(axis=0).tolist() for name, one in spread.items()})
    found = {name: exhibit.kept(accuracies, name, depth, steps) for name in SCHEMES}
    figure = draw(found)
    caption = "Each point is a network of 20 layers after 600 steps, at the better of two rates."
    exhibit.figure("accuracy", pictures(figure), caption)
    rows = [
        {"activation": name, "scheme": scheme, "seed": seed, "test_accuracy": value}
        for name, schemes in found.items()
        for scheme, values in schemes.items()
        for seed, value in enumerate(values)
    ]
    exhibit.table("accuracies", rows)
    exhibit.claim(TRAINS, {name: _ahead(one, SCHEMES[name][2]) for name, one in found.items()})
    exhibit.claim(AS_GOOD, {name: _ahead(one, SCHEMES[name][1]) for name, one in found.items()})
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
