"""Every law's draws: moments, bounds, fans, independence; and how schemes are written."""

import doctest
import math

import numpy as np
import pytest
from scipy import special, stats

from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.scheme import ALIASES, SCHEMES, Scheme
from initlab.init.schemes import GAINS, variance_scaling
from initlab.nn.streams import Purpose, stream

N_IN, N_OUT = 900, 400


def normal(variance, mean=0.0):
    return stats.norm(mean, math.sqrt(variance))


def uniform(bound, mean=0.0):
    return stats.uniform(mean - bound, 2 * bound)


def truncated(std, mean=0.0):
    return stats.truncnorm(-2, 2, mean, std)


# The published laws, written down a second time: the distribution of a weight, or the value of all weights.
EXPECTED = {
    "zeros": 0.0,
    "constant(value=0.3)": 0.3,
    "std=0.01": normal(1e-4),
    "normal(std=0.01, mean=0.5)": normal(1e-4, mean=0.5),
    "uniform(bound=0.2)": uniform(0.2),
    "uniform(bound=0.2, mean=0.1)": uniform(0.2, mean=0.1),
    "truncated_normal(std=0.05)": truncated(0.05),
    "truncated_normal(std=0.05, mean=1)": truncated(0.05, mean=1),
    "rbm": normal(1e-4),
    "rbm(std=0.1)": normal(1e-2),
    "variance_scaling": normal(1 / 900),
    "variance_scaling(scale=3, fan=out)": normal(3 / 400),
    "variance_scaling(fan=geometric)": normal(1 / 600),
    "variance_scaling(fan=average, distribution=uniform)": uniform(math.sqrt(3 / 650)),
    "variance_scaling(scale=2, distribution=truncated_normal)": truncated(math.sqrt(2 / 900)),
    "variance_scaling(scale=2, distribution=corrected_truncated_normal)": truncated(
        math.sqrt(2 / 900) / 0.87962566103423978
    ),
    "variance_scaling(scale=2, fan=out, gain=tanh)": normal(2 * 25 / 9 / 400),
    "classic": uniform(1 / 30),
    "lecun": normal(1 / 900),
    "lecun(gain=relu)": normal(2 / 900),
    "lecun_uniform": uniform(math.sqrt(3 / 900)),
    "xavier": normal(2 / 1300),
    "xavier_uniform": uniform(math.sqrt(6 / 1300)),
    "xavier(gain=5)": normal(25 * 2 / 1300),
    "xavier_sigmoid": normal(16 * 2 / 1300),
    "xavier_sigmoid_uniform": uniform(4 * math.sqrt(6 / 1300)),
    "he": normal(2 / 900),
    "he(gain=0.5)": normal(0.5 / 900),
    "he_uniform": uniform(math.sqrt(6 / 900)),
    "he_uniform(gain=3)": uniform(3 * math.sqrt(6 / 900)),
    "book:xavier": normal(1 / 900),
    "slide:he": normal((2 / 30) ** 2),
    "critical(activation=tanh)": normal(1 / 900),
    "critical(activation=erf)": normal(math.pi / 4 / 900),
    "random_walk": normal(2 * math.exp(2 * 1.2 / 897.6) / 900),
    "random_walk(activation=identity)": normal(math.exp(1 / 900) / 900),
    "random_walk(activation=tanh)": normal(1.44 / 900),
    "fixup(role=plain, place=hidden, blocks=16, every=3)": normal(2 / 900),
    "fixup(role=branch, place=hidden, blocks=16, every=3)": normal(2 / 4 / 900),
    "fixup(role=branch_end, place=hidden, blocks=16, every=3)": 0.0,
    "fixup(role=plain, place=last, blocks=16, every=3)": 0.0,
    "skipinit": normal(2 / 900),
    "rezero": uniform(math.sqrt(6 / 1300)),
    "gpt2(role=branch, blocks=25)": normal(4e-4),
    "gpt2(role=branch_end, blocks=25)": normal(16e-6),
    "mup(place=first)": normal(1 / 900),
    "mup(place=hidden, scale=2)": normal(2 / 900),
    "mup(place=last, scale=2, base=100)": normal(2 * 100 / 900**2),
}
RANDOM = {text: law for text, law in EXPECTED.items() if not isinstance(law, float)}

