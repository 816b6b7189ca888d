"""Do saturated sigmoid units stop the gradient? A finding that contradicts the usual explanation.

Teaching texts after Saito's "Deep Learning from Scratch", section 6.2, say of its histograms that weights of
std=1 saturate sigmoid units, so that gradients vanish, and that Xavier's weights cure it. The first half is
so for the activations. But a gradient passes a layer through its slopes *and* its weights, and weights of
std=1 are ten times as large as Xavier's in a layer of 100: in mean square they make up for the small slopes.
Measured over twenty seeds of ten such layers, and predicted by mean-field theory:

    python experiments/sigmoid_gradients.py [RESULTS]
"""

import sys

from initlab import Scheme, Store, depth_figure, depth_profiles, render
from initlab.analysis.uncertainty import mean_interval

SCHEMES = [Scheme.parse(text) for text in ("std=1", "std=0.01", "book:xavier", "he")]
TITLE = "Sigmoid: std=1 saturates the units, and yet its gradients reach the first layer"


def main(results: str = "results") -> None:
    store = Store(results, "sigmoid_gradients")
    profiles = depth_profiles(SCHEMES, ["sigmoid"], depth=10, width=100, samples=1000, seeds=20)
    figure = depth_figure(profiles, TITLE)
    store.write_figure("depth", {suffix: render(figure, suffix) for suffix in ("png", "svg")})
    header = ["scheme", "seeds", "gradient_factor", "low_95", "high_95", "predicted"]
    rows = []
    for profile in profiles:
        measured = mean_interval(profile.gradient_factor.tolist())
        numbers = (measured.mean, measured.low, measured.high, profile.predicted_gradient_factor)
        rows.append([profile.scheme.short, measured.count, *(f"{number:.4g}" for number in numbers)])
    store.write_table("gradient_factors", header, rows)
    layers = [row for profile in profiles for row in profile.rows()]
    cells = [[f"{v:.5g}" if isinstance(v, float) else v for v in row.values()] for row in layers]
    store.write_table("layers", list(layers[0]), cells)


if __name__ == "__main__":
    main(*sys.argv[1:])
