"""Learning curves: the losses of a run's steps -> a smooth curve, its end, and when it came down."""

import numpy as np

from initlab.nn.arrays import FloatArray

FINAL_STEPS = 100
_WINDOW = np.kaiser(11, 2.0) / np.kaiser(11, 2.0).sum()


def smooth(losses: FloatArray) -> FloatArray:
    """A moving average of 11 steps with a Kaiser window (beta 2), as Saito's book smooths its curves.

    The ends are continued by reflection, so that the curve is as long as the losses.

    >>> smooth(np.full(20, 0.5)).round(12).tolist() == [0.5] * 20
    True
    """
    half = len(_WINDOW) // 2
    if len(losses) <= half:
        return losses.astype(np.float64)
    padded = np.pad(losses.astype(np.float64), half, mode="reflect")
    return np.convolve(padded, _WINDOW, mode="valid")


def final_loss(losses: FloatArray) -> float:
    """The mean over the last 100 steps, or over the last quarter where there are fewer than 400.

    >>> final_loss(np.array([9.0] * 300 + [1.0] * 100))
    1.0
    """
    count = min(FINAL_STEPS, -(-len(losses) // 4))
    return float(losses[-count:].mean(dtype=np.float64))


def steps_to_reach(losses: FloatArray, level: float) -> int | None:
    """The first step at which the smoothed loss is at or below a level; None when it never is.

    Args:
        losses: of each step, (steps,).
        level: the loss to reach.

    >>> steps_to_reach(np.linspace(2.0, 0.0, 201), 0.5)
    150
    """
    reached = np.flatnonzero(smooth(losses) <= level)
    return int(reached[0]) if len(reached) else None
