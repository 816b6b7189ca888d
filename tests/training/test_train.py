"""`train`: honest seeds, the same bits in any company, plain arrays, the choice of a rate."""

import numpy as np
import pytest
from textbook import Network

from initlab.data.examples import Examples, array_examples, examples_of
from initlab.errors import UsageError
from initlab.init.networks import initialize
from initlab.nn.architecture import Skip
from initlab.nn.normalization import BatchNorm, LayerNorm
from initlab.nn.optimizers import Optimizer
from initlab.nn.streams import Purpose, stream
from initlab.training import train as module
from initlab.training.rates import train_at_best_rate
from initlab.training.train import train


@pytest.fixture(scope="module")
def data():
    """Three clusters in eight dimensions: training and test examples."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3, 8))
    labels = rng.integers(3, size=800)
    inputs = centres[labels] + 0.5 * rng.standard_normal((800, 8))
    return inputs[:600], labels[:600], inputs[600:], labels[600:]


HOW = {"steps": 30, "hidden": "6x2", "batch_size": 16, "optimizer": "sgd(lr=0.1)"}


def same_bits(one, other):
    return (one.losses.tobytes(), one.test_loss, one.diverged_at) == (
        other.losses.tobytes(),
        other.test_loss,
        other.diverged_at,
    )


def test_losses_are_the_textbooks_for_each_seed_with_its_own_weights_and_batches(data):
    histories = train(["he"], data, seeds=[3, 4], dtype="float64", **HOW)
    for history in histories:
        drawn = initialize([8, 6, 6, 3], ["he"], history.seed, dtype="float64")
        network = Network([W[0] for W in drawn.weights], [b[0] for b in drawn.biases], "relu")
        rng = stream(history.seed, Purpose.BATCHES)
        for loss in history.losses:
            chosen = rng.integers(600, size=16)
            assert loss == pytest.approx(network.step(data[0][chosen], data[1][chosen], 0.1), abs=1e-12)
        assert history.test_accuracy == pytest.approx(network.accuracy(data[2], data[3]), abs=1e-12)


def test_a_text_and_a_number_are_as_good_as_rules(data):
    rules = train(["he"], data, **HOW | {"hidden": "6x3"}, norm=LayerNorm("after"), skip=Skip(2))
    texts = train(["he"], data, **HOW | {"hidden": "6x3"}, norm="layer(place=after)", skip=2)
    plain = train(["he"], data, **HOW | {"hidden": "6x3"})
    assert same_bits(rules[0], texts[0])
    assert not same_bits(plain[0], texts[0])


def test_another_seed_has_other_weights_and_other_batches(data):
    """From equal weights, what differs between two seeds is the batches; with full batches, the weights."""
    batches = train(["constant(value=0.1)"], data, seeds=[0, 1], **HOW).losses
    weights = train(["he"], data, seeds=[0, 1], drawing="full", **HOW).losses
    assert (batches[0] != batches[1]).any()
    assert (weights[0] != weights[1]).any()


def test_company_order_and_cache_change_no_bit(data, monkeypatch):
    schemes = ["he", "xavier", "std=1e6", "std=0.1"]
    together = train(schemes, data, seeds=range(3), **HOW)
    monkeypatch.setattr(module, "CACHE_BYTES", 1)
    by_itself = train(schemes[::-1], data, seeds=[2, 1, 0], **HOW)
    alone = {(history.label, history.seed): history for history in by_itself}
    assert len(together) == 12
    for history in together:
        assert same_bits(history, alone[history.label, history.seed])
    assert [history.diverged_at for history in together.of("std=1000000")] == [1, 1, 1]


@pytest.mark.parametrize(
    "more",
    [
        {"drawing": "without_replacement", "dtype": "float64"},
        {"drawing": "full", "steps": 3},
        {"loss": "squared_error", "clip": 0.1, "weight_decay": 0.01},
        {"loss": "squared_error_logits", "optimizer": "adam(lr=0.01)", "schedule": "cosine"},
        {"norm": BatchNorm("after"), "track_every": 7, "batch_size": 1},
        {"norm": BatchNorm("before"), "hidden": "50,3", "batch_size": 100},
    ],
    ids=repr,
)
def test_networks_of_other_seeds_in_a_pass_change_no_bit(data, more, monkeypatch):
    how = HOW | more
    pairs = {"networks": ["he", "xavier", "std=1e3", "he"], "seeds": [3, 1, 2, 0], "paired": True}
    together = train(data=data, **pairs, **how)
    assert len(module.passes(pairs["seeds"], 100)) == 1
    monkeypatch.setattr(module, "CACHE_BYTES", 1)
    alone = train(data=data, **pairs, **how)
    assert all(map(same_bits, together, alone))
    assert [repr(history.tracked) for history in together] == [repr(history.tracked) for history in alone]


def test_images_prepared_for_many_networks_at_a_time_have_the_same_bits(monkeypatch):
    for inputs in ("unit", "standardized", "per_pixel", "whitened(components=20)"):
        examples = examples_of("mnist", inputs)
        how = {"steps": 4, "hidden": "16x2", "seeds": range(5), "batch_size": 8}
        with monkeypatch.context() as patch:
            patch.setattr(module, "CACHE_BYTES", 1)
            alone = train(["he"], examples, **how)
        assert all(map(same_bits, train(["he"], examples, **how), alone))


def test_schemes_and_seeds_may_be_pairs(data):
    pairs = train(["he", "xavier", "he"], data, seeds=[3, 3, 4], paired=True, **HOW)
    assert [(history.label, history.seed) for history in pairs] == [("he", 3), ("xavier", 3), ("he", 4)]
    every = {(h.label, h.seed): h for h in train(["he", "xavier"], data, seeds=[3, 4], **HOW)}
    assert all(same_bits(history, every[history.label, history.seed]) for history in pairs)
    with pytest.raises(UsageError, match="2 networks but 3 seeds"):
        train(["he", "xavier"], data, seeds=[3, 3, 4], paired=True, **HOW)


@pytest.mark.parametrize(
    ("seeds", "largest", "expected"),
    [
        ([5], 3, [[0]]),
        ([5, 5, 5, 5], 3, [[0, 1, 2], [3]]),
        ([0, 1, 2, 3, 4], 2, [[0, 1], [2, 3], [4]]),
        ([0, 1, 0, 1, 0, 1], 2, [[0, 2], [1, 3], [4, 5]]),
        ([0, 0, 1, 1, 2], 5, [[0, 1], [2, 3], [4]]),
        ([0, 1, 0, 1], 1, [[0], [2], [1], [3]]),
    ],
)
def test_passes_are_of_one_seed_where_they_fill_it(seeds, largest, expected):
    assert [rows.tolist() for rows in module.passes(seeds, largest)] == expected


def test_histories_come_scheme_by_scheme_and_seed_by_seed(data):
    histories = train(["he", "xavier"], data, seeds=[5, 7], **HOW)
    assert [(h.label, h.scheme, h.seed) for h in histories] == [
        ("he", "he", 5),
        ("he", "he", 7),
        ("xavier", "xavier", 5),
        ("xavier", "xavier", 7),
    ]
    assert histories.losses.shape == (4, 30)
    assert [condition.label for condition in histories.conditions()] == ["he", "xavier"]
    with pytest.raises(UsageError, match="there are he, xavier"):
        histories.of("lecun")


def test_an_ensemble_is_trained_in_place_and_gives_the_same_bits_as_its_schemes(data):
    ensemble = initialize([8, 6, 6, 3], ["he", "std=1e6", "xavier"])
    before = ensemble.parameters.copy()
    histories = train(ensemble, data, **{k: v for k, v in HOW.items() if k != "hidden"})
    schemes = train(["he", "std=1e6", "xavier"], data, **HOW)
    assert all(map(same_bits, histories, schemes))
    moved = (ensemble.parameters != before).any(axis=1)
    assert moved.tolist() == [True, False, True]  # the one that diverged keeps its weights
    accuracy = ensemble.accuracy(np.asarray(data[2], np.float32), data[3])
    assert accuracy[[0, 2]].tolist() == [histories[0].test_accuracy, histories[2].test_accuracy]


def test_networks_of_an_ensemble_may_have_seeds_of_their_own(data):
    how = {k: v for k, v in HOW.items() if k != "hidden"}
    both = initialize([8, 6, 6, 3], ["he", "he"], [0, 1])
    histories = train(both, data, seeds=[0, 1], **how)
    assert all(map(same_bits, histories, train(["he"], data, seeds=[0, 1], **HOW)))


def test_an_optimizer_may_have_a_rate_for_each_scheme(data):
    rates = Optimizer("sgd", lr=[0.01, 0.3])
    how = HOW | {"optimizer": rates}
    histories = train(["he", "he"], data, seeds=[0, 1], **how)
    assert [history.learning_rate for history in histories] == [0.01, 0.01, 0.3, 0.3]
    assert [history.label for history in histories] == ["he (1)", "he (1)", "he (2)", "he (2)"]
    alone = train(["he"], data, seeds=[0, 1], **HOW | {"optimizer": "sgd(lr=0.3)"})
    assert all(map(same_bits, histories[2:], alone))
    assert not rates.memory


def test_the_best_rate_is_chosen_on_held_out_examples_and_never_on_the_test_set(data):
    """With test labels that are all wrong, the choice stays the same."""
    x, y, test_x, test_y = data
    tried = {"rates": (1e-5, 0.1), "validation": 100, "seeds": range(3), **HOW}
    del tried["optimizer"]
    right = train_at_best_rate(["he", "xavier"], data, **tried)
    wrong = train_at_best_rate(["he", "xavier"], (x, y, test_x, (test_y + 1) % 3), **tried)
    for histories in (right, wrong):
        assert [history.learning_rate for history in histories] == [0.1] * 6
    assert all(history.validation_accuracy > 0.8 for history in right)
    assert right.numbers("test_accuracy").mean() > wrong.numbers("test_accuracy").mean() + 0.5


@pytest.mark.parametrize("by", ["accuracy", "loss"])
def test_the_choice_is_that_of_the_best_mean_or_of_each_seed(data, by, monkeypatch):
    scores = {"accuracy": [[0.9, 0.1], [0.6, 0.6]], "loss": [[0.1, 0.9], [0.4, 0.4]]}[by]

    def scored(schemes, _data, **how):
        histories = train(schemes, data, **how)
        flat = np.ravel(scores)
        for history, score in zip(histories, flat, strict=True):
            object.__setattr__(history, f"validation_{by}", float(score))
        return histories

    monkeypatch.setattr("initlab.training.rates.train", scored)
    tried = {"rates": (0.1, 0.2), "seeds": range(2), "by": by, **HOW}
    del tried["optimizer"]
    averaged = train_at_best_rate(["he"], data, validation=100, **tried)
    own = train_at_best_rate(["he"], data, validation=100, per_seed=True, **tried)
    assert [history.learning_rate for history in averaged] == [0.2, 0.2]
    assert [history.learning_rate for history in own] == [0.1, 0.2]


def test_a_rate_may_be_chosen_with_fewer_steps_and_another_seed(data):
    """Then all networks are trained anew at it, on all training examples."""
    how = {"rates": (1e-5, 0.1), "validation": 100, **HOW}
    del how["optimizer"]
    choosing = {"steps": 20, "seeds": 7}
    histories = train_at_best_rate(["he", "xavier"], data, seeds=range(2), choosing=choosing, **how)
    anew = train(["he", "xavier"], data, seeds=range(2), **HOW | {"optimizer": "sgd(lr=0.1)"})
    assert all(map(same_bits, histories, anew))
    assert [history.learning_rate for history in histories] == [0.1] * 4
    with pytest.raises(UsageError, match="excludes per_seed"):
        train_at_best_rate("he", data, choosing=choosing, per_seed=True, **how)


def test_each_scheme_has_the_rate_that_was_chosen_for_it(data):
    rates = {"he": 0.05, "xavier": 0.2}

    def score(history):
        return -abs(history.learning_rate - rates[history.label.split()[0]])

    tried = {"rates": (0.05, 0.1, 0.2), "by": score, "validation": 0, "steps": 5, "hidden": "6x2"}
    histories = train_at_best_rate(list(rates), data, seeds=range(2), choosing={"steps": 2}, **tried)
    assert [history.learning_rate for history in histories] == [0.05, 0.05, 0.2, 0.2]


def test_a_rate_at_which_networks_diverge_is_not_chosen(data):
    tried = {"rates": (0.05, 1e9), "validation": 100, "steps": 20, "hidden": "6x2"}
    for by in ("accuracy", "loss"):
        (history,) = train_at_best_rate(["he"], data, by=by, **tried)
        assert (history.learning_rate, history.diverged_at) == (0.05, None)


def test_a_function_of_a_history_chooses_the_rate_and_is_not_asked_about_networks_that_diverged(data):
    tried = {"rates": (0.1, 0.001, 0.01, 1e9), "seeds": range(2), "steps": 20, "hidden": "6x2"}

    def slowest(history):
        assert history.diverged_at is None
        return float(history.losses[-1])

    for validation in (0, 100):
        histories = train_at_best_rate(["he"], data, by=slowest, validation=validation, **tried)
        assert [history.learning_rate for history in histories] == [0.001, 0.001]
    with pytest.raises(UsageError, match="one held-out example"):
        train_at_best_rate(["he"], data, validation=0, **tried)


def test_held_out_examples_are_the_last_and_are_not_trained_on():
    examples = array_examples([np.arange(10.0)[:, None], np.arange(10) % 2])
    held = examples.hold_out(3)
    assert held.train_inputs[:].ravel().tolist() == list(range(7))
    assert held.validation_inputs[:].ravel().tolist() == [7, 8, 9]
    assert held.validation_labels.tolist() == [1, 0, 1]
    with pytest.raises(UsageError, match="cannot hold out 10 of 10"):
        examples.hold_out(10)


def test_mnist_can_be_held_out_and_prepared():
    examples = examples_of("mnist").hold_out(5000)
    assert isinstance(examples, Examples)
    assert (len(examples.train_inputs), len(examples.validation_inputs)) == (55_000, 5000)
    pixels = examples_of("mnist").train_inputs[59_998:]
    assert (examples.validation_inputs[4998:5000] == pixels).all()
    assert pixels.dtype == np.float32


def test_progress_is_reported_step_by_step_to_the_end(data):
    reports = []
    train(["he", "std=1e6"], data, seeds=[0, 1], progress=lambda *report: reports.append(report), **HOW)
    assert reports == [(step, 60) for step in range(1, 61)]


def test_a_bar_is_shown_on_request(data, capsys):
    train(["he"], data, progress=True, **HOW)
    assert "30/30" in capsys.readouterr().err


def test_a_function_of_the_networks_is_tracked_and_changes_nothing(data):
    def track(networks):
        networks.parameters[...] = 0
        return [{"units": networks.sizes[1]} for _ in range(networks.networks)]

    histories = train(["he", "std=1e6"], data, track=track, track_every=20, **HOW)
    assert histories[0].tracked == [{"step": step, "units": 6} for step in (0, 20, 30)]
    assert histories[1].tracked == [{"step": 0, "units": 6}]
    assert all(map(same_bits, histories, train(["he", "std=1e6"], data, **HOW)))


def test_without_test_examples_there_is_no_test_accuracy(data):
    (history,) = train("he", data[:2], **HOW)
    assert (history.test_accuracy, history.diverged_at) == (None, None)
    assert "test accuracy" not in repr(history)


def test_histories_are_a_table_on_the_screen_in_a_notebook_and_as_a_frame(data):
    histories = train(["he", "std=1e6"], data, seeds=range(2), **HOW)
    assert len(repr(histories).splitlines()) == 3
    assert "2 of 2, at step 1" in repr(histories)
    assert histories._repr_html_().count("<tr>") == 3
    frame = histories.to_frame()
    assert frame["label"].tolist() == ["he", "he", "std=1000000", "std=1000000"]
    assert frame["test_accuracy"].isna().tolist() == [False, False, True, True]


def test_a_frame_without_pandas_says_what_to_install(data, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        train("he", data, **HOW).to_frame()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps must be a whole number from 1 on, not 0"),
        ({"steps": "20"}, "steps must be a whole number from 1 on, not '20'"),
        ({"seeds": -1}, "seeds are whole numbers from 0 on, not -1"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1 on"),
        ({"track_every": 0}, "track_every must be a whole number from 1 on"),
        ({"loss": "cross_entrpy"}, "did you mean 'cross_entropy'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"drawing": "without_replacment"}, "did you mean 'without_replacement'"),
        ({"optimizer": "sdg(lr=1)"}, "did you mean 'sgd'"),
        ({"optimizer": "sgd"}, "sgd needs lr"),
        ({"hidden": "6by2"}, "write units and layers"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"seeds": []}, "at least one scheme and one seed"),
        ({"validation": 600}, "cannot hold out 600 of 600"),
        ({"seeds": [1, 1]}, "a seed is given twice"),
        ({"clip": -1}, "clip must be 0 or more"),
        ({"track": len}, "track needs track_every"),
        ({"steps": True}, "steps must be a whole number from 1 on, not True"),
        ({"hidden": 8}, r"hidden layers are given as \[100, 100\] or '100x2', not 8"),
        ({"hidden": [8.5]}, "hidden layers are given as"),
        ({"hidden": [8, "a"]}, "cannot read the layers"),
        ({"optimizer": 0.1}, "optimizer must be a text"),
        ({"norm": "before"}, "unknown normalization 'before'; known: batch, layer"),
        ({"norm": True}, r"norm must be one of 'batch', 'layer\(place=after\)', .* not True"),
        ({"skip": True}, "skip: every must be a whole number from 1 on, not True"),
        ({"skip": "every=two"}, "skip: every must be a whole number from 1 on, not 'two'"),
        ({"skip": "every=inf"}, "skip: every must be a whole number from 1 on, not inf"),
        ({"clip": "1"}, "clip must be 0 or more, and finite, not '1'"),
        ({"schedule": None}, "the schedule must be a text, not None"),
        ({"validation": 1.5}, "cannot hold out 1.5 of 600"),
    ],
)
def test_mistakes_are_refused_in_words_before_training(data, change, message):
    steps = []
    with pytest.raises(UsageError, match=message):
        train(["he"], data, progress=lambda *step: steps.append(step), **{**HOW, **change})
    assert not steps


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((np.ones((3, 2)),), "inputs and labels"),
        ((np.ones((3, 2)), np.zeros(4, int)), r"labels \(N,\), not \(3, 2\) and \(4,\)"),
        ((np.ones(3), np.zeros(3, int)), r"inputs are \(N, n_0\)"),
        ((np.ones((3, 2)), np.array([0.5, 1, 2])), "whole numbers"),
        ((np.ones((3, 2)), np.array([0, 1, 2]), np.ones((2, 2)), [0]), "test inputs"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, message):
    with pytest.raises(UsageError, match=message):
        train(["he"], arrays, **HOW)


def test_an_optimizer_with_too_few_rates_is_refused(data):
    with pytest.raises(UsageError, match="lr of sgd: 2 values for 3 schemes"):
        train(["he"] * 3, data, **HOW | {"optimizer": Optimizer("sgd", lr=[0.1, 0.2])})


def test_a_network_that_the_last_update_carries_away_has_diverged_and_is_never_the_best(data):
    x, y = data[:2]
    how = {"steps": 1, "hidden": "6x2", "validation": 50}
    (history,) = train("he", (x, y), optimizer="sgd(lr=1e38)", **how)
    assert (history.diverged_at, history.validation_accuracy) == (1, None)
    (best,) = train_at_best_rate("he", (x, y), rates=[1e38, 0.01], **how)
    assert (best.learning_rate, best.diverged_at) == (0.01, None)


def test_the_rate_with_which_more_seeds_finish_comes_first(data, monkeypatch):
    scores = [[np.nan, np.nan], [0.9, np.nan], [np.nan, 0.8]]

    def scored(schemes, _data, **how):
        histories = train(schemes, data, **how)
        for history, score in zip(histories, np.ravel(scores), strict=True):
            object.__setattr__(history, "validation_accuracy", None if np.isnan(score) else float(score))
        return histories

    monkeypatch.setattr("initlab.training.rates.train", scored)
    how = {key: value for key, value in HOW.items() if key != "optimizer"}
    kept = train_at_best_rate("he", data, rates=(0.1, 0.2, 0.3), seeds=range(2), validation=100, **how)
    assert [history.learning_rate for history in kept] == [0.2, 0.2]
    assert [history.label for history in kept] == ["he", "he"]
    with pytest.raises(UsageError, match="did you mean 'accuracy'"):
        train_at_best_rate("he", data, rates=(0.1,), by="acuracy", **how)


def test_an_ensemble_in_float64_is_shown_inputs_in_float64(data):
    how = {key: value for key, value in HOW.items() if key != "hidden"}
    ensemble = initialize([8, 6, 6, 3], ["he"], dtype="float64")
    assert same_bits(train(ensemble, data, **how)[0], train("he", data, dtype="float64", **HOW)[0])


def test_a_rate_for_each_scheme_gives_the_bits_of_a_rate_for_all_under_a_schedule(data):
    how = HOW | {"schedule": "cosine"}
    both = train(["he", "he"], data, **how | {"optimizer": Optimizer("sgd", lr=[0.013, 0.02])})
    assert same_bits(both[0], train("he", data, **how | {"optimizer": "sgd(lr=0.013)"})[0])
