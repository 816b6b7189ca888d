"""Does a learning rate that suits a narrow model suit a wide one? widths -> how layers change in a few steps.

    build(width) -> outputs of the layers before training -> a few steps -> outputs on the same batch
    -> size of the change against width -> an exponent for each layer, with its interval

Yang et al. 2021, Tensor Programs V: tuning large neural networks via zero-shot hyperparameter transfer,
appendix D.1, calls this a coordinate check. Where a rate may be kept, changes have one size at all widths.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from initlab.errors import UsageError, require
from initlab.frameworks.torch_trace import Loss, call, default_loss, parts_of, random_states_kept, tensors_in
from initlab.plotting.style import Figure, distinct_looks, styled

Build = Callable[[int], nn.Module]
MakeOptimizer = Callable[[nn.Module], torch.optim.Optimizer]
# An exponent of 0.25 changes sizes twofold over a factor of 16 in width.
_LEVEL = 0.25


@dataclass(frozen=True, kw_only=True)
class LayerGrowth:
    """How the change of a layer's outputs depends on the width.

    Attributes:
        layer: the module's path.
        changes: the root mean square of the change, (widths, seeds).
        exponent: a of `change ~ width^a`, by least squares of the logarithms.
        margin: half of its 95 % interval.
    """

    layer: str
    changes: np.ndarray[Any, np.dtype[np.float64]]
    exponent: float
    margin: float

    @property
    def words(self) -> str:
        """What the exponent means, if it is certain."""
        if self.exponent - self.margin > _LEVEL:
            return "grows with width"
        if self.exponent + self.margin < -_LEVEL:
            return "shrinks with width"
        return "keeps its size" if abs(self.exponent) + self.margin < 2 * _LEVEL else "undecided"


@dataclass(frozen=True, kw_only=True)
class WidthCheck:
    """The answer of `width_check`.

    Attributes:
        widths: at which models were built.
        steps: of training before the second look.
        seeds: how many models of each width.
        layers: in the order of the model; the last gives its output.
    """

    widths: tuple[int, ...]
    steps: int
    seeds: int
    layers: list[LayerGrowth]

    def __repr__(self) -> str:
        width = max(len(layer.layer) for layer in self.layers)
        rows = [
            f"{layer.layer:{width}}  {layer.exponent:5.2f} +- {layer.margin:.2f}  {layer.words}"
            for layer in self.layers
        ]
        return "\n".join([self.sentence(), *rows])

    def sentence(self) -> str:
        """What follows for the learning rate."""
        narrow, wide = self.widths[0], self.widths[-1]
        growing = [layer for layer in self.layers if layer.words == "grows with width"]
        shrinking = [layer for layer in self.layers if layer.words == "shrinks with width"]
        if growing:
            worst = max(growing, key=lambda layer: layer.exponent)
            factor = (wide / narrow) ** worst.exponent
            return (
                f"A rate tuned at width {narrow} is too large at {wide}: in {self.steps} steps the outputs "
                f"of {worst.layer} change {factor:.2g} times as much"
            )
        if shrinking:
            names = ", ".join(layer.layer for layer in shrinking)
            return f"A rate tuned at width {narrow} is too small at {wide} for {names}"
        if any(layer.words == "undecided" for layer in self.layers):
            return "Some layers are undecided: take more seeds, or widths farther apart"
        return f"A rate tuned at width {narrow} suits {wide}: all changes keep their size"

    @styled
    def figure(self) -> Figure:
        """The changes against the width, a line for each layer."""
        figure = Figure(figsize=(7.5, 4.2))
        axes = figure.subplots()
        looks = distinct_looks([layer.layer for layer in self.layers])
        for layer, look in zip(self.layers, looks, strict=True):
            middle = np.exp(np.log(layer.changes).mean(axis=1))
            label = f"{layer.layer}: {layer.exponent:.2f}"
            axes.plot(
                self.widths, middle, color=look.color, marker=look.marker, linestyle=look.dash, label=label
            )
        axes.set(
            xscale="log", yscale="log", xlabel="width", ylabel=f"change of outputs in {self.steps} steps"
        )
        axes.set_xticks(self.widths, map(str, self.widths))
        axes.minorticks_off()
        axes.legend(title="exponent", loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def width_check(
    build: Build,
    batch: Any,
    *,
    widths: Sequence[int] = (64, 128, 256, 512, 1024),
    steps: int = 4,
    seeds: int = 3,
    optimizer: MakeOptimizer | None = None,
    loss: Loss | None = None,
) -> WidthCheck:
    """Measure how the change of each layer's outputs depends on the width of a model.

    Args:
        build: `build(width)` gives a model; all widths must have the same layers.
        batch: as for `diagnose`; training and both looks are on this batch.
        widths: at least three, rising.
        steps: of training between the two looks.
        seeds: models of each width.
        optimizer: `optimizer(model)` gives the optimizer; by default SGD at the rate 0.1.
        loss: as for `diagnose`.

    Raises:
        UsageError: for too few widths, or models whose layers differ.

    >>> def build(width):
    ...     return nn.Sequential(nn.Linear(20, width), nn.ReLU(), nn.Linear(width, 3))
    >>> batch = torch.randn(30, 20), torch.randint(3, (30,))
    >>> len(width_check(build, batch, widths=(16, 32, 64), seeds=2).layers)
    2
    """
    rising = len(widths) >= 3 and all(a < b for a, b in pairwise(widths))
    require(rising, f"widths must be three or more that rise, not {list(widths)}")
    require(steps >= 1, f"steps must be 1 or more, not {steps}")
    require(seeds >= 2, f"seeds must be 2 or more, not {seeds}")
    make = optimizer or (lambda model: torch.optim.SGD(model.parameters(), lr=0.1))
    by_width = [
        [_changes(build, width, seed, batch, steps, make, loss) for seed in range(seeds)] for width in widths
    ]
    names = list(by_width[0][0])
    if any(list(changes) != names for row in by_width for changes in row):
        raise UsageError("models of different widths have different layers")
    layers = [
        _growth(name, widths, np.array([[changes[name] for changes in row] for row in by_width]))
        for name in names
    ]
    return WidthCheck(widths=tuple(widths), steps=steps, seeds=seeds, layers=layers)


def _changes(
    build: Build, width: int, seed: int, batch: Any, steps: int, make: MakeOptimizer, loss: Loss | None
) -> dict[str, float]:
    """The root mean square of the change of each layer's outputs."""
    with random_states_kept(), torch.enable_grad():
        torch.manual_seed(seed)
        model = build(width).train()
        before = _outputs(model, batch)
        inputs, targets = parts_of(batch)
        optimizer = make(model)
        for _ in range(steps):
            optimizer.zero_grad()
            (loss or default_loss)(call(model, inputs), targets).backward()
            optimizer.step()
        after = _outputs(model, batch)
    return {name: float((after[name] - before[name]).double().square().mean().sqrt()) for name in before}


