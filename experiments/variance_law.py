"""The derivation that Russian notes on initialization share with Glorot & Bengio 2010 and He et al. 2015.

A linear layer multiplies the variance of a signal by n_in Var(w), whatever the distribution: measured in
{layers} layers of {width} units, for n_in Var(w) of {factors}, each with a distribution of its own: weights
scaled by a constant are no other measurement. Where the widths fall, {falling}, 1/n_in, 1/n_out and Glorot's
compromise 2/(n_in + n_out) are compared forward and backward. ReLU layers halve the mean square, for which
He's 2/n_in makes up: {relu_layers} layers of {relu_width}. Last, a German answer's law that gradients are
proportional to the weights: tanh networks of {tanh_layers} layers of {narrow}, with standard deviations from
{smallest} to {largest}. Inputs are N(0, 1), others for each of {seeds} untrained networks.
"""

import numpy as np
from matplotlib.figure import Figure

from initlab import depth_profiles, initialize, measure_layers
from initlab.gallery import Exhibit
from initlab.init.scheme import Scheme
from initlab.nn.streams import Purpose, stream
from initlab.plotting.elements import headline, label_ends, mean_and_range
from initlab.plotting.style import Look, look

exhibit = Exhibit(
    __file__,
    __doc__,
    title="The variance law",
    question="signal",
    finding="Variances follow the law for every distribution; gradients go with a power of the weights that "
    "counts the matrices which they pass.",
    linear={"layers": 20, "width": 200, "factors": (0.5, 1.0, 2.0), "falling": (800, 400, 200, 100, 50)},
    relu={"relu_layers": 10, "relu_width": 400, "half_layer": 5},
    others={"tanh_layers": (1, 2, 3, 5), "profile_layers": 10, "narrow": 100},
    measured={"smallest": 0.001, "largest": 0.03, "samples": 500, "seeds": 20},
    quick={"seeds": 10, "samples": 200},
)
RUSSIAN = "Russian notes on the initialization of weights"
RULES = {"in": "1/n_in", "out": "1/n_out", "average": "2/(n_in + n_out)"}
DISTRIBUTIONS = {"normal": "normal", "uniform": "uniform", "corrected_truncated_normal": "truncated"}


def inputs_of(seeds, samples, width):
    """Inputs from N(0, 1), others for each seed, (seeds, samples, width)."""
    return np.array([stream(seed, Purpose.INPUTS).standard_normal((samples, width)) for seed in range(seeds)])


@exhibit.kept
def layer_variances(s, factor, distribution):
    """Of each linear layer's pre-activations, over inputs and units, (seeds, layers)."""
    scheme = Scheme("variance_scaling", {"scale": factor, "distribution": distribution})
    sizes = [s.width] * (s.layers + 2)
    networks = initialize(sizes, [scheme] * s.seeds, range(s.seeds), "identity", "float64")
    networks.forward(inputs_of(s.seeds, s.samples, s.width))
    return {"z": np.array([z.var(axis=(1, 2)) for z in networks.pre_activations[:-1]]).T}


@exhibit.claim(
    source=f"{RUSSIAN}, on random numbers; Glorot & Bengio 2010, eq. 5",
    low=0.95,
    high=1.05,
    reason="the same: within 5 %",
    is_ratio=True,
    is_identity=True,
    tried=("each distribution with each factor: three times the same, because a factor only scales",),
)
def variance_law(s):
    """A linear layer multiplies the variance by n_in Var(w), which grows, keeps or loses it.

    Measured: the factor of a layer, the geometric mean over {layers} layers, over n_in Var(w).

    Only the variance counts: normal, uniform and truncated draws do the same.
    """
    return {
        name: (z[:, -1] / z[:, 0]) ** (1 / (s.layers - 1)) / factor
        for name, (factor, z) in linear_layers(s).items()
    }


def linear_layers(s):
    """For each distribution its n_in Var(w), and the variances of the layers."""
    pairs = zip(DISTRIBUTIONS.items(), s.factors, strict=True)
    return {
        f"{factor:g}, {name}": (factor, layer_variances(s, factor, kind)["z"])
        for (kind, name), factor in pairs
    }


@exhibit.kept
def both_ways(s, fan):
    """By what the falling layers multiply mean squares after each layer, (seeds, layers + 1)."""
    schemes = [Scheme("variance_scaling", {"fan": fan})] * s.seeds
    weights = initialize(s.falling, schemes, range(s.seeds), "identity", "float64").weights
    backward = [W.swapaxes(1, 2) for W in reversed(weights)]
    ways = {"forward": (weights, s.falling[0]), "backward": (backward, s.falling[-1])}
    return {way: growth(inputs_of(s.seeds, s.samples, n), matrices) for way, (matrices, n) in ways.items()}


