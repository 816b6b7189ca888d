"""Summary: the numbers of all layers -> a row for each question, with the layer that answers it worst."""

import math
from collections.abc import Sequence

from initlab.diagnosis.limits import FACTORS, SYMPTOMS, Numbers

_QUESTIONS = {
    "gradient": ("gradients reach all layers", "{value} of that in {last}"),
    "signal": ("signals keep their size", "{value} of that in {first}"),
    "difference": ("inputs stay different", "{value} of their difference in the data"),
    "distinct": ("units differ", "{value} of the units"),
    "dead": ("units are alive", "{value} of the units are dead"),
    "saturated": ("slopes are not saturated", "{value} of the slopes are; decides nothing"),
}


def summary_rows(layers: Sequence[Numbers], names: Sequence[str] | None = None) -> list[list[str]]:
    """For each question the answer, "yes", "no" or "?", and the number of the layer where it is worst.

    Args:
        layers: the `LAYER_NUMBERS` of each hidden layer.
        names: of the layers; "layer 1" and so on by default.

    >>> healthy = {"signal": 1, "gradient": 1, "difference": 1, "distinct": 1, "dead": 0, "saturated": 0}
    >>> rows = summary_rows([healthy | {"gradient": 1e-38}, healthy])
    >>> rows[0], rows[1][0]
    (['no', 'gradients reach all layers', 'layer 1: 1e-38 of that in layer 2'], 'yes')
    """
    names = names or [f"layer {number}" for number in range(1, len(layers) + 1)]
    rows = []
    for name, (question, text) in _QUESTIONS.items():
        worst = max(range(len(layers)), key=lambda i: _badness(name, layers[i][name]))
        is_ill = any(symptom.holds(layers[worst]) for symptom in SYMPTOMS if symptom.number == name)
        if math.isnan(layers[worst][name]):
            rows.append(["?", question, "no layer has any"])
            continue
        value = f"{layers[worst][name]:.2g}"
        place = f"{names[worst]}: {text.format(value=value, first=names[0], last=names[-1])}"
        rows.append(["no" if is_ill else "yes", question, place])
    return rows


def _badness(name: str, value: float) -> float:
    """Larger where the number is farther from that of a perfect layer; nan is no evidence."""
    if math.isnan(value):
        return -1.0
    if name in FACTORS:
        return abs(math.log(value)) if 0 < value < math.inf else math.inf
    return -value if name == "distinct" else value
