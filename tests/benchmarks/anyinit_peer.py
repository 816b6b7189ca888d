"""What AnyInit 0.4.0 draws, and which networks it calls healthy: measured once, for two experiments.

    pip install 'torch==2.13.0' 'anyinit==0.4.0'
    python tests/benchmarks/anyinit_peer.py

It writes two tables into experiments/peers. `anyinit.csv` has, of each activation, the variances n_in Var W
that `anyinit.initialize` gives a deep network for MNIST. `anyinit_verdicts.csv` has, for each network of
experiments/diagnosis.py, in how many of the drawn ones `assert_healthy` passes.

AnyInit only checks a network that it has just initialized. So its own run (trace, solve, measure, report) is
left as it is, except that the object which draws and writes weights does nothing. It then compares what the
given weights do with what it would have made of this network. Activations that are no module of PyTorch stay
invisible to it, and layers that it cannot see pass.
"""

import csv
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyinit
import numpy as np
import torch
from anyinit import _run as anyinit_run
from torch import nn

from initlab.data.examples import examples_of
from initlab.gallery.prose import Settings
from initlab.gallery.reproduce import load
from initlab.init.networks import initialize
from initlab.nn.activations import ACTIVATIONS

FOLDER = Path(__file__).parents[2] / "experiments"
IMAGES = 300


class Erf(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.erf(z)


class LeCunTanh(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return 1.7159 * torch.tanh(2 / 3 * z)


class Bump(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z * torch.exp(-z * z / 2)


MODULES: dict[str, Any] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "swish": nn.SiLU,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "erf": Erf,
    "softsign": nn.Softsign,
    "hard_tanh": nn.Hardtanh,
    "lecun_tanh": LeCunTanh,
    "identity": nn.Identity,
    "bump": Bump,
}


class Kept:
    """In the place of `anyinit._run._Weights`: it neither draws nor writes."""

    def __init__(self, *_: Any) -> None: ...
    def draw(self) -> None: ...
    def apply(self, *_: Any) -> None: ...
    def apply_all(self, *_: Any) -> None: ...


@contextmanager
def weights_kept() -> Iterator[None]:
    original = anyinit_run._Weights
    anyinit_run._Weights = Kept
    try:
        yield
    finally:
        anyinit_run._Weights = original


def model_of(weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], activation: str) -> nn.Sequential:
    """A PyTorch network with these weights (n_in, n_out) and biases; the last layer has no activation."""
    modules: list[nn.Module] = []
    for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
        linear = nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(W.T.copy()))
            linear.bias.copy_(torch.tensor(b.copy()))
        modules += [MODULES[activation]()] * (layer > 0) + [linear]
    return nn.Sequential(*modules)


def is_healthy(model: nn.Sequential, inputs: torch.Tensor) -> bool:
    """AnyInit's verdict on the weights as they are."""
    before = [tensor.clone() for tensor in model.state_dict().values()]
    with weights_kept():
        report = anyinit.initialize(model, "analytic", inputs)
    for old, new in zip(before, model.state_dict().values(), strict=True):
        assert old.numpy().tobytes() == new.numpy().tobytes(), "AnyInit changed what it should only judge"
    try:
        report.assert_healthy()
    except AssertionError:
        return False
    return True


def variances() -> list[dict[str, Any]]:
    """n_in Var W of a network of 100x10 for MNIST: the first layer's, the hidden layers', the last one's."""
    inputs = torch.tensor(examples_of("mnist").train_inputs[:IMAGES])
    sizes = [784, *[100] * 10, 10]
    rows = []
    for activation in ACTIVATIONS:
        shapes = list(pairwise(sizes))
        zeros = [np.zeros(shape, np.float32) for shape in shapes]
        model = model_of(zeros, [np.zeros(shape[1], np.float32) for shape in shapes], activation)
        layers = anyinit.initialize(model, "analytic", inputs, seed=1).layers
        first, *hidden, last = (layer.fan * layer.scale**2 for layer in layers)
        assert max(hidden) / min(hidden) < 1.01, f"{activation}: the hidden layers differ, {hidden}"
        values = {"first": first, "hidden": float(np.median(hidden)), "last": last}
        rows.append({"activation": activation, **{name: f"{value:.5g}" for name, value in values.items()}})
    return rows


def verdicts(script: Any, settings: Settings) -> Iterator[dict[str, Any]]:
    """Of each network of an experiment, how many of the drawn ones pass."""
    for draw in settings.draws:
        for cell in filter(script.is_there, script.cells_of(settings, draw)):
            passes = count_healthy(script, settings, cell)
            yield {**cell.described(), "passes": passes, "of": settings.drawn}


def count_healthy(script: Any, settings: Settings, cell: Any) -> int:
    examples = script.examples_for(cell.data)
    inputs = examples.train_inputs[: settings.images]
    sizes = (examples.features, *cell.hidden, examples.classes)
    with script.own_function(), np.errstate(all="ignore"):
        drawn = initialize(
            sizes, [cell.start] * settings.drawn, range(settings.drawn), cell.activation, data=inputs
        )
    networks = (
        model_of([W[m] for W in drawn.weights], [b[m] for b in drawn.biases], cell.activation)
        for m in range(settings.drawn)
    )
    return sum(is_healthy(network, torch.tensor(inputs)) for network in networks)


def write(name: str, rows: list[dict[str, Any]]) -> None:
    with (FOLDER / "peers" / name).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main() -> None:
    assert anyinit.__version__ == "0.4.0", f"written for AnyInit 0.4.0, not {anyinit.__version__}"
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    write("anyinit.csv", variances())
    script = load(FOLDER / "diagnosis.py")
    forms = (script.exhibit.settings, script.exhibit.quick)
    write("anyinit_verdicts.csv", [row for settings in forms for row in verdicts(script, settings)])


if __name__ == "__main__":
    main()
