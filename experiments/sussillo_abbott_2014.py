"""Random walk initialization: Sussillo & Abbott 2014.

Sussillo & Abbott, Random walk initialization for training very deep feedforward networks. The logarithm of
a gradient's length does a random walk from layer to layer on its way back; a gain g of the weights N(0, g^2
/ n) is right where the walk does not drift. Networks of 200 layers of width 30 (linear, ReLU), 1000 of
each; the gradient at the last layer is random, and inputs are N(0, 1). Groups of a hundred networks make
ten measurements.

    python experiments/sussillo_abbott_2014.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Scheme
from initlab.analysis.claims import Claim
from initlab.plotting.marks import pictures
from initlab.plotting.style import Look, styled
from initlab.runner.exhibits import Exhibit, run_script

SOURCE = "Sussillo & Abbott 2014"
GROUPS = 10
WALKS = {
    "linear, g = 1": ("identity", "lecun", Look("#0072B2", "o", "--")),
    "linear, the paper's g": ("identity", "random_walk(activation=identity)", Look("#0072B2", "s", "-")),
    "ReLU, g = √2 (He)": ("relu", "he", Look("#D55E00", "D", "--")),
    "ReLU, the paper's g": ("relu", "random_walk", Look("#D55E00", "^", "-")),
}
DRIFT = "the drift of log(squared length of the gradient) in 100 layers, mean over networks"
NO_DRIFT = "no drift: less than a factor e^0.5 = 1.6 in 100 layers"


def no_drift(name: str, statement: str, lesson: str = "") -> Claim:
    """A claim that the walk of a gain does not drift."""
    return Claim(name, statement, f"{SOURCE}, section 3", DRIFT, NO_DRIFT, low=-0.5, high=0.5, lesson=lesson)


LINEAR = no_drift("linear_gain", "For linear layers the gain exp(1/(2n)) takes the drift away")
RELU = no_drift("relu_gain", "For ReLU the gain sqrt(2) exp(1.2 / (max(n, 6) - 2.4)) takes the drift away")
NEEDED = Claim(
    "he_drifts",
    "At width 30 He's gain lets gradients drift towards 0",
    f"{SOURCE}, section 3",
    DRIFT,
    "a drift below -0.5",
    high=-0.5,
    lesson="He's gain keeps the mean of the squared gradient; the typical network, whose logarithm "
    "counts, loses, and a few win much. The gap closes like 1/width.",
)
SPREAD = Claim(
    "spread_grows",
    "The spread of the logarithm grows with depth as that of a random walk: its variance is linear in depth",
    f"{SOURCE}, section 2",
    "Var(log) at full depth over that at half of it, ReLU with the paper's gain",
    "linear: 2, give or take a quarter",
    low=1.5,
    high=2.5,
)


def walks(activation: str, scheme: str, group: int, networks: int, depth: int) -> np.ndarray:
    """log(squared gradient) of each network from the last hidden layer back to the first, (M, depth)."""
    width = 30
    seeds = range(group * networks, (group + 1) * networks)
    sizes = [width] * (depth + 1) + [width]
    ensemble = Ensemble.from_schemes(sizes, [Scheme.parse(scheme)] * networks, seeds, activation, "float64")
    rng = np.random.default_rng(group)
    ensemble.forward(rng.standard_normal((networks, 1, width)))
    ensemble.backward(rng.standard_normal((networks, 1, width)))
    with np.errstate(divide="ignore"):
        squares = [np.log((d**2).sum(axis=(1, 2))) for d in ensemble.pre_activation_gradients[::-1]]
    found = np.array(squares).T
    return found[np.isfinite(found).all(axis=1)]


def drift(found: np.ndarray) -> float:
    """In 100 layers, mean over networks."""
    depth = found.shape[1]
    return float((found[:, -1] - found[:, 0]).mean() * 100 / (depth - 1))


@styled
def draw(found: dict[str, np.ndarray]) -> Figure:
    """The mean walk of each gain, and the band that holds two thirds of the networks for ReLU."""
    figure = Figure(figsize=(7.6, 4.2))
    axes = figure.add_subplot()
    for name, (_, _, style) in WALKS.items():
        relative = found[name] - found[name][:, :1]
        layers = np.arange(relative.shape[1])
        every = max(1, len(layers) // 10)
        axes.plot(
            layers,
            relative.mean(axis=0),
            style.dash,
            color=style.color,
            marker=style.marker,
            markevery=every,
            label=name,
        )
    low, high = np.quantile(relative, [1 / 6, 5 / 6], axis=0)
    axes.fill_between(layers, low, high, color=style.color, alpha=0.15, linewidth=0)
    axes.set(xlabel="layers that the gradient has passed", ylabel="log(squared length), mean over networks")
    axes.set_title("A little more than He's gain keeps the typical gradient")
    axes.legend(loc="lower left")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "sussillo_abbott_2014", "Random walks of gradients", __doc__, quick)
    networks, depth = (20, 60) if quick else (100, 200)
    groups = {
        name: [walks(activation, scheme, group, networks, depth) for group in range(GROUPS)]
        for name, (activation, scheme, _) in WALKS.items()
    }
    found = {name: np.concatenate(parts) for name, parts in groups.items()}
    figure = draw(found)
    caption = "The mean walk of 1000 networks of width 30 for each gain; band: two thirds of the last one's."
    exhibit.figure("walks", pictures(figure), caption)
    drifts = {name: [drift(one) for one in parts] for name, parts in groups.items()}
    rows = [
        {"walk": name, "networks": len(found[name]), "drift": float(np.mean(one))}
        for name, one in drifts.items()
    ]
    exhibit.table("drifts", rows)
    exhibit.claim(LINEAR, drifts["linear, the paper's g"])
    exhibit.claim(RELU, drifts["ReLU, the paper's g"])
    exhibit.claim(NEEDED, drifts["ReLU, g = √2 (He)"])
    half = depth // 2
    relative = [one - one[:, :1] for one in groups["ReLU, the paper's g"]]
    exhibit.claim(SPREAD, [float(one[:, -1].var() / one[:, half].var()) for one in relative])
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
