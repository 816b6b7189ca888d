"""The networks that are compared differ in what they are said to differ, and in no more."""

from pathlib import Path

import pytest

from initlab.gallery.reproduce import load

width_depth = load(Path(__file__).parents[2] / "experiments" / "width_depth.py")
SHAPES, SUMS = width_depth.SHAPES, width_depth.SUMS


def test_all_shapes_have_one_depth():
    assert {len(hidden) for hidden in SHAPES.values()} == {18}


@pytest.mark.parametrize("shape", width_depth.OTHERS)
def test_shapes_with_other_sums_have_nearly_as_many_parameters(shape):
    level = width_depth.THROUGHOUT
    assert SUMS[shape] > 1.2 * SUMS[level]
    counts = [width_depth.parameters(SHAPES[name]) for name in (shape, level)]
    assert counts[0] == pytest.approx(counts[1], rel=0.05)


def test_the_shape_that_is_alike_has_exactly_the_same_sum():
    assert SUMS[width_depth.ALIKE] == SUMS[width_depth.OTHERS[-1]]


def test_parameters_are_weights_and_biases():
    assert width_depth.parameters((3,)) == 785 * 3 + 4 * 10
