"""Convolutions, skip connections and Layer Normalization in configs: one text each, one record each."""

import numpy as np
import pytest

import initlab
from initlab.errors import UsageError
from initlab.nn.architecture import count, network_layers
from initlab.nn.layers import walk
from initlab.nn.normalization import BatchNorm
from initlab.runner.config import load_experiment
from initlab.runner.grid import expand
from initlab.runner.settings import NetworkSettings
from initlab.runner.sweep import Choice, run_experiment

CONFIG = """\
name: small
network: {network}
train: {{steps: 5, batch_size: 16, optimizer: {{name: sgd, lr: 0.05}}}}
sweep: {{init: [he, xavier], seed: [0, 1]}}
"""


def write(tmp_path, network):
    path = tmp_path / "small.yaml"
    path.write_text(CONFIG.format(network=network))
    return path


@pytest.mark.parametrize(
    "ways",
    [
        [
            "{hidden: 'conv(4, kernel=5), pool(2), 8', activation: relu}",
            "{layers: [conv(channels=4,kernel=5), pool(2), 8], activation: relu}",
            "{hidden: [conv(4, kernel=5, stride=1), pool(size=2), 8x1], activation: relu}",
        ],
        [
            "{hidden: 8x5, activation: relu, skip: 2}",
            "{hidden: 8x5, activation: relu, skip: {every: 2, scale: 1.0, order: pre}}",
            "{width: 8, depth: 5, activation: relu, skip: 'every=2, scale=1'}",
        ],
        [
            "{hidden: 'conv(2, kernel=3)x2, 8', activation: relu}",
            "{hidden: [conv(2, kernel=3) x 2, 8], activation: relu}",
            "{hidden: ['conv(2, kernel=3)', 'conv(2, kernel=3)', 8], activation: relu}",
        ],
        [
            "{hidden: 8x2, activation: relu, norm: layer}",
            "{hidden: 8x2, activation: relu, layer_norm: before}",
        ],
        [
            "{hidden: 8x2, activation: relu, norm: batch(place=after)}",
            "{hidden: 8x2, activation: relu, batch_norm: after}",
        ],
    ],
)  # fmt: skip
def test_a_network_has_one_identity_however_it_is_written(tmp_path, ways):
    ids = [[run.id for run in expand(load_experiment(write(tmp_path, way)))] for way in ways]
    assert all(others == ids[0] for others in ids)
    shown = NetworkSettings.model_validate({"hidden": "8x2", "activation": "relu"})
    assert "skip" not in shown.model_dump(exclude_none=True)


