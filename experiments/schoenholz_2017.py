"""Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, Deep information propagation.

Tanh networks of {depths} hidden layers of {width} units (the paper: 300) with sigma_b^2 = {sigma_b2} and
sigma_w^2 of {variances} learn MNIST by gradient descent: {steps} steps, batches of {batch_size}, {seeds}
seeds. Of the rates {rates}, each depth and sigma_w^2 has the one with the highest mean accuracy on {held_out}
held-out training images. A network counts as trained where it classifies at least {success} of the test
images. The depth scales xi are those of mean-field theory. The paper quotes 6 xi as the bound; here the
constant is fitted.
"""

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from initlab import Initialization, Scheme, critical_sigma_w2, phase, train_at_best_rate
from initlab.gallery import Exhibit

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Which depths train",
    question="depth",
    finding="Tanh networks train about as deep as the depth scale of mean-field theory allows, the deepest "
    "near the critical variance.",
    source="Schoenholz et al. 2017, section 5, figure 5",
    network={"width": 64, "depths": (5, 10, 20, 40, 80)},
    training={"steps": 150, "batch_size": 50, "rates": (0.01, 0.05), "held_out": 5000},
    measuring={
        "sigma_b2": 0.05,
        "variances": (1.0, 1.25, 1.5, 1.76, 2.0, 2.5, 3.0, 4.0),
        "success": 0.3,
        "seeds": 5,
    },
    quick={"depths": (5, 10, 20, 40), "steps": 60},
)
LONGEST = 1e3  # stands for the infinite depth scale of the critical point


@exhibit.kept
def reached(s, depth):
    """Test accuracy at the best rate, (variances, seeds)."""
    bias = Scheme("normal", {"std": s.sigma_b2**0.5})
    starts = [Initialization(Scheme("variance_scaling", {"scale": w2}), bias=bias) for w2 in s.variances]
    histories = train_at_best_rate(
        starts,
        hidden=[s.width] * depth,
        activation="tanh",
        steps=s.steps,
        batch_size=s.batch_size,
        rates=s.rates,
        validation=s.held_out,
        seeds=range(s.seeds),
    )
    return {"accuracy": [histories.of(str(start)).numbers("test_accuracy", 0.0) for start in starts]}


def accuracies(s):
    """(depths, variances, seeds)."""
    return np.array([reached(s, depth)["accuracy"] for depth in s.depths])


def depth_scales(s):
    """For each sigma_w^2 the shorter depth scale of gradients and correlations, (variances,)."""
    phases = [phase("tanh", w2, s.sigma_b2) for w2 in s.variances]
    return np.minimum([np.nanmin([p.xi_gradient, p.xi_correlation]) for p in phases], LONGEST)


@exhibit.claim(low=0.6, reason="follows: at least 0.6")
def depth_follows_scale(s):
    """Networks train as deep as their depth scale allows.

    Measured: rank correlation over sigma_w^2 of the deepest trainable depth with the depth scale xi.

    The grid of depths is coarse, and in {steps} steps the deepest networks have hardly begun; ties lower the
    correlation.
    """
    depths = np.array(s.depths)[:, None, None]
    deepest = np.where(accuracies(s) >= s.success, depths, 0).max(axis=0)
    return [float(spearmanr(depth_scales(s), deepest[:, seed]).statistic) for seed in range(s.seeds)]


@exhibit.claim("the line 6 xi; others fit 4.5", low=4.5, high=7.5, reason="about 6: within 4.5 and 7.5")
def six_scales(s):
    """The bound lies at about 6 depth scales.

    Measured: the factor k for which `depth <= k xi` separates trained networks from others best.

    The constant is no law: it depends on steps, rate and width, here few, mild and small.
    """
    trains = accuracies(s) >= s.success
    return [fitted_factor(trains[:, :, seed], depth_scales(s), s.depths) for seed in range(s.seeds)]


def fitted_factor(trains, scales, depths):
    """The middle of those k for which `depth <= k xi` is mistaken least; trains is (depths, scales)."""
    factors = np.geomspace(0.5, 50, 200)
    mistakes = [((np.array(depths)[:, None] <= k * scales) != trains).sum() for k in factors]
    return float(np.exp(np.log(factors[mistakes == min(mistakes)]).mean()))


@exhibit.claim(low=1 / 1.5, high=1.5, reason="near: within a factor of 1.5")
def deepest_near_critical(s):
    """The deepest networks train near the critical sigma_w^2.

    Measured: the sigma_w^2 of the most accurate networks at the greatest depth, over the critical one.
    """
    best = accuracies(s)[-1].argmax(axis=0)
    return np.array(s.variances)[best] / critical_sigma_w2("tanh", s.sigma_b2)


@exhibit.figure(
    "Test accuracy after {steps} steps, mean of {seeds} seeds; lines: multiples of the depth scale."
)
def map(s):
    figure = Figure(figsize=(6.6, 4.2))
    axes = figure.add_subplot(xlabel="$\\sigma_w^2$", ylabel="hidden layers")
    shown = {"cmap": "cividis", "vmin": 0, "vmax": 1, "aspect": "auto", "origin": "lower"}
    image = axes.imshow(accuracies(s).mean(axis=2), **shown)
    ends = [*s.depths, 2 * s.depths[-1]]  # the rows of the map, evenly spaced in their logarithms
    for k, dash, origin in ((6.0, "--", "the paper's"), (np.mean(six_scales(s)), "-", "fitted")):
        rows = np.interp(np.log(k * depth_scales(s)), np.log(ends), np.arange(len(ends)), right=len(ends))
        axes.plot(rows, dash, color="white", linewidth=2, label=f"{k:.2g} depth scales, {origin}")
    axes.set_xticks(range(len(s.variances)), [f"{w2:g}" for w2 in s.variances])
    axes.set_yticks(range(len(s.depths)), s.depths)
    axes.set_ylim(-0.5, len(s.depths) - 0.5)
    axes.grid(visible=False)
    critical = critical_sigma_w2("tanh", s.sigma_b2)
    axes.set_title(f"Deep tanh networks train near the critical $\\sigma_w^2$ of {critical:.3g}")
    axes.legend(loc="upper right", facecolor="#444444", labelcolor="white", framealpha=0.8, frameon=True)
    figure.colorbar(image, ax=axes, label="test accuracy")
    return figure


@exhibit.table()
def trained(s):
    means, scales = accuracies(s).mean(axis=2), depth_scales(s)
    return [
        {"sigma_w2": w2, "depth": depth, "depth_scale": scales[j], "test_accuracy": float(means[i, j])}
        for i, depth in enumerate(s.depths)
        for j, w2 in enumerate(s.variances)
    ]
