"""Optimizers: parameters, gradients -> parameters, in place, for all networks at once.

To add one, write a function `f(parameters, gradients, memory, **arguments)` under `@optimizer`. What it must
remember from step to step goes into `memory`, by name, in arrays whose first axis counts the networks.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from initlab.errors import UsageError, unknown_name
from initlab.nn.arrays import FloatArray, IntArray

Memory = dict[str, FloatArray]
Update = Callable[..., None]
Rate = FloatArray | float
OPTIMIZERS: dict[str, Update] = {}


def optimizer(update: Update) -> Update:
    """Register the decorated function under its own name."""
    OPTIMIZERS[update.__name__] = update
    return update


@optimizer
def sgd(
    parameters: FloatArray,
    gradients: FloatArray,
    memory: Memory,  # noqa: ARG001
    *,
    lr: FloatArray,
) -> None:
    """Stochastic gradient descent, `w <- w - lr g`. The gradients are used up.

    Args:
        parameters: (M, P), one row for each network; changed in place.
        gradients: (M, P); scaled in place.
        memory: not needed.
        lr: the learning rate of each network, (M, 1).

    >>> w = np.array([[1.0, 2.0]])
    >>> sgd(w, np.array([[10.0, 0.0]]), {}, lr=np.array([[0.01]]))
    >>> w.tolist()
    [[0.9, 2.0]]
    """
    gradients *= lr
    parameters -= gradients


@optimizer
def momentum(
    parameters: FloatArray, gradients: FloatArray, memory: Memory, *, lr: FloatArray, momentum: Rate = 0.9
) -> None:
    """Heavy ball, `v <- mu v + g; w <- w - lr v`, with v = 0 at first.

    Args:
        parameters, gradients: (M, P); the gradients are used up.
        memory: holds v.
        lr: learning rate, (M, 1).
        momentum: mu, (M, 1), 0.9 by default.

    Source: Polyak 1964; in this form Sutskever et al. 2013, On the importance of initialization and momentum
    in deep learning, and PyTorch's SGD.

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


@optimizer
def nesterov(
    parameters: FloatArray, gradients: FloatArray, memory: Memory, *, lr: FloatArray, momentum: Rate = 0.9
) -> None:
    """Nesterov's momentum, `v <- mu v + g; w <- w - lr (g + mu v)`: the gradient is taken a step ahead.

    Arguments as for `momentum`. Source: Nesterov 1983; in this form PyTorch's SGD with nesterov=True.

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


@optimizer
def adagrad(
    parameters: FloatArray, gradients: FloatArray, memory: Memory, *, lr: FloatArray, eps: Rate = 1e-10
) -> None:
    """AdaGrad, `s <- s + g^2; w <- w - lr g / (sqrt s + eps)`: each parameter's rate falls as it moves.

    Args:
        parameters, gradients: (M, P); the gradients are used up.
        memory: holds s.
        lr: learning rate, (M, 1).
        eps: against division by 0, (M, 1), 1e-10 by default.

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


