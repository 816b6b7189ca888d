"""By what a layer multiplies the variance: the derivation that Russian notes and the papers have in common.

A linear layer multiplies the variance of a signal by n_in Var(w), whatever the shape of the distribution:
measured in 20 linear layers of 200 units for n_in Var(w) of 1/2, 1 and 2, and three distributions. Where the
widths fall, 800-400-200-100-50, no variance keeps both directions: 1/n_in, 1/n_out and Glorot's compromise
2/(n_in + n_out) are compared in the forward and in the backward direction. ReLU layers halve the mean square,
for which He's 2/n_in makes up: ten layers of 200. Last, a German answer's law that gradients are proportional
to the weights: five tanh layers of 100, standard deviations of 0.001 to 0.03. Inputs are N(0, 1), a thousand;
twenty networks each, none of them trained.

    python experiments/variance_law.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, depth_profiles, measure_layers
from initlab.analysis.claims import Claim
from initlab.nn.initializers import Scheme
from initlab.plotting.marks import headline, label_ends, mean_and_range, pictures
from initlab.plotting.style import Look, look, styled
from initlab.runner.exhibits import Exhibit, run_script

RUSSIAN = "Russian notes on the initialization of weights"
FACTORS, DISTRIBUTIONS = (0.5, 1.0, 2.0), ("normal", "uniform", "corrected_truncated_normal")
FALLING = [800, 400, 200, 100, 50]
RULES = {"in": "1/n_in", "out": "1/n_out", "average": "2/(n_in + n_out)"}
LAW = Claim(
    "variance_law",
    "A linear layer multiplies the variance by n_in Var(w), which grows, keeps or loses it",
    f"{RUSSIAN}, on random numbers; Glorot & Bengio 2010, eq. 5",
    "the factor per layer, the geometric mean over 20 layers, over n_in Var(w)",
    "the same: within 5 %",
    low=0.95,
    high=1.05,
    lesson="Only the variance counts: normal, uniform and truncated draws do the same.",
)
COMPROMISE = Claim(
    "glorot_is_a_compromise",
    "Where n_in and n_out differ, 2/(n_in + n_out) is a compromise between the two directions",
    f"{RUSSIAN}, on Xavier's method; Glorot & Bengio 2010, eq. 12",
    "the larger |ln| of the forward and the backward factor of all layers, less that of the better of 1/n_in "
    "and 1/n_out",
    "a compromise is less far off than either: below 0",
    high=0.0,
    lesson="It keeps neither direction exactly; each of the others keeps one and loses the other.",
)
HALVES = Claim(
    "relu_halves",
    "After ReLU the mean square of the inputs of a layer is half the variance of what came before",
    f"{RUSSIAN}, on He's method; He et al. 2015, eq. 8",
    "E[x^2] after the fifth ReLU over the variance of its inputs",
    "half: within a tenth",
    low=0.45,
    high=0.55,
)
HOLDS = Claim(
    "he_holds_pre_activations",
    "With Var(w) = 2/n_in the variance between ReLU layers, before the function, stays",
    f"{RUSSIAN}, on He's method; He et al. 2015, eq. 10",
    "the variance of the tenth layer's pre-activations over that of the first",
    "stays: within a quarter",
    low=0.75,
    high=1.25,
    lesson="In the mean over networks; single ones scatter, the more so the narrower they are.",
)
SUITS = Claim(
    "xavier_suits_symmetric",
    "Xavier's rule suits the functions that are symmetric about 0, tanh and the sigmoid, and not ReLU",
    f"{RUSSIAN}, on Xavier's method",
    "by what a layer multiplies squared gradients, the geometric mean over ten layers of 100",
    "suits where a layer keeps at least half of their square",
    low=0.5,
    lesson="The sigmoid is symmetric about 1/2 and has slope 1/4 there, of which the rule knows nothing: "
    "fifteen sixteenths of the square are lost. ReLU loses half, within the limit over few layers only.",
)
PROPORTIONAL = Claim(
    "gradients_proportional",
    "Gradients are proportional to the weights, so that very small weights give very small gradients",
    "German answer on initial weights near 0, last paragraph",
    "the slope of ln gradient over ln std at the first of five tanh layers, std 0.001 to 0.03",
    "proportional: a slope within 0.8 and 1.2",
    low=0.8,
    high=1.2,
    lesson="Far worse than proportional: a gradient passes through all weights above its layer, here five "
    "matrices, and goes with the fifth power.",
)


def variances(scale: float, distribution: str, seeds: int) -> np.ndarray:
    """Of each linear layer's pre-activations, over inputs and units, (seeds, 20)."""
    scheme = Scheme("variance_scaling", {"scale": scale, "distribution": distribution})
    networks = Ensemble.from_schemes([200] * 22, [scheme] * seeds, range(seeds), "identity", "float64")
    networks.forward(np.random.default_rng(0).standard_normal((1000, 200)))
    return np.array([z.var(axis=(1, 2)) for z in networks.pre_activations[:-1]]).T


