"""initlab: what do the initial weights do to a network?

In a notebook, without any config:

>>> import numpy as np
>>> import initlab
>>> rng = np.random.default_rng(0)
>>> x, y = rng.standard_normal((200, 5)), rng.integers(3, size=200)
>>> histories = initlab.train(["he", "xavier", "std=0.01"], (x, y), steps=50, hidden="8x2")
>>> figure = initlab.loss_figure(histories)
>>> networks = initlab.initialize([5, 8, 8, 3], ["he", "xavier"])
>>> networks.forward(x).shape
(2, 200, 3)

The names below are loaded when they are first used, so that `import initlab` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from initlab.data.datasets import open_dataset
    from initlab.diagnosis.verdict import diagnose
    from initlab.gallery.claims import Claim
    from initlab.init.critical import critical_sigma_w2
    from initlab.init.networks import initialize
    from initlab.init.per_layer import Initialization
    from initlab.init.scheme import Scheme
    from initlab.measure.depth import depth_profiles
    from initlab.measure.histograms import layer_panels, network_panels
    from initlab.measure.layers import measure_layers
    from initlab.nn.network import Ensemble
    from initlab.nn.optimizers import Optimizer
    from initlab.own_code import activation, scheme
    from initlab.pages.explore import explore
    from initlab.pages.report import report
    from initlab.plotting.depth import depth_figure
    from initlab.plotting.histograms import histogram_figure
    from initlab.plotting.loss import loss_figure
    from initlab.plotting.style import figure_style
    from initlab.runner.config import Experiment, load_experiment
    from initlab.runner.results import load_results
    from initlab.runner.sweep import run_experiment
    from initlab.theory.explain import explain
    from initlab.theory.gains import gain, gains
    from initlab.theory.layers import predict_correlations, predict_layers
    from initlab.theory.mean_field import phase
    from initlab.training.rates import train_at_best_rate
    from initlab.training.train import train

__version__ = "0.1.0"

_HOMES = {
    "Claim": "initlab.gallery.claims",
    "Ensemble": "initlab.nn.network",
    "Experiment": "initlab.runner.config",
    "Initialization": "initlab.init.per_layer",
    "Optimizer": "initlab.nn.optimizers",
    "Scheme": "initlab.init.scheme",
    "activation": "initlab.own_code",
    "critical_sigma_w2": "initlab.init.critical",
    "depth_figure": "initlab.plotting.depth",
    "depth_profiles": "initlab.measure.depth",
    "diagnose": "initlab.diagnosis.verdict",
    "explain": "initlab.theory.explain",
    "explore": "initlab.pages.explore",
    "figure_style": "initlab.plotting.style",
    "gain": "initlab.theory.gains",
    "gains": "initlab.theory.gains",
    "histogram_figure": "initlab.plotting.histograms",
    "initialize": "initlab.init.networks",
    "layer_panels": "initlab.measure.histograms",
    "load_experiment": "initlab.runner.config",
    "load_results": "initlab.runner.results",
    "loss_figure": "initlab.plotting.loss",
    "measure_layers": "initlab.measure.layers",
    "network_panels": "initlab.measure.histograms",
    "open_dataset": "initlab.data.datasets",
    "phase": "initlab.theory.mean_field",
    "predict_correlations": "initlab.theory.layers",
    "predict_layers": "initlab.theory.layers",
    "report": "initlab.pages.report",
    "run_experiment": "initlab.runner.sweep",
    "scheme": "initlab.own_code",
    "train": "initlab.training.train",
    "train_at_best_rate": "initlab.training.rates",
}

__all__ = [  # noqa: RUF022  the order of a notebook: train, look, predict, record
    "train",
    "train_at_best_rate",
    "initialize",
    "Ensemble",
    "Scheme",
    "Initialization",
    "scheme",
    "activation",
    "Optimizer",
    "open_dataset",
    "measure_layers",
    "layer_panels",
    "network_panels",
    "depth_profiles",
    "loss_figure",
    "histogram_figure",
    "depth_figure",
    "figure_style",
    "explain",
    "gain",
    "gains",
    "predict_correlations",
    "predict_layers",
    "phase",
    "critical_sigma_w2",
    "diagnose",
    "Experiment",
    "load_experiment",
    "run_experiment",
    "load_results",
    "report",
    "explore",
    "Claim",
]


if not TYPE_CHECKING:  # to a type checker every name would exist

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'initlab' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
