"""Histograms of layers: the book's observations, predictions beside measurements, nothing dropped."""

import math

import numpy as np
import pytest

from initlab import Initialization, Scheme
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.measure.histograms import histogram, layer_panels, network_panels
from initlab.measure.quantities import QUANTITIES
from initlab.nn.normalization import LayerNorm

RNG = np.random.default_rng(0)


def test_nothing_is_dropped_silently():
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, np.nan, np.inf, -np.inf])
    counted = histogram(values, (0.0, 1.0), 4)
    assert counted.counts.tolist() == [1, 0, 1, 1]
    assert (counted.below, counted.above) == (2, 4)
    assert counted.clipped == pytest.approx(6 / 9)


def test_wide_layers_behave_as_theory_predicts():
    """He keeps E[z^2] = 2 E[a^2]; for ReLU E[a] = sqrt(q / 2 pi), E[a^2] = q / 2."""
    for panel in layer_panels(["he"], ["relu"], depth=3, width=1500, samples=300):
        assert panel.mean == pytest.approx(1 / math.sqrt(math.pi), rel=0.06)
        assert panel.std == pytest.approx(math.sqrt(1 - 1 / math.pi), rel=0.06)
        assert panel.saturated == pytest.approx(0.5, abs=0.02)


def test_the_books_observations():
    sigmoid = layer_panels(["std=1", "std=0.01", "book:xavier"], ["sigmoid"])
    wide, narrow, xavier = sigmoid[:5], sigmoid[5:10], sigmoid[10:]
    assert all(panel.saturated > 0.4 for panel in wide)
    assert all(panel.std < 0.03 for panel in narrow)
    assert all(panel.saturated < 0.01 and panel.std > 0.08 for panel in xavier)


def test_predictions_stand_beside_measurements():
    schemes = ["he", "std=1", "std=0.01", "constant(value=0.1)"]
    for panel in layer_panels(schemes, ["relu", "tanh", "sigmoid"], depth=3, width=400, samples=300):
        if panel.scheme.name == "constant":
            assert panel.predicted is None
            assert panel.numbers()["predicted_std"] is None
            continue
        assert abs(panel.std - panel.predicted.std) <= 4 * panel.predicted.spread
        counts = panel.histogram.counts
        inside = counts.sum() / (400 * 300)
        assert panel.predicted.shares.sum() == pytest.approx(inside, abs=0.06)
        assert np.abs(counts / (400 * 300) - panel.predicted.shares).max() < 0.08


@pytest.mark.parametrize("what", QUANTITIES)
def test_every_quantity_is_counted_whole_and_near_its_prediction(what):
    for panel in layer_panels(["he"], ["relu", "tanh"], what=what, depth=3, width=200, samples=200):
        counted = panel.histogram
        whole = 200 * 200
        assert counted.counts.sum() + counted.below + counted.above == whole
        if panel.predicted is None:
            assert what == "weight_gradients"
            continue
        assert panel.std == pytest.approx(panel.predicted.std, rel=0.15)
        if panel.predicted.shares is not None:
            assert np.abs(counted.counts / whole - panel.predicted.shares).max() < 0.06


@pytest.mark.parametrize(
    ("shape", "width"),
    [
        ({"hidden": "300x3", "skip": "every=1, scale=0.7"}, 300),
        ({"hidden": "300x3", "skip": "every=1, order=post"}, 300),
        ({"hidden": "300x3", "norm": LayerNorm()}, 300),
        ({"hidden": "conv(150, kernel=9), conv(150, kernel=3, padding=same), pool(2), 300"}, 400),
    ],
)
@pytest.mark.parametrize("what", ["activations", "preactivations", "gradients", "weights"])
def test_other_networks_are_counted_near_their_prediction(shape, width, what):
    """A share of 300 units, each of them on or off for most samples, scatters by 3 %."""
    panels = layer_panels(["he"], ["relu"], what=what, width=width, samples=50, **shape)
    assert len(panels) == 3
    for panel in panels:
        assert panel.predicted.spread is None
        assert panel.std == pytest.approx(panel.predicted.std, rel=0.15)
        shares = panel.predicted.shares
        if shares is None:
            assert what in ("weights", "gradients")
            continue
        counted = panel.histogram
        whole = counted.counts.sum() + counted.below + counted.above
        assert np.abs(counted.counts / whole - shares).max() < 4 * 0.5 / np.sqrt(300)


def test_gradients_beside_a_skip_have_no_histogram_in_theory():
    panels = layer_panels(["he"], ["relu"], what="gradients", depth=3, skip="1")
    assert [panel.predicted.shares is None for panel in panels] == [True, True, False]
    images = layer_panels(["he"], ["relu"], what="gradients", width=36, hidden="conv(9, kernel=3), pool(2)")
    assert [panel.predicted.shares is None for panel in images] == [True]


def test_default_ranges():
    panels = layer_panels(["std=1"], ["sigmoid", "tanh", "relu", "identity"])
    edges = [tuple(panel.histogram.edges[[0, -1]]) for panel in panels[::5]]
    assert edges[:2] == [(0, 1), (-1, 1)]
    assert edges[2][0] == 0
    assert edges[2][1] > 10
    assert edges[3][0] == -edges[3][1]
    assert panels[10].histogram.clipped == 0
    assert panels[14].histogram.clipped > 0.4


def test_a_start_with_its_own_last_layer_and_biases():
    """The spread of single networks is predicted only without biases."""
    start = Initialization(Scheme("he"), first=Scheme("lecun"), bias=Scheme.parse("std=0.5"))
    panels = layer_panels([start], ["relu"], depth=2, width=300)
    assert panels[0].label == "he, first lecun, bias std=0.5"
    for panel in panels:
        assert panel.std == pytest.approx(panel.predicted.std, rel=0.1)
        assert panel.predicted.spread is None
    weights = layer_panels([start], ["relu"], what="weights", depth=2, width=100)
    assert [round(panel.predicted.std, 4) for panel in weights] == [0.1, 0.1414]


def test_given_networks_are_counted_as_the_schemes_they_were_drawn_from():
    networks = initialize([20, 30, 30, 4], ["he", "std=1"], activation="tanh")
    inputs = RNG.standard_normal((50, 20))
    panels = network_panels(networks, inputs)
    assert [(panel.label, panel.layer) for panel in panels[1:3]] == [("network 0", 2), ("network 1", 1)]
    networks.forward(inputs)
    for panel in panels:
        row = int(panel.label[-1])
        activations = networks.activations[panel.layer - 1][row]
        assert panel.std == pytest.approx(activations.std(dtype=np.float64))
        assert panel.histogram.counts.sum() == activations.size
        assert panel.predicted is None
        assert panel.numbers()["scheme"] == panel.label


def test_gradients_of_given_networks_need_labels():
    networks, inputs = initialize([4, 5, 3], ["he"]), RNG.standard_normal((6, 4))
    with pytest.raises(UsageError, match="gradients need labels"):
        network_panels(networks, inputs, what="gradients")
    (panel,) = network_panels(networks, inputs, np.zeros(6, int), what="gradients", names=["mine"])
    assert panel.label == "mine"
    with pytest.raises(UsageError, match="1 networks but 2 names"):
        network_panels(networks, inputs, names=["a", "b"])


def test_an_unknown_quantity_is_named_with_the_likely_one():
    with pytest.raises(UsageError, match="unknown quantity 'gradient'; did you mean 'gradients'"):
        layer_panels(["he"], what="gradient")
