"""Saito, "Deep Learning from Scratch", section 6.2: histograms of the activations before training.

{samples} inputs from N(0, 1) go through {depth} untrained layers of {width} units without biases, with
{activations} as activation function and initial weights from {schemes}. The outline is what mean-field theory
predicts for wide layers. `over_seeds.csv` compares the standard deviations of {seeds} such networks with that
prediction, and with the spread that theory expects of networks of this width.

Japanese slides on the book conclude from the histogram of std=0.01 that one unit says what several say. So
two more numbers are taken of the last layer, in float64 and in float32. The effective rank of the activations
is the participation ratio of their variances v along the principal axes, (sum of v)^2 / sum of v^2: of n
equal and independent units it is n. A linear probe recovers the inputs from the activations by least squares;
its score is the share of the inputs' variance that it recovers, R^2, on as many fresh inputs.

The book draws every histogram over (0, 1), which hides the negative half of tanh and all rectified values
above 1. Here the range is the function's own; the column `outside_0_1` shows the share that the book hides.
"""

import numpy as np

from initlab import Scheme, histogram_figure, initialize, layer_panels
from initlab.gallery import Exhibit
from initlab.measure.probes import equal_layers, random_probe

exhibit = Exhibit(
    __file__,
    __doc__,
    title="The book's histograms",
    question="book",
    finding="From std=1 sigmoid and tanh saturate; from std=0.01 their histograms are narrow, but sigmoid "
    "units differ as much as from Xavier's weights; only He's keep the spread of ReLU.",
    source="Saito, Deep Learning from Scratch, 6.2.2 and 6.2.3, figures 6-10 to 6-14",
    network={"depth": 5, "width": 100},
    measuring={
        "activations": ("sigmoid", "tanh", "relu"),
        "schemes": ("std=1", "std=0.01", "book:xavier", "he"),
        "samples": 1000,
        "seeds": 40,
    },
    quick={"seeds": 5},
)
HALVES = "theory: sqrt(1 / 2) = 0.71, give or take a tenth"
LEVEL = "theory: 1; a sigma_w^2 of 1.8 instead of 2 would give 0.95"
CAPTION = "in each layer, a network in each row. Black outline, and number in brackets: theory."


def panels(s, activation, schemes, seed=0, edges=None):
    size = {"depth": s.depth, "width": s.width, "samples": s.samples}
    parsed = [Scheme.parse(text) for text in schemes]
    return layer_panels(parsed, [activation], seed=seed, edges=edges, **size)


@exhibit.kept
def layers(s, activation, scheme):
    """Measured, (seeds, layers); predicted, (layers,)."""
    networks = [panels(s, activation, [scheme], seed) for seed in range(s.seeds)]
    return {
        "std": [[panel.std for panel in network] for network in networks],
        "saturated": [[panel.saturated for panel in network] for network in networks],
        "predicted": [panel.predicted.std for panel in networks[0]],
        "spread": [panel.predicted.spread for panel in networks[0]],
    }


def kept(s, activation, scheme):
    stds = layers(s, activation, scheme)["std"]
    return stds[:, -1] / stds[:, 0]


def factor(s, scheme):
    return kept(s, "relu", scheme) ** (1 / (s.depth - 1))


@exhibit.claim(low=1 / 3, reason="gather: at least a third; of uniform activations it would be 1 in 39")
def sigmoid_std1_saturates(s):
    """With std=1, sigmoid activations gather at 0 and 1.

    Measured: the fraction of slopes below 5 % of the steepest, the smallest of the {depth} layers.
    """
    return layers(s, "sigmoid", "std=1")["saturated"].min(axis=1)


@exhibit.claim(
    high=0.0289, reason="a tenth of what a uniform distribution over 0 to 1 has, .289", is_identity=True
)
def sigmoid_small_gathers(s):
    """With std=0.01, sigmoid activations gather at 0.5.

    Measured: the largest standard deviation of the layers' activations.

    Small weights make small pre-activations, so every activation is near sigmoid(0). The spread does not say
    whether two units answer an input alike: the next claim does.
    """
    return layers(s, "sigmoid", "std=0.01")["std"].max(axis=1)


