"""Activation histograms: panels -> one row for each activation and scheme, one column for each layer."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from initlab.analysis.untrained import Panel
from initlab.nn.activations import get_activation
from initlab.plotting.style import look, plain, styled

_WIDEST, _TALLEST = 40.0, 60.0


@styled
def histogram_figure(panels: Sequence[Panel], title: str) -> Figure:
    """Histograms of all panels, each with its mean, standard deviation, and what is saturated or clipped.

    Args:
        panels: from `analysis.untrained.activation_panels`, whole rows of layers.
        title: what is seen.
    """
    rows = [list(row) for _, row in groupby(panels, key=lambda panel: (panel.activation, panel.scheme))]
    depth = max(len(row) for row in rows)
    size = (min(0.9 + 2.0 * depth, _WIDEST), min(0.9 + 1.6 * len(rows), _TALLEST))
    figure = Figure(figsize=size)
    figure.suptitle(plain(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
    grid = figure.subplots(len(rows), depth, squeeze=False, sharey="row")
    for axes, row in zip(grid, rows, strict=True):
        for one, panel in zip(axes, row, strict=True):
            _draw(one, panel)
        axes[0].set_ylim(bottom=0)
        axes[0].set_ylabel(plain(f"{row[0].activation}\n{row[0].scheme.short}"))
    for layer, one in enumerate(grid[0], start=1):
        above = {"xytext": (0, 34), "textcoords": "offset points", "ha": "center"}
        one.annotate(f"layer {layer}", (0.5, 1), xycoords="axes fraction", fontsize=9, **above)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    counts = panel.histogram.counts
    shares = 100 * counts / (counts.sum() + panel.histogram.below + panel.histogram.above)
    axes.stairs(shares, panel.histogram.edges, fill=True, color=look(str(panel.scheme)).color)
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.tick_params(labelsize=7)
    axes.locator_params(nbins=4)
    axes.set_title(_caption(panel), fontsize=7, fontweight="normal", linespacing=1.2)


def _caption(panel: Panel) -> str:
    word = "off" if np.isinf(get_activation(panel.activation).bounds[1]) else "saturated"
    fractions = f"{word} {_percent(panel.saturated)}"
    if panel.histogram.clipped:
        fractions += f", outside {_percent(panel.histogram.clipped)}"
    return f"mean {panel.mean:.3g}, std {panel.std:.3g}\n{fractions}"


def _percent(fraction: float) -> str:
    """With one digit after the point; never 0 % for what is not nothing."""
    return "< 0.1 %" if 0 < fraction < 0.0005 else f"{100 * fraction:.1f} %"
