"""Verdicts: each symptom in a network that is known to have it, cures that theory confirms, and limits."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from initlab.diagnosis.criteria import CRITERIA, NETWORK_NUMBERS
from initlab.diagnosis.cures import Proposal, best_variance, propose
from initlab.diagnosis.limits import ADAPTIVE, LAYER_NUMBERS, SYMPTOMS, layer_numbers, severity
from initlab.diagnosis.record import TRAINED_OTHERS, record_of, record_of_others
from initlab.diagnosis.verdict import diagnose
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.init.per_layer import Initialization
from initlab.init.scheme import Scheme
from initlab.measure.layers import measure_layers
from initlab.nn.activations import ACTIVATIONS
from initlab.nn.architecture import Skip
from initlab.nn.normalization import BatchNorm, LayerNorm
from initlab.nn.optimizers import OPTIMIZERS
from initlab.theory.mean_field import gradient_factor

RNG = np.random.default_rng(0)
RESULTS = Path(__file__).parents[2] / "results"
INPUTS, LABELS = RNG.standard_normal((200, 80)), RNG.integers(10, size=200)


def diagnosed(scheme, activation, depth, **how):
    return diagnose(scheme, activation, [100] * depth, INPUTS, LABELS, **{"seeds": 3, **how})


@pytest.mark.parametrize(
    ("scheme", "activation", "depth", "word", "layers"),
    [
        ("zeros", "sigmoid", 3, "symmetric", [1, 2, 3]),
        ("constant(value=0.1)", "tanh", 3, "symmetric", [1, 2, 3]),
        ("std=0.1", "sigmoid", 8, "collapsed", None),
        ("std=0.01", "tanh", 4, "vanishing", None),
        ("std=1", "relu", 5, "exploding", None),
        ("std=1", "tanh", 2, "saturated", [1, 2]),
        ("zeros", "relu", 2, "dead", [1, 2]),
        ("he", "relu", 20, "healthy", []),
        ("lecun", "tanh", 10, "healthy", []),
    ],
)
def test_each_symptom_is_seen_in_a_network_that_has_it(scheme, activation, depth, word, layers):
    diagnosis = diagnosed(scheme, activation, depth)
    assert word in diagnosis.words
    having = [layer.layer for layer in diagnosis.layers if word in layer.words and word != "healthy"]
    assert having if layers is None else having == layers


def test_every_symptom_is_among_those_tried():
    tried = {"symmetric", "collapsed", "vanishing", "exploding", "saturated", "dead"}
    assert {symptom.word for symptom in SYMPTOMS} == tried


def test_numbers_are_those_that_theory_gives():
    """std=0.1 in linear layers of 100 keeps all; std=0.2 multiplies signal and gradient by 4 a layer."""
    level, growing = diagnosed("std=0.1", "identity", 4), diagnosed("std=0.2", "identity", 4)
    for layer in level.layers:
        assert 0.4 < layer.numbers["signal"] < 2.5
        assert 0.4 < layer.numbers["gradient"] < 2.5
        assert 0.8 < layer.numbers["difference"] < 1.2
    assert 64 / 2.5 < growing.layers[-1].numbers["signal"] < 64 * 2.5
    assert 64 / 2.5 < growing.layers[0].numbers["gradient"] < 64 * 2.5


NORMS = ["batch", "layer", "batch(place=after)", "layer(place=after)"]


@pytest.mark.parametrize("norm", NORMS)
def test_the_scale_of_a_normalized_layer_does_not_matter(norm):
    """Weights a hundred times larger get gradients a hundred times smaller; relative changes stay."""
    starts = [Initialization(Scheme("he"), first=Scheme.parse(f"std={std}")) for std in (0.1, 10)]
    small, large = (diagnosed(start, "relu", 4, norm=norm, cure=False) for start in starts)
    for layer, larger in zip(small.layers, large.layers, strict=True):
        assert larger.numbers == pytest.approx(layer.numbers, rel=0.01)


@pytest.mark.parametrize("norm", [None, "batch", "layer(place=after)"])
@pytest.mark.parametrize("scheme", ["fixup", "skipinit", "rezero"])
def test_branches_that_begin_at_zero_are_bypassed(scheme, norm):
    """They get no gradient before the first step, as it is meant; the layers around them keep theirs."""
    diagnosis = diagnosed(scheme, "relu", 20, skip="2, scale=learned", norm=norm)
    assert diagnosis.verdict == "trains"
    assert [layer.layer for layer in diagnosis.layers if layer.is_bypassed] == list(range(2, 20, 2))
    bypassed = diagnosis.layers[1]
    assert not bypassed.numbers["gradient"] > 0
    assert (bypassed.words, bypassed.symptoms) == (["bypassed"], [])
    assert {row[0] for row in diagnosis.summary()} <= {"yes", "?"}
    assert diagnosis.table()[2][-1] == "bypassed"


def test_a_skip_connection_repairs_no_layer_before_it():
    ill = diagnosed("zeros", "relu", 4, skip="2", cure=False)
    assert ill.verdict == "does not train"
    assert ill.layers[0].words == ["symmetric", "dead", "collapsed"]
    assert ill.severities == [ill.severity] * 3


@pytest.mark.parametrize(
    "how",
    [{}, {"skip": "1"}, {"norm": LayerNorm(), "skip": "every=2, scale=0.5"}]
    + [{"norm": norm} for norm in ("layer(place=after)", "layer")]
    + [{"norm": norm, "skip": "2, order=post"} for norm in ("layer(place=after)", "layer")],
)
def test_theory_stands_beside_what_is_measured(how):
    diagnosis = diagnose("he", "relu", [400] * 4, INPUTS, LABELS, **how)
    for name in ("signal", "gradient", "difference"):
        measured = [layer.numbers[name] for layer in diagnosis.layers]
        assert diagnosis.predicted[name] == pytest.approx(measured, rel=0.25), name
    number, predicted = diagnosis.table()[4][2].split()
    assert float(predicted.strip("()")) == pytest.approx(float(number), rel=0.25)
    assert diagnosed("constant(value=0.1)", "relu", 2).predicted == {}


def test_the_words_change_where_the_limit_is_passed():
    """Signals of linear layers with std=0.05 fall by 4 a layer: e^-3 is passed at the fourth, e^-8 later."""
    layers = diagnosed("std=0.05", "identity", 8).layers
    assert layers[1].words != ["vanishing"] or layers[1].numbers["gradient"] < math.exp(-3)
    for layer in layers[4:]:
        assert layer.numbers["signal"] < math.exp(-3)
        assert "vanishing" in layer.words
    verdicts = [diagnosed("std=0.05", "identity", depth).verdict for depth in (2, 5, 8)]
    assert verdicts == ["trains", "in doubt", "does not train"]


def test_the_severity_is_that_of_the_worst_factor_of_the_worst_layer():
    diagnosis = diagnosed("std=0.2", "identity", 4)
    factors = [layer.numbers[name] for layer in diagnosis.layers for name in ("signal", "gradient")]
    assert diagnosis.severity == pytest.approx(max(abs(math.log(factor)) for factor in factors))


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_signals_that_overflow_are_a_result_without_warnings(name):
    diagnosis = diagnosed("std=1e200", name, 3, cure=False)
    assert (diagnosis.verdict, diagnosis.severity) == ("does not train", math.inf)
    assert "exploding" in repr(diagnosis)


def test_the_severities_of_single_networks_are_those_of_diagnoses_of_one():
    """A diagnosis of the first network alone gives the first severity."""
    diagnosis, alone = (diagnosed("he", "relu", 30, seeds=seeds) for seeds in (3, 1))
    assert len(diagnosis.severities) == 3
    assert diagnosis.severities[0] == alone.severity
    low, high = min(diagnosis.severities), max(diagnosis.severities)
    assert f", single networks {low:.1f} to {high:.1f})" in repr(diagnosis)
    assert "single networks" not in repr(alone)


def test_optimizers_that_rescale_gradients_forgive_them_and_nothing_else():
    fading = {"signal": 1.0, "gradient": math.exp(-12), "difference": 1.0}
    alike = {"signal": 1.0, "gradient": 1.0, "difference": math.exp(-12)}
    for name in OPTIMIZERS:
        assert severity(alike, name) == pytest.approx(12)
        assert severity(fading, name) == pytest.approx(12 * 8 / 13.7 if name in ADAPTIVE else 12)
    assert set(ADAPTIVE) < set(OPTIMIZERS)


def test_a_saturated_network_may_train_all_the_same():
    """Slopes of large weights are small, but many gradients add up."""
    diagnosis = diagnosed("std=1", "tanh", 2)
    assert "saturated" in diagnosis.words
    assert diagnosis.verdict != "does not train"


def test_pairs_are_units_of_their_own_unless_the_activation_is_odd():
    assert diagnosed("mirror", "relu", 3).layers[1].numbers["distinct"] == 1
    assert diagnosed("mirror", "tanh", 3).layers[1].numbers["distinct"] == 0.5


def test_one_bad_layer_among_good_ones_is_the_one_that_is_named():
    narrow = diagnose("constant(value=0.1)", "tanh", [1, 50], INPUTS, LABELS, seeds=1)
    assert narrow.layers[0].words == ["healthy"]
    assert narrow.layers[1].words[0] == "symmetric"


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("width", [30, 100])
def test_a_cure_is_healthy_itself(name, width):
    for depth in (3, 20):
        ill = diagnose("std=0.001", name, [width] * depth, INPUTS, LABELS, seeds=3)
        assert ill.verdict == "does not train"
        assert ill.cure.depth is None
        again = diagnose(ill.cure.scheme, name, [width] * depth, INPUTS, LABELS, seeds=3)
        assert again.verdict == "trains"
        assert again.severity == ill.cure.severity
        assert again.cure is None


def test_what_no_start_cures_gets_normalization_or_fewer_layers(monkeypatch):
    """With starts that are all ill, the cure is found elsewhere, or nothing is told."""

    def cure_with(scheme, depth):
        proposals = [Proposal(Scheme.parse(scheme), "it is ill")]
        monkeypatch.setattr("initlab.diagnosis.verdict.propose", lambda *_: proposals)
        diagnosis = diagnosed("std=0.01", "relu", depth)
        return diagnosis.cure, repr(diagnosis).splitlines()[-1]

    normalized, line = cure_with("lecun(gain=0.5)", 6)
    assert str(normalized) == "lecun(gain=0.5) with Batch Normalization"
    assert line.startswith("Try lecun(gain=0.5) with Batch Normalization, which is healthy here: it is ill")
    shallow, _ = cure_with("lecun(gain=0.5)", 40)
    assert shallow.depth in (1, 2)
    hopeless, line = cure_with("zeros", 12)
    assert hopeless is None
    assert line.startswith("No start that was tried is healthy")


def test_branches_that_add_too_much_get_a_smaller_scale():
    """He's branches double the signal in each of 19 blocks: e^13 in all."""
    ill = diagnosed("he", "relu", 20, skip="1")
    assert (ill.verdict, str(ill.cure)) == ("does not train", "he with skip(every=1, scale=1/sqrt(blocks))")
    assert repr(ill).splitlines()[-1].startswith("Try he with skip(every=1, scale=1/sqrt(blocks)), which is")
    again = diagnosed("he", "relu", 20, skip=ill.cure.skip)
    assert (again.verdict, again.severity) == ("trains", ill.cure.severity)


