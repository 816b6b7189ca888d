"""Length and correlation of signals in random tanh networks: Poole et al. 2016.

Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli, Exponential expressivity in deep neural networks through
transient chaos. Pairs of inputs of given length and correlation go through 30 tanh layers of 1000 units (as
in the paper) with sigma_b^2 = 0.09 (the paper's 0.3^2), for sigma_w = 1.3, 2.5 and 4; five networks each. To
see the end of the ordered phase, near whose border things go slowly, 150 layers of 300 units are added.
Predictions are those of mean-field theory, by quadrature.

    python experiments/poole_2016.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Scheme
from initlab.analysis.claims import Claim
from initlab.analysis.theory import correlation_map, length_map, phase
from initlab.nn.starts import Start
from initlab.plotting.marks import pictures
from initlab.plotting.style import Look, styled
from initlab.runner.exhibits import Exhibit, run_script

SIGMA_W, SIGMA_B = (1.3, 2.5, 4.0), 0.3
CORRELATIONS = (0.1, 0.5, 0.9, 0.99)
LENGTHS = (0.1, 1.0, 4.0, 16.0)
SEEDS = 5
LOOKS = dict(
    zip(
        SIGMA_W,
        (Look("#0072B2", "o", "-"), Look("#E69F00", "s", "--"), Look("#D55E00", "^", "-.")),
        strict=True,
    )
)
SOURCE = "Poole et al. 2016"

FORGOTTEN = Claim(
    "length_forgotten",
    "Whatever the length of the input, after a few layers the signal has one and the same length q*",
    f"{SOURCE}, section 2, figure 1",
    "the largest |q / q* - 1| among four input lengths, after 8 layers, with the predicted q*",
    "the same: within a tenth; single networks of width 1000 scatter by some percent",
    high=0.1,
    lesson="On the average the length is that of theory; but single networks of 1000 units scatter by 6 to "
    "8 % around it, and in the worst of four inputs some by more than a tenth.",
)
ORDER = Claim(
    "order_converges",
    "In the ordered phase, here sigma_w = 1.3, all inputs become alike: c* = 1",
    f"{SOURCE}, section 3, figure 2",
    "1 - c of two inputs of c = 0.1, after 150 layers",
    "alike: less than a hundredth",
    high=0.01,
)
CHAOS = Claim(
    "chaos_separates",
    "In the chaotic phase, here sigma_w = 4, almost equal inputs are driven apart, to c* < 1",
    f"{SOURCE}, section 3, figure 2",
    "c of two inputs of c = 0.99, after 30 layers",
    "driven apart: below 0.5",
    high=0.5,
)
SAME_END = Claim(
    "chaos_has_one_end",
    "In the chaotic phase all pairs of inputs come to the same correlation, which theory tells",
    f"{SOURCE}, section 3",
    "the largest distance from the predicted c* among pairs of c = 0.1 to 0.99, after 30 layers, sigma_w = 4",
    "what 1000 units leave to chance is 1/sqrt(1000) = 0.03; three times that",
    high=0.1,
    lesson="They come to one neighbourhood, 0.03 give or take what chance leaves in single networks.",
)
MAP = Claim(
    "map_is_exact",
    "The correlation map of mean-field theory describes networks of 1000 units",
    f"{SOURCE}, figure 2A",
    "root mean square of measured minus predicted correlation after one layer, over pairs and sigma_w",
    "1/sqrt(1000) = 0.03",
    high=0.03,
)


def pairs(rng: np.random.Generator, width: int, length: float) -> np.ndarray:
    """Two inputs for each correlation, of mean square `length`, (2 C, width)."""
    one, other = np.linalg.qr(rng.standard_normal((width, 2)))[0].T * np.sqrt(width * length)
    return np.concatenate([[one, c * one + np.sqrt(1 - c * c) * other] for c in CORRELATIONS])


def start(sigma_w: float) -> Start:
    """Weights and biases of the paper."""
    bias = Scheme("normal", {"std": SIGMA_B})
    return Start(Scheme("variance_scaling", {"scale": sigma_w**2}), bias=bias)


def measure(sigma_w: float, seed: int, width: int, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths (depth, L) for each input length; correlations (depth, C) of pairs that begin at length q*."""
    sizes = [width] * (depth + 1) + [1]
    network = Ensemble.from_schemes(sizes, [start(sigma_w)], seed, "tanh", "float64")
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((len(LENGTHS), width)) * np.sqrt(np.array(LENGTHS))[:, None]
    network.forward(inputs)
    lengths = np.array([(z[0] ** 2).mean(axis=1) for z in network.pre_activations[:-1]])
    q = phase("tanh", sigma_w**2, SIGMA_B**2).q
    network.forward(pairs(rng, width, (q - SIGMA_B**2) / sigma_w**2))
    layers = [z[0].reshape(len(CORRELATIONS), 2, -1) for z in network.pre_activations[:-1]]
    return lengths, np.array([_cosines(z) for z in layers])


