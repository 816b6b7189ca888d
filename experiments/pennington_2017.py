"""How far a random network stretches space: the singular values of its Jacobian, Pennington et al. 2017.

Pennington, Schoenholz & Ganguli, Resurrecting the sigmoid in deep learning through dynamical isometry. Square
networks of 200 units without biases, depths L of 2 to 32, at criticality: linear and ReLU, Gaussian and
orthogonal weights, and tanh orthogonal at a small sigma_w^2 above 1. J is the Jacobian of the last hidden
layer with respect to the input, at one random input; ten networks each. (The paper works in the limit of wide
networks; a Gaussian layer of n = 200 units deviates from it by about L / n.)

    python experiments/pennington_2017.py [RESULTS] [--quick]
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import Ensemble, Scheme
from initlab.analysis.claims import Claim
from initlab.analysis.measure import jacobian_singular_values
from initlab.plotting.marks import pictures
from initlab.plotting.style import Look, styled
from initlab.runner.exhibits import Exhibit, run_script

SOURCE = "Pennington, Schoenholz & Ganguli 2017"
SEEDS = 10
KINDS = {
    "linear, Gaussian": ("identity", "lecun", Look("#0072B2", "o", "-")),
    "linear, orthogonal": ("identity", "orthogonal", Look("#56B4E9", "s", "--")),
    "ReLU, Gaussian": ("relu", "he", Look("#D55E00", "D", "-")),
    "ReLU, orthogonal": ("relu", "orthogonal(gain=relu)", Look("#E69F00", "^", "--")),
    "tanh, orthogonal": ("tanh", "orthogonal(gain=1.01)", Look("#009E73", "P", "-.")),
}
VARIANCE = "the slope of Var(s^2) / mean(s^2)^2 over depth L, s the singular values of J"


def slope_claim(name: str, kind: str, slope: float, lesson: str = "") -> Claim:
    """A claim that the variance of squared singular values grows by so much a layer."""
    told = {0: "0", 1: "L"}.get(slope, f"{slope:g} L")
    statement = f"{kind}: at criticality the variance of the squared singular values is {told}"
    low, high = (-0.02, 0.02) if slope == 0 else (0.75 * slope, 1.25 * slope)
    reason = (
        "the theory of wide networks, give or take a quarter" if slope else "theory: none; a fiftieth a layer"
    )
    return Claim(
        name, statement, f"{SOURCE}, section 2.5", VARIANCE, reason, low=low, high=high, lesson=lesson
    )


CLAIMS = {
    "linear, Gaussian": slope_claim("linear_gaussian", "Linear, Gaussian weights", 1),
    "linear, orthogonal": slope_claim("linear_orthogonal", "Linear, orthogonal weights", 0),
    "ReLU, Gaussian": slope_claim(
        "relu_gaussian",
        "ReLU, Gaussian weights",
        2,
        "With n = 200 units the slope comes out lower by terms of L / n, which the theory leaves out.",
    ),
    "ReLU, orthogonal": slope_claim("relu_orthogonal", "ReLU, orthogonal weights", 1),
}
ISOMETRY = Claim(
    "tanh_isometry",
    "Orthogonal tanh networks near criticality are isometric at any depth: singular values are near 1",
    f"{SOURCE}, section 3",
    "Var(s^2) / mean(s^2)^2 at the greatest depth, for signals of two sizes",
    "near 1: a variance of at most a tenth",
    high=0.1,
    lesson="It depends on how small the signal is: slopes of tanh differ from 1 by z^2, and layers multiply. "
    "The paper takes sigma_w^2 so near 1 that q* falls like 1/L; a signal that begins at 0.3 is not small "
    "enough for 32 layers, one at 0.05 is.",
)
NEVER = Claim(
    "relu_never",
    "ReLU networks are never isometric, orthogonal or not",
    f"{SOURCE}, section 2.5",
    "the fraction of singular values below a tenth of the largest, orthogonal weights, greatest depth",
    "at least half: each layer switches half of its units off",
    low=0.5,
)


def spectra(activation: str, scheme: str, depth: int, width: int, size: float = 0.3) -> np.ndarray:
    """Singular values of each network's Jacobian at a random input, (SEEDS, width)."""
    sizes = [width] * (depth + 1) + [1]
    schemes = [Scheme.parse(scheme)] * SEEDS
    networks = Ensemble.from_schemes(sizes, schemes, range(SEEDS), activation, "float64")
    inputs = size * np.random.default_rng(0).standard_normal((1, width))
    return jacobian_singular_values(networks, inputs)[:, 0]


