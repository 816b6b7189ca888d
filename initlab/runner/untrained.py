"""The networks of an experiment before training: its settings -> histograms, profiles through depth.

As in `initlab histogram` and `initlab depth`, inputs come from N(0, 1) and are as many as a layer has units:
then theory says what to expect. Schemes, labels, activations, layers, normalization and skip connections
are the experiment's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from initlab.errors import require
from initlab.init.per_layer import Initialization
from initlab.measure.quantities import QUANTITIES
from initlab.nn.architecture import Skip, as_skip
from initlab.nn.normalization import Norm
from initlab.runner.config import Experiment
from initlab.runner.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Untrained:
    """What the untrained networks of an experiment have in common, and in what they differ.

    Attributes:
        starts: the schemes, under their labels.
        activations: by name.
        depth, width: the number of hidden layers, and of the units of each.
        norm, skip: Batch or Layer Normalization and skip connections of all networks, or none.
        seed: the first of the sweep.
    """

    starts: list[Initialization]
    activations: list[str]
    depth: int
    width: int
    norm: Norm | None
    skip: Skip | None
    seed: int


def untrained(experiment: Experiment) -> Untrained:
    """The untrained networks of an experiment.

    Raises:
        UsageError: where runs differ in their layers, normalization or skip connections, or layers in their
            units.
    """
    points = [settings for _, settings in experiment.points()]
    networks = [settings.network for settings in points]
    hidden = _only("hidden layers", (network.hidden for network in networks))
    width = networks[0].width
    require(width is not None, f"layers of one width are drawn, not {' '.join(map(str, hidden)) or 'none'}")
    norm = _only("normalization", (network.normalization for network in networks))
    skip = _only("skip connections", (network.skip for network in networks))
    return Untrained(
        starts=_starts(points),
        activations=list(dict.fromkeys(network.activation for network in networks)),
        depth=len(hidden),
        width=width or 0,
        norm=norm,
        skip=as_skip(skip),
        seed=points[0].seed,
    )


def _only(what: str, values: Iterable[Value]) -> Value:
    """The value that all runs have."""
    different = list(dict.fromkeys(values))
    require(len(different) == 1, f"one figure holds networks of one kind, but the runs differ in {what}")
    return different[0]


def _starts(points: Iterable[Settings]) -> list[Initialization]:
    """Each start once, under its label, unless another start has it too."""
    labels = {settings.init.initialization: str(settings.init) for settings in points}
    names = list(labels.values())
    return [
        replace(start, words=label) if names.count(label) == 1 else start for start, label in labels.items()
    ]


def check_histogram(experiment: Experiment, what: str = "activations") -> None:
    """Refuse histograms that cannot be drawn of an experiment.

    Args:
        experiment: whose networks are meant.
        what: a name in `QUANTITIES`.

    Raises:
        UsageError: for another name, too many rows, or networks that do not fit one figure.
    """
    from initlab.plotting.histograms import MOST_ROWS

    QUANTITIES[what]
    networks = untrained(experiment)
    rows = len(networks.starts) * len(networks.activations)
    require(rows <= MOST_ROWS, f"a figure holds {MOST_ROWS} rows of histograms, not {rows}")


def draw_histogram(experiment: Experiment, what: str = "activations") -> "Figure":
    """Histograms of the networks before training, a row for each scheme and activation.

    Args:
        experiment: whose networks are meant.
        what: a name in `QUANTITIES`.
    """
    from initlab.measure.histograms import layer_panels
    from initlab.plotting.histograms import histogram_figure

    networks = untrained(experiment)
    panels = layer_panels(
        networks.starts,
        networks.activations,
        what=what,
        depth=networks.depth,
        width=networks.width,
        seed=networks.seed,
        norm=networks.norm,
        skip=networks.skip,
    )
    return histogram_figure(panels, f"{QUANTITIES[what].title} before training, inputs from N(0, 1)")


def check_depth(experiment: Experiment) -> None:
    """Refuse profiles that cannot be drawn of an experiment.

    Raises:
        UsageError: for fewer than two layers, or networks that do not fit one figure.
    """
    layers = untrained(experiment).depth
    require(layers > 1, f"a figure through depth needs two hidden layers or more, not {layers}")


def draw_depth(experiment: Experiment, seeds: int) -> "Figure":
    """Activations and gradients through the networks before training, a row for each activation.

    Args:
        experiment: whose networks are meant.
        seeds: how many networks are drawn from each scheme.
    """
    from initlab.measure.depth import depth_profiles
    from initlab.plotting.depth import depth_figure, title_of

    networks = untrained(experiment)
    profiles = depth_profiles(
        networks.starts,
        networks.activations,
        depth=networks.depth,
        width=networks.width,
        seeds=seeds,
        norm=networks.norm,
        skip=networks.skip,
    )
    return depth_figure(profiles, title_of(networks.depth, networks.width, networks.norm, networks.skip))