def test_a_cure_of_a_normalized_network_keeps_its_normalization():
    """Only what is new is told, and lsuv, which needs a perceptron, is left out."""
    ill = diagnosed("zeros", "relu", 4, norm=LayerNorm("after"), skip="2")
    assert ill.cure is not None
    assert not ill.cure.batch_norm
    again = diagnosed(ill.cure.scheme, "relu", 4, norm=LayerNorm("after"), skip="2")
    assert (again.verdict, again.severity) == ("trains", ill.cure.severity)


@pytest.mark.parametrize("how", [{"skip": "2"}, {"norm": LayerNorm(), "skip": "2"}, {"norm": BatchNorm()}])
def test_a_verdict_on_another_network_has_the_record_of_such_networks(how):
    text = repr(diagnosed("he", "relu", 3, **how))
    assert record_of_others("trains", "sgd") in text
    assert record_of("trains", "sgd") not in text
    assert "pooling" not in text


def test_the_record_of_other_networks_is_the_committed_one():
    with (RESULTS / "diagnosis_residual" / "confusion.csv").open() as file:
        rows = list(csv.DictReader(file))
    longest = max(int(row["steps"]) for row in rows)
    counts = {"sgd": {}, "adam": {}}
    for row in rows:
        if int(row["steps"]) == longest:
            trained = int(row["trained"])
            counts[row["optimizer"]][row["verdict"]] = (trained, trained + int(row["did_not"]))
    assert counts == TRAINED_OTHERS


