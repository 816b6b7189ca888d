"""The figures of an experiment: `figures: [loss]`, conditions -> pictures in the store."""

from collections.abc import Sequence

from initlab.errors import unknown_name
from initlab.runner.config import ConfigError, Experiment
from initlab.runner.store import Store
from initlab.training.history import Condition


def check_figures(experiment: Experiment) -> None:
    """Raise a ConfigError with the place of every unknown name among the experiment's figures."""
    if not experiment.figures:
        return
    from initlab.plotting.figures import FIGURES

    mistakes = [
        f"{experiment.place('figures', i)}: {unknown_name('figure', name, FIGURES)}"
        for i, name in enumerate(experiment.figures)
        if name not in FIGURES
    ]
    if mistakes:
        raise ConfigError(mistakes)


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
    from initlab.plotting.figures import FIGURES

    for name in names:
        store.write_figure(name, pictures(FIGURES[name](conditions)))
