"""The figures that a config can name: `figures: [loss]` -> groups of runs -> pictures in the store.

To add one, write its function `f(groups) -> Figure` and name it in `FIGURES`. The functions are loaded when
they draw: training needs no matplotlib.
"""

from pkgutil import resolve_name

from initlab.errors import unknown_name
from initlab.runner.config import ConfigError, Experiment
from initlab.runner.sweep import Outcome

FIGURES = {
    "loss": "initlab.plotting.curves:loss_figure",
    "accuracy": "initlab.plotting.tracked:accuracy_figure",
    "accuracy_panels": "initlab.plotting.tracked:accuracy_panels",
    "distinct_units": "initlab.plotting.tracked:distinct_units_figure",
}


def check_figures(experiment: Experiment) -> None:
    """Raise a ConfigError that tells the place of every unknown name among the experiment's figures."""
    mistakes = [
        f"{experiment.place('figures', i)}: {unknown_name('figure', name, FIGURES)}"
        for i, name in enumerate(experiment.figures)
        if name not in FIGURES
    ]
    if mistakes:
        raise ConfigError(mistakes)


def draw_figures(outcome: Outcome) -> None:
    """Draw the figures that the experiment names, as PNG and SVG, into its folder."""
    from initlab.plotting.marks import pictures

    for name in outcome.experiment.figures:
        figure = resolve_name(FIGURES[name])(outcome.groups)
        outcome.store.write_figure(name, pictures(figure))
