"""What a scheme really draws: a text, a layer's shape -> its law, its other names, what theory says of it.

`torch:linear`, for a layer of 784 to 100 -> `classic`, sigma_w^2 = 1/3 -> for each activation the gradient
factor and the depth to which a network stays trainable.
"""

import math
from dataclasses import dataclass

import numpy as np

from initlab.analysis.theory import phase
from initlab.errors import UsageError
from initlab.nn.activations import ACTIVATIONS, get_activation
from initlab.nn.initializers import ALIASES, DIALECTS, INITIALIZERS, Scheme
from initlab.nn.schemes import Shape

# Schoenholz et al. 2017, section 5: networks train up to about 6 depth scales; a fit to their experiments.
TRAINABLE_SCALES = 6
_NEAR = 1e-3
_ODD_SHAPES: tuple[Shape, ...] = ((20, 17), (16, 31))


@dataclass(frozen=True)
class Outlook:
    """What a sigma_w^2 means under one activation, in wide and deep networks without biases.

    Attributes:
        activation: its name.
        length: q*, to which the variance of the pre-activations leads: 0 dies away, infinite explodes.
        chi: by what a layer multiplies squared gradients, there.
        regime: "ordered" (gradients vanish), "critical" or "chaotic" (they explode).
        deepest: how many layers stay trainable, `6 xi` with xi the shorter of the two depth scales; infinite
            at the critical point.
        critical: the sigma_w^2 that would be critical; None where there is none.
    """

    activation: str
    length: float
    chi: float
    regime: str
    deepest: float
    critical: float | None


@dataclass(frozen=True)
class Explanation:
    """A scheme in plain words and numbers.

    Attributes:
        text: as it was asked for.
        scheme: what it is here.
        formula, source: of that.
        means: what the other library does, and its traps; empty for names of ours.
        variance: of the weights of the given layer; None where theory does not apply, or it depends on the
            activation.
        sigma_w2: n_in times the variance.
        equals: names that draw the very same weights for every layer.
        equals_here: further names that draw the same ones for this shape of layer alone.
        outlooks: for each activation; none where theory does not apply.
    """

    text: str
    scheme: Scheme
    formula: str
    source: str
    means: str
    variance: float | None
    sigma_w2: float | None
    equals: list[str]
    equals_here: list[str]
    outlooks: list[Outlook]


def explain(text: str, shape: Shape = (100, 100)) -> Explanation:
    """Tell what a scheme draws for a layer, and what becomes of networks that begin so.

    Args:
        text: any scheme, in initlab's words or another library's.
        shape: (n_in, n_out) of the layer.

    Raises:
        UsageError: for an unknown scheme, or a size below 1.

    >>> told = explain("torch:linear", (784, 100))
    >>> str(told.scheme), round(told.sigma_w2, 4), told.equals
    ('classic', 0.3333, ['classic'])
    >>> [(one.activation, one.regime) for one in explain("he").outlooks if one.activation in ("relu", "tanh")]
    [('tanh', 'chaotic'), ('relu', 'critical')]
    """
    if min(shape) < 1:
        raise UsageError(f"a layer has at least one input and one unit, not {shape[0]}x{shape[1]}")
    scheme = Scheme.parse(text)
    known, name = INITIALIZERS[scheme.name], text.partition("(")[0].strip()
    foreign = DIALECTS.get(name)
    variance = scheme.variance(shape) if scheme.has_theory and not scheme.is_open else None
    sigma_w2 = None if variance is None else shape[0] * variance
    always = [other for other in _names() if other != name and _same(scheme, other, _ODD_SHAPES)]
    here = [other for other in _names() if other not in (*always, name) and _same(scheme, other, (shape,))]
    return Explanation(
        text.strip(),
        scheme,
        known.formula,
        known.source,
        foreign.means if foreign else "",
        variance,
        sigma_w2,
        always,
        here,
        _outlooks(scheme, shape) if scheme.has_theory else [],
    )


def _outlooks(scheme: Scheme, shape: Shape) -> list[Outlook]:
    """For each activation; those for which an open scheme has no variance are left out."""
    suited = [name for name, known in ACTIVATIONS.items() if not scheme.is_open or known.critical is not None]
    return [outlook(name, shape[0] * scheme.within(name).variance(shape)) for name in suited]


def _names() -> list[str]:
    """All names that need no arguments."""
    ours = [name for name, known in INITIALIZERS.items() if not known.required()]
    aliases = [alias for alias, name in ALIASES.items() if name in ours]
    return sorted([*ours, *aliases, *(name for name, known in DIALECTS.items() if not known.required())])


def _same(scheme: Scheme, other: str, shapes: tuple[Shape, ...]) -> bool:
    """Whether both turn the same underlying random numbers into the same weights."""
    named = Scheme.parse(other)
    if any(one.is_open or one.adapts for one in (scheme, named)):
        return False
    drawn = [[one.draw(np.random.default_rng(0), shape) for one in (scheme, named)] for shape in shapes]
    return all(np.allclose(ours, theirs) for ours, theirs in drawn)


def outlook(activation: str, sigma_w2: float) -> Outlook:
    """What theory says of deep networks of one activation that begin with this sigma_w^2 and no biases.

    >>> outlook("relu", 1.0).regime, round(outlook("relu", 1.0).deepest, 2)
    ('ordered', 8.66)
    """
    end = phase(activation, sigma_w2)
    critical = get_activation(activation).critical
    if abs(end.chi - 1) < _NEAR:
        regime, deepest = "critical", math.inf
    else:
        regime = "ordered" if end.chi < 1 else "chaotic"
        scales = [scale for scale in (end.xi_gradient, end.xi_correlation) if not math.isnan(scale)]
        deepest = TRAINABLE_SCALES * min(scales)
    return Outlook(activation, end.q, end.chi, regime, deepest, critical)
