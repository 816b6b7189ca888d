"""The decoder names what other libraries drew, and what fits equally well."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from initlab.frameworks.decoder import decoded
from initlab.init.scheme import Scheme

RNG = np.random.default_rng(0)
SHAPE = (300, 120)


@pytest.mark.parametrize(
    "scheme",
    [
        *("he", "lecun", "xavier", "he(fan=out)", "std=0.02", "std=1"),
        *("torch:linear", "xavier_uniform", "he_uniform", "lecun_uniform"),
        *("he(distribution=corrected_truncated_normal)", "truncated_normal(std=0.02)"),
    ],
)
def test_a_scheme_is_recognized_by_its_draw(scheme):
    for seed in range(5):
        W = Scheme.parse(scheme).draw(np.random.default_rng(seed), SHAPE)
        assert decoded(W).names == (scheme,)


def test_schemes_of_one_variance_are_all_named():
    W = Scheme.parse("he").draw(RNG, (200, 200))
    assert set(decoded(W).names) == {"he", "he(fan=out)"}


def test_an_orthogonal_matrix_has_its_gain():
    for shape in ((30, 80), (80, 30), (50, 50)):
        W = 1.5 * np.linalg.qr(RNG.standard_normal((80, 80)))[0][: shape[0], : shape[1]]
        if shape[0] != shape[1]:
            assert str(decoded(W)).endswith("orthogonal(gain=1.5)")
    assert decoded(np.eye(9)).names == ("orthogonal(gain=1)",)


def test_a_cut_that_touches_nothing_leaves_no_trace():
    """PyTorch's trunc_normal_(std=0.02) cuts at -2 and 2, which no draw ever reaches."""
    W = truncnorm.rvs(-100, 100, scale=0.02, size=SHAPE, random_state=0)
    assert decoded(W).names == ("std=0.02",)
    assert decoded(W).kind == "normal"


def test_constants_and_strangers_are_told_apart():
    assert str(decoded(np.zeros((3, 3)))) == "zeros"
    assert decoded(np.full((3, 3), 0.5)).kind == "constant"
    assert decoded(RNG.standard_cauchy(SHAPE)).kind == ""
    assert "no known variance" in str(decoded(0.37 * RNG.standard_normal(SHAPE)))


def test_layers_of_pytorch_are_read_as_they_come():
    torch = pytest.importorskip("torch")
    from initlab.torch import schemes_of

    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(200, 150),
        torch.nn.Conv2d(40, 50, 3),
        torch.nn.Embedding(500, 64),
    )
    torch.nn.init.kaiming_normal_(model[1].weight)
    found = schemes_of(model)
    assert found["0.weight"].names == ("torch:linear",)
    assert found["1.weight"].names == ("he",)
    assert found["2.weight"].names == ("std=1",)
    assert set(found) == {"0.weight", "1.weight", "2.weight"}


@pytest.mark.parametrize(
    "scheme", ["he", "lecun", "xavier", "he(fan=out)", "xavier_uniform", "orthogonal(gain=1.5)"]
)
def test_kernels_are_recognized_by_their_own_fans(scheme):
    for seed, shape in enumerate([(50, 30, 3, 3), (50, 20, 5, 5), (120, 16, 9)]):
        kernels = Scheme.parse(scheme).draw(np.random.default_rng(seed), shape)
        assert decoded(kernels).names == (scheme,)


def test_convolutions_of_pytorch_have_the_fans_of_kernels():
    torch = pytest.importorskip("torch")
    from initlab.torch import schemes_of

    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(30, 50, 3)
    torch.nn.init.xavier_uniform_(convolution.weight)
    assert schemes_of(convolution)["weight"].names == ("xavier_uniform",)
