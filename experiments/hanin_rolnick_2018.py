"""How long are a ReLU network's activations, and how far do networks scatter? Hanin & Rolnick 2018.

Hanin & Rolnick, How to start training: the effect of initialization and architecture. Squared lengths of the
activations of ReLU networks, per unit, for one input of length 1 per unit: with variance 2/n the mean is kept
through 20 layers, with others not; and from network to network the logarithm scatters with the sum of the
layers' 1/width, so that a narrow layer harms as much as many wide ones. Ten groups of 200 networks each make
ten measurements.

    python experiments/hanin_rolnick_2018.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Scheme
from initlab.analysis.claims import Claim
from initlab.plotting.marks import pictures
from initlab.plotting.style import Look, styled
from initlab.runner.exhibits import Exhibit, run_script

SOURCE = "Hanin & Rolnick 2018"
GROUPS, SIZE = 10, 20
SHAPES = {
    "20 of width 20": [20] * 20,
    "30 and 10 in turn": [30, 10] * 8,
    "16 of width 15": [15] * 16,
    "10 of width 20": [20] * 10,
    "10 of width 80": [80] * 10,
    "20 of width 80": [80] * 20,
    "5 of width 10": [10] * 5,
}
LOOK = Look("#D55E00", "D", "-")

KEPT = Claim(
    "mean_length_kept",
    "With weights of variance 2/n the mean squared length of activations is the same in all layers",
    f"{SOURCE}, theorem 5 and corollary 6",
    "the mean squared length after 20 layers of width 80, over that of the input; each over 200 networks",
    "the same: within a quarter",
    low=0.75,
    high=1.25,
    lesson="A single network is another matter: after 20 layers of 80 its length is off by a factor of e to "
    "either side.",
)
FADES = Claim(
    "half_variance_fades",
    "With a smaller variance, here 1/n, it vanishes exponentially with depth",
    f"{SOURCE}, section 3.1",
    "the factor of a layer, the 20th root of the mean squared length after 20 layers of width 80",
    "theory: 1/2, give or take a tenth",
    low=0.45,
    high=0.55,
)
SCATTER = Claim(
    "scatter_grows_with_inverse_widths",
    "The scatter from network to network grows with the sum of the layers' 1/width",
    f"{SOURCE}, theorem 5",
    "rank correlation of Var(log length) with the sum of 1/width, over seven shapes",
    "grows with it: at least 0.8",
    low=0.8,
)
SLOPE = Claim(
    "scatter_is_five_per_inverse_width",
    "The variance of the logarithm is about five times the sum of 1/width",
    f"{SOURCE}, theorem 5: E[length^4] grows like exp(5 sum 1/n) for Gaussian weights",
    "Var(log length) over the sum of 1/width, mean over the shapes of width 80, and over those narrower",
    "5, give or take a fifth",
    low=4.0,
    high=6.0,
    lesson="It holds for wide layers. In narrow ones terms of higher order in 1/width count: layers of 10 "
    "scatter almost twice as much, and now and then one dies.",
)
ALTERNATING = Claim(
    "alternating_like_constant",
    "Alternating widths 30 and 10 scatter like a constant width with the same sum of 1/width",
    f"{SOURCE}, section 4.2",
    "Var(log length) per unit of the sum of 1/width: 30 and 10 in turn, over 16 of width 15",
    "like it: within a quarter",
    low=0.75,
    high=1.25,
)


def lengths(scheme: str, hidden: list[int], seed: int, networks: int) -> np.ndarray:
    """Mean squared activation of the last hidden layer over that of the input, (networks,)."""
    n_in = hidden[0]
    seeds = range(seed * networks, (seed + 1) * networks)
    sizes = [n_in, *hidden, 1]
    ensemble = Ensemble.from_schemes(sizes, [Scheme.parse(scheme)] * networks, seeds, "relu", "float64")
    x = np.random.default_rng(seed).standard_normal((1, n_in))
    ensemble.forward(x / np.sqrt((x**2).mean()))
    return (ensemble.activations[-1] ** 2).mean(axis=(1, 2))


def log_variances(hidden: list[int], networks: int) -> np.ndarray:
    """Var(log length) of each group; networks that died, whose logarithm does not exist, are left out."""
    found = []
    for group in range(GROUPS):
        values = lengths("he", hidden, group, networks)
        found.append(float(np.log(values[values > 0]).var(ddof=1)))
    return np.array(found)


def inverse_widths(hidden: list[int]) -> float:
    """The sum of 1/width."""
    return sum(1 / n for n in hidden)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's."""
    ranks = [np.argsort(np.argsort(one)) for one in (x, y)]
    return float(np.corrcoef(*ranks)[0, 1])


