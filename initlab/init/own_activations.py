"""A person's own activation functions: f(z) -> an `Activation`, after f was tried on thousands of points.

Bounds and the steepest slope are measured there; the derivative is the person's, held against differences, or
consists of differences.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from initlab.errors import UsageError, require
from initlab.init.quadrature import central_slope
from initlab.nn.activations import ACTIVATIONS, Activation, Derivative, Function
from initlab.nn.arrays import FloatArray
from initlab.own_code import outcome_of, shown

Own = Callable[[FloatArray], Any]

# Where a function is tried: 0, whole numbers, at which kinks are likely, and points between them.
_TRIED = np.sort(np.concatenate([np.arange(-30.0, 31), np.linspace(-30, 30, 2003), np.linspace(-3, 3, 1001)]))
# Derivatives also between these, at points where a kink is unlikely.
_EVERYWHERE = np.concatenate([_TRIED, (_TRIED[:-1] + 0.618 * np.diff(_TRIED))])
_FAR = np.concatenate([-np.geomspace(1e6, 30, 200), np.geomspace(30, 1e6, 200)])
_KINKED_STEP = 1e-6
_SLOPE_TOLERANCE = 1e-4
# A bounded function grows by less than this share of its size between 1e4 and 1e6; a logarithm by half.
_SETTLED = 0.01


@ACTIVATIONS.adopts
def own_activation(
    *,
    name: str,
    function: Own,
    derivative: Own | None = None,
    formula: str = "",
    bounds: tuple[float, float] | None = None,
) -> Activation:
    """The activation of a person's own function.

    Args:
        name: under which it is registered, with the digest of its source.
        function: f(z), elementwise.
        derivative, formula, bounds: see `initlab.activation`.

    Raises:
        UsageError: for a function that is not elementwise, that gives other things than finite floats for
            |z| <= 30, or whose derivative differs from its differences.
    """
    phi = _floats_of(name, function)
    _check_elementwise(name, phi)
    differences = central_slope(phi)
    given = None if derivative is None else _floats_of(f"{name}'", derivative)
    if given is not None:
        _check_elementwise(f"{name}'", given)
        _check_derivative(name, phi, given)
    slope = given or differences
    return Activation(
        name=name,
        function=_with_room(phi),
        derivative=_of_both(slope),
        bounds=bounds or _bounds(phi),
        steepest=float(np.abs(slope(_EVERYWHERE)).max()),
        formula=formula or (inspect.getdoc(function) or "").partition("\n")[0] or "a function of your own",
        critical=np.nan,
    )


def _floats_of(name: str, function: Own) -> Callable[[Any], Any]:
    """The function with its values checked, as an array of the type of z."""

    def phi(z: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            a = np.asarray(outcome_of(name, function, z))
        require(a.shape == z.shape, f"{shown(name)} gives the shape {a.shape} for a z of shape {z.shape}")
        floats = np.issubdtype(a.dtype, np.floating)
        require(floats, f"{shown(name)} gives {a.dtype} instead of floats; write 1.0 for 1")
        return a.astype(z.dtype, copy=np.may_share_memory(a, z))

    return phi


def _with_room(phi: Callable[[Any], Any]) -> Function:
    """f(z, out), as the network calls it."""

    def function(z: FloatArray, out: FloatArray | None = None) -> FloatArray:
        a: FloatArray = phi(z)
        if out is None:
            return a
        np.copyto(out, a)
        return out

    return function


def _of_both(slope: Callable[[Any], Any]) -> Derivative:
    """f'(z, a), as the network calls it; in float64, in which differences keep ten digits."""

    def derivative(z: FloatArray, _a: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            slopes: FloatArray = slope(z.astype(np.float64)).astype(z.dtype)
        return slopes

    return derivative


def _check_elementwise(name: str, phi: Callable[[Any], Any]) -> None:
    """Refuse a function whose value at a point depends on the shape, on other points, or on chance."""
    for dtype in (np.float32, np.float64):
        z = _TRIED.astype(dtype)
        given = z.copy()
        a = phi(given)
        require(np.array_equal(given, z), f"{shown(name)} changes its z; it must return a new array")
        _check_finite(name, z, a)
        order = np.random.default_rng(0).permutation(len(z))
        for count, shape in ((len(z), (-1,)), (2400, (4, -1)), (240, (2, 3, -1)), (1, (1,))):
            chosen = order[:count]
            _check_same(name, z[chosen], a[chosen], phi(z[chosen].reshape(shape)).ravel())


def _check_finite(name: str, z: Any, a: Any) -> None:
    wrong = np.flatnonzero(~np.isfinite(a))
    if len(wrong):
        i = wrong[np.argmin(np.abs(z[wrong]))]
        raise UsageError(f"{shown(name)}({z[i]:.4g}) is {a[i]} in {z.dtype}")


def _check_same(name: str, z: Any, before: Any, after: Any) -> None:
    # Vectorized functions of NumPy round the last elements of an array in another way.
    close = np.isclose(before, after, rtol=64 * np.finfo(before.dtype).eps, atol=1e-6)
    if not close.all():
        i = int(np.argmin(close))
        raise UsageError(
            f"{shown(name)} is not elementwise: at z = {z[i]:.4g} it is {before[i]:.6g} in one array, and "
            f"{after[i]:.6g} in another"
        )


def _check_derivative(name: str, phi: Callable[[Any], Any], slope: Callable[[Any], Any]) -> None:
    """Refuse a derivative outside of the differences to the left and to the right, which differ at a kink."""
    z = _EVERYWHERE
    step = _KINKED_STEP * np.maximum(1, np.abs(z))
    left, right = (phi(z) - phi(z - step)) / step, (phi(z + step) - phi(z)) / step
    given = slope(z)
    margin = _SLOPE_TOLERANCE * (1 + np.abs(given))
    wrong = (given < np.minimum(left, right) - margin) | (given > np.maximum(left, right) + margin)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[np.argmin(np.abs(z[wrong]))])
        raise UsageError(
            f"the derivative of {shown(name)} is wrong: at z = {z[i]:.6g} it gives {given[i]:.6g}, but "
            f"differences give {(left[i] + right[i]) / 2:.6g}"
        )


def _bounds(phi: Callable[[Any], Any]) -> tuple[float, float]:
    """The infimum and the supremum, as measured: infinite where f still grows far from 0."""
    return -_supremum(lambda z: -phi(z)), _supremum(phi)


def _supremum(phi: Callable[[Any], Any]) -> float:
    near = _highest(phi)
    for end in (-1e6, 1e6):
        far, before = phi(np.array([end, end / 100])).tolist()
        if not far - before <= _SETTLED * abs(far) and not far <= near:
            return np.inf
    return float(np.nanmax([near, *phi(_FAR)]))


def _highest(phi: Callable[[Any], Any]) -> float:
    """The largest value near 0: that of the points tried, then of finer and finer ones around it."""
    z = _TRIED
    for _ in range(4):
        i = int(phi(z).argmax())
        z = np.linspace(z[max(i - 1, 0)], z[min(i + 1, len(z) - 1)], 101)
    return float(phi(z).max())
