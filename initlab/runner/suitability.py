"""Whether each scheme of a config suits its network, before anything is trained."""

from collections.abc import Mapping
from typing import Any

from initlab.errors import ConfigError, UsageError
from initlab.init.networks import misfit
from initlab.nn.architecture import Size, network_layers
from initlab.runner.config import Experiment
from initlab.runner.settings import NetworkSettings, Settings

# The first layer's inputs, on which no scheme's suitability depends; and images that suit most kernels.
_INPUTS: Size = 1
_IMAGES: Size = (1, 1024, 1024)


def check_schemes(experiment: Experiment) -> None:
    """Refuse schemes that cannot begin a network, as those for residual networks without skip connections.

    Raises:
        ConfigError: with the place of each scheme, the reason, and the settings beside it.
    """
    places: dict[tuple[str, str], str] = {}
    different: dict[tuple[int, int], tuple[dict[str, Any], Settings]] = {}
    for chosen, settings in experiment.points():
        # In an experiment, equal parts are one object; so runs of other seeds are not asked again.
        different.setdefault((id(settings.network), id(settings.init)), (chosen, settings))
    for chosen, settings in different.values():
        reason = _misfit(settings)
        if reason is not None:
            places.setdefault((_place(experiment, chosen), reason), _beside(chosen))
    if places:
        raise ConfigError(f"{place}: {reason}{beside}" for (place, reason), beside in places.items())


def _misfit(settings: Settings) -> str | None:
    network = settings.network
    try:
        sizes = [_inputs(network), *network.hidden, 1]
        layers = network_layers(sizes, network.activation, network.normalization, network.skip)
    except UsageError:  # layers that do not fit each other are another matter
        return None
    return misfit(settings.init.initialization, layers)


def _inputs(network: NetworkSettings) -> Size:
    return _IMAGES if any(isinstance(layer, str) for layer in network.hidden) else _INPUTS


def _place(experiment: Experiment, chosen: Mapping[str, Any]) -> str:
    """Of the scheme of a point, in the sweep or beside it."""
    for axis in experiment.axes:
        keys = [key for key in axis.keys if key == "init" or key.startswith("init.scheme")]
        for key in keys:
            return experiment.place(*axis.keys[key], axis.values[key].index(chosen[key]))
    return experiment.place("init")


def _beside(chosen: Mapping[str, Any]) -> str:
    """The first swept values of the network that the scheme does not suit, and what may be done."""
    network = {key: value for key, value in chosen.items() if key.split(".")[0] == "network"}
    if not network:
        return ""
    values = ", ".join(f"{key} {'null' if value is None else value}" for key, value in network.items())
    return f"; it is swept with {values}, which sweep.exclude leaves out"
