"""Saved networks as histograms: results, which of them -> Panels, and what could not be shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from initlab.errors import UsageError, alternatives, require, unknown_name
from initlab.init.per_layer import Initialization
from initlab.measure.histograms import Panel, network_panels
from initlab.measure.quantities import Edges
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.arrays import FloatArray, IntArray
from initlab.runner.grid import Run
from initlab.runner.results import Results

Step = int | Literal["last"]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which saved networks are shown.

    Attributes:
        inits: labels or schemes; empty for all.
        activations: names; empty for all.
        seed: of the runs; None for the first one of each condition.
        steps: after which the weights were kept, of which "last" is one.
    """

    inits: Sequence[str] = ()
    activations: Sequence[str] = ()
    seed: int | None = None
    steps: Sequence[Step] = ("last",)

    def of(self, results: Results) -> list[Run]:
        """The runs of results that are meant.

        Raises:
            UsageError: for an init, activation or seed that no run has.
        """
        runs = [run for run in results.runs if results.records[run.id].history is not None]
        for text in self.inits:
            labels = {run.settings.init.label or str(run.settings.init) for run in runs}
            require(any(_has_init(run, text) for run in runs), unknown_name("init", text, labels))
        names = [ACTIVATIONS.resolve(name) for name in self.activations]
        for name in names:
            activations = {run.settings.network.activation for run in runs}
            require(name in activations, unknown_name("activation of these runs", name, activations))
        return _with_seed(
            [
                run
                for run in runs
                if (not self.inits or any(_has_init(run, text) for text in self.inits))
                and (not names or run.settings.network.activation in names)
            ],
            self.seed,
        )


def _has_init(run: Run, text: str) -> bool:
    init = run.settings.init
    if text == init.label:
        return True
    try:
        return str(Initialization.of(text)) == str(init.initialization)
    except UsageError:
        return False


def _with_seed(runs: list[Run], seed: int | None) -> list[Run]:
    """Those with a seed; without one, the first run of each condition."""
    if seed is None:
        return list({run.condition: run for run in reversed(runs)}.values())[::-1]
    chosen = [run for run in runs if run.settings.seed == seed]
    seeds = alternatives(str(each) for each in sorted({run.settings.seed for run in runs}))
    require(bool(chosen), f"no run has the seed {seed}; give {seeds}")
    return chosen


def saved_panels(
    results: Results,
    selection: Selection = Selection(),
    *,
    what: str = "activations",
    samples: int = 1000,
    bins: int = 30,
    edges: Edges | None = None,
) -> tuple[list[Panel], list[str]]:
    """Histograms of saved networks, layer by layer, for the first training examples of their data.

    Args:
        results: of an experiment with `save_weights`.
        selection: which networks.
        what: "activations", "preactivations", "gradients", "weights" or "weight_gradients".
        samples: how many examples are shown.
        bins: of each histogram.
        edges: the range of the histograms; by default as for `layer_panels`.

    Returns:
        The panels, in the order of runs, then steps, then layers; and for each network that is not there, as
        one that diverged, why.

    Raises:
        UsageError: when no network is there.
    """
    panels: list[Panel] = []
    lacking: list[str] = []
    for run, step in product(selection.of(results), selection.steps):
        try:
            network = results.network(run.id, step)
        except UsageError as error:
            lacking.append(str(error))
            continue
        label = run.label if len(selection.steps) == 1 else f"{run.label}, {_after(step)}"
        shown = _probe(run, samples)
        own = network_panels(network, *shown, what=what, names=[label], bins=bins, edges=edges)
        panels += [replace(panel, scheme=run.settings.init.scheme) for panel in own]
    if not panels:
        raise UsageError(lacking[0])
    return panels, lacking


def _after(step: Step) -> str:
    return "at the end" if step == "last" else f"step {step}"


def _probe(run: Run, samples: int) -> tuple[FloatArray, IntArray]:
    """The first training examples, as `track_every` shows them."""
    examples = run.settings.data.examples(run.settings.train.dtype)
    return examples.train_inputs[:samples], examples.train_labels[:samples]
