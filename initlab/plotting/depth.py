"""Signal and gradient against depth: profiles -> a row for each activation, predicted and measured."""

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from initlab.errors import UsageError
from initlab.measure.depth import Profile
from initlab.nn.architecture import Skip
from initlab.nn.arrays import FloatArray
from initlab.nn.normalization import Norm
from initlab.own_code import shown
from initlab.plotting.elements import beside, headline
from initlab.plotting.style import Figure, Look, distinct_looks, plain, points, styled
from initlab.plotting.text import wrapped

# More error bars than this touch each other.
_MOST_POINTS = 20
_FEW_LAYERS = 6  # of which matplotlib would number the halves
_HIDDEN = 0.01  # of the height of a panel
_LEAST_RANGE = 4.0  # of a panel; less would make mountains of noise
_PANEL_WIDTH = 2.8  # inches
_ROW_HEIGHT = 2.7
_WIDTH = 9
_BESIDE_ROW = 0.7  # of its height, which the name of an axis leaves free
# What a logarithmic axis cannot hold stands at its edge: the words for each marker.
_ZERO, _OVERFLOW, _UNDEFINED = "v", "^", "x"
_WORDS = {_ZERO: "exactly 0", _OVERFLOW: "overflow", _UNDEFINED: "undefined: 0/0 or overflow"}


@styled
def depth_figure(profiles: Sequence[Profile], title: str | None = None) -> Figure:
    """The standard deviation of activations and of back-propagated gradients, layer by layer.

    Lines are mean-field theory; points are the mean over seeds, with bars from the smallest to the largest.
    Layers where a seed has 0, or a number that overflows, have a mark at the edge. Schemes whose points
    hide each other are named above the row.

    Args:
        profiles: from `measure.depth.depth_profiles`.
        title: the finding; by default, what is drawn; an empty one leaves it out.
    """
    if not profiles:
        raise UsageError("there is no profile to draw; depth_figure takes what `depth_profiles` returns")
    rows = [list(row) for _, row in groupby(profiles, key=lambda profile: profile.activation)]
    figure = Figure(figsize=(_WIDTH, 0.9 + _ROW_HEIGHT * len(rows)))
    headline(figure, _title(profiles) if title is None else title)
    panels = figure.subplots(len(rows), 2, squeeze=False)
    for (left, right), row in zip(panels, rows, strict=True):
        _draw_row(left, right, row)
    beside(figure.axes[0], more=_edge_marks(figure.axes))
    return figure


def title_of(depth: int, width: int, norm: Norm | None, skip: Skip | None) -> str:
    """The title of profiles through networks of one kind.

    Args:
        depth, width: the number of hidden layers, and of the units of each.
        norm, skip: of the networks.

    >>> title_of(20, 100, None, Skip(2))
    'Through 20 untrained layers of 100, skip(every=2): lines predicted, points measured'
    """
    kind = "" if norm is None else f", {type(norm).__name__} {norm.place} the activation"
    kind += "" if skip is None else f", skip({skip})"
    return f"Through {depth} untrained layers of {width}{kind}: lines predicted, points measured"


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
        _mark_edges(left, profile.activation_std, style, if_nan=_OVERFLOW)
        _mark_edges(right, profile.gradient_std, style, if_nan=_UNDEFINED)
    _name_rows(left, right, shown(row[0].activation))
    for axes, measured in ((left, "activation_std"), (right, "gradient_std")):
        if not any(_drawable(getattr(profile, measured)).any() for profile in row):
            axes.set_ylim(0.1, 10)  # matplotlib finds no limits
        axes.set(yscale="log", xlabel="layer")
        _widen(axes)
        if row[0].activation_std.shape[1] < _FEW_LAYERS:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if equal := _coinciding(row):
        figure = left.get_figure(root=True)
        room = _PANEL_WIDTH * min(1.0, figure.get_figwidth() / _WIDTH if figure else 1.0)
        words = wrapped(f"points that hide each other: {'; '.join(equal)}", room, points(8))
        left.set_title(plain(words), fontsize=points(8), fontweight="normal")