def test_other_networks_are_not_given_up_where_the_optimizer_rescales_gradients():
    """Sigmoids collapse all inputs to e^-15 in a normalized network; Adam may train it all the same."""
    how = {"norm": "layer", "cure": False}
    verdicts = {name: diagnosed("he", "sigmoid", 8, optimizer=name, **how) for name in ("sgd", "adam")}
    assert 8 < verdicts["adam"].severity < 36
    assert [each.verdict for each in verdicts.values()] == ["does not train", "in doubt"]
    assert diagnosed("he", "sigmoid", 40, optimizer="adam", **how).verdict == "does not train"
    assert diagnosed("zeros", "relu", 4, optimizer="adam", **how).verdict == "does not train"
    assert diagnosed("std=0.1", "sigmoid", 10, optimizer="adam", cure=False).verdict == "does not train"


def test_a_network_of_images_is_diagnosed():
    inputs = RNG.standard_normal((50, 64))
    diagnosis = diagnose("he", "relu", "conv(8, kernel=3), pool(2), 20", inputs, LABELS[:50], seeds=2)
    assert [layer.units for layer in diagnosis.layers] == [8, 20]
    network = initialize([64, "conv(8, kernel=3)", "pool(2)", 20, 10], "he", 0, dtype="float64")
    first, last = measure_layers(network, inputs, LABELS[:50])[0]
    numbers = layer_numbers([first, last], 1.0)
    # The gradients of a kernel are sums over 36 places.
    expected = 36 * first.gradient_std**2 / last.gradient_std**2
    assert numbers[0]["gradient"] == pytest.approx(expected)
    assert record_of_others(diagnosis.verdict, "sgd", has_pooling=True) in repr(diagnosis)


