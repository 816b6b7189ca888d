"""At the narrow width both parametrizations are one; the best rate is the lowest loss's."""

from pathlib import Path

import numpy as np

from initlab import initialize
from initlab.gallery.reproduce import load

experiment = load(Path(__file__).parents[2] / "experiments" / "yang_hu_2021.py")


def test_both_have_the_same_weights_and_steps_at_the_narrow_width():
    s = experiment.exhibit.quick
    schemes = [experiment.scheme_of(s, name) for name in (experiment.STANDARD, experiment.MUP)]
    networks = initialize([784, s.narrow, s.narrow, 10], schemes)
    assert (networks.parameters[0] == networks.parameters[1]).all()
    for optimizer in ("sgd", "adam"):
        both = [
            experiment.changes(s, name, optimizer, 4)[str(s.narrow)]
            for name in (experiment.STANDARD, experiment.MUP)
        ]
        np.testing.assert_allclose(*both, rtol=1e-6)


def test_the_best_rate_is_that_of_the_lowest_loss(monkeypatch):
    s = experiment.exhibit.quick
    losses = np.array([[2.0, 0.5], [1.0, np.inf], [np.inf, np.inf]])
    monkeypatch.setattr(experiment, "held_out", lambda *_: {"5": losses})
    assert experiment.best_rates(s, experiment.MUP, 64, 5).tolist() == [s.rates[1], s.rates[0]]