# Laws whose weights depend on each other: (variance, number of a unit's n_in weights that are not 0).
DEPENDENT = {
    "orthogonal": (1 / 900, N_IN),
    "orthogonal(gain=2)": (4 / 900, N_IN),
    "orthogonal(gain=relu)": (2 / 900, N_IN),
    "sparse": (0.1 * 1e-4, 90),
    "sparse(nonzero=0.29, std=2)": (0.29 * 4, 261),
    "sparse(nonzero=0.5, per=input)": (0.5 * 1e-4, None),
    "martens": (15 / 900, 15),
    "martens(count=3, std=0.5)": (0.25 * 3 / 900, 3),
    "identity": (None, None),
    "identity(gain=0.5)": (None, None),
    "zero": (None, None),
    "mirror": (None, None),
    "mirror(weights=normal, depth=3, place=last)": (None, None),
    "shift": (None, None),
    "shift(activation=erf, depth=20, input_square=0.1)": (None, None),
    "auto": (None, None),
    "delta_orthogonal": (1 / 900, N_IN),
}
UNCORRELATED = [*RANDOM, *(text for text, (variance, _) in DEPENDENT.items() if variance)]


def draw(text, seed=0, shape=(N_IN, N_OUT), layer=0):
    return Scheme.parse(text).draw(stream(seed, Purpose.WEIGHTS, layer), shape)


def test_every_law_is_tried_here():
    """Those that look at data are in test_data_dependent.py."""
    drawn = {name for name, law in SCHEMES.items() if law.adapt is None}
    assert {Scheme.parse(text).name for text in [*EXPECTED, *DEPENDENT]} == drawn


def test_critical_takes_the_activation_of_its_network():
    sizes = [100, 400, 10]
    alone = initialize(sizes, ["critical"], 0, "tanh")
    assert (alone.parameters == initialize(sizes, ["lecun"], 0, "tanh").parameters).all()
    assert Scheme.parse("critical").within(activation="relu").variance((100, 50)) == 0.02
    with pytest.raises(UsageError, match="depends on the network"):
        draw("critical")
    with pytest.raises(UsageError, match="no variance is critical for gelu"):
        initialize(sizes, ["critical"], 0, "gelu")
    with pytest.raises(UsageError, match="did you mean 'relu'"):
        Scheme.parse("critical(activation=rleu)")


@pytest.mark.parametrize("text", [text for text in EXPECTED if text not in RANDOM])
def test_equal_weights_are_equal(text):
    assert (draw(text) == EXPECTED[text]).all()


@pytest.mark.parametrize(
    "text", ["constant(value=0.3)", "identity", "std=1", "uniform(bound=1)", "truncated_normal(std=1)"]
)
def test_theory_does_not_apply_to_weights_that_are_correlated_or_have_a_mean(text):
    scheme = Scheme.parse(text, {} if text[0] in "ci" else {"mean": 0.1})
    assert not scheme.has_theory
    with pytest.raises(UsageError, match="theory says nothing"):
        scheme.variance((N_IN, N_OUT))


