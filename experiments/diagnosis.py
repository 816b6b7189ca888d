"""This project's own claim: `initlab diagnose` predicts, before training, whether a network will train.

{cells} networks are drawn by chance, and {cells} more when all of this was settled: the activation, of the
{functions} of this package and `bump`, u exp(-u^2 / 2), made up for this page; {least_depth} to {most_depth}
hidden layers, with equal chances for equal ratios; {widths} units in each, or widths that change; any scheme
of the registry but the pretrained; biases of 0 or those of PyTorch's nn.Linear; {datasets} as data, where
`teacher` has the labels of a random network; and {optimizers} as optimizer. Each is diagnosed before
training. The limits of the verdict were fixed before, on other networks; `draws.csv` tells the two draws
apart.

Then {seeds} seeds train in batches of {batch_size} for {steps} steps. The rate is that of {rates} (for Adam
of {adam_rates}) which classifies most of {held_out} held-out training examples after the shorter training. A
network has trained if its middle seed reaches {share} of the test accuracy of a good one: three ReLU layers
of {good_width} from He's weights, after as many steps, at the best of the same rates. One in {apart} of the
test examples is classified.

"In doubt" predicts nothing, and is counted apart. The verdict is compared with rules from the gradient alone
and from the depth alone, whose limits are those that suit these networks best, chosen afterwards: an
advantage. It is also compared with the health check of version 0.4.0 of the package AnyInit, for the same
weights and inputs; its answers are in `experiments/peers/anyinit_verdicts.csv`.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from initlab import Scheme, diagnose, train, train_at_best_rate
from initlab.data.datasets import open_dataset
from initlab.data.examples import examples_of, prepared_examples
from initlab.diagnosis.limits import (
    ADAPTIVE,
    FAILS,
    LAYER_NUMBERS,
    TRAINS,
    severity,
    symptoms_of,
    verdict_on,
)
from initlab.gallery import Exhibit
from initlab.init.per_layer import Initialization
from initlab.init.scheme import SCHEMES
from initlab.nn.activations import ACTIVATIONS
from initlab.plotting.elements import headline

# Where Debian's package puts it; without the package its networks are left out, and the page counts fewer.
FASHION = Path("/usr/share/datasets/fashion-mnist")
WITH_ARGUMENTS = ("std=0.01", "std=0.1", "std=1", "uniform(bound=0.1)", "truncated_normal(std=0.1)")
VERDICTS = ("trains", "in doubt", "does not train")
CHANGING = "changing"

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Is the verdict before training right?",
    question="verdict",
    finding="Of networks that it says do not train hardly any trains; of those that it says train, most do.",
    source="this project's own claim",
    takes="40 minutes on one core",
    drawing={
        "draws": (1, 2),
        "cells": 100,
        "functions": len(ACTIVATIONS),
        "least_depth": 3,
        "most_depth": 80,
        "widths": (30, 100),
        "chances": (4, 1, 2),
        "datasets": ("mnist", "fashion_mnist", "teacher"),
        "optimizers": ("sgd", "adam"),
    },
    training={
        "steps": (150, 450),
        "batch_size": 32,
        "rates": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
        "adam_rates": (0.0001, 0.0003, 0.001, 0.003, 0.01),
        "held_out": 2000,
        "apart": 5,
        "seeds": 3,
        "share": 0.9,
        "good_width": 100,
    },
    measuring={"images": 300, "drawn": 5},
    quick={
        "draws": (1,),
        "cells": 18,
        "optimizers": ("sgd",),
        "most_depth": 10,
        "widths": (10, 20),
        "datasets": ("mnist", "teacher"),
        "steps": (15, 45),
        "rates": (0.1,),
        "adam_rates": (0.003,),
        "held_out": 200,
        "apart": 30,
        "seeds": 1,
        "good_width": 20,
        "images": 100,
        "drawn": 1,
    },
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A network that was drawn by chance, and what trains it."""

    activation: str
    hidden: tuple[int, ...]
    scheme: str
    bias: str
    data: str
    optimizer: str

    @property
    def start(self):
        bias = Scheme.parse(self.bias) if self.bias else None
        return Initialization(Scheme.parse(self.scheme), bias=bias)

    def described(self):
        """What tells untrained networks apart, as a table has it."""
        return {
            "activation": self.activation,
            "hidden": "-".join(map(str, self.hidden)),
            "scheme": self.scheme,
            "bias": self.bias,
            "data": self.data,
        }