def relative_variance(values: np.ndarray) -> np.ndarray:
    """`Var(s^2) / mean(s^2)^2` of each network, (SEEDS,)."""
    squares = values**2
    return squares.var(axis=1) / squares.mean(axis=1) ** 2


def slopes(depths: list[int], variances: np.ndarray) -> list[float]:
    """Of each network's variance over depth, by least squares; variances are (depths, SEEDS)."""
    return [float(np.polyfit(depths, one, 1)[0]) for one in variances.T]


@styled
def draw(depths: list[int], variances: dict[str, np.ndarray], last: dict[str, np.ndarray]) -> Figure:
    """Variance against depth, and all singular values at the greatest depth, from the largest down."""
    figure = Figure(figsize=(9.4, 4.0))
    left, right = figure.subplots(1, 2)
    for kind, (_, _, style) in KINDS.items():
        middle = variances[kind].mean(axis=1)
        left.plot(
            depths, np.maximum(middle, 2e-3), style.dash, color=style.color, marker=style.marker, label=kind
        )
        values = np.sort(last[kind].mean(axis=0))[::-1]
        every = max(1, len(values) // 12)
        share = np.arange(len(values)) / len(values)
        right.plot(
            share,
            np.maximum(values, 2e-3),
            style.dash,
            color=style.color,
            marker=style.marker,
            markevery=every,
        )
    left.set(xlabel="depth L", ylabel="Var(s²) / mean(s²)²", xscale="log", yscale="log", ylim=(1e-3, 200))
    left.set_xticks(depths, [str(depth) for depth in depths])
    left.minorticks_off()
    left.set_title("All spectra but linear orthogonal spread")
    right.set(
        xlabel="rank of the singular value, as a share",
        ylabel=f"singular value s at L = {depths[-1]}",
        yscale="log",
    )
    right.set_title("and only that one keeps all directions")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right upper")
    return figure


def main(results: str = "results", quick: bool = False) -> None:
    exhibit = Exhibit(results, "pennington_2017", "Dynamical isometry", __doc__, quick)
    depths, width = ([2, 4, 8], 100) if quick else ([2, 4, 8, 16, 32], 200)
    values = {
        kind: [spectra(activation, scheme, depth, width) for depth in depths]
        for kind, (activation, scheme, _) in KINDS.items()
    }
    variances = {kind: np.array([relative_variance(one) for one in all_]) for kind, all_ in values.items()}
    last = {kind: all_[-1] for kind, all_ in values.items()}
    figure = draw(depths, variances, last)
    caption = "Left: spread of squared singular values; right: all; at least 0.002. Means of ten networks."
    exhibit.figure("spectra", pictures(figure), caption)
    rows = [
        {"network": kind, "depth": depth, "relative_variance": float(variances[kind][i].mean())}
        for kind in KINDS
        for i, depth in enumerate(depths)
    ]
    exhibit.table("variances", rows)
    for kind, claim in CLAIMS.items():
        exhibit.claim(claim, slopes(depths, variances[kind]))
    activation, scheme, _ = KINDS["tanh, orthogonal"]
    sizes = {size: spectra(activation, scheme, depths[-1], width, size) for size in (0.05, 0.3)}
    measured = {f"inputs of size {size:g}": relative_variance(one).tolist() for size, one in sizes.items()}
    exhibit.claim(ISOMETRY, measured)
    exhibit.claim(NEVER, [float((one < 0.1 * one.max()).mean()) for one in last["ReLU, orthogonal"]])
    exhibit.close()


if __name__ == "__main__":
    run_script(main)
