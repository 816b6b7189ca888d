"""The points of the explorer: a scheme, a shape -> what the commands say of them, to three digits.

    initlab histogram    how activations and gradients are spread in each layer, and what theory predicts
    initlab diagnose     how signal, gradient and difference go through the layers, the verdict, the cure
    initlab.train        the loss through the first steps

Each number comes from the function behind the command, with the options that the page states.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from initlab.data.examples import Examples
from initlab.diagnosis.limits import FACTORS
from initlab.diagnosis.verdict import Cure, Diagnosis, diagnose_each
from initlab.measure.histograms import Panel, layer_panels
from initlab.nn.arrays import FloatArray
from initlab.pages.grid import Grid, Measuring, Shape
from initlab.runner.settings import DataSettings
from initlab.threads import one_thread
from initlab.training.history import History
from initlab.training.train import train

Point = dict[str, Any]
QUANTITIES = ("activations", "gradients")
_MOST_LOSSES = 25  # of a curve


def points(schemes: Sequence[str], shape: Shape, measuring: Measuring) -> list[Point]:
    """What the page shows of each scheme.

    Args:
        schemes: as text.
        shape: of the networks.
        measuring: how much is drawn and trained.
    """
    with one_thread():
        parts = (_histograms, _diagnoses, _trainings)
        columns = zip(*(part(schemes, shape, measuring) for part in parts), strict=True)
        return [{**histograms, **diagnosis, **training} for histograms, diagnosis, training in columns]


def three(number: float | None) -> float | None:
    """A number to three significant digits; None where it is infinite or nan, as in the commands' JSON.

    >>> three(1.23456), three(math.inf), three(None)
    (1.23, None, None)
    """
    return float(f"{number:.3g}") if number is not None and math.isfinite(number) else None


def _histograms(schemes: Sequence[str], shape: Shape, measuring: Measuring) -> list[Point]:
    return [{what: _histogram(scheme, what, shape, measuring) for what in QUANTITIES} for scheme in schemes]


def _histogram(scheme: str, what: str, shape: Shape, measuring: Measuring) -> Point:
    panels = layer_panels(
        scheme,
        shape.activation,
        what=what,
        depth=shape.depth,
        width=shape.width,
        samples=measuring.vectors,
        bins=measuring.bins,
        skip=shape.skip,
    )
    edges = panels[0].histogram.edges
    return {"low": three(edges[0]), "high": three(edges[-1]), "layers": list(map(_panel, panels))}


def _panel(panel: Panel) -> Point:
    predicted = panel.predicted
    counts = panel.histogram.counts
    values = int(counts.sum()) + panel.histogram.below + panel.histogram.above
    shares = predicted.shares if predicted else None
    return {
        "mean": three(panel.mean),
        "std": three(panel.std),
        "predicted_mean": three(predicted.mean) if predicted else None,
        "predicted_std": three(predicted.std) if predicted else None,
        "clipped": three(panel.histogram.clipped),
        "shares": thousandths(counts / values),
        "predicted": None if shares is None else thousandths(shares),
    }


def thousandths(shares: FloatArray) -> list[int]:
    """Shares in thousandths, which is less than a pixel of a histogram."""
    return [int(share) for share in np.rint(1000 * np.asarray(shares))]


def _diagnoses(schemes: Sequence[str], shape: Shape, measuring: Measuring) -> list[Point]:
    examples = _images("float64")
    diagnoses = diagnose_each(
        schemes,
        shape.activation,
        shape.hidden,
        examples.train_inputs[: measuring.images],
        examples.train_labels[: measuring.images],
        seeds=measuring.seeds,
        skip=shape.skip,
        optimizer=measuring.optimizer,
    )
    return list(map(_diagnosis, diagnoses))


def _diagnosis(diagnosis: Diagnosis) -> Point:
    return {
        "verdict": diagnosis.verdict,
        "severity": three(diagnosis.severity),
        "words": diagnosis.words,
        "conclusions": diagnosis.conclusions(),
        "factors": _factors(diagnosis),
        "cure": _cure(diagnosis.cure) if diagnosis.cure else None,
    }


def _factors(diagnosis: Diagnosis) -> Point:
    """Each factor through the layers, measured, and predicted where theory speaks."""
    measured = {
        name: [three(layer.numbers[name]) for layer in diagnosis.layers]
        for name in (*FACTORS, "saturated", "dead")
    }
    predicted = {
        f"predicted_{name}": list(map(three, values)) for name, values in diagnosis.predicted.items()
    }
    return {**measured, **predicted}


def _cure(cure: Cure) -> Point:
    """The cure, and where the page has it: under which scheme and depth; nowhere with another network."""
    same = not (cure.batch_norm or cure.skip)
    return {"start": str(cure), "scheme": str(cure.scheme) if same else None, "depth": cure.depth}


def _images(dtype: str) -> Examples:
    return DataSettings(name="mnist").examples(dtype)


def _trainings(schemes: Sequence[str], shape: Shape, measuring: Measuring) -> list[Point]:
    images, tested = _images("float32"), slice(measuring.tested)
    images = replace(images, test_inputs=images.test_inputs[tested], test_labels=images.test_labels[tested])
    histories = train(
        list(schemes),
        images,
        steps=measuring.steps,
        hidden=shape.hidden,
        activation=shape.activation,
        skip=shape.skip,
        batch_size=measuring.batch_size,
        optimizer=f"{measuring.optimizer}(lr={measuring.rate:g})",
    )
    return [{"training": _curve(history, measuring.steps)} for history in histories]


def _curve(history: History, steps: int) -> Point:
    """The mean loss of each few steps; a last part that is not whole is left out."""
    every = -(-steps // _MOST_LOSSES)
    whole = len(history.losses) // every * every
    parts = history.losses[:whole].reshape(-1, every).mean(axis=1, dtype=np.float64)
    return {
        "losses": list(map(three, parts)),
        "diverged_at": history.diverged_at,
        "accuracy": three(history.test_accuracy),
    }


def nested(flat: Iterable[list[Point]], grid: Grid) -> list[Any]:
    """The points of each shape of a grid, as `points[activation][width][skip][depth][scheme]`.

    Args:
        flat: in the order of `Grid.shapes`.
        grid: of the page.
    """
    values: list[Any] = list(flat)
    for axis in (grid.depths, grid.skips, grid.widths):
        values = [values[i : i + len(axis)] for i in range(0, len(values), len(axis))]
    return values
