"""initlab: what does the initial weight distribution do to a deep network?

In a notebook, without any config:

>>> import numpy as np
>>> from initlab import Ensemble, Optimizer
>>> ensemble = Ensemble.from_schemes([4, 8, 3], ["he", "xavier", "std=0.01"], activation="tanh")
>>> inputs, labels = np.eye(4), np.array([0, 1, 2, 0])
>>> ensemble.forward(inputs).shape
(3, 4, 3)
>>> ensemble.train_step(inputs, labels, Optimizer("sgd", lr=0.1)).shape
(3,)

The names below are loaded when they are first used, so that `import initlab` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from initlab.analysis.diagnosis import diagnose
    from initlab.analysis.explain import explain
    from initlab.analysis.measure import measure_layers
    from initlab.analysis.profile import depth_profiles
    from initlab.analysis.untrained import layer_panels
    from initlab.data.datasets import open_dataset
    from initlab.nn.initializers import Scheme
    from initlab.nn.network import Ensemble
    from initlab.nn.optimizers import Optimizer
    from initlab.nn.streams import Purpose, stream
    from initlab.plotting.curves import loss_figure
    from initlab.plotting.depth import depth_figure
    from initlab.plotting.figures import draw_figures
    from initlab.plotting.histograms import histogram_figure
    from initlab.plotting.style import render
    from initlab.runner.config import load_experiment
    from initlab.runner.store import Store
    from initlab.runner.sweep import run_experiment

__version__ = "0.1.0"

_HOMES = {
    "Ensemble": "initlab.nn.network",
    "Optimizer": "initlab.nn.optimizers",
    "Purpose": "initlab.nn.streams",
    "Scheme": "initlab.nn.initializers",
    "Store": "initlab.runner.store",
    "layer_panels": "initlab.analysis.untrained",
    "depth_figure": "initlab.plotting.depth",
    "depth_profiles": "initlab.analysis.profile",
    "diagnose": "initlab.analysis.diagnosis",
    "draw_figures": "initlab.plotting.figures",
    "explain": "initlab.analysis.explain",
    "histogram_figure": "initlab.plotting.histograms",
    "load_experiment": "initlab.runner.config",
    "loss_figure": "initlab.plotting.curves",
    "measure_layers": "initlab.analysis.measure",
    "open_dataset": "initlab.data.datasets",
    "render": "initlab.plotting.style",
    "run_experiment": "initlab.runner.sweep",
    "stream": "initlab.nn.streams",
}

__all__ = [
    "Ensemble",
    "Optimizer",
    "Purpose",
    "Scheme",
    "Store",
    "depth_figure",
    "depth_profiles",
    "diagnose",
    "draw_figures",
    "explain",
    "histogram_figure",
    "layer_panels",
    "load_experiment",
    "loss_figure",
    "measure_layers",
    "open_dataset",
    "render",
    "run_experiment",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'initlab' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
