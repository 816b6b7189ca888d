"""The paper's formula, where it is known without it."""

import math
from pathlib import Path

import pytest

from initlab.gallery.reproduce import experiments, load

kumar = load(experiments(Path(__file__).parents[2] / "experiments")["kumar_2017"])


def test_the_formula_gives_tanh_xaviers_weights_and_sigmoids_a_std_of_3_6():
    assert kumar.variance_for(0.0, 1.0) == 1.0
    assert math.sqrt(kumar.variance_for(0.5, 0.25)) == pytest.approx(3.6, abs=0.03)