@pytest.mark.parametrize("name", ["tanh", "relu", "identity"])
def test_where_nothing_saturates_the_best_variance_is_critical(name):
    sigma_w2 = 100 * best_variance(name, 10).scheme.variance((100, 100))
    assert abs(gradient_factor(name, 1e-9, sigma_w2) - 1) < 1e-3


def test_proposals_are_of_several_kinds():
    kinds = [str(proposal.scheme) for proposal in propose("tanh", 10)]
    assert kinds == ["auto", "lecun", "lsuv"]


def test_the_criteria_of_the_italian_source_are_answered():
    met = {answer.criterion.number: answer.met for answer in diagnosed("he", "relu", 10).answers}
    assert all(met.values())
    assert set(met) == set(NETWORK_NUMBERS) == {criterion.number for criterion in CRITERIA}
    bad = {
        "first_loss": ("std=1", "relu"),
        "most_saturated": ("std=1", "tanh"),
        "signal_growth": ("std=1", "relu"),
        "gradient_ratio": ("std=0.01", "tanh"),
        "mean_shift": ("uniform(bound=0.01, mean=0.05)", "relu"),
        "variance_ratio": ("std=0.01", "tanh"),
    }
    for number, (scheme, activation) in bad.items():
        answers = {answer.criterion.number: answer.met for answer in diagnosed(scheme, activation, 6).answers}
        assert not answers[number], number


def test_a_symptom_names_numbers_that_exist():
    assert {symptom.number for symptom in SYMPTOMS} == set(LAYER_NUMBERS)


