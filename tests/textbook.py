"""One network in float64 as a textbook writes it, the independent reference; and random layers for tests."""

from itertools import pairwise

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


FUNCTIONS = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.where(z > 0, z, 0.0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
}


def random_layers(networks, sizes, seed=0):
    """Weights (M, n_in, n_out) and biases (M, n_out) of each layer; the networks' scales are 0.5 to 1.5."""
    rng, scales = np.random.default_rng(seed), np.linspace(0.5, 1.5, networks)
    shapes = [(networks, n_in, n_out) for n_in, n_out in pairwise(sizes)]
    weights = [rng.normal(0, shape[1] ** -0.5, shape) * scales[:, None, None] for shape in shapes]
    biases = [0.1 * rng.standard_normal((networks, shape[2])) for shape in shapes]
    return weights, biases


class Network:
    """A perceptron with softmax cross-entropy, trained by gradient descent."""

    def __init__(self, weights, biases, activation):
        self.weights = [np.array(W, dtype=np.float64) for W in weights]
        self.biases = [np.array(b, dtype=np.float64) for b in biases]
        self.function, self.derivative = FUNCTIONS[activation]

    def step(self, x, labels, lr):
        signals, sums = [x], []
        for layer, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            sums.append(signals[-1] @ W + b)
            last = layer == len(self.weights) - 1
            signals.append(sums[-1] if last else self.function(sums[-1]))
        logits = signals[-1]
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        rows = np.arange(len(x))
        loss = -np.log(probabilities[rows, labels]).mean()
        delta = probabilities.copy()
        delta[rows, labels] -= 1
        delta /= len(x)
        gradients = []
        for layer in range(len(self.weights) - 1, -1, -1):
            gradients.append((layer, signals[layer].T @ delta, delta.sum(axis=0)))
            if layer:
                delta = (delta @ self.weights[layer].T) * self.derivative(sums[layer - 1])
        for layer, dW, db in gradients:
            self.weights[layer] -= lr * dW
            self.biases[layer] -= lr * db
        return loss

    def accuracy(self, x, labels):
        for W, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = self.function(x @ W + b)
        return ((x @ self.weights[-1] + self.biases[-1]).argmax(axis=1) == labels).mean()