def _name_rows(left: Axes, right: Axes, activation: str) -> None:
    """Names of the vertical axes that are no longer than the axes, also in a figure that was made small."""
    grid, figure = left.get_gridspec(), left.get_figure(root=True)
    assert grid is not None
    assert figure is not None
    room = min(_ROW_HEIGHT, figure.get_figheight() / grid.nrows) - _BESIDE_ROW
    left.set_ylabel(plain(f"{wrapped(activation, room, points(9), most=2)}\nstd of activations"))
    relative = wrapped("relative to the last layer's", room, points(9))
    right.set_ylabel(f"std of gradients\n{relative}")


def _coinciding(row: Sequence[Profile]) -> list[str]:
    """The schemes whose points hide each other, as "lecun = xavier"."""
    activations = _heights([profile.activation_std for profile in row])
    gradients = _heights([profile.gradient_std for profile in row])
    groups: list[tuple[FloatArray, list[str]]] = []
    for profile, *both in zip(row, activations, gradients, strict=True):
        place = np.concatenate(both)
        names = next((names for first, names in groups if _hides(first, place)), None)
        if names is None:
            groups.append((place, [profile.label]))
        else:
            names.append(profile.label)
    return [" = ".join(names) for _, names in groups if len(names) > 1]


def _heights(measured: Sequence[FloatArray]) -> list[FloatArray]:
    """Where the points of each scheme stand in a panel, from 0 to 1; nan where there is none."""
    logs = [np.log10(np.where(_drawable(values), values, np.nan)).mean(axis=0) for values in measured]
    finite = np.concatenate(logs)[np.isfinite(np.concatenate(logs))]
    span = max(float(np.ptp(finite)) if len(finite) else 0.0, math.log10(_LEAST_RANGE))
    return [log / span for log in logs]


def _hides(a: FloatArray, b: FloatArray) -> bool:
    """Whether all points lie closer together than half a marker."""
    return bool(np.allclose(a, b, rtol=0, atol=_HIDDEN, equal_nan=True))


def _draw(axes: Axes, measured: FloatArray, predicted: Sequence[float], style: Look, label: str) -> None:
    layers = np.arange(1, measured.shape[1] + 1)
    line = np.array(predicted)
    if _drawable(line).any():
        drawn_line = np.where(_drawable(line), line, np.nan)
        axes.plot(layers, drawn_line, color=style.color, linestyle=style.dash, linewidth=1)
    drawn = np.unique(np.linspace(0, len(layers) - 1, _MOST_POINTS).round().astype(int))
    values = np.where(_drawable(measured[:, drawn]), measured[:, drawn], np.nan)
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


def _widen(axes: Axes) -> None:
    """Let an axis of nearly equal values show at least a factor of four."""
    low, high = axes.get_ylim()
    missing = math.log10(_LEAST_RANGE) - (math.log10(high) - math.log10(low))
    if missing > 0:
        axes.set_ylim(low * 10 ** (-missing / 2), high * 10 ** (missing / 2))


def _mark_edges(axes: Axes, measured: FloatArray, style: Look, if_nan: str) -> None:
    """Where a seed has a number that a logarithmic axis cannot hold: zeros below, the others above.

    Args:
        axes: to draw on.
        measured: (seeds, layers).
        style: of the scheme.
        if_nan: the marker for what is not a number.
    """
    masks = {_ZERO: measured == 0, _OVERFLOW: np.isinf(measured)}
    masks[if_nan] = masks.get(if_nan, False) | np.isnan(measured)
    for marker, mask in masks.items():
        layers = 1 + np.flatnonzero(mask.any(axis=0))
        # Each scheme a little farther from the edge, lest one hides another.
        offset = 0.04 * [line.get_label() for line in axes.lines].count(f"_{marker}")
        heights = np.full(len(layers), offset if marker == _ZERO else 1 - offset)
        if len(layers):
            (line,) = axes.plot(layers, heights, marker, color=style.color, markersize=4, clip_on=False)
            line.set(transform=axes.get_xaxis_transform(), label=f"_{marker}")


def _edge_marks(panels: Sequence[Axes]) -> list[Line2D]:
    """An entry of the legend for each marker that stands at an edge."""
    labels = {line.get_label() for axes in panels for line in axes.lines}
    return [
        Line2D([], [], color="#555555", linestyle="none", marker=marker, markersize=4, label=words)
        for marker, words in _WORDS.items()
        if f"_{marker}" in labels
    ]


def _drawable(values: FloatArray) -> npt.NDArray[np.bool_]:
    """A logarithmic axis holds neither zeros nor infinities."""
    return (values > 0) & np.isfinite(values)
