"""Schemes for the first and last layer and for biases."""

import numpy as np
import pytest
from scipy import stats

from initlab import Ensemble, Scheme
from initlab.analysis.theory import predict_layers
from initlab.errors import UsageError
from initlab.nn.initializers import INITIALIZERS
from initlab.nn.starts import BIAS_SCHEMES, Start

SIZES = [300, 200, 200, 100]


def test_each_layer_is_drawn_from_its_own_scheme():
    start = Start(Scheme("he"), Scheme("lecun"), Scheme.parse("std=0.5"))
    ensemble = Ensemble.from_schemes(SIZES, [start], dtype="float64")
    for layer, text in enumerate(["lecun", "he", "std=0.5"]):
        alone = Ensemble.from_schemes(SIZES, [text], dtype="float64")
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
    start = Start(Scheme("he"), bias=Scheme.parse(bias))
    drawn = [Ensemble.from_schemes(SIZES, [start], seed).biases[0][0] for seed in range(20)]
    assert stats.kstest(np.concatenate(drawn), law.cdf).pvalue > 1e-3


def test_constant_and_zero_biases():
    for bias, value in (("constant(value=0.25)", 0.25), ("zeros", 0.0)):
        ensemble = Ensemble.from_schemes(SIZES, [Start(Scheme("he"), bias=Scheme.parse(bias))])
        assert all((b == value).all() for b in ensemble.biases)


def test_biases_change_no_weight():
    plain = Ensemble.from_schemes(SIZES, ["he"])
    biased = Ensemble.from_schemes(SIZES, [Start(Scheme("he"), bias=Scheme.parse("std=1"))])
    assert all((a == b).all() for a, b in zip(plain.weights, biased.weights, strict=True))


def test_theory_knows_layers_and_biases():
    """q_1 = 1 + 0.25, and ReLU then keeps half of it: q_2 = 2 / 2 q_1 + 0.25."""
    start = Start(Scheme("he"), Scheme("lecun"), bias=Scheme.parse("std=0.5"))
    assert [layer.q for layer in predict_layers(start, SIZES, "relu")] == pytest.approx([1.25, 1.5])


def test_every_bias_scheme_is_one():
    for name in BIAS_SCHEMES:
        needed = ", ".join(f"{argument}=1" for argument in INITIALIZERS[name].required())
        Start(Scheme("he"), bias=Scheme.parse(f"{name}({needed})"))


def test_what_is_not_for_biases_or_layers_is_refused():
    with pytest.raises(UsageError, match="orthogonal is not for biases; those are zeros"):
        Start(Scheme("he"), bias=Scheme("orthogonal"))
    with pytest.raises(UsageError, match="first: lsuv looks at data"):
        Start(Scheme("he"), first=Scheme("lsuv"))
