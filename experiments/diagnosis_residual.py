"""This project's own claim: `initlab diagnose` predicts, before training, whether a network with skip
connections, normalization or convolutions will train.

Each of the draws {mixed} has {cells} networks. Most have {least_depth} to {most_depth} hidden layers, with
equal chances for equal ratios, of {widths} units; a part of {imaged} has {least_depth} to
{most_convolutions} convolutions of {channels} channels. The activation is any of {activations}. Skip
connections lead around no layer, one or two; their branches have several scales, and are added in front of
the activation function or, in a part of {post}, behind it. Batch or Layer Normalization stands in front of
the activation function or behind it, or there is none. Weights come from {schemes}, and in a part of {zeroed}
of the residual networks from {zero_branches}, whose branches begin at zero. The optimizer is any of
{optimizers}. Plain perceptrons are left out: `diagnosis` is about them. Most of these networks train. So each
of the draws {ill} goes on until it has {ill_cells} networks that are said not to train, and leaves out all
others.

The limits of the verdict are those that were fitted to plain perceptrons, on other networks. Three things
differ, by reason. In a normalized network the size of a layer does not matter, so the signal is not judged,
and the gradient is that of relative changes. A layer that a skip connection leads around is not judged, but
the sums are, which all paths pass: a branch that begins at zero has no gradient at first, and is not dead.
And with Adam a network is said not to train only where its numbers are so small that Adam's eps counts. This
last one was decided after the draws {mixed} and two others, which are not counted here; the draws {ill} were
made later.

Each network is diagnosed before training, from {images} images with {drawn} seeds. Then {seeds} seeds train
on MNIST in batches of {batch_size} for {steps} steps. The rate is that of {rates} (for Adam of {adam_rates})
which classifies most of {held_out} held-out training images after the shorter training. A network has trained
if its middle seed reaches {share} of the test accuracy of a good one: {good_hidden} ReLU units from He's
weights, after as many steps, at the best of the same rates. One in {apart} of the test images is classified.
"In doubt" predicts nothing, and is counted apart.
"""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from matplotlib.figure import Figure

from initlab import diagnose, initialize, train, train_at_best_rate
from initlab.data.examples import examples_of
from initlab.diagnosis.limits import (
    ADAPTIVE,
    FAILS,
    LAYER_NUMBERS,
    TRAINS,
    failing_limit,
    layer_numbers,
    severity,
    symptoms_of,
    verdict_on,
)
from initlab.gallery import Exhibit
from initlab.measure.layers import dissimilarity, measure_layers
from initlab.nn.architecture import hidden_sizes
from initlab.plotting.elements import headline

VERDICTS = ("trains", "in doubt", "does not train")

