"""Networks drawn from schemes: sizes, schemes, seeds -> an Ensemble with weights.

One seed gives every scheme the same underlying draws, layer by layer, so two networks of one seed differ by
their schemes alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, cast

import numpy as np

from initlab.errors import UsageError, is_whole, require, shortened
from initlab.init.data_dependent import Samples
from initlab.init.per_layer import Initialization, SchemeLike, as_initializations
from initlab.init.scheme import NEEDS_BRANCHES, SCHEMES, Scheme
from initlab.nn.activations import ACTIVATIONS, ActivationName
from initlab.nn.architecture import Size, SkipLike, flat_size, network_layers, residuals, roles
from initlab.nn.arrays import FloatArray, IntArray, as_floats
from initlab.nn.layers import Dense, Layer, Nonlinearity, Residual
from initlab.nn.network import Ensemble
from initlab.nn.normalization import NORMALIZATIONS, NormLike
from initlab.nn.streams import Purpose, stream
from initlab.registry import Argument
from initlab.threads import on_one_thread


class Inputs(Protocol):
    """Inputs of a network, (N, n_0): an array, or images that an object scales on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: IntArray, /) -> FloatArray: ...


@on_one_thread
def initialize(
    sizes: Sequence[Size],
    schemes: SchemeLike | Sequence[SchemeLike],
    seeds: int | Sequence[int] = 0,
    activation: ActivationName = "relu",
    dtype: str = "float32",
    *,
    data: Inputs | None = None,
    norm: NormLike | None = None,
    skip: SkipLike | None = None,
) -> Ensemble:
    """One network for each scheme; the biases are 0 unless an `Initialization` says otherwise.

    Args:
        sizes: (n_0, ..., n_{L+1}): inputs, units of each hidden layer, classes; a layer that is not dense is
            a text, as [784, "conv(16, kernel=5)", "pool(2)", 100, 10]. See `network_layers`.
        schemes: texts like "he" or "normal(std=0.01)", or `Scheme`s, or `Initialization`s.
        seeds: one seed for all networks, which then share their underlying draws, or one for each network.
        activation: the hidden layers' activation function: a name, as "relu", or your own function.
        dtype: "float32" or "float64"; the draws are the same, rounded.
        data: inputs (N, n_0), for schemes that look at data; the seed selects the samples. Others take from
            them `mean_square`, which is 1 without data.
        norm: Batch or Layer Normalization of the hidden layers, as "batch" or "layer(place=after)";
            none by default.
        skip: skip connections, as 2 or "every=2, scale=learned"; none by default. See `Skip`.

    Returns:
        The networks; `batches_before` counts the batches that each network's scheme looked at.

    Raises:
        UsageError: for an unknown scheme, activation or dtype, a size below 1, or a scheme that looks at
            data when there is none, or does not fit the layers.

    >>> networks = initialize([784, 100, 10], ["he", "std=0.01"])
    >>> networks.weights[0].shape
    (2, 784, 100)
    """
    activation = ACTIVATIONS.resolve(activation)
    require(isinstance(sizes, Iterable), f"sizes are (n_0, ..., n_L+1), as [784, 100, 10], not {sizes!r}")
    sizes = list(sizes)
    layers = network_layers(sizes, activation, norm, skip)
    data = _as_inputs(data, flat_size(sizes[0]))
    initializations = _within_network(as_initializations(schemes), layers, activation, data)
    for initialization in initializations:
        reason = misfit(initialization, layers)
        require(reason is None, str(reason))
    networks = len(initializations)
    each_seed = list(seeds) if isinstance(seeds, Iterable) else [seeds] * networks
    for seed in each_seed:
        require(is_whole(seed) and seed >= 0, f"seeds are whole numbers from 0 on, not {seed!r}")
    complete = 0 < networks == len(each_seed)
    require(complete, f"{networks} schemes but {len(each_seed)} seeds; each network needs both")
    ensemble = Ensemble.of(networks, flat_size(sizes[0]), layers, dtype)
    for row, (initialization, seed) in enumerate(zip(initializations, each_seed, strict=True)):
        _draw(ensemble, row, initialization, seed)
        _begin_branches(ensemble, row, initialization.scheme)
        if initialization.scheme.is_data_dependent:
            _adapt(ensemble, row, initialization.scheme, seed, data)
    return ensemble


def misfit(start: SchemeLike, layers: Sequence[Layer]) -> str | None:
    """Why networks of some layers cannot begin from a scheme, as a sentence without its full stop.

    Args:
        start: the scheme of all weights, or an `Initialization`.
        layers: of the network.

    Returns:
        None where they can.

    >>> misfit("fixup", network_layers([4, 4, 4, 2], "relu"))
    'fixup is for residual networks: give yours skip connections'
    >>> misfit("fixup", network_layers([4, 4, 4, 2], "relu", skip=2))
    """
    each = [*layers, *(layer for branch in residuals(layers) for layer in branch.branch)]
    functions = {layer.activation.name for layer in each if isinstance(layer, Nonlinearity)}
    network = network_facts(layers) | ({"activation": min(functions)} if len(functions) == 1 else {})
    try:
        begun = Initialization.of(start).within(**network)
    except UsageError as error:  # as `critical` of an activation that has no critical variance
        return str(error)
    for scheme in (begun.scheme, begun.first, begun.last):
        if scheme is not None and scheme.needs_branches:
            return f"{scheme.name} {NEEDS_BRANCHES}"
    return _misfit(begun.scheme, each, functions)


