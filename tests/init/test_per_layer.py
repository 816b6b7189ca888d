"""Schemes for the first and last layer and for biases."""

import numpy as np
import pytest
from scipy import stats

from initlab import Scheme
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.per_layer import BIAS_SCHEMES, Initialization
from initlab.init.scheme import SCHEMES
from initlab.theory.layers import predict_layers

SIZES = [300, 200, 200, 100]


def test_each_layer_is_drawn_from_its_own_scheme():
    start = Initialization(Scheme("he"), first=Scheme("lecun"), last=Scheme.parse("std=0.5"))
    ensemble = initialize(SIZES, [start], dtype="float64")
    for layer, text in enumerate(["lecun", "he", "std=0.5"]):
        alone = initialize(SIZES, [text], dtype="float64")
        assert (ensemble.weights[layer] == alone.weights[layer]).all()


@pytest.mark.parametrize(
    ("bias", "law"),
    [
        ("normal(std=0.3)", stats.norm(0, 0.3)),
        ("uniform(bound=0.2)", stats.uniform(-0.2, 0.4)),
        ("truncated_normal(std=1)", stats.truncnorm(-2, 2)),
        ("classic", stats.uniform(-(300**-0.5), 2 * 300**-0.5)),
    ],
)
def test_biases_follow_their_law(bias, law):
    start = Initialization(Scheme("he"), bias=Scheme.parse(bias))
    drawn = [initialize(SIZES, [start], seed).biases[0][0] for seed in range(20)]
    assert stats.kstest(np.concatenate(drawn), law.cdf).pvalue > 1e-3


def test_constant_and_zero_biases():
    for bias, value in (("constant(value=0.25)", 0.25), ("zeros", 0.0)):
        ensemble = initialize(SIZES, [Initialization(Scheme("he"), bias=Scheme.parse(bias))])
        assert all((b == value).all() for b in ensemble.biases)


def test_biases_change_no_weight():
    plain = initialize(SIZES, ["he"])
    biased = initialize(SIZES, [Initialization(Scheme("he"), bias=Scheme.parse("std=1"))])
    assert all((a == b).all() for a, b in zip(plain.weights, biased.weights, strict=True))


def test_theory_follows_the_schemes_of_layers_and_biases():
    """q_1 = 1 + 0.25, and ReLU then keeps half of it: q_2 = 2 / 2 q_1 + 0.25."""
    start = Initialization(Scheme("he"), first=Scheme("lecun"), bias=Scheme.parse("std=0.5"))
    assert [layer.q for layer in predict_layers(start, SIZES, "relu")] == pytest.approx([1.25, 1.5])


@pytest.mark.parametrize("name", BIAS_SCHEMES)
def test_every_bias_scheme_draws_biases(name):
    needed = ", ".join(f"{argument}=0.5" for argument in SCHEMES[name].required())
    start = Initialization(Scheme("zeros"), bias=Scheme.parse(f"{name}({needed})"))
    for b in initialize(SIZES, [start]).biases:
        assert np.any(b) == (name != "zeros")


def test_a_scheme_in_the_wrong_place_is_refused():
    with pytest.raises(UsageError, match="orthogonal is not for biases; those are zeros"):
        Initialization(Scheme("he"), bias=Scheme("orthogonal"))
    with pytest.raises(UsageError, match="first: lsuv looks at data"):
        Initialization(Scheme("he"), first=Scheme("lsuv"))
