"""What a border of zeros takes of the signal, against an eigenvalue, a filter, and a network drawn wide."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from initlab import initialize
from initlab.gallery.reproduce import load

he_2015_convolution = load(Path(__file__).parents[2] / "experiments" / "he_2015_convolution.py")
SETTINGS = he_2015_convolution.exhibit.settings
predicted = he_2015_convolution.predicted


@pytest.mark.parametrize(("border", "mode"), [("zeros", "constant"), ("circular", "wrap")])
def test_theory_is_a_mean_over_the_pixels_that_a_kernel_sees(border, mode):
    first = np.random.default_rng(0).random((7, 7))
    expected = uniform_filter(uniform_filter(first, 3, mode=mode), 3, mode=mode)
    assert predicted(first, 2.0, border, 3)[-1] == pytest.approx(expected)
    assert predicted(first, 1.0, border, 3)[-1] == pytest.approx(expected / 4)


def test_a_border_of_zeros_takes_the_share_of_the_largest_eigenvalue():
    """A mean of three neighbours, zeros beyond the ends: (1 + 2 cos(pi / (n + 1))) / 3, each way."""
    sums = predicted(np.ones((7, 7)), 2.0, "zeros", 60).sum(axis=(1, 2))
    assert sums[-1] / sums[-2] == pytest.approx(((1 + 2 * np.cos(np.pi / 8)) / 3) ** 2)


def test_a_border_from_the_opposite_side_takes_nothing():
    sums = predicted(np.random.default_rng(0).random((7, 7)), 2.0, "circular", 5).sum(axis=(1, 2))
    assert sums == pytest.approx(sums[0])


@pytest.mark.parametrize("border", ["zeros", "circular"])
def test_wide_networks_lose_what_theory_says(border):
    convolution = f"conv(100, kernel=3, padding=same, border={border})"
    networks = initialize([49, *[convolution] * 4, 10], ["he"] * 12, range(12), "relu")
    networks.forward(np.random.default_rng(0).random((8, 49)))
    maps = np.array([np.square(z).mean(axis=(0, 1, 4)) for z in networks.pre_activations[:4]])
    assert maps == pytest.approx(predicted(maps[0], 2.0, border, 4), rel=0.2)


def test_the_factor_of_a_layer_is_that_of_a_geometric_series(monkeypatch):
    squares = 0.9 ** np.arange(SETTINGS.deep)[None, :, None, None] * np.ones((5, 1, 7, 7))
    monkeypatch.setattr(he_2015_convolution, "mean_squares", lambda *_: {"squares": squares})
    assert he_2015_convolution.factors(SETTINGS, "he", "zeros") == pytest.approx(np.full(5, 0.9))


def test_the_images_have_the_size_that_the_page_says():
    sizes = [784, *he_2015_convolution.hidden_layers(SETTINGS, 2, SETTINGS.channels), 10]
    network = initialize(sizes, ["he"])
    network.forward(np.zeros((1, 784)))
    side = SETTINGS.side
    assert network.pre_activations[0].shape == (1, SETTINGS.channels, side, side, 1)
