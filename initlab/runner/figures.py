"""The figures of an experiment: `figures: [loss]`, results -> pictures in the store.

To add one, write a function from results to a Figure under `@FIGURES.register()`. It imports its drawing
when it is called: Matplotlib takes as long to load as a worker to start, and no training waits for it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

from initlab.errors import ConfigError, UsageError, require
from initlab.registry import Registry
from initlab.runner.config import Experiment
from initlab.runner.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: "Registry[Callable[..., Figure]]" = Registry("figure")


@FIGURES.register()
def loss(results: Results) -> "Figure":
    """Training loss against the step; see `plotting.loss.loss_figure`."""
    from initlab.plotting.loss import loss_figure

    return loss_figure(results.conditions)


@FIGURES.register()
def accuracy(results: Results) -> "Figure":
    """Training accuracy against the step; see `plotting.tracking.accuracy_figure`."""
    from initlab.plotting.tracking import accuracy_figure

    return accuracy_figure(results.conditions)


@FIGURES.register()
def accuracy_panels(results: Results) -> "Figure":
    """The same with a panel for each scheme; see `plotting.tracking.accuracy_panels`."""
    from initlab.plotting import tracking

    return tracking.accuracy_panels(results.conditions)


@FIGURES.register()
def distinct_units(results: Results) -> "Figure":
    """Different units against the step; see `plotting.tracking.distinct_units_figure`."""
    from initlab.plotting.tracking import distinct_units_figure

    return distinct_units_figure(results.conditions)


@FIGURES.register()
def boundary(results: Results) -> "Figure":
    """Where the outcome flips, for each condition; see `plotting.boundary.boundary_figure`."""
    from initlab.plotting.boundary import boundary_figure
    from initlab.runner.boundary_tables import band_names, bands

    assert results.boundaries is not None
    return boundary_figure(bands(results.boundaries), band_names(results.boundaries))


@FIGURES.register("plot")
def sweep_plot(
    results: Results,
    *,
    x: str,
    y: str = "test_accuracy",
    color: str = "",
    heat: str = "",
    only: str = "",
    log: str = "",
) -> "Figure":
    """A result against a swept setting; see `plots.Plot`. What `only` holds is written `only=init=he`."""
    from initlab.runner.plots import Plot, plot, read_only

    return plot([results], Plot(x=x, y=y, color=color, heat=heat, only=read_only([only]), log=log))


@FIGURES.register()
def histogram(results: Results, *, what: str = "activations") -> "Figure":
    """Histograms of the layers before training, beside theory; see `untrained.draw_histogram`."""
    from initlab.runner.untrained import draw_histogram

    return draw_histogram(results.experiment, what)


@FIGURES.register()
def depth(results: Results, *, seeds: int = 5) -> "Figure":
    """Activations and gradients through the layers before training; see `untrained.draw_depth`."""
    from initlab.runner.untrained import draw_depth

    return draw_depth(results.experiment, seeds)


def _problem(experiment: Experiment, text: str) -> str | None:
    try:
        name, arguments = FIGURES.parse(text)
        if name in _CHECKS:
            _CHECKS[name](experiment, **arguments)
    except UsageError as error:
        return str(error)
    return None


def _check_plot(experiment: Experiment, only: str = "", **arguments: Any) -> None:
    from initlab.runner.plots import Plot, check_plot, read_only

    check_plot(experiment, Plot(only=read_only([only]), **arguments))


def _check_histogram(experiment: Experiment, what: str = "activations") -> None:
    from initlab.runner.untrained import check_histogram

    check_histogram(experiment, what)


def _check_depth(experiment: Experiment, seeds: int = 5) -> None:
    from initlab.runner.untrained import check_depth

    require(1 <= seeds <= _MOST_SEEDS, f"seeds must be from 1 to {_MOST_SEEDS}, not {seeds}")
    check_depth(experiment)


_MOST_SEEDS = 1000
_CHECKS: dict[str, Callable[..., None]] = {
    "plot": _check_plot,
    "histogram": _check_histogram,
    "depth": _check_depth,
}


_OF_TRACKED_LAYERS = ("accuracy", "accuracy_panels", "distinct_units")


def check_figures(experiment: Experiment) -> None:
    """Refuse figures that cannot be drawn of the experiment, before anything is trained.

    Raises:
        ConfigError: with the place of every figure that is unknown, or needs layers that are not tracked or
            a boundary that is not asked for.
    """
    tracks = all(settings.train.track_every for _, settings in experiment.points())
    mistakes = []
    for i, name in enumerate(experiment.figures):
        problem = _problem(experiment, name)
        if problem:
            mistakes.append(f"{experiment.place('figures', i)}: {problem}")
        elif name == "boundary" and experiment.boundary is None:
            needs = "boundary needs the key boundary, as in boundary: {over: init.std, between: [0.001, 3]}"
            mistakes.append(f"{experiment.place('figures', i)}: {needs}")
        elif name in _OF_TRACKED_LAYERS and not tracks:
            needs = f"{name} needs train.track_every in every run, as in train: {{track_every: 100}}"
            mistakes.append(f"{experiment.place('figures', i)}: {needs}")
    if mistakes:
        raise ConfigError(mistakes)


@contextmanager
def loading_beside(names: Sequence[str], workers_train: bool) -> Iterator[None]:
    """Import what the tables and these figures will need, while the workers train.

    All is there when the context ends: two threads must not import Matplotlib at the same time, for its
    modules import each other, and one would see them half made.

    Args:
        names: of the figures.
        workers_train: whether other processes do; this one would lose as much time as it gains.
    """
    modules = ["scipy.special", *["initlab.plotting.tracking"] * bool(names)]
    loading = Thread(target=lambda: [import_module(module) for module in modules])
    if workers_train:
        loading.start()
    try:
        yield
    finally:
        if workers_train:
            loading.join()


def figure_name(text: str) -> str:
    """The name of a figure's files.

    >>> figure_name("loss"), figure_name("plot(x=network.depth, color=init)")
    ('loss', 'plot-x-network.depth-color-init')
    """
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")[:80]


def draw_figures(results: Results) -> None:
    """Draw the figures of an experiment into its folder, in its style and formats.

    Args:
        results: of the experiment; where all runs failed, there is nothing to draw.
    """
    if not results.experiment.figures or len(results.failed) == len(results.runs):
        return
    from initlab.plotting.elements import pictures
    from initlab.plotting.style import figure_style

    looks = results.experiment.plotting
    for text in results.experiment.figures:
        name, arguments = FIGURES.parse(text)
        with figure_style(looks.style, size=looks.size, svg_text=looks.svg_text):
            shown = pictures(FIGURES[name](results, **arguments), looks.formats)
        results.store.write_figure(figure_name(text), shown)
