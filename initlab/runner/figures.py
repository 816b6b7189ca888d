"""The figures of an experiment: `figures: [loss]`, conditions -> pictures in the store.

To add one, write a function from conditions to a Figure under `@FIGURES.register()`. It imports its drawing
when it is called: Matplotlib takes as long to load as a worker to start, and no training waits for it.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from initlab.errors import ConfigError, unknown_name
from initlab.registry import Registry
from initlab.runner.config import Experiment
from initlab.runner.store import Store
from initlab.training.history import Condition

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: "Registry[Callable[[Sequence[Condition]], Figure]]" = Registry("figure")


@FIGURES.register()
def loss(conditions: Sequence[Condition]) -> "Figure":
    """Training loss against the step; see `plotting.loss.loss_figure`."""
    from initlab.plotting.loss import loss_figure

    return loss_figure(conditions)


@FIGURES.register()
def accuracy(conditions: Sequence[Condition]) -> "Figure":
    """Training accuracy against the step; see `plotting.tracking.accuracy_figure`."""
    from initlab.plotting.tracking import accuracy_figure

    return accuracy_figure(conditions)


@FIGURES.register()
def accuracy_panels(conditions: Sequence[Condition]) -> "Figure":
    """The same with a panel for each scheme; see `plotting.tracking.accuracy_panels`."""
    from initlab.plotting import tracking

    return tracking.accuracy_panels(conditions)


@FIGURES.register()
def distinct_units(conditions: Sequence[Condition]) -> "Figure":
    """Different units against the step; see `plotting.tracking.distinct_units_figure`."""
    from initlab.plotting.tracking import distinct_units_figure

    return distinct_units_figure(conditions)


_MOST_IN_A_PANEL = 4  # as many looks as `plotting.tracking` has for the curves of one panel
_OF_TRACKED_LAYERS = ("accuracy", "accuracy_panels", "distinct_units")


def check_figures(experiment: Experiment) -> None:
    """Refuse figures that cannot be drawn of the experiment, before anything is trained.

    Raises:
        ConfigError: with the place of every figure that is unknown, or needs layers that are not tracked.
    """
    points = experiment.points()
    tracks = all(settings.train.track_every for _, settings in points)
    others = [{**chosen, "init": None, "seed": None} for chosen, _ in points]
    curves = set(map(str, others))
    mistakes = []
    for i, name in enumerate(experiment.figures):
        if name not in FIGURES:
            mistakes.append(f"{experiment.place('figures', i)}: {unknown_name('figure', name, FIGURES)}")
        elif name in _OF_TRACKED_LAYERS and not tracks:
            needs = f"{name} needs train.track_every in every run, as in train: {{track_every: 100}}"
            mistakes.append(f"{experiment.place('figures', i)}: {needs}")
        elif name == "accuracy_panels" and len(curves) > _MOST_IN_A_PANEL:
            most = f"a panel has {_MOST_IN_A_PANEL} curves at most, and these would be {len(curves)}"
            mistakes.append(f"{experiment.place('figures', i)}: {name}: {most}")
    if mistakes:
        raise ConfigError(mistakes)


def load_in_the_background(names: Sequence[str]) -> None:
    """Begin to import what the tables and these figures will need, while the workers train."""
    modules = ["scipy.special", *["initlab.plotting.tracking"] * bool(names)]
    Thread(target=lambda: [import_module(module) for module in modules]).start()


def draw_figures(names: Sequence[str], conditions: Sequence[Condition], store: Store) -> None:
    """Draw figures as PNG and SVG into an experiment's folder.

    Args:
        names: in `FIGURES`.
        conditions: the histories to draw.
        store: the folder.
    """
    if not names:
        return
    from initlab.plotting.elements import pictures

    for name in names:
        store.write_figure(name, pictures(FIGURES[name](conditions)))
