"""Which depths train: Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, Deep information propagation.

Tanh networks of 64 units (the paper: 300) with sigma_b^2 = 0.05, for eight sigma_w^2 from 1 to 4 and depths
of 5 to 80 layers, take 150 steps of gradient descent with batches of 50 on MNIST at the better of the rates
0.01 and 0.05; five seeds. A depth counts as trainable where the network then classifies at least 30 % of
the test images. The depth scales xi are those of mean-field theory; the paper quotes 6 xi as the bound, and
here the constant is fitted.

    python experiments/schoenholz_2017.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Optimizer, Scheme, open_dataset
from initlab.analysis.claims import Claim
from initlab.analysis.theory import critical_sigma_w2, phase
from initlab.nn.starts import Start
from initlab.plotting.marks import pictures
from initlab.plotting.style import styled
from initlab.runner.exhibits import Exhibit, run_script

SOURCE = "Schoenholz et al. 2017, section 5"
SIGMA_B2, SEEDS, RATES, SUCCESS = 0.05, 5, (0.01, 0.05), 0.3
VARIANCES = (1.0, 1.25, 1.5, 1.76, 2.0, 2.5, 3.0, 4.0)
DEPTHS = (5, 10, 20, 40, 80)
ORDER = Claim(
    "depth_follows_scale",
    "Networks train as deep as their depth scale allows",
    f"{SOURCE}, figure 5",
    "rank correlation over sigma_w^2 of the deepest trainable depth with the depth scale xi",
    "follows: at least 0.6",
    low=0.6,
    lesson="The grid of depths is coarse, and in 150 steps the deepest networks have hardly begun; "
    "ties lower the correlation.",
)
SIX = Claim(
    "six_scales",
    "The bound lies at about 6 depth scales",
    f"{SOURCE}, figure 5: the line 6 xi; others fit 4.5",
    "the factor k for which `depth <= k xi` tells trainable networks from others with fewest mistakes",
    "about 6: within 4.5 and 7.5",
    low=4.5,
    high=7.5,
    lesson="The constant is no law: it depends on steps, rate and width, here few, mild and small.",
)
NEAR_CRITICAL = Claim(
    "deepest_near_critical",
    "The deepest networks train near the critical sigma_w^2",
    f"{SOURCE}, figure 5",
    "the sigma_w^2 of the most accurate networks at the greatest depth, over the critical one, 1.76",
    "near: within a factor of 1.5",
    low=1 / 1.5,
    high=1.5,
)


def accuracies(depth: int, steps: int) -> dict[str, np.ndarray]:
    """Test accuracy at the better rate, (sigma_w^2, SEEDS)."""
    mnist = open_dataset("mnist")
    images, test = mnist.train_images[:] / np.float32(255), mnist.test_images[:2000] / np.float32(255)
    bias = Scheme("normal", {"std": SIGMA_B2**0.5})
    starts = [Start(Scheme("variance_scaling", {"scale": w2}), bias=bias) for w2 in VARIANCES]
    grid = [(start, seed, lr) for start in starts for seed in range(SEEDS) for lr in RATES]
    chosen_starts, seeds, rates = zip(*grid, strict=True)
    networks = Ensemble.from_schemes([784, *[64] * depth, 10], chosen_starts, seeds, "tanh")
    sgd, rng = Optimizer("sgd", lr=rates), np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            chosen = rng.integers(len(images), size=50)
            networks.train_step(images[chosen], mnist.train_labels[chosen], sgd)
        reached = networks.accuracy(test, mnist.test_labels[:2000])
    return {"reached": reached.reshape(len(VARIANCES), SEEDS, len(RATES)).max(axis=-1)}


def depth_scale(w2: float) -> float:
    """The shorter one of gradients and correlations; infinite at the critical point."""
    end = phase("tanh", w2, SIGMA_B2)
    return min(scale for scale in (end.xi_gradient, end.xi_correlation) if not np.isnan(scale))


def fitted_factor(trained: np.ndarray, scales: np.ndarray, depths: tuple[int, ...]) -> float:
    """k of `depth <= k xi` with the fewest mistakes, the middle of the best; trained is (D, sigma_w^2)."""
    factors = np.geomspace(0.5, 50, 200)
    column = np.array(depths)[:, None]
    mistakes = [int(((column <= k * scales) != trained).sum()) for k in factors]
    best = factors[np.array(mistakes) == min(mistakes)]
    return float(np.exp(np.log(best).mean()))


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's, with mean ranks for ties."""
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic)


@styled
def draw(found: np.ndarray, scales: np.ndarray, factor: float, depths: tuple[int, ...]) -> Figure:
    """A map of accuracies, with the fitted bound and the paper's over it."""
    figure = Figure(figsize=(6.6, 4.2))
    axes = figure.add_subplot()
    image = axes.imshow(found.mean(axis=2), cmap="cividis", vmin=0, vmax=1, aspect="auto", origin="lower")
    for k, dash, told in ((6.0, "--", "the paper's"), (factor, "-", "fitted")):
        with np.errstate(all="ignore"):
            reach = np.log(np.minimum(k * scales, 1e3))
            height = np.interp(reach, np.log([*depths, 2 * depths[-1]]), range(len(depths) + 1), right=9)
        label = f"{k:.2g} depth scales, {told}"
        axes.plot(range(len(VARIANCES)), height, dash, color="white", linewidth=2, label=label)
    axes.set(ylim=(-0.5, len(depths) - 0.5), xlabel="$\\sigma_w^2$", ylabel="hidden layers")
    axes.set_xticks(range(len(VARIANCES)), [f"{one:g}" for one in VARIANCES])
    axes.set_yticks(range(len(depths)), [str(one) for one in depths])
    axes.grid(visible=False)
    axes.set_title("Deep tanh networks train near the critical $\\sigma_w^2$ of 1.76")
    axes.legend(loc="upper right", facecolor="#444444", labelcolor="white", framealpha=0.8, frameon=True)
    figure.colorbar(image, ax=axes, label="test accuracy")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "schoenholz_2017", "Which depths train", __doc__, quick)
    depths, steps = (DEPTHS[:4], 60) if quick else (DEPTHS, 150)
    found = np.array([exhibit.kept(accuracies, depth, steps)["reached"] for depth in depths])
    scales = np.array([depth_scale(w2) for w2 in VARIANCES])
    trained = found >= SUCCESS
    factors = [fitted_factor(trained[:, :, seed], scales, depths) for seed in range(SEEDS)]
    figure = draw(found, scales, float(np.mean(factors)), depths)
    caption = "Test accuracy after 150 steps, mean of five seeds; lines: multiples of the depth scale."
    exhibit.figure("map", pictures(figure), caption)
    deepest = np.where(trained, np.array(depths)[:, None, None], 0).max(axis=0)
    capped = np.minimum(scales, 1e3)
    exhibit.claim(ORDER, [rank_correlation(capped, deepest[:, seed]) for seed in range(SEEDS)])
    exhibit.claim(SIX, factors)
    critical = critical_sigma_w2("tanh", SIGMA_B2)
    best = [VARIANCES[int(found[-1, :, seed].argmax())] / critical for seed in range(SEEDS)]
    exhibit.claim(NEAR_CRITICAL, best)
    rows = [
        {"sigma_w2": w2, "depth": depth, "depth_scale": capped[j], "test_accuracy": float(found[i, j].mean())}
        for i, depth in enumerate(depths)
        for j, w2 in enumerate(VARIANCES)
    ]
    exhibit.table("map", rows)
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
