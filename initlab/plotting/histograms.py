"""Activation histograms: panels -> one row for each activation and scheme, one column for each layer."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from initlab.analysis.untrained import Panel
from initlab.errors import UsageError
from initlab.nn.activations import get_activation
from initlab.plotting.marks import headline
from initlab.plotting.style import look, plain, styled

_MOST_COLUMNS, _MOST_ROWS = 10, 100


@styled
def histogram_figure(panels: Sequence[Panel], title: str) -> Figure:
    """Histograms, of ten layers at most, each with mean, standard deviation, what is saturated and clipped.

    A black outline, and a number in brackets behind the standard deviation, are what theory predicts.

    Args:
        panels: from `analysis.untrained.layer_panels`, whole rows of layers.
        title: what is seen.

    Raises:
        UsageError: for more than a hundred rows.
    """
    rows = [list(row) for _, row in groupby(panels, key=lambda panel: (panel.activation, panel.scheme))]
    if len(rows) > _MOST_ROWS:
        raise UsageError(f"{len(rows)} rows of histograms; a figure holds {_MOST_ROWS} at most")
    rows = [_thinned(row) for row in rows]
    depth = max(len(row) for row in rows)
    figure = Figure(figsize=(0.9 + 2.0 * depth, 0.9 + 1.75 * len(rows)))
    headline(figure, title)
    grid = figure.subplots(len(rows), depth, squeeze=False, sharey="row")
    for axes, row in zip(grid, rows, strict=True):
        for one, panel in zip(axes, row, strict=True):
            _draw(one, panel)
        axes[0].set_ylim(bottom=0)
        axes[0].set_ylabel(plain(f"{row[0].activation}\n{row[0].scheme.short}"))
    shown = panels[0].what.replace("_", " ")
    figure.supxlabel(shown, fontsize=9)
    figure.supylabel(f"share of {shown}; black outline, and number in brackets: theory", fontsize=9)
    above = 43 if panels[0].what == "activations" else 34
    for panel, one in zip(rows[0], grid[0], strict=True):
        place = {"xytext": (0, above), "textcoords": "offset points", "ha": "center"}
        one.annotate(f"layer {panel.layer}", (0.5, 1), xycoords="axes fraction", fontsize=9, **place)
    return figure


def _thinned(row: list[Panel]) -> list[Panel]:
    """At most ten layers, evenly spread from the first to the last."""
    if len(row) <= _MOST_COLUMNS:
        return row
    return [row[i] for i in np.linspace(0, len(row) - 1, _MOST_COLUMNS).round().astype(int)]


def _draw(axes: Axes, panel: Panel) -> None:
    counts = panel.histogram.counts
    shares = 100 * counts / (counts.sum() + panel.histogram.below + panel.histogram.above)
    axes.stairs(shares, panel.histogram.edges, fill=True, color=look(str(panel.scheme)).color)
    if panel.predicted is not None and panel.predicted.shares is not None:
        expected = 100 * panel.predicted.shares
        axes.stairs(expected, panel.histogram.edges, color="black", linewidth=0.8)
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.tick_params(labelsize=7)
    axes.locator_params(nbins=4)
    axes.set_title(_caption(panel), fontsize=7, fontweight="normal", linespacing=1.2)


def _caption(panel: Panel) -> str:
    mean, std = f"mean {_rounded(panel.mean, panel.std)}", f"std {panel.std:.3g}"
    if panel.predicted is not None:
        std += f" ({panel.predicted.std:.3g})"
    outside = f", outside {_percent(panel.histogram.clipped)}" if panel.histogram.clipped else ""
    if panel.what != "activations":
        return f"{mean}{outside}\n{std}"
    low, high = get_activation(panel.activation).bounds
    word = "off" if np.isfinite(low) and np.isinf(high) else "saturated"
    return f"{mean}\n{std}\n{word} {_percent(panel.saturated)}{outside}"


def _rounded(mean: float, std: float) -> str:
    """With three digits; 0 where it is nothing beside the spread."""
    return "0" if abs(mean) < 1e-3 * std else f"{mean:.3g}"


def _percent(fraction: float) -> str:
    """With one digit after the point; never 0 % for what is not nothing."""
    return "< 0.1 %" if 0 < fraction < 0.0005 else f"{100 * fraction:.1f} %"