@styled
def draw(sums: np.ndarray, variances: np.ndarray) -> Figure:
    """Scatter against the sum of 1/width, one point for each shape, with the line of slope 5."""
    figure = Figure(figsize=(6.4, 4.2))
    axes = figure.add_subplot()
    axes.plot([0, 1.1 * sums.max()], [0, 5.5 * sums.max()], "--", color="#7F7F7F")
    place = {"xytext": (8, -14), "textcoords": "offset points"}
    axes.annotate("theory of wide layers: 5 x sum", (0.6 * sums.max(), 3 * sums.max()), **place)
    middle = variances.mean(axis=1)
    error = variances.std(axis=1, ddof=1) / np.sqrt(GROUPS)
    axes.errorbar(sums, middle, error, fmt=LOOK.marker, color=LOOK.color, capsize=2)
    for name, x, y in zip(SHAPES, sums, middle, strict=True):
        side = {"xytext": (-8, -3), "ha": "right"} if "of width 20" in name else {"xytext": (8, -9)}
        axes.annotate(name, (x, y), textcoords="offset points", fontsize=8, **side)
    axes.set(
        xlabel="sum of 1/width over the hidden layers", ylabel="variance over networks of ln(squared length)"
    )
    axes.set(xlim=(0, 1.25 * sums.max()), ylim=(0, None))
    axes.set_title("Scatter grows with the sum of 1/width, more steeply in narrow layers")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(
        results, "hanin_rolnick_2018", "Lengths of activations and their scatter", __doc__, quick
    )
    networks = SIZE if quick else 10 * SIZE
    sums = np.array([inverse_widths(hidden) for hidden in SHAPES.values()])
    variances = np.array([log_variances(hidden, networks) for hidden in SHAPES.values()])
    figure = draw(sums, variances)
    caption = "Each point: networks of one shape from He's weights; bars: standard error over ten groups."
    exhibit.figure("scatter", pictures(figure), caption)
    rows = [
        {"shape": name, "sum_inverse_width": float(x), "log_variance": float(y.mean())}
        for name, x, y in zip(SHAPES, sums, variances, strict=True)
    ]
    exhibit.table("scatter", rows)
    wide = SHAPES["20 of width 80"]
    exhibit.claim(KEPT, [float(lengths("he", wide, g, networks).mean()) for g in range(GROUPS)])
    halves = [float(lengths("lecun", wide, g, networks).mean() ** (1 / 20)) for g in range(GROUPS)]
    exhibit.claim(FADES, halves)
    exhibit.claim(SCATTER, [rank_correlation(sums, one) for one in variances.T])
    of_80 = np.array(["width 80" in name for name in SHAPES])
    parts = {"width 80": of_80, "widths 10 to 30": ~of_80}
    slopes = {name: (variances[chosen] / sums[chosen, None]).mean(axis=0) for name, chosen in parts.items()}
    exhibit.claim(SLOPE, {name: one.tolist() for name, one in slopes.items()})
    per_sum = dict(zip(SHAPES, variances / sums[:, None], strict=True))
    exhibit.claim(ALTERNATING, (per_sum["30 and 10 in turn"] / per_sum["16 of width 15"]).tolist())
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
