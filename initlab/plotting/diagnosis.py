"""A diagnosis as a picture: numbers of each layer -> signal, gradient, difference, and their limits."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from initlab.diagnosis.limits import FACTOR_LIMIT, FACTORS, Numbers, symptoms_of
from initlab.diagnosis.verdict import Diagnosis
from initlab.own_code import shown
from initlab.plotting.elements import headline
from initlab.plotting.style import Figure, plain, points, styled

_RELATIVE_TO = {"signal": "the first layer's", "gradient": "the last layer's", "difference": "the inputs'"}
_MOST_NAMES = 24  # more names below one axis overlap
_LONGEST_NAME = 22
_LINE = 0.25  # inches, of the title
_FARTHEST = 1e45  # of what is drawn; numbers beyond stand at the edge, as do 0 and infinity
_WELL, _ILL = "#0072B2", "#D55E00"


def network_figure(diagnosis: Diagnosis) -> Figure:
    """The layers of one of our own networks that are judged; see `diagnosis_figure`."""
    judged = diagnosis.judged
    title = f"{diagnosis.start}, {shown(diagnosis.activation)}, {diagnosis.optimizer}: {diagnosis.verdict}"
    predicted = {
        factor: [values[layer.layer - 1] for layer in judged]
        for factor, values in diagnosis.predicted.items()
    }
    return diagnosis_figure(
        [layer.numbers for layer in judged], [str(layer.layer) for layer in judged], title, predicted
    )


@styled
def diagnosis_figure(
    layers: Sequence[Numbers],
    names: Sequence[str],
    title: str,
    predicted: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """Three factors of every layer, one above the other, in the band of healthy values or beyond it.

    Args:
        layers: the `LAYER_NUMBERS` of each layer.
        names: of the layers; where there are many, some are left out.
        title: the verdict.
        predicted: for some of the factors what theory says, drawn as a line; nan where it is silent.
    """
    figure = Figure(figsize=(max(5.0, min(10.0, 2.5 + 0.3 * len(layers))), 6.0))
    headline(figure, title)
    figure.grow(0, 6.0 + _LINE * figure.get_suptitle().count("\n"))
    panels = figure.subplots(len(FACTORS), 1, sharex=True)
    for axes, factor in zip(panels, FACTORS, strict=True):
        _draw(axes, factor, layers, (predicted or {}).get(factor, ()))
    _name_layers(panels[-1], names)
    return figure


def _draw(axes: Axes, factor: str, layers: Sequence[Numbers], predicted: Sequence[float]) -> None:
    places = np.arange(len(layers))
    values = np.array([layer[factor] for layer in layers])
    drawn = np.clip(np.nan_to_num(values, nan=np.nan, posinf=_FARTHEST), 1 / _FARTHEST, _FARTHEST)
    is_ill = [any(symptom.number == factor for symptom in symptoms_of(layer)) for layer in layers]
    if any(math.isfinite(value) for value in predicted):
        axes.plot(places, predicted, color="#000000", linewidth=1, label="predicted")
    for ill, color, marker, label in ((False, _WELL, "o", "measured"), (True, _ILL, "X", "beyond the limit")):
        chosen = np.array(is_ill) == ill
        if chosen.any():
            axes.plot(places[chosen], drawn[chosen], marker, color=color, markersize=5, label=label)
    axes.axhspan(1 / FACTOR_LIMIT, FACTOR_LIMIT, color="#009E73", alpha=0.12, linewidth=0)
    axes.set(yscale="log", ylabel=f"{factor},\nrelative to\n{_RELATIVE_TO[factor]}")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.5 / FACTOR_LIMIT), max(high, 2 * FACTOR_LIMIT))
    if axes.get_subplotspec().is_first_row():  # type: ignore[union-attr]
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.1)


def _name_layers(axes: Axes, names: Sequence[str]) -> None:
    every = math.ceil(len(names) / _MOST_NAMES)
    shown = range(0, len(names), every)
    axes.set_xticks(
        list(shown), [_short(names[i]) for i in shown], rotation=60, ha="right", fontsize=points(8)
    )


def _short(name: str) -> str:
    """With the end of a long name, which tells modules apart."""
    return plain(name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}")
