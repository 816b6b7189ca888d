"""Do saturated sigmoid units stop the gradient? A finding that contradicts the usual explanation.

Teaching texts after Saito's "Deep Learning from Scratch", section 6.2, say of its histograms that weights of
std=1 saturate sigmoid units, so that gradients vanish, and that Xavier's weights cure it. The first half is
so for the activations. But a gradient passes a layer through its slopes *and* its weights, and weights of
std=1 are ten times as large as Xavier's in a layer of 100: in mean square they make up for the small slopes.
Ten such layers, N(0, 1) inputs, no biases; measured over twenty seeds, and predicted by mean-field theory.

    python experiments/sigmoid_gradients.py [RESULTS] [--quick]
"""

from initlab import Scheme, depth_figure, depth_profiles, render
from initlab.analysis.claims import Claim
from initlab.analysis.uncertainty import mean_interval
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


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(
        results, "sigmoid_gradients", "Do saturated sigmoids stop the gradient?", __doc__, quick
    )
    seeds = 5 if quick else 20
    profiles = depth_profiles(SCHEMES, ["sigmoid"], depth=10, width=100, samples=1000, seeds=seeds)
    figure = depth_figure(profiles, TITLE)
    pictures = {suffix: render(figure, suffix) for suffix in ("png", "svg")}
    exhibit.figure("depth", pictures, f"{TITLE}. Lines: theory; points: measured.")
    factors = {profile.scheme.short: profile.gradient_factor.tolist() for profile in profiles}
    exhibit.claim(VANISH, factors["std=1"])
    exhibit.claim(CURED, factors["book:xavier"])
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