def growth(signal, matrices):
    """Mean squares of a signal after each matrix, over those before the first."""
    squares = [(signal**2).mean(axis=(1, 2))]
    for W in matrices:
        signal = signal @ W
        squares.append((signal**2).mean(axis=(1, 2)))
    return np.array(squares).T / squares[0][:, None]


@exhibit.claim(
    source=f"{RUSSIAN}, on Xavier's method; Glorot & Bengio 2010, eq. 12",
    high=0.0,
    reason="a compromise is less far off than either: below 0",
    is_identity=True,
)
def glorot_is_a_compromise(s):
    """Where n_in and n_out differ, 2/(n_in + n_out) is a compromise between the two directions.

    Measured: the larger |ln| of the forward and the backward factor of all layers, less that of the better of
    1/n_in and 1/n_out.

    It keeps neither direction exactly; each of the others keeps one and loses the other.
    """
    logs = {fan: [np.abs(np.log(way[:, -1])) for way in both_ways(s, fan).values()] for fan in RULES}
    worst = {fan: np.max(ways, axis=0) for fan, ways in logs.items()}
    return worst["average"] - np.minimum(worst["in"], worst["out"])


@exhibit.kept
def relu_networks(s):
    """For each network Var z of each layer, and the mean square after the ReLU of one of them."""
    seeds = 2 * s.seeds
    sizes = [s.relu_width] * (s.relu_layers + 2)
    networks = initialize(sizes, ["he"] * seeds, range(seeds), "relu", "float64")
    networks.forward(inputs_of(seeds, s.samples, s.relu_width))
    z = np.array([layer.var(axis=(1, 2)) for layer in networks.pre_activations])
    return {"z": z, "square": (networks.activations[s.half_layer - 1] ** 2).mean(axis=(1, 2))}


@exhibit.claim(
    source=f"{RUSSIAN}, on He's method; He et al. 2015, eq. 8",
    low=0.45,
    high=0.55,
    reason="half: within a tenth",
    is_ratio=True,
    is_identity=True,
)
def relu_halves(s):
    """After ReLU the mean square of the inputs of a layer is half the variance of what came before.

    Measured: E[x^2] after ReLU number {half_layer} over the variance of its inputs.
    """
    measured = relu_networks(s)
    return measured["square"] / measured["z"][s.half_layer - 1]


@exhibit.claim(
    source=f"{RUSSIAN}, on He's method; He et al. 2015, eq. 10",
    low=0.75,
    high=1.25,
    reason="stays: within a quarter",
    is_ratio=True,
    tried=("layers of 200 units, the arithmetic mean: confirmed",),
)
def he_holds_pre_activations(s):
    """With Var(w) = 2/n_in the variance between ReLU layers, before the function, stays.

    Measured: the variance of the pre-activations of layer {relu_layers} over that of the first.

    Single networks scatter, the more the narrower they are, and the typical one loses a little: the mean of
    the logarithm is below the logarithm of the mean.
    """
    z = relu_networks(s)["z"]
    return z[s.relu_layers - 1] / z[0]


@exhibit.kept
def gradient_factors(s):
    """By what a layer multiplies squared gradients, the geometric mean: of each function, (seeds,)."""
    shape = {"depth": s.profile_layers, "width": s.narrow, "samples": s.samples, "seeds": s.seeds}
    profiles = depth_profiles([Scheme("xavier")], ["tanh", "sigmoid", "relu"], **shape)
    return {profile.activation: profile.gradient_factor for profile in profiles}


FACTOR = "by what a layer multiplies squared gradients, the geometric mean over {profile_layers} layers"
HALF = (
    "one claim about three functions, with the limit of a half: undecided for ReLU, whose theory is a half",
)


@exhibit.claim(
    source=f"{RUSSIAN}, on Xavier's method",
    quantity=FACTOR,
    low=2 / 3,
    is_ratio=True,
    reason="suits where a layer keeps at least two thirds of their square",
    tried=HALF,
)
def xavier_suits_symmetric(s):
    """Xavier's rule suits the functions that are symmetric about 0, tanh and the sigmoid.

    The sigmoid is symmetric about 1/2 and has slope 1/4 there, of which the rule knows nothing: fifteen
    sixteenths of the square are lost.
    """
    return {name: gradient_factors(s)[name] for name in ("tanh", "sigmoid")}


@exhibit.claim(
    source=f"{RUSSIAN}, on Xavier's method",
    quantity=FACTOR,
    high=2 / 3,
    is_ratio=True,
    reason="does not suit where a layer loses at least a third of their square",
    tried=HALF,
)
def xavier_does_not_suit_relu(s):
    """Xavier's rule does not suit ReLU.

    ReLU loses half of the square in each layer, for which He's rule makes up.
    """
    return gradient_factors(s)["relu"]


