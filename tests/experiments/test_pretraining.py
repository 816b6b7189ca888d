"""Networks with and without pretraining are shown as many batches; a Boltzmann machine learns."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import load

pretraining = load(Path(__file__).parents[2] / "experiments" / "pretraining.py")
SETTINGS = pretraining.exhibit.quick.replace(width=5, seeds=2, steps=(2, 8), every=2, batches=4)


def test_all_starts_are_shown_as_many_batches():
    in_all = {
        start: pretraining.before(SETTINGS, 2, start)
        + SETTINGS.every * (pretraining.trained(SETTINGS, 2, start)["accuracy"].shape[1] - 1)
        for start in pretraining.LOOKS
    }
    assert set(in_all.values()) == {8 + 2 * 4}


def test_accuracies_are_those_of_the_budget(monkeypatch):
    courses = {"accuracy": np.arange(20.0)[None]}
    monkeypatch.setattr(pretraining, "trained", lambda *_: courses)
    plain, machines = pretraining.GLOROT, pretraining.MACHINES
    assert pretraining.accuracy(SETTINGS, 2, machines, 8).tolist() == [4]
    assert pretraining.accuracy_in_all(SETTINGS, 2, machines, 8).tolist() == [4]
    assert pretraining.accuracy_in_all(SETTINGS, 2, plain, 8).tolist() == [8]


def test_a_goal_that_is_never_reached_counts_as_the_last_step():
    accuracies = np.array([[0.1, 0.5, 0.9], [0.1, 0.2, 0.3]])
    assert pretraining.steps_to(accuracies, np.array([0.5, 0.5]), 10).tolist() == [10, 20]


def test_a_machine_learns_to_reconstruct():
    settings = SETTINGS.replace(seeds=1, rbm_steps=(20, 60), last=10, width=20)
    errors = [pretraining.final_error(settings, 0.01, steps)[0] for steps in settings.rbm_steps]
    assert errors[1] < errors[0] < 0.11
