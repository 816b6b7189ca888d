"""The residual networks of the experiment are what its page says, and the squares what theory says."""

from pathlib import Path

import numpy as np
import pytest

from initlab.gallery.reproduce import load
from initlab.nn.architecture import network_layers, residuals

residual = load(Path(__file__).parents[2] / "experiments" / "residual.py")


def test_a_network_has_so_many_blocks_of_two_layers():
    s = residual.exhibit.quick
    for blocks in (s.shallow, s.deep):
        sizes = [s.width, *residual.hidden(s, blocks), 10]
        layers = network_layers(sizes, "relu", skip=residual.Skip(2))
        assert len(residuals(layers)) == blocks
        assert all(sum(part.is_affine for part in block.branch) == 2 for block in residuals(layers))


def test_the_squares_are_those_of_a_stream_written_out():
    """Blocks in plain NumPy, from the network's own weights."""
    s = residual.exhibit.quick
    sizes = [s.width, *residual.hidden(s, s.shallow), 10]
    network = residual.initialize(sizes, "he", 0, "relu", "float64", skip=residual.Skip(2))
    x = residual.stream(0, residual.Purpose.INPUTS).standard_normal((s.samples, s.width))
    weights = [W[0] for W in network.weights]
    z, squares = x @ weights[0], []
    for first, second in zip(weights[1:-1:2], weights[2:-1:2], strict=True):
        z = z + np.maximum(np.maximum(z, 0) @ first, 0) @ second
        squares.append((z**2).mean())
    np.testing.assert_allclose(residual.streams(s, residual.PLAIN, s.shallow)["squares"][0], squares)


@pytest.mark.parametrize("start", [residual.FIXUP, residual.SKIPINIT])
def test_blocks_that_begin_at_zero_change_nothing(start):
    s = residual.exhibit.quick
    squares = residual.streams(s, start, s.deep)["squares"]
    assert (squares == squares[:, :1]).all()
