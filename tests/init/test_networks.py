"""Networks drawn from schemes: the same draws for all schemes of a seed, and the registry behind them."""

import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import initlab.init
from initlab.errors import UsageError
from initlab.init import scheme as scheme_module
from initlab.init.networks import initialize
from initlab.init.per_layer import Initialization
from initlab.init.scheme import LIBRARY_NAMES, SCHEMES, Scheme
from initlab.nn.normalization import BatchNorm
from initlab.nn.streams import Purpose, stream

MODULES = [f"initlab.init.{module.name}" for module in pkgutil.iter_modules(initlab.init.__path__)]
REGISTERED = """
import sys, {module}
registries = sys.modules["initlab.init.scheme"]
registries.Scheme("he")
print(*registries.SCHEMES, *registries.LIBRARY_NAMES)
"""


@pytest.mark.parametrize("module", MODULES)
def test_importing_any_module_alone_gives_the_whole_registry(module):
    code = [sys.executable, "-c", REGISTERED.format(module=module)]
    printed = subprocess.run(code, check=True, capture_output=True, text=True).stdout.split()
    assert set(printed) == {*SCHEMES, *LIBRARY_NAMES}


def test_every_scheme_of_a_seed_has_the_same_underlying_draws():
    ensemble = initialize([30, 20, 10], ["std=1", "std=0.01", "he"], 7, dtype="float64")
    for W in ensemble.weights:
        np.testing.assert_allclose(W[1], 0.01 * W[0], rtol=1e-12)
        np.testing.assert_allclose(W[2], W[0] * np.sqrt(2 / W.shape[1]), rtol=1e-12)


def test_layers_and_seeds_have_draws_of_their_own():
    ensemble = initialize([20, 20, 20], ["std=1", "std=1"], [7, 8])
    first, second = ensemble.weights
    pairs = [(first[0], first[1]), (first[0], second[0]), (first[1], second[0])]
    for W, V in pairs:
        assert not np.intersect1d(W, V).size


def test_the_weights_of_a_layer_come_from_its_own_stream():
    ensemble = initialize([9, 8, 7], ["he"], 3, dtype="float64")
    for layer, W in enumerate(ensemble.weights):
        assert (W[0] == Scheme("he").draw(stream(3, Purpose.WEIGHTS, layer), W[0].shape)).all()


def test_float32_is_the_rounded_float64():
    single, double = (initialize([9, 8, 7], ["he"], 3, dtype=dtype) for dtype in ("float32", "float64"))
    assert (single.parameters == double.parameters.astype(np.float32)).all()


def test_a_scheme_may_be_a_text_a_value_or_an_initialization():
    he = Scheme("he")
    ensemble = initialize([9, 8, 7], ["he", he, Initialization(he)], 3)
    assert (ensemble.parameters == ensemble.parameters[0]).all()


def test_a_text_is_read_once(monkeypatch):
    texts, read = [], scheme_module.read_call
    monkeypatch.setattr(scheme_module, "read_call", lambda kind, text: texts.append(text) or read(kind, text))
    text = "normal(std=0.0123456)"
    schemes = [Scheme.parse(text) for _ in range(3)]
    assert texts == [text]
    assert schemes[0] is schemes[2]
    assert Scheme.parse("he") is Scheme.parse("he")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([2], ["he"]), "at least two"),
        (([2, -1], ["he"]), "from 1 on"),
        (([2, 2], []), "0 schemes"),
        (([2, 2], ["he", "he"], [1]), "2 schemes but 1 seeds"),
        (([2, 2], ["hee"]), "did you mean 'he'"),
        (([2, 2], ["he"], 0, "rleu"), "did you mean 'relu'"),
        (([2, 2], ["he"], 0, "relu", "float16"), "float32 or float64"),
        ((5, ["he"]), "sizes are .* not 5"),
        (([2, 2.5, 2], ["he"]), "whole numbers from 1 on"),
        (([2, 2], 0.01), "a scheme is a text, as 'he', not 0.01; did you mean 'std=0.01'"),
        (([2, 2], [0.01]), "not 0.01; did you mean 'std=0.01'"),
        (([2, 2], "he,xavier"), "give each by itself"),
        (([2, 2], ["he"], 0.5), "seeds are whole numbers from 0 on, not 0.5"),
        (([2, 2], ["he"], -1), "seeds are whole numbers from 0 on, not -1"),
        (([2, 2], ["he"], 0, ["relu"]), "the activation must be one name, not"),
    ],
)
def test_the_message_explains_what_is_wrong(arguments, message):
    with pytest.raises(UsageError, match=message):
        initialize(*arguments)


@pytest.mark.parametrize("data", [[[1.0, 2.0, 3.0]], [1.0, 2.0], "mnist", [[1.0], [1.0, 2.0]]])
def test_inputs_that_do_not_fit_the_network_are_refused(data):
    with pytest.raises(UsageError, match="inputs must "):
        initialize([2, 2, 2], ["lsuv"], data=data)


def test_inputs_may_be_nested_lists():
    inputs = np.random.default_rng(0).standard_normal((50, 2))
    networks = [initialize([2, 4, 2], ["lsuv"], data=each) for each in (inputs, inputs.tolist())]
    assert (networks[0].parameters == networks[1].parameters).all()


def test_a_scheme_that_looks_at_data_does_not_go_with_batch_normalization():
    with pytest.raises(UsageError, match="lsuv and Batch or Layer Normalization both rescale"):
        initialize([2, 2, 2], ["lsuv"], data=np.ones((2, 2)), norm=BatchNorm())