@exhibit.kept
def expressed(s, scheme, dtype):
    """Of sigmoid networks: each layer's rank, (seeds, depth), and a probe's R^2 on the last, (seeds,)."""
    ranks, scores = [], []
    for seed in range(s.seeds):
        inputs, _ = random_probe(seed, 2 * s.samples, s.width)
        network = initialize(equal_layers(s.depth, s.width), [scheme], seed, "sigmoid", dtype)
        network.forward(inputs.astype(dtype))
        activations = [a[0].astype(np.float64) for a in network.activations]
        ranks.append([effective_rank(a[: s.samples]) for a in activations])
        scores.append(probe_score(activations[-1], inputs, s.samples))
    return {"rank": ranks, "score": scores}


def effective_rank(activations):
    """The participation ratio of the variances along the principal axes."""
    variances = np.linalg.svd(activations - activations.mean(axis=0), compute_uv=False) ** 2
    return variances.sum() ** 2 / (variances**2).sum()


def probe_score(activations, inputs, count):
    """R^2 on the rows from `count` on, of the least squares fit to those before."""
    a, x = (values - values[:count].mean(axis=0) for values in (activations, inputs))
    weights, *_ = np.linalg.lstsq(a[:count], x[:count], rcond=None)
    return 1 - ((x[count:] - a[count:] @ weights) ** 2).mean() / (x[count:] ** 2).mean()


SLIDES = "Japanese slides on Saito, Deep Learning from Scratch, 6.2, page on expressive power"
DTYPES = ("float64", "float32")
PAIR = ("std=0.01", "book:xavier")


def from_small_and_xavier(s, dtype, what):
    return (expressed(s, scheme, dtype)[what] for scheme in PAIR)


@exhibit.claim(
    source=SLIDES,
    high=0.5,
    reason="one unit for several: a rank of at most a half",
    otherwise="With std=0.01, sigmoid layers have no smaller rank than with Xavier's weights",
    is_ratio=True,
)
def sigmoid_small_alike(s):
    """With std=0.01, sigmoid units give almost the same output, so that one unit says what several do.

    Measured: the effective rank of the last layer from std=0.01, divided by that from Xavier's weights.

    Units near 1/2 share their mean, but not their answer to an input: without the mean, as many directions
    are left as from Xavier's weights. In both, the product of random matrices lowers the rank from layer to
    layer. In float32 the last layer varies by little more than rounding errors, which differ from unit to
    unit, so its rank is even larger: a rank does not say what is expressed.
    """
    ratios = {}
    for dtype in DTYPES:
        small, xavier = (ranks[:, -1] for ranks in from_small_and_xavier(s, dtype, "rank"))
        ratios[f"in {dtype}"] = small / xavier
    return ratios


@exhibit.claim(source=SLIDES, high=0.0, reason="less: a lower score")
def sigmoid_small_expresses_less(s):
    """With std=0.01, sigmoid layers express less, because their units are so alike.

    Measured: R^2 of a linear probe for the inputs on the last layer from std=0.01, less that from Xavier's
    weights.

    In float64 the opposite holds: near 1/2 the sigmoid is almost linear and loses nothing. In float32 the
    slides are right, but for another reason: the activations vary by less than the distance between two
    neighbouring numbers near 1/2, and what they say is rounded away.
    """
    scores = {}
    for dtype in DTYPES:
        small, xavier = from_small_and_xavier(s, dtype, "score")
        scores[f"in {dtype}"] = small - xavier
    return scores


SPREAD = "the standard deviation of the last layer's activations, divided by the first layer's"
KEPT = {"quantity": SPREAD, "low": 0.5, "reason": "kept: at least half"}


@exhibit.claim(**KEPT)
def sigmoid_xavier_spreads(s):
    """With Xavier's weights the spread of sigmoid activations is kept.

    It narrows in one step and then stays, since the mean 1/2 of the activations feeds each layer. Hardly any
    of that spread is over inputs: see the exhibit on sigmoid gradients.
    """
    return kept(s, "sigmoid", "book:xavier")


