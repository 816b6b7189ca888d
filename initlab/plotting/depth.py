"""Signal and gradient against depth: profiles -> a row for each activation, predicted and measured."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes

from initlab.errors import UsageError
from initlab.measure.depth import Profile
from initlab.nn.arrays import FloatArray
from initlab.own_code import shown
from initlab.plotting.elements import headline
from initlab.plotting.style import Figure, Look, distinct_looks, plain, styled

# More error bars than this touch each other.
_MOST_POINTS = 20


@styled
def depth_figure(profiles: Sequence[Profile], title: str | None = None) -> Figure:
    """The standard deviation of activations and of back-propagated gradients, layer by layer.

    Lines are mean-field theory; points are the mean over seeds, with bars from the smallest to the largest.

    Args:
        profiles: from `measure.depth.depth_profiles`.
        title: the finding; by default, what is drawn.
    """
    if not profiles:
        raise UsageError("there is no profile to draw; depth_figure takes what `depth_profiles` returns")
    rows = [list(row) for _, row in groupby(profiles, key=lambda profile: profile.activation)]
    figure = Figure(figsize=(9, 0.9 + 2.7 * len(rows)))
    headline(figure, title or _title(profiles))
    for (left, right), row in zip(figure.subplots(len(rows), 2, squeeze=False), rows, strict=True):
        _draw_row(left, right, row)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _title(profiles: Sequence[Profile]) -> str:
    layers = profiles[0].activation_std.shape[1]
    return f"Through {layers} untrained layers: lines predicted, points measured"


def _draw_row(left: Axes, right: Axes, row: Sequence[Profile]) -> None:
    looks = distinct_looks([str(profile.scheme) for profile in row])
    for profile, style in zip(row, looks, strict=True):
        predicted = profile.predicted or []
        stds, gradients = [layer.std for layer in predicted], [layer.gradient for layer in predicted]
        _draw(left, profile.activation_std, stds, style, profile.label)
        _draw(right, profile.gradient_std, gradients, style, profile.label)
    left.set_ylabel(f"{shown(row[0].activation)}\nstd of activations")
    right.set_ylabel("std of gradients\nrelative to the last layer's")
    for axes in (left, right):
        axes.set(yscale="log", xlabel="layer")


def _draw(axes: Axes, measured: FloatArray, predicted: Sequence[float], style: Look, label: str) -> None:
    layers = np.arange(1, measured.shape[1] + 1)
    if predicted and min(predicted) > 0:
        axes.plot(layers, predicted, color=style.color, linestyle=style.dash, linewidth=1)
    drawn = np.unique(np.linspace(0, len(layers) - 1, _MOST_POINTS).round().astype(int))
    # A logarithmic axis holds neither zeros nor infinities.
    drawable = (measured[:, drawn] > 0) & np.isfinite(measured[:, drawn])
    values = np.where(drawable, measured[:, drawn], np.nan)
    middle = values.mean(axis=0)
    bars = np.abs(np.stack([middle - values.min(axis=0), values.max(axis=0) - middle]))
    axes.errorbar(
        layers[drawn],
        middle,
        bars,
        color=style.color,
        linestyle="none",
        marker=style.marker,
        markersize=4,
        elinewidth=0.8,
        label=plain(label),
    )