@optimizer
def rmsprop(
    parameters: FloatArray,
    gradients: FloatArray,
    memory: Memory,
    *,
    lr: FloatArray,
    decay: Rate = 0.99,
    eps: Rate = 1e-8,
) -> None:
    """RMSProp, `s <- rho s + (1 - rho) g^2; w <- w - lr g / (sqrt s + eps)`: AdaGrad that forgets.

    Args:
        parameters, gradients: (M, P); the gradients are used up.
        memory: holds s.
        lr: learning rate, (M, 1).
        decay: rho, (M, 1), 0.99 by default.
        eps: against division by 0, (M, 1), 1e-8 by default.

    Source: Tieleman & Hinton 2012, lecture 6.5 of Neural networks for machine learning.

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


@optimizer
def adam(
    parameters: FloatArray,
    gradients: FloatArray,
    memory: Memory,
    *,
    lr: FloatArray,
    beta1: Rate = 0.9,
    beta2: Rate = 0.999,
    eps: Rate = 1e-8,
) -> None:
    """Adam: momentum over RMSProp, both corrected for beginning at 0.

        m <- beta1 m + (1 - beta1) g;   s <- beta2 s + (1 - beta2) g^2
        w <- w - lr (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + eps)        in step t = 1, 2, ...

    Args:
        parameters, gradients: (M, P); the gradients are used up.
        memory: holds m, s and t.
        lr: learning rate, (M, 1).
        beta1, beta2: (M, 1), 0.9 and 0.999 by default.
        eps: against division by 0, (M, 1), 1e-8 by default.

    Source: Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 1.

    >>> step, w = Optimizer("adam", lr=0.1), np.zeros((1, 1))
    >>> step(w, np.full((1, 1), 7.0)); round(w.item(), 6)
    -0.1
    """
    means = _remembered(memory, "means", parameters)
    squares = _remembered(memory, "squares", parameters)
    count = _remembered(memory, "steps", parameters[:, :1])  # of each network, also where all share lr
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


@optimizer
def adamw(
    parameters: FloatArray,
    gradients: FloatArray,
    memory: Memory,
    *,
    lr: FloatArray,
    beta1: Rate = 0.9,
    beta2: Rate = 0.999,
    eps: Rate = 1e-8,
    decay: Rate = 0.01,
) -> None:
    """Adam with weight decay apart from the gradient, `w <- w - lr lambda w`, then a step of `adam`.

    Args:
        parameters, gradients, memory, lr, beta1, beta2, eps: as for `adam`.
        decay: lambda, (M, 1), 0.01 by default; of weights and biases alike.

    Source: Loshchilov & Hutter 2019, Decoupled weight decay regularization, algorithm 2.

    >>> step, w = Optimizer("adamw", lr=0.1, decay=0.5), np.ones((1, 1))
    >>> step(w, np.full((1, 1), 7.0)); round(w.item(), 6)
    0.85
    """
    parameters *= 1 - lr * decay
    adam(parameters, gradients, memory, lr=lr, beta1=beta1, beta2=beta2, eps=eps)


def _remembered(memory: Memory, name: str, like: FloatArray) -> FloatArray:
    """What is remembered under a name; zeros in the first step."""
    if name not in memory:
        memory[name] = np.zeros_like(like)
    return memory[name]


def clip_gradients(gradients: FloatArray, largest: float) -> None:
    """Shorten each network's gradient to a Euclidean norm of at most `largest`, in place.

    `g <- g min(1, largest / (|g| + 1e-6))`, as PyTorch's `clip_grad_norm_`; one that is not finite stays.
    Source: Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks.

    Args:
        gradients: (M, P), one row for each network.
        largest: above 0.

    >>> g = np.array([[3.0, 4.0], [0.3, 0.4]])
    >>> clip_gradients(g, 1.0); g.round(6).tolist()
    [[0.6, 0.8], [0.3, 0.4]]
    """
    norms = np.array([[np.sqrt(np.square(row, dtype=np.float64).sum())] for row in gradients])
    factors = np.minimum(1, largest / (norms + 1e-6))
    gradients *= np.where(np.isfinite(norms), factors, 1).astype(gradients.dtype)


def decay_weights(gradients: FloatArray, parameters: FloatArray, strength: float) -> None:
    """Add the gradient of `strength / 2 |w|^2`, in place: `g <- g + strength w`.

    Of weights and biases alike, as PyTorch's `weight_decay`.
    Source: Krogh & Hertz 1992, A simple weight decay can improve generalization.

    Args:
        gradients, parameters: (M, P).
        strength: from 0 on.

    >>> g = np.zeros((1, 2))
    >>> decay_weights(g, np.array([[1.0, -2.0]]), 0.1); g.tolist()
    [[0.1, -0.2]]
    """
    gradients += gradients.dtype.type(strength) * parameters


# What is kept from step to step; of 1 or more it would grow without bound, or never learn.
_BELOW_ONE = {
    "momentum": ["momentum"],
    "nesterov": ["momentum"],
    "rmsprop": ["decay"],
    "adam": ["beta1", "beta2"],
    "adamw": ["beta1", "beta2"],
}


def check_optimizer(name: str, arguments: Mapping[str, Any]) -> None:
    """Raise a UsageError unless there is such an optimizer and these are its arguments."""
    if name not in OPTIMIZERS:
        raise UsageError(unknown_name("optimizer", name, OPTIMIZERS))
    parameters = inspect.signature(OPTIMIZERS[name]).parameters
    accepted = [p for p in parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    for given in arguments:
        if given not in [p.name for p in accepted]:
            raise UsageError(unknown_name(f"argument of {name}", given, [p.name for p in accepted]))
    for given, value in arguments.items():
        if not np.min(value) >= 0:
            raise UsageError(f"{given} must be 0 or more, not {value}")
        if given in _BELOW_ONE.get(name, []) and np.max(value) >= 1:
            raise UsageError(f"{given} of {name} must be below 1, not {value}")
    for parameter in accepted:
        if parameter.default is inspect.Parameter.empty and parameter.name not in arguments:
            raise UsageError(f"{name} needs {parameter.name}")


class Optimizer:
    """An optimizer with its arguments and its memory, for the M networks of an ensemble.

    Args:
        name: as in `OPTIMIZERS`.
        arguments: a number for all networks, or a sequence of M numbers, for each argument.

    Raises:
        UsageError: for an unknown name or argument.

    >>> step = Optimizer("sgd", lr=[0.1, 0.2])
    >>> w = np.zeros((2, 3)); step(w, np.ones((2, 3))); w[:, 0].tolist()
    [-0.1, -0.2]
    """

    def __init__(self, name: str, **arguments: Any) -> None:
        check_optimizer(name, arguments)
        self.update = OPTIMIZERS[name]
        self.arguments = {key: np.atleast_1d(value)[:, None] for key, value in arguments.items()}
        self.memory: Memory = {}

    def __call__(self, parameters: FloatArray, gradients: FloatArray, lr_factor: float = 1.0) -> None:
        """Take one step, with the learning rate times the factor of a schedule."""
        arguments = {key: value.astype(parameters.dtype) for key, value in self.arguments.items()}
        if lr_factor != 1:
            arguments["lr"] *= parameters.dtype.type(lr_factor)
        self.update(parameters, gradients, self.memory, **arguments)

    def keep(self, rows: IntArray) -> None:
        """Forget all networks but those of the given rows."""
        self.arguments = {k: v[rows] if len(v) > 1 else v for k, v in self.arguments.items()}
        self.memory = {key: value[rows] for key, value in self.memory.items()}
