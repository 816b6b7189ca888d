"""Histograms of layers: panels -> one row for each activation and network, one column for each layer."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from initlab.errors import UsageError
from initlab.measure.histograms import Panel
from initlab.nn.activations import ACTIVATIONS
from initlab.own_code import shown
from initlab.plotting.elements import headline
from initlab.plotting.style import Figure, distinct_looks, plain, points, styled
from initlab.plotting.text import width, wrapped

# More columns do not fit a page; a hundred rows are a picture of 26,000 pixels already.
_MOST_COLUMNS, MOST_ROWS = 10, 100
_COLUMN, _ROW = 2.0, 1.75  # inches
_MARGIN, _GAP = 0.9, 0.12  # beside all columns, and between two captions
# The height of a panel's caption in points: three lines for activations, else two.
_CAPTION, _SHORT_CAPTION = 43, 34


@styled
def histogram_figure(panels: Sequence[Panel], title: str | None = None) -> Figure:
    """Histograms of ten layers at most, each with its mean, standard deviation, saturated and clipped parts.

    The black outline, and the number in brackets behind the standard deviation, are what theory predicts.

    Args:
        panels: from `layer_panels` or `network_panels` of `measure.histograms`, all layers of a network in a
            row.
        title: the finding; by default, what is drawn; an empty one leaves it out.

    Raises:
        UsageError: for no panels, or more than a hundred rows.
    """
    rows = [_thinned(row, _MOST_COLUMNS) for row in _rows(panels)]
    if not 0 < len(rows) <= MOST_ROWS:
        raise UsageError(f"{len(rows)} rows of histograms; a figure holds 1 to {MOST_ROWS}")
    depth = max(len(row) for row in rows)
    figure = Figure(figsize=(_MARGIN + _COLUMN * depth, 0.9 + _ROW * len(rows)))
    depth = min(depth, _most_columns(figure, panels))
    rows = [_thinned(row, depth) for row in rows]
    headline(figure, _title(panels) if title is None else title)
    grid = figure.subplots(len(rows), depth, squeeze=False, sharey="row")
    colors = _colors(panels)
    for axes_row, row in zip(grid, rows, strict=True):
        _draw_row(axes_row, row, colors[row[0].label])
    quantity = panels[0].what.replace("_", " ")
    predicted = any(panel.predicted for panel in panels)
    # Below, where there is room: beside a single row, the note would be cut.
    note = "black outline, and number in brackets: theory" if predicted else ""
    layers = max(panel.layer for panel in panels)
    if depth < layers:
        note = f"{depth} of {layers} layers{'; ' if note else ''}{note}"
    figure.supxlabel(
        f"{quantity}\n{wrapped(note, figure.get_figwidth() - 0.2, points(9))}".strip(), fontsize=points(9)
    )
    figure.supylabel(f"share of {quantity}", fontsize=points(9))
    _head_columns(grid[0], rows[0])
    return figure


def _title(panels: Sequence[Panel]) -> str:
    """Short enough for two columns; the rows name the networks."""
    return f"{panels[0].what.replace('_', ' ').capitalize()}, layer by layer"


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """The panels of each network; a network begins where the layers do, even if two have the same label."""
    rows: list[list[Panel]] = []
    for panel in panels:
        if not rows or panel.layer <= rows[-1][-1].layer:
            rows.append([])
        rows[-1].append(panel)
    return rows


def _thinned(row: list[Panel], most: int) -> list[Panel]:
    """So many layers at most, evenly spread from the first to the last."""
    if len(row) <= most:
        return row
    return [row[i] for i in np.linspace(0, len(row) - 1, most).round().astype(int)]


def _most_columns(figure: Figure, panels: Sequence[Panel]) -> int:
    """How many captions fit side by side: all, unless the figure is to have a width."""
    if figure.appearance.width is None:
        return _MOST_COLUMNS
    captions = [line for panel in panels for line in _caption(panel).split("\n")]
    widest = max(width(line, points(7)) for line in captions) + _GAP
    return max(1, int((figure.get_figwidth() - points(_MARGIN)) / widest))


def _colors(panels: Sequence[Panel]) -> dict[str, str]:
    """A colour for each label, as the curves of the same schemes have it in other figures."""
    schemes = {panel.label: str(panel.scheme or panel.label) for panel in panels}
    looks = distinct_looks(list(schemes.values()))
    return {label: style.color for label, style in zip(schemes, looks, strict=True)}


def _draw_row(axes_row: Sequence[Axes], row: Sequence[Panel], color: str) -> None:
    for axes, panel in zip(axes_row, row, strict=False):
        _draw(axes, panel, color)
    for axes in axes_row[len(row) :]:
        axes.set_visible(False)
    axes_row[0].set_ylim(bottom=0)
    words = wrapped(row[0].label, _ROW - 0.5, points(9), most=2)
    axes_row[0].set_ylabel(plain(f"{shown(row[0].activation)}\n{words}"))


def _head_columns(axes_row: Sequence[Axes], row: Sequence[Panel]) -> None:
    """The number of the layer, above the captions of the first row."""
    above = _CAPTION if row[0].what == "activations" else _SHORT_CAPTION
    for panel, axes in zip(row, axes_row, strict=False):
        axes.annotate(
            f"layer {panel.layer}",
            (0.5, 1),
            xycoords="axes fraction",
            xytext=(0, points(above)),
            textcoords="offset points",
            ha="center",
            fontsize=points(9),
        )


def _draw(axes: Axes, panel: Panel, color: str) -> None:
    counts = panel.histogram.counts
    shares = 100 * counts / (counts.sum() + panel.histogram.below + panel.histogram.above)
    axes.stairs(shares, panel.histogram.edges, fill=True, color=color, label="measured")
    if panel.predicted is not None and panel.predicted.shares is not None:
        expected = 100 * panel.predicted.shares
        axes.stairs(expected, panel.histogram.edges, color="black", linewidth=0.8, label="theory")
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.tick_params(labelsize=points(7))
    axes.locator_params(nbins=4)
    axes.set_label(f"{panel.label}, layer {panel.layer}")  # for the table of the figure
    axes.set_title(_caption(panel), fontsize=points(7), fontweight="normal", linespacing=1.2)


def _caption(panel: Panel) -> str:
    mean, std = f"mean {_rounded(panel.mean, panel.std)}", f"std {panel.std:.3g}"
    if panel.predicted is not None:
        std += f" ({panel.predicted.std:.3g})"
    outside = f", outside {_percent(panel.histogram.clipped)}" if panel.histogram.clipped else ""
    if panel.what != "activations":
        return f"{mean}{outside}\n{std}"
    low, high = ACTIVATIONS[panel.activation].bounds
    # Units of a function with one bound, like ReLU, are off there; nothing is wrong with half of them.
    word = "off" if np.isfinite(low) and np.isinf(high) else "saturated"
    return f"{mean}\n{std}\n{word} {_percent(panel.saturated)}{outside}"


def _rounded(mean: float, std: float) -> str:
    """Three digits; 0 where the mean is nothing compared to the standard deviation."""
    return "0" if abs(mean) < 1e-3 * std else f"{mean:.3g}"


def _percent(fraction: float) -> str:
    """One digit after the point; "< 0.1 %" for a fraction that would round to 0 but is not 0."""
    return "< 0.1 %" if 0 < fraction < 0.0005 else f"{100 * fraction:.1f} %"