def _cosines(z: np.ndarray) -> np.ndarray:
    unit = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return (unit[:, 0] * unit[:, 1]).sum(axis=-1)


def predict(sigma_w: float, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """The same by theory; the first layer is linear in the input."""
    w2, b2 = sigma_w**2, SIGMA_B**2
    q, end = np.array(LENGTHS) * w2 + b2, phase("tanh", w2, b2).q
    c = (np.array(CORRELATIONS) * (end - b2) + b2) / end
    lengths, correlations = [q], [c]
    for _ in range(depth - 1):
        lengths.append(np.array([length_map("tanh", one, w2, b2) for one in lengths[-1]]))
        correlations.append(
            np.array([correlation_map("tanh", min(one, 1.0), end, w2, b2) for one in correlations[-1]])
        )
    return np.array(lengths), np.array(correlations)


@styled
def draw(measured, predicted) -> Figure:
    """Lengths and correlations against depth: lines by theory, points measured."""
    figure = Figure(figsize=(9, 3.9))
    left, right = figure.subplots(1, 2)
    for sigma_w, style in LOOKS.items():
        for axes, index in ((left, 0), (right, 1)):
            points = np.mean([one[index] for one in measured[sigma_w]], axis=0)
            layers = np.arange(1, len(points) + 1)
            axes.plot(layers, predicted[sigma_w][index], color=style.color, linestyle=style.dash, linewidth=1)
            every = slice(None, None, max(1, len(layers) // 15))
            for column in points.T:
                axes.plot(layers[every], column[every], style.marker, color=style.color, markersize=4)
            if index == 0:
                axes.plot(
                    [],
                    [],
                    style.marker,
                    color=style.color,
                    linestyle=style.dash,
                    label=f"$\\sigma_w$ = {sigma_w:g} ({'order' if sigma_w < 2 else 'chaos'})",
                )
    left.set(
        yscale="log", xlabel="layer", ylabel="length q of the signal", xlim=(0.5, min(12, len(layers)) + 0.5)
    )
    left.set_title("The length of the input is forgotten")
    right.set(xlabel="layer", ylabel="correlation c of two inputs", ylim=(-0.06, 1.03))
    right.set_title("Order aligns inputs, chaos parts them")
    left.legend(loc="upper right")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "poole_2016", "Order and chaos of random signals", __doc__, quick)
    width, depth = (400, 30) if quick else (1000, 30)
    measured = {w: [measure(w, seed, width, depth) for seed in range(SEEDS)] for w in SIGMA_W}
    predicted = {w: predict(w, depth) for w in SIGMA_W}
    figure = draw(measured, predicted)
    caption = "Lines: mean-field theory; points: the mean of five networks of 1000 units."
    exhibit.figure("maps", pictures(figure), caption)
    exhibit.table("correlations", rows(measured, predicted))
    ends = {w: phase("tanh", w * w, SIGMA_B**2) for w in SIGMA_W}
    exhibit.claim(
        FORGOTTEN,
        {
            f"sigma_w = {w:g}": [float(np.abs(one[0][7] / ends[w].q - 1).max()) for one in measured[w]]
            for w in SIGMA_W
        },
    )
    exhibit.claim(ORDER, [1 - float(measure(1.3, seed, 300, 150)[1][-1, 0]) for seed in range(SEEDS)])
    exhibit.claim(CHAOS, [float(one[1][-1, -1]) for one in measured[4.0]])
    exhibit.claim(SAME_END, [float(np.abs(one[1][-1] - ends[4.0].c).max()) for one in measured[4.0]])
    exhibit.claim(MAP, [_map_error(measured, seed) for seed in range(SEEDS)])
    exhibit.close()


def _map_error(measured, seed: int) -> float:
    """Of the second layer's correlations, predicted from the first's as measured."""
    errors = []
    for w in SIGMA_W:
        c = measured[w][seed][1]
        q = phase("tanh", w * w, SIGMA_B**2).q
        said = [correlation_map("tanh", one, q, w * w, SIGMA_B**2) for one in c[0]]
        errors += list(c[1] - said)
    return float(np.sqrt(np.mean(np.square(errors))))


def rows(measured, predicted) -> list[dict[str, float]]:
    """What is drawn on the right."""
    return [
        {
            "sigma_w": w,
            "layer": layer + 1,
            "first_correlation": c,
            "measured": float(np.mean([one[1][layer, i] for one in measured[w]])),
            "predicted": float(predicted[w][1][layer, i]),
        }
        for w in SIGMA_W
        for layer in range(len(predicted[w][1]))
        for i, c in enumerate(CORRELATIONS)
    ]


if __name__ == "__main__":
    run_script(main)