exhibit = Exhibit(
    __file__,
    __doc__,
    title="Is the verdict right for residual, normalized and convolutional networks?",
    question="verdict",
    finding="Compared behind normalizations and along skip connections, layers tell which of these networks "
    "train, within the limits that were fitted to perceptrons.",
    source="this project's own claim",
    takes="20 minutes on one core",
    drawing={
        "mixed": (11, 12),
        "cells": 40,
        "ill": (15, 16),
        "ill_cells": 12,
        "activations": ("relu", "tanh", "gelu", "sigmoid"),
        "least_depth": 2,
        "most_depth": 40,
        "most_convolutions": 8,
        "widths": (16, 50, 100, 200),
        "norms": ("none", "none", "batch", "batch(place=after)", "layer", "layer(place=after)"),
        "blocks": ("none", "1", "2"),
        "scales": ("1", "1/sqrt(blocks)", "learned", "0.1"),
        "post": 0.25,
        "schemes": (
            "he",
            "xavier",
            "lecun",
            "orthogonal",
            "gpt2",
            "torch:linear",
            "auto",
            "std=0.01",
            "std=0.1",
            "std=0.3",
        ),
        "zero_branches": ("fixup", "skipinit", "rezero"),
        "zeroed": 0.3,
        "imaged": 0.125,
        "channels": (4, 8),
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
        "good_hidden": "100x3",
    },
    measuring={"images": 300, "drawn": 5},
    quick={
        "mixed": (11,),
        "cells": 12,
        "ill": (15,),
        "ill_cells": 5,
        "most_depth": 16,
        "most_convolutions": 3,
        "widths": (10, 20),
        "channels": (2,),
        "optimizers": ("sgd",),
        "steps": (15, 45),
        "rates": (0.1,),
        "adam_rates": (0.003,),
        "held_out": 200,
        "apart": 30,
        "seeds": 1,
        "good_hidden": "20x3",
        "images": 100,
        "drawn": 1,
    },
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A network that was drawn by chance, and what trains it; all as texts, empty for none."""

    hidden: str
    activation: str
    norm: str
    skip: str
    scheme: str
    optimizer: str

    @property
    def network(self):
        """The arguments of `diagnose` and `train` that describe it."""
        return {
            "hidden": self.hidden,
            "activation": self.activation,
            "norm": self.norm or None,
            "skip": self.skip or None,
        }


def cells_of(s, draw):
    """The networks of a draw; of some draws those alone that are said not to train."""
    rng, cells, is_ill = np.random.default_rng(draw), [], draw in s.ill
    while len(cells) < (s.ill_cells if is_ill else s.cells):
        cell = drawn_cell(s, rng)
        if is_wanted(cell) and (not is_ill or verdict(s, cell) == "does not train"):
            cells.append(cell)
    return cells


def is_wanted(cell):
    """No plain perceptron, and no scheme that needs other layers."""
    is_imaged = "conv" in cell.hidden
    is_misfit = (cell.scheme == "auto" and is_imaged) or (cell.scheme == "gpt2" and not cell.skip)
    return bool(cell.norm or cell.skip or is_imaged) and not is_misfit


def drawn_cell(s, rng):
    is_imaged = rng.random() < s.imaged
    skip, scheme = drawn_skip(s, rng), str(rng.choice(s.schemes))
    if skip and rng.random() < s.zeroed:
        skip, scheme = with_scale(skip, "learned"), str(rng.choice(s.zero_branches))
    return Cell(
        hidden=drawn_convolutions(s, rng) if is_imaged else drawn_layers(s, rng),
        activation=str(rng.choice(s.activations)),
        norm=str(rng.choice(s.norms)).replace("none", ""),
        skip=skip,
        scheme=scheme,
        optimizer=str(rng.choice(s.optimizers)),
    )


def drawn_depth(rng, least, most):
    """With equal chances for equal ratios."""
    return round(least * (most / least) ** rng.random())


def drawn_layers(s, rng):
    return f"{rng.choice(s.widths)}x{drawn_depth(rng, s.least_depth, s.most_depth)}"


def drawn_convolutions(s, rng):
    """The first one halves the image; the others keep its size, so that they may have skip connections."""
    channels, depth = rng.choice(s.channels), drawn_depth(rng, s.least_depth, s.most_convolutions)
    return f"conv({channels}, kernel=5, stride=2), conv({channels}, kernel=3, padding=same)x{depth - 1}"


def drawn_skip(s, rng):
    every, scale = str(rng.choice(s.blocks)), str(rng.choice(s.scales))
    order = ", order=post" if rng.random() < s.post else ""
    return "" if every == "none" else with_scale(f"every={every}{order}", scale)


def with_scale(skip, scale):
    """The text of skip connections with this scale of their branches."""
    parts = [part for part in skip.split(", ") if not part.startswith("scale=")]
    return ", ".join([*parts, f"scale={scale}"])


def examples_for(s):
    """MNIST with one in so many of the test images."""
    examples = examples_of("mnist")
    return replace(
        examples,
        test_inputs=examples.test_inputs[:: s.apart],
        test_labels=examples.test_labels[:: s.apart],
    )


def probe(s):
    """What is shown before training: images and labels."""
    examples = examples_for(s)
    return examples.train_inputs[: s.images], examples.train_labels[: s.images]


@exhibit.kept
def numbers(s, cell):
    """The numbers of each judged layer before training, (layers,) each."""
    inputs, labels = probe(s)
    diagnosis = diagnose(
        cell.scheme,
        inputs=inputs,
        labels=labels,
        seeds=s.drawn,
        optimizer=cell.optimizer,
        cure=False,
        **cell.network,
    )
    return {name: [layer.numbers[name] for layer in diagnosis.judged] for name in LAYER_NUMBERS}


def judged(columns, optimizer):
    """The severity, and whether a symptom is fatal, from numbers of layers."""
    layers = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    size = max(severity(layer, optimizer) for layer in layers)
    is_fatal = any(symptom.fatal for layer in layers for symptom in symptoms_of(layer))
    return size, is_fatal


@exhibit.kept
def as_in_a_perceptron(s, cell):
    """The numbers of each layer as if there were no normalization and no skip connection, (layers,) each."""
    inputs, labels = probe(s)
    network = initialize(
        [inputs.shape[1], *hidden_sizes(cell.hidden), int(labels.max()) + 1],
        [cell.scheme] * s.drawn,
        range(s.drawn),
        cell.activation,
        "float64",
        data=inputs,
        norm=cell.norm or None,
        skip=cell.skip or None,
    )
    with np.errstate(all="ignore"):
        networks = measure_layers(network, inputs, labels)
        difference = dissimilarity(inputs.astype(np.float64))
        by_seed = [
            layer_numbers([replace(layer, is_normalized=False) for layer in layers], difference)
            for layers in networks
        ]
    return {
        name: np.median([[layer[name] for layer in layers] for layers in by_seed], axis=0)
        for name in LAYER_NUMBERS
    }


def verdict(s, cell):
    """That of `initlab diagnose`."""
    size, is_fatal = judged(numbers(s, cell), cell.optimizer)
    return verdict_on(size, is_fatal, failing_limit(cell.optimizer, is_perceptron=False))


def plain_verdict(s, cell):
    """Without regard to normalization, skip connections and convolutions."""
    size, is_fatal = judged(as_in_a_perceptron(s, cell), cell.optimizer)
    return verdict_on(size, is_fatal)


@exhibit.kept
def accuracies(s, cell, first_seed):
    """On the test images, after the shorter and the longer training, (seeds,); 0 where it diverged."""
    how = cell.network | {
        "batch_size": s.batch_size,
        "seeds": range(first_seed, first_seed + s.seeds),
    }
    chosen = train_at_best_rate(
        cell.scheme,
        examples_for(s),
        rates=s.adam_rates if cell.optimizer in ADAPTIVE else s.rates,
        optimizer=cell.optimizer,
        steps=min(s.steps),
        validation=s.held_out,
        **how,
    )
    rate = chosen[0].learning_rate
    longer = train(
        cell.scheme,
        examples_for(s),
        optimizer=f"{cell.optimizer}(lr={rate!r})",
        steps=max(s.steps),
        **how,
    )
    short, long = (each.numbers("test_accuracy", missing=0.0) for each in (chosen, longer))
    return {"short": short, "long": long, "rate": rate}


@exhibit.kept
def good_accuracy(s, optimizer, steps):
    """Of a good perceptron, the middle of its seeds."""
    histories = train_at_best_rate(
        "he",
        examples_for(s),
        rates=s.adam_rates if optimizer in ADAPTIVE else s.rates,
        optimizer=optimizer,
        hidden=s.good_hidden,
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
    plain_verdict: str
    share: float
    trained: bool

    @property
    def is_right(self):
        return self.trained == (self.verdict == "trains")

    @property
    def kind(self):
        if "conv" in self.cell.hidden:
            return "convolutions"
        if self.cell.skip:
            return "skip connections, normalized" if self.cell.norm else "skip connections"
        return "normalized"


def outcomes(s, steps):
    """Of all networks that were drawn."""
    draws = (*s.mixed, *s.ill)
    return [outcome(s, cell, draw, i, steps) for draw in draws for i, cell in enumerate(cells_of(s, draw))]


def outcome(s, cell, draw, i, steps):
    """The verdict applies the limits to numbers that were measured before training."""
    term = "short" if steps == min(s.steps) else "long"
    accuracy = float(np.median(accuracies(s, cell, (1000 * draw + i) * s.seeds)[term]))
    share = accuracy / float(good_accuracy(s, cell.optimizer, steps)["middle"])
    return Outcome(
        cell=cell,
        draw=draw,
        verdict=verdict(s, cell),
        severity=judged(numbers(s, cell), cell.optimizer)[0],
        plain_verdict=plain_verdict(s, cell),
        share=share,
        trained=share >= s.share,
    )


def are_right(s, name, steps):
    """Of the networks with this verdict, whether each trained, or did not, as predicted."""
    return np.array([each.is_right for each in outcomes(s, steps) if each.verdict == name])


MOSTLY = {"budgets": "steps", "low": 0.8, "reason": "almost all: at least 0.8", "unit": "networks"}


@exhibit.claim(
    quantity="the fraction that has not trained",
    tried=(
        "the limit of gradient descent for Adam, too, on two other draws: undecided; of networks said not "
        "to train, none had trained with gradient descent, but half with Adam",
    ),
    **MOSTLY,
)
def does_not_train_is_right(s, steps):
    """Of networks that diagnose says do not train, almost all do not."""
    return are_right(s, "does not train", steps)


@exhibit.claim(quantity="the fraction that has trained", **MOSTLY)
def trains_is_right(s, steps):
    """Of networks that diagnose says train, almost all do."""
    return are_right(s, "trains", steps)


@exhibit.claim(
    budgets="steps",
    quantity="the fraction of networks with a right prediction, less that of the other comparison, in the "
    "draws that leave no verdict out; a network in doubt has none",
    low=0.0,
    reason="more often: a difference above 0",
    unit="networks",
)
def reasons_help(s, steps):
    """The same limits predict more networks rightly than where all layers are compared as in a perceptron."""
    return [
        float(each.is_right and each.verdict != "in doubt") - float(is_plainly_right(each))
        for each in outcomes(s, steps)
        if each.draw in s.mixed
    ]


def is_plainly_right(each):
    """Whether the verdict without regard to normalization and skip connections predicts the outcome."""
    return each.plain_verdict == ("trains" if each.trained else "does not train")


MARKERS = {
    "skip connections": ("o", "#0072B2"),
    "skip connections, normalized": ("^", "#E69F00"),
    "normalized": ("s", "#009E73"),
    "convolutions": ("D", "#CC79A7"),
}


@exhibit.figure(
    "Each mark is a network: its severity before training, and its accuracy after the longer training, as a "
    "share of the good network's. Lines: the share that counts as trained, and the limits of the verdict, of "
    "which the second holds for gradient descent."
)
def severities(s):
    figure = Figure(figsize=(7.6, 4.4))
    drawn = outcomes(s, max(s.steps))
    decided = [each for each in drawn if each.verdict != "in doubt"]
    rights = sum(each.is_right for each in decided)
    headline(figure, f"The verdict is right for {rights} of the {len(decided)} networks that it decides")
    axes = figure.subplots()
    for kind, (marker, color) in MARKERS.items():
        own = [each for each in drawn if each.kind == kind]
        x = [min(max(each.severity, 0.02), 300) for each in own]
        y = [each.share for each in own]
        axes.plot(x, y, marker, color=color, alpha=0.7, markersize=5, label=kind, linestyle="none")
    axes.axhline(s.share, color="black", linewidth=1)
    for limit in (TRAINS, FAILS):
        axes.axvline(limit, color="black", linewidth=1, linestyle="--")
    axes.set(xscale="log", xlim=(0.018, 350), ylim=(0, 1.15), xlabel="severity before training")
    axes.set_xticks([0.1, 1, 3, 8, 30, 100], ["0.1", "1", "3", "8", "30", "100"])
    axes.minorticks_off()
    axes.set(ylabel="share of a good network's accuracy")
    axes.legend(loc="lower left")
    return figure


@exhibit.table(tolerance=0.1)  # some networks train at the edge of stability
def networks(s):
    return [
        {
            "steps": steps,
            "draw": each.draw,
            "hidden": each.cell.hidden,
            "activation": each.cell.activation,
            "normalization": each.cell.norm or "none",
            "skip": each.cell.skip or "none",
            "scheme": each.cell.scheme,
            "optimizer": each.cell.optimizer,
            "severity": each.severity,
            "verdict": each.verdict,
            "as_a_perceptron": each.plain_verdict,
            "share": each.share,
            "trained": each.trained,
        }
        for steps in s.steps
        for each in outcomes(s, steps)
    ]


@exhibit.table(tolerance=3)  # networks, of those near the limit of success
def confusion(s):
    rows = []
    for steps, optimizer in product(s.steps, s.optimizers):
        own = [each for each in outcomes(s, steps) if each.cell.optimizer == optimizer]
        counts = Counter((each.verdict, each.trained) for each in own)
        for name in VERDICTS:
            trained, did_not = counts[name, True], counts[name, False]
            rows.append(
                {"steps": steps, "optimizer": optimizer, "verdict": name}
                | {"trained": trained, "did_not": did_not}
            )
    return rows


@exhibit.table(tolerance=3)
def kinds(s):
    """Of each kind of network, how many verdicts are right after the longer training."""
    rows = []
    for kind in MARKERS:
        own = [each for each in outcomes(s, max(s.steps)) if each.kind == kind]
        decided = [each for each in own if each.verdict != "in doubt"]
        rows.append({"kind": kind, "right": sum(each.is_right for each in decided)})
        rows[-1] |= {"decided": len(decided), "in_doubt": len(own) - len(decided)}
    return rows