@contextmanager
def own_function() -> Iterator[None]:
    """`bump` is in the registry for a while, as a function of a user's file would be."""

    def bump(z, out=None):
        return np.multiply(z, np.exp(-np.square(np.clip(z, -20, 20)) / 2), out=out)

    def slope(z, _a):
        near = np.square(np.clip(z, -20, 20))
        return (1 - near) * np.exp(-near / 2)

    limit = math.exp(-0.5)
    ACTIVATIONS.register(
        derivative=slope, bounds=(-limit, limit), steepest=1.0, formula="z exp(-z^2 / 2)", critical=None
    )(bump)
    try:
        yield
    finally:
        del ACTIVATIONS["bump"]


# For networks with skip connections or convolutions, or with learning rates by layer; not for these ones.
FOR_OTHERS = {"fixup", "skipinit", "rezero", "gpt2", "delta_orthogonal", "mup"}


def schemes():
    """All of the registry for perceptrons: some with arguments, where they need one."""
    ready = [name for name, law in SCHEMES.items() if not law.required() and "pretrained" not in name]
    return sorted({*ready, *WITH_ARGUMENTS} - FOR_OTHERS)


def cells_of(s, draw):
    """The networks of a draw."""
    rng, cells = np.random.default_rng(draw), []
    while len(cells) < s.cells:
        cell = drawn_cell(s, rng)
        if is_possible(cell):
            cells.append(cell)
    return cells


def drawn_cell(s, rng):
    activation = str(rng.choice([*ACTIVATIONS, "bump"]))
    depth = round(s.least_depth * (s.most_depth / s.least_depth) ** rng.random())
    chances = np.array(s.chances) / sum(s.chances)
    width = rng.choice([*map(str, s.widths), CHANGING], p=chances)
    narrow, wide = s.widths[:2]
    changing = tuple(int(each) for each in rng.integers(narrow, wide + 1, size=depth))
    return Cell(
        activation=activation,
        hidden=changing if width == CHANGING else (int(width),) * depth,
        scheme=str(rng.choice(schemes())),
        bias=str(rng.choice(["", "classic"])),
        data=str(rng.choice(s.datasets)),
        optimizer=str(rng.choice(s.optimizers)),
    )


def is_possible(cell):
    """Some activations have no critical variance."""
    if cell.scheme != "critical":
        return True
    return cell.activation != "bump" and ACTIVATIONS[cell.activation].critical is not None


def is_there(cell):
    return cell.data != "fashion_mnist" or FASHION.is_dir()


def examples_for(data):
    if data == "fashion_mnist":
        return prepared_examples(open_dataset(path=FASHION), "unit", "float32")
    return examples_of(data)


def thinned(s, examples):
    """With one in so many of the test examples."""
    return replace(
        examples,
        test_inputs=examples.test_inputs[:: s.apart],
        test_labels=examples.test_labels[:: s.apart],
    )


@exhibit.kept
def numbers(s, cell):
    """The numbers of each layer before training, (layers,) each."""
    examples = examples_for(cell.data)
    probe = examples.train_inputs[: s.images], examples.train_labels[: s.images]
    with own_function():
        diagnosis = diagnose(
            cell.start,
            cell.activation,
            cell.hidden,
            *probe,
            seeds=s.drawn,
            optimizer=cell.optimizer,
            cure=False,
        )
    return {name: [layer.numbers[name] for layer in diagnosis.layers] for name in LAYER_NUMBERS}


@exhibit.kept
def accuracies(s, cell, first_seed):
    """On the test examples, after the shorter and the longer training, (seeds,); 0 where it diverged."""
    rates = s.adam_rates if cell.optimizer in ADAPTIVE else s.rates
    examples = thinned(s, examples_for(cell.data))
    how = {
        "hidden": list(cell.hidden),
        "activation": cell.activation,
        "batch_size": s.batch_size,
        "seeds": range(first_seed, first_seed + s.seeds),
    }
    with own_function():
        chosen = train_at_best_rate(
            cell.start,
            examples,
            rates=rates,
            optimizer=cell.optimizer,
            steps=min(s.steps),
            validation=s.held_out,
            **how,
        )
        rate = chosen[0].learning_rate
        longer = train(
            cell.start, examples, optimizer=f"{cell.optimizer}(lr={rate!r})", steps=max(s.steps), **how
        )
    short, long = (each.numbers("test_accuracy", missing=0.0) for each in (chosen, longer))
    return {"short": short, "long": long, "rate": rate}