@pytest.mark.parametrize("text", RANDOM)
class TestDraws:
    def test_moments(self, text):
        """Within four standard errors, which a wrong fan or a factor of 1.02 exceeds."""
        law, W = RANDOM[text], draw(text)
        excess = float(law.stats("k"))
        assert abs(W.mean() - law.mean()) < 4 * law.std() / math.sqrt(W.size)
        assert abs(W.var() / law.var() - 1) < 4 * math.sqrt((excess + 2) / W.size)

    def test_theory_knows_the_variance(self, text):
        scheme, law = Scheme.parse(text), RANDOM[text]
        assert scheme.has_theory == (law.mean() == 0)
        if scheme.has_theory:
            assert scheme.variance((N_IN, N_OUT)) == pytest.approx(law.var(), rel=1e-12)

    def test_distribution(self, text):
        law, W = RANDOM[text], draw(text).ravel()
        low, high = law.support()
        assert low <= W.min()
        assert W.max() <= high
        assert stats.kstest(W[:50_000], law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("text", UNCORRELATED)
def test_entries_are_uncorrelated(text):
    """Rows, columns, neighbours, layers and seeds."""
    W = draw(text)
    pairs = [
        (W[:-1], W[1:]),
        (W[:, :-1], W[:, 1:]),
        (W, draw(text, layer=1)),
        (W, draw(text, seed=1)),
    ]
    for left, right in pairs:
        correlation = np.corrcoef(left.ravel(), right.ravel())[0, 1]
        assert abs(correlation) < 4 / math.sqrt(left.size)


@pytest.mark.parametrize(
    ("text", "variance", "count"), [(text, *law) for text, law in DEPENDENT.items() if law[0]]
)
def test_variance_and_number_of_weights_that_depend_on_each_other(text, variance, count):
    W = draw(text)
    assert Scheme.parse(text).variance((N_IN, N_OUT)) == pytest.approx(variance, rel=1e-12)
    assert (W**2).mean() == pytest.approx(variance, rel=4 * math.sqrt(3 / np.count_nonzero(W)))
    if count:
        assert (np.count_nonzero(W, axis=0) == count).all()


@pytest.mark.parametrize("text", [*EXPECTED, *DEPENDENT])
def test_a_scheme_reads_back_from_its_texts(text):
    scheme = Scheme.parse(text)
    for written in (str(scheme), scheme.short):
        again = Scheme.parse(written)
        assert again == scheme
        assert hash(again) == hash(scheme)


def test_arguments_in_another_order_are_the_same_scheme():
    assert Scheme.parse("uniform(mean=1, bound=2)") == Scheme.parse("uniform(bound=2.0, mean=1.0)")
    assert Scheme.parse("uniform(bound=2)") != Scheme.parse("uniform(bound=3)")


@pytest.mark.parametrize("name", SCHEMES)
def test_every_law_has_a_formula_a_source_and_an_example(name):
    law = SCHEMES[name]
    assert law.formula
    assert law.source
    function = law.adapt or getattr(law.draw, "func", law.draw)
    assert doctest.DocTestFinder().find(function, globs={})[0].examples


def test_aliases():
    aliases = {
        "lecun": ["lecun_normal"],
        "xavier": ["xavier_normal", "glorot", "glorot_normal"],
        "xavier_uniform": ["glorot_uniform"],
        "xavier_sigmoid": ["glorot_sigmoid"],
        "xavier_sigmoid_uniform": ["glorot_sigmoid_uniform"],
        "he": ["he_normal", "kaiming", "kaiming_normal"],
        "he_uniform": ["kaiming_uniform"],
        "mirror": ["looks_linear"],
    }
    assert {alias: name for name, others in aliases.items() for alias in others} == ALIASES
    assert str(Scheme.parse("kaiming(gain=2)")) == "he(gain=2)"


def test_truncated_and_plain_normals_of_a_seed_share_their_draws():
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


def haar_misfit(matrices):
    """The distances of E(tr Q)^2 and E(tr Q)^4 from 1 and 3, their values under Haar, in standard errors."""
    traces = np.trace(matrices, axis1=1, axis2=2)
    misfit = [(traces**2).mean() - 1, (traces**4).mean() - 3]
    return np.abs(misfit) / np.sqrt(np.array([2, 96]) / len(traces))


class TestOrthogonal:
    @pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (1, 5), (5, 1)])
    def test_rows_or_columns_are_orthonormal(self, shape):
        W = draw("orthogonal(gain=3)", shape=shape)
        assert W.shape == shape
        product = W.T @ W if shape[0] >= shape[1] else W @ W.T
        assert np.allclose(product, 9 * np.eye(min(shape)), atol=1e-13)

    def test_every_orthogonal_matrix_is_equally_likely(self):
        """The moments of traces (Diaconis & Evans 2001), also after a fixed rotation."""
        matrices = np.stack([draw("orthogonal", seed, (8, 8)) for seed in range(3000)])
        assert (haar_misfit(matrices) < 4).all()
        assert (haar_misfit(matrices @ np.eye(8)[[3, 0, 7, 1, 2, 6, 4, 5]]) < 4).all()

    def test_without_the_choice_of_signs_some_are_more_likely(self):
        rng = np.random.default_rng(0)
        assert (haar_misfit(np.linalg.qr(rng.standard_normal((3000, 8, 8)))[0]) > 4).all()

    @pytest.mark.parametrize("shape", [(8, 3), (3, 8)])
    def test_a_column_or_row_points_anywhere(self, shape):
        """An entry of a random direction in n dimensions is 2 Beta((n - 1) / 2, (n - 1) / 2) - 1."""
        entries = [draw("orthogonal", seed, shape)[0, 0] for seed in range(2000)]
        assert stats.kstest(entries, stats.beta(3.5, 3.5, -1, 2).cdf).pvalue > 1e-3


class TestSparse:
    @pytest.mark.parametrize("text", ["sparse(std=2)", "martens(std=2)", "sparse(std=2, per=input)"])
    def test_the_nonzero_weights_are_normal_and_anywhere(self, text):
        W = draw(text)
        assert stats.kstest(W[W != 0], normal(4).cdf).pvalue > 1e-3
        assert stats.chisquare(np.count_nonzero(W, axis=1)).pvalue > 1e-3
        assert stats.chisquare(np.count_nonzero(W, axis=0)).pvalue > 1e-3

    def test_the_fraction_is_of_each_units_inputs_or_of_each_inputs_units(self):
        """As in Lasagne's Sparse(0.1), and PyTorch's sparse_(sparsity=0.9) with its (out, in) matrices."""
        assert (np.count_nonzero(draw("sparse(nonzero=0.1)"), axis=0) == 90).all()
        assert (np.count_nonzero(draw("sparse(nonzero=0.1, per=input)"), axis=1) == 40).all()

    def test_the_nonzero_weights_are_those_of_the_normal(self):
        W = draw("sparse(std=1)")
        assert (draw("std=1") == W)[W != 0].all()

    @pytest.mark.parametrize(("nonzero", "count"), [(0.29, 29), (0.299, 29), (0, 0), (1, 100)])
    def test_the_number_is_rounded_down_and_floats_do_not_show(self, nonzero, count):
        W = draw(f"sparse(nonzero={nonzero})", shape=(100, 6))
        assert (np.count_nonzero(W, axis=0) == count).all()

    def test_a_small_layer_keeps_all_of_its_weights(self):
        assert np.count_nonzero(draw("martens", shape=(4, 3))) == 12
        assert Scheme.parse("martens").variance((4, 3)) == 1


