"""Convolutional and dense networks are equal in what the page says: parameters, depth, starts."""

from pathlib import Path

import numpy as np
import pytest

from initlab import initialize
from initlab.gallery.reproduce import load
from initlab.nn.architecture import roles

convolution = load(Path(__file__).parents[2] / "experiments" / "convolution.py")
FORMS = {"full": convolution.exhibit.settings, "quick": convolution.exhibit.quick}


def drawn(s, kind, depth, start="he"):
    return initialize([784, *convolution.hidden_layers(s, kind, depth), 10], [start])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("depth", convolution.DEPTHS)
def test_both_kinds_have_as_many_parameters_and_layers(form, depth):
    """Counted in the arrays of the networks."""
    s = FORMS[form]
    networks = {kind: drawn(s, kind, depth) for kind in convolution.KINDS}
    counts = {kind: sum(a.size for a in (*n.weights, *n.biases)) for kind, n in networks.items()}
    assert counts == {kind: convolution.parameters(s, kind, depth) for kind in networks}
    assert abs(counts["dense"] / counts["convolutional"] - 1) <= s.tolerance / 100
    depths = {len(roles(network.layers)) - 1 for network in networks.values()}
    assert depths == {convolution.layers(s, depth)}


@pytest.mark.parametrize("kind", convolution.KINDS)
def test_the_start_of_pytorch_fills_its_range_and_no_more(kind):
    """U(-1/sqrt(n_in), 1/sqrt(n_in)), for weights and biases."""
    network = drawn(FORMS["full"], kind, "deep", "torch:linear")
    for W, b in zip(network.weights, network.biases, strict=True):
        n_in = np.prod(W.shape[2:]) if W.ndim == 5 else W.shape[1]
        assert 0.97 < np.abs(W).max() * np.sqrt(n_in) <= 1 + 1e-6
        assert 0.5 < np.abs(b).max() * np.sqrt(n_in) <= 1 + 1e-6


def test_a_gain_is_what_convolutional_networks_end_lower(monkeypatch):
    s = FORMS["full"]
    ends = {"dense": 3.0, "convolutional": 1.0}

    def trained(_, kind, depth):
        del depth
        return {"he": np.full((5, max(s.steps)), ends[kind])}

    monkeypatch.setattr(convolution, "trained", trained)
    assert [g.tolist() for g in convolution.gains(s, ("he",), 300).values()] == [[2.0] * 5] * 2