@exhibit.kept
def good_accuracy(s, data, optimizer, steps):
    """Of a good network, the middle of its seeds."""
    histories = train_at_best_rate(
        "he",
        thinned(s, examples_for(data)),
        rates=s.adam_rates if optimizer in ADAPTIVE else s.rates,
        optimizer=optimizer,
        hidden=[s.good_width] * 3,
        steps=steps,
        batch_size=s.batch_size,
        seeds=range(s.seeds),
        validation=s.held_out,
    )
    return {"middle": float(np.median(histories.numbers("test_accuracy", missing=0.0)))}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A network, what was predicted and what came of it."""

    cell: Cell
    draw: int
    verdict: str
    severity: float
    gradient: float
    accuracy: float
    trained: bool

    @property
    def is_right(self):
        return self.trained == (self.verdict == "trains")


def layers_of(s, cell):
    """The numbers of each layer, by name."""
    columns = numbers(s, cell)
    return [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]


def outcomes(s, steps):
    """Of all networks that were drawn."""
    return [
        outcome(s, cell, draw, i, steps)
        for draw in s.draws
        for i, cell in enumerate(cells_of(s, draw))
        if is_there(cell)
    ]


def outcome(s, cell, draw, i, steps):
    """The verdict applies the limits to numbers that were measured before training."""
    layers = layers_of(s, cell)
    size = max(severity(layer, cell.optimizer) for layer in layers)
    is_fatal = any(symptom.fatal for layer in layers for symptom in symptoms_of(layer))
    term = "short" if steps == min(s.steps) else "long"
    accuracy = float(np.median(accuracies(s, cell, (1000 * draw + i) * s.seeds)[term]))
    level = s.share * float(good_accuracy(s, cell.data, cell.optimizer, steps)["middle"])
    return Outcome(
        cell=cell,
        draw=draw,
        verdict=verdict_on(size, is_fatal),
        severity=size,
        gradient=max(severity(layer | {"signal": 1.0, "difference": 1.0}) for layer in layers),
        accuracy=accuracy,
        trained=accuracy >= level,
    )


def by_optimizer(s, chosen):
    """What was chosen of the outcomes, for each optimizer."""
    return {
        optimizer: [each for each in chosen if each.cell.optimizer == optimizer] for optimizer in s.optimizers
    }


def are_right(s, verdict, steps):
    """Of the networks with this verdict, whether each trained, or did not, as predicted."""
    chosen = [each for each in outcomes(s, steps) if each.verdict == verdict]
    return {
        optimizer: np.array([each.is_right for each in own])
        for optimizer, own in by_optimizer(s, chosen).items()
    }


MOSTLY = {
    "budgets": "steps",
    "low": 0.8,
    "reason": "almost all: at least 0.8",
    "unit": "networks",
    "tried": ("300 and 900 steps: given up after a dozen networks for want of time, before any was counted",),
}


@exhibit.claim(quantity="the fraction that has not trained", **MOSTLY)
def does_not_train_is_right(s, steps):
    """Of networks that diagnose says do not train, almost all do not."""
    return are_right(s, "does not train", steps)


@exhibit.claim(quantity="the fraction that has trained", **MOSTLY)
def trains_is_right(s, steps):
    """Of networks that diagnose says train, almost all do.

    Those that do not are in `networks.csv`. They learn too, but reach less than the share in these few steps:
    most of them on the teacher's labels, which functions that are nearly linear learn slowly.
    """
    return are_right(s, "trains", steps)


def decided(s, steps):
    """The outcomes of networks that are not in doubt."""
    return [each for each in outcomes(s, steps) if each.verdict != "in doubt"]


def best_in_hindsight(numbers, trained):
    """Whether each prediction "trains up to a limit" is right, at the limit that is right most often."""
    limits = [*numbers, -math.inf]
    rights = [(np.array(numbers) <= limit) == np.array(trained) for limit in limits]
    return max(rights, key=np.sum)


ALTERNATIVES = {
    "the gradient alone": lambda each: each.gradient,
    "the depth alone": lambda each: len(each.cell.hidden),
}


@exhibit.claim(
    budgets="steps",
    quantity="the fraction of right predictions, less that of the alternative, for the same networks",
    low=0.0,
    reason="more often: a difference above 0",
    unit="networks",
)
def verdict_beats_simpler_rules(s, steps):
    """The verdict is right more often than one from the gradient alone, or from the depth alone."""
    chosen = decided(s, steps)
    trained, own = [each.trained for each in chosen], np.array([each.is_right for each in chosen])
    return {
        f"than {name}": own.astype(float) - best_in_hindsight([rule(each) for each in chosen], trained)
        for name, rule in ALTERNATIVES.items()
    }


@cache
def anyinit_passes():
    """Whether AnyInit passes most of the drawn networks, by what tells them apart."""
    with (Path(__file__).parent / "peers" / "anyinit_verdicts.csv").open(encoding="utf-8") as file:
        return {
            tuple(row[name] for name in ("activation", "hidden", "scheme", "bias", "data")): int(
                row["passes"]
            )
            > int(row["of"]) / 2
            for row in csv.DictReader(file)
        }


@exhibit.claim(
    budgets="steps",
    quantity="the fraction of right predictions, less that of AnyInit's health check, for the same networks",
    low=0.15,
    reason="far more often: by at least 15 in 100",
    unit="networks",
)
def verdict_beats_anyinit(s, steps):
    """The verdict is right far more often than AnyInit's health check, where a pass predicts training."""
    passes = anyinit_passes()
    return [
        float(each.is_right) - float(passes[tuple(each.cell.described().values())] == each.trained)
        for each in decided(s, steps)
    ]


