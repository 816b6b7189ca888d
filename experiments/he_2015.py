"""Very deep rectifier networks from He's and from Xavier's weights: He et al. 2015.

He, Zhang, Ren & Sun, Delving deep into rectifiers. ReLU networks of 22 and 30 layers of 100 units on MNIST
(the paper: convolutional networks on ImageNet), 3000 steps of plain gradient descent with batches of 64 at
the better of the rates 0.03 and 0.1, five seeds. Xavier's weights are the paper's, of variance 1/n_in,
which lose half of the mean square in every layer.

    python experiments/he_2015.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Optimizer, open_dataset
from initlab.analysis.claims import Claim
from initlab.plotting.marks import headline, label_ends, mean_and_range, pictures
from initlab.plotting.style import look, styled
from initlab.runner.exhibits import Exhibit, run_script

SOURCE = "He et al. 2015, section 2.2"
SCHEMES = {"he": "He", "lecun": "Xavier (1/n)"}
RATES, SEEDS = (0.03, 0.1), 5
LAST, SPAN = 100, 20
LOSS = "mean loss of the last 100 steps, in nats, at the better of two rates"
BOTH = Claim(
    "both_converge_at_22",
    "With 22 layers networks converge from both, He's and Xavier's weights",
    f"{SOURCE}, figure 2",
    LOSS,
    "ln 10 = 2.303 is the loss of knowing nothing; converge: at most 1.5 after 3000 steps",
    high=1.5,
    lesson="In 300 steps nothing is seen of it: the factor 2^-22 delays the start, but does not prevent it.",
)
SOONER = Claim(
    "he_sooner_at_22",
    "With 22 layers learning is faster from He's weights",
    f"{SOURCE}, figure 2",
    "mean loss of all steps from Xavier's weights minus that from He's, in nats",
    "faster: a difference above 0.1",
    low=0.1,
)
STALLS = Claim(
    "xavier_stalls_at_30",
    "With 30 layers learning from Xavier's weights stalls",
    f"{SOURCE}, figure 3",
    "mean loss of 100 steps, in nats, at the rate that is better in the end",
    "stalls: at least 2.2, where knowing nothing costs 2.303",
    low=2.2,
    lesson="With 30 layers, too, it is a delay, a longer one: after a thousand steps nothing is seen, and "
    "later single networks leave the plateau.",
)
LEARNS = Claim(
    "he_learns_at_30",
    "With 30 layers networks still converge from He's weights",
    f"{SOURCE}, figure 3",
    LOSS,
    "converge: at most 1.5 after 3000 steps",
    high=1.5,
)


def train(depth: int, steps: int) -> dict[str, np.ndarray]:
    """For each scheme the losses at its better rate, (SEEDS, steps)."""
    mnist = open_dataset("mnist")
    images = mnist.train_images[:] / np.float32(255)
    grid = [(s, seed, lr) for s in SCHEMES for seed in range(SEEDS) for lr in RATES]
    schemes, seeds, rates = zip(*grid, strict=True)
    networks = Ensemble.from_schemes([784, *[64] * depth, 10], schemes, seeds, "relu")
    sgd, rng = Optimizer("sgd", lr=rates), np.random.default_rng(0)
    losses = np.empty((steps, len(grid)))
    with np.errstate(all="ignore"):
        for step in range(steps):
            chosen = rng.integers(len(images), size=64)
            losses[step] = networks.train_step(images[chosen], mnist.train_labels[chosen], sgd)
    losses = np.nan_to_num(losses, nan=10.0, posinf=10.0).clip(max=10.0)
    by_rate = losses.T.reshape(len(SCHEMES), SEEDS, len(RATES), steps)
    best = by_rate[..., -LAST:].mean(axis=-1).argmin(axis=-1)
    chosen_rate = np.take_along_axis(by_rate, best[..., None, None], axis=2)[:, :, 0]
    return dict(zip(SCHEMES, chosen_rate, strict=True))


@styled
def draw(found: dict[int, dict[str, np.ndarray]], steps: int) -> Figure:
    """Loss curves of both depths, means over 20 steps."""
    figure = Figure(figsize=(8.6, 3.6))
    headline(figure, "22 ReLU layers learn from either weights; 30 from He's, and from Xavier's hardly")
    for axes, (depth, schemes) in zip(figure.subplots(1, 2, sharey=True), found.items(), strict=True):
        for scheme, losses in schemes.items():
            means = losses.reshape(len(losses), -1, SPAN).mean(axis=2)
            mean_and_range(axes, np.arange(SPAN, steps + 1, SPAN), means, look(scheme), SCHEMES[scheme])
        axes.axhline(np.log(10), color="#555555", linewidth=0.8, linestyle=":")
        axes.set(xlabel="training step", ylim=(0, 2.5))
        axes.set_title(f"{depth} layers")
        label_ends(axes)
    figure.axes[0].set_ylabel("training loss (nats)")
    figure.axes[0].annotate("ln 10: nothing known", (0.02, np.log(10) + 0.03), fontsize=8, color="#555555")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "he_2015", "Very deep rectifier networks", __doc__, quick)
    steps = 300 if quick else 3000
    found = {depth: exhibit.kept(train, depth, steps) for depth in (22, 30)}
    caption = "Training loss at the better of two rates: the mean of five seeds, and their range."
    exhibit.figure("loss", pictures(draw(found, steps)), caption)
    ends = {
        (depth, scheme): losses[:, -LAST:].mean(axis=1)
        for depth, schemes in found.items()
        for scheme, losses in schemes.items()
    }
    exhibit.claim(BOTH, {SCHEMES[s]: ends[22, s] for s in SCHEMES})
    exhibit.claim(SOONER, (found[22]["lecun"] - found[22]["he"]).mean(axis=1))
    stages = {f"after {step} steps": step for step in (steps // 3, steps)}
    stalled = found[30]["lecun"]
    exhibit.claim(STALLS, {told: stalled[:, end - LAST : end].mean(axis=1) for told, end in stages.items()})
    exhibit.claim(LEARNS, ends[30, "he"])
    rows = [
        {"depth": depth, "scheme": scheme, "seed": seed, "final_loss": float(value)}
        for (depth, scheme), values in ends.items()
        for seed, value in enumerate(values)
    ]
    exhibit.table("final_losses", rows)
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