def both_ways(fan: str, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """By what the falling layers multiply mean squares, forward and backward, after each layer."""
    scheme, rng = Scheme("variance_scaling", {"fan": fan}), np.random.default_rng(0)
    networks = Ensemble.from_schemes(FALLING, [scheme] * seeds, range(seeds), "identity", "float64")
    forward = signal = rng.standard_normal((1, 1000, FALLING[0]))
    backward = gradient = rng.standard_normal((1, 1000, FALLING[-1]))
    sizes = [np.ones(seeds)], [np.ones(seeds)]
    for weights in networks.weights:
        signal = signal @ weights
        sizes[0].append((signal**2).mean(axis=(1, 2)) / (forward**2).mean())
    for weights in reversed(networks.weights):
        gradient = gradient @ weights.swapaxes(1, 2)
        sizes[1].append((gradient**2).mean(axis=(1, 2)) / (backward**2).mean())
    return np.array(sizes[0]).T, np.array(sizes[1]).T


def relu_layers(seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """What ReLU leaves of the mean square at the fifth layer, and Var z of the tenth over the first."""
    networks = Ensemble.from_schemes([200] * 12, ["he"] * seeds, range(seeds), "relu", "float64")
    networks.forward(np.random.default_rng(0).standard_normal((1000, 200)))
    z = np.array([one.var(axis=(1, 2)) for one in networks.pre_activations])
    return (networks.activations[4] ** 2).mean(axis=(1, 2)) / z[4], z[9] / z[0]


def gradient_slopes(seeds: int) -> list[float]:
    """Of ln rms gradient over ln std, for each seed."""
    stds, rng = np.geomspace(0.001, 0.03, 6), np.random.default_rng(0)
    inputs, labels = rng.standard_normal((200, 100)), rng.integers(10, size=200)
    sizes = []
    for std in stds:
        schemes = [Scheme("normal", {"std": float(std)})] * seeds
        networks = Ensemble.from_schemes([100] * 6 + [10], schemes, range(seeds), "tanh", "float64")
        sizes.append([layers[0].gradient_std for layers in measure_layers(networks, inputs, labels)])
    return [float(np.polyfit(np.log(stds), np.log(one), 1)[0]) for one in np.array(sizes).T]


@styled
def draw(linear: dict[float, np.ndarray], falling: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """The variance through linear layers of one width, and through falling ones in both directions."""
    figure = Figure(figsize=(10.4, 3.4))
    headline(figure, "n Var(w) = 1 keeps the variance; where widths fall, no rule keeps both directions")
    left, middle, right = figure.subplots(1, 3)
    greys = (Look("#999999", "v", ":"), Look("#000000", "o", "-"), Look("#666666", "^", "--"))
    for (factor, values), style in zip(linear.items(), greys, strict=True):
        layers = np.arange(1, values.shape[1] + 1)
        mean_and_range(left, layers, values, style, f"n Var(w) = {factor:g}")
    for fan, way in falling.items():
        style = look({"in": "lecun", "out": "classic", "average": "xavier"}[fan])
        for axes, values in zip((middle, right), way, strict=True):
            mean_and_range(axes, np.arange(len(FALLING)), values, style, RULES[fan])
    left.set(
        yscale="log", xlabel="layer", ylabel="variance of pre-activations", title="20 linear layers of 200"
    )
    middle.set(
        yscale="log", ylabel="mean square, forward", title="800-400-200-100-50, forward", ylim=(0.03, 30)
    )
    middle.set_xticks(range(len(FALLING)), [str(width) for width in FALLING])
    right.set(yscale="log", ylabel="mean square, backward", ylim=(0.03, 30))
    right.set_title("the same, backward")
    right.set_xticks(range(len(FALLING)), [str(width) for width in reversed(FALLING)])
    for axes in (middle, right):
        axes.set_xlabel("width of the layer reached")
    for axes in (left, middle, right):
        label_ends(axes, gap=0.08)
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "variance_law", "The variance law", __doc__, quick)
    seeds = 10 if quick else 20
    linear = {(scale, kind): variances(scale, kind, seeds) for kind in DISTRIBUTIONS for scale in FACTORS}
    falling = {fan: both_ways(fan, seeds) for fan in RULES}
    normal = {scale: linear[scale, "normal"] for scale in FACTORS}
    caption = "Untrained linear networks: the mean of twenty, and their range."
    exhibit.figure("variances", pictures(draw(normal, falling)), caption)
    factors = {
        f"n Var(w) = {scale:g}, {kind}": (one[:, -1] / one[:, 0]) ** (1 / 19) / scale
        for (scale, kind), one in linear.items()
    }
    exhibit.claim(LAW, factors)
    worst = {
        fan: np.max([np.abs(np.log(way[:, -1])) for way in ways], axis=0) for fan, ways in falling.items()
    }
    exhibit.claim(COMPROMISE, worst["average"] - np.minimum(worst["in"], worst["out"]))
    halved, held = relu_layers(2 * seeds)
    exhibit.claim(HALVES, halved)
    exhibit.claim(HOLDS, held)
    profiles = depth_profiles(
        [Scheme("xavier")], ["tanh", "sigmoid", "relu"], depth=10, width=100, samples=1000, seeds=seeds
    )
    exhibit.claim(SUITS, {one.activation: one.gradient_factor for one in profiles})
    exhibit.claim(PROPORTIONAL, gradient_slopes(seeds))
    rows = [
        {"n_var_w": scale, "distribution": kind, "layer": i + 1, "variance": float(value)}
        for (scale, kind), one in linear.items()
        for i, value in enumerate(one.mean(axis=0))
    ]
    exhibit.table("variances", rows)
    ways = [
        {"rule": RULES[fan], "direction": way, "layers": i, "mean_square": float(value)}
        for fan, both in falling.items()
        for way, one in zip(("forward", "backward"), both, strict=True)
        for i, value in enumerate(one.mean(axis=0))
    ]
    exhibit.table("falling_widths", ways)
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
