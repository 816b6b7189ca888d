"""The numbers of the Italian article's criteria are what they are called."""

from pathlib import Path

import numpy as np
import pytest

from initlab.gallery.reproduce import load
from initlab.measure.layers import LayerStatistics
from initlab.nn.activations import ACTIVATIONS

italian = load(Path(__file__).parents[2] / "experiments" / "italian_criteria.py")


def layer(activations, gradient):
    a = np.array(activations)
    return LayerStatistics(
        layer=1,
        activation=ACTIVATIONS["relu"],
        pre_activations=a,
        activations=a,
        weights=np.eye(2),
        gradients=np.full(a.shape, gradient),
    )


def test_numbers_are_taken_over_layers():
    layers = [layer([[1.0, 1.0], [3.0, 3.0]], 0.1), layer([[2.0, 2.0], [6.0, 6.0]], 1.0)]
    assert italian.gradient_ratio(layers) == pytest.approx(100)
    assert italian.variance_ratio(layers) == pytest.approx(4)
    assert italian.mean_size(layers) == pytest.approx(2)
    assert italian.worst(layers, similar=10) == pytest.approx(100 / 10)
    assert italian.last_gradient_kept(layers) == pytest.approx(0.1)
    assert italian.activations_kept(layers) == pytest.approx(2)


def test_the_article_s_text_takes_the_variance_for_the_standard_deviation():
    start = italian.start_of(italian.exhibit.settings, italian.WRITTEN)
    assert start.of_layer(0, 3).variance((784, 128)) == pytest.approx(784**-2)
    assert start.of_layer(1, 3).variance((128, 128)) == pytest.approx(128**-2)
