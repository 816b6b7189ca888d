"""Where an outcome holds: the boundaries of conditions -> bands against a setting, or rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from initlab.plotting.elements import beside, headline
from initlab.plotting.style import Figure, Look, distinct_looks, plain, styled

_MOST_GROUPS = 6  # bands that overlap can hardly be told apart
_WIDE = 50  # from this ratio of the largest to the smallest on, an axis is logarithmic
_ROW = 0.34  # inches
_LONE = Look("#0072B2", "o", "-")  # where no colours need to tell bands apart
_MARKERS = {"above": "^", "below": "v"}


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A boundary of a condition, over seeds; or that there is none.

    Attributes:
        holds: on which side the outcome holds, "above" or "below"; or "everywhere", "nowhere", "undecided".
        middle: the median over seeds; None where there is no flip.
        low, high: the ends of its interval; likewise.
        seeds: how many seeds have it.
    """

    holds: str
    middle: float | None
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Band:
    """The boundaries of one condition.

    Attributes:
        label: the condition in a few words.
        x: the number of the condition on the horizontal axis; None where it has none.
        group: what else distinguishes the condition, in a few words.
        edges: from small to large.
    """

    label: str
    x: float | None
    group: str
    edges: tuple[Edge, ...]


@dataclass(frozen=True, kw_only=True)
class BandNames:
    """What the figure is about.

    Attributes:
        outcome: as "trained".
        over: the setting on which the boundaries lie.
        x: the setting on the horizontal axis; empty where each condition has a row.
        between: the ends of the range that was searched.
        is_log: whether its scale is logarithmic.
        seeds: of each condition.
    """

    outcome: str
    over: str
    x: str
    between: tuple[float, float]
    is_log: bool
    seeds: int


@styled
def boundary_figure(bands: Sequence[Band], names: BandNames) -> Figure:
    """Where the outcome holds: shaded, between the medians of its boundaries, which have 95 % intervals.

    Against the number of each condition, or with a row for each condition where they have no number, or more
    bands would overlap than can be told apart. A cross stands where the outcome holds at no value that was
    tried in some seed, at the lower end of the range; a circle where it holds at all of them, at the upper.

    Args:
        bands: of each condition, in the order of the sweep.
        names: what they are about.
    """
    groups = list(dict.fromkeys(band.group for band in bands))
    in_rows = len(groups) > _MOST_GROUPS or any(band.x is None for band in bands)
    figure = Figure(figsize=(7.2, min(14, 1.8 + _ROW * len(bands)) if in_rows else 4.4))
    axes = figure.add_subplot()
    headline(figure, f"Boundary in {names.over}: {names.outcome}")
    if in_rows:
        _draw_rows(axes, bands, names)
    else:
        _draw_against_x(axes, bands, names, groups)
    _explain(axes, bands, names)
    return figure


def _draw_rows(axes: Axes, bands: Sequence[Band], names: BandNames) -> None:
    rows = list(enumerate(bands))
    regions = np.array([_region(band, names) for band in bands])
    widths = regions[:, 1] - regions[:, 0]
    axes.barh(range(len(bands)), widths, left=regions[:, 0], height=0.5, color=_LONE.color, alpha=0.2)
    for holds in _MARKERS:
        points = _points(rows, holds)
        style = _style(_LONE, holds) | {"linestyle": "none"}
        axes.errorbar(points[1], points[0], xerr=points[2:], **style, label=_label("", holds, names))
    _mark_ends(axes, rows, names, _LONE, in_rows=True)
    axes.set_yticks(range(len(bands)), [plain(band.label) for band in bands])
    axes.set(ylim=(len(bands) - 0.5, -0.5), xlabel=plain(names.over), xlim=names.between)
    if names.is_log:
        axes.set_xscale("log")


