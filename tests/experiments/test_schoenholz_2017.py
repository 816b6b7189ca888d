"""The fitted number of depth scales is that of the bound which the networks were made with."""

from pathlib import Path

import numpy as np

from initlab.gallery.reproduce import experiments, load

schoenholz = load(experiments(Path(__file__).parents[2] / "experiments")["schoenholz_2017"])


def test_the_factor_of_a_known_bound_is_fitted():
    scales, depths = np.geomspace(1, 20, 60), (5, 10, 20, 40, 80)
    trains = np.array(depths)[:, None] <= 4 * scales
    assert 3.8 < schoenholz.fitted_factor(trains, scales, depths) < 4.2
