"""Do saturated sigmoid units stop the gradient? A finding that contradicts the usual explanation.

Teaching texts after Saito's "Deep Learning from Scratch", section 6.2, say of its histograms that weights of
std=1 saturate sigmoid units, so that gradients vanish, and that Xavier's weights cure it. The first half is
so for the activations. But a gradient passes a layer through its slopes *and* its weights, and weights of
std=1 are ten times as large as Xavier's in a layer of 100: in mean square they make up for the small slopes.
Ten such layers, N(0, 1) inputs, no biases; measured over twenty seeds, and predicted by mean-field theory.
Then five layers of 100 are trained on MNIST from the same weights, five seeds.

    python experiments/sigmoid_gradients.py [RESULTS] [--quick]
"""

import numpy as np

from initlab import Ensemble, Optimizer, Scheme, depth_figure, depth_profiles, open_dataset
from initlab.analysis.claims import Claim
from initlab.analysis.uncertainty import mean_interval
from initlab.plotting.marks import pictures
from initlab.runner.exhibits import Exhibit, run_script

SCHEMES = [Scheme.parse(text) for text in ("std=1", "std=0.01", "book:xavier", "he")]
TITLE = "Sigmoid: std=1 saturates the units, and yet its gradients reach the first layer"

QUANTITY = (
    "by what a layer multiplies squared gradients on their way back, the geometric mean over ten layers"
)
VANISH = Claim(
    "std1_vanishes",
    "With weights of std=1, sigmoid units saturate and their gradients vanish",
    "texts after Saito, Deep Learning from Scratch, 6.2",
    QUANTITY,
    "gradients vanish where a layer loses at least half of their square",
    high=0.5,
    lesson="Small slopes and large weights make up for each other: theory says 0.94 a layer. What saturation "
    "does is to leave few units that still learn.",
)
CURED = Claim(
    "xavier_cures",
    "The book's Xavier weights, 1/sqrt(n_in), keep sigmoid gradients from vanishing",
    "texts after Saito, Deep Learning from Scratch, 6.2",
    QUANTITY,
    "they do not vanish where a layer keeps at least half of their square",
    low=0.5,
    lesson="Xavier's rule supposes slope 1 at 0, as tanh has it; the sigmoid's is 1/4, and each layer keeps "
    "a sixteenth. The activations look well spread, and the gradients are gone: look at both.",
)


SMALL = Claim(
    "small_std_cures",
    "A standard deviation of 0.01 solves the lost gradient of saturated sigmoids",
    "Italian article on initialization techniques, on random initialization",
    QUANTITY,
    "they do not vanish where a layer keeps at least half of their square",
    low=0.5,
    lesson="Units at 1/2 have the steepest slope, 1/4, but weights of 0.01 pass on next to nothing: theory "
    "says 0.0006 a layer.",
)
SLOWER = Claim(
    "std1_learns_slower",
    "From std=1 sigmoid networks learn more slowly than from Xavier's weights, as saturation loses gradients",
    "Japanese slides on Saito, Deep Learning from Scratch, 6.2; Italian article, on random initialization",
    "mean loss of the last 50 of 1000 steps from std=1, less that from 1/sqrt(n), each at its best of four "
    "rates, in nats; five layers of 100, MNIST, batches of 100, gradient descent",
    "more slowly: a higher loss",
    low=0.0,
    lesson="From std=1 something is learnt; from the book's Xavier these layers stay at ln 10: no gradient "
    "arrives. Four times Glorot's weights, made for the sigmoid, are better than both (`training.csv`).",
)
RATES = (0.03, 0.3, 1.0, 3.0)
STARTS = ("std=1", "std=0.01", "book:xavier", "xavier_sigmoid")


@np.errstate(all="ignore")
def train(steps: int) -> dict[str, np.ndarray]:
    """The mean loss of the last 50 steps from each start at its best rate, for each seed."""
    mnist = open_dataset("mnist")
    images = mnist.train_images[:] / np.float32(255)
    grid = [(scheme, seed, lr) for scheme in STARTS for seed in range(5) for lr in RATES]
    schemes, seeds, rates = zip(*grid, strict=True)
    networks = Ensemble.from_schemes([784, *[100] * 5, 10], schemes, seeds, "sigmoid")
    sgd, rng, last = Optimizer("sgd", lr=rates), np.random.default_rng(0), []
    for step in range(steps):
        chosen = rng.integers(len(images), size=100)
        losses = networks.train_step(images[chosen], mnist.train_labels[chosen], sgd)
        if step >= steps - 50:
            last.append(losses)
    ends = np.nan_to_num(np.mean(last, axis=0), nan=np.inf).reshape(len(STARTS), -1, len(RATES))
    return dict(zip(STARTS, ends.min(axis=2), strict=True))


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(
        results, "sigmoid_gradients", "Do saturated sigmoids stop the gradient?", __doc__, quick
    )
    seeds = 5 if quick else 20
    profiles = depth_profiles(SCHEMES, ["sigmoid"], depth=10, width=100, samples=1000, seeds=seeds)
    figure = depth_figure(profiles, TITLE)
    exhibit.figure("depth", pictures(figure), f"{TITLE}. Lines: theory; points: measured.")
    factors = {profile.scheme.short: profile.gradient_factor.tolist() for profile in profiles}
    exhibit.claim(VANISH, factors["std=1"])
    exhibit.claim(CURED, factors["book:xavier"])
    exhibit.claim(SMALL, factors["std=0.01"])
    trained = exhibit.kept(train, 200 if quick else 1000)
    exhibit.claim(SLOWER, trained["std=1"] - trained["book:xavier"])
    exhibit.table("training", [{"scheme": one, "loss": float(ends.mean())} for one, ends in trained.items()])
    exhibit.table("gradient_factors", [_row(profile) for profile in profiles])
    exhibit.table("layers", [row for profile in profiles for row in profile.rows()])
    exhibit.close()


def _row(profile):
    measured = mean_interval(profile.gradient_factor.tolist())
    return {
        "scheme": profile.scheme.short,
        "seeds": measured.count,
        "gradient_factor": measured.mean,
        "low_95": measured.low,
        "high_95": measured.high,
        "predicted": profile.predicted_gradient_factor,
    }


if __name__ == "__main__":
    run_script(main)
