"""Learning in deep linear networks: Saxe, McClelland & Ganguli 2014.

Saxe, McClelland & Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear neural
networks. Linear networks of 64 units on MNIST, whitened to 50 components, with squared error on the logits
(the paper: the same task, depths to 100), orthogonal against Gaussian weights of the same variance, depths
of 2, 8 and 16, five seeds; the learning time is the number of steps of full-speed gradient descent, at the
best of five rates, until the loss of a batch of 200 has fallen by 70 % of the way from its start to the
best linear classifier's. The exact solution is that of one mode of a network with one hidden layer, against
gradient descent on it.

    python experiments/saxe_2014.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Optimizer, open_dataset
from initlab.analysis.claims import Claim
from initlab.data.inputs import prepare_inputs
from initlab.nn.network import StepRule
from initlab.plotting.marks import pictures
from initlab.plotting.style import look, plain, styled
from initlab.runner.exhibits import Exhibit, run_script

SOURCE = "Saxe, McClelland & Ganguli 2014"
SEEDS, DEPTHS, SCHEMES = 5, (2, 8, 16), ("orthogonal", "lecun")
RATES = tuple(float(rate) for rate in np.geomspace(0.1, 6, 5))
TIME = "steps to learn at depth 16 over those at depth 2, at the best of five rates"
FLAT = Claim(
    "orthogonal_time_flat",
    "From orthogonal weights the learning time does not grow with depth",
    f"{SOURCE}, section 3, figure 6",
    TIME,
    "does not grow: at most a factor of 2",
    high=2.0,
    lesson="At its best rate a deep network needs a smaller one than a shallow network; the paper "
    "finds the same, and the time to be constant beyond some depth.",
)
GROWS = Claim(
    "gaussian_time_grows",
    "From scaled Gaussian weights it grows with depth",
    f"{SOURCE}, section 3, figure 6",
    TIME,
    "grows: at least a factor of 2",
    low=2.0,
)
EXACT = Claim(
    "exact_solution",
    "A mode of a network with one hidden layer grows by tau du/dt = 2 u (s - u), a sigmoid in time",
    f"{SOURCE}, section 1.2, eq. 9",
    "the largest distance of gradient descent from that curve, over the mode's final strength s",
    "such: at most 0.02 at small rates",
    high=0.02,
)


def learning_times(depth: int, steps: int) -> dict[str, list[float]]:
    """Steps to learn for each scheme and seed at the best rate; `steps` where none sufficed."""
    mnist = open_dataset("mnist")
    inputs = prepare_inputs("whitened(components=50)", mnist)(mnist.train_images[:10_000], "float32")
    labels = mnist.train_labels[:10_000]
    grid = [(s, seed, lr) for s in SCHEMES for seed in range(SEEDS) for lr in RATES]
    schemes, seeds, rates = zip(*grid, strict=True)
    networks = Ensemble.from_schemes([50, *[64] * depth, 10], schemes, seeds, "identity")
    sgd, rng = Optimizer("sgd", lr=rates), np.random.default_rng(0)
    rule, losses = StepRule("squared_error_logits"), np.empty((steps, len(grid)))
    with np.errstate(all="ignore"):
        for step in range(steps):
            chosen = rng.integers(len(inputs), size=200)
            losses[step] = networks.train_step(inputs[chosen], labels[chosen], sgd, rule)
    goal = KNOWING_NOTHING - 0.7 * (KNOWING_NOTHING - best_linear_loss(inputs, labels))
    reached = np.where(losses <= goal, np.arange(steps)[:, None], steps).min(axis=0)
    best = reached.reshape(len(SCHEMES), SEEDS, len(RATES)).min(axis=-1)
    return {s: best[i].astype(float).tolist() for i, s in enumerate(SCHEMES)}


KNOWING_NOTHING = 0.1  # the mean of onehot^2 over ten classes: the loss of logits 0


def best_linear_loss(inputs: np.ndarray, labels: np.ndarray) -> float:
    """Of linear regression on the one-hot labels."""
    targets = np.eye(10)[labels]
    solution, *_ = np.linalg.lstsq(inputs.astype(np.float64), targets, rcond=None)
    return float(((inputs @ solution - targets) ** 2).mean())


def mode_error(seed: int) -> float:
    """Gradient descent on `(s - b a)^2 / 2` from a = b small, against the exact curve of u = b a."""
    rng = np.random.default_rng(seed)
    s, rate = float(rng.uniform(1, 4)), 0.002
    a = b = float(rng.uniform(0.01, 0.1))
    start, worst = a * b, 0.0
    for step in range(1, int(8 / (s * rate))):
        a, b = a + rate * b * (s - a * b), b + rate * a * (s - a * b)
        grown = np.exp(2 * s * rate * step)
        exact = s * grown / (grown - 1 + s / start)
        worst = max(worst, abs(a * b - exact) / s)
    return worst


@styled
def draw(found: dict[int, dict[str, list[float]]]) -> Figure:
    """Learning time against depth, a point for each seed and a line through the means."""
    figure = Figure(figsize=(6.0, 3.8))
    axes = figure.add_subplot()
    for scheme in SCHEMES:
        style = look(scheme)
        times = np.array([found[depth][scheme] for depth in DEPTHS])
        axes.plot(DEPTHS, times.mean(axis=1), style.dash, color=style.color)
        for depth, one in zip(DEPTHS, times, strict=True):
            axes.plot([depth] * SEEDS, one, style.marker, color=style.color, alpha=0.6)
        axes.plot([], [], style.dash, marker=style.marker, color=style.color, label=plain(scheme))
    axes.set(xlabel="hidden layers", ylabel="steps to learn (70 % of the way)", ylim=(0, None), xticks=DEPTHS)
    axes.set_title("Learning time grows with depth from Gaussian weights, not from orthogonal")
    axes.legend(loc="upper left")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "saxe_2014", "Deep linear networks", __doc__, quick)
    steps = 50 if quick else 150
    found = {depth: exhibit.kept(learning_times, depth, steps) for depth in DEPTHS}
    figure = draw(found)
    caption = "Steps to learn at the best of five rates; each point is a seed."
    exhibit.figure("times", pictures(figure), caption)
    ratio = {
        s: [(deep + 1) / (flat + 1) for deep, flat in zip(found[16][s], found[2][s], strict=True)]
        for s in SCHEMES
    }
    exhibit.claim(FLAT, ratio["orthogonal"])
    exhibit.claim(GROWS, ratio["lecun"])
    exhibit.claim(EXACT, [mode_error(seed) for seed in range(SEEDS)])
    rows = [
        {"depth": depth, "scheme": scheme, "seed": seed, "steps": value}
        for depth, schemes in found.items()
        for scheme, values in schemes.items()
        for seed, value in enumerate(values)
    ]
    exhibit.table("times", rows)
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