@pytest.mark.parametrize(
    ("hidden", "inputs", "seeds"), [([], INPUTS, 3), ([10], INPUTS[:1], 3), ([10], INPUTS, 0)]
)
def test_what_cannot_be_diagnosed_is_refused(hidden, inputs, seeds):
    with pytest.raises(UsageError, match="at least one hidden layer, two inputs and one seed"):
        diagnose("he", "relu", hidden, inputs, LABELS[: len(inputs)], seeds=seeds)


def test_texts_are_as_good_as_schemes_and_numbers():
    texts = diagnose("std=0.01", "relu", "100x4", INPUTS, LABELS)
    objects = diagnose(Scheme.parse("std=0.01"), "relu", [100] * 4, INPUTS, LABELS)
    assert texts == objects


def test_a_text_and_a_number_are_as_good_as_normalization_and_skip():
    texts = diagnose("he", "relu", "100x4", INPUTS, LABELS, norm="layer", skip=2)
    objects = diagnose("he", "relu", "100x4", INPUTS, LABELS, norm=LayerNorm(), skip=Skip(2))
    assert texts == objects


def test_a_scheme_of_learned_scales_is_no_cure_with_scales_that_are_numbers():
    """Sigmoids of sigmoids become alike, as branches of scale 0 add nothing."""
    ill = diagnosed("skipinit", "sigmoid", 8, skip="2, scale=learned, order=post")
    assert ill.verdict != "trains"
    assert ill.cure is None or ill.cure.scheme.name != "skipinit"


def test_a_diagnosis_prints_verdict_questions_and_cure_on_one_screen():
    lines = repr(diagnosed("std=0.01", "tanh", 40)).splitlines()
    assert lines[0].startswith("std=0.01, tanh, 80-100x40-10, sgd: does not train (vanishing; severity 1")
    assert [line.split()[0] for line in lines[1:7]] == ["no", "no", "yes", "yes", "yes", "yes"]
    assert lines[1].split("layer 1: ")[1].endswith(" of that in layer 40")
    assert float(lines[1].split("layer 1: ")[1].split()[0]) < 1e-50
    assert "vanishing in layers 2 to 40 (signal below 0.0498): the logits hardly" in "\n".join(lines)
    assert lines[-1].startswith("Try auto, which is healthy here: each unit begins where tanh is nearly")
    assert len(lines) <= 12
    assert len(repr(diagnosed("he", "relu", 3)).splitlines()) == 8


@pytest.mark.parametrize(("optimizer", "kind"), [("momentum", "sgd"), ("rmsprop", "adam")])
def test_a_verdict_comes_with_its_record(optimizer, kind):
    """That of the committed validation."""
    with (RESULTS / "diagnosis" / "confusion.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["optimizer"] == kind]
    longest = max(int(row["steps"]) for row in rows)
    for row in rows:
        if int(row["steps"]) == longest:
            trained = int(row["trained"])
            expected = f"{trained} of the {trained + int(row['did_not'])} with this verdict trained"
            assert record_of(row["verdict"], optimizer) == f"In a trial with random networks, {expected}"
    assert "In a trial with random networks" in repr(diagnosed("he", "relu", 3, optimizer=optimizer))


@pytest.mark.long
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("width", [30, 100, 300])
def test_a_start_cures_every_activation_at_every_depth_and_width(name, width):
    for depth in (3, 10, 30, 80):
        ill = diagnose("std=0.001", name, [width] * depth, INPUTS, LABELS, seeds=3)
        assert ill.cure.depth is None
        assert not ill.cure.batch_norm


def test_a_notebook_shows_a_diagnosis_as_a_table():
    start = Initialization(Scheme("he"), bias=Scheme("classic"))
    html = diagnosed(start, "relu", 2)._repr_html_()
    assert "<b>he, bias classic, relu, 80-100x2-10, sgd: trains (healthy; severity 0." in html
    assert html.count("<tr>") == 7


def test_a_start_of_learned_branches_is_not_tried_with_fixed_ones():
    rng = np.random.default_rng(0)
    inputs, labels = rng.standard_normal((50, 20)), rng.integers(3, size=50)
    skip = "2, scale=learned, order=post"
    diagnosis = diagnose("skipinit", "sigmoid", "20x20", inputs, labels, seeds=2, skip=skip)
    assert diagnosis.verdict != "trains"
    assert diagnosis.cure
