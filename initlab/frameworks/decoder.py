"""From which scheme was a weight drawn? A matrix or kernels -> the names that their statistics fit.

    constant? -> orthogonal? -> uniform, normal or cut normal, by the kurtosis -> the variances that fit

The kurtosis of a uniform distribution is 1.8, that of a normal one 3, and that of a normal one cut at two
standard deviations 2.36. A variance fits if it lies within four standard errors of the measured one.
"""

import math
from dataclasses import dataclass

import numpy as np

from initlab.init.scheme import Scheme
from initlab.nn.arrays import FloatArray

_ERRORS = 4.0
_KURTOSES = {"uniform": 1.8, "normal cut at 2 std": 2.3628, "normal": 3.0}
_CORRECTED = "(distribution=corrected_truncated_normal)"
# Of each distribution, the schemes that are in use.
_NAMES = {
    "normal": ("he", "lecun", "xavier", "he(fan=out)", "std=0.02", "std=0.01", "std=1"),
    "uniform": ("torch:linear", "xavier_uniform", "he_uniform", "lecun_uniform"),
    "normal cut at 2 std": (
        *(f"{name}{_CORRECTED}" for name in ("he", "lecun", "xavier")),
        "truncated_normal(std=0.02)",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What the statistics of a weight say.

    Attributes:
        kind: "constant", "orthogonal", "uniform", "normal", "normal cut at 2 std", or "" where none fits.
        std: the standard deviation.
        names: the schemes whose variance fits, the likeliest first; none for other variances.
    """

    kind: str
    std: float
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "constant":
            return "constant" if not self.names else self.names[0]
        fits = " or ".join(self.names) or "no known variance"
        return f"{self.kind or 'unknown'}, std {self.std:.3g}: {fits}"


def decoded(W: FloatArray) -> Decoded:
    """The schemes that a weight fits.

    Args:
        W: (n_in, n_out), or kernels (channels, C, k, k); some hundred numbers or more, for fewer fit almost
            everything.

    >>> rng = np.random.default_rng(0)
    >>> print(decoded(rng.normal(size=(300, 100)) * math.sqrt(2 / 300)))
    normal, std 0.0814: he
    >>> print(decoded(np.zeros((3, 2))))
    zeros
    """
    values = np.asarray(W, np.float64)
    std = float(values.std())
    if std <= 1e-12 * max(float(np.abs(values).max()), 1e-300):
        return Decoded(kind="constant", std=0.0, names=() if values.any() else ("zeros",))
    matrix = values if values.ndim == 2 else values.reshape(len(values), -1)
    if _is_orthogonal(matrix):
        return Decoded(kind="orthogonal", std=std, names=(f"orthogonal(gain={_gain(matrix):.4g})",))
    kind = _kind(values)
    return Decoded(kind=kind, std=std, names=tuple(_fitting(values, kind)))


def _is_orthogonal(W: FloatArray) -> bool:
    small = W if W.shape[0] >= W.shape[1] else W.T
    product = small.T @ small / _gain(W) ** 2
    return min(W.shape) > 1 and bool(np.abs(product - np.eye(len(product))).max() < 1e-3)


def _gain(W: FloatArray) -> float:
    """The factor of an orthogonal matrix."""
    return float(np.linalg.norm(W) / math.sqrt(min(W.shape)))


def _kind(values: FloatArray) -> str:
    """The distribution whose kurtosis is nearest, within its error; "" if none is."""
    centred = values - values.mean()
    kurtosis = float((centred**4).mean() / (centred**2).mean() ** 2)
    error = math.sqrt(24 / values.size)  # of a normal sample; the others' are smaller
    name, nearest = min(_KURTOSES.items(), key=lambda item: abs(item[1] - kurtosis))
    return name if abs(nearest - kurtosis) <= _ERRORS * error + 0.02 else ""


def _fitting(values: FloatArray, kind: str) -> list[str]:
    """The schemes whose variance is within four standard errors, `Var sqrt((kurtosis - 1) / N)`."""
    variance = float((values**2).mean())
    limit = _ERRORS * math.sqrt((_KURTOSES.get(kind, 3.0) - 1) / values.size)
    distances = {
        name: abs(variance / Scheme.parse(name).variance(values.shape) - 1) for name in _NAMES.get(kind, ())
    }
    return sorted(
        (name for name, distance in distances.items() if distance <= limit), key=distances.__getitem__
    )