@exhibit.kept
def gradient_powers(s, layers):
    """The slope of ln gradient over ln std at the first of these layers, (seeds,)."""
    stds = np.geomspace(s.smallest, s.largest, 6)
    sizes, gradients = [s.narrow] * (layers + 1) + [10], []
    inputs, labels = inputs_of(s.seeds, s.samples, s.narrow), np.arange(s.samples) % 10
    for std in stds:
        schemes = [Scheme("normal", {"std": float(std)})] * s.seeds
        networks = initialize(sizes, schemes, range(s.seeds), "tanh", "float64")
        gradients.append([own[0].gradient_std for own in measure_layers(networks, inputs, labels)])
    return {"powers": np.polyfit(np.log(stds), np.log(gradients), 1)[0]}


def powers(s):
    """For each number of layers, (seeds,)."""
    return {layers: gradient_powers(s, layers)["powers"] for layers in s.tanh_layers}


def through(matrices):
    """What a gradient passes on its way to the first hidden layer: a matrix for each hidden layer."""
    return f"through {matrices} {'matrix' if matrices == 1 else 'matrices'}"


GERMAN = "German answer on initial weights near 0, last paragraph"
POWER = "the slope of ln gradient over ln std, from {smallest} to {largest}, at the first tanh layer"


@exhibit.claim(
    source=GERMAN,
    quantity=POWER,
    low=0.8,
    high=1.2,
    reason="proportional: a slope within 0.8 and 1.2",
    tried=("five layers only: refuted",),
)
def gradients_proportional(s):
    """Gradients are proportional to the weights, so that very small weights give very small gradients.

    That is so for one matrix. Through several matrices the gradient is a product, and falls far faster.
    """
    return {through(matrices): slopes for matrices, slopes in powers(s).items()}


@exhibit.claim(
    source="what is true instead, by the chain rule",
    low=0.9,
    high=1.1,
    is_ratio=True,
    is_identity=True,
    reason="the same: within a tenth",
)
def power_counts_matrices(s):
    """A gradient goes with the power of the weights' size that counts the matrices that it has passed.

    Measured: the slope of ln gradient over ln std, over the number of matrices, at the first tanh layer.
    """
    return {through(matrices): slopes / matrices for matrices, slopes in powers(s).items()}


@exhibit.figure("Untrained linear networks: the mean of {seeds}, and their range.")
def variances(s):
    figure = Figure(figsize=(10.4, 3.4))
    headline(figure, "n Var(w) = 1 keeps the variance; where widths fall, no rule keeps both directions")
    left, *ways = figure.subplots(1, 3)
    greys = (Look("#999999", "v", ":"), Look("#000000", "o", "-"), Look("#666666", "^", "--"))
    for (name, (_, z)), style in zip(linear_layers(s).items(), greys, strict=True):
        mean_and_range(left, np.arange(1, s.layers + 1), z, style, name)
    for axes, way in zip(ways, ("forward", "backward"), strict=True):
        for fan, scheme in zip(RULES, ("lecun", "classic", "xavier"), strict=True):
            squares = both_ways(s, fan)[way]
            mean_and_range(axes, np.arange(len(s.falling)), squares, look(scheme), RULES[fan])
        widths = s.falling if way == "forward" else s.falling[::-1]
        axes.set_xticks(range(len(widths)), [str(width) for width in widths])
        axes.set(ylabel=f"mean square, {way}", ylim=(0.03, 30), xlabel="width of the layer reached")
        axes.set_title(f"{'-'.join(map(str, widths))}, {way}")
    left.set(xlabel="layer", ylabel="variance of pre-activations")
    left.set_title(f"{s.layers} linear layers of {s.width}, by n Var(w)")
    for axes in (left, *ways):
        axes.set_yscale("log")
        label_ends(axes, gap=0.08)
    return figure


@exhibit.table()
def layer_means(s):
    return [
        {"n_var_w_and_distribution": name, "layer": i + 1, "variance": float(value)}
        for name, (_, z) in linear_layers(s).items()
        for i, value in enumerate(z.mean(axis=0))
    ]


@exhibit.table()
def falling_widths(s):
    return [
        {"rule": RULES[fan], "direction": way, "layers": i, "mean_square": float(value)}
        for fan in RULES
        for way, squares in both_ways(s, fan).items()
        for i, value in enumerate(squares.mean(axis=0))
    ]


@exhibit.table()
def gradient_slopes(s):
    return [{"matrices": matrices, "slope": float(slopes.mean())} for matrices, slopes in powers(s).items()]
