"""Signal and gradient against depth: profiles -> a row for each activation, predicted and measured."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from initlab.analysis.profile import Profile
from initlab.plotting.marks import headline
from initlab.plotting.style import Look, distinct_looks, plain, styled

_MOST_POINTS = 20


@styled
def depth_figure(profiles: Sequence[Profile], title: str) -> Figure:
    """The standard deviation of activations, and of back-propagated gradients, layer by layer.

    Lines are mean-field theory; points are the mean over seeds, with bars from the smallest to the largest.

    Args:
        profiles: from `analysis.profile.depth_profiles`.
        title: what is seen.
    """
    rows = [list(row) for _, row in groupby(profiles, key=lambda profile: profile.activation)]
    figure = Figure(figsize=(9, 0.9 + 2.7 * len(rows)))
    headline(figure, title)
    for (left, right), row in zip(figure.subplots(len(rows), 2, squeeze=False), rows, strict=True):
        for profile, style in zip(row, distinct_looks([str(p.scheme) for p in row]), strict=True):
            said = profile.predicted or []
            _draw(left, profile.activation_std, [layer.std for layer in said], style, profile)
            _draw(right, profile.gradient_std, [layer.gradient for layer in said], style, profile)
        left.set_ylabel(f"{row[0].activation}\nstd of activations")
        right.set_ylabel("std of gradients\nrelative to the last layer's")
        for axes in (left, right):
            axes.set(yscale="log", xlabel="layer")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _draw(axes: Axes, measured: np.ndarray, predicted: list[float], style: Look, profile: Profile) -> None:
    layers = np.arange(1, measured.shape[1] + 1)
    if predicted and min(predicted) > 0:
        axes.plot(layers, predicted, color=style.color, linestyle=style.dash, linewidth=1)
    shown = np.unique(np.linspace(0, len(layers) - 1, _MOST_POINTS).round().astype(int))
    kept = (measured[:, shown] > 0) & np.isfinite(measured[:, shown])
    values = np.where(kept, measured[:, shown], np.nan)
    middle = values.mean(axis=0)
    bars = np.abs(np.stack([middle - values.min(axis=0), values.max(axis=0) - middle]))
    axes.errorbar(
        layers[shown],
        middle,
        bars,
        color=style.color,
        linestyle="none",
        marker=style.marker,
        markersize=4,
        elinewidth=0.8,
        label=plain(profile.scheme.short),
    )
