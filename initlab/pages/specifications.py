"""Specifications of Vega-Lite for the charts of a page, without data: looks -> channels, layers and axes."""

from collections.abc import Mapping, Sequence
from typing import Any

from initlab.plotting.style import Look

MOST_BANDS = 12  # more bands would cover each other
# Matplotlib's markers as paths from -1 to 1, for Vega and for the legend of the page.
SYMBOLS = {
    "o": "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0Z",
    "s": "M-.9,-.9L.9,-.9L.9,.9L-.9,.9Z",
    "D": "M0,-1.2L1.2,0L0,1.2L-1.2,0Z",
    "^": "M0,-1.1L1.2,.9L-1.2,.9Z",
    "v": "M0,1.1L1.2,-.9L-1.2,-.9Z",
    "<": "M-1.1,0L.9,-1.2L.9,1.2Z",
    ">": "M1.1,0L-.9,-1.2L-.9,1.2Z",
    "P": "M-.4,-1.1L.4,-1.1L.4,-.4L1.1,-.4L1.1,.4L.4,.4L.4,1.1L-.4,1.1L-.4,.4L-1.1,.4L-1.1,-.4L-.4,-.4Z",
    "X": "M-.9,-.5L-.5,-.9L0,-.4L.5,-.9L.9,-.5L.4,0L.9,.5L.5,.9L0,.4L-.5,.9L-.9,.5L-.4,0Z",
    "*": "M0,-1L.25,-.3L1,-.3L.4,.12L.6,.9L0,.4L-.6,.9L-.4,.12L-1,-.3L-.25,-.3Z",
    "p": "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z",
    "h": "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z",
    "d": "M0,-1L.6,0L0,1L-.6,0Z",
}
DASHES = {"-": [1, 0], "--": [6, 3], "-.": [6, 3, 1.5, 3], ":": [1.5, 2.5]}
Spec = dict[str, Any]


def _channels(looks: Sequence[Look]) -> dict[str, Spec]:
    """The channels that tell conditions apart: colour, dash and shape, by their places."""
    ranges = {
        "color": [look.color for look in looks],
        "strokeDash": [DASHES[look.dash] for look in looks],
        "shape": [SYMBOLS.get(look.marker, SYMBOLS["o"]) for look in looks],
    }
    places = list(range(len(looks)))
    return {
        channel: {
            "field": "c",
            "type": "nominal",
            "legend": None,
            "scale": {"domain": places, "range": values},
        }
        for channel, values in ranges.items()
    }


def curves_spec(looks: Sequence[Look]) -> Spec:
    """Bands, lines, a few markers, marks of divergence, and the reader's cursor, one over the other."""
    scales = _channels(looks)
    scale, axis = {"nice": False}, {"tickMinStep": 1}
    x = {"field": "step", "type": "quantitative", "title": "training step", "scale": scale, "axis": axis}
    y = {"field": "mean", "type": "quantitative", "title": "", "scale": {"zero": False}}
    band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": scales["color"]}
    line = {"x": x, "y": y, "color": scales["color"], "strokeDash": scales["strokeDash"]}
    point = {"x": x, "y": y, "color": scales["color"], "shape": scales["shape"]}
    mark = {"x": x, "y": {"value": 6}, "color": scales["color"]}
    layers: list[Spec] = [
        {"mark": {"type": "area", "opacity": 0.18, "clip": True}, "encoding": band},
        {"mark": {"type": "line", "strokeWidth": 1.8, "clip": True}, "encoding": line},
        {
            "transform": [{"filter": "datum.marked"}],
            "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1, "clip": True},
            "encoding": point,
        },
    ]
    if len(looks) > MOST_BANDS:
        layers = layers[1:2]
    layers[-1]["params"] = [{"name": "zoom", "select": _ZOOM, "bind": "scales"}]
    shown = [{"filter": "indexof(hidden, datum.c) < 0"}]
    cross = {"type": "point", "shape": SYMBOLS["X"], "filled": True, "size": 60, "opacity": 1, "clip": True}
    return {
        "width": 640,
        "height": 340,
        "params": [{"name": "hidden", "value": []}],
        "layer": [
            {"data": {"name": "curves"}, "transform": shown, "layer": layers},
            {"data": {"name": "marks"}, "transform": shown, "mark": cross, "encoding": mark},
            {
                "data": {"name": "cursor"},
                "mark": {"type": "point", "size": 120, "strokeWidth": 2, "opacity": 1, "clip": True},
                "encoding": {"x": x, "y": y, "color": scales["color"]},
            },
        ],
    }


# Without a key the wheel scrolls the page.
_ZOOM = {"type": "interval", "zoom": "wheel![event.ctrlKey]"}


def intervals_spec(looks: Sequence[Look], labels: Sequence[str]) -> Spec:
    scales = _channels(looks)
    y = {
        "field": "c",
        "type": "ordinal",
        "title": None,
        "axis": {"labelExpr": "labels[datum.value]", "labelLimit": 150, "grid": True},
    }
    axis = {"labelOverlap": "greedy", "tickCount": 8}
    x = {"type": "quantitative", "axis": axis, "scale": {"zero": False, "nice": True}}
    tooltip = [
        {"field": "label", "title": "condition"},
        *({"field": name, "format": ".4f"} for name in ("mean", "low", "high")),
    ]
    line = {"x": {**x, "field": "low", "title": "test accuracy"}, "x2": {"field": "high"}, "y": y}
    point = {"x": {**x, "field": "mean"}, "y": y, "color": scales["color"], "shape": scales["shape"]}
    return {
        "width": 640,
        "height": 26 * len(labels) + 40,
        "params": [{"name": "labels", "value": list(labels)}],
        "data": {"name": "rows"},
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.mean)"}],
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {**line, "color": scales["color"], "tooltip": tooltip},
            },
            {
                "transform": [{"filter": "isValid(datum.mean)"}],
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
                "encoding": {**point, "tooltip": tooltip},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "dy": -8, "fontSize": 10},
                "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "note"}},
            },
        ],
    }


def replaced(tree: Any, name: str, value: Any) -> Any:
    """A copy of the tree in which each key of a name has another value."""
    if isinstance(tree, Mapping):
        return {key: value if key == name else replaced(item, name, value) for key, item in tree.items()}
    return [replaced(item, name, value) for item in tree] if isinstance(tree, list) else tree