def _misfit(scheme: Scheme, layers: Sequence[Layer], functions: set[str]) -> str | None:
    """Of a scheme of all weights: layers with those of branches, and the names of activation functions."""
    scales = {layer.scale for layer in layers if isinstance(layer, Residual)}
    if scheme.branch_scale is not None and scales != {"learned"}:
        return f"{scheme} is for residual networks with a learned scale: skip(scale=learned)"
    if scheme.is_data_dependent and any(isinstance(layer, NORMALIZATIONS) for layer in layers):
        return f"{scheme} and Batch or Layer Normalization both rescale the layers: use one of them"
    if scheme.is_for_perceptrons and not all(isinstance(layer, Dense | Nonlinearity) for layer in layers):
        return (
            f"{scheme.name} trains dense layers alone, one by one; for convolutions and skips there is lsuv"
        )
    if scheme.only_activation and functions - {scheme.only_activation}:
        return f"{scheme.name} is for {scheme.only_activation} units, not {min(functions)}"
    return None


def rate_factors(ensemble: Ensemble, schemes: Sequence[SchemeLike], *, adaptive: bool) -> FloatArray | None:
    """Factors of each parameter's learning rate, for schemes that have them, as `mup`.

    `train` follows them where it is given schemes. For an ensemble, or in a loop of your own, give them to
    the optimizer: `optimizer.factors = ...`.

    Args:
        ensemble: M networks.
        schemes: of each network, M.
        adaptive: whether the optimizer rescales each gradient; see `Optimizer.is_adaptive`.

    Returns:
        (M, P), or None where no scheme has any.

    Raises:
        UsageError: for another number of schemes than networks.

    >>> networks = initialize([4, 128, 128, 2], ["he", "mup"])
    >>> rate_factors(networks, ["he", "mup"], adaptive=False)[:, 0].tolist()
    [1.0, 2.0]
    """
    starts = as_initializations(schemes)
    given, expected = len(starts), ensemble.networks
    require(given == expected, f"{given} schemes for {expected} networks; give one for each")
    if not any(start.sets_rates for start in starts):
        return None
    factors = ensemble.keep(np.arange(ensemble.networks))
    factors.parameters[...] = 1
    layers = len(factors.weights)
    for row, start in enumerate(starts):
        for layer, (W, b) in enumerate(zip(factors.weights, factors.biases, strict=True)):
            W[row], b[row] = start.rates(layer, layers, W[row].shape, adaptive=adaptive)
    return factors.parameters


def _as_inputs(data: Any, features: int) -> Inputs | None:
    """Nested lists as an array; inputs must have the length that the network takes."""
    if isinstance(data, list | tuple):
        data = as_floats("inputs", data)
    shape: tuple[int, ...] = getattr(data, "shape", ())
    fitting = data is None or (len(shape) == 2 and shape[1] == features)
    require(fitting, f"inputs must have the shape (N, {features}), not {shape or shortened(data)}")
    return cast("Inputs | None", data)


def _within_network(
    starts: Sequence[Initialization], layers: Sequence[Layer], activation: str, data: Inputs | None
) -> list[Initialization]:
    network: dict[str, Argument] = {"activation": activation, **network_facts(layers)}
    if any("input_square" in start.open_arguments for start in starts):
        network["input_square"] = 1.0 if data is None else mean_square(data)
    return [start.within(**network) for start in starts]


def network_facts(layers: Sequence[Layer]) -> dict[str, Argument]:
    """What schemes may take from the shape of a network; see `Scheme.within`.

    Args:
        layers: of the network.

    >>> network_facts(network_layers([4, 4, 4, 4, 2], "relu", skip=2))
    {'depth': 3, 'blocks': 1, 'every': 2}
    """
    facts: dict[str, Argument] = {"depth": max(len(roles(layers)) - 1, 1)}
    branches = residuals(layers)
    if branches:
        every = sum(layer.is_affine for layer in branches[0].branch)
        facts |= {"blocks": len(branches), "every": every}
    return facts


def mean_square(data: Inputs) -> float:
    """The mean square of inputs, E[x^2], over the first thousand of them.

    Args:
        data: (N, n_0).

    >>> mean_square(np.full((5, 3), 2.0))
    4.0
    """
    return float(np.square(data[np.arange(min(len(data), 1000))], dtype=np.float64).mean())


def _draw(ensemble: Ensemble, row: int, initialization: Initialization, seed: int) -> None:
    layers = len(ensemble.weights)
    places = zip(ensemble.weights, ensemble.biases, roles(ensemble.layers), strict=True)
    for layer, (W, b, role) in enumerate(places):
        W[row], b[row] = initialization.draw(seed, layer, layers, W[row].shape, role)


def _begin_branches(ensemble: Ensemble, row: int, scheme: Scheme) -> None:
    """Set the learned scales of the residual branches, for a scheme that says where they begin."""
    if scheme.branch_scale is None:
        return
    for branch in residuals(ensemble.layers):
        branch.parameters[0][row] = scheme.branch_scale


def _adapt(ensemble: Ensemble, row: int, scheme: Scheme, seed: int, data: Inputs | None) -> None:
    """Let a scheme that looks at data change the weights that it drew."""
    if data is None:
        raise UsageError(f"{scheme} looks at data, and there is none")
    adapt = SCHEMES[scheme.name].adapt
    assert adapt is not None
    alone = ensemble.keep(np.array([row]))
    samples, rng = _sampler(data, seed, ensemble.dtype), stream(seed, Purpose.ADAPTATION)
    alone.batches_before[0] = adapt(alone, samples, rng, **scheme.arguments)
    ensemble.put(np.array([row]), alone)


def _sampler(data: Inputs, seed: int, dtype: np.dtype[np.floating]) -> Samples:
    """A function that gives the next batch of inputs, drawn with replacement."""
    rng = stream(seed, Purpose.SAMPLES)

    def samples(batch_size: int) -> FloatArray:
        return np.asarray(data[rng.integers(len(data), size=batch_size)], dtype)

    return samples
