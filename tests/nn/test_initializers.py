"""Every scheme's draws: moments, bounds, fans, independence; and how schemes are written."""

import doctest
import math

import numpy as np
import pytest
from scipy import stats

from initlab.errors import UsageError
from initlab.nn.initializers import ALIASES, INITIALIZERS, Scheme, variance_scaling
from initlab.nn.streams import Purpose, stream

N_IN, N_OUT = 900, 400

# The published laws, written out once more: (variance, bound of the uniform or None for the normal).
EXPECTED = {
    "zeros": (0.0, 0.0),
    "constant(value=0.3)": (0.0, 0.3),
    "std=0.01": (1e-4, None),
    "uniform(bound=0.2)": (0.04 / 3, 0.2),
    "variance_scaling": (1 / 900, None),
    "variance_scaling(scale=3, fan=out)": (3 / 400, None),
    "variance_scaling(fan=average, distribution=uniform)": (1 / 650, math.sqrt(3 / 650)),
    "lecun": (1 / 900, None),
    "lecun_uniform": (1 / 900, math.sqrt(3 / 900)),
    "xavier": (2 / 1300, None),
    "xavier_uniform": (2 / 1300, math.sqrt(6 / 1300)),
    "he": (2 / 900, None),
    "he_uniform": (2 / 900, math.sqrt(6 / 900)),
    "book:xavier": (1 / 900, None),
}


def draw(text, seed=0, shape=(N_IN, N_OUT), layer=0):
    return Scheme.parse(text).draw(stream(seed, Purpose.WEIGHTS, layer), shape)


def test_every_registered_scheme_is_expected_here():
    assert {Scheme.parse(text).name for text in EXPECTED} == set(INITIALIZERS)


@pytest.mark.parametrize("text", EXPECTED)
class TestDraws:
    def test_moments(self, text):
        """Within four standard errors, which a wrong fan or a factor of 1.02 exceeds."""
        variance, bound = EXPECTED[text]
        W = draw(text)
        if variance == 0:
            assert ((bound or 0) == W).all()
            return
        count = W.size
        assert abs(W.mean()) < 4 * math.sqrt(variance / count)
        excess = 3.0 if bound is None else 1.8
        assert abs(W.var() / variance - 1) < 4 * math.sqrt((excess - 1) / count)

    def test_theory_knows_the_variance(self, text):
        scheme = Scheme.parse(text)
        if scheme.name == "constant":
            assert not scheme.has_theory
            with pytest.raises(UsageError, match="theory says nothing"):
                scheme.variance((N_IN, N_OUT))
        else:
            assert scheme.has_theory
            assert scheme.variance((N_IN, N_OUT)) == pytest.approx(EXPECTED[text][0], rel=1e-12)

    def test_distribution(self, text):
        variance, bound = EXPECTED[text]
        W = draw(text).ravel()
        if bound is not None:
            assert np.abs(W).max() <= bound
        if variance:
            law = stats.norm(scale=math.sqrt(variance)) if bound is None else stats.uniform(-bound, 2 * bound)
            assert stats.kstest(W[:50_000], law.cdf).pvalue > 1e-3

    def test_entries_are_independent(self, text):
        """Rows, columns, neighbours, layers and seeds are uncorrelated."""
        if EXPECTED[text][0] == 0:
            return
        W = draw(text)
        pairs = [
            (W[:-1], W[1:]),
            (W[:, :-1], W[:, 1:]),
            (W, draw(text, layer=1)),
            (W, draw(text, seed=1)),
        ]
        for one, other in pairs:
            correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
            assert abs(correlation) < 4 / math.sqrt(one.size)

    def test_same_seed_same_bits(self, text):
        assert draw(text).tobytes() == draw(text).tobytes()

    def test_text_reads_back(self, text):
        scheme = Scheme.parse(text)
        assert Scheme.parse(str(scheme)) == scheme
        assert Scheme.parse(scheme.short) == scheme
        assert hash(Scheme.parse(str(scheme))) == hash(scheme)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_formula_and_source_are_told(name):
    known = INITIALIZERS[name]
    assert known.formula
    assert known.source
    function = getattr(known.draw, "func", known.draw)
    assert doctest.DocTestFinder().find(function, globs={})[0].examples


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_is_the_same_scheme(alias, name):
    assert Scheme.parse(alias) == Scheme.parse(name)


def test_the_normal_and_the_uniform_member_of_a_family_have_the_same_variance():
    for family in ("he", "xavier", "lecun"):
        normal, uniform = draw(family).var(), draw(f"{family}_uniform").var()
        assert normal == pytest.approx(uniform, rel=0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xaveir", "unknown scheme 'xaveir'; did you mean 'xavier'"),
        ("normal", r"normal needs std, as in normal\(std=0.1\)"),
        ("normal(std=-1)", "std must be 0 or more, not -1"),
        ("std=-1", "std must be 0 or more"),
        ("std=abc", "std must be a finite number, not 'abc'"),
        ("std=nan", "finite"),
        ("std=inf", "finite"),
        ("std=", "finite number, not ''"),
        ("normal(sd=1)", "unknown argument of normal 'sd'; did you mean 'std'"),
        ("normal(1)", "write name=value"),
        ("normal(std=1, std=2)", "each name once"),
        ("variance_scaling(fan=inn)", "unknown fan 'inn'; did you mean 'in'"),
        ("variance_scaling(scale=-2)", "scale must be 0 or more"),
        ("uniform(bound=-1)", "bound must be 0 or more"),
        ("he(", "cannot read the scheme"),
        ("", "cannot read the scheme"),
        ("x" * 10_000, "unknown scheme 'xxx"),
        ("__import__('os')", "cannot read|unknown scheme"),
    ],
)
def test_wrong_schemes_are_told_in_words(text, message):
    with pytest.raises(UsageError, match=message) as error:
        Scheme.parse(text)
    assert len(str(error.value)) < 600


def test_scaling_zero_is_zeros():
    assert not variance_scaling(np.random.default_rng(0), (3, 4), scale=0).any()
