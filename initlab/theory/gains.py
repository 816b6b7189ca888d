"""Gains: the factor by which an activation function needs its layer's weights multiplied."""

import math
from dataclasses import dataclass

from initlab.errors import UsageError, unknown_name
from initlab.init.critical import critical_of
from initlab.init.quadrature import ActivationLike
from initlab.nn.activations import ACTIVATIONS
from initlab.theory.mean_field import moments, phase


def gain(activation: ActivationLike, keeps: str = "forward", q: float = 1.0) -> float:
    """The `sigma_w = sqrt(n_in Var W)` that keeps the signal, the gradient, or both at the length q.

    Forward it is `sqrt(q / E[phi(sqrt(q) z)^2])`, backward `1 / sqrt(E[phi'(sqrt(q) z)^2])`, with z from
    N(0, 1); "both" is their geometric mean. For ReLU all three are sqrt(2) (He et al. 2015, Delving deep into
    rectifiers, equations 10 and 14).

    Args:
        activation: a name, as "relu", or an elementwise function of an array.
        keeps: "forward", "backward" or "both".
        q: the variance of the pre-activations, > 0.

    Raises:
        UsageError: for an unknown activation, or another word for what the gain keeps.

    >>> round(gain("relu"), 4), round(gain("tanh"), 4), round(gain("tanh", "backward"), 4)
    (1.4142, 1.5925, 1.4674)
    """
    expected = moments(activation, q)
    forward, backward = math.sqrt(q / expected.square), 1 / math.sqrt(expected.slope_square)
    gains = {"forward": forward, "backward": backward, "both": math.sqrt(forward * backward)}
    if keeps not in gains:
        raise UsageError(unknown_name("direction", keeps, gains))
    return gains[keeps]


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A gain, and what becomes of signals and gradients in deep layers that begin with it.

    Attributes:
        gain: `sigma_w = sqrt(n_in Var W)`.
        q: the variance of the pre-activations to which the layers lead.
        chi: the factor of squared gradients there.
        signal_scale: the layers over which a difference between two inputs changes by a factor e; nan where
            the variance goes to 0 or infinity.
        gradient_scale: the layers over which squared gradients change by a factor e.
    """

    gain: float
    q: float
    chi: float
    signal_scale: float
    gradient_scale: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Gains:
    """The gains of an activation function, each with the depth to which it carries.

    Attributes:
        forward, backward: which keep the length of signals, or of gradients, at q = 1.
        critical: at which chi(q*) = 1, so that gradients keep their length at any depth; None where no gain
            is, as for gelu.
    """

    forward: Carried
    backward: Carried
    critical: Carried | None

    def __repr__(self) -> str:
        lines = [f"{'':9}{'gain':>10}{'q':>10}{'chi':>10}{'signal':>10}{'gradient':>10}"]
        for name, each in vars(self).items():
            values = vars(each).values() if each else [math.nan] * 5
            lines.append(f"{name:9}" + "".join(f"{value:10.4g}" for value in values))
        return "\n".join([*lines, "signal, gradient: layers over which they change by a factor e"])


def gains(activation: ActivationLike) -> Gains:
    """The forward, the backward and the critical gain, and how deep each carries signals and gradients.

    The depth scales are `xi_correlation` and `xi_gradient` of `phase` (Schoenholz et al. 2017); networks
    train up to about six of the smaller.

    Args:
        activation: a name, as "relu", `./mine.py:mish`, or an elementwise function of an array.

    Raises:
        UsageError: for an unknown activation, or a function that is not elementwise and finite.

    >>> gains("tanh")
                   gain         q       chi    signal  gradient
    forward       1.593         1     1.178     13.88      6.11
    backward      1.467    0.7249     1.126     18.56     8.411
    critical          1         0         1       nan       inf
    signal, gradient: layers over which they change by a factor e
    """
    name = ACTIVATIONS.resolve(activation)
    critical = critical_of(name)
    return Gains(
        forward=_carried(name, gain(name)),
        backward=_carried(name, gain(name, "backward")),
        critical=None if critical is None else _carried(name, math.sqrt(critical)),
    )


def _carried(activation: str, gain: float) -> Carried:
    end = phase(activation, gain**2)
    return Carried(
        gain=gain, q=end.q, chi=end.chi, signal_scale=end.xi_correlation, gradient_scale=end.xi_gradient
    )
