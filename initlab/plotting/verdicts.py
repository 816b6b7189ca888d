"""Verdicts before training against its outcome: a map of schemes and depths for each activation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from initlab.nn.initializers import Scheme
from initlab.plotting.marks import headline
from initlab.plotting.style import plain, styled

_MARKS = {"trains": "", "trains slowly": "~", "does not train": "\u00d7"}
_DARK = 0.6


@dataclass(frozen=True)
class Verdict:
    """What was said of a network before training, and the accuracy that it then reached.

    Attributes:
        scheme, activation, depth: which.
        verdict: "trains", "trains slowly" or "does not train".
        words: what ails it.
        accuracy: on the test images.
    """

    scheme: Scheme
    activation: str
    depth: int
    verdict: str
    words: str
    accuracy: float


@styled
def verdict_figure(verdicts: Sequence[Verdict], success: float, title: str) -> Figure:
    """For each activation a map of schemes and depths: the shade is the accuracy, the mark the verdict.

    Args:
        verdicts: of every combination of the schemes, activations and depths that occur.
        success: the accuracy above which a network counts as trained; verdicts that it belies are framed.
        title: what is seen.
    """
    activations = list(dict.fromkeys(one.activation for one in verdicts))
    figure = Figure(figsize=(2.1 + 2.1 * len(activations), 4.6))
    headline(figure, title)
    row = figure.subplots(1, len(activations), sharey=True, squeeze=False)[0]
    for axes, activation in zip(row, activations, strict=True):
        shown = [one for one in verdicts if one.activation == activation]
        image = _draw(axes, shown, success)
        axes.set(title=activation, xlabel="hidden layers")
    bar = figure.colorbar(image, ax=row, label="test accuracy after training", shrink=0.8)
    bar.ax.axhline(success, color="black", linewidth=1)
    note = "said before:  \u00d7 does not train    ~ trains slowly    no mark: trains    framed: was wrong"
    figure.supxlabel(note, x=0.01, ha="left", fontsize=9)
    return figure


def _draw(axes: Axes, verdicts: Sequence[Verdict], success: float) -> AxesImage:
    schemes = list(dict.fromkeys(one.scheme for one in verdicts))
    depths = sorted({one.depth for one in verdicts})
    accuracies = np.full((len(schemes), len(depths)), np.nan)
    for one in verdicts:
        y, x = schemes.index(one.scheme), depths.index(one.depth)
        accuracies[y, x] = one.accuracy
        color = "white" if one.accuracy < _DARK else "black"
        axes.text(x, y, _MARKS[one.verdict], color=color, ha="center", va="center", fontsize=12)
        if (one.accuracy > success) == (one.verdict == "does not train"):
            frame = Rectangle((x - 0.45, y - 0.45), 0.9, 0.9, fill=False, edgecolor="#D55E00", linewidth=2)
            axes.add_patch(frame)
    axes.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    axes.set_yticks(range(len(schemes)), [plain(scheme.short) for scheme in schemes])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return axes.imshow(accuracies, cmap="cividis", vmin=0, vmax=1, aspect="auto")
