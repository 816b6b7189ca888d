"""The fitted number of depth scales is that of the bound which the networks were made with."""

from pathlib import Path

import numpy as np
import pytest

from initlab.gallery.reproduce import experiments, load

schoenholz = load(experiments(Path(__file__).parents[2] / "experiments")["schoenholz_2017"])
FACTORS = np.array([2.0, 3.0, 4.5, 6.75, 10.0])


@pytest.mark.parametrize(("bound", "low", "high"), [(1, 0, 2), (4, 3, 4.5), (7, 6.75, 10), (20, 10, 15)])
def test_the_factor_of_a_known_bound_is_fitted(bound, low, high):
    assert low < schoenholz.fitted_bound(bound >= FACTORS, FACTORS) < high


def test_one_network_out_of_order_moves_the_bound_by_no_more_than_its_ties():
    trained = np.array([True, True, False, True, False])
    assert 3 < schoenholz.fitted_bound(trained, FACTORS) < 6.75
