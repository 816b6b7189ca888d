"""Schemes for the first and last layer and for biases."""

import numpy as np
import pytest
from scipy import stats

from initlab import Scheme
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.per_layer import BIAS_SCHEMES, Initialization
from initlab.init.scheme import SCHEMES
from initlab.runner.config import load_experiment
from initlab.runner.grid import expand
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


def test_the_default_of_a_library_has_its_biases_and_keeps_its_words():
    start = Initialization.of("torch:linear")
    network = initialize([400, 300, 10], [start, "classic"])
    assert (str(start), str(start.scheme)) == ("torch:linear", "classic")
    assert np.array_equal(network.weights[0][0], network.weights[0][1])
    biases = network.biases[0]  # U(+-1 / sqrt(400)): its standard deviation is 1 / sqrt(3 * 400)
    assert 0.049 < np.abs(biases[0]).max() <= 0.05
    assert biases[0].std() == pytest.approx(1 / 1200**0.5, rel=0.1)
    assert not biases[1].any()
    assert Initialization.of("torch:kaiming_normal").bias is None  # a function for weights alone
    assert start != Initialization.of("classic")


def test_a_config_has_the_biases_of_a_library_unless_it_says_otherwise(small_config):
    inits = "[torch:linear, {scheme: torch:linear, bias: zeros, label: none}, classic]"
    overrides = [f"sweep.init={inits}", "sweep.seed=[0]"]
    runs = expand(load_experiment(small_config, overrides))
    assert [run.label for run in runs] == ["torch:linear", "none", "classic"]
    biases = [run.identity["init"].get("bias") for run in runs]
    assert biases == ["classic", "zeros", None]
    assert len({run.id for run in runs}) == 3
