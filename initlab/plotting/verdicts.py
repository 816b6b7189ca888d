"""Verdicts before training against its outcome: a map of schemes and depths for each activation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from initlab.init.scheme import Scheme
from initlab.plotting.elements import headline
from initlab.plotting.style import Figure, plain, styled

_MARKS = {"trains": "", "in doubt": "~", "does not train": "\u00d7"}
_NOTE = "diagnosed before:  \u00d7 does not train    ~ in doubt    no mark: trains    framed: was wrong"
# Below this accuracy the colour map is so dark that only white marks can be read.
_DARK = 0.6


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on a network before training, and the accuracy that it then reached.

    Attributes:
        scheme, activation, depth: of the network.
        verdict: "trains", "in doubt" or "does not train".
        words: its symptoms.
        accuracy: on the test images.
    """

    scheme: Scheme
    activation: str
    depth: int
    verdict: str
    words: str
    accuracy: float

    def is_wrong(self, success: float) -> bool:
        """Whether the network trained although it should not, or the other way round.

        Args:
            success: the accuracy above which a network counts as trained.
        """
        return (self.accuracy > success) == (self.verdict == "does not train")


@styled
def verdict_figure(verdicts: Sequence[Verdict], success: float, title: str) -> Figure:
    """For each activation a map of schemes and depths: the shade is the accuracy, the mark the verdict.

    Args:
        verdicts: of every combination of the schemes, activations and depths that occur.
        success: the accuracy above which a network counts as trained; wrong verdicts are framed.
        title: the finding.
    """
    activations = list(dict.fromkeys(verdict.activation for verdict in verdicts))
    figure = Figure(figsize=(2.1 + 2.1 * len(activations), 4.6))
    headline(figure, title)
    row = figure.subplots(1, len(activations), sharey=True, squeeze=False)[0]
    for axes, activation in zip(row, activations, strict=True):
        shown = [verdict for verdict in verdicts if verdict.activation == activation]
        image = _draw(axes, shown, success)
        axes.set(title=activation, xlabel="hidden layers")
    bar = figure.colorbar(image, ax=row, label="test accuracy after training", shrink=0.8)
    bar.ax.axhline(success, color="black", linewidth=1)
    figure.supxlabel(_NOTE, x=0.01, ha="left", fontsize=9)
    return figure


def _draw(axes: Axes, verdicts: Sequence[Verdict], success: float) -> AxesImage:
    schemes = list(dict.fromkeys(verdict.scheme for verdict in verdicts))
    depths = sorted({verdict.depth for verdict in verdicts})
    accuracies = np.full((len(schemes), len(depths)), np.nan)
    for verdict in verdicts:
        y, x = schemes.index(verdict.scheme), depths.index(verdict.depth)
        accuracies[y, x] = verdict.accuracy
        _mark(axes, x, y, verdict, wrong=verdict.is_wrong(success))
    axes.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    axes.set_yticks(range(len(schemes)), [plain(scheme.short) for scheme in schemes])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return axes.imshow(accuracies, cmap="cividis", vmin=0, vmax=1, aspect="auto")


def _mark(axes: Axes, x: int, y: int, verdict: Verdict, *, wrong: bool) -> None:
    color = "white" if verdict.accuracy < _DARK else "black"
    axes.text(x, y, _MARKS[verdict.verdict], color=color, ha="center", va="center", fontsize=12)
    if wrong:
        frame = Rectangle((x - 0.45, y - 0.45), 0.9, 0.9, fill=False, edgecolor="#D55E00", linewidth=2)
        axes.add_patch(frame)
