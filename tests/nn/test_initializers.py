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


def normal(variance):
    return stats.norm(scale=math.sqrt(variance))


def uniform(bound):
    return stats.uniform(-bound, 2 * bound)


def truncated(std):
    return stats.truncnorm(-2, 2, scale=std)


# The published laws, written out once more, as the distribution of one weight; or the one value of all.
EXPECTED = {
    "zeros": 0.0,
    "constant(value=0.3)": 0.3,
    "std=0.01": normal(1e-4),
    "uniform(bound=0.2)": uniform(0.2),
    "truncated_normal(std=0.05)": truncated(0.05),
    "variance_scaling": normal(1 / 900),
    "variance_scaling(scale=3, fan=out)": normal(3 / 400),
    "variance_scaling(fan=geometric)": normal(1 / 600),
    "variance_scaling(fan=average, distribution=uniform)": uniform(math.sqrt(3 / 650)),
    "variance_scaling(scale=2, distribution=truncated_normal)": truncated(math.sqrt(2 / 900)),
    "variance_scaling(scale=2, distribution=corrected_truncated_normal)": truncated(
        math.sqrt(2 / 900) / 0.87962566103423978
    ),
    "lecun": normal(1 / 900),
    "lecun_uniform": uniform(math.sqrt(3 / 900)),
    "xavier": normal(2 / 1300),
    "xavier_uniform": uniform(math.sqrt(6 / 1300)),
    "he": normal(2 / 900),
    "he_uniform": uniform(math.sqrt(6 / 900)),
    "book:xavier": normal(1 / 900),
}
RANDOM = {text: law for text, law in EXPECTED.items() if not isinstance(law, float)}


def draw(text, seed=0, shape=(N_IN, N_OUT), layer=0):
    return Scheme.parse(text).draw(stream(seed, Purpose.WEIGHTS, layer), shape)


def test_every_registered_scheme_is_expected_here():
    assert {Scheme.parse(text).name for text in EXPECTED} == set(INITIALIZERS)


@pytest.mark.parametrize("text", [text for text in EXPECTED if text not in RANDOM])
def test_equal_weights_are_equal(text):
    assert (draw(text) == EXPECTED[text]).all()


def test_theory_says_nothing_of_weights_whose_mean_is_not_0():
    assert Scheme("zeros").variance((N_IN, N_OUT)) == 0
    constant = Scheme("constant", {"value": 0.3})
    assert not constant.has_theory
    with pytest.raises(UsageError, match="theory says nothing"):
        constant.variance((N_IN, N_OUT))


@pytest.mark.parametrize("text", RANDOM)
class TestDraws:
    def test_moments(self, text):
        """Within four standard errors, which a wrong fan or a factor of 1.02 exceeds."""
        law, W = RANDOM[text], draw(text)
        excess = float(law.stats("k"))
        assert abs(W.mean()) < 4 * law.std() / math.sqrt(W.size)
        assert abs(W.var() / law.var() - 1) < 4 * math.sqrt((excess + 2) / W.size)

    def test_theory_knows_the_variance(self, text):
        scheme = Scheme.parse(text)
        assert scheme.has_theory
        assert scheme.variance((N_IN, N_OUT)) == pytest.approx(RANDOM[text].var(), rel=1e-12)

    def test_distribution(self, text):
        law, W = RANDOM[text], draw(text).ravel()
        low, high = law.support()
        assert low <= W.min()
        assert W.max() <= high
        assert stats.kstest(W[:50_000], law.cdf).pvalue > 1e-3

    def test_entries_are_independent(self, text):
        """Rows, columns, neighbours, layers and seeds are uncorrelated."""
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


@pytest.mark.parametrize("text", EXPECTED)
class TestText:
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


def test_schemes_of_one_seed_share_their_normal_draws():
    """A truncated normal differs from the normal only where it was cut: in 4.55 % of the entries."""
    full, cut = draw("normal(std=1)"), draw("truncated_normal(std=1)")
    assert (cut == full)[np.abs(full) <= 2].all()
    assert (cut != full).mean() == pytest.approx(0.0455, rel=0.02)


def test_the_correction_undoes_what_truncation_takes():
    law = "variance_scaling(distribution={})"
    plain, corrected = (
        Scheme.parse(law.format(name)).variance((100, 9))
        for name in ("truncated_normal", "corrected_truncated_normal")
    )
    assert corrected == 0.01
    assert math.sqrt(plain / corrected) == pytest.approx(0.879626, abs=5e-7)


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
        ("truncated_normal(std=-1)", "std must be 0 or more"),
        ("variance_scaling(distribution=truncated)", "did you mean 'truncated_normal'"),
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