def _draw_against_x(axes: Axes, bands: Sequence[Band], names: BandNames, groups: Sequence[str]) -> None:
    looks = distinct_looks(groups) if len(groups) > 1 else [_LONE]
    for group, look in zip(groups, looks, strict=True):
        own = [(band.x, band) for band in bands if band.group == group and band.x is not None]
        _draw_group(axes, sorted(own, key=lambda pair: pair[0]), names, look)
    axes.set(xlabel=plain(names.x), ylabel=plain(names.over), ylim=names.between)
    if names.is_log:
        axes.set_yscale("log")
    numbers = [band.x for band in bands if band.x is not None]
    if min(numbers) > 0 and max(numbers) >= _WIDE * min(numbers):
        axes.set_xscale("log")
    elif all(float(number).is_integer() for number in numbers):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_group(axes: Axes, own: Sequence[tuple[float, Band]], names: BandNames, look: Look) -> None:
    regions = np.array([_region(band, names) for _, band in own])
    axes.fill_between(
        [at for at, _ in own], regions[:, 0], regions[:, 1], color=look.color, alpha=0.2, linewidth=0
    )
    for holds in _MARKERS:
        points = _points(own, holds)
        label = _label(own[0][1].group, holds, names) if points.size else "_"
        axes.errorbar(points[0], points[1], yerr=points[2:], **_style(look, holds), label=label)
    _mark_ends(axes, own, names, look, in_rows=False)


def _label(group: str, holds: str, names: BandNames) -> str:
    return plain(", ".join(filter(None, (group, f"{holds}: {names.outcome}"))))


def _style(look: Look, holds: str) -> dict[str, Any]:
    return {
        "color": look.color,
        "marker": _MARKERS[holds],
        "linestyle": {"above": "-", "below": "--"}[holds],
        "capsize": 2,
        "elinewidth": 0.8,
    }


def _points(own: Sequence[tuple[float, Band]], holds: str) -> np.ndarray:
    """The places, medians and distances to both ends of the intervals, (4, points)."""
    rows = [
        (at, edge.middle, max(0.0, edge.middle - edge.low), max(0.0, edge.high - edge.middle))
        for at, band in own
        for edge in band.edges
        if edge.holds == holds and edge.middle is not None and edge.low is not None and edge.high is not None
    ]
    return np.array(rows, float).reshape(-1, 4).T


def _region(band: Band, names: BandNames) -> tuple[float, float]:
    """From where to where the outcome holds in most seeds; nan where that is not one interval."""
    most = max((edge.seeds for edge in band.edges), default=0)
    edges = [edge for edge in band.edges if edge.seeds == most]
    places = {edge.holds: edge.middle for edge in edges}
    if len(places) < len(edges) or not {"above", "below", "everywhere"} & set(places):
        return math.nan, math.nan
    low, high = (places.get(side) for side in ("above", "below"))
    low, high = (
        end if place is None else place for place, end in zip((low, high), names.between, strict=True)
    )
    return (low, high) if low < high else (math.nan, math.nan)


def _mark_ends(
    axes: Axes, own: Sequence[tuple[float, Band]], names: BandNames, look: Look, in_rows: bool
) -> None:
    """A mark at the end of the range for each condition in which the outcome does not flip in some seed."""
    for holds, marker, end in (("nowhere", "x", names.between[0]), ("everywhere", "o", names.between[1])):
        places = [at for at, band in own if any(edge.holds == holds for edge in band.edges)]
        ends = [end] * len(places)
        axes.plot(
            *((ends, places) if in_rows else (places, ends)),
            color=look.color,
            linestyle="none",
            marker=marker,
            markerfacecolor="none",
            clip_on=False,
            zorder=5,
        )


def _explain(axes: Axes, bands: Sequence[Band], names: BandNames) -> None:
    """The legend, with what the marks mean."""
    outcomes = {edge.holds for band in bands for edge in band.edges}
    notes = ["one seed" if names.seeds == 1 else f"median of {names.seeds} seeds"]
    notes += ["bars: the resolution" if names.seeds == 1 else "bars: 95 % interval"]
    notes += [f"shaded: {names.outcome}"]
    notes += ["cross: at no value tried, in some seed"] * ("nowhere" in outcomes)
    notes += ["circle: at all values tried, in some seed"] * ("everywhere" in outcomes)
    beside(axes, title=plain("\n".join(notes)))