@pytest.mark.parametrize("shape", [(3, 3), (3, 5), (5, 3)])
def test_the_identity_passes_on_as_many_inputs_as_it_can(shape):
    x = np.arange(1.0, 1.0 + shape[0])
    passed = x @ draw("identity(gain=2)", shape=shape)
    both = min(shape)
    assert (passed[:both] == 2 * x[:both]).all()
    assert not passed[both:].any()


def log_drift(scheme, n, active):
    """The mean logarithm of the factor by which a square layer changes a squared length.

    Each of the n terms is active with the given probability. The sum of squares of k active terms is
    Var W chi^2_k, and E log chi^2_k = digamma(k / 2) + log 2.
    """
    k = np.arange(1, n + 1)
    shares = stats.binom(n, active).pmf(k)
    logs = special.digamma(k / 2) + math.log(2 * scheme.variance((n, n)))
    return float((shares * logs).sum() / shares.sum())


@pytest.mark.parametrize("n", [10, 20, 50, 100, 300])
@pytest.mark.parametrize(("activation", "usual", "active"), [("relu", "he", 0.5), ("identity", "lecun", 1.0)])
def test_the_random_walk_has_no_drift(n, activation, usual, active):
    """He's and LeCun's weights shrink the typical gradient, though not its mean square."""
    walk = Scheme("random_walk", {"activation": activation})
    drift = log_drift(Scheme(usual), n, active)
    assert drift < -0.99 / n
    assert abs(log_drift(walk, n, active)) < 0.05 * abs(drift)


def test_named_gains():
    """Those of PyTorch 2's `calculate_gain`, as it prints them."""
    printed = {"relu": 1.4142135623730951, "leaky_relu": 1.4141428569978354, "tanh": 1.6666666666666667}
    printed |= {"selu": 0.75, "sigmoid": 1, "identity": 1}
    assert printed == GAINS
    for name, gain in GAINS.items():
        assert Scheme("lecun", {"gain": name}).variance((1, 1)) == gain**2


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
        ("normal(std=1, mean=x)", "mean must be a finite number, not 'x'"),
        ("he(gain=-1)", "gain must be 0 or more, not -1"),
        ("he(gain=rleu)", "unknown gain 'rleu'; did you mean 'relu'"),
        ("random_walk(activation=sigmoid)", "unknown activation 'sigmoid'.*known: identity, relu, tanh"),
        ("random_walk(activation=1)", "unknown activation '1.0'"),
        ("orthogonal(gain=-1)", "gain must be 0 or more"),
        ("sparse(nonzero=10)", "nonzero must be from 0 to 1, not 10"),
        ("sparse(sparsity=0.1)", "unknown argument of sparse 'sparsity'"),
        ("sparse(std=-1)", "std must be 0 or more"),
        ("martens(count=2.5)", "count must be a whole number, not 2.5"),
        ("martens(count=0)", "count must be 1 or more, not 0"),
        ("zero(gain=2)", "zero takes no arguments"),
        ("mirror(depth=0)", "depth must be 1 or more, not 0"),
        ("shift(depth=0)", "depth must be 1 or more, not 0"),
        ("shift(depth=1.5)", "depth must be a whole number"),
        ("auto(input_square=0, place=first)", "input_square must be above 0, not 0"),
        ("auto(activation=relo)", "did you mean 'relu'"),
        ("mirror(weights=orthogonl)", "did you mean 'orthogonal'"),
        ("looks_linear(place=middle)", "unknown place 'middle'"),
        ("he(", "cannot read the scheme"),
        ("", "cannot read the scheme"),
        ("x" * 10_000, "unknown scheme 'xxx"),
        ("__import__('os')", "cannot read|unknown scheme"),
    ],
)
def test_the_message_explains_what_is_wrong(text, message):
    with pytest.raises(UsageError, match=message) as error:
        Scheme.parse(text)
    assert len(str(error.value)) < 700


def test_scaling_zero_is_zeros():
    assert not variance_scaling(np.random.default_rng(0), (3, 4), scale=0).any()