@exhibit.figure(
    "Each mark is a network: its severity before training, and its accuracy after the longer training, as a "
    "share of the good network's. Lines: the limits of the verdict, and the share that counts as trained."
)
def severities(s):
    figure = Figure(figsize=(9.6, 4.2))
    steps = max(s.steps)
    rights = np.array([each.is_right for each in decided(s, steps)])
    headline(figure, f"The verdict is right for {rights.sum()} of the {len(rights)} networks that it decides")
    panels = figure.subplots(1, len(s.optimizers), sharey=True, squeeze=False)[0]
    for axes, (optimizer, own) in zip(panels, by_optimizer(s, outcomes(s, steps)).items(), strict=True):
        for data, marker, color in zip(s.datasets, "o^s", ("#0072B2", "#E69F00", "#009E73"), strict=False):
            chosen = [each for each in own if each.cell.data == data]
            x = [min(max(each.severity, 0.02), 300) for each in chosen]
            good = float(good_accuracy(s, data, optimizer, steps)["middle"])
            y = [each.accuracy / good for each in chosen]
            axes.plot(x, y, marker, color=color, alpha=0.7, markersize=5, label=data.replace("_", "-"))
        axes.axhline(s.share, color="black", linewidth=1)
        for limit in (TRAINS, FAILS):
            axes.axvline(limit, color="black", linewidth=1, linestyle="--")
        axes.set(
            xscale="log",
            xlim=(0.018, 350),
            ylim=(0, 1.15),
            title=optimizer,
            xlabel="severity before training",
        )
        axes.set_xticks([0.1, 1, 3, 8, 30, 100], ["0.1", "1", "3", "8", "30", "100"])
        axes.minorticks_off()
    panels[0].set(ylabel="share of a good network's accuracy")
    panels[0].legend(loc="lower left")
    return figure


@exhibit.table(tolerance=0.1)  # some networks train at the edge of stability
def networks(s):
    return [
        {
            "steps": steps,
            "draw": each.draw,
            "activation": each.cell.activation,
            "depth": len(each.cell.hidden),
            "narrowest": min(each.cell.hidden),
            "widest": max(each.cell.hidden),
            "scheme": each.cell.scheme,
            "bias": each.cell.bias or "zeros",
            "data": each.cell.data,
            "optimizer": each.cell.optimizer,
            "severity": each.severity,
            "verdict": each.verdict,
            "accuracy": each.accuracy,
            "trained": each.trained,
        }
        for steps in s.steps
        for each in outcomes(s, steps)
    ]


@exhibit.table(tolerance=3)  # networks, of those near the limit of success
def draws(s):
    """Of each draw alone, how many verdicts are right."""
    rows = []
    for steps, draw, optimizer in product(s.steps, s.draws, s.optimizers):
        drawn = [e for e in outcomes(s, steps) if (e.draw, e.cell.optimizer) == (draw, optimizer)]
        own = [e for e in drawn if e.verdict != "in doubt"]
        rows.append(
            {"steps": steps, "draw": draw, "optimizer": optimizer, "right": sum(e.is_right for e in own)}
            | {"decided": len(own), "in_doubt": len(drawn) - len(own)}
        )
    return rows


@exhibit.table(tolerance=3)
def confusion(s):
    rows = []
    for steps in s.steps:
        for optimizer, own in by_optimizer(s, outcomes(s, steps)).items():
            counts = Counter((each.verdict, each.trained) for each in own)
            for verdict in VERDICTS:
                trained, did_not = counts[verdict, True], counts[verdict, False]
                rows.append(
                    {"steps": steps, "optimizer": optimizer, "verdict": verdict}
                    | {"trained": trained, "did_not": did_not}
                )
    return rows
