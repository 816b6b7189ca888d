"""What the first steps of training would do, from gradients alone: how fast they learn, where they overshoot.

A step at the rate r changes the parameters by `-r u`; u is the gradient g of the loss L, or its signs for
optimizers that divide each gradient by its own size. Two numbers say what that does:

    pull     r pull is how much a step makes the batch's own targets cheaper than exchanged ones. With D, the
             gradient for the own targets less that for those of other samples, pull = |D|^2, or the sum of
             |D| for signs. What all samples share, as the share of each class, is not in it.
    highest  the rate 2 g.u / u.Hu, at which the step no longer lowers the loss, to second order. H is the
             Hessian; H u is the difference of two gradients.

So about `L / (r pull)` steps are needed, at a rate that people use and that does not overshoot: a model that
needs thousands does not learn, whatever its layers look like.

Sources: Jacot, Gabriel & Hongler 2018, whose kernel says how fast gradient descent tells samples apart; Xiao,
Pennington & Schoenholz 2020, on its condition number as the limit of trainability; Cohen et al. 2021, on 2
over the curvature as the largest rate.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from initlab.diagnosis.limits import ADAPTIVE

Arrays = Mapping[str, Any]  # parameters or gradients by name, of any library
Gradients = Callable[[Arrays], Arrays]

# How far H u is felt for: this share of the parameters' size.
_NEAR = 1e-3


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What counts as few steps and as a usable rate, fitted to 171 models of 14 families and 300 steps.

    Attributes:
        rate: the largest that people use.
        soon, late: a model trains that needs up to so many steps; one that needs more than `late` does not.
        safe: where steps overshoot from a lower rate on, it may not.
    """

    rate: float
    soon: float
    late: float
    safe: float


PLAIN = Usual(rate=0.3, soon=200, late=500, safe=0.0035)
SIGNS = Usual(rate=0.01, soon=50, late=1000, safe=0.001)


@dataclass(frozen=True, kw_only=True)
class FirstSteps:
    """How an optimizer's first steps would go; see the module's docstring.

    Attributes:
        loss: L, of the batch.
        pull: > 0, or 0 where the targets make no difference to the gradient.
        highest: a rate; infinite where the loss does not curve upwards.
        optimizer: a name in `OPTIMIZERS`.
    """

    loss: float
    pull: float
    highest: float
    optimizer: str = "sgd"

    @property
    def usual(self) -> Usual:
        """Of the optimizer."""
        return SIGNS if self.optimizer in ADAPTIVE else PLAIN

    @property
    def usable(self) -> float:
        """The highest rate that people use and that does not overshoot."""
        return min(self.highest, self.usual.rate)

    @property
    def steps(self) -> float:
        """How many steps are needed at the highest usable rate.

        >>> FirstSteps(loss=2.0, pull=0.5, highest=0.1).steps
        40.0
        """
        return self.lowest(1) / self.usable if self.usable else math.inf

    @property
    def rate(self) -> float:
        """In the middle of those that learn soon and are usable; where there are none, the highest usable.

        >>> FirstSteps(loss=2.0, pull=1.0, highest=1.0).rate > 0.01
        True
        """
        lowest = self.lowest(self.usual.soon)
        return math.sqrt(lowest * self.usable) if lowest < self.usable else self.usable

    def update(self, square: float, gradient: float) -> float:
        """How much a step at `rate` changes some parameters, relative to their size.

        Args:
            square: their mean square.
            gradient: that of the loss's gradient in them.

        >>> FirstSteps(loss=2.0, pull=1.0, highest=0.01).update(4.0, 1.0)
        0.005
        """
        step = 1.0 if self.optimizer in ADAPTIVE and gradient else math.sqrt(gradient)
        return self.rate * step / math.sqrt(square) if square else math.inf

    def lowest(self, steps: float) -> float:
        """The rate that is needed to learn in so many steps.

        >>> FirstSteps(loss=2.0, pull=0.5, highest=0.1).lowest(100)
        0.04
        """
        return self.loss / (self.pull * steps) if self.pull else math.inf

    @property
    def verdict(self) -> str:
        """ "trains", "in doubt" or "does not train"."""
        if self.steps > self.usual.late:
            return "does not train"
        return "in doubt" if self.words else "trains"

    @property
    def words(self) -> list[str]:
        """ "slow" or "unstable", or none.

        >>> FirstSteps(loss=2.0, pull=1e-9, highest=1e-3).words
        ['slow', 'unstable']
        """
        is_slow, is_unstable = self.steps > self.usual.soon, self.highest < self.usual.safe
        return ["slow"] * is_slow + ["unstable"] * is_unstable

    def __str__(self) -> str:
        soon, rate = self.usual.soon, self.usable
        if not math.isfinite(self.steps):
            return f"first steps: {self.optimizer} learns nothing, for gradients overflow or are 0"
        if "slow" in self.words:
            return (
                f"first steps: {self.optimizer} would need {self.steps:.2g} of them at a rate of {rate:.1g}"
            )
        need = f"{self.optimizer} learns in {soon:g} at rates from {self.lowest(soon):.1g}"
        return f"first steps: {need}, and overshoots from {self.highest:.1g} on"