@exhibit.claim(**KEPT)
def tanh_xavier_keeps(s):
    """With tanh, Xavier's weights keep a bell of activations through the layers.

    It narrows with every layer, without end: at sigma_w^2 = 1 tanh is critical, and the standard deviation
    falls like 1/sqrt(layer).
    """
    return kept(s, "tanh", "book:xavier")


FACTOR = "the factor by which a layer multiplies the standard deviation, geometric mean over the layers"
EXPLODES = "theory: sqrt({width} / 2), give or take a tenth"


@exhibit.claim(quantity=FACTOR, low=6.4, high=7.8, reason=EXPLODES, is_identity=True)
def relu_std1_explodes(s):
    """With std=1, ReLU activations explode."""
    return factor(s, "std=1")


@exhibit.claim(quantity=FACTOR, low=0.64, high=0.78, reason=HALVES, is_identity=True)
def relu_xavier_fades(s):
    """With Xavier's weights, ReLU activations fade as layers are added."""
    return factor(s, "book:xavier")


@exhibit.claim(quantity=FACTOR, low=0.97, high=1.03, reason=LEVEL, is_identity=True)
def relu_he_holds(s):
    """With He's weights, ReLU activations keep their spread in all layers."""
    return factor(s, "he")


@exhibit.figure(f"Sigmoid activations {CAPTION}")
def sigmoid(s):
    title = "Sigmoid: std=1 saturates, std=0.01 keeps all values near 1/2, Xavier keeps a spread"
    return histogram_figure(panels(s, "sigmoid", s.schemes), title)


@exhibit.figure(f"Tanh activations {CAPTION}")
def tanh(s):
    title = "Tanh: std=1 saturates, std=0.01 vanishes, Xavier narrows, He keeps most of its width"
    return histogram_figure(panels(s, "tanh", s.schemes), title)


@exhibit.figure(f"ReLU activations {CAPTION}")
def relu(s):
    title = "ReLU: std=1 explodes, std=0.01 vanishes, Xavier fades, He holds its level"
    return histogram_figure(panels(s, "relu", s.schemes), title)


@exhibit.table()
def statistics(s):
    pairs = [
        pair
        for activation in s.activations
        for pair in zip(*(panels(s, activation, s.schemes, edges=e) for e in (None, (0, 1))), strict=True)
    ]
    return [{**own.numbers(), "outside_0_1": book.histogram.clipped} for own, book in pairs]


@exhibit.table(tolerance=0.5)  # what float32 rounds depends on the processor
def ranks(s):
    return [
        {"dtype": dtype, "scheme": scheme, "layer": layer, "effective_rank": float(mean)}
        for dtype in DTYPES
        for scheme in PAIR
        for layer, mean in enumerate(expressed(s, scheme, dtype)["rank"].mean(axis=0), start=1)
    ]


@exhibit.table(tolerance=0.02)
def probe_scores(s):
    return [
        {"dtype": dtype, "scheme": scheme, "score": float(expressed(s, scheme, dtype)["score"].mean())}
        for dtype in DTYPES
        for scheme in PAIR
    ]


@exhibit.table()
def over_seeds(s):
    measured = ("std", "std_over_seeds", "predicted", "spread", "agrees")
    return [
        {"activation": activation, "scheme": str(Scheme.parse(scheme)), "layer": layer, "seeds": s.seeds}
        | dict(zip(measured, numbers, strict=True))
        for activation in s.activations
        for scheme in s.schemes
        for layer, numbers in enumerate(agreement(layers(s, activation, scheme)), start=1)
    ]


def agreement(measured):
    """Of each layer, whether the networks' mean agrees with theory within the spread of one network."""
    mean, predicted, spread = measured["std"].mean(axis=0), measured["predicted"], measured["spread"]
    agrees = np.abs(mean - predicted) <= spread
    return zip(mean, measured["std"].std(axis=0, ddof=1), predicted, spread, agrees, strict=True)