def _outputs(model: nn.Module, batch: Any) -> dict[str, Tensor]:
    """Of every module without children that has parameters, the last output."""
    outputs: dict[str, Tensor] = {}

    def note(_module: nn.Module, _inputs: Any, result: Any, *, name: str) -> None:
        outputs[name] = next(tensors_in(result)).clone()

    handles = [
        module.register_forward_hook(partial(note, name=_name(path, module)))
        for path, module in model.named_modules()
        if not any(module.children()) and any(True for _ in module.parameters())
    ]
    try:
        with torch.no_grad():
            call(model, parts_of(batch)[0])
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def _name(path: str, module: nn.Module) -> str:
    """The path; with the module's class where the path alone says nothing, as "Linear 4"."""
    return path if any(letter.isalpha() for letter in path) else f"{type(module).__name__} {path}".strip()


def _growth(name: str, widths: Sequence[int], changes: np.ndarray[Any, np.dtype[np.float64]]) -> LayerGrowth:
    from scipy import stats

    with np.errstate(divide="ignore"):
        y = np.log(changes).ravel()
    x = np.log(np.repeat(widths, changes.shape[1]))
    if not np.isfinite(y).all():
        return LayerGrowth(layer=name, changes=changes, exponent=math.nan, margin=math.inf)
    line = stats.linregress(x, y)
    margin = float(stats.t.ppf(0.975, len(x) - 2) * line.stderr)
    return LayerGrowth(layer=name, changes=changes, exponent=float(line.slope), margin=margin)
