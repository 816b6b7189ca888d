"""What a scheme really draws: a text, a layer's shape -> its law, its other names, what theory predicts.

`torch:linear`, for a layer of 784 to 100 -> `classic`, sigma_w^2 = 1/3 -> for each activation the gradient
factor and the depth to which a network stays trainable.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from initlab.errors import UsageError
from initlab.init.critical import critical_of
from initlab.init.per_layer import Initialization
from initlab.init.quadrature import functions_of
from initlab.init.scheme import ALIASES, LIBRARY_NAMES, SCHEMES, Scheme, Shape
from initlab.init.shaping import find_mirror, find_shift
from initlab.init.structured import start_for
from initlab.nn.activations import ACTIVATIONS, ActivationName
from initlab.own_code import shown
from initlab.tables import Table, aligned, html_table
from initlab.theory.mean_field import Phase, phase

# Networks train up to about 6 depth scales: a fit of Schoenholz et al. 2017, section 5, to their experiments.
TRAINABLE_SCALES = 6
# |chi - 1| up to which a network counts as critical: the published constants, such as 103.0076 for the
# sigmoid, are rounded, and a depth scale of 1000 layers is as good as none.
_NEAR = 1e-3
# Two rectangular shapes, one narrowing and one widening: schemes that agree on both agree on all.
_ODD_SHAPES: tuple[Shape, ...] = ((20, 17), (16, 31))


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What sigma_w^2 and sigma_b^2 mean under one activation, in wide and deep networks.

    Attributes:
        activation: its name.
        length: q*, to which the variance of the pre-activations leads: at 0 the signal dies, at infinity it
            explodes.
        chi: the factor by which a layer multiplies squared gradients at q*.
        regime: "ordered" (gradients vanish), "critical" or "chaotic" (they explode).
        deepest: how many layers stay trainable, `6 xi` with xi the shorter of the two depth scales; infinite
            at the critical point.
        critical: the sigma_w^2 that would be critical without biases; None where there is none.
    """

    activation: str
    length: float
    chi: float
    regime: str
    deepest: float
    critical: float | None


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where `auto` puts the units of one activation.

    Attributes:
        activation: its name.
        scheme: "shift", or "mirror".
        size, bias: the standard deviation and the mean of the pre-activations.
        reason: for the scheme.
    """

    activation: str
    scheme: str
    size: float
    bias: float
    reason: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Explanation:
    """A scheme in plain words and numbers, which a notebook shows as text and a table.

    Attributes:
        text: the scheme as it was asked for.
        shape: (n_in, n_out) of the layer.
        scheme: what initlab calls it.
        formula, source: of that scheme.
        means: what the other library does, and its traps; empty for initlab's own names.
        variance: of the weights of the given layer; None where theory does not apply, or where the variance
            depends on the activation.
        sigma_w2: n_in times the variance.
        bias: the scheme of the biases, for another library's name of a whole layer; else None: they are 0.
        sigma_b2: the variance of the biases.
        equals: names that draw the very same weights for every layer.
        equals_here: further names that draw the same weights for this shape of layer alone.
        outlooks: for each activation; none where theory does not apply.
        starts: for each activation, of `auto` alone.
        depth: hidden layers, for which the starts are meant.
    """

    text: str
    shape: Shape
    scheme: Scheme
    formula: str
    source: str
    means: str
    variance: float | None
    sigma_w2: float | None
    bias: Scheme | None
    sigma_b2: float
    equals: list[str]
    equals_here: list[str]
    outlooks: list[Outlook]
    starts: list[Start]
    depth: int

    @property
    def paragraphs(self) -> list[str]:
        """What the scheme draws, in words."""
        lines = [f"{self.text} is {shown(str(self.scheme))}: {self.formula}"]
        if self.means:
            lines.append(f"There: {self.means}.")
        lines.append(f"Source: {self.source}")
        if self.variance is not None:
            layer = "x".join(map(str, self.shape))
            std, sigma_w2 = self.variance**0.5, self.sigma_w2
            lines.append(f"For a layer of {layer}: std {std:.4g}, sigma_w^2 = n_in Var W = {sigma_w2:.4g}")
        if self.bias is not None:
            std, sigma_b2 = self.sigma_b2**0.5, self.sigma_b2
            lines.append(f"Its biases are {self.bias}: std {std:.4g}, sigma_b^2 = Var b = {sigma_b2:.4g}")
        if self.equals:
            lines.append(f"Same weights in every layer: {', '.join(self.equals)}")
        if self.equals_here:
            lines.append(f"Same weights in a layer of this shape: {', '.join(self.equals_here)}")
        if not self.table:
            lines.append(_NO_THEORY)
        return lines

    @property
    def heading(self) -> str:
        """What the table is about."""
        if not self.outlooks:
            return f"In a network of {self.depth} hidden layers:"
        biases = "without biases" if self.bias is None else "with these biases"
        return f"In wide networks {biases}, layer after layer:"

    @property
    def table(self) -> Table:
        """A header, and a row for each activation; empty where theory predicts nothing."""
        if self.outlooks:
            return [list(_OUTLOOK_HEADER), *map(_outlook_cells, self.outlooks)]
        return [list(_START_HEADER), *map(_start_cells, self.starts)] if self.starts else []

    @property
    def notes(self) -> tuple[str, ...]:
        """What the columns of the table mean."""
        return _OUTLOOK_NOTES if self.outlooks else _START_NOTES if self.starts else ()

    def __repr__(self) -> str:
        table = ["", self.heading, aligned(self.table), *self.notes] if self.table else []
        return "\n".join([*self.paragraphs, *table])

    def _repr_html_(self) -> str:
        words = [f"<p>{escape(text)}</p>" for text in self.paragraphs]
        if self.table:
            notes = [f"<p>{escape(text)}</p>" for text in self.notes]
            words += [f"<p>{escape(self.heading)}</p>", html_table(self.table), *notes]
        return "".join(words)


_NO_THEORY = "Theory makes no prediction: it needs uncorrelated weights of mean 0 that do not depend on data."
_OUTLOOK_HEADER = (
    *("activation", "variance", "gradient factor"),
    *("regime", "trainable depth", "critical sigma_w^2"),
)
_OUTLOOK_NOTES = (
    "Variance: the limit in deep layers.",
    "Gradient factor: a layer multiplies squared gradients by it.",
    "Trainable depth: about 6 depth scales (Schoenholz et al. 2017), for plain gradient descent.",
)
_START_HEADER = ("activation", "start", "size", "bias", "because")
_START_NOTES = ("Size and bias: the standard deviation and the mean of the pre-activations.",)


def _outlook_cells(outlook: Outlook) -> list[str]:
    ends = {0.0: "0 (vanishes)", math.inf: "explodes"}
    length = ends.get(outlook.length, f"{outlook.length:.4g}")
    depth = "any" if outlook.deepest == math.inf else f"{outlook.deepest:.0f}"
    critical = "-" if outlook.critical is None else f"{outlook.critical:.5g}"
    return [shown(outlook.activation), length, f"{outlook.chi:.4g}", outlook.regime, depth, critical]


def _start_cells(start: Start) -> list[str]:
    size, bias = f"{start.size:.3g}", f"{start.bias:.3g}"
    return [shown(start.activation), start.scheme, size, bias, start.reason]


def explain(
    text: str, shape: Shape = (100, 100), depth: int = 20, activations: Sequence[ActivationName] = ()
) -> Explanation:
    """Explain a scheme: its distribution, its other names, its effect on deep networks.

    Args:
        text: any scheme, in initlab's words or another library's.
        shape: (n_in, n_out) of the layer.
        depth: hidden layers of the network; `auto` alone depends on it.
        activations: of which the effect is predicted, names or functions of your own; by default all of ours.

    Raises:
        UsageError: for an unknown scheme, or a size below 1.

    >>> explanation = explain("torch:linear", (784, 100))
    >>> str(explanation.scheme), round(explanation.sigma_w2, 4), explanation.equals
    ('classic', 0.3333, ['classic'])
    >>> str(explanation.bias), round(explanation.sigma_b2 * 784, 4)
    ('classic', 0.3333)
    >>> {outlook.activation: outlook.regime for outlook in explain("he").outlooks}["relu"]
    'critical'
    >>> print(explain("lsuv"))  # doctest: +ELLIPSIS
    lsuv is lsuv: ...
    """
    if min(shape) < 1:
        raise UsageError(f"a layer has at least one input and one unit, not {shape[0]}x{shape[1]}")
    names = [ACTIVATIONS.resolve(activation) for activation in activations] or list(ACTIVATIONS)
    start = Initialization.of(text)
    scheme, sigma_b2 = start.scheme, start.bias_variance(shape)
    law, library_name = SCHEMES[scheme.name], LIBRARY_NAMES.get(_name(text))
    variance = scheme.variance(shape) if scheme.has_theory and not scheme.open_arguments else None
    others = [name for name in _names() if name != _name(text)]
    equals = [name for name in others if _same(scheme, name, _ODD_SHAPES)]
    return Explanation(
        text=text.strip(),
        shape=shape,
        scheme=scheme,
        formula=law.formula,
        source=law.source,
        means=library_name.means if library_name else "",
        variance=variance,
        sigma_w2=None if variance is None else shape[0] * variance,
        bias=start.bias,
        sigma_b2=sigma_b2,
        equals=equals,
        equals_here=[name for name in others if name not in equals and _same(scheme, name, (shape,))],
        outlooks=_outlooks(scheme, shape, names, sigma_b2) if scheme.has_theory else [],
        starts=[_start(name, depth) for name in names] if scheme.name == "auto" else [],
        depth=depth,
    )


def _start(activation: str, depth: int) -> Start:
    if start_for(activation) == "shift":
        shift = find_shift(activation, depth)
        reason = "phi(u) + phi(-u) is constant: pairs would never part"
        return Start(activation=activation, scheme="shift", size=shift.scale, bias=shift.bias, reason=reason)
    mirror = find_mirror(activation, depth)
    phi, _ = functions_of(activation)
    slope = float((phi(np.ones(1)) - phi(-np.ones(1)))[0])
    is_linear = abs(mirror.square - mirror.q * slope**2) < 1e-9 * mirror.square
    effective = (
        f"{slope:.3g} u".removeprefix("1 ") if is_linear else "curved; this size keeps it nearly straight"
    )
    return Start(
        activation=activation,
        scheme="mirror",
        size=math.sqrt(mirror.q),
        bias=0.0,
        reason=f"phi(u) - phi(-u) is {effective}",
    )


def _name(text: str) -> str:
    """The text without its arguments."""
    return text.partition("(")[0].strip()


def _outlooks(scheme: Scheme, shape: Shape, names: Sequence[str], sigma_b2: float) -> list[Outlook]:
    """One for each activation for which the scheme has a variance."""
    return [
        outlook(name, shape[0] * scheme.within(activation=name).variance(shape), sigma_b2)
        for name in names
        if not scheme.open_arguments or critical_of(name) is not None
    ]


def _names() -> list[str]:
    """All names that need no arguments."""
    schemes = [name for name, law in SCHEMES.items() if not law.required()]
    aliases = [alias for alias, name in ALIASES.items() if name in schemes]
    library_names = [name for name, entry in LIBRARY_NAMES.items() if not entry.required()]
    return sorted([*schemes, *aliases, *library_names])


def _same(scheme: Scheme, name: str, shapes: tuple[Shape, ...]) -> bool:
    """Whether both turn the same underlying random numbers into the same weights."""
    pair = (scheme, Scheme.parse(name))
    if any(member.open_arguments or member.is_data_dependent for member in pair):
        return False
    draws = [[member.draw(np.random.default_rng(0), shape) for member in pair] for shape in shapes]
    return all(np.allclose(a, b) for a, b in draws)


def outlook(activation: str, sigma_w2: float, sigma_b2: float = 0.0) -> Outlook:
    """What theory predicts of deep networks that begin with this sigma_w^2 and sigma_b^2.

    The trainable depth is `6 min(xi_gradient, xi_correlation)` (Schoenholz et al. 2017, section 5).

    Args:
        activation: its name.
        sigma_w2: n_in Var W.
        sigma_b2: Var b.

    >>> outlook("relu", 1.0).regime, round(outlook("relu", 1.0).deepest, 2)
    ('ordered', 8.66)
    """
    end = phase(activation, sigma_w2, sigma_b2)
    regime = "critical" if abs(end.chi - 1) < _NEAR else "ordered" if end.chi < 1 else "chaotic"
    return Outlook(
        activation=activation,
        length=end.q,
        chi=end.chi,
        regime=regime,
        deepest=math.inf if regime == "critical" else _trainable_depth(end),
        critical=critical_of(activation),
    )


def _trainable_depth(end: Phase) -> float:
    scales = [scale for scale in (end.xi_gradient, end.xi_correlation) if not math.isnan(scale)]
    return TRAINABLE_SCALES * min(scales)