@pytest.mark.parametrize(
    "network",
    [
        "{hidden: 'conv(4, kernel=5), pool(4), 8', activation: relu}",
        "{hidden: 8x5, activation: tanh, skip: {every: 2, scale: learned, order: post}, norm: layer}",
    ],
)
def test_a_notebook_has_the_bits_of_the_command_and_company_makes_no_difference(tmp_path, network):
    experiment = load_experiment(write(tmp_path, network))
    result = run_experiment(experiment, tmp_path / "together", Choice(jobs=0))
    apart = run_experiment(experiment, tmp_path / "apart", Choice(jobs=2))
    settings = experiment.points()[0][1]
    histories = initlab.train(
        ["he", "xavier"],
        "mnist",
        hidden=settings.network.hidden,
        activation=settings.network.activation,
        norm=settings.network.normalization,
        skip=settings.network.skip,
        steps=5,
        batch_size=16,
        optimizer="sgd(lr=0.05)",
        seeds=[0, 1],
    )
    assert len(histories) == len(result.histories) == len(apart.histories) == 4
    for ours, own, other in zip(histories, result.histories, apart.histories, strict=True):
        assert (ours.losses == own.losses).all()
        assert (own.losses == other.losses).all()
    assert np.isfinite([history.losses for history in histories]).all()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_schemes_of_branches_and_of_rates_have_the_bits_of_a_notebook(tmp_path, optimizer):
    """Alone, beside others, and in another process; muP's rates follow the schedule."""
    schemes = ["mup", "he", "fixup", "skipinit", "rezero", "gpt2"]
    path = write(tmp_path, "{hidden: 8x5, activation: relu, skip: '2, scale=learned'}")
    overrides = [
        f"sweep.init={schemes}",
        "train.schedule=cosine",
        "train.clip=1.0",
        "train.weight_decay=0.01",
    ]
    overrides += [f"train.optimizer={{name: {optimizer}, lr: 0.013}}", "network.batch_norm=before"]
    experiment = load_experiment(path, overrides)
    here, there = (run_experiment(experiment, tmp_path / f"{n}", Choice(jobs=n)).histories for n in (0, 2))
    how = {"hidden": "8x5", "skip": "2, scale=learned", "norm": BatchNorm(), "schedule": "cosine"}
    how |= {"clip": 1.0, "weight_decay": 0.01, "optimizer": f"{optimizer}(lr=0.013)"}
    for row, scheme in enumerate(schemes):
        own = initlab.train(scheme, "mnist", **how, steps=5, batch_size=16, seeds=[0, 1])
        for seed in (0, 1):
            assert own[seed].losses.tobytes() == here[2 * row + seed].losses.tobytes()
            assert own[seed].losses.tobytes() == there[2 * row + seed].losses.tobytes()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("{hidden: [cnv(4, kernel=5)], activation: relu}", "2:19: network.hidden: unknown layer 'cnv'; did"),
        ("{hidden: [conv(4, kernel=5], activation: relu}", "2:19"),
        ("{hidden: conv(4), activation: relu}", "2:19: network.hidden: conv needs kernel"),
        ("{hidden: 8x2, layers: 8x2, activation: relu}", "give hidden or layers"),
        ("{hidden: 8x2, activation: relu, skip: {evry: 2}}", "network.skip.evry: unknown argument"),
        ("{hidden: 8x2, activation: relu, skip: {scale: big}}", "network.skip.scale: skip: scale must"),
        ("{hidden: 8x2, activation: relu, norm: bach}", "unknown normalization 'bach'; did you mean 'batch'"),
        ("{hidden: 8x2, activation: relu, batch_norm: after, layer_norm: after}", "not both"),
        ("{hidden: 8x2, activation: relu, batch_norm: after, norm: batch}", "give norm or batch_norm"),
        ("{hidden: 8x2, activation: relu, layer_norm: after, norm: batch}", "give norm or layer_norm"),
        ("{hidden: 8x2, activation: relu, skip: {every: .inf}}", "every must be a whole number from 1 on"),
    ],
)  # fmt: skip
def test_mistakes_have_their_place(tmp_path, network, message):
    with pytest.raises(UsageError) as error:
        load_experiment(write(tmp_path, network))
    assert message in str(error.value)


def test_layers_that_do_not_fit_the_images_are_refused_before_training(tmp_path):
    experiment = load_experiment(write(tmp_path, "{hidden: 'conv(4, kernel=29)', activation: relu}"))
    with pytest.raises(UsageError, match="a kernel of 29 does not fit into images"):
        run_experiment(experiment, tmp_path / "results", Choice(jobs=0))


@pytest.mark.parametrize("sizes", [(7, 5, 3), (49, "conv(3, kernel=3)", "pool(2)", 4, 2)])
def test_what_a_network_costs_is_counted(sizes):
    cost, ensemble = count(sizes), initlab.initialize(sizes, "he")
    ensemble.forward(np.ones((1, ensemble.sizes[0])))
    assert cost.parameters == ensemble.parameters.shape[1]
    assert cost.units == sum(ensemble.sizes[1:])
    per_place = [(W[0].size, b.shape[1]) for W, b in zip(ensemble.weights, ensemble.biases, strict=True)]
    units = ensemble.sizes[1:]
    assert cost.products == sum(
        size * n // channels for (size, channels), n in zip(per_place, units, strict=True)
    )
    assert cost.largest == max(size for size, _ in per_place)
    assert len(list(walk(network_layers(sizes, "relu"), ensemble.sizes[:1]))) >= len(sizes)