def first_steps(
    loss: float, own: Arrays, others: Arrays, parameters: Arrays, gradients_at: Gradients, optimizer: str
) -> FirstSteps:
    """Compare three gradients.

    Args:
        loss: for the batch's own targets.
        own, others: the gradients for these, and for exchanged ones; parameters without one are left out.
        parameters: where the gradients were taken.
        gradients_at: parameters -> the gradients there, for the own targets.
        optimizer: a name in `OPTIMIZERS`.
    """
    size = _dot(own, own)
    if not (math.isfinite(loss) and 0 < size < math.inf):
        # An overflow has no rate at which it learns; without a gradient, nothing moves.
        highest = math.inf if size == 0 else 0.0
        return FirstSteps(loss=loss, pull=0.0, highest=highest, optimizer=optimizer)
    is_adaptive = optimizer in ADAPTIVE
    pull = 0.0
    for name in own:
        difference = own[name] - others[name]
        pull += float(abs(difference).sum()) if is_adaptive else _square(difference)
    if not math.isfinite(pull):  # exchanged targets overflow
        return FirstSteps(loss=loss, pull=0.0, highest=0.0, optimizer=optimizer)
    curvature, slope = _along(own, parameters, gradients_at, _sign if is_adaptive else _same)
    highest = 2 * slope / curvature if curvature > 0 else math.inf
    return FirstSteps(loss=loss, pull=pull, highest=highest, optimizer=optimizer)


def _along(
    own: Arrays, parameters: Arrays, gradients_at: Gradients, direction: Callable[[Any], Any]
) -> tuple[float, float]:
    """u.Hu and g.u, for the direction u of a step."""
    length = sum(_square(direction(each)) for each in own.values())
    # Of parameters that are all 0, as if they were 1 in all.
    near = _NEAR * math.sqrt((_dot(parameters, parameters) or 1.0) / length)
    moved = {
        name: value - near * direction(own[name]) if name in own else value
        for name, value in parameters.items()
    }
    after = gradients_at(moved)
    bend = sum(_product(each - after[name], direction(each)) for name, each in own.items())
    return bend / near, sum(_product(each, direction(each)) for each in own.values())


def order_of(samples: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The samples whose targets each sample gets in the exchange: an order by chance, always the same."""
    return np.random.default_rng(0).permutation(samples)


def medians(each: Sequence[FirstSteps]) -> FirstSteps:
    """Of several draws, number by number."""
    names = ("loss", "pull", "highest")
    middle = {name: float(np.median([getattr(one, name) for one in each])) for name in names}
    return FirstSteps(**middle, optimizer=each[0].optimizer)


def _dot(ones: Arrays, others: Arrays) -> float:
    return sum(_product(ones[name], others[name]) for name in ones)


def _product(one: Any, other: Any) -> float:
    return float(one.ravel() @ other.ravel())


def _square(array: Any) -> float:
    return _product(array, array)


def _same(array: Any) -> Any:
    return array


def _sign(array: Any) -> Any:
    # Of the array's own type: booleans alone would become the default one.
    return array * 0 + (array > 0) * 1.0 - (array < 0) * 1.0
