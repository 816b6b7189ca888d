"""Optimizers: parameters, gradients -> parameters, in place, for all networks at once.

To add one, write a function `f(parameters, gradients, memory, **arguments)` under `@OPTIMIZERS.register()`.
The dict `memory` holds what the function keeps from step to step, by name, in arrays whose first axis counts
the networks. An argument is one number for all networks, or an array (M, 1). An update may overwrite the
gradients, which saves a temporary array of the size of all parameters.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from initlab.errors import UsageError, require, unknown_name
from initlab.nn.arrays import FloatArray, IntArray
from initlab.registry import Registry, parameters_of, read_call, required_of

Memory = dict[str, FloatArray]
Update = Callable[..., None]
Rate = FloatArray | float
OPTIMIZERS: Registry[Update] = Registry("optimizer")


@OPTIMIZERS.register()
def sgd(
    parameters: FloatArray,
    gradients: FloatArray,
    memory: Memory,  # noqa: ARG001
    *,
    lr: Rate,
) -> None:
    """Stochastic gradient descent, `w <- w - lr g`.

    Args:
        parameters: w, (M, P), one row for each network; changed in place.
        gradients: g, (M, P); overwritten.
        memory: unused.
        lr: learning rate, a number or (M, 1).

    Source: Robbins & Monro 1951, A stochastic approximation method.

    >>> w = np.array([[1.0, 2.0]])
    >>> sgd(w, np.array([[10.0, 0.0]]), {}, lr=np.array([[0.01]]))
    >>> w.tolist()
    [[0.9, 2.0]]
    """
    gradients *= lr
    parameters -= gradients


@OPTIMIZERS.register()
def momentum(
    parameters: FloatArray, gradients: FloatArray, memory: Memory, *, lr: Rate, momentum: Rate = 0.9
) -> None:
    """Momentum (the heavy ball), `v <- mu v + g; w <- w - lr v`, starting with v = 0.

    Args:
        parameters: w, (M, P), one row for each network; changed in place.
        gradients: g, (M, P); overwritten.
        memory: holds v.
        lr: learning rate, a number or (M, 1).
        momentum: mu, from 0 to below 1, a number or (M, 1); 0.9 by default.

    Source: Polyak 1964, Some methods of speeding up the convergence of iteration methods; in this form
    PyTorch's SGD. Sutskever et al. 2013, eq. 1 and 2, keep the rate within v, which differs only while a
    schedule moves it.

    >>> step, w = Optimizer("momentum", lr=0.1, momentum=0.5), np.zeros((1, 1))
    >>> for _ in range(2): step(w, np.ones((1, 1)))
    >>> round(w.item(), 9)
    -0.25
    """
    velocity = _remembered(memory, "velocity", parameters)
    velocity *= momentum
    velocity += gradients
    np.multiply(velocity, lr, out=gradients)
    parameters -= gradients


@OPTIMIZERS.register()
def nesterov(
    parameters: FloatArray, gradients: FloatArray, memory: Memory, *, lr: Rate, momentum: Rate = 0.9
) -> None:
    """Nesterov's momentum, `v <- mu v + g; w <- w - lr (g + mu v)`, as if g were taken one step ahead.

    Args:
        parameters: w, (M, P), one row for each network; changed in place.
        gradients: g, (M, P); overwritten.
        memory: holds v, which starts at 0.
        lr: learning rate, a number or (M, 1).
        momentum: mu, from 0 to below 1, a number or (M, 1); 0.9 by default.

    Source: Nesterov 1983, A method of solving a convex programming problem with convergence rate O(1/k^2); in
    this form PyTorch's SGD with nesterov=True.

    >>> step, w = Optimizer("nesterov", lr=0.1, momentum=0.5), np.zeros((1, 1))
    >>> step(w, np.ones((1, 1))); round(w.item(), 9)
    -0.15
    """
    velocity = _remembered(memory, "velocity", parameters)
    velocity *= momentum
    velocity += gradients
    gradients += momentum * velocity
    gradients *= lr
    parameters -= gradients


@OPTIMIZERS.register()
def adagrad(
    parameters: FloatArray, gradients: FloatArray, memory: Memory, *, lr: Rate, eps: Rate = 1e-10
) -> None:
    """AdaGrad, `s <- s + g^2; w <- w - lr g / (sqrt(s) + eps)`: each parameter's rate falls as it moves.

    Args:
        parameters: w, (M, P), one row for each network; changed in place.
        gradients: g, (M, P); overwritten.
        memory: holds s, which starts at 0.
        lr: learning rate, a number or (M, 1).
        eps: against a division by 0, a number or (M, 1); 1e-10 by default, as in PyTorch.

    Source: Duchi, Hazan & Singer 2011, Adaptive subgradient methods for online learning.

    >>> step, w = Optimizer("adagrad", lr=0.1), np.zeros((1, 1))
    >>> step(w, np.full((1, 1), 7.0)); round(w.item(), 9)
    -0.1
    """
    squares = _remembered(memory, "squares", parameters)
    squares += gradients * gradients
    gradients *= lr
    gradients /= np.sqrt(squares) + eps
    parameters -= gradients


@OPTIMIZERS.register()
def rmsprop(
    parameters: FloatArray,
    gradients: FloatArray,
    memory: Memory,
    *,
    lr: Rate,
    decay: Rate = 0.99,
    eps: Rate = 1e-8,
) -> None:
    """RMSProp, `s <- rho s + (1 - rho) g^2; w <- w - lr g / (sqrt(s) + eps)`: AdaGrad that forgets.

    Args:
        parameters: w, (M, P), one row for each network; changed in place.
        gradients: g, (M, P); overwritten.
        memory: holds s, which starts at 0.
        lr: learning rate, a number or (M, 1).
        decay: rho, from 0 to below 1, a number or (M, 1); 0.99 by default, as in PyTorch.
        eps: against a division by 0, a number or (M, 1); 1e-8 by default.

    Source: Tieleman & Hinton 2012, Neural networks for machine learning, lecture 6.5.

    >>> step, w = Optimizer("rmsprop", lr=0.1, decay=0.0), np.zeros((1, 1))
    >>> step(w, np.full((1, 1), 7.0)); round(w.item(), 6)
    -0.1
    """
    squares = _remembered(memory, "squares", parameters)
    squares *= decay
    squares += (1 - decay) * gradients * gradients
    gradients *= lr
    gradients /= np.sqrt(squares) + eps
    parameters -= gradients


@OPTIMIZERS.register()
def adam(
    parameters: FloatArray,
    gradients: FloatArray,
    memory: Memory,
    *,
    lr: Rate,
    beta1: Rate = 0.9,
    beta2: Rate = 0.999,
    eps: Rate = 1e-8,
) -> None:
    """Adam: momentum divided by RMSProp's root, both corrected for starting at 0.

        `m <- beta1 m + (1 - beta1) g;   s <- beta2 s + (1 - beta2) g^2`
        `w <- w - lr (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + eps)`        in step t = 1, 2, ...

    Args:
        parameters: w, (M, P), one row for each network; changed in place.
        gradients: g, (M, P); overwritten.
        memory: holds m, s and t.
        lr: learning rate, a number or (M, 1).
        beta1: from 0 to below 1, a number or (M, 1); 0.9 by default.
        beta2: from 0 to below 1, a number or (M, 1); 0.999 by default.
        eps: against a division by 0, a number or (M, 1); 1e-8 by default.

    Source: Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 1.

    >>> step, w = Optimizer("adam", lr=0.1), np.zeros((1, 1))
    >>> step(w, np.full((1, 1), 7.0)); round(w.item(), 6)
    -0.1
    """
    means = _remembered(memory, "means", parameters)
    squares = _remembered(memory, "squares", parameters)
    # One count for each network, so that `Optimizer.keep` can choose rows of it as of any other array.
    count = _remembered(memory, "steps", parameters[:, :1])
    count += 1
    means *= beta1
    means += (1 - beta1) * gradients
    squares *= beta2
    squares += (1 - beta2) * gradients * gradients
    root = np.sqrt(squares)
    root /= np.sqrt(1 - beta2**count)
    root += eps
    np.divide(means, root, out=gradients)
    gradients *= lr / (1 - beta1**count)
    parameters -= gradients


@OPTIMIZERS.register()
def adamw(
    parameters: FloatArray,
    gradients: FloatArray,
    memory: Memory,
    *,
    lr: Rate,
    beta1: Rate = 0.9,
    beta2: Rate = 0.999,
    eps: Rate = 1e-8,
    decay: Rate = 0.01,
) -> None:
    """Adam with decoupled weight decay: `w <- w - lr lambda w`, then a step of `adam`.

    Args:
        parameters: w, (M, P), one row for each network; changed in place.
        gradients: g, (M, P); overwritten.
        memory: as for `adam`.
        lr: learning rate, a number or (M, 1).
        beta1: as for `adam`; 0.9 by default.
        beta2: as for `adam`; 0.999 by default.
        eps: as for `adam`; 1e-8 by default.
        decay: lambda, for weights and biases alike, a number or (M, 1); 0.01 by default.

    Source: Loshchilov & Hutter 2019, Decoupled weight decay regularization, algorithm 2.

    >>> step, w = Optimizer("adamw", lr=0.1, decay=0.5), np.ones((1, 1))
    >>> step(w, np.full((1, 1), 7.0)); round(w.item(), 6)
    0.85
    """
    # Rounded before the subtraction, as an array is, so that a network has the same bits in any company.
    parameters *= 1 - np.asarray(lr, parameters.dtype) * decay
    adam(parameters, gradients, memory, lr=lr, beta1=beta1, beta2=beta2, eps=eps)


def _remembered(memory: Memory, name: str, like: FloatArray) -> FloatArray:
    """The array that the memory holds under a name; zeros in the first step."""
    if name not in memory:
        memory[name] = np.zeros_like(like)
    return memory[name]


def clip_gradients(gradients: FloatArray, largest: float) -> None:
    """Shorten each network's gradient to a Euclidean norm of at most `largest`, in place.

    `g <- g min(1, largest / (|g| + 1e-6))`, as in PyTorch's `clip_grad_norm_`. A gradient that is not finite
    stays as it is: clipping must not hide that a network diverges.

    Args:
        gradients: g, (M, P), one row for each network.
        largest: the largest norm, above 0.

    Source: Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks, alg. 1.

    >>> g = np.array([[3.0, 4.0], [0.3, 0.4]])
    >>> clip_gradients(g, 1.0); g.round(6).tolist()
    [[0.6, 0.8], [0.3, 0.4]]
    """
    exact = gradients.astype(np.float64)  # the square of 1e20 overflows float32, which holds 1e20 itself
    # One matrix product for each network: unlike those of np.sum, its bits do not depend on M.
    norms = np.sqrt(np.matmul(exact[:, None, :], exact[:, :, None])[:, 0])
    factors = np.minimum(1, largest / (norms + 1e-6))
    gradients *= np.where(np.isfinite(norms), factors, 1).astype(gradients.dtype)


def decay_weights(gradients: FloatArray, parameters: FloatArray, strength: float) -> None:
    """Add the gradient of the penalty `strength / 2 |w|^2`, in place: `g <- g + strength w`.

    Weights and biases decay alike, as with PyTorch's `weight_decay`.

    Args:
        gradients: g, (M, P), one row for each network; changed in place.
        parameters: w, (M, P).
        strength: the weight of the penalty, from 0 on.

    Source: Krogh & Hertz 1992, A simple weight decay can improve generalization.

    >>> g = np.zeros((1, 2))
    >>> decay_weights(g, np.array([[1.0, -2.0]]), 0.1); g.tolist()
    [[0.1, -0.2]]
    """
    gradients += gradients.dtype.type(strength) * parameters


# The shares that the memory keeps from step to step. A share of 1 never forgets: momentum then grows without
# bound, and an average never moves from 0.
_BELOW_ONE = {
    "momentum": ["momentum"],
    "nesterov": ["momentum"],
    "rmsprop": ["decay"],
    "adam": ["beta1", "beta2"],
    "adamw": ["beta1", "beta2"],
}


def check_optimizer(name: str, arguments: Mapping[str, Any]) -> None:
    """Check the name and the arguments of an optimizer.

    Args:
        name: a name in `OPTIMIZERS`.
        arguments: for each argument a number, or a sequence of numbers.

    Raises:
        UsageError: for an unknown name or argument, a missing one, or a value out of range.
    """
    parameters = parameters_of(OPTIMIZERS[name])
    for argument, value in arguments.items():
        if argument not in parameters:
            raise UsageError(unknown_name(f"argument of {name}", argument, parameters))
        numbers = np.asarray(value).dtype.kind in "fiu"
        require(numbers, f"{argument} must be a number, or one for each network, not {value!r}")
        require(bool(np.min(value) >= 0), f"{argument} must be 0 or more, not {value}")
        below_one = argument not in _BELOW_ONE.get(name, []) or bool(np.max(value) < 1)
        require(below_one, f"{argument} of {name} must be below 1, not {value}")
    for argument in required_of(parameters):
        require(argument in arguments, f"{name} needs {argument}, as in {name}({argument}=0.1)")


# Their steps are as large as the gradients; the others rescale each gradient.
PROPORTIONAL = ("sgd", "momentum", "nesterov")


class Optimizer:
    """An optimizer with its arguments and its memory, for the M networks of an ensemble.

    Args:
        name: "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam" or "adamw".
        arguments: for each argument one number for all networks, or a sequence of M numbers.

    Attributes:
        name: of the update rule.
        update: the function of this name.
        arguments: for each argument a float, or an array (M, 1) in float64.
        memory: what the function keeps from step to step.
        factors: of the learning rate of each parameter, (M, P); None where all learn at the same rate.

    Raises:
        UsageError: for an unknown name or argument, a missing one, or a value out of range.

    >>> step = Optimizer("sgd", lr=[0.1, 0.2])
    >>> w = np.zeros((2, 3)); step(w, np.ones((2, 3))); w[:, 0].tolist()
    [-0.1, -0.2]
    """

    def __init__(self, name: str, **arguments: Any) -> None:
        check_optimizer(name, arguments)
        self.name, self.update = name, OPTIMIZERS[name]
        self.arguments: dict[str, Any] = {
            key: float(value) if np.ndim(value) == 0 else np.asarray(value, np.float64)[:, None]
            for key, value in arguments.items()
        }
        self.memory: Memory = {}
        self.factors: FloatArray | None = None

    @property
    def is_adaptive(self) -> bool:
        """Whether a larger gradient makes no larger step, since each is rescaled."""
        return self.name not in PROPORTIONAL

    @classmethod
    def parse(cls, text: str) -> "Optimizer":
        """The optimizer that a text like `sgd(lr=0.01)` or `momentum(lr=0.01, momentum=0.8)` stands for.

        Raises:
            UsageError: for an unknown name or argument, a missing one, or a value out of range.

        >>> Optimizer.parse("adam(lr=0.001)")
        Optimizer('adam', lr=0.001)
        """
        name, arguments = read_call("optimizer", text)
        return cls(name, **arguments)

    def __repr__(self) -> str:
        shown = {
            key: value if isinstance(value, float) else value[:, 0].tolist()
            for key, value in self.arguments.items()
        }
        return f"Optimizer({', '.join([repr(self.name), *(f'{k}={v}' for k, v in shown.items())])})"

    def __call__(self, parameters: FloatArray, gradients: FloatArray, lr_factor: float = 1.0) -> None:
        """Take one step.

        Args:
            parameters: (M, P), one row for each network; changed in place.
            gradients: (M, P); overwritten.
            lr_factor: the schedule's factor of the learning rate.
        """
        # One number for all networks stays a Python float: NumPy rounds `1 - 0.999` to float32 after the
        # subtraction, as it does for a default. An array (M, 1) would be rounded before it.
        scaled = {**self.arguments, "lr": self.arguments["lr"] * lr_factor}
        arguments = {
            key: value if isinstance(value, float) else value.astype(parameters.dtype)
            for key, value in scaled.items()
        }
        if self.factors is not None:
            expected, given = parameters.shape, np.shape(self.factors)
            require(given == expected, f"factors of learning rates must be {expected}, not {given}")
            # After the rounding, so that one rate for all and one for each network give the same bits.
            arguments["lr"] = arguments["lr"] * self.factors
        self.update(parameters, gradients, self.memory, **arguments)

    def fresh(self, rows: IntArray) -> "Optimizer":
        """A copy for some networks with an empty memory.

        Args:
            rows: the rows of these networks, (K,).

        >>> Optimizer("sgd", lr=[0.1, 0.2, 0.3]).fresh(np.array([0, 2]))
        Optimizer('sgd', lr=[0.1, 0.3])
        """
        kept = Optimizer.__new__(Optimizer)
        kept.name, kept.update, kept.memory = self.name, self.update, {}
        kept.arguments = self._arguments_of(rows)
        kept.factors = None if self.factors is None else self.factors[rows]
        return kept

    def keep(self, rows: IntArray) -> None:
        """Drop all networks but some, with what the memory holds of them.

        Args:
            rows: the rows of the networks to keep, (K,).
        """
        self.arguments = self._arguments_of(rows)
        self.memory = {key: value[rows] for key, value in self.memory.items()}
        self.factors = None if self.factors is None else self.factors[rows]

    def _arguments_of(self, rows: IntArray) -> dict[str, Any]:
        return {k: v if isinstance(v, float) or len(v) == 1 else v[rows] for k, v in self.arguments.items()}
